//! Copies of dropped content for which there is no file on this machine (an image out of a mail): which there are, how far each is,
//! and when it goes. The bytes lie in a private folder, one folder for each drop and one below it for each file, so that every
//! file keeps its name.
//!
//! **Must not know** the disk (see [`disk`]), prompts or sites.

pub mod disk;

use godwit_protocol::page::Dropped;
use godwit_protocol::ui::TransferStatus;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A copy that nothing uses any more goes after this long: until then its page may start a transfer, and a user may resume a
/// failed one.
pub const EXPIRES: Duration = Duration::from_secs(24 * 3600);
/// Longest name of a file, bytes: what file systems take.
const MAX_NAME: usize = 255;

/// One drop's copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copy {
    files: Vec<Dropped>,
    /// The file that is being brought, and how much of it is there. Past the last file: all is there.
    at: (usize, u64),
    /// A part is being written.
    writing: bool,
    /// The page has been given it. Until then it belongs to its question and goes with it.
    given: bool,
    created: Duration,
    /// Nobody wants it; it goes when nothing is being written.
    unwanted: bool,
}

/// What a part is to be written to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slot {
    /// The drop's folder.
    pub folder: PathBuf,
    /// Which of its files.
    pub index: usize,
    /// The file's name.
    pub name: String,
    /// Where in the file.
    pub offset: u64,
    /// When the file was changed last, milliseconds since the Unix epoch, if this part is its last.
    pub finished_ms: Option<u64>,
}

/// All copies, by name of their folder.
#[derive(Debug)]
pub struct Spool {
    root: PathBuf,
    copies: BTreeMap<String, Copy>,
    /// A transfer has ended: some copy may not be needed any more.
    look: bool,
}

/// True if content of these descriptions can be copied: files with names that can be names here.
#[must_use]
pub fn can_be_copied(files: &[Dropped]) -> bool {
    let plain = |f: &Dropped| {
        let name = f.name.as_str();
        !f.folder && !matches!(name, "" | "." | "..") && name.len() <= MAX_NAME && !name.contains(['/', '\0'])
    };
    !files.is_empty() && files.iter().all(plain)
}

impl Spool {
    /// Below this folder.
    #[must_use]
    pub fn new(root: PathBuf) -> Self {
        Self { root, copies: BTreeMap::new(), look: false }
    }

    /// The folder that holds them all.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Begins a copy.
    pub fn begin(&mut self, id: &str, files: Vec<Dropped>, now: Duration) {
        let copy = Copy { files, at: (0, 0), writing: false, given: false, created: now, unwanted: false };
        self.copies.insert(id.to_owned(), copy);
    }

    /// A copy of an earlier agent, which a transfer of then still needs.
    pub fn restore(&mut self, id: &str, now: Duration) {
        self.begin(id, Vec::new(), now);
        self.give(id);
    }

    /// Names of the folders.
    #[must_use]
    pub fn ids(&self) -> Vec<String> {
        self.copies.keys().cloned().collect()
    }

    /// Where the next part goes; parts come in order, and one at a time. The error is for the log of the extension.
    pub fn part(&mut self, id: &str, file: usize, offset: u64, length: u64) -> Result<Slot, &'static str> {
        let folder = self.root.join(id);
        let copy = self.copies.get_mut(id).filter(|c| !c.given && !c.unwanted).ok_or("There is no such copy.")?;
        if copy.writing {
            return Err("The part before is still being written.");
        }
        let wanted = copy.files.get(file).filter(|_| copy.at == (file, offset)).ok_or("Another part is next.")?;
        let left = wanted.size.saturating_sub(offset);
        // An empty file comes as one empty part.
        if length > left || (length == 0 && wanted.size > 0) {
            return Err("The part is longer than the file, or empty.");
        }
        copy.writing = true;
        let finished_ms = (length == left).then_some(wanted.modified_ms);
        Ok(Slot { folder, index: file, name: wanted.name.clone(), offset, finished_ms })
    }

    /// A part was written, or could not be: then it may be sent again.
    pub fn written(&mut self, id: &str, length: Option<u64>) {
        let Some(copy) = self.copies.get_mut(id) else { return };
        copy.writing = false;
        let (Some(length), Some(file)) = (length, copy.files.get(copy.at.0)) else { return };
        let have = copy.at.1.saturating_add(length);
        copy.at = if have >= file.size { (copy.at.0 + 1, 0) } else { (copy.at.0, have) };
    }

    /// The copied files; `None` while something is missing.
    #[must_use]
    pub fn complete(&self, id: &str) -> Option<Vec<String>> {
        let copy = self.copies.get(id).filter(|c| !c.writing && c.at.0 >= c.files.len())?;
        let path = |(index, file): (usize, &Dropped)| {
            self.root.join(id).join(index.to_string()).join(&file.name).into_os_string().into_string().ok()
        };
        copy.files.iter().enumerate().map(path).collect()
    }

    /// The page has been given it.
    pub fn give(&mut self, id: &str) {
        if let Some(copy) = self.copies.get_mut(id) {
            copy.given = true;
        }
    }

    /// Its question is over. What the page has been given stays for now.
    pub fn drop_unless_given(&mut self, id: &str) {
        if let Some(copy) = self.copies.get_mut(id).filter(|c| !c.given) {
            copy.unwanted = true;
        }
    }

    /// The copy that holds this path, if any.
    #[must_use]
    pub fn of_path(&self, path: &str) -> Option<String> {
        of_path(&self.root, path)
    }

    /// A transfer has ended or left the list.
    pub fn transfer_ended(&mut self) {
        self.look = !self.copies.is_empty();
    }

    /// When [`Self::sweep`] is wanted next.
    #[must_use]
    pub fn next_sweep(&self) -> Option<Duration> {
        self.copies.values().filter(|c| c.given).map(|c| c.created + EXPIRES).min()
    }

    /// True if [`Self::sweep`] may find something.
    #[must_use]
    pub fn wants_sweep(&self, now: Duration) -> bool {
        self.look
            || self.copies.values().any(|c| c.unwanted && !c.writing)
            || self.next_sweep().is_some_and(|at| at <= now)
    }

    /// Takes off the folders that shall go. `uses`: the states of all transfers that read from copies.
    pub fn sweep(&mut self, now: Duration, uses: &[(String, TransferStatus)]) -> Vec<PathBuf> {
        self.look = false;
        let mut gone = Vec::new();
        let root = &self.root;
        self.copies.retain(|id, copy| {
            let mut states = uses.iter().filter(|(used, _)| used == id).map(|(_, status)| *status);
            let goes = if !copy.given {
                copy.unwanted && !copy.writing
            } else if states.clone().any(is_active) {
                // Looked at again when the transfer ends; until then no timer runs for what is overdue.
                copy.created = copy.created.max(now.saturating_sub(EXPIRES / 2));
                false
            } else {
                states.any(|s| s == TransferStatus::Completed) || now >= copy.created + EXPIRES
            };
            if goes {
                gone.push(root.join(id));
            }
            !goes
        });
        gone
    }
}

/// The copy below `root` that holds this path, if any.
#[must_use]
pub fn of_path(root: &Path, path: &str) -> Option<String> {
    let below = Path::new(path).strip_prefix(root).ok()?;
    below.components().next()?.as_os_str().to_str().map(str::to_owned)
}

fn is_active(status: TransferStatus) -> bool {
    use TransferStatus::{Initiating, Queued, Running, WillRetry};
    matches!(status, Initiating | Queued | Running | WillRetry)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const START: Duration = Duration::from_secs(1_000);

    fn file(name: &str, size: u64) -> Dropped {
        Dropped { name: name.into(), size, modified_ms: 7, folder: false }
    }

    fn spool(files: &[Dropped]) -> Spool {
        let mut spool = Spool::new("/s".into());
        spool.begin("a", files.to_vec(), START);
        spool
    }

    fn bring(spool: &mut Spool, file: usize, offset: u64, length: u64) -> Slot {
        let slot = spool.part("a", file, offset, length).unwrap();
        spool.written("a", Some(length));
        slot
    }

    #[test]
    fn parts_come_in_order_and_never_more_than_was_dropped() {
        let mut spool = spool(&[file("x", 5), file("empty", 0), file("x", 1)]);
        for (file, offset, length) in [(1, 0, 0), (0, 1, 1), (0, 0, 6), (0, 0, 0), (3, 0, 1), (0, u64::MAX, 1)] {
            assert!(spool.part("a", file, offset, length).is_err(), "{file} {offset} {length}");
        }
        let slot = bring(&mut spool, 0, 0, 3);
        assert_eq!((slot.folder, slot.index, slot.name, slot.finished_ms), ("/s/a".into(), 0, "x".into(), None));
        assert!(spool.part("a", 0, 0, 3).is_err(), "twice");
        assert_eq!(bring(&mut spool, 0, 3, 2).finished_ms, Some(7));
        assert_eq!(spool.complete("a"), None);
        bring(&mut spool, 1, 0, 0);
        bring(&mut spool, 2, 0, 1);
        assert_eq!(spool.complete("a").unwrap(), ["/s/a/0/x", "/s/a/1/empty", "/s/a/2/x"]);
        assert!(spool.part("a", 3, 0, 0).is_err());
        assert!(spool.part("b", 0, 0, 1).is_err());
    }

    #[test]
    fn a_part_that_could_not_be_written_may_come_again_and_two_at_once_may_not() {
        let mut spool = spool(&[file("x", 5)]);
        spool.part("a", 0, 0, 5).unwrap();
        assert!(spool.part("a", 0, 0, 5).is_err(), "still being written");
        assert_eq!(spool.complete("a"), None);
        spool.written("a", None);
        bring(&mut spool, 0, 0, 5);
        assert!(spool.complete("a").is_some());
    }

    #[test]
    fn a_copy_goes_with_its_question_but_not_while_it_is_written_to() {
        let mut spool = spool(&[file("x", 5)]);
        spool.part("a", 0, 0, 1).unwrap();
        spool.drop_unless_given("a");
        assert!(!spool.wants_sweep(START) && spool.sweep(START, &[]).is_empty());
        spool.written("a", Some(1));
        assert!(spool.wants_sweep(START));
        assert!(spool.part("a", 0, 1, 1).is_err(), "nobody wants it");
        assert_eq!(spool.sweep(START, &[]), [PathBuf::from("/s/a")]);
        assert_eq!(spool.sweep(START, &[]), Vec::<PathBuf>::new());
    }

    #[test]
    fn a_given_copy_stays_until_a_transfer_of_it_has_completed_or_it_expires_unused() {
        let given = || {
            let mut spool = spool(&[file("x", 0)]);
            bring(&mut spool, 0, 0, 0);
            spool.give("a");
            spool.drop_unless_given("a");
            spool
        };
        let uses = |list: &[TransferStatus]| list.iter().map(|s| ("a".to_owned(), *s)).collect::<Vec<_>>();
        use TransferStatus::{Cancelled, Completed, Failed, Queued, Running};
        let late = START + EXPIRES;
        for (states, at, goes) in [
            (&[][..], START, false),
            (&[], late, true),
            (&[Completed], START, true),
            (&[Completed, Running], START, false),
            (&[Completed, Running], late, false),
            (&[Queued], late * 10, false),
            (&[Failed], START, false),
            (&[Failed, Cancelled], late, true),
        ] {
            assert_eq!(given().sweep(at, &uses(states)).len(), usize::from(goes), "{states:?} {at:?}");
        }
        let mut other = given();
        assert!(other.sweep(START, &[("b".to_owned(), Completed)]).is_empty());
        assert!(other.wants_sweep(late) && !other.wants_sweep(late - Duration::from_millis(1)));
        other.transfer_ended();
        assert!(other.wants_sweep(START));
        assert!(other.sweep(late, &uses(&[Running])).is_empty());
        assert!(!other.wants_sweep(late), "no timer that is always due while it runs");
    }

    #[test]
    fn only_files_with_names_that_are_one_component_are_copied() {
        assert!(can_be_copied(&[file("a b", 1), file("…", 0)]));
        assert!(!can_be_copied(&[]));
        assert!(!can_be_copied(&[Dropped { folder: true, ..file("a", 1) }]));
        for name in ["", ".", "..", "a/b", "/etc/passwd", "a\0", &"x".repeat(256)] {
            assert!(!can_be_copied(&[file("good", 1), file(name, 1)]), "{name:?}");
        }
    }

    #[test]
    fn a_path_belongs_to_the_copy_that_holds_it() {
        let spool = Spool::new("/s".into());
        assert_eq!(spool.of_path("/s/a/0/x").as_deref(), Some("a"));
        for other in ["/s", "/t/a/0/x", "relative", "/"] {
            assert_eq!(spool.of_path(other), None, "{other}");
        }
    }
}
