//! godwit-server: the transfer server.
//!
//! **Purpose.** Decides who may move what, and where on the disk that is; listens on the data, API and HTTP ports. The
//! bytes themselves are moved by [`godwit_transport`].
//!
//! **Must not know:** browsers, pages, agents and their queues.
//!
//! Start reading at [`serve`]; who may do what is in [`access`].

pub mod access;
pub mod args;
pub mod backoff;
pub mod certificate;
pub mod config;
pub mod http;
pub mod listen;
pub mod password;
pub mod port_answer;
pub mod rates;
pub mod serve;
pub mod state;
pub mod token;
