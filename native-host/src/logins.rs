//! Transfers that wait for a login: one question for all that want the same one, and a bounded number of tries.
//!
//! The first transfer that a server turns away asks; others of the same site, server and user wait without asking and without
//! trying, so that a mistyped password costs one refused login and not one for each transfer. When the first is let in, the
//! others take its login over. Pure: what is to be done comes out as values.

use crate::core::ConnId;
use crate::queue::TransferId;
use godwit_protocol::{Origin, Secret};

/// Questions for one login; then its transfers have failed. A server may lock an account after a few more.
pub const MAX_TRIES: u32 = 3;

/// Which login is wanted, and who is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The client with the user's screen.
    pub conn: ConnId,
    /// The site.
    pub origin: Origin,
    /// `host:port`.
    pub server: String,
    /// As the page or the user named it; may be empty.
    pub user: String,
}

/// What the user typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Typed {
    /// The login.
    pub user: String,
    /// Its password.
    pub password: Secret,
    /// To be saved once the server has accepted it.
    pub save: bool,
}

#[derive(Debug)]
struct Login {
    wanted: Wanted,
    first: TransferId,
    others: Vec<TransferId>,
    asked: u32,
    /// Being tried; `None` while the question is open.
    typed: Option<Typed>,
}

/// What a transfer that was turned away does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// The user is asked.
    Ask,
    /// Another transfer asks already.
    Wait,
    /// Enough was tried.
    Fail,
}

/// What becomes of the others when the first one has gone.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Gone {
    /// Asks in its place.
    pub asks: Option<(TransferId, Wanted)>,
}

/// All logins that are wanted.
#[derive(Debug, Default)]
pub struct Logins(Vec<Login>);

impl Logins {
    /// The server turned `id` away, or there is nothing to log in with.
    pub fn turned_away(&mut self, id: &TransferId, wanted: Wanted) -> Next {
        if let Some(login) = self.0.iter_mut().find(|l| l.first == *id) {
            login.typed = None;
            if login.asked >= MAX_TRIES {
                return Next::Fail;
            }
            login.asked += 1;
            login.wanted = wanted;
            return Next::Ask;
        }
        if let Some(login) = self.0.iter_mut().find(|l| l.wanted == wanted) {
            if !login.others.contains(id) {
                login.others.push(id.clone());
            }
            return Next::Wait;
        }
        self.0.push(Login { wanted, first: id.clone(), others: Vec::new(), asked: 1, typed: None });
        Next::Ask
    }

    /// The user answered the question of `id`.
    pub fn answered(&mut self, id: &TransferId, typed: Typed) {
        if let Some(login) = self.0.iter_mut().find(|l| l.first == *id) {
            login.typed = Some(typed);
        }
    }

    /// The server let `id` in. What was typed for it, and who else wants it.
    pub fn let_in(&mut self, id: &TransferId) -> Option<(Typed, Vec<TransferId>)> {
        let at = self.0.iter().position(|l| l.first == *id && l.typed.is_some())?;
        let login = self.0.remove(at);
        Some((login.typed?, login.others))
    }

    /// Nobody is asked any more for the login of `id`: all that wait for it, and itself if it does.
    pub fn given_up(&mut self, id: &TransferId) -> Vec<TransferId> {
        let Some(at) = self.0.iter().position(|l| l.first == *id) else { return Vec::new() };
        let login = self.0.remove(at);
        login.others
    }

    /// `id` has gone its own way: stopped, removed, failed for another reason. Another one takes its place.
    pub fn left(&mut self, id: &TransferId) -> Gone {
        for login in &mut self.0 {
            login.others.retain(|other| other != id);
        }
        let Some(at) = self.0.iter().position(|l| l.first == *id) else { return Gone::default() };
        if let Some(login) = self.0.get_mut(at)
            && !login.others.is_empty()
        {
            login.first = login.others.remove(0);
            login.typed = None;
            return Gone { asks: Some((login.first.clone(), login.wanted.clone())) };
        }
        self.0.remove(at);
        Gone::default()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn id(name: &str) -> TransferId {
        TransferId::new(name)
    }

    fn wanted(user: &str) -> Wanted {
        Wanted { conn: 1, origin: "https://a.example".parse().unwrap(), server: "h:33001".into(), user: user.into() }
    }

    fn typed(password: &str) -> Typed {
        Typed { user: "ann".into(), password: Secret::new(password), save: false }
    }

    #[test]
    fn one_asks_the_others_wait_and_take_its_login_over() {
        let mut logins = Logins::default();
        assert_eq!(logins.turned_away(&id("a"), wanted("ann")), Next::Ask);
        assert_eq!(logins.turned_away(&id("b"), wanted("ann")), Next::Wait);
        assert_eq!(logins.turned_away(&id("c"), wanted("bob")), Next::Ask, "another login is another question");
        assert_eq!(logins.let_in(&id("a")), None, "not by what was typed here");
        logins.answered(&id("a"), typed("right"));
        assert_eq!(logins.let_in(&id("a")), Some((typed("right"), vec![id("b")])));
        assert_eq!(logins.let_in(&id("a")), None);
    }

    #[test]
    fn wrong_logins_come_to_an_end() {
        let mut logins = Logins::default();
        for _ in 0..MAX_TRIES {
            assert_eq!(logins.turned_away(&id("a"), wanted("ann")), Next::Ask);
            logins.answered(&id("a"), typed("wrong"));
        }
        assert_eq!(logins.turned_away(&id("b"), wanted("ann")), Next::Wait);
        assert_eq!(logins.turned_away(&id("a"), wanted("ann")), Next::Fail);
        assert_eq!(logins.given_up(&id("a")), [id("b")]);
        assert_eq!(logins.turned_away(&id("a"), wanted("ann")), Next::Ask, "begun again by the user");
    }

    #[test]
    fn when_the_one_that_asks_goes_the_next_asks() {
        let mut logins = Logins::default();
        for name in ["a", "b", "c"] {
            logins.turned_away(&id(name), wanted("ann"));
        }
        assert_eq!(logins.left(&id("b")), Gone::default());
        assert_eq!(logins.left(&id("a")).asks, Some((id("c"), wanted("ann"))));
        assert_eq!(logins.left(&id("c")), Gone::default());
        assert_eq!(logins.turned_away(&id("d"), wanted("ann")), Next::Ask);
    }
}
