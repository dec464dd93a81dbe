//! Telling the caller what became of files, and counting it.

use crate::failure::tame;
use crate::meter::{Meter, add};
use godwit_protection::SUFFIX;
use godwit_protocol::ErrorCode;
use godwit_protocol::wire::{EntryKind, SessionResult};
use godwit_protocol::worker::{Failure, FileOutcome, FileReport, Report};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use tokio::sync::mpsc;

/// Where file reports go: to the agent on a client, to the log on a server.
#[derive(Clone, Default)]
pub(crate) struct Reports {
    to: Option<mpsc::Sender<Report>>,
    first: Arc<OnceLock<Failure>>,
    /// Names of files that are to be decrypted when all are there.
    encrypted: Option<Arc<Mutex<Vec<String>>>>,
}

impl Reports {
    pub(crate) fn to(caller: mpsc::Sender<Report>) -> Self {
        Self { to: Some(caller), first: Arc::default(), encrypted: None }
    }

    /// Remembers the names of those that arrive encrypted.
    pub(crate) fn remember_encrypted(self, wanted: bool) -> Self {
        Self { encrypted: wanted.then(Arc::default), ..self }
    }

    /// The names that were remembered.
    pub(crate) fn encrypted(&self) -> Vec<String> {
        let names = self
            .encrypted
            .as_ref()
            .map(|names| std::mem::take(&mut *names.lock().unwrap_or_else(PoisonError::into_inner)));
        names.unwrap_or_default()
    }

    /// Tells how a file ended. A caller that has gone hears nothing; his closed command channel ends the session.
    ///
    /// The words may have names in them that a peer chose; what reaches the user is short and has no control characters.
    pub(crate) async fn file(&self, mut report: FileReport) {
        report.error = report.error.map(tame);
        tracing::debug!(path = report.path, outcome = ?report.outcome, "file");
        if let Some(error) = &report.error {
            let _ = self.first.set(error.clone());
        }
        if let Some(encrypted) = &self.encrypted
            && report.outcome != FileOutcome::Failed
            && report.path.ends_with(SUFFIX)
        {
            encrypted.lock().unwrap_or_else(PoisonError::into_inner).push(report.path.clone());
        }
        if let Some(to) = &self.to {
            let _ = to.send(Report::File(report)).await;
        }
    }

    /// The session's result as one answer: success only if nothing failed.
    pub(crate) fn verdict(&self, result: &SessionResult) -> Result<(), Failure> {
        let arrived = result.completed + result.skipped;
        match (result.failed, self.first.get()) {
            (0, _) => Ok(()),
            (1, Some(first)) if arrived == 0 => Err(first.clone()),
            (failed, first) => {
                let first = first.map_or_else(String::new, |f| format!("; the first: {f}"));
                let all = arrived + failed;
                Err(Failure::new(ErrorCode::SomeFilesFailed, format!("{failed} of {all}{first}")))
            }
        }
    }
}

/// Counts the end of an entry. Folders count only when they fail.
pub(crate) fn count(meter: &Meter, kind: EntryKind, outcome: FileOutcome) {
    match (outcome, kind) {
        (FileOutcome::Failed, _) => add(&meter.files_failed, 1),
        (_, EntryKind::Folder) => {}
        (FileOutcome::Completed, _) => add(&meter.files_completed, 1),
        (FileOutcome::Skipped, _) => {
            add(&meter.files_completed, 1);
            add(&meter.files_skipped, 1);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[tokio::test]
    async fn names_in_errors_reach_the_user_without_control_characters_and_not_at_full_length() {
        let (to, mut seen) = mpsc::channel(1);
        let reports = Reports::to(to);
        let message = format!("a\u{85}\u{1b}[31m{}: no room", "x".repeat(100_000));
        reports
            .file(FileReport {
                path: "a".into(),
                size: 0,
                outcome: FileOutcome::Failed,
                error: Some(Failure { code: ErrorCode::NoSpace, message, fingerprint: None }),
                blake3: None,
            })
            .await;
        let Some(Report::File(FileReport { error: Some(told), .. })) = seen.recv().await else {
            panic!("nothing was told")
        };
        assert!(told.message.len() < 10_000 && !told.message.contains(char::is_control));
        let two = SessionResult { failed: 2, ..SessionResult::default() };
        assert!(!reports.verdict(&two).unwrap_err().message.contains(char::is_control));
    }
}
