//! The harness of the process-level tests: it runs the binaries a user would run and plays the user, the browser, the
//! network and the misfortune.
//!
//! **Purpose.** One test in `tests/tests/` is one promise, kept by real processes. What they need in common is here:
//! a throw-away home ([`Scratch`]), a server that can be killed and come back on its ports ([`Server`]), a browser that
//! speaks native-messaging frames to a spawned `godwit-host` and answers prompts as a user would ([`Browserish`]), a
//! network that counts every datagram and harms some ([`Relay`]), trees of files and their comparison ([`tree`]).
//!
//! **Must not know:** the insides of any room. Everything goes through the documented boundaries: command lines,
//! frames, the page API, `/proc`, files. A fault here fails a test, so the harness panics freely.
//!
//! Nothing sleeps to wait for something: [`wait::until`] polls a condition and has a deadline.

#![allow(clippy::unwrap_used)]

pub mod binaries;
pub mod browserish;
pub mod fake;
pub mod host_pipe;
pub mod http;
pub mod many;
pub mod namespaces;
pub mod page;
pub mod power;
pub mod processes;
pub mod relay;
pub mod scratch;
pub mod server;
pub mod small_disk;
pub mod soak;
pub mod tree;
pub mod wait;
pub mod worker_pipe;

pub use browserish::{Browserish, User};
pub use host_pipe::HostPipe;
pub use http::Http;
pub use page::Page;
pub use power::PowerDisk;
pub use relay::Relay;
pub use scratch::Scratch;
pub use server::{Server, ServerOptions};
pub use small_disk::SmallDisk;
pub use wait::until;
pub use worker_pipe::WorkerPipe;
