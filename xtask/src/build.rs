//! `cargo xtask build`: programs and extensions into `dist/`.

use crate::place::{self, Browser};
use crate::{Outcome, files, manifest, run, vendor, wasm};
use std::path::Path;

/// The programs a person installs, and the packages they come from.
const PROGRAMS: [&str; 6] = ["godwit-host", "godwit-agent", "godwit-worker", "godwit-server", "godwit", "godwit-setup"];
const PACKAGES: [&str; 6] =
    ["godwit-native-host", "godwit-worker", "godwit-server", "godwit-cli", "godwit-installer", "godwit-manuals"];

/// The folders of `extension/` that are the extension; all else there is for its authors.
const SHIPPED: [&str; 6] = ["content", "background", "pages", "ui", "_locales", "icons"];

#[derive(clap::Args, Default)]
pub(crate) struct Options {
    /// Optimise for speed
    #[arg(long)]
    pub(crate) release: bool,
    /// Leave the programs alone
    #[arg(long)]
    pub(crate) extension_only: bool,
    /// Compile the workspace's tests in the same run, so that programs and tests share every compiled library.
    #[arg(skip)]
    pub(crate) with_tests: bool,
}

pub(crate) fn run(options: &Options) -> Outcome {
    if !options.extension_only {
        programs(options)?;
    }
    extensions()
}

fn programs(options: &Options) -> Outcome {
    let mut cargo = run::cargo();
    cargo.args(["build", "--bins"]);
    if options.with_tests {
        cargo.args(["--workspace", "--tests"]);
    } else {
        cargo.args(PACKAGES.iter().flat_map(|package| ["--package", package]));
    }
    if options.release {
        cargo.arg("--release");
    }
    run::check(&mut cargo)?;
    let built = place::target().join(if options.release { "release" } else { "debug" });
    for program in PROGRAMS {
        files::install(&built.join(program), &place::dist_bin())?;
    }
    println!("programs in {}", place::dist_bin().display());
    files::remove_folder(&place::dist_share())?;
    run::check(run::command(&built.join("godwit-manuals").display().to_string()).arg(place::dist_share()))?;
    println!("manual pages and completions in {}", place::dist_share().display());
    Ok(())
}

fn extensions() -> Outcome {
    let module = place::target().join("extension-wasm");
    wasm::build(&module)?;
    vendor::fetch()?;
    let source = place::root().join("extension");
    for browser in Browser::ALL {
        let manifest = manifest::make(browser)?;
        let folder = place::dist_extension(browser);
        files::remove_folder(&folder)?;
        files::copy_tree(&source, &folder, &shipped)?;
        files::copy_tree(&module, &folder.join("wasm"), &|_| true)?;
        vendor::copy(&folder.join("vendor"))?;
        files::write(&folder.join("manifest.json"), manifest.as_bytes())?;
        println!("extension in {}", folder.display());
    }
    Ok(())
}

/// Whether a path below `extension/` belongs into the package.
fn shipped(path: &Path) -> bool {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let top = path.components().next().is_some_and(|first| SHIPPED.iter().any(|word| first.as_os_str() == *word));
    top && !name.starts_with('.') && !name.ends_with(".d.ts")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_for_authors_only_is_not_shipped() {
        for path in ["README.md", "tsconfig.json", "types.d.ts", "tests/a.test.js", "pages/x.d.ts", "ui/.swp"] {
            assert!(!shipped(Path::new(path)), "{path}");
        }
        for path in ["background/main.js", "pages/picker.html", "_locales/en/messages.json", "pages"] {
            assert!(shipped(Path::new(path)), "{path}");
        }
    }
}
