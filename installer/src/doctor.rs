//! What keeps a browser from finding or starting the host, and what to do about it.
//!
//! Looks at files only; whether the agent answers and servers can be reached is the command line's part (`godwit doctor`).

use crate::browsers::{BROWSERS, Browser, Family};
use crate::look::{There, there};
use crate::manifest::{self, Found, HOST_NAME};
use crate::place::{Places, UserFolders, under};
use crate::policy::Policy;
use serde::Serialize;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Good to know.
    Note,
    /// May become a problem.
    Warning,
    /// Something does not work.
    Error,
}

/// One thing that was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// One word for programs; it does not change.
    pub id: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong, with names.
    pub what: String,
    /// What to do.
    pub remedy: String,
    /// What `--fix` would do; it does nothing that could lose something.
    #[serde(skip)]
    pub fix: Option<Fix>,
}

/// A safe remedy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fix {
    /// Writes our manifest in the place of nothing, or of one of ours.
    Manifest {
        /// Where.
        path: PathBuf,
        /// For which family.
        family: Family,
    },
    /// Makes a folder private.
    Private(PathBuf),
    /// Removes a file that nothing uses any more.
    Remove(PathBuf),
}

impl Finding {
    /// A finding that a person has to act on.
    #[must_use]
    pub fn new(id: &'static str, severity: Severity, what: String, remedy: impl Into<String>) -> Self {
        Self { id, severity, what, remedy: remedy.into(), fix: None }
    }

    /// The same with a remedy that a program may apply.
    #[must_use]
    pub fn fixable(mut self, fix: Fix) -> Self {
        self.fix = Some(fix);
        self
    }
}

/// Where to look.
#[derive(Clone, Debug)]
pub struct Machine {
    /// The user's folders.
    pub user: UserFolders,
    /// Stands before all paths of the machine; for tests.
    pub prefix: PathBuf,
    /// The host program that manifests should name.
    pub host: PathBuf,
}

/// A manifest that was looked at.
enum State {
    Missing,
    Unreadable,
    Foreign(String),
    WrongExtension,
    NoProgram(PathBuf),
    NotExecutable(PathBuf),
    Good(PathBuf),
}

/// Looks at everything.
#[must_use]
pub fn examine(machine: &Machine) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut any = false;
    for browser in BROWSERS {
        if machine.has(browser) {
            any = true;
            machine.browser(browser, &mut findings);
        }
    }
    machine.snaps(&mut findings);
    if !any && findings.is_empty() {
        let what = "no browser was found that Godwit knows".to_owned();
        let remedy = "Install Chromium, Chrome, Edge, Brave, Vivaldi, Opera or Firefox.";
        findings.push(Finding::new("no-browser", Severity::Warning, what, remedy));
    }
    machine.installation(&mut findings);
    machine.denials(&mut findings);
    findings
}

impl Machine {
    /// Is this browser on the machine, or was it used by this user?
    fn has(&self, browser: &Browser) -> bool {
        let own = browser.own_folder(&self.user.home, &self.user.config);
        if browser.sandboxed {
            return own.is_dir();
        }
        // A folder that holds nothing but host manifests may be of an installer.
        let hosts = browser.user_folder(&self.user.home, &self.user.config);
        let used = fs::read_dir(&own).is_ok_and(|mut entries| entries.any(|e| e.is_ok_and(|e| e.path() != hosts)));
        let folders = ["/usr/bin", "/usr/local/bin"];
        let program =
            |name: &&str| folders.iter().any(|folder| under(&self.prefix, &Path::new(folder).join(name)).exists());
        used || browser.programs.iter().any(program)
    }

    fn browser(&self, browser: &Browser, findings: &mut Vec<Finding>) {
        let name = browser.name;
        if browser.sandboxed {
            let what = format!("{name} runs in a sandbox that keeps it from programs outside, such as Godwit's host");
            let remedy = "Use the browser of your distribution or of its maker instead (a .deb or .rpm package).";
            findings.push(Finding::new("sandboxed-browser", Severity::Error, what, remedy));
            return;
        }
        let file = manifest::file_name();
        let user = browser.user_folder(&self.user.home, &self.user.config).join(&file);
        let system = browser.system.iter().map(|folder| under(&self.prefix, Path::new(folder)).join(&file));
        let policy = Policy::of(browser, &self.prefix, &manifest::packed_ids(&self.host));
        let of_user = self.state(&user, browser.family);
        let of_system: Vec<(PathBuf, State)> =
            system.map(|path| (path.clone(), self.state(&path, browser.family))).collect();
        let good = of_system.iter().find_map(|(path, state)| match state {
            State::Good(program) => Some((path, program)),
            _ => None,
        });
        match (&of_user, good) {
            (State::Good(ours), Some((path, theirs))) if ours != theirs => {
                let what = format!(
                    "{name}: {} names {} and hides {}, which names {}",
                    user.display(),
                    ours.display(),
                    path.display(),
                    theirs.display()
                );
                let remedy = "Remove the one that is not wanted: godwit-setup uninstall, for you or with --system.";
                findings.push(Finding::new("manifest-shadowed", Severity::Warning, what, remedy));
            }
            (State::Good(_) | State::Missing, Some(_)) | (State::Good(_), None) => {}
            _ => findings.extend(bad_manifest(browser, &user, &of_user)),
        }
        if let Some(file) = policy.user_hosts_off.filter(|_| good.is_none()) {
            let what = format!(
                "{name}: {} hides host manifests in home folders (NativeMessagingUserLevelHosts)",
                file.display()
            );
            let remedy = "Ask your administrator to install Godwit for the whole machine (--system).";
            findings.push(Finding::new("user-hosts-off", Severity::Error, what, remedy));
        }
        if let Some(file) = policy.host_blocked {
            let what = format!(
                "{name}: {} does not let the host {HOST_NAME} start (NativeMessagingBlocklist)",
                file.display()
            );
            let remedy = format!("Ask your administrator to add {HOST_NAME} to NativeMessagingAllowlist.");
            findings.push(Finding::new("host-blocked", Severity::Error, what, remedy));
        }
        if let Some(file) = policy.extension_blocked {
            let what = format!("{name}: {} does not allow the extension", file.display());
            let (id, list) = match browser.family {
                Family::Chromium => (manifest::chromium_id(), "ExtensionInstallAllowlist"),
                Family::Firefox => (manifest::FIREFOX_ID, "ExtensionSettings (installation_mode: allowed)"),
            };
            let remedy = format!("Ask your administrator to add {id} to {list}.");
            findings.push(Finding::new("extension-blocked", Severity::Error, what, remedy));
        }
        for file in policy.unreadable {
            let what = format!("{name}: {} is not JSON, so the browser ignores it", file.display());
            let remedy = "Ask your administrator to mend it.";
            findings.push(Finding::new("policy-unreadable", Severity::Warning, what, remedy));
        }
    }

    fn state(&self, path: &Path, family: Family) -> State {
        let content = match there(path) {
            Ok(There::Nothing) => return State::Missing,
            Ok(There::File { content: Some(content) }) => content,
            _ => match fs::read(path) {
                Ok(content) => content,
                Err(_) => return State::Unreadable,
            },
        };
        let Some(found) = Found::read(&content) else { return State::Unreadable };
        if !found.is_ours() {
            return State::Foreign(found.name);
        }
        if !found.lets_us(family) {
            return State::WrongExtension;
        }
        match fs::metadata(&found.path) {
            Err(_) => State::NoProgram(found.path),
            Ok(program) if !program.is_file() || program.permissions().mode() & 0o111 == 0 => {
                State::NotExecutable(found.path)
            }
            Ok(_) => State::Good(found.path),
        }
    }

    fn snaps(&self, findings: &mut Vec<Finding>) {
        for (snap, name) in [("firefox", "Firefox"), ("chromium", "Chromium")] {
            if !under(&self.prefix, &Path::new("/snap/bin").join(snap)).exists() {
                continue;
            }
            let what = format!(
                "{name} is a Snap: it asks once whether it may use {HOST_NAME}, and that question is easily missed"
            );
            let remedy = match snap {
                "firefox" => {
                    format!("If Godwit is not found: flatpak permission-set webextensions {HOST_NAME} snap.firefox yes")
                }
                _ => "Use Chromium of another source, or Firefox: this Snap cannot start programs outside.".to_owned(),
            };
            findings.push(Finding::new("snap-browser", Severity::Warning, what, remedy));
        }
    }

    fn installation(&self, findings: &mut Vec<Finding>) {
        let places = Places::user(self.user.clone());
        let again = "Run the installer again.";
        let litter = places.versions().read_dir().into_iter().flatten().flatten();
        if litter.filter(|entry| entry.file_name().to_string_lossy().ends_with(".godwit-new")).count() > 0 {
            let what = format!("an installation was cut: there are pieces of it in {}", places.versions().display());
            findings.push(Finding::new("installation-cut", Severity::Warning, what, again));
        }
        if places.receipt().exists() && !places.program("godwit-host").is_file() {
            let what = format!("the installation is not whole: {} is missing", places.program("godwit-host").display());
            findings.push(Finding::new("installation-broken", Severity::Error, what, again));
        }
    }

    /// What SELinux or AppArmor wrote about us, if this user may read it.
    fn denials(&self, findings: &mut Vec<Finding>) {
        for log in ["/var/log/audit/audit.log", "/var/log/kern.log"] {
            let path = under(&self.prefix, Path::new(log));
            let Ok(text) = fs::read(&path) else { continue };
            let text = String::from_utf8_lossy(&text);
            let denied = |line: &&str| {
                let lower = line.to_ascii_lowercase();
                lower.contains("denied")
                    && lower.contains("godwit")
                    && (lower.contains("avc") || lower.contains("apparmor"))
            };
            if let Some(line) = text.lines().rev().find(denied) {
                let what = format!("SELinux or AppArmor forbade something, says {}: {}", path.display(), line.trim());
                let remedy = "Show this line to your administrator; the installer for the whole machine (--system) puts programs where \
                              such rules expect them.";
                findings.push(Finding::new("mac-denied", Severity::Error, what, remedy));
            }
        }
    }

    /// Applies a safe remedy.
    ///
    /// # Errors
    /// What the system says.
    pub fn fix(&self, fix: &Fix) -> std::io::Result<()> {
        match fix {
            Fix::Manifest { path, family } => {
                let text = manifest::text(*family, &self.host)
                    .ok_or_else(|| std::io::Error::other("the path of the host program is not UTF-8"))?;
                if let Some(folder) = path.parent() {
                    fs::create_dir_all(folder)?;
                }
                crate::apply::write(path, text.as_bytes(), 0o644).map_err(std::io::Error::other)
            }
            Fix::Private(path) => fs::set_permissions(path, fs::Permissions::from_mode(0o700)),
            Fix::Remove(path) => fs::remove_file(path),
        }
    }
}

/// What is wrong with a manifest.
fn bad_manifest(browser: &Browser, path: &Path, state: &State) -> Option<Finding> {
    let (name, shown) = (browser.name, path.display());
    let install = "Run godwit doctor --fix, or the installer again.";
    let error = |id, what, remedy: &str| Finding::new(id, Severity::Error, what, remedy);
    let fix = Fix::Manifest { path: path.to_owned(), family: browser.family };
    let finding = match state {
        State::Missing => {
            error("manifest-missing", format!("{name} is not told where Godwit's host is: {shown} is missing"), install)
        }
        State::Unreadable => error("manifest-broken", format!("{name}: {shown} is not a manifest"), install),
        State::Foreign(other) => {
            let what = format!("{name}: {shown} is for another host, {other:?}");
            // It may be somebody's; nothing of others is replaced.
            return Some(error("manifest-foreign", what, "Move it away, then run the installer again."));
        }
        State::WrongExtension => {
            let what = format!("{name}: {shown} does not allow this version of the extension to start the host");
            error("manifest-wrong-extension", what, install)
        }
        State::NoProgram(program) => {
            let what = format!("{name}: {shown} names a program that is not there, {}", program.display());
            error("manifest-stale", what, install)
        }
        State::NotExecutable(program) => {
            let what = format!("{name}: {} cannot be run", program.display());
            return Some(error("host-not-executable", what, "Run the installer again."));
        }
        State::Good(_) => return None,
    };
    Some(finding.fixable(fix))
}
