//! One side of a copy as people write it: a local path, or `[USER@]HOST:PATH`.

use std::path::PathBuf;
use std::str::FromStr;

/// Longest host name.
const MAX_HOST: usize = 253;

/// Where something is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Location {
    /// On this machine.
    Local(PathBuf),
    /// On a server.
    Remote(Remote),
}

/// A place on a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Remote {
    /// Login name, if given.
    pub(crate) user: Option<String>,
    /// Name or address; IPv6 without brackets.
    pub(crate) host: String,
    /// Seen from the user's root; may be empty.
    pub(crate) path: String,
}

/// Why a text is no place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum LocationError {
    #[error("the path is empty")]
    Empty,
    #[error("'{0}' begins like a server's address but is none: write [USER@]HOST:PATH, or ./ before a local path")]
    Address(String),
}

impl FromStr for Location {
    type Err = LocationError;

    /// As `scp` decides: a colon before the first slash makes it a server's. Colons in brackets are part of an IPv6
    /// address.
    fn from_str(text: &str) -> Result<Self, LocationError> {
        if text.is_empty() {
            return Err(LocationError::Empty);
        }
        let error = || LocationError::Address(text.chars().take(100).collect());
        let head = text.split('/').next().unwrap_or_default();
        let (user, rest) = match head.find('@').and_then(|_| split_user(text, head)) {
            Some((user, rest)) => (Some(user), rest),
            None => (None, text),
        };
        if let Some(inner) = rest.strip_prefix('[') {
            let Some((host, path)) = inner.split_once("]:") else {
                // `[draft].txt` is a fine file name; `ann@[::1` can only be a mistake.
                return if head.contains(':') { Err(error()) } else { Ok(Self::Local(text.into())) };
            };
            // A zone (`%eth0`) belongs to link-local addresses.
            let address = host.split('%').next().unwrap_or_default();
            if address.parse::<std::net::Ipv6Addr>().is_err() || user.is_some_and(str::is_empty) {
                return Err(error());
            }
            return Ok(Self::remote(user, host, path));
        }
        if !head.contains(':') {
            return Ok(Self::Local(text.into()));
        }
        let (host, path) = rest.split_once(':').ok_or_else(error)?;
        let odd = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '[' | ']' | '/' | '\\' | '@');
        if host.is_empty() || host.len() > MAX_HOST || host.contains(odd) || user.is_some_and(str::is_empty) {
            return Err(error());
        }
        Ok(Self::remote(user, host, path))
    }
}

/// The user is everything before the last `@` that precedes the host's colon: names may be mail addresses.
fn split_user<'a>(text: &'a str, head: &'a str) -> Option<(&'a str, &'a str)> {
    let end = head.find("@[").map_or_else(|| head.find(':').unwrap_or(head.len()), |at| at + 1);
    let at = head.get(..end)?.rfind('@')?;
    Some((text.get(..at)?, text.get(at + 1..)?))
}

impl Location {
    fn remote(user: Option<&str>, host: &str, path: &str) -> Self {
        Self::Remote(Remote { user: user.map(str::to_owned), host: host.to_owned(), path: path.to_owned() })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn remote(user: Option<&str>, host: &str, path: &str) -> Location {
        Location::remote(user, host, path)
    }

    #[test]
    fn a_colon_before_the_first_slash_means_a_server() {
        for (text, expected) in [
            ("host:", remote(None, "host", "")),
            ("host:/", remote(None, "host", "/")),
            ("host:a b/c:d", remote(None, "host", "a b/c:d")),
            ("ann@host:x", remote(Some("ann"), "host", "x")),
            ("ann@example.com@host:x@y", remote(Some("ann@example.com"), "host", "x@y")),
            ("192.0.2.1:x", remote(None, "192.0.2.1", "x")),
            ("[::1]:x", remote(None, "::1", "x")),
            ("ann@[2001:db8::1]:/in/", remote(Some("ann"), "2001:db8::1", "/in/")),
            ("[fe80::1%eth0]:x", remote(None, "fe80::1%eth0", "x")),
        ] {
            assert_eq!(text.parse(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn everything_else_is_local() {
        for text in ["a", "./a:b", "/a:b", "dir/x:y", "..", "ann@host", "[draft].txt", "a@b/c:d", "~"] {
            assert_eq!(text.parse(), Ok(Location::Local(text.into())), "{text}");
        }
    }

    #[test]
    fn what_is_neither_is_refused_with_advice() {
        for text in [":x", "@host:x", "ann@:x", "[::1:x", "[nonsense]:x", "ann@[::g]:x", "a b:x", "ann@[::1"] {
            let error = text.parse::<Location>().unwrap_err().to_string();
            assert!(error.contains("./"), "{text}: {error}");
        }
        assert_eq!("".parse::<Location>(), Err(LocationError::Empty));
    }
}
