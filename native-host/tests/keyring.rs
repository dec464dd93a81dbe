//! The agent with a real GNOME Keyring on a session bus of its own: kept there, away, locked, silent, back again.

#![allow(clippy::unwrap_used)]

mod common;

use common::{Agent, Client, Place, terminate, until};
use godwit_protocol::prefs;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const PASSWORD: &str = "hunter2-the-password";

/// A session bus that starts nothing by itself but the desktop's window for passwords, and a key ring on it or none.
struct Session {
    folder: PathBuf,
    bus: Option<Child>,
    ring: Option<Child>,
}

impl Session {
    fn new(place: &Place) -> Self {
        Self::on(place, None)
    }

    /// With a screen, on which a locked key ring asks for its password.
    fn on(place: &Place, screen: Option<&Screen>) -> Self {
        needed(&["/usr/bin/dbus-daemon", "/usr/bin/dbus-send", "/usr/bin/gnome-keyring-daemon"]);
        let folder = place.path().join("session");
        std::fs::create_dir_all(folder.join("services")).unwrap();
        rustix::fs::chmod(&folder, rustix::fs::Mode::RWXU).unwrap();
        let config = format!(
            "<busconfig><type>session</type><listen>unix:path={0}/bus</listen><servicedir>{0}/services</servicedir><policy \
             context=\"default\"><allow send_destination=\"*\" eavesdrop=\"true\"/><allow eavesdrop=\"true\"/><allow own=\"*\"/>\
             </policy></busconfig>",
            folder.display()
        );
        std::fs::write(folder.join("bus.conf"), config).unwrap();
        if screen.is_some() {
            let service = format!("[D-BUS Service]\nName=org.gnome.keyring.SystemPrompter\nExec={PROMPTER}\n");
            std::fs::write(folder.join("services/prompter.service"), service).unwrap();
        }
        let mut session = Self { folder, bus: None, ring: None };
        let mut bus = session.command("/usr/bin/dbus-daemon");
        if let Some(screen) = screen {
            bus.env("DISPLAY", &screen.name);
        }
        bus.arg(format!("--config-file={}/bus.conf", session.folder.display())).arg("--nofork");
        session.bus = Some(bus.spawn().unwrap());
        until("the bus listens", || UnixStream::connect(session.folder.join("bus")).ok());
        session
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        self.enter(&mut command);
        command
    }

    /// Makes a command part of the session.
    fn enter(&self, command: &mut Command) {
        command.env("DBUS_SESSION_BUS_ADDRESS", format!("unix:path={}/bus", self.folder.display()));
        command.env("HOME", &self.folder).env("XDG_RUNTIME_DIR", &self.folder).env("XDG_DATA_HOME", &self.folder);
    }

    fn ring_is_there(&self) -> bool {
        let mut command = self.command("/usr/bin/dbus-send");
        command.args(["--session", "--print-reply", "--dest=org.freedesktop.DBus", "/org/freedesktop/DBus"]);
        command.args(["org.freedesktop.DBus.NameHasOwner", "string:org.freedesktop.secrets"]).stdout(Stdio::piped());
        String::from_utf8_lossy(&command.output().unwrap().stdout).contains("boolean true")
    }

    /// The key ring, unlocked or locked; the same one each time.
    fn ring(&mut self, unlocked: bool) {
        self.no_ring();
        let mut command = self.command("/usr/bin/gnome-keyring-daemon");
        command.args(["--foreground", "--components=secrets", if unlocked { "--unlock" } else { "--start" }]);
        let mut ring = command.stdin(Stdio::piped()).spawn().unwrap();
        ring.stdin.take().unwrap().write_all(b"secret").unwrap();
        self.ring = Some(ring);
        until("the key ring is there", || self.ring_is_there().then_some(()));
    }

    fn no_ring(&mut self) {
        if let Some(mut ring) = self.ring.take() {
            ring.kill().unwrap();
            ring.wait().unwrap();
            until("the key ring is gone", || (!self.ring_is_there()).then_some(()));
        }
    }

    /// The key ring hears nothing and says nothing, or does again.
    fn silence(&self, signal: Signal) {
        let pid = i32::try_from(self.ring.as_ref().unwrap().id()).unwrap();
        kill_process(Pid::from_raw(pid).unwrap(), signal).unwrap();
    }

    /// An agent that is patient with the key ring: the machine may be busy.
    fn agent(&self, place: &Place) -> Agent {
        self.agent_with_patience(place, "60")
    }

    fn agent_with_patience(&self, place: &Place, seconds: &str) -> Agent {
        place.agent_in(|command| {
            command.args(["--key-ring-seconds", seconds]);
            self.enter(command);
        })
    }
}

/// The program that shows the desktop's window for passwords.
const PROMPTER: &str = "/usr/libexec/gcr-prompter";

fn needed(programs: &[&str]) {
    for program in programs {
        assert!(Path::new(program).exists(), "{program} is missing: cargo xtask setup installs it");
    }
}

/// A screen that nobody sees, with a keyboard.
struct Screen {
    name: String,
    server: Child,
}

impl Screen {
    fn new() -> Self {
        needed(&["/usr/bin/Xvfb", "/usr/bin/xdotool", PROMPTER]);
        let mut command = Command::new("/usr/bin/Xvfb");
        command.args(["-displayfd", "1", "-nolisten", "tcp", "-noreset", "-screen", "0", "800x600x24"]);
        let mut server = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut number = String::new();
        BufReader::new(server.stdout.as_mut().unwrap()).read_line(&mut number).unwrap();
        Self { name: format!(":{}", number.trim()), server }
    }

    fn keys(&self, arguments: &[&str]) -> bool {
        let mut command = Command::new("/usr/bin/xdotool");
        command.args(arguments).env("DISPLAY", &self.name).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().unwrap().success()
    }

    /// Presses keys in the window that asks, again and again until it has gone: the first may come before it listens.
    fn answer(&self, over: &AtomicBool, press: &[&[&str]]) {
        let began = Instant::now();
        while !over.load(Ordering::SeqCst) && began.elapsed() < common::PATIENCE {
            if self.keys(&[
                "search",
                "--onlyvisible",
                "--class",
                "gcr-prompter",
                "mousemove",
                "--window",
                "%1",
                "60",
                "60",
            ]) {
                for keys in press {
                    self.keys(keys);
                }
            }
            // It looks at what was typed, or comes to be shown.
            std::thread::sleep(Duration::from_millis(500));
        }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        drop(self.server.kill());
        drop(self.server.wait());
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        for child in [&mut self.ring, &mut self.bus].into_iter().flatten() {
            drop(child.kill());
            drop(child.wait());
        }
    }
}

/// A place whose agent wants the key ring.
fn place() -> Place {
    let place = Place::new();
    std::fs::write(
        place.path().join("settings.toml"),
        "[security]\nkey_store = \"desktop\"\n[retry]\nattempts = 1\ninterval_seconds = 1\n",
    )
    .unwrap();
    place
}

fn key_file(place: &Place) -> PathBuf {
    place.path().join("state/keys/secrets.key")
}

fn notices(client: &mut Client) -> String {
    client.status().notices.join(" ")
}

fn kept_by(client: &mut Client) -> Value {
    client.ui(prefs::kinds::PASSWORDS, json!({}))["key"].clone()
}

fn end(mut agent: Agent) {
    terminate(agent.id());
    agent.wait();
}

/// Passwords that workers got so far.
fn given(place: &Place) -> usize {
    place.lines("starts").iter().filter(|line| line.contains(PASSWORD)).count()
}

#[test]
fn the_key_lives_in_the_key_ring_and_what_it_seals_survives_a_restart() {
    let place = place();
    let mut session = Session::new(&place);
    session.ring(true);
    let agent = session.agent(&place);
    let mut client = Client::open(&place, "s");
    assert_eq!(kept_by(&mut client), json!("desktop"), "{}", notices(&mut client));
    let uuid = client.start("go on");
    client.wait(&uuid, "running");
    end(agent);
    assert!(!key_file(&place).exists(), "no key lies on the disk");

    // Another life of the key ring too: it keeps what it was given.
    session.ring(true);
    let agent = session.agent(&place);
    let mut client = Client::open(&place, "s");
    client.wait(&uuid, "running");
    assert_eq!(given(&place), 2);
    end(agent);
}

#[test]
fn without_the_key_ring_nothing_is_lost_and_everything_opens_when_it_is_back() {
    let place = place();
    let mut session = Session::new(&place);
    session.ring(true);
    let agent = session.agent(&place);
    let mut client = Client::open(&place, "s");
    let first = client.start("go on");
    client.wait(&first, "running");
    end(agent);

    session.no_ring();
    let agent = session.agent(&place);
    let mut client = Client::open(&place, "s");
    let info = client.wait(&first, "failed");
    assert!(info["error_desc"].as_str().unwrap().contains("password"), "{info}");
    let told = notices(&mut client);
    assert!(told.contains("key file") && told.contains("key ring"), "{told}");
    // Sealed meanwhile, with a key of the file's own.
    let second = client.start("go on");
    client.wait(&second, "running");
    assert_eq!(kept_by(&mut client), json!("file"));
    end(agent);

    session.ring(true);
    let agent = session.agent(&place);
    let mut client = Client::open(&place, "s");
    assert_eq!(kept_by(&mut client), json!("desktop"));
    assert!(!key_file(&place).exists(), "its key is in the ring now");
    client.wait(&second, "running");
    let (status, body) = client.page(&format!("transfers/resume/{first}"), json!({}));
    assert_eq!(status, 200, "{body}");
    client.wait(&first, "running");
    assert_eq!(given(&place), 4, "each attempt had its password");
    end(agent);
}

#[test]
fn a_locked_key_ring_is_not_waited_for_and_taken_into_use_once_it_is_open() {
    let place = place();
    let mut session = Session::new(&place);
    session.ring(true);
    end(session.agent(&place));
    session.ring(false);
    let agent = session.agent(&place);
    until("the agent helps itself meanwhile", || key_file(&place).exists().then_some(()));
    session.ring(true);
    // The first browser that comes makes it look again.
    let mut client = Client::open(&place, "s");
    until("the key ring is in use", || (kept_by(&mut client) == json!("desktop")).then_some(()));
    assert!(!key_file(&place).exists());
    end(agent);
}

#[test]
fn a_key_ring_that_never_answers_costs_seconds_and_is_told() {
    let place = place();
    let mut session = Session::new(&place);
    session.ring(true);
    session.silence(Signal::STOP);
    let began = Instant::now();
    let agent = session.agent_with_patience(&place, "3");
    let mut client = Client::open(&place, "s");
    let told = notices(&mut client);
    assert!(began.elapsed() < Duration::from_secs(45), "{:?}", began.elapsed());
    assert!(told.contains("does not answer"), "{told}");
    let uuid = client.start("complete");
    client.wait(&uuid, "completed");
    session.silence(Signal::CONT);
    end(agent);
}

#[test]
fn a_bus_without_a_key_ring_and_no_bus_at_all_are_told_at_once() {
    let place = place();
    let mut session = Session::new(&place);
    let agent = session.agent(&place);
    let mut client = Client::open(&place, "s");
    assert!(notices(&mut client).contains("because the desktop's key ring"), "{}", notices(&mut client));
    end(agent);
    let mut bus = session.bus.take().unwrap();
    bus.kill().unwrap();
    bus.wait().unwrap();
    let agent = session.agent(&place);
    let mut client = Client::open(&place, "s");
    assert!(notices(&mut client).contains("because the desktop's key ring"), "{}", notices(&mut client));
    end(agent);
}

#[test]
fn who_wants_to_can_unlock_the_key_ring_from_our_window_and_who_does_not_is_told() {
    let place = place();
    let screen = Screen::new();
    let mut session = Session::on(&place, Some(&screen));
    session.ring(true);
    let agent = session.agent(&place);
    let mut client = Client::open(&place, "s");
    let uuid = client.start("go on");
    client.wait(&uuid, "running");
    end(agent);

    session.ring(false);
    let agent = session.agent(&place);
    let mut client = Client::open(&place, "s");
    client.wait(&uuid, "failed");
    let shown = client.ui(prefs::kinds::PASSWORDS, json!({}));
    assert!(shown["key"] == json!("file") && shown["away"].as_str().unwrap().contains("locked"), "{shown}");

    let mut unlock = |press: &[&[&str]]| {
        let over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| screen.answer(&over, press));
            let answer = client.request(prefs::kinds::UNLOCK_KEYS, None, json!({}));
            over.store(true, Ordering::SeqCst);
            answer
        })
    };
    let refused = unlock(&[&["key", "Escape"]]).unwrap_err();
    assert!(refused.contains("internal"), "{refused}");
    let unlocked = unlock(&[&["key", "ctrl+a"], &["type", "--delay", "20", "secret"], &["key", "Return"]]).unwrap();
    assert_eq!((&unlocked["key"], &unlocked["away"]), (&json!("desktop"), &Value::Null));
    assert!(!key_file(&place).exists(), "the file's key has moved into the ring");
    let (status, body) = client.page(&format!("transfers/resume/{uuid}"), json!({}));
    assert_eq!(status, 200, "{body}");
    client.wait(&uuid, "running");
    assert_eq!(given(&place), 2, "what the ring's key sealed can be opened");
    end(agent);
}
