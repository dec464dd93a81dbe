//! A peer: Debian's nginx with TLS and a certificate of its own, in a temporary folder and on a free port.

use godwit_tests::{Scratch, until};
use std::fmt::Write as _;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// A running nginx; stopped when dropped.
#[derive(Debug)]
pub(crate) struct Nginx {
    child: Child,
    port: u16,
}

impl Nginx {
    /// Serves the files below `root`. `None`, with a line that says so, where nginx or openssl is missing.
    pub(crate) fn start(scratch: &Scratch, root: &Path) -> Option<Self> {
        let folder = scratch.folder("nginx");
        let made = Command::new("openssl")
            .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"])
            .args(["-subj", "/CN=localhost", "-keyout", "key.pem", "-out", "cert.pem"])
            .current_dir(&folder)
            .stderr(Stdio::null())
            .status();
        if !made.is_ok_and(|status| status.success()) {
            eprintln!("no comparison with nginx: openssl cannot make a certificate");
            return None;
        }
        // A port that was free a moment ago.
        let port = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
        std::fs::write(folder.join("nginx.conf"), configuration(&folder, root, port)).unwrap();
        let spawned = Command::new("nginx")
            .arg("-p")
            .arg(&folder)
            .arg("-e")
            .arg(folder.join("error.log"))
            .arg("-c")
            .arg(folder.join("nginx.conf"))
            .stdin(Stdio::null())
            .spawn();
        let Ok(child) = spawned else {
            eprintln!("no comparison with nginx: it is not installed (apt-get install nginx-light)");
            return None;
        };
        let nginx = Self { child, port };
        until("nginx answers", Duration::from_secs(10), || TcpStream::connect(("127.0.0.1", port)).ok());
        Some(nginx)
    }

    /// Where a file is.
    pub(crate) fn url(&self, name: &str) -> String {
        format!("https://127.0.0.1:{}/{name}", self.port)
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // SIGTERM, so that the master takes its workers along.
        godwit_tests::processes::signal(self.child.id(), godwit_tests::processes::Signal::TERM);
        let _ = self.child.wait();
    }
}

fn configuration(folder: &Path, root: &Path, port: u16) -> String {
    let folder = folder.display();
    let mut text = format!("daemon off;\nworker_processes 1;\npid {folder}/pid;\nerror_log {folder}/error.log;\n");
    // Started by root it would give its rights away, and with them the right to read a private folder.
    if std::fs::metadata("/proc/self").is_ok_and(|m| std::os::unix::fs::MetadataExt::uid(&m) == 0) {
        text.push_str("user root;\n");
    }
    text.push_str("events { worker_connections 64; }\nhttp {\n  access_log off;\n  sendfile on;\n");
    for part in ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"] {
        let _ = writeln!(text, "  {part}_temp_path {folder}/{part};");
    }
    let _ = write!(
        text,
        "  server {{\n    listen 127.0.0.1:{port} ssl;\n    ssl_certificate {folder}/cert.pem;\n    \
         ssl_certificate_key {folder}/key.pem;\n    ssl_protocols TLSv1.3;\n    root {};\n  }}\n}}\n",
        root.display()
    );
    text
}
