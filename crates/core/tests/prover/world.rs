//! Small worlds for the prover: objects as YAML, outcomes as words.

use tidegate_core::diagnostic::Location;
use tidegate_core::manifest::{Manifest, ManifestSet, ObjectRef};
use tidegate_core::prover::{Outcome, Proof, Question, forecast, prove};
use tidegate_core::provider::ProviderId;
use tidegate_core::repo::RepoPath;
use tidegate_yaml::Stream;

/// What the `Service` called `web` is called by its callers.
pub(crate) const HOST: &str = "web.shop.svc.cluster.local";

/// Objects from YAML; those without a namespace are in `shop`.
pub(crate) fn set(objects: &[&str]) -> ManifestSet {
    let text = objects.join("\n---\n");
    let stream = Stream::parse(text.as_str()).unwrap_or_else(|error| panic!("{error}\n{text}"));
    let manifest = |document: &tidegate_yaml::Document| {
        let value = document.value().clone();
        let mut object = ObjectRef::of(&value).unwrap_or_else(|| panic!("an object: {value}"));
        object.namespace.get_or_insert_with(|| "shop".to_owned());
        Manifest {
            object,
            value,
            origin: Location::file(&RepoPath::new("objects.yaml").expect("a path")),
        }
    };
    ManifestSet::new(stream.documents().iter().map(manifest).collect())
}

/// What is wrong with a change, a line for each thing.
pub(crate) fn told(proof: &Proof) -> String {
    let examples = proof.counter_examples.iter();
    examples
        .map(|example| format!("{:?}: {}\n", example.invariant, example.what))
        .collect()
}

/// A Deployment with two pods, its labels and more of its spec.
pub(crate) fn deployment(name: &str, labels: &str, more: &str) -> String {
    workload("Deployment", name, labels, &format!("replicas: 2, {more}"))
}

/// A workload that makes pods with a port `http`.
pub(crate) fn workload(kind: &str, name: &str, labels: &str, spec: &str) -> String {
    format!(
        "apiVersion: apps/v1\nkind: {kind}\nmetadata: {{name: {name}}}\nspec: {{{spec} template: {{metadata: {{labels: {{{labels}}}}}, \
         spec: {{containers: [{{name: main, ports: [{{name: http, containerPort: 8080}}]}}]}}}}}}"
    )
}

/// A Service and its only workload, which stops all pods before it starts new ones, in some version.
pub(crate) fn recreated(version: &str) -> Vec<String> {
    vec![
        service("app: web"),
        deployment(
            "web",
            &format!("app: web, version: {version}"),
            "strategy: {type: Recreate},",
        ),
    ]
}

/// The Service `web` on port 80.
pub(crate) fn service(selector: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Service\nmetadata: {{name: web}}\n\
         spec: {{selector: {{{selector}}}, ports: [{{name: http, port: 80, targetPort: 8080}}]}}"
    )
}

/// A DestinationRule of `web` with subsets by the label `version`: `v1=v2` is the subset `v1` of the label `v2`.
pub(crate) fn subsets(name: &str, namespace: &str, host: &str, subsets: &[&str], more: &str) -> String {
    let subset = |subset: &&str| {
        let (name, label) = subset.split_once('=').unwrap_or((subset, subset));
        format!("{{name: {name}, labels: {{version: {label}}}}}")
    };
    let subsets: Vec<String> = subsets.iter().map(subset).collect();
    format!(
        "apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {{name: {name}, namespace: {namespace}}}\n\
         spec: {{host: '{host}', {more} subsets: [{}]}}",
        subsets.join(", ")
    )
}

/// A VirtualService in `shop` with the rest of its spec.
pub(crate) fn routes(name: &str, spec: &str) -> String {
    routes_in("shop", name, spec)
}

/// A VirtualService in some namespace.
pub(crate) fn routes_in(namespace: &str, name: &str, spec: &str) -> String {
    format!(
        "apiVersion: networking.istio.io/v1\nkind: VirtualService\n\
         metadata: {{name: {name}, namespace: {namespace}}}\nspec: {{{spec}}}"
    )
}

/// The VirtualService `web` with one rule for both versions.
pub(crate) fn split(v1: u32, v2: u32) -> String {
    routes("web", &format!("hosts: [web], http: [{}]", weighted(v1, v2)))
}

/// A rule with both versions.
pub(crate) fn weighted(v1: u32, v2: u32) -> String {
    format!(
        "{{route: [{{destination: {{host: web, subset: v1}}, weight: {v1}}}, \
         {{destination: {{host: web, subset: v2}}, weight: {v2}}}]}}"
    )
}

/// A rule with a match, `{uri: {prefix: /a}}`, or none, and one subset.
pub(crate) fn rule(matched: &str, subset: &str) -> String {
    let matched = if matched.is_empty() {
        String::new()
    } else {
        format!("match: [{matched}], ")
    };
    format!("{{{matched}route: [{{destination: {{host: web, subset: {subset}}}}}]}}")
}

/// An AuthorizationPolicy with the rest of its spec.
pub(crate) fn policy(namespace: &str, spec: &str) -> String {
    named_policy("policy", namespace, spec)
}

/// Another one.
pub(crate) fn named_policy(name: &str, namespace: &str, spec: &str) -> String {
    format!(
        "apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\n\
         metadata: {{name: {name}, namespace: {namespace}}}\nspec: {{{spec}}}"
    )
}

/// A PeerAuthentication.
pub(crate) fn peer(name: &str, namespace: &str, spec: &str) -> String {
    format!(
        "apiVersion: security.istio.io/v1\nkind: PeerAuthentication\n\
         metadata: {{name: {name}, namespace: {namespace}}}\nspec: {{{spec}}}"
    )
}

/// An autoscaler of a Deployment.
pub(crate) fn autoscaler(target: &str, least: u32) -> String {
    format!(
        "apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: {{name: {target}}}\n\
         spec: {{minReplicas: {least}, maxReplicas: 20, scaleTargetRef: {{kind: Deployment, name: {target}}}}}"
    )
}

/// The Service, both versions, and a DestinationRule with both subsets.
pub(crate) fn base() -> Vec<String> {
    vec![
        service("app: web"),
        deployment("v1", "app: web, version: v1", ""),
        deployment("v2", "app: web, version: v2", ""),
        subsets("web", "shop", HOST, &["v1", "v2"], ""),
    ]
}

/// Those and more.
pub(crate) fn base_and(more: &[String]) -> Vec<String> {
    [base(), more.to_vec()].concat()
}

pub(crate) fn verdict(before: &[String], after: &[String], question: Question) -> Proof {
    prove(ProviderId::Istio, &of(before), &of(after), question)
}

pub(crate) fn of(objects: &[String]) -> ManifestSet {
    set(&objects.iter().map(String::as_str).collect::<Vec<_>>())
}

/// What becomes of a request in one state: `v1 90 %, 503 NC 10 %`; `no such request` where the prover asks no such.
pub(crate) fn outcome(objects: &[String], request: &str) -> String {
    let set = of(objects);
    let state = forecast(ProviderId::Istio, &set, &set, 1).remove(0);
    let found = state
        .outcomes
        .iter()
        .find(|(asked, _)| asked.to_string() == request);
    match found {
        Some((_, outcome)) => words(outcome),
        None => {
            let asked: Vec<String> = state
                .outcomes
                .iter()
                .map(|(asked, _)| asked.to_string())
                .collect();
            format!("no such request: {asked:?}")
        }
    }
}

fn words(outcome: &Outcome) -> String {
    let part = |what: &str, share: f64| format!("{what} {:.0} %", share * 100.0);
    let served = outcome
        .served
        .iter()
        .map(|(workload, share)| part(workload, *share));
    let failed = outcome.failed.iter().map(|(failure, share)| {
        let what = failure
            .text
            .split_once(':')
            .map_or(failure.text.as_str(), |(what, _)| what);
        part(what, *share)
    });
    served.chain(failed).collect::<Vec<_>>().join(", ")
}

/// Tells every row that is not as expected.
pub(crate) fn all(rows: impl IntoIterator<Item = (&'static str, String, String)>) {
    let wrong: Vec<String> = rows
        .into_iter()
        .filter(|(_, found, expected)| found != expected)
        .map(|(rule, found, expected)| format!("{rule}\n  expected {expected}\n  found    {found}"))
        .collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}
