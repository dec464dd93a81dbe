//! Links for people without a user here: a download token in an address, for some paths and a limited time.
//!
//! The token stands after `#`, which browsers keep to themselves: it is in no log. It is worth what the token says and what the
//! user who made it may still do, and can be taken back.

use super::body::{Body, Id, path};
use super::caller::{Peer, refusal};
use super::entry::kind;
use super::{Api, ApiError, Caller, setup};
use crate::access::{Proof, unix_now};
use crate::catalogue::TokenRecord;
use crate::node_path::NodePath;
use crate::storage::{Kind, StorageError};
use crate::token::Grant;
use axum::Extension;
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use godwit_protocol::Secret;
use godwit_protocol::spec::Direction;
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

/// Paths in one link.
const MAX_PATHS: usize = 100;
/// Bytes of them together: the link must be one that mail programs carry.
const MAX_BYTES: usize = 8 * 1024;
/// Links of one user that have not expired.
const MAX_LINKS: usize = 1_000;

#[derive(Deserialize)]
pub(super) struct New {
    paths: Vec<String>,
    /// Life.
    seconds: u64,
}

pub(super) async fn create(
    caller: Caller,
    State(api): State<Arc<Api>>,
    Body(wish): Body<New>,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    caller.whole()?;
    let longest = api.access.directory().settings().web.share_seconds;
    if longest == 0 {
        let message = "This server makes no links for others.";
        return Err(ApiError::new(StatusCode::FORBIDDEN, "permission_denied", message));
    }
    let bytes: usize = wish.paths.iter().map(String::len).sum();
    if wish.paths.is_empty() || wish.paths.len() > MAX_PATHS || bytes > MAX_BYTES {
        return Err(ApiError::bad_request(format!("A link is for 1 to {MAX_PATHS} files or folders.")));
    }
    let mut paths = Vec::new();
    for text in &wish.paths {
        let at = path(text)?;
        match caller.files().stat(&at).await?.kind {
            Kind::File | Kind::Folder => paths.push(at),
            Kind::Link => return Err(StorageError::Link(at).into()),
            Kind::Special => return Err(StorageError::NotRegular(at).into()),
        }
    }
    let seconds = wish.seconds.clamp(1, longest);
    let grant = Grant::new(&caller.principal.name, Direction::Receive, &paths, unix_now(), seconds)?;
    let token = api.access.tokens().sign(&grant)?;
    let record = TokenRecord {
        id: grant.id.clone(),
        user: grant.user,
        direction: "receive".into(),
        paths: grant.paths,
        expires: grant.expires,
        revoked: false,
    };
    let written = record.clone();
    let kept = api.access.blocking(move |a| {
        let catalogue = a.directory().catalogue();
        let own = catalogue.tokens(unix_now())?.iter().filter(|token| token.user == written.user).count();
        if own < MAX_LINKS {
            catalogue.put_token(&written)?;
        }
        Ok(own < MAX_LINKS)
    });
    if !kept.await? {
        let message = "You have too many links; take some back first.";
        return Err(ApiError::new(StatusCode::CONFLICT, "full", message));
    }
    caller.event("link.created", json!({"id": record.id, "paths": wish.paths, "expires": record.expires})).await;
    let mut answer = shown(&record);
    // Told this once: it is not kept.
    answer["token"] = json!(token.expose());
    Ok((StatusCode::CREATED, Json(answer)))
}

fn shown(record: &TokenRecord) -> Value {
    let paths: Vec<_> = record.paths.iter().map(|path| format!("/{path}")).collect();
    json!({"id": record.id, "paths": paths, "expires": record.expires})
}

/// The caller's links that still open something.
async fn mine(caller: &Caller) -> Result<Vec<TokenRecord>, ApiError> {
    caller.whole()?;
    let name = caller.principal.name.clone();
    let all = caller.api().access.blocking(|a| a.directory().catalogue().tokens(unix_now())).await?;
    let own = |token: &TokenRecord| token.user == name && token.direction == "receive" && !token.revoked;
    Ok(all.into_iter().filter(own).collect())
}

pub(super) async fn list(caller: Caller) -> Result<Json<Value>, ApiError> {
    Ok(Json(json!({"links": mine(&caller).await?.iter().map(shown).collect::<Vec<_>>()})))
}

pub(super) async fn remove(caller: Caller, Id(id): Id) -> Result<StatusCode, ApiError> {
    let known = mine(&caller).await?.into_iter().find(|token| token.id == id);
    let token = known.ok_or_else(|| ApiError::not_found("There is no such link."))?;
    caller.api().access.blocking(move |a| a.directory().catalogue().revoke(&token.id, token.expires)).await?;
    caller.event("link.removed", json!({"id": id})).await;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize)]
pub(super) struct Open {
    token: Secret,
}

/// What a link leads to, and the transfer spec that fetches it. Anybody who has the link may ask.
pub(super) async fn open(
    State(api): State<Arc<Api>>,
    Extension(Peer(peer)): Extension<Peer>,
    headers: HeaderMap,
    Body(wish): Body<Open>,
) -> Result<Json<Value>, ApiError> {
    let gone = |message: &str| ApiError::new(StatusCode::GONE, "link_ended", message);
    let ended = "This link has expired, was taken back, or is not complete. Ask whoever gave it to you for a new one.";
    let login = match api.access.login(peer.ip(), Proof::Token(String::new(), wish.token.clone())).await {
        Ok(login) => login,
        Err(crate::access::Refused::Wrong(_)) => return Err(gone(ended)),
        Err(refused) => return Err(refusal(&refused).for_page()),
    };
    let Some(grant) = login.grant.filter(|grant| grant.check_direction(Direction::Receive).is_ok()) else {
        return Err(gone(ended));
    };
    let (mut items, mut sources) = (Vec::new(), Vec::new());
    for text in &grant.paths {
        let Ok(at) = NodePath::parse(text) else { continue };
        // What was removed meanwhile, or may not be shared any more, is not there.
        let Ok(stat) = login.principal.files.stat(&at).await else { continue };
        if !matches!(stat.kind, Kind::File | Kind::Folder) {
            continue;
        }
        let name = if at.is_root() { "/" } else { at.name() };
        items.push(json!({"name": name, "type": kind(stat.kind), "size": stat.size}));
        sources.push(json!({"source": at.to_string()}));
    }
    if items.is_empty() {
        return Err(gone("What this link led to is not there any more."));
    }
    let mut spec = setup::frame(&api, &setup::remote_host(&headers)?, Direction::Receive, &login.principal.download);
    spec.insert("paths".into(), json!(sources));
    spec.insert("source_root".into(), json!(""));
    spec.insert("token".into(), json!(wish.token.expose()));
    Ok(Json(json!({
        "items": items,
        "from": login.principal.name,
        "expires": grant.expires,
        "content_protection_required": login.principal.files.is_encrypted_only(),
        "transfer_spec": spec,
        // Who follows another link in the same browser, or signs in, does not see these transfers.
        "app_id": super::session::app_id(&api, "link", &grant.id),
    })))
}
