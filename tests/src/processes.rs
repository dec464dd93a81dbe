//! Processes as the kernel shows them in `/proc`: finding, killing and watching them by id.

use crate::wait::{SOON, until_true};
use rustix::process::{Pid, kill_process};
use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

pub use rustix::process::Signal;

/// Ids of all processes.
#[must_use]
pub fn all() -> Vec<u32> {
    let Ok(folder) = std::fs::read_dir("/proc") else { return Vec::new() };
    folder.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect()
}

/// The name of the program a process runs, without its folder; empty if it is gone.
#[must_use]
pub fn program(pid: u32) -> String {
    let bytes = command_line(pid);
    let first = bytes.split(|b| *b == 0).next().unwrap_or_default();
    let first = String::from_utf8_lossy(first).into_owned();
    first.rsplit('/').next().unwrap_or_default().to_owned()
}

/// Arguments, separated by NUL; empty if the process is gone.
#[must_use]
pub fn command_line(pid: u32) -> Vec<u8> {
    std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default()
}

/// The environment it was started with, separated by NUL; empty if it is gone.
#[must_use]
pub fn environment(pid: u32) -> Vec<u8> {
    std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default()
}

/// Resident memory, bytes.
#[must_use]
pub fn resident(pid: u32) -> u64 {
    status_field(pid, "VmRSS:").and_then(|v| v.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or_default()
        * 1024
}

/// The most memory that was ever resident, or since [`forget_peak`], bytes.
#[must_use]
pub fn peak(pid: u32) -> u64 {
    status_field(pid, "VmHWM:").and_then(|v| v.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or_default()
        * 1024
}

/// Seconds of processor time that a process has taken itself, without children; 0 if it is gone.
#[must_use]
pub fn cpu_seconds(pid: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // Fields 14 and 15; the name before may hold anything.
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    fields.skip(11).take(2).map(number).sum::<f64>() / TICKS
}

/// Seconds of processor time that the whole machine has been busy.
#[must_use]
pub fn machine_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/stat").unwrap_or_default();
    let fields: Vec<f64> = stat.lines().next().unwrap_or_default().split_whitespace().skip(1).map(number).collect();
    // All but idle and waiting for disks.
    [0, 1, 2, 5, 6].iter().map(|n| fields[*n]).sum::<f64>() / TICKS
}

fn number(field: &str) -> f64 {
    field.parse().expect("the kernel counts in numbers")
}

/// What the kernel counts in, on every system that Linux runs on today.
const TICKS: f64 = 100.0;

/// Begins a new measurement of [`peak`]. True if the kernel lets us.
pub fn forget_peak(pid: u32) -> bool {
    std::fs::write(format!("/proc/{pid}/clear_refs"), "5").is_ok()
}

/// How often each thread of a process has gone to sleep of its own will: once for each time that something woke it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WakeUps(BTreeMap<u32, u64>);

impl WakeUps {
    /// So far.
    #[must_use]
    pub fn of(pid: u32) -> Self {
        let Ok(threads) = std::fs::read_dir(format!("/proc/{pid}/task")) else { return Self(BTreeMap::new()) };
        let count = |thread: std::fs::DirEntry| {
            let text = std::fs::read_to_string(thread.path().join("status")).ok()?;
            let line = text.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"))?;
            Some((thread.file_name().to_str()?.parse().ok()?, line.trim().parse().ok()?))
        };
        Self(threads.flatten().filter_map(count).collect())
    }

    /// How often since then, in all. Threads that have ended since take their last time along.
    #[must_use]
    pub fn since(&self, before: &Self) -> u64 {
        let more = |(thread, count): (&u32, &u64)| count.saturating_sub(before.0.get(thread).copied().unwrap_or(0));
        self.0.iter().map(more).sum()
    }

    /// Waits until half a second passes without any: what went before has settled. What was counted till then.
    #[must_use]
    pub fn once_asleep(pid: u32) -> Self {
        let mut last = Self::of(pid);
        crate::until("the process falls asleep", SOON, || {
            std::thread::sleep(Duration::from_millis(500));
            let now = Self::of(pid);
            let slept = now.since(&last) == 0;
            last = now;
            slept.then_some(())
        });
        last
    }
}

/// Parent's id.
#[must_use]
pub fn parent(pid: u32) -> Option<u32> {
    status_field(pid, "PPid:")?.parse().ok()
}

/// True until the process has ended (a zombie has ended).
#[must_use]
pub fn is_alive(pid: u32) -> bool {
    status_field(pid, "State:").is_some_and(|state| !state.starts_with('Z') && !state.starts_with('X'))
}

/// Living processes that belong to the agent home `home`: those with it as `GODWIT_HOME`, and all below them.
#[must_use]
pub fn of_home(home: &Path) -> Vec<u32> {
    let wanted = format!("GODWIT_HOME={}", home.display());
    let everyone = all();
    let mut found: BTreeSet<u32> = everyone
        .iter()
        .copied()
        .filter(|pid| environment(*pid).split(|b| *b == 0).any(|variable| variable == wanted.as_bytes()))
        .collect();
    found.remove(&std::process::id());
    // Children may have been given a cleaned environment.
    loop {
        let more: Vec<u32> = everyone
            .iter()
            .copied()
            .filter(|pid| !found.contains(pid) && parent(*pid).is_some_and(|p| found.contains(&p)))
            .collect();
        if more.is_empty() {
            break;
        }
        found.extend(more);
    }
    found.into_iter().filter(|pid| is_alive(*pid)).collect()
}

/// Living processes of `home` that run `name`.
#[must_use]
pub fn named(home: &Path, name: &str) -> Vec<u32> {
    of_home(home).into_iter().filter(|pid| program(*pid) == name).collect()
}

/// Sends SIGKILL and waits until the process has ended.
pub fn kill_hard(pid: u32) {
    signal(pid, Signal::KILL);
    until_true(&format!("process {pid} ends after SIGKILL"), SOON, || !is_alive(pid));
}

/// Runs a command to its end, at most `limit`; a program that hangs fails the test instead of hanging it.
pub fn output(command: &mut Command, limit: Duration) -> Output {
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let (pid, mut stdout, mut stderr) = (child.id(), child.stdout.take().unwrap(), child.stderr.take().unwrap());
    std::thread::scope(|scope| {
        let status = scope.spawn(move || {
            let begin = Instant::now();
            loop {
                if let Some(status) = child.try_wait().unwrap() {
                    return Some(status);
                }
                if begin.elapsed() > limit {
                    let _ = child.kill();
                    let _ = child.wait();
                    return None;
                }
                std::thread::sleep(Duration::from_millis(10));
            }
        });
        let err = scope.spawn(move || read_all(&mut stderr));
        let stdout = read_all(&mut stdout);
        let stderr = err.join().unwrap();
        let Some(status) = status.join().unwrap() else {
            panic!("process {pid} did not end within {limit:?}: {}", String::from_utf8_lossy(&stderr));
        };
        Output { status, stdout, stderr }
    })
}

fn read_all(source: &mut impl Read) -> Vec<u8> {
    let mut bytes = Vec::new();
    source.read_to_end(&mut bytes).unwrap();
    bytes
}

/// Sends a signal; a process that is gone already is no fault.
pub fn signal(pid: u32, signal: Signal) {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).expect("a process id");
    let _ = kill_process(pid, signal);
}

fn status_field(pid: u32, field: &str) -> Option<String> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    text.lines().find_map(|line| line.strip_prefix(field)).map(|rest| rest.trim().to_owned())
}
