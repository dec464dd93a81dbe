//! `cargo xtask soak reproducible`: the same commit compiled and packaged twice, in two folders of other names and lengths, with two
//! folders for cargo, in two time zones. Every file that people download, and every program before it is packed, must be the same.

use crate::report::Count;
use crate::{Outcome, files, place, run};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The two places, and a time zone for each.
const PLACES: [(&str, &str); 2] = [("one", "UTC"), ("another-folder/of-a-longer-name", "Asia/Kathmandu")];
/// What is compared of each: the packages, and what they are made of.
const COMPARED: &str = "dist";

/// Compiles twice, which takes long, and counts each file as one check.
pub(crate) fn run() -> Outcome<Count> {
    let top = place::target().join("reproducible");
    files::remove_folder(&top)?;
    if !run::capture(run::command("git").args(["status", "--porcelain"]))?.is_empty() {
        println!("what is not committed is not compared");
    }
    for (name, zone) in PLACES {
        build(&top, name, zone)?;
    }
    let [one, another] = PLACES.map(|(name, _)| top.join(name).join("source").join(COMPARED));
    let count = compare(&one, &another)?;
    if count.failed == 0 {
        files::remove_folder(&top)?;
    } else {
        println!("what differs stays: {} and {}", one.display(), another.display());
    }
    Ok(count)
}

/// A clone of the commit, built and packaged by its own `xtask`.
fn build(top: &Path, name: &str, zone: &str) -> Outcome {
    let (source, home) = (top.join(name).join("source"), top.join(name).join("cargo"));
    run::check(run::command("git").args(["clone", "--quiet", "--no-hardlinks"]).arg(place::root()).arg(&source))?;
    // Sources and settings of cargo are shared, but their path is another one.
    files::make_folder(&home)?;
    for entry in fs::read_dir(cargo_home()?)? {
        let entry = entry?;
        std::os::unix::fs::symlink(entry.path(), home.join(entry.file_name()))?;
    }
    for modules in ["tests/browser/node_modules", "extension/node_modules"] {
        let here = place::root().join(modules);
        if here.is_dir() {
            std::os::unix::fs::symlink(here, source.join(modules))?;
        }
    }
    println!("compiling in {}", source.display());
    let mut package = run::cargo();
    package.current_dir(&source).args(["run", "--quiet", "--package", "xtask", "--", "package"]);
    package.env("CARGO_HOME", &home).env("CARGO_TARGET_DIR", top.join(name).join("target"));
    package.env("CARGO_INCREMENTAL", "0").env("TZ", zone);
    // The same key signs both.
    run::check(package.env("GODWIT_EXTENSION_KEY", top.join("key.pem")))
}

/// Cargo's own folder.
pub(crate) fn cargo_home() -> Outcome<PathBuf> {
    let named = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let usual = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cargo"));
    named.or_else(usual).ok_or_else(|| "neither CARGO_HOME nor HOME is set".into())
}

/// Every file of both folders, by name; says what differs and where.
fn compare(one: &Path, another: &Path) -> Outcome<Count> {
    let mut names = BTreeSet::new();
    for folder in [one, another] {
        below(folder, Path::new(""), &mut names)?;
    }
    let mut count = Count::default();
    for name in names {
        let (a, b) = (fs::read(one.join(&name)).ok(), fs::read(another.join(&name)).ok());
        let verdict = match (&a, &b) {
            (Some(a), Some(b)) if a == b => None,
            (Some(a), Some(b)) => Some(difference(a, b)),
            _ => Some("only one has it".to_owned()),
        };
        if let Some(words) = &verdict {
            println!("not the same: {}: {words}", name.display());
        }
        count.add(Count::one(verdict.is_none()));
    }
    if count.passed + count.failed == 0 {
        return Err(format!("{} is empty", one.display()).into());
    }
    Ok(count)
}

fn difference(a: &[u8], b: &[u8]) -> String {
    let differ = a.iter().zip(b).filter(|(a, b)| a != b).count();
    let first = a.iter().zip(b).position(|(a, b)| a != b).unwrap_or(a.len().min(b.len()));
    format!("{} and {} bytes; {differ} differ, the first at {first}", a.len(), b.len())
}

fn below(top: &Path, folder: &Path, names: &mut BTreeSet<PathBuf>) -> Outcome {
    let whole = top.join(folder);
    for entry in fs::read_dir(&whole).map_err(|error| format!("{}: {error}", whole.display()))? {
        let entry = entry?;
        let name = folder.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            below(top, &name, names)?;
        } else {
            names.insert(name);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_differ_or_are_missing_on_one_side_are_failures() {
        let top = std::env::temp_dir().join(format!("godwit-reproducible-{}", std::process::id()));
        let write = |path: &str, content: &str| files::write(&top.join(path), content.as_bytes()).expect("written");
        for side in ["a", "b"] {
            write(&format!("{side}/bin/same"), "same");
            write(&format!("{side}/other"), side);
        }
        write("b/alone", "");
        let count = compare(&top.join("a"), &top.join("b")).expect("compared");
        assert_eq!(count, Count { passed: 1, failed: 2 });
        assert!(compare(&top.join("a/bin"), &top.join("nowhere")).is_err());
        files::remove_folder(&top).expect("removed");
        assert_eq!(difference(b"abcd", b"abxde"), "4 and 5 bytes; 1 differ, the first at 2");
    }
}
