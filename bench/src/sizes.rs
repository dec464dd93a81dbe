//! Sizes of what is installed: programs, and the extension's WebAssembly.

use crate::table;
use godwit_tests::{binaries, scratch};
use serde_json::{Map, Value, json};

const PROGRAMS: [&str; 5] = ["godwit-host", "godwit-agent", "godwit-worker", "godwit-server", "godwit"];

/// Measures and prints; returns the same as JSON.
pub(crate) fn run() -> Value {
    let mut sizes = Map::new();
    for name in PROGRAMS {
        sizes.insert(name.to_owned(), json!(std::fs::metadata(binaries::path(name)).unwrap().len()));
    }
    for file in scratch::files_below(&binaries::workspace().join("dist/extension-chromium")) {
        if file.extension().is_some_and(|e| e == "wasm") {
            let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
            sizes.insert(name, json!(std::fs::metadata(&file).unwrap().len()));
        }
    }
    let mut rows = vec![vec!["".to_owned(), "KiB".to_owned()]];
    let cell = |v: &Value| format!("{:.0}", v.as_f64().unwrap_or_default() / 1024.0);
    rows.extend(sizes.iter().map(|(name, bytes)| vec![name.clone(), cell(bytes)]));
    table::print("Sizes", &rows);
    Value::Object(sizes)
}
