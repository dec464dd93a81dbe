//! `zenity`, where the desktop has no portal.

use super::{DialogRequest, MAX_ANSWER, Outcome, Wanted, patterns};
use std::ffi::OsString;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::AsyncReadExt;

/// Between several paths. No absolute path that a dialog returns contains two slashes in a row, whatever its names contain.
const SEPARATOR: &str = "//";
/// Most bytes of its complaints that are looked at.
const MAX_COMPLAINTS: u64 = 64 * 1024;

/// Asks; dropping the future kills the program.
pub(super) async fn ask(request: &DialogRequest) -> Outcome {
    let child = tokio::process::Command::new("zenity")
        .args(arguments(request))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn();
    let mut child = match child {
        Ok(child) => child,
        Err(error) => return Outcome::unavailable(format!("zenity: {error}")),
    };
    let (Some(stdout), Some(mut stderr)) = (child.stdout.take(), child.stderr.take()) else {
        return Outcome::unavailable("zenity has no pipes");
    };
    let complaints = tokio::spawn(async move {
        let mut kept = Vec::new();
        // Read to its end, kept to a limit: a full pipe would stop the dialog.
        drop((&mut stderr).take(MAX_COMPLAINTS).read_to_end(&mut kept).await);
        drop(tokio::io::copy(&mut stderr, &mut tokio::io::sink()).await);
        kept
    });
    let mut answer = Vec::new();
    let read = stdout.take(MAX_ANSWER).read_to_end(&mut answer).await;
    if read.as_ref().is_ok_and(|n| u64::try_from(*n).is_ok_and(|n| n >= MAX_ANSWER)) {
        return Outcome::unavailable("zenity does not stop talking");
    }
    let status = match (read, child.wait().await) {
        (Ok(_), Ok(status)) => status,
        (Err(error), _) | (_, Err(error)) => return Outcome::unavailable(format!("zenity: {error}")),
    };
    // Something that it started may still hold the pipe.
    let complaints = tokio::time::timeout(Duration::from_secs(1), complaints).await;
    let complaints = complaints.ok().and_then(Result::ok).unwrap_or_default();
    outcome(status.code(), &answer, &String::from_utf8_lossy(&complaints))
}

/// Its command line. Every text of a page stands behind an equals sign: none can be an option.
fn arguments(request: &DialogRequest) -> Vec<OsString> {
    let mut all = vec!["--file-selection".to_owned(), format!("--title={}", request.title)];
    match request.wanted {
        Wanted::Files => {}
        Wanted::Folders => all.push("--directory".into()),
        Wanted::Save => all.extend(["--save".into(), "--confirm-overwrite".into()]),
    }
    if request.multiple && request.wanted != Wanted::Save {
        all.extend(["--multiple".into(), format!("--separator={SEPARATOR}")]);
    }
    let folder = request.folder.as_deref().map(|f| format!("{}/", f.trim_end_matches('/'))).unwrap_or_default();
    let name = if request.wanted == Wanted::Folders { "" } else { request.name.as_str() };
    if !(folder.is_empty() && name.is_empty()) {
        all.push(format!("--filename={folder}{name}"));
    }
    if request.wanted != Wanted::Folders {
        let filter = |(name, globs): (String, Vec<String>)| format!("--file-filter={name} | {}", globs.join(" "));
        all.extend(patterns(&request.filters).into_iter().map(filter));
    }
    all.into_iter().map(OsString::from).collect()
}

/// What its exit code and its output mean.
fn outcome(code: Option<i32>, answer: &[u8], complaints: &str) -> Outcome {
    // Without a screen it ends with the same code as a cancelled dialog.
    let blind = complaints.lines().any(|l| l.contains("cannot open display") || l.contains("Failed to open display"));
    match code {
        Some(0) => chosen(answer),
        Some(1) if blind => Outcome::unavailable("zenity cannot open the screen"),
        Some(1) => Outcome::Cancelled,
        Some(5) => Outcome::TimedOut,
        Some(code) => Outcome::unavailable(format!("zenity ended with {code}")),
        None => Outcome::unavailable("zenity was killed"),
    }
}

fn chosen(answer: &[u8]) -> Outcome {
    // Exactly one line end is zenity's; another one belongs to a name.
    let answer = answer.strip_suffix(b"\n").unwrap_or(answer);
    let Ok(text) = std::str::from_utf8(answer) else {
        return Outcome::unavailable("a chosen name is no text that a page could be told");
    };
    let paths: Vec<String> = text.split(SEPARATOR).map(str::to_owned).collect();
    if paths.iter().any(|p| !p.starts_with('/') || p.contains('\0')) {
        return Outcome::unavailable("zenity answered with something that is no path");
    }
    Outcome::Chosen { paths }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use godwit_protocol::ui::FileFilter;

    fn request(wanted: Wanted) -> DialogRequest {
        DialogRequest {
            wanted,
            title: "https://app.example".into(),
            multiple: true,
            name: "--version".into(),
            folder: Some("/home/me".into()),
            filters: vec![FileFilter { filter_name: "Text".into(), extensions: vec!["txt".into()] }],
            limit_ms: 1_000,
        }
    }

    fn paths(list: &[&str]) -> Outcome {
        Outcome::Chosen { paths: list.iter().map(|p| (*p).to_owned()).collect() }
    }

    #[test]
    fn names_may_contain_everything_that_separates_elsewhere() {
        assert_eq!(outcome(Some(0), b"/a\n", ""), paths(&["/a"]));
        assert_eq!(outcome(Some(0), b"/a|b///c d///e\nf\n", ""), paths(&["/a|b", "/c d", "/e\nf"]));
        assert_eq!(outcome(Some(0), b"/ends with\n\n", ""), paths(&["/ends with\n"]));
    }

    #[test]
    fn cancelled_blind_killed_and_mad_are_told_apart() {
        assert_eq!(outcome(Some(1), b"", "Gtk-WARNING: some theme is missing\n"), Outcome::Cancelled);
        assert_eq!(outcome(Some(5), b"", ""), Outcome::TimedOut);
        let blind = "(zenity:12): Gtk-WARNING **: 10:00:00.0: cannot open display: :99\n";
        for (code, answer, complaints) in [
            (Some(1), &b""[..], blind),
            (Some(255), b"", ""),
            (Some(0), b"", ""),
            (Some(0), b"relative\n", ""),
            (Some(0), b"/a//b\n", ""),
            (Some(0), b"/\xff\n", ""),
            (None, b"/a\n", ""),
        ] {
            let what = outcome(code, answer, complaints);
            assert!(matches!(what, Outcome::Unavailable { .. }), "{code:?} {answer:?} {what:?}");
        }
    }

    #[test]
    fn no_text_of_a_page_is_an_argument_by_itself() {
        let text = |wanted| -> Vec<String> {
            arguments(&request(wanted)).into_iter().map(|a| a.into_string().unwrap()).collect()
        };
        assert_eq!(
            text(Wanted::Files),
            [
                "--file-selection",
                "--title=https://app.example",
                "--multiple",
                "--separator=//",
                "--filename=/home/me/--version",
                "--file-filter=Text | *.[tT][xX][tT]"
            ]
        );
        assert!(text(Wanted::Folders).contains(&"--filename=/home/me/".to_owned()));
        let save = text(Wanted::Save);
        assert!(save.contains(&"--confirm-overwrite".to_owned()) && !save.contains(&"--multiple".to_owned()));
    }
}
