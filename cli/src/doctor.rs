//! `godwit doctor`: what keeps Godwit from working on this machine, and what to do about it. Browsers and installation are the
//! installer's knowledge; the agent, folders, the clock and servers are looked at here.

use crate::agent::Agent;
use crate::args::DoctorArgs;
use crate::{home, text};
use godwit_installer::doctor::{Finding, Fix, Machine, Severity, examine};
use godwit_installer::place::{Places, UserFolders};
use godwit_protocol::ErrorCode;
use godwit_protocol::ui::{Called, Status, kinds};
use godwit_protocol::worker::{Credential, ServerAddress, ServerIdentity};
use godwit_transport::reach::reach;
use serde_json::json;
use std::net::{TcpStream, ToSocketAddrs};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// Stands before all paths of the machine, for tests.
const PREFIX: &str = "GODWIT_DOCTOR_PREFIX";
/// Less than this is soon full.
const LITTLE: u64 = 1024 * 1024 * 1024;
/// Receive buffers below this lose packets at a gigabit per second.
const BUFFER: u64 = 2 * 1024 * 1024;
/// The longest wait for a TCP port; the kernel has tried three times by then.
const TCP: Duration = Duration::from_secs(5);
/// 1 January 2026; this program is younger.
const OLDEST: Duration = Duration::from_secs(1_767_225_600);

/// Looks, prints, and with `--fix` does what is safe. True: nothing is left that does not work.
pub(crate) fn run(args: &DoctorArgs) -> Result<bool, String> {
    let env = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let user = UserFolders::of(env).ok_or("HOME is not set: nothing can be looked for")?;
    let installed = Places::user(user.clone()).program("godwit-host");
    let host = if installed.is_file() { installed } else { beside_this_program() };
    let machine = Machine { user, prefix: env(PREFIX).unwrap_or_default(), host };
    let look = || {
        let mut findings = examine(&machine);
        agent(&mut findings);
        folders(&machine, &mut findings);
        system(&mut findings);
        findings
    };
    let mut findings = look();
    let mut mended = Vec::new();
    if args.fix {
        for finding in &findings {
            if let Some(fix) = &finding.fix {
                match machine.fix(fix) {
                    Ok(()) => mended.push(finding.clone()),
                    Err(error) => eprintln!("godwit: {} was not mended: {error}", finding.id),
                }
            }
        }
        findings = look();
    }
    if let Some(server) = &args.server {
        findings.extend(network(server, args.data_port));
        findings.push(tcp(server, args.tcp_port));
    }
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    if args.json {
        println!("{}", json!({"findings": findings, "mended": mended}));
    } else {
        print(&findings, &mended);
    }
    Ok(findings.iter().all(|finding| finding.severity < Severity::Error))
}

fn print(findings: &[Finding], mended: &[Finding]) {
    for finding in mended {
        println!("mended: {}", text::shown(&finding.what));
    }
    for finding in findings {
        let word = match finding.severity {
            Severity::Error => "ERROR  ",
            Severity::Warning => "WARNING",
            Severity::Note => "note   ",
        };
        println!("{word} {} ({})\n        {}", text::shown(&finding.what), finding.id, text::shown(&finding.remedy));
    }
    if findings.iter().all(|finding| finding.severity == Severity::Note) {
        println!("Nothing is wrong.");
    } else if findings.iter().any(|finding| finding.fix.is_some()) {
        println!("`godwit doctor --fix` mends what can be mended without losing anything.");
    }
}

fn beside_this_program() -> PathBuf {
    let program = std::env::current_exe().unwrap_or_default();
    program.with_file_name("godwit-host")
}

fn agent(findings: &mut Vec<Finding>) {
    let Some(socket) = home::socket() else { return };
    if let Some(folder) = socket.parent()
        && let Ok(metadata) = folder.metadata()
    {
        let (uid, open) = (rustix::process::getuid().as_raw(), metadata.permissions().mode() & 0o077 != 0);
        if metadata.uid() != uid {
            let what = format!("{} belongs to another user, so the agent does not use it", folder.display());
            findings.push(Finding::new(
                "folder-foreign",
                Severity::Error,
                what,
                "Remove it, or ask your administrator to.",
            ));
        } else if open {
            let what = format!("{} is open to other users, so the agent does not use it", folder.display());
            let finding = Finding::new("folder-open", Severity::Error, what, "Run godwit doctor --fix.");
            findings.push(finding.fixable(Fix::Private(folder.to_owned())));
        }
    }
    match Agent::connect() {
        Ok(None) => {
            if socket.symlink_metadata().is_ok_and(|metadata| !metadata.file_type().is_socket()) {
                let what = format!("{} is not a socket, so the agent cannot listen there", socket.display());
                findings.push(Finding::new("socket-odd", Severity::Error, what, "Move it away."));
            }
        }
        Ok(Some(mut agent)) => match agent.ask::<Status>(kinds::STATUS) {
            Ok(status) => {
                if status.version != env!("CARGO_PKG_VERSION") {
                    let what = format!(
                        "the agent that runs is of version {}, this is {}",
                        status.version,
                        env!("CARGO_PKG_VERSION")
                    );
                    let remedy = "Run godwit agent stop; the browser starts the new one.";
                    findings.push(Finding::new("agent-version", Severity::Warning, what, remedy));
                }
                let remedy = "See the agent's log for more.";
                extensions(&status, findings);
                findings.extend(status.notices.iter().map(|notice| {
                    Finding::new("agent-notice", Severity::Warning, format!("the agent says: {notice}"), remedy)
                }));
            }
            Err(error) => findings.push(Finding::new(
                "agent-silent",
                Severity::Error,
                error.to_string(),
                "Run godwit agent stop.",
            )),
        },
        Err(error) => {
            let remedy = "Run godwit agent stop; if that fails, end the process godwit-agent.";
            findings.push(Finding::new("agent-unreachable", Severity::Error, error.to_string(), remedy));
        }
    }
}

/// Which browsers' extensions have called, and whether they fit the agent.
fn extensions(status: &Status, findings: &mut Vec<Finding>) {
    let calls: Vec<Called> = serde_json::from_value(status.more["callers"].clone()).unwrap_or_default();
    if calls.is_empty() {
        let what = "no browser's extension has called yet".to_owned();
        let remedy = "Install the extension in your browser, and click its button in the toolbar once.";
        return findings.push(Finding::new("extension-silent", Severity::Note, what, remedy));
    }
    for Called { browser, extension_id, version, last_ms, .. } in calls {
        let then = SystemTime::UNIX_EPOCH + Duration::from_millis(last_ms);
        let ago = ago(SystemTime::now().duration_since(then).unwrap_or_default());
        let what = format!("the extension in {browser} is of version {version} and called {ago} ({extension_id})");
        findings.push(if version == status.version {
            Finding::new("extension-called", Severity::Note, what, "Nothing to do.")
        } else {
            let what = format!("{what}; the application is of version {}", status.version);
            let remedy = "Update the older of the two; an extension that is not used any more can be removed.";
            Finding::new("extension-version", Severity::Warning, what, remedy)
        });
    }
}

fn ago(passed: Duration) -> String {
    let minutes = passed.as_secs() / 60;
    match minutes {
        0..2 => "just now".to_owned(),
        2..120 => format!("{minutes} minutes ago"),
        120..2_880 => format!("{} hours ago", minutes / 60),
        _ => format!("{} days ago", minutes / 1_440),
    }
}

fn folders(machine: &Machine, findings: &mut Vec<Finding>) {
    let own = std::env::var_os("GODWIT_HOME").filter(|value| !value.is_empty()).map(PathBuf::from);
    let state = own.unwrap_or_else(|| machine.user.state.join("godwit"));
    let Some(there) = state.ancestors().find(|folder| folder.is_dir()) else { return };
    if rustix::fs::access(there, rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK).is_err() {
        let what = format!("{} cannot be written to, and the agent keeps its queue there", there.display());
        findings.push(Finding::new("state-read-only", Severity::Error, what, "Give this folder to yourself again."));
    }
    let free =
        |path: &Path| rustix::fs::statvfs(path).map(|fs| fs.f_bavail.saturating_mul(fs.f_frsize)).unwrap_or(u64::MAX);
    if free(there) < LITTLE {
        let what = format!("{} has {} left", there.display(), text::bytes(free(there)));
        findings.push(Finding::new("disk-low", Severity::Warning, what, "Make room on this disk."));
    }
}

fn system(findings: &mut Vec<Finding>) {
    if SystemTime::now() < SystemTime::UNIX_EPOCH + OLDEST {
        let what =
            "the clock of this machine is years behind, so certificates of servers count as not yet valid".to_owned();
        findings.push(Finding::new("clock", Severity::Error, what, "Set the clock."));
    }
    let most =
        std::fs::read_to_string("/proc/sys/net/core/rmem_max").ok().and_then(|text| text.trim().parse::<u64>().ok());
    if let Some(most) = most.filter(|most| *most < BUFFER) {
        let what = format!(
            "the kernel grants receive buffers of {} only; very fast transfers lose packets",
            text::bytes(most)
        );
        let remedy = "As root: sysctl net.core.rmem_max=16777216 net.core.wmem_max=16777216.";
        findings.push(Finding::new("small-buffers", Severity::Note, what, remedy));
    }
}

fn network(host: &str, port: u16) -> Option<Finding> {
    let address = ServerAddress {
        host: host.to_owned(),
        data_port: port,
        tcp_port: port,
        user: String::new(),
        credential: Credential::Token { token: String::new().into() },
        identity: ServerIdentity::default(),
    };
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return Some(Finding::new("network", Severity::Error, error.to_string(), "Try again.")),
    };
    match runtime.block_on(reach(&address)) {
        // Whoever shows a certificate was reached.
        Err(failure) if failure.code != ErrorCode::Insecure => {
            let what = format!("{host} (UDP port {port}) cannot be reached: {}", failure.message);
            let remedy = "If other sites work, ask whoever runs the network or the server about this port.";
            Some(Finding::new("server-unreachable", Severity::Error, what, remedy))
        }
        _ => {
            let what = format!("{host} answers on UDP port {port}");
            Some(Finding::new("server-reached", Severity::Note, what, "Nothing to do."))
        }
    }
}

/// TCP is not needed for transfers; web pages test it to say what a network blocks.
fn tcp(host: &str, port: u16) -> Finding {
    let reached = (host, port).to_socket_addrs().and_then(|addresses| {
        let mut last = std::io::Error::other("this name has no address");
        for address in addresses {
            match TcpStream::connect_timeout(&address, TCP) {
                Ok(_) => return Ok(()),
                Err(error) => last = error,
            }
        }
        Err(last)
    });
    match reached {
        Ok(()) => {
            let what = format!("{host} answers on TCP port {port}");
            Finding::new("server-tcp-reached", Severity::Note, what, "Nothing to do.")
        }
        Err(error) => {
            let what = format!("{host} (TCP port {port}) cannot be reached: {error}");
            let remedy =
                "Transfers need UDP only. For web pages that test TCP, ask whoever runs the network or the server.";
            Finding::new("server-tcp-unreachable", Severity::Warning, what, remedy)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(callers: serde_json::Value) -> Status {
        let status = json!({"version": "1.2.0", "pid": 1, "home": "", "uptime_seconds": 0, "counts": {}, "transfers": [],
            "notices": [], "more": {"callers": callers}});
        serde_json::from_value(status).unwrap_or_else(|error| panic!("{error}"))
    }

    #[test]
    fn extensions_that_called_are_named_and_one_of_another_version_is_a_warning() {
        let call = |version: &str| json!({"browser": "firefox", "extension_id": "x", "version": version, "host_version": version, "last_ms": 0});
        for (callers, id, severity) in [
            (json!([]), "extension-silent", Severity::Note),
            (json!([call("1.2.0")]), "extension-called", Severity::Note),
            (json!([call("1.1.0")]), "extension-version", Severity::Warning),
        ] {
            let mut findings = Vec::new();
            extensions(&status(callers), &mut findings);
            let found: Vec<_> = findings.iter().map(|finding| (finding.id, finding.severity)).collect();
            assert_eq!(found, [(id, severity)]);
        }
    }

    #[test]
    fn times_are_told_as_people_do() {
        let told = [30, 5 * 60, 3 * 3_600, 3 * 86_400].map(|seconds| ago(Duration::from_secs(seconds)));
        assert_eq!(told, ["just now", "5 minutes ago", "3 hours ago", "3 days ago"]);
    }
}
