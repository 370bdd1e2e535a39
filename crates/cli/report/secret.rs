//! Which text must not be shown because it holds values of Secrets, or might.

use std::ops::Range;

use serde_json::Value;
use tidegate_yaml::Stream;

/// The bytes of a file's text that must not be quoted.
///
/// Each document that is a Secret, or holds one, counts as a whole. A file that does not parse counts as a
/// whole if it might hold one: its kind may be just what is broken.
pub(crate) fn hidden(text: &str, stream: Option<&Stream>) -> Vec<Range<usize>> {
    let whole = 0..text.len() + 1;
    let Some(stream) = stream else {
        return if might_hold_secret(text) {
            vec![whole]
        } else {
            Vec::new()
        };
    };
    let is_secret: Vec<bool> = stream
        .documents()
        .iter()
        .map(|document| holds_secret(document.value()))
        .collect();
    if !is_secret.contains(&true) {
        return Vec::new();
    }
    let root = jsonptr::Pointer::root();
    let spans: Option<Vec<_>> = stream
        .documents()
        .iter()
        .map(|document| document.value_span(root))
        .collect();
    let Some(spans) = spans else { return vec![whole] };
    // From the end of the document before to the start of the one after: comments belong to it too.
    let before = |index: usize| index.checked_sub(1).map_or(0, |index| spans[index].end);
    let after = |index: usize| spans.get(index + 1).map_or(text.len() + 1, |span| span.start);
    (0..spans.len())
        .filter(|index| is_secret[*index])
        .map(|index| before(index)..after(index))
        .collect()
}

fn holds_secret(value: &Value) -> bool {
    match value {
        Value::Object(map) => {
            let is_secret = map
                .get("kind")
                .and_then(Value::as_str)
                .is_some_and(|kind| contains_secret(kind));
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
    fn broken_text_is_hidden_where_it_might_be_a_secret() {
        let hidden_of = |text: &str| !hidden(text, None).is_empty();
        assert!(hidden_of("kind: Secret\ndata: {broken"));
        assert!(hidden_of("kind: secretlist\nitems: {broken"));
        assert!(hidden_of("kin: x\nstringData:\n  password: {broken"));
        assert!(hidden_of("{\"kind\": \"\\u0053ecre\\u0074\", broken"));
        assert!(!hidden_of("name: orders\ndeployments: {broken"));
    }
}
