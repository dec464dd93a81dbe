//! Transfer tokens: what a web application hands to a page so that it may move exactly certain files.
//!
//! A token is a PASETO v4.public (Ed25519; there is no choice of algorithm to confuse): readable by everybody, made only
//! with the key in the state folder. It is bound to user, direction, paths and time. Pure: time is a parameter, unix
//! seconds. Knows nothing of sessions or users' rights.

use crate::node_path::NodePath;
use crate::state::{StateDir, StateError};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use godwit_protocol::Secret;
use godwit_protocol::spec::Direction;
use pasetors::keys::{AsymmetricKeyPair, AsymmetricPublicKey, AsymmetricSecretKey, Generate};
use pasetors::token::UntrustedToken;
use pasetors::version4::{PublicToken, V4};
use serde::{Deserialize, Serialize};
use std::collections::HashSet;

/// Name of the key's file in the state folder.
pub(crate) const FILE: &str = "token.key";
/// Longest token that is looked at, bytes.
pub const MAX_TOKEN: usize = 384 * 1024;
/// Most paths in one token.
pub const MAX_PATHS: usize = 4096;
/// Most bytes that its paths may have together, so that the token stays under [`MAX_TOKEN`].
const MAX_PATHS_BYTES: usize = 192 * 1024;
/// Longest life of a token, seconds.
pub const MAX_TTL: u64 = 366 * 24 * 3600;
/// Signed along with every token: a token of another product or purpose made with the same key is worth nothing.
const PURPOSE: &[u8] = b"godwit transfer token 1";

/// Why a token is refused or cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Not a token, changed, or made with another key.
    #[error("the token is not one of this server")]
    Invalid,
    /// Its time is over.
    #[error("the token has expired: ask the web application for a new one")]
    Expired,
    /// Signed for the other direction.
    #[error("the token allows {}, not {}", words(*.0), words(other(*.0)))]
    Direction(Direction),
    /// Nothing in its path set covers this.
    #[error("the token does not cover '{0}'")]
    Path(String),
    /// No user, no or too many paths, or a life of no or too many seconds.
    #[error("a token needs a user, 1 to {MAX_PATHS} paths and a life of at most {} days", MAX_TTL / 86_400)]
    Content,
    /// Revoked before its time.
    #[error("the token was revoked: ask the web application for a new one")]
    Revoked,
    /// The library failed.
    #[error("the token could not be made")]
    Make,
}

/// Why there is no token key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The state folder failed.
    #[error(transparent)]
    State(#[from] StateError),
    /// The file holds no key.
    #[error("{FILE} in the state folder is damaged: remove it to make a new key (tokens made before become invalid)")]
    Damaged,
    /// No key could be made.
    #[error("no token key could be made")]
    Make,
}

fn words(direction: Direction) -> &'static str {
    match direction {
        Direction::Send => "uploads",
        Direction::Receive => "downloads",
    }
}

fn other(direction: Direction) -> Direction {
    match direction {
        Direction::Send => Direction::Receive,
        Direction::Receive => Direction::Send,
    }
}

/// What a token allows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// On whose behalf; the user's own rights are checked as well.
    pub user: String,
    /// Seen from the client.
    pub direction: Direction,
    /// The other direction too: for synchronisation.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub both: bool,
    /// Files and folders, relative to the user's root, with everything below them; an empty text is the whole root.
    pub paths: Vec<String>,
    /// First second at which it is worth nothing.
    pub expires: u64,
    /// Name under which it can be revoked; no secret.
    #[serde(default)]
    pub id: String,
}

impl Grant {
    /// A grant that lives until `now + ttl`.
    pub fn new(user: &str, direction: Direction, paths: &[NodePath], now: u64, ttl: u64) -> Result<Self, TokenError> {
        let bytes: usize = paths.iter().map(|path| path.as_str().len() + 3).sum();
        let fits = (1..=MAX_PATHS).contains(&paths.len()) && bytes <= MAX_PATHS_BYTES;
        if user.is_empty() || !fits || ttl == 0 || ttl > MAX_TTL {
            return Err(TokenError::Content);
        }
        let id = getrandom::u64().map_err(|_| TokenError::Make)?;
        Ok(Self {
            user: user.to_owned(),
            direction,
            both: false,
            paths: paths.iter().map(|path| path.as_str().to_owned()).collect(),
            expires: now.saturating_add(ttl),
            id: format!("{id:016x}"),
        })
    }

    /// Whether this direction is allowed.
    pub fn check_direction(&self, direction: Direction) -> Result<(), TokenError> {
        if self.both || self.direction == direction { Ok(()) } else { Err(TokenError::Direction(self.direction)) }
    }

    /// Whether each of `paths` is one of its paths or lies below one. Compared by component: `a/b` covers `a/b/c`, never
    /// `a/bc`.
    pub fn check_paths(&self, paths: &[NodePath]) -> Result<(), TokenError> {
        let allowed: HashSet<&str> = self.paths.iter().map(String::as_str).collect();
        let covered = |path: &NodePath| {
            let text = path.as_str();
            let above = text.match_indices('/').filter_map(|(at, _)| text.get(..at));
            above.chain([text, ""]).any(|place| allowed.contains(place))
        };
        match paths.iter().find(|path| !covered(path)) {
            Some(path) => Err(TokenError::Path(path.to_string())),
            None => Ok(()),
        }
    }

    /// Whether its time is over.
    pub fn check_time(&self, now: u64) -> Result<(), TokenError> {
        if now < self.expires { Ok(()) } else { Err(TokenError::Expired) }
    }
}

/// Makes and checks tokens.
pub struct TokenKey {
    secret: AsymmetricSecretKey<V4>,
    public: AsymmetricPublicKey<V4>,
}

impl TokenKey {
    /// The key in the state folder; made on first use.
    pub fn load_or_make(state: &StateDir) -> Result<Self, KeyError> {
        let text = state.load_or_make(FILE, || {
            let pair = AsymmetricKeyPair::<V4>::generate().map_err(|_| KeyError::Make)?;
            Ok::<_, KeyError>(format!("{}\n", STANDARD.encode(pair.secret.as_bytes())).into_bytes())
        })?;
        let text = String::from_utf8(text).map_err(|_| KeyError::Damaged)?;
        let bytes = STANDARD.decode(text.trim()).map_err(|_| KeyError::Damaged)?;
        let secret = AsymmetricSecretKey::<V4>::from(&bytes).map_err(|_| KeyError::Damaged)?;
        let public = AsymmetricPublicKey::<V4>::try_from(&secret).map_err(|_| KeyError::Damaged)?;
        Ok(Self { secret, public })
    }

    /// A number that only this server can make of `text`, always the same.
    #[must_use]
    pub fn derive(&self, purpose: &str, text: &str) -> [u8; 32] {
        let key = blake3::derive_key(purpose, self.secret.as_bytes());
        *blake3::keyed_hash(&key, text.as_bytes()).as_bytes()
    }

    /// The token for a grant.
    pub fn sign(&self, grant: &Grant) -> Result<Secret, TokenError> {
        let message = serde_json::to_vec(grant).map_err(|_| TokenError::Make)?;
        let token = PublicToken::sign(&self.secret, &message, None, Some(PURPOSE)).map_err(|_| TokenError::Make)?;
        Ok(Secret::new(token))
    }

    /// What `token` allows, if it is one of ours and its time is not over.
    pub fn verify(&self, token: &Secret, now: u64) -> Result<Grant, TokenError> {
        let text = token.expose();
        if text.len() > MAX_TOKEN {
            return Err(TokenError::Invalid);
        }
        let untrusted = UntrustedToken::<pasetors::Public, V4>::try_from(text).map_err(|_| TokenError::Invalid)?;
        let trusted =
            PublicToken::verify(&self.public, &untrusted, None, Some(PURPOSE)).map_err(|_| TokenError::Invalid)?;
        let grant: Grant = serde_json::from_str(trusted.payload()).map_err(|_| TokenError::Invalid)?;
        grant.check_time(now)?;
        Ok(grant)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn key() -> (tempfile::TempDir, TokenKey) {
        let dir = tempfile::tempdir().unwrap();
        let key = TokenKey::load_or_make(&StateDir::open(dir.path()).unwrap()).unwrap();
        (dir, key)
    }

    fn path(text: &str) -> NodePath {
        NodePath::parse(text).unwrap()
    }

    fn send(paths: &[&str]) -> Grant {
        let paths: Vec<_> = paths.iter().map(|text| path(text)).collect();
        Grant::new("ann", Direction::Send, &paths, 1000, 60).unwrap()
    }

    #[test]
    fn a_token_is_good_until_it_expires_and_after_a_restart() {
        let (dir, key) = key();
        let token = key.sign(&send(&["in"])).unwrap();
        let restarted = TokenKey::load_or_make(&StateDir::open(dir.path()).unwrap()).unwrap();
        assert_eq!(restarted.verify(&token, 1059).unwrap().user, "ann");
        assert_eq!(restarted.verify(&token, 1060), Err(TokenError::Expired));
    }

    #[test]
    fn t07_a_changed_or_foreign_token_is_refused() {
        let (_dir, key) = key();
        let (_other_dir, other) = self::key();
        let token = key.sign(&send(&["in"])).unwrap();
        assert_eq!(other.verify(&token, 1000), Err(TokenError::Invalid));
        let text = token.expose();
        for position in [10, 20, text.len() / 2, text.len() - 2] {
            let mut changed = text.as_bytes().to_vec();
            changed[position] = if changed[position] == b'A' { b'B' } else { b'A' };
            let changed = Secret::new(String::from_utf8(changed).unwrap());
            assert_eq!(key.verify(&changed, 1000), Err(TokenError::Invalid), "{position}");
        }
        for bad in ["", "v4.public.", "v4.local.AAAA", "Basic abc", &"x".repeat(MAX_TOKEN + 1)] {
            assert_eq!(key.verify(&Secret::new(bad), 1000), Err(TokenError::Invalid));
        }
        let bare = PublicToken::sign(&key.secret, b"{}", None, Some(b"something else")).unwrap();
        assert_eq!(key.verify(&Secret::new(bare), 0), Err(TokenError::Invalid));
    }

    #[test]
    fn paths_are_compared_by_component() {
        let grant = send(&["a/b"]);
        assert!(grant.check_paths(&[path("a/b"), path("a/b/c")]).is_ok());
        for outside in ["a/bc", "a", "b", ""] {
            assert!(grant.check_paths(&[path("a/b"), path(outside)]).is_err(), "{outside:?}");
        }
        assert!(send(&[""]).check_paths(&[path(""), path("x/y")]).is_ok());
    }

    #[test]
    fn the_other_direction_is_refused_in_words_unless_both_are_allowed() {
        let grant = send(&[""]);
        let error = grant.check_direction(Direction::Receive).unwrap_err();
        assert_eq!(error.to_string(), "the token allows uploads, not downloads");
        assert!(Grant { both: true, ..grant }.check_direction(Direction::Receive).is_ok());
    }

    #[test]
    fn a_token_for_nothing_or_for_ever_is_not_made_and_the_largest_one_is_read() {
        let long = path(&"x".repeat(200));
        let all = [path("")];
        for (user, paths, ttl) in [
            ("", &all[..], 1),
            ("ann", &[], 1),
            ("ann", &all, 0),
            ("ann", &all, MAX_TTL + 1),
            ("ann", &vec![long; MAX_PATHS], 1),
        ] {
            let made = Grant::new(user, Direction::Send, paths, 0, ttl);
            assert_eq!(made.unwrap_err(), TokenError::Content);
        }
        let (_dir, key) = key();
        let many = vec![path(&"x".repeat(MAX_PATHS_BYTES / MAX_PATHS - 3)); MAX_PATHS];
        let token = key.sign(&Grant::new("ann", Direction::Send, &many, 0, 60).unwrap()).unwrap();
        assert!(token.expose().len() <= MAX_TOKEN && key.verify(&token, 0).is_ok());
    }
}
