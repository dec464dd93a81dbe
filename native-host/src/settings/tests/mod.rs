//! Settings as administrators see them.

#![allow(clippy::unwrap_used)]

mod browsers;
mod schema;
