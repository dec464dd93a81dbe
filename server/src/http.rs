//! The API ports: HTTPS with the server's certificate, and plain HTTP for this machine. The same routes on both.
//!
//! Connections are served by hyper directly, so that handshake, header and stall limits come before any route.

use crate::api::{Peer, Secured};
use crate::listen::accept_loop;
use crate::paced::Paced;
use axum::Router;
use axum::extract::Request;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

/// Time for the TLS handshake.
const HANDSHAKE: Duration = Duration::from_secs(5);
/// Time for a request's head, counted from the connection or the end of the request before.
const HEADER: Duration = Duration::from_secs(10);
/// A client that takes nothing of an answer for so long is cut off.
const STALL: Duration = Duration::from_secs(30);
/// Most bytes of a request's head.
const MAX_HEAD: usize = 64 * 1024;
/// Most lines of a request's head.
const MAX_HEADERS: usize = 64;

/// Serves HTTPS until `shutdown`, then ends when the last answer is out. Handshakes use the newest acceptor: a certificate can
/// change while the server runs.
pub async fn run_tls(
    listener: TcpListener,
    acceptor: watch::Receiver<TlsAcceptor>,
    router: Router,
    shutdown: watch::Receiver<bool>,
) {
    let stop = shutdown.clone();
    accept_loop(listener, "api", shutdown, move |stream, peer| {
        let (acceptor, router, stop) = (acceptor.borrow().clone(), router.clone(), stop.clone());
        async move {
            match tokio::time::timeout(HANDSHAKE, acceptor.accept(stream)).await {
                Ok(Ok(stream)) => serve(stream, peer, true, router, stop).await,
                Ok(Err(error)) => tracing::debug!(%peer, %error, "TLS handshake failed"),
                Err(_) => tracing::debug!(%peer, "TLS handshake took too long"),
            }
        }
    })
    .await;
}

/// Serves plain HTTP until `shutdown`, then ends when the last answer is out.
pub async fn run_plain(listener: TcpListener, router: Router, shutdown: watch::Receiver<bool>) {
    let stop = shutdown.clone();
    accept_loop(listener, "http", shutdown, move |stream, peer| {
        serve(stream, peer, false, router.clone(), stop.clone())
    })
    .await;
}

async fn serve<S>(stream: S, peer: SocketAddr, secured: bool, router: Router, mut stop: watch::Receiver<bool>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let routes = TowerToHyperService::new(router);
    let service = hyper::service::service_fn(move |mut request: Request<hyper::body::Incoming>| {
        request.extensions_mut().insert(Peer(peer));
        request.extensions_mut().insert(Secured(secured));
        hyper::service::Service::call(&routes, request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER)
        .max_buf_size(MAX_HEAD)
        .max_headers(MAX_HEADERS)
        .serve_connection(TokioIo::new(Paced::new(stream, STALL)), service);
    let mut connection = std::pin::pin!(connection);
    let stopped = async move { drop(stop.wait_for(|stop| *stop).await) };
    let early = tokio::select! {
        result = connection.as_mut() => Some(result),
        () = stopped => None,
    };
    let result = match early {
        Some(result) => result,
        // The request under way is answered, the next one is not taken; who only keeps the connection is cut off.
        None => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = result {
        tracing::debug!(%peer, %error, "HTTP connection ended");
    }
}
