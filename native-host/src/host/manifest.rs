//! Which manifest led the browser here? For people who look for a fault; nothing depends on the answer.

use super::args::Caller;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The manifest's name in every folder.
const NAME: &str = "io.godwit.host.json";
/// Larger ones are none of ours.
const MAX_BYTES: u64 = 64 * 1024;

/// Folders below `$HOME/.config` in which browsers of the Chromium family keep their profiles.
const PROFILES: [&str; 6] =
    ["chromium", "google-chrome", "google-chrome-beta", "microsoft-edge", "BraveSoftware/Brave-Browser", "vivaldi"];
/// Folders for the whole machine.
const SYSTEM: [&str; 3] = ["/etc/chromium", "/etc/opt/chrome", "/etc/opt/edge"];

/// Firefox names it; for the others it is looked for where they look, and must name this program.
pub(super) fn found(caller: &Caller, arguments: &[OsString]) -> Option<PathBuf> {
    if matches!(caller, Caller::Firefox) {
        return arguments.first().map(PathBuf::from);
    }
    let program = std::env::current_exe().ok()?;
    let own = profile(&parent_arguments()).map(|folder| folder.join("NativeMessagingHosts"));
    let config = std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".config"));
    let usual = config.iter().flat_map(|c| PROFILES.iter().map(move |p| c.join(p).join("NativeMessagingHosts")));
    let system = SYSTEM.iter().map(|folder| Path::new(folder).join("native-messaging-hosts"));
    own.into_iter().chain(usual).chain(system).map(|folder| folder.join(NAME)).find(|file| names(file, &program))
}

/// `--user-data-dir` of the browser.
fn profile(arguments: &[u8]) -> Option<PathBuf> {
    let words = arguments.split(|byte| *byte == 0);
    let folder = words.filter_map(|word| word.strip_prefix(b"--user-data-dir=")).next()?;
    Some(PathBuf::from(String::from_utf8_lossy(folder).into_owned()))
}

fn parent_arguments() -> Vec<u8> {
    let parent = rustix::process::getppid().map(|pid| pid.as_raw_nonzero());
    parent.and_then(|pid| std::fs::read(format!("/proc/{pid}/cmdline")).ok()).unwrap_or_default()
}

fn names(file: &Path, program: &Path) -> bool {
    let small = file.metadata().is_ok_and(|m| m.is_file() && m.len() <= MAX_BYTES);
    let text = if small { std::fs::read_to_string(file).unwrap_or_default() } else { String::new() };
    let manifest: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
    let path = manifest.get("path").and_then(serde_json::Value::as_str).map(Path::new);
    path.is_some_and(|path| path == program || path.canonicalize().is_ok_and(|real| real == program))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_manifest_counts_only_if_it_names_this_program() {
        let dir = tempfile::tempdir().unwrap();
        let (program, file) = (dir.path().join("godwit-host"), dir.path().join(NAME));
        std::fs::write(&program, "").unwrap();
        let program = program.canonicalize().unwrap();
        assert!(!names(&file, &program));
        for (text, expected) in [
            (format!("{{\"path\": {:?}}}", program.display().to_string()), true),
            ("{\"path\": \"/elsewhere\"}".into(), false),
            ("{\"path\": 7}".into(), false),
            ("[".into(), false),
        ] {
            std::fs::write(&file, &text).unwrap();
            assert_eq!(names(&file, &program), expected, "{text}");
        }
    }

    #[test]
    fn the_profile_is_read_from_the_browsers_own_arguments() {
        let arguments = b"/usr/bin/chromium\0--no-first-run\0--user-data-dir=/tmp/a b\0--x\0";
        assert_eq!(profile(arguments), Some(PathBuf::from("/tmp/a b")));
        assert_eq!(profile(b"chromium\0"), None);
    }
}
