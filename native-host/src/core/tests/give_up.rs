//! Documents that are left while something is asked for their sake.

use super::*;
use godwit_protocol::ui::Question;

fn give_up(world: &mut World, conn: ConnId, ids: &[u64]) {
    assert_eq!(world.ui(conn, kinds::GIVE_UP, json!({"ids": ids})), Ok(json!({})));
}

fn code(world: &mut World, id: u64) -> String {
    world.response(id).expect("an answer").error.expect("an error").code
}

fn pick(world: &mut World, conn: ConnId) -> (u64, Prompt) {
    let id = world.post(conn, SITE, "windows/select-open-file-dialog/", json!({}));
    (id, world.prompt(conn))
}

#[test]
fn a_dialog_goes_with_the_document_that_asked_and_another_of_the_same_site_is_asked_next() {
    let (mut world, conn) = World::trusted();
    let (left, prompt) = pick(&mut world, conn);
    let stays = world.post(conn, SITE, "windows/select-save-file-dialog/", json!({}));
    assert_eq!(world.prompts(conn), [], "one at a time");
    give_up(&mut world, conn, &[left, 999]);
    assert_eq!(code(&mut world, left), "given-up");
    assert_eq!(world.events(conn, topics::PROMPT_CLOSED), [json!({"prompt_id": prompt.prompt_id})]);
    let prompt = world.prompt(conn);
    assert!(matches!(prompt.question, Question::SaveFile(_)));
    world.decide(conn, &prompt, &Decision::Cancel).unwrap();
    assert_eq!(world.answer(stays).0, 200);
}

#[test]
fn a_dialog_of_the_desktop_goes_too() {
    let mut world = World::new();
    let environment = BTreeMap::from([("DISPLAY".to_owned(), ":0".to_owned())]);
    let conn = world.connect_from(Role::Extension, Some("s1"), Caller { environment, ..Caller::default() });
    world.trust(conn, SITE);
    let (id, _) = pick(&mut world, conn);
    assert_eq!(world.dialogs.len(), 1);
    give_up(&mut world, conn, &[id]);
    assert!(world.dialogs.is_empty());
}

#[test]
fn the_question_about_a_site_stays_while_another_document_of_it_waits() {
    let mut world = World::new();
    let conn = world.browser("s1");
    let first = world.call(conn, SITE, "GET", "windows/about", &json!({}));
    let second = world.call(conn, SITE, "GET", "windows/about", &json!({}));
    let prompt = world.prompt(conn);
    give_up(&mut world, conn, &[first]);
    assert_eq!(world.events(conn, topics::PROMPT_CLOSED), Vec::<Value>::new());
    world.decide(conn, &prompt, &Decision::Allow { remember: false }).unwrap();
    assert_eq!(world.answer(second).0, 200);
    let third = world.call(conn, OTHER, "GET", "windows/about", &json!({}));
    let prompt = world.prompt(conn);
    give_up(&mut world, conn, &[third]);
    assert_eq!(world.events(conn, topics::PROMPT_CLOSED), [json!({"prompt_id": prompt.prompt_id})]);
    let again = world.call(conn, OTHER, "GET", "windows/about", &json!({}));
    let prompt = world.prompt(conn);
    world.decide(conn, &prompt, &Decision::Allow { remember: false }).unwrap();
    assert_eq!(world.answer(again).0, 200, "leaving was no refusal");
}

#[test]
fn nobody_gives_up_what_another_browser_asked() {
    let (mut world, conn) = World::trusted();
    let other = world.browser("s2");
    let (id, prompt) = pick(&mut world, conn);
    give_up(&mut world, other, &[id]);
    world.decide(conn, &prompt, &Decision::Cancel).unwrap();
    assert_eq!(world.answer(id).0, 200);
}
