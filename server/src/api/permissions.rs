//! Permissions: what users and groups of a web application may do at a file id of its access key. They count for the web
//! application's bearer tokens; whoever has the key's secret, or a token for all of the key, manages them.

use super::body::{Body, Id, Query};
use super::{ApiError, Caller};
use crate::access::unix_now;
use crate::catalogue::{FileId, Permission};
use crate::node_path::NodePath;
use axum::Json;

use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};

/// The words of `access_levels`.
const LEVELS: [&str; 7] = ["delete", "list", "mkdir", "preview", "read", "rename", "write"];
/// Permissions in one answer.
const MAX_PER_PAGE: usize = 500;
/// Longest id of a web application's user or group, bytes.
const MAX_ID: usize = 255;

/// The access key of a caller who speaks for all of it.
fn key(caller: &Caller) -> Result<&str, ApiError> {
    caller.whole()?;
    match &caller.principal.key {
        Some(key) => Ok(&key.id),
        None => {
            let message = "Permissions belong to access keys: log in with one.";
            Err(ApiError::new(StatusCode::FORBIDDEN, "permission_denied", message))
        }
    }
}

fn shown(permission: &Permission) -> Value {
    json!({
        "id": permission.id.to_string(),
        "file_id": permission.file.0.to_string(),
        "access_type": permission.access_type,
        "access_id": permission.access_id,
        "access_levels": permission.levels,
        "access_level": if permission.levels.iter().any(|level| level == "write") { "edit" } else { "view" },
        "created_at": super::entry::instant(i64::try_from(permission.created).unwrap_or(0).saturating_mul(1_000_000_000)),
    })
}

#[derive(Default, Deserialize)]
pub(super) struct Which {
    #[serde(default)]
    file_id: Option<String>,
    #[serde(default)]
    inherited: Option<String>,
    #[serde(default)]
    page: Option<usize>,
    #[serde(default)]
    per_page: Option<usize>,
}

pub(super) async fn list(caller: Caller, Query(which): Query<Which>) -> Result<Response, ApiError> {
    let owner = key(&caller)?.to_owned();
    let mut all = caller.api().access.blocking(move |a| a.directory().catalogue().permissions(&owner)).await?;
    if let Some(id) = &which.file_id {
        let (file, path, _) = caller.locate(id).await?;
        let above = which.inherited.as_deref() == Some("true");
        let mut kept = Vec::new();
        for permission in all {
            if permission.file == file || above && covers(&caller, permission.file, &path).await? {
                kept.push(permission);
            }
        }
        all = kept;
    }
    let count = which.per_page.unwrap_or(MAX_PER_PAGE).clamp(1, MAX_PER_PAGE);
    let skip = which.page.unwrap_or(1).saturating_sub(1).saturating_mul(count);
    let total = all.len();
    let part: Vec<_> = all.iter().skip(skip).take(count).map(shown).collect();
    let mut response = Json(part).into_response();
    response.headers_mut().insert("x-total-count", HeaderValue::from(total));
    Ok(response)
}

/// Whether `path` lies below the object of an id.
async fn covers(caller: &Caller, file: FileId, path: &NodePath) -> Result<bool, ApiError> {
    let placed = caller.api().access.blocking(move |a| a.directory().catalogue().place(file)).await?;
    let place = placed.and_then(|placed| NodePath::parse(&placed.path).ok());
    let whole = caller.files().base().join(path).ok();
    Ok(place.zip(whole).is_some_and(|(place, whole)| whole.is_within(&place)))
}

#[derive(Deserialize)]
pub(super) struct New {
    file_id: String,
    access_type: String,
    access_id: String,
    access_levels: Vec<String>,
}

fn check_levels(levels: &[String]) -> Result<Vec<String>, ApiError> {
    if let Some(odd) = levels.iter().find(|level| !LEVELS.contains(&level.as_str())) {
        let shown = crate::node_path::shown(odd);
        return Err(ApiError::bad_request(format!("access_levels: '{shown}' is not one of {}.", LEVELS.join(", "))));
    }
    Ok(LEVELS.iter().filter(|word| levels.iter().any(|level| level == *word)).map(|word| (*word).to_owned()).collect())
}

pub(super) async fn create(caller: Caller, Body(new): Body<New>) -> Result<(StatusCode, Json<Value>), ApiError> {
    let owner = key(&caller)?.to_owned();
    let (file, _, _) = caller.locate(&new.file_id).await?;
    if !["user", "group"].contains(&new.access_type.as_str()) {
        return Err(ApiError::bad_request("access_type must be user or group."));
    }
    if new.access_id.is_empty() || new.access_id.len() > MAX_ID || new.access_id.chars().any(char::is_control) {
        return Err(ApiError::bad_request(format!("access_id: 1 to {MAX_ID} bytes and no control characters.")));
    }
    let permission = Permission {
        id: 0,
        key: owner.clone(),
        file,
        access_type: new.access_type,
        access_id: new.access_id,
        levels: check_levels(&new.access_levels)?,
        created: unix_now(),
    };
    let made = caller.api().access.blocking(move |a| {
        let catalogue = a.directory().catalogue();
        let id = catalogue.put_permission(&permission)?;
        catalogue.permission(&owner, id)
    });
    let made = made.await?.ok_or_else(ApiError::internal)?;
    caller.event("permission.created", shown(&made)).await;
    Ok((StatusCode::CREATED, Json(shown(&made))))
}

async fn find(caller: &Caller, id: &str) -> Result<Permission, ApiError> {
    let none = || ApiError::not_found("There is no such permission.");
    let owner = key(caller)?.to_owned();
    let id: i64 = id.parse().map_err(|_| none())?;
    caller.api().access.blocking(move |a| a.directory().catalogue().permission(&owner, id)).await?.ok_or_else(none)
}

pub(super) async fn one(caller: Caller, Id(id): Id) -> Result<Json<Value>, ApiError> {
    Ok(Json(shown(&find(&caller, &id).await?)))
}

#[derive(Deserialize)]
pub(super) struct Levels {
    access_levels: Vec<String>,
}

pub(super) async fn change(caller: Caller, Id(id): Id, Body(new): Body<Levels>) -> Result<Json<Value>, ApiError> {
    let changed = Permission { levels: check_levels(&new.access_levels)?, ..find(&caller, &id).await? };
    let copy = changed.clone();
    caller.api().access.blocking(move |a| a.directory().catalogue().put_permission(&copy)).await?;
    caller.event("permission.changed", shown(&changed)).await;
    Ok(Json(shown(&changed)))
}

pub(super) async fn remove(caller: Caller, Id(id): Id) -> Result<StatusCode, ApiError> {
    let found = find(&caller, &id).await?;
    let gone = found.clone();
    caller.api().access.blocking(move |a| a.directory().catalogue().remove_permission(&gone.key, gone.id)).await?;
    caller.event("permission.removed", shown(&found)).await;
    Ok(StatusCode::NO_CONTENT)
}
