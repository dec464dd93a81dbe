//! Properties of the parsers, over generated inputs.
#![allow(clippy::unwrap_used)]

use godwit_protocol::envelope::Message;
use godwit_protocol::frame::{Decoder, encode};
use godwit_protocol::json::{self, JsonError};
use godwit_protocol::page::PageAnswer;
use godwit_protocol::spec::{TransferSpec, normalise_host};
use godwit_protocol::{HostPattern, Origin, RelPath, fuzz};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// Text that stresses paths and JSON: separators, dots, controls, combining and right-to-left characters.
fn odd_text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => "[a-z]{1,4}",
        2 => Just("/".to_owned()),
        1 => Just("..".to_owned()),
        1 => Just(".".to_owned()),
        1 => Just("\\".to_owned()),
        1 => Just("e\u{301}".to_owned()),
        1 => Just("\u{202e}".to_owned()),
        1 => any::<char>().prop_map(String::from),
    ];
    vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

/// Any JSON value that serde_json writes and reads without loss.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        odd_text().prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 48, 6, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(Value::from),
            btree_map("[a-c]{0,2}", inner, 0..6).prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

/// Nesting of a value, counted as the parser counts it.
fn depth(value: &Value) -> usize {
    match value {
        Value::Array(list) => 1 + list.iter().map(depth).max().unwrap_or(0),
        Value::Object(map) => 1 + map.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

/// Fields of specs, right and wrong ones mixed.
fn field_value() -> impl Strategy<Value = Value> {
    let words = prop::sample::select(vec![
        "send",
        "receive",
        "yes",
        "no",
        "fair",
        "none",
        "attrs",
        "diff+older",
        "token",
        "encrypt",
        "33001",
        "5000",
    ]);
    prop_oneof![
        words.prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
        (0_u32..70_000).prop_map(Value::from),
        odd_text().prop_map(Value::from),
        any_json(),
    ]
}

const FIELDS: &[&str] = &[
    "direction",
    "remote_host",
    "remote_user",
    "authentication",
    "source_root",
    "destination_root",
    "create_dir",
    "ssh_port",
    "fasp_port",
    "cipher",
    "content_protection",
    "rate_policy",
    "target_rate_kbps",
    "min_rate_kbps",
    "target_rate_cap_kbps",
    "lock_rate_policy",
    "lock_target_rate",
    "lock_min_rate_kbps",
    "resume",
    "resume_policy",
    "overwrite",
    "overwrite_policy",
    "save-before-overwrite",
    "preserve_times",
    "http_fallback",
    "http_fallback_port",
    "dgram_size",
    "cookie",
    "title",
    "sshfp",
    "symlink_policy",
    "exclude_patterns",
    "multi_session",
    "wss_port",
    "use_ipv6",
    "unknown",
    "x-unknown",
];
const SECRETS: &[&str] = &[
    "token",
    "remote_password",
    "content_protection_passphrase",
    "content_protection_password",
    "ssh_private_key",
    "My-Token",
];
/// Part of every generated secret, and of nothing else.
const MARK: &str = "hunter2";

/// A spec that is valid but for the odd field.
fn spec() -> impl Strategy<Value = Value> {
    let path = (odd_text(), prop::option::of(odd_text())).prop_map(|(source, destination)| match destination {
        None => json!({"source": format!("/{source}")}),
        Some(destination) => json!({"source": format!("/{source}"), "destination": destination}),
    });
    let fields = btree_map(prop::sample::select(FIELDS), field_value(), 0..6);
    let secrets = btree_map(prop::sample::select(SECRETS), "[ -~]{0,20}", 0..4);
    let direction = prop::sample::select(vec!["send", "receive"]);
    (vec(path, 1..4), fields, secrets, direction, any_json()).prop_map(|(paths, fields, secrets, direction, tags)| {
        let mut spec = json!({"direction": direction, "remote_host": "a.example", "paths": paths, "nested": [{}]});
        if tags.is_object() {
            spec["tags"] = tags;
        }
        for (name, value) in fields {
            spec[name] = value;
        }
        for (name, text) in secrets {
            spec[name] = format!("{MARK}{text}").into();
            spec["nested"][0][name] = MARK.into();
        }
        spec
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn any_cut_of_a_stream_gives_the_frames_that_were_written(
        payloads in vec(vec(any::<u8>(), 1..200), 0..8), cuts in vec(1_usize..50, 1..20)
    ) {
        let stream: Vec<u8> = payloads.iter().flat_map(|payload| encode(payload).unwrap()).collect();
        let (mut decoder, mut frames, mut at) = (Decoder::default(), Vec::new(), 0);
        for step in cuts.iter().cycle() {
            let end = (at + step).min(stream.len());
            decoder.push(&stream[at..end]);
            at = end;
            while let Some(frame) = decoder.next_frame().unwrap() {
                frames.push(frame);
            }
            if at == stream.len() {
                break;
            }
        }
        prop_assert_eq!(frames, payloads);
        prop_assert_eq!(decoder.finish(), Ok(()));
    }

    #[test]
    fn any_bytes_are_a_stream_that_does_not_upset_the_codec(bytes in vec(any::<u8>(), 0..300)) {
        fuzz::frame(&bytes);
    }

    #[test]
    fn an_accepted_path_stays_below_its_root_and_is_its_own_normal_form(text in odd_text(), below in odd_text()) {
        if let Ok(path) = text.parse::<RelPath>() {
            prop_assert!(!path.as_str().is_empty() && !path.as_str().starts_with('/'));
            prop_assert!(path.components().all(|part| !matches!(part, "" | "." | "..")));
            prop_assert_eq!(path.as_str().parse::<RelPath>(), Ok(path.clone()));
            let read: RelPath = serde_json::from_str(&serde_json::to_string(&path).unwrap()).unwrap();
            prop_assert_eq!(&read, &path);
            if let Ok(below) = below.parse::<RelPath>() {
                let joined = path.join(&below).unwrap();
                prop_assert_eq!(joined.as_str(), format!("{path}/{below}"));
                prop_assert_eq!(joined.components().count(), path.components().count() + below.components().count());
            }
        }
    }

    #[test]
    fn a_path_with_a_parent_component_anywhere_is_refused(before in odd_text(), after in odd_text()) {
        let text = format!("{before}/../{after}");
        prop_assert!(text.parse::<RelPath>().is_err());
    }

    #[test]
    fn documents_within_the_limits_are_read_as_serde_json_reads_them(value in any_json()) {
        let text = value.to_string();
        prop_assert!(depth(&value) <= json::MAX_DEPTH);
        prop_assert_eq!(json::parse::<Value>(text.as_bytes()).unwrap(), value);
    }

    #[test]
    fn what_serde_json_refuses_is_refused_and_what_is_accepted_is_read_the_same(text in "[\\[\\]{}\",:0-9a-cu\\\\ .e-]{0,40}") {
        let theirs = serde_json::from_str::<Value>(&text);
        match json::parse::<Value>(text.as_bytes()) {
            Ok(ours) => prop_assert_eq!(ours, theirs.unwrap()),
            Err(JsonError::Shape(_)) => prop_assert!(theirs.is_err(), "{}", text),
            // Our own limits: serde_json may be content.
            Err(JsonError::Depth | JsonError::DuplicateKey(_)) => {}
            Err(JsonError::Utf8) => prop_assert!(false, "a text is Unicode"),
        }
    }

    #[test]
    fn an_object_is_refused_exactly_if_a_key_is_there_twice(keys in vec("[ab\u{e9}\\\\\"]{0,2}", 0..6), wrap in 0_usize..4) {
        let entries: Vec<String> = keys.iter().map(|key| format!("{}:1", Value::from(key.as_str()))).collect();
        let text = format!("{}{{{}}}{}", "[{\"k\":".repeat(wrap), entries.join(","), "}]".repeat(wrap));
        let distinct = keys.iter().collect::<BTreeSet<_>>().len() == keys.len();
        match json::parse::<Value>(text.as_bytes()) {
            Ok(_) => prop_assert!(distinct),
            Err(JsonError::DuplicateKey(_)) => prop_assert!(!distinct),
            Err(other) => prop_assert!(false, "{}: {}", text, other),
        }
    }

    #[test]
    fn an_answer_of_any_length_reaches_the_page_unchanged(length in 0_usize..900_000, status in 200_u16..600) {
        use base64::Engine;
        let answer = PageAnswer { status, body: "\u{e9}\"".repeat(length / 3) };
        let mut joined = String::new();
        for message in Message::page_answer(1, &answer) {
            let bytes = serde_json::to_vec(&message).unwrap();
            encode(&bytes).unwrap();
            match Message::parse(&bytes).unwrap() {
                Message::Response(response) => {
                    let back: PageAnswer = serde_json::from_value(response.result.unwrap()).unwrap();
                    prop_assert_eq!(&back, &answer);
                    joined = base64::engine::general_purpose::STANDARD.encode(&back.body);
                }
                Message::Part(part) => joined += &part.body64,
                other => prop_assert!(false, "{:?}", other),
            }
        }
        let body = base64::engine::general_purpose::STANDARD.decode(joined).unwrap();
        prop_assert_eq!(body, answer.body.as_bytes());
    }

    #[test]
    fn an_exact_pattern_covers_its_origin_and_no_other(a in "[a-z]{1,5}\\.[a-z]{2,5}", b in "[a-z]{1,5}\\.[a-z]{2,5}", port in 1_u16..) {
        let port = if port == 443 { 444 } else { port };
        let one: Origin = format!("https://{a}").parse().unwrap();
        let with_port: Origin = format!("https://{a}:{port}").parse().unwrap();
        let other: Origin = format!("https://{b}").parse().unwrap();
        let pattern = HostPattern::exact(&one);
        prop_assert!(pattern.matches(&one) && !pattern.matches(&with_port));
        prop_assert_eq!(pattern.matches(&other), a == b);
        prop_assert_eq!(pattern.as_str().parse::<HostPattern>(), Ok(pattern));
    }

    #[test]
    fn a_wildcard_covers_exactly_the_names_with_one_more_label(
        base in "[a-z]{4,8}\\.[a-z]{3,5}", labels in vec("[a-z0-9]{1,5}", 0..4), tail in prop::option::of("\\.[a-z]{2,4}")
    ) {
        // A registry's or a hosting company's name may come up by chance.
        let Ok(pattern) = format!("https://*.{base}").parse::<HostPattern>() else { return Ok(()) };
        let prefix: String = labels.iter().map(|label| format!("{label}.")).collect();
        let Ok(origin) = format!("https://{prefix}{base}{}", tail.clone().unwrap_or_default()).parse::<Origin>() else { return Ok(()) };
        prop_assert_eq!(pattern.matches(&origin), labels.len() == 1 && tail.is_none());
    }

    #[test]
    fn a_host_has_one_normal_form_and_never_a_character_with_a_meaning(text in "\\PC{0,20}|[a-z0-9.:_\\[\\]-]{0,20}") {
        if let Some(host) = normalise_host(&text) {
            prop_assert_eq!(normalise_host(&host), Some(host.clone()));
            prop_assert!(host.bytes().all(|b| b.is_ascii_alphanumeric() || b".-_:".contains(&b)), "{}", host);
            prop_assert!(!host.starts_with('-'), "an option, for whoever puts it on a command line");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2048, ..ProptestConfig::default() })]

    #[test]
    fn no_spec_panics_shows_a_secret_or_leads_out_of_its_folders(value in spec()) {
        fuzz::spec(value.to_string().as_bytes());
        match TransferSpec::from_value(&value) {
            Err(error) => prop_assert!(!error.to_string().contains(MARK)),
            Ok(spec) => {
                let stored = serde_json::to_string(&spec).unwrap();
                for text in [format!("{spec:?}"), spec.public.to_string(), spec.without_paths().to_string(), stored] {
                    prop_assert!(!text.contains(MARK), "{}", text);
                }
                prop_assert_eq!(spec.tags(), &value["tags"]);
            }
        }
    }

    #[test]
    fn unknown_fields_change_nothing(value in spec(), extra in btree_map("zz_[a-z]{1,8}", any_json(), 0..5)) {
        let mut more = value.clone();
        let object: &mut Map<String, Value> = more.as_object_mut().unwrap();
        object.extend(extra);
        match (TransferSpec::from_value(&value), TransferSpec::from_value(&more)) {
            (Ok(one), Ok(other)) => {
                let bare = |spec| TransferSpec { public: Value::Null, ..spec };
                prop_assert_eq!(bare(one), bare(other));
            }
            (one, other) => prop_assert_eq!(one.err(), other.err()),
        }
    }
}

#[test]
fn the_generator_makes_both_specs_that_are_accepted_and_specs_that_are_refused() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let specs = (0..500).map(|_| spec().new_tree(&mut runner).unwrap().current());
    let accepted = specs.filter(|value| TransferSpec::from_value(value).is_ok()).count();
    assert!((50..450).contains(&accepted), "{accepted} of 500");
}
