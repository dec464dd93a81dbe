//! The extension's Rust part: compiled for WebAssembly and given its JavaScript side.

use crate::{Outcome, files, place, run};
use std::path::Path;
use wasm_bindgen_cli_support::Bindgen;

const TARGET: &str = "wasm32-unknown-unknown";
/// `godwit_core.js` and `godwit_core_bg.wasm`.
const NAME: &str = "godwit_core";

/// Adds the compiler's WebAssembly target if it is missing (rustup may be set not to do so by itself).
pub(crate) fn ensure_target() -> Outcome {
    if !run::exists("rustup") {
        return Ok(()); // A toolchain from elsewhere: cargo will say if the target is missing.
    }
    let installed = run::capture(run::command("rustup").args(["target", "list", "--installed"]))?;
    if installed.lines().any(|line| line.trim() == TARGET) {
        return Ok(());
    }
    run::check(run::command("rustup").args(["target", "add", TARGET]))
}

/// Compiles and leaves the two files in `folder`.
pub(crate) fn build(folder: &Path) -> Outcome {
    ensure_target()?;
    run::check(run::cargo().args([
        "build",
        "--package",
        "godwit-extension-wasm",
        "--lib",
        "--profile",
        "wasm",
        "--target",
        TARGET,
    ]))?;
    let input = place::target().join(TARGET).join("wasm/godwit_extension_wasm.wasm");
    files::remove_folder(folder)?;
    files::make_folder(folder)?;
    Bindgen::new()
        .input_path(&input)
        .out_name(NAME)
        .web(true)
        // Names of functions are a quarter of the file, and nobody reads them in a browser.
        .and_then(|bindgen| bindgen.typescript(false).remove_name_section(true).generate(folder))
        .map_err(|error| format!("wasm-bindgen: {}: {error:#}", input.display()).into())
}
