//! The built `godwit-host` at a browser's pipes.

#![allow(clippy::unwrap_used)]

mod common;

use common::{Place, frame, hello, kill, read, until};
use godwit_native_host::host::{CHROMIUM_ID, FIREFOX_ID};
use godwit_protocol::envelope::{Message, Role, codes};
use godwit_protocol::frame::MAX_FRAME;
use godwit_protocol::ui::kinds;
use std::time::{Duration, Instant};

fn codes_of(messages: &[Message]) -> Vec<(u64, String)> {
    let error = |m: &Message| match m {
        Message::Response(r) => r.error.as_ref().map(|e| (r.id, e.code.clone())),
        _ => None,
    };
    messages.iter().filter_map(error).collect()
}

#[test]
fn it_starts_the_agent_on_demand_and_carries_frames_both_ways() {
    let place = Place::new();
    let mut host = place.host();
    host.send(&hello(Role::Extension, "s"));
    assert!(matches!(read(&mut host.stdout), Some(Message::Hello(h)) if h.role == Role::Agent));
    let Message::Response(answer) = host.ask(7, kinds::STATUS) else { panic!("an answer") };
    let agent = u32::try_from(answer.result.unwrap()["pid"].as_u64().unwrap()).unwrap();
    assert_ne!(agent, host.child.id());
    let session = |pid: u32| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        stat.rsplit_once(')').unwrap().1.split_whitespace().nth(3).unwrap().to_owned()
    };
    assert_eq!(session(agent), agent.to_string(), "a session of its own");
    assert_eq!(std::fs::read_link(format!("/proc/{agent}/cwd")).unwrap().to_str(), Some("/"));

    let begin = Instant::now();
    host.stdin.take();
    let (_, code) = host.rest();
    assert_eq!(code, Some(0));
    assert!(begin.elapsed() < Duration::from_secs(1), "Chromium kills after two");
    assert!(place.processes().contains(&agent), "the agent stays");
}

#[test]
fn h09_it_serves_firefox_too_and_nobody_else() {
    let place = Place::new();
    let mut host = place.host_with(&["/home/me/.mozilla/native-messaging-hosts/io.godwit.host.json", FIREFOX_ID]);
    host.send(&hello(Role::Extension, "s"));
    assert!(matches!(read(&mut host.stdout), Some(Message::Hello(_))));
    drop(host);
    let stranger = Place::new();
    let almost = format!("chrome-extension://{CHROMIUM_ID}x/");
    for arguments in [vec![], vec![almost.as_str()], vec!["/m.json", "other@godwit.io"]] {
        let mut host = stranger.host_with(&arguments);
        let (messages, code) = host.rest();
        assert_eq!((messages.len(), code), (0, Some(2)), "{arguments:?}");
    }
    assert!(!stranger.socket().exists(), "no agent for a stranger");
}

#[test]
fn bytes_that_are_no_frames_end_it_with_an_error_that_says_why() {
    let place = Place::new();
    let _agent = place.agent();
    let oversize = u32::try_from(MAX_FRAME + 1).unwrap().to_ne_bytes();
    for (bytes, ends) in [(&oversize[..], false), (&[0, 0, 0, 0], false), (&[9, 0, 0, 0, b'x'], true), (&[9], true)] {
        let mut host = place.host();
        host.send(&hello(Role::Extension, "s"));
        host.write(bytes);
        if ends {
            host.stdin.take();
        }
        let (messages, code) = host.rest();
        assert_eq!(codes_of(&messages), [(0, codes::BAD_REQUEST.to_owned())], "{bytes:?}");
        assert_eq!(code, Some(1));
    }
}

#[test]
fn a_frame_that_never_ends_is_given_up_after_ten_seconds() {
    let place = Place::new();
    let _agent = place.agent();
    let mut host = place.host();
    host.send(&hello(Role::Extension, "s"));
    let begin = Instant::now();
    host.write(&[9, 0, 0, 0, b'x']);
    let (messages, code) = host.rest();
    assert_eq!((codes_of(&messages), code), (vec![(0, codes::TIMED_OUT.to_owned())], Some(1)));
    assert!((Duration::from_secs(9)..Duration::from_secs(14)).contains(&begin.elapsed()));
}

#[test]
fn the_first_frame_must_be_a_hello_of_an_extension() {
    let place = Place::new();
    let _agent = place.agent();
    for first in [hello(Role::Cli, "s"), Message::parse(br#"{"type":"request","id":1,"kind":"ui.status"}"#).unwrap()] {
        let mut host = place.host();
        host.send(&first);
        let (messages, code) = host.rest();
        assert_eq!((codes_of(&messages), code), (vec![(0, codes::BAD_REQUEST.to_owned())], Some(1)));
    }
}

#[test]
fn without_an_agent_every_request_learns_so_and_where_the_log_is() {
    let place = Place::new();
    // Nothing can be made there: the folder for sockets and locks is a file.
    std::fs::write(place.path().join("run"), "in the way").unwrap();
    let mut host = place.host();
    host.send(&hello(Role::Extension, "s"));
    assert!(matches!(read(&mut host.stdout), Some(Message::Hello(h)) if h.role == Role::Host));
    for id in [4, 5] {
        let Message::Response(answer) = host.ask(id, kinds::STATUS) else { panic!("an answer") };
        let error = answer.error.unwrap();
        assert_eq!(error.code, codes::AGENT_UNAVAILABLE);
        assert!(error.retryable && error.message.contains("godwit-agent.log"), "{}", error.message);
    }
    host.stdin.take();
    assert_eq!(host.rest().1, Some(0));
}

#[test]
fn it_ends_when_the_agent_does() {
    let place = Place::new();
    let mut agent = place.agent();
    let mut host = place.host();
    host.send(&hello(Role::Extension, "s"));
    host.ask(1, kinds::TRUST);
    kill(agent.id());
    agent.wait();
    let begin = Instant::now();
    assert_eq!(host.rest().1, Some(0));
    assert!(begin.elapsed() < Duration::from_secs(1));
}

#[test]
fn an_agent_that_dies_while_the_host_connects_is_replaced() {
    let place = Place::new();
    // Makes the private folder as the agent does, then ends it.
    let mut host = place.host();
    host.send(&hello(Role::Extension, "s"));
    assert!(matches!(read(&mut host.stdout), Some(Message::Hello(_))));
    for pid in place.processes() {
        kill(pid);
    }
    drop(host);
    std::fs::remove_file(place.socket()).unwrap();
    // As the kernel shows a process on its way out: it still accepts, and hangs up without a word.
    let dying = std::os::unix::net::UnixListener::bind(place.socket()).unwrap();
    let died = std::thread::spawn(move || drop(dying.accept().unwrap()));

    let mut host = place.host();
    host.send(&hello(Role::Extension, "s"));
    assert!(matches!(read(&mut host.stdout), Some(Message::Hello(h)) if h.role == Role::Agent));
    died.join().unwrap();
}

#[test]
fn a_browser_that_gives_up_while_the_agent_starts_is_noticed() {
    let place = Place::new();
    std::fs::create_dir_all(place.path().join("run")).unwrap();
    // Somebody else is starting the agent, for ever.
    let _held = godwit_native_host::lock::FileLock::try_take(&place.path().join("run/start.lock")).unwrap().unwrap();
    let mut host = place.host();
    host.stdin.take();
    assert_eq!(host.rest().1, Some(0));
}

#[test]
fn it_is_small() {
    let place = Place::new();
    let mut host = place.host();
    host.send(&hello(Role::Extension, "s"));
    host.ask(1, kinds::TRUST);
    host.write(&frame(
        &Message::parse(format!(r#"{{"type":"request","id":2,"kind":"{}"}}"#, "x".repeat(900_000)).as_bytes()).unwrap(),
    ));
    host.ask(3, kinds::TRUST);
    let kib = until("its size", || {
        let status = std::fs::read_to_string(format!("/proc/{}/status", host.child.id())).ok()?;
        status.lines().find_map(|l| l.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok())
    });
    assert!(kib < 16 * 1024, "{kib} KiB");
}
