//! Extensions that called, as `ui.status` tells them.

use super::*;

#[test]
fn status_tells_which_extensions_called_also_after_a_restart() {
    let (mut world, conn) = World::trusted();
    let caller = Caller { browser: "firefox".into(), extension_id: "godwit".into(), ..Caller::default() };
    world.connect_from(Role::Extension, Some("another"), caller);
    let told = |world: &mut World, conn| {
        let status = world.ui(conn, kinds::STATUS, json!({})).unwrap();
        let callers = status["more"]["callers"].as_array().unwrap().clone();
        callers.iter().map(|call| call["browser"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let before = told(&mut world, conn);
    // Written with the next change that must be safe.
    world.start(conn);
    assert_eq!(before.first().map(String::as_str), Some("firefox"));
    let survived = world.store.after_power_cut();
    world.killed(survived);
    let cli = world.connect_as(Role::Cli, None);
    assert_eq!(told(&mut world, cli), before);
}
