//! What the agent asks of the user's desktop, behind a trait so that tests see what was asked.

use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::path::Path;
use std::pin::Pin;
use std::process::Stdio;
use std::time::Duration;

/// The answer of a [`Desktop`].
pub type Opened<'a> = Pin<Box<dyn Future<Output = io::Result<()>> + Send + 'a>>;

/// The desktop.
pub trait Desktop: Send + Sync {
    /// Shows `folder` in the file manager of the screen that `environment` (see
    /// [`godwit_protocol::envelope::Caller::environment`]) belongs to.
    fn open_folder<'a>(&'a self, folder: &'a Path, environment: &'a BTreeMap<String, String>) -> Opened<'a>;
}

/// `xdg-open`, the common entry of all desktops.
#[derive(Clone, Copy, Debug)]
pub struct XdgOpen;

impl Desktop for XdgOpen {
    fn open_folder<'a>(&'a self, folder: &'a Path, environment: &'a BTreeMap<String, String>) -> Opened<'a> {
        Box::pin(async move {
            // An absolute path as one argument: no shell, and nothing that begins with a hyphen.
            if !folder.is_absolute() {
                return Err(io::Error::new(io::ErrorKind::InvalidInput, "not an absolute path"));
            }
            let mut child = tokio::process::Command::new("xdg-open")
                .arg(folder)
                .envs(environment)
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .process_group(0)
                .spawn()?;
            match tokio::time::timeout(Duration::from_secs(30), child.wait()).await {
                Ok(status) if status.as_ref().is_ok_and(|s| !s.success()) => {
                    Err(io::Error::other("xdg-open found no program for folders"))
                }
                // Some desktops keep xdg-open running as long as the window is open.
                _ => Ok(()),
            }
        })
    }
}
