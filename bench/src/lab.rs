//! Two ends and what lies between them: a wide-area line between two network namespaces, or nothing but loopback.
//!
//! The client's programs run `here`, the servers `there`; a part says what runs and the lab says where. A line is set up anew
//! for every measurement: same seed, same losses, a clock that starts at zero.

use godwit_bench::wan::{ADDRESS_A, ADDRESS_B, DEVICE};
use godwit_tests::processes::{self, Signal};
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// A line's measures.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Line {
    /// Mbit/s.
    pub(crate) rate: u32,
    /// Milliseconds, one way.
    pub(crate) delay: u32,
    /// Per cent.
    pub(crate) loss: f64,
    /// Milliseconds at the first rate.
    pub(crate) queue: u32,
    /// Later rates: seconds, Mbit/s.
    pub(crate) steps: &'static [(u32, u32)],
    /// From a second on, for some seconds.
    pub(crate) black: Option<(u32, u32)>,
}

/// Where the two ends are.
#[derive(Debug)]
pub(crate) enum Lab {
    /// This machine as it is.
    Loopback,
    /// Two namespaces of our own.
    Wan {
        /// The client's.
        a: String,
        /// The servers'.
        b: String,
    },
}

impl Lab {
    /// Two namespaces, with buffers that let TCP fill any of our lines.
    pub(crate) fn wan() -> Self {
        let (a, b) = (format!("gwb{}a", std::process::id()), format!("gwb{}b", std::process::id()));
        for name in [&a, &b] {
            ip(&["netns", "add", name]);
            ip(&["-n", name, "link", "set", "lo", "up"]);
        }
        let lab = Self::Wan { a, b };
        // 256 MB: above bandwidth × delay of every line here, doubled twice. Nothing is remembered from one run to the next.
        let settings = "cd /proc/sys/net/ipv4 && echo '4096 262144 268435456' > tcp_rmem && \
                        echo '4096 262144 268435456' > tcp_wmem && echo 1 > tcp_no_metrics_save";
        for mut command in [lab.here("sh"), lab.there("sh")] {
            let status = command.args(["-c", settings]).status();
            assert!(status.is_ok_and(|s| s.success()), "the namespaces' TCP buffers cannot be set");
        }
        lab
    }

    /// The servers' address.
    pub(crate) fn address(&self) -> &'static str {
        match self {
            Self::Loopback => "127.0.0.1",
            Self::Wan { .. } => ADDRESS_B,
        }
    }

    /// Where servers listen: everywhere in a namespace, whose address comes and goes with the line.
    pub(crate) fn listen(&self) -> &'static str {
        match self {
            Self::Loopback => "127.0.0.1",
            Self::Wan { .. } => "0.0.0.0",
        }
    }

    /// A program at the client's end.
    pub(crate) fn here(&self, program: impl AsRef<Path>) -> Command {
        match self {
            Self::Loopback => Command::new(program.as_ref()),
            Self::Wan { a, .. } => inside(a, program.as_ref()),
        }
    }

    /// A program at the servers' end.
    pub(crate) fn there(&self, program: impl AsRef<Path>) -> Command {
        match self {
            Self::Loopback => Command::new(program.as_ref()),
            Self::Wan { b, .. } => inside(b, program.as_ref()),
        }
    }

    /// Connects the namespaces; TCP of both ends uses `congestion`.
    pub(crate) fn connect(&self, line: &Line, congestion: &str, folder: &Path) -> Link {
        let Self::Wan { a, b } = self else { panic!("loopback needs no line") };
        let stats = folder.join("line.json");
        let _ = std::fs::remove_file(&stats);
        let program = std::env::current_exe().unwrap().with_file_name("godwit-wan");
        // Ahead of everybody, as a line is: at the same priority it would be late whenever both processors are busy.
        let mut command = Command::new("chrt");
        command.args(["--fifo", "20"]).arg(&program).args([
            a,
            b,
            "--rate",
            &format!("{}m", line.rate),
            "--delay",
            &line.delay.to_string(),
        ]);
        command.args(["--loss", &line.loss.to_string(), "--queue", &line.queue.to_string()]);
        for (at, rate) in line.steps {
            command.arg("--step").arg(format!("{at}:{rate}m"));
        }
        if let Some((at, duration)) = line.black {
            command.arg("--black").arg(format!("{at}:{duration}"));
        }
        let spawned = command.arg("--stats").arg(&stats).stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
        let mut child = spawned.unwrap_or_else(|e| panic!("{}: {e}", program.display()));
        let mut ready = String::new();
        let _ = BufReader::new(child.stdout.take().unwrap()).read_line(&mut ready);
        assert_eq!(ready.trim(), "ready", "the line does not come up: are you root?");
        for (namespace, own) in [(a, ADDRESS_A), (b, ADDRESS_B)] {
            let route = ["route", "replace", "10.77.0.0/24", "dev", DEVICE, "src", own, "congctl", congestion];
            ip(&[&["-n", namespace], &route[..]].concat());
        }
        Link { child, stats }
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        if let Self::Wan { a, b } = self {
            for name in [a, b] {
                let _ = Command::new("ip").args(["netns", "del", name]).status();
            }
        }
    }
}

/// A line that is up. Dropping it takes it down.
#[derive(Debug)]
pub(crate) struct Link {
    child: Child,
    stats: PathBuf,
}

impl Link {
    /// Takes the line down; what it did.
    pub(crate) fn end(mut self) -> Value {
        processes::signal(self.child.id(), Signal::TERM);
        let _ = self.child.wait();
        let text = std::fs::read_to_string(&self.stats).expect("the line reports");
        serde_json::from_str(&text).expect("the line reports JSON")
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn inside(namespace: &str, program: &Path) -> Command {
    let mut command = Command::new("ip");
    command.args(["netns", "exec", namespace]).arg(program);
    command
}

fn ip(arguments: &[&str]) {
    let status = Command::new("ip").args(arguments).status();
    assert!(status.is_ok_and(|s| s.success()), "ip {} failed: are you root?", arguments.join(" "));
}
