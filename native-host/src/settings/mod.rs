//! The user's settings: `settings.toml`, readable and writable by hand, and what an administrator puts over it.
//!
//! Absent values are the defaults that [`Settings::default`] states, each with its meaning. Layers, each over the one before:
//! defaults, what administrators set, the user's file, what administrators lock. Administrators speak by a file for the machine
//! (see [`policy`]) and by the policies of browsers (see [`browser`]); where both name a setting the file's word holds.
//!
//! One value that cannot be used is left out and told, and does not take the others along. Names that this build does not know
//! stay in the file as they are, comments too.

mod book;
pub mod browser;
mod file;
mod layers;
pub mod policy;
mod reason;
mod sections;

#[cfg(test)]
mod tests;

pub use book::{ChangeError, SettingsBook, Unwritable};
pub use file::{DiskFile, MemoryFile, SettingsFile, replace_file};
pub use sections::{
    Bandwidth, DialogKind, Dialogs, Downloads, Files, KeyStoreChoice, Log, Notifications, Queue, RemoveFinished, Retry,
    Security, Sessions, Settings, Transfers,
};

/// Form of the settings file; a file of a newer one is read as far as it is understood, and not written.
pub const SCHEMA: i64 = 1;
