//! Access keys: a second way in for web applications, bound to a folder of the user who made them.

use super::body::{Body, Id, path};
use super::{Api, ApiError, Caller};
use crate::access::unix_now;
use crate::bearer;
use crate::catalogue::{AccessKey, Found};
use crate::config::{ContentProtection, check_name};
use crate::node_path::NodePath;
use crate::password::{Hash, MAX_PASSWORD};
use crate::random_word;
use crate::rights::{Right, Rights};
use crate::storage::StorageError;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use godwit_protocol::Secret;
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

/// Shortest secret that a client may choose, bytes.
const MIN_SECRET: usize = 12;
/// Largest `configuration` that is kept, bytes of JSON.
const MAX_CONFIGURATION: usize = 16 * 1024;

/// What may be given when a key is made or changed.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Given {
    id: Option<String>,
    secret: Option<String>,
    name: Option<String>,
    storage: Option<Storage>,
    token_verification_key: Option<String>,
    configuration: Option<Value>,
    /// Our own: at most these rights.
    rights: Option<Rights>,
}

#[derive(Deserialize)]
struct Storage {
    #[serde(default, rename = "type")]
    kind: Option<String>,
    #[serde(default)]
    path: Option<String>,
}

/// `self` is the caller's own key; a user sees those he owns.
async fn mine(caller: &Caller, id: &str) -> Result<AccessKey, ApiError> {
    let none = || ApiError::not_found("There is no such access key.");
    let own = caller.principal.key.as_deref();
    if let Some(own) = own {
        return if id == "self" || id == own.id { Ok(own.clone()) } else { Err(none()) };
    }
    if id == "self" {
        return Err(ApiError::not_found("The caller is a user, not an access key."));
    }
    let id = id.to_owned();
    let found = caller.api().access.blocking(move |a| a.directory().catalogue().key(&id)).await?;
    found.filter(|key| key.owner == caller.principal.name).ok_or_else(none)
}

/// Only users make, change and remove keys: a key cannot widen itself.
fn owner(caller: &Caller) -> Result<&str, ApiError> {
    match &caller.principal.key {
        None => Ok(&caller.principal.name),
        Some(_) => {
            let message = "Access keys are managed by the user who owns them.";
            Err(ApiError::new(StatusCode::FORBIDDEN, "permission_denied", message))
        }
    }
}

async fn shown(caller: &Caller, key: &AccessKey) -> Result<Value, ApiError> {
    let root = root_id(caller, key).await?;
    Ok(json!({
        "id": key.id,
        "name": key.name,
        "root_file_id": root,
        "storage": {"type": "local", "path": format!("/{}", key.path)},
        "rights": key.rights,
        "configuration": key.configuration,
        "content_protection_required": key.content_protection.is_required(),
        "token_verification_key": key.verification_key.as_deref().unwrap_or(""),
        "created": key.created,
    }))
}

/// Id of the key's folder; empty while the folder is missing.
async fn root_id(caller: &Caller, key: &AccessKey) -> Result<String, ApiError> {
    // For the key itself its folder is the root; for its owner a folder below his own.
    let place = match &caller.principal.key {
        Some(_) => NodePath::ROOT,
        None => path(&key.path)?,
    };
    let stat = match caller.files().identify(&place).await {
        Ok(stat) => stat,
        Err(StorageError::NotFound(_)) => return Ok(String::new()),
        Err(error) => return Err(error.into()),
    };
    let (tree, found) = (caller.principal.tree.clone(), vec![Found { path: caller.in_tree(&place)?, identity: stat }]);
    let ids = caller.api().access.blocking(move |a| a.directory().catalogue().ids(&tree, &found)).await?;
    Ok(ids.first().map(|id| id.0.to_string()).unwrap_or_default())
}

pub(super) async fn list(caller: Caller) -> Result<Json<Value>, ApiError> {
    caller.whole()?;
    let keys = match &caller.principal.key {
        Some(own) => vec![own.as_ref().clone()],
        None => {
            let owner = caller.principal.name.clone();
            caller.api().access.blocking(move |a| a.directory().catalogue().keys(Some(&owner))).await?
        }
    };
    let mut all = Vec::new();
    for key in &keys {
        all.push(shown(&caller, key).await?);
    }
    Ok(Json(Value::Array(all)))
}

pub(super) async fn one(caller: Caller, Id(id): Id) -> Result<Json<Value>, ApiError> {
    let key = mine(&caller, &id).await?;
    Ok(Json(shown(&caller, &key).await?))
}

pub(super) async fn create(
    caller: Caller,
    State(api): State<Arc<Api>>,
    Body(given): Body<Given>,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let owner = owner(&caller)?.to_owned();
    let id = given.id.clone().map_or_else(random_word::id, Ok).map_err(|_| ApiError::internal())?;
    check_name(&id).map_err(|reason| ApiError::bad_request(format!("id: {reason}.")))?;
    if id == "self" || id.contains('/') || api.access.directory().is_configured(&id) {
        return Err(ApiError::new(StatusCode::CONFLICT, "exists", "This id is taken."));
    }
    let secret = given.secret.clone().map_or_else(random_word::secret, Ok).map_err(|_| ApiError::internal())?;
    let key = AccessKey {
        id,
        owner,
        secret_hash: hash(&secret).await?,
        path: String::new(),
        rights: Rights::ALL,
        verification_key: None,
        name: String::new(),
        configuration: json!({}),
        quota: None,
        content_protection: ContentProtection::Optional,
        created: unix_now(),
    };
    let key = changed(&caller, key, given).await?;
    let folder = path(&key.path)?;
    if let Err(StorageError::NotFound(_)) = caller.files().identify(&folder).await {
        caller.files().make_folder(&folder).await?;
    }
    put(&api, &key, false).await?;
    caller.event("access_key.created", json!({"id": key.id})).await;
    let mut answer = shown(&caller, &key).await?;
    // Told this once: what is kept is a hash.
    answer["secret"] = json!(secret);
    Ok((StatusCode::CREATED, Json(answer)))
}

pub(super) async fn change(
    caller: Caller,
    State(api): State<Arc<Api>>,
    Id(id): Id,
    Body(given): Body<Given>,
) -> Result<Json<Value>, ApiError> {
    owner(&caller)?;
    let key = mine(&caller, &id).await?;
    let key = match &given.secret {
        Some(secret) => AccessKey { secret_hash: hash(secret).await?, ..key },
        None => key,
    };
    let key = changed(&caller, key, given).await?;
    put(&api, &key, true).await?;
    caller.event("access_key.changed", json!({"id": key.id})).await;
    Ok(Json(shown(&caller, &key).await?))
}

pub(super) async fn remove(caller: Caller, State(api): State<Arc<Api>>, Id(id): Id) -> Result<StatusCode, ApiError> {
    owner(&caller)?;
    let key = mine(&caller, &id).await?;
    let id = key.id.clone();
    api.access.blocking(move |a| a.directory().catalogue().remove_key(&id)).await?;
    caller.event("access_key.removed", json!({"id": key.id})).await;
    Ok(StatusCode::NO_CONTENT)
}

/// The key with what was given over it, if the caller may do that.
async fn changed(caller: &Caller, mut key: AccessKey, given: Given) -> Result<AccessKey, ApiError> {
    if let Some(Storage { kind, path: folder }) = given.storage {
        if kind.is_some_and(|kind| kind != "local") {
            return Err(ApiError::bad_request("storage.type must be local."));
        }
        key.path = path(folder.as_deref().unwrap_or_default())?.as_str().to_owned();
    }
    let place = path(&key.path)?;
    match caller.files().identify(&place).await {
        Ok(_) => {}
        Err(StorageError::NotFound(_)) => caller.files().check(&place, Right::Edit)?,
        Err(error) => return Err(error.into()),
    }
    if let Some(pem) = given.token_verification_key {
        if !pem.is_empty() && bearer::public_key(&pem).is_none() {
            return Err(ApiError::bad_request("token_verification_key must be an RSA public key in PEM form."));
        }
        key.verification_key = Some(pem).filter(|pem| !pem.is_empty());
    }
    if let Some(configuration) = given.configuration {
        if configuration.to_string().len() > MAX_CONFIGURATION {
            return Err(ApiError::bad_request(format!("configuration: at most {MAX_CONFIGURATION} bytes.")));
        }
        key.configuration = configuration;
    }
    if let Some(name) = given.name {
        if name.len() > 255 || name.chars().any(char::is_control) {
            return Err(ApiError::bad_request("name: at most 255 bytes and no control characters."));
        }
        key.name = name;
    }
    key.rights = given.rights.unwrap_or(key.rights);
    Ok(key)
}

async fn put(api: &Api, key: &AccessKey, replace: bool) -> Result<(), ApiError> {
    let key = key.clone();
    Ok(api.access.blocking(move |a| a.directory().catalogue().put_key(&key, replace)).await?)
}

async fn hash(secret: &str) -> Result<String, ApiError> {
    if !(MIN_SECRET..=MAX_PASSWORD).contains(&secret.len()) {
        return Err(ApiError::bad_request(format!("secret: {MIN_SECRET} to {MAX_PASSWORD} bytes.")));
    }
    let secret = Secret::new(secret);
    let task = tokio::task::spawn_blocking(move || Hash::of(&secret).map(|hash| hash.as_str().to_owned()));
    task.await.ok().and_then(Result::ok).ok_or_else(ApiError::internal)
}
