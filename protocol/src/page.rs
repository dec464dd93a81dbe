//! The page API: what a web application asks through the vendor's SDK, and how it is answered (reference, part 1).

use crate::frame::MAX_FRAME;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Version that `info/version` reports: pages compare it with the vendor's numbers and ask for 3.6 to 4.x.
pub const API_VERSION: &str = "4.2.0.1";

/// Largest body a page may send, in bytes. The frame limit is 1 MiB; the envelope needs room too.
pub const MAX_PAGE_BODY: usize = 900 * 1024;

/// What a page sends (`AsperaConnectRequest`), after the background has checked it. The page's own `request_id` stays
/// in the background, which routes the answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageCall {
    /// `GET` or `POST`.
    pub method: String,
    /// Path beginning `/connect/`.
    pub uri: String,
    /// JSON text, or empty.
    #[serde(default)]
    pub body: String,
    /// Lowest API version the page accepts; may be empty.
    #[serde(default)]
    pub min_version: String,
    /// Milliseconds (file dialogs only).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<u64>,
    /// For `file/dropped-files`: what the browser itself dropped on the document that asks, as the relay saw it and no page can
    /// write it. Empty if nothing was.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dropped: Vec<Dropped>,
}

/// A file or folder that was dropped on a page, as the browser shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dropped {
    /// Its name, one path component.
    pub name: String,
    /// Bytes; of a folder, whatever the browser says.
    pub size: u64,
    /// Last change, milliseconds since the Unix epoch.
    pub modified_ms: u64,
    /// True for a folder.
    pub folder: bool,
}

/// Most entries of [`PageCall::dropped`].
pub const MAX_DROPPED: usize = 1_000;
/// What one entry takes in a frame beside its name.
const DROPPED_ENTRY: usize = 120;

/// Largest escaped text of a page call's fields together: what a frame holds, less the envelope's own keys and origin.
const MAX_ESCAPED_CALL: usize = MAX_FRAME - 2048;

impl PageCall {
    /// True if the request fits one frame however the browser writes it. To be asked *before* the request is posted to the
    /// native port: the host cannot skip an oversize frame, it must give up the stream, and one page would have cut the
    /// connection of all. Counts the longest escape any browser uses for a character (Chromium writes `<` as `\u003C`).
    #[must_use]
    pub fn fits_frame(&self) -> bool {
        let texts = [&self.method, &self.uri, &self.body, &self.min_version];
        let dropped = self.dropped.iter().map(|file| escaped_length(&file.name) + DROPPED_ENTRY);
        let all = texts.iter().map(|text| escaped_length(text)).chain(dropped);
        all.fold(0, usize::saturating_add) <= MAX_ESCAPED_CALL
    }
}

/// Most bytes that `text` can take inside a JSON text.
fn escaped_length(text: &str) -> usize {
    let one = |c: char| match c {
        '"' | '\\' => 2,
        '<' | '\u{2028}' | '\u{2029}' => 6,
        c if c.is_control() => 6,
        c => c.len_utf8(),
    };
    text.chars().map(one).sum()
}

/// The answer: HTTP-like status and JSON text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageAnswer {
    /// 200 to 299 = success, if `body` has no `error`.
    pub status: u16,
    /// Always JSON.
    pub body: String,
}

impl PageAnswer {
    /// 200 with this body.
    #[must_use]
    pub fn ok(body: &Value) -> Self {
        Self { status: 200, body: body.to_string() }
    }

    /// An error in the shape every SDK version understands.
    #[must_use]
    pub fn error(status: u16, internal: &str, user: &str) -> Self {
        let body = json!({"error": {"code": status, "internal_message": internal, "user_message": user}});
        Self { status, body: body.to_string() }
    }
}

/// Everything a page can ask. Ids are uuids, checked for shape by the parser.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// `GET info/version`
    Version,
    /// `GET info/ping`
    Ping,
    /// `POST transfers/start`
    Start,
    /// `POST transfers/activity`
    Activity,
    /// `POST transfers/info/{id}`
    Info(String),
    /// `POST transfers/modify/{id}`
    Modify(String),
    /// `POST transfers/stop/{id}`
    Stop(String),
    /// `POST transfers/resume/{id}`
    Resume(String),
    /// `POST transfers/remove/{id}`
    Remove(String),
    /// `POST windows/select-open-file-dialog/`
    SelectFiles,
    /// `POST windows/select-open-folder-dialog/`
    SelectFolders,
    /// `POST windows/select-save-file-dialog/`
    SelectSave,
    /// `GET windows/about`
    About,
    /// `GET windows/preferences` and `/preferences/{page}`
    Preferences(Option<String>),
    /// `GET windows/transfer-manager`
    TransferManager,
    /// `GET windows/transfer-monitor/{id}`
    TransferMonitor(String),
    /// `GET windows/finder/{id}`
    Finder(String),
    /// `POST info/ports`
    TestPorts,
    /// `POST info/authenticate`
    Authenticate,
    /// `POST update/require`
    UpdateRequire,
    /// `GET file/initialize-drag-drop`
    InitDragDrop,
    /// `POST file/dropped-files`
    DroppedFiles,
    /// `POST file/read-as-array-buffer/`
    ReadFile,
    /// `POST file/read-chunk-as-array-buffer/`
    ReadChunk,
    /// `POST file/checksum/`
    Checksum,
}

/// Why a path is no endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RouteError {
    /// Answered with 404.
    #[error("there is no such endpoint")]
    NotFound,
    /// Answered with 405.
    #[error("this endpoint takes another method")]
    Method,
    /// Answered with 400.
    #[error("the id in the path is not valid")]
    BadId,
}

impl RouteError {
    /// The status a page gets.
    #[must_use]
    pub fn status(self) -> u16 {
        match self {
            Self::NotFound => 404,
            Self::Method => 405,
            Self::BadId => 400,
        }
    }
}

impl Endpoint {
    /// Finds the endpoint for a method and a path such as `/connect/transfers/info/UUID`. A trailing slash, a query and
    /// the prefixes `/v5` and `/v6` are allowed.
    pub fn route(method: &str, uri: &str) -> Result<Self, RouteError> {
        let path = uri.split(['?', '#']).next().unwrap_or_default();
        let path = path.strip_prefix("/v5").or_else(|| path.strip_prefix("/v6")).unwrap_or(path);
        let rest = path.strip_prefix("/connect/").ok_or(RouteError::NotFound)?;
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let parts: Vec<&str> = rest.split('/').collect();
        let id = |text: &str| if is_id(text) { Ok(text.to_owned()) } else { Err(RouteError::BadId) };
        let (wanted, endpoint) = match parts.as_slice() {
            ["info", "version"] => ("GET", Self::Version),
            ["info", "ping" | "ready"] => ("GET", Self::Ping),
            ["info", "ports"] => ("POST", Self::TestPorts),
            ["info", "authenticate"] => ("POST", Self::Authenticate),
            ["update", "require"] => ("POST", Self::UpdateRequire),
            ["transfers", "start"] => ("POST", Self::Start),
            ["transfers", "activity"] => ("POST", Self::Activity),
            ["transfers", "info", x] => ("POST", Self::Info(id(x)?)),
            ["transfers", "modify", x] => ("POST", Self::Modify(id(x)?)),
            ["transfers", "stop", x] => ("POST", Self::Stop(id(x)?)),
            ["transfers", "resume", x] => ("POST", Self::Resume(id(x)?)),
            ["transfers", "remove", x] => ("POST", Self::Remove(id(x)?)),
            ["windows", "select-open-file-dialog"] => ("POST", Self::SelectFiles),
            ["windows", "select-open-folder-dialog"] => ("POST", Self::SelectFolders),
            ["windows", "select-save-file-dialog"] => ("POST", Self::SelectSave),
            ["windows", "about"] => ("GET", Self::About),
            ["windows", "preferences"] => ("GET", Self::Preferences(None)),
            ["windows", "preferences", page] => ("GET", Self::Preferences(Some(id(page)?))),
            ["windows", "transfer-manager"] => ("GET", Self::TransferManager),
            ["windows", "transfer-monitor", x] => ("GET", Self::TransferMonitor(id(x)?)),
            ["windows", "finder", x] => ("GET", Self::Finder(id(x)?)),
            ["file", "initialize-drag-drop"] => ("GET", Self::InitDragDrop),
            ["file", "dropped-files"] => ("POST", Self::DroppedFiles),
            ["file", "read-as-array-buffer"] => ("POST", Self::ReadFile),
            ["file", "read-chunk-as-array-buffer"] => ("POST", Self::ReadChunk),
            ["file", "checksum"] => ("POST", Self::Checksum),
            _ => return Err(RouteError::NotFound),
        };
        if method == wanted { Ok(endpoint) } else { Err(RouteError::Method) }
    }

    /// True for what a site may ask before the user has allowed it.
    #[must_use]
    pub fn needs_no_consent(&self) -> bool {
        matches!(self, Self::Version | Self::Ping | Self::UpdateRequire | Self::InitDragDrop)
    }
}

/// Ids in paths: 1 to 64 letters, digits and hyphens.
fn is_id(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_that_grows_when_it_is_written_as_json_does_not_fit_although_it_is_short_enough() {
        let call = |body: String| PageCall {
            method: "POST".into(),
            uri: "/connect/transfers/start".into(),
            body,
            min_version: String::new(),
            timeout: Some(u64::MAX),
            dropped: Vec::new(),
        };
        assert!(call("x".repeat(MAX_PAGE_BODY)).fits_frame());
        for hostile in ["\"", "<", "\\", "\u{7}"] {
            assert!(!call(hostile.repeat(MAX_PAGE_BODY)).fits_frame(), "{hostile:?}");
        }
        // The largest that fits, in an envelope with the longest origin, is a frame that is accepted.
        let largest = call("\"".repeat(MAX_ESCAPED_CALL / 2 - 40));
        assert!(largest.fits_frame());
        let request = json!({"type": "request", "id": u64::MAX, "kind": "page", "origin": "o".repeat(280),
            "deadline_ms": u64::MAX, "params": largest});
        assert!(crate::frame::encode(request.to_string().as_bytes()).is_ok());
    }

    #[test]
    fn paths_are_taken_with_and_without_slash_and_version() {
        for uri in [
            "/connect/windows/select-open-file-dialog/",
            "/connect/windows/select-open-file-dialog",
            "/v5/connect/windows/select-open-file-dialog/",
        ] {
            assert_eq!(Endpoint::route("POST", uri), Ok(Endpoint::SelectFiles));
        }
        assert_eq!(Endpoint::route("GET", "/connect/info/version"), Ok(Endpoint::Version));
        assert_eq!(Endpoint::route("POST", "/connect/transfers/stop/ab-1"), Ok(Endpoint::Stop("ab-1".into())));
    }

    #[test]
    fn wrong_paths_methods_and_ids_have_their_own_status() {
        assert_eq!(Endpoint::route("POST", "/connect/info/version"), Err(RouteError::Method));
        assert_eq!(Endpoint::route("GET", "/connect/nothing"), Err(RouteError::NotFound));
        assert_eq!(Endpoint::route("GET", "/elsewhere"), Err(RouteError::NotFound));
        assert_eq!(Endpoint::route("POST", "/connect/transfers/stop/../start"), Err(RouteError::NotFound));
        assert_eq!(Endpoint::route("POST", "/connect/transfers/stop/a%2f"), Err(RouteError::BadId));
        assert_eq!(Endpoint::route("POST", "/connect/transfers/stop/"), Err(RouteError::NotFound));
        assert_eq!(Endpoint::route("GET", "/connect/windows/preferences/<b>"), Err(RouteError::BadId));
        let network = Endpoint::Preferences(Some("network".into()));
        assert_eq!(Endpoint::route("GET", "/connect/windows/preferences/network"), Ok(network));
    }
}
