//! Files by id: stable numbers below an access key's root, which stay when files are moved.

use super::body::{Body, Id, Query};
use super::entry::instant;
use super::files::contents;
use super::{ApiError, Caller, contents as bytes};
use crate::catalogue::{FileId, Found};
use crate::node_path::NodePath;
use crate::rights::Rights;
use crate::storage::{Item, Kind, Page, Replace, Sort, SortBy, Stat, StorageError};
use axum::Json;

use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};

/// Entries in one answer.
const MAX_PER_PAGE: usize = 1_000;
/// Header that leads to the next part.
pub(super) const NEXT: &str = "x-aspera-next-iteration-token";

fn gone() -> ApiError {
    ApiError::not_found("There is no file of this id.")
}

impl Caller {
    /// Where the object of an id lies now. What the caller may not see is as if it were not there.
    pub(super) async fn locate(&self, id: &str) -> Result<(FileId, NodePath, Stat), ApiError> {
        let id = FileId(id.parse().map_err(|_| gone())?);
        let placed = self.api().access.blocking(move |a| a.directory().catalogue().place(id)).await?;
        let placed = placed.filter(|placed| placed.tree == self.principal.tree).ok_or_else(gone)?;
        let path = NodePath::parse(&placed.path).ok().and_then(|path| path.below(self.files().base()));
        let path = path.ok_or_else(gone)?;
        let stat = match self.files().stat(&path).await {
            Ok(stat) => stat,
            Err(StorageError::NotFound(_) | StorageError::Denied { .. } | StorageError::NotFolder(_)) => {
                return Err(gone());
            }
            Err(error) => return Err(error.into()),
        };
        // Another object may have come there, which has an id of its own.
        match self.ids_of(&[Item { path: path.clone(), stat }]).await?.first() {
            Some(now) if *now == id => Ok((id, path, stat)),
            _ => Err(gone()),
        }
    }

    /// Ids of what was just seen.
    pub(super) async fn ids_of(&self, items: &[Item]) -> Result<Vec<FileId>, ApiError> {
        let mut found = Vec::with_capacity(items.len());
        for Item { path, stat } in items {
            found.push(Found { path: self.in_tree(path)?, identity: stat.identity });
        }
        let tree = self.principal.tree.clone();
        Ok(self.api().access.blocking(move |a| a.directory().catalogue().ids(&tree, &found)).await?)
    }

    fn entry_by_id(&self, id: FileId, path: &NodePath, stat: &Stat) -> Value {
        let rights = self.files().rights(path);
        let kind = match stat.kind {
            Kind::Folder => "folder",
            Kind::Link => "link",
            Kind::File | Kind::Special => "file",
        };
        json!({
            "id": id.0.to_string(),
            "name": if path.is_root() { "/" } else { path.name() },
            "type": kind,
            "size": stat.size,
            "modified_time": instant(stat.mtime_ns),
            "access_level": if rights.edit { "edit" } else { "view" },
            "access_levels": levels(rights),
        })
    }
}

/// Our rights in the words of permissions.
pub(super) fn levels(rights: Rights) -> Vec<&'static str> {
    let words = [
        ("delete", rights.delete),
        ("list", rights.view),
        ("mkdir", rights.edit),
        ("preview", rights.view),
        ("read", rights.view),
        ("rename", rights.edit),
        ("write", rights.edit),
    ];
    words.into_iter().filter(|(_, has)| *has).map(|(word, _)| word).collect()
}

pub(super) async fn one(caller: Caller, Id(id): Id) -> Result<Json<Value>, ApiError> {
    let (id, path, stat) = caller.locate(&id).await?;
    Ok(Json(caller.entry_by_id(id, &path, &stat)))
}

#[derive(Deserialize)]
pub(super) struct Part {
    #[serde(default)]
    per_page: Option<usize>,
    /// Ours: how many were told already.
    #[serde(default)]
    iteration_token: Option<String>,
}

pub(super) async fn children(caller: Caller, Id(id): Id, Query(part): Query<Part>) -> Result<Response, ApiError> {
    let (_, path, stat) = caller.locate(&id).await?;
    if stat.kind != Kind::Folder {
        return Err(StorageError::NotFolder(path).into());
    }
    let token = part.iteration_token.as_deref().filter(|token| !token.is_empty());
    let skip: usize =
        token.map_or(Ok(0), str::parse).map_err(|_| ApiError::bad_request("iteration_token is not ours."))?;
    let count = part.per_page.unwrap_or(MAX_PER_PAGE).clamp(1, MAX_PER_PAGE);
    let sort = Sort { by: SortBy::Name, descending: false };
    let listing = caller.files().list(&path, &Page { skip, count, sort, ..Page::default() }).await?;
    let ids = caller.ids_of(&listing.items).await?;
    let entries: Vec<_> =
        listing.items.iter().zip(ids).map(|(item, id)| caller.entry_by_id(id, &item.path, &item.stat)).collect();
    let mut response = Json(entries).into_response();
    let headers = response.headers_mut();
    headers.insert("x-aspera-total-count", HeaderValue::from(listing.total));
    if skip.saturating_add(count) < listing.total {
        headers.insert(NEXT, HeaderValue::from(skip + count));
    }
    Ok(response)
}

#[derive(Deserialize)]
pub(super) struct New {
    name: String,
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    contents: Option<String>,
}

pub(super) async fn create(
    caller: Caller,
    Id(id): Id,
    Body(new): Body<New>,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let (_, folder, _) = caller.locate(&id).await?;
    let path = folder.child(&new.name).map_err(|error| super::body::bad_path(&new.name, &error))?;
    match new.kind.as_str() {
        "folder" => caller.files().make_folder(&path).await?,
        "file" => {
            let content = contents(new.contents.as_deref().unwrap_or_default())?;
            caller.files().write(&path, content, Replace::Never).await?;
        }
        "link" => {
            let message = "Links cannot be made: this server follows none.";
            return Err(ApiError::new(StatusCode::FORBIDDEN, "link", message));
        }
        _ => return Err(ApiError::bad_request("type must be folder or file.")),
    }
    caller
        .event(if new.kind == "file" { "file.created" } else { "folder.created" }, json!({"path": path.to_string()}))
        .await;
    let stat = caller.files().stat(&path).await?;
    let ids = caller.ids_of(&[Item { path: path.clone(), stat }]).await?;
    let id = ids.first().copied().ok_or_else(ApiError::internal)?;
    Ok((StatusCode::CREATED, Json(caller.entry_by_id(id, &path, &stat))))
}

#[derive(Deserialize)]
pub(super) struct Name {
    name: String,
}

pub(super) async fn rename(
    caller: Caller,
    Id(id): Id,
    Body(Name { name }): Body<Name>,
) -> Result<StatusCode, ApiError> {
    let (_, from, _) = caller.locate(&id).await?;
    let folder = from.parent().ok_or(StorageError::Root)?;
    let to = folder.child(&name).map_err(|error| super::body::bad_path(&name, &error))?;
    if to != from {
        caller.rename(&from, &to).await?;
    }
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn remove(caller: Caller, Id(id): Id) -> Result<StatusCode, ApiError> {
    let (_, path, _) = caller.locate(&id).await?;
    caller.remove(&path).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn content(caller: Caller, Id(id): Id, headers: HeaderMap) -> Result<Response, ApiError> {
    let (_, path, _) = caller.locate(&id).await?;
    bytes::send(&caller, &path, &headers).await
}
