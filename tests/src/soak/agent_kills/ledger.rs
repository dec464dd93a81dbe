//! What the agent acknowledged, and the comparison with what it knows later.

use super::acts::{APP, SITES, site};
use crate::{Browserish, tree};
use godwit_protocol::prefs;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Values one of which must be found: the acknowledged one first, then those of orders that were not answered.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Possible<T>(Vec<T>);

impl<T: Clone + PartialEq + std::fmt::Debug> Possible<T> {
    pub(super) fn sure(value: T) -> Self {
        Self(vec![value])
    }

    /// An order was answered, or cut off.
    pub(super) fn ordered(&mut self, value: T, answered: bool) {
        if answered {
            self.0.clear();
        }
        self.0.push(value);
    }

    /// What was found is what holds from now on.
    fn found(&mut self, value: T, what: &str) {
        assert!(self.0.contains(&value), "{what}: {value:?} was found, acknowledged {:?}", self.0);
        self.0 = vec![value];
    }
}

/// A transfer, known by its title.
#[derive(Clone, Debug)]
pub(super) struct Known {
    pub(super) site: u32,
    pub(super) source: u32,
    /// `None`: the start was cut off.
    pub(super) uuid: Option<String>,
    pub(super) stopped: Possible<bool>,
    pub(super) removed: Possible<bool>,
    pub(super) rate: Possible<u64>,
    pub(super) completed: bool,
}

/// The whole of it.
#[derive(Debug)]
pub(super) struct Ledger {
    downloads: PathBuf,
    sources: PathBuf,
    pub(super) transfers: BTreeMap<String, Known>,
    pub(super) settings: BTreeMap<String, Possible<Value>>,
    /// The list on which a pattern is; `None`: on none.
    pub(super) trust: BTreeMap<String, Possible<Option<String>>>,
    tokens: BTreeMap<u32, u64>,
    numbers: u32,
    /// Orders without an answer, and how many of the starts among them turned out to be carried out.
    pub(super) cut_off: u32,
    pub(super) carried_out: u32,
}

impl Ledger {
    pub(super) fn new(downloads: PathBuf, sources: PathBuf) -> Self {
        Self {
            downloads,
            sources,
            transfers: BTreeMap::new(),
            settings: BTreeMap::new(),
            trust: BTreeMap::new(),
            tokens: BTreeMap::new(),
            numbers: 0,
            cut_off: 0,
            carried_out: 0,
        }
    }

    /// Of the next transfer; none is used twice.
    pub(super) fn next_number(&mut self) -> u32 {
        self.numbers += 1;
        self.numbers
    }

    /// Starts that are or may be on the list.
    pub(super) fn started(&self) -> usize {
        self.transfers.len()
    }

    /// Compares everything, and takes what was found for certain from now on.
    pub(super) fn compare(&mut self, browser: &Browserish, when: &str) {
        self.compare_transfers(browser, when);
        let view = browser.ui(prefs::kinds::SETTINGS, json!({})).unwrap();
        for (name, possible) in &mut self.settings {
            let (section, key) = name.split_once('.').expect("section.key");
            possible.found(view["values"][section][key].clone(), &format!("{when}: setting {name}"));
        }
        let view = browser.ui("ui.trust", json!({})).unwrap();
        for (pattern, possible) in &mut self.trust {
            let lists: Vec<&str> = ["trusted", "restricted", "ask"]
                .into_iter()
                .filter(|list| view[*list].as_array().is_some_and(|all| all.contains(&json!(pattern))))
                .collect();
            assert!(lists.len() < 2, "{when}: {pattern} is on {lists:?}");
            possible.found(lists.first().map(|l| (*l).to_owned()), &format!("{when}: trust in {pattern}"));
        }
        let notices = browser.status().notices.join("\n");
        assert!(!notices.contains("could not be read"), "{when}: {notices}");
        assert!(browser.faults().is_empty(), "{when}: {:?}", browser.faults());
    }

    fn compare_transfers(&mut self, browser: &Browserish, when: &str) {
        let mut found: BTreeMap<String, (u32, Value)> = BTreeMap::new();
        for n in 0..SITES {
            let body = browser.page(&site(n), APP).activity(0);
            let token = body["iteration_token"].as_u64().unwrap();
            let last = self.tokens.insert(n, token).unwrap_or(0);
            assert!(token >= last, "{when}: token {token} after {last}");
            for info in body["transfers"].as_array().unwrap() {
                let title = info["title"].as_str().unwrap().to_owned();
                let twice = found.insert(title.clone(), (n, info.clone()));
                assert!(twice.is_none(), "{when}: {title} is there twice: {twice:?} {info}");
            }
        }
        let unknown: Vec<_> = found.keys().filter(|title| !self.transfers.contains_key(*title)).collect();
        assert!(unknown.is_empty(), "{when}: nobody started {unknown:?}");
        let mut never = Vec::new();
        for (title, known) in &mut self.transfers {
            let what = format!("{when}: {title} {:?}", known.uuid);
            let Some((n, info)) = found.get(title) else {
                match &known.uuid {
                    Some(_) => known.removed.found(true, &format!("{what}: is it lost?")),
                    None => never.push(title.clone()),
                }
                continue;
            };
            assert_eq!(*n, known.site, "{what}: another site's");
            let uuid = info["uuid"].as_str().unwrap();
            match &known.uuid {
                Some(known) => assert_eq!(known, uuid, "{what}"),
                None => {
                    known.uuid = Some(uuid.to_owned());
                    self.carried_out += 1;
                }
            }
            known.removed.found(false, &format!("{what}: removed?"));
            known.rate.found(info["transfer_spec"]["target_rate_kbps"].as_u64().unwrap(), &what);
            let status = info["status"].as_str().unwrap();
            if status == "completed" {
                let (source, target) =
                    (self.sources.join(super::acts::source(known.source)), self.downloads.join(title));
                tree::assert_same_file(&source, &target);
                known.completed = true;
                // It was over before the stop, or is over in spite of it.
                known.stopped = Possible::sure(false);
                continue;
            }
            assert!(!known.completed, "{what}: it had completed: {info}");
            assert_ne!(status, "failed", "{what}: {info}");
            known.stopped.found(status == "cancelled", &format!("{what}: stopped? ({status})"));
        }
        for title in never {
            self.transfers.remove(&title);
        }
    }

    /// Takes all but `wanted` transfers off the list: site and uuid of those that stay and have not completed.
    pub(super) fn keep_some(&mut self, browser: &Browserish, wanted: usize) -> Vec<(u32, String)> {
        let mut kept = Vec::new();
        for known in self.transfers.values_mut() {
            let Some(uuid) = known.uuid.clone() else { continue };
            if known.removed == Possible::sure(true) || known.completed {
                continue;
            }
            if kept.len() < wanted {
                known.stopped = Possible(vec![false, true]);
                kept.push((known.site, uuid));
            } else {
                browser.ui("ui.remove", json!({"uuid": uuid})).unwrap();
                known.removed = Possible::sure(true);
            }
        }
        kept
    }
}
