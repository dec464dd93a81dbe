//! Errors in the API's shape: `{"error":{"code","reason","user_message"}}`.

use crate::catalogue::CatalogueError;
use crate::storage::StorageError;
use crate::token::TokenError;
use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use godwit_protocol::ErrorCode;
use serde_json::{Value, json};
use std::time::Duration;

/// An answer that is not what was asked for.
#[derive(Clone, Debug)]
pub struct ApiError {
    status: StatusCode,
    reason: &'static str,
    message: String,
    retry_after: Option<Duration>,
    /// How to prove oneself, for 401.
    challenge: &'static str,
}

/// What programs do, and what browsers ask for in a window of their own.
const BASIC: &str = "Basic realm=\"Godwit\", charset=\"UTF-8\"";
/// Pages of the web application sign in by themselves: a scheme that browsers do not know, so that they ask nothing.
const PAGE: &str = "Session realm=\"Godwit\"";

impl ApiError {
    /// `reason` is a word for programs, `message` a sentence for people.
    pub fn new(status: StatusCode, reason: &'static str, message: impl Into<String>) -> Self {
        Self { status, reason, message: message.into(), retry_after: None, challenge: BASIC }
    }

    /// 400.
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad_request", message)
    }

    /// 404.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", message)
    }

    /// 401. The text is always the same; clients look for its first words.
    #[must_use]
    pub fn unauthenticated() -> Self {
        let message =
            "Authentication failed: the user name, password or token was not accepted (authentication failed).";
        Self::new(StatusCode::UNAUTHORIZED, "authentication_failed", message)
    }

    /// The same for a page of the web application: the browser is not to ask for a password by itself.
    #[must_use]
    pub fn for_page(self) -> Self {
        Self { challenge: PAGE, ..self }
    }

    /// 401 for a page whose session has ended.
    #[must_use]
    pub fn signed_out() -> Self {
        let message = "Nobody is signed in, or the session has ended: sign in again (authentication failed).";
        Self::new(StatusCode::UNAUTHORIZED, "signed_out", message).for_page()
    }

    /// 429.
    pub fn later(after: Duration, message: impl Into<String>) -> Self {
        let error = Self::new(StatusCode::TOO_MANY_REQUESTS, "too_many_requests", message);
        Self { retry_after: Some(after), ..error }
    }

    /// 500; what happened is for the log.
    #[must_use]
    pub fn internal() -> Self {
        let message = "The server failed at this; its log says more.";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal_error", message)
    }

    /// The value of `error`, also for one element of a bulk answer.
    #[must_use]
    pub fn value(&self) -> Value {
        json!({"code": self.status.as_u16(), "reason": self.reason, "user_message": self.message})
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(json!({"error": self.value()}))).into_response();
        let headers = response.headers_mut();
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(self.challenge));
        }
        if let Some(after) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(after.as_secs() + 1));
        }
        response
    }
}

impl From<StorageError> for ApiError {
    fn from(error: StorageError) -> Self {
        use StorageError as E;
        let (status, reason) = match &error {
            E::NotFound(_) => (StatusCode::NOT_FOUND, "not_found"),
            E::Exists(_) => (StatusCode::CONFLICT, "exists"),
            E::NotFolder(_) => (StatusCode::BAD_REQUEST, "not_a_folder"),
            E::IsFolder(_) => (StatusCode::BAD_REQUEST, "is_a_folder"),
            E::NotRegular(_) => (StatusCode::BAD_REQUEST, "not_a_file"),
            E::Link(_) => (StatusCode::FORBIDDEN, "link"),
            E::Denied { .. } => (StatusCode::FORBIDDEN, "permission_denied"),
            E::Root | E::IntoItself(_) => (StatusCode::BAD_REQUEST, "bad_request"),
            E::Name(_) | E::Part => (StatusCode::BAD_REQUEST, "bad_path"),
            E::Plain(_) => (StatusCode::FORBIDDEN, "content_protection_required"),
            E::Full(_) => (StatusCode::INSUFFICIENT_STORAGE, "quota"),
            E::Unavailable => (StatusCode::INTERNAL_SERVER_ERROR, "unavailable"),
            E::Io { path, source } => {
                tracing::warn!(%path, error = %source, "storage failed");
                match ErrorCode::from_io(source, true) {
                    ErrorCode::NoSpace => (StatusCode::INSUFFICIENT_STORAGE, "no_space"),
                    ErrorCode::NoPermission | ErrorCode::ReadOnlyFilesystem => (StatusCode::FORBIDDEN, "not_permitted"),
                    _ if source.kind() == std::io::ErrorKind::DirectoryNotEmpty => (StatusCode::CONFLICT, "not_empty"),
                    _ => (StatusCode::INTERNAL_SERVER_ERROR, "storage_failed"),
                }
            }
        };
        Self::new(status, reason, format!("{error}."))
    }
}

impl From<CatalogueError> for ApiError {
    fn from(error: CatalogueError) -> Self {
        match &error {
            CatalogueError::Exists(_) => Self::new(StatusCode::CONFLICT, "exists", format!("{error}.")),
            CatalogueError::Full(_) => Self::new(StatusCode::CONFLICT, "full", format!("{error}.")),
            _ => {
                tracing::error!(%error, "the catalogue failed");
                Self::internal()
            }
        }
    }
}

impl From<TokenError> for ApiError {
    fn from(error: TokenError) -> Self {
        match error {
            TokenError::Content => {
                Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too_many_paths", "These are too many paths for one transfer.")
            }
            _ => Self::internal(),
        }
    }
}
