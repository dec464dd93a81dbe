//! Who takes part, and with which commands. Every peer gets what its manual recommends for the line, so that nobody is
//! beaten for a setting.

use crate::lab::Lab;
use crate::servers::{self, Godwit, PASSWORD, Sendme, Service, Ssh, USER};
use godwit_tests::binaries;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The two ends with their folders and servers.
#[derive(Debug)]
pub(crate) struct Field {
    /// Where the ends are.
    pub(crate) lab: Lab,
    /// Everything below is removed at the end.
    pub(crate) folder: PathBuf,
    /// What the client sends.
    pub(crate) here: PathBuf,
    /// What the servers have; `up` in it takes uploads.
    pub(crate) docroot: PathBuf,
    /// Where downloads go.
    pub(crate) out: PathBuf,
    /// Its own.
    pub(crate) godwit: Godwit,
    /// The peers'.
    pub(crate) peers: Peers,
}

/// The peers' servers, as far as there are any.
#[derive(Debug, Default)]
pub(crate) struct Peers {
    /// For curl and aria2.
    pub(crate) nginx: Option<Service>,
    /// For rsync.
    pub(crate) rsync: Option<Service>,
    /// For scp and qcp.
    pub(crate) ssh: Option<Ssh>,
    /// For sendme; started by whoever wants it, when its file is there.
    pub(crate) sendme: Option<Sendme>,
}

impl Field {
    /// Starts the servers; the peers' only if wanted.
    pub(crate) fn open(lab: Lab, folder: &Path, with_peers: bool) -> Self {
        let folder = folder.to_owned();
        let _ = std::fs::remove_dir_all(&folder);
        let made = |name: &str| {
            let path = folder.join(name);
            std::fs::create_dir_all(&path).unwrap();
            path
        };
        let (here, docroot, out) = (made("here"), made("docroot"), made("out"));
        let godwit = Godwit::start(&lab, &folder, &docroot, "");
        let peers = if with_peers {
            Peers {
                nginx: servers::nginx(&lab, &folder, &docroot),
                rsync: servers::rsync(&lab, &folder, &docroot),
                ssh: servers::ssh(&lab, &folder),
                sendme: None,
            }
        } else {
            Peers::default()
        };
        Self { lab, folder, here, docroot, out, godwit, peers }
    }

    /// A file or tree of the client, put among the servers' too without taking space twice.
    pub(crate) fn share(&self, name: &str) {
        let status = Command::new("cp").args(["-rl"]).arg(self.here.join(name)).arg(self.docroot.join(name)).status();
        assert!(status.is_ok_and(|s| s.success()), "cp -rl");
    }

    /// Processes whose work counts beside the client's.
    pub(crate) fn servers(&self) -> Vec<u32> {
        let peers = &self.peers;
        let all = [Some(&self.godwit.service), peers.nginx.as_ref(), peers.rsync.as_ref()];
        let all = all.into_iter().flatten().chain(peers.ssh.as_ref().map(|ssh| &ssh.service));
        let all = all.chain(peers.sendme.as_ref().map(|sendme| &sendme.service));
        all.map(Service::pid).collect()
    }

    /// Offers a file to sendme's receivers.
    pub(crate) fn offer(&mut self, item: &str) {
        if let Some(tool) = tool("sendme") {
            self.peers.sendme = servers::sendme(&self.lab, &self.folder, &tool, &self.here.join(item));
        }
    }
}

impl Drop for Field {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Cargo's target folder: this program lies in a profile's folder of it.
pub(crate) fn target() -> PathBuf {
    let own = std::env::current_exe().expect("the program knows its own path");
    own.ancestors().nth(2).expect("the program lies in target/PROFILE").to_owned()
}

/// A peer that comes as source: in `$GODWIT_TOOLS`, `target/tools`, or installed.
fn tool(name: &str) -> Option<PathBuf> {
    let own = std::env::var_os("GODWIT_TOOLS").map(PathBuf::from).into_iter().chain([target().join("tools/bin")]);
    let found = own.map(|folder| folder.join(name)).find(|file| file.is_file());
    found.or_else(|| servers::find(name, "cargo install, into target/tools"))
}

/// A program and how it is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Program {
    /// `godwit cp` with a target in Mbit/s or without.
    Godwit {
        /// Target.
        rate: Option<u32>,
        /// `--no-fsync`.
        no_fsync: bool,
    },
    /// From nginx over TLS 1.3.
    Curl,
    /// From nginx over TLS 1.3 with 16 connections.
    Aria2,
    /// With a daemon, not encrypted.
    Rsync,
    /// With sshd.
    Scp,
    /// From a provider that has read the file before; encrypted and verified.
    Sendme,
    /// Within this machine, then the sum of the copy where wanted.
    Cp {
        /// `sha256sum` of the copy.
        sum: bool,
    },
    /// With sshd for the start; told the line's rate and round trip.
    Qcp {
        /// Mbit/s.
        rate: u32,
        /// Milliseconds.
        round_trip: u32,
    },
}

/// Who takes part.
#[derive(Clone, Debug)]
pub(crate) struct Contestant {
    /// As in the tables.
    pub(crate) name: String,
    /// What runs.
    pub(crate) program: Program,
    /// From the client to the server.
    pub(crate) up: bool,
    /// Of TCP.
    pub(crate) congestion: &'static str,
    /// Afterwards it waits for the disk.
    pub(crate) sync: bool,
}

impl Contestant {
    /// One of ours.
    pub(crate) fn godwit(rate: Option<u32>, up: bool, no_fsync: bool) -> Self {
        let name = ["Godwit", if up { ", up" } else { ", down" }];
        let options = [if rate.is_some() { ", target" } else { "" }, if no_fsync { ", no fsync" } else { "" }];
        let program = Program::Godwit { rate, no_fsync };
        Self { name: [name, options].concat().concat(), program, up, congestion: "bbr", sync: false }
    }

    /// A peer.
    pub(crate) fn peer(name: &str, program: Program, up: bool, congestion: &'static str) -> Self {
        let name = format!("{name}, {}", if up { "up" } else { "down" });
        Self { name, program, up, congestion, sync: false }
    }

    /// The same with a wait for the disk.
    pub(crate) fn and_sync(self) -> Self {
        Self { name: self.name + ", then sync", sync: true, ..self }
    }

    /// The folder into which it copies.
    pub(crate) fn target(&self, field: &Field) -> PathBuf {
        if self.up { field.docroot.join("up") } else { field.out.clone() }
    }

    /// Its commands to copy `item`, a file or a tree; `None` if it, or its server, is not there.
    pub(crate) fn commands(&self, field: &Field, item: &str) -> Option<Vec<Command>> {
        let mut all = match self.program {
            Program::Godwit { rate, no_fsync } => vec![self.our_command(field, item, rate, no_fsync)],
            Program::Cp { sum } => self.local(field, item, sum),
            _ => vec![self.peer_command(field, item)?],
        };
        if self.sync {
            all.push(Command::new("sync"));
        }
        Some(all)
    }

    fn our_command(&self, field: &Field, item: &str, rate: Option<u32>, no_fsync: bool) -> Command {
        let mut command = godwit(field, &field.godwit);
        if let Some(rate) = rate {
            command.args(["--rate", &format!("{rate}m")]);
        }
        if no_fsync {
            command.arg("--no-fsync");
        }
        let address = field.lab.address();
        if self.up {
            command.arg(field.here.join(item)).arg(format!("{USER}@{address}:/up/"));
        } else {
            command.arg(format!("{USER}@{address}:/{item}")).arg(field.out.join(""));
        }
        command
    }

    fn local(&self, field: &Field, item: &str, sum: bool) -> Vec<Command> {
        let mut copy = Command::new("cp");
        copy.arg("-r").arg(field.here.join(item)).arg(self.target(field));
        let mut read = Command::new("sha256sum");
        read.arg(self.target(field).join(item));
        if sum { vec![copy, read] } else { vec![copy] }
    }

    fn peer_command(&self, field: &Field, item: &str) -> Option<Command> {
        let address = field.lab.address();
        let peers = &field.peers;
        match self.program {
            Program::Godwit { .. } | Program::Cp { .. } => None,
            Program::Curl => {
                let url = format!("https://{address}:{}/{item}", peers.nginx.as_ref()?.port);
                let mut command = field.lab.here(servers::find("curl", "curl")?);
                command.args(["--insecure", "--silent", "--show-error", "--fail", "--output"]);
                command.arg(field.out.join(item)).arg(url);
                Some(command)
            }
            Program::Aria2 => {
                let url = format!("https://{address}:{}/{item}", peers.nginx.as_ref()?.port);
                let mut command = field.lab.here(servers::find("aria2c", "aria2")?);
                command.args(["-x16", "-s16", "-k1M", "--file-allocation=none", "--check-certificate=false", "-q"]);
                command.arg("-d").arg(&field.out).args(["-o", item, &url]);
                Some(command)
            }
            Program::Rsync => {
                let files = format!("rsync://{address}:{}/files/", peers.rsync.as_ref()?.port);
                let mut command = field.lab.here(servers::find("rsync", "rsync")?);
                command.arg("-r");
                if self.up {
                    command.arg(field.here.join(item)).arg(files + "up/");
                } else {
                    command.arg(files + item).arg(field.out.join(""));
                }
                Some(command)
            }
            Program::Scp => {
                let mut command = field.lab.here(servers::find("scp", "openssh-client")?);
                command.args(["-q", "-r", "-F"]).arg(&peers.ssh.as_ref()?.config);
                Some(self.over_ssh(field, command, item))
            }
            Program::Qcp { rate, round_trip } => {
                let tool = tool("qcp")?;
                let config = &peers.ssh.as_ref()?.config;
                let mut command = field.lab.here(&tool);
                command.args(["-q", "-r", "--color", "never", "--rx", &format!("{}k", rate * 125)]);
                command.args(["--tx", &format!("{}k", rate * 125), "--rtt", &round_trip.max(1).to_string()]);
                command.arg("--remote-qcp-binary").arg(&tool).args(["-S", "-F", "-S"]).arg(config);
                command.arg("--ssh-config").arg(config);
                Some(self.over_ssh(field, command, item))
            }
            Program::Sendme => {
                let mut command = field.lab.here(tool("sendme")?);
                command.args(["receive", "--relay", "disabled", "--no-progress"]).arg(&peers.sendme.as_ref()?.ticket);
                command.current_dir(&field.out);
                Some(command)
            }
        }
    }

    fn over_ssh(&self, field: &Field, mut command: Command, item: &str) -> Command {
        let there = |path: PathBuf| format!("bench:{}", path.display());
        if self.up {
            command.arg(field.here.join(item)).arg(there(field.docroot.join("up/")));
        } else {
            command.arg(there(field.docroot.join(item))).arg(field.out.join(""));
        }
        command
    }
}

/// `godwit cp` to one of our servers, up to the paths.
pub(crate) fn godwit(field: &Field, server: &Godwit) -> Command {
    let mut command = field.lab.here(binaries::path("godwit"));
    command.env("GODWIT_HOME", field.folder.join("home")).env("GODWIT_PASSWORD", PASSWORD).env_remove("RUST_LOG");
    command.arg("cp").args(["--data-port", &server.service.port.to_string(), "--fingerprint", &server.fingerprint]);
    command
}
