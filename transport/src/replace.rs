//! Putting a complete file in the place of what was there, without destroying what somebody else put there meanwhile.
//!
//! Whether a target is replaced is decided when its entry is planned; the content may take hours to come. So what was
//! seen then is remembered, and the name is taken only if the same is there still. It must not know why a file is
//! replaced, nor where its content came from.

use crate::disk::rename;
use crate::root::{Kind, Metadata};
use godwit_protocol::path::MAX_COMPONENT;
use rustix::fs::{AtFlags, RenameFlags, linkat, renameat_with, statat, unlinkat};
use rustix::io::Errno;
use std::io;
use std::os::fd::OwnedFd;
use time::OffsetDateTime;

/// Files of one name that can be saved in the same second.
const SAVED_A_SECOND: u32 = 1_000;

/// A final name, and what was there when it was decided to take it.
pub(crate) struct Seat<'a> {
    /// The folder.
    pub(crate) folder: &'a OwnedFd,
    /// The final name.
    pub(crate) name: &'a str,
    /// What is replaced; absent: nothing was there.
    pub(crate) before: Option<Metadata>,
    /// What is replaced is kept under another name.
    pub(crate) save: bool,
}

impl Seat<'_> {
    /// Gives the file that is called `from` in the same folder the final name. If something else is there than was
    /// decided about, it stays, `from` stays, and the error is of kind `AlreadyExists`.
    pub(crate) fn take(&self, from: &str) -> io::Result<()> {
        let Some(before) = self.before else { return rename(self.folder, from, self.name, false) };
        match look(self.folder, self.name)? {
            // Removed meanwhile: nothing is lost, and nothing is to be saved.
            None => return rename(self.folder, from, self.name, false),
            Some(now) if now != before => return Err(taken()),
            Some(now) if now.kind == Kind::Folder => return Err(Errno::ISDIR.into()),
            Some(_) => {}
        }
        if self.save {
            self.save(&before)?;
        }
        match renameat_with(self.folder, from, self.folder, self.name, RenameFlags::EXCHANGE) {
            Ok(()) => {}
            Err(Errno::NOENT) => return rename(self.folder, from, self.name, false),
            // RACE: a file system that cannot exchange; what appears since the look is replaced.
            Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => return rename(self.folder, from, self.name, true),
            Err(e) => return Err(e.into()),
        }
        // What came out must be what was decided about. A kill before it is removed leaves it under the name `from`.
        let out = look(self.folder, from)?;
        if out.is_some_and(|out| same_content(&out, &before)) {
            if let Err(error) = unlinkat(self.folder, from, AtFlags::empty()) {
                tracing::warn!(name = from, %error, "what was replaced could not be removed");
            }
            return Ok(());
        }
        renameat_with(self.folder, from, self.folder, self.name, RenameFlags::EXCHANGE)?;
        Err(taken())
    }

    /// Gives what is there a second name before it loses the first, so that a kill leaves the old file or both.
    fn save(&self, before: &Metadata) -> io::Result<()> {
        let now = OffsetDateTime::now_utc();
        for index in 0..SAVED_A_SECOND {
            let saved = saved_name(self.name, now, index);
            match linkat(self.folder, self.name, self.folder, saved.as_str(), AtFlags::empty()) {
                Ok(()) => {}
                Err(Errno::EXIST) => continue,
                // A file system without second names: between the two steps the old file has the saved name only.
                Err(Errno::PERM | Errno::OPNOTSUPP | Errno::MLINK) => {
                    match rename(self.folder, self.name, &saved, false) {
                        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => continue,
                        other => other?,
                    }
                }
                Err(e) => return Err(e.into()),
            }
            // Whatever has the saved name now keeps it: at worst something is kept twice.
            return match look(self.folder, &saved)? {
                Some(kept) if same_content(&kept, before) => Ok(()),
                _ => Err(taken()),
            };
        }
        Err(Errno::EXIST.into())
    }
}

/// What is at a name, links not followed.
pub(crate) fn look(folder: &OwnedFd, name: &str) -> io::Result<Option<Metadata>> {
    match statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => Ok(Some(stat.into())),
        Err(Errno::NOENT) => Ok(None),
        Err(e) => Err(e.into()),
    }
}

/// Renaming and linking change the time of the last change, so it cannot be compared after them.
fn same_content(a: &Metadata, b: &Metadata) -> bool {
    (a.id, a.kind, a.size, a.mtime_ns) == (b.id, b.kind, b.size, b.mtime_ns)
}

fn taken() -> io::Error {
    io::Error::new(io::ErrorKind::AlreadyExists, "another program changed or created it meanwhile")
}

/// `stem.yyyy.mm.dd.hh.mm.ss.index.ext`, in UTC.
fn saved_name(name: &str, at: OffsetDateTime, index: u32) -> String {
    let (stem, extension) = match name.rsplit_once('.') {
        Some((stem, extension)) if !stem.is_empty() => (stem, format!(".{extension}")),
        _ => (name, String::new()),
    };
    let (year, month, day) = (at.year(), u8::from(at.month()), at.day());
    let (hour, minute, second) = at.to_hms();
    let mut tail = format!(".{year:04}.{month:02}.{day:02}.{hour:02}.{minute:02}.{second:02}.{index}{extension}");
    if tail.len() >= MAX_COMPONENT {
        // An extension of hundreds of bytes is none.
        tail.truncate(tail.len() - extension.len());
    }
    let mut keep = stem.len().min(MAX_COMPONENT - tail.len());
    while !stem.is_char_boundary(keep) {
        keep -= 1;
    }
    format!("{}{tail}", stem.get(..keep).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::root::Root;
    use std::path::Path;
    use std::sync::Arc;

    type Change = fn(&Path);

    struct Fixture {
        temp: tempfile::TempDir,
        folder: Arc<OwnedFd>,
    }

    impl Fixture {
        fn new(files: &[(&str, &str)]) -> Self {
            let temp = tempfile::tempdir().unwrap();
            for (name, text) in files {
                std::fs::write(temp.path().join(name), text).unwrap();
            }
            let folder = Root::open(temp.path()).unwrap().handle();
            Self { temp, folder }
        }

        fn seat(&self, before: Option<Metadata>, save: bool) -> Seat<'_> {
            Seat { folder: &self.folder, name: "f.txt", before, save }
        }

        fn before(&self) -> Option<Metadata> {
            look(&self.folder, "f.txt").unwrap()
        }

        fn all(&self) -> Vec<(String, String)> {
            let text = |p: &Path| std::fs::read_to_string(p).unwrap();
            let mut all: Vec<_> = std::fs::read_dir(self.temp.path())
                .unwrap()
                .map(|e| e.unwrap())
                .map(|e| (e.file_name().into_string().unwrap(), text(&e.path())))
                .collect();
            all.sort();
            all
        }
    }

    fn pairs(all: &[(&str, &str)]) -> Vec<(String, String)> {
        all.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect()
    }

    #[test]
    fn what_was_decided_about_is_replaced() {
        for old in [&[("n", "new")][..], &[("n", "new"), ("f.txt", "old")]] {
            let fixture = Fixture::new(old);
            fixture.seat(fixture.before(), false).take("n").unwrap();
            assert_eq!(fixture.all(), pairs(&[("f.txt", "new")]));
        }
        // Removed meanwhile.
        let fixture = Fixture::new(&[("n", "new"), ("f.txt", "old")]);
        let before = fixture.before();
        std::fs::remove_file(fixture.temp.path().join("f.txt")).unwrap();
        fixture.seat(before, false).take("n").unwrap();
        assert_eq!(fixture.all(), pairs(&[("f.txt", "new")]));
    }

    #[test]
    fn what_another_program_made_or_changed_meanwhile_stays_and_so_does_the_new_file() {
        let changes: [(&str, Change); 4] = [
            ("other", |at| std::fs::write(at, "other").unwrap()),
            ("replaced", |at| {
                std::fs::write(at.with_extension("x"), "replaced").unwrap();
                std::fs::rename(at.with_extension("x"), at).unwrap();
            }),
            // The same size and time: only the time of the last change tells.
            ("mmm", |at| {
                let time = std::fs::metadata(at).unwrap().modified().unwrap();
                std::fs::write(at, "mmm").unwrap();
                std::fs::File::options().write(true).open(at).unwrap().set_modified(time).unwrap();
            }),
            ("made", |at| std::fs::write(at, "made").unwrap()),
        ];
        for (text, change) in changes {
            let fixture = Fixture::new(&[("n", "new")]);
            if text != "made" {
                std::fs::write(fixture.temp.path().join("f.txt"), "old").unwrap();
            }
            let before = fixture.before();
            // The clock of the file system must have moved on, or the change cannot be seen.
            let tick = fixture.temp.path().join("tick");
            loop {
                std::fs::write(&tick, "").unwrap();
                let now = look(&fixture.folder, "tick").unwrap().unwrap().mtime_ns;
                if before.is_none_or(|b| b.mtime_ns < now) {
                    break;
                }
            }
            std::fs::remove_file(tick).unwrap();
            change(&fixture.temp.path().join("f.txt"));
            for save in [false, true] {
                let error = fixture.seat(before, save).take("n").unwrap_err();
                assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
                assert_eq!(fixture.all(), pairs(&[("f.txt", text), ("n", "new")]));
            }
        }
    }

    #[test]
    fn old_files_are_saved_under_names_that_were_free() {
        let fixture = Fixture::new(&[("f.txt", "old 0")]);
        for turn in 1..4 {
            std::fs::write(fixture.temp.path().join("n"), format!("old {turn}")).unwrap();
            fixture.seat(fixture.before(), true).take("n").unwrap();
        }
        let mut texts: Vec<_> = fixture.all().into_iter().map(|(_, text)| text).collect();
        texts.sort();
        assert_eq!(texts, ["old 0", "old 1", "old 2", "old 3"]);
        assert!(
            fixture.all().iter().all(|(name, _)| name == "f.txt" || name.starts_with("f.2") && name.ends_with(".txt"))
        );
    }

    #[test]
    fn saved_names_are_as_the_predecessors() {
        let at = OffsetDateTime::from_unix_timestamp(1_709_210_096).unwrap(); // 2024-02-29 12:34:56
        for (name, saved) in [
            ("a.txt", "a.2024.02.29.12.34.56.0.txt"),
            ("a.tar.gz", "a.tar.2024.02.29.12.34.56.0.gz"),
            ("noext", "noext.2024.02.29.12.34.56.0"),
            (".hidden", ".hidden.2024.02.29.12.34.56.0"),
        ] {
            assert_eq!(saved_name(name, at, 0), saved);
        }
        for long in ["ä".repeat(127), format!("{}.txt", "x".repeat(251)), format!("x.{}", "y".repeat(253))] {
            let saved = saved_name(&long, at, 999);
            assert!(saved.len() <= 255 && saved.contains(".2024.02.29.12.34.56.999"), "{saved}");
        }
        for (day, expected) in [
            (0, "1970.01.01"),
            (59, "1970.03.01"),
            (11_016, "2000.02.29"),
            (47_540, "2100.02.28"),
            (47_541, "2100.03.01"),
        ] {
            let at = OffsetDateTime::from_unix_timestamp(day * 86_400).unwrap();
            assert_eq!(saved_name("f", at, 0), format!("f.{expected}.00.00.00.0"));
        }
    }
}
