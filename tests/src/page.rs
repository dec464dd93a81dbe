//! A web page that uses the vendor's SDK, reduced to what the SDK sends.

use crate::Browserish;
use serde_json::{Value, json};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

static STARTS: AtomicU64 = AtomicU64::new(1);

/// A page of one origin with one app id.
#[derive(Clone, Debug)]
pub struct Page<'a> {
    browser: &'a Browserish,
    origin: String,
    app_id: String,
}

impl<'a> Page<'a> {
    pub(crate) fn new(browser: &'a Browserish, origin: &str, app_id: &str) -> Self {
        Self { browser, origin: origin.to_owned(), app_id: app_id.to_owned() }
    }

    /// `GET`: status and body.
    #[must_use]
    pub fn get(&self, uri: &str) -> (u16, Value) {
        self.parsed(self.browser.page_call(&self.origin, "GET", uri, ""))
    }

    /// `POST` with the app id added, as the SDK does.
    #[must_use]
    pub fn post(&self, uri: &str, mut body: Value) -> (u16, Value) {
        body["aspera_connect_settings"] = json!({"app_id": self.app_id});
        self.post_text(uri, &body.to_string())
    }

    /// `POST` of any text.
    #[must_use]
    pub fn post_text(&self, uri: &str, body: &str) -> (u16, Value) {
        self.parsed(self.browser.page_call(&self.origin, "POST", uri, body))
    }

    fn parsed(&self, answer: godwit_protocol::page::PageAnswer) -> (u16, Value) {
        let body = serde_json::from_str(&answer.body).unwrap_or_else(|e| panic!("{e}: not JSON: {}", answer.body));
        (answer.status, body)
    }

    /// Asks for a file dialog in which the user chooses `paths`.
    pub fn pick_files(&self, paths: &[&Path]) {
        self.pick("/connect/windows/select-open-file-dialog/", paths);
    }

    /// Asks for a folder dialog in which the user chooses `paths`.
    pub fn pick_folders(&self, paths: &[&Path]) {
        self.pick("/connect/windows/select-open-folder-dialog/", paths);
    }

    fn pick(&self, uri: &str, paths: &[&Path]) {
        self.browser.user(|user| user.picks.push_back(paths.iter().map(|p| (*p).to_owned()).collect()));
        let (status, body) = self.post(uri, json!({"title": "", "allowMultipleSelection": true}));
        assert_eq!(status, 200, "the dialog: {body}");
        let files = body["dataTransfer"]["files"].as_array().unwrap_or_else(|| panic!("no files: {body}"));
        let names: Vec<&str> = files.iter().map(|f| f["name"].as_str().unwrap()).collect();
        let wanted: Vec<&str> = paths.iter().map(|p| p.to_str().unwrap()).collect();
        assert_eq!(names, wanted, "the dialog returns what was chosen");
    }

    /// Starts a transfer: status and body of the answer.
    #[must_use]
    pub fn try_start(&self, spec: &Value, settings: Value) -> (u16, Value) {
        let mut settings = settings;
        settings["app_id"] = json!(self.app_id);
        // New for each start, as the SDK makes it: the same one again is the same transfer again.
        let number = STARTS.fetch_add(1, Ordering::Relaxed);
        settings["request_id"] = json!(format!("3a1e8a3e-5c2b-4c3e-9f57-{number:012x}"));
        settings["back_link"] = json!(format!("{}/", self.origin));
        self.post(
            "/connect/transfers/start",
            json!({"transfer_specs": [{"transfer_spec": spec, "aspera_connect_settings": settings}]}),
        )
    }

    /// Starts a transfer that must be accepted: its uuid.
    #[must_use]
    pub fn start(&self, spec: &Value) -> String {
        self.start_with(spec, json!({}))
    }

    /// Starts a download into an absolute, granted folder.
    #[must_use]
    pub fn start_absolute(&self, spec: &Value) -> String {
        self.start_with(spec, json!({"use_absolute_destination_path": true}))
    }

    fn start_with(&self, spec: &Value, settings: Value) -> String {
        let (status, body) = self.try_start(spec, settings);
        assert_eq!(status, 200, "the start was refused: {body}");
        let uuid = body["transfer_specs"][0]["uuid"].as_str().unwrap_or_else(|| panic!("no uuid: {body}"));
        uuid.to_owned()
    }

    /// `activity` since a token: the body.
    #[must_use]
    pub fn activity(&self, token: u64) -> Value {
        let (status, body) = self.post("/connect/transfers/activity", json!({"iteration_token": token}));
        assert_eq!(status, 200, "{body}");
        let listed = body["transfers"].as_array().expect("a list").len() as u64;
        assert_eq!(body["result_count"].as_u64(), Some(listed), "result_count is the length of the list");
        body
    }

    /// Status and body of `info`.
    #[must_use]
    pub fn try_info(&self, uuid: &str) -> (u16, Value) {
        self.post(&format!("/connect/transfers/info/{uuid}"), json!({}))
    }

    /// The `TransferInfo`.
    #[must_use]
    pub fn info(&self, uuid: &str) -> Value {
        let (status, body) = self.try_info(uuid);
        assert_eq!(status, 200, "{body}");
        body["transfer_info"].clone()
    }

    /// `stop`, `resume` or `remove`: status and body.
    #[must_use]
    pub fn act(&self, action: &str, uuid: &str) -> (u16, Value) {
        self.post(&format!("/connect/transfers/{action}/{uuid}"), json!({}))
    }

    /// As [`Self::act`], and it must succeed.
    pub fn must(&self, action: &str, uuid: &str) {
        let (status, body) = self.act(action, uuid);
        assert_eq!(status, 200, "{action}: {body}");
    }

    /// Waits until the transfer has this status; an end of another kind fails at once.
    pub fn wait_status(&self, uuid: &str, wanted: &str, limit: Duration) -> Value {
        crate::until(&format!("transfer {uuid} is {wanted}"), limit, || {
            let info = self.info(uuid);
            let status = info["status"].as_str().unwrap_or_default();
            if status == wanted {
                return Some(info);
            }
            let ended = matches!(status, "completed" | "failed" | "cancelled" | "removed");
            // After `resume` the old end may be seen once more.
            let old = wanted != "cancelled" && status == "cancelled";
            assert!(!ended || old, "wanted {wanted}, but the transfer ended: {info}");
            None
        })
    }

    /// Waits until the receiver has verified at least `bytes`, and returns what it has.
    pub fn wait_written(&self, uuid: &str, bytes: u64, limit: Duration) -> u64 {
        crate::until(&format!("transfer {uuid} has {bytes} bytes"), limit, || {
            let info = self.info(uuid);
            let status = info["status"].as_str().unwrap_or_default();
            assert!(!matches!(status, "completed" | "failed" | "removed"), "it ended too early: {info}");
            info["bytes_written"].as_u64().filter(|written| *written >= bytes)
        })
    }
}
