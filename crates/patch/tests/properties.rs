//! Laws that hold for all patches, on random documents made of the names that matter.

use proptest::prelude::*;
use serde_json::{Map, Value, json};
use tidegate_patch::target::Selector;
use tidegate_patch::{ObjectSet, Patch, PatchBody, json_patch, merge_patch, strategic};

/// As many cases as `PROPTEST_CASES` says.
fn config() -> ProptestConfig {
    #[expect(clippy::disallowed_methods, reason = "a setting of the tests")]
    let is_set = std::env::var("PROPTEST_CASES").is_ok();
    let config = ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    if is_set {
        config
    } else {
        ProptestConfig {
            cases: 1_000,
            ..config
        }
    }
}

/// Names of fields with all kinds of rules, of none, and of directives.
const FIELDS: [&str; 14] = [
    "spec",
    "template",
    "metadata",
    "containers",
    "volumes",
    "ports",
    "env",
    "args",
    "finalizers",
    "name",
    "containerPort",
    "protocol",
    "a",
    "b",
];
const DIRECTIVES: [&str; 7] = [
    "$patch",
    "$retainKeys",
    "$setElementOrder/containers",
    "$setElementOrder/finalizers",
    "$deleteFromPrimitiveList/finalizers",
    "$deleteFromPrimitiveList/a",
    "$unknown",
];

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (0..4_i64).prop_map(Value::from),
        prop::sample::select(vec![
            "web",
            "proxy",
            "TCP",
            "delete",
            "replace",
            "merge",
            "containers"
        ])
        .prop_map(Value::from),
    ]
}

fn document(names: Vec<&'static str>) -> impl Strategy<Value = Value> {
    scalar().prop_recursive(6, 60, 5, move |inner| {
        let field = (prop::sample::select(names.clone()), inner.clone());
        prop_oneof![
            1 => prop::collection::vec(inner, 0..4).prop_map(Value::from),
            3 => prop::collection::vec(field, 0..5).prop_map(|fields| {
                fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect::<Map<_, _>>().into()
            }),
        ]
    })
}

fn without_directives() -> impl Strategy<Value = Value> {
    document(FIELDS.to_vec())
}

fn with_directives() -> impl Strategy<Value = Value> {
    document([&FIELDS[..], &DIRECTIVES[..]].concat())
}

/// A pod template, where the rules are.
fn deployment(pod: Value) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"},
        "spec": {"template": {"spec": pod}},
    })
}

fn items() -> impl Strategy<Value = Value> {
    let item = (0..5_usize, prop::option::of(0..3_i64), 0..12_usize);
    prop::collection::vec(item, 0..5).prop_map(|items| {
        let mut seen = std::collections::BTreeSet::new();
        let items = items.into_iter().filter(|(name, ..)| seen.insert(*name));
        let item = |(name, image, directive): (usize, Option<i64>, usize)| {
            let mut item = json!({"name": format!("c{name}")});
            if let Some(image) = image {
                item["image"] = image.into();
            }
            if directive == 0 {
                item["$patch"] = "delete".into();
            }
            item
        };
        items.map(item).collect()
    })
}

fn operations() -> impl Strategy<Value = Value> {
    let path = prop::collection::vec(
        prop::sample::select(vec!["spec", "a", "b", "0", "1", "-", "name"]),
        0..4,
    );
    let path = path.prop_map(|parts| {
        parts
            .into_iter()
            .map(|part| format!("/{part}"))
            .collect::<String>()
    });
    let name = prop::sample::select(vec!["add", "remove", "replace", "move", "copy", "test"]);
    let operation = (name, path.clone(), path, without_directives());
    let operation = operation.prop_map(
        |(name, from, path, value)| json!({"op": name, "from": from, "path": path, "value": value}),
    );
    prop::collection::vec(operation, 0..5).prop_map(Value::from)
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn nothing_panics(target in with_directives(), patch in with_directives()) {
        let _ = strategic::apply(target.clone(), &patch);
        let _ = strategic::apply(deployment(target.clone()), &deployment(patch.clone()));
        let _ = merge_patch::apply(target.clone(), &patch);
        let _ = json_patch::apply(target, &patch);
    }

    #[test]
    fn no_directive_reaches_the_result(target in without_directives(), patch in with_directives()) {
        if let Ok(Some(result)) = strategic::apply(deployment(target), &deployment(patch)) {
            prop_assert!(!result.to_string().contains("\"$"), "{result}");
        }
    }

    #[test]
    fn applying_twice_is_applying_once(target in without_directives(), patch in with_directives()) {
        let patch = deployment(patch);
        if let Ok(Some(once)) = strategic::apply(deployment(target), &patch) {
            let again = strategic::apply(once.clone(), &patch);
            prop_assert_eq!(again.expect("applied before").expect("kept before").to_string(), once.to_string());
        }
    }

    #[test]
    fn a_patch_of_nothing_changes_nothing(target in without_directives()) {
        let target = deployment(target);
        let result = strategic::apply(target.clone(), &json!({}));
        // Duplicates aside, which are gone after the first time.
        let result = result.expect("applies").expect("kept");
        prop_assert_eq!(strategic::apply(result.clone(), &json!({})), Ok(Some(result)));
    }

    #[test]
    fn merged_lists_hold_what_either_side_has(target in items(), patch in items()) {
        let plain = |list: &Value| -> Vec<Value> {
            let items = list.as_array().into_iter().flatten();
            items.filter(|item| item.get("$patch").is_none()).map(|item| item["name"].clone()).collect()
        };
        let target: Value = target.as_array().expect("a list").iter().map(|item| {
            let mut item = item.clone();
            item.as_object_mut().expect("a map").shift_remove("$patch");
            item
        }).collect();
        let deleted: Vec<&Value> = patch.as_array().expect("a list").iter().filter(|item| item.get("$patch").is_some()).map(|item| &item["name"]).collect();
        let mut expected = plain(&patch);
        let rest: Vec<Value> = plain(&target).into_iter().filter(|name| !expected.contains(name) && !deleted.contains(&name)).collect();
        expected.extend(rest);
        let pod = |containers: &Value| deployment(json!({"containers": containers}));
        let result = strategic::apply(pod(&target), &pod(&patch)).expect("applies").expect("kept");
        prop_assert_eq!(plain(&result["spec"]["template"]["spec"]["containers"]), expected);
    }

    #[test]
    fn without_rules_strategic_merge_is_merge_patch(target in without_directives(), patch in without_directives()) {
        let object = |spec: Value| json!({"apiVersion": "example.org/v1", "kind": "Thing", "spec": spec});
        let (target, patch) = (object(target), object(patch));
        if let Ok(Some(result)) = strategic::apply(target.clone(), &patch) {
            prop_assert_eq!(Ok(result), merge_patch::apply(target, &patch));
        }
    }

    #[test]
    fn json_patch_agrees_with_the_crate_it_is_built_on(target in without_directives(), patch in operations()) {
        // RFC 6902 has nothing against moving a value to where it is; the crate has, at the root.
        let stays = |operation: &Value| operation["op"] == "move" && operation["from"] == "" && operation["path"] == "";
        if patch.as_array().into_iter().flatten().any(stays) {
            return Ok(());
        }
        let ours = json_patch::apply(target.clone(), &patch);
        let operations: ::json_patch::Patch = serde_json::from_value(patch).expect("operations");
        let mut theirs = target;
        match ::json_patch::patch_unsafe(&mut theirs, &operations) {
            Ok(()) => prop_assert_eq!(ours, Ok(theirs)),
            Err(error) => prop_assert_eq!(ours.map_err(|error| error.operation), Err(Some(error.operation))),
        }
    }

    #[test]
    fn what_was_added_can_be_removed(target in without_directives(), value in without_directives()) {
        let Value::Object(fields) = &target else { return Ok(()) };
        prop_assume!(!fields.contains_key("new"));
        let added = json_patch::apply(target.clone(), &json!([{"op": "add", "path": "/new", "value": value}]));
        let removed = json_patch::apply(added.expect("adds"), &json!([{"op": "remove", "path": "/new"}]));
        prop_assert_eq!(removed.expect("removes").to_string(), target.to_string());
    }

    #[test]
    fn a_refused_patch_changes_nothing(target in without_directives(), patch in with_directives()) {
        let objects = vec![deployment(target), json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}, "spec": 1})];
        let Ok(mut set) = ObjectSet::new(objects.clone()) else { return Ok(()) };
        let patch = Patch::with_target(PatchBody::of(patch), Selector::default());
        if set.apply(&patch).is_err() {
            prop_assert_eq!(set.into_values(), objects);
        }
    }
}
