//! Reading a request's JSON, with bounds on size, time and depth.

use super::{Api, ApiError};
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use godwit_protocol::path::PathError;
use serde::de::DeserializeOwned;
use std::sync::Arc;
use std::time::Duration;

/// Largest body. Small files come in it (base64); others go by the data port.
pub(super) const MAX_BODY: usize = 4 * 1024 * 1024;
/// A body that takes longer to arrive is not waited for.
const MAX_WAIT: Duration = Duration::from_secs(30);

/// A request's JSON. Its nesting is bounded by the parser (128 levels), its numbers by their types.
pub(super) struct Body<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequest<Arc<Api>> for Body<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &Arc<Api>) -> Result<Self, ApiError> {
        let kind = request.headers().get(header::CONTENT_TYPE).map(|kind| kind.to_str().unwrap_or_default());
        if kind.is_some_and(|kind| !is_json(kind)) {
            let message = "The body must be JSON, with Content-Type: application/json.";
            return Err(ApiError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "not_json", message));
        }
        // Packed bodies would have to be unpacked before their size is known.
        let plain = request.headers().get(header::CONTENT_ENCODING).is_none_or(|coding| coding == "identity");
        if !plain {
            let message = "The body must not be compressed.";
            return Err(ApiError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "compressed", message));
        }
        let reading = axum::body::to_bytes(request.into_body(), MAX_BODY);
        let bytes = match tokio::time::timeout(MAX_WAIT, reading).await {
            Ok(Ok(bytes)) => bytes,
            Ok(Err(error)) if is_too_long(&error) => {
                let message = format!("The body is larger than {MAX_BODY} bytes.");
                return Err(ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", message));
            }
            Ok(Err(_)) => return Err(ApiError::bad_request("The body did not arrive whole.")),
            Err(_) => {
                let message = "The body took too long to arrive.";
                return Err(ApiError::new(StatusCode::REQUEST_TIMEOUT, "too_slow", message));
            }
        };
        let parsed = serde_json::from_slice(&bytes);
        parsed.map(Self).map_err(|error| ApiError::bad_request(format!("The body cannot be read: {error}.")))
    }
}

/// Whether a body could not be read for its length alone.
fn is_too_long(error: &axum::Error) -> bool {
    std::error::Error::source(error).is_some_and(|source| source.is::<http_body_util::LengthLimitError>())
}

fn is_json(kind: &str) -> bool {
    kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
}

/// What stands after `?`; wrong values are errors in the API's shape.
pub(super) struct Query<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let query = axum::extract::Query::from_request_parts(parts, state).await;
        query.map(|query| Self(query.0)).map_err(|error| ApiError::bad_request(format!("{}.", error.body_text())))
    }
}

/// The id in an address. What cannot be one is not there.
pub(super) struct Id(pub(super) String);

impl<S: Send + Sync> FromRequestParts<S> for Id {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let id = axum::extract::Path::<String>::from_request_parts(parts, state).await;
        id.map(|id| Self(id.0)).map_err(|_| ApiError::not_found("There is nothing of this id."))
    }
}

/// A path of the caller's, as an error of the API if it is none.
pub(super) fn path(text: &str) -> Result<crate::node_path::NodePath, ApiError> {
    crate::node_path::NodePath::parse(text).map_err(|error| bad_path(text, &error))
}

pub(super) fn bad_path(text: &str, error: &PathError) -> ApiError {
    let shown = crate::node_path::shown(text);
    ApiError::new(StatusCode::BAD_REQUEST, "bad_path", format!("'{shown}': {error}."))
}
