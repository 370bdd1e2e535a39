//! Reading by example: values, places, refusals, limits.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use jsonptr::{Pointer, PointerBuf};
use serde_json::{Value, json};
use tidegate_yaml::{Kind, Limits, Stream, print};

#[track_caller]
fn value(text: &str, expected: Value) {
    let stream = Stream::parse(text).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(*stream.documents()[0].value(), expected, "{text}");
}

#[track_caller]
fn refused(text: &str, kind: Kind, expected: &str) {
    let error = Stream::parse(text).unwrap_err();
    assert_eq!(
        (error.kind, error.to_string().as_str()),
        (kind, expected),
        "{text:?}"
    );
}

fn number(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[test]
fn scalars_mean_what_kustomize_means() {
    value("[on, yes, n, off]", json!(["on", "yes", "n", "off"]));
    value(
        "[true, True, FALSE, null, Null, ~, ]",
        json!([true, true, false, null, null, null]),
    );
    value(
        "[0777, 012, 08, 0o17, 0x1F, 0X10, 0b11, 1_000]",
        json!([511, 10, 8, 15, 31, 16, 3, 1000]),
    );
    value(
        "[685_230.15, 1.10, 1e3, .5, +1]",
        Value::Array(["685230.15", "1.10", "1000", "0.5", "1"].map(number).into()),
    );
    value(
        "[2024-01-01, 12:30, '1', \"1\", 1.2.3]",
        json!(["2024-01-01", "12:30", "1", "1", "1.2.3"]),
    );
    value(
        "123456789012345678901234567890",
        number("123456789012345678901234567890"),
    );
    value(
        "[!!str 1, ! 1, ! \"1\", !!int \"3\", !!float 3, !!bool 'true', !!null '', !!str ]",
        json!(["1", 1, "1", 3, 3, true, null, ""]),
    );
    value("!!map {a: !!seq [1]}", json!({"a": [1]}));
    value("a: !<tag:yaml.org,2002:str> 1", json!({"a": "1"}));
    value("a: |\n  x", json!({"a": "x"}));
    value("a: >\n  x\n  y\n\n  z\n", json!({"a": "x y\nz\n"}));
    value("|\n  é:\n  x\n", json!("é:\nx\n"));
    value("# c\n\n>-\n  é\n", json!("é"));
    value("a: |\r\n  x\r\n  y\r\n", json!({"a": "x\ny\n"}));
}

#[test]
fn keys_become_text() {
    value(
        "1: a\n0x1F: b\ntrue: c\n1.10: d\non: e\n2024-01-01: f\n",
        json!({"1": "a", "31": "b", "true": "c", "1.1": "d", "on": "e", "2024-01-01": "f"}),
    );
    value(".inf: a\n", json!({".inf": "a"}));
    value(
        "&k a: 1\n*k : 2\n".replace("*k : 2", "b: *k").as_str(),
        json!({"a": 1, "b": "a"}),
    );
    refused(
        "a:\n  null: 1\n",
        Kind::Key,
        "2:3: a: a key must be a string, not null",
    );
    refused(
        "? [a]\n: 1\n",
        Kind::Key,
        "1:3: a key must be a string, not a list",
    );
    refused(
        "{{a: 1}: 2}\n",
        Kind::Key,
        "1:2: a key must be a string, not a map",
    );
    refused(
        "spec:\n  name: {{ x }}\n",
        Kind::Hole,
        "2:9: spec.name: template hole `{{ … }}` was not filled in",
    );
    refused(
        "- {{x}}: y\n",
        Kind::Hole,
        "1:3: [0]: template hole `{{ … }}` was not filled in",
    );
}

#[test]
fn merge_keys_and_aliases_are_resolved() {
    value(
        "a: &x {b: 1, c: 2}\nd:\n  c: 3\n  <<: *x\n",
        json!({"a": {"b": 1, "c": 2}, "d": {"c": 3, "b": 1}}),
    );
    value(
        "a: &x {b: 1}\nc: &z {b: 2, d: 3}\ne: {<<: [*x, *z, {f: 4}]}\n",
        json!({"a": {"b": 1}, "c": {"b": 2, "d": 3}, "e": {"b": 1, "d": 3, "f": 4}}),
    );
    value("a: {\"<<\": 1}\n", json!({"a": {"<<": 1}}));
    value("a: &x 1\nb: &x 2\nc: *x\n", json!({"a": 1, "b": 2, "c": 2}));
    refused(
        "a: {<<: 1}\n",
        Kind::Alias,
        "1:9: a: merge key `<<` takes maps only",
    );
    refused(
        "a: &x [1]\nb: {<<: *x}\n",
        Kind::Alias,
        "2:9: b: merge key `<<` takes maps only",
    );
    refused(
        "a: {<<: {}, <<: {}}\n",
        Kind::DuplicateKey,
        "1:13: a: key `<<` is already there at line 1, column 5",
    );
    refused(
        "a: &x [*x]\n",
        Kind::Alias,
        "1:8: a[0]: alias `*x` stands inside the node it stands for",
    );
    refused(
        "a: &x\n  b:\n    c: *x\n",
        Kind::Alias,
        "3:8: a.b.c: alias `*x` stands inside the node it stands for",
    );
    refused(
        "a: *x\n",
        Kind::Alias,
        "1:4: a: alias of an anchor that is not defined before it",
    );
    refused(
        "a: &x 1\n---\na: *x\n",
        Kind::Alias,
        "3:4: a: alias of an anchor that is not defined before it",
    );
}

#[test]
fn duplicate_keys_name_both_places() {
    refused(
        "a: 1\nb: 2\na: 3\n",
        Kind::DuplicateKey,
        "3:1: key `a` is already there at line 1, column 1",
    );
    refused(
        "x: 1\n---\ny:\n- {a: 1, \"a\": 2}\n",
        Kind::DuplicateKey,
        "4:10: y[0]: key `a` is already there at line 4, column 4",
    );
    refused(
        "1: a\n'1': b\n",
        Kind::DuplicateKey,
        "2:1: key `1` is already there at line 1, column 1",
    );
    let many: String = (0..50).map(|n| format!("k{n}: 1\n")).collect();
    refused(
        &format!("{many}k7: 2\n"),
        Kind::DuplicateKey,
        "51:1: key `k7` is already there at line 8, column 1",
    );
}

#[test]
fn what_json_cannot_hold_is_refused() {
    refused("a: .inf\n", Kind::Number, "1:4: a: not a number JSON can hold");
    refused(
        "a: [-.Inf]\n",
        Kind::Number,
        "1:5: a[0]: not a number JSON can hold",
    );
    refused("a: !foo x\n", Kind::Tag, "1:4: a: the tag is not known");
    refused("a: !!binary x\n", Kind::Tag, "1:4: a: the tag is not known");
    refused(
        "a: !!int x\n",
        Kind::Tag,
        "1:4: a: the value does not fit its tag",
    );
    refused("a: !!map [x]\n", Kind::Tag, "1:4: a: the tag does not fit a list");
    refused(
        "a: x\u{1b}[0m\n",
        Kind::Control,
        "1:5: control character U+001B must be escaped",
    );
    refused(
        "---\na: 1\n---\nb: \u{0}\n",
        Kind::Control,
        "4:4: control character U+0000 must be escaped",
    );
}

#[test]
fn broken_text_is_refused_with_its_place() {
    for text in [
        "a: @x",
        "a: 'x",
        "a: [1",
        "a: {b",
        "a:\n\tb: 1",
        "a: b: c",
        "a:\n  - b\n c: 1",
        "- a\nb",
        "a: \"\\q\"",
        "{a: 1}}",
        "]",
    ] {
        let error = Stream::parse(text).unwrap_err();
        assert_eq!(error.kind, Kind::Syntax, "{text:?}");
        assert!(error.offset <= text.len() && !error.message.is_empty());
    }
}

#[test]
fn text_behind_the_end_is_refused() {
    refused(
        "\"a\":1\n",
        Kind::Syntax,
        "1:4: the document has ended before this text",
    );
    refused(
        "a: 1\n\u{feff}",
        Kind::Control,
        "2:1: a byte order mark stands only at the start of a file, once",
    );
    refused(
        "\u{feff}\u{feff}a: 1\n",
        Kind::Control,
        "1:1: a byte order mark stands only at the start of a file, once",
    );
    refused(
        "%FOO bar\n---\na\n",
        Kind::Syntax,
        "1:1: only the directives %YAML and %TAG are known",
    );
}

#[test]
fn tabs_are_read_where_they_are_legal() {
    value(
        "a:\tb\nc:\t\"d\"\t# e\n-x:\t- 1\n"
            .replace("-x:\t- 1\n", "")
            .as_str(),
        json!({"a": "b", "c": "d"}),
    );
    value("{\n\t\"a\": [\n\t\t1,\n\t\t2\n\t]\n}\n", json!({"a": [1, 2]}));
    value(
        "a: [\n\tb,\n\tc\n]\nd: |\n  \tx\n",
        json!({"a": ["b", "c"], "d": "\tx\n"}),
    );
    let many: String = (0..20_000).map(|n| format!("k{n}:\tv\n")).collect();
    let text = format!("{many}text: |\n  a:\tb\n  c:\td\nlast:\tx\n");
    let stream = Stream::parse(text).unwrap();
    let read = stream.documents()[0].value();
    assert_eq!(
        (&read["k19999"], &read["text"], &read["last"]),
        (&json!("v"), &json!("a:\tb\nc:\td\n"), &json!("x"))
    );
}

#[test]
fn documents_are_all_there() {
    let documents = |text: &str| {
        Stream::parse(text)
            .unwrap()
            .documents()
            .iter()
            .map(|d| d.value().clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(documents(""), [json!(null)]);
    assert_eq!(documents("# c\n"), [json!(null)]);
    assert_eq!(documents("---\n---\na\n"), [json!(null), json!("a")]);
    assert_eq!(documents("a\n---\n"), [json!("a"), json!(null)]);
    assert_eq!(
        documents("\u{feff}a: 1\r\n---\r\nb: 2\r\n"),
        [json!({"a": 1}), json!({"b": 2})]
    );
    assert_eq!(documents("%YAML 1.2\n---\na\n...\n# c\n"), [json!("a")]);
    assert_eq!(
        documents("--- a\n--- |\n b\n--- # c\nd: 1\n"),
        [json!("a"), json!("b\n"), json!({"d": 1})]
    );
    let stream = Stream::parse("# only\n").unwrap();
    assert!(stream.documents()[0].is_empty());
    assert!(!Stream::parse("null\n").unwrap().documents()[0].is_empty());
}

#[test]
fn spans_are_those_of_the_text() {
    let text =
        "# é\na: &x  \"v\" # c\n'k': |  # h\n  é\n  x\n\nm:\n  n: 1\n  o:\nl:\n- {p: q}\n- *x\nz: {<<: *b}\n"
            .replace("<<: *b", "r: s");
    let stream = Stream::parse(text.as_str()).unwrap();
    let document = &stream.documents()[0];
    let spans = |at: &'static str| {
        let at = Pointer::from_static(at);
        (
            document.key_span(at).map(|span| &text[span]),
            document.value_span(at).map(|span| &text[span]),
            document.scalar_text(at),
        )
    };
    assert_eq!(spans("/a"), (Some("a"), Some("&x  \"v\""), Some("\"v\"")));
    assert_eq!(
        spans("/k"),
        (Some("'k'"), Some("|  # h\n  é\n  x"), Some("|  # h\n  é\n  x"))
    );
    assert_eq!(spans("/m"), (Some("m"), Some("n: 1\n  o:"), None));
    assert_eq!(spans("/m/o"), (Some("o"), Some(""), Some("")));
    assert_eq!(spans("/l/0"), (None, Some("{p: q}"), None));
    assert_eq!(spans("/l/0/p"), (Some("p"), Some("q"), Some("q")));
    assert_eq!(spans("/l/1"), (None, Some("*x"), Some("\"v\"")));
    assert_eq!(spans("/l/01"), (None, None, None));
    assert_eq!(spans("/nope/x"), (None, None, None));
    assert_eq!(spans("").1.map(str::len), Some(text.len() - "# é\n".len() - 1));
    let span = document.value_span(Pointer::from_static("/k")).unwrap();
    assert_eq!(stream.position(span.start).to_string(), "3:6");
}

#[test]
fn spans_through_aliases_are_the_aliases() {
    let text = "a: &x {b: {c: 1}}\nd: *x\ne: {<<: *x, f: 2}\n";
    let stream = Stream::parse(text).unwrap();
    let document = &stream.documents()[0];
    let span = |at: &'static str| document.value_span(Pointer::from_static(at)).unwrap();
    assert_eq!(span("/d/b/c"), 21..23);
    assert_eq!(span("/e/b/c"), 32..34);
    assert_eq!(document.key_span(Pointer::from_static("/e/b")), Some(32..34));
    assert_eq!(document.scalar_text(Pointer::from_static("/e/b/c")), Some("1"));
}

#[test]
fn limits_hold() {
    let refused = |text: String, limits: &Limits| {
        let error = Stream::parse_with(text, limits).unwrap_err();
        assert_eq!(error.kind, Kind::Limit);
        error.to_string()
    };
    let limits = Limits::default();
    assert_eq!(
        refused("x".repeat(9 << 20), &limits),
        "1:8388609: larger than 8388608 bytes"
    );
    assert_eq!(
        refused("---\n".repeat(10_001), &limits),
        "10001:1: more than 10000 documents"
    );
    assert!(refused("[".repeat(100_000), &limits).contains("nested deeper than 128 levels"));
    assert!(refused("- ".repeat(100_000), &limits).contains("nested deeper than 128 levels"));
    assert_eq!(
        refused(
            "{a: ".repeat(3),
            &Limits {
                depth: 2,
                ..Limits::default()
            }
        ),
        "1:9: a.a: nested deeper than 2 levels"
    );
    assert!(refused("{a: ".repeat(100_000), &limits).contains("nested deeper"));
    assert!(
        refused(
            (0..3000).map(|n| format!("{}a:\n", " ".repeat(n))).collect(),
            &limits
        )
        .contains("nested deeper")
    );
    let tight = Limits {
        nodes: 5,
        ..Limits::default()
    };
    assert_eq!(
        refused("[1, 2, 3, 4, 5]".to_owned(), &tight),
        "1:14: [4]: more than 5 values"
    );
    assert!(Stream::parse_with("[1, 2, 3, 4]\n", &tight).is_ok());
    assert!(Stream::parse_with("[1, 2]\n---\n[1, 2]\n", &tight).is_err());
}

#[test]
fn aliases_expand_within_bounds() {
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..9 {
        let aliases = vec![format!("*a{}", level - 1); 9].join(", ");
        bomb.push_str(&format!("a{level}: &a{level} [{aliases}]\n"));
    }
    let error = Stream::parse(bomb).unwrap_err();
    assert_eq!(
        (error.kind, error.message.as_str()),
        (Kind::Limit, "more than 1000000 values")
    );
    let long = format!("a: &x {}\nb: [{}]\n", "x".repeat(100_000), "*x, ".repeat(2000));
    assert_eq!(
        Stream::parse(long).unwrap_err().message,
        "more than 33554432 bytes once the aliases are expanded"
    );
    let list = |item: &str| format!("[{}]", vec![item; 50].join(", "));
    let steps = format!("a: &a {}\nb: &b {}\nc: {}\n", list("1"), list("*a"), list("*b"));
    let error = Stream::parse(steps).unwrap_err();
    assert_eq!(
        error.message,
        "aliases expand 157 values written to more than 15700"
    );
    let deep = format!(
        "a: &x {}1{}\nb: {}*x{}\n",
        "[".repeat(70),
        "]".repeat(70),
        "[".repeat(70),
        "]".repeat(70)
    );
    assert!(Stream::parse(deep).unwrap_err().message.contains("nested deeper"));
}

/// Neither brackets nor blocks nor a value at the deepest level need more than a small stack.
#[test]
fn a_small_stack_is_enough() {
    let run = || {
        for text in [
            "[".repeat(100_000),
            "- ".repeat(100_000),
            "{a: ".repeat(100_000),
            "[{".repeat(50_000),
            "? ".repeat(100_000),
        ] {
            assert!(Stream::parse(text).is_err());
        }
        let deepest = format!("{}1{}", "[".repeat(128), "]".repeat(128));
        let stream = Stream::parse(deepest).unwrap();
        let printed = print(stream.documents()[0].value());
        let again = Stream::parse(printed).unwrap();
        assert_eq!(again.documents()[0].value(), stream.documents()[0].value());
        let place = PointerBuf::parse("/0".repeat(128)).unwrap();
        let edit = tidegate_yaml::Edit::Set {
            at: place,
            value: json!(2),
        };
        assert!(again.edit(0, &[edit]).unwrap().text().ends_with("2\n"));
        assert!(stream.reconcile(0, &json!([[3]]), &|_, _| None).is_ok());
        assert_eq!(stream.documents()[0].ambiguous_scalars().len(), 0);
    };
    std::thread::Builder::new()
        .stack_size(512 << 10)
        .spawn(run)
        .unwrap()
        .join()
        .unwrap();
}

#[test]
fn readers_disagree_about_these() {
    let text = "on: yes\nb: [1_000, 0777, 2024-01-01, 1e3, '1_000', !!str 0777, &x off, word, 0o17, 0x1F]\n";
    let stream = Stream::parse(text).unwrap();
    let found = stream.documents()[0].ambiguous_scalars();
    let found: Vec<_> = found
        .iter()
        .map(|(at, readings)| {
            format!(
                "{at} {} {} {} {}",
                readings.text, readings.kubectl, readings.kustomize, readings.yaml_1_2
            )
        })
        .collect();
    assert_eq!(
        found,
        [
            "/on on \"true\" \"on\" \"on\"",
            "/on yes true \"yes\" \"yes\"",
            "/b/0 1_000 1000 1000 \"1_000\"",
            "/b/1 0777 511 511 777",
            "/b/2 2024-01-01 \"2024-01-01\" \"2024-01-01T00:00:00Z\" \"2024-01-01\"",
            "/b/6 off false \"off\" \"off\"",
        ]
    );
}
