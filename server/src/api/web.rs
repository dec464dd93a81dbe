//! The web application's files. They say nothing about this server or its users: anybody may have them.

use super::{Api, ApiError};
use crate::web_files;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use std::sync::Arc;

/// Everything comes from this server, nothing stands in the page itself, nobody frames it.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

pub(super) async fn file(uri: Uri, headers: HeaderMap) -> Result<Response, ApiError> {
    let found = web_files::find(uri.path().trim_start_matches('/'));
    let found = found.ok_or_else(|| ApiError::not_found("This server has nothing at this address."))?;
    Ok(answer(Bytes::from_static(found.content), found.kind, &headers))
}

/// The vendor's SDK, if the administrator has put it there.
pub(super) async fn sdk(State(api): State<Arc<Api>>, headers: HeaderMap) -> Result<Response, ApiError> {
    let found = api.access.directory().settings().web.sdk.clone();
    let found = found.ok_or_else(|| ApiError::not_found("This server has no SDK for its web application."))?;
    Ok(answer(found, "text/javascript; charset=utf-8", &headers))
}

fn answer(content: Bytes, kind: &'static str, headers: &HeaderMap) -> Response {
    let tag = format!("\"{}\"", blake3::hash(&content).to_hex());
    let known = headers.get(header::IF_NONE_MATCH).is_some_and(|given| given.as_bytes() == tag.as_bytes());
    // Kept, and asked about each time: a newer server has newer files.
    let common = [
        (header::ETAG, tag.as_str()),
        (header::CACHE_CONTROL, "no-cache"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (header::HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (header::CONTENT_TYPE, kind),
    ];
    if known { (StatusCode::NOT_MODIFIED, common).into_response() } else { (common, content).into_response() }
}
