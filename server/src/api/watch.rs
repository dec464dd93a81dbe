//! For those who watch the server: health for anybody, counters for this machine.

use super::{Api, ApiError, Peer};
use axum::Json;
use axum::extract::{Extension, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use std::sync::Arc;

/// `GET /health`: 200 if the catalogue answers and the docroot is there, else 503. It says no more than that.
pub(super) async fn health(State(api): State<Arc<Api>>) -> Response {
    let looked = api.access.blocking(|access| {
        access.directory().catalogue().is_revoked("health")?;
        Ok(access.directory().settings().docroot.is_dir())
    });
    match looked.await {
        Ok(true) => Json(json!({"status": "ok"})).into_response(),
        _ => (StatusCode::SERVICE_UNAVAILABLE, Json(json!({"status": "failing"}))).into_response(),
    }
}

/// `GET /metrics`: only from this machine. For others it is as if it were not there.
pub(super) async fn metrics(
    State(api): State<Arc<Api>>,
    Extension(Peer(peer)): Extension<Peer>,
) -> Result<Response, ApiError> {
    if !peer.ip().to_canonical().is_loopback() {
        return Err(ApiError::not_found("This server has nothing at this address."));
    }
    let kind = [(header::CONTENT_TYPE, "text/plain; version=0.0.4")];
    Ok((kind, api.access.metrics().text()).into_response())
}
