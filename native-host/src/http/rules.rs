//! Who is heard at the local HTTP door, and what browsers are told about it. Pure.

use godwit_protocol::Origin;
use godwit_protocol::page::PageAnswer;
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, Uri};

/// Before the paths of the page API. The older SDK's `/v6` differs only in an encryption that it can do without.
const PREFIXES: [&str; 2] = ["/v5", "/v6"];
/// Longest name of a program.
const MAX_PROGRAM: usize = 32;
/// A browser asks for permission again after this many seconds.
const PREFLIGHT_SECONDS: &str = "600";

const ASK_PRIVATE: HeaderName = HeaderName::from_static("access-control-request-private-network");
const ALLOW_PRIVATE: HeaderName = HeaderName::from_static("access-control-allow-private-network");

/// Why a request is not passed on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    /// A name that somebody points at this machine.
    #[error("this is not the address of Godwit's local API")]
    Host,
    /// No page and no program.
    #[error("the request has no origin")]
    NoOrigin,
    /// Not one that may use Godwit.
    #[error("{0}")]
    Origin(String),
    /// No such path.
    #[error("there is no such endpoint")]
    Path,
}

impl Refusal {
    pub(super) fn answer(&self) -> PageAnswer {
        let status = match self {
            Self::Host => 421,
            Self::NoOrigin | Self::Origin(_) => 403,
            Self::Path => 404,
        };
        PageAnswer::error(status, &self.to_string(), &self.to_string())
    }
}

/// The origin of a request that may be passed on.
///
/// A page that was loaded from `evil.example` stays that page when its name is pointed at 127.0.0.1 (DNS rebinding): its
/// requests then carry this name, in `Host` or in the address itself, and are refused.
pub(super) fn judge(uri: &Uri, headers: &HeaderMap, port: u16) -> Result<Origin, Refusal> {
    let host = only(headers, header::HOST).ok_or(Refusal::Host)?;
    if !is_here(host, port) || uri.authority().is_some_and(|a| !is_here(a.as_str(), port)) {
        return Err(Refusal::Host);
    }
    if headers.get_all(header::ORIGIN).iter().next().is_none() {
        return Err(Refusal::NoOrigin);
    }
    let text = only(headers, header::ORIGIN).ok_or_else(|| Refusal::Origin("the origin cannot be read".into()))?;
    origin(text).map_err(Refusal::Origin)
}

/// A site, or a program that gives its plain name (`ascli` does): no page can have a name that the net never resolves.
fn origin(text: &str) -> Result<Origin, String> {
    let word = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    let is_program = (1..=MAX_PROGRAM).contains(&text.len())
        && text != "null"
        && text.bytes().all(word)
        && text.as_bytes().first().is_some_and(u8::is_ascii_lowercase)
        && !text.ends_with('-');
    let site = if is_program { format!("https://{text}.invalid") } else { text.to_owned() };
    if !is_program && text.ends_with(".invalid") {
        return Err("this origin is not a site".into());
    }
    site.parse::<Origin>().map_err(|e| e.to_string())
}

/// The value of a header that is there exactly once.
fn only(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?;
    if values.next().is_some() { None } else { value.to_str().ok() }
}

fn is_here(authority: &str, port: u16) -> bool {
    let Some((name, given)) = authority.rsplit_once(':') else { return false };
    given == port.to_string() && (name == "127.0.0.1" || name.eq_ignore_ascii_case("localhost"))
}

/// The page API's path of an address.
pub(super) fn path(uri: &Uri) -> Result<String, Refusal> {
    let rest = PREFIXES.iter().find_map(|prefix| uri.path().strip_prefix(prefix)).ok_or(Refusal::Path)?;
    if rest.starts_with("/connect/") { Ok(rest.to_owned()) } else { Err(Refusal::Path) }
}

/// True for the question a browser asks before the request itself.
pub(super) fn is_preflight(method: &Method) -> bool {
    method == Method::OPTIONS
}

/// What lets the page of `origin`, and no other, read the answer. Whether the site may *do* anything is the core's question.
pub(super) fn allow(origin: &str, headers: &mut HeaderMap) {
    headers.insert(header::VARY, HeaderValue::from_static("Origin"));
    if let Ok(value) = HeaderValue::from_str(origin) {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, value);
    }
}

/// The answer to a preflight: what such a page may send, and that this private address may be reached from the net.
pub(super) fn preflight(asked: &HeaderMap, headers: &mut HeaderMap) {
    let fixed = [
        (header::ACCESS_CONTROL_ALLOW_METHODS, "GET, POST"),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, "content-type, accept"),
        (header::ACCESS_CONTROL_MAX_AGE, PREFLIGHT_SECONDS),
    ];
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if only(asked, ASK_PRIVATE) == Some("true") {
        headers.insert(ALLOW_PRIVATE, HeaderValue::from_static("true"));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const PORT: u16 = 33_003;

    fn headers(all: &[(&str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in all {
            let name: HeaderName = name.parse().unwrap();
            headers.append(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        headers
    }

    fn judged(uri: &str, all: &[(&str, &str)]) -> Result<String, Refusal> {
        judge(&uri.parse().unwrap(), &headers(all), PORT).map(|origin| origin.as_str().to_owned())
    }

    #[test]
    fn only_this_machines_own_names_with_the_right_port_are_heard() {
        let from = ("origin", "https://app.example");
        for host in ["127.0.0.1:33003", "localhost:33003", "LocalHost:33003"] {
            assert_eq!(judged("/v5/connect/info/ping", &[("host", host), from]).unwrap(), "https://app.example");
        }
        for host in [
            "evil.example:33003",
            "127.0.0.1",
            "127.0.0.1:33004",
            "127.0.0.1.evil.example:33003",
            "localhost.evil.example:33003",
            "127.0.0.1:33003:33003",
            "user@127.0.0.1:33003",
            "[::1]:33003",
            "0.0.0.0:33003",
            "127.1:33003",
            "",
            "\u{e4}",
        ] {
            assert_eq!(judged("/v5/connect/info/ping", &[("host", host), from]), Err(Refusal::Host), "{host}");
        }
        assert_eq!(judged("/x", &[from]), Err(Refusal::Host), "none");
        let two = [("host", "127.0.0.1:33003"), ("host", "evil.example:33003"), from];
        assert_eq!(judged("/x", &two), Err(Refusal::Host), "two");
        let absolute = "http://evil.example:33003/v5/connect/info/ping";
        assert_eq!(judged(absolute, &[("host", "127.0.0.1:33003"), from]), Err(Refusal::Host), "in the address");
    }

    #[test]
    fn an_origin_is_a_site_that_may_use_godwit_or_a_programs_plain_name() {
        let host = ("host", "127.0.0.1:33003");
        let from = |origin: &str| judged("/x", &[host, ("origin", origin)]);
        assert_eq!(from("https://a.example:8443").unwrap(), "https://a.example:8443");
        assert_eq!(from("http://localhost:3000").unwrap(), "http://localhost:3000");
        assert_eq!(from("ascli").unwrap(), "https://ascli.invalid");
        for bad in [
            "null",
            "",
            "http://a.example",
            "https://a.example/",
            "https://a.example, https://b.example",
            "https://ascli.invalid",
            "file://",
            "chrome-extension://abc",
            "ASCLI",
            "-a",
            "a-",
            "4711",
            "a.b",
            "\u{e4}",
        ] {
            assert!(matches!(from(bad), Err(Refusal::Origin(_))), "{bad}");
        }
        assert_eq!(judged("/x", &[host]), Err(Refusal::NoOrigin));
        let two = [host, ("origin", "https://a.example"), ("origin", "https://b.example")];
        assert!(matches!(judged("/x", &two), Err(Refusal::Origin(_))));
    }

    #[test]
    fn only_the_page_apis_paths_lead_anywhere() {
        let of = |text: &str| path(&text.parse().unwrap());
        assert_eq!(of("/v5/connect/info/version?x=1").unwrap(), "/connect/info/version");
        assert_eq!(of("/v6/connect/info/ready").unwrap(), "/connect/info/ready");
        for bad in ["/", "/connect/info/ping", "/v5", "/v5/", "/v5connect/info/ping", "/v5/x/connect/", "/v7/connect/x"]
        {
            assert_eq!(of(bad), Err(Refusal::Path), "{bad}");
        }
    }

    #[test]
    fn a_preflight_names_the_private_network_only_if_asked() {
        let mut plain = HeaderMap::new();
        preflight(&headers(&[]), &mut plain);
        assert!(!plain.contains_key(ALLOW_PRIVATE));
        let mut private = HeaderMap::new();
        preflight(&headers(&[("access-control-request-private-network", "true")]), &mut private);
        assert_eq!(private[ALLOW_PRIVATE], "true");
        assert!(!private.contains_key(header::ACCESS_CONTROL_ALLOW_CREDENTIALS));
    }
}
