//! Layers: the machine's file over the browsers' policies over the user.

use crate::settings::browser::{BrowserPolicies, StoredPolicy};
use crate::settings::policy::Policy;
use crate::settings::{ChangeError, MemoryFile, SettingsBook};
use godwit_protocol::prefs::ChangeSettings;
use serde_json::{Value, json};
use std::path::Path;

fn book(text: &str, policy: &str) -> (SettingsBook, MemoryFile) {
    let file = MemoryFile::default();
    file.set(text);
    (SettingsBook::open(file.clone(), Policy::parse(policy, Path::new("policy"))), file)
}

/// Profiles `a`, `b`, … with these policies.
fn profiles(all: &[Value]) -> BrowserPolicies {
    let mut policies = BrowserPolicies::default();
    for (key, values) in ["a", "b", "c"].into_iter().zip(all) {
        let values = serde_json::from_value(values.clone()).unwrap();
        policies.tell(key, StoredPolicy { browser: "chromium".into(), values, seen_ms: 0 });
    }
    policies
}

fn change(book: &mut SettingsBook, name: &str, value: u64) -> Result<(), ChangeError> {
    book.change(&ChangeSettings { changes: [(name.to_owned(), json!(value))].into() })
}

#[test]
fn the_machines_file_goes_before_a_browser_and_a_browser_before_the_user() {
    let (mut book, _) = book(
        "[queue]\nactive = 9\nactive_uploads = 9\n[retry]\nattempts = 9\n",
        "[set.retry]\ninterval_seconds = 7\n[lock.queue]\nactive = 5\n",
    );
    let browser = json!({"lock.queue.active": 50, "lock.queue.active_uploads": 2, "lock.retry.interval_seconds": 60,
        "set.retry.attempts": 4, "set.queue.active_downloads": 3});
    assert!(book.obey(&profiles(std::slice::from_ref(&browser))));
    assert!(!book.obey(&profiles(&[browser])), "nothing is different");
    let now = book.now();
    assert_eq!((now.queue.active, now.queue.active_uploads, now.queue.active_downloads), (5, 2, 3));
    assert_eq!((now.retry.interval_seconds, now.retry.attempts), (7, 9), "the file's, and the user's");
    assert_eq!(book.view().locked, ["queue.active", "queue.active_uploads"]);
    assert_eq!(book.view().defaults["retry"]["attempts"], json!(4));
    assert!(matches!(change(&mut book, "queue.active_uploads", 8), Err(ChangeError::Locked(_))));
    change(&mut book, "queue.active_downloads", 8).unwrap();
    assert_eq!(book.now().queue.active_downloads, 8);
    assert!(book.problems().is_empty(), "{:?}", book.problems());
}

#[test]
fn what_an_administrator_takes_back_is_the_users_again() {
    let (mut book, _) = book("[queue]\nactive = 9\n", "");
    book.obey(&profiles(&[json!({"lock.queue.active": 5, "trust.only_listed": true})]));
    assert_eq!((book.now().queue.active, book.trust_policy().only_listed), (5, true));
    assert!(book.obey(&BrowserPolicies::default()));
    assert_eq!((book.now().queue.active, book.trust_policy().only_listed), (9, false));
    change(&mut book, "queue.active", 8).unwrap();
}

#[test]
fn a_bad_value_is_told_once_and_the_others_hold() {
    let (mut book, _) = book("[queue]\nactive = 9\n", "");
    let browser = json!({"lock.queue.active": 0, "lock.queue.enabled": "x", "lock.no.such": 1, "lock.queue.active_uploads": 2,
        "queue.active": 1});
    book.obey(&profiles(&[browser.clone(), browser]));
    assert_eq!((book.now().queue.active, book.now().queue.active_uploads), (9, 2));
    assert_eq!(book.view().locked, ["queue.active_uploads"], "what cannot be used locks nothing");
    let texts: Vec<&str> = book.problems().iter().map(|p| p.text.as_str()).collect();
    assert_eq!(texts.len(), 4, "{texts:?}");
    assert!(texts.contains(&"policy of chromium: queue.active: it must be 1 to 100, not 0"), "{texts:?}");
}

#[test]
fn of_several_browsers_the_first_goes_before_and_the_next_fills_in() {
    let (mut book, _) = book("", "");
    let first = json!({"lock.queue.active": 5, "lock.retry.attempts": 0});
    book.obey(&profiles(&[first, json!({"lock.queue.active": 7, "lock.retry.attempts": 8})]));
    assert_eq!((book.now().queue.active, book.now().retry.attempts), (5, 8));
}

#[test]
fn a_value_of_a_browser_does_not_keep_one_of_the_machine_from_fitting() {
    let (mut book, _) = book("", "[lock.files]\npartial_suffix = \".x\"\n");
    book.obey(&profiles(&[json!({"lock.files.checkpoint_suffix": ".x", "set.files.checkpoint_suffix": ".x"})]));
    assert_eq!(
        (book.now().files.partial_suffix.as_str(), book.now().files.checkpoint_suffix.as_str()),
        (".x", ".aspera-ckpt")
    );
    assert_eq!(book.problems().len(), 1, "{:?}", book.problems());
}

#[test]
fn a_mistake_in_the_users_file_keeps_no_policy_out() {
    let (mut book, file) = book("[queue]\nactive = 9\n[retry]\nattempts = 9\n", "");
    file.set("[queue");
    book.reload();
    book.obey(&profiles(&[json!({"lock.queue.active": 5})]));
    assert_eq!((book.now().queue.active, book.now().retry.attempts), (5, 9));
}

#[test]
fn a_browser_adds_sites_but_opens_no_list_that_the_machine_closed() {
    let lists = |book: &SettingsBook| {
        let trust = book.trust_policy().clone();
        let texts =
            |list: &[godwit_protocol::HostPattern]| list.iter().map(|p| p.as_str().to_owned()).collect::<Vec<_>>();
        (texts(&trust.trusted), texts(&trust.restricted), trust.only_listed)
    };
    let browser =
        json!({"trust.trusted": ["https://b.example", "https://a.example"], "trust.restricted": ["https://c.example"]});
    let (a, b, c) = ("https://a.example".to_owned(), "https://b.example".to_owned(), "https://c.example".to_owned());
    let (mut open, _) = book("", "[trust]\ntrusted = [\"https://a.example\"]\n");
    open.obey(&profiles(&[browser.clone(), json!({"trust.only_listed": true})]));
    assert_eq!(lists(&open), (vec![a.clone(), b], vec![c.clone()], true));
    let (mut closed, _) = book("", "[trust]\ntrusted = [\"https://a.example\"]\nonly_listed = true\n");
    closed.obey(&profiles(&[browser, json!({"trust.only_listed": false})]));
    assert_eq!(lists(&closed), (vec![a], vec![c], true));
}
