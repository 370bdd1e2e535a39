//! What is wrong around Canary objects: two writers of one thing, and targets that Flagger cannot tell from their clones.

use serde_json::Value;

use super::super::backends::services;
use super::{
    CANARIES, SELECTOR_LABELS, is_suspended, scaler, service_of, taken_over, target_of, unknown_provider,
};
use crate::diagnostic::{Code, Diagnostic};
use crate::manifest::Manifest;
use crate::model::Environment;

/// What is wrong in an environment as it is rendered.
pub(super) fn find(environment: &Environment) -> Vec<Diagnostic> {
    let mut found = CANARIES.twice(environment);
    for canary in CANARIES.of(environment) {
        found.extend(unknown_provider(canary));
        let Some(target) = target_of(&canary.value) else {
            continue;
        };
        let deployment = environment.rendered.find("apps", "Deployment", target);
        found.extend(match deployment {
            None => CANARIES.no_target(environment, canary),
            Some(deployment) => labels(deployment).map(|problem| {
                problem.related(
                    canary.origin.below(&["spec", "targetRef"]),
                    "given to Flagger here",
                )
            }),
        });
        if !is_suspended(&canary.value) {
            found.extend(own_service(environment, canary));
            found.extend(own_scaler(environment, canary, target));
        }
    }
    found
}

/// Why Flagger cannot take a workload.
pub(super) fn before(environment: &Environment, workload: &str) -> Vec<Diagnostic> {
    let Some(deployment) = environment.rendered.find("apps", "Deployment", workload) else {
        let message = format!("`{workload}` is not in {}", environment.name);
        let problem = Diagnostic::error(Code::CanaryImpossible, message);
        return vec![problem.hint("deploy it, with its Service, to every environment first")];
    };
    let mut found: Vec<Diagnostic> = labels(deployment).into_iter().collect();
    let Some(service) = taken_over(environment, workload) else {
        let message = format!(
            "no Service selects the pods of `{workload}` in {}",
            environment.name
        );
        let problem = Diagnostic::error(Code::CanaryImpossible, message).at(deployment.origin.clone());
        found.push(problem.hint("a canary needs a Service that selects its pods"));
        return found;
    };
    found.extend(shape(service));
    let others = services(environment, workload).filter(|other| other.object != service.object);
    found.extend(others.map(|other| {
        let message = format!(
            "{} selects the pods of `{workload}` as well, which Flagger scales to nothing",
            other.object
        );
        let problem = Diagnostic::error(Code::CanaryImpossible, message);
        let problem = problem.at(other.origin.below(&["spec", "selector"]).as_key());
        let name = &service.object.name;
        problem.hint(format!("let its callers call `{name}`, and take it away first"))
    }));
    found
}

/// Services that Flagger would not write as they are.
fn shape(service: &Manifest) -> Vec<Diagnostic> {
    let refused = |what: String, path: &[&str], hint: &str| {
        let message = format!("{} {what}", service.object);
        let problem = Diagnostic::error(Code::CanaryImpossible, message);
        problem.at(service.origin.below(path)).hint(hint)
    };
    let mut found = Vec::new();
    let ports = service.value.pointer("/spec/ports").and_then(Value::as_array);
    if ports.is_none_or(|ports| ports.len() != 1) {
        let count = ports.map_or(0, Vec::len);
        let hint = "write the Canary yourself, with `portDiscovery`, and run `tidegate init` again";
        let what = format!("has {count} ports, and Flagger writes the one that its Canary names");
        found.push(refused(what, &["spec", "ports"], hint));
    }
    let kind = service.text("/spec/type").filter(|kind| *kind != "ClusterIP");
    if let Some(kind) = kind {
        let hint = "put a Service of type ClusterIP behind it first: Flagger writes no other";
        found.push(refused(format!("is of type {kind}"), &["spec", "type"], hint));
    }
    if service.text("/spec/clusterIP") == Some("None") {
        let hint = "give it an address first, or write the Canary yourself, with `headless: true`";
        found.push(refused("is headless".to_owned(), &["spec", "clusterIP"], hint));
    }
    found
}

/// The clone gets another value of one label; what else selects both selects them alike.
///
/// Source: fluxcd/flagger#809.
fn labels(deployment: &Manifest) -> Option<Diagnostic> {
    let selector = deployment.value.pointer("/spec/selector/matchLabels");
    let selector = selector.and_then(Value::as_object)?;
    let at = |keys: &[&str]| {
        let path: Vec<&str> = ["spec", "selector", "matchLabels"]
            .iter()
            .chain(keys)
            .copied()
            .collect();
        deployment.origin.below(&path).as_key()
    };
    let own = SELECTOR_LABELS
        .iter()
        .find(|label| selector.contains_key(**label));
    let Some(own) = own else {
        let message = format!(
            "{} is selected by none of the labels that Flagger knows",
            deployment.object
        );
        let problem = Diagnostic::error(Code::CanaryImpossible, message).at(at(&[]));
        let hint = format!("select its pods by one of these: {}", SELECTOR_LABELS.join(", "));
        return Some(problem.hint(hint));
    };
    let (key, _) = selector.iter().find(|(key, _)| key.as_str() != *own)?;
    let message = format!(
        "{} is selected by `{key}` besides `{own}`, which its clone has too",
        deployment.object
    );
    let problem = Diagnostic::error(Code::CanaryImpossible, message).at(at(&[key]));
    Some(problem.hint(format!(
        "select its pods by `{own}` alone; a selector cannot change, so under another name"
    )))
}

/// A Service that both the repository and Flagger write: each sync takes the requests back to pods that Flagger has scaled to
/// nothing. Sources: fluxcd/flagger#208, #243.
fn own_service(environment: &Environment, canary: &Manifest) -> Option<Diagnostic> {
    let name = service_of(&canary.value)?;
    let service = environment.rendered.find("", "Service", &name)?;
    let message = format!("{} is written by {} as well", service.object, canary.object);
    let problem =
        Diagnostic::error(Code::ContestedService, message).at(service.origin.below(&["metadata", "name"]));
    let problem = problem.related(canary.origin.clone(), "Flagger writes it for this one");
    let hint = "keep it in the cluster and out of the repository: `argocd.argoproj.io/sync-options: Prune=false` in one commit, the file gone in the next";
    Some(problem.hint(hint))
}

/// An autoscaler that Flagger does not know of: it clones none for the pods that serve.
fn own_scaler(environment: &Environment, canary: &Manifest, target: &str) -> Option<Diagnostic> {
    let scaler = scaler(environment, target)?;
    let known = canary.text("/spec/autoscalerRef/name");
    if known == Some(&scaler.object.name) {
        return None;
    }
    let message = format!(
        "{} scales `{target}`, and its clone, which serves, stays as it is",
        scaler.object
    );
    let problem = Diagnostic::warning(Code::CanaryImpossible, message);
    let problem = problem.at(canary.origin.below(&["spec"]));
    let (kind, name) = (&scaler.object.kind, &scaler.object.name);
    let hint = format!(
        "tell Flagger of it: `autoscalerRef: {{apiVersion: {}, kind: {kind}, name: {name}}}`",
        scaler.object.api_version
    );
    Some(problem.related(scaler.origin.clone(), "this one").hint(hint))
}
