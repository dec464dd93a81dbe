//! Dialogs, grants, and what may be named afterwards.

use super::*;
use godwit_protocol::ui::Question;
use std::path::Path;

fn upload(path: &Path) -> Value {
    json!({"direction": "send", "remote_host": "h", "remote_user": "u", "remote_password": "p",
        "paths": [{"source": path.to_str().unwrap()}]})
}

fn pick(world: &mut World, conn: ConnId, site: &str, dialog: &str, paths: &[&Path]) -> (u16, Value) {
    let id = world.post(conn, site, &format!("windows/{dialog}/"), json!({"title": "Pick"}));
    let prompt = world.prompt(conn);
    let paths = paths.iter().map(|p| p.to_str().unwrap().to_owned()).collect();
    world.decide(conn, &prompt, &Decision::Chosen { paths }).unwrap();
    world.answer(id)
}

#[test]
fn a_page_may_upload_what_was_chosen_for_it_and_nothing_else() {
    let (mut world, conn) = World::trusted();
    let root = world.dir.path().canonicalize().unwrap();
    for name in ["chosen.txt", "other.txt"] {
        std::fs::write(root.join(name), "12345").unwrap();
    }
    let start = |world: &mut World, conn, site: &str, path: &Path| {
        world.ask(conn, site, "transfers/start", World::start_body(&upload(path), &json!({})))
    };
    let (status, body) = start(&mut world, conn, SITE, &root.join("chosen.txt"));
    assert_eq!(status, 406, "not yet chosen: {body}");
    let (status, body) = pick(&mut world, conn, SITE, "select-open-file-dialog", &[&root.join("chosen.txt")]);
    assert_eq!(status, 200);
    let file = &body["dataTransfer"]["files"][0];
    assert_eq!(file["name"], json!(root.join("chosen.txt")));
    assert_eq!((file["size"].as_u64(), file["type"].as_str()), (Some(5), Some("text/plain")));
    assert!(file["lastModifiedDate"].as_str().unwrap().len() >= 24);

    assert_eq!(start(&mut world, conn, SITE, &root.join("chosen.txt")).0, 200);
    assert_eq!(start(&mut world, conn, SITE, &root.join("other.txt")).0, 406);
    world.trust(conn, OTHER);
    assert_eq!(start(&mut world, conn, OTHER, &root.join("chosen.txt")).0, 406, "another site");
    let next = world.browser("s2");
    assert_eq!(start(&mut world, next, SITE, &root.join("chosen.txt")).0, 406, "another browser session");
}

#[test]
fn a_cancelled_dialog_has_no_files_and_a_page_that_asked_is_told_in_time() {
    let (mut world, conn) = World::trusted();
    let id = world.post(conn, SITE, "windows/select-open-folder-dialog/", json!({}));
    let prompt = world.prompt(conn);
    assert!(matches!(prompt.question, Question::OpenFolders(_)));
    world.decide(conn, &prompt, &Decision::Cancel).unwrap();
    assert_eq!(world.answer(id), (200, json!({"dataTransfer": {"files": []}})));

    let params = json!({"method": "POST", "uri": "/connect/windows/select-open-file-dialog/", "body": "{}",
        "timeout": 2_000});
    let id = world.send(conn, kinds::PAGE, Some(SITE), params);
    let prompt = world.prompt(conn);
    world.later(Duration::from_secs(2));
    assert_eq!(world.response(id).unwrap().error.unwrap().code, "timed-out");
    assert_eq!(world.events(conn, topics::PROMPT_CLOSED)[0]["prompt_id"], json!(prompt.prompt_id));
}

#[test]
fn a_site_cannot_pile_up_dialogs() {
    let (mut world, conn) = World::trusted();
    let ids: Vec<u64> = (0..6).map(|_| world.post(conn, SITE, "windows/select-open-file-dialog/", json!({}))).collect();
    world.prompt(conn);
    let refused: Vec<u16> = ids.into_iter().skip(4).map(|id| world.answer(id).0).collect();
    assert_eq!(refused, [429, 429]);
}

#[test]
fn a_save_dialog_grants_one_name_for_a_download() {
    let (mut world, conn) = World::trusted();
    let root = world.dir.path().canonicalize().unwrap();
    let target = root.join("saved.bin");
    let (status, body) = pick(&mut world, conn, SITE, "select-save-file-dialog", &[&target]);
    assert_eq!((status, body["dataTransfer"]["files"][0]["name"].as_str()), (200, target.to_str()));
    let mut spec = World::spec();
    spec["destination_root"] = json!(target);
    let absolute = json!({"use_absolute_destination_path": true});
    let (status, body) = world.ask(conn, SITE, "transfers/start", World::start_body(&spec, &absolute));
    assert_eq!(status, 200, "{body}");
    let uuid = body["transfer_specs"][0]["uuid"].as_str().unwrap().to_owned();
    let start = &world.workers[&uuid].1;
    assert_eq!(start.destination_root, root.to_str().unwrap());
    assert_eq!(start.paths[0].destination.as_deref(), Some("saved.bin"));
    spec["destination_root"] = json!(root.join("other.bin"));
    assert_eq!(world.ask(conn, SITE, "transfers/start", World::start_body(&spec, &absolute)).0, 406);
}

#[test]
fn a_relative_download_goes_below_the_download_folder() {
    let (mut world, conn) = World::trusted();
    let uuid = world.start(conn);
    let root = world.dir.path().canonicalize().unwrap();
    assert_eq!(world.workers[&uuid].1.destination_root, root.join("Downloads").to_str().unwrap());
    let mut spec = World::spec();
    spec["destination_root"] = json!("../out");
    assert_eq!(world.ask(conn, SITE, "transfers/start", World::start_body(&spec, &json!({}))).0, 400);
}

#[test]
fn who_wants_to_be_asked_says_where_each_download_goes() {
    let mut world = World::with("[downloads]\nalways_ask = true\n", "");
    let conn = world.browser("s1");
    world.trust(conn, SITE);
    let chosen = world.dir.path().join("elsewhere");
    std::fs::create_dir(&chosen).unwrap();
    let id = world.post(conn, SITE, "transfers/start", World::start_body(&World::spec(), &json!({})));
    let prompt = world.prompt(conn);
    assert!(matches!(&prompt.question, Question::OpenFolders(o) if o.title == "file.bin" && !o.multiple), "{prompt:?}");
    let paths = vec![chosen.to_str().unwrap().to_owned()];
    world.decide(conn, &prompt, &Decision::Chosen { paths: paths.clone() }).unwrap();
    let (status, body) = world.answer(id);
    assert_eq!(status, 200, "{body}");
    let uuid = body["transfer_specs"][0]["uuid"].as_str().unwrap().to_owned();
    assert_eq!(world.workers[&uuid].1.destination_root, chosen.canonicalize().unwrap().to_str().unwrap());

    let id = world.post(conn, SITE, "transfers/start", World::start_body(&World::spec(), &json!({})));
    let prompt = world.prompt(conn);
    world.decide(conn, &prompt, &Decision::Cancel).unwrap();
    assert_eq!(world.answer(id).0, 403);
    assert_eq!(world.workers.len(), 1, "a cancelled one is not started");

    let quiet = World::start_body(&World::spec(), &json!({"allow_dialogs": false}));
    assert_eq!(world.ask(conn, SITE, "transfers/start", quiet).0, 200, "a page that allows no dialogs is not held up");
}
