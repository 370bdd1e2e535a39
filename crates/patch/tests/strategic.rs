//! Strategic merge: a small case for each thing that a patch can say, and for each that it must not.

use serde_json::{Value, json};
use tidegate_patch::{Document, PatchError, strategic};

/// Puts fields into the pod of a Deployment, patches it, and returns the pod.
fn patch_pod(target: Value, patch: Value) -> Result<Value, PatchError> {
    let deployment = |pod: Value| {
        json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"},
            "spec": {"template": {"spec": pod}},
        })
    };
    let patched = strategic::apply(deployment(target), &deployment(patch))?;
    Ok(patched.expect("not deleted")["spec"]["template"]["spec"].clone())
}

fn check_pod(target: Value, patch: Value, expected: Value) {
    let pod = patch_pod(target, patch).expect("applies");
    // As text: the order of keys counts.
    assert_eq!(pod.to_string(), expected.to_string());
}

fn check_refused(target: Value, patch: Value, document: Document, message: &str) {
    let error = patch_pod(target, patch).expect_err("refused");
    assert_eq!(error.to_string(), format!("/spec/template/spec{message}"));
    assert_eq!(error.document, document);
}

fn check_custom(target: Value, patch: Value, expected: Value) {
    let object = |spec: Value| json!({"apiVersion": "example.org/v1", "kind": "Thing", "metadata": {"name": "a"}, "spec": spec});
    let patched = strategic::apply(object(target), &object(patch))
        .expect("applies")
        .expect("not deleted");
    assert_eq!(patched["spec"].to_string(), expected.to_string());
}

#[test]
fn items_of_the_patch_come_first_in_its_order() {
    check_pod(
        json!({"containers": [{"name": "a"}, {"name": "b"}, {"name": "c"}]}),
        json!({"containers": [{"name": "c", "image": "i"}, {"name": "n"}, {"name": "b"}]}),
        json!({"containers": [{"name": "c", "image": "i"}, {"name": "n"}, {"name": "b"}, {"name": "a"}]}),
    );
}

#[test]
fn items_with_two_keys_keep_their_place() {
    let ports = |ports: Value| json!({"containers": [{"name": "a", "ports": ports}]});
    check_pod(
        ports(json!([{"containerPort": 53, "protocol": "UDP"}, {"containerPort": 53, "protocol": "TCP"}])),
        ports(json!([{"containerPort": 53, "protocol": "TCP", "name": "t"}, {"containerPort": 80}])),
        ports(json!([
            {"containerPort": 80},
            {"containerPort": 53, "protocol": "UDP"},
            {"containerPort": 53, "protocol": "TCP", "name": "t"},
        ])),
    );
}

#[test]
fn a_missing_protocol_is_tcp() {
    let ports = |ports: Value| json!({"containers": [{"name": "a", "ports": ports}]});
    check_pod(
        ports(json!([{"containerPort": 80, "protocol": "TCP"}])),
        ports(json!([{"containerPort": 80, "name": "http"}])),
        ports(json!([{"containerPort": 80, "protocol": "TCP", "name": "http"}])),
    );
    check_refused(
        ports(json!([{"containerPort": 80}])),
        ports(json!([{"containerPort": 80, "protocol": "UDP"}])),
        Document::Patch,
        "/containers/0/ports/0: containerPort=80, protocol=UDP: name it in the patch and in the target to tell which item is meant",
    );
}

#[test]
fn the_declared_merge_key_of_two_must_be_there() {
    let constraints = |items: Value| json!({"topologySpreadConstraints": items});
    let half = || constraints(json!([{"whenUnsatisfiable": "DoNotSchedule", "maxSkew": 1}]));
    let host = || constraints(json!([{"topologyKey": "host", "whenUnsatisfiable": "DoNotSchedule"}]));
    let without_key = "/topologySpreadConstraints/0: item without its merge key \"topologyKey\"";
    check_refused(host(), half(), Document::Patch, without_key);
    check_refused(json!({}), half(), Document::Patch, without_key);
    check_refused(half(), host(), Document::Target, without_key);
    check_pod(half(), json!({}), half());
    // The other one need not be there.
    check_pod(
        constraints(json!([{"topologyKey": "zone", "maxSkew": 1}])),
        constraints(json!([{"topologyKey": "zone", "maxSkew": 2}])),
        constraints(json!([{"topologyKey": "zone", "maxSkew": 2}])),
    );
}

#[test]
fn an_item_without_protocol_is_deleted_from_a_list_that_names_protocols() {
    let ports = |ports: Value| json!({"containers": [{"name": "a", "ports": ports}]});
    check_pod(
        ports(json!([{"containerPort": 53, "protocol": "UDP"}, {"containerPort": 80}])),
        ports(json!([{"containerPort": 80, "$patch": "delete"}])),
        ports(json!([{"containerPort": 53, "protocol": "UDP"}])),
    );
}

#[test]
fn of_items_with_one_key_the_last_stays_in_a_list_left_alone() {
    check_pod(
        json!({"volumes": [{"name": "a", "x": 1}, {"name": "b"}, {"name": "a", "x": 2}, {"name": "a", "x": 3}]}),
        json!({}),
        json!({"volumes": [{"name": "a", "x": 3}, {"name": "b"}]}),
    );
    let ports = |ports: Value| json!({"containers": [{"name": "a", "ports": ports}]});
    check_pod(
        ports(
            json!([{"containerPort": 80, "protocol": "TCP"}, {"containerPort": 81}, {"containerPort": 80, "protocol": "TCP", "x": 1}]),
        ),
        json!({}),
        ports(json!([{"containerPort": 81}, {"containerPort": 80, "protocol": "TCP", "x": 1}])),
    );
    check_pod(
        json!({"volumes": [{"name": "a"}, {}]}),
        json!({"x": 1}),
        json!({"volumes": [{"name": "a"}, {}], "x": 1}),
    );
}

#[test]
fn annotations_are_text_and_not_empty() {
    let object = |annotations: Value| json!({"apiVersion": "v1", "kind": "Thing", "metadata": {"annotations": annotations, "labels": {"a": 1}}});
    let patched = |target: Value, patch: Value| {
        strategic::apply(object(target), &object(patch))
            .expect("applies")
            .expect("kept")["metadata"]
            .clone()
    };
    assert_eq!(
        patched(json!({"a": 1}), json!({"b": true})),
        json!({"annotations": {"a": "1", "b": "true"}, "labels": {"a": 1}})
    );
    assert_eq!(
        patched(json!({"a": "b"}), json!({"a": null})),
        json!({"labels": {"a": 1}})
    );
}

#[test]
fn null_removes_and_leaves_the_map() {
    check_pod(
        json!({"nodeSelector": {"a": "1"}, "x": null, "hostNetwork": true}),
        json!({"nodeSelector": {"a": null}, "hostNetwork": null, "absent": null, "affinity": {"new": null}}),
        json!({"nodeSelector": {}, "x": null, "affinity": {}}),
    );
}

#[test]
fn lists_without_rule_are_replaced_with_their_nulls() {
    check_pod(
        json!({"tolerations": [{"key": "a"}], "containers": [{"name": "a", "args": ["1", "2"]}]}),
        json!({"tolerations": [{"key": "b", "value": null}], "containers": [{"name": "a", "args": []}]}),
        json!({"tolerations": [{"key": "b", "value": null}], "containers": [{"name": "a", "args": []}]}),
    );
    check_custom(
        json!({"http": [{"name": "a"}]}),
        json!({"http": [{"name": "b"}]}),
        json!({"http": [{"name": "b"}]}),
    );
}

#[test]
fn an_empty_list_changes_nothing_where_lists_merge() {
    check_pod(
        json!({"containers": [{"name": "a"}]}),
        json!({"containers": []}),
        json!({"containers": [{"name": "a"}]}),
    );
}

#[test]
fn directives_of_maps() {
    check_custom(
        json!({"a": {"x": 1}, "b": {"x": 1}, "c": {"x": 1}}),
        json!({"a": {"$patch": "delete"}, "b": {"$patch": "replace", "y": {"z": null}}, "c": {"$patch": "merge", "y": 2}}),
        json!({"b": {"y": {}}, "c": {"x": 1, "y": 2}}),
    );
    check_custom(
        json!({}),
        json!({"a": {"$patch": "delete", "x": 1}, "b": {"$patch": "replace", "y": 2}}),
        json!({"b": {"y": 2}}),
    );
}

#[test]
fn directives_of_lists() {
    let target = json!({"volumes": [{"name": "a"}, {"name": "b"}]});
    let volumes = |volumes: Value| json!({"volumes": volumes});
    check_pod(
        target.clone(),
        volumes(json!([{"name": "a", "$patch": "delete"}])),
        volumes(json!([{"name": "b"}])),
    );
    check_pod(
        target.clone(),
        volumes(json!([{"name": "z", "$patch": "delete"}])),
        target.clone(),
    );
    check_pod(
        target.clone(),
        volumes(json!([{"$patch": "replace"}, {"name": "c"}])),
        volumes(json!([{"name": "c"}])),
    );
    check_pod(target.clone(), volumes(json!([{"$patch": "delete"}])), json!({}));
    check_refused(
        target.clone(),
        volumes(json!([{"$patch": "delete"}, {"name": "c"}])),
        Document::Patch,
        "/volumes/1: `- $patch: delete` cannot stand beside other items",
    );
    check_refused(
        target.clone(),
        volumes(json!([{"name": "b", "$patch": "replace"}])),
        Document::Patch,
        "/volumes/0: `$patch: replace` in one item of a list",
    );
    check_refused(
        target,
        volumes(json!([{"$patch": "replace"}, {"name": "b", "$patch": "replace"}])),
        Document::Patch,
        "/volumes/1: `$patch: replace` in one item of a list",
    );
}

#[test]
fn lists_of_scalars_merge_by_value() {
    let object = |finalizers: Value| json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a", "finalizers": finalizers}});
    let patched = |patch: Value| {
        let result = strategic::apply(object(json!(["x", "y"])), &object(patch));
        result.map(|patched| patched.expect("kept")["metadata"].get("finalizers").cloned())
    };
    assert_eq!(patched(json!(["y", "z", "z"])), Ok(Some(json!(["y", "z", "x"]))));
    assert_eq!(patched(json!([])), Ok(Some(json!(["x", "y"]))));
    assert_eq!(
        patched(json!([{"$patch": "replace"}, "z"])),
        Ok(Some(json!(["z"])))
    );
    assert_eq!(patched(json!([{"$patch": "delete"}])), Ok(None));
    assert!(patched(json!([{"$patch": "delete"}, "z"])).is_err());
    assert!(patched(json!([["z"]])).is_err());
}

#[test]
fn the_root_can_be_deleted_or_replaced() {
    let object = || json!({"kind": "A", "spec": {"x": 1}});
    assert_eq!(strategic::apply(object(), &json!({"$patch": "delete"})), Ok(None));
    let replaced = strategic::apply(object(), &json!({"kind": "A", "$patch": "replace"}));
    assert_eq!(replaced, Ok(Some(json!({"kind": "A"}))));
}

#[test]
fn directives_of_the_api_server() {
    check_pod(
        json!({"volumes": [{"name": "a", "emptyDir": {}}, {"name": "b"}], "x": 1}),
        json!({
            "$setElementOrder/volumes": [{"name": "b"}, {"name": "a"}],
            "volumes": [{"name": "a", "$retainKeys": ["name", "secret"], "secret": {}}],
        }),
        json!({"volumes": [{"name": "b"}, {"name": "a", "secret": {}}], "x": 1}),
    );
    check_custom(
        json!({"hosts": ["a", "b"]}),
        json!({"$deleteFromPrimitiveList/hosts": ["a"]}),
        json!({"hosts": ["b"]}),
    );
    check_refused(
        json!({}),
        json!({"$retainKeys": ["a"], "b": 1}),
        Document::Patch,
        "/b: `$retainKeys` does not name \"b\", which the patch sets",
    );
    check_refused(
        json!({"volumes": [{"name": "a"}]}),
        json!({"$setElementOrder/volumes": [{"name": "b"}, {"name": "a"}], "volumes": [{"name": "a"}, {"name": "b"}]}),
        Document::Patch,
        "/volumes/1: the list is not in the order of its `$setElementOrder`",
    );
}

#[test]
fn what_would_be_lost_is_refused() {
    let containers = |containers: Value| json!({"containers": containers});
    let one = || containers(json!([{"name": "a"}]));
    check_refused(
        one(),
        containers(json!([{"image": "i"}])),
        Document::Patch,
        "/containers/0: item without its merge key \"name\"",
    );
    check_refused(
        one(),
        containers(json!([{"name": ""}])),
        Document::Patch,
        "/containers/0: item without its merge key \"name\"",
    );
    check_refused(
        one(),
        containers(json!([null])),
        Document::Patch,
        "/containers/0: null where a map is needed",
    );
    check_refused(
        one(),
        containers(json!([{"name": "b"}, {"name": "b"}])),
        Document::Patch,
        "/containers/1: second item with name=b",
    );
    check_refused(
        containers(json!([{"name": "b"}, {"name": "a"}, {"name": "b"}])),
        one(),
        Document::Target,
        "/containers/2: second item with name=b",
    );
    check_refused(
        containers(json!([{"image": "i"}])),
        one(),
        Document::Target,
        "/containers/0: item without its merge key \"name\"",
    );
    check_refused(
        one(),
        json!({"$Patch": "delete"}),
        Document::Patch,
        "/$Patch: \"$Patch\" is not a directive",
    );
    check_refused(
        one(),
        json!({"a": {"$patch": "remove"}}),
        Document::Patch,
        "/a/$patch: `$patch` is \"remove\", not merge, replace or delete",
    );
    check_refused(
        one(),
        json!({"tolerations": [{"a": [{"$patch": "delete"}]}]}),
        Document::Patch,
        "/tolerations/0/a/0/$patch: \"$patch\" inside a list that is replaced as a whole",
    );
    check_refused(
        one(),
        json!({"$setElementOrder/tolerations": []}),
        Document::Patch,
        "/$setElementOrder~1tolerations: \"$setElementOrder/tolerations\" of a list that is replaced as a whole",
    );
}

#[test]
fn other_shapes_are_refused_as_in_kustomize() {
    for (target, patch) in [
        (json!(1), json!({})),
        (json!({}), json!(1)),
        (json!([]), json!({})),
        (json!({}), json!([])),
        (json!([]), json!(1)),
    ] {
        assert!(
            patch_pod(json!({"x": target}), json!({"x": patch})).is_err(),
            "{patch} on {target}"
        );
    }
    check_refused(
        json!({"containers": [{"name": "a", "env": "x"}]}),
        json!({"containers": [{"name": "a", "env": []}]}),
        Document::Patch,
        "/containers/0/env: the patch has a list where the target has a scalar",
    );
}

#[test]
fn fields_that_the_api_names_like_directives_are_fields() {
    let object = |schema: Value| {
        json!({
            "apiVersion": "apiextensions.k8s.io/v1beta1", "kind": "CustomResourceDefinition",
            "spec": {"validation": {"openAPIV3Schema": schema}},
        })
    };
    let patched = strategic::apply(
        object(json!({"$ref": "a"})),
        &object(json!({"$ref": "b", "properties": {"x": {"$schema": "c"}}})),
    );
    let schema = &patched.expect("applies").expect("not deleted")["spec"]["validation"]["openAPIV3Schema"];
    assert_eq!(
        *schema,
        json!({"$ref": "b", "properties": {"x": {"$schema": "c"}}})
    );
}

#[test]
fn pointers_in_lists_tell_the_documents_apart() {
    let error = patch_pod(
        json!({"containers": [{"name": "z"}, {"name": "a", "env": [{"value": "1"}]}]}),
        json!({"containers": [{"name": "a", "env": [{"name": "X"}]}]}),
    );
    assert_eq!(
        error.unwrap_err().pointer.as_str(),
        "/spec/template/spec/containers/1/env/0"
    );
}
