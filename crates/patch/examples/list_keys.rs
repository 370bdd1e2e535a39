//! Writes `src/list_keys.txt`, the table of patch rules, from published OpenAPI documents.
//!
//! Takes the paths of one or more Swagger 2.0 documents (`api/openapi-spec/swagger.json` of a Kubernetes release). A kind
//! or type that is in several documents is taken from the first: later ones only add what older releases served.
//! An argument `--defaults PATH` names an OpenAPI 3 document to take the default values of merge keys from.
//! `crates/patch/README.md` gives the command.

#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a tool for developers, not part of the crate"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;

use serde_json::{Map, Value};

const PREFIXES: [&str; 2] = ["io.k8s.api.", "io.k8s."];

fn main() -> Result<(), Box<dyn Error>> {
    let mut documents = Vec::new();
    let mut defaults = Vec::new();
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let is_defaults = argument == "--defaults";
        let path = if is_defaults {
            arguments.next().ok_or("--defaults needs a path")?
        } else {
            argument
        };
        let document: Value = serde_json::from_slice(&std::fs::read(path)?)?;
        if is_defaults {
            defaults.push(document)
        } else {
            documents.push(document)
        }
    }
    let mut table = Table::default();
    for document in &documents {
        table.add(&Source::new(document, &defaults));
    }
    print!("{}", table.text());
    Ok(())
}

/// One Swagger document.
struct Source<'a> {
    definitions: &'a Map<String, Value>,
    paths: &'a Map<String, Value>,
    defaults: &'a [Value],
}

#[derive(Default)]
struct Table {
    kinds: BTreeMap<(String, String), String>,
    types: BTreeMap<String, Vec<String>>,
}

impl<'a> Source<'a> {
    fn new(document: &'a Value, defaults: &'a [Value]) -> Self {
        let object = |name: &str| document[name].as_object().expect("a Swagger document");
        Self {
            definitions: object("definitions"),
            paths: object("paths"),
            defaults,
        }
    }

    fn properties(&self, name: &str) -> Option<&'a Map<String, Value>> {
        self.definitions[name].get("properties")?.as_object()
    }

    /// (apiVersion, kind) pairs of objects that can be read by name, with the definition and whether they are namespaced.
    fn kinds(&self) -> BTreeMap<(String, String), (&'a str, bool)> {
        let mut namespaced = BTreeSet::new();
        let mut named = BTreeSet::new();
        for (path, operations) in self.paths {
            for operation in operations.as_object().into_iter().flat_map(Map::values) {
                let Some(group_version_kind) = operation.get("x-kubernetes-group-version-kind") else {
                    continue;
                };
                let is_object = path.ends_with("/{name}");
                if is_object {
                    named.insert(api_version_and_kind(group_version_kind));
                }
                if is_object && path.contains("/namespaces/{namespace}/") {
                    namespaced.insert(api_version_and_kind(group_version_kind));
                }
            }
        }
        let mut kinds = BTreeMap::new();
        for (name, definition) in self.definitions {
            let list = definition
                .get("x-kubernetes-group-version-kind")
                .and_then(Value::as_array);
            for group_version_kind in list.into_iter().flatten() {
                let key = api_version_and_kind(group_version_kind);
                if named.contains(&key) {
                    let is_namespaced = namespaced.contains(&key);
                    kinds.insert(key, (name.as_str(), is_namespaced));
                }
            }
        }
        kinds
    }

    /// Default value of a field, from the OpenAPI 3 documents: Swagger 2.0 does not carry it.
    fn default_of(&self, type_name: &str, field: &str) -> Option<&'a str> {
        self.defaults.iter().find_map(|document| {
            document["components"]["schemas"][type_name]["properties"][field]
                .get("default")?
                .as_str()
        })
    }
}

impl Table {
    fn add(&mut self, source: &Source<'_>) {
        let useful = useful_types(source);
        for (key, (name, is_namespaced)) in source.kinds() {
            let scope = if is_namespaced { "namespaced" } else { "cluster" };
            let line = format!("{scope} {}", short(name));
            if self.kinds.contains_key(&key) {
                continue;
            }
            self.kinds.insert(key, line);
            self.add_type(source, &useful, name);
        }
    }

    fn add_type(&mut self, source: &Source<'_>, useful: &BTreeSet<&str>, name: &str) {
        let short_name = short(name);
        if self.types.contains_key(short_name) {
            return;
        }
        // Present before its fields are visited: some types hold themselves.
        self.types.insert(short_name.to_owned(), Vec::new());
        let mut lines = Vec::new();
        for (field, schema) in source.properties(name).into_iter().flatten() {
            let (shape, inner) = field_shape(source, field, schema);
            let inner = inner.filter(|inner| useful.contains(inner));
            if inner.is_none() && matches!(shape.as_str(), "map" | "values") {
                continue;
            }
            if shape.is_empty() {
                continue;
            }
            let inner_name = inner
                .map(|inner| format!(" {}", short(inner)))
                .unwrap_or_default();
            lines.push(format!("  {field} {shape}{inner_name}"));
            if let Some(inner) = inner {
                self.add_type(source, useful, inner);
            }
        }
        lines.sort();
        self.types.insert(short_name.to_owned(), lines);
    }

    fn text(&self) -> String {
        let mut text = String::from(
            "# Written by `cargo run -p tidegate-patch --example list_keys`; see crates/patch/README.md. Do not edit.\n",
        );
        for ((api_version, kind), line) in &self.kinds {
            text += &format!("kind {api_version} {kind} {line}\n");
        }
        for (name, lines) in &self.types {
            text += &format!("type {name}\n");
            for line in lines {
                text += line;
                text.push('\n');
            }
        }
        text
    }
}

/// How a field is merged (`list KEYS`, `set`, `map`, `values`, `data`, or nothing to say), and the type inside it.
fn field_shape<'a>(source: &Source<'_>, field: &str, schema: &'a Value) -> (String, Option<&'a str>) {
    let strategies = schema["x-kubernetes-patch-strategy"].as_str().unwrap_or_default();
    let merges = strategies.split(',').any(|strategy| strategy == "merge");
    match schema["type"].as_str() {
        Some("array") if merges => {
            let inner = reference(&schema["items"]);
            match (merge_keys(schema), inner) {
                (Some(keys), Some(inner)) => {
                    let declared = schema["x-kubernetes-patch-merge-key"].as_str();
                    let keys = with_defaults(source, inner, &keys, declared);
                    (format!("list {keys}"), Some(inner))
                }
                _ => (String::from("set"), None),
            }
        }
        Some("array") => (String::new(), None),
        Some("object") => (String::from("values"), reference(&schema["additionalProperties"])),
        None => (String::from("map"), reference(schema)),
        // A name that looks like a directive but is an ordinary field: `$ref` of a JSON schema.
        Some(_) if field.starts_with('$') => (String::from("data"), None),
        Some(_) => (String::new(), None),
    }
}

/// The whole key of a list item: `x-kubernetes-list-map-keys` where given, as kustomize reads it.
fn merge_keys(schema: &Value) -> Option<Vec<&str>> {
    if let Some(keys) = schema["x-kubernetes-list-map-keys"].as_array() {
        return Some(keys.iter().filter_map(Value::as_str).collect());
    }
    Some(vec![schema["x-kubernetes-patch-merge-key"].as_str()?])
}

/// Keys that an item need not have come with the value that its lack stands for. The declared one is never among them:
/// the API server refuses a patch's item without it (apimachinery `pkg/util/mergepatch/errors.go`, `ErrNoMergeKey`).
fn with_defaults(source: &Source<'_>, inner: &str, keys: &[&str], declared: Option<&str>) -> String {
    let with_default = |key: &&str| match source.default_of(inner, key) {
        Some(default) if Some(*key) != declared => format!("{key}={default}"),
        _ => (*key).to_owned(),
    };
    keys.iter().map(with_default).collect::<Vec<_>>().join(",")
}

/// Types that have a rule somewhere inside them. The others need no mention: their lists are replaced.
fn useful_types<'a>(source: &Source<'a>) -> BTreeSet<&'a str> {
    let mut useful = BTreeSet::new();
    loop {
        let before = useful.len();
        for name in source.definitions.keys() {
            let has_rule = source
                .properties(name)
                .into_iter()
                .flatten()
                .any(|(field, schema)| {
                    let (shape, inner) = field_shape(source, field, schema);
                    shape.starts_with("list")
                        || matches!(shape.as_str(), "set" | "data")
                        || inner.is_some_and(|inner| useful.contains(inner))
                });
            if has_rule {
                useful.insert(name.as_str());
            }
        }
        if useful.len() == before {
            return useful;
        }
    }
}

fn reference(schema: &Value) -> Option<&str> {
    schema.get("$ref")?.as_str()?.strip_prefix("#/definitions/")
}

fn short(name: &str) -> &str {
    PREFIXES
        .iter()
        .find_map(|prefix| name.strip_prefix(prefix))
        .unwrap_or(name)
}

fn api_version_and_kind(group_version_kind: &Value) -> (String, String) {
    let part = |name: &str| group_version_kind[name].as_str().unwrap_or_default();
    let api_version = match part("group") {
        "" => part("version").to_owned(),
        group => format!("{group}/{}", part("version")),
    };
    (api_version, part("kind").to_owned())
}
