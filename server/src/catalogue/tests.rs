#![allow(clippy::unwrap_used)]

use super::*;
use crate::config::{ContentProtection, UserConfig};
use crate::rights::Rights;
use serde_json::json;
use std::os::unix::fs::MetadataExt;

fn fresh() -> (tempfile::TempDir, Sqlite) {
    let dir = tempfile::tempdir().unwrap();
    let catalogue = reopen(&dir).unwrap();
    (dir, catalogue)
}

fn reopen(dir: &tempfile::TempDir) -> Result<Sqlite> {
    Sqlite::open(&crate::state::StateDir::open(dir.path()).unwrap())
}

fn user(name: &str) -> StoredUser {
    StoredUser { name: name.into(), config: UserConfig { write: Some(false), ..UserConfig::default() } }
}

fn key(id: &str, owner: &str) -> AccessKey {
    AccessKey {
        id: id.into(),
        owner: owner.into(),
        secret_hash: "x".into(),
        path: "in".into(),
        rights: Rights::ALL,
        verification_key: None,
        name: String::new(),
        configuration: json!({}),
        quota: None,
        content_protection: ContentProtection::Optional,
        created: 1,
    }
}

fn at(path: &str, inode: u64) -> Found {
    Found { path: path.into(), identity: Identity { device: u64::MAX, inode, birth_ns: 7 } }
}

#[test]
fn users_and_keys_survive_a_restart_and_share_one_name_space() {
    let (dir, catalogue) = fresh();
    catalogue.put_user(&user("ann"), false).unwrap();
    catalogue.put_key(&key("k1", "ann"), false).unwrap();
    for name in ["ann", "k1"] {
        assert!(matches!(catalogue.put_user(&user(name), false), Err(CatalogueError::Exists(_))), "{name}");
        assert!(matches!(catalogue.put_key(&key(name, "ann"), false), Err(CatalogueError::Exists(_))), "{name}");
    }
    drop(catalogue);
    let catalogue = reopen(&dir).unwrap();
    assert_eq!(catalogue.user("ann").unwrap(), Some(user("ann")));
    assert_eq!(catalogue.keys(Some("ann")).unwrap(), [key("k1", "ann")]);
    assert_eq!(catalogue.keys(Some("bob")).unwrap(), []);
    assert!(catalogue.remove_user("ann").unwrap());
    assert_eq!(catalogue.key("k1").unwrap(), None, "a key goes with its owner");
    assert_eq!(dir.path().join(FILE).metadata().unwrap().mode() & 0o777, 0o600);
}

#[test]
fn an_id_stays_when_its_file_is_moved_or_its_content_replaced_and_is_never_given_twice() {
    let (_dir, catalogue) = fresh();
    let id = |path: &str, inode| catalogue.ids("main", &[at(path, inode)]).unwrap()[0];
    let (folder, file) = (id("a", 1), id("a/f", 2));
    assert_eq!(id("a/f", 2), file);
    catalogue.moved("main", "a", "b/a").unwrap();
    assert_eq!((id("b/a", 1), id("b/a/f", 2)), (folder, file), "moved through the server");
    assert_eq!(id("c/f", 2), file, "moved behind its back");
    assert_eq!(id("c/f", 9), file, "replaced by an upload");
    assert_ne!(catalogue.ids("other", &[at("c/f", 9)]).unwrap()[0], file, "another docroot");
    assert_eq!(catalogue.place(file).unwrap().unwrap().path, "c/f");
    catalogue.removed("main", "c").unwrap();
    assert_eq!(catalogue.place(file).unwrap(), None);
    let next = id("c/f", 9);
    assert!(next > file, "a new file at the old name is another one");
    let neighbour = id("c0", 77);
    catalogue.removed("main", "c").unwrap();
    assert_eq!(catalogue.place(neighbour).unwrap().unwrap().path, "c0");
}

#[test]
fn a_file_moved_over_another_takes_its_id_along() {
    let (_dir, catalogue) = fresh();
    let id = |path: &str, inode| catalogue.ids("main", &[at(path, inode)]).unwrap()[0];
    let (new, old) = (id("new", 1), id("old", 2));
    assert_eq!(id("old", 1), new);
    assert_eq!(catalogue.place(old).unwrap(), None);
}

#[test]
fn permissions_go_with_their_file_and_their_key() {
    let (_dir, catalogue) = fresh();
    catalogue.put_key(&key("k1", "ann"), false).unwrap();
    let ids = catalogue.ids("main", &[at("a", 1), at("a/b", 2)]).unwrap();
    let permission = |file| Permission {
        id: 0,
        key: "k1".into(),
        file,
        access_type: "user".into(),
        access_id: "7".into(),
        levels: vec!["list".into(), "read".into()],
        created: 5,
    };
    let first = catalogue.put_permission(&permission(ids[0])).unwrap();
    let again = catalogue.put_permission(&Permission { levels: vec!["list".into()], ..permission(ids[0]) }).unwrap();
    assert_eq!(first, again, "one for each file and person");
    assert_eq!(catalogue.permission("k1", first).unwrap().unwrap().levels, ["list"]);
    assert_eq!(catalogue.permission("k2", first).unwrap(), None, "a key sees its own only");
    catalogue.put_permission(&permission(ids[1])).unwrap();
    catalogue.removed("main", "a/b").unwrap();
    assert_eq!(catalogue.permissions("k1").unwrap().len(), 1);
    catalogue.remove_key("k1").unwrap();
    assert_eq!(catalogue.permissions("k1").unwrap(), []);
}

#[test]
fn tokens_are_listed_until_they_expire_and_revocations_hold() {
    let (dir, catalogue) = fresh();
    let token = |id: &str, expires| TokenRecord {
        id: id.into(),
        user: "ann".into(),
        direction: "send".into(),
        paths: vec![String::new()],
        expires,
        revoked: false,
    };
    for (id, expires) in [("a", 10), ("b", 20)] {
        catalogue.put_token(&token(id, expires)).unwrap();
    }
    catalogue.revoke("b", 20).unwrap();
    drop(catalogue);
    let catalogue = reopen(&dir).unwrap();
    assert_eq!(catalogue.tokens(10).unwrap(), [TokenRecord { revoked: true, ..token("b", 20) }]);
    assert!(catalogue.is_revoked("b").unwrap() && !catalogue.is_revoked("a").unwrap());
}

#[test]
fn transfers_are_paged_newest_first_and_close_when_the_server_comes_back() {
    let (_dir, catalogue) = fresh();
    for n in 0..5 {
        let record = TransferRecord {
            id: format!("t{n}"),
            owner: "ann".into(),
            status: if n == 4 { "running" } else { "completed" }.into(),
            start_usec: 1000,
            body: json!({"id": format!("t{n}"), "status": "running"}),
        };
        catalogue.put_transfer(&record, n == 4).unwrap();
    }
    let query = TransferQuery { owner: "ann".into(), count: 2, ..TransferQuery::default() };
    let names = |query: &TransferQuery| -> Vec<String> {
        catalogue.transfers(query).unwrap().into_iter().map(|t| t.id).collect()
    };
    assert_eq!(names(&query), ["t4", "t3"]);
    assert_eq!(names(&TransferQuery { before: Some((1000, "t3".into())), ..query.clone() }), ["t2", "t1"]);
    assert_eq!(names(&TransferQuery { active_only: true, ..query.clone() }), ["t4"]);
    assert_eq!(names(&TransferQuery { owner: "bob".into(), ..query.clone() }), Vec::<String>::new());
    assert_eq!(catalogue.close_transfers(2000, "the server ended").unwrap(), 1);
    let closed = catalogue.transfer("ann", "t4").unwrap().unwrap();
    assert_eq!((closed.status.as_str(), &closed.body["status"]), ("failed", &json!("failed")));
}

#[test]
fn events_are_read_on_from_where_one_stopped() {
    let (_dir, catalogue) = fresh();
    for n in 0..3 {
        let event = Event { id: 0, owner: "ann".into(), at: n, kind: "x.y".into(), body: json!({"n": n}) };
        catalogue.add_event(&event).unwrap();
    }
    let first = catalogue.events("ann", 0, 2).unwrap();
    assert_eq!(first.len(), 2);
    let rest = catalogue.events("ann", first[1].id, 10).unwrap();
    assert_eq!(rest.iter().map(|e| e.body["n"].clone()).collect::<Vec<_>>(), [json!(2)]);
    assert_eq!(catalogue.events("bob", 0, 10).unwrap(), []);
}

#[test]
fn t18_a_damaged_truncated_or_newer_catalogue_is_refused_and_left_as_it_is() {
    let (dir, catalogue) = fresh();
    catalogue.put_user(&user("ann"), false).unwrap();
    drop(catalogue);
    let path = dir.path().join(FILE);
    let whole = std::fs::read(&path).unwrap();
    let mut torn = whole.clone();
    torn[100..4000].fill(0xa5);
    let mut stranger = whole.clone();
    stranger[..6].copy_from_slice(b"Hello ");
    for bad in [&b""[..], &whole[..whole.len() / 3], &torn, &stranger] {
        std::fs::write(&path, bad).unwrap();
        let error = reopen(&dir).unwrap_err();
        assert!(matches!(error, CatalogueError::Damaged { .. }), "{} bytes: {error}", bad.len());
        assert!(error.to_string().contains("Restore it from a backup"), "{error}");
        assert_eq!(std::fs::read(&path).unwrap(), bad);
        for side in ["-wal", "-shm"] {
            let _ = std::fs::remove_file(dir.path().join(format!("{FILE}{side}")));
        }
    }
    std::fs::write(&path, &whole).unwrap();
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection.pragma_update(None, "user_version", 99).unwrap();
    drop(connection);
    assert!(matches!(reopen(&dir).unwrap_err(), CatalogueError::Newer { found: 99, .. }));
}

#[test]
fn t18_an_older_catalogue_gets_the_newer_form_with_all_that_is_in_it_and_a_copy_of_before() {
    let (dir, catalogue) = fresh();
    catalogue.put_user(&user("ann"), false).unwrap();
    catalogue.put_key(&key("k1", "ann"), false).unwrap();
    drop(catalogue);
    let version = |path: &std::path::Path| -> i64 {
        let connection = rusqlite::Connection::open(path).unwrap();
        connection.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap()
    };
    let path = dir.path().join(FILE);
    rusqlite::Connection::open(&path).unwrap().pragma_update(None, "user_version", 1).unwrap();
    let catalogue = reopen(&dir).unwrap();
    assert_eq!(catalogue.user("ann").unwrap(), Some(user("ann")));
    assert_eq!(catalogue.keys(None).unwrap(), [key("k1", "ann")]);
    let required = AccessKey { content_protection: ContentProtection::Required, ..key("k1", "ann") };
    catalogue.put_key(&required, true).unwrap();
    drop(catalogue);
    assert_eq!(reopen(&dir).unwrap().key("k1").unwrap(), Some(required));
    let backup = dir.path().join(format!("{FILE}.version-1"));
    assert_eq!((version(&path), version(&backup)), (schema::VERSION, 1), "an older build keeps away from it");
    assert_eq!(backup.metadata().unwrap().mode() & 0o777, 0o600);
    assert!(std::fs::read_dir(dir.path()).unwrap().all(|e| !e.unwrap().file_name().to_string_lossy().starts_with('.')));
}

#[test]
fn a_user_added_by_another_process_is_seen_at_once() {
    let (dir, catalogue) = fresh();
    assert_eq!(catalogue.user("ann").unwrap(), None);
    reopen(&dir).unwrap().put_user(&user("ann"), false).unwrap();
    assert!(catalogue.user("ann").unwrap().is_some());
}
