//! The desktop's file dialog, from a page's call to what it is answered: real screen, real keys, real zenity and portal, and
//! false ones that misbehave.

#![allow(clippy::unwrap_used)]

mod common;

use common::screen::Screen;
use common::{Agent, Client, Place, SITE, kill, until};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};

/// A home, its agent, and a screen.
struct World {
    place: Place,
    agent: Option<Agent>,
    screen: Screen,
}

impl World {
    /// With this script in the place of zenity.
    fn with_zenity(screen: Screen, script: Option<&str>) -> Self {
        let place = Place::new();
        let programs = place.path().join("programs");
        std::fs::create_dir(&programs).unwrap();
        if let Some(script) = script {
            let program = programs.join("zenity");
            std::fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
            std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        }
        let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap());
        let agent = Some(place.agent_in(|command| {
            command.env("PATH", &path);
        }));
        Self { place, agent, screen }
    }

    fn file(&self, name: &str) -> PathBuf {
        let path = self.place.path().canonicalize().unwrap().join(name);
        std::fs::write(&path, "hello world").unwrap();
        path
    }

    fn client(&self) -> Client {
        let mut client = Client::open_from(&self.place, "s", self.screen.environment());
        client.choice = vec![PathBuf::from("/etc/hostname")];
        client
    }

    /// Asks for files, while something happens meanwhile: status, names, and whether our own window asked in the end.
    fn ask(&self, body: Value, meanwhile: impl FnOnce(&AtomicBool) + Send) -> (u16, Vec<String>, bool, Client) {
        let mut client = self.client();
        let answered = AtomicBool::new(false);
        let (status, body) = std::thread::scope(|scope| {
            let answered = &answered;
            scope.spawn(move || meanwhile(answered));
            let answer = client.page("windows/select-open-file-dialog/", body);
            answered.store(true, Ordering::SeqCst);
            answer
        });
        let files = body["dataTransfer"]["files"].as_array().cloned().unwrap_or_default();
        let names = files.iter().map(|f| f["name"].as_str().unwrap().to_owned()).collect();
        let own = client.prompts.iter().any(|p| !p.native && serde_json::to_value(p).unwrap()["ask"] == "open-files");
        (status, names, own, client)
    }

    fn dialog_processes(&self) -> Vec<u32> {
        let own = |pid: &u32| {
            let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            let line = String::from_utf8_lossy(&line);
            line.contains("--dialog") || line.contains("zenity")
        };
        self.place.processes().into_iter().filter(own).collect()
    }

    fn no_dialog_process_stays(&self) {
        until("the dialog's processes are gone", || self.dialog_processes().is_empty().then_some(()));
    }
}

fn real_portal() -> Vec<PathBuf> {
    let folder = Path::new("/usr/share/dbus-1/services");
    let found: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .flatten()
        .map(|e| e.path())
        .filter(|p| p.file_name().is_some_and(|n| n.to_string_lossy().contains("portal")))
        .collect();
    assert!(found.len() >= 2, "xdg-desktop-portal-gtk is missing: `cargo xtask setup` installs it");
    found
}

/// What a dialog process answers that is asked by nobody but the test.
fn alone(world: &World, limit_ms: u64, meanwhile: impl FnOnce()) -> Value {
    let programs = format!("{}:{}", world.place.path().join("programs").display(), std::env::var("PATH").unwrap());
    let mut command = world.place.command(env!("CARGO_BIN_EXE_godwit-agent"));
    command.arg("--dialog").env_remove("DBUS_SESSION_BUS_ADDRESS").env_remove("XDG_RUNTIME_DIR");
    command.envs(world.screen.environment()).env("PATH", programs);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let request = json!({"wanted": "files", "title": SITE, "multiple": false, "name": "", "folder": null, "filters": [],
        "limit_ms": limit_ms});
    // Open until it has answered: its end says that nobody waits.
    let mut stdin = child.stdin.take().unwrap();
    writeln!(stdin, "{request}").unwrap();
    meanwhile();
    let mut answer = String::new();
    child.stdout.take().unwrap().read_to_string(&mut answer).unwrap();
    assert!(child.wait().unwrap().success());
    drop(stdin);
    serde_json::from_str(&answer).unwrap()
}

#[test]
fn a_dialog_process_ends_with_one_of_four_outcomes() {
    for (script, limit_ms, wanted) in [
        ("echo '/etc/host name'", 60_000, json!({"outcome": "chosen", "paths": ["/etc/host name"]})),
        ("exit 1", 60_000, json!({"outcome": "cancelled"})),
        ("exec sleep 600", 2_000, json!({"outcome": "timed-out"})),
    ] {
        let world = World::with_zenity(Screen::new(), Some(script));
        assert_eq!(alone(&world, limit_ms, || {}), wanted, "{script}");
        world.no_dialog_process_stays();
    }
    let world = World::with_zenity(Screen::new(), Some("exit 99"));
    let answer = alone(&world, 60_000, || {});
    assert_eq!(answer["outcome"], "unavailable");
    let reason = answer["reason"].as_str().unwrap();
    assert!(reason.contains("portal") && reason.contains("zenity ended with 99"), "{reason}");
}

#[test]
fn a_file_chosen_with_real_keys_in_zenity_is_granted_and_escape_is_a_cancelled_dialog() {
    let world = World::with_zenity(Screen::new(), None);
    let path = world.file("a|b c.txt");
    let text = path.to_str().unwrap();
    let (status, names, own, mut client) = world.ask(json!({"title": "Pick"}), |answered| {
        world.screen.answer(SITE, Some(text), "Return", || answered.load(Ordering::SeqCst));
    });
    assert_eq!((status, names, own), (200, vec![text.to_owned()], false));
    assert_eq!(client.page("file/checksum", json!({"path": path})).0, 200, "granted");
    let (status, names, own, _) = world.ask(json!({}), |answered| {
        world.screen.answer(SITE, None, "Escape", || answered.load(Ordering::SeqCst));
    });
    assert_eq!((status, names, own), (200, vec![], false));
    world.no_dialog_process_stays();
}

#[test]
fn where_the_desktop_has_a_portal_the_portal_asks() {
    let world = World::with_zenity(Screen::with_bus(&real_portal()), Some("exit 99"));
    let path = world.file("a b.txt");
    let text = path.to_str().unwrap();
    let filters = json!([{"filter_name": "Text", "extensions": ["txt"]}]);
    let (status, names, own, mut client) = world.ask(json!({"allowedFileTypes": filters}), |answered| {
        world.screen.answer(SITE, Some(text), "Return", || answered.load(Ordering::SeqCst));
    });
    assert_eq!((status, names, own), (200, vec![text.to_owned()], false));
    assert_eq!(client.page("file/checksum", json!({"path": path})).0, 200, "granted");
    let (status, names, own, _) = world.ask(json!({}), |answered| {
        world.screen.answer(SITE, None, "Escape", || answered.load(Ordering::SeqCst));
    });
    assert_eq!((status, names, own), (200, vec![], false));
}

#[test]
fn a_portal_that_dies_with_its_dialog_open_is_replaced_and_the_page_gets_its_answer() {
    let world = World::with_zenity(Screen::with_bus(&real_portal()), Some("exit 99"));
    let screen = &world.screen;
    let (status, names, own, _) = world.ask(json!({}), |_| {
        screen.until_shown(SITE, true);
        for pid in portal_processes(screen) {
            kill(pid);
        }
    });
    assert_eq!((status, names, own), (200, vec!["/etc/hostname".to_owned()], true));
}

fn portal_processes(screen: &Screen) -> Vec<u32> {
    let address = format!("DBUS_SESSION_BUS_ADDRESS={}\0", screen.bus());
    let of_screen = format!("XDG_RUNTIME_DIR={}\0", screen.path().display());
    let pids = std::fs::read_dir("/proc").unwrap().flatten().filter_map(|e| e.file_name().to_str()?.parse().ok());
    pids.filter(|pid: &u32| {
        let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
        let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        let environment = String::from_utf8_lossy(&environment);
        name.starts_with("xdg-desktop") && (environment.contains(&address) || environment.contains(&of_screen))
    })
    .collect()
}

#[test]
fn whatever_a_broken_dialog_does_the_page_is_asked_in_our_own_window() {
    for script in [
        "exit 99",
        "echo no path at all",
        "echo relative/path",
        "printf '/\\377\\n'",
        "kill -9 $$",
        "echo '(zenity:1): Gtk-WARNING **: cannot open display: :99' >&2; exit 1",
        "head -c 70000000 /dev/zero | tr '\\0' x",
        // It ends its parent, the dialog process.
        "kill -9 $PPID; exec sleep 600",
    ] {
        let world = World::with_zenity(Screen::new(), Some(script));
        let (status, names, own, _) = world.ask(json!({}), |_| {});
        assert_eq!((status, names, own), (200, vec!["/etc/hostname".to_owned()], true), "{script}");
        world.no_dialog_process_stays();
    }
}

#[test]
fn a_hanging_dialog_goes_with_its_call_with_its_browser_and_with_its_agent() {
    let mut world = World::with_zenity(Screen::new(), Some("while :; do sleep 1; done"));
    let shown = |world: &World| until("the dialog runs", || (world.dialog_processes().len() >= 2).then_some(()));

    let mut client = world.client();
    assert_eq!(client.page_within("windows/select-open-file-dialog/", json!({}), 1_500), Err("timed-out".to_owned()));
    world.no_dialog_process_stays();

    client.send_page("windows/select-open-file-dialog/", json!({}));
    shown(&world);
    drop(client);
    world.no_dialog_process_stays();

    let mut client = world.client();
    client.send_page("windows/select-open-file-dialog/", json!({}));
    shown(&world);
    let agent = world.agent.take().unwrap();
    kill(agent.id());
    world.no_dialog_process_stays();
}
