//! The real `godwit-setup` on a home folder of its own: what it makes, what it removes, and what a kill leaves.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

struct Home {
    dir: tempfile::TempDir,
    name: String,
}

/// What stands at every path below a folder.
type Tree = BTreeMap<PathBuf, String>;

impl Home {
    /// With files of other programs in the places where ours go.
    fn new() -> Self {
        Self::named("home")
    }

    fn named(name: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let home = Self { dir, name: name.to_owned() };
        home.write(
            ".config/chromium/NativeMessagingHosts/org.keepassxc.json",
            r#"{"name":"org.keepassxc","path":"/x"}"#,
        );
        home.write(".local/bin/other", "#!/bin/sh\n");
        home.write("Documents/letter", "Dear");
        home
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join(&self.name)
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path().join(path)).unwrap()
    }

    fn tree(&self) -> Tree {
        fn walk(folder: &Path, top: &Path, tree: &mut Tree) {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                let metadata = fs::symlink_metadata(&path).unwrap();
                let what = if metadata.is_symlink() {
                    format!("-> {}", fs::read_link(&path).unwrap().display())
                } else if metadata.is_dir() {
                    "folder".to_owned()
                } else {
                    format!("{:o} {}", metadata.mode(), fs::read_to_string(&path).unwrap_or_default())
                };
                tree.insert(path.strip_prefix(top).unwrap().to_owned(), what);
                if metadata.is_dir() {
                    walk(&path, top, tree);
                }
            }
        }
        let mut tree = Tree::new();
        walk(&self.path(), &self.path(), &mut tree);
        tree
    }

    /// A folder that looks like a release; its programs are never run here.
    fn fake_release(&self, version: &str) -> PathBuf {
        let folder = self.dir.path().join(format!("release-{version}"));
        fs::create_dir_all(folder.join("bin")).unwrap();
        fs::create_dir_all(folder.join("extension-chromium")).unwrap();
        fs::write(folder.join("VERSION"), format!("{version}\n")).unwrap();
        for program in ["godwit", "godwit-host", "godwit-agent", "godwit-worker"] {
            let path = folder.join("bin").join(program);
            fs::write(&path, format!("{program} {version}")).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        }
        fs::write(folder.join("extension-chromium/manifest.json"), version).unwrap();
        for paper in ["man/man1/godwit.1", "bash-completion/completions/godwit", "zsh/site-functions/_godwit"] {
            let path = folder.join("share").join(paper);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, format!("{paper} {version}")).unwrap();
        }
        folder
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_godwit-setup"));
        command.args(args).env_clear().env("HOME", self.path()).env("GODWIT_SETUP_AS_ROOT", "1");
        command
    }

    fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    fn install(&self, release: &Path, more: &[&str]) -> String {
        let mut args = vec!["install", "--from", release.to_str().unwrap()];
        args.extend(more);
        words(&self.run(&args))
    }

    /// The version in use, if all of it is there and the browsers find it.
    fn works(&self) -> String {
        let current = self.path().join(".local/share/godwit/current");
        let version = fs::read_to_string(current.join("VERSION")).unwrap().trim().to_owned();
        for program in ["godwit", "godwit-host", "godwit-agent", "godwit-worker"] {
            assert_eq!(fs::read_to_string(current.join("bin").join(program)).unwrap(), format!("{program} {version}"));
        }
        for manifest in [
            ".config/chromium/NativeMessagingHosts/io.godwit.host.json",
            ".mozilla/native-messaging-hosts/io.godwit.host.json",
        ] {
            let manifest: serde_json::Value = serde_json::from_str(&self.read(manifest)).unwrap();
            assert!(Path::new(manifest["path"].as_str().unwrap()).is_file());
        }
        version
    }
}

fn words(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}");
    text
}

#[test]
fn what_was_installed_is_removed_without_a_trace_and_nothing_else_is() {
    let home = Home::new();
    let before = home.tree();
    home.install(&home.fake_release("1.0"), &[]);
    assert_eq!(home.works(), "1.0");
    assert_eq!(fs::read_to_string(home.path().join(".local/bin/godwit")).unwrap(), "godwit 1.0");
    let after_one = home.tree();
    home.install(&home.fake_release("1.0"), &[]);
    assert_eq!(home.tree(), after_one, "again the same: nothing to do");
    words(&home.run(&["uninstall"]));
    assert_eq!(home.tree(), before);
    assert!(words(&home.run(&["uninstall"])).contains("not installed"));
}

#[test]
fn manual_pages_and_completions_are_those_of_the_version_in_use_and_go_with_the_one_that_lacks_them() {
    let home = Home::new();
    let page = ".local/share/man/man1/godwit.1";
    for version in ["1.0", "1.1"] {
        home.install(&home.fake_release(version), &[]);
        assert_eq!(home.read(page), format!("man/man1/godwit.1 {version}"));
        assert!(home.read(".local/share/bash-completion/completions/godwit").ends_with(version));
    }
    let without = home.fake_release("1.2");
    fs::remove_dir_all(without.join("share/man")).unwrap();
    home.install(&without, &[]);
    assert!(!home.path().join(".local/share/man").exists());
    assert!(home.read(".local/share/zsh/site-functions/_godwit").ends_with("1.2"));
}

#[test]
fn the_desktop_and_systemd_accept_what_is_written_for_them_also_in_an_odd_home() {
    for odd in ["home", "ho $m%he"] {
        let home = Home::named(odd);
        home.install(&home.fake_release("1.0"), &[]);
        let judged = |program: &str, args: &[&str], files: &[&str]| {
            let files = files.iter().map(|file| home.path().join(file));
            let runtime = ("XDG_RUNTIME_DIR", home.dir.path());
            let output = Command::new(program).args(args).args(files).env(runtime.0, runtime.1).output().unwrap();
            let said = words(&output);
            assert_eq!(said.lines().filter(|line| line.contains("godwit")).count(), 0, "{said}");
        };
        let entries =
            ["godwit.desktop", "godwit-unlock.desktop"].map(|name| format!(".local/share/applications/{name}"));
        judged("desktop-file-validate", &[], &entries.each_ref().map(String::as_str));
        let units = [".config/systemd/user/godwit-agent.service", ".config/systemd/user/godwit-agent.socket"];
        judged("systemd-analyze", &["verify", "--user", "--man=no"], &units);
        // It judges: a program that is not there is named.
        fs::remove_file(home.path().join(".local/share/godwit/current/bin/godwit-agent")).unwrap();
        let unit = home.path().join(units[0]);
        let mut analyze = Command::new("systemd-analyze");
        let output = analyze.args(["verify", "--user", "--man=no"]).arg(unit).env("XDG_RUNTIME_DIR", home.dir.path());
        let output = output.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && said.contains("is not executable"), "{said}");
    }
}

/// The program that the desktop takes for a link of ours.
fn handler(home: &Home) -> String {
    let mut query = Command::new("xdg-mime");
    let path = std::env::var_os("PATH").unwrap();
    query.args(["query", "default", "x-scheme-handler/fasp"]).env_clear().env("PATH", path).env("HOME", home.path());
    query.env("XDG_DATA_DIRS", home.dir.path()).env("XDG_CONFIG_DIRS", home.dir.path());
    String::from_utf8(query.output().unwrap().stdout).unwrap().trim().to_owned()
}

#[test]
fn links_of_the_vendors_kind_are_ours_while_we_are_installed_and_no_longer() {
    let home = Home::new();
    let before = home.tree();
    assert_eq!(handler(&home), "");
    home.install(&home.fake_release("1.0"), &[]);
    assert_eq!(handler(&home), "godwit.desktop");
    let entry = home.read(".local/share/applications/godwit.desktop");
    // Nothing of the link is handed over.
    let exec = entry.lines().find_map(|line| line.strip_prefix("Exec=")).unwrap();
    assert!(exec.ends_with("/bin/godwit\" agent start") && !exec.contains(" %"), "{exec}");
    words(&home.run(&["uninstall"]));
    assert_eq!((handler(&home).as_str(), home.tree()), ("", before));

    // Others in the desktop's list stay in it.
    let editor = "[Desktop Entry]\nType=Application\nName=Editor\nExec=editor\nMimeType=text/x-notes;\n";
    home.write(".local/share/applications/editor.desktop", editor);
    home.install(&home.fake_release("1.0"), &[]);
    assert_eq!(handler(&home), "godwit.desktop");
    words(&home.run(&["uninstall"]));
    let cache = home.read(".local/share/applications/mimeinfo.cache");
    assert!(cache.contains("text/x-notes=editor.desktop") && !cache.contains("godwit"), "{cache}");
}

#[test]
fn encrypted_files_have_a_type_and_an_opener_while_we_are_installed_and_no_longer() {
    let home = Home::new();
    home.write("Documents/film.mov.age", "age-encryption.org/v1\n-> scrypt x 18\n");
    home.write("Documents/without an ending", "age-encryption.org/v1\n-> scrypt x 18\n");
    home.write("Documents/about", "age-encryption.org/v1 is the name of a format\n");
    let gio = |file: &str| {
        let mut gio = Command::new("gio");
        gio.args(["info", "--attributes", "standard::content-type"]).arg(home.path().join("Documents").join(file));
        gio.env_clear().env("HOME", home.path()).env("XDG_DATA_DIRS", "/usr/share").env("LC_ALL", "C");
        let said = words(&gio.output().unwrap());
        said.lines()
            .find_map(|line| line.trim().strip_prefix("standard::content-type: "))
            .unwrap_or_default()
            .to_owned()
    };
    let mut openers = Vec::new();
    let mut opener = || {
        let mut query = Command::new("gio");
        query.args(["mime", "application/x-age-encrypted"]).env_clear().env("HOME", home.path()).env("LC_ALL", "C");
        let output = query.env("XDG_DATA_DIRS", home.dir.path()).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        openers.push(said.lines().next().unwrap_or_default().to_owned());
    };
    let ours = "application/x-age-encrypted";
    // In a folder that is not there yet; beside somebody's types that no tool has looked at; beside those that one has.
    let package = r#"<mime-info xmlns="http://www.freedesktop.org/standards/shared-mime-info"><mime-type type="text/x-notes">
        <glob pattern="*.notes"/></mime-type></mime-info>"#;
    for others in ["no", "yes"] {
        if others == "yes" {
            home.write(".local/share/mime/packages/notes.xml", package);
            let mut tool = Command::new("update-mime-database");
            words(&tool.arg(home.path().join(".local/share/mime")).output().unwrap());
        }
        let before = home.tree();
        assert_ne!(gio("film.mov.age"), ours);
        for version in ["1.0", "1.1"] {
            home.install(&home.fake_release(version), &[]);
            assert_eq!([gio("film.mov.age"), gio("without an ending")], [ours, ours], "others: {others}");
            assert_ne!(gio("about"), ours);
        }
        opener();
        words(&home.run(&["uninstall"]));
        assert_eq!(home.tree(), before, "others: {others}");
    }
    opener();
    let [first, second, after] = openers.as_slice() else { panic!("{openers:?}") };
    assert!([first, second].iter().all(|said| said.ends_with("godwit-unlock.desktop")), "{openers:?}");
    assert!(!after.contains("godwit"), "{openers:?}");
}

#[test]
fn a_home_that_systemd_cannot_be_told_of_gets_no_units_and_the_rest_works() {
    let home = Home::named("o'home\\");
    let before = home.tree();
    home.install(&home.fake_release("1.0"), &[]);
    assert_eq!(home.works(), "1.0");
    assert!(!home.path().join(".config/systemd").exists());
    words(&home.run(&["uninstall"]));
    assert_eq!(home.tree(), before);
}

#[test]
fn the_next_version_takes_the_place_of_the_last_and_the_one_before_stays_for_what_still_runs() {
    let home = Home::new();
    let before = home.tree();
    for version in ["1.0", "1.1", "1.2"] {
        home.install(&home.fake_release(version), &[]);
        assert_eq!(home.works(), version);
    }
    let versions = fs::read_dir(home.path().join(".local/share/godwit/versions")).unwrap();
    let mut versions: Vec<String> = versions.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    versions.sort();
    assert_eq!(versions.len(), 2, "{versions:?}");
    assert!(versions[0].starts_with("1.1-") && versions[1].starts_with("1.2-"), "{versions:?}");
    words(&home.run(&["uninstall"]));
    assert_eq!(home.tree(), before);
}

#[test]
fn a_dry_run_says_everything_and_does_nothing() {
    let home = Home::new();
    let before = home.tree();
    let release = home.fake_release("1.0");
    let said = home.install(&release, &["--dry-run"]);
    for part in ["io.godwit.host.json", "godwit.desktop", "copy the release", "nothing was done"] {
        assert!(said.contains(part), "{said}");
    }
    assert_eq!(home.tree(), before);
    let report: serde_json::Value = serde_json::from_str(&home.install(&release, &["--json"])).unwrap();
    assert_eq!((report["version"].as_str(), report["done"].as_bool()), (Some("1.0"), Some(true)));
    assert!(report["steps"].as_array().unwrap().iter().any(|step| step["step"] == "release"));
}

#[test]
fn s14_what_somebody_else_made_or_changed_is_left_alone_and_named() {
    let home = Home::new();
    let manifest = ".config/google-chrome/NativeMessagingHosts/io.godwit.host.json";
    home.write(manifest, r#"{"name":"com.example.other","path":"/x"}"#);
    home.write(".local/bin/godwit", "my own script");
    let before = home.tree();
    let said = home.install(&home.fake_release("1.0"), &[]);
    assert!(said.contains("google-chrome") && said.contains(".local/bin/godwit"), "{said}");
    assert_eq!(home.works(), "1.0");
    home.write(".local/share/applications/godwit.desktop", "changed by hand");
    let said = words(&home.run(&["uninstall"]));
    assert!(said.contains("godwit.desktop: it was changed"), "{said}");
    let mut after = home.tree();
    let changed = Path::new(".local/share/applications/godwit.desktop");
    assert!(after.remove(changed).unwrap().ends_with("changed by hand"));
    [".local/share", ".local/share/applications"].iter().for_each(|folder| drop(after.remove(Path::new(folder))));
    assert_eq!(after, before);
}

#[test]
fn s14_links_on_the_way_are_not_followed() {
    let home = Home::new();
    let elsewhere = home.dir.path().join("elsewhere");
    fs::create_dir_all(&elsewhere).unwrap();
    std::os::unix::fs::symlink(&elsewhere, home.path().join(".config/vivaldi")).unwrap();
    let said = home.install(&home.fake_release("1.0"), &[]);
    assert!(said.contains("vivaldi") && said.contains("link"), "{said}");
    assert_eq!(fs::read_dir(&elsewhere).unwrap().count(), 0);
    assert_eq!(home.works(), "1.0");
}

#[test]
fn what_the_user_keeps_stays_unless_it_is_purged() {
    let home = Home::new();
    let before = home.tree();
    home.install(&home.fake_release("1.0"), &[]);
    home.write(".config/godwit/settings.toml", "schema = 1\n");
    home.write(".local/state/godwit/state/db", "queue");
    words(&home.run(&["uninstall"]));
    assert_eq!(home.read(".local/state/godwit/state/db"), "queue");
    // Also when nothing else is left, and only then.
    assert!(words(&home.run(&["uninstall", "--purge", "--dry-run"])).contains("godwit and everything in it"));
    assert_eq!(home.read(".local/state/godwit/state/db"), "queue");
    assert!(words(&home.run(&["uninstall", "--purge"])).contains("settings, queue and logs removed"));
    assert!(!home.path().join(".local/state/godwit").exists() && !home.path().join(".config/godwit").exists());
    assert!(words(&home.run(&["uninstall", "--purge"])).contains("not installed"));
    home.write(".config/godwit/settings.toml", "schema = 1\n");
    home.write(".local/state/godwit/state/db", "queue");
    home.install(&home.fake_release("1.0"), &[]);
    // The agent's socket and locks are elsewhere.
    let session = home.dir.path().join("session");
    fs::create_dir_all(session.join("godwit")).unwrap();
    words(&home.command(&["uninstall", "--purge"]).env("XDG_RUNTIME_DIR", &session).output().unwrap());
    assert_eq!(fs::read_dir(&session).unwrap().count(), 0);
    let mut after = home.tree();
    // The test made it, not the program.
    after.remove(Path::new(".local/state"));
    assert_eq!(after, before);
}

#[test]
fn s14_bad_releases_and_root_are_refused_with_the_reason() {
    let home = Home::new();
    let release = home.fake_release("1.0");
    let fails = |args: &[&str], part: &str| {
        let output = home.run(args);
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && text.contains(part), "{text}");
    };
    let from = release.to_str().unwrap();
    fails(&["install", "--from", "/nowhere"], "VERSION is missing");
    fails(&["install", "--from", from, "--browsers", "netscape"], "known are chrome");
    fs::write(release.join("VERSION"), "../../evil\n").unwrap();
    fails(&["install", "--from", from], "a version in VERSION");
    fs::write(release.join("VERSION"), "1.0\n").unwrap();
    fs::remove_file(release.join("bin/godwit-worker")).unwrap();
    fails(&["install", "--from", from], "bin/godwit-worker is missing");
    if rustix::process::geteuid().is_root() {
        let output = home.command(&["install"]).env_remove("GODWIT_SETUP_AS_ROOT").output().unwrap();
        assert!(!output.status.success() && String::from_utf8_lossy(&output.stderr).contains("you are root"));
    }
}

#[test]
fn of_two_at_once_both_end_and_one_version_works() {
    let home = Home::new();
    let releases = [home.fake_release("1.0"), home.fake_release("1.1")];
    for _ in 0..5 {
        let start = |release: &PathBuf| {
            let mut command = home.command(&["install", "--from", release.to_str().unwrap()]);
            command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
        };
        let both = releases.each_ref().map(start).map(|child| child.wait_with_output().unwrap());
        assert!(both.iter().any(|output| output.status.success()));
        for output in both.iter().filter(|output| !output.status.success()) {
            assert!(String::from_utf8_lossy(&output.stderr).contains("another installation"));
        }
        home.works();
    }
}

#[test]
fn a_kill_at_any_moment_leaves_the_old_version_or_the_new_one_working() {
    let home = Home::new();
    let before = home.tree();
    let releases = [home.fake_release("1.0"), home.fake_release("1.1")];
    home.install(&releases[0], &[]);
    let mut seen = BTreeMap::new();
    // From before the first step to about its end, in steps that fit this machine.
    let begun = std::time::Instant::now();
    home.install(&releases[1], &[]);
    let whole = begun.elapsed();
    for turn in 0..40_u32 {
        let release = &releases[(turn % 2) as usize];
        let mut child =
            home.command(&["install", "--from", release.to_str().unwrap()]).stdout(Stdio::null()).spawn().unwrap();
        std::thread::sleep(whole.mul_f64(f64::from(turn * 7 % 40) / 36.0) + Duration::from_micros(200));
        child.kill().unwrap();
        let ended = child.wait().unwrap();
        *seen.entry((home.works(), ended.success())).or_insert(0) += 1;
    }
    assert!(seen.keys().any(|(_, ended)| !ended), "no run was cut: {seen:?}");
    home.install(&releases[1], &[]);
    assert_eq!(home.works(), "1.1");
    words(&home.run(&["uninstall"]));
    assert_eq!(home.tree(), before);
}

#[test]
fn a_first_installation_that_is_cut_leaves_nothing_that_its_removal_does_not_find() {
    for turn in 0..20_u32 {
        let home = Home::new();
        let before = home.tree();
        let release = home.fake_release("1.0");
        let mut child =
            home.command(&["install", "--from", release.to_str().unwrap()]).stdout(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_micros(u64::from(turn) * 1_500));
        child.kill().unwrap();
        child.wait().unwrap();
        home.install(&release, &[]);
        assert_eq!(home.works(), "1.0");
        words(&home.run(&["uninstall"]));
        assert_eq!(home.tree(), before, "cut in turn {turn}");
    }
}
