//! `cargo xtask setup`: what a machine with only Debian 12, Rust and Node lacks. Nothing is done twice.

use crate::{Outcome, place, run, wasm};
use std::path::{Path, PathBuf};

/// A Debian package and a file that shows that it is there.
const PACKAGES: [(&str, &str); 20] = [
    ("zip", "/usr/bin/zip"),
    ("openssl", "/usr/bin/openssl"),
    ("chromium", "/usr/bin/chromium"),
    // The browsers' own windows in German.
    ("chromium-l10n", "/usr/lib/chromium/locales/de.pak"),
    ("firefox-esr", "/usr/bin/firefox-esr"),
    ("firefox-esr-l10n-de", "/usr/lib/firefox-esr/browser/extensions/langpack-de@firefox-esr.mozilla.org.xpi"),
    ("curl", "/usr/bin/curl"),
    ("nginx-light", "/usr/sbin/nginx"),
    // Hosts and disks of the tests' own.
    ("iproute2", "/usr/sbin/ip"),
    ("e2fsprogs", "/usr/sbin/mkfs.ext4"),
    // Ends a program at a step.
    ("strace", "/usr/bin/strace"),
    // A real key ring on a session bus of its own.
    ("dbus-daemon", "/usr/bin/dbus-daemon"),
    ("dbus-bin", "/usr/bin/dbus-send"),
    ("gnome-keyring", "/usr/bin/gnome-keyring-daemon"),
    // A screen and keys for the window that unlocks it.
    ("xvfb", "/usr/bin/Xvfb"),
    ("xdotool", "/usr/bin/xdotool"),
    ("xfsprogs", "/usr/sbin/xfs_io"),
    // Another program to drag files from.
    ("python3-gi", "/usr/lib/python3/dist-packages/gi/__init__.py"),
    ("gir1.2-gtk-3.0", "/usr/share/doc/gir1.2-gtk-3.0/copyright"),
    // Pages in several scripts are shown in screenshots; without a font they are boxes.
    ("fonts-dejavu-core", "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf"),
];

/// What the Rust tests need of a desktop, of packaging and of other systems' disks.
const DESKTOP: [(&str, &str); 17] = [
    // Packages: made, and judged.
    ("dpkg-dev", "/usr/bin/dpkg-shlibdeps"),
    ("binutils", "/usr/bin/strip"),
    ("lintian", "/usr/bin/lintian"),
    // They judge what the installer writes.
    ("desktop-file-utils", "/usr/bin/desktop-file-validate"),
    ("xdg-utils", "/usr/bin/xdg-mime"),
    ("shared-mime-info", "/usr/bin/update-mime-database"),
    ("libglib2.0-bin", "/usr/bin/gio"),
    ("systemd", "/usr/bin/systemd-analyze"),
    ("xvfb", "/usr/bin/Xvfb"),
    ("xdotool", "/usr/bin/xdotool"),
    ("zenity", "/usr/bin/zenity"),
    ("dbus-daemon", "/usr/bin/dbus-daemon"),
    ("xdg-desktop-portal", "/usr/libexec/xdg-desktop-portal"),
    ("xdg-desktop-portal-gtk", "/usr/libexec/xdg-desktop-portal-gtk"),
    ("ntfs-3g", "/usr/bin/ntfs-3g"),
    // Judges what is encrypted.
    ("age", "/usr/bin/age"),
    ("python3", "/usr/bin/python3"),
];

/// The peers of the measurements.
const PEERS: [(&str, &str); 7] = [
    ("iproute2", "/usr/sbin/ip"),
    ("curl", "/usr/bin/curl"),
    ("nginx-light", "/usr/sbin/nginx"),
    ("aria2", "/usr/bin/aria2c"),
    ("rsync", "/usr/bin/rsync"),
    ("openssh-server", "/usr/sbin/sshd"),
    ("openssh-client", "/usr/bin/scp"),
];

/// Peers that come as source; beside us as programs, never as libraries.
const PEER_CRATES: [(&str, &str); 2] = [("qcp", "0.9.1"), ("sendme", "0.37.1")];

/// From PyPI, with the versions of `xtask/schemathesis.txt`; a program beside us, never a library.
const SCHEMATHESIS: &str = "schemathesis==4.32.5";

/// What a command needs.
#[derive(Clone, Copy, Default)]
pub(crate) struct Needs {
    /// Browsers, and the npm packages that drive and lint.
    pub(crate) browsers: bool,
    /// What the Rust tests need of a desktop.
    pub(crate) desktop: bool,
    /// `cargo deny`.
    pub(crate) deny: bool,
    /// schemathesis.
    pub(crate) api: bool,
}

pub(crate) fn run(needs: Needs) -> Outcome {
    wasm::ensure_target()?;
    node_packages(&node_folder())?;
    if needs.desktop {
        debian_packages(&DESKTOP)?;
    }
    if needs.browsers {
        debian_packages(&PACKAGES)?;
    }
    if needs.deny && deny().is_none() {
        install_deny()?;
    }
    if needs.api {
        schemathesis()?;
    }
    Ok(())
}

/// The programs that `cargo xtask bench` measures beside ours. Those from crates take some minutes, once; one that does not
/// build is left out.
pub(crate) fn bench_peers() -> Outcome {
    debian_packages(&PEERS)?;
    for (name, version) in PEER_CRATES {
        if tool(name).is_none() {
            println!("setup: installing {name} into {} (some minutes, once)", tools().display());
            let mut install = run::cargo();
            install.args(["install", name, "--version", version, "--locked", "--quiet", "--root"]).arg(tools());
            if let Err(failure) = run::check(&mut install) {
                println!("setup: without {name}: {failure}");
            }
        }
    }
    Ok(())
}

fn debian_packages(wanted: &[(&'static str, &str)]) -> Outcome {
    let missing: Vec<&str> =
        wanted.iter().filter(|(_, file)| !Path::new(file).exists()).map(|(package, _)| *package).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let root = run::capture(run::command("id").arg("-u"))?.trim() == "0";
    if !root || !run::exists("apt-get") {
        return Err(format!(
            "these Debian packages are missing: {}. Install them as root, then run this again:\n  \
             apt-get update && apt-get install -y --no-install-recommends {}",
            missing.join(", "),
            missing.join(" ")
        )
        .into());
    }
    println!("setup: installing the Debian packages {}", missing.join(", "));
    run::check(run::command("apt-get").args(["update", "-q"]))?;
    run::check(
        run::command("apt-get")
            .env("DEBIAN_FRONTEND", "noninteractive")
            .args(["install", "-y", "-q", "--no-install-recommends"])
            .args(missing),
    )
}

/// Where the JavaScript side lives.
pub(crate) fn node_folder() -> PathBuf {
    place::root().join("tests/browser")
}

/// `npm ci`, unless what is installed is what the lock file says.
pub(crate) fn node_packages(folder: &Path) -> Outcome {
    if !run::exists("npm") {
        return Err("npm is missing: install Node.js 20 or later (Debian: apt-get install nodejs npm)".into());
    }
    let stamp = folder.join("node_modules/.godwit-lock");
    let lock = crate::files::read(&folder.join("package-lock.json"))?;
    if std::fs::read_to_string(&stamp).is_ok_and(|installed| installed == lock) {
        return Ok(());
    }
    println!("setup: npm ci in {}", folder.display());
    run::check(run::command("npm").args(["ci", "--no-audit", "--no-fund", "--loglevel", "error"]).current_dir(folder))?;
    crate::files::write(&stamp, lock.as_bytes())
}

/// A program that npm installed.
pub(crate) fn node_program(name: &str) -> PathBuf {
    node_folder().join("node_modules/.bin").join(name)
}

/// Where `cargo-deny` is, if anywhere: `$GODWIT_TOOLS`, `target/tools`, `$PATH`.
pub(crate) fn deny() -> Option<PathBuf> {
    tool("cargo-deny")
}

fn tool(name: &str) -> Option<PathBuf> {
    let own = std::env::var_os("GODWIT_TOOLS").map(PathBuf::from);
    let folders = own.into_iter().chain([tools().join("bin")]);
    let path = std::env::var_os("PATH").unwrap_or_default();
    folders.chain(std::env::split_paths(&path)).map(|folder| folder.join(name)).find(|file| file.is_file())
}

/// What tests the API against its description: a Python program, in a folder of its own for each version.
pub(crate) fn schemathesis() -> Outcome<PathBuf> {
    let folder = tools().join(SCHEMATHESIS.replace("==", "-"));
    let (program, whole) = (folder.join("bin/schemathesis"), folder.join("whole"));
    if whole.exists() {
        return Ok(program);
    }
    println!("setup: installing {SCHEMATHESIS} into {}", folder.display());
    // Debian's Python comes without.
    if !run::command("python3").args(["-c", "import ensurepip"]).status()?.success() {
        debian_packages(&[("python3-venv", "/usr/share/doc/python3-venv/copyright")])?;
    }
    if folder.exists() {
        std::fs::remove_dir_all(&folder)?;
    }
    run::check(run::command("python3").args(["-m", "venv"]).arg(&folder))?;
    let pip = folder.join("bin/pip").display().to_string();
    let others = place::root().join("xtask/schemathesis.txt");
    run::check(run::command(&pip).args(["install", "--quiet", SCHEMATHESIS, "--constraint"]).arg(others))?;
    // Last: an installation that was interrupted is made again.
    crate::files::write(&whole, b"")?;
    Ok(program)
}

fn tools() -> PathBuf {
    place::target().join("tools")
}

fn install_deny() -> Outcome {
    println!("setup: installing cargo-deny into {} (some minutes, once)", tools().display());
    run::check(
        run::cargo()
            .args(["install", "cargo-deny", "--version", "0.20.2", "--locked", "--quiet", "--root"])
            .arg(tools())
            // It runs for seconds and would compile for minutes: no optimisation.
            .arg("--debug")
            .env("CARGO_PROFILE_DEV_DEBUG", "0"),
    )
}
