//! Transfers as the extension's windows and the command line show them.

use super::Transfer;
use crate::history::sample;
use crate::queue::{Place, TransferId};
use godwit_protocol::monitor::Live;
use godwit_protocol::ui::{TransferStatus, TransferView};

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
    }
}
