//! Traffic systems in which the copy runs the new version: whole lives of the fixtures, and the orders that each forbids.
//!
//! The lives are those of `fixtures/<provider>/`: every transition and its inverse is safe in every half-applied state,
//! and what a release leaves is what it found, with the new image.
use std::path::Path;

use tidegate_core::checkout::Checkout;
use tidegate_core::manifest::ManifestSet;
use tidegate_core::model::Routes;
use tidegate_core::phase::Phase;
use tidegate_core::prover::{Caller, Question, Unjudged, prove};
use tidegate_core::provider::ProviderId;
use tidegate_core::repo::{MemoryRepo, RepoPath};
use tidegate_core::schema::config::Config;
use tidegate_core::standing::Standing;
use tidegate_core::start::{StartRequest, start};
use tidegate_core::transition::{NextRequest, Purpose, Transition, next};

use crate::fixtures::directory;
use crate::world::{self, deployment, set, told};

/// Fixture, folder of the application, workload, provider.
const LIVES: &[(&str, &str, &str, ProviderId)] = &[
    (
        "gateway-api/reviews",
        "deploy/reviews",
        "reviews",
        ProviderId::GatewayApi,
    ),
    ("istio-hosts/bookinfo", "", "reviews", ProviderId::IstioHosts),
    ("app-mesh/dj-app", "", "jazz-v1", ProviderId::AppMesh),
    ("app-mesh/dj-app-v1beta2", "", "metal-v1", ProviderId::AppMesh),
    ("smi/books", "", "books", ProviderId::Smi),
    ("kubesphere/bookinfo", "", "reviews-v1", ProviderId::Kubesphere),
];

fn write(repo: &mut MemoryRepo, transition: &Transition) {
    for change in transition.change.iter() {
        repo.set(change.path.clone(), change.after.clone());
    }
}

/// Each environment of an application as it is deployed.
fn rendered(repo: &MemoryRepo, at: &RepoPath) -> Vec<ManifestSet> {
    let config = Config::load(repo, &RepoPath::root()).expect("a configuration");
    let checkout = Checkout::load(repo, at, &config).unwrap_or_else(|failure| panic!("{failure:?}"));
    let environments = checkout.application.environments.into_values();
    environments.map(|environment| environment.rendered).collect()
}

#[test]
fn every_transition_of_every_life_and_its_inverse_is_safe() {
    for (fixture, at, workload, provider) in LIVES {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures");
        let mut repo = directory(&folder.join(fixture).join("repo"));
        let at = RepoPath::new(at).expect("a path");
        let config = Config::load(&repo, &RepoPath::root()).expect("a configuration");
        let request = StartRequest {
            workload: Some((*workload).to_owned()),
            provider: Some(provider.as_str().to_owned()),
            canary_tag: Some("next".to_owned()),
            steps: Some(vec![25, 100]),
            ..StartRequest::default()
        };
        let started = {
            let checkout = Checkout::load(&repo, &at, &config).expect("the application");
            start(&checkout, &request).unwrap_or_else(|failure| panic!("{fixture}: {failure:?}"))
        };
        write(&mut repo, &started.transition.expect("a release file"));
        let mut phases = Vec::new();
        loop {
            let before = rendered(&repo, &at);
            let transition = {
                let checkout = Checkout::load(&repo, &at, &config).expect("the application");
                let mut releases = checkout.application.releases.iter();
                let Some(release) = releases.find(|release| release.workload == *workload) else {
                    break;
                };
                let next = next(&checkout, release, &NextRequest::default());
                next.unwrap_or_else(|failure| panic!("{fixture}: {failure:?}"))
                    .expect("a transition")
            };
            write(&mut repo, &transition);
            let after = rendered(&repo, &at);
            let Purpose::Enter(phase) = transition.purpose else {
                panic!("{:?}", transition.purpose)
            };
            phases.push(phase.as_str());
            for (before, after) in before.iter().zip(&after) {
                for (way, before, after) in [("", before, after), (" taken back", after, before)] {
                    let proof = prove(*provider, before, after, Question::default());
                    assert!(proof.is_safe(), "{fixture}: {phase}{way}: {}", told(&proof));
                    // How the copy's host is called is as unknown as how the workload's is.
                    let is_known = |unjudged: &Unjudged| unjudged.reason == "changes its `trafficPolicy`";
                    assert!(
                        proof.unjudged.iter().all(is_known),
                        "{fixture}: {phase}: {:?}",
                        proof.unjudged
                    );
                    assert!(
                        proof.withdrawn.is_empty(),
                        "{fixture}: {phase}: {:?}",
                        proof.withdrawn
                    );
                    assert!(proof.requests > 1, "{fixture}: {phase}");
                }
            }
        }
        let expected = Phase::all(provider.form())
            .skip(1)
            .filter(|phase| *phase != Phase::Preview);
        let expected = expected.map(Phase::as_str);
        assert_eq!(phases, expected.collect::<Vec<_>>(), "{fixture}");
    }
}

/// What the routes say is read back, whatever the weights.
#[test]
fn weights_are_read_as_they_were_written() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/gateway-api/reviews/repo");
    let mut repo = directory(&folder);
    let at = RepoPath::new("deploy/reviews").expect("a path");
    let config = Config::load(&repo, &RepoPath::root()).expect("a configuration");
    let request = StartRequest {
        canary_tag: Some("next".to_owned()),
        steps: Some((1..=100).step_by(33).collect()),
        ..StartRequest::default()
    };
    let started = {
        let checkout = Checkout::load(&repo, &at, &config).expect("the application");
        start(&checkout, &request).unwrap_or_else(|failure| panic!("{failure:?}"))
    };
    write(&mut repo, &started.transition.expect("a release file"));
    let mut seen = Vec::new();
    for _ in 0..6 {
        let transition = {
            let checkout = Checkout::load(&repo, &at, &config).expect("the application");
            let release = &checkout.application.releases[0];
            let next = next(&checkout, release, &NextRequest::default());
            next.unwrap_or_else(|failure| panic!("{failure:?}"))
                .expect("a transition")
        };
        write(&mut repo, &transition);
        let checkout = Checkout::load(&repo, &at, &config).expect("the application");
        let standing = Standing::of(&checkout.application, &checkout.application.releases[0]);
        assert_eq!(standing.routes(), transition.after);
        if let Routes::Both(canary) = standing.routes()["production"] {
            seen.push(canary.percent());
        }
    }
    assert_eq!(seen, [0, 1, 34, 67, 100]);
}

fn service(name: &str, selector: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Service\nmetadata: {{name: {name}}}\n\
         spec: {{selector: {{{selector}}}, ports: [{{name: http, port: 80, targetPort: 8080}}]}}"
    )
}

/// A Service that nobody calls by its name.
fn backend(name: &str, selector: &str) -> String {
    service(name, selector).replacen(
        "metadata: {",
        "metadata: {labels: {tidegate.dev/backend-of: web}, ",
        1,
    )
}

fn v1() -> [String; 2] {
    [service("web", "app: v1"), deployment("v1", "app: v1", "")]
}

fn v2() -> [String; 2] {
    [backend("web-v2", "app: v2"), deployment("v2", "app: v2", "")]
}

/// The objects of some groups.
pub(crate) fn all(groups: &[&[String]]) -> ManifestSet {
    let objects: Vec<&str> = groups
        .iter()
        .flat_map(|group| group.iter().map(String::as_str))
        .collect();
    set(&objects)
}

/// A change, and what is said of it: nothing where it is safe.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) before: ManifestSet,
    pub(crate) after: ManifestSet,
    pub(crate) says: &'static str,
}

pub(crate) fn check(provider: ProviderId, rows: Vec<Row>) {
    for row in rows {
        let Row {
            name,
            before,
            after,
            says,
        } = row;
        let proof = prove(provider, &before, &after, Question::default());
        let told = told(&proof);
        match says {
            "" => assert!(proof.is_safe(), "{name}: {told}"),
            says => assert!(told.contains(says), "{name}: {told}"),
        }
        assert!(
            proof.broken_before.is_empty(),
            "{name}: {:?}",
            proof.broken_before
        );
    }
}

fn http_route(rules: &str) -> String {
    format!(
        "apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {{name: web}}\n\
         spec: {{parentRefs: [{{name: public}}], hostnames: [web.example.com], rules: [{rules}]}}"
    )
}

fn http_split(v1: u8, v2: u8) -> String {
    http_route(&format!(
        "{{backendRefs: [{{name: web, port: 80, weight: {v1}}}, {{name: web-v2, port: 80, weight: {v2}}}]}}"
    ))
}

#[test]
fn orders_that_the_gateway_api_forbids() {
    let plain = || http_route("{backendRefs: [{name: web, port: 80}]}");
    let pinned = "{backendRefs: [{name: only-v1, port: 80}]}";
    let mixed = [
        service("web", "tier: web"),
        deployment("v1", "app: v1, tier: web", ""),
        service("only-v1", "app: v1"),
    ];
    let populated = [deployment("v2", "app: v2, tier: web", "")];
    let elsewhere = http_route("{backendRefs: [{name: far, namespace: other, port: 80}]}");
    let far = [
        "apiVersion: v1\nkind: Service\nmetadata: {name: far, namespace: other}\n\
         spec: {selector: {app: far}, ports: [{name: http, port: 80, targetPort: 8080}]}"
            .to_owned(),
        deployment("far", "app: far", "").replacen("{name: far}", "{name: far, namespace: other}", 1),
    ];
    let grant = "apiVersion: gateway.networking.k8s.io/v1beta1\nkind: ReferenceGrant\n\
        metadata: {name: web, namespace: other}\n\
        spec: {from: [{group: gateway.networking.k8s.io, kind: HTTPRoute, namespace: shop}], to: [{group: '', kind: Service}]}"
        .to_owned();
    let by_header = "{matches: [{headers: [{name: user, value: jason}]}], backendRefs: [{name: web-v2, port: 80}]}, \
        {backendRefs: [{name: web, port: 80}]}";
    let in_the_mesh = http_split(0, 100).replace("{name: public}", "{group: '', kind: Service, name: web}");
    check(
        ProviderId::GatewayApi,
        vec![
            Row {
                name: "a share before the Service that gets it",
                before: all(&[&v1(), &[plain()]]),
                after: all(&[&v1(), &v2(), &[http_split(50, 50)]]),
                says: "500: there is no Service web-v2",
            },
            Row {
                name: "without a share it may come in any order",
                before: all(&[&v1(), &[plain()]]),
                after: all(&[&v1(), &v2(), &[http_split(100, 0)]]),
                says: "",
            },
            Row {
                name: "a Service that goes while it has a share",
                before: all(&[&v1(), &v2(), &[http_split(50, 50)]]),
                after: all(&[&v1(), &[plain()]]),
                says: "500: there is no Service web-v2",
            },
            Row {
                name: "a Service that goes while it has none",
                before: all(&[&v1(), &v2(), &[http_split(100, 0)]]),
                after: all(&[&v1(), &[plain()]]),
                says: "",
            },
            Row {
                name: "pods behind the Service before routes are pinned to the others",
                before: all(&[&mixed, &[plain()]]),
                after: all(&[&mixed, &populated, &[http_route(pinned)]]),
                says: "Exposure",
            },
            Row {
                name: "a grant that goes with the route that needs it",
                before: all(&[&v1(), &far, &[elsewhere, grant]]),
                after: all(&[&v1(), &far, &[plain()]]),
                says: "500: no ReferenceGrant in other",
            },
            Row {
                name: "the Service that callers name, while its routes lead elsewhere",
                before: all(&[&v1(), &v2(), std::slice::from_ref(&in_the_mesh)]),
                after: all(&[&v1()[1..], &v2(), std::slice::from_ref(&in_the_mesh)]),
                says: "500: there is no Service web.shop",
            },
            Row {
                name: "a match for some requests, with its pods",
                before: all(&[&v1(), &[plain()]]),
                after: all(&[&v1(), &v2(), &[http_route(by_header)]]),
                says: "500: there is no Service web-v2",
            },
            Row {
                name: "a match that leads nowhere for a while",
                before: all(&[&v1(), &v2(), &[http_route(by_header)]]),
                after: all(&[&v1(), &[plain()]]),
                says: "500: there is no Service web-v2",
            },
        ],
    );
}

fn node(name: &str) -> String {
    format!(
        "apiVersion: appmesh.k8s.aws/v1beta1\nkind: VirtualNode\nmetadata: {{name: {name}}}\n\
         spec: {{meshName: shop, listeners: [{{portMapping: {{port: 80, protocol: http}}}}], \
         serviceDiscovery: {{dns: {{hostName: {name}.shop.svc.cluster.local}}}}}}"
    )
}

fn virtual_service(route: &str, targets: &[(&str, u8)]) -> String {
    let targets: Vec<String> = targets
        .iter()
        .map(|(name, weight)| format!("{{virtualNodeName: {name}, weight: {weight}}}"))
        .collect();
    format!(
        "apiVersion: appmesh.k8s.aws/v1beta1\nkind: VirtualService\nmetadata: {{name: shop.example.com}}\n\
         spec: {{meshName: shop, virtualRouter: {{name: shop}}, routes: [{{name: {route}, http: \
         {{match: {{prefix: /}}, action: {{weightedTargets: [{}]}}}}}}]}}",
        targets.join(", ")
    )
}

#[test]
fn orders_that_app_mesh_forbids() {
    let one = || virtual_service("web", &[("web", 100)]);
    let both = |v1, v2| virtual_service("web", &[("web", v1), ("web-v2", v2)]);
    let stable = [&v1()[..], &[node("web")]].concat();
    let canary = [&v2()[..], &[node("web-v2")]].concat();
    check(
        ProviderId::AppMesh,
        vec![
            Row {
                name: "a target before its VirtualNode",
                before: all(&[&stable, &v2(), &[one()]]),
                after: all(&[&stable, &canary, &[both(90, 10)]]),
                says: "names the VirtualNode `shop/web-v2`, which does not exist",
            },
            Row {
                name: "even without a weight: what happens is not established",
                before: all(&[&stable, &v2(), &[one()]]),
                after: all(&[&stable, &canary, &[both(100, 0)]]),
                says: "names the VirtualNode `shop/web-v2`, which does not exist",
            },
            Row {
                name: "the VirtualNode first, then the target",
                before: all(&[&stable, &canary, &[one()]]),
                after: all(&[&stable, &canary, &[both(100, 0)]]),
                says: "",
            },
            Row {
                name: "a VirtualNode that goes with its target",
                before: all(&[&stable, &canary, &[both(100, 0)]]),
                after: all(&[&stable, &v2(), &[one()]]),
                says: "names the VirtualNode `shop/web-v2`, which does not exist",
            },
            Row {
                name: "a target before its pods are ready",
                before: all(&[&stable, &[backend("web-v2", "app: v2"), node("web-v2"), one()]]),
                after: all(&[&stable, &canary, &[both(90, 10)]]),
                says: "503: Service/web-v2 selects no ready pod",
            },
        ],
    );
    let renamed = prove(
        ProviderId::AppMesh,
        &all(&[&stable, &[one()]]),
        &all(&[&stable, &[virtual_service("other", &[("web", 100)])]]),
        Question::default(),
    );
    assert!(
        renamed
            .unjudged
            .iter()
            .any(|unjudged| unjudged.reason.contains("renames a route")),
        "{:?}",
        renamed.unjudged
    );
}

/// Nothing of a router is brought into the mesh as long as a node of one of its routes is missing.
#[test]
fn a_router_waits_for_the_nodes_of_all_of_its_routes() {
    let router = |targets: &str| {
        format!(
            "apiVersion: appmesh.k8s.aws/v1beta2\nkind: VirtualRouter\nmetadata: {{name: web}}\nspec:\n  routes:\n  \
             - {{name: chosen, priority: 1, httpRoute: {{match: {{prefix: /, headers: [{{name: user, match: {{exact: jason}}}}]}}, \
             action: {{weightedTargets: [{{virtualNodeRef: {{name: web}}, weight: 100}}]}}}}}}\n  \
             - {{name: rest, httpRoute: {{match: {{prefix: /}}, action: {{weightedTargets: [{targets}]}}}}}}"
        )
    };
    let service = "apiVersion: appmesh.k8s.aws/v1beta2\nkind: VirtualService\nmetadata: {name: web}\n\
         spec: {awsName: web.shop.svc.cluster.local, provider: {virtualRouter: {virtualRouterRef: {name: web}}}}"
        .to_owned();
    let target = |name: &str, weight: u8| format!("{{virtualNodeRef: {{name: {name}}}, weight: {weight}}}");
    let stable = [&v1()[..], &v2(), &[node("web"), service]].concat();
    let before = all(&[&stable, &[router(&target("web", 100))]]);
    let both = [target("web", 100), target("web-v2", 0)].join(", ");
    let after = all(&[&stable, &[node("web-v2"), router(&both)]]);
    let proof = prove(ProviderId::AppMesh, &before, &after, Question::default());
    let mut requests = proof
        .counter_examples
        .iter()
        .flat_map(|example| &example.requests);
    assert!(
        requests.any(|request| request.headers.contains_key("user")),
        "{}",
        told(&proof)
    );
}

#[test]
fn orders_that_a_traffic_split_forbids() {
    let split = |v1: u8, v2: u8| {
        format!(
            "apiVersion: split.smi-spec.io/v1alpha2\nkind: TrafficSplit\nmetadata: {{name: web}}\n\
             spec: {{service: web, backends: [{{service: web, weight: {v1}}}, {{service: web-v2, weight: {v2}}}]}}"
        )
    };
    check(
        ProviderId::Smi,
        vec![
            Row {
                name: "a share before the Service that gets it",
                before: all(&[&v1()]),
                after: all(&[&v1(), &v2(), &[split(90, 10)]]),
                says: "503: there is no Service web-v2",
            },
            Row {
                name: "a split that keeps everything where it is",
                before: all(&[&v1(), &v2()]),
                after: all(&[&v1(), &v2(), &[split(100, 0)]]),
                says: "",
            },
            Row {
                name: "pods that go while they have a share",
                before: all(&[&v1(), &v2(), &[split(50, 50)]]),
                after: all(&[&v1()]),
                says: "503: there is no Service web-v2",
            },
            Row {
                name: "the Service that callers name, while its split leads elsewhere",
                before: all(&[&v1(), &v2(), &[split(0, 100)]]),
                after: all(&[&v1()[1..], &v2(), &[split(0, 100)]]),
                says: "503: there is no Service web.shop",
            },
            Row {
                name: "the split away at 100/0, then the rest",
                before: all(&[&v1(), &v2(), &[split(100, 0)]]),
                after: all(&[&v1(), &v2()]),
                says: "",
            },
        ],
    );
}

#[test]
fn orders_that_istio_forbids_without_subsets() {
    let routes = |v1: u8, v2: u8| {
        format!(
            "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {{name: web}}\n\
             spec: {{hosts: [web], http: [{{route: [{{destination: {{host: web}}, weight: {v1}}}, \
             {{destination: {{host: web-v2}}, weight: {v2}}}]}}]}}"
        )
    };
    let denying = || world::policy("shop", "selector: {matchLabels: {app: v2}}, rules: []");
    check(
        ProviderId::IstioHosts,
        vec![
            Row {
                name: "a share before the Service that gets it",
                before: all(&[&v1()]),
                after: all(&[&v1(), &v2(), &[routes(90, 10)]]),
                says: "503 NC: there is no Service web-v2",
            },
            Row {
                name: "a share for pods that let nobody in",
                before: all(&[&v1(), &v2(), &[denying(), routes(100, 0)]]),
                after: all(&[&v1(), &v2(), &[denying(), routes(90, 10)]]),
                says: "403",
            },
            Row {
                name: "weights alone",
                before: all(&[&v1(), &v2(), &[routes(100, 0)]]),
                after: all(&[&v1(), &v2(), &[routes(90, 10)]]),
                says: "",
            },
        ],
    );
    // On a port other than 80 nobody listens for a name whose Service is gone.
    let [stable, canary] =
        [v1(), v2()].map(|objects| objects.map(|object| object.replace("port: 80,", "port: 9080,")));
    let gone = prove(
        ProviderId::IstioHosts,
        &all(&[&stable, &canary, &[routes(0, 100)]]),
        &all(&[&stable[1..], &canary, &[routes(0, 100)]]),
        Question::default(),
    );
    let mut withdrawn = gone.withdrawn.iter().map(|withdrawn| &withdrawn.request.caller);
    assert!(withdrawn.any(|caller| *caller != Caller::Outside), "{gone:?}");
}
