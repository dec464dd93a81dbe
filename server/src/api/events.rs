//! `GET /events`: what happened on behalf of the caller, oldest first. A reader goes on from the number it read last.

use super::body::Query;
use super::ids::NEXT;
use super::{ApiError, Caller};
use axum::Json;
use axum::http::HeaderValue;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::json;

/// Events in one answer.
const MAX_COUNT: usize = 1_000;

#[derive(Deserialize)]
pub(super) struct After {
    /// Number of the last event that was read.
    #[serde(default)]
    iteration_token: Option<String>,
    #[serde(default)]
    count: Option<usize>,
}

pub(super) async fn list(caller: Caller, Query(after): Query<After>) -> Result<Response, ApiError> {
    caller.whole()?;
    let token = after.iteration_token.as_deref().filter(|token| !token.is_empty());
    let from: i64 =
        token.map_or(Ok(0), str::parse).map_err(|_| ApiError::bad_request("iteration_token is not ours."))?;
    let count = after.count.unwrap_or(MAX_COUNT).clamp(1, MAX_COUNT);
    let owner = caller.principal.name.clone();
    let events = caller.api().access.blocking(move |a| a.directory().catalogue().events(&owner, from, count)).await?;
    let last = events.last().map(|event| event.id);
    let shown: Vec<_> = events
        .into_iter()
        .map(|event| {
            let at = i64::try_from(event.at).unwrap_or(0).saturating_mul(1_000_000_000);
            json!({"id": event.id.to_string(), "type": event.kind, "timestamp": super::entry::instant(at), "data": event.body})
        })
        .collect();
    let mut response = Json(shown).into_response();
    if let Some(last) = last {
        response.headers_mut().insert(NEXT, HeaderValue::from(last));
    }
    Ok(response)
}
