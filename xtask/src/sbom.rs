//! What is in a package, as CycloneDX 1.5 (JSON): every crate with its version, licence and checksum, what it depends on, and
//! what comes along that is no crate.
//!
//! `required`: linked into programs or into the extension. `excluded`: only runs while they are compiled (macros).
//! The same lock file gives the same list, bit for bit.

use crate::{Outcome, files, place, run};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// What is compiled for one kind of machine.
pub(crate) struct Part {
    pub(crate) packages: &'static [&'static str],
    /// Rust's name of the machine.
    pub(crate) target: &'static str,
}

const NATIVE: &str =
    if cfg!(target_arch = "aarch64") { "aarch64-unknown-linux-gnu" } else { "x86_64-unknown-linux-gnu" };
/// What `godwit-VERSION…` holds.
pub(crate) const CLIENT: &[Part] = &[
    Part { packages: &["godwit-native-host", "godwit-worker", "godwit-cli", "godwit-installer"], target: NATIVE },
    Part { packages: &["godwit-extension-wasm"], target: "wasm32-unknown-unknown" },
];
/// What `godwit-server-VERSION…` holds.
pub(crate) const SERVER: &[Part] = &[Part { packages: &["godwit-server"], target: NATIVE }];

/// Writes the list for what is called `name`. `with_npm`: the extension with its libraries is part of it.
pub(crate) fn write(name: &str, version: &str, epoch: &str, parts: &[Part], with_npm: bool, to: &Path) -> Outcome {
    let checksums = checksums()?;
    let (mut components, mut edges) = (BTreeMap::new(), BTreeMap::<String, BTreeSet<String>>::new());
    let root = format!("pkg:generic/{name}@{version}");
    for part in parts {
        let metadata = metadata(part.target)?;
        let graph = Graph::of(&metadata)?;
        let starts: Vec<&str> = part.packages.iter().map(|name| graph.member(name)).collect::<Outcome<_>>()?;
        let linked = graph.reached(&starts, false);
        for id in graph.reached(&starts, true) {
            let reference = graph.reference(id)?;
            let component = graph.component(id, linked.contains(id), &checksums)?;
            let known = components.entry(reference.clone()).or_insert_with(|| component.clone());
            if component["scope"] == "required" {
                *known = component;
            }
            let to = graph.edges(id).map(|id| graph.reference(id)).collect::<Outcome<BTreeSet<String>>>()?;
            edges.entry(reference).or_default().extend(to);
            if let Some((reference, sqlite)) = graph.sqlite(id)? {
                edges.entry(graph.reference(id)?).or_default().insert(reference.clone());
                edges.entry(reference.clone()).or_default();
                components.insert(reference, sqlite);
            }
        }
        for id in starts {
            edges.entry(root.clone()).or_default().insert(graph.reference(id)?);
        }
    }
    if with_npm {
        for (reference, component) in npm()? {
            edges.entry(root.clone()).or_default().insert(reference.clone());
            edges.entry(reference.clone()).or_default();
            components.insert(reference, component);
        }
    }
    let dependencies: Vec<Value> = edges.iter().map(|(from, to)| json!({"ref": from, "dependsOn": to})).collect();
    let time = run::capture(run::command("date").args(["-u", "+%FT%TZ", "-d"]).arg(format!("@{epoch}")))?;
    let mut whole = json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {
            "timestamp": time.trim(),
            "tools": {"components": [{"type": "application", "name": "cargo xtask package", "version": version}]},
            "component": {
                "type": "application", "bom-ref": root, "name": name, "version": version, "purl": root,
                "licenses": [{"expression": env!("CARGO_PKG_LICENSE")}],
            },
        },
        "components": components.into_values().collect::<Vec<_>>(),
        "dependencies": dependencies,
    });
    whole["serialNumber"] = format!("urn:uuid:{}", uuid(&whole.to_string())).into();
    files::write(to, format!("{whole:#}\n").as_bytes())
}

fn metadata(target: &str) -> Outcome<Value> {
    let mut cargo = run::cargo();
    cargo.args(["metadata", "--format-version", "1", "--locked", "--filter-platform", target]);
    Ok(serde_json::from_str(&run::capture(&mut cargo)?)?)
}

/// SHA-256 of the sources of each crate, by name and version.
fn checksums() -> Outcome<BTreeMap<(String, String), String>> {
    let lock: toml::Table = files::read(&place::root().join("Cargo.lock"))?.parse()?;
    let packages = lock.get("package").and_then(toml::Value::as_array).ok_or("Cargo.lock has no packages")?;
    let text = |package: &toml::Value, key: &str| package.get(key).and_then(toml::Value::as_str).map(str::to_owned);
    Ok(packages
        .iter()
        .filter_map(|package| Some(((text(package, "name")?, text(package, "version")?), text(package, "checksum")?)))
        .collect())
}

/// What `cargo metadata` says of packages and of who needs whom.
struct Graph<'a> {
    packages: BTreeMap<&'a str, &'a Value>,
    edges: BTreeMap<&'a str, Vec<&'a str>>,
}

impl<'a> Graph<'a> {
    fn of(metadata: &'a Value) -> Outcome<Self> {
        let list = |value: &'a Value| value.as_array().ok_or("cargo metadata: no list");
        let id = |value: &'a Value| value.as_str().ok_or("cargo metadata: no id");
        let mut graph = Self { packages: BTreeMap::new(), edges: BTreeMap::new() };
        for package in list(&metadata["packages"])? {
            graph.packages.insert(id(&package["id"])?, package);
        }
        for node in list(&metadata["resolve"]["nodes"])? {
            let mut to = Vec::new();
            for dependency in list(&node["deps"])? {
                // Neither what tests need nor what build scripts need.
                if list(&dependency["dep_kinds"])?.iter().any(|kind| kind["kind"].is_null()) {
                    to.push(id(&dependency["pkg"])?);
                }
            }
            graph.edges.insert(id(&node["id"])?, to);
        }
        Ok(graph)
    }

    fn member(&self, name: &str) -> Outcome<&'a str> {
        let found = self.packages.iter().find(|(_, package)| package["name"] == name && package["source"].is_null());
        found.map(|(id, _)| *id).ok_or_else(|| format!("no package {name} in the workspace").into())
    }

    fn edges(&self, id: &str) -> impl Iterator<Item = &'a str> {
        self.edges.get(id).into_iter().flatten().copied()
    }

    fn is_macro(&self, id: &str) -> bool {
        let targets = self.packages.get(id).and_then(|package| package["targets"].as_array());
        targets.into_iter().flatten().any(|target| target["kind"][0] == "proc-macro")
    }

    /// Everything that these need; with macros or without them and what only they need.
    fn reached(&self, from: &[&'a str], macros: bool) -> BTreeSet<&'a str> {
        let (mut reached, mut todo) = (BTreeSet::new(), from.to_vec());
        while let Some(id) = todo.pop() {
            if (macros || !self.is_macro(id)) && reached.insert(id) {
                todo.extend(self.edges(id));
            }
        }
        reached
    }

    fn package(&self, id: &str) -> Outcome<&'a Value> {
        self.packages.get(id).copied().ok_or_else(|| format!("cargo metadata: {id} is missing").into())
    }

    fn reference(&self, id: &str) -> Outcome<String> {
        let package = self.package(id)?;
        Ok(format!("pkg:cargo/{}@{}", words(&package["name"]), words(&package["version"])))
    }

    fn component(&self, id: &str, linked: bool, sums: &BTreeMap<(String, String), String>) -> Outcome<Value> {
        let package = self.package(id)?;
        let (name, version) = (words(&package["name"]), words(&package["version"]));
        let reference = self.reference(id)?;
        let mut component = json!({
            "type": "library", "bom-ref": reference, "purl": reference, "name": name, "version": version,
            "scope": if linked { "required" } else { "excluded" },
        });
        // Older crates write `/` for `OR`.
        if let Some(licence) = package["license"].as_str() {
            component["licenses"] = json!([{"expression": licence.replace('/', " OR ").replace("  ", " ")}]);
        }
        if let Some(sum) = sums.get(&(name.to_owned(), version.to_owned())) {
            component["hashes"] = json!([{"alg": "SHA-256", "content": sum}]);
        }
        if let Some(page) = package["repository"].as_str() {
            component["externalReferences"] = json!([{"type": "vcs", "url": page}]);
        }
        Ok(component)
    }

    /// SQLite is in one of the crates; its own version counts when a weakness becomes known.
    fn sqlite(&self, id: &str) -> Outcome<Option<(String, Value)>> {
        let package = self.package(id)?;
        if package["name"] != "libsqlite3-sys" {
            return Ok(None);
        }
        let header = Path::new(words(&package["manifest_path"])).with_file_name("sqlite3").join("sqlite3.h");
        let text = files::read(&header)?;
        let line = text.lines().find_map(|line| line.strip_prefix("#define SQLITE_VERSION "));
        let version = line.ok_or("sqlite3.h names no version")?.trim().trim_matches('"');
        let reference = format!("pkg:generic/sqlite@{version}");
        let licence = json!([{"license": {"name": "Public domain"}}]);
        let component = json!({
            "type": "library", "bom-ref": reference, "purl": reference, "name": "sqlite", "version": version,
            "scope": "required", "licenses": licence,
        });
        Ok(Some((reference, component)))
    }
}

/// The extension's libraries.
fn npm() -> Outcome<Vec<(String, Value)>> {
    let lock: Value = serde_json::from_str(&files::read(&place::root().join("extension/package-lock.json"))?)?;
    let mut all = Vec::new();
    for (path, package) in lock["packages"].as_object().ok_or("package-lock.json has no packages")? {
        let Some(name) = path.strip_prefix("node_modules/").filter(|_| package["dev"] != true) else { continue };
        let version = words(&package["version"]);
        let reference = format!("pkg:npm/{name}@{version}");
        all.push((
            reference.clone(),
            json!({
                "type": "library", "bom-ref": reference, "purl": reference, "name": name, "version": version,
                "scope": "required", "licenses": [{"expression": package["license"]}],
            }),
        ));
    }
    Ok(all)
}

fn words(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// A name made of the content, in the form of a UUID (version 8).
fn uuid(content: &str) -> String {
    let mut bytes: Vec<u8> = Sha256::digest(content).iter().take(16).copied().collect();
    bytes[6] = bytes[6] & 0x0f | 0x80;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_only_macros_need_is_not_linked_and_what_tests_need_is_not_there() {
        let kind = |kind: Value| json!([{"kind": kind}]);
        let package =
            |id: &str, kind: &str| json!({"id": id, "name": id, "version": "1", "targets": [{"kind": [kind]}]});
        let metadata = json!({
            "packages": [package("a", "lib"), package("m", "proc-macro"), package("s", "lib"), package("t", "lib")],
            "resolve": {"nodes": [
                {"id": "a", "deps": [{"pkg": "m", "dep_kinds": kind(Value::Null)}, {"pkg": "t", "dep_kinds": kind("dev".into())}]},
                {"id": "m", "deps": [{"pkg": "s", "dep_kinds": kind(Value::Null)}]},
                {"id": "s", "deps": []}, {"id": "t", "deps": []},
            ]},
        });
        let graph = Graph::of(&metadata).unwrap();
        assert_eq!(graph.reached(&["a"], false), BTreeSet::from(["a"]));
        assert_eq!(graph.reached(&["a"], true), BTreeSet::from(["a", "m", "s"]));
    }

    #[test]
    fn a_name_made_of_the_content_is_a_uuid() {
        let name = uuid("x");
        assert_eq!((name.len(), name.as_bytes()[14], uuid("x") == name, uuid("y") == name), (36, b'8', true, false));
    }
}
