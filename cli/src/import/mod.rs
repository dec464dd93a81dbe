//! `godwit settings import`: settings of Connect, Drive and Cargo are taken over, after a preview.
//!
//! [`entries`] reads their files, [`meaning`] says what the values mean here; here they are laid beside what holds now. What the
//! user or the administrator has chosen is not touched unless the user says so.

mod entries;
mod meaning;

use crate::agent::{Agent, AgentError};
use crate::args::{ImportArgs, Product};
use crate::start::{self, StartError};
use crate::text::shown;
use entries::Unusable;
use godwit_protocol::prefs::{ChangeSettings, SettingsView, kinds};
use meaning::{Left, Wish};
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, BufRead, IsTerminal, Write};
use std::path::{Path, PathBuf};

/// Why nothing was taken over.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ImportError {
    #[error("{}: {why}", path.display())]
    File { path: PathBuf, why: Unusable },
    #[error(transparent)]
    Start(#[from] StartError),
    #[error(transparent)]
    Agent(#[from] AgentError),
    #[error(
        "this is no terminal, so nobody can be asked: say --yes to take the settings over, or --dry-run to see them"
    )]
    NobodyToAsk,
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// What became of a setting, or would.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Verdict {
    /// It is taken over.
    Take,
    /// It has this value already.
    Same,
    /// The user has chosen another one.
    Keep,
    /// The administrator fixed it.
    Locked,
    /// A file before this one said something else.
    Earlier,
}

#[derive(Debug, Serialize)]
struct Line {
    name: &'static str,
    value: Value,
    now: Value,
    verdict: Verdict,
    file: String,
    from: String,
}

#[derive(Debug, Serialize)]
struct Out {
    file: String,
    place: String,
    value: Option<String>,
    why: String,
}

/// All that is said, as `--json` has it.
#[derive(Debug, Default, Serialize)]
struct Report {
    files: Vec<String>,
    settings: Vec<Line>,
    left: Vec<Out>,
    /// False: only said.
    done: bool,
}

/// Shows what can be taken over, asks, and does it.
pub(crate) fn run(args: &ImportArgs) -> Result<(), ImportError> {
    let mut report = Report::default();
    let mut wishes = Vec::new();
    for path in places(args) {
        let found = match entries::read(&path) {
            Ok(found) => found,
            // One that was named must be usable; of those that were looked for, the others still are.
            Err(why) if args.file.is_some() => return Err(ImportError::File { path, why }),
            Err(Unusable::Io(error)) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(why) => {
                report.left.push(Out { file: name(&path), place: String::new(), value: None, why: why.to_string() });
                continue;
            }
        };
        let (meant, left) = meaning::understand(&found);
        report.files.push(name(&path));
        report.left.extend(left.into_iter().map(|left| out(&path, left)));
        wishes.extend(meant.into_iter().map(|wish| (name(&path), wish)));
    }
    if report.files.is_empty() && report.left.is_empty() {
        return say(args, &report, "No settings of Connect, Drive or Cargo were found. Name a file to read that one.");
    }
    start::ensure()?;
    let mut agent = Agent::connect()?.ok_or(StartError::Silent)?;
    let view: SettingsView = agent.ask(kinds::SETTINGS)?;
    report.settings = judge(wishes, &view, args.replace);
    let changes: BTreeMap<String, Value> = report
        .settings
        .iter()
        .filter(|line| line.verdict == Verdict::Take)
        .map(|line| (line.name.to_owned(), line.value.clone()))
        .collect();
    if changes.is_empty() {
        return say(args, &report, "Nothing is to be taken over.");
    }
    if args.dry_run {
        return say(args, &report, "Nothing was changed (dry run).");
    }
    if !args.yes {
        if args.json || !io::stdin().is_terminal() {
            return Err(ImportError::NobodyToAsk);
        }
        print!("{}Take these over? [y/N] ", table(&report));
        io::stdout().flush()?;
        let mut answer = String::new();
        io::stdin().lock().read_line(&mut answer)?;
        if !matches!(answer.trim(), "y" | "Y" | "yes") {
            println!("Nothing was changed.");
            return Ok(());
        }
    }
    // All or none.
    let params = serde_json::to_value(ChangeSettings { changes }).map_err(|e| AgentError::Form(e.to_string()))?;
    agent.ask_with::<SettingsView>(kinds::CHANGE_SETTINGS, params)?;
    report.done = true;
    if args.yes { say(args, &report, "Done.") } else { say_only(args, "Done.") }
}

/// The file that was named, or those that are where the products are taken to keep them (docs/use.md says what is assumed).
fn places(args: &ImportArgs) -> Vec<PathBuf> {
    if let Some(file) = &args.file {
        return vec![file.clone()];
    }
    let home = std::env::var_os("HOME").filter(|home| !home.is_empty()).map(PathBuf::from);
    let root = args.root.clone().unwrap_or_else(|| PathBuf::from("/"));
    let wanted = |product: Product| args.from.is_none_or(|from| from == product);
    let mut all = Vec::new();
    if wanted(Product::Connect) {
        all.extend(home.iter().map(|home| home.join(".aspera/connect/etc/aspera.conf")));
    }
    if wanted(Product::Drive) {
        all.extend(home.iter().map(|home| home.join(".aspera/drive/etc/aspera.conf")));
    }
    if wanted(Product::Cargo) {
        let first = root.join("opt/aspera/cargod/etc");
        all.extend(["asperacargo.conf", "asperacargod.conf"].map(|name| first.join(name)));
        all.extend(configurations(&root.join("opt/aspera/cargo/etc")));
    }
    all
}

/// Of Cargo 3 and later, of which no name is known.
fn configurations(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut found: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).take(1_000).collect();
    found.retain(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.ends_with(".conf") && !name.ends_with(".sample.conf") && name != "aspera.conf"
    });
    found.sort();
    found
}

/// Lays the wishes beside what holds now.
fn judge(wishes: Vec<(String, Wish)>, view: &SettingsView, replace: bool) -> Vec<Line> {
    let of = |values: &Value, name: &str| {
        let (section, key) = name.split_once('.').unwrap_or_default();
        values.get(section).and_then(|section| section.get(key)).cloned().unwrap_or_default()
    };
    let mut taken = BTreeSet::new();
    let mut lines = Vec::new();
    for (file, Wish { name, value, from }) in wishes {
        let now = of(&view.values, name);
        let verdict = if view.locked.iter().any(|locked| locked == name) {
            Verdict::Locked
        } else if now == value {
            Verdict::Same
        } else if taken.contains(name) {
            Verdict::Earlier
        } else if now != of(&view.defaults, name) && !replace {
            Verdict::Keep
        } else {
            Verdict::Take
        };
        taken.insert(name);
        lines.push(Line { name, value, now, verdict, file, from });
    }
    lines
}

fn name(path: &Path) -> String {
    path.display().to_string()
}

fn out(path: &Path, left: Left) -> Out {
    Out { file: name(path), place: left.place, value: left.value, why: left.why.to_owned() }
}

fn say(args: &ImportArgs, report: &Report, last: &str) -> Result<(), ImportError> {
    if args.json {
        println!("{}", json!(report));
        return Ok(());
    }
    print!("{}", table(report));
    say_only(args, last)
}

fn say_only(args: &ImportArgs, last: &str) -> Result<(), ImportError> {
    if !args.json {
        println!("{last}");
    }
    Ok(())
}

/// The preview. Everything in it that is not ours came from a file.
fn table(report: &Report) -> String {
    let mut text = String::new();
    for file in &report.files {
        text.push_str(&format!("{}\n", shown(file)));
        for line in report.settings.iter().filter(|line| line.file == *file) {
            let (value, now, from) = (value(&line.value), value(&line.now), shown(&line.from));
            let what = match line.verdict {
                Verdict::Take => format!("{value} takes the place of {now}"),
                Verdict::Same => format!("{value} already"),
                Verdict::Keep => format!("{now} is kept, your choice; --replace takes {value}"),
                Verdict::Locked => format!("{now} is fixed by this machine's administrator, not {value}"),
                Verdict::Earlier => format!("not {value}: a file before this one says otherwise"),
            };
            text.push_str(&format!("  {}: {what}  ({from})\n", line.name));
        }
    }
    if !report.left.is_empty() {
        text.push_str("Not taken over:\n");
    }
    for Out { file, place, value, why } in &report.left {
        let place = if place.is_empty() { shown(file) } else { shown(place) };
        let value = value.as_ref().map_or_else(String::new, |value| format!(" = {}", shown(value)));
        text.push_str(&format!("  {place}{value}: {}\n", shown(why)));
    }
    text
}

fn value(value: &Value) -> String {
    match value {
        Value::Null => "nothing".to_owned(),
        Value::String(text) => shown(text),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_was_chosen_or_fixed_here_is_kept_and_the_first_file_counts() {
        let view = SettingsView {
            values: json!({"queue": {"active": 7}, "retry": {"attempts": 3, "interval_seconds": 30}, "log": {"level": "info"}}),
            defaults: json!({"queue": {"active": 3}, "retry": {"attempts": 3, "interval_seconds": 30}, "log": {"level": "info"}}),
            locked: vec!["log.level".into()],
            ..SettingsView::default()
        };
        let wish = |name, value| ("f".to_owned(), Wish { name, value, from: String::new() });
        let wishes = || {
            vec![
                wish("queue.active", json!(5)),
                wish("retry.attempts", json!(9)),
                wish("retry.attempts", json!(10)),
                wish("retry.interval_seconds", json!(30)),
                wish("log.level", json!("trace")),
            ]
        };
        let verdicts = |replace| judge(wishes(), &view, replace).iter().map(|line| line.verdict).collect::<Vec<_>>();
        use Verdict::{Earlier, Keep, Locked, Same, Take};
        assert_eq!(verdicts(false), [Keep, Take, Earlier, Same, Locked]);
        assert_eq!(verdicts(true), [Take, Take, Earlier, Same, Locked]);
    }
}
