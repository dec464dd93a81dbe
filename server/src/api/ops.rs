//! `/ops/transfers`: transfers that this server makes with another one, and what is known of those with its own clients.

use super::body::{Body, Id, Query, path};
use super::{Api, ApiError, Caller};
use crate::catalogue::TransferQuery;
use crate::node_path::NodePath;
use crate::rights::Right;
use crate::transfers::{OpsError, Order};
use axum::Json;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use godwit_protocol::RateKbps;
use godwit_protocol::spec::{Authentication, ContentProtection, Direction, TransferSpec};
use godwit_protocol::worker::{
    Credential, PathPair, Protection, RateSettings, ServerAddress, ServerIdentity, Start, TransferOptions,
};
use godwit_transport::root::Root;
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

/// Transfers in one answer.
const MAX_COUNT: usize = 1_000;

fn spec_error(error: &godwit_protocol::spec::SpecError) -> ApiError {
    ApiError::bad_request(format!("{error}."))
}

impl From<OpsError> for ApiError {
    fn from(error: OpsError) -> Self {
        match error {
            OpsError::Full => Self::later(std::time::Duration::from_secs(10), format!("{error}.")),
            OpsError::Private(_) => Self::new(StatusCode::FORBIDDEN, "private_address", format!("{error}.")),
            OpsError::Unknown(_) => Self::bad_request(format!("{error}.")),
        }
    }
}

pub(super) async fn start(
    caller: Caller,
    State(api): State<Arc<Api>>,
    Body(body): Body<Value>,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let spec = TransferSpec::from_value(&body).map_err(|e| spec_error(&e))?;
    spec.check_offered().map_err(|e| spec_error(&e))?;
    let transfer_id = uuid::Uuid::new_v4().to_string();
    let protection = protection(&spec, &transfer_id)?;
    let opened = protection.as_ref().is_some_and(|p| p.mode == ContentProtection::Decrypt);
    if opened && caller.files().is_encrypted_only() {
        let message = "This server keeps encrypted files only: take them without content_protection.";
        return Err(ApiError::new(StatusCode::FORBIDDEN, "content_protection_required", message));
    }
    // By name a certificate could be had by whoever owns the name at the moment; the spec of a set-up has the fingerprint.
    let Some(fingerprint) = spec.fingerprint.clone() else {
        return Err(ApiError::bad_request("sshfp is missing: the other server's fingerprint, as its set-up gives it."));
    };
    let (paths, destination_root, root) = match spec.direction {
        Direction::Send => sources(&caller, &spec, &body).await?,
        Direction::Receive => target(&caller, &spec, &body).await?,
    };
    let address = api.ops.resolve(&spec.remote_host, spec.fasp_port, api.data_port).await?;
    let rules = match spec.direction {
        // The other side receives what we send, as a user who downloads.
        Direction::Send => &caller.principal.download,
        Direction::Receive => &caller.principal.upload,
    };
    let wish = RateSettings {
        policy: spec.rate_policy,
        target: spec.target_rate_kbps,
        minimum: spec.min_rate_kbps,
        cap: [spec.target_rate_cap_kbps, caller.principal.rate_cap].into_iter().flatten().min(),
    };
    let start = Start {
        transfer_id,
        attempt: 1,
        direction: spec.direction,
        server: ServerAddress {
            host: address.to_string(),
            data_port: spec.fasp_port,
            tcp_port: spec.ssh_port,
            user: spec.remote_user.clone(),
            credential: credential(&spec)?,
            identity: ServerIdentity { fingerprint: Some(fingerprint), pin: None },
        },
        paths,
        destination_root,
        create_dir: spec.create_dir,
        options: TransferOptions {
            resume: spec.resume,
            overwrite: spec.overwrite,
            preserve_times: spec.preserve_times,
            ..TransferOptions::default()
        },
        rate: wish,
        sessions: 1,
        cookie: spec.cookie.clone().unwrap_or_default(),
        root_id: spec.root_id(),
        protection,
    };
    let order =
        Order { owner: caller.principal.name.clone(), public: spec.public.clone(), start, root, rules: rules.clone() };
    let progress = api.ops.start(order).await?;
    caller.event("transfer.started", json!({"id": progress.id, "remote_host": spec.remote_host})).await;
    Ok((StatusCode::CREATED, Json(progress.object(crate::transfers::now_usec()))))
}

/// Encryption at rest; nobody can be asked for a passphrase here.
fn protection(spec: &TransferSpec, scope: &str) -> Result<Option<Protection>, ApiError> {
    let Some(mode) = spec.content_protection else { return Ok(None) };
    let passphrase = spec
        .content_protection_passphrase
        .clone()
        .ok_or_else(|| ApiError::bad_request("content_protection_passphrase is missing."))?;
    Ok(Some(Protection { mode, passphrase, scope: scope.to_owned() }))
}

fn credential(spec: &TransferSpec) -> Result<Credential, ApiError> {
    let token = spec.token.clone().map(|token| Credential::Token { token });
    let password = spec.remote_password.clone().map(|password| Credential::Password { password });
    let first = match spec.authentication {
        Authentication::Token => token.or(password),
        Authentication::Password => password.or(token),
    };
    first.ok_or_else(|| ApiError::bad_request("The spec has neither token nor remote_password."))
}

/// The folder that a file id in the spec names, for access keys; else the caller's root.
async fn base(caller: &Caller, body: &Value, field: &str) -> Result<NodePath, ApiError> {
    match body.get(field).filter(|id| !id.is_null()) {
        None => Ok(NodePath::ROOT),
        Some(id) => {
            let id = id.as_str().map_or_else(|| id.to_string(), str::to_owned);
            Ok(caller.locate(&id).await?.1)
        }
    }
}

type Local = (Vec<PathPair>, String, Root);

async fn sources(caller: &Caller, spec: &TransferSpec, body: &Value) -> Result<Local, ApiError> {
    let base = base(caller, body, "source_root_id").await?;
    let root = base.join(&path(&spec.source_root)?).map_err(|e| super::body::bad_path(&spec.source_root, &e))?;
    let names = spec.effective_destinations().map_err(|e| spec_error(&e))?;
    let (mut wanted, mut pairs) = (Vec::new(), Vec::new());
    for (one, name) in spec.paths.iter().zip(names) {
        let source = root.join(&path(&one.source)?).map_err(|e| super::body::bad_path(&one.source, &e))?;
        // Told now rather than by a transfer that fails.
        caller.files().stat(&source).await?;
        pairs.push(PathPair { source: source.as_str().to_owned(), destination: name.map(|name| name.to_string()) });
        wanted.push(source);
    }
    if pairs.is_empty() {
        return Err(ApiError::bad_request("The spec names no path."));
    }
    let destination = spec.remote_destination().map_err(|e| spec_error(&e))?;
    Ok((pairs, destination, caller.files().data_root(&wanted, Right::View).await?))
}

async fn target(caller: &Caller, spec: &TransferSpec, body: &Value) -> Result<Local, ApiError> {
    let base = base(caller, body, "destination_root_id").await?;
    let folder = base.join(&path(&spec.destination_root)?);
    let folder = folder.map_err(|e| super::body::bad_path(&spec.destination_root, &e))?;
    let root = caller.files().data_folder(&folder, spec.create_dir).await?;
    let sources = spec.effective_sources().map_err(|e| spec_error(&e))?;
    let names = spec.effective_destinations().map_err(|e| spec_error(&e))?;
    let pair = |(source, name): (String, Option<godwit_protocol::RelPath>)| PathPair {
        source,
        destination: name.map(|name| name.to_string()),
    };
    Ok((sources.into_iter().zip(names).map(pair).collect(), String::new(), root))
}

#[derive(Deserialize)]
pub(super) struct Which {
    #[serde(default)]
    active_only: Option<String>,
    #[serde(default)]
    count: Option<usize>,
    /// Ours: µs and id of the last one told.
    #[serde(default)]
    iteration_token: Option<String>,
}

pub(super) async fn list(
    caller: Caller,
    State(api): State<Arc<Api>>,
    Query(which): Query<Which>,
) -> Result<Response, ApiError> {
    caller.whole()?;
    let token = which.iteration_token.as_deref().filter(|token| !token.is_empty());
    let before = token.map(|token| {
        let parts = token.split_once('-').and_then(|(usec, id)| Some((usec.parse::<i64>().ok()?, id.to_owned())));
        parts.ok_or_else(|| ApiError::bad_request("iteration_token is not ours."))
    });
    let query = TransferQuery {
        owner: caller.principal.name.clone(),
        active_only: matches!(which.active_only.as_deref(), Some("true" | "1")),
        before: before.transpose()?,
        count: which.count.unwrap_or(MAX_COUNT).clamp(1, MAX_COUNT),
    };
    let asked = query.count;
    let found = api.access.blocking(move |a| a.directory().catalogue().transfers(&query)).await?;
    let next = found.last().filter(|_| found.len() == asked).map(|last| format!("{}-{}", last.start_usec, last.id));
    let shown: Vec<Value> = found
        .into_iter()
        .map(|record| match api.ops.get(&record.owner, &record.id) {
            Some(live) => live.object(crate::transfers::now_usec()),
            None => record.body,
        })
        .collect();
    let mut response = Json(shown).into_response();
    if let Some(next) = next {
        let link = format!("</ops/transfers?iteration_token={}>; rel=\"next\"", encoded(&next));
        if let Ok(link) = HeaderValue::from_str(&link) {
            response.headers_mut().insert(header::LINK, link);
        }
    }
    Ok(response)
}

/// Ids of transfers are their clients' own texts.
fn encoded(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

/// The transfer as it stands, if the caller owns it.
async fn find(caller: &Caller, id: &str) -> Result<Value, ApiError> {
    caller.whole()?;
    let owner = caller.principal.name.clone();
    if let Some(live) = caller.api().ops.get(&owner, id) {
        return Ok(live.object(crate::transfers::now_usec()));
    }
    let id = id.to_owned();
    let found = caller.api().access.blocking(move |a| a.directory().catalogue().transfer(&owner, &id)).await?;
    found.map(|record| record.body).ok_or_else(|| ApiError::not_found("There is no such transfer."))
}

/// `/ops/transfers/{id}`: GET, PUT and the method that is literally `CANCEL`.
pub(super) async fn one(
    caller: Caller,
    State(api): State<Arc<Api>>,
    Id(id): Id,
    request: Request,
) -> Result<Response, ApiError> {
    if !["GET", "PUT", "CANCEL"].contains(&request.method().as_str()) {
        return Err(ApiError::not_found("This server has nothing at this address."));
    }
    let known = find(&caller, &id).await?;
    let owner = caller.principal.name.clone();
    match request.method().as_str() {
        "CANCEL" => {
            if !api.ops.stop(&owner, &id).await && running(&known) {
                let message = "This transfer was begun by a client, which alone can end it.";
                return Err(ApiError::new(StatusCode::CONFLICT, "not_ours", message));
            }
            caller.event("transfer.cancelled", json!({"id": id})).await;
            Ok(Json(find(&caller, &id).await?).into_response())
        }
        _ if request.method() == Method::PUT => {
            let Body(wish) = <Body<Rates> as axum::extract::FromRequest<_>>::from_request(request, &api).await?;
            let Some(live) = api.ops.get(&owner, &id) else {
                let message = "This transfer is not one that this server runs now.";
                return Err(ApiError::new(StatusCode::CONFLICT, "not_running", message));
            };
            api.ops.set_rate(&owner, &id, wish.over(live.rate)).await;
            Ok(Json(find(&caller, &id).await?).into_response())
        }
        _ => Ok(Json(known).into_response()),
    }
}

fn running(object: &Value) -> bool {
    matches!(object.get("status").and_then(Value::as_str), Some("running" | "waiting"))
}

/// What can be changed while a transfer runs.
#[derive(Deserialize)]
struct Rates {
    #[serde(default)]
    target_rate_kbps: Option<RateKbps>,
    #[serde(default)]
    min_rate_kbps: Option<RateKbps>,
    #[serde(default)]
    rate_policy: Option<godwit_protocol::spec::RatePolicy>,
}

impl Rates {
    fn over(&self, now: RateSettings) -> RateSettings {
        let rate = |given: Option<RateKbps>, now| given.map_or(now, |kbps| Some(kbps).filter(|kbps| kbps.0 > 0));
        RateSettings {
            policy: self.rate_policy.unwrap_or(now.policy),
            target: rate(self.target_rate_kbps, now.target),
            minimum: rate(self.min_rate_kbps, now.minimum),
            cap: now.cap,
        }
    }
}
