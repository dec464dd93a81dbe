//! Web origins and the host patterns of the trust lists.

use serde::{Deserialize, Deserializer, Serialize};
use std::fmt;
use std::str::FromStr;

/// A site's identity as the browser states it: scheme, host (ASCII form) and port.
///
/// Only `https`, and `http` on a loopback host, exist; everything else, `null` first, is refused.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct Origin(String);

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
}

impl FromStr for Origin {
    type Err = OriginError;
    fn from_str(text: &str) -> Result<Self, OriginError> {
        if text == "null" || text.is_empty() {
            return Err(OriginError::Opaque);
        }
        let form = || OriginError::Form(text.chars().take(80).collect());
        let url = url::Url::parse(text).map_err(|_| form())?;
        let host = url.host().ok_or_else(form)?;
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

/// An entry of a trust list: `https://host[:port]`, where the first label may be `*` (exactly one label).
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
            // `*.com` would cover everybody; public suffixes of several labels follow with the full lists.
            if !base.host().contains('.') || base.host().parse::<std::net::IpAddr>().is_ok() {
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
