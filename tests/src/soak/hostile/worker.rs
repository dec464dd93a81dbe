//! A hostile server against the real worker. Every row has a worker of its own, as every session has.

use super::rows::State;
use super::{Expect, Plan, Row, bodies, data, floods, frame, play, rows, some};
use crate::fake::{self, Step, sample};
use crate::soak::MIB;
use crate::{Scratch, WorkerPipe, processes, tree};
use godwit_protocol::spec::Direction;
use godwit_protocol::worker::{PathPair, Report};
use serde_json::{Value, json};
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Workers at once.
const AT_ONCE: usize = 4;
/// A worker that was let go must end within this.
const END: Duration = Duration::from_secs(40);
/// Longest text that a peer may put into a worker's report: a path with some words.
const WORDS: usize = 5_000;

/// One row; returns the worker's highest memory.
fn row(state: State, row: &Row) -> Result<u64, String> {
    let scratch = Scratch::new();
    let (source, folder) = (scratch.path("here/shared.bin"), scratch.folder("outside/target"));
    tree::file(&source, 3 * MIB, 5);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let server = runtime.block_on(async { fake::Server::new() });
    let mut job = match state {
        State::Receiving => server.job(Direction::Receive, "there", &folder),
        _ => server.job(Direction::Send, source.to_str().unwrap(), std::path::Path::new("there")),
    };
    if state == State::Receiving {
        // What the sample's entry is called, and what the rows about data use.
        job.paths = ["a/b", "f"].map(|name| PathPair { source: name.into(), destination: Some(name.into()) }).into();
    }
    let mut leading = match state {
        State::Login => vec![Step::Expect("request")],
        _ => fake::Server::welcome(),
    };
    if state == State::Sending {
        leading.push(Step::Expect("entries-end"));
    }
    let mut worker = WorkerPipe::started(&scratch, job);
    let played = runtime.block_on(async {
        let accepted = tokio::time::timeout(END, server.accept()).await;
        let Ok(Some(mut peer)) = accepted else { return Err(format!("{}: the worker does not come", row.name)) };
        let result = play(&mut peer, &leading, row).await;
        if matches!(row.expect, Expect::Lives(_, "result")) {
            peer.play(&frame(sample("bye"))).await;
        }
        Ok((result, peer))
    });
    let peak = processes::peak(worker.pid());
    let (result, peer) = played?;
    result?;
    drop(peer);
    runtime.block_on(async { tokio::time::sleep(Duration::ZERO).await });
    let (end, _, status) = worker.until_end(END);
    let fits = match (&end, &row.expect) {
        (Report::Done(_), Expect::Lives(..) | Expect::Over | Expect::End | Expect::Leave) => true,
        // Some of what was asked for did not come, or the other side claims to have stored something else.
        (Report::Error(f), Expect::Lives(..)) => matches!(f.code.number(), 4 | 20 | 27 | 35 | 36),
        (Report::Error(f), Expect::Code(codes)) => codes.contains(&f.code.number()),
        (Report::Error(f), Expect::Error | Expect::Over) => f.code.number() != super::INTERNAL,
        (Report::Error(_), Expect::End | Expect::Leave) => true,
        _ => false,
    };
    let name = &row.name;
    if !fits {
        return Err(format!("{name}: the worker said {end:?}, but wanted {:?}", row.expect));
    }
    if let Report::Error(failure) = &end
        && (failure.message.len() > WORDS || failure.message.contains(char::is_control))
    {
        return Err(format!("{name}: a peer's words reach the user untamed"));
    }
    if !matches!(status.code(), Some(0..=100)) {
        return Err(format!("{name}: the worker ended with {status}"));
    }
    let log = std::fs::read_to_string(scratch.path("stderr/worker")).unwrap_or_default();
    if log.contains("panicked") {
        return Err(format!("{name}: {log}"));
    }
    let outside = std::fs::read_dir(scratch.path("outside")).unwrap().count();
    if outside != 1 || scratch.path("x").exists() {
        return Err(format!("{name}: something was written outside the folder"));
    }
    Ok(peak)
}

/// Messages and streams.
#[must_use]
pub fn messages(plan: &Plan) -> Value {
    println!("hostile servers: {plan:?}");
    let mut table: Vec<(State, Row)> = Vec::new();
    for state in [State::Login, State::Receiving, State::Sending] {
        table.extend(rows::all(state).into_iter().map(|row| (state, row)));
    }
    let wanted = |mut row: Row| {
        row.steps.splice(0..0, data::wanted("f"));
        row
    };
    table.extend(data::to_receiver().into_iter().map(|row| (State::Receiving, wanted(row))));
    table.extend(data::to_sender().into_iter().map(|row| (State::Sending, row)));
    for (n, (kind, body)) in some(bodies::malformed(plan.seed), plan.malformed / 2, plan.seed).into_iter().enumerate() {
        let state = match kind {
            "hello" | "accepted" => State::Login,
            "want" | "files" | "compare" | "check" | "progress" | "result" | "want-end" => State::Sending,
            _ => State::Receiving,
        };
        let expect = if kind == "error" { Expect::End } else { Expect::Over };
        let steps = vec![Step::Body(body), frame(sample("join")), frame(sample("authenticate"))];
        table.push((state, Row::new(format!("malformed {n}: {kind}"), steps, expect)));
    }
    if plan.slow {
        table.push((State::Login, Row::new("silence at the login", vec![], Expect::Code(&[40])).within(60)));
        table.push((State::Receiving, Row::new("silence after it", vec![], Expect::Code(&[40])).within(90)));
        table.push((State::Sending, Row::new("silence of a receiver", vec![], Expect::Code(&[40])).within(90)));
    }
    let (rows, begin) = (table.len(), Instant::now());
    let (failures, peak) = all(table);
    assert!(failures.is_empty(), "{} of {rows} rows failed:\n{}", failures.len(), failures.join("\n"));
    json!({"rows": rows, "memory_peak": peak, "seconds": begin.elapsed().as_secs_f64(), "seed": plan.seed})
}

fn all(table: Vec<(State, Row)>) -> (Vec<String>, u64) {
    let waiting = Mutex::new(table.into_iter());
    let (failures, peak) = (Mutex::new(Vec::new()), Mutex::new(0));
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let Some((state, next)) = waiting.lock().unwrap().next() else { return };
                    let name = next.name.clone();
                    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| row(state, &next)));
                    match result.unwrap_or_else(|panic| Err(format!("{name}: {}", crate::soak::words(panic.as_ref()))))
                    {
                        Ok(memory) => {
                            let mut peak = peak.lock().unwrap();
                            *peak = memory.max(*peak);
                        }
                        Err(why) => failures.lock().unwrap().push(why),
                    }
                }
            });
        }
    });
    let mut failures = failures.into_inner().unwrap();
    failures.sort();
    (failures, peak.into_inner().unwrap())
}

/// Floods, one worker after the other.
#[must_use]
pub fn floods(plan: &Plan) -> Value {
    println!("floods against workers: {plan:?}");
    let mut table: Vec<(State, Row)> = Vec::new();
    let long = plan.slow.then(floods::names);
    for mut row in floods::to_receiver(plan.flood).into_iter().chain(long) {
        row.steps.splice(0..0, data::wanted("f/0"));
        table.push((State::Receiving, row));
    }
    table.extend(floods::to_sender(plan.flood).into_iter().map(|row| (State::Sending, row)));
    let (mut failures, mut figures) = (Vec::new(), Vec::new());
    for (state, next) in table {
        let begin = Instant::now();
        match row(state, &next) {
            Ok(peak) => {
                figures.push(json!({"flood": next.name, "mib": peak / MIB, "seconds": begin.elapsed().as_secs_f64()}));
                println!("{}", figures[figures.len() - 1]);
                if peak > floods::MEMORY {
                    failures.push(format!("{}: {} MiB of memory", next.name, peak / MIB));
                }
            }
            Err(why) => failures.push(why),
        }
    }
    assert!(failures.is_empty(), "{} floods did harm:\n{}", failures.len(), failures.join("\n"));
    json!({"floods": figures})
}
