//! A value as YAML text, in the layout kustomize uses.
//!
//! Takes values, gives text. Block style, two spaces, list dashes at their parent's column, text of several lines as `|` blocks where
//! that is exact. Long lines are never folded.

use serde_json::{Map, Value};

use crate::spelling::{self, Context};

/// One document.
///
/// Shape: ends with a line end, has no `---`. Strings are quoted exactly when a reader of YAML 1.1 or 1.2 would take them for
/// something else; numbers keep their spelling, save exponents.
///
/// ```
/// let value = serde_json::json!({"env": [{"name": "A", "value": "on"}], "run": "a\nb\n", "none": {}});
/// let text = "env:\n- name: A\n  value: \"on\"\nrun: |\n  a\n  b\nnone: {}\n";
/// assert_eq!(tidegate_yaml::print(&value), text);
/// ```
#[must_use]
pub fn print(value: &Value) -> String {
    let mut lines = Layout::default().lines(value).join("\n");
    lines.push('\n');
    lines
}

/// Several documents, with `---` between them.
///
/// ```
/// let values = [serde_json::json!({"a": 1}), serde_json::json!({"b": 2})];
/// assert_eq!(tidegate_yaml::print_stream(&values), "a: 1\n---\nb: 2\n");
/// ```
#[must_use]
pub fn print_stream<'a>(values: impl IntoIterator<Item = &'a Value>) -> String {
    let documents: Vec<String> = values.into_iter().map(print).collect();
    documents.join("---\n")
}

/// Keys longer than this are written with `? `: a parser need not look further for the colon (YAML 1.2.2 section 7.4.2).
const LONGEST_IMPLICIT_KEY: usize = 1000;

/// Habits of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Layout {
    /// Columns between a map and the map inside it.
    pub(crate) step: usize,
    /// Columns between a key and the dashes of its list.
    pub(crate) dash: usize,
}

impl Default for Layout {
    fn default() -> Self {
        Self { step: 2, dash: 0 }
    }
}

/// What follows a key's colon or a list's dash.
pub(crate) enum Tail {
    /// Text on the same line.
    Inline(String),
    /// Lines of their own, indented as given; with what comes on the line before them (`|-`), if anything.
    Lines {
        header: String,
        indent: usize,
        lines: Vec<String>,
    },
}

impl Layout {
    /// A value at column 0; at least one line, none with a line end.
    pub(crate) fn lines(self, value: &Value) -> Vec<String> {
        match value {
            Value::Object(map) if !map.is_empty() => self.map(map),
            Value::Array(list) if !list.is_empty() => self.list(list),
            Value::String(text) => match spelling::block_indicator(text) {
                Some(indicator) => std::iter::once(indicator.to_owned())
                    .chain(block_lines(text, self.step))
                    .collect(),
                None => vec![spelling::scalar(value, Context::Block)],
            },
            _ => vec![inline(value)],
        }
    }

    fn map(self, map: &Map<String, Value>) -> Vec<String> {
        map.iter()
            .flat_map(|(key, value)| self.entry(&spelling::string(key, Context::Block), value))
            .collect()
    }

    fn list(self, list: &[Value]) -> Vec<String> {
        list.iter().flat_map(|item| self.item(item)).collect()
    }

    /// A map entry at column 0; `key` is spelled already.
    pub(crate) fn entry(self, key: &str, value: &Value) -> Vec<String> {
        if key.len() > LONGEST_IMPLICIT_KEY {
            return std::iter::once(format!("? {key}"))
                .chain(self.hang(":", self.tail(value)))
                .collect();
        }
        self.hang(&format!("{key}:"), self.tail(value))
    }

    fn hang(self, head: &str, tail: Tail) -> Vec<String> {
        match tail {
            Tail::Inline(text) => vec![format!("{head} {text}")],
            Tail::Lines {
                header,
                indent,
                lines,
            } => {
                let head = if header.is_empty() {
                    head.to_owned()
                } else {
                    format!("{head} {header}")
                };
                std::iter::once(head).chain(indented(lines, indent)).collect()
            }
        }
    }

    /// What follows the colon of a key at column 0.
    pub(crate) fn tail(self, value: &Value) -> Tail {
        match value {
            Value::Object(map) if !map.is_empty() => Tail::Lines {
                header: String::new(),
                indent: self.step,
                lines: self.map(map),
            },
            Value::Array(list) if !list.is_empty() => Tail::Lines {
                header: String::new(),
                indent: self.dash,
                lines: self.list(list),
            },
            Value::String(text) => match spelling::block_indicator(text) {
                Some(indicator) => {
                    let lines = block_lines(text, 0).collect();
                    Tail::Lines {
                        header: indicator.to_owned(),
                        indent: self.step,
                        lines,
                    }
                }
                None => Tail::Inline(spelling::scalar(value, Context::Block)),
            },
            _ => Tail::Inline(inline(value)),
        }
    }

    /// A list item at column 0, what is inside it behind the dash.
    pub(crate) fn item(self, value: &Value) -> Vec<String> {
        const DASH: &str = "- ";
        let mut lines = match value {
            Value::String(text) if spelling::block_indicator(text).is_some() => {
                // Text of an item is indented against the dash, not against what stands behind it.
                let indicator = spelling::block_indicator(text).unwrap_or("|");
                let head = format!("{DASH}{indicator}");
                return std::iter::once(head)
                    .chain(block_lines(text, DASH.len()))
                    .collect();
            }
            _ => self.lines(value).into_iter(),
        };
        let first = lines.next().unwrap_or_default();
        std::iter::once(format!("{DASH}{first}"))
            .chain(indented(lines, DASH.len()))
            .collect()
    }
}

/// The lines of a block scalar; those of `|+` include the blank ones at the end.
pub(crate) fn block_lines(text: &str, indent: usize) -> impl Iterator<Item = String> {
    let text = text.strip_suffix('\n').unwrap_or(text);
    indented(text.split('\n').map(str::to_owned), indent)
}

/// Blank lines stay blank.
fn indented(lines: impl IntoIterator<Item = String>, indent: usize) -> impl Iterator<Item = String> {
    lines.into_iter().map(move |line| {
        if line.is_empty() {
            line
        } else {
            format!("{:indent$}{line}", "")
        }
    })
}

fn inline(value: &Value) -> String {
    flow(value, Context::Flow)
}

/// A value on one line, in brackets where it is a collection.
pub(crate) fn flow(value: &Value, context: Context) -> String {
    match value {
        Value::Object(map) => {
            let entries: Vec<String> = map
                .iter()
                .map(|(key, value)| format!("{}: {}", spelling::string(key, context), flow(value, context)))
                .collect();
            format!("{{{}}}", entries.join(", "))
        }
        Value::Array(list) => {
            let items: Vec<String> = list.iter().map(|item| flow(item, context)).collect();
            format!("[{}]", items.join(", "))
        }
        scalar => spelling::scalar(scalar, context),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(value: Value, expected: &str) {
        let text = print(&value);
        assert_eq!(text, expected);
        let stream = crate::Stream::parse(text).unwrap();
        assert_eq!(*stream.documents()[0].value(), value);
    }

    #[test]
    fn layout_is_that_of_kustomize() {
        check(
            json!({"a": {"b": [1, {"c": 2, "d": [3]}], "e": {}}, "f": []}),
            "a:\n  b:\n  - 1\n  - c: 2\n    d:\n    - 3\n  e: {}\nf: []\n",
        );
        check(
            json!([[1, [2]], {"a": {"b": 1}}, [], null]),
            "- - 1\n  - - 2\n- a:\n    b: 1\n- []\n- null\n",
        );
        check(
            json!({"on": "on", "": "", "a b": "x: y"}),
            "\"on\": \"on\"\n\"\": \"\"\na b: \"x: y\"\n",
        );
    }

    #[test]
    fn text_of_several_lines_is_a_block() {
        check(
            json!({"a": "x\n\n y\n", "b": ["x\ny", {"c": "z\n\n"}]}),
            "a: |\n  x\n\n   y\nb:\n- |-\n  x\n  y\n- c: |+\n    z\n\n",
        );
        check(json!({"a": "x\n\n", "b": 1}), "a: |+\n  x\n\nb: 1\n");
        check(json!("x\ny\n"), "|\n  x\n  y\n");
        check(json!({"a": " x\ny\n"}), "a: \" x\\ny\\n\"\n");
    }

    #[test]
    fn scalars_and_empty_collections_are_documents() {
        for (value, text) in [
            (json!(null), "null\n"),
            (json!({}), "{}\n"),
            (json!([]), "[]\n"),
            (json!("on"), "\"on\"\n"),
            (json!(1), "1\n"),
        ] {
            check(value, text);
        }
    }

    #[test]
    fn long_keys_are_explicit() {
        let key = "k".repeat(1500);
        check(
            json!({ &key: {"a": 1}, "b": [{ &key: 1 }] }),
            &format!("? {key}\n:\n  a: 1\nb:\n- ? {key}\n  : 1\n"),
        );
    }

    #[test]
    fn numbers_keep_their_spelling() {
        let value: Value = serde_json::from_str(r#"{"a":1.10,"b":123456789012345678901,"c":-0.0}"#).unwrap();
        check(value, "a: 1.10\nb: 123456789012345678901\nc: -0.0\n");
        let value: Value = serde_json::from_str("[1e3, 1E-9]").unwrap();
        assert_eq!(print(&value), "- 1000\n- 1.0e-9\n");
    }
}
