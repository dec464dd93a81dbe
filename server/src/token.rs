//! Transfer tokens: what a web application hands to a page so that it may move exactly certain files.
//!
//! A token is a PASETO v4.public (Ed25519; there is no choice of algorithm to confuse): readable by everybody, made only
//! with the key in the state folder. It is bound to user, direction, paths and time. Pure: time is a parameter, unix
//! seconds. Knows nothing of sessions or users' rights.

use crate::state::{StateDir, StateError};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use godwit_protocol::spec::Direction;
use godwit_protocol::{RelPath, Secret};
use pasetors::keys::{AsymmetricKeyPair, AsymmetricPublicKey, AsymmetricSecretKey, Generate};
use pasetors::token::UntrustedToken;
use pasetors::version4::{PublicToken, V4};
use serde::{Deserialize, Serialize};

/// Name of the key's file in the state folder.
const FILE: &str = "token.key";
/// Longest token that is looked at, bytes.
pub const MAX_TOKEN: usize = 64 * 1024;
/// Most paths in one token.
pub const MAX_PATHS: usize = 256;
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
    /// Files and folders, relative to the user's root, with everything below them; an empty text is the whole root.
    pub paths: Vec<String>,
    /// First second at which it is worth nothing.
    pub expires: u64,
}

impl Grant {
    /// Whether this direction is allowed.
    pub fn check_direction(&self, direction: Direction) -> Result<(), TokenError> {
        if self.direction == direction { Ok(()) } else { Err(TokenError::Direction(self.direction)) }
    }

    /// Whether `path` (`None` = the user's whole root) is one of the paths or lies below one. Compared by component:
    /// `a/b` covers `a/b/c`, never `a/bc`.
    pub fn check_path(&self, path: Option<&RelPath>) -> Result<(), TokenError> {
        let covered = self.paths.iter().any(|allowed| {
            let path = path.map_or("", RelPath::as_str);
            match path.strip_prefix(allowed.as_str()) {
                Some(rest) => allowed.is_empty() || rest.is_empty() || rest.starts_with('/'),
                None => false,
            }
        });
        if covered { Ok(()) } else { Err(TokenError::Path(path.map_or("/", RelPath::as_str).to_owned())) }
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

    /// Makes a token that lives until `now + ttl`. `paths` are as people write them; a leading `/` means nothing.
    pub fn issue(
        &self,
        user: &str,
        direction: Direction,
        paths: &[Option<RelPath>],
        now: u64,
        ttl: u64,
    ) -> Result<Secret, TokenError> {
        if user.is_empty() || paths.is_empty() || paths.len() > MAX_PATHS || ttl == 0 || ttl > MAX_TTL {
            return Err(TokenError::Content);
        }
        let paths = paths.iter().map(|p| p.as_ref().map_or_else(String::new, ToString::to_string)).collect();
        let grant = Grant { user: user.to_owned(), direction, paths, expires: now.saturating_add(ttl) };
        let message = serde_json::to_vec(&grant).map_err(|_| TokenError::Make)?;
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

    fn path(text: &str) -> Option<RelPath> {
        Some(text.parse().unwrap())
    }

    #[test]
    fn a_token_is_good_until_it_expires_and_after_a_restart() {
        let (dir, key) = key();
        let token = key.issue("ann", Direction::Send, &[path("in")], 1000, 60).unwrap();
        let restarted = TokenKey::load_or_make(&StateDir::open(dir.path()).unwrap()).unwrap();
        assert_eq!(restarted.verify(&token, 1059).unwrap().user, "ann");
        assert_eq!(restarted.verify(&token, 1060), Err(TokenError::Expired));
    }

    #[test]
    fn a_changed_or_foreign_token_is_refused() {
        let (_dir, key) = key();
        let (_other_dir, other) = self::key();
        let token = key.issue("ann", Direction::Send, &[path("in")], 1000, 60).unwrap();
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
        let grant = Grant { user: "ann".into(), direction: Direction::Send, paths: vec!["a/b".into()], expires: 1 };
        assert!(grant.check_path(path("a/b").as_ref()).is_ok());
        assert!(grant.check_path(path("a/b/c").as_ref()).is_ok());
        for outside in [path("a/bc"), path("a"), path("b"), None] {
            assert!(grant.check_path(outside.as_ref()).is_err(), "{outside:?}");
        }
        let all = Grant { paths: vec![String::new()], ..grant };
        assert!(all.check_path(None).is_ok() && all.check_path(path("x/y").as_ref()).is_ok());
    }

    #[test]
    fn the_other_direction_is_refused_in_words() {
        let grant = Grant { user: "ann".into(), direction: Direction::Send, paths: vec![String::new()], expires: 1 };
        let error = grant.check_direction(Direction::Receive).unwrap_err();
        assert_eq!(error.to_string(), "the token allows uploads, not downloads");
    }

    #[test]
    fn a_token_for_nothing_or_for_ever_is_not_made() {
        let (_dir, key) = key();
        for (user, paths, ttl) in
            [("", vec![None], 1), ("ann", vec![], 1), ("ann", vec![None], 0), ("ann", vec![None], MAX_TTL + 1)]
        {
            assert_eq!(key.issue(user, Direction::Send, &paths, 0, ttl).unwrap_err(), TokenError::Content);
        }
    }
}
