//! The frames between extension, host and agent (and `godwit` and agent): one JSON object per frame.
//!
//! Order on every leg: both sides send [`Hello`] first; then requests, responses, parts and events flow freely.
//! The host forwards frames unread, except the extension's hello, to which it adds the [`Caller`].
//! Every frame has an `id`: requests choose it (unique per connection), responses, parts and errors repeat it, and
//! events count up by themselves. Errors carry symbolic words, never numbers.

use crate::page::PageAnswer;
use crate::ui::Notice;
use crate::{Origin, json};
use base64::Engine;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Protocol version of this build: a different `major` is refused with `version-mismatch`; `minor` only adds.
pub const PROTOCOL: ProtocolVersion = ProtocolVersion { major: 1, minor: 0 };

/// `major.minor` of the frame protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProtocolVersion {
    /// Incompatible changes.
    pub major: u16,
    /// Additions that the other side may ignore.
    pub minor: u16,
}

/// One frame.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum Message {
    /// First frame of each side.
    Hello(Hello),
    /// Something to do.
    Request(Request),
    /// The end of a request.
    Response(Response),
    /// A piece of an answer that is too large for one frame; the last piece ends the request.
    Part(Part),
    /// Something that happened.
    Event(Event),
}

/// Who speaks and what it can do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Hello {
    /// Always 0.
    pub id: u64,
    /// Frame protocol of the sender.
    pub protocol: ProtocolVersion,
    /// Always `godwit`.
    pub product: String,
    /// Version of the sender's build, such as `0.1.0`.
    pub version: String,
    /// What the sender is.
    pub role: Role,
    /// Optional abilities, by name. Unknown names are ignored.
    #[serde(default)]
    pub capabilities: Vec<String>,
    /// Random name of the browser session (extension only): grants and "allow once" live as long as it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// Filled in by the host from what the browser passed to it; anything a browser writes here is replaced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caller: Option<Caller>,
}

/// The parts of the product that speak frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// The browser extension's background.
    Extension,
    /// The native-messaging proxy.
    Host,
    /// The per-user agent.
    Agent,
    /// The command line.
    Cli,
    /// The agent's own local HTTP door, which speaks for pages and programs; never on the socket.
    LocalHttp,
}

/// What the host knows of the browser that started it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Caller {
    /// `chromium` or `firefox`.
    pub browser: String,
    /// The extension's id, from the host's arguments.
    pub extension_id: String,
    /// Process id of the host.
    pub host_pid: u32,
    /// Version of the host's build.
    pub host_version: String,
    /// Display and session variables (`DISPLAY`, `WAYLAND_DISPLAY`, `XAUTHORITY`, `XDG_CURRENT_DESKTOP`,
    /// `DBUS_SESSION_BUS_ADDRESS`), for dialogs shown on this browser's screen.
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
    /// The manifest by which the browser found the host, if that is known; shown to people only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manifest: Option<String>,
}

/// A request. `kind` is `page` (see [`crate::page`]) or one of the kinds in [`crate::ui`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// Unique among the requests of this connection.
    pub id: u64,
    /// What is asked.
    pub kind: String,
    /// The site on whose behalf it is asked. Set by the background from `sender.origin`, required for kind `page`,
    /// absent for requests of extension pages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
    /// Give up and answer `timed-out` after this many milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline_ms: Option<u64>,
    /// Depends on `kind`.
    #[serde(default)]
    pub params: Value,
}

/// The answer to a request: exactly one of `result` and `error`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Response {
    /// Id of the request.
    pub id: u64,
    /// Depends on the request's kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<Value>,
    /// Why there is no result.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<ErrorFrame>,
}

/// An error answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ErrorFrame {
    /// One of [`codes`].
    pub code: String,
    /// For people: what was wrong and what to do.
    pub message: String,
    /// True if the same request may succeed later.
    #[serde(default)]
    pub retryable: bool,
    /// The message by a word and what stands in it, for windows in other languages; absent where people do not meet it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<Box<Notice>>,
}

/// The symbolic words of [`ErrorFrame::code`].
pub mod codes {
    /// The frame is no valid message, or its parameters have the wrong shape.
    pub const BAD_REQUEST: &str = "bad-request";
    /// No such request kind.
    pub const UNKNOWN_KIND: &str = "unknown-kind";
    /// This caller or origin may not ask this.
    pub const FORBIDDEN: &str = "forbidden";
    /// The named thing does not exist.
    pub const NOT_FOUND: &str = "not-found";
    /// The protocol's major versions differ; the message says which part to update.
    pub const VERSION_MISMATCH: &str = "version-mismatch";
    /// The deadline passed.
    pub const TIMED_OUT: &str = "timed-out";
    /// Whoever asked does not wait any more.
    pub const GIVEN_UP: &str = "given-up";
    /// Too many requests at once.
    pub const BUSY: &str = "busy";
    /// The host could not start or reach the agent.
    pub const AGENT_UNAVAILABLE: &str = "agent-unavailable";
    /// A fault of ours.
    pub const INTERNAL: &str = "internal";
}

/// A piece of a large page answer; maps one to one to the page API's `body64`/`complete`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Part {
    /// Id of the request.
    pub id: u64,
    /// Counts from 0.
    pub index: u32,
    /// True for the final piece.
    pub last: bool,
    /// HTTP-like status, the same in every piece.
    pub status: u16,
    /// A cut of the base64 text of the whole body: the pieces joined are one valid base64 text.
    pub body64: String,
}

/// Largest `body64` of one part, in characters.
pub const MAX_PART: usize = 256 * 1024;
/// Page answers with longer bodies travel as parts.
pub const MAX_INLINE_BODY: usize = 192 * 1024;

/// Something that happened. `seq` counts per topic and connection from 1; a gap means: ask for a new snapshot.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Counts up per connection.
    pub id: u64,
    /// One of [`topics`].
    pub topic: String,
    /// Per topic and connection; 0 for events outside any subscription.
    pub seq: u64,
    /// Depends on the topic.
    pub data: Value,
}

/// The words of [`Event::topic`].
pub mod topics {
    /// [`crate::ui::TransfersChanged`]; needs a subscription.
    pub const TRANSFERS: &str = "transfers";
    /// [`crate::ui::Prompt`]: the user must be asked something; sent to the connection that caused it.
    pub const PROMPT: &str = "prompt";
    /// [`crate::ui::PromptClosed`]: a prompt needs no answer any more.
    pub const PROMPT_CLOSED: &str = "prompt-closed";
    /// [`crate::ui::OpenPage`]: the extension shall open one of its pages.
    pub const OPEN_PAGE: &str = "open-page";
    /// [`crate::ui::TrustView`]: sent after hello and whenever trust changes, for the extension's pre-check.
    pub const TRUST: &str = "trust";
    /// [`crate::ui::Badge`]: number of running transfers, after hello and whenever it changes.
    pub const BADGE: &str = "badge";
    /// [`crate::ui::TransferView`]: a transfer has completed or failed; to one extension only, for a notification.
    pub const ENDED: &str = "ended";
    /// [`crate::ui::TransferView`]: it has begun to lack room on its disk; to one extension only, for a notification.
    pub const SHORTAGE: &str = "shortage";
}

impl Message {
    /// Parses one frame's payload strictly (see [`mod@json`]).
    pub fn parse(bytes: &[u8]) -> Result<Self, json::JsonError> {
        // The derived reader takes a list of the fields' values for the object; a second spelling helps nobody.
        if bytes.iter().find(|b| !b.is_ascii_whitespace()).is_some_and(|&b| matches!(b, b'[')) {
            return Err(json::JsonError::Shape("a message must be an object".into()));
        }
        json::parse(bytes)
    }

    /// The frames that answer page request `id`: one response, or parts if the body is long. Each fits a frame.
    #[must_use]
    pub fn page_answer(id: u64, answer: &PageAnswer) -> Vec<Self> {
        if answer.body.len() <= MAX_INLINE_BODY {
            let result = json!({"status": answer.status, "body": answer.body});
            return vec![Self::Response(Response::ok(id, result))];
        }
        let text = base64::engine::general_purpose::STANDARD.encode(&answer.body);
        let count = text.len().div_ceil(MAX_PART);
        // Base64 is ASCII: cuts between any two bytes are cuts between characters.
        let cuts = text.as_bytes().chunks(MAX_PART).map(|cut| String::from_utf8_lossy(cut).into_owned());
        let part =
            |(index, body64)| Part { id, index: index as u32, last: index + 1 == count, status: answer.status, body64 };
        cuts.enumerate().map(part).map(Self::Part).collect()
    }

    /// The id that every frame carries.
    #[must_use]
    pub fn id(&self) -> u64 {
        match self {
            Self::Hello(m) => m.id,
            Self::Request(m) => m.id,
            Self::Response(m) => m.id,
            Self::Part(m) => m.id,
            Self::Event(m) => m.id,
        }
    }
}

impl Response {
    /// A successful answer.
    #[must_use]
    pub fn ok(id: u64, result: Value) -> Self {
        Self { id, result: Some(result), error: None }
    }

    /// A failed answer with one of [`codes`].
    #[must_use]
    pub fn err(id: u64, code: &str, message: impl Into<String>) -> Self {
        let retryable = matches!(code, codes::BUSY | codes::TIMED_OUT | codes::AGENT_UNAVAILABLE);
        let error = ErrorFrame { code: code.into(), message: message.into(), retryable, note: None };
        Self { id, result: None, error: Some(error) }
    }

    /// A failure that a person may read.
    #[must_use]
    pub fn err_saying(id: u64, code: &str, note: Notice) -> Self {
        let mut response = Self::err(id, code, note.text.clone());
        if let Some(error) = &mut response.error {
            error.note = Some(Box::new(note));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::frame;

    #[test]
    fn a_short_answer_is_one_response_even_if_every_character_needs_escaping() {
        let answer = PageAnswer { status: 200, body: "\"".repeat(MAX_INLINE_BODY) };
        let frames = Message::page_answer(7, &answer);
        let [Message::Response(response)] = frames.as_slice() else { panic!("{} frames", frames.len()) };
        let back: PageAnswer = serde_json::from_value(response.result.clone().unwrap()).unwrap();
        assert_eq!((response.id, back), (7, answer));
        assert!(frame::encode(&serde_json::to_vec(&frames[0]).unwrap()).is_ok());
    }

    #[test]
    fn a_long_answer_comes_in_parts_that_join_into_one_base64_text() {
        for length in [MAX_INLINE_BODY + 1, MAX_INLINE_BODY + 2, 3_000_000] {
            let answer = PageAnswer { status: 206, body: "\u{e9}".repeat(length / 2) + "x" };
            let mut joined = String::new();
            let frames = Message::page_answer(7, &answer);
            for (index, message) in frames.iter().enumerate() {
                assert!(frame::encode(&serde_json::to_vec(message).unwrap()).is_ok());
                let Message::Part(part) = message else { panic!("{message:?}") };
                assert_eq!((part.id, part.index as usize, part.status), (7, index, 206));
                assert_eq!(part.last, index + 1 == frames.len());
                assert!(part.body64.len() <= MAX_PART);
                joined += &part.body64;
            }
            let body = base64::engine::general_purpose::STANDARD.decode(joined).unwrap();
            assert_eq!(body, answer.body.as_bytes());
        }
    }
}
