//! File dialogs of the desktop, as the core sees them.

use super::*;
use crate::dialog::{Outcome, Wanted};
use std::path::Path;

/// A trusted browser on a screen.
fn on_screen(settings: &str) -> (World, ConnId) {
    let mut world = World::with(settings, "");
    let environment = BTreeMap::from([("DISPLAY".to_owned(), ":0".to_owned())]);
    let conn = world.connect_from(Role::Extension, Some("s1"), Caller { environment, ..Caller::default() });
    world.trust(conn, SITE);
    (world, conn)
}

fn ask(world: &mut World, conn: ConnId) -> (u64, Prompt) {
    let id = world.post(conn, SITE, "windows/select-open-file-dialog/", json!({"title": "Pick"}));
    (id, world.prompt(conn))
}

fn done(world: &mut World, prompt: &Prompt, outcome: Outcome) {
    world.dialogs.remove(&prompt.prompt_id).expect("it is open");
    world.handle(Input::DialogDone { prompt_id: prompt.prompt_id.clone(), outcome });
}

fn chosen(path: &Path) -> Outcome {
    Outcome::Chosen { paths: vec![path.to_str().unwrap().into()] }
}

fn file(world: &World) -> PathBuf {
    let path = world.dir.path().canonicalize().unwrap().join("a.txt");
    std::fs::write(&path, "hello").unwrap();
    path
}

#[test]
fn what_is_chosen_in_the_desktops_dialog_is_granted_as_in_our_own() {
    let (mut world, conn) = on_screen("");
    let path = file(&world);
    let (id, prompt) = ask(&mut world, conn);
    assert!(prompt.native, "the extension opens no window");
    let request = &world.dialogs[&prompt.prompt_id];
    assert!(request.title.starts_with(SITE) && request.wanted == Wanted::Files && request.multiple);
    done(&mut world, &prompt, chosen(&path));
    let (status, body) = world.answer(id);
    assert_eq!((status, body["dataTransfer"]["files"][0]["name"].as_str()), (200, path.to_str()));
    assert_eq!(world.events(conn, topics::PROMPT_CLOSED).len(), 1);
    assert_eq!(world.ask(conn, SITE, "file/checksum", json!({"path": path})).0, 200, "granted");
}

#[test]
fn cancelled_and_timed_out_end_the_pages_call() {
    let (mut world, conn) = on_screen("");
    let (id, prompt) = ask(&mut world, conn);
    done(&mut world, &prompt, Outcome::Cancelled);
    assert_eq!(world.answer(id), (200, json!({"dataTransfer": {"files": []}})));
    let (id, prompt) = ask(&mut world, conn);
    done(&mut world, &prompt, Outcome::TimedOut);
    assert_eq!(world.response(id).unwrap().error.unwrap().code, "timed-out");
    assert!(ask(&mut world, conn).1.native, "the next one is asked there again");
}

#[test]
fn where_the_desktop_cannot_ask_our_own_window_does_and_goes_on_doing_so() {
    let (mut world, conn) = on_screen("");
    let path = file(&world);
    let (id, prompt) = ask(&mut world, conn);
    done(&mut world, &prompt, Outcome::Unavailable { reason: "no portal".into() });
    let again = world.prompt(conn);
    assert_eq!((again.prompt_id.clone(), again.native), (prompt.prompt_id, false));
    world.decide(conn, &again, &Decision::Chosen { paths: vec![path.to_str().unwrap().into()] }).unwrap();
    assert_eq!(world.answer(id).0, 200);
    assert!(!ask(&mut world, conn).1.native);
}

#[test]
fn a_choice_that_fits_no_dialog_is_no_choice() {
    let (mut world, conn) = on_screen("");
    for paths in [vec![], vec!["relative"], vec!["/a/../b"]] {
        let (_, prompt) = ask(&mut world, conn);
        done(&mut world, &prompt, Outcome::Chosen { paths: paths.into_iter().map(str::to_owned).collect() });
        let again = world.prompt(conn);
        assert!(!again.native);
        world.decide(conn, &again, &Decision::Cancel).unwrap();
        world.core.clients.get_mut(&conn).unwrap().no_dialogs = false;
    }
}

#[test]
fn a_dialog_whose_call_is_over_is_closed_and_its_late_answer_grants_nothing() {
    let (mut world, conn) = on_screen("");
    let path = file(&world);
    // Cancelled by the extension because the page left; timed out; the browser gone.
    let (id, prompt) = ask(&mut world, conn);
    world.decide(conn, &prompt, &Decision::Cancel).unwrap();
    assert!(world.dialogs.is_empty());
    world.handle(Input::DialogDone { prompt_id: prompt.prompt_id, outcome: chosen(&path) });
    assert_eq!(world.answer(id), (200, json!({"dataTransfer": {"files": []}})));

    let params = json!({"method": "POST", "uri": "/connect/windows/select-open-file-dialog/", "body": "{}",
        "timeout": 2_000});
    let id = world.send(conn, kinds::PAGE, Some(SITE), params);
    world.later(Duration::from_secs(2));
    assert_eq!(world.response(id).unwrap().error.unwrap().code, "timed-out");
    assert!(world.dialogs.is_empty());

    ask_again_and_leave(&mut world, conn);
    assert!(world.dialogs.is_empty());
    assert_eq!(world.core.grants.of("s1", &SITE.parse().unwrap()), []);
}

fn ask_again_and_leave(world: &mut World, conn: ConnId) {
    world.prompts(conn);
    ask(world, conn);
    assert_eq!(world.dialogs.len(), 1);
    world.handle(Input::Disconnected { conn });
}

#[test]
fn one_dialog_is_open_at_a_time_and_the_next_follows() {
    let (mut world, conn) = on_screen("");
    let (_, first) = ask(&mut world, conn);
    let second = world.post(conn, SITE, "windows/select-save-file-dialog/", json!({"suggestedName": "b.txt"}));
    assert_eq!(world.dialogs.len(), 1);
    done(&mut world, &first, Outcome::Cancelled);
    let prompt = world.prompt(conn);
    assert_eq!(world.dialogs[&prompt.prompt_id].name, "b.txt");
    done(&mut world, &prompt, Outcome::Cancelled);
    assert_eq!(world.answer(second).0, 200);
}

#[test]
fn a_restarted_background_learns_that_the_desktop_asks() {
    let (mut world, conn) = on_screen("");
    let (_, prompt) = ask(&mut world, conn);
    let open = world.ui(conn, kinds::PROMPTS, json!({})).unwrap();
    assert_eq!(open["prompts"][0]["prompt_id"], json!(prompt.prompt_id));
    assert_eq!(open["prompts"][0]["native"], json!(true));
}

#[test]
fn the_setting_says_who_asks() {
    let (mut world, conn) = on_screen("[dialogs]\nkind = \"built-in\"\n");
    assert!(!ask(&mut world, conn).1.native);

    let (mut world, conn) = on_screen("[dialogs]\nkind = \"native\"\n");
    let (id, prompt) = ask(&mut world, conn);
    done(&mut world, &prompt, Outcome::Unavailable { reason: "no portal".into() });
    assert_eq!(world.answer(id).0, 501);
    assert_eq!(world.prompts(conn), []);

    let (mut world, conn) = World::trusted();
    assert!(!ask(&mut world, conn).1.native, "without a screen our own window asks");
}
