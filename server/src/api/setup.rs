//! Transfer set-up: a web application says what shall be moved, and gets a transfer spec with a token for exactly that.
//!
//! The token is bound to the caller, the direction, the paths and a time, and the data endpoint accepts it. What the caller
//! may not do is refused here already, element by element.

use super::body::{Body, path};
use super::{Api, ApiError, Caller};
use crate::access::{TRANSFER_USER, unix_now};
use crate::node_path::NodePath;
use crate::rights::Right;
use crate::storage::{Kind, StorageError};
use crate::token::Grant;
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use godwit_protocol::spec::{Direction, RatePolicy};
use godwit_transport::rules::Rules;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// Transfers in one request.
const MAX_REQUESTS: usize = 100;
/// Wishes that are returned as they came: the client's own business.
const ECHOED: [&str; 8] = [
    "tags",
    "cookie",
    "title",
    "resume_policy",
    "overwrite",
    "preserve_timestamps",
    "multi_session",
    "content_protection",
];

/// The request. What else stands in an element comes back with its answer.
#[derive(Deserialize)]
pub(super) struct Setup {
    transfer_requests: Vec<Map<String, Value>>,
}

#[derive(Deserialize)]
struct Wish {
    #[serde(default)]
    paths: Vec<Pair>,
    #[serde(default)]
    source_root: Option<String>,
    #[serde(default)]
    destination_root: Option<String>,
    #[serde(default, rename = "type")]
    kind: Option<String>,
    #[serde(default)]
    create_dir: Option<bool>,
}

#[derive(Deserialize)]
struct Pair {
    #[serde(default)]
    source: Option<String>,
    #[serde(default)]
    destination: Option<String>,
}

#[derive(Clone, Copy)]
enum What {
    Upload,
    Download,
    Sync,
}

pub(super) async fn upload(
    caller: Caller,
    State(api): State<Arc<Api>>,
    headers: HeaderMap,
    Body(request): Body<Setup>,
) -> Result<Json<Value>, ApiError> {
    answer(&caller, &api, &headers, request, What::Upload).await
}

pub(super) async fn download(
    caller: Caller,
    State(api): State<Arc<Api>>,
    headers: HeaderMap,
    Body(request): Body<Setup>,
) -> Result<Json<Value>, ApiError> {
    answer(&caller, &api, &headers, request, What::Download).await
}

pub(super) async fn sync(
    caller: Caller,
    State(api): State<Arc<Api>>,
    headers: HeaderMap,
    Body(request): Body<Setup>,
) -> Result<Json<Value>, ApiError> {
    answer(&caller, &api, &headers, request, What::Sync).await
}

async fn answer(
    caller: &Caller,
    api: &Api,
    headers: &HeaderMap,
    request: Setup,
    what: What,
) -> Result<Json<Value>, ApiError> {
    if request.transfer_requests.len() > MAX_REQUESTS {
        let message = format!("At most {MAX_REQUESTS} transfers in one request.");
        return Err(ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "too_many_requests", message));
    }
    let host = remote_host(headers)?;
    let mut specs = Vec::new();
    for mut element in request.transfer_requests {
        let wish = element.remove("transfer_request").unwrap_or(Value::Null);
        element.remove("transfer_spec");
        match spec(caller, api, &host, wish, what).await {
            Ok(spec) => element.insert("transfer_spec".into(), spec),
            Err(error) => element.insert("error".into(), error.value()),
        };
        specs.push(Value::Object(element));
    }
    Ok(Json(json!({"transfer_specs": specs})))
}

/// Clients reach the data port at the name by which they reached us.
pub(super) fn remote_host(headers: &HeaderMap) -> Result<String, ApiError> {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    // `[::1]:9092`, `name:9092`, `name`.
    let name = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, _)) => address,
        None => host.split(':').next().unwrap_or_default(),
    };
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '_');
    if name.is_empty() || name.len() > 253 || !name.chars().all(fits) {
        return Err(ApiError::bad_request("The request must name this server in its Host header."));
    }
    Ok(name.to_owned())
}

async fn spec(caller: &Caller, api: &Api, host: &str, wish: Value, what: What) -> Result<Value, ApiError> {
    let echoed: Map<String, Value> = ECHOED
        .iter()
        .filter_map(|name| Some(((*name).to_owned(), wish.get(name).filter(|value| !value.is_null())?.clone())))
        .collect();
    let wish: Wish = serde_json::from_value(wish)
        .map_err(|error| ApiError::bad_request(format!("transfer_request cannot be read: {error}.")))?;
    let (direction, both) = direction(&wish, what)?;
    let (granted, mut spec) = match what {
        What::Sync => synced(caller, &wish, direction, both).await?,
        _ if direction == Direction::Send => uploaded(caller, &wish).await?,
        _ => downloaded(caller, &wish).await?,
    };
    if direction == Direction::Send {
        caller.files().has_room().await?;
    }
    let ttl = api.access.directory().settings().token_life.as_secs();
    let grant = Grant::new(&caller.principal.name, direction, &granted, unix_now(), ttl)?;
    let grant = Grant { both, ..grant };
    let signed = api.access.tokens().sign(&grant)?;
    tracing::info!(
        user = ?caller.principal.name, on_behalf = ?caller.on_behalf, ?direction, paths = granted.len(), token = grant.id,
        "transfer set up"
    );
    spec.extend(echoed);
    if direction == Direction::Send && caller.files().is_encrypted_only() {
        // Whatever was wished: the client asks for a passphrase by itself.
        spec.insert("content_protection".into(), json!("encrypt"));
    }
    spec.insert("token".into(), json!(signed.expose()));
    let rules = match direction {
        Direction::Send => &caller.principal.upload,
        Direction::Receive => &caller.principal.download,
    };
    spec.extend(frame(api, host, direction, rules));
    Ok(Value::Object(spec))
}

/// What is the same in every spec of this server.
pub(super) fn frame(api: &Api, host: &str, direction: Direction, rules: &Rules) -> Map<String, Value> {
    let mut spec = Map::new();
    spec.insert("direction".into(), json!(if direction == Direction::Send { "send" } else { "receive" }));
    spec.insert("authentication".into(), json!("token"));
    spec.insert("remote_host".into(), json!(host));
    spec.insert("remote_user".into(), json!(TRANSFER_USER));
    for port in ["ssh_port", "fasp_port"] {
        spec.insert(port.into(), json!(api.data_port));
    }
    spec.insert("sshfp".into(), json!(api.fingerprint()));
    spec.insert("cipher".into(), json!("aes-128"));
    spec.insert("http_fallback".into(), json!(false));
    spec.insert("wss_enabled".into(), json!(false));
    rates(&mut spec, rules);
    spec
}

fn direction(wish: &Wish, what: What) -> Result<(Direction, bool), ApiError> {
    match (what, wish.kind.as_deref()) {
        (What::Upload, _) | (What::Sync, Some("sync_upload")) => Ok((Direction::Send, false)),
        (What::Download, _) | (What::Sync, Some("sync_download")) => Ok((Direction::Receive, false)),
        (What::Sync, Some("sync")) => Ok((Direction::Send, true)),
        (What::Sync, _) => Err(ApiError::bad_request("type must be sync_upload, sync_download or sync.")),
    }
}

/// An upload: everything lands in one folder, whose rights decide.
async fn uploaded(caller: &Caller, wish: &Wish) -> Result<(Vec<NodePath>, Map<String, Value>), ApiError> {
    // Without sources the one destination is the folder; with them it is relative to `destination_root`.
    let folder = match (&wish.destination_root, wish.paths.as_slice()) {
        (Some(root), _) => root.as_str(),
        (None, [Pair { source: None, destination: Some(folder) }]) => folder.as_str(),
        (None, _) => "/",
    };
    let folder = path(folder)?;
    for pair in &wish.paths {
        // Where each goes is the client's to say later; what cannot be is told now.
        path(pair.destination.as_deref().unwrap_or_default())?;
    }
    match caller.files().kind_for_edit(&folder).await {
        Ok(stat) if stat.kind != Kind::Folder => return Err(StorageError::NotFolder(folder).into()),
        Ok(_) => {}
        Err(StorageError::NotFound(_)) if wish.create_dir != Some(false) => {}
        Err(error) => return Err(error.into()),
    }
    let mut spec = Map::new();
    spec.insert("paths".into(), pairs(&wish.paths));
    spec.insert("destination_root".into(), json!(folder.to_string()));
    spec.insert("create_dir".into(), json!(wish.create_dir.unwrap_or(true)));
    if let Some(root) = &wish.source_root {
        spec.insert("source_root".into(), json!(root));
    }
    Ok((vec![folder], spec))
}

async fn downloaded(caller: &Caller, wish: &Wish) -> Result<(Vec<NodePath>, Map<String, Value>), ApiError> {
    let root = path(wish.source_root.as_deref().unwrap_or_default())?;
    let mut granted = Vec::new();
    for pair in &wish.paths {
        let Some(source) = &pair.source else {
            return Err(ApiError::bad_request("Every path of a download needs a source."));
        };
        let whole = root.join(&path(source)?).map_err(|error| super::body::bad_path(source, &error))?;
        let stat = caller.files().stat(&whole).await?;
        match stat.kind {
            Kind::File | Kind::Folder => granted.push(whole),
            Kind::Link => return Err(StorageError::Link(whole).into()),
            Kind::Special => return Err(StorageError::NotRegular(whole).into()),
        }
    }
    if granted.is_empty() {
        return Err(ApiError::bad_request("The request names no path."));
    }
    let mut spec = Map::new();
    spec.insert("paths".into(), pairs(&wish.paths));
    spec.insert("source_root".into(), json!(wish.source_root.as_deref().unwrap_or("")));
    if let Some(root) = &wish.destination_root {
        spec.insert("destination_root".into(), json!(root));
    }
    Ok((granted, spec))
}

async fn synced(
    caller: &Caller,
    wish: &Wish,
    direction: Direction,
    both: bool,
) -> Result<(Vec<NodePath>, Map<String, Value>), ApiError> {
    let mut granted = Vec::new();
    for pair in &wish.paths {
        let remote = match direction {
            Direction::Send => &pair.destination,
            Direction::Receive => &pair.source,
        };
        let Some(remote) = remote else {
            return Err(ApiError::bad_request("Every path needs a source and a destination."));
        };
        let remote = path(remote)?;
        if direction == Direction::Send {
            caller.files().check(&remote, Right::Edit)?;
        }
        if direction == Direction::Receive || both {
            caller.files().check(&remote, Right::View)?;
        }
        granted.push(remote);
    }
    if granted.is_empty() {
        return Err(ApiError::bad_request("The request names no path."));
    }
    let mut spec = Map::new();
    spec.insert("paths".into(), pairs(&wish.paths));
    spec.insert("create_dir".into(), json!(true));
    Ok((granted, spec))
}

/// Without what was not said: clients do not expect `null`.
fn pairs(paths: &[Pair]) -> Value {
    let pair = |pair: &Pair| {
        let both = [("source", &pair.source), ("destination", &pair.destination)];
        let said = both.into_iter().filter_map(|(name, value)| Some((name.to_owned(), json!(value.as_ref()?))));
        Value::Object(said.collect())
    };
    Value::Array(paths.iter().map(pair).collect())
}

fn rates(spec: &mut Map<String, Value>, rules: &Rules) {
    let policy = rules.policy_default.unwrap_or_default();
    let word = |policy: RatePolicy| serde_json::to_value(policy).unwrap_or_else(|_| json!("fair"));
    spec.insert("rate_policy".into(), word(policy));
    if let Some(strongest) = rules.policies.first() {
        spec.insert("rate_policy_allowed".into(), word(*strongest));
    }
    let rates = [
        ("target_rate_kbps", rules.target_default.or(rules.target_cap)),
        ("target_rate_cap_kbps", rules.target_cap),
        ("min_rate_kbps", rules.minimum_default),
        ("min_rate_cap_kbps", rules.minimum_cap),
    ];
    for (name, rate) in rates {
        if let Some(rate) = rate {
            spec.insert(name.into(), json!(rate.0));
        }
    }
    for (name, lock) in [
        ("lock_rate_policy", rules.locks.policy),
        ("lock_target_rate_kbps", rules.locks.target),
        ("lock_min_rate_kbps", rules.locks.minimum),
    ] {
        if lock {
            spec.insert(name.into(), json!(true));
        }
    }
}
