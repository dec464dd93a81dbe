//! `cargo xtask test`: the whole ladder, from the linters to both browsers, in one report.

use crate::place::{self, Browser};
use crate::report::{self, Count, Report};
use crate::{Outcome, api, build, lint, run, setup};
use std::process::Command;

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Leave the browsers out
    #[arg(long)]
    skip_browser: bool,
    /// Only tests whose name contains this (no linters)
    #[arg(long, value_name = "NAME")]
    only: Option<String>,
}

pub(crate) fn run(options: &Options) -> Outcome<bool> {
    let mut report = Report::default();
    let needs = setup::Needs {
        browsers: !options.skip_browser,
        desktop: true,
        deny: options.only.is_none(),
        api: options.only.is_none(),
    };
    let ready = report.step("setup", || setup::run(needs).map(|()| Count::default()))
        && report.step("build", || {
            let options = build::Options { with_tests: true, ..Default::default() };
            build::run(&options).map(|()| Count::default())
        });
    if !ready {
        return Ok(report.close()); // Without programs each later failure would only repeat this one.
    }
    if options.only.is_none() {
        lint::steps(&mut report);
    }
    report.step("tests: Rust", || rust(options));
    if options.only.is_none() {
        report.step("tests: API against its description", api::short);
    }
    report.step("tests: modules of extension and web application", || extension(options));
    if !options.skip_browser {
        for browser in Browser::ALL {
            report.step(&format!("tests: {}", browser.name()), || in_browser(browser, options));
        }
    }
    Ok(report.close())
}

/// Unit, property and process-level tests.
fn rust(options: &Options) -> Outcome<Count> {
    let mut cargo = run::cargo();
    cargo.args(["test", "--workspace", "--no-fail-fast"]).env("GODWIT_BIN_DIR", place::dist_bin());
    if let Some(name) = &options.only {
        cargo.args(["--", name]);
    }
    count(&mut cargo, report::libtest)
}

/// The pure modules of the extension and of the server's web application, under node.
fn extension(options: &Options) -> Outcome<Count> {
    node(options, &["extension/tests/", "server/web/tests/"]).and_then(|mut command| count(&mut command, report::node))
}

/// The real SDK in a real browser.
fn in_browser(browser: Browser, options: &Options) -> Outcome<Count> {
    let mut command = node(options, &["tests/browser/tests/"])?;
    count(command.env("GODWIT_BROWSERS", browser.name()), report::node)
}

/// The long form of one file, in both browsers.
pub(crate) fn long_in_browsers(file: &str) -> Outcome<Count> {
    let mut command = run::command("node");
    command.args(["--test", "--test-reporter=spec", "--test-timeout=3600000", file]);
    count(command.env("GODWIT_SOAK", "1"), report::node)
}

/// `node --test`, one file after the other: two cores are few for two browsers.
fn node(options: &Options, folders: &[&str]) -> Outcome<Command> {
    let mut command = run::command("node");
    command.args(["--test", "--test-reporter=spec", "--test-concurrency=1", "--test-timeout=600000"]);
    if let Some(name) = &options.only {
        command.arg(format!("--test-name-pattern={}", escaped(name)));
    }
    for folder in folders {
        let mut found: Vec<_> = std::fs::read_dir(place::root().join(folder))
            .map_err(|error| format!("{folder}: {error}"))?
            .filter_map(Result::ok)
            .map(|entry| entry.path())
            .filter(|path| path.file_stem().is_some_and(|stem| stem.to_string_lossy().ends_with(".test")))
            .collect();
        found.sort();
        if found.is_empty() {
            return Err(format!("{folder}: no tests").into());
        }
        command.args(found);
    }
    Ok(command)
}

/// Runs and counts. An end without success that no count explains is a failure too, and so is no test at all.
fn count(command: &mut Command, read: fn(&str) -> Count) -> Outcome<Count> {
    let mut total = Count::default();
    let success = run::watch(command, |line| total.add(read(line)))?;
    if !success && total.failed == 0 {
        total.failed = 1;
    }
    Ok(total)
}

/// The text as a regular expression that matches just it.
fn escaped(text: &str) -> String {
    text.chars()
        .flat_map(|sign| (!sign.is_alphanumeric() && sign != ' ').then_some('\\').into_iter().chain([sign]))
        .collect()
}
