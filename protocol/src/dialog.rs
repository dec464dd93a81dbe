//! What a page may say about a file dialog: texts that our own window shows, so they are made harmless here.
//!
//! Nothing a page writes is a reason to refuse a dialog, apart from fields of the wrong type: the user decides in it.

use crate::json;
use crate::spec::SpecError;
use crate::spec::fields::{Fields, MAX_TEXT, wrong};
use crate::spec::public::displayable;
use crate::ui::{FileFilter, PickerOptions};
use serde_json::Value;

/// Most entries of `allowedFileTypes`, and most extensions of one.
const MAX_FILTERS: usize = 64;
/// Longest suggested name, bytes: what a file system takes.
const MAX_NAME: usize = 255;

/// Reads the body of one of the three dialog calls (reference, 1.6), under the names of both SDK generations.
pub fn picker_options(body: &Value) -> Result<PickerOptions, SpecError> {
    let f = Fields(body.as_object().ok_or_else(|| wrong("body", "must be an object"))?);
    Ok(PickerOptions {
        title: displayable(&f.text(&["title"], MAX_TEXT)?.unwrap_or_default()),
        suggested_name: file_name(&f.text(&["suggestedName"], MAX_TEXT)?.unwrap_or_default()),
        multiple: f.switch(&["allowMultipleSelection", "multiple"])?.unwrap_or(true),
        filters: filters(&f)?,
        folder: None,
    })
}

fn filters(f: &Fields<'_>) -> Result<Vec<FileFilter>, SpecError> {
    let Some((name, value)) = f.get(&["allowedFileTypes", "filters"]) else { return Ok(Vec::new()) };
    // Some pages write the list as a JSON text.
    let parsed = value.as_str().map(|text| json::parse::<Value>(text.as_bytes()).unwrap_or_default());
    let value = parsed.as_ref().unwrap_or(value);
    let list = value.as_array().ok_or_else(|| wrong(name, "must be a list"))?;
    let one = |item: &Value| {
        let error = || wrong(name, "must be a list of objects with filter_name and extensions");
        let extensions = item.get("extensions").and_then(Value::as_array).ok_or_else(error)?;
        let extensions = extensions.iter().take(MAX_FILTERS).map(|e| e.as_str().map(extension).ok_or_else(error));
        let filter_name = item.get("filter_name").and_then(Value::as_str).unwrap_or_default();
        Ok(FileFilter { filter_name: displayable(filter_name), extensions: extensions.collect::<Result<_, _>>()? })
    };
    list.iter().take(MAX_FILTERS).map(one).collect()
}

/// Without the dot that pages write although they should not.
fn extension(text: &str) -> String {
    displayable(text.trim_start_matches("*.").trim_start_matches('.'))
}

/// The last component of `text` as one file name; empty if nothing useful is left. A suggestion must not choose a folder.
fn file_name(text: &str) -> String {
    let mut name = displayable(text.rsplit(['/', '\\']).next().unwrap_or_default().trim());
    while name.len() > MAX_NAME {
        name.pop();
    }
    if matches!(name.as_str(), "." | "..") { String::new() } else { name }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    #[test]
    fn both_generations_of_sdks_are_understood_and_the_defaults_are_the_documented_ones() {
        let old = json!({"title": "Pick", "suggestedName": "a.pdf", "allowMultipleSelection": false,
            "allowedFileTypes": [{"filter_name": "Text", "extensions": ["txt", ".md"]}], "aspera_connect_settings": {}});
        let new = json!({"title": "Pick", "suggestedName": "a.pdf", "multiple": false,
            "filters": [{"filter_name": "Text", "extensions": ["txt", "*.md"]}]});
        let options = picker_options(&old).unwrap();
        assert_eq!(options, picker_options(&new).unwrap());
        assert_eq!(options.filters[0].extensions, ["txt", "md"]);
        assert!(!options.multiple);
        let none = picker_options(&json!({"title": "", "allowedFileTypes": ""})).unwrap();
        assert_eq!(none, PickerOptions { multiple: true, ..PickerOptions::default() });
    }

    #[test]
    fn what_is_shown_is_one_line_and_a_suggested_name_chooses_no_folder() {
        for (text, name) in [
            ("../../.bashrc", ".bashrc"),
            ("/etc/cron.d/x", "x"),
            ("C:\\a\\b.txt", "b.txt"),
            ("..", ""),
            (".", ""),
            ("a/", ""),
            ("annexe\u{202e}gpj.exe", "annexegpj.exe"),
            ("a\nb", "ab"),
        ] {
            assert_eq!(picker_options(&json!({"suggestedName": text})).unwrap().suggested_name, name, "{text:?}");
        }
        let long =
            picker_options(&json!({"title": "x\n".repeat(2000), "suggestedName": "\u{e9}".repeat(2000)})).unwrap();
        assert_eq!(long.title.len(), 255);
        assert_eq!(long.suggested_name.len(), 254);
    }

    #[test]
    fn wrong_types_are_named_and_lists_are_bounded() {
        for (field, value) in [
            ("title", json!(1)),
            ("suggestedName", json!([])),
            ("allowMultipleSelection", json!("both")),
            ("allowedFileTypes", json!("txt")),
            ("allowedFileTypes", json!([1])),
            ("filters", json!([{"extensions": [1]}])),
        ] {
            assert_eq!(picker_options(&json!({ field: value })).unwrap_err().field, field);
        }
        let many = vec![json!({"filter_name": "x", "extensions": vec!["a"; 1000]}); 1000];
        let options = picker_options(&json!({"allowedFileTypes": many})).unwrap();
        assert_eq!((options.filters.len(), options.filters[0].extensions.len()), (64, 64));
    }
}
