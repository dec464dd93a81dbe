//! Every message that crosses a boundary of Godwit, the transfer spec, and the rules for trust and paths.
//!
//! **Purpose.** One place says what a page, the extension, the host, the agent, a worker and a server may tell each
//! other, and parses it. The same code runs natively and as WebAssembly, so both sides agree by construction.
//!
//! **Must not know:** files, sockets, clocks, randomness, async, or any other room. Time and identifiers come in as
//! parameters. Whatever these parsers read is hostile; nothing in here panics on input.

pub mod bodies;
pub mod diagnose;
pub mod dialog;
pub mod envelope;
pub mod error_code;
pub mod frame;
#[doc(hidden)]
pub mod fuzz;
pub mod json;
pub mod monitor;
pub mod origin;
pub mod page;
pub mod path;
pub mod prefs;
pub mod rate;
pub mod secret;
pub mod share;
pub mod spec;
pub mod start;
pub mod trust;
pub mod ui;
pub mod wire;
pub mod worker;

pub use error_code::ErrorCode;
pub use origin::{HostPattern, Origin};
pub use path::RelPath;
pub use rate::RateKbps;
pub use secret::Secret;
pub use spec::TransferSpec;
