//! In windows of the desktop: what starts when somebody opens an encrypted file in a file manager. A passphrase that is wrong is
//! asked for again; what takes long shows how far it is and can be stopped; at the end it is said what lies where.

use super::words::Words;
use super::zenity::{self, Answer, Progress};
use super::{Refused, Watch, Why, each, exit_code, one};
use crate::args::UnlockArgs;
use crate::login;
use godwit_protection::Opener;
use godwit_protocol::ErrorCode;
use godwit_protocol::worker::Failure;
use std::ffi::OsString;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::atomic::Ordering;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

/// What takes longer is shown.
const SHOWN_AFTER: Duration = Duration::from_millis(800);
/// Between two looks at a window.
const LOOK: Duration = Duration::from_millis(100);
/// A list of more files would be higher than the screen.
const MOST_NAMES: usize = 12;
/// Programs that open a terminal, and what stands before the command in it.
const TERMINALS: [(&str, Option<&str>); 4] =
    [("xdg-terminal-exec", None), ("x-terminal-emulator", Some("-e")), ("konsole", Some("-e")), ("xterm", Some("-e"))];

/// What became of the files.
#[derive(Default)]
struct Outcome {
    made: Vec<PathBuf>,
    refused: Vec<(String, Refused)>,
}

pub(super) fn run(args: &UnlockArgs) -> ExitCode {
    let words = Words::of(|name| std::env::var(name).ok());
    let files = each(&args.files);
    let mut outcome = Outcome::default();
    if let Err(reason) = all(&files, args.keep, words, &mut outcome) {
        tracing::debug!(reason, "no window");
        return in_terminal(args, words, &reason);
    }
    let first = outcome.refused.first().map(|(_, refused)| exit_code(&refused.failure));
    tell(&outcome, args.keep, words);
    first.unwrap_or(ExitCode::SUCCESS)
}

/// Decrypts all that can be. An error if no window can be shown; then nothing has been done.
fn all(files: &[PathBuf], keep: bool, words: &Words, outcome: &mut Outcome) -> Result<(), String> {
    let mut opener = None;
    for file in files {
        let name = name_of(file);
        let mut wrong = false;
        let result = loop {
            let with = match opener.take() {
                Some(with) if !wrong => with,
                _ => match passphrase(&name, wrong, words) {
                    Answer::Passphrase(passphrase) => Opener::new(&passphrase),
                    // Whoever does not know one does not want the next question either.
                    Answer::Cancelled => return Ok(()),
                    Answer::Unavailable(reason) if outcome.made.is_empty() && outcome.refused.is_empty() && !wrong => {
                        return Err(reason);
                    }
                    Answer::Unavailable(reason) => break Err(gone(&reason)),
                },
            };
            let result = watched(file, &name, &with, keep, words);
            wrong = matches!(&result, Err(Refused { why: Why::WrongPassphrase, .. }));
            if !wrong {
                opener = Some(with);
                break result;
            }
        };
        match result {
            Ok(made) => outcome.made.push(made),
            Err(Refused { why: Why::Stopped, .. }) => return Ok(()),
            Err(refused) => outcome.refused.push((name, refused)),
        }
    }
    Ok(())
}

fn passphrase(name: &str, wrong: bool, words: &Words) -> Answer {
    let before = if wrong { format!("{}\n", words.wrong) } else { String::new() };
    let text = format!("{before}{} {name}:", words.passphrase_for);
    loop {
        match zenity::ask(words.title, &text, words.unlock) {
            // Return in an empty field is a slip of the finger.
            Answer::Passphrase(passphrase) if passphrase.expose().is_empty() => {}
            answer => return answer,
        }
    }
}

/// The window system went away in between.
fn gone(reason: &str) -> Refused {
    Refused { why: Why::Other(reason.to_owned()), failure: Failure::new(ErrorCode::FileEncryption, reason) }
}

/// Decrypts one file, with a window that says how far it is if it takes long.
fn watched(file: &Path, name: &str, opener: &Opener, keep: bool, words: &Words) -> Result<PathBuf, Refused> {
    let watch = Watch::default();
    let size = file.metadata().map_or(0, |metadata| metadata.len()).max(1);
    std::thread::scope(|scope| {
        let (told, tells) = channel();
        let work = scope.spawn({
            let watch = &watch;
            move || {
                let result = one(file, opener, keep, watch);
                drop(told);
                result
            }
        });
        let begun = Instant::now();
        let mut progress = None;
        while tells.recv_timeout(LOOK) == Err::<(), _>(RecvTimeoutError::Timeout) {
            if progress.is_none() && begun.elapsed() > SHOWN_AFTER {
                progress = Some(Progress::show(words.title_busy, &format!("{} {name}", words.busy)));
            }
            let percent = watch.done.load(Ordering::Relaxed).saturating_mul(100) / size;
            if let Some(Some(progress)) = &mut progress
                && !progress.is_wanted_at(percent)
            {
                watch.stop.store(true, Ordering::Relaxed);
            }
        }
        work.join().unwrap_or_else(|_| Err(gone("the work broke")))
    })
}

/// Says what became of it. Nothing, if the user gave up before anything was done.
fn tell(outcome: &Outcome, keep: bool, words: &Words) {
    let list = |text: &mut String, lines: &mut dyn Iterator<Item = String>| {
        for (number, line) in lines.enumerate() {
            if number == MOST_NAMES {
                let _ = writeln!(text, "\u{2026} {}", words.and_more);
                break;
            }
            let _ = writeln!(text, "{line}");
        }
    };
    let mut text = String::new();
    if !outcome.made.is_empty() {
        let _ = writeln!(text, "{}", words.unlocked);
        list(&mut text, &mut outcome.made.iter().map(|made| name_of(made)));
        let [of_one, of_many] = if keep { words.kept } else { words.removed };
        let _ = writeln!(text, "\n{}", if outcome.made.len() == 1 { of_one } else { of_many });
    }
    if !outcome.refused.is_empty() {
        let space = if text.is_empty() { "" } else { "\n" };
        let _ = writeln!(text, "{space}{}", words.locked);
        let lines = outcome.refused.iter().map(|(name, refused)| format!("{name}: {}", words.why(&refused.why)));
        list(&mut text, &mut lines.into_iter());
    }
    if !text.is_empty() {
        let (kind, title) =
            if outcome.refused.is_empty() { ("--info", words.title_done) } else { ("--error", words.title_failed) };
        zenity::tell(kind, title, text.trim_end());
    }
}

/// A name without line ends, which would look like another line of ours.
fn name_of(path: &Path) -> String {
    let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
    crate::text::shown(&name)
}

/// The same in a terminal: this one if there is one, else one that is opened for it.
fn in_terminal(args: &UnlockArgs, words: &Words, reason: &str) -> ExitCode {
    let given = std::env::var_os("GODWIT_PASSPHRASE").is_some_and(|value| !value.is_empty());
    if given || login::has_terminal() {
        return super::terminal::run(args);
    }
    for (program, before) in TERMINALS {
        let mut command = Command::new(program);
        command.args(before).args(command_for_terminal(args, words));
        match command.status() {
            Ok(_) => return ExitCode::SUCCESS,
            Err(error) => tracing::debug!(program, %error, "no terminal"),
        }
    }
    eprintln!("godwit: no window and no terminal to ask in: {reason}");
    ExitCode::FAILURE
}

/// A command that stays until what it says was read. Names are arguments of it, never its text.
fn command_for_terminal(args: &UnlockArgs, words: &Words) -> Vec<OsString> {
    let script = r#"said=$1; shift; "$@"; code=$?; printf '\n%s ' "$said"; read -r _; exit "$code""#;
    let own = std::env::current_exe().unwrap_or_else(|_| "godwit".into());
    let mut all: Vec<OsString> = ["sh", "-c", script, "sh", words.press_return].map(OsString::from).into();
    all.extend([own.into_os_string(), "unlock".into()]);
    all.extend(args.keep.then(|| "--keep".into()));
    all.push("--".into());
    all.extend(args.files.iter().map(|file| file.clone().into_os_string()));
    all
}
