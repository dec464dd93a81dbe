//! Who is signed in to the web application: what a browser's cookie stands for. Pure: time is a parameter.
//!
//! Only a hash of each cookie is kept, and only in memory: a restart signs everybody out. A session is bound to the password
//! that opened it; whoever changes the password ends all sessions of the name.

use crate::password::Hash;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use godwit_protocol::Secret;
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// Most sessions of all users.
const MAX: usize = 16_384;
/// Most sessions of one name; the one that was used least lately makes room.
const MAX_PER_NAME: usize = 32;
/// Bytes of a cookie's random.
const BYTES: usize = 32;

/// How long sessions live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Life {
    /// From sign-in, however much it is used.
    pub most: Duration,
    /// Without being used.
    pub idle: Duration,
}

#[derive(Clone, Debug)]
struct Session {
    name: String,
    password: [u8; 32],
    begun: Instant,
    used: Instant,
}

impl Session {
    fn lives(&self, life: Life, now: Instant) -> bool {
        now.saturating_duration_since(self.begun) < life.most && now.saturating_duration_since(self.used) < life.idle
    }
}

/// What a browser gets when somebody signs in.
pub struct Opened {
    /// The cookie's value.
    pub cookie: Secret,
    /// What the page must send along with every request: another site's page cannot know it.
    pub proof: String,
}

/// Everybody who is signed in.
pub struct Sessions {
    key: [u8; 32],
    open: HashMap<[u8; 32], Session>,
}

impl Sessions {
    /// Fails only if the system gives no random bytes.
    pub fn new() -> Result<Self, getrandom::Error> {
        let mut key = [0; 32];
        getrandom::fill(&mut key)?;
        Ok(Self { key, open: HashMap::new() })
    }

    /// Somebody has proved to be `name`.
    pub fn open(&mut self, name: &str, password: &Hash, life: Life, now: Instant) -> Result<Opened, getrandom::Error> {
        let mut random = [0; BYTES];
        getrandom::fill(&mut random)?;
        let cookie = URL_SAFE_NO_PAD.encode(random);
        self.make_room(name, life, now);
        let session = Session {
            name: name.to_owned(),
            password: self.hash("password", password.as_str()),
            begun: now,
            used: now,
        };
        self.open.insert(self.hash("cookie", &cookie), session);
        Ok(Opened { proof: self.proof(&cookie), cookie: Secret::new(cookie) })
    }

    /// What the page of this cookie must send along.
    #[must_use]
    pub fn proof(&self, cookie: &str) -> String {
        URL_SAFE_NO_PAD.encode(self.hash("proof", cookie))
    }

    /// Whether this is what the page of this cookie must send along.
    #[must_use]
    pub fn proves(&self, cookie: &str, proof: &str) -> bool {
        // Hashes compare in constant time.
        blake3::Hash::from(self.hash("given", proof)) == blake3::Hash::from(self.hash("given", &self.proof(cookie)))
    }

    /// The name that a cookie stands for. Counts as use.
    pub fn name(&mut self, cookie: &str, life: Life, now: Instant) -> Option<String> {
        let entry = self.hash("cookie", cookie);
        let session = self.open.get_mut(&entry)?;
        if !session.lives(life, now) {
            self.open.remove(&entry);
            return None;
        }
        session.used = now;
        Some(session.name.clone())
    }

    /// Whether the password that opened it is still the name's password; if not, the session ends.
    pub fn fits(&mut self, cookie: &str, password: Option<&Hash>) -> bool {
        let entry = self.hash("cookie", cookie);
        let now = password.map(|hash| self.hash("password", hash.as_str()));
        let fits = self.open.get(&entry).is_some_and(|session| Some(session.password) == now);
        if !fits {
            self.open.remove(&entry);
        }
        fits
    }

    /// Signs out.
    pub fn close(&mut self, cookie: &str) {
        let entry = self.hash("cookie", cookie);
        self.open.remove(&entry);
    }

    fn make_room(&mut self, name: &str, life: Life, now: Instant) {
        let own = self.open.iter().filter(|(_, session)| session.name == name);
        if own.clone().count() >= MAX_PER_NAME
            && let Some(oldest) = own.min_by_key(|(_, session)| session.used).map(|(entry, _)| *entry)
        {
            self.open.remove(&oldest);
        }
        if self.open.len() >= MAX {
            self.open.retain(|_, session| session.lives(life, now));
        }
        if self.open.len() >= MAX
            && let Some(oldest) = self.open.iter().min_by_key(|(_, session)| session.used).map(|(entry, _)| *entry)
        {
            self.open.remove(&oldest);
        }
    }

    fn hash(&self, purpose: &str, text: &str) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new_keyed(&self.key);
        hasher.update(&(purpose.len() as u64).to_le_bytes()).update(purpose.as_bytes()).update(text.as_bytes());
        *hasher.finalize().as_bytes()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const LIFE: Life = Life { most: Duration::from_secs(1000), idle: Duration::from_secs(100) };

    fn hash(text: &str) -> Hash {
        Hash::of(&Secret::new(text)).unwrap()
    }

    #[test]
    fn a_session_ends_when_it_is_not_used_and_at_its_latest_time() {
        let (mut sessions, now, password) = (Sessions::new().unwrap(), Instant::now(), hash("a"));
        let opened = sessions.open("ann", &password, LIFE, now).unwrap();
        let cookie = opened.cookie.expose();
        for seconds in (50..1000).step_by(50) {
            let at = now + Duration::from_secs(seconds);
            assert_eq!(sessions.name(cookie, LIFE, at).as_deref(), Some("ann"), "{seconds}");
        }
        assert_eq!(sessions.name(cookie, LIFE, now + LIFE.most), None);
        let idle = sessions.open("ann", &password, LIFE, now).unwrap();
        assert_eq!(sessions.name(idle.cookie.expose(), LIFE, now + LIFE.idle), None);
        assert!(sessions.open.is_empty(), "ended ones are forgotten");
    }

    #[test]
    fn a_cookie_and_its_proof_belong_together_and_sign_out_ends_it() {
        let (mut sessions, now, password) = (Sessions::new().unwrap(), Instant::now(), hash("a"));
        let [one, two] = [0, 1].map(|_| sessions.open("ann", &password, LIFE, now).unwrap());
        assert!(sessions.proves(one.cookie.expose(), &one.proof));
        assert_eq!(sessions.proof(one.cookie.expose()), one.proof);
        for wrong in ["", "x", two.proof.as_str(), one.cookie.expose()] {
            assert!(!sessions.proves(one.cookie.expose(), wrong), "{wrong}");
        }
        sessions.close(one.cookie.expose());
        assert_eq!(sessions.name(one.cookie.expose(), LIFE, now), None);
        assert!(sessions.name(two.cookie.expose(), LIFE, now).is_some());
        assert_eq!(sessions.name("", LIFE, now), None);
    }

    #[test]
    fn another_password_ends_the_session() {
        let (mut sessions, now, password) = (Sessions::new().unwrap(), Instant::now(), hash("a"));
        let opened = sessions.open("ann", &password, LIFE, now).unwrap();
        assert!(sessions.fits(opened.cookie.expose(), Some(&password)));
        assert!(!sessions.fits(opened.cookie.expose(), Some(&hash("a"))), "set anew is another one");
        assert_eq!(sessions.name(opened.cookie.expose(), LIFE, now), None);
        let opened = sessions.open("ann", &password, LIFE, now).unwrap();
        assert!(!sessions.fits(opened.cookie.expose(), None));
    }

    #[test]
    fn the_number_of_sessions_is_bounded_and_the_least_used_go() {
        let (mut sessions, now, password) = (Sessions::new().unwrap(), Instant::now(), hash("a"));
        let first = sessions.open("ann", &password, LIFE, now).unwrap();
        for n in 0..u64::try_from(MAX_PER_NAME).unwrap() {
            sessions.open("ann", &password, LIFE, now + Duration::from_millis(n + 1)).unwrap();
        }
        assert_eq!(sessions.name(first.cookie.expose(), LIFE, now), None);
        assert_eq!(sessions.open.len(), MAX_PER_NAME);
        for n in 0..MAX {
            sessions.open(&format!("u{n}"), &password, LIFE, now + Duration::from_secs(1)).unwrap();
        }
        assert_eq!(sessions.open.len(), MAX);
    }
}
