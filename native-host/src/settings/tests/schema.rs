//! The schema of policies that the extension gives to Chromium, against the settings themselves.

use crate::settings::layers::Stack;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use std::path::Path;

fn schema() -> Map<String, Value> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../extension/background/managed-schema.json");
    let schema: Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    assert_eq!(schema["type"], json!("object"));
    schema["properties"].as_object().unwrap().clone()
}

/// `section.key` of every setting.
fn names() -> BTreeSet<String> {
    let values = Stack::default().values;
    let sections = values.as_object().unwrap().iter();
    sections
        .flat_map(|(section, keys)| keys.as_object().unwrap().keys().map(move |k| format!("{section}.{k}")))
        .collect()
}

#[test]
fn the_schema_names_every_setting_and_nothing_else() {
    let mut wanted: BTreeSet<String> =
        ["trust.trusted", "trust.restricted", "trust.only_listed"].map(str::to_owned).into();
    for name in names() {
        wanted.extend([format!("set.{name}"), format!("lock.{name}")]);
    }
    assert_eq!(schema().keys().cloned().collect::<BTreeSet<_>>(), wanted);
}

#[test]
fn each_value_that_the_schema_lets_through_fits_and_what_it_stops_would_not() {
    let schema = schema();
    for name in names() {
        let each = &schema[&format!("lock.{name}")];
        let (section, key) = name.split_once('.').unwrap();
        let mut stack = Stack::default();
        let default = stack.values[section][key].clone();
        match each["type"].as_str().unwrap() {
            "boolean" => assert!(default.is_boolean(), "{name}"),
            "integer" => {
                assert!(default.is_u64(), "{name}");
                let least = each["minimum"].as_i64().unwrap_or_else(|| panic!("{name} has no minimum"));
                stack.put(&name, &json!(least)).unwrap();
                assert!(stack.put(&name, &json!(least - 1)).is_err(), "{name}: {least} is not the least");
                // Chromium's whole numbers end there.
                let most = each["maximum"].as_i64().unwrap_or(i64::from(i32::MAX));
                stack.put(&name, &json!(most)).unwrap();
                if each.get("maximum").is_some() {
                    assert!(stack.put(&name, &json!(most + 1)).is_err(), "{name}: {most} is not the most");
                } else {
                    assert!(name.ends_with("_kbps"), "{name} has no maximum");
                }
            }
            "string" => {
                assert!(default.is_string() || default.is_null(), "{name}");
                let words = each.get("enum").and_then(Value::as_array);
                for word in words.into_iter().flatten() {
                    stack.put(&name, word).unwrap();
                }
                let closed = stack.put(&name, &json!("/no-such-word")).is_err() && name != "downloads.folder";
                let open = ["files.partial_suffix", "files.checkpoint_suffix", "files.illegal_replacement"];
                let free = open.contains(&name.as_str()) || name == "security.protected_hosts";
                assert_eq!(words.is_some(), closed && !free, "{name}: words");
            }
            other => panic!("{name}: {other}"),
        }
    }
}

#[test]
fn what_is_locked_and_what_is_set_have_the_same_form() {
    let schema = schema();
    let form = |name: &str| {
        let mut each = schema[name].as_object().unwrap().clone();
        let words = each.remove("description").unwrap();
        assert!(words.as_str().unwrap().ends_with('.'), "{name}");
        each
    };
    for name in names() {
        assert_eq!(form(&format!("set.{name}")), form(&format!("lock.{name}")), "{name}");
    }
    // Chromium refuses the whole extension otherwise.
    let known = ["type", "enum", "minimum", "maximum", "items"];
    for name in schema.keys() {
        assert!(form(name).keys().all(|word| known.contains(&word.as_str())), "{name}");
    }
}
