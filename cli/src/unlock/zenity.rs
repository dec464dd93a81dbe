//! The windows, by `zenity`. No text of a file's name is an option of it, markup, or a mark for a key.

use crate::text::shown;
use godwit_protocol::Secret;
use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};
use zeroize::Zeroizing;

/// Longest passphrase that is read from it, bytes.
const MAX_ANSWER: u64 = 16 * 1024;
/// Wide enough for a name.
const WIDTH: &str = "--width=420";

/// What became of a question.
pub(super) enum Answer {
    Passphrase(Secret),
    /// The user gave up.
    Cancelled,
    /// No window could be shown.
    Unavailable(String),
}

/// Asks for a passphrase. Lines of `text` stand above the field.
pub(super) fn ask(title: &str, text: &str, ok: &str) -> Answer {
    let mut command = zenity("--entry", title);
    command.args(["--hide-text", WIDTH, &format!("--ok-label={ok}")]).arg(format!("--text={}", as_label(text)));
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = match child {
        Ok(child) => child,
        Err(error) => return Answer::Unavailable(format!("zenity: {error}")),
    };
    let mut typed = Zeroizing::new(Vec::new());
    if let Some(stdout) = &mut child.stdout {
        // An error ends it as cancelled below: nothing was typed then.
        drop(stdout.take(MAX_ANSWER).read_to_end(&mut typed));
    }
    let ended = match child.wait_with_output() {
        Ok(ended) => ended,
        Err(error) => return Answer::Unavailable(format!("zenity: {error}")),
    };
    let complaints = String::from_utf8_lossy(&ended.stderr);
    match ended.status.code() {
        Some(0) => match std::str::from_utf8(typed.strip_suffix(b"\n").unwrap_or(&typed)) {
            Ok(typed) => Answer::Passphrase(Secret::new(typed)),
            Err(_) => Answer::Unavailable("zenity did not answer with text".into()),
        },
        // Without a screen it ends as if it was cancelled.
        Some(1) if complaints.contains("open display") => Answer::Unavailable("zenity has no screen".into()),
        Some(1) => Answer::Cancelled,
        _ => Answer::Unavailable(format!("zenity: {}", ended.status)),
    }
}

/// Tells something and waits until it was read. `kind` is zenity's: `--info`, `--error`.
pub(super) fn tell(kind: &str, title: &str, text: &str) {
    let mut command = zenity(kind, title);
    command.args([WIDTH, "--no-wrap"]).arg(format!("--text={}", as_markup(text)));
    if let Err(error) = command.stdin(Stdio::null()).stdout(Stdio::null()).status() {
        eprintln!("godwit: zenity: {error}");
    }
}

/// A window that shows how far something is; it goes when this is dropped.
pub(super) struct Progress {
    child: Child,
}

impl Progress {
    /// `None` if it cannot be shown: what it would have told of goes on all the same.
    pub(super) fn show(title: &str, text: &str) -> Option<Self> {
        let mut command = zenity("--progress", title);
        command.args([WIDTH, "--percentage=0"]).arg(format!("--text={}", as_markup(text)));
        let child = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().ok()?;
        Some(Self { child })
    }

    /// Shows this many percent. False: the user does not want it to go on.
    pub(super) fn is_wanted_at(&mut self, percent: u64) -> bool {
        if let Some(stdin) = &mut self.child.stdin {
            // At 100 it would count as done.
            drop(writeln!(stdin, "{}", percent.min(99)));
        }
        // 1 is its button and its close box; anything else says nothing about what the user wants.
        !self.child.try_wait().is_ok_and(|ended| ended.is_some_and(|status| status.code() == Some(1)))
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn zenity(kind: &str, title: &str) -> Command {
    let mut command = Command::new("zenity");
    command.arg(kind).arg(format!("--title={}", shown(title)));
    command
}

/// A text with line ends, for a window: each line as [`shown`], and what zenity would read as an escape doubled.
fn lines(text: &str) -> String {
    text.lines().map(shown).collect::<Vec<_>>().join("\n").replace('\\', "\\\\")
}

/// For labels in which an underscore marks a key.
fn as_label(text: &str) -> String {
    lines(text).replace('_', "__")
}

/// For labels that are markup.
fn as_markup(text: &str) -> String {
    lines(text).replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stays_itself_in_each_kind_of_label() {
        let name = "a_b\\n<b>&\u{202e}c";
        assert_eq!(as_label(name), "a__b\\\\n<b>&\u{fffd}c");
        assert_eq!(as_markup(name), "a_b\\\\n&lt;b&gt;&amp;\u{fffd}c");
        assert_eq!(as_markup("two\nlines"), "two\nlines");
    }
}
