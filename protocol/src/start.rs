//! The bodies of page calls that carry more than an id: `transfers/start`, and the fields common to all of them.
//!
//! **Must not know:** which site asks. Nothing read here says who the page is; the origin comes with the request.

use crate::json::{self, JsonError};
use crate::page::MAX_PAGE_BODY;
use crate::spec::fields::{Fields, wrong};
use crate::spec::{SpecError, TransferSpec};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Longest app id and request id, bytes.
const MAX_ID: usize = 256;
/// Longest address of a page, bytes.
const MAX_LINK: usize = 2048;
/// The object that holds the settings.
const SETTINGS: &str = "aspera_connect_settings";

/// `aspera_connect_settings`: how a page wants a transfer to be treated. Serialised as it goes back to the page.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ConnectSettings {
    /// Names the web application's session; empty if the page gave none, and then no transfer is found by it.
    pub app_id: String,
    /// Chosen by the page to find its transfer again.
    pub request_id: String,
    /// False: no windows of our own accord. The questions of trust are asked all the same.
    pub allow_dialogs: bool,
    /// Address behind "open web page": `http` or `https`, else empty.
    pub back_link: String,
    /// False: no `files` in what the page is told.
    pub return_files: bool,
    /// False: no `paths` in what the page is told.
    pub return_paths: bool,
    /// `destination_root` of a download is an absolute path.
    pub use_absolute_destination_path: bool,
}

impl Default for ConnectSettings {
    fn default() -> Self {
        Self {
            app_id: String::new(),
            request_id: String::new(),
            allow_dialogs: true,
            back_link: String::new(),
            return_files: true,
            return_paths: true,
            use_absolute_destination_path: false,
        }
    }
}

impl ConnectSettings {
    /// The settings at the top level of a body. Every call but `start` has them only there.
    pub fn from_body(body: &Value) -> Result<Self, SpecError> {
        Self::from_both(None, body.get(SETTINGS))
    }

    /// Each setting from `element` if it is given there, else from `top`, else its default.
    fn from_both(element: Option<&Value>, top: Option<&Value>) -> Result<Self, SpecError> {
        let none = Map::new();
        let (element, top) = (Fields(object(element, &none)?), Fields(object(top, &none)?));
        let from = |name: &str| if element.get(&[name]).is_some() { &element } else { &top };
        let id = |name| from(name).plain(&[name], MAX_ID).map(Option::unwrap_or_default).map_err(in_settings);
        let flag =
            |name, default: bool| from(name).switch(&[name]).map(|given| given.unwrap_or(default)).map_err(in_settings);
        let link = from("back_link").get(&["back_link"]).and_then(|(_, value)| value.as_str());
        Ok(Self {
            app_id: id("app_id")?,
            request_id: id("request_id")?,
            allow_dialogs: flag("allow_dialogs", true)?,
            back_link: link.and_then(web_link).unwrap_or_default(),
            return_files: flag("return_files", true)?,
            return_paths: flag("return_paths", true)?,
            use_absolute_destination_path: flag("use_absolute_destination_path", false)?,
        })
    }
}

/// The body of `transfers/start`.
#[derive(Clone, Debug, PartialEq)]
pub struct StartRequest {
    /// What to transfer.
    pub spec: TransferSpec,
    /// How the page wants it treated.
    pub settings: ConnectSettings,
}

/// Why a page's body was refused.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// Longer than [`MAX_PAGE_BODY`].
    #[error("the request is larger than {MAX_PAGE_BODY} bytes")]
    TooLarge,
    /// No JSON, or hostile JSON.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// A field is missing or wrong.
    #[error(transparent)]
    Field(#[from] SpecError),
}

/// Parses a page's body; an empty one is an empty object. The one way in for bodies.
pub fn parse_body(body: &str) -> Result<Value, BodyError> {
    if body.len() > MAX_PAGE_BODY {
        return Err(BodyError::TooLarge);
    }
    if body.trim().is_empty() {
        return Ok(Value::Object(Map::new()));
    }
    let value: Value = json::parse(body.as_bytes())?;
    if value.is_object() { Ok(value) } else { Err(wrong("body", "must be an object").into()) }
}

impl StartRequest {
    /// Reads a body. Like the predecessor, takes only the first element of `transfer_specs`.
    pub fn from_body(body: &str) -> Result<Self, BodyError> {
        let body = parse_body(body)?;
        let list = body.get("transfer_specs").and_then(Value::as_array);
        let element =
            list.and_then(|list| list.first()).ok_or_else(|| wrong("transfer_specs", "must name one transfer"))?;
        let spec =
            element.get("transfer_spec").ok_or_else(|| wrong("transfer_specs[0].transfer_spec", "is missing"))?;
        let settings = ConnectSettings::from_both(element.get(SETTINGS), body.get(SETTINGS))?;
        let spec = TransferSpec::from_value(spec)?;
        spec.check_offered()?;
        Ok(Self { settings, spec })
    }
}

/// `value` as an object; absent and `null` are empty ones.
fn object<'v>(value: Option<&'v Value>, none: &'v Map<String, Value>) -> Result<&'v Map<String, Value>, SpecError> {
    match value {
        None | Some(Value::Null) => Ok(none),
        Some(Value::Object(object)) => Ok(object),
        Some(_) => Err(wrong(SETTINGS, "must be an object")),
    }
}

fn in_settings(error: SpecError) -> SpecError {
    SpecError { field: format!("{SETTINGS}.{}", error.field), ..error }
}

/// `text` if it is the address of a web page. Anything else (`javascript:` first) would be opened by our own window.
fn web_link(text: &str) -> Option<String> {
    let url = url::Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https"))?;
    Some(url.to_string()).filter(|link| link.len() <= MAX_LINK)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    fn start(element: Value, top: Value) -> Result<StartRequest, BodyError> {
        let spec = json!({"direction": "send", "remote_host": "a", "paths": [{"source": "/x"}]});
        let element = json!({"transfer_spec": spec, SETTINGS: element});
        StartRequest::from_body(&json!({"transfer_specs": [element, 5], SETTINGS: top}).to_string())
    }

    #[test]
    fn the_element_wins_over_the_top_level_and_the_top_level_over_the_defaults() {
        let settings = start(
            json!({"app_id": "inner", "return_paths": false, "back_link": ""}),
            json!({"app_id": "outer", "request_id": "r", "return_paths": true, "back_link": "https://a.example/p?q#f"}),
        );
        let settings = settings.unwrap().settings;
        assert_eq!(settings.app_id, "inner");
        assert_eq!(settings.request_id, "r");
        assert_eq!(settings.back_link, "https://a.example/p?q#f");
        assert!(!settings.return_paths && settings.return_files && settings.allow_dialogs);
        assert_eq!(start(Value::Null, Value::Null).unwrap().settings, ConnectSettings::default());
    }

    #[test]
    fn a_back_link_that_is_no_web_address_is_dropped() {
        let long = format!("https://a.example/{}", "x".repeat(3000));
        for link in ["javascript:alert(1)", "file:///etc/passwd", "data:text/html,x", "x", &long] {
            assert_eq!(start(json!({"back_link": link}), Value::Null).unwrap().settings.back_link, "");
        }
        assert_eq!(start(json!({"back_link": 5}), Value::Null).unwrap().settings.back_link, "");
    }

    #[test]
    fn what_this_build_cannot_protect_is_refused_and_not_ignored() {
        let spec = json!({
            "direction": "send", "remote_host": "a", "paths": [{"source": "/x"}], "obfuscate_file_names": true,
        });
        let body = json!({"transfer_specs": [{"transfer_spec": spec}]}).to_string();
        assert!(StartRequest::from_body(&body).unwrap_err().to_string().contains("obfuscate_file_names"));
    }

    #[test]
    fn wrong_bodies_are_refused_with_the_field() {
        let field = |body: &str| StartRequest::from_body(body).unwrap_err().to_string();
        assert!(field("").contains("transfer_specs"));
        assert!(field("[]").contains("body"));
        assert!(field(r#"{"transfer_specs":[]}"#).contains("transfer_specs"));
        assert!(field(r#"{"transfer_specs":[{}]}"#).contains("transfer_specs[0].transfer_spec"));
        assert!(field(r#"{"transfer_specs":[{"transfer_spec":{}}]}"#).contains("direction"));
        assert!(field(r#"{"a":1,"a":2}"#).contains("twice"));
        assert!(matches!(StartRequest::from_body(&" ".repeat(MAX_PAGE_BODY + 1)), Err(BodyError::TooLarge)));
        let wrong = start(json!({"app_id": 7}), Value::Null).unwrap_err().to_string();
        assert!(wrong.contains("aspera_connect_settings.app_id"), "{wrong}");
        assert!(start(json!({"return_files": "perhaps"}), Value::Null).is_err());
        assert!(start(json!("x"), Value::Null).is_err());
        assert!(start(json!({"app_id": "x".repeat(257)}), Value::Null).is_err());
    }
}
