//! What the documentation shows is what the program prints.

#![allow(clippy::unwrap_used)]

use godwit_protocol::ErrorCode;
use serde_json::Value;
use std::fs;
use std::path::Path;

fn room(path: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

#[test]
fn each_json_line_in_the_documentation_is_a_golden_report() {
    let mut golden = Vec::new();
    for entry in fs::read_dir(room("protocol/golden")).unwrap() {
        let path = entry.unwrap().path();
        if path.file_name().unwrap().to_str().unwrap().starts_with("worker-") {
            golden.push(serde_json::from_str::<Value>(&fs::read_to_string(path).unwrap()).unwrap());
        }
    }
    let text = fs::read_to_string(room("docs/use.md")).unwrap();
    let shown: Vec<Value> =
        text.lines().filter(|line| line.starts_with("{\"type\":")).map(|l| serde_json::from_str(l).unwrap()).collect();
    for line in &shown {
        assert!(golden.contains(line), "no golden file says {line}");
    }
    for kind in ["session", "stats", "file", "done", "error"] {
        assert!(shown.iter().any(|line| line["type"] == kind), "{kind}");
    }
}

#[test]
fn each_number_that_a_copy_can_end_with_stands_in_the_documentation() {
    let text = fs::read_to_string(room("docs/use.md")).unwrap();
    let rows = text.lines().filter_map(|line| line.strip_prefix("| ")?.split(" | ").next());
    let told: Vec<u16> = rows.flat_map(|cell| cell.split(", ")).filter_map(|number| number.parse().ok()).collect();
    // 0 is success; 43 is told as 4, 5 or 35, by what the system said.
    for code in ErrorCode::ALL.iter().filter(|code| !matches!(code.number(), 0 | 43)) {
        assert!(told.contains(&code.number()), "{code} {}", code.text());
    }
    for line in text.lines().filter(|line| line.starts_with("| ")) {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let (Some(first), Some(again), 4) = (cells.first(), cells.last(), cells.len()) else { continue };
        for number in first.split(", ").filter_map(|number| number.parse().ok()) {
            let retryable = ErrorCode::from_number(number).is_retryable();
            assert_eq!(*again == "yes", retryable, "{number}: 'Again' says '{again}'");
        }
    }
}
