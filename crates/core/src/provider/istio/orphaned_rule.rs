//! A DestinationRule whose subsets no route names and no release needs: what a canary leaves behind.
//!
//! Source: Istio, "Destination Rule", `subsets`: they take effect where a route sends requests to them.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Mesh, NETWORKING, written_at};
use crate::diagnostic::{Code, Diagnostic};
use crate::manifest::Manifest;
use crate::model::{Application, Environment};
use crate::provider::cluster::{full_name, items, text};

/// A note for each of them. Of a host that a release splits, the phase says which rules have to be there.
pub(super) fn find(application: &Application, environment: &Environment) -> Vec<Diagnostic> {
    let releases = application.releases.iter();
    let meshes: Vec<Mesh<'_>> = releases
        .filter_map(|release| Mesh::of(application, release, &environment.name))
        .collect();
    let is_needed = |rule: &Manifest| meshes.iter().any(|mesh| mesh.is_for_host(rule));
    find_beside(environment, &is_needed)
}

fn find_beside(environment: &Environment, is_needed: &dyn Fn(&Manifest) -> bool) -> Vec<Diagnostic> {
    let rules: Vec<&Manifest> = environment
        .rendered
        .of_kind(NETWORKING, "DestinationRule")
        .filter(|rule| !is_needed(rule))
        .collect();
    if rules.is_empty() {
        return Vec::new();
    }
    let mut named = BTreeSet::new();
    for service in environment.rendered.of_kind(NETWORKING, "VirtualService") {
        destinations(&service.value["spec"], namespace(service), &mut named);
    }
    let orphaned = rules.into_iter().filter_map(|rule| {
        let host = full_name(rule.text("/spec/host")?, namespace(rule));
        let subsets: Vec<String> = items(&rule.value, "/spec/subsets")
            .filter_map(|subset| text(subset, "name"))
            .map(str::to_owned)
            .collect();
        let is_named = |subset: &String| named.contains(&(host.clone(), subset.clone()));
        if subsets.is_empty() || subsets.iter().any(is_named) {
            return None;
        }
        let subsets: Vec<String> = subsets.iter().map(|subset| format!("`{subset}`")).collect();
        let message = format!(
            "no route names {} of {}, and no release needs the rule",
            subsets.join(", "),
            rule.object
        );
        let at = written_at(environment, rule, &["spec", "subsets"]).as_key();
        let orphaned = Diagnostic::note(Code::OrphanedRule, message).at(at);
        Some(
            orphaned.hint("take the subsets out, in a commit after the one that took them out of the routes"),
        )
    });
    orphaned.collect()
}

fn namespace(manifest: &Manifest) -> &str {
    manifest.object.namespace.as_deref().unwrap_or_default()
}

/// Every subset that a VirtualService names, with its host: in routes of any protocol, and in mirrors.
fn destinations(value: &Value, namespace: &str, found: &mut BTreeSet<(String, String)>) {
    match value {
        Value::Object(fields) => {
            if let (Some(host), Some(subset)) = (text(value, "host"), text(value, "subset")) {
                found.insert((full_name(host, namespace), subset.to_owned()));
            }
            fields
                .values()
                .for_each(|field| destinations(field, namespace, found));
        }
        Value::Array(items) => items.iter().for_each(|item| destinations(item, namespace, found)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::diagnostic::{Location, Severity};
    use crate::manifest::{ManifestSet, ObjectRef};
    use crate::repo::RepoPath;

    /// Names of the rules that are found beside some routes.
    fn found(rules: &[(&str, Value)], routes: Value, is_needed: bool) -> String {
        let manifest = |kind: &str, name: &str, spec: &Value| {
            let mut object = ObjectRef::new("networking.istio.io/v1", kind, name);
            object.namespace = Some("shop".to_owned());
            Manifest {
                object,
                value: json!({"spec": spec}),
                origin: Location::value(&RepoPath::root().join("rules.yaml"), 0, &[]),
            }
        };
        let rules = rules
            .iter()
            .map(|(name, spec)| manifest("DestinationRule", name, spec));
        let manifests = rules.chain([manifest("VirtualService", "web", &routes)]);
        let environment = Environment {
            name: "staging".to_owned(),
            base: Vec::new(),
            parts: indexmap::IndexMap::new(),
            patches: Vec::new(),
            rendered: ManifestSet::new(manifests.collect()),
        };
        let found = find_beside(&environment, &|_| is_needed);
        assert!(found.iter().all(|note| note.severity == Severity::Note));
        let messages = found.into_iter().map(|note| note.message);
        messages.collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn a_rule_is_orphaned_where_nothing_names_its_subsets() {
        let rule = |name: &str| json!({"host": "web", "subsets": [{"name": "v1"}, {"name": name}]});
        let to = |host: &str, subset: &str| json!([{"destination": {"host": host, "subset": subset}}]);
        let http = |host: &str, subset: &str| json!({"http": [{"route": to(host, subset)}]});
        let told = "no route names `v1`, `v2` of DestinationRule/web, and no release needs the rule";
        let check = |routes: Value, expected: &str| {
            assert_eq!(
                found(&[("web", rule("v2"))], routes.clone(), false),
                expected,
                "{routes}"
            );
        };
        check(
            json!({"http": [{"route": [{"destination": {"host": "web"}}]}]}),
            told,
        );
        check(http("web", "v3"), told);
        check(http("other", "v1"), told);
        check(http("web.other.svc.cluster.local", "v1"), told);
        check(http("web", "v2"), "");
        check(http("web.shop.svc.cluster.local", "v1"), "");
        check(json!({"tcp": [{"route": to("web", "v1")}]}), "");
        check(json!({"http": [{"mirror": {"host": "web", "subset": "v1"}}]}), "");
        let plain = [("web", json!({"host": "web", "trafficPolicy": {}}))];
        assert_eq!(found(&plain, json!({}), false), "", "no subsets");
        assert_eq!(
            found(&[("web", rule("v2"))], json!({}), true),
            "",
            "a release needs it"
        );
    }
}
