//! `godwit-host`, the thin proxy a browser starts, and `godwit-agent`, the one long-lived process per user.
//!
//! **Purpose.** The host forwards frames and starts the agent. The agent decides: who may use Godwit, which files a site
//! may name, which transfers run, and what is told to whom; it is the only writer of the database.
//!
//! **Must not know:** how bytes travel (that is the worker's business), or what windows look like (the extension's).
//!
//! Everything that decides ([`core`], [`queue`], [`trust`], [`prompts`], [`grants`]) is synchronous and gets time passed
//! in; everything that touches the world ([`agent`], [`supervisor`], [`store`]) is thin and stands behind it.

pub mod agent;
pub mod core;
pub mod desktop;
pub mod dialog;
pub(crate) mod dialog_file;
pub mod drops;
pub mod framing;
pub mod grants;
pub mod history;
pub mod home;
pub mod host;
pub(crate) mod http;
pub mod limits;
pub mod listener;
pub mod lock;
pub mod logging;
pub mod logins;
pub mod no_dumps;
pub mod passwords;
pub mod picker;
pub mod prompts;
pub mod queue;
pub mod reading;
pub mod secrets;
pub mod settings;
pub mod spool;
pub mod store;
pub mod supervisor;
pub mod time;
pub mod transfers;
pub mod trust;
