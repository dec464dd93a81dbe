//! A file's bytes over HTTP: for previews and small files. Large ones go by the data port, many times faster.

use super::{ApiError, Caller};
use crate::node_path::NodePath;
use crate::storage::Content;
use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::response::Response;
use bytes::Bytes;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use std::sync::Arc;

/// Read from the disk at once.
const CHUNK: usize = 256 * 1024;
/// What may stand unencoded in `filename*`, RFC 8187.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// `GET /files/{path}/contents`: the path is one segment in form encoding, in which `+` is a blank.
pub(super) async fn by_path(caller: Caller, uri: Uri, headers: HeaderMap) -> Result<Response, ApiError> {
    let segment = uri.path().split('/').nth(2).unwrap_or_default().replace('+', " ");
    let text = percent_decode_str(&segment).decode_utf8();
    let text = text.map_err(|_| ApiError::bad_request("The path in the address is not UTF-8."))?;
    send(&caller, &super::body::path(&text)?, &headers).await
}

/// The bytes of a file, or the one range of them that is asked for.
pub(super) async fn send(caller: &Caller, path: &NodePath, headers: &HeaderMap) -> Result<Response, ApiError> {
    let content: Arc<dyn Content> = Arc::from(caller.files().open(path).await?);
    let stat = content.stat();
    let tag = format!("\"{:x}-{:x}-{:x}\"", stat.identity.inode, stat.size, stat.mtime_ns);
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    let unchanged = text(header::IF_RANGE).is_none_or(|given| given == tag);
    let wanted = text(header::RANGE).filter(|_| unchanged).map_or(Wanted::All, |range| Wanted::read(range, stat.size));
    let response = Response::builder()
        .header(header::CONTENT_TYPE, "application/octet-stream")
        .header(header::CONTENT_DISPOSITION, disposition(path.name()))
        .header(header::ACCEPT_RANGES, "bytes")
        .header(header::ETAG, tag);
    let (response, from, length) = match wanted {
        Wanted::All => (response, 0, stat.size),
        Wanted::Part { from, length } => {
            let range = format!("bytes {from}-{}/{}", from + length - 1, stat.size);
            let response = response.status(StatusCode::PARTIAL_CONTENT).header(header::CONTENT_RANGE, range);
            (response, from, length)
        }
        Wanted::Nothing => {
            let message = format!("The file has {} bytes.", stat.size);
            return Err(ApiError::new(StatusCode::RANGE_NOT_SATISFIABLE, "bad_range", message));
        }
    };
    let response = response.header(header::CONTENT_LENGTH, length);
    response.body(Body::from_stream(stream(content, from, length))).map_err(|_| ApiError::internal())
}

/// A file that turns out shorter ends the connection: an answer of another length than told must not look whole.
fn stream(
    content: Arc<dyn Content>,
    from: u64,
    length: u64,
) -> impl futures_util::Stream<Item = Result<Bytes, std::io::Error>> {
    futures_util::stream::try_unfold((content, from, length), |(content, at, left)| async move {
        if left == 0 {
            return Ok(None);
        }
        let size = usize::try_from(left).unwrap_or(CHUNK).min(CHUNK);
        let bytes = content.read(at, size).await.map_err(std::io::Error::other)?;
        if bytes.is_empty() {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        let read = bytes.len() as u64;
        Ok(Some((bytes, (content, at + read, left - read))))
    })
}

#[derive(Debug, PartialEq, Eq)]
enum Wanted {
    All,
    Part { from: u64, length: u64 },
    Nothing,
}

impl Wanted {
    /// One range is answered; several, or another unit, are answered with everything, which the RFC allows.
    fn read(range: &str, size: u64) -> Self {
        let Some((first, last)) = range.strip_prefix("bytes=").and_then(|range| range.split_once('-')) else {
            return Self::All;
        };
        let part = |from: u64, end: u64| match end.min(size).checked_sub(from) {
            Some(length) if length > 0 => Self::Part { from, length },
            _ => Self::Nothing,
        };
        match (first.trim(), last.trim()) {
            ("", last) => last.parse::<u64>().map_or(Self::All, |suffix| part(size.saturating_sub(suffix), size)),
            (first, "") => first.parse().map_or(Self::All, |first| part(first, size)),
            (first, last) => match (first.parse::<u64>(), last.parse::<u64>()) {
                (Ok(first), Ok(last)) if first <= last => part(first, last.saturating_add(1)),
                _ => Self::All,
            },
        }
    }
}

/// To be saved, never shown as a page of this server. The name is the disk's: encoded so that it can end nothing.
fn disposition(name: &str) -> String {
    format!("attachment; filename*=UTF-8''{}", utf8_percent_encode(name, PLAIN))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t21_ranges_are_cut_to_the_file_and_odd_ones_are_answered_with_all() {
        let part = |from, length| Wanted::Part { from, length };
        for (range, expected) in [
            ("bytes=0-0", part(0, 1)),
            ("bytes=5-", part(5, 5)),
            ("bytes=-3", part(7, 3)),
            ("bytes=-100", part(0, 10)),
            ("bytes=8-18446744073709551615", part(8, 2)),
            ("bytes=10-", Wanted::Nothing),
            ("bytes=-0", Wanted::Nothing),
            ("bytes=0-1,3-4", Wanted::All),
            ("bytes=5-2", Wanted::All),
            ("lines=1-2", Wanted::All),
            ("bytes=x-y", Wanted::All),
            ("bytes=99999999999999999999-", Wanted::All),
        ] {
            assert_eq!(Wanted::read(range, 10), expected, "{range}");
        }
        assert_eq!(Wanted::read("bytes=0-", 0), Wanted::Nothing);
    }

    #[test]
    fn t24_a_name_cannot_end_its_header() {
        let text = disposition("a\"; filename=x\r\nSet-Cookie: y=ü.txt");
        assert_eq!(text, "attachment; filename*=UTF-8''a%22%3B%20filename%3Dx%0D%0ASet-Cookie%3A%20y%3D%C3%BC.txt");
    }
}
