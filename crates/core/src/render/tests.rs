use serde_json::json;

use super::*;
use crate::diagnostic::Location;
use crate::repo::RepoPath;

fn place(file: &str) -> Location {
    Location::value(&RepoPath::new(file).unwrap(), 0, &[])
}

fn object(api_version: &str, kind: &str, name: &str, more: Value) -> Manifest {
    let mut value = json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": name}});
    merge(&mut value, more);
    Manifest {
        object: ObjectRef::of(&value).unwrap(),
        value,
        origin: place(&format!("{kind}-{name}.yaml")),
    }
}

fn patch(api_version: &str, kind: &str, name: &str, more: Value) -> TargetedPatch {
    let Manifest { object, value, .. } = self::object(api_version, kind, name, more);
    TargetedPatch {
        target: object,
        value,
        origin: place("patch.yaml"),
    }
}

fn merge(value: &mut Value, more: Value) {
    let Value::Object(more) = more else { return };
    for (key, more) in more {
        match &mut value[&key] {
            slot @ Value::Null => *slot = more,
            slot => merge(slot, more),
        }
    }
}

fn service(more: Value) -> Manifest {
    object("v1", "Service", "web", more)
}

/// The Service after patches of its own.
#[track_caller]
fn check(before: Value, patches: &[Value], after: Value) {
    let patches: Vec<_> = patches
        .iter()
        .map(|more| patch("v1", "Service", "web", more.clone()))
        .collect();
    let rendered = render(&[service(before)], &patches, "shop").unwrap();
    assert_eq!(
        rendered.find("", "Service", "web").unwrap().value,
        service(after).value
    );
}

#[track_caller]
fn messages(result: Result<ManifestSet, Vec<Diagnostic>>) -> Vec<String> {
    result
        .unwrap_err()
        .into_iter()
        .map(|problem| format!("{}: {}", problem.code.as_str(), problem.message))
        .collect()
}

#[test]
fn patches_are_merged_in_their_order() {
    check(
        json!({"spec": {"selector": {"app": "web"}, "ports": [{"port": 80}]}}),
        &[
            json!({"spec": {"selector": {"app": null, "canary": "enabled"}}}),
            json!({"spec": {"selector": {"canary": "off"}, "ports": [{"port": 81}]}}),
        ],
        json!({
            "metadata": {"namespace": "shop"},
            "spec": {"selector": {"canary": "off"}, "ports": [{"port": 81}, {"port": 80}]},
        }),
    );
}

#[test]
fn lists_of_kinds_without_a_schema_are_replaced() {
    let kind = ("networking.istio.io/v1beta1", "VirtualService");
    let base = object(
        kind.0,
        kind.1,
        "web",
        json!({"spec": {"hosts": ["a"], "http": [{"timeout": "1s"}], "gateways": ["g"]}}),
    );
    let patch = patch(
        kind.0,
        kind.1,
        "web",
        json!({"spec": {"http": [{"route": []}], "hosts": null}}),
    );
    let rendered = render(&[base], &[patch], "shop").unwrap();
    let found = rendered.find("networking.istio.io", kind.1, "web").unwrap();
    assert_eq!(
        found.value["spec"],
        json!({"http": [{"route": []}], "gateways": ["g"]})
    );
}

#[test]
fn a_namespace_is_set_where_there_is_none_and_can_be() {
    let base = [
        object(
            "v1",
            "ConfigMap",
            "own",
            json!({"metadata": {"namespace": "other"}}),
        ),
        object("v1", "ConfigMap", "a", json!({"metadata": {"labels": {}}})),
        object("rbac.authorization.k8s.io/v1", "ClusterRole", "b", json!({})),
        object("example.com/v1", "ClusterRole", "b", json!({})),
    ];
    let rendered = render(&base, &[], "shop").unwrap();
    let namespaces: Vec<_> = rendered
        .iter()
        .map(|manifest| manifest.object.namespace.as_deref())
        .collect();
    assert_eq!(namespaces, [Some("shop"), None, Some("other"), Some("shop")]);
    let own = rendered.find("", "ConfigMap", "a").unwrap();
    assert_eq!(
        own.value["metadata"].to_string(),
        r#"{"name":"a","namespace":"shop","labels":{}}"#
    );
}

#[test]
fn objects_come_in_the_order_of_kustomize() {
    let base = [
        object(
            "admissionregistration.k8s.io/v1",
            "ValidatingWebhookConfiguration",
            "a",
            json!({}),
        ),
        object("networking.k8s.io/v1", "Ingress", "a", json!({})),
        object("networking.istio.io/v1beta1", "VirtualService", "a", json!({})),
        object("v1", "Pod", "a", json!({})),
        object("apps/v1", "Deployment", "b", json!({})),
        object("apps/v1", "Deployment", "a", json!({})),
        object("v1", "Service", "a", json!({})),
        object("v1", "Namespace", "a", json!({})),
    ];
    let rendered = render(&base, &[], "shop").unwrap();
    let order: Vec<String> = rendered
        .iter()
        .map(|manifest| manifest.object.to_string())
        .collect();
    let expected = "Namespace/a Service/a Deployment/a Deployment/b VirtualService/a Ingress/a Pod/a ValidatingWebhookConfiguration/a";
    assert_eq!(order.join(" "), expected);
}

#[test]
fn an_object_may_be_deleted_once() {
    let delete = patch("v1", "Service", "web", json!({"$patch": "delete"}));
    let later = patch("v1", "Service", "web", json!({"spec": {}}));
    assert_eq!(
        render(&[service(json!({}))], std::slice::from_ref(&delete), "shop")
            .unwrap()
            .iter()
            .count(),
        0
    );
    let told = messages(render(
        &[service(json!({}))],
        &[delete.clone(), later, delete],
        "shop",
    ));
    assert_eq!(
        told,
        ["patch-without-target: Service/web was deleted by a patch before this one"; 2]
    );
}

#[test]
fn a_patch_that_cannot_be_applied_is_placed_in_the_patch() {
    let base = [
        service(json!({"spec": {"ports": [{"port": 80}]}})),
        object("v1", "ConfigMap", "a", json!({})),
    ];
    let broken = patch(
        "v1",
        "Service",
        "web",
        json!({"spec": {"ports": [{"name": "x"}]}}),
    );
    let fine = patch("v1", "Service", "web", json!({}));
    let missing = patch("v1", "ConfigMap", "b", json!({}));
    let problems = render(&base, &[broken, fine, missing], "shop").unwrap_err();
    let codes: Vec<&str> = problems.iter().map(|problem| problem.code.as_str()).collect();
    assert_eq!(codes, ["patch-failed", "patch-without-target"]);
    let pointer = problems[0].location.as_ref().and_then(Location::pointer).unwrap();
    assert!(pointer.as_str().starts_with("/spec/ports"), "{pointer}");
}

#[test]
fn an_object_that_is_there_twice_is_an_error() {
    let ingress = |api_version: &str| object(api_version, "Ingress", "a", json!({}));
    let other = object(
        "v1",
        "Service",
        "web",
        json!({"metadata": {"namespace": "other"}}),
    );
    let own = object("v1", "Service", "web", json!({"metadata": {"namespace": "shop"}}));
    assert!(
        render(
            &[ingress("extensions/v1beta1"), ingress("networking.k8s.io/v1")],
            &[],
            "shop"
        )
        .is_ok()
    );
    assert!(render(&[service(json!({})), other], &[], "shop").is_ok());
    let told = messages(render(
        &[service(json!({})), own, ingress("a/v1"), ingress("a/v2")],
        &[],
        "shop",
    ));
    assert_eq!(
        told,
        [
            "duplicate-object: there is another Service/web",
            "duplicate-object: there is another Ingress/a"
        ]
    );
}

#[test]
fn a_patch_finds_its_target_by_namespace_too() {
    let other = object(
        "v1",
        "Service",
        "web",
        json!({"metadata": {"namespace": "other"}, "spec": {}}),
    );
    let base = [service(json!({"spec": {}})), other];
    let own = patch("v1", "Service", "web", json!({"spec": {"a": 1}}));
    let others = patch(
        "v1",
        "Service",
        "web",
        json!({"metadata": {"namespace": "other"}, "spec": {"a": 2}}),
    );
    let rendered = render(&base, &[own, others], "shop").unwrap();
    let found: Vec<_> = rendered
        .iter()
        .map(|manifest| {
            (
                manifest.object.namespace.clone(),
                manifest.value["spec"]["a"].clone(),
            )
        })
        .collect();
    assert_eq!(
        found,
        [(Some("other".into()), json!(2)), (Some("shop".into()), json!(1))]
    );
}

#[test]
fn one_object_is_rendered_with_some_patches_only() {
    let base = vec![
        object("v1", "ServiceAccount", "a", json!({})),
        service(json!({"spec": {"selector": {"app": "web"}}})),
    ];
    let first = patch(
        "v1",
        "Service",
        "web",
        json!({"spec": {"selector": {"first": "1"}}}),
    );
    let mut second = patch(
        "v1",
        "Service",
        "web",
        json!({"spec": {"selector": {"second": "2"}}}),
    );
    second.origin = place("second.yaml");
    let patches = vec![first, second];
    let rendered = render(&base, &patches, "shop").unwrap();
    let environment = Environment {
        name: "staging".into(),
        base,
        parts: indexmap::IndexMap::new(),
        patches,
        rendered,
    };
    let target = ObjectRef::new("v1", "Service", "web");
    let all = render_object(&environment, &target, &|_| true).unwrap().unwrap();
    assert_eq!(Some(&all), environment.rendered.find("", "Service", "web"));
    let is_second = |patch: &TargetedPatch| patch.origin == place("second.yaml");
    let some = render_object(&environment, &all.object, &is_second)
        .unwrap()
        .unwrap();
    assert_eq!(
        some.value["spec"]["selector"],
        json!({"app": "web", "second": "2"})
    );
    assert_eq!(some.object.namespace.as_deref(), Some("shop"));
    let missing = ObjectRef::new("v1", "Service", "api");
    assert_eq!(render_object(&environment, &missing, &|_| true).unwrap(), None);
}
