//! A wide-area line between two network namespaces of this machine; see [`godwit_bench::wan`].

use clap::Parser;
use godwit_bench::wan::carry::carry;
use godwit_bench::wan::link::Link;
use godwit_bench::wan::options::Options;
use godwit_bench::wan::tun::{Namespace, Tun};
use godwit_bench::wan::{ADDRESS_A, ADDRESS_B, DEVICE};
use serde_json::json;
use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;
use tokio::signal::unix::{SignalKind, signal};

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("godwit-wan: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    let _inside = runtime.enter();
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let _namespaces = (Namespace::open(&options.a)?, Namespace::open(&options.b)?);
    let a = Tun::create(&options.a, DEVICE, ADDRESS_A, options.mtu)?;
    let b = Tun::create(&options.b, DEVICE, ADDRESS_B, options.mtu)?;
    keep_time();
    let (start, stop) = (Instant::now(), AtomicBool::new(false));
    let one = |from, to, salt| carry(from, to, Link::new(options.link(salt)), options.mtu, start, &stop);
    let (forth, back) = std::thread::scope(|threads| {
        let forth = threads.spawn(|| one(&a, &b, 0));
        let back = threads.spawn(|| one(&b, &a, 1));
        println!("ready");
        runtime.block_on(async {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        });
        stop.store(true, Ordering::Relaxed);
        (forth.join(), back.join())
    });
    let (Ok(forth), Ok(back)) = (forth, back) else {
        return Err(io::Error::other("a direction broke down"));
    };
    let report = json!({"seconds": start.elapsed().as_secs_f64(), "a_to_b": forth.json(), "b_to_a": back.json()});
    match &options.stats {
        Some(file) => std::fs::write(file, format!("{report}\n")),
        None => writeln!(io::stdout(), "{report}"),
    }
}

/// A line does not wait for the programs that use it: ahead of them, and woken when asked. Without the right to that it
/// works all the same, less exactly.
fn keep_time() {
    let _ = rustix::process::setpriority_process(None, -20);
    let _ = std::fs::write("/proc/self/timerslack_ns", "1000");
}
