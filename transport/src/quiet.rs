//! Sources that change while they are read: how that is seen, and when one is quiet enough to be tried again.
//!
//! A file counts as unchanged while its size, times, device and inode are those that were announced; the time of the
//! last change (`ctime`) cannot be set back by a program that restores `mtime`. A file system notes times in steps, so a
//! write in the same step as the one before leaves no trace. Therefore nothing is read before the clock has left the
//! step of the last known change: whatever is written from then on shows.
//!
//! What no time shows: a program that writes through a memory mapping whose pages it has touched before, and one single
//! in-place `write` call that began before the file was announced and is still going on.

use crate::book::Slot;
use crate::failure::disk;
use crate::meter::Meter;
use crate::read::Reader;
use crate::root::{Kind, Metadata};
use godwit_protocol::ErrorCode;
use godwit_protocol::worker::Failure;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Steps of local file systems follow the kernel's tick, at most 10 ms.
const STEP: Duration = Duration::from_millis(20);
/// Times without a fraction come from a file system that notes seconds, or pairs of them.
const COARSE_STEP: Duration = Duration::from_secs(2);
/// How often a file is sent again before it is given up.
const MOST_CHANGES: u8 = 5;
/// A file must look the same for so long before it is sent again; twice as long each time.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
/// A file that never is quiet is tried all the same after so long.
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// Waits, where blocking is allowed, until any further change of a file will show in its times.
pub(crate) fn leave_step(seen: &Metadata) {
    let step = if seen.ctime_ns % 1_000_000_000 == 0 { COARSE_STEP } else { STEP };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let changed = Duration::from_nanos(u64::try_from(seen.ctime_ns).unwrap_or(0));
    // A time from the future is another machine's clock; waiting for it would tell nothing.
    if let Some(age) = now.checked_sub(changed).filter(|age| *age < step) {
        std::thread::sleep(step - age);
    }
}

/// Waits until a source that changed is quiet for a moment, and tells what it is then. An error if it changed too
/// often, is gone, or is no file any more.
pub(crate) async fn quiet(reader: &Arc<Reader>, slot: &Arc<Slot>, meter: &Meter) -> Result<Metadata, Failure> {
    let path = &slot.path;
    if slot.changes >= MOST_CHANGES {
        let words = format!("{path} keeps changing while it is sent; send it again when no program writes to it");
        return Err(Failure::new(ErrorCode::DiskRead, words));
    }
    let pause = FIRST_PAUSE * 2u32.pow(u32::from(slot.changes));
    let begin = Instant::now();
    let mut before = None;
    loop {
        let (reader, entry) = (reader.clone(), slot.clone());
        let now = tokio::task::spawn_blocking(move || reader.by_name(&entry))
            .await
            .map_err(|_| Failure::new(ErrorCode::Internal, "reading broke"))?
            .map_err(|e| disk(&e, false, path.as_str()))?;
        meter.worked();
        if now.kind != Kind::File {
            return Err(Failure::new(ErrorCode::NotRegular, path.as_str()));
        }
        if before.replace(now) == Some(now) || begin.elapsed() > LONGEST_WAIT {
            return Ok(now);
        }
        tokio::time::sleep(pause).await;
    }
}
