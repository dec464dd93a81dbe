//! What must hold for every input, as functions that panic if it does not. Called by the fuzz targets (`fuzz/`) and by
//! the smoke test, which has no fuzzer; not part of the interface.

use crate::envelope::Message;
use crate::frame::{self, Decoder, FrameError, MAX_FRAME};
use crate::page::{Endpoint, PageCall};
use crate::spec::{Direction, LocalDestination, RateChange, TransferSpec};
use crate::start::{ConnectSettings, StartRequest};
use crate::wire::{Control, MAX_SEGMENT, SEGMENT_HEAD, SegmentHead};
use crate::worker::{Command, Report};
use crate::{HostPattern, Origin, RelPath, json};
use serde_json::Value;

/// Frames: pieces of any size give the same frames and the same end as the whole; frames are within the limit and encode
/// to the bytes they came from. The first byte says how to cut.
pub fn frame(data: &[u8]) {
    let Some((&step, stream)) = data.split_first() else { return };
    let mut whole = Decoder::default();
    whole.push(stream);
    let expected = drain(&mut whole);
    let mut pieces = Decoder::default();
    let mut frames = Vec::new();
    let mut end = Ok(());
    for piece in stream.chunks(usize::from(step).max(1)) {
        pieces.push(piece);
        let (more, result) = drain(&mut pieces);
        frames.extend(more);
        end = result;
        if end.is_err() {
            break;
        }
    }
    assert_eq!((&frames, end), (&expected.0, expected.1), "cut into pieces of {step}");
    assert!(end.is_err() || pieces.finish() == whole.finish());
    let mut again = Vec::new();
    for payload in &frames {
        assert!((1..=MAX_FRAME).contains(&payload.len()));
        again.extend(frame::encode(payload).unwrap_or_default());
    }
    assert!(stream.starts_with(&again));
}

fn drain(decoder: &mut Decoder) -> (Vec<Vec<u8>>, Result<(), FrameError>) {
    let mut frames = Vec::new();
    loop {
        match decoder.next_frame() {
            Ok(Some(frame)) => frames.push(frame),
            Ok(None) => return (frames, Ok(())),
            Err(error) => return (frames, Err(error)),
        }
    }
}

/// Messages: what is accepted has one meaning, also after it was written and read again; refusals stay short.
pub fn message(data: &[u8]) {
    let message = match Message::parse(data) {
        Ok(message) => message,
        Err(error) => return assert!(error.to_string().len() < 1000),
    };
    let bytes = serde_json::to_vec(&message).unwrap_or_default();
    let again = Message::parse(&bytes);
    assert!(again.is_ok(), "{again:?}");
    // serde_json may read a fraction one unit in the last place off; everything else is exact.
    if let (Ok(again), false) = (again, serde_json::to_value(&message).is_ok_and(|v| has_fraction(&v))) {
        assert_eq!(again, message);
    }
    if let Message::Request(request) = &message {
        if let Ok(call) = serde_json::from_value::<PageCall>(request.params.clone()) {
            let _ = call.fits_frame();
            if let Ok(endpoint) = Endpoint::route(&call.method, &call.uri) {
                let _ = endpoint.needs_no_consent();
            }
            spec(call.body.as_bytes());
        }
        if let Some(origin) = &request.origin {
            origins(origin.as_str());
        }
    }
}

fn has_fraction(value: &Value) -> bool {
    match value {
        Value::Number(number) => number.is_f64(),
        Value::Array(list) => list.iter().any(has_fraction),
        Value::Object(object) => object.values().any(has_fraction),
        _ => false,
    }
}

/// Bodies and specs: no secret in any shown or stored form, sources and targets never lead out, the stored form comes
/// back the same. Takes a start body or a bare spec.
pub fn spec(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(request) = StartRequest::from_body(text) {
        let link = &request.settings.back_link;
        assert!(link.is_empty() || link.starts_with("https://") || link.starts_with("http://"));
        parsed(&request.spec, text);
    }
    let Ok(value) = json::parse::<Value>(data) else { return };
    let _ = ConnectSettings::from_body(&value);
    let spec = TransferSpec::from_value(&value);
    match &spec {
        Ok(spec) => parsed(spec, text),
        Err(error) => assert!(error.to_string().len() < 300),
    }
    if let Ok(mut spec) = spec {
        if let Ok(change) = RateChange::from_value(&value) {
            spec.apply_rates(&change);
        }
        let _ = spec.apply_credentials(&value);
        parsed(&spec, text);
    }
}

fn parsed(spec: &TransferSpec, input: &str) {
    let sources = spec.effective_sources();
    let sources = sources.as_deref().unwrap_or_default();
    assert_eq!(sources.len(), spec.paths.len());
    for source in sources {
        assert_eq!(source.starts_with('/'), spec.direction == Direction::Send, "{source:?}");
        assert!(!source.split('/').any(|part| part == "..") && !source.contains('\0'), "{source:?}");
    }
    let destinations = spec.effective_destinations();
    assert!(destinations.is_ok_and(|list| list.len() == spec.paths.len()));
    match spec.direction {
        Direction::Send => assert!(spec.remote_destination().is_ok_and(|path| !path.starts_with('/'))),
        Direction::Receive => {
            for path in spec.absolute_targets().unwrap_or_default() {
                assert!(path.starts_with('/') && !path.split('/').any(|part| part == ".."), "{path:?}");
            }
            if let Ok(LocalDestination::Absolute(path)) = spec.local_destination(true) {
                assert!(path.starts_with('/'));
            }
        }
    }
    assert!(spec.remote_host.is_ascii() && !spec.remote_host.contains(['/', ' ', '@', '%']));
    let shown = [format!("{spec:?}"), serde_json::to_string(spec).unwrap_or_default()];
    for secret in [&spec.token, &spec.remote_password, &spec.content_protection_passphrase].into_iter().flatten() {
        // One that stands nowhere else in the input must not be found; a page may repeat its own secret elsewhere.
        let only_here = secret.expose().starts_with("SECRET-") && input.matches(secret.expose()).count() == 1;
        assert!(!only_here || shown.iter().all(|text| !text.contains(secret.expose())), "a secret is shown");
    }
    if let Some(object) = spec.public.as_object() {
        assert!(
            ["token", "remote_password", "content_protection_passphrase"].iter().all(|key| !object.contains_key(*key))
        );
    }
    let bare = TransferSpec {
        token: None,
        remote_password: None,
        content_protection_passphrase: None,
        public: Value::Null,
        ..spec.clone()
    };
    let stored = serde_json::to_vec(&bare).unwrap_or_default();
    assert!(serde_json::from_slice::<TransferSpec>(&stored).is_ok_and(|back| back == bare));
}

/// Frames of a session's control stream: what is accepted means the same after it was written and read again, names in it
/// lead nowhere else, and no secret is shown.
pub fn control(data: &[u8]) {
    let Ok(frame) = serde_json::from_slice::<Control>(data) else { return };
    same_again(&frame);
    match &frame {
        Control::Entries { entries } => entries.iter().for_each(|entry| accepted(&entry.path)),
        Control::Again { entry, .. } => accepted(&entry.path),
        Control::Join { ticket } => hidden(&frame, ticket, data),
        Control::Accepted(granted) => granted.ticket.iter().for_each(|ticket| hidden(&frame, ticket, data)),
        _ => {}
    }
}

/// Heads of data streams: what is accepted is within its bounds and encodes to the bytes it came from.
pub fn head(data: &[u8]) {
    for bytes in data.chunks_exact(SEGMENT_HEAD) {
        let Ok(bytes) = bytes.try_into() else { return };
        if let Some(head) = SegmentHead::decode(bytes) {
            assert_eq!(&head.encode(), bytes);
            assert!((1..=MAX_SEGMENT).contains(&head.length) && head.offset.checked_add(head.length).is_some());
        }
    }
}

/// Lines between agent and worker, both ways: what is accepted means the same after it was written and read again, on
/// one line.
pub fn worker(data: &[u8]) {
    if let Ok(command) = serde_json::from_slice::<Command>(data) {
        same_again(&command);
    }
    if let Ok(report) = serde_json::from_slice::<Report>(data) {
        same_again(&report);
    }
}

fn same_again<T: serde::Serialize + serde::de::DeserializeOwned + PartialEq + std::fmt::Debug>(value: &T) {
    let line = serde_json::to_string(value).unwrap_or_default();
    assert!(!line.contains('\n'), "a line must stay one");
    let again = serde_json::from_str::<T>(&line);
    assert!(again.as_ref().is_ok_and(|again| again == value), "{value:?} became {again:?}");
}

/// A secret that stands only once in the input is not in what is shown.
fn hidden(shown: &impl std::fmt::Debug, secret: &crate::Secret, input: &[u8]) {
    let text = secret.expose();
    let only_here = text.starts_with("SECRET-") && String::from_utf8_lossy(input).matches(text).count() == 1;
    assert!(!only_here || !format!("{shown:?}").contains(text), "a secret is shown");
}

/// Paths: what is accepted is relative, bounded, free of dots and odd characters, and stays what it is.
pub fn rel_path(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let _ = crate::spec::absolute_path(text);
    let _ = crate::spec::local_source(text, text);
    origins(text);
    if let Ok(Some(path)) = crate::spec::relative(text) {
        accepted(&path);
    }
    let Ok(path) = text.parse::<RelPath>() else { return };
    accepted(&path);
    if let Ok(joined) = path.join(&path) {
        accepted(&joined);
        assert!(joined.as_str().starts_with(path.as_str()));
    }
    if let Some(parent) = path.parent() {
        accepted(&parent);
    }
}

fn accepted(path: &RelPath) {
    let text = path.as_str();
    assert!(!text.is_empty() && text.len() <= crate::path::MAX_PATH && !text.starts_with('/'));
    assert!(path.components().count() <= crate::path::MAX_DEPTH);
    for part in path.components() {
        assert!(!matches!(part, "" | "." | "..") && part.len() <= crate::path::MAX_COMPONENT, "{part:?}");
        assert!(!part.chars().any(|c| c.is_control() || c == '\\' || crate::path::is_bidi_control(c)), "{part:?}");
    }
    assert_eq!(text.parse::<RelPath>().as_ref(), Ok(path), "reading it again changes it");
}

fn origins(text: &str) {
    if let Ok(origin) = text.parse::<Origin>() {
        assert_eq!(origin.as_str(), text);
        assert!(!text.contains('*') && HostPattern::exact(&origin).matches(&origin));
        assert!(text.parse::<HostPattern>().is_ok_and(|pattern| pattern == HostPattern::exact(&origin)));
    }
    let _ = text.parse::<HostPattern>();
    let _ = crate::spec::normalise_host(text).inspect(|host| {
        assert_eq!(crate::spec::normalise_host(host).as_ref(), Some(host), "{text:?}");
    });
}
