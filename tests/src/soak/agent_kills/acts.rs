//! Orders of a page and a user, at random, written into the [`Ledger`].

use super::ledger::{Known, Ledger, Possible};
use crate::browserish::Answer;
use crate::tree::Noise;
use crate::{Browserish, Server};
use godwit_protocol::prefs;
use godwit_protocol::ui::kinds;
use serde_json::{Value, json};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

/// Sites with transfers.
pub(super) const SITES: u32 = 5;
/// Their application.
pub(super) const APP: &str = "an-unguessable-app-id-4711";
/// Far above what is normal: it only turns a hang into a failure.
const ANSWER: Duration = Duration::from_secs(60);
/// Starts under way at once while the list is filled.
const AT_ONCE: u32 = 16;
/// Slow enough that transfers outlive agents, fast enough that some complete.
const RATES: (u64, u64) = (600, 2_400);

/// Origin of a site.
pub(super) fn site(n: u32) -> String {
    format!("https://app-{n}.example")
}

/// Name of a source.
pub(super) fn source(n: u32) -> String {
    format!("source-{n}")
}

/// What became of an order.
enum Said {
    Done(Value),
    /// Refused, and nothing was changed.
    Refused,
    /// The disk or the agent was going: it may have happened.
    Unclear,
    /// Nobody is there any more: it may have happened.
    CutOff,
}

pub(super) struct Acts<'a> {
    pub(super) browser: &'a Browserish,
    pub(super) server: &'a Server,
    pub(super) ledger: &'a mut Ledger,
    pub(super) dice: &'a mut Noise,
}

impl Acts<'_> {
    pub(super) fn trust_the_sites(&mut self) {
        for n in 0..SITES {
            let params = json!({"pattern": site(n), "list": "trusted"});
            let pattern = self.browser.ui(prefs::kinds::SET_TRUST, params).unwrap()["pattern"].clone();
            let pattern = pattern.as_str().unwrap().to_owned();
            self.ledger.trust.insert(pattern, Possible::sure(Some("trusted".to_owned())));
        }
    }

    /// Puts `count` transfers on the list.
    pub(super) fn fill(&mut self, count: u32) {
        let mut left = count;
        while left > 0 {
            let now = left.min(AT_ONCE);
            let asked: Vec<_> = (0..now).map(|_| self.ask_start()).collect();
            for (title, answer) in asked {
                assert!(self.start_answered(&title, &answer), "the agent is there");
            }
            left -= now;
        }
        assert_eq!(self.ledger.started(), count as usize, "every start was taken");
    }

    /// One order. False once nobody answers.
    pub(super) fn one(&mut self, wanted: u32) -> bool {
        let live = self.live();
        if live.len() < wanted as usize || self.dice.below(8) == 0 {
            let (title, answer) = self.ask_start();
            return self.start_answered(&title, &answer);
        }
        let title = live[usize::try_from(self.dice.below(live.len() as u64)).unwrap()].clone();
        match self.dice.below(10) {
            0 | 1 => self.stop(&title),
            2 | 3 => self.resume(&title),
            4 => self.remove(&title),
            5 | 6 => self.modify(&title),
            7 => self.trust(),
            8 => self.setting(),
            _ => self.reorder(&title),
        }
    }

    /// Titles of transfers of which it is certain that they are there.
    fn live(&self) -> Vec<String> {
        let there = |k: &Known| k.uuid.is_some() && k.removed == Possible::sure(false);
        self.ledger.transfers.iter().filter(|(_, k)| there(k)).map(|(title, _)| title.clone()).collect()
    }

    fn ask_start(&mut self) -> (String, Receiver<Answer>) {
        let number = self.ledger.next_number();
        let title = format!("transfer-{number}");
        let (n, file) = (number % SITES, u32::try_from(self.dice.below(super::SOURCES.into())).unwrap());
        let rate = self.rate();
        let spec = self.server.spec(
            "receive",
            self.server.data.port(),
            json!({"paths": [{"source": source(file), "destination": title}], "title": title,
                "rate_policy": "fixed", "target_rate_kbps": rate}),
        );
        let known = Known {
            site: n,
            source: file,
            uuid: None,
            stopped: Possible::sure(false),
            removed: Possible::sure(false),
            rate: Possible::sure(rate),
            completed: false,
        };
        self.ledger.transfers.insert(title.clone(), known);
        let settings = json!({"app_id": APP, "request_id": title, "back_link": site(n)});
        let body = json!({"transfer_specs": [{"transfer_spec": spec, "aspera_connect_settings": settings}]});
        (title, self.ask_page(n, "start", &body))
    }

    fn start_answered(&mut self, title: &str, answer: &Receiver<Answer>) -> bool {
        match self.hear(answer) {
            Said::Done(body) => {
                let uuid = body["transfer_specs"][0]["uuid"].as_str().expect("a uuid").to_owned();
                if let Some(known) = self.ledger.transfers.get_mut(title) {
                    known.uuid = Some(uuid);
                }
                true
            }
            Said::Refused => {
                self.ledger.transfers.remove(title);
                true
            }
            Said::Unclear => true,
            Said::CutOff => false,
        }
    }

    fn rate(&mut self) -> u64 {
        RATES.0 + self.dice.below(RATES.1 - RATES.0)
    }

    fn stop(&mut self, title: &str) -> bool {
        self.on_transfer(title, "stop", json!({}), |known, sure| known.stopped.ordered(true, sure))
    }

    fn resume(&mut self, title: &str) -> bool {
        self.on_transfer(title, "resume", json!({}), |known, sure| known.stopped.ordered(false, sure))
    }

    fn remove(&mut self, title: &str) -> bool {
        self.on_transfer(title, "remove", json!({}), |known, sure| known.removed.ordered(true, sure))
    }

    fn modify(&mut self, title: &str) -> bool {
        let rate = self.rate();
        let body = json!({"target_rate_kbps": rate});
        self.on_transfer(title, "modify", body, |known, sure| known.rate.ordered(rate, sure))
    }

    fn on_transfer(&mut self, title: &str, action: &str, body: Value, note: impl Fn(&mut Known, bool)) -> bool {
        let Some(known) = self.ledger.transfers.get(title).cloned() else { return true };
        let uuid = known.uuid.unwrap_or_default();
        let answer = self.ask_page(known.site, &format!("{action}/{uuid}"), &body);
        let said = self.hear(&answer);
        let Some(known) = self.ledger.transfers.get_mut(title) else { return true };
        match said {
            Said::Done(_) => note(known, true),
            Said::Refused => {}
            Said::Unclear => note(known, false),
            Said::CutOff => {
                note(known, false);
                return false;
            }
        }
        true
    }

    fn trust(&mut self) -> bool {
        let pattern = format!("https://partner-{}.example", self.dice.below(12));
        let list =
            [Some("trusted"), Some("restricted"), Some("ask"), None][usize::try_from(self.dice.below(4)).unwrap()];
        let answer = match list {
            Some(list) => self.browser.ask(prefs::kinds::SET_TRUST, None, json!({"pattern": pattern, "list": list})),
            None => self.browser.ask(kinds::FORGET_TRUST, None, json!({"pattern": pattern})),
        };
        let said = self.hear(&answer);
        let possible = self.ledger.trust.entry(pattern).or_insert_with(|| Possible::sure(None));
        settle(possible, list.map(str::to_owned), &said)
    }

    fn setting(&mut self) -> bool {
        let (name, value) = match self.dice.below(3) {
            0 => ("queue.active_uploads", json!(self.dice.below(100))),
            1 => ("bandwidth.manual_uploads_kbps", json!(1_000 + self.dice.below(1_000))),
            _ => ("sessions.count", json!(2 + self.dice.below(14))),
        };
        let answer = self.browser.ask(prefs::kinds::CHANGE_SETTINGS, None, json!({"changes": {name: value}}));
        let said = self.hear(&answer);
        // Its default is not known here: the first change that is answered begins the entry.
        match (self.ledger.settings.get_mut(name), &said) {
            (Some(possible), _) => settle(possible, value, &said),
            (None, Said::Done(_)) => {
                self.ledger.settings.insert(name.to_owned(), Possible::sure(value));
                true
            }
            (None, said) => !matches!(said, Said::CutOff),
        }
    }

    fn reorder(&mut self, title: &str) -> bool {
        let uuid = self.ledger.transfers.get(title).and_then(|k| k.uuid.clone()).unwrap_or_default();
        let answer = self.browser.ask(kinds::MOVE, None, json!({"uuid": uuid}));
        !matches!(self.hear(&answer), Said::CutOff)
    }

    fn ask_page(&self, n: u32, call: &str, body: &Value) -> Receiver<Answer> {
        let mut body = body.clone();
        body["aspera_connect_settings"] = json!({"app_id": APP});
        let uri = format!("/connect/transfers/{call}");
        let params = json!({"method": "POST", "uri": uri, "body": body.to_string(), "min_version": ""});
        self.browser.ask(kinds::PAGE, Some(&site(n)), params)
    }

    fn hear(&mut self, answer: &Receiver<Answer>) -> Said {
        let said = match answer.recv_timeout(ANSWER) {
            Ok(Answer::Error(error)) if error.code == "internal" => Said::Unclear,
            Ok(Answer::Error(_)) => Said::Refused,
            Ok(Answer::Parts(status, body)) => page_said(status, &body),
            Ok(Answer::Result(value)) => match (value["status"].as_u64(), value["body"].as_str()) {
                (Some(status), Some(body)) => page_said(u16::try_from(status).unwrap(), body),
                _ => Said::Done(value),
            },
            Err(RecvTimeoutError::Disconnected) => Said::CutOff,
            Err(RecvTimeoutError::Timeout) => panic!("no answer within {ANSWER:?}"),
        };
        self.ledger.cut_off += u32::from(matches!(said, Said::CutOff));
        said
    }
}

fn page_said(status: u16, body: &str) -> Said {
    match status {
        200..300 => Said::Done(serde_json::from_str(body).expect("JSON")),
        // 503: it ends. 429: too many orders. The rest of 4xx: not possible in this state.
        400..500 | 503 => Said::Refused,
        _ => Said::Unclear,
    }
}

fn settle<T: Clone + PartialEq + std::fmt::Debug>(possible: &mut Possible<T>, value: T, said: &Said) -> bool {
    match said {
        Said::Done(_) => possible.ordered(value, true),
        Said::Refused => {}
        Said::Unclear | Said::CutOff => possible.ordered(value, false),
    }
    !matches!(said, Said::CutOff)
}
