//! The servers' end: `godwit-server`, nginx, an rsync daemon and an sshd of our own, all on the same files, in a
//! temporary folder and on free ports, as the user who runs this. What is missing is left out, and said.

use crate::lab::Lab;
use godwit_tests::processes::{self, Signal};
use godwit_tests::{binaries, until};
use std::fmt::Write as _;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// A running server; stopped when dropped.
#[derive(Debug)]
pub(crate) struct Service {
    child: Child,
    /// Where it listens.
    pub(crate) port: u16,
}

impl Service {
    fn start(mut command: Command, port: u16, log: &Path) -> Self {
        let log = std::fs::File::create(log).unwrap();
        let spawned = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn();
        Self { child: spawned.unwrap_or_else(|e| panic!("{command:?}: {e}")), port }
    }

    /// Its process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // SIGTERM, so that those with children take them along.
        processes::signal(self.child.id(), Signal::TERM);
        let _ = self.child.wait();
    }
}

/// A running `godwit-server`.
#[derive(Debug)]
pub(crate) struct Godwit {
    /// It.
    pub(crate) service: Service,
    /// `SHA256:…` of its certificate.
    pub(crate) fingerprint: String,
}

/// The user of [`Godwit`].
pub(crate) const USER: &str = "bench";
/// And their password.
pub(crate) const PASSWORD: &str = "a-password-for-the-bench";

impl Godwit {
    /// Starts one; `configuration` are lines of its file.
    pub(crate) fn start(lab: &Lab, folder: &Path, docroot: &Path, configuration: &str) -> Self {
        let port = free_port();
        let folder = folder.join(format!("godwit-{port}"));
        std::fs::create_dir_all(&folder).unwrap();
        let (ready, file) = (folder.join("ready"), folder.join("server.toml"));
        std::fs::write(&file, configuration).unwrap();
        let mut command = lab.there(binaries::path("godwit-server"));
        command.args(["--bind", lab.listen(), "--data-port", &port.to_string(), "--api-port", "0", "--http-port", "0"]);
        command.arg("--docroot").arg(docroot).arg("--state").arg(folder.join("state")).arg("--config").arg(&file);
        command.arg("--user").arg(format!("{USER}:{PASSWORD}"));
        let command = command.env("GODWIT_HOME", folder.join("home")).stdin(Stdio::null());
        let command = command.stdout(std::fs::File::create(&ready).unwrap());
        let command = command.stderr(std::fs::File::create(folder.join("log")).unwrap());
        let service = Service { child: command.spawn().unwrap(), port };
        let fingerprint = until("godwit-server is ready", Duration::from_secs(20), || {
            let text = std::fs::read_to_string(&ready).ok()?;
            let whole = text.strip_suffix('\n')?;
            whole.split_whitespace().find_map(|word| word.strip_prefix("fingerprint=").map(str::to_owned))
        });
        Self { service, fingerprint }
    }
}

/// nginx with TLS 1.3 and a certificate of its own.
pub(crate) fn nginx(lab: &Lab, folder: &Path, docroot: &Path) -> Option<Service> {
    let program = find("nginx", "nginx-light")?;
    let folder = made(folder, "nginx");
    let certificate = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"])
        .args(["-subj", "/CN=localhost", "-keyout", "key.pem", "-out", "cert.pem"])
        .current_dir(&folder)
        .stderr(Stdio::null())
        .status();
    if !certificate.is_ok_and(|status| status.success()) {
        eprintln!("without nginx: openssl cannot make a certificate");
        return None;
    }
    let port = free_port();
    std::fs::write(folder.join("nginx.conf"), nginx_configuration(&folder, docroot, lab.listen(), port)).unwrap();
    let mut command = lab.there(program);
    command.arg("-p").arg(&folder).arg("-e").arg(folder.join("error.log"));
    command.arg("-c").arg(folder.join("nginx.conf"));
    answering(Service::start(command, port, &folder.join("log")))
}

fn nginx_configuration(folder: &Path, root: &Path, listen: &str, port: u16) -> String {
    let folder = folder.display();
    let mut text = format!("daemon off;\nworker_processes 1;\npid {folder}/pid;\nerror_log {folder}/error.log;\n");
    // Started by root it would give its rights away, and with them the right to read a private folder.
    if rustix::process::geteuid().is_root() {
        text.push_str("user root;\n");
    }
    text.push_str("events { worker_connections 256; }\nhttp {\n  access_log off;\n  sendfile on;\n");
    for part in ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"] {
        let _ = writeln!(text, "  {part}_temp_path {folder}/{part};");
    }
    let _ = write!(
        text,
        "  server {{\n    listen {listen}:{port} ssl;\n    ssl_certificate {folder}/cert.pem;\n    \
         ssl_certificate_key {folder}/key.pem;\n    ssl_protocols TLSv1.3;\n    root {};\n  }}\n}}\n",
        root.display()
    );
    text
}

/// An rsync daemon whose module `files` is the docroot.
pub(crate) fn rsync(lab: &Lab, folder: &Path, docroot: &Path) -> Option<Service> {
    let program = find("rsync", "rsync")?;
    let folder = made(folder, "rsync");
    let port = free_port();
    let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    let text = format!(
        "use chroot = no\nlog file = {}\n[files]\npath = {}\nread only = no\nuid = {uid}\ngid = {gid}\n",
        folder.join("log").display(),
        docroot.display()
    );
    std::fs::write(folder.join("rsyncd.conf"), text).unwrap();
    let mut command = lab.there(program);
    command.args(["--daemon", "--no-detach", "--address", lab.listen(), "--port", &port.to_string()]);
    command.arg("--config").arg(folder.join("rsyncd.conf"));
    answering(Service::start(command, port, &folder.join("errors")))
}

/// An sshd for one user, with keys that are thrown away.
#[derive(Debug)]
pub(crate) struct Ssh {
    /// It.
    pub(crate) service: Service,
    /// For `ssh -F`: names the address, the port, the user and the key of the host `bench`.
    pub(crate) config: PathBuf,
}

/// Starts it.
pub(crate) fn ssh(lab: &Lab, folder: &Path) -> Option<Ssh> {
    let program = find("sshd", "openssh-server")?;
    let folder = made(folder, "ssh");
    for key in ["host", "user"] {
        let mut command = Command::new("ssh-keygen");
        command.args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(folder.join(key));
        assert!(command.status().is_ok_and(|s| s.success()), "ssh-keygen");
    }
    // Its unprivileged part wants this folder, which the system's service makes.
    let _ = std::fs::create_dir_all("/run/sshd");
    let (port, at) = (free_port(), folder.display());
    let text = format!(
        "Port {port}\nListenAddress {}\nHostKey {at}/host\nAuthorizedKeysFile {at}/user.pub\nStrictModes no\nUsePAM no\n\
         PasswordAuthentication no\nPidFile none\nPermitRootLogin yes\nSubsystem sftp internal-sftp\nLogLevel ERROR\n",
        lab.listen()
    );
    std::fs::write(folder.join("sshd_config"), text).unwrap();
    let user = std::env::var("USER").unwrap_or_else(|_| "root".into());
    let config = folder.join("config");
    let text = format!(
        "Host bench {address}\nHostName {address}\nPort {port}\nUser {user}\nIdentityFile {at}/user\nIdentitiesOnly yes\n\
         StrictHostKeyChecking no\nUserKnownHostsFile /dev/null\nLogLevel ERROR\n",
        address = lab.address()
    );
    std::fs::write(&config, text).unwrap();
    let mut command = lab.there(program);
    command.args(["-D", "-e", "-f"]).arg(folder.join("sshd_config"));
    answering(Service::start(command, port, &folder.join("log"))).map(|service| Ssh { service, config })
}

/// A provider of sendme with one file.
#[derive(Debug)]
pub(crate) struct Sendme {
    /// It.
    pub(crate) service: Service,
    /// What a receiver needs.
    pub(crate) ticket: String,
}

/// Offers a file, which is read for its hashes first.
pub(crate) fn sendme(lab: &Lab, folder: &Path, program: &Path, file: &Path) -> Option<Sendme> {
    let folder = made(folder, "sendme");
    let log = folder.join("log");
    let mut command = lab.there(program);
    command.args(["send", "--relay", "disabled", "--ticket-type", "addresses", "--no-progress"]).arg(file);
    command.current_dir(&folder).stdin(Stdio::null()).stderr(Stdio::null());
    let command = command.stdout(std::fs::File::create(&log).unwrap());
    let mut service = Service { child: command.spawn().ok()?, port: 0 };
    let ticket = until("sendme offers its file", Duration::from_secs(120), || {
        if service.child.try_wait().is_ok_and(|end| end.is_some()) {
            return Some(None);
        }
        let text = std::fs::read_to_string(&log).ok()?;
        let mut words = text.split_whitespace();
        words.find(|word| *word == "receive")?;
        words.next().map(|ticket| Some(ticket.to_owned()))
    });
    if ticket.is_none() {
        eprintln!("without sendme: it does not offer a file");
    }
    ticket.map(|ticket| Sendme { service, ticket })
}

/// Where a program is; says so if it is nowhere.
pub(crate) fn find(program: &str, package: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/usr/local/sbin".into()]);
    let found = folders.map(|folder| folder.join(program)).find(|file| file.is_file());
    if found.is_none() {
        eprintln!("without {program}: it is not installed ({package})");
    }
    found
}

/// A port that was free a moment ago; in a namespace of its own it is free anyway.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port()
}

/// Waits until somebody listens on the port, in whichever namespace the service is.
fn answering(mut service: Service) -> Option<Service> {
    let wanted = format!(":{:04X} ", service.port);
    let pid = service.pid();
    let listens = until("a peer's server listens", Duration::from_secs(10), || {
        if service.child.try_wait().is_ok_and(|end| end.is_some()) {
            return Some(false);
        }
        let table = std::fs::read_to_string(format!("/proc/{pid}/net/tcp")).unwrap_or_default();
        // State 0A is LISTEN (proc(5)).
        table.lines().any(|line| line.contains(&wanted) && line.contains(" 0A ")).then_some(true)
    });
    if !listens {
        eprintln!("a peer's server did not start; its folder says why");
    }
    listens.then_some(service)
}

fn made(folder: &Path, name: &str) -> PathBuf {
    let folder = folder.join(name);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}
