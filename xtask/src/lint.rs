//! `cargo xtask lint`: everything that can be judged without running the product.

use crate::place::{self, Browser};
use crate::report::{Count, Report};
use crate::{Outcome, files, run, setup};
use serde_json::Value;
use std::process::Command;

/// Each check is one step; all are carried out even if some fail. The extension must have been built.
pub(crate) fn steps(report: &mut Report) {
    report.step("lint: rustfmt", || judge(run::cargo().args(["fmt", "--all", "--check"])));
    report.step("lint: clippy", || {
        judge(run::cargo().args(["clippy", "--workspace", "--all-targets", "--quiet", "--", "-D", "warnings"]))
    });
    report.step("lint: clippy for WebAssembly", || {
        let packages = ["--package", "godwit-protocol", "--package", "godwit-extension-wasm"];
        judge(
            run::cargo()
                .args(["clippy", "--target", "wasm32-unknown-unknown", "--lib", "--quiet"])
                .args(packages)
                .args(["--", "-D", "warnings"]),
        )
    });
    for project in ["extension/tsconfig.json", "server/web/tsconfig.json", "tests/browser/tsconfig.json"] {
        report.step(&format!("lint: tsc, {project}"), || {
            judge(run::command(&setup::node_program("tsc").to_string_lossy()).args(["--noEmit", "--project", project]))
        });
    }
    report.step("lint: web-ext", web_ext);
    report.step("lint: cargo deny", deny);
}

pub(crate) fn run() -> Outcome<bool> {
    setup::run(setup::Needs { deny: true, ..Default::default() })?;
    if !place::dist_extension(Browser::Firefox).join("manifest.json").exists() {
        crate::build::run(&crate::build::Options { extension_only: true, ..Default::default() })?;
    }
    let mut report = Report::default();
    steps(&mut report);
    Ok(report.close())
}

/// One check: the command succeeds.
fn judge(command: &mut Command) -> Outcome<Count> {
    run::check(command).map(|()| Count::one(true))
}

/// Mozilla's linter on the Firefox package. Errors fail; warnings are shown.
fn web_ext() -> Outcome<Count> {
    let folder = place::dist_extension(Browser::Firefox);
    let mut command = run::command(&setup::node_program("web-ext").to_string_lossy());
    command.args(["lint", "--self-hosted", "--output", "json", "--no-config-discovery", "--source-dir"]).arg(folder);
    let output = command.output().map_err(|error| format!("web-ext: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let result: Value = serde_json::from_str(text.trim())
        .map_err(|_| format!("web-ext answered: {text}{}", String::from_utf8_lossy(&output.stderr)))?;
    for kind in ["errors", "warnings", "notices"] {
        for found in result[kind].as_array().into_iter().flatten() {
            println!("{kind}: {} {} {}", found["code"], found["message"], found["file"]);
        }
    }
    // Warnings are errors here.
    let of = |kind: &str| result[kind].as_array().map_or(1, Vec::len);
    let found = of("errors") + of("warnings");
    if found > 0 { Err(format!("web-ext found {found} errors and warnings").into()) } else { Ok(Count::one(true)) }
}

/// Licences, bans and sources need the package registry only. Advisories need more: tried, and said when out of reach.
fn deny() -> Outcome<Count> {
    let program = setup::deny().ok_or("cargo-deny is not installed: cargo xtask setup")?;
    let program = program.to_string_lossy();
    // Also what only other systems need is looked at, and no build has brought that here.
    run::check(run::cargo().args(["fetch", "--quiet", "--locked"]))?;
    run::check(
        run::command(&program)
            .args(["--offline", "check", "--hide-inclusion-graph"])
            .args(["licenses", "bans", "sources"]),
    )?;
    let mut command = run::command(&program);
    let output = command.args(["check", "--hide-inclusion-graph", "advisories"]).output()?;
    let text = String::from_utf8_lossy(&output.stderr);
    if output.status.success() {
        println!("advisories ok");
    } else if text.contains("error[vulnerability]") || text.contains("error[unsound]") {
        return Err(format!("known weaknesses in dependencies:\n{text}").into());
    } else {
        println!("advisories were not checked: the database cannot be fetched from here");
        files::write(&place::target().join("advisories.log"), text.as_bytes())?;
    }
    Ok(Count::one(true))
}
