//! Real programs in network namespaces with a router between them that lets only some things through: what `godwit cp`
//! says about it, and how soon.

#![allow(clippy::unwrap_used)]

use godwit_tests::Scratch;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

const SERVER: &str = "10.91.2.2";
/// From the start of the program to its end.
const SOON: Duration = Duration::from_millis(3_000);

/// A client, a router and a server, each in a namespace of its own; gone when dropped.
struct Net {
    names: [String; 3],
}

fn ip(arguments: &[&str]) -> Output {
    Command::new("ip").args(arguments).output().unwrap()
}

impl Net {
    /// `None`, with a line that says so, if this user may not make namespaces; root must be able to.
    fn new() -> Option<Self> {
        let names = ["c", "r", "s"].map(|name| format!("gwb{}{name}", std::process::id()));
        let net = Self { names };
        let made = ip(&["netns", "add", &net.names[0]]);
        if !made.status.success() {
            let root = std::os::unix::fs::MetadataExt::uid(&std::fs::metadata("/proc/self").unwrap()) == 0;
            assert!(!root, "{}", String::from_utf8_lossy(&made.stderr));
            eprintln!("SKIPPED: no right to make network namespaces");
            return None;
        }
        let [c, r, s] = &net.names;
        for name in [r, s] {
            assert!(ip(&["netns", "add", name]).status.success());
        }
        // The server's plain HTTP port stays on its own machine.
        net.ip(s, &["link", "set", "lo", "up"]);
        for (number, (end, at)) in [(c, "1"), (s, "2")].into_iter().enumerate() {
            let (a, b) = (format!("gwbe{number}"), format!("gwbr{number}"));
            let add = ["link", "add", &a, "netns", end, "type", "veth", "peer", "name", &b, "netns", r];
            assert!(ip(&add).status.success());
            let (near, gate) = (format!("10.91.{at}.2/24"), format!("10.91.{at}.1"));
            net.ip(end, &["addr", "add", &near, "dev", &a]);
            net.ip(r, &["addr", "add", &format!("{gate}/24"), "dev", &b]);
            net.ip(end, &["link", "set", &a, "up"]);
            net.ip(r, &["link", "set", &b, "up"]);
            net.ip(end, &["route", "add", "default", "via", &gate]);
        }
        let forward = net.inside(r, "sysctl").args(["-qw", "net.ipv4.ip_forward=1"]).status();
        assert!(forward.unwrap().success());
        Some(net)
    }

    fn ip(&self, name: &str, arguments: &[&str]) {
        let output = Command::new("ip").args(["-n", name]).args(arguments).output().unwrap();
        assert!(output.status.success(), "ip {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    }

    fn inside(&self, name: &str, program: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", name, program]);
        command
    }

    /// What the router does with packets that match, until [`Net::open`].
    fn rule(&self, what: &[&str]) {
        self.ip(&self.names[1], &[&["rule", "add", "pref", "10"], what].concat());
    }

    fn open(&self) {
        self.ip(&self.names[1], &["rule", "del", "pref", "10"]);
    }
}

impl Drop for Net {
    fn drop(&mut self) {
        for name in &self.names {
            let _ = ip(&["netns", "del", name]);
        }
    }
}

struct Served(Child, String);

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn serve(net: &Net, scratch: &Scratch) -> Served {
    let program = godwit_tests::binaries::path("godwit-server");
    let mut child = net
        .inside(&net.names[2], program.to_str().unwrap())
        .args(["--user", "ann:right", "--data-port", "33001", "--api-port", "0", "--http-port", "0", "--docroot"])
        .arg(scratch.folder("docroot"))
        .arg("--state")
        .arg(scratch.folder("state"))
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let fingerprint = line.split_whitespace().find_map(|word| word.strip_prefix("fingerprint=")).unwrap().to_owned();
    Served(child, fingerprint)
}

fn copy(net: &Net, scratch: &Scratch, server: &Served) -> (i32, String, Duration) {
    let source = scratch.folder("here").join("file");
    std::fs::write(&source, "content").unwrap();
    let begin = Instant::now();
    let output = net
        .inside(&net.names[0], godwit_tests::binaries::path("godwit").to_str().unwrap())
        .env("GODWIT_PASSWORD", "right")
        .env("GODWIT_HOME", scratch.folder("home"))
        .args(["cp", "--fingerprint", &server.1])
        .arg(&source)
        .arg(format!("ann@{SERVER}:/"))
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    (output.status.code().unwrap_or(-1), error, begin.elapsed())
}

#[test]
fn a_firewall_is_told_by_what_it_lets_through() {
    let Some(net) = Net::new() else { return };
    let scratch = Scratch::new();
    let server = serve(&net, &scratch);
    let check = |rule: &[&str], number: i32, words: &str, limit: Duration| {
        net.rule(rule);
        let (code, error, time) = copy(&net, &scratch, &server);
        net.open();
        assert_eq!(code, number, "{rule:?}: {error}");
        assert!(error.contains(words), "{rule:?}: {error}");
        assert!(time <= limit, "{rule:?}: {time:?}");
    };
    let (code, error, _) = copy(&net, &scratch, &server);
    assert_eq!((code, error.as_str()), (0, ""), "nothing is in the way");
    check(&["ipproto", "udp", "blackhole"], 15, "UDP port 33001 must be open", SOON);
    check(&["ipproto", "udp", "prohibit"], 14, "UDP port 33001 must be open", SOON);
    // Linux tells a program of this only if it asks for soft errors; the advice is the same.
    check(&["ipproto", "udp", "unreachable"], 15, "UDP port 33001 must be open", SOON);
    check(&["to", SERVER, "blackhole"], 13, "neither over TCP", Duration::from_secs(12));
    check(&["to", SERVER, "unreachable"], 12, "cannot be reached", SOON);
    // A firewall that lets UDP through and not TCP harms nobody.
    net.rule(&["ipproto", "tcp", "blackhole"]);
    let (code, error, _) = copy(&net, &scratch, &server);
    net.open();
    assert_eq!((code, error.as_str()), (0, ""));
    let (code, error, time) = {
        let mut server = server;
        server.0.kill().unwrap();
        server.0.wait().unwrap();
        copy(&net, &scratch, &server)
    };
    assert_eq!(code, 12, "{error}");
    assert!(error.contains("Nobody listens") && time <= SOON, "{error} {time:?}");
}
