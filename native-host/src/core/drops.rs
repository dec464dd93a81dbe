//! `file/dropped-files`: from what a page says was dropped on it to paths that the user has confirmed.
//!
//! The disk is searched only for what the browser itself dropped on the document that asks, as the relay saw it: a page's own word
//! leads to a file dialog at once. Either way the page hears nothing before the user has decided, and the same thing (no files)
//! whatever the reason was: it cannot learn by asking what is on the disk.

use super::clients::no_window;
use super::requests::{Stage, Wanted};
use super::{ConnId, Core, Job, Output, Ticket};
use crate::drops::Found;
use crate::grants::{Grant, GrantKind};
use crate::time::Now;
use godwit_protocol::Origin;
use godwit_protocol::bodies::{dropped_files, witnessed};
use godwit_protocol::page::{Dropped, Endpoint, PageAnswer};
use godwit_protocol::spec::SpecError;
use godwit_protocol::start::parse_body;
use godwit_protocol::ui::{Decision, PickerOptions, Question};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Longest list of dropped names that a dialog shows, characters.
const MAX_TITLE: usize = 200;
/// Most paths that the question shows.
const MAX_SHOWN: usize = 100;
/// Where desktops mount what is plugged in.
const PLUGGED: [&str; 2] = ["/media", "/run/media"];

/// One call under way.
#[derive(Debug)]
pub(super) struct Drop {
    /// What the dialog shows and takes.
    options: PickerOptions,
    /// Folders are wanted.
    folders: bool,
    /// What was found.
    paths: Vec<String>,
    /// What the browser dropped; empty if only the page says so.
    pub(super) seen: Vec<Dropped>,
    /// Some of it is nowhere on this machine, as far as was looked.
    pub(super) missing: bool,
    /// The copy that is made of it.
    pub(super) copy: Option<String>,
}

/// The page's body together with what the relay saw: calls wait for consent as texts.
pub(super) fn with_witness(body: &str, dropped: &[Dropped]) -> String {
    json!({"page": body, "dropped": dropped}).to_string()
}

impl Core {
    pub(super) fn drop_call(
        &mut self,
        conn: ConnId,
        id: u64,
        origin: Origin,
        sealed: &str,
        deadline: Option<Duration>,
    ) {
        let sealed: Value = serde_json::from_str(sealed).unwrap_or_default();
        let parsed = parse_body(sealed["page"].as_str().unwrap_or_default());
        let claimed = match parsed.map_err(|e| super::page_calls::bad_body(&e)).and_then(|body| {
            dropped_files(&body).map_err(|e: SpecError| PageAnswer::error(400, "bad-request", &e.to_string()))
        }) {
            Ok(claimed) => claimed,
            Err(answer) => return self.answer(conn, id, &answer),
        };
        let searching = |what: &Wanted| matches!(what, Wanted::Page { origin: o, endpoint: Endpoint::DroppedFiles, stage: Stage::Disk, .. } if *o == origin);
        let Some(window) = self.window_of(conn) else {
            return self.answer(conn, id, &no_window());
        };
        if self.asks_too_much(window, &origin) || self.waiting.values().any(|w| searching(&w.what)) {
            let answer =
                PageAnswer::error(429, "too many dialogs", "Dropped files of this site are being asked about already.");
            return self.answer(conn, id, &answer);
        }
        let seen: Vec<Dropped> = serde_json::from_value(sealed["dropped"].clone()).unwrap_or_default();
        let seen = witnessed(&claimed, &seen);
        let names: Vec<&str> = claimed.iter().map(|(name, _)| name.as_str()).collect();
        let options = PickerOptions {
            title: names.join(", ").chars().take(MAX_TITLE).collect(),
            suggested_name: names.first().map(|name| (*name).to_owned()).unwrap_or_default(),
            multiple: names.len() > 1,
            ..PickerOptions::default()
        };
        let folders = seen.as_ref().is_some_and(|all| all.iter().all(|d| d.folder));
        let near = self.folders_near(conn, &origin);
        let wanted = Wanted::Page { origin, endpoint: Endpoint::DroppedFiles, body: String::new(), stage: Stage::Disk };
        let ticket = self.wait(conn, id, deadline, wanted);
        let (paths, known) = (Vec::new(), seen.clone().unwrap_or_default());
        self.drops.insert(ticket, Drop { options, folders, paths, seen: known, missing: false, copy: None });
        match seen {
            Some(dropped) => {
                let plugged = PLUGGED.iter().map(PathBuf::from);
                let roots = std::iter::once(self.home.user_home.clone()).chain(plugged).collect();
                let except = self.spool.root().to_owned();
                self.out.push(Output::Job(Job::Find { ticket, dropped, near, roots, except }));
            }
            None => self.found(ticket, Found::Unsure { folder: None, missing: false }),
        }
    }

    /// Folders that the user chose or used: what is dropped is likely to be there.
    fn folders_near(&self, conn: ConnId, origin: &Origin) -> Vec<PathBuf> {
        let grants = self.grants.of(&self.session_of(conn), origin);
        let of_user = |g: &&Grant| !g.path.starts_with(self.spool.root());
        let granted = grants.iter().filter(of_user).filter_map(|grant| match grant.kind {
            GrantKind::Folder => Some(grant.path.clone()),
            GrantKind::File | GrantKind::Target => grant.path.parent().map(Path::to_owned),
        });
        let mut all: Vec<PathBuf> = granted.chain(self.recent_folder.clone()).chain([self.downloads()]).collect();
        all.sort();
        all.dedup();
        all
    }

    /// The search has ended, or was not begun.
    pub(super) fn found(&mut self, ticket: Ticket, found: Found) {
        let Some(dropped) = self.drops.get_mut(&ticket) else { return };
        let question = match found {
            Found::These(paths) => {
                let question = Question::Dropped {
                    paths: paths.iter().take(MAX_SHOWN).cloned().collect(),
                    count: u64::try_from(paths.len()).unwrap_or(u64::MAX),
                };
                dropped.paths = paths;
                question
            }
            Found::Unsure { folder, missing } => {
                dropped.options.folder = folder;
                dropped.missing = missing;
                dropped.dialog()
            }
        };
        self.ask_for_call(ticket, question);
    }

    /// Turns an answer about dropped files into one that all dialogs have; `None` if something else is asked now.
    pub(super) fn drop_decided(
        &mut self,
        ticket: Ticket,
        question: &Question,
        decision: Decision,
        now: Now,
    ) -> Option<Decision> {
        match question {
            Question::Dropped { .. } => {}
            Question::DroppedCopy { .. } => {
                let paths = self.copied(ticket, &decision);
                return Some(paths.map_or(Decision::Cancel, |paths| Decision::Chosen { paths }));
            }
            // The user has no such file either.
            _ if decision == Decision::Cancel && self.offer_copy(ticket, now) => return None,
            _ => return Some(decision),
        }
        let Some(dropped) = self.drops.get_mut(&ticket) else { return Some(Decision::Cancel) };
        match decision {
            Decision::Allow { .. } => Some(Decision::Chosen { paths: std::mem::take(&mut dropped.paths) }),
            Decision::Browse => {
                let first = dropped.paths.first().map(Path::new);
                dropped.options.folder = first.and_then(Path::parent).and_then(Path::to_str).map(str::to_owned);
                let question = dropped.dialog();
                self.ask_for_call(ticket, question);
                None
            }
            _ => Some(Decision::Cancel),
        }
    }
}

impl Drop {
    fn dialog(&self) -> Question {
        let options = self.options.clone();
        if self.folders { Question::OpenFolders(options) } else { Question::OpenFiles(options) }
    }
}
