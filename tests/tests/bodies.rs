//! Hostile page bodies: whatever a page sends, it gets JSON with an error and the right status.

#![allow(clippy::unwrap_used)]

use godwit_protocol::envelope::codes;
use godwit_protocol::page::MAX_PAGE_BODY;
use godwit_protocol::ui::kinds;
use godwit_tests::browserish::Answer;
use godwit_tests::wait::SOON;
use godwit_tests::{Browserish, Page, Scratch};
use serde_json::{Value, json};

fn refused(page: &Page<'_>, uri: &str, body: &str) -> Value {
    let (status, answer) = page.post_text(uri, body);
    let shown: String = body.chars().take(80).collect();
    assert_eq!(status, 400, "{shown}: {answer}");
    assert_eq!(answer["error"]["code"], json!(400), "{shown}: {answer}");
    assert!(answer["error"]["user_message"].as_str().is_some_and(|t| !t.is_empty()), "{shown}: {answer}");
    answer
}

#[test]
fn h06_hostile_json_in_a_body_is_a_bad_request() {
    let scratch = Scratch::new();
    let browser = Browserish::open(&scratch);
    let page = browser.page("https://app.example", "app");
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let deep_value = format!(r#"{{"transfer_specs":{deep}}}"#);
    let two = r#"{"transfer_specs":[],"transfer_specs":[{}]}"#;
    for body in [
        "no json",
        "{",
        "[]",
        "5",
        "null",
        "\"text\"",
        "{} {}",
        &deep,
        &deep_value,
        two,
        "{\"a\":1e999999}",
        "\u{feff}{}",
        "{\"a\":\"\\ud800\"}",
        "{\"a\":\"\u{1}\"}",
    ] {
        refused(&page, "/connect/transfers/start", body);
    }
    assert_eq!(page.get("/connect/info/ping").0, 200, "and the next request is answered");
}

#[test]
fn h07_wrong_types_in_a_spec_are_named_and_never_start_anything() {
    let scratch = Scratch::new();
    let browser = Browserish::open(&scratch);
    let page = browser.page("https://app.example", "app");
    let good = json!({"direction": "receive", "remote_host": "a.example", "paths": [{"source": "x"}]});
    for (field, value) in [
        ("direction", json!("sideways")),
        ("direction", json!(null)),
        ("remote_host", json!(5)),
        ("remote_host", json!("a b")),
        ("remote_host", json!("user@host")),
        ("paths", json!("x")),
        ("paths", json!([])),
        ("paths", json!([5])),
        ("fasp_port", json!(0)),
        ("fasp_port", json!(70_000)),
        ("fasp_port", json!("-1")),
        ("target_rate_kbps", json!(-5)),
        ("target_rate_kbps", json!("fast")),
        ("rate_policy", json!("wild")),
        ("resume", json!(1)),
        ("create_dir", json!("perhaps")),
        ("token", json!({"a": 1})),
    ] {
        let mut spec = good.clone();
        spec[field] = value.clone();
        let body = json!({"transfer_specs": [{"transfer_spec": spec, "aspera_connect_settings": {"app_id": "app"}}],
            "aspera_connect_settings": {"app_id": "app"}});
        let answer = refused(&page, "/connect/transfers/start", &body.to_string());
        assert!(answer.to_string().contains(field), "the message names {field} for {value}: {answer}");
    }
    assert_eq!(page.activity(0)["result_count"], json!(0), "nothing was started");
}

#[test]
fn h02_an_oversize_body_is_refused() {
    let scratch = Scratch::new();
    let browser = Browserish::open(&scratch);
    let page = browser.page("https://app.example", "app");
    let body = json!({"a": "x".repeat(MAX_PAGE_BODY)}).to_string();
    let (status, answer) = page.post_text("/connect/transfers/start", &body);
    assert!(status == 400 || status == 413, "{status} {answer}");
    assert!(answer["error"]["code"].is_number());
}

#[test]
fn h07_unknown_endpoints_wrong_methods_and_files_nobody_chose_have_their_own_status() {
    let scratch = Scratch::new();
    let browser = Browserish::open(&scratch);
    let page = browser.page("https://app.example", "app");
    assert_eq!(page.get("/connect/nothing").0, 404);
    assert_eq!(page.get("/elsewhere").0, 404);
    assert_eq!(page.get("/connect/transfers/start").0, 405);
    assert_eq!(page.post("/connect/transfers/stop/a%2fb", json!({})).0, 400);
    assert_eq!(page.post("/connect/transfers/info/no-such-transfer", json!({})).0, 404);
    for uri in ["/connect/file/checksum/", "/connect/file/read-as-array-buffer/"] {
        let (status, body) = page.post(uri, json!({"path": "/etc/passwd"}));
        assert_eq!(status, 406, "{uri}: {body}");
        assert_eq!(body["error"]["code"], json!(406), "{uri}: {body}");
    }
}

#[test]
fn h14_a_page_that_asks_in_a_loop_is_slowed_down_and_others_are_not() {
    let scratch = Scratch::new();
    let browser = Browserish::open(&scratch);
    let page = browser.page("https://loop.example", "app");
    let answers: Vec<u16> = (0..1500).map(|_| page.get("/connect/info/version").0).collect();
    assert!(answers.contains(&429), "1500 questions at once are too many");
    assert_eq!(browser.page("https://app.example", "app").get("/connect/info/version").0, 200);
}

#[test]
fn h14_a_site_that_asks_a_hundred_times_opens_one_consent_window_and_cannot_fill_the_agent() {
    let scratch = Scratch::new();
    let browser = Browserish::open(&scratch);
    browser.user(|user| user.consent = None);
    let call = json!({"method": "POST", "uri": "/connect/windows/select-open-file-dialog/", "body": "{}"});
    let waiting: Vec<_> =
        (0..100).map(|_| browser.ask(kinds::PAGE, Some("https://app.example"), call.clone())).collect();
    // An answered question proves that all before it have been taken in.
    assert_eq!(browser.ui(kinds::TRUST, json!({})).map_err(|e| e.code).err(), Some(codes::BUSY.to_owned()));
    let other = Browserish::open(&scratch);
    assert_eq!(other.page("https://other.example", "app").get("/connect/info/version").0, 200);
    assert_eq!(browser.prompts().len(), 1, "one window per site");
    let refused = waiting.iter().filter(|w| w.try_recv().is_ok_and(|a| is_refusal(&a))).count();
    assert!(refused >= 30, "what is too much is refused at once: {refused}");
    let prompt = browser.prompts()[0].prompt_id.clone();
    drop(browser);
    assert!(!prompt.is_empty());
    godwit_tests::until("the agent still serves", SOON, || Some(other.status()));
}

fn is_refusal(answer: &Answer) -> bool {
    match answer {
        Answer::Error(error) => error.code == codes::BUSY,
        Answer::Result(value) => value["status"].as_u64().is_some_and(|s| s >= 400),
        Answer::Parts(..) => false,
    }
}
