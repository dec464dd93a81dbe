//! The golden files: one JSON text per kind of message, which native code and WebAssembly must read and write alike.
//!
//! For every file: parse → the Rust value below → serialise → the same JSON. `golden/index.json` names the type of each
//! file. After a deliberate change of a shape: `GODWIT_BLESS=1 cargo test -p godwit-protocol --test golden`, then read
//! the difference; older builds must still understand it.
#![allow(clippy::unwrap_used)]

mod frames;
mod session;
mod spec;
mod ui;
mod windows;
mod worker;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::fs;
use std::path::PathBuf;

/// One file.
struct Case {
    name: &'static str,
    type_name: &'static str,
    /// What the value serialises to.
    json: Value,
    /// Parses the file's text and compares with the value.
    check: Box<dyn Fn(&str)>,
}

/// A file that holds `value`.
fn case<T>(name: &'static str, type_name: &'static str, value: T) -> Case
where
    T: Serialize + DeserializeOwned + PartialEq + Debug + 'static,
{
    let json = serde_json::to_value(&value).unwrap();
    let check = move |text: &str| {
        let parsed: T = godwit_protocol::json::parse(text.as_bytes()).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!(parsed, value, "{name}");
    };
    Case { name, type_name, json, check: Box::new(check) }
}

fn cases() -> Vec<Case> {
    [frames::cases(), ui::cases(), windows::cases(), worker::cases(), session::cases(), spec::cases()]
        .into_iter()
        .flatten()
        .collect()
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("golden")
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap() + "\n"
}

fn index() -> Value {
    let names: BTreeMap<String, &str> = cases().iter().map(|c| (format!("{}.json", c.name), c.type_name)).collect();
    serde_json::to_value(names).unwrap()
}

/// Writes the files if asked to. Every test begins with this.
fn bless() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        if std::env::var_os("GODWIT_BLESS").is_some() {
            for case in cases() {
                fs::write(folder().join(format!("{}.json", case.name)), pretty(&case.json)).unwrap();
            }
            fs::write(folder().join("index.json"), pretty(&index())).unwrap();
        }
    });
}

#[test]
fn every_message_is_read_and_written_as_its_file_says() {
    bless();
    for case in cases() {
        let path = folder().join(format!("{}.json", case.name));
        let text = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        (case.check)(&text);
        let file: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(case.json, file, "{}", case.name);
    }
}

#[test]
fn the_index_and_the_folder_name_the_same_files() {
    bless();
    let text = fs::read_to_string(folder().join("index.json")).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), index());
    let mut names: Vec<String> =
        fs::read_dir(folder()).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.retain(|name| name != "index.json");
    names.sort();
    let listed: Vec<String> = index().as_object().unwrap().keys().cloned().collect();
    assert_eq!(names, listed);
}

#[test]
fn every_golden_message_is_small_enough_for_a_frame_and_shallow_enough_for_the_parser() {
    bless();
    for case in cases() {
        let bytes = serde_json::to_vec(&case.json).unwrap();
        godwit_protocol::frame::encode(&bytes).unwrap();
        godwit_protocol::json::parse::<Value>(&bytes).unwrap();
    }
}
