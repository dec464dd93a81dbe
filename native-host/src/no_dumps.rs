//! No picture of a process that held passwords ends on the disk.

use rustix::process::{Resource, Rlimit, setrlimit};

/// Forbids core dumps of this process and of those it starts.
///
/// The limit is 1 and not 0: a file of one byte is none, and where the kernel pipes dumps into a program, 1 is the value that
/// it takes as "no dump" (`do_coredump` in Linux), while it ignores 0.
pub fn forbid() {
    let limit = Rlimit { current: Some(1), maximum: Some(1) };
    // Fails only if the limit is smaller already.
    let _ = setrlimit(Resource::Core, limit);
}
