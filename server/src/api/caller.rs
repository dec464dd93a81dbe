//! Who calls: proven before any handler runs, with all that he can reach.

use super::session::{self, PROOF};
use super::{Api, ApiError};
use crate::access::{Login, Proof, Refused, unix_now};
use crate::catalogue::Event;
use crate::directory::Principal;
use crate::node_path::NodePath;
use crate::storage::Guarded;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// The other end of the connection, put beside every request where connections are accepted.
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub SocketAddr);

/// Whether the connection is encrypted, put there too.
#[derive(Clone, Copy, Debug)]
pub struct Secured(pub bool);

/// Somebody who proved himself.
pub struct Caller {
    /// Who.
    pub principal: Principal,
    /// A web application's user, for whom the access key's holder speaks.
    pub on_behalf: Option<String>,
    /// For one of the web application's users, with his permissions only.
    limited: bool,
    api: Arc<Api>,
}

impl FromRequestParts<Arc<Api>> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, api: &Arc<Api>) -> Result<Self, ApiError> {
        let Some(Peer(peer)) = parts.extensions.get().copied() else { return Err(ApiError::internal()) };
        // Pages of the web application speak for who is signed in there, whatever else the browser remembers and sends along.
        if let Some(given) = parts.headers.get(PROOF) {
            let login = session::login(parts, api, given.to_str().unwrap_or_default()).await?;
            return Self::of(login, api).await;
        }
        let text = |name| parts.headers.get(name).and_then(|value: &header::HeaderValue| value.to_str().ok());
        let proof = text(header::AUTHORIZATION).and_then(|value| {
            let key = parts.headers.get("x-aspera-accesskey").and_then(|value| value.to_str().ok());
            Proof::from_header(value, key)
        });
        let Some(proof) = proof else { return Err(ApiError::unauthenticated()) };
        match api.access.login(peer.ip(), proof).await {
            Ok(login) => Self::of(login, api).await,
            Err(refused) => Err(refusal(&refused)),
        }
    }
}

/// As JSON that stays on its line and reads from left to right, whatever names are in it, for the log.
fn one_line(body: &Value) -> String {
    let odd = |c: char| matches!(c, '\u{7f}'..='\u{9f}' | '\u{200e}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let mut line = String::new();
    for c in body.to_string().chars() {
        if odd(c) { line.push_str(&format!("\\u{:04x}", u32::from(c))) } else { line.push(c) }
    }
    line
}

/// What who does not come in is told.
pub(super) fn refusal(refused: &Refused) -> ApiError {
    match refused {
        Refused::Wrong(_) => ApiError::unauthenticated(),
        Refused::Busy => {
            ApiError::later(Duration::from_secs(1), "Too many logins at the same moment; try again shortly.")
        }
        Refused::Banned(rest) => ApiError::later(*rest, "Too many failed logins from your address; try again later."),
        Refused::Broken => ApiError::internal(),
    }
}

impl Caller {
    async fn of(login: Login, api: &Arc<Api>) -> Result<Self, ApiError> {
        let Login { principal, on_behalf, limited, .. } = login;
        let caller = Self { principal, on_behalf, limited, api: api.clone() };
        caller.files().prepare().await?;
        Ok(caller)
    }

    /// All that the caller can reach.
    #[must_use]
    pub fn files(&self) -> &Guarded {
        &self.principal.files
    }

    /// Refuses those who act for one user of a web application: what belongs to the whole key is not theirs.
    pub fn whole(&self) -> Result<(), ApiError> {
        if self.limited {
            let message = "This needs the access key itself, or a token for all of it.";
            return Err(ApiError::new(StatusCode::FORBIDDEN, "permission_denied", message));
        }
        Ok(())
    }

    /// The server.
    #[must_use]
    pub fn api(&self) -> &Arc<Api> {
        &self.api
    }

    /// Removes an object; its id goes with it.
    pub async fn remove(&self, path: &NodePath) -> Result<(), ApiError> {
        self.files().remove(path).await?;
        let (tree, gone) = (self.principal.tree.clone(), self.in_tree(path)?);
        self.api.access.blocking(move |a| a.directory().catalogue().removed(&tree, &gone)).await?;
        self.event("file.deleted", json!({"path": path.to_string()})).await;
        Ok(())
    }

    /// Gives an object another path; its id goes along.
    pub async fn rename(&self, from: &NodePath, to: &NodePath) -> Result<(), ApiError> {
        self.files().rename(from, to).await?;
        let (tree, old, new) = (self.principal.tree.clone(), self.in_tree(from)?, self.in_tree(to)?);
        self.api.access.blocking(move |a| a.directory().catalogue().moved(&tree, &old, &new)).await?;
        self.event("file.renamed", json!({"path": from.to_string(), "to": to.to_string()})).await;
        Ok(())
    }

    /// Where a path of the caller's lies in its tree, as the catalogue has it.
    pub fn in_tree(&self, path: &NodePath) -> Result<String, ApiError> {
        let whole = self.files().base().join(path);
        whole.map(|path| path.as_str().to_owned()).map_err(|error| super::body::bad_path(path.as_str(), &error))
    }

    /// Writes an event down. That it cannot be does not undo what happened.
    pub async fn event(&self, kind: &'static str, mut body: Value) {
        if let (Some(user), Value::Object(fields)) = (&self.on_behalf, &mut body) {
            fields.insert("user_id".into(), json!(user));
        }
        tracing::info!(user = ?self.principal.name, kind, body = %one_line(&body), "done");
        let event = Event { id: 0, owner: self.principal.name.clone(), at: unix_now(), kind: kind.into(), body };
        if let Err(error) = self.api.access.blocking(move |a| a.directory().catalogue().add_event(&event)).await {
            tracing::warn!(%error, "an event could not be written down");
        }
    }
}
