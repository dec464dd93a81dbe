//! Another program was installed in the agent's place: it takes over, with every transfer.
//!
//! Nobody tells the agent of an installation. It looks when a client says hello, which is when a new extension or host comes,
//! and costs nothing in between.

use super::requests::Wanted;
use super::{ConnId, Core, Job, Output, Ticket};
use godwit_protocol::envelope::codes;
use serde_json::json;
use std::time::Duration;

impl Core {
    /// A client has come: is this still the program that is installed?
    pub(super) fn look_for_upgrade(&mut self) {
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        self.try_program(ticket, false);
    }

    /// `ui.restart`
    pub(super) fn restart(&mut self, conn: ConnId, id: u64, deadline: Option<Duration>) {
        if self.closing {
            return self.refuse(conn, id, codes::BUSY, "Godwit is being closed.");
        }
        let ticket = self.wait(conn, id, deadline, Wanted::Window);
        self.try_program(ticket, true);
    }

    fn try_program(&mut self, ticket: Ticket, always: bool) {
        if !self.closing {
            self.out.push(Output::Job(Job::TryProgram { ticket, program: self.program.clone(), always }));
        }
    }

    pub(super) fn program_tried(&mut self, ticket: Ticket, result: Option<Result<String, String>>) {
        let waiting = self.take_waiting(ticket);
        match result {
            Some(Ok(version)) => {
                tracing::info!(version, "the installed program takes over");
                if let Some(waiting) = waiting {
                    self.respond(waiting.conn, waiting.id, json!({}));
                }
                self.shut_down(true);
            }
            Some(Err(why)) => {
                tracing::error!(why, "the installed program is not used");
                if let Some(waiting) = waiting {
                    self.refuse(waiting.conn, waiting.id, codes::INTERNAL, &why);
                }
            }
            None => {}
        }
    }
}
