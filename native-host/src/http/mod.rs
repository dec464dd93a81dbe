//! The local HTTP door: the page API at `http://127.0.0.1:33003/v5/connect/…` for pages whose browser lacks the extension
//! and for programs that look for it there (reference, part 2).
//!
//! Off unless the user switched it on. Every call becomes a `page` request of a client of its own on the same core as
//! everything that comes through a browser: same consent, same rights, same answers. **Must not know** any endpoint.
//!
//! Whoever runs on this machine can reach the port, and so can every web page. [`rules`] says who is heard: only the same
//! user's programs ([`peer`]), only under the names of this machine (a name that a hostile server points at 127.0.0.1 is
//! another), only with an origin. A browser states a page's origin truthfully; programs can lie, but those that get here
//! belong to the user.

mod connection;
mod peer;
mod rules;

pub(crate) use connection::start;

use crate::home::Home;
use crate::settings::replace_file;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use tokio::net::{TcpListener, TcpStream};

/// Ports that the vendor's SDK looks at, in this order.
const PORTS: std::ops::RangeInclusive<u16> = 33_003..=33_022;
/// Connections at once: a page uses six at most.
pub(crate) const MAX_CONNECTIONS: usize = 64;

/// The open door; it closes when dropped, and takes its sign down.
#[derive(Debug)]
pub(crate) struct Door {
    listener: TcpListener,
    port: u16,
    sign: PathBuf,
}

impl Door {
    /// Opens it on the first free port and says so in the file where programs look.
    pub(crate) async fn open(home: &Home) -> io::Result<Self> {
        let mut last = io::Error::from(io::ErrorKind::AddrInUse);
        for port in PORTS {
            match TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await {
                Ok(listener) => {
                    let door = Self { listener, port, sign: home.http_uri() };
                    tracing::info!(port, "the local HTTP API is open");
                    door.put_up_sign();
                    return Ok(door);
                }
                Err(error) => last = error,
            }
        }
        Err(io::Error::new(last.kind(), format!("no port of {PORTS:?} can be used: {last}")))
    }

    /// Its port.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// The next connection, whosever it is: [`start`] looks.
    pub(crate) async fn accept(&self) -> io::Result<TcpStream> {
        Ok(self.listener.accept().await?.0)
    }

    fn uri(&self) -> String {
        format!("http://127.0.0.1:{}\n", self.port)
    }

    /// Another product's sign is left alone while that product answers.
    fn put_up_sign(&self) {
        if is_served(&self.sign) {
            return tracing::warn!(file = %self.sign.display(), "another program announces its HTTP API there");
        }
        if let Err(error) = replace_file(&self.sign, self.uri().as_bytes()) {
            tracing::warn!(file = %self.sign.display(), %error, "the address of the HTTP API could not be written");
        }
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        if std::fs::read_to_string(&self.sign).is_ok_and(|text| text == self.uri()) {
            drop(std::fs::remove_file(&self.sign));
        }
        tracing::info!(port = self.port, "the local HTTP API is closed");
    }
}

/// True if somebody listens at the address that the file names.
fn is_served(sign: &Path) -> bool {
    let text = std::fs::read_to_string(sign).unwrap_or_default();
    let address = text.lines().next().and_then(|line| line.trim().strip_prefix("http://")?.parse::<SocketAddr>().ok());
    let limit = std::time::Duration::from_millis(200);
    address.is_some_and(|address| {
        address.ip().is_loopback() && std::net::TcpStream::connect_timeout(&address, limit).is_ok()
    })
}
