//! The API ports: HTTPS with the server's certificate, and plain HTTP for this machine. The same routes on both.
//!
//! So far what port tests and clients ask first; the Node API grows from here. Connections are served by hyper directly,
//! so that handshake and header time-outs come before any route.

use crate::listen::accept_loop;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use time::format_description::well_known::Rfc3339;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

/// Time for the TLS handshake.
const HANDSHAKE: Duration = Duration::from_secs(5);
/// Time for a request's head, counted from the connection or the end of the request before.
const HEADER: Duration = Duration::from_secs(10);
/// Longest a connection may live; no route takes anywhere near that.
const CONNECTION: Duration = Duration::from_secs(300);
/// Largest request body.
const MAX_BODY: usize = 1024 * 1024;
/// Most bytes of a request's head.
const MAX_HEAD: usize = 64 * 1024;

/// What `/info` tells.
#[derive(Clone, Debug)]
pub struct Info {
    /// The certificate's fingerprint; the node's id is made of it.
    pub fingerprint: String,
}

/// The routes.
pub fn router(info: Info) -> Router {
    Router::new()
        .route("/ping", get(|| async { StatusCode::OK }))
        .route("/info", get(node_info))
        .fallback(not_found)
        .method_not_allowed_fallback(not_found)
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .with_state(Arc::new(info))
}

/// Serves HTTPS until `shutdown`.
pub async fn run_tls(listener: TcpListener, acceptor: TlsAcceptor, router: Router, shutdown: watch::Receiver<bool>) {
    accept_loop(listener, "api", shutdown, move |stream, peer| {
        let (acceptor, router) = (acceptor.clone(), router.clone());
        async move {
            match tokio::time::timeout(HANDSHAKE, acceptor.accept(stream)).await {
                Ok(Ok(stream)) => serve(stream, peer, router).await,
                Ok(Err(error)) => tracing::debug!(%peer, %error, "TLS handshake failed"),
                Err(_) => tracing::debug!(%peer, "TLS handshake took too long"),
            }
        }
    })
    .await;
}

/// Serves plain HTTP until `shutdown`.
pub async fn run_plain(listener: TcpListener, router: Router, shutdown: watch::Receiver<bool>) {
    accept_loop(listener, "http", shutdown, move |stream, peer| serve(stream, peer, router.clone())).await;
}

async fn serve<S>(stream: S, peer: SocketAddr, router: Router)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER)
        .max_buf_size(MAX_HEAD)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    match tokio::time::timeout(CONNECTION, connection).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%peer, %error, "HTTP connection ended"),
        Err(_) => tracing::debug!(%peer, "HTTP connection lived too long"),
    }
}

/// The error shape of the Node API.
fn error(status: StatusCode, reason: &str, message: &str) -> Response {
    let body = json!({"error": {"code": status.as_u16(), "reason": reason, "user_message": message}});
    (status, Json(body)).into_response()
}

async fn not_found() -> Response {
    error(StatusCode::NOT_FOUND, "not_found", "This server has nothing at this address.")
}

async fn node_info(State(info): State<Arc<Info>>) -> Json<Value> {
    let now = time::OffsetDateTime::from(SystemTime::now()).truncate_to_second();
    // Fields and names: the project's API reference, 3.3. Nothing about users, folders or the machine.
    Json(json!({
        "application": "node",
        "version": env!("CARGO_PKG_VERSION"),
        "current_time": now.format(&Rfc3339).unwrap_or_default(),
        "node_id": node_id(&info.fingerprint),
        "acls": [],
        "capabilities": [
            {"name": "sync", "value": false},
            {"name": "ssh_fingerprint", "value": info.fingerprint},
        ],
        "settings": [
            {"name": "content_protection_required", "value": false},
            {"name": "ssh_fingerprint", "value": info.fingerprint},
            {"name": "wss_enabled", "value": false},
        ],
    }))
}

/// A UUID (version 8: our own making) from the fingerprint: as stable as the certificate, and no further secret.
fn node_id(fingerprint: &str) -> String {
    let hex: Vec<char> =
        fingerprint.trim_start_matches("SHA256:").chars().filter(char::is_ascii_hexdigit).take(30).collect();
    let part = |from: usize, to: usize| hex.get(from..to).unwrap_or_default().iter().collect::<String>();
    format!("{}-{}-8{}-8{}-{}", part(0, 8), part(8, 12), part(12, 15), part(15, 18), part(18, 30))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_node_id_has_the_form_of_a_uuid() {
        let id = node_id(&format!("SHA256:{}", "0123456789abcdef".repeat(4)));
        assert_eq!(id, "01234567-89ab-8cde-8f01-23456789abcd");
    }
}
