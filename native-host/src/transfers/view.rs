//! Transfers as the extension's windows and the command line show them.

use super::Transfer;
use crate::history::sample;
use crate::queue::{Place, TransferId};
use godwit_protocol::monitor::Live;
use godwit_protocol::ui::{Shortage, TransferStatus, TransferView};
use godwit_protocol::worker::Stats;

/// The view of one transfer.
#[must_use]
pub fn transfer_view(id: &TransferId, transfer: &Transfer, place: &Place) -> TransferView {
    let (order, standing) = (&transfer.order, &transfer.standing);
    let stats = &standing.stats;
    let rate = if place.status == TransferStatus::Running { stats.rate_kbps } else { 0 };
    let left = stats.bytes_expected.saturating_sub(stats.bytes_written);
    let known = stats.scan_complete && rate > 0;
    TransferView {
        uuid: id.as_str().into(),
        title: order.title.clone(),
        direction: order.spec.direction,
        origin: order.origin.clone(),
        remote_host: order.spec.remote_host.clone(),
        status: place.status,
        bytes_expected: stats.bytes_expected,
        bytes_written: stats.bytes_written,
        rate_kbps: rate,
        seconds_left: known.then(|| (left / 125).div_ceil(rate.max(1))),
        files_expected: stats.files_expected,
        files_completed: stats.files_completed,
        files_failed: stats.files_failed,
        current_file: stats.current_file.clone(),
        folder: order.work.folder.as_ref().map(|f| f.to_string_lossy().into_owned()),
        error: standing.error.clone(),
        attempts: place.attempts,
        added_ms: order.added_ms,
        queue_order: (place.status == TransferStatus::Queued).then_some(place.order),
        live: (place.status == TransferStatus::Running).then(|| Live {
            sample: sample(standing),
            connections: stats.connections,
            limits_version: transfer.limits_version,
        }),
        shortage: (place.status == TransferStatus::Running).then(|| shortage(stats)).flatten(),
        unlocked: standing.unlocked.clone(),
        unlocking: transfer.unlocking,
    }
}

/// What the disk lacks for the rest of a download; also if less than a twentieth of it is free.
#[must_use]
pub fn shortage(stats: &Stats) -> Option<Shortage> {
    let disk = stats.disk?;
    let needed = stats.bytes_expected.saturating_sub(stats.bytes_written);
    let short = needed > disk.free || disk.free < disk.size / 20;
    (needed > 0 && short).then_some(Shortage { needed, free: disk.free })
}

#[cfg(test)]
mod tests {
    use super::*;
    use godwit_protocol::worker::Disk;

    #[test]
    fn a_download_that_does_not_fit_or_fills_a_full_disk_is_told_and_others_are_not() {
        let of = |expected, written, free, size| {
            let disk = Some(Disk { free, size });
            let stats = Stats { bytes_expected: expected, bytes_written: written, disk, ..Stats::default() };
            shortage(&stats).map(|s| (s.needed, s.free))
        };
        assert_eq!(of(100, 0, 1_000, 2_000), None);
        assert_eq!(of(1_100, 0, 1_000, 2_000), Some((1_100, 1_000)));
        assert_eq!(of(1_100, 200, 1_000, 2_000), None, "what has arrived needs no room");
        assert_eq!(of(1, 0, 99, 2_000), Some((1, 99)), "under five percent");
        assert_eq!(of(100, 100, 0, 2_000), None, "everything is there");
        assert_eq!(shortage(&Stats { bytes_expected: 9, ..Stats::default() }), None, "unknown");
    }
}
