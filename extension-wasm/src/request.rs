//! What a page sent: is it a request at all, may this origin send one, is the site known to be restricted?

use godwit_protocol::json;
use godwit_protocol::page::{Dropped, Endpoint, MAX_DROPPED, MAX_PAGE_BODY, PageAnswer, PageCall};
use godwit_protocol::ui::TrustView;
use godwit_protocol::{HostPattern, Origin};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Longest path a page may name.
pub const MAX_URI: usize = 512;
/// Longest version text.
pub const MAX_VERSION: usize = 64;
/// Longest time a page may ask to wait, in milliseconds: the SDK's own 24 hours.
pub const MAX_TIMEOUT_MS: u64 = 86_400_000;

/// What to do with a page's request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Checked {
    /// Send this to the agent.
    Call(PageCall),
    /// Answer this at once.
    Answer(PageAnswer),
}

/// What the restricted list says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Prechecked {
    /// Let the agent decide.
    Forward,
    /// Answer this at once.
    Answer(PageAnswer),
}

/// The fields of a page's request as the relay copies them; each may be of any type.
#[derive(Deserialize)]
struct Detail {
    #[serde(default)]
    method: Value,
    #[serde(default)]
    uri_reference: Value,
    #[serde(default)]
    body: Value,
    #[serde(default)]
    min_version: Value,
    #[serde(default)]
    timeout: Value,
    /// Set by the relay when it left out a body over the limit.
    #[serde(default)]
    oversize: bool,
    /// What the relay saw dropped; never a page's word.
    #[serde(default)]
    dropped: Value,
}

/// Checks a page's request object (reference, 1.2) from a page of `origin`, which is `sender.origin`.
#[must_use]
pub fn check(detail: &str, origin: &str) -> Checked {
    match checked(detail, origin) {
        Ok(call) => Checked::Call(call),
        Err(answer) => Checked::Answer(answer),
    }
}

/// Says no for a site on the restricted list. Policies and remembered permissions are the agent's business, as is the
/// answer for a site that is on no list.
#[must_use]
pub fn precheck(call: &PageCall, origin: &str, trust: &TrustView) -> Prechecked {
    let Ok(origin) = origin.parse::<Origin>() else {
        return Prechecked::Answer(refused("the origin of the page is not acceptable"));
    };
    // Polling is answered with an empty list, as before consent: a page must not learn by it that it was refused.
    let harmless = |endpoint: &Endpoint| endpoint.needs_no_consent() || *endpoint == Endpoint::Activity;
    if Endpoint::route(&call.method, &call.uri).is_ok_and(|endpoint| harmless(&endpoint)) {
        return Prechecked::Forward;
    }
    let restricted = trust
        .restricted
        .iter()
        .filter_map(|text| text.parse::<HostPattern>().ok())
        .any(|pattern| pattern.matches(&origin));
    if restricted {
        Prechecked::Answer(refused("the site is on the user's restricted list"))
    } else {
        Prechecked::Forward
    }
}

fn checked(detail: &str, origin: &str) -> Result<PageCall, PageAnswer> {
    origin.parse::<Origin>().map_err(|error| PageAnswer::error(403, "origin refused", &error.to_string()))?;
    // By way of a map: the derived reader would take a list for the object as well.
    let detail: serde_json::Map<String, Value> =
        json::parse(detail.as_bytes()).map_err(|error| bad(&error.to_string()))?;
    let detail: Detail = serde_json::from_value(Value::Object(detail)).map_err(|error| bad(&error.to_string()))?;
    if detail.oversize {
        return Err(too_large());
    }
    let method = text(detail.method, "method")?;
    let uri = text(detail.uri_reference, "uri_reference")?;
    if uri.len() > MAX_URI {
        return Err(bad("uri_reference is too long"));
    }
    let endpoint = Endpoint::route(&method, &uri)
        .map_err(|error| PageAnswer::error(error.status(), &error.to_string(), "Invalid request"))?;
    let min_version = text(detail.min_version, "min_version")?;
    if min_version.len() > MAX_VERSION {
        return Err(bad("min_version is too long"));
    }
    let body = text(detail.body, "body")?;
    if body.len() > MAX_PAGE_BODY {
        return Err(too_large());
    }
    // A page's own GET carries no body; what someone else put there means nothing.
    let body = if method == "GET" { String::new() } else { body };
    if !body.is_empty() {
        json::parse::<Value>(body.as_bytes()).map_err(|error| bad(&format!("body: {error}")))?;
    }
    let dialog = matches!(endpoint, Endpoint::SelectFiles | Endpoint::SelectFolders | Endpoint::SelectSave);
    let timeout = match detail.timeout {
        Value::Null => None,
        Value::Number(number) => Some(number.as_f64().filter(|ms| *ms >= 0.0).ok_or_else(|| bad("timeout"))?),
        _ => return Err(bad("timeout is not a number")),
    };
    // Saturating: what a page writes beyond a day counts as a day.
    let timeout = timeout.filter(|_| dialog).map(|ms| (ms as u64).clamp(1, MAX_TIMEOUT_MS));
    let dropped = if endpoint == Endpoint::DroppedFiles { dropped(detail.dropped) } else { Vec::new() };
    let mut call = PageCall { method, uri, body, min_version, timeout, dropped };
    if !call.fits_frame() {
        // Without it the user shows where the files are.
        call.dropped.clear();
    }
    // Written as JSON again, a body of quotes or control characters grows; the port must not break by it.
    if call.fits_frame() { Ok(call) } else { Err(too_large()) }
}

/// What the relay saw, if it is of the right form and no more than the agent looks for.
fn dropped(value: Value) -> Vec<Dropped> {
    let files: Vec<Dropped> = serde_json::from_value(value).unwrap_or_default();
    if files.len() > MAX_DROPPED { Vec::new() } else { files }
}

/// A field that must be text; absent and `null` count as empty, as in the SDK.
fn text(value: Value, name: &str) -> Result<String, PageAnswer> {
    match value {
        Value::Null => Ok(String::new()),
        Value::String(text) => Ok(text),
        _ => Err(bad(&format!("{name} is not a text"))),
    }
}

fn bad(reason: &str) -> PageAnswer {
    PageAnswer::error(400, reason, "Invalid request")
}

fn too_large() -> PageAnswer {
    PageAnswer::error(413, &format!("the body is larger than {MAX_PAGE_BODY} bytes"), "The request is too large")
}

fn refused(reason: &str) -> PageAnswer {
    PageAnswer::error(403, reason, "This site may not use Godwit")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    const SITE: &str = "https://example.com";

    fn request(change: impl FnOnce(&mut Value)) -> String {
        let mut value = json!({"request_id": 10000, "min_version": "", "method": "POST",
            "uri_reference": "/connect/transfers/activity", "body": "{\"iteration_token\":0}"});
        change(&mut value);
        value.to_string()
    }

    fn status(checked: Checked) -> u16 {
        match checked {
            Checked::Call(_) => 200,
            Checked::Answer(answer) => {
                assert!(serde_json::from_str::<Value>(&answer.body).unwrap()["error"].is_object());
                answer.status
            }
        }
    }

    #[test]
    fn a_request_of_the_sdk_becomes_a_call() {
        let Checked::Call(call) = check(&request(|_| {}), SITE) else { panic!("refused") };
        assert_eq!(call.uri, "/connect/transfers/activity");
        assert_eq!(call.body, "{\"iteration_token\":0}");
        assert_eq!(call.timeout, None);
    }

    #[test]
    fn only_https_and_this_machine_may_ask() {
        for (origin, wanted) in [
            ("https://example.com", 200),
            ("https://example.com:8443", 200),
            ("http://localhost:8080", 200),
            ("http://127.0.0.1:9091", 200),
            ("http://[::1]:80a", 403),
            ("http://[::1]:81", 200),
            ("http://example.com", 403),
            ("null", 403),
            ("", 403),
            ("file://", 403),
            ("chrome-extension://abcdefghijklmnop", 403),
            ("https://example.com/", 403),
            ("https://user@example.com", 403),
            ("https://EXAMPLE.com", 403),
        ] {
            assert_eq!(status(check(&request(|_| {}), origin)), wanted, "{origin}");
        }
    }

    #[test]
    fn fields_of_the_wrong_type_are_a_bad_request() {
        for field in ["method", "uri_reference", "body", "min_version", "timeout"] {
            for value in [json!({}), json!([1]), json!(true)] {
                let text = request(|r| r[field] = value.clone());
                assert_eq!(status(check(&text, SITE)), 400, "{field} = {value}");
            }
        }
    }

    #[test]
    fn unknown_paths_wrong_methods_and_bad_ids_keep_their_own_status() {
        for (method, uri, wanted) in [
            ("GET", "/connect/info/version", 200),
            ("POST", "/connect/info/version", 405),
            ("DELETE", "/connect/transfers/start", 405),
            ("GET", "/connect/nothing", 404),
            ("GET", "", 404),
            ("POST", "/connect/transfers/stop/a%2f", 400),
        ] {
            let text = request(|r| {
                r["method"] = json!(method);
                r["uri_reference"] = json!(uri);
                r["body"] = json!("");
            });
            assert_eq!(status(check(&text, SITE)), wanted, "{method} {uri}");
        }
    }

    #[test]
    fn a_body_over_the_limit_is_refused_whether_the_relay_noticed_or_not() {
        let long = format!("\"{}\"", "x".repeat(MAX_PAGE_BODY));
        assert_eq!(status(check(&request(|r| r["body"] = json!(long)), SITE)), 413);
        assert_eq!(status(check(&request(|r| r["oversize"] = json!(true)), SITE)), 413);
        let growing = format!("\"{}\"", "<".repeat(MAX_PAGE_BODY / 2));
        assert_eq!(status(check(&request(|r| r["body"] = json!(growing)), SITE)), 413);
    }

    #[test]
    fn a_body_that_is_not_json_or_hides_something_is_refused() {
        let deep = format!("{}{}", "[".repeat(500), "]".repeat(500));
        for body in ["{", "nothing", "{} {}", deep.as_str()] {
            assert_eq!(status(check(&request(|r| r["body"] = json!(body)), SITE)), 400, "{body}");
        }
    }

    #[test]
    fn a_get_request_loses_its_body() {
        let text = request(|r| {
            r["method"] = json!("GET");
            r["uri_reference"] = json!("/connect/info/ping");
        });
        let Checked::Call(call) = check(&text, SITE) else { panic!("refused") };
        assert_eq!(call.body, "");
    }

    #[test]
    fn the_time_out_counts_for_dialogs_only_and_ends_after_a_day() {
        for (uri, asked, wanted) in [
            ("/connect/windows/select-open-file-dialog/", json!(5000), Some(5000)),
            ("/connect/windows/select-save-file-dialog/", json!(1.0e300), Some(MAX_TIMEOUT_MS)),
            ("/connect/windows/select-open-folder-dialog/", json!(0), Some(1)),
            ("/connect/transfers/activity", json!(5000), None),
        ] {
            let text = request(|r| {
                r["uri_reference"] = json!(uri);
                r["timeout"] = asked;
            });
            let Checked::Call(call) = check(&text, SITE) else { panic!("refused {uri}") };
            assert_eq!(call.timeout, wanted, "{uri}");
        }
        assert_eq!(status(check(&request(|r| r["timeout"] = json!(-1)), SITE)), 400);
    }

    #[test]
    fn text_that_is_no_object_is_a_bad_request() {
        for text in ["", "null", "[]", "7", "\"text\"", "{\"method\":"] {
            assert_eq!(status(check(text, SITE)), 400, "{text}");
        }
    }

    #[test]
    fn a_restricted_site_is_refused_without_the_agent_and_others_are_not() {
        let start = request(|r| r["uri_reference"] = json!("/connect/transfers/start"));
        let Checked::Call(call) = check(&start, SITE) else { panic!("refused") };
        let trust = TrustView {
            restricted: vec!["https://*.bad.example".into(), SITE.into(), "junk".into()],
            ..TrustView::default()
        };
        for (origin, wanted) in
            [(SITE, 403), ("https://a.bad.example", 403), ("https://bad.example", 200), ("https://good.example", 200)]
        {
            let got = match precheck(&call, origin, &trust) {
                Prechecked::Forward => 200,
                Prechecked::Answer(answer) => answer.status,
            };
            assert_eq!(got, wanted, "{origin}");
        }
    }

    #[test]
    fn a_restricted_site_still_learns_that_godwit_exists_and_not_by_polling_that_it_is_restricted() {
        let trust = TrustView { restricted: vec![SITE.into()], ..TrustView::default() };
        for (method, uri) in [("GET", "/connect/info/version"), ("POST", "/connect/transfers/activity")] {
            let text = request(|r| {
                r["method"] = json!(method);
                r["uri_reference"] = json!(uri);
            });
            let Checked::Call(call) = check(&text, SITE) else { panic!("refused") };
            assert_eq!(precheck(&call, SITE, &trust), Prechecked::Forward, "{uri}");
        }
    }
}
