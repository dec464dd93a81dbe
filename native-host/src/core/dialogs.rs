//! File dialogs for pages: asked, answered, granted.

use super::clients::no_window;
use super::requests::{Stage, Wanted};
use super::{Chosen, ConnId, Core, Job, Ticket};
use crate::dialog_file::mime;
use crate::limits::MAX_CHOSEN;
use crate::prompts::Purpose;
use crate::time::{Now, local_ctime};
use godwit_protocol::Origin;
use godwit_protocol::dialog::picker_options;
use godwit_protocol::page::{Endpoint, PageAnswer};
use godwit_protocol::spec::SpecError;
use godwit_protocol::start::parse_body;
use godwit_protocol::ui::{Decision, PickerOptions, Question};
use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;

impl Core {
    pub(super) fn dialog_call(
        &mut self,
        conn: ConnId,
        id: u64,
        origin: Origin,
        endpoint: Endpoint,
        body: String,
        deadline: Option<Duration>,
    ) {
        let value = match parse_body(&body) {
            Ok(value) => value,
            Err(error) => return self.answer(conn, id, &super::page_calls::bad_body(&error)),
        };
        let Some(window) = self.window_of(conn) else {
            return self.answer(conn, id, &no_window());
        };
        if self.asks_too_much(window, &origin) {
            let answer = PageAnswer::error(429, "too many dialogs", "A file dialog of this site is open already.");
            return self.answer(conn, id, &answer);
        }
        let question = match question(&endpoint, &value) {
            Ok(question) => question,
            Err(error) => {
                let answer = PageAnswer::error(400, "bad-request", &error.to_string());
                return self.answer(conn, id, &answer);
            }
        };
        let wanted = Wanted::Page { origin, endpoint, body: String::new(), stage: Stage::Disk };
        let ticket = self.wait(conn, id, deadline, wanted);
        self.ask_for_call(ticket, question);
    }

    /// Asks the user what a waiting page call needs to know.
    pub(super) fn ask_for_call(&mut self, ticket: Ticket, question: Question) {
        let Some(waiting) = self.waiting.get(&ticket) else { return };
        let Wanted::Page { origin, .. } = &waiting.what else { return };
        let origin = origin.clone();
        let Some(window) = self.window_of(waiting.conn) else { return };
        let prompt_id = self.ask(window, &origin, question, Purpose::Dialog(ticket));
        if let Some(Wanted::Page { stage, .. }) = self.waiting.get_mut(&ticket).map(|w| &mut w.what) {
            *stage = Stage::Dialog { prompt_id };
        }
    }

    pub(super) fn dialog_answered(&mut self, ticket: Ticket, question: &Question, decision: Decision, now: Now) {
        let Some(decision) = self.drop_decided(ticket, question, decision, now) else { return };
        let Decision::Chosen { paths } = decision else {
            let Some(waiting) = self.take_waiting(ticket) else { return };
            return self.answer(waiting.conn, waiting.id, &files(&[]));
        };
        // The user has decided: from here on it is the disk's turn, and the dialog's time limit is over.
        if let Some(waiting) = self.waiting.get_mut(&ticket) {
            waiting.deadline = None;
            if let Wanted::Page { stage, .. } = &mut waiting.what {
                *stage = Stage::Disk;
            }
            let save = matches!(question, Question::SaveFile(_));
            self.out.push(super::Output::Job(Job::Inspect { ticket, paths, save }));
        }
    }

    pub(super) fn inspected(&mut self, ticket: Ticket, chosen: &[Chosen]) {
        let Some(waiting) = self.take_waiting(ticket) else { return };
        let Wanted::Page { origin, .. } = waiting.what else { return };
        let session = self.session_of(waiting.conn);
        self.grants.add(&session, &origin, chosen.iter().map(|c| c.grant.clone()));
        match chosen.first().map(|c| (self.spool.of_path(&c.path), Path::new(&c.path).parent())) {
            Some((Some(copy), _)) => self.spool.give(&copy),
            Some((None, Some(folder))) => self.recent_folder = Some(folder.to_owned()),
            _ => {}
        }
        self.answer(waiting.conn, waiting.id, &files(chosen));
    }
}

/// Refuses choices that no picker of ours makes.
pub(super) fn judge_choice(question: &Question, paths: &[String]) -> Result<(), &'static str> {
    let many = match question {
        Question::OpenFiles(options) | Question::OpenFolders(options) => options.multiple,
        _ => false,
    };
    if paths.is_empty() || paths.len() > MAX_CHOSEN || (paths.len() > 1 && !many) {
        return Err("The number of files does not fit the dialog.");
    }
    if paths.iter().any(|p| !p.starts_with('/') || p.contains('\0') || p.split('/').any(|part| part == "..")) {
        return Err("A chosen path must be absolute and without '..'.");
    }
    Ok(())
}

fn question(endpoint: &Endpoint, body: &Value) -> Result<Question, SpecError> {
    let options = picker_options(body)?;
    Ok(match endpoint {
        Endpoint::SelectFolders => Question::OpenFolders(options),
        Endpoint::SelectSave => Question::SaveFile(PickerOptions { multiple: false, ..options }),
        _ => Question::OpenFiles(options),
    })
}

/// `dataTransfer` as pages expect it; a cancelled dialog has no files.
fn files(chosen: &[Chosen]) -> PageAnswer {
    let file = |c: &Chosen| {
        let folder = c.grant.kind == crate::grants::GrantKind::Folder;
        json!({
            "lastModifiedDate": local_ctime(c.modified_ms),
            "name": c.path,
            "size": c.size,
            "type": if folder { "inode/directory" } else { mime(&c.path) },
        })
    };
    PageAnswer::ok(&json!({"dataTransfer": {"files": chosen.iter().map(file).collect::<Vec<_>>()}}))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_choice_must_fit_the_dialog() {
        let single = Question::OpenFiles(PickerOptions::default());
        let many = Question::OpenFolders(PickerOptions { multiple: true, ..PickerOptions::default() });
        let paths = |list: &[&str]| list.iter().map(|p| (*p).to_owned()).collect::<Vec<_>>();
        assert!(judge_choice(&single, &paths(&["/a"])).is_ok());
        assert!(judge_choice(&many, &paths(&["/a", "/b"])).is_ok());
        for bad in [paths(&[]), paths(&["/a", "/b"]), paths(&["a"]), paths(&["/a/../b"]), paths(&["/a\0"])] {
            assert!(judge_choice(&single, &bad).is_err(), "{bad:?}");
        }
    }
}
