//! Two hosts on one machine: network namespaces with a cable between them, which can be pulled and whose ends can get
//! other addresses. Needs root.

use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

/// Address of the server's host.
pub const SERVER: &str = "10.78.0.1";
/// First address of the client's host.
pub const CLIENT: &str = "10.78.0.2";

/// The pair; removed when dropped.
#[derive(Debug)]
pub struct Pair {
    /// Namespace of the server.
    pub server: String,
    /// Namespace of the client.
    pub client: String,
}

impl Pair {
    /// Makes it. `None`, with a line that says so, where this user may not.
    #[must_use]
    pub fn new() -> Option<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = format!("{}{}", std::process::id(), COUNT.fetch_add(1, Ordering::SeqCst));
        let pair = Self { server: format!("gws{number}"), client: format!("gwc{number}") };
        if !ip(&format!("netns add {}", pair.server)) {
            eprintln!("SKIPPED: no right to make network namespaces");
            return None;
        }
        let (s, c) = (&pair.server, &pair.client);
        for words in [
            format!("netns add {c}"),
            format!("-n {s} link add cable type veth peer name cable netns {c}"),
            format!("-n {s} addr add {SERVER}/24 dev cable"),
            format!("-n {c} addr add {CLIENT}/24 dev cable"),
            format!("-n {s} link set lo up"),
            format!("-n {c} link set lo up"),
            format!("-n {s} link set cable up"),
            format!("-n {c} link set cable up"),
        ] {
            assert!(ip(&words), "ip {words}");
        }
        Some(pair)
    }

    /// Pulls the client's end of the cable, or puts it back.
    pub fn cable(&self, plugged: bool) {
        let state = if plugged { "up" } else { "down" };
        assert!(ip(&format!("-n {} link set cable {state}", self.client)));
    }

    /// The client's host gets another address instead of the one it has.
    pub fn move_client(&self, from: &str, to: &str) {
        // In this order: some kernels take the later addresses of a network away together with the first one.
        assert!(ip(&format!("-n {} addr del {from}/24 dev cable", self.client)));
        assert!(ip(&format!("-n {} addr add {to}/24 dev cable", self.client)));
    }

    /// Bytes that the client's end has sent so far, headers included.
    #[must_use]
    pub fn sent(&self) -> u64 {
        let output = Command::new("ip")
            .args(["netns", "exec", &self.client, "cat", "/sys/class/net/cable/statistics/tx_bytes"])
            .output()
            .expect("ip is there");
        String::from_utf8_lossy(&output.stdout).trim().parse().unwrap_or(0)
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        ip(&format!("netns del {}", self.server));
        ip(&format!("netns del {}", self.client));
    }
}

/// A program on the host of a namespace. `ip` becomes the program, so the process is the same.
#[must_use]
pub fn inside(namespace: &str, program: &Path) -> Command {
    let mut command = Command::new("ip");
    command.args(["netns", "exec", namespace]).arg(program);
    command
}

fn ip(words: &str) -> bool {
    Command::new("ip").args(words.split(' ')).output().is_ok_and(|output| output.status.success())
}
