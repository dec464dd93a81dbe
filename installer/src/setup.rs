//! The two things a person asks for: install and uninstall.

use crate::apply::{self, ApplyError};
use crate::browsers::{BROWSERS, Browser};
use crate::desktop;
use crate::look::{There, View};
use crate::manifest;
use crate::place::{Places, under};
use crate::plan::{self, Plan, Wanted};
use crate::receipt::{Receipt, SCHEMA};
use crate::systemd;
use crate::wanted::wanted;
use sha2::{Digest, Sha256};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// What must be in a release.
const PROGRAMS: [&str; 4] = ["godwit", "godwit-host", "godwit-agent", "godwit-worker"];
/// Which version it is, in one line.
const VERSION: &str = "VERSION";

/// Why nothing was done.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// Something is missing in the release.
    #[error("{} is no release of Godwit: {what} is missing in it", folder.display())]
    NoRelease {
        /// Where it was looked for.
        folder: PathBuf,
        /// What.
        what: String,
    },
    /// A step failed.
    #[error(transparent)]
    Apply(#[from] ApplyError),
    /// Something cannot be looked at.
    #[error("{0}")]
    Look(#[from] io::Error),
    /// The receipt is of a later setup program.
    #[error("{} was written by a later version; use its godwit-setup", .0.display())]
    Later(PathBuf),
    /// The receipt cannot be read.
    #[error("{path} cannot be read: {why}. Move it away and install again; what it listed has to be removed by hand", path = path.display())]
    Receipt {
        /// Where it is.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// Browsers are told the path as text.
    #[error("the path {} is not UTF-8: browsers cannot be told of it", .0.display())]
    NotText(PathBuf),
}

/// What was done, or would be.
#[derive(Debug, serde::Serialize)]
pub struct Report {
    /// The release's version; of an uninstallation, the one that was there.
    pub version: String,
    /// All steps, and what was left alone.
    #[serde(flatten)]
    pub plan: Plan,
    /// False: only said.
    pub done: bool,
}

/// Installs the release in `from` for these browsers, or only says what it would do.
///
/// # Errors
/// See [`SetupError`]; after a step that failed the version before is still the one in use.
pub fn install(places: &Places, from: &Path, browsers: &[&Browser], dry: bool) -> Result<Report, SetupError> {
    let (version, name) = release(from)?;
    let _lock = lock(places)?;
    let ids = fs::read_to_string(from.join(manifest::IDS)).unwrap_or_default();
    let ids: Vec<String> = ids.lines().map(|line| line.trim().to_owned()).collect();
    let wanted = wanted(places, from, browsers, &ids)?;
    let view = look(places, &wanted)?;
    let plan = plan::install(&view, places, &name, &version, &wanted);
    if !dry {
        apply::apply(&plan, places, Some(from))?;
        systemd::after_install(places, &plan);
        desktop::after_install(places);
    }
    Ok(Report { version, plan, done: !dry })
}

/// Removes what was installed, or only says what it would do. `purge`: also settings, queue and logs of this user.
///
/// # Errors
/// See [`SetupError`].
pub fn uninstall(places: &Places, purge: bool, dry: bool) -> Result<Report, SetupError> {
    let _lock = lock(places)?;
    let view = look(places, &[])?;
    let plan = plan::uninstall(&view, places, purge);
    if !dry {
        systemd::before_uninstall(places, &plan);
        desktop::before_uninstall(places, &plan);
        apply::apply(&plan, places, None)?;
        apply::remove_cut_root(places)?;
        systemd::after_uninstall(places);
        desktop::after_uninstall(places);
    }
    let version = view.receipt.map(|receipt| receipt.version).unwrap_or_default();
    Ok(Report { version, plan, done: !dry })
}

/// The browsers that get a manifest: the named ones; otherwise all, sandboxed ones only if they are there.
#[must_use]
pub fn choose(places: &Places, named: &[&'static Browser]) -> Vec<&'static Browser> {
    if !named.is_empty() {
        return named.to_vec();
    }
    let there = |browser: &&Browser| {
        let own = places.user.as_ref().map(|user| browser.own_folder(&user.home, &user.config));
        !browser.sandboxed || own.is_some_and(|own| own.is_dir())
    };
    BROWSERS.iter().filter(there).collect()
}

fn lock(places: &Places) -> Result<fs::File, SetupError> {
    let folder = match &places.user {
        Some(user) => user.home.clone(),
        None => under(&places.prefix, Path::new("/")),
    };
    Ok(apply::lock(&folder)?)
}

/// Its version, and the name that it gets among the versions: that with a hash of everything in it.
fn release(from: &Path) -> Result<(String, String), SetupError> {
    let missing = |what: &str| SetupError::NoRelease { folder: from.to_owned(), what: what.to_owned() };
    let version = fs::read_to_string(from.join(VERSION)).map_err(|_| missing(VERSION))?.trim().to_owned();
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '+' | '~');
    if version.is_empty() || version.starts_with('.') || !version.chars().all(plain) {
        return Err(missing("a version in VERSION"));
    }
    for program in PROGRAMS {
        let path = Path::new("bin").join(program);
        if !from.join(&path).is_file() {
            return Err(missing(&path.display().to_string()));
        }
    }
    let mut hasher = Sha256::new();
    hash(from, &mut hasher)?;
    let digest: String = hasher.finalize().iter().take(6).map(|byte| format!("{byte:02x}")).collect();
    Ok((version.clone(), format!("{version}-{digest}")))
}

fn hash(folder: &Path, hasher: &mut Sha256) -> io::Result<()> {
    let mut entries = fs::read_dir(folder)?.collect::<io::Result<Vec<_>>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let (path, kind) = (entry.path(), entry.file_type()?);
        hasher.update(entry.file_name().as_encoded_bytes());
        hasher.update([0, u8::from(kind.is_dir())]);
        if kind.is_dir() {
            hash(&path, hasher)?;
        } else if kind.is_file() {
            hasher.update(entry.metadata()?.len().to_le_bytes());
            io::copy(&mut fs::File::open(&path)?, hasher)?;
        }
        hasher.update([0xff]);
    }
    Ok(())
}

fn look(places: &Places, wanted: &[Wanted]) -> Result<View, SetupError> {
    let mut view = View::default();
    view.receipt = receipt(places)?;
    let made: Vec<PathBuf> =
        view.receipt.iter().flat_map(|receipt| &receipt.made).map(|made| made.path.clone()).collect();
    let kept = places.kept();
    for path in wanted.iter().map(|thing| &thing.path).chain(&made).chain(&kept).chain([&places.versions()]) {
        view.look(path)?;
    }
    if let There::Link { to } = crate::look::there(&places.current())? {
        view.current = Some(to);
    }
    if let Ok(entries) = fs::read_dir(places.versions()) {
        view.versions = entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        view.versions.sort();
    }
    Ok(view)
}

fn receipt(places: &Places) -> Result<Option<Receipt>, SetupError> {
    let path = places.receipt();
    let text = match fs::read(&path) {
        Ok(text) => text,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(SetupError::Receipt { path, why: e.to_string() }),
    };
    let value: serde_json::Value =
        serde_json::from_slice(&text).map_err(|e| SetupError::Receipt { path: path.clone(), why: e.to_string() })?;
    if value["schema"].as_u64().is_some_and(|schema| schema > u64::from(SCHEMA)) {
        return Err(SetupError::Later(path));
    }
    serde_json::from_value(value).map(Some).map_err(|e| SetupError::Receipt { path, why: e.to_string() })
}
