//! A screen, a keyboard and a session bus of a test's own: Xvfb, xdotool, dbus-daemon.

#![allow(dead_code, unreachable_pub, clippy::unwrap_used)]

use super::until;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A started program and the first line it wrote; killed when dropped.
struct Started(Child, String);

impl Started {
    fn new(command: &mut Command) -> Self {
        let program = command.get_program().to_owned();
        let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
        let mut child = child.unwrap_or_else(|e| panic!("{program:?}: {e} (`cargo xtask setup` installs it)"));
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        assert!(!line.trim().is_empty(), "{program:?} said nothing");
        Self(child, line.trim().to_owned())
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// A desktop session.
pub struct Screen {
    bus: Option<Started>,
    server: Started,
    dir: tempfile::TempDir,
}

impl Screen {
    /// Without a session bus.
    pub fn new() -> Self {
        let dir = tempfile::Builder::new().prefix("gsc").tempdir().unwrap();
        // Left to itself it begins anew when its last client goes, and breaks the next one that is just coming.
        let server = Started::new(Command::new("Xvfb").args(["-displayfd", "1", "-nolisten", "tcp", "-noreset"]));
        Self { bus: None, server, dir }
    }

    /// With a session bus on which only the services of these files can be started.
    pub fn with_bus(services: &[PathBuf]) -> Self {
        let mut screen = Self::new();
        let folder = screen.path().join("services");
        std::fs::create_dir(&folder).unwrap();
        for service in services {
            std::fs::copy(service, folder.join(service.file_name().unwrap())).unwrap();
        }
        let config = screen.path().join("bus.conf");
        let text = format!(
            "<busconfig><type>session</type><listen>unix:tmpdir=/tmp</listen><servicedir>{}</servicedir>\
             <policy context=\"default\"><allow send_destination=\"*\" eavesdrop=\"true\"/><allow eavesdrop=\"true\"/>\
             <allow own=\"*\"/></policy></busconfig>",
            folder.display()
        );
        std::fs::write(&config, text).unwrap();
        let mut daemon = Command::new("dbus-daemon");
        daemon.arg(format!("--config-file={}", config.display())).args([
            "--nofork",
            "--nopidfile",
            "--print-address=1",
        ]);
        // What it starts lives on this screen, and in no home of anybody's.
        daemon.envs(screen.environment()).env("HOME", screen.path()).env("XDG_CONFIG_HOME", screen.path());
        daemon.env("XDG_DATA_HOME", screen.path()).env("GTK_USE_PORTAL", "0").env("GIO_USE_VFS", "local");
        screen.bus = Some(Started::new(&mut daemon));
        screen
    }

    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Address of the session bus.
    pub fn bus(&self) -> &str {
        self.bus.as_ref().map_or("", |bus| &bus.1)
    }

    /// The variables that a browser on it would have.
    pub fn environment(&self) -> BTreeMap<String, String> {
        let mut all = BTreeMap::from([
            ("DISPLAY".to_owned(), format!(":{}", self.server.1)),
            ("XDG_RUNTIME_DIR".to_owned(), self.path().to_str().unwrap().to_owned()),
            ("XDG_CURRENT_DESKTOP".to_owned(), "GNOME".to_owned()),
        ]);
        if self.bus.is_some() {
            all.insert("DBUS_SESSION_BUS_ADDRESS".to_owned(), self.bus().to_owned());
        }
        all
    }

    /// Waits for a window whose title contains `title`, types a line into its field, and waits until that window has gone. Its
    /// field has the keyboard when it appears.
    pub fn type_line(&self, title: &str, text: &str) {
        let deadline = Instant::now() + Duration::from_secs(120);
        let windows = || self.xdotool(&["search", "--onlyvisible", "--name", title]);
        let window = until("the window comes", || windows().lines().next().map(str::to_owned));
        while windows().lines().any(|there| there == window) {
            assert!(Instant::now() < deadline, "the window took no answer");
            self.xdotool(&["windowfocus", &window]);
            // Keys that came too early are lost: what an earlier try left goes.
            if !text.is_empty() {
                self.xdotool(&["key", "ctrl+a"]);
                self.xdotool(&["type", "--delay", "30", text]);
            }
            self.xdotool(&["key", "Return"]);
            let patience = Instant::now() + Duration::from_secs(3);
            while windows().lines().any(|there| there == window) && Instant::now() < patience {
                std::thread::sleep(Duration::from_millis(20));
            }
        }
    }

    /// With `GODWIT_SCREENSHOTS`, a picture of the screen as soon as the window can be seen. Nobody needs it for a test.
    pub fn shot(&self, name: &str, title: &str) {
        let Some(folder) = std::env::var_os("GODWIT_SCREENSHOTS") else { return };
        self.until_shown(title, true);
        // It has been drawn some frames after it is there.
        std::thread::sleep(Duration::from_secs(1));
        let code = "import gi, sys; gi.require_version('Gdk', '3.0'); from gi.repository import Gdk; Gdk.init([]); \
                    w = Gdk.get_default_root_window(); p = Gdk.pixbuf_get_from_window(w, 0, 0, w.get_width(), w.get_height()); \
                    p.savev(sys.argv[1], 'png', [], [])";
        let file = Path::new(&folder).join(format!("{name}.png"));
        let mut python = Command::new("/usr/bin/python3");
        drop(python.args(["-c", code]).arg(file).envs(self.environment()).status());
    }

    fn xdotool(&self, arguments: &[&str]) -> String {
        let output = Command::new("xdotool").args(arguments).envs(self.environment()).output();
        let output = output.unwrap_or_else(|e| panic!("xdotool: {e} (`cargo xtask setup` installs it)"));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// Waits for a window whose title contains `title`, gives it the keyboard, and presses keys until `done`.
    pub fn answer(&self, title: &str, text: Option<&str>, key: &str, mut done: impl FnMut() -> bool) {
        let deadline = Instant::now() + Duration::from_secs(120);
        while !done() {
            assert!(Instant::now() < deadline, "the dialog took no answer");
            let found = self.xdotool(&["search", "--onlyvisible", "--name", title]);
            let Some(window) = found.lines().next() else { continue };
            self.xdotool(&["windowfocus", window]);
            if let Some(text) = text {
                // A slash opens the dialog's own field for paths, which loses keys while it opens; what an earlier try left in it
                // goes.
                self.xdotool(&["key", "slash"]);
                std::thread::sleep(Duration::from_millis(500));
                self.xdotool(&["key", "ctrl+a"]);
                self.xdotool(&["type", "--delay", "30", text]);
            }
            self.xdotool(&["key", key]);
            // The dialog may need a moment; keys pressed too early are pressed again.
            let patience = Instant::now() + Duration::from_secs(8);
            while !done() && Instant::now() < patience {
                std::thread::sleep(Duration::from_millis(20));
            }
        }
    }

    /// Waits until a window whose title contains `title` can be seen, or none can.
    pub fn until_shown(&self, title: &str, shown: bool) {
        until("the dialog comes or goes", || {
            let found = self.xdotool(&["search", "--onlyvisible", "--name", title]);
            (found.is_empty() != shown).then_some(())
        });
    }
}
