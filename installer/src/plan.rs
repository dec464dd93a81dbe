//! What has to be done, decided from what is there. Pure.

use crate::look::{There, View};
use crate::manifest::Found;
use crate::place::Places;
use crate::receipt::{Made, Receipt, What, sha256};
use serde::Serialize;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Something that shall stand outside the root.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Where.
    pub path: PathBuf,
    /// What.
    pub content: Content,
}

/// What a thing holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// A file for everybody to read.
    File(Vec<u8>),
    /// A link.
    Link(PathBuf),
}

impl Content {
    fn what(&self) -> What {
        match self {
            Self::File(bytes) => What::File { sha256: sha256(bytes) },
            Self::Link(to) => What::Link { to: to.clone() },
        }
    }

    fn stands(&self, there: &There) -> bool {
        match (self, there) {
            (Self::File(bytes), There::File { content: Some(content) }) => bytes == content,
            (Self::Link(to), There::Link { to: found }) => to == found,
            _ => false,
        }
    }
}

/// One step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "step", rename_all = "kebab-case")]
pub enum Step {
    /// Makes a folder.
    Folder {
        /// Where.
        path: PathBuf,
    },
    /// Copies the release to its place among the versions.
    Release {
        /// Its place.
        path: PathBuf,
    },
    /// Writes a file, in place of what is there.
    File {
        /// Where.
        path: PathBuf,
        /// What.
        #[serde(skip)]
        content: Vec<u8>,
    },
    /// Makes a link, in place of what is there.
    Link {
        /// Where.
        path: PathBuf,
        /// To what.
        to: PathBuf,
    },
    /// Removes a file or a link.
    Remove {
        /// Which.
        path: PathBuf,
    },
    /// Removes a folder with everything in it; only below the root, or what the user asked for.
    RemoveTree {
        /// Which.
        path: PathBuf,
    },
    /// Removes a folder if nothing is in it.
    RemoveEmpty {
        /// Which.
        path: PathBuf,
    },
}

/// What is done, and what is left as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Plan {
    /// In order.
    pub steps: Vec<Step>,
    /// What somebody should know: a path and why it was left alone.
    pub left: Vec<Left>,
    /// What the receipt says while the steps are done.
    #[serde(skip)]
    pub during: Option<Receipt>,
    /// What it says afterwards; `None`: there is nothing to say any more.
    #[serde(skip)]
    pub after: Option<Receipt>,
}

/// Something that was left as it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Left {
    /// Which.
    pub path: PathBuf,
    /// Why.
    pub why: &'static str,
}

const NOT_OURS: &str = "something that Godwit did not make is in its place";
const CHANGED: &str = "it was changed by somebody since";
const BY_A_LINK: &str = "a folder on the way to it is a link, and links are not followed";

/// Plans an installation of the release that gets the name `name` among the versions.
#[must_use]
pub fn install(view: &View, places: &Places, name: &str, version: &str, wanted: &[Wanted]) -> Plan {
    let mut plan = Plan::default();
    let old = view.receipt.clone().unwrap_or_else(|| Receipt::new(version));
    let mut new = Receipt::new(version);
    let release = places.versions().join(name);
    let mut folders = Folders { view, old: &old, made: BTreeSet::new() };
    folders.make(&places.versions(), &mut plan, &mut new);
    if !view.versions.iter().any(|there| there == name) {
        plan.steps.push(Step::Release { path: release });
    }
    for thing in wanted {
        let there = view.at(&thing.path);
        let why = if passes_a_link(view, &thing.path, &places.root) {
            Some(BY_A_LINK)
        } else if thing.content.stands(there) || may_replace(there, &thing.path, &old) {
            None
        } else {
            Some(NOT_OURS)
        };
        if let Some(why) = why {
            plan.left.push(Left { path: thing.path.clone(), why });
            continue;
        }
        if let Some(folder) = thing.path.parent() {
            folders.make(folder, &mut plan, &mut new);
        }
        if !thing.content.stands(there) {
            plan.steps.push(match &thing.content {
                Content::File(content) => Step::File { path: thing.path.clone(), content: content.clone() },
                Content::Link(to) => Step::Link { path: thing.path.clone(), to: to.clone() },
            });
        }
        new.add(&thing.path, thing.content.what());
    }
    // From here on the new version is the one in use.
    let to = Path::new("versions").join(name);
    if view.current.as_deref() != Some(&to) {
        plan.steps.push(Step::Link { path: places.current(), to: to.clone() });
    }
    let wanted_paths: BTreeSet<&Path> = wanted.iter().map(|thing| thing.path.as_path()).collect();
    let obsolete: Vec<Made> =
        old.made.iter().filter(|made| !wanted_paths.contains(made.path.as_path())).cloned().collect();
    let kept: BTreeSet<PathBuf> = new.made.iter().map(|made| made.path.clone()).collect();
    let obsolete = obsolete.into_iter().filter(|made| !kept.contains(&made.path)).collect::<Vec<_>>();
    remove(view, &obsolete, &mut plan);
    // The version before stays: what runs of it finds its programs there until it is renewed.
    let before = view.current.as_deref().and_then(Path::file_name);
    for there in &view.versions {
        if there != name && Some(there.as_ref()) != before {
            plan.steps.push(Step::RemoveTree { path: places.versions().join(there) });
        }
    }
    let mut during = new.clone();
    old.made.iter().for_each(|made| during.add(&made.path, made.what.clone()));
    (plan.during, plan.after) = (Some(during), Some(new));
    plan
}

/// Plans the removal of everything that was made. `purge`: also of what the user keeps.
#[must_use]
pub fn uninstall(view: &View, places: &Places, purge: bool) -> Plan {
    let mut plan = Plan::default();
    let Some(receipt) = &view.receipt else {
        // An earlier removal left it.
        plan.steps = if purge { kept(view, places) } else { Vec::new() };
        return plan;
    };
    let inside = |made: &&Made| made.path.starts_with(&places.root);
    let outside: Vec<Made> = receipt.made.iter().filter(|made| !inside(made)).cloned().collect();
    remove(view, &outside, &mut plan);
    if purge {
        plan.steps.append(&mut kept(view, places));
    }
    // The receipt goes with the root, so a cut removal can be repeated; folders above the root come after it.
    let (mut last, mut folders) = (Vec::new(), Vec::new());
    for step in std::mem::take(&mut plan.steps) {
        match step {
            Step::RemoveEmpty { path } if places.root.starts_with(&path) => last.push(Step::RemoveEmpty { path }),
            step => folders.push(step),
        }
    }
    plan.steps = folders;
    plan.steps.push(Step::RemoveTree { path: places.root.clone() });
    plan.steps.append(&mut last);
    plan.during = Some(receipt.clone());
    plan
}

/// Removes what the user keeps, if it is there.
fn kept(view: &View, places: &Places) -> Vec<Step> {
    let there = places.kept().into_iter().filter(|path| !matches!(view.at(path), There::Nothing));
    there.map(|path| Step::RemoveTree { path }).collect()
}

/// Makes folders once, and notes those that were not there.
struct Folders<'a> {
    view: &'a View,
    old: &'a Receipt,
    made: BTreeSet<PathBuf>,
}

impl Folders<'_> {
    fn make(&mut self, path: &Path, plan: &mut Plan, receipt: &mut Receipt) {
        let missing = |path: &Path| matches!(self.view.at(path), There::Nothing);
        let mut above: Vec<&Path> = path.ancestors().collect();
        above.reverse();
        for folder in above {
            // What an earlier run of ours made stays ours.
            let ours = self.old.of(folder).any(|what| *what == What::Folder);
            if (missing(folder) || ours) && self.made.insert(folder.to_owned()) {
                if missing(folder) {
                    plan.steps.push(Step::Folder { path: folder.to_owned() });
                }
                receipt.add(folder, What::Folder);
            }
        }
    }
}

/// Removes what is as it was made; folders last, the innermost first.
fn remove(view: &View, made: &[Made], plan: &mut Plan) {
    let mut seen = BTreeSet::new();
    for thing in made.iter().rev().filter(|made| made.what != What::Folder) {
        if !seen.insert(&thing.path) {
            continue;
        }
        let there = view.at(&thing.path);
        if *there == There::Nothing {
            continue;
        }
        let known = made.iter().filter(|made| made.path == thing.path).any(|made| is(there, &made.what))
            || is_our_manifest(there);
        if known {
            plan.steps.push(Step::Remove { path: thing.path.clone() });
        } else {
            plan.left.push(Left { path: thing.path.clone(), why: CHANGED });
        }
    }
    let folders = made.iter().rev().filter(|made| made.what == What::Folder);
    let there = folders.filter(|made| matches!(view.at(&made.path), There::Folder { .. }));
    plan.steps.extend(there.map(|made| Step::RemoveEmpty { path: made.path.clone() }));
}

fn is(there: &There, what: &What) -> bool {
    match (there, what) {
        (There::Link { to }, What::Link { to: made }) => to == made,
        (There::File { .. }, What::File { sha256 }) => there.sha256().as_ref() == Some(sha256),
        _ => false,
    }
}

fn is_our_manifest(there: &There) -> bool {
    matches!(there, There::File { content: Some(content) } if Found::read(content).is_some_and(|found| found.is_ours()))
}

fn may_replace(there: &There, path: &Path, old: &Receipt) -> bool {
    *there == There::Nothing || is_our_manifest(there) || old.of(path).any(|what| is(there, what))
}

/// A link on the way is somebody's arrangement that we might break. The folders above our own root are the user's word.
fn passes_a_link(view: &View, path: &Path, root: &Path) -> bool {
    path.ancestors()
        .skip(1)
        .filter(|folder| !root.starts_with(folder))
        .any(|folder| !matches!(view.at(folder), There::Nothing | There::Folder { .. }))
}
