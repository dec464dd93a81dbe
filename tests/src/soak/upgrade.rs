//! An upgrade by the installer while a transfer runs: the new version's agent takes over, and the transfer completes.

use super::{MIB, Outcome};
use crate::wait::{SOON, until_true};
use crate::{Browserish, Scratch, Server, ServerOptions, binaries, processes, tree, until};
use godwit_protocol::spec::Direction;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// One transfer with one upgrade in it.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Of the transfer.
    pub direction: Direction,
    /// Of its one file, bytes.
    pub size: u64,
    /// Its rate: the upgrade takes some seconds and must fall into its middle.
    pub kbps: u64,
}

const SITE: (&str, &str) = ("https://app.example", "an-unguessable-app-id-4711");
/// Time for a whole transfer beside everything else on a slow machine.
const WHOLE: Duration = Duration::from_secs(1_800);

/// 1 GB each way, at a rate at which that takes most of a minute.
#[must_use]
pub fn long(rounds: u32) -> Vec<Outcome> {
    let mut outcomes = Vec::new();
    for round in 1..=rounds {
        for direction in [Direction::Receive, Direction::Send] {
            let plan = Plan { direction, size: 1_000_000_000, kbps: 200_000 };
            outcomes.push(Outcome::of(&format!("upgrade {direction:?} {round}"), || alone(&plan)));
        }
    }
    outcomes
}

/// Installs one version, transfers, installs the next one meanwhile; panics at what must not be.
pub fn alone(plan: &Plan) -> Value {
    let scratch = Scratch::new();
    let server = Server::start(&scratch, ServerOptions::default());
    install(&scratch, "1.0");
    scratch.use_programs(&current(&scratch).join("bin"));
    let browser = Browserish::open(&scratch);
    let page = browser.page(SITE.0, SITE.1);
    let (source, target) = match plan.direction {
        Direction::Receive => (server.docroot().join("f"), scratch.home().join("Downloads/f")),
        Direction::Send => (scratch.path("f"), server.docroot().join("f")),
    };
    tree::file(&source, plan.size, 7);
    let (word, path) = match plan.direction {
        Direction::Receive => ("receive", "f".to_owned()),
        Direction::Send => ("send", source.display().to_string()),
    };
    if plan.direction == Direction::Send {
        page.pick_files(&[&source]);
    }
    let rate = json!({"paths": [{"source": path}], "rate_policy": "fixed", "target_rate_kbps": plan.kbps});
    let uuid = page.start(&server.spec(word, server.data.port(), rate));
    page.wait_written(&uuid, plan.size / 4, WHOLE);
    let old = browser.status().pid;
    let begin = std::time::Instant::now();
    install(&scratch, "2.0");
    let seconds = begin.elapsed().as_secs_f64();
    // Who comes next makes the agent look; it may be cut off with the old one.
    let _newcomer = Browserish::begin(&scratch, "after-the-upgrade");
    until_true("the new version's agent runs", SOON, || version_of(&scratch.agents()).as_deref() == Some("2.0"));
    let browser = until("the new agent answers", SOON, || {
        let browser = Browserish::begin(&scratch, "the-page-again");
        std::thread::sleep(Duration::from_millis(200));
        browser.hello().map(|_| browser)
    });
    let written = browser.status().transfers.iter().find(|t| t.uuid == uuid).map_or(0, |t| t.bytes_written);
    assert!(written < plan.size, "the upgrade came after the end: {written} bytes were there");
    browser.page(SITE.0, SITE.1).wait_status(&uuid, "completed", WHOLE);
    tree::assert_same_file(&source, &target);
    let taken_over = browser.status().transfers.iter().find(|t| t.uuid == uuid).map_or(0, |t| t.attempts);
    json!({"mib": plan.size / MIB, "install_seconds": seconds, "attempts": taken_over, "agent_before": old})
}

fn current(scratch: &Scratch) -> PathBuf {
    scratch.user_home().join(".local/share/godwit/current")
}

/// By the real installer, of a release that is made of the programs under test.
fn install(scratch: &Scratch, version: &str) {
    let release = scratch.folder(&format!("release-{version}"));
    std::fs::create_dir_all(release.join("bin")).unwrap();
    for program in ["godwit", "godwit-host", "godwit-agent", "godwit-worker"] {
        let (built, to) = (binaries::path(program), release.join("bin").join(program));
        if std::fs::hard_link(&built, &to).is_err() {
            std::fs::copy(&built, &to).unwrap();
        }
    }
    std::fs::write(release.join("VERSION"), format!("{version}\n")).unwrap();
    let mut setup = scratch.command("godwit-setup");
    setup.args(["install", "--from"]).arg(&release).env("GODWIT_SETUP_AS_ROOT", "1");
    let output = processes::output(&mut setup, WHOLE);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// The version that the one agent is from.
fn version_of(agents: &[u32]) -> Option<String> {
    let [agent] = agents else { return None };
    let program = std::fs::read_link(format!("/proc/{agent}/exe")).ok()?;
    let release = program.parent().and_then(Path::parent)?.file_name()?.to_str()?;
    Some(release.split_once('-')?.0.to_owned())
}
