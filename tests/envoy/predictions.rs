//! What the prover predicts, in every state of whole lives and of mistakes: does Envoy agree?

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};
use tidegate_core::manifest::{Manifest, ManifestSet};
use tidegate_core::prover::{Applied, Caller, Entry, Forecast, Outcome, ReadyPods, Request, forecast};
use tidegate_core::provider::ProviderId;
use tidegate_core::repo::{MemoryRepo, RepoPath};

use crate::fixtures::FIXTURES;
use crate::lives::{Point, life, point};
use crate::phases::phases_of;
use crate::process::Envoy;
use crate::replay::replay;
use crate::scenario::Transition;

/// States of one change that are replayed; of more, evenly chosen ones.
pub(crate) const MOST: u32 = 16;

#[test]
fn the_prover_predicts_what_envoy_does() {
    let Some(mut envoy) = Envoy::start() else { return };
    let mut changes = Vec::new();
    for (fixture, at, workload) in FIXTURES {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
        let points = life(&folder, fixture, at, workload);
        let name = format!("{fixture}/{workload}");
        // Neighbours, and neighbours merged: the guide's own deploy of routes, selector and permission is one of these.
        changes.extend(
            [1, 2]
                .into_iter()
                .flat_map(|distance| pairs(&name, &points, distance)),
        );
        changes.extend(mistakes(&name, &points));
    }
    changes.extend(pairs("a preview", &previewed(), 1));
    let transitions: Vec<Transition> = changes.iter().map(transition).collect();
    let report = replay(&mut envoy, &transitions);
    eprintln!("{report}");
    assert!(report.untranslated.is_empty(), "{:#?}", report.untranslated);
    assert!(report.disagreements.is_empty(), "{:#?}", report.disagreements);
    assert!(
        report.transition_count >= 30,
        "{} transitions",
        report.transition_count
    );
    assert!(report.state_count >= 1_000, "{} states", report.state_count);
}

/// A life in which requests by header and path meet the canary first.
fn previewed() -> Vec<Point> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let steps = "    # Percent to the canary, one step";
    let matches = "    match:\n      - headers: {end-user: {exact: jason}}\n      - headers: {tier: {prefix: go}}\n        \
                   uri: {prefix: /beta}\n";
    let choose = |repo: &mut MemoryRepo| {
        let path = RepoPath::new("gap/tidegate.yaml").expect("a path");
        let text = repo.files()[&path].replace(steps, &format!("{matches}{steps}"));
        repo.set(path, Some(text));
    };
    let points = phases_of(&folder, ("istio/my-service", "", "web"), None, choose).into_iter();
    let points: Vec<Point> = points
        .map(|(name, repo)| point(&repo, &RepoPath::root(), name))
        .collect();
    assert!(points.iter().any(|point| point.name == "preview"));
    points
}

pub(crate) struct Change {
    pub(crate) name: String,
    pub(crate) before: ManifestSet,
    pub(crate) after: ManifestSet,
}

/// What lies between points that are so far apart.
pub(crate) fn pairs(name: &str, points: &[Point], distance: usize) -> Vec<Change> {
    let pairs = points
        .windows(distance + 1)
        .map(|pair| (&pair[0], &pair[distance]));
    pairs
        .flat_map(|(one, other)| {
            one.environments.iter().map(move |(environment, before)| Change {
                name: format!("{name} {environment}: {} to {}", one.name, other.name),
                before: before.clone(),
                after: other.environments[environment].clone(),
            })
        })
        .collect()
}

/// Edits that a person could make by hand, from where they hurt.
fn mistakes(name: &str, points: &[Point]) -> Vec<Change> {
    let at = |phase: &str| points.iter().find(|point| point.name == phase).expect("a phase");
    let mut found = Vec::new();
    let mut add = |phase: &str, what: &str, edit: &dyn Fn(&mut Vec<Manifest>)| {
        for (environment, before) in &at(phase).environments {
            let mut manifests: Vec<Manifest> = before.iter().cloned().collect();
            edit(&mut manifests);
            found.push(Change {
                name: format!("{name} {environment}: in {phase}, {what}"),
                before: before.clone(),
                after: ManifestSet::new(manifests),
            });
        }
    };
    let without = |kind: &'static str, ending: &'static str| {
        move |manifests: &mut Vec<Manifest>| {
            manifests
                .retain(|manifest| manifest.object.kind != kind || !manifest.object.name.ends_with(ending));
        }
    };
    add(
        "ramp",
        "the DestinationRule goes",
        &without("DestinationRule", ""),
    );
    add("ramp", "the stable copy goes", &without("Deployment", "-v1"));
    add(
        "ramp",
        "the copy's policy goes",
        &without("AuthorizationPolicy", "-v1"),
    );
    add("widen", "the routes go", &without("VirtualService", ""));
    add("hold", "the Service goes", &without("Service", "-web"));
    add(
        "ramp",
        "one subset goes",
        &each("DestinationRule", |value| {
            value
                .pointer_mut("/spec/subsets")
                .and_then(Value::as_array_mut)
                .map(Vec::pop);
        }),
    );
    add(
        "ramp",
        "a subset gets a label of nobody",
        &each("DestinationRule", |value| {
            if let Some(label) = value.pointer_mut("/spec/subsets/0/labels/version") {
                *label = json!("v3");
            }
        }),
    );
    add(
        "ramp",
        "the Service selects the workload alone",
        &each("Service", |value| {
            let app = value.pointer("/metadata/name").cloned().unwrap_or_default();
            if let Some(selector) = value.pointer_mut("/spec/selector").and_then(Value::as_object_mut) {
                selector.insert("app".to_owned(), app);
            }
        }),
    );
    add(
        "ramp",
        "the Service gets another port",
        &each("Service", |value| {
            if let Some(port) = value.pointer_mut("/spec/ports/0/port") {
                *port = json!(8081);
            }
        }),
    );
    add(
        "idle",
        "the routes name a subset that is nowhere",
        &each("VirtualService", |value| {
            let rules = value
                .pointer_mut("/spec/http")
                .and_then(Value::as_array_mut)
                .into_iter()
                .flatten();
            for rule in rules {
                if let Some(destination) = rule
                    .pointer_mut("/route/0/destination")
                    .and_then(Value::as_object_mut)
                {
                    destination.insert("subset".to_owned(), json!("v2"));
                }
            }
        }),
    );
    add(
        "ramp",
        "nobody is admitted any more",
        &each("AuthorizationPolicy", |value| {
            value["spec"]["rules"] = json!([]);
        }),
    );
    add(
        "idle",
        "the pods lose the label they are selected by",
        &each("Deployment", |value| {
            if let Some(labels) = value
                .pointer_mut("/spec/template/metadata/labels")
                .and_then(Value::as_object_mut)
            {
                labels.insert("app".to_owned(), json!("other"));
            }
        }),
    );
    found
}

fn each(kind: &'static str, edit: fn(&mut Value)) -> impl Fn(&mut Vec<Manifest>) {
    move |manifests| {
        let of_kind = manifests
            .iter_mut()
            .filter(|manifest| manifest.object.kind == kind);
        of_kind.for_each(|manifest| edit(&mut manifest.value));
    }
}

/// Kinds that Envoy's configuration is made from; pods are given by themselves.
const KINDS: [&str; 10] = [
    "AuthorizationPolicy",
    "DestinationRule",
    "HTTPRoute",
    "PeerAuthentication",
    "ReferenceGrant",
    "Service",
    "TrafficSplit",
    "VirtualNode",
    "VirtualRouter",
    "VirtualService",
];

fn transition(change: &Change) -> Transition {
    let states = forecast(ProviderId::Istio, &change.before, &change.after, MOST);
    // States that differ in objects alone that no proxy sees are one.
    let mut seen = Vec::new();
    let mut documents = Vec::new();
    for forecast in &states {
        let mut document = state(forecast);
        if seen.contains(&document) {
            continue;
        }
        seen.push(document.clone());
        document["id"] = json!(told(&forecast.applied));
        documents.push(document);
    }
    let document = json!({"name": change.name, "states": documents});
    serde_json::from_value(document).unwrap_or_else(|error| panic!("{}: {error}", change.name))
}

/// What is applied, for people.
pub(crate) fn told(applied: &[Applied]) -> String {
    let applied = applied.iter().filter(|applied| applied.is_applied);
    let told = applied.map(|applied| format!("{} {}", applied.object, applied.pods.unwrap_or_default()));
    told.collect::<Vec<_>>().join(", ")
}

/// Those that Envoy's configuration is made from.
pub(crate) fn routing<'a>(objects: impl IntoIterator<Item = &'a Manifest>) -> impl Iterator<Item = Value> {
    let objects = objects.into_iter();
    let routing = objects.filter(|manifest| KINDS.contains(&manifest.object.kind.as_str()));
    routing.map(|manifest| manifest.value.clone())
}

/// A state in the words of the harness, without its name.
pub(crate) fn state(forecast: &Forecast) -> Value {
    let mut objects: Vec<Value> = Vec::new();
    objects.extend(routing(&forecast.objects));
    let mut pods = ready(&forecast.pods);
    // Services of other applications are not in the manifests; the prover counts them as serving, on every port.
    let mut numbers: Vec<u16> = forecast
        .outcomes
        .iter()
        .map(|(request, _)| request.port)
        .collect();
    numbers.sort_unstable();
    numbers.dedup();
    let port = |number: &u16| json!({"name": format!("http-{number}"), "port": number, "targetPort": 8080});
    let ports: Vec<Value> = numbers.iter().map(port).collect();
    for host in elsewhere(forecast) {
        let (name, namespace) = host.split_once('.').expect("a full name");
        let namespace = namespace.trim_end_matches(".svc.cluster.local");
        objects.push(json!({
            "apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": namespace},
            "spec": {"selector": {"elsewhere": name}, "ports": ports},
        }));
        pods.push(json!({
            "name": host, "namespace": namespace, "labels": {"elsewhere": name}, "version": host, "ready": true,
        }));
    }
    let requests = forecast
        .outcomes
        .iter()
        .filter(|(request, _)| request.fulfils.is_empty());
    let requests: Vec<Value> = requests
        .map(|(request, outcome)| request_document(request, outcome))
        .collect();
    json!({"id": "", "objects": objects, "pods": pods, "requests": requests})
}

fn elsewhere(forecast: &Forecast) -> Vec<String> {
    let served = forecast
        .outcomes
        .iter()
        .flat_map(|(_, outcome)| outcome.served.keys());
    let mut hosts: Vec<String> = served
        .filter(|name| name.ends_with(".svc.cluster.local"))
        .cloned()
        .collect();
    hosts.sort();
    hosts.dedup();
    hosts
}

/// As many pods as are needed to have their numbers' ratio.
fn ready(groups: &[ReadyPods]) -> Vec<Value> {
    let divisor = groups
        .iter()
        .fold(0, |divisor, group| common_divisor(divisor, group.count))
        .max(1);
    let mut pods = Vec::new();
    for (index, group) in groups.iter().enumerate() {
        for number in 0..group.count / divisor {
            pods.push(json!({
                "name": format!("{}-{index}-{number}", group.workload),
                "namespace": group.namespace,
                "labels": group.labels,
                "version": group.workload,
                "ready": true,
                "ports": group.ports,
            }));
        }
    }
    pods
}

fn common_divisor(one: u64, other: u64) -> u64 {
    if other == 0 {
        one
    } else {
        common_divisor(other, one % other)
    }
}

fn request_document(request: &Request, outcome: &Outcome) -> Value {
    let caller = match &request.caller {
        Caller::Mesh(principal) => json!({"principal": principal, "namespace": request.caller.namespace()}),
        Caller::Outside => json!({"principal": null, "namespace": "outside"}),
    };
    let via = match &request.entry {
        Entry::Sidecar => "mesh",
        Entry::Gateway(name) => name,
    };
    json!({
        "id": request.to_string(), "host": request.host, "path": request.path, "method": request.method,
        "headers": request.headers, "caller": caller, "via": via, "port": request.port,
        "predicted": predicted(outcome),
    })
}

/// In the words of the harness.
fn predicted(outcome: &Outcome) -> Value {
    let mut versions: BTreeMap<&str, f64> = BTreeMap::new();
    let mut answered: BTreeMap<&str, f64> = BTreeMap::new();
    for (name, share) in &outcome.served {
        match name.split_once(' ') {
            Some((_, status)) => *answered.entry(status).or_default() += share,
            None => *versions.entry(name).or_default() += share,
        }
    }
    let mut failed: BTreeMap<String, f64> = BTreeMap::new();
    for (failure, share) in &outcome.failed {
        let word = match failure.text.split_once(':').map_or("", |(word, _)| word) {
            "connection reset" => "503 UC",
            word => word,
        };
        *failed.entry(word.to_owned()).or_default() += share;
    }
    json!({"versions": versions, "failed": failed, "answered": answered})
}
