//! What a killed server leaves in a folder goes when the folder is next written to; nothing else does.

#![allow(clippy::unwrap_used)]

mod common;

use common::Place;
use common::http::Client;
use rustix::fs::{FlockOperation, flock};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::os::unix::fs::symlink;

fn hidden(digit: char) -> String {
    format!(".godwit-up-{}.partial", digit.to_string().repeat(32))
}

fn names(place: &Place) -> BTreeSet<String> {
    fs::read_dir(place.docroot()).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn t15_what_a_killed_server_left_goes_and_a_live_upload_and_a_persons_file_stay() {
    let place = Place::new();
    let at = |name: &str| place.docroot().join(name);
    for (digit, content) in [('1', ""), ('2', "half a fi")] {
        fs::write(at(&hidden(digit)), content).unwrap();
    }
    // Of a live upload of another server on the same folder.
    let live = File::create(at(&hidden('3'))).unwrap();
    flock(&live, FlockOperation::NonBlockingLockExclusive).unwrap();
    // People's: nearly the same name, or the same name and no file that the server makes.
    let mine = [".godwit-up-notes.partial".to_owned(), hidden('4') + ".bak", "x".to_owned() + &hidden('5')];
    for name in &mine {
        fs::write(at(name), "mine").unwrap();
    }
    fs::create_dir(at(&hidden('6'))).unwrap();
    symlink("x", at(&hidden('7'))).unwrap();
    fs::write(at("two names"), "mine").unwrap();
    fs::hard_link(at("two names"), at(&hidden('8'))).unwrap();
    let all = names(&place);

    let server = place.start(&["--user", "ann:right"]);
    let ann = Client::basic(server.http, "ann", "right");
    ann.ask("/files/browse", &json!({"path": "/"}));
    assert_eq!(names(&place), all, "who only looks removes nothing");
    let write = |path: &str| {
        let body = json!({"paths": [{"type": "file", "path": path, "contents": "bmV3"}]});
        assert_eq!(ann.ask("/files/create", &body)["paths"][0]["error"], Value::Null);
    };
    write("/first");
    let mut expected = all;
    expected.insert("first".into());
    assert!(expected.remove(&hidden('1')) && expected.remove(&hidden('2')));
    assert_eq!(names(&place), expected);
    assert_eq!(fs::read(at("two names")).unwrap(), b"mine");

    // That one's server is killed too; it goes after the next start.
    drop(live);
    drop(server);
    let server = place.start(&["--user", "ann:right"]);
    let ann = Client::basic(server.http, "ann", "right");
    let body = json!({"paths": [{"type": "file", "path": "/second", "contents": "bmV3"}]});
    assert_eq!(ann.ask("/files/create", &body)["paths"][0]["error"], Value::Null);
    expected.insert("second".into());
    assert!(expected.remove(&hidden('3')));
    assert_eq!(names(&place), expected);
}
