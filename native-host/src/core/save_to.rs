//! "Always ask where to save": each download that a page starts waits for the user's choice of a folder.

use super::clients::no_window;
use super::requests::{Stage, Wanted};
use super::{ConnId, Core, Ticket};
use crate::prompts::Purpose;
use godwit_protocol::Origin;
use godwit_protocol::page::{Endpoint, PageAnswer};
use godwit_protocol::spec::Direction;
use godwit_protocol::start::StartRequest;
use godwit_protocol::ui::{Decision, PickerOptions, Question};
use std::path::PathBuf;
use std::time::Duration;

impl Core {
    /// True if the user wants to say where this one goes. One with an absolute target was chosen in a dialog already.
    pub(super) fn asks_where(&self, request: &StartRequest) -> bool {
        self.settings.now().downloads.always_ask
            && request.spec.direction == Direction::Receive
            && !request.settings.use_absolute_destination_path
            && request.settings.allow_dialogs
    }

    pub(super) fn ask_where(
        &mut self,
        conn: ConnId,
        id: u64,
        origin: Origin,
        request: &StartRequest,
        body: String,
        deadline: Option<Duration>,
    ) {
        let Some(window) = self.window_of(conn) else {
            return self.answer(conn, id, &no_window());
        };
        if self.asks_too_much(window, &origin) {
            let answer = PageAnswer::error(429, "too many dialogs", "A file dialog of this site is open already.");
            return self.answer(conn, id, &answer);
        }
        let first = request.spec.paths.first().map(|p| p.source.as_str()).unwrap_or_default();
        let title = first.trim_end_matches('/').rsplit('/').next().unwrap_or_default().to_owned();
        let question = Question::OpenFolders(PickerOptions { title, ..PickerOptions::default() });
        let endpoint = Endpoint::Start;
        let wanted = Wanted::Page { origin: origin.clone(), endpoint, body, stage: Stage::Disk };
        let ticket = self.wait(conn, id, deadline, wanted);
        let prompt_id = self.ask(window, &origin, question, Purpose::Folder(ticket));
        if let Some(Wanted::Page { stage, .. }) = self.waiting.get_mut(&ticket).map(|w| &mut w.what) {
            *stage = Stage::Dialog { prompt_id };
        }
    }

    /// The user chose, or did not want the download after all.
    pub(super) fn folder_decided(&mut self, ticket: Ticket, decision: &Decision) {
        let Some(waiting) = self.take_waiting(ticket) else { return };
        let (conn, id) = (waiting.conn, waiting.id);
        let Wanted::Page { origin, body, .. } = waiting.what else { return };
        let folder = match decision {
            Decision::Chosen { paths } => paths.first().map(PathBuf::from),
            _ => None,
        };
        let Some(folder) = folder else {
            let answer = PageAnswer::error(403, "cancelled by the user", "You cancelled the download.");
            return self.answer(conn, id, &answer);
        };
        match StartRequest::from_body(&body) {
            Ok(request) => {
                self.recent_folder = Some(folder.clone());
                self.plan_start(conn, id, origin, Box::new(request), folder, waiting.deadline);
            }
            Err(error) => self.answer(conn, id, &super::page_calls::bad_body(&error)),
        }
    }
}
