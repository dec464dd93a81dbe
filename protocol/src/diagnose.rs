//! The test of a server that a person starts in Diagnostics: does it answer, and over what.
//!
//! As with [`crate::ui`], no page reaches this. Nobody logs in: the test ends when the server has shown its certificate.

use crate::ErrorCode;
use serde::{Deserialize, Serialize};

/// Request kinds.
pub mod kinds {
    /// Params [`super::TestServer`]; result [`super::ServerTest`]. A host that is none ends with `bad-request`, more than a few
    /// at once with `busy`. Takes up to half a minute.
    pub const TEST_SERVER: &str = "ui.test-server";
}

/// Port of data and control where none is given.
pub const DEFAULT_PORT: u16 = 33001;

const fn default_port() -> u16 {
    DEFAULT_PORT
}

/// Params of `ui.test-server`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TestServer {
    /// Name or address, IPv6 with or without brackets.
    pub host: String,
    /// UDP.
    #[serde(default = "default_port")]
    pub data_port: u16,
    /// TCP.
    #[serde(default = "default_port")]
    pub tcp_port: u16,
}

/// What was found out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ServerTest {
    /// Control and fallback.
    pub tcp: PortTest,
    /// Data.
    pub udp: PortTest,
    /// Of the certificate that the server showed over UDP.
    pub fingerprint: Option<String>,
}

/// What was found out about one port.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PortTest {
    /// Somebody answered.
    pub reached: bool,
    /// Time until the answer, milliseconds; absent where it says nothing about the line.
    pub ms: Option<u64>,
    /// Why not, as transfers would report it.
    pub code: Option<ErrorCode>,
    /// The same in words.
    pub message: String,
}
