//! Inputs made to hurt: each is refused, soon, and without harm.

use serde_json::{Value, json};
use tidegate_patch::target::{LabelSelector, Pattern, Selector};
use tidegate_patch::{ApplyReason, Patch, PatchBody, Reason, apply_all, json_patch, merge_patch, strategic};

fn nested(depth: usize) -> Value {
    (0..depth).fold(json!(1), |value, _| json!({"a": value}))
}

#[test]
fn copies_that_double_are_refused() {
    let operations: Value = (0..40)
        .map(|number| json!({"op": "copy", "from": "", "path": format!("/{number}")}))
        .collect();
    let error = json_patch::apply(json!({"a": 1}), &operations).unwrap_err();
    assert!(
        matches!(error.reason, Reason::TooLarge { .. } | Reason::TooDeep { .. }),
        "{error}"
    );
    let into_list: Value = (0..40)
        .map(|_| json!({"op": "copy", "from": "/l", "path": "/m/-"}))
        .collect();
    let text = "x".repeat(100_000);
    let error = json_patch::apply(json!({"l": text, "m": []}), &into_list);
    assert!(
        error.is_ok(),
        "40 copies of a text are below a hundred times of what was written"
    );
    let swap: Value = (0..40)
        .flat_map(|_| {
            [
                json!({"op": "copy", "from": "/a", "path": "/b/-"}),
                json!({"op": "copy", "from": "/b", "path": "/a/-"}),
            ]
        })
        .collect();
    let error = json_patch::apply(json!({"a": [1], "b": [1]}), &swap).unwrap_err();
    assert!(matches!(error.reason, Reason::TooLarge { .. }), "{error}");
    assert!(error.operation.is_some());
}

#[test]
fn depth_is_bounded() {
    let deep = nested(200);
    assert!(matches!(
        strategic::apply(json!({}), &deep).unwrap_err().reason,
        Reason::TooDeep { .. }
    ));
    assert!(matches!(
        strategic::apply(deep.clone(), &json!({})).unwrap_err().reason,
        Reason::TooDeep { .. }
    ));
    assert!(matches!(
        merge_patch::apply(json!({}), &deep).unwrap_err().reason,
        Reason::TooDeep { .. }
    ));
    assert!(matches!(
        json_patch::apply(deep, &json!([])).unwrap_err().reason,
        Reason::TooDeep { .. }
    ));
    assert!(strategic::apply(json!({}), &nested(128)).is_ok());

    // Every operation goes one level deeper.
    let path = |depth: usize| "/a".repeat(depth);
    let dig: Value = (1..200)
        .map(|depth| json!({"op": "add", "path": path(depth), "value": {}}))
        .collect();
    let error = json_patch::apply(json!({}), &dig).unwrap_err();
    assert!(matches!(error.reason, Reason::TooDeep { .. }), "{error}");
    assert_eq!(error.operation, Some(127));
    let move_down = json!([{"op": "move", "from": "/b", "path": path(100)}]);
    let target = json!({"a": nested(99)["a"], "b": nested(100)});
    let error = json_patch::apply(target, &move_down).unwrap_err();
    assert!(
        matches!(error.reason, Reason::TooDeep { .. } | Reason::NothingThere),
        "{error}"
    );
}

#[test]
fn pointers_are_strict() {
    let target = || json!({"list": [1, 2], "": {"": 1}, "~1": 2});
    for path in [
        "list/0",
        "/list/-1",
        "/list/00",
        "/list/01",
        "/list/+1",
        "/list/2",
        "/list/x",
        "/list/-",
        "/~2",
        "/list/0/x",
        "/~",
    ] {
        assert!(
            json_patch::apply(target(), &json!([{"op": "remove", "path": path}])).is_err(),
            "{path}"
        );
        assert!(
            json_patch::apply(target(), &json!([{"op": "replace", "path": path, "value": 1}])).is_err(),
            "{path}"
        );
    }
    for path in ["/list/3", "/list/-1", "/list/01", "/none/x"] {
        assert!(
            json_patch::apply(target(), &json!([{"op": "add", "path": path, "value": 1}])).is_err(),
            "{path}"
        );
    }
    for path in ["/list/2", "/list/-", "/list/0", "//", "/~01", ""] {
        assert!(
            json_patch::apply(target(), &json!([{"op": "add", "path": path, "value": 1}])).is_ok(),
            "{path}"
        );
    }
}

#[test]
fn operations_are_strict() {
    for operation in [
        json!({"path": "/a", "value": 1}),
        json!({"op": "add", "path": "/a"}),
        json!({"op": "add", "value": 1}),
        json!({"op": "copy", "path": "/b"}),
        json!({"op": "put", "path": "/a", "value": 1}),
        json!({"op": "Add", "path": "/a", "value": 1}),
        json!({"op": "add", "path": 1, "value": 1}),
        json!({"op": "remove", "path": ""}),
        json!({"op": "move", "from": "/a", "path": "/a/b"}),
        json!({"op": "test", "path": "/a", "value": "1"}),
        json!("add"),
        json!(null),
    ] {
        let error = json_patch::apply(
            json!({"a": 1}),
            &json!([{"op": "test", "path": "/a", "value": 1.0}, operation]),
        );
        assert_eq!(error.expect_err("refused").operation, Some(1), "{operation}");
    }
    let into_itself = json_patch::apply(
        json!({"a": {"b": 1}}),
        &json!([{"op": "move", "from": "/a", "path": "/a/b"}]),
    );
    assert_eq!(into_itself.expect_err("refused").reason, Reason::MoveIntoItself);
    assert!(
        json_patch::apply(json!({}), &json!({"op": "add", "path": "/a", "value": 1})).is_err(),
        "not a list"
    );
}

#[test]
fn keys_keep_their_order() {
    let target: Value = serde_json::from_str(r#"{"a": 1, "b": 2, "c": 3, "d": 4}"#).expect("JSON");
    let patch = json!([{"op": "remove", "path": "/a"}, {"op": "move", "from": "/c", "path": "/e"}, {"op": "replace", "path": "/b", "value": 5}]);
    assert_eq!(
        json_patch::apply(target.clone(), &patch)
            .expect("applies")
            .to_string(),
        r#"{"b":5,"d":4,"e":3}"#
    );
    let merged = merge_patch::apply(target.clone(), &json!({"a": null, "z": 1, "b": 6}));
    assert_eq!(
        merged.expect("applies").to_string(),
        r#"{"b":6,"c":3,"d":4,"z":1}"#
    );
    let merged = strategic::apply(target, &json!({"a": null, "z": 1, "b": 6}));
    assert_eq!(
        merged.expect("applies").expect("there").to_string(),
        r#"{"b":6,"c":3,"d":4,"z":1}"#
    );
}

#[test]
fn numbers_keep_their_digits() {
    let target: Value = serde_json::from_str(r#"{"big": 9007199254740993, "exact": 1.10}"#).expect("JSON");
    let patched = json_patch::apply(target, &json!([{"op": "copy", "from": "/big", "path": "/copy"}]));
    assert_eq!(
        patched.expect("applies").to_string(),
        r#"{"big":9007199254740993,"exact":1.10,"copy":9007199254740993}"#
    );
}

#[test]
fn a_large_patch_for_many_objects_is_refused() {
    let objects = (0..5_000).map(
        |number| json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": format!("c{number}")}}),
    );
    let data: serde_json::Map<String, Value> = (0..10_000)
        .map(|number| (format!("k{number}"), json!("v")))
        .collect();
    let patch = Patch::with_target(PatchBody::Strategic(json!({"data": data})), Selector::default());
    let error = apply_all(objects.collect(), &[patch]).unwrap_err();
    assert!(matches!(error.reason, ApplyReason::TooLarge { .. }), "{error}");
}

#[test]
fn growth_is_bounded_over_several_patches() {
    let object = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"a": ["x"], "b": ["x"]}});
    let double = json!([
        {"op": "copy", "from": "/data/a", "path": "/data/b/-"},
        {"op": "copy", "from": "/data/b", "path": "/data/a/-"},
    ]);
    let patches = vec![Patch::with_target(PatchBody::Json(double), Selector::default()); 40];
    let error = apply_all(vec![object], &patches).unwrap_err();
    let reason = error.reason.to_string();
    assert!(
        reason.contains("more than") || reason.contains("deeper"),
        "{reason}"
    );

    let object = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"a": "x".repeat(1000), "b": {}}});
    let double = |number: usize| json!([{"op": "copy", "from": "/data", "path": format!("/copy{number}")}, {"op": "move", "from": format!("/copy{number}"), "path": format!("/data/b/{number}")}]);
    let patch = |number| Patch::with_target(PatchBody::Json(double(number)), Selector::default());
    let error = apply_all(vec![object], &(0..40).map(patch).collect::<Vec<_>>()).unwrap_err();
    assert!(
        matches!(&error.reason, ApplyReason::TooLarge { .. }) || error.to_string().contains("more than"),
        "{error}"
    );
}

#[test]
fn messages_are_one_line() {
    let error = strategic::apply(json!({}), &json!({"a\nb\u{1b}[31m\u{202e}": {"$\n": 1}})).unwrap_err();
    assert!(
        !error
            .to_string()
            .chars()
            .any(|character| character.is_control() || character == '\u{202e}'),
        "{error}"
    );
    let error = Pattern::new("(\n").unwrap_err();
    assert!(!error.to_string().contains('\n'), "{error}");
    let error = LabelSelector::new("a\n\u{1b}").unwrap_err();
    assert!(!error.to_string().chars().any(char::is_control), "{error}");
}
