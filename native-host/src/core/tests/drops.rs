//! Files dropped on a page: found, confirmed, or shown by the user; and what a page that lies gets.

use super::*;
use godwit_protocol::page::Dropped;
use godwit_protocol::ui::Question;
use std::path::Path;
use std::time::UNIX_EPOCH;

/// A trusted browser, and a file in the download folder, which is looked in.
fn with_file() -> (World, ConnId, PathBuf) {
    let (mut world, conn) = World::trusted();
    let folder = world.dir.path().canonicalize().unwrap().join("Downloads");
    std::fs::create_dir_all(&folder).unwrap();
    world.settings_file.set(&format!("[downloads]\nfolder = {:?}\n", folder.to_str().unwrap()));
    world.handle(Input::SettingsTouched);
    let path = folder.join("a.txt");
    std::fs::write(&path, "hello world").unwrap();
    (world, conn, path)
}

fn describe(path: &Path) -> Dropped {
    let meta = path.metadata().unwrap();
    let modified = meta.modified().unwrap().duration_since(UNIX_EPOCH).unwrap();
    Dropped {
        name: path.file_name().unwrap().to_str().unwrap().into(),
        size: meta.len(),
        modified_ms: u64::try_from(modified.as_millis()).unwrap(),
        folder: meta.is_dir(),
    }
}

/// The page's call, with what the relay saw.
fn dropped(world: &mut World, conn: ConnId, name: &str, size: u64, seen: &[Dropped]) -> u64 {
    let body = json!({"dataTransfer": {"files": [{"name": name, "size": size, "type": ""}]}});
    let params =
        json!({"method": "POST", "uri": "/connect/file/dropped-files", "body": body.to_string(), "dropped": seen});
    world.send(conn, kinds::PAGE, Some(SITE), params)
}

fn names(body: &Value) -> Vec<&str> {
    body["dataTransfer"]["files"].as_array().unwrap().iter().map(|f| f["name"].as_str().unwrap()).collect()
}

#[test]
fn a_file_that_was_dropped_is_found_and_given_after_one_confirmation() {
    let (mut world, conn, path) = with_file();
    let id = world.call(conn, "https://stranger.example", "GET", "file/initialize-drag-drop", &json!({}));
    assert_eq!(world.answer(id), (200, json!({})), "nothing to ask about, nothing to learn");
    let id = dropped(&mut world, conn, "a.txt", 11, &[describe(&path)]);
    let prompt = world.prompt(conn);
    let text = path.to_str().unwrap();
    assert!(
        matches!(&prompt.question, Question::Dropped { paths, count: 1 } if paths == &[text.to_owned()]),
        "{prompt:?}"
    );
    world.decide(conn, &prompt, &Decision::Allow { remember: false }).unwrap();
    let (status, body) = world.answer(id);
    assert_eq!((status, names(&body)), (200, vec![text]));
    assert_eq!(world.ask(conn, SITE, "file/checksum", json!({"path": path})).0, 200, "granted");
    assert!(world.core.drops.is_empty());
}

#[test]
fn not_these_leads_to_a_dialog_in_their_folder() {
    let (mut world, conn, path) = with_file();
    let other = path.with_file_name("b.txt");
    std::fs::write(&other, "other").unwrap();
    let id = dropped(&mut world, conn, "a.txt", 11, &[describe(&path)]);
    let prompt = world.prompt(conn);
    world.decide(conn, &prompt, &Decision::Browse).unwrap();
    let prompt = world.prompt(conn);
    let Question::OpenFiles(options) = &prompt.question else { panic!("{prompt:?}") };
    assert_eq!(
        (options.folder.as_deref(), options.suggested_name.as_str()),
        (path.parent().unwrap().to_str(), "a.txt")
    );
    assert!(world.decide(conn, &prompt, &Decision::Browse).is_err(), "a dialog knows no such answer");
    world.decide(conn, &prompt, &Decision::Chosen { paths: vec![other.to_str().unwrap().into()] }).unwrap();
    assert_eq!(names(&world.answer(id).1), [other.to_str().unwrap()]);
    assert_eq!(world.ask(conn, SITE, "file/checksum", json!({"path": path})).0, 406, "not given");
}

#[test]
fn a_page_that_claims_a_file_which_was_not_dropped_on_it_learns_nothing_and_gets_nothing() {
    let (mut world, conn, path) = with_file();
    let there = describe(&path);
    let elsewhere = Dropped { name: "other.txt".into(), ..there.clone() };
    let mut answers = Vec::new();
    // A file that exists, rightly guessed; one that does not; each without a drop, and with a drop of something else.
    for (name, size) in [("a.txt", 11), ("nothing.txt", 11)] {
        for seen in [vec![], vec![elsewhere.clone()]] {
            let id = dropped(&mut world, conn, name, size, &seen);
            let prompt = world.prompt(conn);
            let Question::OpenFiles(options) = &prompt.question else { panic!("not searched for: {prompt:?}") };
            assert_eq!(options.folder, None, "the disk was not looked at");
            assert!(world.response(id).is_none(), "not before the user has decided");
            world.decide(conn, &prompt, &Decision::Cancel).unwrap();
            answers.push(world.answer(id));
        }
    }
    assert!(answers.iter().all(|a| *a == (200, json!({"dataTransfer": {"files": []}}))), "{answers:?}");
    assert_eq!(world.ask(conn, SITE, "file/checksum", json!({"path": path})).0, 406);
}

#[test]
fn cancelled_and_not_found_are_the_same_to_the_page() {
    let (mut world, conn, path) = with_file();
    let there = describe(&path);
    let missing = Dropped { size: 12, ..there.clone() };
    for seen in [there, missing] {
        let id = dropped(&mut world, conn, "a.txt", seen.size, std::slice::from_ref(&seen));
        // What is not found is asked about twice: where it is, and whether to copy it.
        let prompt = world.prompt(conn);
        world.decide(conn, &prompt, &Decision::Cancel).unwrap();
        for prompt in world.prompts(conn) {
            assert!(matches!(prompt.question, Question::DroppedCopy { .. }));
            assert!(world.response(id).is_none(), "not before the user has decided");
            world.decide(conn, &prompt, &Decision::Cancel).unwrap();
        }
        assert_eq!(world.answer(id), (200, json!({"dataTransfer": {"files": []}})), "{seen:?}");
    }
    assert_eq!(world.core.grants.of("s1", &SITE.parse().unwrap()), []);
}

#[test]
fn a_body_without_files_is_refused_and_a_site_that_may_not_is_asked_about_first() {
    let (mut world, conn, path) = with_file();
    assert_eq!(world.ask(conn, SITE, "file/dropped-files", json!({"dataTransfer": {}})).0, 400);
    let body = json!({"dataTransfer": {"files": [{"name": "a.txt", "size": 11}]}}).to_string();
    let params =
        json!({"method": "POST", "uri": "/connect/file/dropped-files", "body": body, "dropped": [describe(&path)]});
    let id = world.send(conn, kinds::PAGE, Some(OTHER), params);
    let consent = world.prompt(conn);
    assert!(matches!(consent.question, Question::Consent { .. }));
    world.decide(conn, &consent, &Decision::Allow { remember: false }).unwrap();
    let prompt = world.prompt(conn);
    assert!(matches!(prompt.question, Question::Dropped { .. }), "what was seen has waited with the call");
    world.decide(conn, &prompt, &Decision::Allow { remember: false }).unwrap();
    assert_eq!(names(&world.answer(id).1), [path.to_str().unwrap()]);
    let id = world.post(conn, SITE, "file/checksum", json!({"path": path}));
    assert_eq!(world.answer(id).0, 406, "given to the other site");
}
