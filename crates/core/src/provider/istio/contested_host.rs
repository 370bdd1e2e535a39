//! Two VirtualServices that route the same host in the mesh: one of them counts, and nothing promises which.
//!
//! Source: Istio, analysis message IST0109. At a gateway they are merged instead, so this is about sidecars alone; a
//! wildcard and a name below it do not compete, since the name is more exact.

use std::collections::{BTreeMap, BTreeSet};

use super::traffic::VirtualService;
use super::{NETWORKING, written_at};
use crate::diagnostic::{Code, Diagnostic};
use crate::manifest::Manifest;
use crate::model::Environment;

/// One finding for each two that compete, however many hosts they share.
pub(super) fn find(environment: &Environment) -> Vec<Diagnostic> {
    let manifests = environment.rendered.of_kind(NETWORKING, "VirtualService");
    let services: Vec<_> = manifests
        .map(|manifest| (manifest, VirtualService::read(manifest)))
        .filter(|(_, service)| service.is_in_mesh())
        .collect();
    let mut by_host: BTreeMap<&str, Vec<&(&Manifest, VirtualService)>> = BTreeMap::new();
    let mut found = Vec::new();
    for one in &services {
        let (manifest, service) = one;
        let mut told = BTreeSet::new();
        for host in &service.hosts {
            let others = by_host.entry(host).or_default();
            let competes = |other: &VirtualService| {
                other.object != service.object && other.export.overlaps(&service.export)
            };
            if let Some((other, _)) = others.iter().find(|(_, other)| competes(other))
                && told.insert(&other.object)
            {
                let message = format!(
                    "{} and {} both route {host} in the mesh",
                    other.object, manifest.object
                );
                let hosts = ["spec", "hosts"];
                let contested = Diagnostic::error(Code::ContestedHost, message)
                    .at(written_at(environment, manifest, &hosts))
                    .related(written_at(environment, other, &hosts), "routed here too");
                found.push(contested.hint("make one of the two, or take the host out of one of them"));
            }
            others.push(one);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::diagnostic::Location;
    use crate::manifest::{ManifestSet, ObjectRef};
    use crate::repo::RepoPath;

    fn found(specs: &[Value]) -> Vec<String> {
        let manifest = |(index, spec): (usize, &Value)| {
            let mut object = ObjectRef::new(
                "networking.istio.io/v1",
                "VirtualService",
                &format!("routes-{index}"),
            );
            object.namespace = Some("shop".to_owned());
            Manifest {
                object,
                value: json!({"spec": spec}),
                origin: Location::value(&RepoPath::root().join("routes.yaml"), index, &[]),
            }
        };
        let found = find(&Environment {
            name: "staging".to_owned(),
            base: Vec::new(),
            parts: indexmap::IndexMap::new(),
            patches: Vec::new(),
            rendered: ManifestSet::new(specs.iter().enumerate().map(manifest).collect()),
        });
        found.into_iter().map(|diagnostic| diagnostic.message).collect()
    }

    #[test]
    fn two_compete_for_a_host_where_a_proxy_sees_both() {
        let full = "web.shop.svc.cluster.local";
        let rows: &[(&str, Value, Value, bool)] = &[
            (
                "a short name and the full one",
                json!({"hosts": ["web"]}),
                json!({"hosts": [full]}),
                true,
            ),
            (
                "two hosts",
                json!({"hosts": ["web"]}),
                json!({"hosts": ["api"]}),
                false,
            ),
            (
                "a name below a wildcard",
                json!({"hosts": ["*.example.com"]}),
                json!({"hosts": ["a.example.com"]}),
                false,
            ),
            (
                "one at a gateway",
                json!({"hosts": ["web"]}),
                json!({"hosts": ["web"], "gateways": ["outside"]}),
                false,
            ),
            (
                "one at a gateway and in the mesh",
                json!({"hosts": ["web"]}),
                json!({"hosts": ["web"], "gateways": ["outside", "mesh"]}),
                true,
            ),
            (
                "for callers of different namespaces",
                json!({"hosts": ["web"], "exportTo": ["."]}),
                json!({"hosts": ["web"], "exportTo": ["cellar"]}),
                false,
            ),
            (
                "for callers of one namespace",
                json!({"hosts": ["web"], "exportTo": ["."]}),
                json!({"hosts": ["web"], "exportTo": ["shop", "cellar"]}),
                true,
            ),
            (
                "for callers of one namespace and for everybody",
                json!({"hosts": ["web"], "exportTo": ["."]}),
                json!({"hosts": ["web"], "exportTo": ["*"]}),
                true,
            ),
        ];
        for (name, one, other, is_contested) in rows {
            let found = found(&[one.clone(), other.clone()]);
            assert_eq!(!found.is_empty(), *is_contested, "{name}: {found:?}");
        }
    }

    #[test]
    fn two_that_share_several_hosts_are_told_once() {
        let hosts = json!({"hosts": ["web", "web.shop.svc.cluster.local", "shop.example.com"]});
        let expected = "VirtualService/routes-0 and VirtualService/routes-1 both route web.shop.svc.cluster.local in the mesh";
        assert_eq!(found(&[hosts.clone(), hosts.clone()]), [expected]);
        assert!(found(&[hosts]).is_empty());
    }
}
