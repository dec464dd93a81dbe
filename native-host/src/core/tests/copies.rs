//! Dropped content that is no file of this machine: copied out of the browser, given, removed.

use super::*;
use crate::supervisor::Ended;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use godwit_protocol::page::Dropped;
use godwit_protocol::ui::Question;
use godwit_protocol::worker::Stats;
use std::path::Path;

const CONTENT: &[u8] = b"an image out of a mail";

fn photo(name: &str, size: usize) -> Dropped {
    Dropped { name: name.into(), size: size as u64, modified_ms: 1_600_000_000_000, folder: false }
}

/// The page's call about what the relay saw.
fn dropped(world: &mut World, conn: ConnId, seen: &[Dropped]) -> u64 {
    let files: Vec<Value> = seen.iter().map(|d| json!({"name": d.name, "size": d.size, "type": ""})).collect();
    let body = json!({"dataTransfer": {"files": files}}).to_string();
    let params = json!({"method": "POST", "uri": "/connect/file/dropped-files", "body": body, "dropped": seen});
    world.send(conn, kinds::PAGE, Some(SITE), params)
}

/// Up to the offer of a copy: the picker is declined.
fn offered(world: &mut World, conn: ConnId, seen: &[Dropped]) -> (u64, Prompt) {
    let id = dropped(world, conn, seen);
    let picker = world.prompt(conn);
    assert!(matches!(picker.question, Question::OpenFiles(_)), "{picker:?}");
    world.decide(conn, &picker, &Decision::Cancel).unwrap();
    (id, world.prompt(conn))
}

fn part(
    world: &mut World,
    conn: ConnId,
    prompt: &Prompt,
    file: usize,
    offset: usize,
    data: &[u8],
) -> Result<Value, String> {
    let data = STANDARD.encode(data);
    let params = json!({"prompt_id": prompt.prompt_id, "file": file, "offset": offset, "data": data});
    world.ui(conn, kinds::DROPPED_PART, params)
}

const ALLOW: Decision = Decision::Allow { remember: false };

/// A copy that the page has been given; its path.
fn given(world: &mut World, conn: ConnId) -> PathBuf {
    let (id, prompt) = offered(world, conn, &[photo("photo.jpg", CONTENT.len())]);
    assert!(
        matches!(&prompt.question, Question::DroppedCopy { call, names, .. } if *call == id && names == &["photo.jpg"])
    );
    part(world, conn, &prompt, 0, 0, &CONTENT[..5]).unwrap();
    assert!(world.decide(conn, &prompt, &ALLOW).is_err(), "something is missing yet");
    part(world, conn, &prompt, 0, 5, &CONTENT[5..]).unwrap();
    world.decide(conn, &prompt, &ALLOW).unwrap();
    let (status, body) = world.answer(id);
    assert_eq!((status, body["dataTransfer"]["files"][0]["size"].as_u64()), (200, Some(CONTENT.len() as u64)));
    body["dataTransfer"]["files"][0]["name"].as_str().unwrap().into()
}

fn upload(world: &mut World, conn: ConnId, path: &Path) -> String {
    let mut spec = World::spec();
    spec["direction"] = json!("send");
    spec["destination_root"] = json!("/");
    spec["paths"] = json!([{"source": path}]);
    let (status, body) = world.ask(conn, SITE, "transfers/start", World::start_body(&spec, &json!({})));
    assert_eq!(status, 200, "{body}");
    body["transfer_specs"][0]["uuid"].as_str().unwrap().to_owned()
}

fn spooled(world: &World) -> usize {
    std::fs::read_dir(world.dir.path().join("state/dropped")).map_or(0, Iterator::count)
}

#[test]
fn what_no_file_is_found_for_is_copied_after_the_user_agreed_and_given_with_its_name() {
    let (mut world, conn) = World::trusted();
    let path = given(&mut world, conn);
    assert_eq!(path.file_name().unwrap(), "photo.jpg");
    assert_eq!(std::fs::read(&path).unwrap(), CONTENT);
    assert_eq!(world.ask(conn, SITE, "file/checksum", json!({"path": path})).0, 200, "granted");
    let id = world.post(conn, OTHER, "file/checksum", json!({"path": path}));
    let prompt = world.prompt(conn);
    world.decide(conn, &prompt, &ALLOW).unwrap();
    assert_eq!(world.answer(id).0, 406, "not to another site");
    assert_eq!(world.core.recent_folder, None, "no dialog begins among the copies");
}

#[test]
fn without_an_answer_nothing_stays_and_the_page_hears_of_no_files() {
    let (mut world, conn) = World::trusted();
    let (id, prompt) = offered(&mut world, conn, &[photo("a", 5)]);
    part(&mut world, conn, &prompt, 0, 0, b"he").unwrap();
    assert_eq!(spooled(&world), 1);
    world.decide(conn, &prompt, &Decision::Cancel).unwrap();
    assert_eq!(world.answer(id), (200, json!({"dataTransfer": {"files": []}})));
    assert_eq!(spooled(&world), 0);
    let (id, prompt) = offered(&mut world, conn, &[photo("a", 5)]);
    part(&mut world, conn, &prompt, 0, 0, b"he").unwrap();
    world.ui(conn, kinds::GIVE_UP, json!({"ids": [id]})).unwrap();
    assert_eq!(spooled(&world), 0, "its page was left");
    let (_, prompt) = offered(&mut world, conn, &[photo("a", 5)]);
    part(&mut world, conn, &prompt, 0, 0, b"he").unwrap();
    world.handle(Input::Disconnected { conn });
    assert_eq!(spooled(&world), 0, "its browser has gone");
}

#[test]
fn more_than_the_limit_is_told_and_not_copied() {
    let mut world = World::with("[dialogs]\ncopy_limit_mib = 1\n", "");
    let conn = world.browser("s1");
    world.trust(conn, SITE);
    let two = [photo("a", 600 * 1024), photo("b", 600 * 1024)];
    let (id, prompt) = offered(&mut world, conn, &two);
    assert!(matches!(&prompt.question, Question::DroppedCopy { limit: 1_048_576, sizes, .. } if sizes.len() == 2));
    assert!(part(&mut world, conn, &prompt, 0, 0, b"x").is_err());
    assert!(world.decide(conn, &prompt, &ALLOW).is_err());
    world.decide(conn, &prompt, &Decision::Cancel).unwrap();
    assert_eq!(world.answer(id), (200, json!({"dataTransfer": {"files": []}})));
    assert_eq!(spooled(&world), 0);
}

#[test]
fn nothing_is_offered_for_what_only_the_page_claims_for_folders_and_if_the_user_wants_no_copies() {
    let declined = |world: &mut World, conn: ConnId, id: u64| {
        let picker = world.prompt(conn);
        world.decide(conn, &picker, &Decision::Cancel).unwrap();
        assert_eq!(world.answer(id), (200, json!({"dataTransfer": {"files": []}})));
    };
    let (mut world, conn) = World::trusted();
    let body = json!({"dataTransfer": {"files": [{"name": "a", "size": 5}]}}).to_string();
    let params = json!({"method": "POST", "uri": "/connect/file/dropped-files", "body": body});
    let id = world.send(conn, kinds::PAGE, Some(SITE), params);
    declined(&mut world, conn, id);
    let id = dropped(&mut world, conn, &[Dropped { folder: true, ..photo("a", 5) }]);
    declined(&mut world, conn, id);
    let mut world = World::with("[dialogs]\ncopy_limit_mib = 0\n", "");
    let conn = world.browser("s1");
    world.trust(conn, SITE);
    let id = dropped(&mut world, conn, &[photo("a", 5)]);
    declined(&mut world, conn, id);
}

#[test]
fn parts_that_do_not_fit_are_refused_and_none_comes_without_its_question() {
    let (mut world, conn) = World::trusted();
    let (_, prompt) = offered(&mut world, conn, &[photo("a", 5)]);
    for (file, offset, data) in [(0, 0, &b"longer"[..]), (0, 3, b"x"), (1, 0, b"x"), (0, 0, b"")] {
        assert!(part(&mut world, conn, &prompt, file, offset, data).is_err(), "{file} {offset}");
    }
    let garbage = json!({"prompt_id": prompt.prompt_id, "file": 0, "offset": 0, "data": "no base64!"});
    assert_eq!(world.ui(conn, kinds::DROPPED_PART, garbage).unwrap_err(), "bad-request");
    let other = world.browser("s2");
    assert!(part(&mut world, other, &prompt, 0, 0, b"hello").is_err(), "another browser's");
    part(&mut world, conn, &prompt, 0, 0, b"hello").unwrap();
    world.decide(conn, &prompt, &Decision::Cancel).unwrap();
    assert!(part(&mut world, conn, &prompt, 0, 0, b"hello").is_err(), "over");
    assert_eq!(spooled(&world), 0);
}

#[test]
fn a_copy_goes_when_its_transfer_has_completed_and_survives_the_agent_until_then() {
    let (mut world, conn) = World::trusted();
    let path = given(&mut world, conn);
    let uuid = upload(&mut world, conn, &path);
    world.killed(world.store.clone());
    assert_eq!(std::fs::read(&path).unwrap(), CONTENT, "the queue needs it");
    world.worker(&uuid, WorkerEvent::Ended(Ended::Done(Stats::default())));
    assert_eq!(spooled(&world), 0);
}

#[test]
fn a_copy_that_nothing_uses_expires_and_goes_with_the_agent() {
    let (mut world, conn) = World::trusted();
    let path = given(&mut world, conn);
    world.later(crate::spool::EXPIRES - Duration::from_secs(1));
    assert!(path.exists());
    world.later(Duration::from_secs(1));
    assert!(!path.exists() && spooled(&world) == 0);
    let path = given(&mut world, conn);
    // Its folder is older than the next agent.
    world.now.wall_ms += 1_000_000_000_000;
    world.killed(world.store.clone());
    assert!(!path.exists() && spooled(&world) == 0);
}
