//! Questions to the user: one window at a time for each connection, the others wait their turn.

use crate::core::ConnId;
use crate::queue::TransferId;
use godwit_protocol::Origin;
use godwit_protocol::ui::{Prompt, Question};
use std::collections::{BTreeMap, VecDeque};

/// What the answer is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Everything of this site that waits for consent.
    Consent,
    /// One start of a transfer.
    Start(u64),
    /// One page call.
    Dialog(u64),
    /// Where one download goes.
    Folder(u64),
    /// A transfer that met an unknown certificate.
    Certificate(TransferId),
    /// A transfer that its server turned away.
    Login(TransferId),
    /// A transfer that has no passphrase.
    Passphrase(TransferId),
    /// Files of a transfer that has completed.
    Unlock(TransferId),
}

/// A question with its purpose.
#[derive(Clone, Debug, PartialEq)]
pub struct Asked {
    /// Shown to this client.
    pub conn: ConnId,
    /// As it is shown.
    pub prompt: Prompt,
    /// What for.
    pub purpose: Purpose,
}

/// All questions. The first of each connection is the open one.
#[derive(Debug, Default)]
pub struct PromptBook(BTreeMap<ConnId, VecDeque<Asked>>);

impl PromptBook {
    /// Adds a question; returns it if it is to be shown at once.
    pub fn add(&mut self, asked: Asked) -> Option<Prompt> {
        let queue = self.0.entry(asked.conn).or_default();
        let first = queue.is_empty().then(|| asked.prompt.clone());
        queue.push_back(asked);
        first
    }

    /// Takes a question off, with the one to be shown next if it was the open one. The flag says if it was.
    pub fn take(&mut self, conn: ConnId, prompt_id: &str) -> Option<(Asked, bool, Option<Prompt>)> {
        let queue = self.0.get_mut(&conn)?;
        let at = queue.iter().position(|a| a.prompt.prompt_id == prompt_id)?;
        let asked = queue.remove(at)?;
        let next = if at == 0 { queue.front().map(|a| a.prompt.clone()) } else { None };
        if queue.is_empty() {
            self.0.remove(&conn);
        }
        Some((asked, at == 0, next))
    }

    /// Takes off all questions of a connection that was lost.
    pub fn take_all(&mut self, conn: ConnId) -> Vec<Asked> {
        self.0.remove(&conn).unwrap_or_default().into()
    }

    /// The question that is shown on a connection.
    #[must_use]
    pub fn open(&self, conn: ConnId) -> Option<&Asked> {
        self.0.get(&conn).and_then(VecDeque::front)
    }

    /// The first question that satisfies `wanted`.
    #[must_use]
    pub fn find(&self, wanted: impl Fn(&Asked) -> bool) -> Option<&Asked> {
        self.0.values().flatten().find(|a| wanted(a))
    }

    /// All questions that satisfy `wanted`.
    pub fn all<'a>(&'a self, wanted: impl Fn(&Asked) -> bool + 'a) -> impl Iterator<Item = &'a Asked> {
        self.0.values().flatten().filter(move |a| wanted(a))
    }

    /// The question for consent to `origin` on `conn`.
    #[must_use]
    pub fn consent(&self, conn: ConnId, origin: &Origin) -> Option<&Asked> {
        self.find(|a| a.conn == conn && a.prompt.origin == *origin && a.purpose == Purpose::Consent)
    }
}

/// True for the three file dialogs.
#[must_use]
pub fn is_dialog(question: &Question) -> bool {
    matches!(question, Question::OpenFiles(_) | Question::OpenFolders(_) | Question::SaveFile(_))
}

/// True for questions that are answered by allowing or denying.
#[must_use]
pub fn is_yes_or_no(question: &Question) -> bool {
    matches!(
        question,
        Question::Consent { .. }
            | Question::ServerCertificate { .. }
            | Question::Dropped { .. }
            | Question::DroppedCopy { .. }
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn asked(conn: ConnId, id: &str) -> Asked {
        let prompt = Prompt {
            prompt_id: id.into(),
            origin: "https://a.example".parse().unwrap(),
            native: false,
            question: Question::Consent { purpose: "files".into(), remote_host: None },
        };
        Asked { conn, prompt, purpose: Purpose::Consent }
    }

    #[test]
    fn one_is_shown_at_a_time_and_the_next_follows() {
        let mut book = PromptBook::default();
        assert_eq!(book.add(asked(1, "a")).unwrap().prompt_id, "a");
        assert!(book.add(asked(1, "b")).is_none());
        assert!(book.add(asked(1, "c")).is_none());
        assert!(book.add(asked(2, "d")).is_some(), "another browser has its own screen");
        let (_, open, next) = book.take(1, "b").unwrap();
        assert!(!open && next.is_none());
        let (first, open, next) = book.take(1, "a").unwrap();
        assert_eq!((first.prompt.prompt_id.as_str(), open, next.unwrap().prompt_id.as_str()), ("a", true, "c"));
        assert!(book.take(2, "c").is_none(), "not from another connection");
        assert_eq!(book.take_all(1).len(), 1);
        assert!(book.open(1).is_none());
    }
}
