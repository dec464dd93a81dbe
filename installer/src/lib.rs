//! Putting Godwit on a machine, and taking it away again.
//!
//! **Purpose.** From a release (a folder with programs and extensions) to a working button in the browser, per user
//! without root or for the whole machine, and back without a trace.
//!
//! **Promises.** An interrupted installation leaves the old version or the new one working, never half of each: the
//! release is copied beside the old one, and one rename of a link makes it the current one. Everything made is written
//! down first ([`receipt`]), so that it can be removed after a kill at any moment. What is not ours is never touched: a
//! host manifest that does not name our host, a file that somebody changed, a folder in which others put something.
//! No link is followed below the folders of this room.
//!
//! **How.** [`plan`] decides from what is there ([`look`]) and is pure; [`apply`] does what it says.
//!
//! **Must not know:** queues, transfers, what a page may ask.

pub mod apply;
pub mod args;
pub mod browsers;
pub mod desktop;
pub mod doctor;
pub mod look;
pub mod manifest;
pub mod place;
pub mod plan;
pub mod policy;
pub mod receipt;
pub mod setup;
pub mod systemd;
mod wanted;
