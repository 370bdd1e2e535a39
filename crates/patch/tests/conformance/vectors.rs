//! Finding and reading the vectors.

use std::path::PathBuf;

use serde_json::Value;

/// Reads a file of vectors, or says that it is not there.
pub(crate) fn read(name: &str) -> Option<String> {
    let path = PathBuf::from(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../../shared/conformance"
    ))
    .join(name);
    let text = std::fs::read_to_string(&path).ok();
    if text.is_none() {
        eprintln!("skipped: {} is not there", path.display());
    }
    text
}

/// Reads a list of JSON vectors.
pub(crate) fn json(name: &str) -> Vec<Value> {
    let list = |text: String| serde_json::from_str(&text).expect("a list of vectors");
    read(name).map(list).unwrap_or_default()
}

/// Reads the cases of a YAML file.
pub(crate) fn cases(name: &str) -> Vec<Value> {
    let Some(text) = read(&format!("strategic-merge/{name}.yaml")) else {
        return Vec::new();
    };
    let document: Value = serde_yaml::from_str(&text).expect("a document");
    document["cases"].as_array().expect("cases").clone()
}

pub(crate) fn text<'c>(case: &'c Value, name: &str) -> &'c str {
    case[name]
        .as_str()
        .unwrap_or_else(|| panic!("{} has no {name}", case["name"]))
}
