//! One HTTP connection as a client of the core: every request a page call, every answer a response. Slow, oversized and
//! endless requests end here.

use super::{peer, rules};
use crate::agent::Outgoing;
use crate::core::{ConnId, Input};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use godwit_protocol::Origin;
use godwit_protocol::envelope::{Caller, ErrorFrame, Hello, Message, PROTOCOL, Request, Role, codes};
use godwit_protocol::page::{MAX_PAGE_BODY, PageAnswer, PageCall};
use godwit_protocol::ui::kinds;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::{Body, Bytes, Incoming};
use hyper::header::{self, HeaderValue};
use hyper::service::service_fn;
use hyper::{Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::Value;
use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};

/// The head of a request must be there after this time, and the next one on a connection that is kept.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// Its body, after this time more.
const BODY_TIMEOUT: Duration = Duration::from_secs(15);
/// Most bytes of a head.
const MAX_HEAD: usize = 16 * 1024;
/// Most header fields.
const MAX_FIELDS: usize = 64;
/// Messages of the core that may wait.
const OUTGOING: usize = 256;

/// What the core hears from here, and who waits for its answers.
#[derive(Debug)]
struct Calls {
    conn: ConnId,
    port: u16,
    next: AtomicU64,
    inputs: mpsc::Sender<Input>,
    waiting: Mutex<HashMap<u64, Waiting>>,
}

#[derive(Debug)]
struct Waiting {
    answer: oneshot::Sender<PageAnswer>,
    parts: String,
}

/// Starts serving `stream`, which came to `port`.
pub(crate) fn start(conn: ConnId, stream: TcpStream, port: u16, inputs: mpsc::Sender<Input>) -> Outgoing {
    let (sender, receiver) = mpsc::channel(OUTGOING);
    let calls = Arc::new(Calls { conn, port, next: AtomicU64::new(1), inputs, waiting: Mutex::default() });
    tokio::spawn(async move {
        let hello = Input::Connected { conn, hello: hello() };
        if is_own(&stream).await && calls.inputs.send(hello).await.is_ok() {
            tokio::select! {
                () = serve(stream, Arc::clone(&calls)) => {}
                // The core has cut it off, or ends.
                () = hear(receiver, &calls) => {}
            }
        }
        // The main loop may have ended; then there is nobody to tell.
        drop(calls.inputs.send(Input::Disconnected { conn }).await);
    });
    sender
}

/// True if the other end belongs to a program of the same user.
async fn is_own(stream: &TcpStream) -> bool {
    let (Ok(from), Ok(to)) = (stream.peer_addr(), stream.local_addr()) else { return false };
    let owner = peer::owner(from, to).await;
    let own = crate::listener::decide_peer(rustix::process::geteuid().as_raw(), owner);
    if !own {
        tracing::warn!(?owner, "a local HTTP connection of another user was refused");
    }
    own
}

fn hello() -> Hello {
    let environment = crate::host::screen();
    Hello {
        id: 0,
        protocol: PROTOCOL,
        product: "godwit".into(),
        version: env!("CARGO_PKG_VERSION").into(),
        role: Role::LocalHttp,
        capabilities: Vec::new(),
        session: None,
        caller: Some(Caller { browser: "http".into(), environment, ..Caller::default() }),
    }
}

async fn serve(stream: TcpStream, calls: Arc<Calls>) {
    let service = service_fn(|request: hyper::Request<Incoming>| {
        let calls = Arc::clone(&calls);
        async move { Ok::<_, Infallible>(calls.respond(request).await) }
    });
    let served = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(MAX_HEAD)
        .max_headers(MAX_FIELDS)
        .serve_connection(TokioIo::new(stream), service)
        .await;
    if let Err(error) = served {
        tracing::debug!(conn = calls.conn, %error, "a local HTTP connection ended");
    }
}

/// Gives the core's answers to those who wait for them. Events are for windows.
async fn hear(mut messages: mpsc::Receiver<Message>, calls: &Calls) {
    while let Some(message) = messages.recv().await {
        match message {
            Message::Response(response) => {
                calls.answered(response.id, |_| Some(answer(response.result, response.error)))
            }
            Message::Part(part) => calls.answered(part.id, |text| {
                text.push_str(&part.body64);
                part.last.then(|| joined(part.status, text))
            }),
            Message::Hello(_) | Message::Request(_) | Message::Event(_) => {}
        }
    }
}

impl Calls {
    fn answered(&self, id: u64, take: impl FnOnce(&mut String) -> Option<PageAnswer>) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let answer = waiting.get_mut(&id).and_then(|entry| take(&mut entry.parts));
        if let Some(answer) = answer
            && let Some(entry) = waiting.remove(&id)
        {
            // Whoever asked may have gone.
            drop(entry.answer.send(answer));
        }
    }

    async fn respond(&self, request: hyper::Request<Incoming>) -> Response<Full<Bytes>> {
        let (head, body) = request.into_parts();
        let origin = match rules::judge(&head.uri, &head.headers, self.port) {
            Ok(origin) => origin,
            Err(refusal) => {
                tracing::debug!(conn = self.conn, %refusal, "a local HTTP request was refused");
                return response(&refusal.answer());
            }
        };
        let mut response = if rules::is_preflight(&head.method) {
            let mut empty = Response::new(Full::default());
            *empty.status_mut() = StatusCode::NO_CONTENT;
            rules::preflight(&head.headers, empty.headers_mut());
            empty
        } else {
            match rules::path(&head.uri) {
                Ok(uri) => response(&self.call(origin, head.method.as_str(), uri, body).await),
                Err(refusal) => response(&refusal.answer()),
            }
        };
        // As it was written, which for a program is not what it became.
        if let Some(origin) = head.headers.get(header::ORIGIN).and_then(|value| value.to_str().ok()) {
            rules::allow(origin, response.headers_mut());
        }
        response
    }

    async fn call(&self, origin: Origin, method: &str, uri: String, body: Incoming) -> PageAnswer {
        let body = match read(body).await {
            Ok(body) => body,
            Err(answer) => return answer,
        };
        // No browser saw what was dropped.
        let (min_version, dropped) = (String::new(), Vec::new());
        let call = PageCall { method: method.to_owned(), uri, body, min_version, timeout: None, dropped };
        let params = match serde_json::to_value(&call) {
            Ok(params) => params,
            Err(error) => return PageAnswer::error(500, &error.to_string(), "An internal error."),
        };
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let (sender, receiver) = oneshot::channel();
        let entry = Waiting { answer: sender, parts: String::new() };
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).insert(id, entry);
        let request = Request { id, kind: kinds::PAGE.into(), origin: Some(origin), deadline_ms: None, params };
        let ends = PageAnswer::error(503, "the agent ends", "Godwit is being closed. Try again in a moment.");
        if self.inputs.send(Input::Request { conn: self.conn, request }).await.is_err() {
            return ends;
        }
        receiver.await.unwrap_or(ends)
    }
}

async fn read(body: Incoming) -> Result<String, PageAnswer> {
    let too_large = || PageAnswer::error(413, "too large", "The request is too large.");
    if body.size_hint().lower() > MAX_PAGE_BODY as u64 {
        return Err(too_large());
    }
    let collected = tokio::time::timeout(BODY_TIMEOUT, Limited::new(body, MAX_PAGE_BODY).collect()).await;
    match collected {
        Ok(Ok(whole)) => String::from_utf8(whole.to_bytes().to_vec())
            .map_err(|_| PageAnswer::error(400, codes::BAD_REQUEST, "The request is not valid text.")),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large()),
        Ok(Err(_)) => Err(PageAnswer::error(400, codes::BAD_REQUEST, "The request could not be read.")),
        Err(_) => Err(PageAnswer::error(408, codes::TIMED_OUT, "The request took too long.")),
    }
}

fn answer(result: Option<Value>, error: Option<ErrorFrame>) -> PageAnswer {
    if let Some(answer) = result.and_then(|value| serde_json::from_value(value).ok()) {
        return answer;
    }
    let Some(error) = error else { return PageAnswer::error(500, "no answer", "An internal error.") };
    let status = match error.code.as_str() {
        codes::BUSY => 429,
        codes::TIMED_OUT => 504,
        codes::FORBIDDEN => 403,
        codes::BAD_REQUEST => 400,
        _ => 500,
    };
    PageAnswer::error(status, &error.code, &error.message)
}

fn joined(status: u16, base64: &str) -> PageAnswer {
    let body = STANDARD.decode(base64).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    body.map_or_else(
        || PageAnswer::error(500, "parts do not join", "An internal error."),
        |body| PageAnswer { status, body },
    )
}

fn response(answer: &PageAnswer) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(answer.body.clone())));
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_TYPE, "application/json; charset=utf-8"),
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    // The rest of a body that nobody reads would be taken for the next request.
    if matches!(answer.status, 400 | 403 | 404 | 408 | 413 | 421) {
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_the_core_have_a_status_and_parts_are_joined() {
        let error = |code: &str| {
            answer(None, Some(ErrorFrame { code: code.into(), message: "words".into(), retryable: true, note: None }))
                .status
        };
        assert_eq!((error(codes::BUSY), error(codes::TIMED_OUT), error("anything")), (429, 504, 500));
        assert_eq!(joined(200, &STANDARD.encode("{}")).body, "{}");
        assert_eq!(joined(200, "%").status, 500);
    }
}
