//! Running a contestant: with a time limit, and with the processor time and memory of everybody it keeps busy.

use godwit_tests::processes::{self, Signal};
use rustix::process::{Pid, kill_process_group};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::signal::unix::{SignalKind, signal};

/// The kernel's unit of processor time in `/proc`, on every architecture we know (`getconf CLK_TCK`).
const TICKS_PER_SECOND: f64 = 100.0;
/// Between two looks at a running contestant. Its time is known better: the wait for its end is a blocking one.
const LOOK: Duration = Duration::from_millis(5);

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// From now on SIGINT and SIGTERM end a run by a panic, which takes servers, line and namespaces along.
pub(crate) fn heed_signals() {
    std::thread::spawn(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
        runtime.block_on(async {
            let (mut interrupt, mut terminate) =
                (signal(SignalKind::interrupt()).unwrap(), signal(SignalKind::terminate()).unwrap());
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        });
        INTERRUPTED.store(true, Ordering::Relaxed);
    });
}

/// Waits that long.
pub(crate) fn pause(duration: Duration) {
    let begin = Instant::now();
    while begin.elapsed() < duration {
        assert!(!INTERRUPTED.load(Ordering::Relaxed), "interrupted");
        std::thread::sleep(duration.saturating_sub(begin.elapsed()).min(Duration::from_millis(100)));
    }
}

/// How a run ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Run {
    /// Until it ended, or was ended.
    pub(crate) seconds: f64,
    /// It reached the limit and was killed.
    pub(crate) cut: bool,
    /// It said that it succeeded.
    pub(crate) success: bool,
    /// Processor seconds of it, its children and the servers named.
    pub(crate) cpu: f64,
    /// The highest resident memory of its own process in bytes, as far as it was seen.
    pub(crate) memory: u64,
}

/// Runs commands one after the other, all in the time limit; `servers` are processes whose work counts too.
pub(crate) fn run(commands: Vec<Command>, servers: &[u32], limit: Duration) -> Run {
    let before = spent(servers);
    let begin = Instant::now();
    let (mut cut, mut success, mut memory) = (false, true, 0);
    for mut command in commands {
        let shown = format!("{command:?}");
        // A group of its own: whom it starts is ended with it.
        let spawned = command.process_group(0).stdin(Stdio::null()).stdout(Stdio::null()).spawn();
        let mut child = spawned.unwrap_or_else(|e| panic!("{shown}: {e}"));
        let pid = child.id();
        loop {
            match child.try_wait() {
                Ok(Some(status)) => {
                    success &= status.success();
                    if !status.success() {
                        eprintln!("    {shown} ended with {status}");
                    }
                    break;
                }
                Ok(None) if begin.elapsed() < limit => {}
                _ => {
                    end_group(&mut child);
                    cut = true;
                    break;
                }
            }
            memory = memory.max(highest_resident(pid));
            if INTERRUPTED.load(Ordering::Relaxed) {
                end_group(&mut child);
                panic!("interrupted; what was measured is kept: --continue goes on from there");
            }
            std::thread::sleep(LOOK);
        }
        if cut || !success {
            break;
        }
    }
    let seconds = begin.elapsed().as_secs_f64();
    Run { seconds, cut, success, cpu: spent(servers) - before, memory }
}

/// Ends a process and all it started: first asked, then forced.
pub(crate) fn end_group(child: &mut Child) {
    let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    for signal in [Signal::TERM, Signal::KILL] {
        if let Some(group) = group {
            let _ = kill_process_group(group, signal);
        }
        let deadline = Instant::now() + Duration::from_secs(2);
        while Instant::now() < deadline {
            if matches!(child.try_wait(), Ok(Some(_))) {
                return;
            }
            std::thread::sleep(LOOK);
        }
    }
    let _ = child.wait();
}

/// Processor seconds of our ended children, and of processes with all below them.
fn spent(servers: &[u32]) -> f64 {
    let own = times(std::process::id()).map_or(0, |t| t.ended_children);
    let family = servers.iter().flat_map(|pid| family(*pid)).filter_map(times).map(|t| t.own + t.ended_children);
    (own + family.sum::<u64>()) as f64 / TICKS_PER_SECOND
}

/// A process and its living descendants.
fn family(pid: u32) -> Vec<u32> {
    let everyone: Vec<(u32, Option<u32>)> =
        processes::all().into_iter().map(|pid| (pid, processes::parent(pid))).collect();
    let mut found = vec![pid];
    let mut at = 0;
    while let Some(parent) = found.get(at).copied() {
        found.extend(everyone.iter().filter(|(_, p)| *p == Some(parent)).map(|(pid, _)| *pid));
        at += 1;
    }
    found
}

struct Times {
    own: u64,
    ended_children: u64,
}

fn times(pid: u32) -> Option<Times> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name stands in parentheses and may hold anything; what follows it are numbers (proc(5), fields 3 and on).
    let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
    let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
    Some(Times { own: field(14)? + field(15)?, ended_children: field(16)? + field(17)? })
}

/// The highest resident memory of a process since its start, or since [`forget_highest`]; 0 if it is gone.
pub(crate) fn highest_resident(pid: u32) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let field = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    field.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or(0) * 1024
}

/// Starts the count of [`highest_resident`] again at what the process has now.
pub(crate) fn forget_highest(pid: u32) {
    let _ = std::fs::write(format!("/proc/{pid}/clear_refs"), "5");
}
