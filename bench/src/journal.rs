//! All measurements of a run in one file, written after every one, so that an interrupted run can be continued.

use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Which measurement: of two with the same key one is enough.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    /// `wan`, `sharing`, …
    pub(crate) part: String,
    /// The line, or the task.
    pub(crate) row: String,
    /// Who, and how.
    pub(crate) contestant: String,
    /// From 1.
    pub(crate) round: usize,
}

/// Named figures; units in the names.
pub(crate) type Values = BTreeMap<String, f64>;

/// One measurement.
#[derive(Clone, Debug)]
pub(crate) struct Measurement {
    /// Which.
    pub(crate) key: Key,
    /// What came out; empty if the contestant failed.
    pub(crate) values: Values,
    /// What a reader must know, such as that it was cut.
    pub(crate) note: String,
}

/// The measurements in the order in which they were made.
#[derive(Debug)]
pub(crate) struct Journal {
    file: PathBuf,
    about: Value,
    all: Vec<Measurement>,
}

impl Journal {
    /// An empty one, or with `go_on` what the file holds.
    pub(crate) fn open(file: &Path, about: Value, go_on: bool) -> Self {
        let all = if go_on { read(file) } else { Vec::new() };
        Self { file: file.to_owned(), about, all }
    }

    /// True if there is nothing left to do for this key.
    pub(crate) fn has(&self, key: &Key) -> bool {
        self.all.iter().any(|m| m.key == *key)
    }

    /// All so far.
    pub(crate) fn all(&self) -> &[Measurement] {
        &self.all
    }

    /// Adds one and writes the file: never half, since another file takes its place.
    pub(crate) fn add(&mut self, measurement: Measurement) {
        let figures: Vec<String> = measurement.values.iter().map(|(name, v)| format!("{name} {v:.2}")).collect();
        let Key { row, contestant, round, .. } = &measurement.key;
        eprintln!("  {row} · {contestant} · round {round}: {} {}", figures.join(", "), measurement.note);
        self.all.push(measurement);
        let list: Vec<Value> = self.all.iter().map(to_json).collect();
        let document = json!({"about": self.about, "measurements": list});
        let next = self.file.with_extension("json.next");
        let written =
            std::fs::write(&next, format!("{document:#}\n")).and_then(|()| std::fs::rename(&next, &self.file));
        written.unwrap_or_else(|e| panic!("{}: {e}", self.file.display()));
    }
}

fn to_json(m: &Measurement) -> Value {
    let Key { part, row, contestant, round } = &m.key;
    json!({"part": part, "row": row, "contestant": contestant, "round": round, "values": m.values, "note": m.note})
}

fn read(file: &Path) -> Vec<Measurement> {
    let Ok(text) = std::fs::read_to_string(file) else { return Vec::new() };
    let document: Value = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
    document["measurements"].as_array().into_iter().flatten().filter_map(from_json).collect()
}

fn from_json(value: &Value) -> Option<Measurement> {
    let word = |name: &str| value[name].as_str().map(str::to_owned);
    let round = usize::try_from(value["round"].as_u64()?).ok()?;
    let key = Key { part: word("part")?, row: word("row")?, contestant: word("contestant")?, round };
    let figures = value["values"].as_object()?.iter();
    let values = figures.filter_map(|(name, v)| Some((name.clone(), v.as_f64()?))).collect();
    Some(Measurement { key, values, note: word("note").unwrap_or_default() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interrupted_run_is_continued_where_it_stopped() {
        let scratch = godwit_tests::Scratch::new();
        let file = scratch.path("results.json");
        let key = |round| Key { part: "wan".into(), row: "r".into(), contestant: "c".into(), round };
        let mut first = Journal::open(&file, json!({}), false);
        let values = Values::from([("seconds".to_owned(), 1.5)]);
        first.add(Measurement { key: key(1), values: values.clone(), note: "cut".into() });
        let second = Journal::open(&file, json!({}), true);
        assert!(second.has(&key(1)) && !second.has(&key(2)));
        assert_eq!((&second.all()[0].values, second.all()[0].note.as_str()), (&values, "cut"));
        assert!(Journal::open(&file, json!({}), false).all().is_empty());
    }
}
