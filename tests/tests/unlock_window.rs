//! What happens when somebody opens an encrypted file in a file manager: the desktop's own tools, a real zenity and real keys, and
//! files that Debian's `age` made.

#![allow(clippy::unwrap_used)]

use godwit_tests::wait::{self, LONG, until_true};
use godwit_tests::{Scratch, binaries, processes, tree};
use screen::Screen;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

#[path = "../../native-host/tests/common/screen.rs"]
mod screen;

const PASSPHRASE: &str = "gelber Anorak tanzt im Mai";
const ASKS: &str = "Unlock with Godwit";
/// Without its dash: xdotool reads bytes.
const DONE: &str = "Unlocked";

fn until<T>(what: &str, check: impl FnMut() -> Option<T>) -> T {
    wait::until(what, LONG, check)
}

/// Types lines on a terminal of its own, each when another "assphrase" is asked for; arguments: lines, "--", the command.
const TYPE: &str = r#"
import os, pty, sys
lines = sys.argv[1:sys.argv.index("--")]
command = sys.argv[sys.argv.index("--") + 1:]
pid, terminal = pty.fork()
if pid == 0:
    os.execvp(command[0], command)
said = b""
try:
    while True:
        said += os.read(terminal, 1000)
        if lines and (b"assphrase" in said or b"Press Return" in said):
            said = b""
            os.write(terminal, lines.pop(0).encode() + b"\n")
except OSError:
    pass
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"#;

/// Encrypts a file as everybody does; returns the encrypted one.
fn encrypted(file: &Path) -> PathBuf {
    let to = PathBuf::from(format!("{}.age", file.display()));
    let mut python = Command::new("/usr/bin/python3");
    python.args(["-c", TYPE, PASSPHRASE, PASSPHRASE, "--", "age", "--encrypt", "--passphrase", "--output"]);
    let output = processes::output(python.arg(&to).arg(file), LONG);
    assert!(output.status.success(), "age, from Debian: {output:?}");
    to
}

/// Installs our real command line, among programs that are only looked at.
fn installed(scratch: &Scratch) {
    let fake = scratch.folder("fake release");
    fs::create_dir(fake.join("bin")).unwrap();
    for program in ["godwit-host", "godwit-agent", "godwit-worker"] {
        fs::write(fake.join("bin").join(program), "#!/bin/sh\nexit 1\n").unwrap();
    }
    fs::copy(binaries::path("godwit"), fake.join("bin/godwit")).unwrap();
    fs::write(fake.join("VERSION"), "1.0\n").unwrap();
    let mut setup = scratch.command("godwit-setup");
    let output = processes::output(setup.args(["install", "--from"]).arg(&fake).env("GODWIT_SETUP_AS_ROOT", "1"), LONG);
    assert!(output.status.success(), "{output:?}");
}

/// A program in the place of another one, before all others in `PATH`.
fn fake_program(folder: &Path, name: &str, text: &str) {
    fs::create_dir_all(folder).unwrap();
    fs::write(folder.join(name), text).unwrap();
    fs::set_permissions(folder.join(name), fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn a_double_click_on_an_encrypted_file_asks_in_a_window_and_leaves_the_content_beside_it() {
    let (scratch, screen) = (Scratch::new(), Screen::with_bus(&[]));
    installed(&scratch);
    // What a window would read as markup, or as the mark of a key.
    let film = scratch.folder("videos").join("my_first <b>film & co.mov");
    tree::file(&film, 3_000_000, 5);
    let plain = fs::read(&film).unwrap();
    let locked = encrypted(&film);
    fs::remove_file(&film).unwrap();
    let mut open = Command::new("gio");
    open.arg("open").arg(&locked).env_clear().env("PATH", "/usr/bin:/bin").env("HOME", scratch.user_home());
    open.env("LANG", "C.UTF-8").env("XDG_DATA_DIRS", "/usr/share").envs(screen.environment());
    // What it starts keeps what it inherits: a pipe would stay open until the last window has gone.
    let opened = open.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
    assert!(opened.success(), "{opened}");
    screen.type_line(ASKS, "sawfish");
    screen.shot("unlock-wrong", ASKS);
    assert!(!film.exists());
    screen.type_line(ASKS, PASSPHRASE);
    screen.until_shown(DONE, true);
    screen.shot("unlock-done", DONE);
    assert!(fs::read(&film).unwrap() == plain, "the content is what it was");
    assert!(locked.is_file(), "the encrypted file is kept");
    screen.type_line(DONE, "");
    let names: Vec<_> = fs::read_dir(film.parent().unwrap()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names.len(), 2, "{names:?}");
}

#[test]
fn who_closes_the_window_that_shows_the_progress_finds_everything_as_before() {
    let scratch = Scratch::new();
    let film = scratch.folder("videos").join("film.mov");
    tree::file(&film, 300 << 20, 5);
    let locked = encrypted(&film);
    fs::remove_file(&film).unwrap();
    // Knows the passphrase, and is closed as soon as it shows any progress.
    let (programs, log) = (scratch.folder("fake programs"), scratch.path("log"));
    let zenity = format!(
        "#!/bin/sh\nprintf '%s\\n' \"$1\" >> '{}'\ncase $1 in --entry) echo '{PASSPHRASE}' ;; --progress) exit 1 ;; esac\n",
        log.display()
    );
    fake_program(&programs, "zenity", &zenity);
    let mut godwit = scratch.command("godwit");
    godwit.args(["unlock", "--window", "--"]).arg(&locked);
    let output = processes::output(godwit.env("PATH", format!("{}:/usr/bin:/bin", programs.display())), LONG);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(fs::read_to_string(log).unwrap(), "--entry\n--progress\n");
    assert!(locked.is_file() && !film.exists());
    assert_eq!(fs::read_dir(film.parent().unwrap()).unwrap().count(), 1, "nothing half is left");
}

#[test]
fn a_desktop_without_zenity_asks_in_a_terminal() {
    let scratch = Scratch::new();
    let film = scratch.folder("videos").join("film; touch oops.mov");
    tree::file(&film, 100_000, 5);
    let plain = fs::read(&film).unwrap();
    let locked = encrypted(&film);
    fs::remove_file(&film).unwrap();
    // A terminal in which somebody types.
    let programs = scratch.folder("fake programs");
    let lines = format!("lines = ['{PASSPHRASE}', '']");
    let terminal = TYPE.replace("lines = sys.argv[1:sys.argv.index(\"--\")]", &lines);
    let terminal = terminal.replace("sys.argv[sys.argv.index(\"--\") + 1:]", "sys.argv[2:]");
    fake_program(&programs, "x-terminal-emulator", &format!("#!/usr/bin/python3\n{terminal}"));
    symlink("/bin/sh", programs.join("sh")).unwrap();
    let program = scratch.command("godwit").get_program().to_owned();
    let mut godwit = Command::new("/usr/bin/setsid");
    godwit.arg("--wait").arg(program).args(["unlock", "--window", "--keep", "--"]).arg(&locked).env_clear();
    godwit.env("PATH", &programs).env("HOME", scratch.user_home()).stdin(Stdio::null()).current_dir(scratch.path("."));
    let output = processes::output(&mut godwit, LONG);
    assert!(output.status.success(), "{output:?}");
    until_true("the content is there", LONG, || film.exists());
    assert!(fs::read(&film).unwrap() == plain && locked.is_file() && !scratch.path("oops.mov").exists());
}
