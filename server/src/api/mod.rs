//! The control API: what web applications and command-line clients of the predecessor's Node API ask, over HTTP.
//!
//! Handlers get a [`Caller`]: somebody who proved himself, with files behind a check of rights. They read requests, ask the
//! storage and the catalogue, and shape answers. Fields and names: the project's API reference, part 3.

mod body;
mod caller;
mod contents;
mod entry;
mod error;
mod events;
mod files;
mod ids;
mod info;
mod keys;
mod ops;
mod permissions;
mod session;
mod setup;
mod shares;
mod watch;
mod web;

pub use caller::{Caller, Peer, Secured};
pub use error::ApiError;

use crate::access::Access;
use crate::transfers::Ops;
use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, delete, get, post};
use std::sync::Arc;
use std::time::Instant;

/// The API's own description, which is tested against it.
const OPENAPI: &str = include_str!("../../openapi.json");

/// Characters of an address that the log keeps.
const MAX_LOGGED: usize = 300;

/// What every handler can reach.
pub struct Api {
    /// Who may come in.
    pub access: Access,
    /// The certificate's fingerprint, which can change; the node's id is made of it.
    pub fingerprint: tokio::sync::watch::Receiver<String>,
    /// Of the data endpoint.
    pub data_port: u16,
    /// Runs the transfers of `/ops/transfers`.
    pub ops: Ops,
}

impl Api {
    /// The fingerprint of the certificate in force.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        self.fingerprint.borrow().clone()
    }
}

/// The routes.
pub fn router(api: Arc<Api>) -> Router {
    Router::new()
        .route("/info", get(info::node_info))
        .route("/files/browse", post(files::browse))
        .route("/files/search", post(files::search))
        .route("/files/create", post(files::create))
        .route("/files/delete", post(files::delete))
        .route("/files/rename", post(files::rename))
        .route("/files/upload_setup", post(setup::upload))
        .route("/files/download_setup", post(setup::download))
        .route("/files/sync_setup", post(setup::sync))
        .route("/files/{id}/contents", get(contents::by_path))
        .route("/files/{id}", get(ids::one).put(ids::rename).delete(ids::remove))
        .route("/files/{id}/files", get(ids::children).post(ids::create))
        .route("/files/{id}/content", get(ids::content))
        .route("/access_keys", get(keys::list).post(keys::create))
        .route("/access_keys/{id}", get(keys::one).put(keys::change).delete(keys::remove))
        .route("/permissions", get(permissions::list).post(permissions::create))
        .route("/permissions/{id}", get(permissions::one).put(permissions::change).delete(permissions::remove))
        .route("/events", get(events::list))
        .route("/ops/transfers", get(ops::list).post(ops::start))
        .route("/ops/transfers/{id}", any(ops::one))
        .route("/openapi.json", get(|| async { ([(header::CONTENT_TYPE, "application/json")], OPENAPI) }))
        .route("/space", post(files::space))
        .merge(web_routes(&api))
        .layer(middleware::from_fn(from_elsewhere))
        // Asked by anybody to find out whether there is a server: an empty answer, always.
        .route("/ping", get(|| async { StatusCode::OK }))
        .route("/health", get(watch::health))
        .route("/metrics", get(watch::metrics))
        .fallback(not_found)
        .method_not_allowed_fallback(not_found)
        .layer(middleware::from_fn_with_state(api.clone(), finish))
        .with_state(api)
}

/// The web application, and what only it asks.
fn web_routes(api: &Arc<Api>) -> Router<Arc<Api>> {
    Router::new()
        .route("/", get(web::file))
        .route("/app/{file}", get(web::file))
        .route("/ui/{file}", get(web::file))
        .route("/icons/{file}", get(web::file))
        .route("/sdk/connect-sdk.js", get(web::sdk))
        .route("/web/session", get(session::who).post(session::sign_in).delete(session::sign_out))
        .route("/web/shares", get(shares::list).post(shares::create))
        .route("/web/shares/open", post(shares::open))
        .route("/web/shares/{id}", delete(shares::remove))
        .route_layer(middleware::from_fn_with_state(api.clone(), if_wanted))
}

/// An administrator may do without the web application.
async fn if_wanted(State(api): State<Arc<Api>>, request: Request, next: Next) -> Response {
    if api.access.directory().settings().web.enabled {
        return next.run(request).await;
    }
    not_found().await.into_response()
}

async fn not_found() -> ApiError {
    ApiError::not_found("This server has nothing at this address.")
}

/// Browsers send what they remember of a login along with requests of any site. Pages of other sites are refused, whatever
/// they ask; programs do not send these headers.
async fn from_elsewhere(request: Request, next: Next) -> Response {
    let headers = request.headers();
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let site = text("sec-fetch-site").is_none_or(|site| site == "same-origin" || site == "none");
    // Typed or followed: it shows something and changes nothing.
    let visit = text("sec-fetch-mode") == Some("navigate") && request.method() == Method::GET;
    if (site || visit) && same_origin(headers) {
        return next.run(request).await;
    }
    ApiError::new(StatusCode::FORBIDDEN, "cross_site", "Pages of other sites may not call this server.").into_response()
}

fn same_origin(headers: &HeaderMap) -> bool {
    let Some(origin) = headers.get(header::ORIGIN) else { return true };
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let origin = origin.to_str().unwrap_or_default();
    origin.split_once("://").is_some_and(|(_, of)| !host.is_empty() && of.eq_ignore_ascii_case(host))
}

/// A line in the log and the headers of every answer: nothing here is to be guessed at, framed, or kept by caches.
async fn finish(State(api): State<Arc<Api>>, request: Request, next: Next) -> Response {
    let begin = Instant::now();
    let method = request.method().clone();
    // Without the query, and escaped by the log itself: an address is whatever somebody sent.
    let path: String = request.uri().path().chars().take(MAX_LOGGED).collect();
    let peer = request.extensions().get().map(|Peer(peer)| peer.ip());
    let mut response = next.run(request).await;
    let (status, took) = (response.status().as_u16(), begin.elapsed());
    api.access.metrics().answered(status, took);
    tracing::info!(target: "access", ?peer, %method, ?path, status, ms = took.as_millis(), "answered");
    let headers = response.headers_mut();
    for (name, value) in [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CACHE_CONTROL, "no-store"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'; sandbox"),
    ] {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}
