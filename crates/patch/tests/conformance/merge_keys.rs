//! The rules that kustomize has compiled in are in the embedded table, too.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::vectors;

#[test]
fn the_table_has_every_rule_of_kustomize() {
    let Some(text) = vectors::read("strategic-merge/builtin-merge-keys.yaml") else {
        return;
    };
    let document: Value = serde_yaml::from_str(&text).expect("a document");
    let table = table();
    let mut missing = Vec::new();
    for (name, fields) in document["definitions"].as_object().expect("definitions") {
        for (field, rule) in fields.as_object().expect("fields") {
            let strategy = rule["strategy"].as_str().expect("a strategy");
            // A strategy of a map, which kustomize does not heed, and a field of a type that no patch reaches.
            if !strategy.contains("merge") || name.ends_with("LabelSelectorRequirement") {
                continue;
            }
            let keys: Vec<&str> = match rule["listMapKeys"].as_array() {
                Some(keys) => keys.iter().filter_map(Value::as_str).collect(),
                None => rule["mergeKey"].as_str().into_iter().collect(),
            };
            let expected = if keys.is_empty() {
                String::from("set")
            } else {
                keys.join(",")
            };
            let found = table.get(&(short(name), field.as_str()));
            if found != Some(&expected) {
                missing.push(format!("{name}.{field}: {expected}, not {found:?}"));
            }
        }
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}

/// Merge keys (or `set`) of the lists in the embedded table, by type and field.
fn table() -> BTreeMap<(&'static str, &'static str), String> {
    let mut table = BTreeMap::new();
    let mut current = "";
    for line in include_str!("../../src/list_keys.txt").lines() {
        match line.split_whitespace().collect::<Vec<_>>()[..] {
            ["type", name] => current = name,
            [field, "list", keys, ..] => {
                let keys: Vec<&str> = keys.split(',').filter_map(|key| key.split('=').next()).collect();
                table.insert((current, field), keys.join(","));
            }
            [field, "set"] => drop(table.insert((current, field), String::from("set"))),
            _ => {}
        }
    }
    table
}

fn short(name: &str) -> &str {
    name.strip_prefix("io.k8s.api.")
        .or_else(|| name.strip_prefix("io.k8s."))
        .unwrap_or(name)
}
