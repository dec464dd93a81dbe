//! File dialogs that the desktop shows instead of our own window: begun, answered, given up.
//!
//! A prompt keeps its place in the line of questions whoever shows it, and what was chosen goes the one way of all choices.

use super::{ConnId, Core, Output};
use crate::dialog::{self, Outcome};
use crate::prompts::Purpose;
use crate::settings::DialogKind;
use crate::time::Now;
use godwit_protocol::envelope::codes;
use godwit_protocol::page::PageAnswer;
use godwit_protocol::ui::{Decision, Prompt};

impl Core {
    /// Has the desktop ask, if it can and shall; false if a window of ours must.
    pub(super) fn ask_desktop(&mut self, conn: ConnId, prompt: &Prompt) -> bool {
        let Some(client) = self.clients.get(&conn) else { return false };
        if self.settings.now().dialogs.kind == DialogKind::BuiltIn || client.no_dialogs {
            return false;
        }
        // With `native` alone it is tried without a screen too: the reason is told then.
        if !dialog::has_screen(&client.environment) && self.settings.now().dialogs.kind == DialogKind::Auto {
            return false;
        }
        let request = dialog::request(&prompt.question, prompt.origin.as_str(), self.recent_folder.as_deref());
        let Some(request) = request else { return false };
        let prompt_id = prompt.prompt_id.clone();
        self.natives.insert(prompt_id.clone(), conn);
        let environment = client.environment.clone();
        self.out.push(Output::Dialog { prompt_id, request, environment });
        true
    }

    /// A dialog of the desktop has ended.
    pub(super) fn dialog_done(&mut self, prompt_id: &str, outcome: Outcome, now: Now) {
        let Some(conn) = self.natives.remove(prompt_id) else { return };
        let Some(open) = self.prompts.open(conn).filter(|a| a.prompt.prompt_id == prompt_id) else { return };
        let (prompt, purpose) = (open.prompt.clone(), open.purpose.clone());
        let decision = match outcome {
            Outcome::Chosen { paths } => match super::dialogs::judge_choice(&prompt.question, &paths) {
                Ok(()) => Decision::Chosen { paths },
                Err(why) => return self.desktop_failed(conn, &prompt, &purpose, why),
            },
            Outcome::Cancelled => Decision::Cancel,
            Outcome::Unavailable { reason } => return self.desktop_failed(conn, &prompt, &purpose, &reason),
            Outcome::TimedOut => {
                if let Purpose::Dialog(ticket) | Purpose::Folder(ticket) = purpose
                    && let Some(waiting) = self.take_waiting(ticket)
                {
                    self.refuse(waiting.conn, waiting.id, codes::TIMED_OUT, "The file dialog was open too long.");
                }
                return self.close_prompt(conn, prompt_id);
            }
        };
        self.send_prompt_closed(conn, prompt_id);
        self.decided(conn, prompt_id, decision, now);
    }

    /// The desktop could not ask: our own window does, unless the user wants none but the desktop's.
    fn desktop_failed(&mut self, conn: ConnId, prompt: &Prompt, purpose: &Purpose, why: &str) {
        tracing::warn!(why, "the desktop shows no file dialog");
        if self.settings.now().dialogs.kind == DialogKind::Native {
            if let Purpose::Dialog(ticket) | Purpose::Folder(ticket) = *purpose
                && let Some(waiting) = self.take_waiting(ticket)
            {
                let words = "The desktop shows no file dialog, and the settings allow no other.";
                self.answer(waiting.conn, waiting.id, &PageAnswer::error(501, "no file dialog", words));
            }
            return self.close_prompt(conn, &prompt.prompt_id);
        }
        if let Some(client) = self.clients.get_mut(&conn) {
            client.no_dialogs = true;
        }
        self.send_prompt(conn, prompt);
    }

    /// Closes the dialogs of prompts that are over: answered elsewhere, given up by their page, or their client gone.
    pub(super) fn close_stale_dialogs(&mut self) {
        let (prompts, out) = (&self.prompts, &mut self.out);
        self.natives.retain(|id, conn| {
            let open = prompts.open(*conn).is_some_and(|a| a.prompt.prompt_id == *id);
            if !open {
                out.push(Output::CloseDialog(id.clone()));
            }
            open
        });
    }
}
