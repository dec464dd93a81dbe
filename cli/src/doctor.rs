//! `godwit doctor`: what keeps Godwit from working on this machine, and what to do about it. Browsers and installation are the
//! installer's knowledge; the agent, folders, the clock and servers are looked at here.

use crate::agent::{Agent, AgentError};
use crate::args::DoctorArgs;
use crate::{home, text};
use godwit_installer::doctor::{Finding, Fix, Machine, Severity, examine};
use godwit_installer::place::{Places, UserFolders, under};
use godwit_protocol::ErrorCode;
use godwit_protocol::ui::{Called, Notice, Status, kinds};
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
        findings.extend(clock(SystemTime::now()));
        findings.extend(buffers(&machine.prefix));
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
            Ok(status) => answered(&status, findings),
            Err(error) => findings.push(unanswered(&error)),
        },
        Err(error) => findings.push(unanswered(&error)),
    }
}

/// What the agent says of itself.
fn answered(status: &Status, findings: &mut Vec<Finding>) {
    if status.version != env!("CARGO_PKG_VERSION") {
        let what =
            format!("the agent that runs is of version {}, this is {}", status.version, env!("CARGO_PKG_VERSION"));
        let remedy = "Run godwit agent stop; the browser starts the new one.";
        findings.push(Finding::new("agent-version", Severity::Warning, what, remedy));
    }
    extensions(status, findings);
    let of_old_agents = |_| status.notices.iter().map(|text| Notice::new("", [], text.as_str())).collect();
    let notes: Vec<Notice> = serde_json::from_value(status.more["notes"].clone()).unwrap_or_else(of_old_agents);
    let log = status.more["log"].as_str().unwrap_or("godwit-agent.log");
    findings.extend(notes.iter().map(|note| notice(note, log)));
}

/// One of the agent's notices, by the word that it is known by.
fn notice(note: &Notice, log: &str) -> Finding {
    let (severity, remedy) = match note.code.as_str() {
        // Where the key of the passwords is; nothing is wrong with it.
        "key-ring" | "key-file" => (Severity::Note, "Nothing to do."),
        "key-file-because" => (Severity::Warning, "If you have a key ring, unlock it in Preferences."),
        "database-new" | "database-restored" => {
            (Severity::Warning, "Keep what is named until you miss nothing; then it can be removed.")
        }
        "unwritten" => (Severity::Warning, "Make room on this disk, and see that it can be written to."),
        "policy-unreadable" | "policy-site" => (Severity::Warning, "Ask your administrator to correct it."),
        code if code.starts_with("setting") => {
            (Severity::Warning, "Correct it where it stands; the other settings hold.")
        }
        _ => {
            let remedy = format!("The agent's log says more: {log}.");
            return Finding::new("agent-notice", Severity::Warning, format!("the agent says: {}", note.text), remedy);
        }
    };
    Finding::new("agent-notice", severity, format!("the agent says: {}", note.text), remedy)
}

/// An agent that cannot be asked. One that is silent cannot be asked to end either.
fn unanswered(error: &AgentError) -> Finding {
    if matches!(error, AgentError::Silent) {
        let uid = rustix::process::geteuid().as_raw();
        let remedy = format!(
            "End its process: pkill -KILL -x -u {uid} godwit-agent. The browser starts it again, and its transfers go on."
        );
        return Finding::new("agent-silent", Severity::Error, error.to_string(), remedy);
    }
    let remedy = "Run godwit agent stop; if that fails, end the process godwit-agent.";
    Finding::new("agent-unreachable", Severity::Error, error.to_string(), remedy)
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
    let state = own.map_or_else(|| machine.user.state.join("godwit"), |home| home.join("state"));
    let Some(there) = state.ancestors().find(|folder| folder.is_dir()) else { return };
    let shown = there.display();
    if let Err(error) = rustix::fs::access(there, rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK) {
        let what = format!("{shown} cannot be written to ({error}), and the agent keeps its queue there");
        let remedy = if error == rustix::io::Errno::ROFS {
            "Have this disk mounted for writing again; if the system made it read-only by itself, look at the disk first \
             (dmesg)."
                .to_owned()
        } else {
            let uid = rustix::process::geteuid().as_raw();
            format!(
                "Let yourself write there: chmod u+rwx {shown}; if it is another user's, as root: chown {uid} {shown}."
            )
        };
        findings.push(Finding::new("state-read-only", Severity::Error, what, remedy));
    }
    let free =
        |path: &Path| rustix::fs::statvfs(path).map(|fs| fs.f_bavail.saturating_mul(fs.f_frsize)).unwrap_or(u64::MAX);
    if free(there) < LITTLE {
        let what = format!("{shown} has {} left", text::bytes(free(there)));
        findings.push(Finding::new("disk-low", Severity::Warning, what, "Make room on this disk."));
    }
}

fn clock(now: SystemTime) -> Option<Finding> {
    let what = "the clock of this machine is years behind, so certificates of servers count as not yet valid";
    let remedy = "Set the clock, as root: timedatectl set-ntp true.";
    (now < SystemTime::UNIX_EPOCH + OLDEST).then(|| Finding::new("clock", Severity::Error, what.to_owned(), remedy))
}

fn buffers(prefix: &Path) -> Option<Finding> {
    let figure = under(prefix, Path::new("/proc/sys/net/core/rmem_max"));
    let most = std::fs::read_to_string(figure).ok()?.trim().parse::<u64>().ok()?;
    let what =
        format!("the kernel grants receive buffers of {} only; very fast transfers lose packets", text::bytes(most));
    let remedy = "As root: sysctl net.core.rmem_max=16777216 net.core.wmem_max=16777216.";
    (most < BUFFER).then(|| Finding::new("small-buffers", Severity::Note, what, remedy))
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
    fn a_clock_that_is_years_behind_is_found_by_the_time_that_is_handed_in() {
        let found = clock(SystemTime::UNIX_EPOCH + OLDEST - Duration::from_secs(1));
        let found = found.map(|finding| (finding.id, finding.severity, finding.remedy.contains("clock"), finding.fix));
        assert_eq!(found, Some(("clock", Severity::Error, true, None)));
        assert_eq!(clock(SystemTime::UNIX_EPOCH + OLDEST), None);
    }

    #[test]
    fn where_the_key_is_is_no_fault_and_other_notices_name_what_to_do() {
        for (code, severity, remedy) in [
            ("key-ring", Severity::Note, "Nothing"),
            ("key-file", Severity::Note, "Nothing"),
            ("key-file-because", Severity::Warning, "key ring"),
            ("database-restored", Severity::Warning, "Keep"),
            ("unwritten", Severity::Warning, "room"),
            ("policy-site", Severity::Warning, "administrator"),
            ("setting-range", Severity::Warning, "Correct"),
            ("settings-newer", Severity::Warning, "Correct"),
            ("one that comes later", Severity::Warning, "/logs/a.log"),
        ] {
            let finding = notice(&Notice::new(code, [], "words"), "/logs/a.log");
            assert_eq!((finding.id, finding.severity), ("agent-notice", severity), "{code}");
            assert!(finding.remedy.contains(remedy) && finding.what.ends_with("words"), "{finding:?}");
        }
    }

    #[test]
    fn times_are_told_as_people_do() {
        let told = [30, 5 * 60, 3 * 3_600, 3 * 86_400].map(|seconds| ago(Duration::from_secs(seconds)));
        assert_eq!(told, ["just now", "5 minutes ago", "3 hours ago", "3 days ago"]);
    }
}
