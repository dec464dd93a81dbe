//! Where things are in the repository. The only file that spells its folders.

use std::path::{Path, PathBuf};

/// The repository's root.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_path_buf()
}

/// Cargo's target folder.
pub(crate) fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), |dir| root().join(dir))
}

/// What a person installs.
pub(crate) fn dist() -> PathBuf {
    root().join("dist")
}

/// The programs in `dist/`.
pub(crate) fn dist_bin() -> PathBuf {
    dist().join("bin")
}

/// Manual pages and completions, in a folder for the client's and one for the server's.
pub(crate) fn dist_share() -> PathBuf {
    dist().join("share")
}

/// The unpacked extension for one browser.
pub(crate) fn dist_extension(browser: Browser) -> PathBuf {
    dist().join(format!("extension-{}", browser.name()))
}

/// The two families of browsers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Browser {
    /// Chromium, Chrome, Edge, …
    Chromium,
    /// Firefox and its relatives.
    Firefox,
}

impl Browser {
    /// Both of them.
    pub(crate) const ALL: [Self; 2] = [Self::Chromium, Self::Firefox];

    /// As in file names and command lines.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Chromium => "chromium",
            Self::Firefox => "firefox",
        }
    }
}
