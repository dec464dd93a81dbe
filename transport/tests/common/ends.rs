//! The same test in both directions: sources on one side, targets on the other.

use super::Server;
use godwit_protocol::spec::Direction;
use godwit_protocol::worker::Start;
use std::path::PathBuf;

/// A server with its folder, and a local one.
pub struct Ends {
    pub temp: tempfile::TempDir,
    pub server: Server,
    pub direction: Direction,
}

impl Ends {
    pub fn both() -> [Self; 2] {
        [Direction::Send, Direction::Receive].map(|direction| {
            let temp = tempfile::tempdir().unwrap();
            for folder in ["docroot", "local"] {
                std::fs::create_dir(temp.path().join(folder)).unwrap();
            }
            let server = Server::start(&temp.path().join("docroot"));
            Self { temp, server, direction }
        })
    }

    pub fn source(&self, name: &str) -> PathBuf {
        let folder = if self.direction == Direction::Send { "local" } else { "docroot" };
        self.temp.path().join(folder).join(name)
    }

    pub fn target(&self) -> PathBuf {
        self.temp.path().join(if self.direction == Direction::Send { "docroot" } else { "local" })
    }

    pub fn job(&self, names: &[&str]) -> Start {
        let local = self.temp.path().join("local");
        match self.direction {
            Direction::Send => {
                let sources: Vec<_> = names.iter().map(|n| local.join(n).to_str().unwrap().to_owned()).collect();
                self.server.job(Direction::Send, &sources.iter().map(String::as_str).collect::<Vec<_>>(), "")
            }
            Direction::Receive => self.server.job(Direction::Receive, names, local.to_str().unwrap()),
        }
    }
}
