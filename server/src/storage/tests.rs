#![allow(clippy::unwrap_used)]

use super::*;
use crate::rights::{Policy, Rights};
use std::fs;
use std::os::unix::fs::symlink;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

struct Fixture {
    dir: tempfile::TempDir,
    local: Local,
}

fn fixture() -> Fixture {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir_all(dir.path().join("root/in/deep")).unwrap();
    fs::write(dir.path().join("root/in/file"), "inside").unwrap();
    fs::create_dir(dir.path().join("outside")).unwrap();
    fs::write(dir.path().join("outside/secret"), "secret").unwrap();
    let local = Local::new(dir.path().join("root"), false);
    Fixture { dir, local }
}

impl Fixture {
    fn root(&self) -> std::path::PathBuf {
        self.dir.path().join("root")
    }

    fn guarded(&self, base: &str, policy: Policy) -> Guarded {
        Guarded::new(Arc::new(self.local.clone()), path(base), policy)
    }

    fn untouched(&self) {
        assert_eq!(fs::read(self.dir.path().join("outside/secret")).unwrap(), b"secret");
        assert_eq!(fs::read_dir(self.dir.path().join("outside")).unwrap().count(), 1);
    }
}

fn path(text: &str) -> NodePath {
    NodePath::parse(text).unwrap()
}

fn page(count: usize) -> Page {
    Page { count, ..Page::default() }
}

fn names(listing: &Listing) -> Vec<String> {
    listing.items.iter().map(|item| item.path.to_string()).collect()
}

async fn content(storage: &Local, at: &str) -> Result<Bytes, StorageError> {
    storage.open(&path(at)).await?.read(0, 100).await
}

#[tokio::test]
async fn what_is_written_can_be_read_listed_renamed_and_removed() {
    let fixture = fixture();
    let all = fixture.guarded("", Policy::Everywhere(Rights::ALL));
    all.make_folder(&path("new")).await.unwrap();
    all.write(&path("new/f"), Bytes::from_static(b"abc"), Replace::Never).await.unwrap();
    let again = all.write(&path("new/f"), Bytes::from_static(b"x"), Replace::Never).await;
    assert!(matches!(again, Err(StorageError::Exists(_))));
    assert_eq!(content(&fixture.local, "new/f").await.unwrap(), "abc");
    all.write(&path("new/f"), Bytes::from_static(b"replaced"), Replace::File).await.unwrap();
    all.rename(&path("new/f"), &path("new/g")).await.unwrap();
    assert_eq!(names(&all.list(&path("new"), &page(10)).await.unwrap()), ["/new/g"]);
    assert_eq!(all.stat(&path("new/g")).await.unwrap().size, 8);
    assert!(matches!(all.rename(&path("new"), &path("new/in")).await, Err(StorageError::IntoItself(_))));
    assert!(matches!(all.rename(&path("new/g"), &path("in/file")).await, Err(StorageError::Exists(_))));
    all.remove(&path("new")).await.unwrap();
    assert!(matches!(all.stat(&path("new")).await, Err(StorageError::NotFound(_))));
    for root in [all.remove(&path("")).await, all.rename(&path(""), &path("x")).await] {
        assert!(matches!(root, Err(StorageError::Root)));
    }
}

#[tokio::test]
async fn t05_parts_come_in_any_order_and_nothing_is_visible_before_all_is_there() {
    let Fixture { local, dir } = fixture();
    let target = path("in/big");
    let upload = local.begin(&target, 6).await.unwrap();
    local.put_part(&upload, 3, Bytes::from_static(b"def")).await.unwrap();
    assert!(matches!(local.stat(&target).await, Err(StorageError::NotFound(_))));
    // Another node carries on with nothing but the id.
    let other = Local::new(dir.path().join("root"), true);
    for (offset, part) in [(4, &b"xyz"[..]), (u64::MAX, b"a"), (6, b"a")] {
        let refused = other.put_part(&upload, offset, Bytes::from_static(part)).await;
        assert!(matches!(refused, Err(StorageError::Part)), "{offset}");
    }
    other.put_part(&upload, 0, Bytes::from_static(b"abc")).await.unwrap();
    other.commit(&upload, Replace::Never).await.unwrap();
    assert_eq!(content(&local, "in/big").await.unwrap(), "abcdef");
    assert!(local.put_part(&upload, 0, Bytes::from_static(b"X")).await.is_err(), "nothing is written after that");
    let given_up = local.begin(&target, 1).await.unwrap();
    local.abort(&given_up).await.unwrap();
    let forged = UploadId { id: "../../outside/secret".into(), ..upload };
    assert!(matches!(local.abort(&forged).await, Err(StorageError::Name(_))));
    let left: Vec<_> = fs::read_dir(dir.path().join("root/in")).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left.len(), 3, "{left:?}");
}

#[tokio::test]
async fn t10_no_link_leads_anywhere_and_deleting_one_deletes_only_the_link() {
    let fixture = fixture();
    let root = fixture.root();
    symlink("../outside", root.join("out")).unwrap();
    symlink("../outside/secret", root.join("in/file-out")).unwrap();
    symlink(fixture.dir.path().join("outside"), root.join("absolute")).unwrap();
    symlink("/proc/self/root", root.join("proc")).unwrap();
    symlink("in", root.join("inner")).unwrap();
    symlink("loop", root.join("loop")).unwrap();
    let local = &fixture.local;
    for link in ["out/secret", "in/file-out", "absolute/secret", "proc/etc/passwd", "inner/file", "loop/x", "loop"] {
        let error = content(local, link).await.unwrap_err();
        assert!(matches!(error, StorageError::Link(_)), "{link}: {error:?}");
    }
    for folder in ["out", "absolute", "inner", "loop", "proc"] {
        assert!(local.list(&path(folder), &page(9)).await.is_err(), "{folder}");
        assert!(local.make_folder(&path(&format!("{folder}/x")), false).await.is_err(), "{folder}");
        assert!(local.make_folder(&path(&format!("{folder}/x")), true).await.is_err(), "{folder}");
        assert!(local.begin(&path(&format!("{folder}/x")), 1).await.is_err(), "{folder}");
        assert!(local.rename(&path("in/file"), &path(&format!("{folder}/x"))).await.is_err(), "{folder}");
        assert_eq!(local.stat(&path(folder)).await.unwrap().kind, Kind::Link);
    }
    assert!(local.remove(&path("out/secret")).await.is_err());
    let found = local.find(&path(""), &page(100)).await.unwrap();
    assert!(!names(&found).iter().any(|name| name.contains("secret")), "{found:?}");
    local.remove(&path("out")).await.unwrap();
    local.remove(&path("in")).await.unwrap();
    fixture.untouched();
}

#[tokio::test]
async fn t10_a_hard_link_is_replaced_not_written_through() {
    let fixture = fixture();
    fs::hard_link(fixture.dir.path().join("outside/secret"), fixture.root().join("in/hard")).unwrap();
    let all = fixture.guarded("", Policy::Everywhere(Rights::ALL));
    all.write(&path("in/hard"), Bytes::from_static(b"new"), Replace::File).await.unwrap();
    all.remove(&path("in/hard")).await.unwrap();
    fixture.untouched();
}

#[tokio::test]
async fn t11_devices_pipes_and_sockets_are_shown_but_not_opened() {
    let fixture = fixture();
    let root = fixture.root();
    rustix::fs::mknodat(rustix::fs::CWD, root.join("pipe"), rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(root.join("socket")).unwrap();
    for special in ["pipe", "socket"] {
        let special = path(special);
        let opened = tokio::time::timeout(std::time::Duration::from_secs(30), fixture.local.open(&special));
        let error = opened.await.unwrap().err().unwrap();
        assert!(matches!(error, StorageError::NotRegular(_)), "{special}: {error:?}");
        assert_eq!(fixture.local.stat(&special).await.unwrap().kind, Kind::Special);
    }
    assert!(matches!(fixture.local.open(&path("in")).await.err().unwrap(), StorageError::IsFolder(_)));
    assert!(matches!(fixture.local.open(&path("")).await.err().unwrap(), StorageError::IsFolder(_)));
}

/// A thread swaps a folder for a link to the outside as fast as it can while every operation runs through it.
#[tokio::test(flavor = "multi_thread")]
async fn t10_a_folder_swapped_for_a_link_during_the_operation_gains_nothing() {
    let fixture = fixture();
    let root = fixture.root();
    fs::create_dir(root.join("swap")).unwrap();
    fs::write(root.join("swap/secret"), "mine").unwrap();
    symlink("../outside", root.join("trap")).unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let swapping = {
        let (stop, root) = (stop.clone(), root.clone());
        std::thread::spawn(move || {
            let flags = rustix::fs::RenameFlags::EXCHANGE;
            let mut swaps = 0u64;
            while !stop.load(Ordering::Relaxed) {
                let (a, b) = (root.join("swap"), root.join("trap"));
                rustix::fs::renameat_with(rustix::fs::CWD, a, rustix::fs::CWD, b, flags).unwrap();
                swaps += 1;
            }
            swaps
        })
    };
    let local = &fixture.local;
    let (mut inside, mut refused) = (0, 0);
    let until = std::time::Instant::now() + std::time::Duration::from_secs(4);
    while std::time::Instant::now() < until || inside == 0 || refused == 0 {
        match content(local, "swap/secret").await {
            Ok(text) => {
                assert_eq!(text, "mine", "a file outside was read");
                inside += 1;
            }
            Err(_) => refused += 1,
        }
        let _ = local.make_folder(&path("swap/made"), false).await;
        if let Ok(upload) = local.begin(&path("swap/up"), 0).await {
            let _ = local.commit(&upload, Replace::File).await;
        }
        let _ = local.rename(&path("in/file"), &path("swap/file")).await;
        let _ = local.rename(&path("swap/file"), &path("in/file")).await;
        let _ = local.remove(&path("swap/made")).await;
        assert!(std::time::Instant::now() < until + std::time::Duration::from_secs(60), "{inside} {refused}");
    }
    stop.store(true, Ordering::Relaxed);
    assert!(swapping.join().unwrap() > 100);
    fixture.untouched();
}

#[tokio::test]
async fn t12_names_of_all_kinds_are_stored_as_they_are_or_refused() {
    let fixture = fixture();
    let all = fixture.guarded("", Policy::Everywhere(Rights::ALL));
    let longest = "x".repeat(255);
    for name in ["-rf", "con", "NUL.txt", "emoji 🦤", "Ünïcödé", "a", "A", " spaced ", "...", "%2e%2e", &longest]
    {
        all.write(&path(name), Bytes::from_static(b"1"), Replace::Never)
            .await
            .unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!(all.stat(&path(name)).await.unwrap().size, 1, "{name}");
    }
    // "é" composed and decomposed are one name.
    all.write(&path("caf\u{e9}"), Bytes::from_static(b"1"), Replace::Never).await.unwrap();
    let twin = all.write(&path("cafe\u{301}"), Bytes::from_static(b"1"), Replace::Never).await;
    assert!(matches!(twin, Err(StorageError::Exists(_))));
    for bad in [&"x".repeat(256), "a\nb", "a\\b", "\u{202e}gpj", "a\0"] {
        assert!(NodePath::parse(bad).is_err(), "{bad:?}");
    }
}

#[tokio::test]
async fn t12_a_name_that_the_disk_has_in_another_unicode_form_is_found() {
    let fixture = fixture();
    let decomposed = "cafe\u{301}";
    fs::create_dir(fixture.root().join(decomposed)).unwrap();
    fs::write(fixture.root().join(decomposed).join("f\u{fc}r"), "x").unwrap();
    let listed = fixture.local.list(&path(""), &page(10)).await.unwrap();
    assert!(names(&listed).contains(&"/caf\u{e9}".to_owned()), "{listed:?}");
    assert_eq!(content(&fixture.local, "caf\u{e9}/f\u{fc}r").await.unwrap(), "x");
    fixture.local.remove(&path("caf\u{e9}")).await.unwrap();
    assert!(!fixture.root().join(decomposed).exists());
}

#[tokio::test]
async fn t12_names_that_nobody_could_send_back_are_not_listed() {
    use std::os::unix::ffi::OsStrExt;
    let fixture = fixture();
    for bad in [&b"\xff\xfe"[..], b"new\nline", b"back\\slash", "right\u{202e}left".as_bytes()] {
        fs::write(fixture.root().join(std::ffi::OsStr::from_bytes(bad)), "x").unwrap();
    }
    let listed = fixture.local.list(&path(""), &page(10)).await.unwrap();
    assert_eq!((names(&listed), listed.total), (vec!["/in".to_owned()], 1));
    fixture.local.make_folder(&path("d"), false).await.unwrap();
    fs::write(fixture.root().join("d").join(std::ffi::OsStr::from_bytes(b"\xff")), "x").unwrap();
    fixture.local.remove(&path("d")).await.unwrap();
}

#[tokio::test]
async fn a_listing_is_sorted_filtered_and_cut_into_pages() {
    let fixture = fixture();
    for (name, size) in [("b.txt", 3), ("a.txt", 10), ("c.bin", 1), ("d.txt.partial", 5)] {
        fs::write(fixture.root().join("in/deep").join(name), vec![0; size]).unwrap();
    }
    fs::create_dir(fixture.root().join("in/deep/zz")).unwrap();
    let local = &fixture.local;
    let list = async |page: Page| {
        let listing = local.list(&path("in/deep"), &page).await.unwrap();
        let names: Vec<_> = listing.items.iter().map(|i| i.path.name().to_owned()).collect();
        (names.join(" "), listing.total)
    };
    assert_eq!(list(page(9)).await, ("zz a.txt b.txt c.bin d.txt.partial".into(), 5));
    let by = |text: &str| Page { sort: Sort::parse(text).unwrap(), ..page(9) };
    assert_eq!(list(by("size_d")).await.0, "a.txt d.txt.partial b.txt c.bin zz");
    assert_eq!(list(by("-name")).await.0, "zz d.txt.partial c.bin b.txt a.txt");
    assert_eq!(list(Page { skip: 2, count: 2, ..page(0) }).await, ("b.txt c.bin".into(), 5));
    let filter = Filter { names: vec!["*.txt".into()], size_min: Some(4), ..Filter::default() };
    assert_eq!(list(Page { filter, ..page(9) }).await, ("a.txt".into(), 1));
    let filter = Filter { names: vec!["*.txt".into(), "fi*".into()], ..Filter::default() };
    let found = local.find(&path(""), &Page { filter, skip: 1, count: 1, ..Page::default() }).await.unwrap();
    assert_eq!((names(&found), found.total), (vec!["/in/deep/b.txt".to_owned()], 3));
}

#[tokio::test]
async fn pages_of_a_large_folder_are_those_of_the_whole_list() {
    let fixture = fixture();
    let count = 3 * walk::FEW;
    let mut all: Vec<String> = (0..count).map(|n| format!("f{:05}", n * 7_919 % count)).collect();
    for name in &all {
        fs::File::create(fixture.root().join("in/deep").join(name)).unwrap();
    }
    all.sort();
    for skip in [0, 1, 100, walk::FEW, count - 5, count, usize::MAX] {
        for (sort, down) in [("path", false), ("-path", true), ("type", false)] {
            let page = Page { skip, sort: Sort::parse(sort).unwrap(), ..page(10) };
            let listing = fixture.local.list(&path("in/deep"), &page).await.unwrap();
            let found: Vec<&str> = listing.items.iter().map(|item| item.path.name()).collect();
            let whole: Box<dyn Iterator<Item = &String>> =
                if down { Box::new(all.iter().rev()) } else { Box::new(all.iter()) };
            let expected: Vec<&str> = whole.skip(skip).take(10).map(String::as_str).collect();
            assert_eq!((found, listing.total), (expected, count), "{sort} from {skip}");
        }
    }
}

#[tokio::test]
async fn pages_join_to_the_whole_in_every_order_without_gap_or_repetition() {
    let fixture = fixture();
    let folder = fixture.root().join("in/deep");
    let count = 2 * walk::FEW + 100;
    for n in 0..count {
        // Few sizes, times and kinds: most places are decided by the name.
        let name = folder.join(format!("f{:05}", n * 7_919 % count));
        match n % 50 {
            0 => fs::create_dir(name).unwrap(),
            1 => symlink("f", name).unwrap(),
            kind => {
                let file = fs::File::create(name).unwrap();
                file.set_len(n as u64 % 7).unwrap();
                file.set_modified(std::time::UNIX_EPOCH + std::time::Duration::from_secs(kind as u64 % 5)).unwrap();
            }
        }
    }
    // The same text twice, in two Unicode forms.
    for twin in ["caf\u{e9}", "cafe\u{301}"] {
        fs::write(folder.join(twin), twin).unwrap();
    }
    for sort in ["type", "-type", "path", "-path", "size", "-size", "mtime", "-mtime"] {
        let sorted = |skip, count| Page { skip, sort: Sort::parse(sort).unwrap(), ..page(count) };
        let whole = fixture.local.list(&path("in/deep"), &sorted(0, usize::MAX)).await.unwrap();
        assert_eq!((whole.items.len(), whole.total), (count + 2, count + 2), "{sort}");
        let mut joined = Vec::new();
        while joined.len() < whole.total {
            let part = fixture.local.list(&path("in/deep"), &sorted(joined.len(), 1_000)).await.unwrap();
            assert!(!part.items.is_empty() && part.total == whole.total, "{sort} at {}", joined.len());
            joined.extend(part.items);
        }
        assert!(joined == whole.items, "{sort}");
        let raw: std::collections::HashSet<_> = joined.iter().map(|item| item.stat.identity.inode).collect();
        assert_eq!(raw.len(), count + 2, "{sort}: each once");
    }
}

#[tokio::test]
async fn rights_hold_for_every_operation_and_paths_begin_at_the_callers_root() {
    let fixture = fixture();
    let nobody = fixture.guarded("in", Policy::Everywhere(Rights::NONE));
    let p = path("file");
    let denied = [
        nobody.stat(&p).await.err(),
        nobody.list(&path(""), &page(1)).await.err(),
        nobody.find(&path(""), &page(1)).await.err(),
        nobody.open(&p).await.err(),
        nobody.space(&p).await.err(),
        nobody.make_folder(&path("x")).await.err(),
        nobody.remove(&p).await.err(),
        nobody.rename(&p, &path("x")).await.err(),
        nobody.write(&path("x"), Bytes::new(), Replace::Never).await.err(),
        nobody.kind_for_edit(&p).await.err(),
        nobody.data_root(&[path("")], Right::View).await.err(),
    ];
    for (n, error) in denied.into_iter().enumerate() {
        assert!(matches!(error, Some(StorageError::Denied { .. })), "{n}: {error:?}");
    }
    let viewer = fixture.guarded("in", Policy::Everywhere(Rights { view: true, ..Rights::NONE }));
    assert_eq!(names(&viewer.list(&path(""), &page(9)).await.unwrap()), ["/deep", "/file"]);
    assert!(viewer.remove(&p).await.is_err());
    let error = viewer.stat(&path("missing")).await.unwrap_err().to_string();
    assert_eq!(error, "'/missing' does not exist", "the folder above is not told");
    let granted = vec![(path("deep"), Rights::ALL)];
    let some = fixture.guarded("in", Policy::Granted { most: Rights::ALL, grants: granted });
    assert!(some.list(&path(""), &page(9)).await.is_err());
    assert!(some.rename(&path("deep"), &path("elsewhere")).await.is_err());
    some.make_folder(&path("deep/new")).await.unwrap();
}

#[tokio::test]
async fn the_room_of_the_disk_is_told_and_a_missing_docroot_says_nothing_of_the_server() {
    let fixture = fixture();
    let space = fixture.local.space(&path("in/file")).await.unwrap();
    assert!(space.total > 0 && space.free <= space.total);
    let gone = Local::new(fixture.dir.path().join("nowhere"), false);
    let error = gone.stat(&path("")).await.unwrap_err().to_string();
    assert!(!error.contains("nowhere") && !error.contains("tmp"), "{error}");
}
