//! Patches over sets of objects: who is patched, in what order, and what stays as it was.

use serde_json::{Value, json};
use tidegate_patch::target::{LabelSelector, Pattern, Selector};
use tidegate_patch::{ApplyReason, ObjectSet, Patch, PatchBody, Unmatched, apply_all};

fn object(kind: &str, name: &str, namespace: Option<&str>) -> Value {
    let mut object =
        json!({"apiVersion": "v1", "kind": kind, "metadata": {"name": name, "labels": {"app": name}}});
    if let Some(namespace) = namespace {
        object["metadata"]["namespace"] = namespace.into();
    }
    object
}

fn objects() -> Vec<Value> {
    vec![
        object("Service", "web", None),
        object("Service", "api", Some("shop")),
        object("ConfigMap", "web", Some("shop")),
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "annotations": {"a": "b"}}}),
        object("Namespace", "shop", None),
    ]
}

/// Marks what a selector selects, and returns the indexes of those objects.
fn selected(selector: Selector) -> Vec<usize> {
    let mark = json!([{"op": "add", "path": "/marked", "value": true}]);
    let patch = Patch {
        unmatched: Unmatched::Accept,
        ..Patch::with_target(PatchBody::of(mark), selector)
    };
    let patched = apply_all(objects(), &[patch]).expect("applies");
    (0..patched.len())
        .filter(|index| patched[*index]["marked"] == true)
        .collect()
}

fn pattern(text: &str) -> Option<Pattern> {
    Some(Pattern::new(text).expect("a pattern"))
}

fn strategic(id: Value, rest: Value) -> Patch {
    let mut body = id;
    body.as_object_mut()
        .expect("a map")
        .extend(rest.as_object().expect("a map").clone());
    Patch::new(PatchBody::Strategic(body))
}

#[test]
fn every_condition_must_hold() {
    assert_eq!(selected(Selector::default()), [0, 1, 2, 3, 4]);
    assert_eq!(
        selected(Selector {
            kind: pattern("Service"),
            ..Selector::default()
        }),
        [0, 1]
    );
    assert_eq!(
        selected(Selector {
            kind: pattern("service"),
            ..Selector::default()
        }),
        [] as [usize; 0]
    );
    assert_eq!(
        selected(Selector {
            name: pattern("w.*"),
            ..Selector::default()
        }),
        [0, 2, 3]
    );
    assert_eq!(
        selected(Selector {
            name: pattern("web"),
            kind: pattern("Service|Deployment"),
            ..Selector::default()
        }),
        [0, 3]
    );
    assert_eq!(
        selected(Selector {
            namespace: pattern("shop"),
            ..Selector::default()
        }),
        [1, 2]
    );
    assert_eq!(
        selected(Selector {
            namespace: pattern("default"),
            kind: pattern("Service"),
            ..Selector::default()
        }),
        [0]
    );
    assert_eq!(
        selected(Selector {
            group: pattern("apps"),
            version: pattern("v1"),
            ..Selector::default()
        }),
        [3]
    );
    assert_eq!(
        selected(Selector {
            namespace: pattern("default|shop"),
            ..Selector::default()
        }),
        [0, 1, 2, 3]
    );
    assert_eq!(
        selected(Selector {
            namespace: pattern(".*"),
            ..Selector::default()
        }),
        [0, 1, 2, 3, 4]
    );
    let labels = |text| Some(LabelSelector::new(text).expect("labels"));
    assert_eq!(
        selected(Selector {
            label_selector: labels("app in (web, api)"),
            ..Selector::default()
        }),
        [0, 1, 2]
    );
    assert_eq!(
        selected(Selector {
            annotation_selector: labels("a=b"),
            ..Selector::default()
        }),
        [3]
    );
}

#[test]
fn a_patch_without_target_finds_its_own_object() {
    let service = |namespace: Value| json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "api", "namespace": namespace}});
    let patched =
        apply_all(objects(), &[strategic(service("shop".into()), json!({"x": 1}))]).expect("applies");
    assert_eq!(patched[1]["x"], 1);
    let error = apply_all(objects(), &[strategic(service(Value::Null), json!({"x": 1}))]).unwrap_err();
    assert_eq!(error.patch, Some(0));
    assert_eq!(error.to_string(), "no object is v1 Service api");
    let other_version =
        json!({"apiVersion": "apps/v1beta1", "kind": "Deployment", "metadata": {"name": "web"}});
    assert!(apply_all(objects(), &[strategic(other_version, json!({}))]).is_err());
}

#[test]
fn default_is_the_namespace_of_objects_without_one() {
    let in_default =
        json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web", "namespace": "default"}});
    let patched = apply_all(objects(), &[strategic(in_default, json!({"x": 1}))]).expect("applies");
    // And the patch does not move it there in so many words.
    assert_eq!(
        patched[0],
        json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web", "labels": {"app": "web"}}, "x": 1})
    );
    let cluster_wide =
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop", "namespace": "any"}});
    assert!(apply_all(objects(), &[strategic(cluster_wide, json!({"x": 1}))]).is_ok());
}

#[test]
fn later_patches_see_earlier_ones_and_former_names() {
    let web = || json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}});
    let rename = json!([{"op": "replace", "path": "/metadata/name", "value": "site"}, {"op": "add", "path": "/metadata/labels/app", "value": "site"}]);
    let target = Selector {
        kind: pattern("Service"),
        name: pattern("web"),
        ..Selector::default()
    };
    let site = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "site"}});
    let by_label = Selector {
        label_selector: LabelSelector::new("app=site").ok(),
        ..Selector::default()
    };
    let patches = [
        Patch::with_target(PatchBody::Json(rename), target.clone()),
        strategic(web(), json!({"x": 1})),
        strategic(site, json!({"w": 1})),
        Patch::with_target(PatchBody::Strategic(json!({"y": 1})), target),
        Patch::with_target(PatchBody::Merge(json!({"z": 1})), by_label),
    ];
    let patched = apply_all(objects(), &patches).expect("applies");
    assert_eq!(patched[0]["metadata"]["name"], "site");
    assert_eq!(["w", "x", "y", "z"].map(|name| &patched[0][name]), [1, 1, 1, 1]);
}

#[test]
fn a_targeted_patch_keeps_the_identity() {
    let body = json!({"apiVersion": "v2", "kind": "Other", "metadata": {"name": "other", "namespace": "other", "labels": {"x": "y"}}});
    let target = Selector {
        kind: pattern("Service"),
        name: pattern("web"),
        ..Selector::default()
    };
    let patch = Patch::with_target(PatchBody::Strategic(body), target);
    let patched = apply_all(objects(), std::slice::from_ref(&patch)).expect("applies");
    assert_eq!(
        patched[0],
        json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web", "labels": {"app": "web", "x": "y"}}})
    );
    let patch = Patch {
        allow_name_change: true,
        allow_kind_change: true,
        ..patch
    };
    let patched = apply_all(objects(), &[patch]).expect("applies");
    assert_eq!(
        (&patched[0]["kind"], &patched[0]["metadata"]["name"]),
        (&json!("Other"), &json!("other"))
    );
}

#[test]
fn several_documents_with_directives_in_one_file() {
    let delete = |kind: &str, name: &str| {
        strategic(
            json!({"apiVersion": "v1", "kind": kind, "metadata": {"name": name, "namespace": "shop"}}),
            json!({"$patch": "delete"}),
        )
    };
    let patched =
        apply_all(objects(), &[delete("Service", "api"), delete("ConfigMap", "web")]).expect("applies");
    assert_eq!(patched.len(), 3);
    let error = apply_all(objects(), &[delete("Service", "api"), delete("Service", "api")]).unwrap_err();
    assert_eq!(error.patch, Some(1));
}

#[test]
fn a_refused_patch_changes_no_object() {
    let mut set = ObjectSet::new(objects()).expect("objects");
    let half =
        json!([{"op": "add", "path": "/x", "value": 1}, {"op": "test", "path": "/kind", "value": "Service"}]);
    let error = set
        .apply(&Patch::with_target(PatchBody::Json(half), Selector::default()))
        .unwrap_err();
    assert_eq!(error.object, Some(2));
    assert!(matches!(&error.reason, ApplyReason::Patch(error) if error.operation == Some(1)));
    assert_eq!(set.into_values(), objects());
}

#[test]
fn mistakes_of_sets_are_errors() {
    let twice = [objects(), objects()].concat();
    assert_eq!(
        apply_all(twice, &[]).unwrap_err().to_string(),
        "a second v1 Service web"
    );
    let nameless = vec![json!({"apiVersion": "v1", "kind": "List", "items": []})];
    assert_eq!(
        apply_all(nameless, &[]).unwrap_err().to_string(),
        "metadata.name is missing or is not a string"
    );
    let nothing = Selector {
        kind: pattern("Nothing"),
        ..Selector::default()
    };
    let patch = Patch::with_target(PatchBody::Json(json!([])), nothing);
    assert_eq!(
        apply_all(objects(), &[patch]).unwrap_err().reason,
        ApplyReason::NothingSelected
    );
    assert_eq!(
        apply_all(objects(), &[Patch::new(PatchBody::Json(json!([])))])
            .unwrap_err()
            .reason,
        ApplyReason::NoTarget
    );
}

#[test]
fn an_object_can_be_looked_at_between_patches() {
    let mut set = ObjectSet::new(objects()).expect("objects");
    let deleted =
        json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}, "$patch": "delete"});
    set.apply(&Patch::new(PatchBody::Strategic(deleted)))
        .expect("applies");
    assert_eq!(set.get(0), None);
    assert_eq!(set.get(1), Some(&objects()[1]), "its place stays");
    assert_eq!(set.get(5), None);
}

#[test]
fn an_object_that_was_moved_is_known_by_its_former_names() {
    let mut set = ObjectSet::new(objects()).expect("objects");
    set.change(0, |object| object["metadata"]["namespace"] = json!("moved"))
        .expect("an object still");
    assert!(set.change(1, |object| *object = json!([])).is_err());
    let many = Value::Array(vec![Value::Null; 1_000_001]);
    assert!(set.change(1, |object| object["spec"] = many).is_err());
    assert_eq!(set.get(1), objects().get(1), "what fails changes nothing");
    for namespace in [None, Some("moved")] {
        let mark = strategic(
            object("Service", "web", namespace),
            json!({"spec": {"seen": namespace}}),
        );
        set.apply(&mark).expect("it is found");
    }
    let moved = set.get(0).expect("it is there");
    assert_eq!(moved["metadata"]["namespace"], "moved");
    assert_eq!(moved["spec"]["seen"], "moved");
}
