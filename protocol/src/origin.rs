//! Web origins and the host patterns of the trust lists.
//!
//! Browsers state origins in canonical form: lower case, international names as punycode, no default port. Only that
//! form is taken, so that texts can be compared and a look-alike name shows its `xn--`.

mod suffix;

use serde::{Deserialize, Deserializer, Serialize};
use std::fmt;
use std::str::FromStr;

/// A site's identity as the browser states it: scheme, host (ASCII form) and port.
///
/// Only `https`, and `http` on a loopback host, exist; everything else, `null` first, is refused.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct Origin(String);

/// Longest origin, bytes: scheme, the longest host name and a port.
const MAX_ORIGIN: usize = 280;

/// Why a text is no acceptable origin.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OriginError {
    /// The opaque origin of sandboxed frames and local files.
    #[error("pages without an origin (sandboxed frames, local files) cannot use Godwit")]
    Opaque,
    /// Plain http to another machine, or another scheme.
    #[error("only https pages, and http pages of this machine, can use Godwit")]
    Scheme,
    /// Not of the form `scheme://host[:port]`.
    #[error("'{0}' is not a web origin")]
    Form(String),
}

impl Origin {
    /// The text, such as `https://example.com:8443`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The host part, without brackets for IPv6.
    #[must_use]
    pub fn host(&self) -> &str {
        let rest = self.0.split_once("://").map_or("", |(_, rest)| rest);
        if let Some(rest) = rest.strip_prefix('[') {
            return rest.split(']').next().unwrap_or_default();
        }
        rest.split(':').next().unwrap_or_default()
    }

    /// The host in its own letters, if it is an international name: to be shown beside [`Self::as_str`], never in its place,
    /// because letters of different alphabets look alike.
    #[must_use]
    pub fn unicode_host(&self) -> Option<String> {
        let (name, valid) = idna::domain_to_unicode(self.host());
        (valid.is_ok() && name != self.host()).then_some(name)
    }
}

impl FromStr for Origin {
    type Err = OriginError;
    fn from_str(text: &str) -> Result<Self, OriginError> {
        if text == "null" || text.is_empty() {
            return Err(OriginError::Opaque);
        }
        let form = || OriginError::Form(text.chars().take(80).collect());
        if text.len() > MAX_ORIGIN {
            return Err(form());
        }
        let url = url::Url::parse(text).map_err(|_| form())?;
        let host = url.host().ok_or_else(form)?;
        if let url::Host::Domain(name) = &host {
            // URLs allow more, `*` among it: as an exact pattern it would be a wildcard.
            if !name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'-' | b'_')) {
                return Err(form());
            }
        }
        let loopback = match &host {
            url::Host::Domain(name) => *name == "localhost" || name.ends_with(".localhost"),
            url::Host::Ipv4(ip) => ip.is_loopback(),
            url::Host::Ipv6(ip) => ip.is_loopback(),
        };
        match url.scheme() {
            "https" => {}
            "http" if loopback => {}
            _ => return Err(OriginError::Scheme),
        }
        let origin = url.origin().ascii_serialization();
        // The browser's own serialisation is canonical: anything else (path, user, upper case, default port) is forged.
        if origin != text {
            return Err(form());
        }
        Ok(Self(origin))
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Origin {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// An entry of a trust list: `https://host[:port]`, where the first label may be `*`: exactly one label, so
/// `https://*.example.com` covers `https://a.example.com`, but neither `https://example.com` nor `https://a.b.example.com`.
/// Without a port, the default port is meant. `*` directly below a public suffix (`*.com`, `*.co.uk`) is refused.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct HostPattern(String);

/// Why a text is no pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not a site pattern: write https://host, https://host:port or https://*.example.com")]
pub struct PatternError(pub String);

impl HostPattern {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Reads a pattern as a person types it: without `https://`, in capitals, with international letters or the default port
    /// too. The result is the one canonical form.
    pub fn typed(text: &str) -> Result<Self, PatternError> {
        let error = || PatternError(text.chars().take(80).collect());
        let text = text.trim();
        let with_scheme = if text.contains("://") { text.to_owned() } else { format!("https://{text}") };
        let (scheme, rest) = with_scheme.split_once("://").ok_or_else(error)?;
        let (star, host) = rest.strip_prefix("*.").map_or(("", rest), |host| ("*.", host));
        let url = url::Url::parse(&format!("{scheme}://{host}")).map_err(|_| error())?;
        let plain = matches!(url.path(), "" | "/") && url.query().is_none() && url.fragment().is_none();
        if !plain || !url.username().is_empty() || url.password().is_some() {
            return Err(error());
        }
        let origin = url.origin().ascii_serialization();
        let (scheme, host) = origin.split_once("://").ok_or_else(error)?;
        format!("{scheme}://{star}{host}").parse().map_err(|_| error())
    }

    /// The pattern that matches exactly this origin.
    #[must_use]
    pub fn exact(origin: &Origin) -> Self {
        Self(origin.as_str().to_owned())
    }

    /// True if `origin` is covered.
    #[must_use]
    pub fn matches(&self, origin: &Origin) -> bool {
        match self.0.split_once("://*.") {
            None => self.0 == origin.as_str(),
            Some((scheme, rest)) => origin
                .as_str()
                .strip_prefix(scheme)
                .and_then(|o| o.strip_prefix("://"))
                .and_then(|o| o.split_once('.'))
                .is_some_and(|(label, o)| !label.is_empty() && o == rest),
        }
    }
}

impl FromStr for HostPattern {
    type Err = PatternError;
    fn from_str(text: &str) -> Result<Self, PatternError> {
        let error = || PatternError(text.chars().take(80).collect());
        if let Some((scheme, rest)) = text.split_once("://*.") {
            let base: Origin = format!("{scheme}://{rest}").parse().map_err(|_| error())?;
            // `*.com` and `*.co.uk` would cover strangers; below an address there are no names.
            if suffix::is_public(base.host()) || base.host().parse::<std::net::IpAddr>().is_ok() {
                return Err(error());
            }
            return Ok(Self(text.to_owned()));
        }
        text.parse::<Origin>().map(|o| Self::exact(&o)).map_err(|_| error())
    }
}

impl<'de> Deserialize<'de> for HostPattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn origin(text: &str) -> Origin {
        text.parse().unwrap()
    }

    #[test]
    fn an_international_name_is_known_in_its_own_letters_too() {
        let letters = |text: &str| origin(text).unicode_host();
        assert_eq!(letters("https://xn--bcher-kva.example:8443").as_deref(), Some("bücher.example"));
        assert_eq!(letters("https://xn--80ak6aa92e.com").as_deref(), Some("аррӏе.com"), "these letters are Cyrillic");
        let plain = [
            "https://a.example",
            "https://10.0.0.1",
            "https://[2001:db8::1]:8443",
            "http://localhost:3000",
            "https://a_b.example",
        ];
        for text in plain {
            assert_eq!(letters(text), None, "{text}");
        }
    }

    #[test]
    fn only_https_and_http_of_this_machine_are_origins() {
        for (text, host) in [
            ("https://example.com", "example.com"),
            ("https://example.com:8443", "example.com"),
            ("https://xn--bcher-kva.example", "xn--bcher-kva.example"),
            ("https://[2001:db8::1]:8443", "2001:db8::1"),
            ("https://10.0.0.1", "10.0.0.1"),
            ("http://localhost:3000", "localhost"),
            ("http://app.localhost", "app.localhost"),
            ("http://127.0.0.1:9091", "127.0.0.1"),
            ("http://[::1]", "::1"),
        ] {
            assert_eq!(origin(text).host(), host, "{text}");
            assert_eq!(origin(text).to_string(), text);
        }
        for text in ["null", ""] {
            assert_eq!(text.parse::<Origin>(), Err(OriginError::Opaque));
        }
        for text in [
            "http://example.com",
            "http://10.0.0.1",
            "http://localhost.example.com",
            "ftp://localhost",
            "ws://localhost",
        ] {
            assert_eq!(text.parse::<Origin>(), Err(OriginError::Scheme), "{text}");
        }
    }

    #[test]
    fn what_a_browser_would_write_otherwise_is_forged() {
        let long = format!("https://{}.example", "a".repeat(300));
        for text in [
            "https://example.com/",
            "https://example.com/x",
            "https://EXAMPLE.com",
            "https://example.com:443",
            "https://u@example.com",
            "https://example.com?x",
            "https://example.com#x",
            " https://example.com",
            "https://example.com\n",
            "https:example.com",
            "https://b\u{fc}cher.example",
            "https://ex\u{430}mple.com",
            "https://0x7f.1",
            "https://exa%6dple.com",
            "example.com",
            "https://",
            "https://a b",
            "https://*.example.com",
            "http://LOCALHOST",
            "https://example\u{3002}com",
            "https://a$b.example",
            "https://*.com",
            &long,
        ] {
            assert!(matches!(text.parse::<Origin>(), Err(OriginError::Form(_))), "{text}");
        }
        for text in [
            "file:///etc/passwd",
            "about:blank",
            "data:text/html,x",
            "javascript:1",
            "chrome-extension://abc",
            "blob:https://a",
        ] {
            assert!(text.parse::<Origin>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_wildcard_covers_exactly_one_label() {
        let pattern: HostPattern = "https://*.example.com".parse().unwrap();
        assert!(pattern.matches(&origin("https://a.example.com")));
        assert!(pattern.matches(&origin("https://xn--bcher-kva.example.com")));
        for text in [
            "https://example.com",
            "https://a.b.example.com",
            "https://aexample.com",
            "https://a.example.com:8443",
            "https://a.example.com.evil.example",
            "https://a.example.org",
            "https://a.example.com.",
        ] {
            assert!(!pattern.matches(&origin(text)), "{text}");
        }
        let port: HostPattern = "https://*.example.com:8443".parse().unwrap();
        assert!(port.matches(&origin("https://a.example.com:8443")));
        assert!(!port.matches(&origin("https://a.example.com")));
    }

    #[test]
    fn scheme_and_port_are_part_of_an_exact_pattern() {
        let pattern: HostPattern = "http://localhost:3000".parse().unwrap();
        assert!(pattern.matches(&origin("http://localhost:3000")));
        assert!(!pattern.matches(&origin("http://localhost:3001")));
        assert!(!pattern.matches(&origin("https://localhost:3000")));
        assert_eq!(HostPattern::exact(&origin("https://a.example")).as_str(), "https://a.example");
    }

    #[test]
    fn patterns_that_cover_strangers_are_refused() {
        for text in [
            "*",
            "https://*",
            "https://*.",
            "https://*.com",
            "https://*.co.uk",
            "https://*.github.io",
            "https://*.*.example.com",
            "https://a.*.com",
            "https://a*.example.com",
            "https://*example.com",
            "https://*.localhost",
            "https://*.10.0.0.1",
            "https://*.[::1]",
            "http://*.example.com",
            "https://*.example.com/",
            "*.example.com",
            "https://*.EXAMPLE.com",
            "https://*.https://*.example.com",
            "https://*.user@example.com",
        ] {
            assert!(text.parse::<HostPattern>().is_err(), "{text}");
        }
        assert!("https://*.example.co.uk".parse::<HostPattern>().is_ok());
    }

    #[test]
    fn a_serialised_origin_is_checked_again_when_it_comes_back() {
        let text = serde_json::to_string(&origin("https://a.example")).unwrap();
        assert_eq!(serde_json::from_str::<Origin>(&text).unwrap(), origin("https://a.example"));
        assert!(serde_json::from_str::<Origin>("\"http://a.example\"").is_err());
        assert!(serde_json::from_str::<HostPattern>("\"https://*.com\"").is_err());
    }

    #[test]
    fn what_a_person_types_gets_the_one_canonical_form() {
        for (typed, pattern) in [
            ("example.com", "https://example.com"),
            (" HTTPS://Example.COM:443/ ", "https://example.com"),
            ("*.Bücher.example", "https://*.xn--bcher-kva.example"),
            ("https://*.example.com:8443", "https://*.example.com:8443"),
            ("http://localhost:3000", "http://localhost:3000"),
            ("https://[2001:DB8::1]:8443", "https://[2001:db8::1]:8443"),
        ] {
            assert_eq!(HostPattern::typed(typed).unwrap().as_str(), pattern, "{typed}");
        }
        for typed in [
            "",
            "*",
            "*.",
            "*.com",
            "a.*.example.com",
            "**.example.com",
            "http://example.com",
            "ftp://a.example",
            "a b",
            "https://user@example.com",
            "https://example.com/path",
            "example.com?x",
            "*.10.0.0.1",
            "file:///etc",
        ] {
            assert!(HostPattern::typed(typed).is_err(), "{typed}");
        }
    }
}
