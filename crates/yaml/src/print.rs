//! A value as YAML text, in the layout kustomize uses.
//!
//! Takes values, gives text. Block style, two spaces, list dashes at their parent's column, text of several lines as `|` blocks where
//! that is exact. Long lines are never folded.

use serde_json::Value;

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
    let mut out = String::new();
    Layout::default().root(&mut out, value);
    out
}

/// Several documents, with `---` between them.
///
/// ```
/// let values = [serde_json::json!({"a": 1}), serde_json::json!({"b": 2})];
/// assert_eq!(tidegate_yaml::print_stream(&values), "a: 1\n---\nb: 2\n");
/// ```
#[must_use]
pub fn print_stream<'a>(values: impl IntoIterator<Item = &'a Value>) -> String {
    let mut out = String::new();
    for (index, value) in values.into_iter().enumerate() {
        if index > 0 {
            out.push_str("---\n");
        }
        Layout::default().root(&mut out, value);
    }
    out
}

/// Keys longer than this are written with `? `: a parser need not look further for the colon (YAML 1.2.2 section 7.4.2).
const LONGEST_IMPLICIT_KEY: usize = 1000;

const DASH: &str = "- ";

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

/// As lines: for edits, which put them where they belong.
impl Layout {
    /// A value at column 0; at least one line, none with a line end.
    pub(crate) fn lines(self, value: &Value) -> Vec<String> {
        cut(|out| self.root(out, value))
    }

    /// A map entry at column 0.
    pub(crate) fn entry(self, key: &str, value: &Value) -> Vec<String> {
        cut(|out| self.push_entry(out, key, value, 0))
    }

    /// A list item at column 0, what is inside it behind the dash.
    pub(crate) fn item(self, value: &Value) -> Vec<String> {
        cut(|out| self.push_item(out, value, 0))
    }
}

fn cut(write: impl FnOnce(&mut String)) -> Vec<String> {
    let mut out = String::new();
    write(&mut out);
    block_lines(&out).map(str::to_owned).collect()
}

/// As text: each writes from where the line is, to the end of the last line it needs.
impl Layout {
    fn root(self, out: &mut String, value: &Value) {
        self.node(out, value, 0, self.step);
    }

    /// A value; its first line is indented already, those that follow go to `column`, or to `text_column` where they are text.
    fn node(self, out: &mut String, value: &Value, column: usize, text_column: usize) {
        match value {
            Value::Object(map) if !map.is_empty() => {
                for (index, (key, value)) in map.iter().enumerate() {
                    indent(out, if index == 0 { 0 } else { column });
                    self.push_entry(out, key, value, column);
                }
            }
            Value::Array(list) if !list.is_empty() => {
                for (index, item) in list.iter().enumerate() {
                    indent(out, if index == 0 { 0 } else { column });
                    self.push_item(out, item, column);
                }
            }
            _ => inline_or_text(out, value, text_column),
        }
    }

    fn push_entry(self, out: &mut String, key: &str, value: &Value, column: usize) {
        let start = out.len();
        spelling::push_string(out, key, Context::Block);
        if out.len() - start > LONGEST_IMPLICIT_KEY {
            out.insert_str(start, "? ");
            out.push('\n');
            indent(out, column);
        }
        out.push(':');
        let inner = match value {
            Value::Object(map) if !map.is_empty() => column + self.step,
            Value::Array(list) if !list.is_empty() => column + self.dash,
            _ => {
                out.push(' ');
                return inline_or_text(out, value, column + self.step);
            }
        };
        out.push('\n');
        indent(out, inner);
        self.node(out, value, inner, inner);
    }

    fn push_item(self, out: &mut String, value: &Value, column: usize) {
        out.push_str(DASH);
        // Text of an item is indented against the dash, as all else in it.
        let inner = column + DASH.len();
        self.node(out, value, inner, inner);
    }
}

/// A scalar or an empty collection to the end of the line, or text on lines of its own below.
fn inline_or_text(out: &mut String, value: &Value, column: usize) {
    let text = value
        .as_str()
        .and_then(|text| Some((text, spelling::block_indicator(text)?)));
    match (text, value) {
        (Some((text, indicator)), _) => {
            out.push_str(indicator);
            for line in block_lines(text) {
                out.push('\n');
                // Blank lines stay blank.
                indent(out, if line.is_empty() { 0 } else { column });
                out.push_str(line);
            }
        }
        (None, Value::String(text)) => spelling::push_string(out, text, Context::Block),
        (None, _) => push_flow(out, value, Context::Flow),
    }
    out.push('\n');
}

fn indent(out: &mut String, mut columns: usize) {
    const SPACES: &str = "                                ";
    while columns > 0 {
        let width = columns.min(SPACES.len());
        out.push_str(&SPACES[..width]);
        columns -= width;
    }
}

/// The lines of a block scalar; those of `|+` include the blank ones at the end.
pub(crate) fn block_lines(text: &str) -> impl Iterator<Item = &str> {
    text.strip_suffix('\n').unwrap_or(text).split('\n')
}

/// A value on one line, in brackets where it is a collection.
pub(crate) fn flow(value: &Value, context: Context) -> String {
    let mut out = String::new();
    push_flow(&mut out, value, context);
    out
}

fn push_flow(out: &mut String, value: &Value, context: Context) {
    match value {
        Value::Object(map) => {
            out.push('{');
            for (index, (key, value)) in map.iter().enumerate() {
                out.push_str(if index == 0 { "" } else { ", " });
                spelling::push_string(out, key, context);
                out.push_str(": ");
                push_flow(out, value, context);
            }
            out.push('}');
        }
        Value::Array(list) => {
            out.push('[');
            for (index, item) in list.iter().enumerate() {
                out.push_str(if index == 0 { "" } else { ", " });
                push_flow(out, item, context);
            }
            out.push(']');
        }
        scalar => spelling::push_scalar(out, scalar, context),
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
