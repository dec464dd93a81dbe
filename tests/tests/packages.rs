//! What people download, made from the programs under test: Debian packages in a root of their own, and the list of what is in
//! them.

#![allow(clippy::unwrap_used)]

use godwit_tests::binaries::workspace;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

/// Packages of this version, and of the next one.
struct Packages {
    folder: PathBuf,
}

const NOW: &str = "0.1.0";
const NEXT: &str = "0.1.1";

fn words(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}");
    text
}

fn cargo() -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(workspace());
    for (name, _) in std::env::vars_os() {
        // Of the crate under test: handed on they would look like a change to build scripts.
        if name.to_str().is_some_and(|name| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_")) {
            cargo.env_remove(name);
        }
    }
    cargo
}

impl Packages {
    fn get() -> &'static Self {
        static PACKAGES: OnceLock<Packages> = OnceLock::new();
        PACKAGES.get_or_init(|| {
            // Not a folder that removes itself: what lives as long as the process is never dropped.
            let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("packages");
            drop(fs::remove_dir_all(&folder));
            fs::create_dir_all(&folder).unwrap();
            let packages = Self { folder };
            packages.make(NOW, "archives,debian,sbom,extension", "now");
            packages.make(NEXT, "debian", "next");
            packages
        })
    }

    fn make(&self, version: &str, only: &str, into: &str) -> PathBuf {
        let out = self.folder.join(into);
        let mut cargo = cargo();
        cargo.args(["xtask", "package", "--no-build", "--quick", "--only", only, "--as-version", version, "--out"]);
        words(&cargo.arg(&out).env("GODWIT_EXTENSION_KEY", self.folder.join("key.pem")).output().unwrap());
        out
    }

    /// The client's and the server's.
    fn debs(&self, folder: &str, version: &str) -> [PathBuf; 2] {
        let architecture = words(&Command::new("dpkg").arg("--print-architecture").output().unwrap());
        ["godwit", "godwit-server"].map(|name| {
            let file = self.folder.join(folder).join(format!("{name}_{version}_{}.deb", architecture.trim()));
            assert!(file.is_file(), "{}", file.display());
            file
        })
    }
}

/// A machine's root with nothing on it but dpkg's own list.
struct Root {
    dir: tempfile::TempDir,
}

impl Root {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        for folder in ["var/lib/dpkg/info", "var/lib/dpkg/updates", "var/lib/dpkg/triggers", "etc", "usr/bin"] {
            fs::create_dir_all(dir.path().join(folder)).unwrap();
        }
        fs::write(dir.path().join("var/lib/dpkg/status"), "").unwrap();
        fs::write(dir.path().join("etc/hosts"), "127.0.0.1 localhost\n").unwrap();
        // dpkg takes folders that have become empty along.
        fs::write(dir.path().join("usr/bin/other"), "").unwrap();
        Self { dir }
    }

    fn path(&self, path: &str) -> PathBuf {
        self.dir.path().join(path.trim_start_matches('/'))
    }

    fn dpkg(&self, args: &[&str], packages: &[PathBuf]) -> String {
        let root = self.dir.path().display();
        let mut command = if rustix::process::geteuid().is_root() {
            Command::new("dpkg")
        } else {
            let mut command = Command::new("unshare");
            command.args(["--map-root-user", "dpkg"]);
            command
        };
        // Programs run against the libraries of the machine that tests; scripts run on it, told of the root.
        command.args(["--force-depends", "--force-script-chrootless"]).arg(format!("--root={root}"));
        command.arg(format!("--log={root}/var/lib/dpkg/log")).args(args).args(packages);
        words(&command.output().unwrap())
    }

    /// Everything on it but dpkg's own.
    fn tree(&self) -> BTreeMap<String, String> {
        fn walk(folder: &Path, top: &Path, tree: &mut BTreeMap<String, String>) {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                let (metadata, name) = (fs::symlink_metadata(&path).unwrap(), path.strip_prefix(top).unwrap());
                if name.starts_with("var/lib/dpkg") {
                    continue;
                }
                tree.insert(name.display().to_string(), format!("{:o} {}", metadata.mode(), metadata.len()));
                if metadata.is_dir() {
                    tree.insert(name.display().to_string(), "folder".to_owned());
                    walk(&path, top, tree);
                }
            }
        }
        let mut tree = BTreeMap::new();
        walk(self.dir.path(), self.dir.path(), &mut tree);
        tree
    }

    /// What a program on this machine would read there: links are followed within the root.
    fn read(&self, path: &str) -> String {
        let at = self.path(path);
        match fs::read_link(&at) {
            Ok(to) if to.is_absolute() => self.read(to.to_str().unwrap()),
            _ => fs::read_to_string(&at).unwrap_or_else(|error| panic!("{path}: {error}")),
        }
    }
}

#[test]
fn the_clients_package_brings_what_browsers_need_and_takes_all_of_it_away() {
    let (packages, root) = (Packages::get(), Root::new());
    let before = root.tree();
    root.dpkg(&["--install"], &packages.debs("now", NOW)[..1]);
    assert_eq!(root.dpkg(&["--audit"], &[]), "");
    for folder in ["/etc/chromium", "/etc/opt/chrome", "/etc/opt/edge", "/usr/lib/mozilla"] {
        let manifest = root.read(&format!("{folder}/native-messaging-hosts/io.godwit.host.json"));
        let manifest: Value = serde_json::from_str(&manifest).unwrap();
        let host = root.path(manifest["path"].as_str().unwrap());
        assert!(fs::metadata(&host).unwrap().mode() & 0o111 != 0, "{}", host.display());
        assert!(host.with_file_name("godwit-agent").is_file() && host.with_file_name("godwit-worker").is_file());
    }
    let version = Command::new(root.path("usr/bin/godwit")).arg("--version").output().unwrap();
    assert_eq!(words(&version).trim(), format!("godwit {}", env!("CARGO_PKG_VERSION")));
    let unit = root.read("/usr/lib/systemd/user/godwit-agent.service");
    assert!(unit.contains("\nExecStart=/usr/lib/godwit/bin/godwit-agent "), "{unit}");
    let (types, opener) =
        (root.read("/usr/share/mime/packages/godwit.xml"), "/usr/share/applications/godwit-unlock.desktop");
    let opener = root.read(opener);
    assert!(
        types.contains(r#"type="application/x-age-encrypted""#)
            && opener.contains("\nMimeType=application/x-age-encrypted;")
    );
    assert!(opener.contains("\nExec=godwit unlock "), "{opener}");
    root.dpkg(&["--install"], &packages.debs("next", NEXT)[..1]);
    assert_eq!(root.read("/usr/lib/godwit/VERSION").trim(), NEXT);
    // Without --purge: nothing stays that a browser would stumble over.
    root.dpkg(&["--remove", "godwit"], &[]);
    assert_eq!(root.tree(), before);
}

#[test]
fn the_servers_package_makes_its_user_keeps_its_settings_and_goes() {
    let (packages, root) = (Packages::get(), Root::new());
    let before = root.tree();
    root.dpkg(&["--install"], &packages.debs("now", NOW)[1..]);
    assert_eq!(root.dpkg(&["--audit"], &[]), "");
    let users = root.read("/etc/passwd");
    assert!(users.lines().any(|line| line.starts_with("godwit:") && line.ends_with(":/usr/sbin/nologin")), "{users}");
    let settings = root.path("etc/godwit/server.toml");
    assert_eq!(fs::metadata(&settings).unwrap().mode() & 0o777, 0o640);
    let check = |settings: &Path| {
        let mut server = Command::new(root.path("usr/bin/godwit-server"));
        server.arg("check-config").arg("--config").arg(settings).arg("--state").arg(root.path("var/lib/dpkg/state"));
        server.output().unwrap()
    };
    words(&check(&settings));
    let units = root.path("usr/lib/systemd/system");
    let unit = fs::read_to_string(units.join("godwit-server.service")).unwrap();
    assert!(unit.starts_with("[Unit]") && unit.contains("\nExecStart=/usr/bin/godwit-server\n"), "{unit}");
    fs::write(&settings, "# changed by the administrator\n").unwrap();
    root.dpkg(&["--install"], &packages.debs("next", NEXT)[1..]);
    assert_eq!(fs::read_to_string(&settings).unwrap(), "# changed by the administrator\n");
    root.dpkg(&["--remove", "godwit-server"], &[]);
    assert!(settings.is_file() && !root.path("usr/bin/godwit-server").exists());
    root.dpkg(&["--purge", "godwit-server"], &[]);
    let mut after = root.tree();
    // Users stay: files of theirs may.
    let users = ["passwd", "group", "shadow", "gshadow", ".pwd.lock"];
    after.retain(|path, _| !users.iter().any(|name| *path == format!("etc/{name}") || *path == format!("etc/{name}-")));
    assert_eq!(after, before);
}

#[test]
fn lintian_finds_no_error_in_the_packages() {
    let mut lintian = Command::new("lintian");
    let output = lintian.args(["--fail-on", "error", "--tag-display-limit", "0", "--allow-root"]);
    let output = output.args(Packages::get().debs("now", NOW)).output().unwrap();
    let said = words(&output);
    assert!(!said.contains("E: "), "{said}");
}

#[test]
fn the_same_programs_give_the_same_packages() {
    let packages = Packages::get();
    packages.make(NOW, "archives,debian,sbom,extension", "again");
    let mut seen = 0;
    for entry in fs::read_dir(packages.folder.join("now")).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            continue;
        }
        let again = packages.folder.join("again").join(path.file_name().unwrap());
        assert!(fs::read(&path).unwrap() == fs::read(&again).unwrap(), "{} is not the same again", path.display());
        seen += 1;
    }
    assert!(seen >= 12, "{seen}: three archives, two packages, two lists, CRX, XPI, two update manifests, their sums");
}

#[test]
fn the_installer_in_one_file_installs_removes_and_refuses_to_when_it_is_damaged() {
    let folder = Packages::get().folder.join("now");
    let file = folder.join(format!("godwit-{NOW}-linux-{}.sh", std::env::consts::ARCH));
    let dir = tempfile::tempdir().unwrap();
    let (home, temporary) = (dir.path().join("a home"), dir.path().join("tmp"));
    for made in [&home, &temporary] {
        fs::create_dir(made).unwrap();
    }
    fs::write(home.join("letter"), "Dear").unwrap();
    let run = |file: &Path, args: &[&str], root: bool| {
        let mut sh = Command::new("sh");
        sh.arg(file).args(args).env_clear().env("PATH", "/usr/bin:/bin").env("HOME", &home).env("TMPDIR", &temporary);
        if root {
            sh.env("GODWIT_SETUP_AS_ROOT", "1");
        }
        sh.output().unwrap()
    };
    let names = || {
        let mut names: Vec<_> = fs::read_dir(&home).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    };
    let before = names();
    words(&run(&file, &["--check"], false));
    // One bit in the middle, and the end missing.
    let whole = fs::read(&file).unwrap();
    for (name, content) in [
        ("bit", [&whole[..9_999], &[whole[9_999] ^ 1], &whole[10_000..]].concat()),
        ("cut", whole[..whole.len() - 1].to_vec()),
    ] {
        let damaged = dir.path().join(name);
        fs::write(&damaged, content).unwrap();
        let output = run(&damaged, &[], true);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && said.contains("damaged or incomplete"), "{name}: {said}");
        assert_eq!(names(), before);
    }
    if rustix::process::geteuid().is_root() {
        let output = run(&file, &[], false);
        assert!(!output.status.success() && String::from_utf8_lossy(&output.stderr).contains("you are root"));
        assert_eq!(names(), before);
    }
    let begin = std::time::Instant::now();
    words(&run(&file, &[], true));
    println!("{} bytes, installed in {:.1} s", whole.len(), begin.elapsed().as_secs_f64());
    let version = Command::new(home.join(".local/bin/godwit")).arg("--version").output().unwrap();
    assert_eq!(words(&version).trim(), format!("godwit {}", env!("CARGO_PKG_VERSION")));
    let ids = fs::read_to_string(home.join(".local/share/godwit/current/EXTENSION-IDS")).unwrap();
    let manifest = home.join(".config/chromium/NativeMessagingHosts/io.godwit.host.json");
    let manifest = fs::read_to_string(manifest).unwrap();
    assert!(ids.lines().count() == 2 && ids.lines().all(|id| manifest.contains(id)), "{ids}{manifest}");
    words(&run(&file, &["uninstall"], true));
    assert_eq!(names(), before);
    assert_eq!(fs::read_dir(&temporary).unwrap().count(), 0, "what was unpacked is gone");
}

#[test]
fn every_crate_that_is_linked_is_in_the_list_with_its_checksum_and_licence() {
    let packages = Packages::get();
    let folder = packages.folder.join("now");
    let sums = fs::read_to_string(folder.join("SHA256SUMS")).unwrap();
    let client = ["godwit-native-host", "godwit-worker", "godwit-cli", "godwit-installer"].as_slice();
    for (name, members) in [("godwit", client), ("godwit-server", ["godwit-server"].as_slice())] {
        let file = format!("{name}-{NOW}.cdx.json");
        assert!(sums.contains(&file) && sums.contains(&format!("{name}_{NOW}_")), "{sums}");
        let list: Value = serde_json::from_str(&fs::read_to_string(folder.join(file)).unwrap()).unwrap();
        assert_eq!((list["bomFormat"].as_str(), list["specVersion"].as_str()), (Some("CycloneDX"), Some("1.5")));
        let listed: BTreeMap<&str, &Value> =
            list["components"].as_array().unwrap().iter().map(|c| (c["bom-ref"].as_str().unwrap(), c)).collect();
        // Cargo's own answer, by another way than the list was made.
        let mut tree = cargo();
        tree.args(["tree", "--locked", "--edges", "normal,no-proc-macro", "--prefix", "none", "--format", "{p}"]);
        tree.args(members.iter().flat_map(|member| ["--package", member]));
        let output = tree.output().unwrap();
        assert!(output.status.success(), "{output:?}");
        let linked: BTreeSet<String> = String::from_utf8(output.stdout)
            .unwrap()
            .lines()
            .filter(|line| !line.is_empty())
            .map(|line| {
                let mut words = line.split_whitespace();
                format!("pkg:cargo/{}@{}", words.next().unwrap(), words.next().unwrap().trim_start_matches('v'))
            })
            .collect();
        assert!(linked.len() > 100, "{linked:?}");
        for crate_name in &linked {
            let Some(component) = listed.get(crate_name.as_str()) else {
                panic!("{crate_name} is not in {name}'s list")
            };
            assert_eq!(component["scope"], "required", "{crate_name}");
            assert!(component["licenses"][0]["expression"].is_string(), "{crate_name}");
            let own = crate_name.starts_with("pkg:cargo/godwit-");
            assert!(
                own || component["hashes"][0]["content"].as_str().is_some_and(|sum| sum.len() == 64),
                "{crate_name}"
            );
        }
        // Everything that is named in it is in it.
        for edge in list["dependencies"].as_array().unwrap() {
            for to in edge["dependsOn"].as_array().unwrap() {
                assert!(listed.contains_key(to.as_str().unwrap()), "{to}");
            }
        }
        let has = |start: &str| listed.keys().any(|key| key.starts_with(start));
        assert_eq!((has("pkg:npm/uplot@"), has("pkg:generic/sqlite@3.")), (name == "godwit", name != "godwit"));
    }
}
