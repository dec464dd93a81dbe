//! A start that a page sends again. What was not answered when a connection was lost is repeated by the vendor's SDK, although it
//! may have been done: the request id, made anew for each start, tells a repetition from a second wish.

use super::Core;
use crate::transfers::TransferOutput;
use godwit_protocol::Origin;
use godwit_protocol::page::PageAnswer;
use godwit_protocol::start::{ConnectSettings, StartRequest};
use serde_json::json;

impl Core {
    /// The answer to a start that was accepted before, whatever has become of its transfer since.
    pub(super) fn started_before(&self, origin: &Origin, settings: &ConnectSettings) -> Option<TransferOutput> {
        let (app_id, request_id) = (&settings.app_id, &settings.request_id);
        // Some pages write a constant here. Only what cannot be there twice by chance tells two starts apart.
        if uuid::Uuid::try_parse(request_id).map_or(true, |id| id.is_nil()) {
            return None;
        }
        let same = |s: &ConnectSettings| s.request_id == *request_id;
        let listed = self.transfers.iter().find(|(_, t)| same(&t.order.settings) && t.belongs_to(origin, app_id));
        if let Some((id, _)) = listed {
            return self.output(id);
        }
        let buried = |t: &crate::transfers::Tombstone| same(&t.settings) && t.origin == *origin && t.app_id == *app_id;
        let gone = self.tombstones.iter().find(|(_, t)| buried(t));
        gone.map(|(id, tombstone)| TransferOutput::removed(id, tombstone))
    }

    /// The same for a body that nobody has read yet.
    pub(super) fn answered_before(&self, origin: &Origin, body: &str) -> Option<PageAnswer> {
        let request = StartRequest::from_body(body).ok()?;
        self.started_before(origin, &request.settings).map(accepted)
    }
}

/// What a page hears of a start that was accepted.
pub(super) fn accepted(output: TransferOutput) -> PageAnswer {
    PageAnswer::ok(&json!({"transfer_specs": [output]}))
}
