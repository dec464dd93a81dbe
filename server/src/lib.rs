//! godwit-server: the transfer server.
//!
//! **Purpose.** Decides who may move what, and where on the disk that is; listens on the data, API and HTTP ports. The
//! bytes themselves are moved by [`godwit_transport`].
//!
//! **Must not know:** browsers, pages, agents and their queues.
//!
//! Start reading at [`serve`]; who comes in is in [`access`], who exists in [`directory`], what may be reached in
//! [`storage`], what is remembered in [`catalogue`], and the HTTP API in [`api`]. The web application's files are in `web/`; they
//! reach browsers through [`web_files`].

pub mod access;
pub mod account;
pub mod admin;
pub mod api;
pub mod args;
pub mod backoff;
pub mod bearer;
pub mod catalogue;
pub mod certificate;
pub mod config;
pub mod directory;
pub mod http;
pub mod listen;
pub mod log;
pub mod metrics;
pub mod node_path;
pub mod paced;
pub mod password;
pub mod port_answer;
pub mod quota;
mod random_word;
pub mod rates;
pub mod reload;
pub mod rights;
pub mod serve;
pub mod sessions;
pub mod state;
pub mod storage;
pub mod token;
pub mod transfers;
pub mod verified;
pub mod web_config;
pub mod web_files;
