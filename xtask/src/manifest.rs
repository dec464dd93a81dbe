//! One manifest template, two manifests: what one browser needs, the other's linter complains about.

use crate::place::{self, Browser};
use crate::{Outcome, files};
use serde_json::Value;

/// The manifest of one browser as JSON text.
pub(crate) fn make(browser: Browser) -> Outcome<String> {
    let path = place::root().join("extension/manifest.template.json");
    let template = files::read(&path)?;
    let template: Value = serde_json::from_str(&template).map_err(|error| format!("{}: {error}", path.display()))?;
    let part = |name: &str| {
        template.get(name).cloned().ok_or_else(|| format!("{}: the part \"{name}\" is missing", path.display()))
    };
    let mut manifest = part("common")?;
    merge(&mut manifest, part(browser.name())?);
    replace(&mut manifest, &|text| {
        let text = text.replace("${VERSION}", env!("CARGO_PKG_VERSION"));
        if text.contains("${KEY}") { Ok(text.replace("${KEY}", &public_key()?)) } else { Ok(text) }
    })?;
    Ok(format!("{manifest:#}\n"))
}

/// The public key that fixes the extension's id in Chromium.
fn public_key() -> Outcome<String> {
    let text = files::read(&place::root().join("manifests/extension-key.pub.der.b64"))?;
    Ok(text.split_whitespace().collect())
}

/// Objects are merged key by key; anything else is replaced.
fn merge(base: &mut Value, over: Value) {
    match (base, over) {
        (Value::Object(base), Value::Object(over)) => {
            for (key, value) in over {
                merge(base.entry(key).or_insert(Value::Null), value);
            }
        }
        (base, over) => *base = over,
    }
}

/// Rewrites every text in the value.
fn replace(value: &mut Value, rewrite: &dyn Fn(&str) -> Outcome<String>) -> Outcome {
    match value {
        Value::String(text) => *text = rewrite(text)?,
        Value::Array(items) => {
            for item in items {
                replace(item, rewrite)?;
            }
        }
        Value::Object(fields) => {
            for field in fields.values_mut() {
                replace(field, rewrite)?;
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_browsers_part_adds_to_the_common_part_and_wins_over_it() {
        let mut base = json!({"name": "x", "background": {"type": "module"}, "list": [1, 2]});
        merge(&mut base, json!({"background": {"scripts": ["b.js"]}, "list": [3]}));
        assert_eq!(base, json!({"name": "x", "background": {"type": "module", "scripts": ["b.js"]}, "list": [3]}));
    }

    #[test]
    fn placeholders_are_replaced_wherever_they_stand() {
        let mut value = json!({"version": "${VERSION}", "deep": [{"v": "a ${VERSION}"}], "number": 3});
        replace(&mut value, &|text| Ok(text.replace("${VERSION}", "1.2.3"))).unwrap();
        assert_eq!(value, json!({"version": "1.2.3", "deep": [{"v": "a 1.2.3"}], "number": 3}));
    }
}
