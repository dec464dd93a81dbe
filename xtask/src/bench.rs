//! `cargo xtask bench`: what the measurements need, the release build, and then `godwit-bench`, which has the options.

use crate::{Outcome, run, setup};

#[derive(clap::Args)]
pub(crate) struct Options {
    /// What to measure and how: wan, sharing, loopback, small-files, memory, agent, click, sizes; --help shows all
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true, value_name = "WHAT")]
    arguments: Vec<String>,
}

pub(crate) fn run(options: &Options) -> Outcome<bool> {
    let has = |word: &str| options.arguments.iter().any(|argument| argument == word);
    // Figures without peers, and those that have none, need no packages.
    let alone = ["--no-peers", "--help", "-h", "agent", "click", "sizes"].into_iter().any(has);
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
