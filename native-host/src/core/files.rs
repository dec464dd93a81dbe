//! Page calls about files of this machine: read, summed, dropped on a page. The user's grants decide, where the disk is asked.

use super::requests::{Stage, Wanted};
use super::{ConnId, Core, Job, Output, Ticket};
use crate::dialog_file::mime;
use crate::grants::Grant;
use crate::limits::MAX_READING;
use crate::reading::{self, ReadingError};
use base64::Engine;
use godwit_protocol::Origin;
use godwit_protocol::bodies::{Checksum, ReadFile};
use godwit_protocol::page::{Endpoint, PageAnswer};
use godwit_protocol::start::parse_body;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// A checksum of a large file on a slow disk takes its time.
pub(crate) const SUM_LIMIT: Duration = Duration::from_secs(600);

/// What is wanted of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileWish {
    /// Its bytes.
    Read(ReadFile),
    /// Its checksum.
    Sum(Checksum),
}

impl Core {
    pub(super) fn file_call(
        &mut self,
        conn: ConnId,
        id: u64,
        origin: Origin,
        endpoint: Endpoint,
        body: &str,
        deadline: Option<Duration>,
    ) {
        let wish = parse_body(body).map_err(|e| super::page_calls::bad_body(&e)).and_then(|body| {
            let wish = match endpoint {
                Endpoint::ReadFile => ReadFile::whole(&body).map(FileWish::Read),
                Endpoint::ReadChunk => ReadFile::chunk(&body).map(FileWish::Read),
                _ => Checksum::from_body(&body).map(FileWish::Sum),
            };
            wish.map_err(|e| PageAnswer::error(400, "bad-request", &e.to_string()))
        });
        let wish = match wish {
            Ok(wish) => wish,
            Err(answer) => return self.answer(conn, id, &answer),
        };
        let reads = |e: &Endpoint| matches!(e, Endpoint::ReadFile | Endpoint::ReadChunk | Endpoint::Checksum);
        let of_site = |what: &Wanted| matches!(what, Wanted::Page { origin: o, endpoint, stage: Stage::Disk, .. } if *o == origin && reads(endpoint));
        if self.waiting.values().filter(|w| of_site(&w.what)).count() >= MAX_READING {
            let words = "This page reads too many files at once.";
            return self.answer(conn, id, &PageAnswer::error(429, "too many reads at once", words));
        }
        let grants = self.grants.of(&self.session_of(conn), &origin);
        let wanted = Wanted::Page { origin, endpoint, body: String::new(), stage: Stage::Disk };
        let ticket = self.wait(conn, id, deadline, wanted);
        self.out.push(Output::Job(Job::File { ticket, wish, grants }));
    }

    /// A job knows the whole answer.
    pub(super) fn answered_by_job(&mut self, ticket: Ticket, answer: &PageAnswer) {
        if let Some(waiting) = self.take_waiting(ticket) {
            self.answer(waiting.conn, waiting.id, answer);
        }
    }
}

/// Does what is wanted; runs as a job.
pub(crate) fn carry_out(wish: &FileWish, grants: &[Grant]) -> PageAnswer {
    let result = match wish {
        FileWish::Read(wish) => reading::read(grants, wish).map(|bytes| {
            let data = base64::engine::general_purpose::STANDARD.encode(bytes);
            json!({"type": mime(&wish.path), "data": data})
        }),
        FileWish::Sum(wish) => reading::checksum(grants, wish, Instant::now() + SUM_LIMIT)
            .map(|sum| json!({"checksumMethod": wish.method.name(), "checksum": sum})),
    };
    result.map_or_else(|error| refused(&error), |value: Value| PageAnswer::ok(&value))
}

fn refused(error: &ReadingError) -> PageAnswer {
    let words = error.to_string();
    match error {
        ReadingError::NotChosen(_) => PageAnswer::error(406, "not chosen by the user", &words),
        ReadingError::TooLarge => PageAnswer::error(413, "too large", &words),
        ReadingError::NotFile(_) => PageAnswer::error(400, "bad-request", &words),
        ReadingError::Io(_) => PageAnswer::error(500, "not readable", &words),
        ReadingError::Slow => PageAnswer::error(504, "the disk is slow", &words),
    }
}
