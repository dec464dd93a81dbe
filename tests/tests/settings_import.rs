//! Settings of the predecessors are taken over through the real agent: shown first, never over what was chosen, from files that
//! may be hostile.

#![allow(clippy::unwrap_used)]

use godwit_tests::wait::LONG;
use godwit_tests::{Scratch, processes};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::process::Output;

const CARGO: &str = "<?xml version=\"1.0\"?>\n<conf version=\"1\"><accounts><account><user>ann</user><password>geheim</password>\
    <download_folder>/srv/in</download_folder></account></accounts><general><concurrent_transfers>5</concurrent_transfers></general>\
    <transfers><retry_attempts>7</retry_attempts></transfers><mystery>x</mystery></conf>";

fn import(scratch: &Scratch, more: &[&str]) -> Output {
    processes::output(scratch.command("godwit").args(["settings", "import"]).args(more).env("RUST_LOG", "off"), LONG)
}

fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn settings(scratch: &Scratch) -> String {
    fs::read_to_string(scratch.home().join("settings.toml")).unwrap()
}

fn json_of(output: &Output) -> Value {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn what_was_found_is_shown_then_taken_over_and_what_was_chosen_here_stays() {
    let scratch = Scratch::new();
    scratch.write_settings("# mine\n[queue]\nactive = 9\n[log]\nlevel = \"debug\"\n");
    let root = scratch.folder("old-disk");
    write(&root.join("opt/aspera/cargod/etc/asperacargo.conf"), CARGO);
    let connect =
        "<CONF version=\"2\"><default><file_system><resume_suffix>.aspx</resume_suffix></file_system></default></CONF>";
    write(&scratch.user_home().join(".aspera/connect/etc/aspera.conf"), connect);
    let root = root.to_str().unwrap();

    let before = settings(&scratch);
    let shown = json_of(&import(&scratch, &["--dry-run", "--json", "--root", root]));
    assert_eq!((settings(&scratch), &shown["done"]), (before.clone(), &json!(false)));
    let verdict = |report: &Value, name: &str| {
        let lines = report["settings"].as_array().unwrap();
        lines.iter().find(|line| line["name"] == name).map_or(Value::Null, |line| line["verdict"].clone())
    };
    for (name, expected) in [
        ("queue.active", "keep"),
        ("retry.attempts", "take"),
        ("downloads.folder", "take"),
        ("files.checkpoint_suffix", "take"),
    ] {
        assert_eq!(verdict(&shown, name), expected, "{name}: {shown}");
    }
    assert_eq!(shown["files"].as_array().unwrap().len(), 2);
    assert!(shown["left"].as_array().unwrap().iter().any(|left| left["place"] == "conf/mystery"));
    assert!(!shown.to_string().contains("geheim"), "{shown}");

    let asked = import(&scratch, &["--root", root]);
    assert!(!asked.status.success() && settings(&scratch) == before, "nobody was there to say yes");

    let done = json_of(&import(&scratch, &["--yes", "--json", "--root", root]));
    assert_eq!(done["done"], true);
    let text = settings(&scratch);
    for kept in ["# mine", "active = 9", "attempts = 7", "folder = \"/srv/in\"", "checkpoint_suffix = \".aspx\""] {
        assert!(text.contains(kept), "{kept} is not in:\n{text}");
    }
    json_of(&import(&scratch, &["--yes", "--json", "--replace", "--from", "cargo", "--root", root]));
    assert!(settings(&scratch).contains("active = 5"));
    let again = json_of(&import(&scratch, &["--yes", "--json", "--root", root]));
    assert_eq!((verdict(&again, "queue.active"), &again["done"]), (json!("same"), &json!(false)));
    // People read the same, without what would drive their terminal.
    write(Path::new(root).join("opt/aspera/cargo/etc/x.conf").as_path(), "{\"conf\": {\"odd\": \"a\\u001b[2J\"}}");
    let people = import(&scratch, &["--dry-run", "--root", root]);
    let people = String::from_utf8(people.stdout).unwrap();
    assert!(
        people.contains("queue.active: 5 already") && people.contains("conf/odd = a\u{fffd}[2J: not known"),
        "{people}"
    );
}

#[test]
fn a_hostile_file_changes_nothing_and_hides_no_other() {
    let scratch = Scratch::new();
    let before = settings(&scratch);
    let laughs = "<!DOCTYPE l [<!ENTITY a \"ha\"><!ENTITY b \"&a;&a;\">]><conf>&b;</conf>";
    for (name, text) in [("laughs", laughs), ("half", "<conf><general>"), ("binary", "\u{0}\u{1}"), ("empty", "")] {
        let file = scratch.path(name);
        write(&file, text);
        let output = import(&scratch, &[file.to_str().unwrap(), "--yes"]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && said.contains(name), "{said}");
    }
    let root = scratch.folder("disk");
    write(&root.join("opt/aspera/cargod/etc/asperacargo.conf"), laughs);
    write(
        &root.join("opt/aspera/cargo/etc/mine.conf"),
        r#"{"conf": {"accounts": [{"packages": {"download_dir": "/in"}}]}}"#,
    );
    let report = json_of(&import(&scratch, &["--dry-run", "--json", "--root", root.to_str().unwrap()]));
    assert_eq!(report["settings"].as_array().unwrap().len(), 1, "{report}");
    assert!(report["left"].to_string().contains("document type"), "{report}");
    assert_eq!(settings(&scratch), before);
}

#[test]
fn without_any_file_it_says_so() {
    let scratch = Scratch::new();
    let none = scratch.folder("none");
    let output = import(&scratch, &["--root", none.to_str().unwrap()]);
    assert!(output.status.success() && String::from_utf8_lossy(&output.stdout).contains("were found"), "{output:?}");
    assert!(scratch.agents().is_empty(), "no agent is started for nothing");
}
