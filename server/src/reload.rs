//! SIGHUP: the configuration is read again. Users, limits and the certificate change at once; a wrong configuration
//! changes nothing. What belongs to open ports needs a restart, and is said to.

use crate::access::Access;
use crate::args::ServeArgs;
use crate::certificate::Identity;
use crate::config::{ConfigFile, Settings};
use crate::serve::{Identities, Usable};
use std::error::Error;
use std::sync::Arc;

/// Takes a changed configuration over.
#[derive(Clone)]
pub struct Reload {
    access: Access,
    identities: Identities,
}

impl Reload {
    pub(crate) fn new(access: Access, identities: Identities) -> Self {
        Self { access, identities }
    }

    /// Reads the configuration again, and says in the log what came of it.
    pub async fn run(&self, args: ServeArgs) {
        let this = self.clone();
        let result = tokio::task::spawn_blocking(move || this.read(&args).map_err(|error| error.to_string())).await;
        match result {
            Ok(Ok(users)) => tracing::info!(users, "configuration read again"),
            Ok(Err(error)) => tracing::error!(error, "the new configuration is wrong; the old one stays in force"),
            Err(_) => tracing::error!("reading the configuration broke; the old one stays in force"),
        }
    }

    fn read(&self, args: &ServeArgs) -> Result<usize, Box<dyn Error>> {
        let file = args.config.as_deref().map(ConfigFile::read).transpose()?.unwrap_or_default();
        let settings = Settings::new(file, args)?;
        if !settings.docroot.is_dir() {
            return Err(format!("docroot {}: is not a folder", settings.docroot.display()).into());
        }
        // Everything that can fail comes before anything changes.
        let identity = match &settings.certificate {
            Some((certificate, key)) => Some(Usable::new(&Identity::from_files(certificate, key)?)?),
            None => None,
        };
        let old = self.access.directory().settings();
        let changed = [
            ("bind", old.bind != settings.bind || old.http_bind != settings.http_bind),
            (
                "ports",
                (old.data_port, old.api_port, old.http_port)
                    != (settings.data_port, settings.api_port, settings.http_port),
            ),
            ("state", old.state != settings.state),
            ("certificate", old.certificate.is_some() && settings.certificate.is_none()),
            ("max_sessions", old.max_sessions != settings.max_sessions),
            ("max_sessions_per_address", old.max_sessions_per_address != settings.max_sessions_per_address),
            ("max_connections_per_session", old.max_connections != settings.max_connections),
            (
                "login_seconds, stall_seconds, drain_seconds",
                (old.login, old.stall, old.drain) != (settings.login, settings.stall, settings.drain),
            ),
            ("rate_cap", old.rate_cap != settings.rate_cap),
        ];
        for (key, _) in changed.into_iter().filter(|(_, changed)| *changed) {
            tracing::warn!(key, "changed in the configuration, but holds for the data port only after a restart");
        }
        let users = settings.users.len();
        self.access.directory().reload(Arc::new(settings))?;
        if let Some(identity) = identity {
            self.identities.set(identity);
        }
        Ok(users)
    }
}
