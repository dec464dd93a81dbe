//! Databases of earlier builds. `records-1.json` is a copy of one as version 0.1 left it, with every kind of record, and is
//! never made anew: a build that reads it otherwise needs a new form and a way from this one.

use super::*;
use crate::store::Tree;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use godwit_protocol::prefs;
use godwit_protocol::worker::Credential;

const FIRST: &str = include_str!("records-1.json");
/// What its secrets are sealed with.
const KEY: &str = "MNZEY72FNi7qfmHPGbJT+TgQH0+GBKd+k2rPNjlRxCQ=";

/// An agent that finds these records.
fn agent_with(records: &str) -> World {
    let mut store = MemoryStore::default();
    store.apply(&crate::store::snapshot::read(records.as_bytes()).unwrap()).unwrap();
    let mut world = World::new();
    // Its folder is private already.
    std::fs::write(world.dir.path().join("state/keys/key"), STANDARD.decode(KEY).unwrap()).unwrap();
    world.killed(store);
    world
}

fn by_title(world: &World) -> BTreeMap<String, TransferStatus> {
    let title = |(id, t): (&TransferId, &Transfer)| (t.order.title.clone(), world.core.queue.place(id).unwrap().status);
    world.core.transfers.iter().map(title).collect()
}

#[test]
fn a_database_of_the_first_form_is_read_with_all_that_is_in_it() {
    let mut world = agent_with(FIRST);
    assert!(world.core.notices.is_empty(), "{:?}", world.core.notices);
    let expected = [
        ("done", TransferStatus::Completed),
        ("refused", TransferStatus::Failed),
        ("stopped", TransferStatus::Cancelled),
        ("under way", TransferStatus::Initiating),
        ("waiting", TransferStatus::Initiating),
    ];
    assert_eq!(by_title(&world), expected.map(|(title, status)| (title.to_owned(), status)).into());
    let credential = Credential::Password { password: "hunter2".to_owned().into() };
    assert_eq!(world.workers.len(), 2);
    for (_, start) in world.workers.values() {
        assert_eq!(start.server.credential, credential, "what was sealed opens");
        assert_eq!(start.rate.target.map(|rate| rate.0), Some(50_000));
    }

    let conn = world.browser("s1");
    let activity = world.activity(conn, SITE, 1);
    assert_eq!(activity["result_count"], json!(6), "the removed one is told too, and the site is trusted");
    let titles = activity["transfers"].as_array().unwrap().iter().map(|t| t["title"].as_str().unwrap());
    assert_eq!(titles.collect::<BTreeSet<_>>().len(), 6);
    assert!(activity["iteration_token"].as_u64() > Some(10_003), "tokens go on above all that were ever told");
    let failed = activity["transfers"].as_array().unwrap().iter().find(|t| t["title"] == "refused").unwrap();
    assert_eq!(
        (&failed["error_code"], &failed["aspera_connect_settings"]["request_id"]),
        (&json!(19), &json!("r-refused"))
    );

    let id = world.call(conn, "https://a.bad.example", "GET", "windows/about", &json!({}));
    assert_eq!(world.answer(id).0, 403);
    let trust = world.ui(conn, kinds::TRUST, json!({})).unwrap().to_string();
    assert!(trust.contains("https://each.example:8443") && trust.contains(SITE), "{trust}");
    let servers = world.ui(conn, prefs::kinds::KNOWN_SERVERS, json!({})).unwrap();
    assert_eq!(servers["servers"], json!([{"server": "server.example:33001", "fingerprint": "SHA256:pinned"}]));
    let saved = world.ui(conn, prefs::kinds::PASSWORDS, json!({})).unwrap();
    assert_eq!((&saved["passwords"][0]["user"], saved["passwords"].as_array().unwrap().len()), (&json!("u"), 1));
}

#[test]
fn records_of_a_later_form_are_left_as_they_are_and_told_while_the_others_live() {
    let (others, trust) = FIRST.split_once("\"trust\"").unwrap();
    let later = format!("{others}\"trust\"{}", trust.replacen(r#""v":1"#, r#""v":2"#, 1));
    assert_ne!(later, FIRST);
    let world = agent_with(&later);
    assert_eq!(world.core.notices.len(), 1, "{:?}", world.core.notices);
    assert_eq!(by_title(&world).len(), 5);
    let kept = crate::store::snapshot::records(&world.store).unwrap();
    for change in crate::store::snapshot::read(later.as_bytes()).unwrap() {
        if let Change::Put(tree @ (Tree::Trust | Tree::Pins | Tree::Passwords), key, value) = change {
            assert!(kept.contains(&(tree, key.clone(), value)), "{key}");
        }
    }
}
