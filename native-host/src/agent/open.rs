//! Opens the store and the vault, and makes the core of them.

use super::AgentError;
use crate::core::{Core, Parts};
use crate::home::Home;
use crate::secrets::{FileKeyStore, Vault};
use crate::settings::{Settings, replace_file};
use crate::store::{self, SledStore};
use crate::time::Now;
use std::path::Path;
use std::time::Duration;

pub(super) fn core(
    home: &Home,
    settings: &Settings,
    complaint: Option<String>,
    idle: Duration,
    now: Now,
) -> Result<Core, AgentError> {
    let mut notices: Vec<String> = complaint.into_iter().collect();
    let opened = SledStore::open(&home.state.join("db"), now.wall_ms)?;
    if let Some(aside) = opened.set_aside {
        notices.push(format!(
            "The database could not be read and a new one was begun. The old one is kept as {}.",
            aside.display()
        ));
    }
    let vault = Vault::open(&FileKeyStore { path: home.state.join("keys").join("secrets.key") })?;
    notices.push("Passwords of queued transfers are sealed with a key file of yours (mode 0600).".into());
    let parts = Parts {
        store: opened.store,
        vault,
        settings: settings.clone(),
        home: home.clone(),
        notices,
        idle,
        new_id: || uuid::Uuid::new_v4().to_string(),
    };
    Ok(Core::new(parts, now)?)
}

/// `--export`
pub(super) fn export(home: &Home, file: &Path) -> Result<(), AgentError> {
    let opened = SledStore::open(&home.state.join("db"), 0)?;
    let value = store::export(&opened.store)?;
    let text = serde_json::to_vec_pretty(&value).map_err(std::io::Error::other)?;
    let file = std::path::absolute(file)?;
    Ok(replace_file(&file, &text)?)
}
