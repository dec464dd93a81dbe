//! Files by path: browse, search, create, delete, rename, space.

use super::body::{Body, path};
use super::entry::{entries, entry};
use super::{ApiError, Caller};
use crate::node_path::NodePath;
use crate::storage::{Filter, Kind, Page, Replace, Sort};
use axum::Json;
use axum::http::StatusCode;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Entries in one answer, whatever is asked.
const MAX_COUNT: usize = 10_000;
/// Entries in one answer if nothing is asked.
const DEFAULT_COUNT: usize = 100;
/// Paths in one bulk request.
const MAX_PATHS: usize = 1_000;
/// Patterns in one filter.
const MAX_PATTERNS: usize = 64;

/// `browse` and `search`.
#[derive(Deserialize)]
pub(super) struct Browse {
    path: String,
    #[serde(default)]
    count: Option<u64>,
    #[serde(default)]
    skip: Option<u64>,
    #[serde(default)]
    sort: Option<String>,
    #[serde(default)]
    filters: Option<Filters>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Filters {
    basenames: Vec<String>,
    types: Vec<String>,
    size_min: Option<u64>,
    size_max: Option<u64>,
    mtime_min: Option<String>,
    mtime_max: Option<String>,
}

impl Browse {
    fn page(&self) -> Result<Page, ApiError> {
        let text = self.sort.as_deref().unwrap_or_default();
        let sort = Sort::parse(text).ok_or_else(|| {
            let shown = crate::node_path::shown(text);
            ApiError::bad_request(format!(
                "sort '{shown}' is not known: use type, path, size or mtime, '-' before it for descending."
            ))
        })?;
        let count = self.count.map_or(DEFAULT_COUNT, |count| usize::try_from(count).unwrap_or(MAX_COUNT));
        Ok(Page {
            skip: usize::try_from(self.skip.unwrap_or(0)).unwrap_or(usize::MAX),
            count: count.min(MAX_COUNT),
            sort,
            filter: self.filters.as_ref().map(Filters::read).transpose()?.unwrap_or_default(),
        })
    }

    fn parameters(&self, page: &Page) -> Value {
        json!({"count": page.count, "skip": page.skip, "sort": self.sort.as_deref().unwrap_or("type")})
    }
}

impl Filters {
    fn read(&self) -> Result<Filter, ApiError> {
        let pattern = |text: &String| text.len() <= 255;
        if self.basenames.len() > MAX_PATTERNS || !self.basenames.iter().all(pattern) {
            return Err(ApiError::bad_request(format!(
                "filters.basenames: at most {MAX_PATTERNS} patterns of 255 bytes."
            )));
        }
        let instant = |text: &Option<String>, name: &str| {
            let parsed = text.as_deref().map(|text| OffsetDateTime::parse(text, &Rfc3339)).transpose();
            let wrong = |_| ApiError::bad_request(format!("filters.{name} is no time such as 2026-01-31T12:00:00Z."));
            let ns = |at: OffsetDateTime| i64::try_from(at.unix_timestamp_nanos()).unwrap_or(i64::MAX);
            parsed.map(|at| at.map(ns)).map_err(wrong)
        };
        let mut kinds = Vec::new();
        for word in &self.types {
            kinds.push(match word.as_str() {
                "file" => Kind::File,
                "directory" => Kind::Folder,
                "symbolic_link" => Kind::Link,
                _ => return Err(ApiError::bad_request("filters.types knows file, directory and symbolic_link.")),
            });
        }
        Ok(Filter {
            names: self.basenames.clone(),
            kinds,
            size_min: self.size_min,
            size_max: self.size_max,
            mtime_min_ns: instant(&self.mtime_min, "mtime_min")?,
            mtime_max_ns: instant(&self.mtime_max, "mtime_max")?,
        })
    }
}

pub(super) async fn browse(caller: Caller, Body(request): Body<Browse>) -> Result<Json<Value>, ApiError> {
    let at = path(&request.path)?;
    let page = request.page()?;
    let stat = caller.files().stat(&at).await?;
    let own = entry(&caller, &at, &stat);
    if stat.kind != Kind::Folder {
        return Ok(Json(json!({"self": own})));
    }
    let listing = caller.files().list(&at, &page).await?;
    let items = entries(&caller, &listing.items);
    Ok(Json(json!({
        "self": own,
        "item_count": items.len(),
        "items": items,
        "total_count": listing.total,
        "parameters": request.parameters(&page),
    })))
}

pub(super) async fn search(caller: Caller, Body(request): Body<Browse>) -> Result<Json<Value>, ApiError> {
    let at = path(&request.path)?;
    let page = request.page()?;
    let listing = caller.files().find(&at, &page).await?;
    let items = entries(&caller, &listing.items);
    let mut answer = json!({
        "item_count": items.len(),
        "items": items,
        "total_count": listing.total,
        "parameters": request.parameters(&page),
    });
    if listing.incomplete {
        // Our own field: what was found in the time there is.
        answer["incomplete"] = json!(true);
    }
    Ok(Json(answer))
}

/// A bulk request.
#[derive(Deserialize)]
pub(super) struct Paths<T> {
    paths: Vec<T>,
}

impl<T> Paths<T> {
    fn bounded(self) -> Result<Vec<T>, ApiError> {
        if self.paths.len() > MAX_PATHS {
            let message = format!("At most {MAX_PATHS} paths in one request.");
            return Err(ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "too_many_paths", message));
        }
        Ok(self.paths)
    }
}

/// One element of a bulk answer: what was asked, and what went wrong with it.
fn done(mut asked: Map<String, Value>, result: Result<(), ApiError>) -> Value {
    if let Err(error) = result {
        asked.insert("error".into(), error.value());
    }
    Value::Object(asked)
}

fn fields<const N: usize>(fields: [(&str, &str); N]) -> Map<String, Value> {
    fields.into_iter().map(|(name, value)| (name.to_owned(), json!(value))).collect()
}

#[derive(Deserialize)]
pub(super) struct Create {
    #[serde(rename = "type")]
    kind: String,
    path: String,
    #[serde(default)]
    contents: Option<String>,
}

pub(super) async fn create(caller: Caller, Body(request): Body<Paths<Create>>) -> Result<Json<Value>, ApiError> {
    let mut answers = Vec::new();
    for one in request.bounded()? {
        let result = create_one(&caller, &one).await;
        answers.push(done(fields([("path", &one.path)]), result));
    }
    Ok(Json(json!({"paths": answers})))
}

async fn create_one(caller: &Caller, one: &Create) -> Result<(), ApiError> {
    let at = path(&one.path)?;
    match one.kind.as_str() {
        "directory" => {
            caller.files().make_folder(&at).await?;
            caller.event("folder.created", json!({"path": at.to_string()})).await;
        }
        "file" => {
            let content = contents(one.contents.as_deref().unwrap_or_default())?;
            caller.files().write(&at, content, Replace::Never).await?;
            caller.event("file.created", json!({"path": at.to_string()})).await;
        }
        "symbolic_link" => {
            let message = "Links cannot be made: this server follows none.";
            return Err(ApiError::new(StatusCode::FORBIDDEN, "link", message));
        }
        other => {
            let shown = crate::node_path::shown(other);
            return Err(ApiError::bad_request(format!("type '{shown}' is not known: use directory or file.")));
        }
    }
    Ok(())
}

/// Base64, with line ends as some clients put them.
pub(super) fn contents(text: &str) -> Result<Bytes, ApiError> {
    let text: String = text.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    STANDARD.decode(text).map(Bytes::from).map_err(|_| ApiError::bad_request("contents must be base64."))
}

#[derive(Deserialize)]
pub(super) struct OnePath {
    path: String,
}

pub(super) async fn delete(caller: Caller, Body(request): Body<Paths<OnePath>>) -> Result<Json<Value>, ApiError> {
    let mut answers = Vec::new();
    for one in request.bounded()? {
        let result = match path(&one.path) {
            Ok(at) => caller.remove(&at).await,
            Err(error) => Err(error),
        };
        answers.push(done(fields([("path", &one.path)]), result));
    }
    Ok(Json(json!({"paths": answers})))
}

/// Names in a folder; either may be a path below it.
#[derive(Deserialize)]
pub(super) struct Rename {
    path: String,
    source: String,
    destination: String,
}

pub(super) async fn rename(caller: Caller, Body(request): Body<Paths<Rename>>) -> Result<Json<Value>, ApiError> {
    let mut answers = Vec::new();
    for one in request.bounded()? {
        let result = rename_one(&caller, &one).await;
        let Rename { path, source, destination } = &one;
        answers.push(done(fields([("path", path), ("source", source), ("destination", destination)]), result));
    }
    Ok(Json(json!({"paths": answers})))
}

async fn rename_one(caller: &Caller, one: &Rename) -> Result<(), ApiError> {
    let folder = path(&one.path)?;
    let below = |text: &str| -> Result<NodePath, ApiError> {
        folder.join(&path(text)?).map_err(|error| super::body::bad_path(text, &error))
    };
    let (from, to) = (below(&one.source)?, below(&one.destination)?);
    if from == folder || to == folder {
        return Err(ApiError::bad_request("source and destination must be names in the folder."));
    }
    caller.rename(&from, &to).await
}

pub(super) async fn space(caller: Caller, Body(request): Body<Paths<OnePath>>) -> Result<Json<Value>, ApiError> {
    let mut answers = Vec::new();
    for one in request.bounded()? {
        let result = match path(&one.path) {
            Ok(at) => caller.files().space(&at).await.map_err(ApiError::from),
            Err(error) => Err(error),
        };
        answers.push(match result {
            Ok(space) => json!({
                "path": one.path,
                "bytes_total": space.total,
                "bytes_free": space.free,
                "percent_free": percent(space.free, space.total),
            }),
            Err(error) => json!({"path": one.path, "error": error.value()}),
        });
    }
    Ok(Json(json!({"paths": answers})))
}

#[allow(clippy::cast_precision_loss)] // a percentage
fn percent(free: u64, total: u64) -> f64 {
    if total == 0 { 0.0 } else { 100.0 * free as f64 / total as f64 }
}
