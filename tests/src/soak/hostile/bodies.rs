//! Bodies that are almost a frame.

use crate::fake::{KINDS, Kind, sample};
use crate::tree::Noise;
use serde_json::{Value, json};

/// Kind and body: for every field of every kind of frame, values that do not belong there; fields missing and doubled;
/// bodies cut short and with bytes turned.
pub(super) fn malformed(seed: u64) -> Vec<(Kind, Vec<u8>)> {
    let mut found = Vec::new();
    let mut dice = Noise::new(seed);
    for &kind in KINDS {
        let whole = sample(kind);
        let mut places = Vec::new();
        pointers(&whole, String::new(), &mut places);
        for place in places {
            for bad in misfits() {
                let mut copy = whole.clone();
                if let Some(field) = copy.pointer_mut(&place) {
                    *field = bad;
                }
                found.push((kind, copy.to_string().into_bytes()));
            }
            if let Some(body) = without(&whole, &place) {
                found.push((kind, body.to_string().into_bytes()));
            }
        }
        let text = whole.to_string();
        let field = text.split(',').next().unwrap_or_default().trim_start_matches('{');
        found.push((kind, format!("{{{field},{}", &text[1..]).into_bytes()));
        for _ in 0..4 {
            let mut bytes = text.clone().into_bytes();
            let at = dice.below(bytes.len() as u64) as usize;
            bytes[at] ^= 1 << dice.below(8);
            found.push((kind, bytes));
            let length = dice.below(text.len() as u64) as usize;
            found.push((kind, text.as_bytes()[..length].to_vec()));
        }
    }
    let deep = |n: usize| [b"[".repeat(n), b"]".repeat(n)].concat();
    for body in [b"".to_vec(), b"null".to_vec(), b"[]".to_vec(), b"{}".to_vec(), vec![0xff; 100], deep(400_000)] {
        found.push(("nothing", body));
    }
    found
}

/// Values that fit nowhere, or only just.
fn misfits() -> Vec<Value> {
    let mut nest = json!(0);
    for _ in 0..200 {
        nest = json!([nest]);
    }
    vec![
        Value::Null,
        json!(true),
        json!(-1),
        json!(0),
        json!(u64::MAX),
        json!(u64::MAX - 5),
        json!(9.5),
        json!(""),
        json!("../../etc/passwd"),
        json!("\u{0}\u{202e}\n"),
        json!("x".repeat(100_000)),
        json!([]),
        json!([[], [[]]]),
        json!([[u64::MAX, 0]]),
        json!([[0, u64::MAX]]),
        json!({}),
        nest,
    ]
}

fn pointers(value: &Value, at: String, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (name, inner) in fields {
                let place = format!("{at}/{name}");
                found.push(place.clone());
                pointers(inner, place, found);
            }
        }
        Value::Array(list) => {
            for (n, inner) in list.iter().enumerate() {
                let place = format!("{at}/{n}");
                found.push(place.clone());
                pointers(inner, place, found);
            }
        }
        _ => {}
    }
}

fn without(whole: &Value, place: &str) -> Option<Value> {
    let (above, name) = place.rsplit_once('/')?;
    let mut copy = whole.clone();
    copy.pointer_mut(above)?.as_object_mut()?.remove(name)?;
    Some(copy)
}
