//! Where the binaries under test are.
//!
//! `GODWIT_BIN_DIR` names a folder that holds all five, used as it is (relative to the workspace). Otherwise they lie beside the test executable's
//! own target folder and are brought up to date once per test process by one `cargo build --bins` of the default members.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The folder with the binaries; builds them at the first call.
pub fn folder() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| match std::env::var_os("GODWIT_BIN_DIR") {
        // Tests run in their crate's folder, but people mean the workspace's.
        Some(folder) => workspace().join(folder).canonicalize().expect("GODWIT_BIN_DIR names a folder"),
        None => build(),
    })
}

/// The path of one binary, such as `godwit-host`.
#[must_use]
pub fn path(name: &str) -> PathBuf {
    let path = folder().join(name);
    assert!(path.is_file(), "{} is missing", path.display());
    path
}

/// The workspace this crate belongs to.
#[must_use]
pub fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate lies in the workspace")
}

fn build() -> PathBuf {
    // target/PROFILE/deps/test-HASH → target/PROFILE; a plain program lies in target/PROFILE itself.
    let own = std::env::current_exe().expect("the program knows its own path");
    let folder = own.parent().expect("the program lies in target");
    let folder = if folder.ends_with("deps") { folder.parent().expect("target/PROFILE") } else { folder }.to_owned();
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["build", "--quiet", "--bins"]).current_dir(workspace());
    if folder.ends_with("release") {
        command.arg("--release");
    }
    let status = command.status().expect("cargo can be started");
    assert!(status.success(), "the binaries under test do not build");
    folder
}
