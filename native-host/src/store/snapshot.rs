//! The whole database as one JSON text: a recent copy should the database be damaged, and the way to another engine.
//!
//! Secrets are in it as they are in the database, sealed; an export for people leaves them out.

use super::{Change, Store, StoreError, Tree};
use crate::settings::replace_file;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::de::IgnoredAny;
use serde_json::Value;
use std::path::Path;

/// One record.
pub type Record = (Tree, String, Vec<u8>);

/// Form of the text.
const FORM: u64 = 1;

/// All records but the curves of the monitor: they are large, and nothing is lost with them.
pub fn records(store: &dyn Store) -> Result<Vec<Record>, StoreError> {
    let mut records = Vec::new();
    for tree in Tree::ALL.into_iter().filter(|tree| *tree != Tree::Histories) {
        records.extend(store.all(tree)?.into_iter().map(|(key, bytes)| (tree, key, bytes)));
    }
    Ok(records)
}

/// The text of `records`.
pub fn write(records: &[Record], secrets: bool) -> Result<Vec<u8>, StoreError> {
    // Record by record as they are: ten thousand transfers as a tree of values would take ten times their size.
    let wrong = |what: &str, e: serde_json::Error| StoreError::Record(format!("{what}: {e}"));
    let bytes: usize = records.iter().map(|(_, key, bytes)| key.len() + bytes.len() + 16).sum();
    let mut text = Vec::with_capacity(bytes);
    text.extend_from_slice(format!("{{\n\"form\": {FORM},\n\"trees\": {{").as_bytes());
    let wanted = Tree::ALL.into_iter().filter(|tree| *tree != Tree::Secrets || secrets);
    for (n, tree) in wanted.enumerate() {
        let comma = if n == 0 { "" } else { "," };
        text.extend_from_slice(format!("{comma}\n\"{}\": {{", tree.name()).as_bytes());
        for (n, (_, key, bytes)) in records.iter().filter(|(t, ..)| *t == tree).enumerate() {
            text.extend_from_slice(if n == 0 { b"\n" } else { b",\n" });
            serde_json::to_writer(&mut text, key).map_err(|e| wrong(key, e))?;
            text.extend_from_slice(b": ");
            if tree == Tree::Secrets {
                serde_json::to_writer(&mut text, &STANDARD.encode(bytes)).map_err(|e| wrong(key, e))?;
            } else {
                serde_json::from_slice::<IgnoredAny>(bytes).map_err(|e| wrong(key, e))?;
                text.extend_from_slice(bytes);
            }
        }
        text.push(b'}');
    }
    text.extend_from_slice(b"\n}}\n");
    Ok(text)
}

/// Reads such a text, whole or not at all.
pub fn read(text: &[u8]) -> Result<Vec<Change>, StoreError> {
    let wrong = |why: &str| StoreError::Record(format!("the copy of the database cannot be used: {why}"));
    let value: Value = serde_json::from_slice(text).map_err(|e| wrong(&e.to_string()))?;
    if value.get("form").and_then(Value::as_u64) != Some(FORM) {
        return Err(wrong("it has another form"));
    }
    let mut changes = Vec::new();
    for tree in Tree::ALL {
        let Some(all) = value.get("trees").and_then(|t| t.get(tree.name())) else { continue };
        for (key, record) in all.as_object().ok_or_else(|| wrong("a tree is no object"))? {
            let bytes = match (tree, record) {
                (Tree::Secrets, Value::String(text)) => STANDARD.decode(text).map_err(|e| wrong(&e.to_string()))?,
                (Tree::Secrets, _) => return Err(wrong("a secret is no text")),
                _ => serde_json::to_vec(record).map_err(|e| wrong(&e.to_string()))?,
            };
            changes.push(Change::Put(tree, key.clone(), bytes));
        }
    }
    Ok(changes)
}

/// Keeps a copy in `file`.
pub fn keep(file: &Path, records: &[Record]) {
    let kept = write(records, true).and_then(|text| Ok(replace_file(file, &text)?));
    match kept {
        Ok(()) => tracing::debug!(records = records.len(), "a copy of the database is kept"),
        Err(error) => tracing::error!(%error, "no copy of the database could be kept"),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::store::MemoryStore;

    fn store() -> MemoryStore {
        let mut store = MemoryStore::default();
        store
            .apply(&[
                Change::Put(Tree::Trust, "https://a.example".into(), br#"{"v":1,"d":{"trusted":true}}"#.to_vec()),
                Change::Put(Tree::Secrets, "transfer/1".into(), vec![0, 159, 146, 150]),
                Change::Put(Tree::Meta, "iteration-token".into(), br#"{"v":1,"d":7}"#.to_vec()),
            ])
            .unwrap();
        store
    }

    #[test]
    fn a_copy_holds_everything_and_an_export_no_secret() {
        let all = records(&store()).unwrap();
        let mut copy = MemoryStore::default();
        copy.apply(&read(&write(&all, true).unwrap()).unwrap()).unwrap();
        let again = write(&records(&copy).unwrap(), true).unwrap();
        // Reading may put a record's fields in another order.
        let meaning = |text: &[u8]| serde_json::from_slice::<Value>(text).unwrap();
        assert_eq!(meaning(&again), meaning(&write(&all, true).unwrap()));
        assert_eq!(copy.get(Tree::Secrets, "transfer/1").unwrap().unwrap(), [0, 159, 146, 150]);
        let export = write(&all, false).unwrap();
        assert!(!String::from_utf8(export.clone()).unwrap().contains("transfer/1"));
        assert_eq!(read(&export).unwrap().len(), 2);
    }

    #[test]
    fn half_a_copy_and_one_of_another_form_are_refused_whole() {
        let text = write(&records(&store()).unwrap(), true).unwrap();
        assert!(read(&text[..text.len() / 2]).is_err());
        for bad in [&b"{}"[..], br#"{"form":2,"trees":{}}"#, br#"{"form":1,"trees":{"secrets":{"a":"%"}}}"#, b"[]"] {
            assert!(read(bad).is_err());
        }
    }
}
