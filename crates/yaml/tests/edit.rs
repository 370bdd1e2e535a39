//! Edits by example: text before, edits, text after.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use jsonptr::PointerBuf;
use serde_json::{Value, json};
use tidegate_yaml::{Edit, EditError, Place, Stream};

fn at(place: &str) -> PointerBuf {
    PointerBuf::parse(place).unwrap()
}

fn set(place: &str, value: Value) -> Edit {
    Edit::Set { at: at(place), value }
}

fn insert(into: &str, place: Place, key: impl Into<Option<&'static str>>, value: Value) -> Edit {
    Edit::Insert {
        into: at(into),
        place,
        key: key.into().map(str::to_owned),
        value,
    }
}

fn remove(place: &str) -> Edit {
    Edit::Remove { at: at(place) }
}

fn rename(place: &str, key: &str) -> Edit {
    Edit::Rename {
        at: at(place),
        key: key.to_owned(),
    }
}

fn copy(from: &str, key: &str, place: Place) -> Edit {
    Edit::Copy {
        from: at(from),
        key: key.to_owned(),
        place,
    }
}

fn after(name: &str) -> Place {
    Place::After(name.to_owned())
}

fn before(name: &str) -> Place {
    Place::Before(name.to_owned())
}

#[track_caller]
fn check(text: &str, edit: Edit, expected: &str) {
    let stream = Stream::parse(text).unwrap();
    let edited = stream
        .edit(0, std::slice::from_ref(&edit))
        .unwrap_or_else(|error| panic!("{error}: {edit:?}"));
    assert_eq!(edited.text(), expected);
}

#[track_caller]
fn refused(text: &str, edit: Edit, expected: &str) {
    let stream = Stream::parse(text).unwrap();
    let error = stream.edit(0, &[edit]).unwrap_err();
    assert_eq!(error.to_string(), expected);
}

#[test]
fn set_keeps_quotes_and_comments() {
    check("a: 1 # one\n", set("/a", json!(2)), "a: 2 # one\n");
    check("a: 'x' # one\n", set("/a", json!("it's")), "a: 'it''s' # one\n");
    check("a: \"x\"\n", set("/a", json!("w\nz")), "a: \"w\\nz\"\n");
    check("a: x\n", set("/a", json!("on")), "a: \"on\"\n");
    check("a: x\n", set("/a", json!("w z")), "a: w z\n");
    check("a:   x   # c\n", set("/a", json!("w")), "a:   w   # c\n");
    check("a: x", set("/a", json!("w")), "a: w");
    check(
        "a: x\r\nb: 1\r\n",
        set("/a", json!("w\nz\n")),
        "a: |\r\n  w\r\n  z\r\nb: 1\r\n",
    );
    check("a: x # c\n", set("/a", json!("w\nz\n")), "a: | # c\n  w\n  z\n");
    check(
        "a: |\n    x\n    w\n\n# c\nb: 1\n",
        set("/a", json!("z\nw\n")),
        "a: |\n    z\n    w\n\n# c\nb: 1\n",
    );
    check("a: | # c\n  x\nb: 1\n", set("/a", json!(1)), "a: 1 # c\nb: 1\n");
    check("a: >-\n  x\n  w\n", set("/a", json!("z")), "a: >-\n  z\n");
    check("a: x\n  w\n", set("/a", json!("z")), "a: z\n");
    check("a:\n  x # c\n", set("/a", json!("w")), "a:\n  w # c\n");
    check("a: # c\nb: 1\n", set("/a", json!("w")), "a: w # c\nb: 1\n");
    check("- 1\n-\n- 3\n", set("/1", json!(2)), "- 1\n- 2\n- 3\n");
    check("a: &x 1\nb: 2\n", set("/a", json!(2)), "a: &x 2\nb: 2\n");
    check("a: !!str 1\nb: 2\n", set("/a", json!("2")), "a: \"2\"\nb: 2\n");
}

/// Comments behind it, and blank lines behind the form `|+`, would become part of a block scalar.
#[test]
fn text_in_block_form_does_not_swallow_what_follows() {
    check(
        "a: x\n  # deeper\nb: 1\n",
        set("/a", json!("w\nz\n")),
        "a: \"w\\nz\\n\"\n  # deeper\nb: 1\n",
    );
    check(
        "a: x\n\nb: 1\n",
        set("/a", json!("w\n\n")),
        "a: \"w\\n\\n\"\n\nb: 1\n",
    );
    check(
        "a: x\n\nb: 1\n",
        set("/a", json!("w\nz\n")),
        "a: |\n  w\n  z\n\nb: 1\n",
    );
    check("a: x", set("/a", json!("w\nz\n")), "a: \"w\\nz\\n\"");
    check("a: x", set("/a", json!("w\nz")), "a: |-\n  w\n  z");
    check(
        "a: x",
        insert("", Place::Last, "new", json!({"x": ["w\n"]})),
        "a: x\nnew: {x: [\"w\\n\"]}",
    );
}

#[test]
fn set_of_an_equal_value_changes_nothing() {
    for text in [
        "a: 0x10 # c\n",
        "a: '16'\n",
        "a: {b: 1,   c: 2}\n",
        "a: 1e3\n",
        "# c\n",
    ] {
        let stream = Stream::parse(text).unwrap();
        let value = stream.documents()[0].value()["a"].clone();
        if !value.is_null() {
            check(text, set("/a", value), text);
        }
    }
}

#[test]
fn set_of_collections() {
    check(
        "a: 1 # c\nb: 2\n",
        set("/a", json!({"x": 1, "w": [2]})),
        "a: # c\n  x: 1\n  w:\n  - 2\nb: 2\n",
    );
    check(
        "a:\n    x: 1\nb: 2\n",
        set("/a", json!({"w": {"z": 1}})),
        "a:\n    w:\n        z: 1\nb: 2\n",
    );
    check(
        "a:\n  # about x\n  x: 1\nb: 2\n",
        set("/a", json!({})),
        "a: {}\n  # about x\nb: 2\n",
    );
    check("a:\n  x: 1\nb: 2\n", set("/a", json!("w")), "a: w\nb: 2\n");
    check(
        "a:\n- 1\nb: 2\n",
        set("/a", json!({"x": 1})),
        "a:\n  x: 1\nb: 2\n",
    );
    check("a:\n  x: 1\nb: 2\n", set("/a", json!([1])), "a:\n- 1\nb: 2\n");
    check(
        "- 1\n- 2\n",
        set("/0", json!({"x": 1, "w": 2})),
        "- x: 1\n  w: 2\n- 2\n",
    );
    check("- x: 1\n  w: 2 # c\n- 2\n", set("/0", json!("z")), "- z\n- 2\n");
    check(
        "- x: 1\n  w: 2\n- 2\n",
        set("/0", json!({"z": [1]})),
        "- z:\n  - 1\n- 2\n",
    );
    check("- &x 1\n", set("/0", json!({"z": 1})), "- &x\n  z: 1\n");
    check(
        "a: {x: 1} # c\n",
        set("/a", json!([{"w": 1}])),
        "a: # c\n- w: 1\n",
    );
    check(
        "a: {x: 1, w: 2}\n",
        set("/a/x", json!({"z": [1]})),
        "a: {x: {z: [1]}, w: 2}\n",
    );
    check(
        "{\"x\":1,\"w\":2}\n",
        set("/x", json!("z")),
        "{\"x\":\"z\",\"w\":2}\n",
    );
    check("a: {x, w: }\n", set("/a/x", json!(1)), "a: {x: 1, w: }\n");
    check("a: {x, w: }\n", set("/a/w", json!(1)), "a: {x, w: 1 }\n");
    check("a: x\n", set("", json!({"b": 1})), "b: 1\n");
    check("--- x # c\n", set("", json!({"b": 1})), "--- # c\nb: 1\n");
    check("# only\n", set("", json!({"b": 1})), "# only\nb: 1\n");
    check("", set("/b", json!(1)), "b: 1\n");
    check("---\n# c\n...\n", set("", json!([1])), "---\n# c\n- 1\n...\n");
}

#[test]
fn set_adds_a_missing_key_at_the_end() {
    check(
        "a:\n  x: 1\n  # inside a\nb: 2\n",
        set("/a/w", json!(2)),
        "a:\n  x: 1\n  w: 2\n  # inside a\nb: 2\n",
    );
    check("a:\nb: 2\n", set("/a/w", json!(2)), "a:\n  w: 2\nb: 2\n");
    check("a: {}\n", set("/a/w", json!([2])), "a: {w: [2]}\n");
    refused("a: 1\n", set("/a/w", json!(2)), "nothing at `/a/w`");
    refused("a: [1]\n", set("/a/1", json!(2)), "nothing at `/a/1`");
    refused("a: 1\n", set("/b/c", json!(2)), "nothing at `/b/c`");
}

#[test]
fn insert_into_block_maps() {
    let text = "# head\na: 1 # one\n  # deep\n\n# about b\nb: 2\n";
    check(
        text,
        insert("", Place::First, "new", json!(0)),
        "# head\nnew: 0\na: 1 # one\n  # deep\n\n# about b\nb: 2\n",
    );
    check(
        text,
        insert("", after("a"), "new", json!(0)),
        "# head\na: 1 # one\n  # deep\nnew: 0\n\n# about b\nb: 2\n",
    );
    check(
        text,
        insert("", before("b"), "new", json!(0)),
        "# head\na: 1 # one\n  # deep\n\nnew: 0\n# about b\nb: 2\n",
    );
    check(
        text,
        insert("", Place::Last, "new", json!(0)),
        "# head\na: 1 # one\n  # deep\n\n# about b\nb: 2\nnew: 0\n",
    );
    check(
        "a: 1",
        insert("", Place::Last, "new", json!([0])),
        "a: 1\nnew:\n- 0",
    );
    check(
        "a: 1\r\n",
        insert("", Place::Last, "new", json!([0])),
        "a: 1\r\nnew:\r\n- 0\r\n",
    );
    check(
        "s: # c\n  # about a\n  a: 1\n",
        insert("/s", Place::First, "new", json!(0)),
        "s: # c\n  new: 0\n  # about a\n  a: 1\n",
    );
    check(
        "- a: 1\n  b: 2\n",
        insert("/0", Place::First, "new", json!({"x": 1})),
        "- new:\n    x: 1\n  a: 1\n  b: 2\n",
    );
    check(
        "- a: 1\n  b: 2\n",
        insert("/0", Place::Last, "new", json!(0)),
        "- a: 1\n  b: 2\n  new: 0\n",
    );
    check(
        "a: |+\n  x\n\nb: 1\n",
        insert("", after("a"), "new", json!(0)),
        "a: |+\n  x\n\nnew: 0\nb: 1\n",
    );
    check(
        "a: |\n  x\n\nb: 1\n",
        insert("", after("a"), "new", json!(0)),
        "a: |\n  x\nnew: 0\n\nb: 1\n",
    );
    check(
        "a: 1\n",
        insert("", Place::Last, "on", json!("on")),
        "a: 1\n\"on\": \"on\"\n",
    );
    refused(
        "a: 1\n",
        insert("", Place::Last, "a", json!(0)),
        "`/a` is already there",
    );
    refused(
        "a: 1\n",
        insert("", after("z"), "new", json!(0)),
        "nothing at `/z`",
    );
    refused(
        "a: 1\n",
        insert("/a", Place::Last, "new", json!(0)),
        "cannot edit `/a`: this is neither a map nor a list",
    );
}

#[test]
fn insert_into_block_lists() {
    check(
        "a:\n- 1\n- 2\n",
        insert("/a", Place::First, None, json!(0)),
        "a:\n- 0\n- 1\n- 2\n",
    );
    check(
        "a:\n  - 1\n  - 2\n",
        insert("/a", after("0"), None, json!({"x": [1]})),
        "a:\n  - 1\n  - x:\n      - 1\n  - 2\n",
    );
    check(
        "a:\n- 1\n# end\n",
        insert("/a", Place::Last, None, json!("x\nw\n")),
        "a:\n- 1\n- |\n  x\n  w\n# end\n",
    );
    check(
        "- - 1\n  - 2\n",
        insert("/0", Place::First, None, json!(0)),
        "- - 0\n  - 1\n  - 2\n",
    );
    check(
        "- - 1\n  - 2\n",
        insert("/0", before("1"), None, json!([0])),
        "- - 1\n  - - 0\n  - 2\n",
    );
    refused(
        "- 1\n",
        insert("", before("1"), None, json!(0)),
        "nothing at `/1`",
    );
    refused(
        "- 1\n",
        insert("", Place::Last, "a", json!(0)),
        "cannot edit ``: an item of a list has no key"
            .replace("``", "`the whole document`")
            .as_str(),
    );
}

#[test]
fn insert_into_brackets() {
    check(
        "a: {x: 1, w: 2}\n",
        insert("/a", Place::First, "new", json!(0)),
        "a: {new: 0, x: 1, w: 2}\n",
    );
    check(
        "a: {x: 1, w: 2}\n",
        insert("/a", after("x"), "new", json!("a,b")),
        "a: {x: 1, new: \"a,b\", w: 2}\n",
    );
    check(
        "a: {x: 1, w: 2,}\n",
        insert("/a", Place::Last, "new", json!(0)),
        "a: {x: 1, w: 2, new: 0,}\n",
    );
    check(
        "a: []\n",
        insert("/a", Place::Last, None, json!({"new": 0})),
        "a: [{new: 0}]\n",
    );
    check(
        "a: [\n  1, # one\n  2 # two\n]\n",
        insert("/a", Place::Last, None, json!(3)),
        "a: [\n  1, # one\n  2, # two\n  3\n]\n",
    );
    check(
        "a: [\n  1, # one\n  2 # two\n]\n",
        insert("/a", after("0"), None, json!(3)),
        "a: [\n  1, # one\n  3,\n  2 # two\n]\n",
    );
    check(
        "{\n  \"x\": 1\n}\n",
        insert("", Place::Last, "new", json!("s")),
        "{\n  \"x\": 1,\n  \"new\": \"s\"\n}\n",
    );
    check(
        "a: [x: 1]\n",
        insert("/a/0", Place::Last, "new", json!(0)),
        "a: [{x: 1, new: 0}]\n",
    );
}

#[test]
fn remove_leaves_comments_above_and_takes_those_inside() {
    check(
        "# head\na: 1 # one\n  # deep\n# about b\nb: 2\n",
        remove("/a"),
        "# head\n# about b\nb: 2\n",
    );
    check("a: 1\n# about b\nb: 2", remove("/b"), "a: 1\n# about b");
    check(
        "a:\n  x: 1\n  # inside\nb: 2\n",
        remove("/a/x"),
        "a: {}\n  # inside\nb: 2\n",
    );
    check("a:\n- 1 # c\nb: 2\n", remove("/a/0"), "a: []\nb: 2\n");
    check("- a: 1\n  b: 2\n", remove("/0/a"), "- b: 2\n");
    check(
        "- a: 1\n  # about b\n  b: 2\n",
        remove("/0/a"),
        "-\n  # about b\n  b: 2\n",
    );
    check("- a: 1\n  b: 2\n- 3\n", remove("/0/b"), "- a: 1\n- 3\n");
    check("- a: 1\n  b: 2\n- 3\n", remove("/0"), "- 3\n");
    check("- - 1\n  - 2\n", remove("/0/0"), "- - 2\n");
    check("a: {x: 1, w: 2}\n", remove("/a/x"), "a: {w: 2}\n");
    check("a: {x: 1, w: 2}\n", remove("/a/w"), "a: {x: 1}\n");
    check("a: {x: 1}\n", remove("/a/x"), "a: {}\n");
    check(
        "a: [\n  1, # one\n  2 # two\n]\n",
        remove("/a/1"),
        "a: [\n  1 # one\n]\n",
    );
    check(
        "a: [\n  1, # one\n  2 # two\n]\n",
        remove("/a/0"),
        "a: [\n  2 # two\n]\n",
    );
    check("a: [1, # one\n  2, 3]\n", remove("/a/2"), "a: [1, # one\n  2]\n");
    check("a: [1, # one\n  2, 3]\n", remove("/a/1"), "a: [1, # one\n  3]\n");
    check("a: 1\nb: |\n  x\n\n# c\n", remove("/b"), "a: 1\n\n# c\n");
    refused("a: 1\n", remove("/b"), "nothing at `/b`");
    refused(
        "a: 1\n",
        remove(""),
        "cannot edit `the whole document`: a whole document is removed from its stream, not from itself",
    );
}

#[test]
fn rename_keeps_quotes_and_place() {
    check("a: 1 # c\nb: 2\n", rename("/a", "new"), "new: 1 # c\nb: 2\n");
    check("'a': 1\n", rename("/a", "on"), "'on': 1\n");
    check(
        "x: {a: 1, \"b\": 2}\n",
        rename("/x/b", "new"),
        "x: {a: 1, \"new\": 2}\n",
    );
    check("a: 1\n", rename("/a", "on"), "\"on\": 1\n");
    refused("a: 1\nb: 2\n", rename("/a", "b"), "`/b` is already there");
}

#[test]
fn copy_takes_comments_inside_and_no_anchors() {
    let text = "# head\nweb: # main\n  # about image\n  image: x # img\n\n  # deep end\nother: 1\n";
    let expected = "# head\nweb: # main\n  # about image\n  image: x # img\n\n  # deep end\nweb-v1: # main\n  # about image\n  image: x # img\n\n  # deep end\nother: 1\n";
    check(text, copy("/web", "web-v1", after("web")), expected);
    check(
        "a: &x\n  b: &w 1\n  c: *w\nd: *x\n",
        copy("/a", "new", after("a")),
        "a: &x\n  b: &w 1\n  c: *w\nnew:\n  b: 1\n  c: *w\nd: *x\n",
    );
    check(
        "a: &x {b: &w 1, c: *w}\n",
        copy("/a", "new", Place::First),
        "new: {b: 1, c: 1}\na: &x {b: &w 1, c: *w}\n",
    );
    check(
        "z: {a: &x {b: 1}, c: *x}\n",
        copy("/z/a", "new", after("a")),
        "z: {a: &x {b: 1}, new: {b: 1}, c: *x}\n",
    );
    check(
        "- a: |\n    x\n  b: 1\n",
        copy("/0/a", "new", Place::Last),
        "- a: |\n    x\n  b: 1\n  new: |\n    x\n",
    );
    check("'a': 1", copy("/a", "new", Place::Last), "'a': 1\n'new': 1");
}

#[test]
fn anchors_shared_with_others_are_not_edited() {
    let text = "a: &x\n  b: 1\nc: *x\n";
    refused(
        text,
        set("/a/b", json!(2)),
        "`/a/b` is part of `&x`, which `/c` uses too",
    );
    refused(text, remove("/a"), "`/a` is part of `&x`, which `/c` uses too");
    let stream = Stream::parse(text).unwrap();
    let Err(EditError::Shared { span, alias, .. }) = stream.edit(0, &[remove("/a/b")]) else {
        panic!()
    };
    assert_eq!((&text[span], &text[alias]), ("&x\n  b: 1", "*x"));
}

#[test]
fn edits_below_an_alias_write_it_out() {
    let text = "a: &x\n  b: 1\n  c: 2\nd: *x # c\n";
    check(
        text,
        set("/d/b", json!(3)),
        "a: &x\n  b: 1\n  c: 2\nd: # c\n  b: 3\n  c: 2\n",
    );
    check(text, remove("/d/b"), "a: &x\n  b: 1\n  c: 2\nd: # c\n  c: 2\n");
    check(
        text,
        insert("/d", Place::First, "new", json!(0)),
        "a: &x\n  b: 1\n  c: 2\nd: # c\n  new: 0\n  b: 1\n  c: 2\n",
    );
    check(text, set("/d", json!(3)), "a: &x\n  b: 1\n  c: 2\nd: 3 # c\n");
}

#[test]
fn edits_of_merged_keys_add_a_key_that_wins() {
    let text = "a: &x\n  b: 1\n  c: 2\nd:\n  <<: *x\n  e: 3\n";
    check(
        text,
        set("/d/b", json!(3)),
        "a: &x\n  b: 1\n  c: 2\nd:\n  <<: *x\n  e: 3\n  b: 3\n",
    );
    check(
        text,
        remove("/d/b"),
        "a: &x\n  b: 1\n  c: 2\nd:\n  <<:\n    c: 2\n  e: 3\n",
    );
    check(
        text,
        insert("/d", Place::Last, "b", json!(9)),
        "a: &x\n  b: 1\n  c: 2\nd:\n  <<: *x\n  e: 3\n  b: 9\n",
    );
}

#[test]
fn all_edits_or_none() {
    let stream = Stream::parse("a: 1\nb: 2\n---\na: 1\n").unwrap();
    let edited = stream
        .edit(1, &[set("/a", json!(2)), set("/new", json!(3)), remove("/a")])
        .unwrap();
    assert_eq!(edited.text(), "a: 1\nb: 2\n---\nnew: 3\n");
    assert!(stream.edit(0, &[set("/a", json!(2)), remove("/z")]).is_err());
    assert_eq!(
        stream.edit(2, &[]).unwrap_err().to_string(),
        "there is no document 2"
    );
}

#[test]
fn documents_come_and_go() {
    for text in [
        "",
        "a: 1\n",
        "a: 1",
        "# c\n",
        "\n\n",
        "a: 1\r\n",
        "a: 1\n...\n",
        "---\n",
        "\u{feff}",
        "\u{feff}a: 1\n",
    ] {
        for more in [
            "b: 2\n",
            "b: 2",
            "---\nb: 2\n",
            "# c\n---\nb: 2\n",
            "# c\nb: 2\n# d\n",
            "--- |\n  x\n",
        ] {
            let stream = Stream::parse(text).unwrap();
            let Ok(longer) = stream.append_document(more) else {
                assert!(
                    more.contains('|') && !text.is_empty() && !text.ends_with('\n'),
                    "{text:?} {more:?}"
                );
                continue;
            };
            let last = longer.documents().len() - 1;
            let expected = Stream::parse(more).unwrap();
            assert_eq!(
                longer.documents()[last].value(),
                expected.documents()[0].value(),
                "{text:?} {more:?}"
            );
            assert_eq!(
                longer.remove_document(last).unwrap().text(),
                text,
                "{text:?} {more:?}"
            );
        }
    }
    let stream = Stream::parse("# licence\n---\na: 1\n---\nb: 2\n...\nc: 3\n").unwrap();
    assert_eq!(
        stream.remove_document(0).unwrap().text(),
        "# licence\n---\nb: 2\n...\nc: 3\n"
    );
    assert_eq!(
        stream.remove_document(1).unwrap().text(),
        "# licence\n---\na: 1\n...\nc: 3\n"
    );
    assert_eq!(stream.document_text(0), "a: 1\n");
    assert_eq!(stream.document_text(1), "b: 2\n");
    assert_eq!(stream.document_text(2), "c: 3\n");
    assert!(stream.append_document("a\n---\nb\n").is_err());
}
