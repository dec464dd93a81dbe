//! `cargo xtask bench`: what the measurements need, the release build, and then `godwit-bench`, which has the options.

use crate::{Outcome, build, place, run, setup};

#[derive(clap::Args)]
pub(crate) struct Options {
    /// What to measure and how: wan, sharing, loopback, small-files, memory, agent, server, click, sizes, windows; --help shows all
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true, value_name = "WHAT")]
    arguments: Vec<String>,
}

pub(crate) fn run(options: &Options) -> Outcome<bool> {
    if options.arguments.first().is_some_and(|what| what == "windows") {
        return windows();
    }
    let has = |word: &str| options.arguments.iter().any(|argument| argument == word);
    // Figures without peers, and those that have none, need no packages.
    let alone = ["--no-peers", "--help", "-h", "agent", "server", "click", "sizes"].into_iter().any(has);
    if !alone {
        setup::bench_peers()?;
    }
    println!("bench: building with optimisation (some minutes the first time)");
    let release = |command: &'static str| {
        let mut cargo = run::cargo();
        cargo.args([command, "--release", "--quiet"]);
        cargo
    };
    if std::env::var_os("GODWIT_BIN_DIR").is_none() {
        // The programs to measure; it would build them itself, but in the middle of its work.
        run::check(release("build").arg("--bins"))?;
    }
    run::check(release("build").args(["--package", "godwit-bench", "--bins"]))?;
    let mut bench = release("run");
    bench.args(["--package", "godwit-bench", "--bin", "godwit-bench", "--"]).args(&options.arguments);
    Ok(bench.status()?.success())
}

/// How soon the activity window shows 10,000 transfers, how many frames a second it has while they are scrolled, and how busy 50
/// running ones keep it in a minute (`GODWIT_MEASURE_SECONDS`). In a real browser; the agent behind it is played.
fn windows() -> Outcome<bool> {
    setup::run(setup::Needs { browsers: true, ..Default::default() })?;
    if std::env::var_os("GODWIT_DIST").is_none() {
        build::run(&build::Options::default())?;
    }
    let measure = place::root().join("tests/browser/measure.mjs");
    Ok(run::command("node").arg(measure).status()?.success())
}
