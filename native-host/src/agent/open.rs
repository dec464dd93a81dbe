//! Opens the store and the vault, and makes the core of them.

use super::{AgentError, Program};
use crate::core::{Core, Parts, persist};
use crate::home::Home;
use crate::secrets::{KeyPlaces, Vault};
use crate::settings::{KeyStoreChoice, SettingsBook, replace_file};
use crate::store::{SledStore, Store, snapshot};
use crate::time::Now;
use godwit_protocol::ui::Notice;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long the agent waits for others.
pub(super) struct Limits {
    /// Without clients and work: then it ends.
    pub(super) idle: Duration,
    /// For the key ring.
    pub(super) key_ring: Duration,
}

pub(super) fn core(
    home: &Home,
    mut settings: SettingsBook,
    limits: Limits,
    program: Program,
    now: Now,
) -> Result<Core, AgentError> {
    let Limits { idle, key_ring } = limits;
    let mut notices: Vec<Notice> = Vec::new();
    let opened = SledStore::open(&home.state.join("db"), now.wall_ms)?;
    let mut store = opened.store;
    if let Some(aside) = opened.set_aside {
        notices.push(restore(&mut store, home, &aside));
    }
    let logged = settings.now().log.clone();
    persist::obey_stored(&mut settings, &store)?;
    if settings.now().log != logged {
        crate::logging::set_level(&settings.now().log.level);
    }
    let key_places = KeyPlaces {
        file: home.state.join("keys").join("secrets.key"),
        desktop: match settings.now().security.key_store {
            KeyStoreChoice::Desktop => Some(key_ring),
            KeyStoreChoice::File => None,
            // A folder that keeps everything keeps the key too.
            KeyStoreChoice::Auto => std::env::var_os("GODWIT_HOME").is_none().then_some(key_ring),
        },
    };
    let vault = Vault::new(&key_places.settle()?);
    tracing::info!("{}", vault.notice().text);
    let parts = Parts {
        store,
        vault,
        key_places,
        settings,
        home: home.clone(),
        notices,
        idle,
        program,
        new_id: || uuid::Uuid::new_v4().to_string(),
    };
    Ok(Core::new(parts, now)?)
}

/// `--export`
pub(super) fn export(home: &Home, file: &Path) -> Result<(), AgentError> {
    let opened = SledStore::open(&home.state.join("db"), 0)?;
    let records = snapshot::records(&opened.store)?;
    let text = snapshot::write(&records, false)?;
    let file = std::path::absolute(file)?;
    Ok(replace_file(&file, &text)?)
}

/// `--import`: the present database is set aside, never deleted.
pub(super) fn import(home: &Home, file: &Path, now: Now) -> Result<PathBuf, AgentError> {
    let changes = snapshot::read(&std::fs::read(file)?)?;
    let (folder, aside) = (home.state.join("db"), home.state.join(format!("db.replaced-{}", now.wall_ms)));
    if folder.exists() {
        std::fs::rename(&folder, &aside)?;
    }
    let mut store = SledStore::open(&folder, now.wall_ms)?.store;
    store.apply(&changes)?;
    store.sync()?;
    Ok(aside)
}

/// Fills a new database from the last copy; says to the user what became of the old one.
fn restore(store: &mut SledStore, home: &Home, aside: &Path) -> Notice {
    let name = aside.display().to_string();
    let kept = format!("The database could not be read and is kept as {name}.");
    let restored = std::fs::metadata(home.snapshot()).and_then(|meta| {
        let bytes = std::fs::read(home.snapshot())?;
        let changes = snapshot::read(&bytes).map_err(std::io::Error::other)?;
        store.apply(&changes).and_then(|()| store.sync()).map_err(std::io::Error::other)?;
        meta.modified()
    });
    match restored {
        Ok(written) => {
            let ms = written.duration_since(std::time::UNIX_EPOCH).map_or(0, |d| d.as_millis());
            let date = crate::time::local_iso(u64::try_from(ms).unwrap_or_default());
            let text = format!("{kept} Transfers, sites, servers and passwords were restored from the copy of {date}.");
            Notice::new("database-restored", [name, date], text)
        }
        Err(error) => {
            tracing::warn!(%error, "no copy of the database could be restored");
            Notice::new("database-new", [name], format!("{kept} A new one was begun."))
        }
    }
}
