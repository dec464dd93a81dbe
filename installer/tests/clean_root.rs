//! The real `godwit-setup` in a root of its own, as a user of its own: namespaces, a file system in memory, `/usr` read-only, nothing
//! else. As on a new machine, and as in a container.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Output};

/// Makes the root in the folder `$1`, with what is in the folder `$2` on a stick, and does `$3` in it without any right.
const ROOT: &str = r#"
    mount -t tmpfs none "$1"
    cd "$1"
    mkdir usr home home/ann tmp dev etc stick
    mount --rbind /usr usr
    mount -o remount,bind,ro usr
    for name in bin lib lib64 sbin; do ln -s "usr/$name" "$name"; done
    touch dev/null
    mount --bind /dev/null dev/null
    cp -r "$2"/. stick
    exec chroot "$1" setpriv --ambient-caps=-all --inh-caps=-all /bin/sh -euc "$3"
"#;

/// What a person does with the stick, and how every file looks before and after.
const VISIT: &str = r#"
    list() {
        find / -xdev ! -path '/tmp/*' -printf '%p %y %m %U %l\n' | sort
        find / -xdev -type f ! -path '/tmp/*' -exec cksum {} + | sort
    }
    list > /tmp/before
    [ "$(id -u)" = 4711 ]
    if touch /usr/godwit 2> /dev/null; then echo "the machine can be written to"; exit 9; fi
    /stick/setup install --from /stick/release-1.0
    for manifest in /home/ann/.config/chromium/NativeMessagingHosts /home/ann/.mozilla/native-messaging-hosts; do
        host=$(sed -n 's/.*"path": *"\([^"]*\)".*/\1/p' "$manifest/io.godwit.host.json")
        [ "$("$host")" = "godwit-host 1.0" ]
    done
    [ "$(/home/ann/.local/bin/godwit)" = "godwit 1.0" ]
    [ -f /home/ann/.local/share/mime/application/x-age-encrypted.xml ]
    /stick/setup install --from /stick/release-1.1
    [ "$(/home/ann/.local/bin/godwit)" = "godwit 1.1" ]
    /stick/setup uninstall
    list > /tmp/after
    diff /tmp/before /tmp/after && echo "as before: $(wc -l < /tmp/after) entries"
"#;

fn visit(user: &str, what: &str) -> Output {
    let dir = tempfile::tempdir().unwrap();
    let (root, stick) = (dir.path().join("root"), dir.path().join("stick"));
    fs::create_dir(&root).unwrap();
    for version in ["1.0", "1.1"] {
        let release = stick.join(format!("release-{version}"));
        fs::create_dir_all(release.join("bin")).unwrap();
        fs::write(release.join("VERSION"), format!("{version}\n")).unwrap();
        for fake in ["godwit", "godwit-host", "godwit-agent", "godwit-worker"] {
            let program = release.join("bin").join(fake);
            fs::write(&program, format!("#!/bin/sh\necho {fake} {version}\n")).unwrap();
            fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        }
    }
    fs::copy(env!("CARGO_BIN_EXE_godwit-setup"), stick.join("setup")).unwrap();
    let mut unshare = Command::new("unshare");
    unshare.args(["--user", "--mount", "--keep-caps", &format!("--map-user={user}"), &format!("--map-group={user}")]);
    unshare.args(["--", "sh", "-euc", ROOT, "sh"]).args([&root, &stick]).arg(what);
    unshare.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("HOME", "/home/ann").output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

#[test]
fn a_new_user_of_a_clean_machine_installs_upgrades_and_removes_without_a_trace() {
    let output = visit("4711", VISIT);
    assert!(output.status.success() && said(&output).contains("as before: "), "{}", said(&output));
}

#[test]
fn root_of_a_clean_machine_is_told_why_it_is_refused() {
    let output = visit("0", "/stick/setup install --from /stick/release-1.0");
    assert!(!output.status.success() && said(&output).contains("you are root"), "{}", said(&output));
}
