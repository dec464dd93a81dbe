//! File dialogs for pages: asked, answered, granted.

use super::requests::{Stage, Wanted};
use super::{Chosen, ConnId, Core, Job, Ticket};
use crate::limits::MAX_CHOSEN;
use crate::prompts::Purpose;
use crate::time::local_ctime;
use godwit_protocol::Origin;
use godwit_protocol::page::{Endpoint, PageAnswer};
use godwit_protocol::start::parse_body;
use godwit_protocol::ui::{Decision, FileFilter, PickerOptions, Question};
use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;

/// Longest text of a page that a dialog shows, characters.
const MAX_TEXT: usize = 200;
/// Most kinds of files, and extensions of one kind.
const MAX_FILTERS: usize = 50;

impl Core {
    pub(super) fn dialog_call(
        &mut self,
        conn: ConnId,
        id: u64,
        origin: Origin,
        endpoint: Endpoint,
        body: String,
        deadline: Option<Duration>,
    ) {
        let value = match parse_body(&body) {
            Ok(value) => value,
            Err(error) => return self.answer(conn, id, &super::page_calls::bad_body(&error)),
        };
        if self.asks_too_much(conn, &origin) {
            let answer = PageAnswer::error(429, "too many dialogs", "A file dialog of this site is open already.");
            return self.answer(conn, id, &answer);
        }
        let question = question(&endpoint, &value);
        let wanted = Wanted::Page { origin: origin.clone(), endpoint, body: String::new(), stage: Stage::Disk };
        let ticket = self.wait(conn, id, deadline, wanted);
        let prompt_id = self.ask(conn, &origin, question, Purpose::Dialog(ticket));
        if let Some(Wanted::Page { stage, .. }) = self.waiting.get_mut(&ticket).map(|w| &mut w.what) {
            *stage = Stage::Dialog { prompt_id };
        }
    }

    pub(super) fn dialog_answered(&mut self, ticket: Ticket, question: &Question, decision: Decision) {
        let Decision::Chosen { paths } = decision else {
            let Some(waiting) = self.take_waiting(ticket) else { return };
            return self.answer(waiting.conn, waiting.id, &files(&[]));
        };
        // The user has decided: from here on it is the disk's turn, and the dialog's time limit is over.
        if let Some(waiting) = self.waiting.get_mut(&ticket) {
            waiting.deadline = None;
            if let Wanted::Page { stage, .. } = &mut waiting.what {
                *stage = Stage::Disk;
            }
            let save = matches!(question, Question::SaveFile(_));
            self.out.push(super::Output::Job(Job::Inspect { ticket, paths, save }));
        }
    }

    pub(super) fn inspected(&mut self, ticket: Ticket, chosen: &[Chosen]) {
        let Some(waiting) = self.take_waiting(ticket) else { return };
        let Wanted::Page { origin, .. } = waiting.what else { return };
        let session = self.session_of(waiting.conn);
        self.grants.add(&session, &origin, chosen.iter().map(|c| c.grant.clone()));
        if let Some(folder) = chosen.first().and_then(|c| Path::new(&c.path).parent()) {
            self.recent_folder = Some(folder.to_owned());
        }
        self.answer(waiting.conn, waiting.id, &files(chosen));
    }
}

/// Refuses choices that no picker of ours makes.
pub(super) fn judge_choice(question: &Question, paths: &[String]) -> Result<(), &'static str> {
    let many = match question {
        Question::OpenFiles(options) | Question::OpenFolders(options) => options.multiple,
        _ => false,
    };
    if paths.is_empty() || paths.len() > MAX_CHOSEN || (paths.len() > 1 && !many) {
        return Err("The number of files does not fit the dialog.");
    }
    if paths.iter().any(|p| !p.starts_with('/') || p.contains('\0') || p.split('/').any(|part| part == "..")) {
        return Err("A chosen path must be absolute and without '..'.");
    }
    Ok(())
}

fn question(endpoint: &Endpoint, body: &Value) -> Question {
    let text = |name: &str| -> String {
        let raw = body.get(name).and_then(Value::as_str).unwrap_or_default();
        raw.chars().filter(|c| !c.is_control()).take(MAX_TEXT).collect()
    };
    let options = PickerOptions {
        title: text("title"),
        // A name, not a path: what a page suggests must not lead anywhere.
        suggested_name: text("suggestedName").rsplit('/').next().unwrap_or_default().to_owned(),
        multiple: switch(body.get("allowMultipleSelection")).unwrap_or(true),
        filters: filters(body.get("allowedFileTypes")),
    };
    match endpoint {
        Endpoint::SelectFolders => Question::OpenFolders(options),
        Endpoint::SelectSave => Question::SaveFile(PickerOptions { multiple: false, ..options }),
        _ => Question::OpenFiles(options),
    }
}

fn switch(value: Option<&Value>) -> Option<bool> {
    match value? {
        Value::Bool(on) => Some(*on),
        Value::String(text) => Some(text != "false"),
        _ => None,
    }
}

/// `""` or a list, by some pages as JSON text. What cannot be read restricts nothing.
fn filters(value: Option<&Value>) -> Vec<FileFilter> {
    let parsed;
    let list = match value {
        Some(Value::Array(list)) => list,
        Some(Value::String(text)) => {
            parsed = godwit_protocol::json::parse::<Vec<Value>>(text.as_bytes()).unwrap_or_default();
            &parsed
        }
        _ => return Vec::new(),
    };
    let one = |value: &Value| {
        let mut filter: FileFilter = serde_json::from_value(value.clone()).ok()?;
        filter.filter_name = filter.filter_name.chars().filter(|c| !c.is_control()).take(MAX_TEXT).collect();
        filter.extensions.truncate(MAX_FILTERS);
        Some(filter)
    };
    list.iter().take(MAX_FILTERS).filter_map(one).collect()
}

/// `dataTransfer` as pages expect it; a cancelled dialog has no files.
fn files(chosen: &[Chosen]) -> PageAnswer {
    let file = |c: &Chosen| {
        let folder = c.grant.kind == crate::grants::GrantKind::Folder;
        json!({
            "lastModifiedDate": local_ctime(c.modified_ms),
            "name": c.path,
            "size": c.size,
            "type": if folder { "inode/directory" } else { mime(&c.path) },
        })
    };
    PageAnswer::ok(&json!({"dataTransfer": {"files": chosen.iter().map(file).collect::<Vec<_>>()}}))
}

/// Kinds that web applications look at; the rest is bytes.
fn mime(path: &str) -> &'static str {
    let extension = Path::new(path).extension().and_then(|e| e.to_str()).unwrap_or_default().to_ascii_lowercase();
    match extension.as_str() {
        "txt" | "log" | "md" => "text/plain",
        "html" | "htm" => "text/html",
        "css" => "text/css",
        "csv" => "text/csv",
        "js" | "mjs" => "text/javascript",
        "json" => "application/json",
        "xml" => "application/xml",
        "pdf" => "application/pdf",
        "zip" => "application/zip",
        "gz" | "tgz" => "application/gzip",
        "tar" => "application/x-tar",
        "jpg" | "jpeg" => "image/jpeg",
        "png" => "image/png",
        "gif" => "image/gif",
        "svg" => "image/svg+xml",
        "tif" | "tiff" => "image/tiff",
        "webp" => "image/webp",
        "mp3" => "audio/mpeg",
        "wav" => "audio/x-wav",
        "mp4" | "m4v" => "video/mp4",
        "mov" => "video/quicktime",
        "mkv" => "video/x-matroska",
        "mxf" => "application/mxf",
        "webm" => "video/webm",
        "doc" => "application/msword",
        "docx" => "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        "xls" => "application/vnd.ms-excel",
        "xlsx" => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_page_writes_into_a_dialog_is_bounded_and_harmless() {
        let body = json!({"title": "a\u{1b}[31m".to_owned() + &"x".repeat(900), "suggestedName": "../../etc/passwd",
            "allowMultipleSelection": "false",
            "allowedFileTypes": [{"filter_name": "Pictures", "extensions": ["png"]}, "nonsense"]});
        let Question::OpenFiles(options) = question(&Endpoint::SelectFiles, &body) else { panic!("files") };
        assert_eq!(options.title.chars().count(), MAX_TEXT);
        assert!(!options.title.contains('\u{1b}'));
        assert_eq!((options.suggested_name.as_str(), options.multiple), ("passwd", false));
        assert_eq!(options.filters.len(), 1);
        let Question::SaveFile(options) = question(&Endpoint::SelectSave, &json!({"allowedFileTypes": ""})) else {
            panic!("save")
        };
        assert!(options.filters.is_empty() && !options.multiple);
    }

    #[test]
    fn a_choice_must_fit_the_dialog() {
        let single = Question::OpenFiles(PickerOptions::default());
        let many = Question::OpenFolders(PickerOptions { multiple: true, ..PickerOptions::default() });
        let paths = |list: &[&str]| list.iter().map(|p| (*p).to_owned()).collect::<Vec<_>>();
        assert!(judge_choice(&single, &paths(&["/a"])).is_ok());
        assert!(judge_choice(&many, &paths(&["/a", "/b"])).is_ok());
        for bad in [paths(&[]), paths(&["/a", "/b"]), paths(&["a"]), paths(&["/a/../b"]), paths(&["/a\0"])] {
            assert!(judge_choice(&single, &bad).is_err(), "{bad:?}");
        }
    }
}
