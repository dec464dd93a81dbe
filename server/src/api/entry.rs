//! How an object looks in answers about paths.

use super::Caller;
use crate::node_path::NodePath;
use crate::storage::{Item, Kind, PARTIAL, Stat};
use serde_json::{Map, Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Word for a kind. Devices and the like are files that cannot be read.
pub(super) fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Folder => "directory",
        Kind::Link => "symbolic_link",
        Kind::File | Kind::Special => "file",
    }
}

/// Nanoseconds since the Unix epoch as `2026-01-31T12:00:00Z`. Disks hold times that no calendar has: those become the
/// epoch.
pub(super) fn instant(ns: i64) -> String {
    let at = OffsetDateTime::from_unix_timestamp(ns.div_euclid(1_000_000_000)).ok();
    at.and_then(|at| at.format(&Rfc3339).ok()).unwrap_or_else(|| "1970-01-01T00:00:00Z".to_owned())
}

/// An entry of `browse` and `search`.
pub(super) fn entry(caller: &Caller, path: &NodePath, stat: &Stat) -> Value {
    let name = if path.is_root() { "/" } else { path.name() };
    let permissions: Vec<Value> = caller.files().rights(path).names().map(|name| json!({"name": name})).collect();
    let mut fields = Map::new();
    fields.insert("path".into(), json!(path.to_string()));
    fields.insert("basename".into(), json!(name));
    fields.insert("type".into(), json!(kind(stat.kind)));
    fields.insert("size".into(), json!(stat.size));
    fields.insert("mtime".into(), json!(instant(stat.mtime_ns)));
    fields.insert("permissions".into(), json!(permissions));
    if stat.kind == Kind::File && name.ends_with(PARTIAL) {
        fields.insert("partial_file".into(), json!(true));
    }
    Value::Object(fields)
}

/// Entries of a listing.
pub(super) fn entries(caller: &Caller, items: &[Item]) -> Vec<Value> {
    items.iter().map(|item| entry(caller, &item.path, &item.stat)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_in_utc_and_impossible_ones_do_no_harm() {
        assert_eq!(instant(1_700_000_000_999_999_999), "2023-11-14T22:13:20Z");
        assert_eq!(instant(-1), "1969-12-31T23:59:59Z");
        for odd in [i64::MIN, i64::MAX] {
            assert!(instant(odd).ends_with('Z'), "{odd}");
        }
    }
}
