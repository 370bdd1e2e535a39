//! What the prover predicts of traffic systems other than Istio's subsets: does Envoy agree?
//!
//! In every state of whole lives, of each of their objects going away and coming back, and of mistakes made by hand. What
//! is compared is what callers notice: which version serves how much, and how much fails. Proxies of these systems
//! differ in the words in which they fail.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::{Value, json};
use tidegate_core::diagnostic::Location;
use tidegate_core::manifest::{Manifest, ManifestSet, ObjectRef};
use tidegate_core::prover::{Forecast, Outcome, forecast};
use tidegate_core::provider::ProviderId;
use tidegate_core::repo::RepoPath;

use crate::kept::kept;
use crate::lives::{Point, point};
use crate::predictions::{Change, MOST, pairs, routing, state, told};
use crate::process::Envoy;
use crate::replay::replay;
use crate::scenario::{Answer, Shares, Transition};

/// Lives that are kept, the traffic system that they are proven with, and whose routes the proxies take.
const LIVES: &[(&str, ProviderId, &str)] = &[
    ("app-mesh/dj-app/life-jazz", ProviderId::AppMesh, "app-mesh"),
    (
        "app-mesh/dj-app-v1beta2/life-metal",
        ProviderId::AppMesh,
        "app-mesh",
    ),
    (
        "app-mesh/dj-app-v1beta2/life-metal-preview",
        ProviderId::AppMesh,
        "app-mesh",
    ),
    ("gateway-api/pricing/life", ProviderId::GatewayApi, "gateway-api"),
    ("gateway-api/reviews/life", ProviderId::GatewayApi, "gateway-api"),
    (
        "gateway-api/reviews/life-preview",
        ProviderId::GatewayApi,
        "gateway-api",
    ),
    ("istio-hosts/bookinfo/life", ProviderId::IstioHosts, "istio"),
    (
        "istio-hosts/bookinfo/life-preview",
        ProviderId::IstioHosts,
        "istio",
    ),
    ("kustomize/reviews/life", ProviderId::GatewayApi, "gateway-api"),
    (
        "kustomize/reviews/life-preview",
        ProviderId::GatewayApi,
        "gateway-api",
    ),
    ("replicas/notification/life", ProviderId::Replicas, "istio"),
    ("smi/books/life", ProviderId::Smi, "smi"),
];

/// Where the prover sees more fail than Envoy: part of the name of the change, part of what it says of the failure, and
/// why that is right. Each is needed.
const STRICTER: &[(&str, &str, &str)] = &[
    (
        "v1beta2",
        "which does not exist",
        "the controller holds the whole update back; whether it still has what it held before (it may have been started \
         anew) nobody can see in the files",
    ),
    (
        "v1beta2",
        "404: no route takes",
        "a VirtualService waits for its router; as above",
    ),
    (
        "dj-app/",
        "which does not exist",
        "v1beta1 sends the route as it is, and what a mesh does with a target that it does not know is not established: \
         all of the route is taken as lost",
    ),
];

struct Tried {
    provider: ProviderId,
    proxies: &'static str,
    change: Change,
}

#[test]
fn the_prover_predicts_what_envoy_does_in_other_systems() {
    let Some(mut envoy) = Envoy::start() else { return };
    let mut tried = Vec::new();
    for life in kept(&Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures")) {
        let Some((_, provider, proxies)) = LIVES.iter().find(|(name, ..)| *name == life.name) else {
            continue;
        };
        let points: Vec<Point> = life
            .points
            .into_iter()
            .map(|(name, repo)| point(&repo, &life.at, name))
            .collect();
        let neighbours = [1, 2].into_iter();
        let mut changes: Vec<Change> = neighbours
            .flat_map(|distance| pairs(&life.name, &points, distance))
            .collect();
        changes.extend(points.iter().flat_map(|point| without(&life.name, point)));
        tried.extend(changes.into_iter().map(|change| Tried {
            provider: *provider,
            proxies,
            change,
        }));
    }
    let lives: BTreeSet<_> = tried
        .iter()
        .map(|tried| tried.change.name.split(' ').next())
        .collect();
    assert_eq!(lives.len(), LIVES.len(), "{lives:?}");
    tried.extend(mistakes());
    let mut seen = BTreeSet::new();
    let (forecasts, transitions): (Vec<_>, Vec<_>) =
        tried.iter().map(|tried| transition(tried, &mut seen)).unzip();
    let report = replay(&mut envoy, &transitions);
    assert!(report.untranslated.is_empty(), "{:#?}", report.untranslated);
    let mut comparison = Comparison::default();
    for ((transition, forecasts), answers) in transitions.iter().zip(&forecasts).zip(&report.answers) {
        for ((state, forecast), answers) in transition.states.iter().zip(forecasts).zip(answers) {
            let outcomes = forecast.outcomes.iter();
            let outcomes = outcomes.filter(|(request, _)| request.fulfils.is_empty());
            for ((request, (_, outcome)), answer) in state.requests.iter().zip(outcomes).zip(answers) {
                let place = format!("{}, {}: {}", transition.name, state.id, request.id);
                comparison.add(&transition.name, &place, outcome, answer);
            }
        }
    }
    let Comparison {
        count,
        served,
        stricter,
        disagreements,
    } = comparison;
    eprintln!(
        "{} changes, {} states, {} requests sent; {count} classes of requests compared, {served} of which are served: \
         {} disagreements; the prover is stricter: {stricter:#?}",
        report.transition_count,
        report.state_count,
        report.sent_count,
        disagreements.len(),
    );
    assert!(disagreements.is_empty(), "{disagreements:#?}");
    assert_eq!(stricter.len(), STRICTER.len(), "{stricter:?}");
    assert!(report.state_count >= 500, "{} states", report.state_count);
}

#[derive(Debug, Default)]
struct Comparison {
    /// Classes of requests that were compared, and of these that are served without a failure.
    count: usize,
    served: usize,
    /// By reason.
    stricter: BTreeMap<&'static str, usize>,
    disagreements: Vec<String>,
}

impl Comparison {
    fn add(&mut self, change: &str, place: &str, outcome: &Outcome, answer: &Answer) {
        self.count += 1;
        let predicted = outcome.failing();
        let measured: f64 = answer.failed.values().sum();
        if (predicted - measured).abs() < ROUNDING && is_same(&outcome.served, &answer.versions) {
            self.served += usize::from(measured == 0.0);
            return;
        }
        let says = |text: &str| {
            outcome
                .failed
                .iter()
                .any(|(failure, _)| failure.text.contains(text))
        };
        let row = STRICTER
            .iter()
            .find(|(part, text, _)| change.contains(part) && says(text));
        match row.filter(|_| measured < predicted) {
            Some((.., reason)) => *self.stricter.entry(reason).or_default() += 1,
            None => self.disagreements.push(format!(
                "{place}: predicted {:?} and {predicted} failing of {:?}; Envoy: {answer:?}",
                outcome.served, outcome.failed
            )),
        }
    }
}

/// Shares are exact but for the last bits of a division.
const ROUNDING: f64 = 1e-9;

fn is_same(predicted: &Shares, measured: &Shares) -> bool {
    let share = |shares: &Shares, name: &str| shares.get(name).copied().unwrap_or_default();
    let mut names = predicted.keys().chain(measured.keys());
    names.all(|name| (share(predicted, name) - share(measured, name)).abs() < ROUNDING)
}

/// The states of a change that no other had before, predictions and all, and what is expected of them.
fn transition(tried: &Tried, seen: &mut BTreeSet<String>) -> (Vec<Forecast>, Transition) {
    let Tried {
        provider,
        proxies,
        change,
    } = tried;
    // Only of App Mesh is something of before in force.
    let before = change.before.iter().filter(|_| *proxies == "app-mesh");
    let previous: Vec<Value> = routing(before).collect();
    let mut forecasts = Vec::new();
    let mut documents = Vec::new();
    for forecast in forecast(*provider, &change.before, &change.after, MOST) {
        let mut document = state(&forecast);
        document["system"] = json!(proxies);
        document["previous"] = json!(previous);
        if !seen.insert(document.to_string()) {
            continue;
        }
        document["id"] = json!(told(&forecast.applied));
        for request in document["requests"].as_array_mut().into_iter().flatten() {
            request["predicted"] = Value::Null;
        }
        documents.push(document);
        forecasts.push(forecast);
    }
    let document = json!({"name": change.name, "states": documents});
    let transition =
        serde_json::from_value(document).unwrap_or_else(|error| panic!("{}: {error}", change.name));
    (forecasts, transition)
}

/// Each object of a point alone goes, and comes back.
fn without(life: &str, point: &Point) -> Vec<Change> {
    let mut changes = Vec::new();
    for (environment, all) in &point.environments {
        for gone in all.iter() {
            let rest = || ManifestSet::new(all.iter().filter(|object| *object != gone).cloned().collect());
            let name =
                |what: &str| format!("{life} {environment}: in {}, {} {what}", point.name, gone.object);
            changes.push(Change {
                name: name("goes"),
                before: all.clone(),
                after: rest(),
            });
            changes.push(Change {
                name: name("comes"),
                before: rest(),
                after: all.clone(),
            });
        }
    }
    changes
}

/// Objects from YAML, in `shop` where they do not say.
fn objects(documents: &[&str]) -> ManifestSet {
    let text = documents.join("\n---\n");
    let stream =
        tidegate_yaml::Stream::parse(text.as_str()).unwrap_or_else(|error| panic!("{error}\n{text}"));
    let manifest = |document: &tidegate_yaml::Document| {
        let mut value = document.value().clone();
        if value["metadata"]["namespace"].is_null() {
            value["metadata"]["namespace"] = json!("shop");
        }
        Manifest {
            object: ObjectRef::of(&value).expect("an object"),
            value,
            origin: Location::file(&RepoPath::new("objects.yaml").expect("a path")),
        }
    };
    ManifestSet::new(stream.documents().iter().map(manifest).collect())
}

/// A Service on port 80 and its pods.
fn version(name: &str, replicas: u8) -> [String; 2] {
    [
        format!(
            "apiVersion: v1\nkind: Service\nmetadata: {{name: {name}}}\n\
             spec: {{selector: {{app: {name}}}, ports: [{{name: http, port: 80, targetPort: 8080}}]}}"
        ),
        format!(
            "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: {name}}}\nspec: {{replicas: {replicas}, \
             selector: {{matchLabels: {{app: {name}}}}}, template: {{metadata: {{labels: {{app: {name}}}}}, \
             spec: {{containers: [{{name: main, ports: [{{name: http, containerPort: 8080}}]}}]}}}}}}"
        ),
    ]
}

/// Changes that a person could make by hand, many of which hurt.
fn mistakes() -> Vec<Tried> {
    let mut found = Vec::new();
    let [service, pods] = version("web", 2);
    let [service_v2, pods_v2] = version("web-v2", 1);
    let both = [service.as_str(), &pods, &service_v2, &pods_v2];
    let mut add = |provider, proxies, name: &str, before: &[&str], after: &[&str]| {
        let with = |more: &[&str]| objects(&[&both[..], more].concat());
        found.push(Tried {
            provider,
            proxies,
            change: Change {
                name: format!("by hand, {proxies}: {name}"),
                before: with(before),
                after: with(after),
            },
        });
    };

    let route = |parent: &str, rules: &str| {
        format!(
            "apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {{name: web}}\n\
             spec: {{parentRefs: [{parent}], rules: [{rules}]}}"
        )
    };
    let plain = "{backendRefs: [{name: web, port: 80}]}";
    let rules = [
        (
            "split",
            "{backendRefs: [{name: web, port: 80, weight: 3}, {name: web-v2, port: 80}]}",
        ),
        (
            "no weight",
            "{backendRefs: [{name: web, port: 80, weight: 0}, {name: web-v2, port: 80, weight: 0}]}",
        ),
        (
            "nobody's Service",
            "{backendRefs: [{name: web, port: 80, weight: 9}, {name: web-v3, port: 80}]}",
        ),
        (
            "nobody's port",
            "{backendRefs: [{name: web, port: 80, weight: 9}, {name: web-v2, port: 81}]}",
        ),
        (
            "only some paths",
            "{matches: [{path: {value: /api}}], backendRefs: [{name: web-v2, port: 80}]}",
        ),
        (
            "a header before a path",
            "{matches: [{path: {value: /api}}], backendRefs: [{name: web, port: 80}]}, \
             {matches: [{headers: [{name: user, value: jason}]}], backendRefs: [{name: web-v2, port: 80}]}, \
             {backendRefs: [{name: web, port: 80}]}",
        ),
        (
            "the longer path, wherever it stands",
            "{matches: [{path: {value: /}}], backendRefs: [{name: web, port: 80}]}, \
             {matches: [{path: {value: /api/v2}, method: POST}, {path: {type: Exact, value: /api}}], \
             backendRefs: [{name: web-v2, port: 80}]}, \
             {matches: [{path: {value: /api/}}], backendRefs: [{name: web-v3, port: 80}]}",
        ),
        (
            "another namespace, not granted",
            "{backendRefs: [{name: web, namespace: far, port: 80}]}",
        ),
        ("nothing", ""),
    ];
    for (at, parent) in [
        ("at a gateway", "{name: public, namespace: infra}"),
        ("in the mesh", "{group: '', kind: Service, name: web}"),
        (
            "in the mesh, of one port",
            "{group: '', kind: Service, name: web, port: 80}",
        ),
        (
            "in the mesh, of another port",
            "{group: '', kind: Service, name: web, port: 81}",
        ),
    ] {
        for (name, rule) in rules {
            let name = format!("{name}, {at}");
            let [before, after] = [plain, rule].map(|rules| route(parent, rules));
            add(
                ProviderId::GatewayApi,
                "gateway-api",
                &name,
                &[&before],
                &[&after],
            );
            add(
                ProviderId::GatewayApi,
                "gateway-api",
                &format!("{name}, no route before"),
                &[],
                &[&after],
            );
        }
    }
    let far = "apiVersion: v1\nkind: Service\nmetadata: {name: far, namespace: far}\n\
         spec: {selector: {app: far}, ports: [{name: http, port: 80, targetPort: 8080}]}";
    let far_pods = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: far, namespace: far}\nspec: {selector: {matchLabels: \
         {app: far}}, template: {metadata: {labels: {app: far}}, spec: {containers: [{name: main, ports: [{name: http, \
         containerPort: 8080}]}]}}}";
    let grant = |to: &str| {
        format!(
            "apiVersion: gateway.networking.k8s.io/v1beta1\nkind: ReferenceGrant\nmetadata: {{name: web, namespace: far}}\n\
             spec: {{from: [{{group: gateway.networking.k8s.io, kind: HTTPRoute, namespace: shop}}], to: [{to}]}}"
        )
    };
    let there = route(
        "{name: public}",
        "{backendRefs: [{name: far, namespace: far, port: 80}]}",
    );
    for to in [
        "{group: '', kind: Service}",
        "{group: '', kind: Service, name: far}",
        "{group: '', kind: Service, name: near}",
    ] {
        let name = format!("a grant to {to}");
        add(
            ProviderId::GatewayApi,
            "gateway-api",
            &name,
            &[far, far_pods, &there],
            &[far, far_pods, &there, &grant(to)],
        );
    }

    let node = |name: &str| {
        format!(
            "apiVersion: appmesh.k8s.aws/v1beta1\nkind: VirtualNode\nmetadata: {{name: {name}}}\n\
             spec: {{meshName: shop, listeners: [{{portMapping: {{port: 80, protocol: http}}}}], \
             serviceDiscovery: {{dns: {{hostName: {name}.shop.svc.cluster.local}}}}}}"
        )
    };
    let virtual_service = |routes: &str| {
        format!(
            "apiVersion: appmesh.k8s.aws/v1beta1\nkind: VirtualService\nmetadata: {{name: web.shop.svc.cluster.local}}\n\
             spec: {{meshName: shop, virtualRouter: {{name: web}}, routes: [{routes}]}}"
        )
    };
    let to = |name: &str, more: &str, prefix: &str, targets: &str| {
        format!(
            "{{name: {name}, {more} http: {{match: {{prefix: {prefix}}}, action: {{weightedTargets: [{targets}]}}}}}}"
        )
    };
    let [one, other] = ["web", "web-v2"].map(|name| format!("{{virtualNodeName: {name}, weight: 75}}"));
    let less = "{virtualNodeName: web-v2, weight: 25}";
    let (node_v1, node_v2) = (node("web"), node("web-v2"));
    let before = virtual_service(&to("web", "", "/", &one));
    for (name, routes) in [
        ("split", to("web", "", "/", &format!("{one}, {less}"))),
        ("no weight", to("web", "", "/", &one.replace("75", "0"))),
        ("only some paths", to("web", "", "/api", &other)),
        (
            "the longer prefix",
            format!("{}, {}", to("web", "", "/", &one), to("api", "", "/api", &other)),
        ),
        (
            "priorities",
            format!(
                "{}, {}",
                to("web", "priority: 1,", "/", &one),
                to("api", "priority: 2,", "/api", &other)
            ),
        ),
        (
            "priorities, one without",
            format!(
                "{}, {}",
                to("web", "priority: 9,", "/", &one),
                to("api", "", "/api", &other)
            ),
        ),
    ] {
        let after = virtual_service(&routes);
        add(
            ProviderId::AppMesh,
            "app-mesh",
            name,
            &[&node_v1, &node_v2, &before],
            &[&node_v1, &node_v2, &after],
        );
    }

    let split = |weights: [u8; 2]| {
        format!(
            "apiVersion: split.smi-spec.io/v1alpha2\nkind: TrafficSplit\nmetadata: {{name: web}}\nspec: {{service: web, \
             backends: [{{service: web, weight: {}}}, {{service: web-v2, weight: {}}}]}}",
            weights[0], weights[1]
        )
    };
    for weights in [[0, 0], [0, 1], [1, 3], [100, 0]] {
        let after = split(weights);
        add(ProviderId::Smi, "smi", &format!("{weights:?}"), &[], &[&after]);
        let nobody = after.replace("web-v2", "web-v3");
        add(
            ProviderId::Smi,
            "smi",
            &format!("{weights:?}, nobody's Service"),
            &[],
            &[&nobody],
        );
    }
    // Of the lives, none has a route of a mesh's callers.
    let elsewhere = route(
        "{group: '', kind: Service, name: web}",
        "{backendRefs: [{name: web-v2, port: 80}]}",
    );
    found.push(Tried {
        provider: ProviderId::GatewayApi,
        proxies: "gateway-api",
        change: Change {
            name: "by hand, gateway-api: the Service goes that callers name, while its routes lead elsewhere"
                .to_owned(),
            before: objects(&[&both[..], &[&elsewhere]].concat()),
            after: objects(&[&both[1..], &[&elsewhere]].concat()),
        },
    });
    found
}
