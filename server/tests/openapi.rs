//! The API's description against the server: what is described answers as described, whatever is sent.

#![allow(clippy::unwrap_used)]

mod common;

use common::Place;
use common::http::{Answer, Client};
use serde_json::{Map, Value, json};
use std::fs;

/// Requests for every operation.
const ROUNDS: u64 = 60;

/// A small generator of its own: the same requests in every run.
struct Random(u64);

impl Random {
    fn next(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % below
    }

    fn of<'a, T>(&mut self, list: &'a [T]) -> &'a T {
        &list[usize::try_from(self.next(list.len() as u64)).unwrap()]
    }
}

const TEXTS: [&str; 22] = [
    "",
    "/",
    "/dir",
    "/dir/f",
    "/new",
    "dir",
    "..",
    "/../etc/passwd",
    "a//b",
    "a\\b",
    "a\0b",
    "%2e%2e",
    "café",
    "cafe\u{301}",
    "\u{202e}x",
    "self",
    "0",
    "-1",
    "9223372036854775808",
    "type",
    "2026-01-01T00:00:00Z",
    "null",
];

fn text(random: &mut Random, known: &[String]) -> String {
    match random.next(12) {
        0 => "x".repeat(300),
        1 => "/x".repeat(600),
        2 | 3 if !known.is_empty() => random.of(known).clone(),
        _ => (*random.of(&TEXTS)).to_owned(),
    }
}

/// A value for a schema, mostly a fitting one.
fn value(document: &Value, schema: &Value, random: &mut Random, known: &[String], depth: u32) -> Value {
    if random.next(25) == 0 || depth > 8 {
        return random
            .of(&[Value::Null, json!(7), json!("x"), json!([]), json!({}), json!(true), json!(-1e300)])
            .clone();
    }
    if let Some(reference) = schema["$ref"].as_str() {
        return value(document, document.pointer(&reference[1..]).unwrap(), random, known, depth + 1);
    }
    if let Some(words) = schema["enum"].as_array() {
        return random.of(words).clone();
    }
    match schema["type"].as_str() {
        Some("string") => json!(text(random, known)),
        Some("integer") => {
            random.of(&[json!(0), json!(1), json!(1000), json!(u64::MAX), json!(-1), json!(1.5)]).clone()
        }
        Some("number") => json!(1.5),
        Some("boolean") => json!(random.next(2) == 0),
        Some("array") => {
            let length = random.next(4);
            (0..length).map(|_| value(document, &schema["items"], random, known, depth + 1)).collect()
        }
        _ => {
            let mut fields = Map::new();
            for (name, schema) in schema["properties"].as_object().into_iter().flatten() {
                if random.next(8) != 0 {
                    fields.insert(name.clone(), value(document, schema, random, known, depth + 1));
                }
            }
            Value::Object(fields)
        }
    }
}

/// Whether a value has the form that a schema describes; else where it has not.
fn check(document: &Value, schema: &Value, value: &Value, at: &str) -> Result<(), String> {
    if let Some(reference) = schema["$ref"].as_str() {
        return check(document, document.pointer(&reference[1..]).unwrap(), value, at);
    }
    if let Some(words) = schema["enum"].as_array()
        && !words.contains(value)
    {
        return Err(format!("{at}: {value} is none of {words:?}"));
    }
    let fits = match schema["type"].as_str() {
        Some("string") => value.is_string(),
        Some("integer") => value.is_u64() || schema.get("minimum").is_none() && value.is_i64(),
        Some("number") => value.is_number(),
        Some("boolean") => value.is_boolean(),
        Some("array") => value.is_array(),
        Some("object") => value.is_object(),
        _ => true,
    };
    if !fits {
        return Err(format!("{at}: {value} is no {}", schema["type"]));
    }
    for name in schema["required"].as_array().into_iter().flatten() {
        let name = name.as_str().unwrap();
        value.get(name).ok_or_else(|| format!("{at}: no {name} in {value}"))?;
    }
    for (name, schema) in schema["properties"].as_object().into_iter().flatten() {
        if let Some(value) = value.get(name) {
            check(document, schema, value, &format!("{at}.{name}"))?;
        }
    }
    for (n, item) in value.as_array().into_iter().flatten().enumerate() {
        if let Some(items) = schema.get("items") {
            check(document, items, item, &format!("{at}[{n}]"))?;
        }
    }
    Ok(())
}

fn resolve<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    value["$ref"].as_str().map_or(value, |reference| document.pointer(&reference[1..]).unwrap())
}

/// Ids that an answer names, to be used in later requests.
fn collect(answer: &Value, known: &mut Vec<String>) {
    match answer {
        Value::Object(fields) => {
            for (name, value) in fields {
                match value.as_str() {
                    Some(text) if (name == "id" || name.ends_with("_id")) && known.len() < 200 => {
                        known.push(text.to_owned());
                    }
                    _ => collect(value, known),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, known)),
        _ => {}
    }
}

fn escaped(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

#[test]
fn every_described_request_gets_a_described_answer() {
    let place = Place::new();
    fs::create_dir(place.docroot().join("dir")).unwrap();
    fs::write(place.docroot().join("dir/f"), "content").unwrap();
    let server = place.start(&["--user", "ann:right"]);
    let document = Client::new(server.http).get("/openapi.json").json();
    let ann = Client::basic(server.http, "ann", "right");
    let made =
        ann.post("/access_keys", &json!({"storage": {"path": "/"}, "rights": {"view": true, "edit": true}})).json();
    let key = Client::basic(server.http, made["id"].as_str().unwrap(), made["secret"].as_str().unwrap());
    let mut known = vec![made["root_file_id"].as_str().unwrap().to_owned()];
    let mut random = Random(7);
    let mut asked = 0;
    for round in 0..ROUNDS {
        for (path, item) in document["paths"].as_object().unwrap() {
            for (method, operation) in item.as_object().unwrap() {
                if method == "parameters" || method == "description" {
                    continue;
                }
                let mut address = path.replace("{id}", &escaped(&text(&mut random, &known)));
                let queries = operation["parameters"].as_array().into_iter().flatten().filter(|p| p["in"] == "query");
                let queries: Vec<_> = queries
                    .filter_map(|p| {
                        let value = value(&document, &p["schema"], &mut random, &known, 0);
                        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                        (random.next(2) == 0).then(|| format!("{}={}", p["name"].as_str().unwrap(), escaped(&value)))
                    })
                    .collect();
                if !queries.is_empty() {
                    address += &format!("?{}", queries.join("&"));
                }
                let schema = operation.pointer("/requestBody/content/application~1json/schema");
                let body = schema.map(|schema| value(&document, schema, &mut random, &known, 0).to_string());
                let client = match round % 8 {
                    0 => Client::new(server.http),
                    n if n % 2 == 0 => ann.clone(),
                    _ => key.clone(),
                };
                let answer = client.send(&method.to_uppercase(), &address, body.as_ref().map(String::as_bytes));
                let what = format!("{method} {address} {}", body.unwrap_or_default());
                examine(&document, operation, &answer, &what);
                asked += 1;
                if answer.status < 300
                    && answer.header("content-type") == Some("application/json")
                    && path != "/openapi.json"
                {
                    collect(&answer.json(), &mut known);
                }
                // What the rest of the test needs must not go: the key that asks, and the folder.
                known.retain(|id| made["id"] != **id);
                fs::create_dir_all(place.docroot().join("dir")).unwrap();
            }
        }
    }
    assert!(asked > 1_500, "{asked}");
    assert_eq!(Client::new(server.http).get("/ping").status, 200);
    assert!(!place.log().contains("panicked"), "{}", place.log());
}

fn examine(document: &Value, operation: &Value, answer: &Answer, what: &str) {
    let text = String::from_utf8_lossy(&answer.body);
    assert!(answer.status != 0 && answer.status != 500, "{what}: {} {text}", answer.status);
    let response = &operation["responses"][answer.status.to_string()];
    assert!(!response.is_null(), "{what}: {} is not described: {text}", answer.status);
    let response = resolve(document, response);
    match response.pointer("/content/application~1json/schema") {
        Some(schema) => check(document, schema, &answer.json(), "$").unwrap_or_else(|e| panic!("{what}: {e}")),
        None if response.get("content").is_none() => assert!(answer.body.is_empty(), "{what}: {text}"),
        None => {}
    }
}

#[test]
fn what_is_described_is_all_there_is() {
    let place = Place::new();
    let server = place.start(&["--user", "ann:right"]);
    let document = Client::new(server.http).get("/openapi.json").json();
    let ann = Client::basic(server.http, "ann", "right");
    for (path, item) in document["paths"].as_object().unwrap() {
        let item = item.as_object().unwrap();
        for method in ["get", "post", "put", "delete", "patch"] {
            let answer = ann.send(&method.to_uppercase(), &path.replace("{id}", "0"), Some(b"{}"));
            let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
            let reason = &body["error"]["user_message"];
            let nothing = *reason == "This server has nothing at this address.";
            assert_eq!(!nothing, item.contains_key(method), "{method} {path}: {} {reason}", answer.status);
        }
    }
}
