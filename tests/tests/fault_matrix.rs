//! docs/fault-matrix.md and the tests that bear its rows' numbers say the same. `GODWIT_BLESS=1` writes the tests' names anew.
//!
//! A Rust test bears a row in its name (`h08_…` for H8), a browser test in its text (`test("H8: …`).

#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

const FOLDERS: [&str; 10] = [
    "tests/tests",
    "tests/browser/tests",
    "native-host/src",
    "native-host/tests",
    "protocol/src",
    "installer/tests",
    "server/src",
    "server/tests",
    "transport/src",
    "transport/tests",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// `H8` for `h08`; `None` for what is no row's number.
fn row(mark: &str) -> Option<String> {
    let (letter, number) = mark.split_at_checked(1)?;
    let plain = !number.is_empty() && number.len() <= 2 && number.bytes().all(|b| b.is_ascii_digit());
    (matches!(letter, "h" | "s" | "p" | "t" | "H" | "S" | "P" | "T") && plain)
        .then(|| format!("{}{}", letter.to_uppercase(), number.trim_start_matches('0')))
}

/// The row and the test's name, if this line begins a test that bears one.
fn marked(line: &str) -> Option<(String, String)> {
    if let Some(rest) = line.trim_start().trim_start_matches("async ").strip_prefix("fn ") {
        let name = rest.split('(').next()?;
        return Some((row(name.split('_').next()?)?, format!("`{name}`")));
    }
    let text = line.trim_start().strip_prefix("test(\"")?.split('"').next()?;
    let (mark, name) = text.split_once(": ")?;
    Some((row(mark)?, name.to_owned()))
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs" || e == "mjs") {
            found.push(path);
        }
    }
}

/// Tests by row, as the table writes them.
fn tests() -> BTreeMap<String, BTreeSet<String>> {
    let root = root();
    let mut paths = Vec::new();
    for folder in FOLDERS {
        files(&root.join(folder), &mut paths);
    }
    let mut found = BTreeMap::<String, BTreeSet<String>>::new();
    for path in paths {
        let place = path.strip_prefix(&root).unwrap().display().to_string();
        for (row, name) in std::fs::read_to_string(&path).unwrap().lines().filter_map(marked) {
            found.entry(row).or_default().insert(format!("{place}: {name}"));
        }
    }
    found
}

#[test]
fn the_table_of_faults_names_tests_that_exist_and_every_row_has_one() {
    let file = root().join("docs/fault-matrix.md");
    let text = std::fs::read_to_string(&file).unwrap();
    let tests = tests();
    let bless = std::env::var_os("GODWIT_BLESS").is_some();
    let mut rows = BTreeSet::new();
    let mut stale = Vec::new();
    let mut wanted = String::new();
    for line in text.lines() {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let (mark, listed) = match cells.as_slice() {
            [mark, _, _, listed] if row(mark).is_some() => (*mark, *listed),
            _ => {
                wanted.push_str(&format!("{line}\n"));
                continue;
            }
        };
        assert!(rows.insert(mark.to_owned()), "{mark} is there twice");
        let found: Vec<&str> = tests.get(mark).into_iter().flatten().map(String::as_str).collect();
        if let Some(other) = listed.strip_prefix("as ") {
            assert!(tests.contains_key(other), "{mark} relies on {other}, which has no test");
            wanted.push_str(&format!("{line}\n"));
            continue;
        }
        assert!(!found.is_empty() || listed.starts_with("none: "), "{mark} has no test and no reason");
        assert!(!found.is_empty() || !mark.starts_with('H'), "{mark} must have a test");
        // A test that the table does not name yet is no fault: whoever adds one need not know of the table.
        if !listed.starts_with("none: ") {
            stale.extend(
                listed.split("<br>").filter(|name| !found.contains(name)).map(|name| format!("{mark}: {name}")),
            );
        }
        let listed = if found.is_empty() { listed.to_owned() } else { found.join("<br>") };
        wanted.push_str(&format!("| {mark} | {} | {} | {listed} |\n", cells[1], cells[2]));
    }
    let missing: Vec<_> = tests.keys().filter(|mark| !rows.contains(*mark)).collect();
    assert!(missing.is_empty(), "tests bear rows that the table does not have: {missing:?}");
    for (letter, last) in [('H', 19), ('T', 31), ('S', 15), ('P', 10)] {
        assert!((1..=last).all(|n| rows.contains(&format!("{letter}{n}"))), "all rows of {letter} are there");
    }
    if bless {
        std::fs::write(&file, &wanted).unwrap();
    } else {
        assert!(
            stale.is_empty(),
            "docs/fault-matrix.md names tests that are gone; GODWIT_BLESS=1 cargo test -p godwit-tests --test fault_matrix writes it anew: {stale:#?}"
        );
    }
}

#[test]
fn a_test_bears_its_row_in_its_name() {
    assert_eq!(marked("fn h08_a_thing() {"), Some(("H8".into(), "`h08_a_thing`".into())));
    assert_eq!(marked("async fn t14_a_thing() {"), Some(("T14".into(), "`t14_a_thing`".into())));
    assert_eq!(marked("  test(\"S11: no page\", async () => {"), Some(("S11".into(), "no page".into())));
    for line in ["fn header(x: u8) {", "fn a_thing() {", "test(\"Hello: you\"", "fn h_8() {", "let h08 = 1;"] {
        assert_eq!(marked(line), None, "{line}");
    }
}
