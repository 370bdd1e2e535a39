//! Reconciling by example: text, wanted value, text after.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use serde_json::{Value, json};
use tidegate_yaml::Stream;

#[track_caller]
fn check(text: &str, wanted: Value, expected: &str) {
    let stream = Stream::parse(text).unwrap();
    let name = |_: &_, item: &Value| item.get("name").and_then(Value::as_str).map(str::to_owned);
    let edited = stream.reconcile(0, &wanted, &name).unwrap();
    assert_eq!(edited.text(), expected);
    assert_eq!(*edited.documents()[0].value(), wanted);
}

#[test]
fn nothing_changes_for_an_equal_value() {
    for text in ["a: 0x10 # c\nb: [1,2]\n", "# c\n", "", "a: &x 1\nb: *x\n"] {
        let value = Stream::parse(text).unwrap().documents()[0].value().clone();
        check(text, value, text);
    }
}

#[test]
fn maps_change_by_key() {
    check(
        "# head\na: 1 # one\n# about b\nb:\n  # inside\n  c: 2 # two\n  d: 3\ne: 4\n",
        json!({"a": 1, "b": {"c": 20, "new": {"x": 1}, "d": 3}, "f": 5}),
        "# head\na: 1 # one\n# about b\nb:\n  # inside\n  c: 20 # two\n  new:\n    x: 1\n  d: 3\nf: 5\n",
    );
    check("a: 1\nb: 2\n", json!({"c": 3}), "c: 3\n");
    check(
        "a: {x: 1, w: 2}\n",
        json!({"a": {"new": 0, "w": 2, "more": 1}}),
        "a: {new: 0, w: 2, more: 1}\n",
    );
    check("a: {}\n", json!({"a": {"x": 1}}), "a:\n  x: 1\n");
    check("# c\n", json!({"a": 1}), "# c\na: 1\n");
    check(
        "- a: 1\n  b: 2\n",
        json!([{"new": 1, "b": 2}]),
        "- new: 1\n  b: 2\n",
    );
}

#[test]
fn lists_change_by_item() {
    check(
        "a:\n- 1 # one\n- 2 # two\n- 3 # three\n",
        json!({"a": [1, 3, 4]}),
        "a:\n- 1 # one\n- 3 # three\n- 4\n",
    );
    check(
        "- name: a # A\n  v: 1\n# about b\n- name: b\n",
        json!([{"name": "new"}, {"name": "a", "v": 2}, {"name": "b", "w": 1}]),
        "- name: new\n- name: a # A\n  v: 2\n# about b\n- name: b\n  w: 1\n",
    );
    check(
        "x: 1 # keep\na:\n# first\n- name: a\n- name: b\n",
        json!({"x": 1, "a": [{"name": "b"}, {"name": "a", "v": 1}]}),
        "x: 1 # keep\na:\n# first\n- name: b\n- name: a\n  v: 1\n",
    );
    check("a: [1, 2, 3]\n", json!({"a": [0, 2, 4]}), "a: [0, 2, 4]\n");
    check(
        "a: [\n  1, # one\n  2, # two\n  3\n]\n",
        json!({"a": [2, 3, 4]}),
        "a: [\n  2, # two\n  3,\n  4\n]\n",
    );
    check("- 1\n", json!([]), "[]\n");
}

#[test]
fn aliases_stay_where_they_may() {
    let text = "a: &x\n  b: 1\nc: *x # c\nd: *x\n";
    check(
        text,
        json!({"a": {"b": 2}, "c": {"b": 2}, "d": {"b": 2}}),
        "a: &x\n  b: 2\nc: *x # c\nd: *x\n",
    );
    check(
        text,
        json!({"a": {"b": 2}, "c": {"b": 2}, "d": {"b": 1}}),
        "a: &x\n  b: 2\nc: *x # c\nd:\n  b: 1\n",
    );
    check(
        text,
        json!({"c": {"b": 2}, "d": {"b": 1}}),
        "c: # c\n  b: 2\nd:\n  b: 1\n",
    );
    let text = "a: &x\n  b: 1\n  e: 2\nc:\n  <<: *x\n  f: 3\n";
    check(
        text,
        json!({"a": {"b": 1, "e": 5}, "c": {"f": 3, "b": 1, "e": 5}}),
        "a: &x\n  b: 1\n  e: 5\nc:\n  <<: *x\n  f: 3\n",
    );
    check(
        text,
        json!({"a": {"b": 1, "e": 2}, "c": {"f": 3, "b": 9, "e": 2}}),
        "a: &x\n  b: 1\n  e: 2\nc:\n  <<: *x\n  f: 3\n  b: 9\n",
    );
    check(
        text,
        json!({"a": {"b": 1, "e": 2}, "c": {"f": 3, "b": 1}}),
        "a: &x\n  b: 1\n  e: 2\nc:\n  <<:\n    b: 1\n  f: 3\n",
    );
    check(
        text,
        json!({"c": {"f": 3, "b": 1, "e": 2}}),
        "c:\n  <<:\n    b: 1\n    e: 2\n  f: 3\n",
    );
}

/// The first item of the list is another one than the alias stands for.
#[test]
fn an_alias_of_something_that_moved_is_written_out() {
    check(
        "a:\n- &x 1\nc: *x # c\n",
        json!({"a": [5, 1], "c": 5}),
        "a:\n- 5\n- &x 1\nc: 5 # c\n",
    );
}

/// Without the line end at the end of the file, text in block form would lose its own.
#[test]
fn what_reads_otherwise_is_mended_where_it_is() {
    check(
        "# head\na: 1 # one\nc:\n- |\n  text\n- x",
        json!({"a": 1, "c": ["text\n"]}),
        "# head\na: 1 # one\nc:\n- \"text\\n\"",
    );
    check(
        "# head\na: |\n  text",
        json!({"a": "text", "b": 1}),
        "# head\na: text\nb: 1",
    );
}

#[test]
fn other_documents_keep_their_bytes() {
    let stream = Stream::parse("\u{feff}a:   1\n---\nb: 2\r\n---\nc: 3").unwrap();
    let edited = stream
        .reconcile(1, &json!({"b": 3, "d": [1]}), &|_, _| None)
        .unwrap();
    assert_eq!(
        edited.text(),
        "\u{feff}a:   1\n---\nb: 3\r\nd:\r\n- 1\r\n---\nc: 3"
    );
    assert!(stream.reconcile(3, &json!(1), &|_, _| None).is_err());
}
