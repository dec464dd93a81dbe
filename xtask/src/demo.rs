//! `cargo xtask demo`: the main job before one's eyes. Makes the content here; the rest is `tests/browser/demo.mjs`.

use crate::place::{self, Browser};
use crate::{Outcome, build, files, run, setup};
use std::path::Path;

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Which browser
    #[arg(long, value_enum, default_value = "chromium")]
    browser: Browser,
    /// A scripted user clicks through it (as happens when there is no display)
    #[arg(long)]
    headless: bool,
    /// Size of the large file, such as 1g or 200m
    #[arg(long, default_value = "1g", value_parser = size)]
    size: u64,
}

pub(crate) fn run(options: &Options) -> Outcome<bool> {
    println!("demo: setting up");
    setup::run(setup::Needs { browsers: true, ..Default::default() })?;
    println!("demo: building with optimisation (some minutes the first time)");
    build::run(&build::Options { release: true, ..Default::default() })?;

    let folder = place::target().join("demo");
    let script = setup::node_folder().join("demo.mjs");
    let seen = std::env::var_os("DISPLAY").is_some() || std::env::var_os("WAYLAND_DISPLAY").is_some();
    let mut node = run::command("node");
    node.arg(script).arg("--folder").arg(&folder);
    node.args(["--browser", options.browser.name(), "--size", &options.size.to_string()]);
    if options.headless || !seen {
        node.arg("--headless");
    }
    check_space(&folder, options.size)?;
    Ok(node.status()?.success())
}

/// The content stands on the server, goes up and comes back: the large file exists four times at most.
fn check_space(folder: &Path, size: u64) -> Outcome {
    files::make_folder(folder)?;
    let text = run::capture(run::command("df").args(["--output=avail", "--block-size=1"]).arg(folder))?;
    let free: u64 = text.lines().last().and_then(|line| line.trim().parse().ok()).unwrap_or(u64::MAX);
    let needed = size.saturating_mul(4).saturating_add(1 << 30);
    if free < needed {
        return Err(
            format!("{}: {free} bytes are free, the demo needs {needed}; try --size 100m", folder.display()).into()
        );
    }
    Ok(())
}

/// Reads `1g`, `300m`, `64k` or bytes; decimal multiples.
fn size(text: &str) -> Result<u64, String> {
    let lower = text.to_ascii_lowercase();
    let (digits, factor) = match lower.strip_suffix(['k', 'm', 'g']) {
        Some(digits) if lower.ends_with('k') => (digits, 1_000),
        Some(digits) if lower.ends_with('m') => (digits, 1_000_000),
        Some(digits) => (digits, 1_000_000_000),
        None => (lower.as_str(), 1),
    };
    let number: u64 = digits.parse().map_err(|_| format!("{text}: not a size such as 1g"))?;
    number.checked_mul(factor).filter(|size| *size > 0).ok_or_else(|| format!("{text}: not a size such as 1g"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_with_and_without_a_unit() {
        assert_eq!(size("1g"), Ok(1_000_000_000));
        assert_eq!(size("300M"), Ok(300_000_000));
        assert_eq!(size("512"), Ok(512));
        for wrong in ["", "g", "-1", "0", "1t", "99999999999g"] {
            assert!(size(wrong).is_err(), "{wrong}");
        }
    }
}
