//! Tests of partial files that need a register of names and a folder.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::root::Root;

struct Fixture {
    temp: tempfile::TempDir,
    folder: Arc<OwnedFd>,
    holders: Arc<Holders>,
    holder: Arc<Holder>,
    path: RelPath,
}

impl Fixture {
    fn new() -> Self {
        let temp = tempfile::tempdir().unwrap();
        let folder = Root::open(temp.path()).unwrap().handle();
        let holder = Arc::new(Holder { heard: Box::new(|| 0), evict: Box::new(|| ()) });
        Self { temp, folder, holders: Arc::default(), holder, path: "f".parse().unwrap() }
    }

    fn wish(&self) -> Wish<'_> {
        Wish {
            folder: &self.folder,
            path: &self.path,
            size: 2 * UNIT,
            mtime_ns: 5,
            holders: &self.holders,
            holder: &self.holder,
        }
    }

    fn seat(&self) -> Seat<'_> {
        Seat { folder: &self.folder, name: "f", before: None, save: false }
    }

    fn names(&self) -> Vec<String> {
        let mut names: Vec<_> = std::fs::read_dir(self.temp.path())
            .unwrap()
            .map(|e| e.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

fn register() -> Names {
    Names::new(Suffixes::default())
}

fn resumed(found: Found) -> Arc<Partial> {
    match found {
        Found::Resumable(partial, _) => partial,
        _ => panic!("nothing to resume"),
    }
}

#[test]
fn a_file_on_its_way_gives_way_to_a_final_name_and_is_still_found_and_finished() {
    let fixture = Fixture::new();
    let names = register();
    let partial = Partial::create(&names, &fixture.wish()).unwrap();
    assert_eq!(fixture.names(), ["f.aspera-ckpt", "f.partial"]);
    let data = vec![3; UNIT as usize];
    let value = unit_value(2 * UNIT, 0, &data);
    partial.write_unit(0, &value, &data).unwrap();
    for (claimed, now) in [("f.partial", "f.2.partial"), ("f.2.aspera-ckpt", "f.3.partial")] {
        names.claim(&claimed.parse().unwrap()).unwrap();
        assert!(fixture.names().contains(&now.to_owned()), "{:?}", fixture.names());
        assert_eq!(fixture.names().len(), 2);
    }
    partial.write_unit(1, &unit_value(2 * UNIT, 1, &data), &data).unwrap();
    names.forget(&partial);
    drop(partial);
    // The next attempt finds it under its new name, in whole.
    let names = register();
    let partial = resumed(Partial::find(&names, &fixture.wish(), Keep::Same).unwrap());
    let told = partial.journalled(2 * UNIT).unwrap();
    let sound = partial.verified(2 * UNIT, &told, |_, _| Ok(())).unwrap();
    assert_eq!(sound.iter().flatten().collect::<Vec<_>>(), [0, 1]);
    partial.publish(2 * UNIT, None, true, &fixture.seat()).unwrap();
    assert_eq!(fixture.names(), ["f"]);
}

#[test]
fn one_session_at_a_time_writes_a_partial_file() {
    let fixture = Fixture::new();
    let names = register();
    let first = Partial::create(&names, &fixture.wish()).unwrap();
    let other = register();
    assert!(matches!(Partial::find(&other, &fixture.wish(), Keep::Same).unwrap(), Found::Busy(_)));
    names.forget(&first);
    drop(first);
    assert!(matches!(Partial::find(&other, &fixture.wish(), Keep::Same).unwrap(), Found::Resumable(..)));
}

#[test]
fn a_copy_of_a_partial_file_or_one_replaced_by_hand_is_not_ours() {
    let fixture = Fixture::new();
    let names = register();
    drop(Partial::create(&names, &fixture.wish()).unwrap());
    drop(names);
    let at = fixture.temp.path().join("f.partial");
    std::fs::write(fixture.temp.path().join("kept"), b"").unwrap();
    std::fs::rename(&at, fixture.temp.path().join("moved")).unwrap();
    std::fs::write(&at, b"mine").unwrap();
    let names = register();
    assert!(matches!(Partial::find(&names, &fixture.wish(), Keep::Same).unwrap(), Found::Nothing));
    let partial = Partial::create(&names, &fixture.wish()).unwrap();
    assert_eq!(std::fs::read(&at).unwrap(), b"mine");
    // Replaced under our hands: nothing of the stranger's gets the final name.
    let ours = fixture.temp.path().join("f.2.partial");
    std::fs::remove_file(&ours).unwrap();
    std::fs::write(&ours, b"stranger").unwrap();
    assert!(partial.publish(0, None, false, &fixture.seat()).is_err());
    assert!(!fixture.temp.path().join("f").exists());
}

#[test]
fn without_the_wish_to_resume_or_with_another_source_it_begins_anew() {
    let fixture = Fixture::new();
    let data = vec![3; UNIT as usize];
    for (keep, mtime_ns, kept) in [(Keep::Same, 5, 1), (Keep::Nothing, 5, 0), (Keep::Same, 6, 0)] {
        let names = register();
        let partial = match Partial::find(&names, &fixture.wish(), Keep::Nothing).unwrap() {
            Found::Resumable(partial, _) => partial,
            _ => Partial::create(&names, &fixture.wish()).unwrap(),
        };
        partial.write_unit(0, &unit_value(2 * UNIT, 0, &data), &data).unwrap();
        names.forget(&partial);
        drop(partial);
        let names = register();
        let wish = Wish { mtime_ns, ..fixture.wish() };
        let partial = resumed(Partial::find(&names, &wish, keep).unwrap());
        assert_eq!(partial.journalled(2 * UNIT).unwrap().iter().count(), kept, "{keep:?} {mtime_ns}");
    }
}
