//! Which text must not be shown because it holds values of Secrets, or might.

use std::ops::Range;

use serde_json::Value;
use tidegate_yaml::{Document, Stream};

/// The bytes of a file's text that must not be quoted.
///
/// Each document that is a Secret, holds one, or might be one counts as a whole, its comments included. A file
/// that does not parse counts as a whole if it might hold one: its kind may be just what is broken.
pub(crate) fn hidden(text: &str, stream: Option<&Stream>) -> Vec<Range<usize>> {
    let whole = 0..text.len() + 1;
    match stream {
        Some(stream) => {
            let secrets = stream
                .documents()
                .iter()
                .filter(|document| holds_secret(document.value()));
            secrets.map(Document::span).collect()
        }
        None if might_hold_secret(text) => vec![whole],
        None => Vec::new(),
    }
}

fn holds_secret(value: &Value) -> bool {
    match value {
        Value::Object(map) => {
            let is_secret = match map.get("kind") {
                Some(Value::String(kind)) => contains_secret(kind),
                _ => map.contains_key("data") || map.contains_key("stringData"),
            };
            is_secret || map.values().any(holds_secret)
        }
        Value::Array(items) => items.iter().any(holds_secret),
        _ => false,
    }
}

fn might_hold_secret(text: &str) -> bool {
    let has_data = |line: &str| {
        let line = line.trim_start_matches(['-', ' ', '"', '\'', '{']);
        line.starts_with("data") || line.starts_with("stringData")
    };
    // An escaped kind could spell anything.
    let is_unclear = |line: &str| line.contains("kind") && line.contains(['\\', '!']);
    contains_secret(text) || text.lines().any(|line| has_data(line) || is_unclear(line))
}

fn contains_secret(text: &str) -> bool {
    text.to_ascii_lowercase().contains("secret")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_document_that_is_a_secret_is_hidden() {
        let text = "kind: Service\nname: a\n---\nkind: Secret\ndata: {a: b}\n---\nkind: Ingress\n";
        let hidden_of = |text: &str| hidden(text, Stream::parse(text).ok().as_ref());
        let hidden = hidden_of(text);
        let shown: Vec<_> = hidden.iter().map(|range| &text[range.clone()]).collect();
        assert_eq!(shown, ["---\nkind: Secret\ndata: {a: b}\n"]);
        assert_eq!(hidden_of("kind: List\nitems:\n- kind: Secret\n").len(), 1);
        assert_eq!(hidden_of("metadata: {name: a}\nstringData: {a: b}\n").len(), 1);
        assert_eq!(hidden_of("kind: ConfigMap\ndata: {a: b}\n").len(), 0);
    }

    #[test]
    fn broken_text_is_hidden_where_it_might_be_a_secret() {
        let hidden_of = |text: &str| !hidden(text, None).is_empty();
        assert!(hidden_of("kind: Secret\ndata: {broken"));
        assert!(hidden_of("kind: secretlist\nitems: {broken"));
        assert!(hidden_of("kin: x\nstringData:\n  password: {broken"));
        assert!(hidden_of("{\"kind\": \"\\u0053ecre\\u0074\", broken"));
        assert!(!hidden_of("name: orders\ndeployments: {broken"));
    }
}
