//! libFuzzer without another tool: the fuzz targets are built with the compiler's own coverage instrumentation (stable
//! options all of them) and run one after the other.

use crate::report::Count;
use crate::{Outcome, place, run};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where the crates of fuzz targets are, from the root.
const CRATES: [&str; 2] = ["protocol/fuzz", "transport/fuzz"];
/// What `cargo fuzz` passes too, less the sanitizer, which needs nightly and finds little where `unsafe` is denied.
const FLAGS: &str = "--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
     -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
     -Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1 -Cdebug-assertions -Coverflow-checks";
/// Without a target of its own, build scripts would be instrumented too and not link.
const TARGET: &str = "x86_64-unknown-linux-gnu";

/// What a run of a target said.
#[derive(Debug, Default, PartialEq, Eq)]
struct Figures {
    executions: u64,
    a_second: u64,
    peak_mib: u64,
}

/// Runs every target for `seconds`; one check each. What it finds stays in `out/artifacts`.
pub(crate) fn run(out: &Path, seconds: u64) -> Outcome<Count> {
    std::fs::create_dir_all(out)?;
    let mut total = Count::default();
    let mut parts = Vec::new();
    for folder in CRATES.map(|folder| place::root().join(folder)) {
        if !folder.is_dir() {
            continue;
        }
        let programs = build(&folder)?;
        for (name, program) in programs {
            let (figures, passed) = one(&name, &program, &folder, out, seconds)?;
            println!("fuzz {name}: {} in {seconds} s, {figures:?}", if passed { "ok" } else { "FAILED" });
            total.add(Count::one(passed));
            parts.push(serde_json::json!({
                "name": name, "passed": passed, "seconds": seconds, "executions": figures.executions,
                "executions_a_second": figures.a_second, "peak_mib": figures.peak_mib,
            }));
        }
    }
    let whole = serde_json::json!({"matrix": "fuzz", "parts": parts});
    std::fs::write(out.join("fuzz.json"), serde_json::to_string_pretty(&whole)? + "\n")?;
    Ok(total)
}

/// Names and programs of a crate's targets.
fn build(folder: &Path) -> Outcome<Vec<(String, PathBuf)>> {
    let target = place::target().join("fuzz");
    let mut cargo = run::cargo();
    cargo
        .args(["build", "--release", "--target", TARGET, "--manifest-path"])
        .arg(folder.join("Cargo.toml"))
        .env("CARGO_TARGET_DIR", &target)
        .env("RUSTFLAGS", FLAGS);
    run::check(&mut cargo)?;
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder.join("fuzz_targets"))? {
        let path = entry?.path();
        if let Some(name) = path.file_stem().and_then(|stem| stem.to_str()) {
            found.push((name.to_owned(), target.join(TARGET).join("release").join(name)));
        }
    }
    found.sort();
    Ok(found)
}

fn one(name: &str, program: &Path, folder: &Path, out: &Path, seconds: u64) -> Outcome<(Figures, bool)> {
    // New inputs go into a folder of their own: the corpus in the repository is what people chose.
    let (grown, artifacts) = (out.join("corpus").join(name), out.join("artifacts"));
    std::fs::create_dir_all(&grown)?;
    std::fs::create_dir_all(&artifacts)?;
    let mut command = Command::new(program);
    command
        .arg(&grown)
        .arg(folder.join("corpus").join(name))
        .arg(format!("-max_total_time={seconds}"))
        .arg(format!("-artifact_prefix={}/{name}-", artifacts.display()))
        .args(["-print_final_stats=1", "-max_len=65536", "-timeout=10", "-rss_limit_mb=2048", "-verbosity=0"]);
    let output = command.output().map_err(|error| format!("{}: {error}", program.display()))?;
    let text = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        let tail: Vec<&str> = text.lines().rev().take(40).collect();
        tail.iter().rev().for_each(|line| eprintln!("{line}"));
    }
    Ok((read(&text), output.status.success()))
}

/// The closing statistics of libFuzzer.
fn read(text: &str) -> Figures {
    let number = |name: &str| {
        let line = text.lines().find_map(|line| line.trim().strip_prefix("stat::")?.strip_prefix(name));
        line.and_then(|rest| rest.trim_start_matches(':').trim().parse().ok()).unwrap_or(0)
    };
    Figures {
        executions: number("number_of_executed_units"),
        a_second: number("average_exec_per_sec"),
        peak_mib: number("peak_rss_mb"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_closing_statistics_are_read() {
        let text = "Done 5 runs\nstat::number_of_executed_units: 1234\nstat::average_exec_per_sec:     617\n\
                    stat::new_units_added:          2\nstat::peak_rss_mb:              77\n";
        assert_eq!(read(text), Figures { executions: 1234, a_second: 617, peak_mib: 77 });
    }
}
