//! Transfers as the API knows them: those that clients make with this server, written down as they begin and end, and
//! those that this server makes itself as the client of another one ([`Ops`]).

mod far;
mod object;
mod ops;

pub use object::Progress;
pub use ops::{Ops, OpsError, Order};
pub(crate) use ops::{finished, now_usec};
