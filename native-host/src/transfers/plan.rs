//! From what a page asked to what a worker shall do on this machine: sources and targets resolved and checked against the
//! user's grants. Asks the disk, therefore runs as a job; changes nothing there but making the download folder.

use crate::grants::{Grant, NotChosen, canonical_future, check_source, check_target};
use godwit_protocol::RelPath;
use godwit_protocol::spec::LocalDestination;
use godwit_protocol::spec::{Direction, SpecError};
use godwit_protocol::start::StartRequest;
use godwit_protocol::worker::PathPair;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// The checked local side of a transfer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Work {
    /// For the worker.
    pub paths: Vec<PathPair>,
    /// For the worker.
    pub destination_root: String,
    /// For the worker.
    pub create_dir: bool,
    /// What "open containing folder" opens.
    pub folder: Option<PathBuf>,
    /// Put before the relative names a worker reports, to show full paths.
    pub names_root: Option<String>,
}

/// Why a start was refused.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// 406.
    #[error(transparent)]
    NotChosen(#[from] NotChosen),
    /// 400.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// 400: a local name that no JSON text can hold, or the like.
    #[error("'{0}' cannot be transferred: its name is not valid text")]
    Name(String),
    /// 500.
    #[error("the download folder {0} cannot be used: {1}")]
    Downloads(PathBuf, std::io::Error),
}

/// Resolves `request` with the site's `grants`; relative downloads go below `downloads`.
pub fn plan(request: &StartRequest, grants: &[Grant], downloads: &Path) -> Result<Work, PlanError> {
    match request.spec.direction {
        Direction::Send => upload(request, grants),
        Direction::Receive if request.settings.use_absolute_destination_path => absolute_download(request, grants),
        Direction::Receive => relative_download(request, downloads),
    }
}

fn upload(request: &StartRequest, grants: &[Grant]) -> Result<Work, PlanError> {
    let spec = &request.spec;
    let sources = spec.effective_sources()?;
    let destinations = spec.effective_destinations()?;
    let mut paths = Vec::with_capacity(sources.len());
    let mut named = false;
    for (source, destination) in sources.iter().zip(destinations) {
        let path = check_source(grants, source)?;
        named |= destination.is_some();
        // The server shall see the name that the user chose, not what a link behind it is called.
        let chosen = source.rsplit('/').next().unwrap_or_default();
        let linked = path.file_name().is_some_and(|real| real.to_string_lossy() != chosen);
        let destination = destination.map(|d| d.as_str().to_owned()).or_else(|| linked.then(|| chosen.to_owned()));
        paths.push(PathPair { source: text(&path)?, destination });
    }
    let folder = paths.first().and_then(|p| Path::new(&p.source).parent()).map(Path::to_owned);
    let names_root = folder.as_ref().filter(|_| !named).map(|f| f.to_string_lossy().into_owned());
    Ok(Work { paths, destination_root: spec.remote_destination()?, create_dir: spec.create_dir, folder, names_root })
}

fn relative_download(request: &StartRequest, downloads: &Path) -> Result<Work, PlanError> {
    let spec = &request.spec;
    let LocalDestination::BelowDownloads(below) = spec.local_destination(false)? else {
        return Err(NotChosen(spec.destination_root.clone()).into());
    };
    std::fs::create_dir_all(downloads).map_err(|e| PlanError::Downloads(downloads.into(), e))?;
    let root = downloads.canonicalize().map_err(|e| PlanError::Downloads(downloads.into(), e))?;
    let folder = match &below {
        None => root.clone(),
        // A link in the download folder must not lead a page's transfer out of it.
        Some(below) => canonical_future(&root.join(below.as_str()))
            .filter(|path| path.starts_with(&root))
            .ok_or_else(|| NotChosen(below.as_str().to_owned()))?,
    };
    let paths = remote_paths(request, spec.effective_destinations()?)?;
    local_work(paths, folder)
}

fn absolute_download(request: &StartRequest, grants: &[Grant]) -> Result<Work, PlanError> {
    let spec = &request.spec;
    let targets = spec.absolute_targets()?.iter().map(|t| check_target(grants, t)).collect::<Result<Vec<_>, _>>()?;
    let named = spec.paths.iter().any(|p| p.destination.is_some());
    let folder_given = targets.first().is_some_and(|t| {
        // One name to write, chosen in a save dialog: then the "folder" is the file's new name.
        let is_chosen_name = grants.iter().any(|g| g.kind == crate::grants::GrantKind::Target && g.path == *t);
        !named && (t.is_dir() || !is_chosen_name || targets.len() != 1)
    });
    if folder_given {
        let folder = targets.into_iter().next().unwrap_or_default();
        return local_work(remote_paths(request, vec![None; spec.paths.len()])?, folder);
    }
    let folder = common_parent(&targets).ok_or_else(|| NotChosen(spec.destination_root.clone()))?;
    let destinations = targets
        .iter()
        .map(|target| {
            let below = target.strip_prefix(&folder).map_err(|_| NotChosen(target.display().to_string()))?;
            let name: RelPath = text(below)?.parse().map_err(|_| PlanError::Name(below.display().to_string()))?;
            Ok(Some(name))
        })
        .collect::<Result<Vec<_>, PlanError>>()?;
    local_work(remote_paths(request, destinations)?, folder)
}

fn remote_paths(request: &StartRequest, destinations: Vec<Option<RelPath>>) -> Result<Vec<PathPair>, PlanError> {
    let sources = request.spec.effective_sources()?;
    let pair = |(source, destination): (String, Option<RelPath>)| PathPair {
        source,
        destination: destination.map(|d| d.as_str().to_owned()),
    };
    Ok(sources.into_iter().zip(destinations).map(pair).collect())
}

/// Downloads always make their folder: the user allowed it by choosing, or it is below the download folder.
fn local_work(paths: Vec<PathPair>, folder: PathBuf) -> Result<Work, PlanError> {
    let destination_root = text(&folder)?;
    let names_root = Some(destination_root.clone());
    Ok(Work { paths, destination_root, create_dir: true, folder: Some(folder), names_root })
}

/// The deepest folder that holds all of `targets`.
fn common_parent(targets: &[PathBuf]) -> Option<PathBuf> {
    let mut parents = targets.iter().map(|t| t.parent());
    let mut common = parents.next()??.to_owned();
    for parent in parents {
        let parent = parent?;
        while !parent.starts_with(&common) {
            common = common.parent()?.to_owned();
        }
    }
    Some(common)
}

fn text(path: &Path) -> Result<String, PlanError> {
    path.to_str().map(str::to_owned).ok_or_else(|| PlanError::Name(path.display().to_string()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::{Value, json};

    fn request(spec: &Value, absolute: bool) -> StartRequest {
        let body = json!({"transfer_specs": [{"transfer_spec": spec,
            "aspera_connect_settings": {"app_id": "a", "use_absolute_destination_path": absolute}}]});
        StartRequest::from_body(&body.to_string()).unwrap()
    }

    fn download(paths: Value, root: &str, absolute: bool) -> StartRequest {
        let spec = json!({"direction": "receive", "remote_host": "h", "paths": paths, "destination_root": root});
        request(&spec, absolute)
    }

    #[test]
    fn an_upload_names_only_what_was_chosen_under_the_name_that_was_chosen() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        std::fs::write(root.join("real.bin"), "x").unwrap();
        std::os::unix::fs::symlink(root.join("real.bin"), root.join("link.bin")).unwrap();
        let link = root.join("link.bin");
        let spec = |source: &str| {
            json!({"direction": "send", "remote_host": "h", "destination_root": "/in/box",
            "paths": [{"source": source}]})
        };
        let grants = [Grant::existing(&link).unwrap()];
        let work = plan(&request(&spec(link.to_str().unwrap()), false), &grants, &root).unwrap();
        assert_eq!(work.destination_root, "in/box");
        assert_eq!(work.paths[0].source, root.join("real.bin").to_str().unwrap());
        assert_eq!(work.paths[0].destination.as_deref(), Some("link.bin"));
        assert!(matches!(plan(&request(&spec("/etc/passwd"), false), &grants, &root), Err(PlanError::NotChosen(_))));
    }

    #[test]
    fn a_relative_download_stays_below_the_download_folder() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        let downloads = root.join("Downloads");
        let paths = json!([{"source": "/pub/a.bin"}]);
        let work = plan(&download(paths.clone(), "sub/deep", false), &[], &downloads).unwrap();
        assert_eq!(work.destination_root, downloads.join("sub/deep").to_str().unwrap());
        assert_eq!(work.paths, [PathPair { source: "pub/a.bin".into(), destination: None }]);
        assert_eq!(plan(&download(paths.clone(), "/", false), &[], &downloads).unwrap().folder.unwrap(), downloads);
        let up = json!({"transfer_specs": [{"transfer_spec": {"direction": "receive", "remote_host": "h", "paths": paths,
            "destination_root": "../up"}}]});
        assert!(StartRequest::from_body(&up.to_string()).is_err());
        std::os::unix::fs::symlink(&root, downloads.join("out")).unwrap();
        assert!(matches!(plan(&download(paths, "out/x", false), &[], &downloads), Err(PlanError::NotChosen(_))));
    }

    #[test]
    fn an_absolute_download_needs_a_chosen_folder_or_name() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        std::fs::create_dir(root.join("to")).unwrap();
        let here = |name: &str| root.join(name).to_str().unwrap().to_owned();
        let grants = [Grant::existing(&root.join("to")).unwrap(), Grant::target(&root.join("save.bin")).unwrap()];
        let one = json!([{"source": "a.bin"}]);

        let work = plan(&download(one.clone(), &here("to/new"), true), &grants, &root).unwrap();
        assert_eq!((work.destination_root, work.create_dir), (here("to/new"), true));
        let work = plan(&download(one.clone(), &here("save.bin"), true), &grants, &root).unwrap();
        assert_eq!(work.destination_root, here("").trim_end_matches('/'));
        assert_eq!(work.paths[0].destination.as_deref(), Some("save.bin"));
        // The same, said by a destination below `/`.
        let named = json!([{"source": "a.bin", "destination": here("save.bin")}]);
        let work = plan(&download(named, "", true), &grants, &root).unwrap();
        assert_eq!(work.paths[0].destination.as_deref(), Some("save.bin"));
        let several = json!([{"source": "a", "destination": "x/1"}, {"source": "b", "destination": "y/2"}]);
        let work = plan(&download(several, &here("to"), true), &grants, &root).unwrap();
        assert_eq!(work.destination_root, here("to"));
        assert_eq!(work.paths[1].destination.as_deref(), Some("y/2"));

        for bad in [here("elsewhere"), here("other.bin"), "/".into(), "/etc".into()] {
            assert!(
                matches!(plan(&download(one.clone(), &bad, true), &grants, &root), Err(PlanError::NotChosen(_))),
                "{bad}"
            );
        }
    }
}
