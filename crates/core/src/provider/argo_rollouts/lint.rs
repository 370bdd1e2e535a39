//! What is wrong around Rollouts: what makes one invalid, and two writers of one thing.

use serde_json::Value;

use super::super::backends::services;
use super::super::given::unknown;
use super::routing::{Routing, own_service};
use super::spec::{self, Ends, Named};
use super::{ROLLOUTS, replicas, rollout_of, target_of};
use crate::diagnostic::{Code, Diagnostic};
use crate::manifest::Manifest;
use crate::model::Environment;

/// What is wrong in an environment as it is rendered.
pub(super) fn find(environment: &Environment) -> Vec<Diagnostic> {
    let mut found = ROLLOUTS.twice(environment);
    for rollout in ROLLOUTS.of(environment) {
        found.extend(ROLLOUTS.no_target(environment, rollout));
        found.extend(strategy(rollout));
        found.extend(steps(rollout));
        found.extend(no_service(environment, rollout));
        for named in spec::virtual_services(&rollout.value) {
            found.extend(routes(environment, rollout, &named));
        }
    }
    found
}

/// Why Argo Rollouts cannot take a workload, or why one that it has cannot get a new image by it.
pub(super) fn before(environment: &Environment, workload: &str) -> Vec<Diagnostic> {
    let Some(deployment) = environment.rendered.find("apps", "Deployment", workload) else {
        let message = format!("`{workload}` is not in {}", environment.name);
        let problem = Diagnostic::error(Code::CanaryImpossible, message);
        return vec![problem.hint("deploy it, with its Service, to every environment first")];
    };
    if let Some(rollout) = rollout_of(environment, workload) {
        return own_pods(deployment, rollout).into_iter().collect();
    }
    let mut found = Vec::new();
    if own_service(environment, workload).is_none() {
        let message = format!(
            "no Service selects the pods of `{workload}` in {}",
            environment.name
        );
        let problem = Diagnostic::error(Code::CanaryImpossible, message).at(deployment.origin.clone());
        found.push(problem.hint("a canary needs a Service that selects its pods"));
    }
    if replicas(deployment).is_none_or(|count| count == 0) {
        let message = format!(
            "{} says no number of pods that it could get back",
            deployment.object
        );
        let problem = Diagnostic::error(Code::CanaryImpossible, message);
        let problem = problem.at(deployment.origin.below(&["spec"]).as_key());
        found.push(problem.hint("write `replicas:` first: its pods are the Rollout's for the time"));
    }
    found.extend(scaler(environment, workload));
    if let Some(routing) = Routing::of(environment, workload) {
        found.extend(routing.refusals());
    } else {
        found.extend(other_routes(environment, workload));
    }
    found
}

/// Pods that the Deployment makes itself get a new image at once, whatever the steps say.
fn own_pods(deployment: &Manifest, rollout: &Manifest) -> Option<Diagnostic> {
    if replicas(deployment) == Some(0) || spec::scales_down(&rollout.value) {
        return None;
    }
    let message = format!(
        "{} has pods of its own beside those of {}, which get a new image at once",
        deployment.object, rollout.object
    );
    let problem = Diagnostic::error(Code::CanaryImpossible, message);
    let problem = problem.at(deployment.origin.below(&["spec"]).as_key());
    let hint = format!(
        "write `replicas: 0` once the pods of {} are ready",
        rollout.object
    );
    Some(problem.related(rollout.origin.clone(), "this one").hint(hint))
}

/// An autoscaler of the Deployment scales nothing once the Rollout has the pods.
fn scaler(environment: &Environment, workload: &str) -> Option<Diagnostic> {
    let scaler = environment.rendered.iter().find(|object| {
        let is_scaler = object.object.is("autoscaling", "HorizontalPodAutoscaler")
            || object.object.is("keda.sh", "ScaledObject");
        let is_other = object
            .text("/spec/scaleTargetRef/kind")
            .is_some_and(|kind| kind != "Deployment");
        is_scaler && !is_other && object.text("/spec/scaleTargetRef/name") == Some(workload)
    })?;
    let message = format!(
        "{} scales `{workload}`, and its Rollout, which serves, stays as it is",
        scaler.object
    );
    let problem = Diagnostic::error(Code::CanaryImpossible, message);
    let at = ["spec", "scaleTargetRef"];
    Some(problem.at(scaler.origin.below(&at).as_key()).hint(
        "take it away for the time and say a number of pods; a Rollout that stays can have one of its own",
    ))
}

/// Routes whose weights nobody would move.
fn other_routes(environment: &Environment, workload: &str) -> Vec<Diagnostic> {
    let names: Vec<&str> = services(environment, workload)
        .map(|service| service.object.name.as_str())
        .collect();
    let kinds = [
        ("networking.istio.io", "VirtualService"),
        ("gateway.networking.k8s.io", "HTTPRoute"),
        ("gateway.networking.k8s.io", "GRPCRoute"),
        ("split.smi-spec.io", "TrafficSplit"),
    ];
    let is_route = |object: &&Manifest| kinds.iter().any(|(group, kind)| object.object.is(group, kind));
    let routes = environment.rendered.iter().filter(is_route);
    let routes = routes.filter(|route| names.iter().any(|name| leads(&route.value["spec"], name)));
    let refused = |route: &Manifest| {
        let message = format!(
            "{} leads to the pods of `{workload}`, and its weights are not among those that a release hands over",
            route.object
        );
        let problem = Diagnostic::error(Code::UnsupportedRoute, message).at(route.origin.clone());
        problem.hint("hand over a VirtualService that names the Service without a subset, or take a provider whose weights tidegate writes")
    };
    routes.map(refused).collect()
}

/// Whether a Service is named somewhere in a route, in short or in full.
fn leads(value: &Value, service: &str) -> bool {
    match value {
        Value::String(text) => text.split('.').next() == Some(service),
        Value::Array(items) => items.iter().any(|item| leads(item, service)),
        Value::Object(fields) => fields.values().any(|field| leads(field, service)),
        _ => false,
    }
}

fn strategy(rollout: &Manifest) -> Option<Diagnostic> {
    let (below, wrong) = spec::wrong_strategy(&rollout.value)?;
    let path: Vec<&str> = ["spec", "strategy"].iter().chain(below).copied().collect();
    let is_there = path
        .iter()
        .try_fold(&rollout.value, |value, key| value.get(key))
        .is_some();
    let at = match is_there {
        true => rollout.origin.below(&path).as_key(),
        false => rollout.origin.below(&["spec"]).as_key(),
    };
    let message = format!("{} {wrong}", rollout.object);
    let problem = Diagnostic::error(Code::InvalidValue, message).at(at);
    Some(problem.hint("it needs one strategy; to route requests, a Service for each version"))
}

fn steps(rollout: &Manifest) -> Vec<Diagnostic> {
    let wrong = spec::wrong_steps(&rollout.value).into_iter();
    let told = wrong.map(|wrong| {
        let index = wrong.index.to_string();
        let message = format!("step {} of {} {}", wrong.index + 1, rollout.object, wrong.message);
        let at = ["spec", "strategy", "canary", "steps", &index];
        let problem = Diagnostic::error(Code::InvalidValue, message).at(rollout.origin.below(&at));
        problem.hint(wrong.hint)
    });
    told.collect()
}

/// Services that it names, and that are not there or select other pods.
fn no_service(environment: &Environment, rollout: &Manifest) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for (path, name) in spec::services(&rollout.value) {
        let Some(service) = environment.rendered.find("", "Service", name) else {
            let message = format!(
                "there is no Service `{name}` in {}, so {} is invalid and gets no pods",
                environment.name, rollout.object
            );
            let services = environment.rendered.of_kind("", "Service");
            let hint = "add it in a commit before the Rollout";
            found.push(unknown(message, rollout, &path, name, services, hint));
            continue;
        };
        let target = target_of(&rollout.value);
        let template = match target {
            Some(target) => environment.rendered.find("apps", "Deployment", target),
            None => Some(rollout),
        };
        let (Some(selector), Some(labels)) = (
            service.value.pointer("/spec/selector").and_then(Value::as_object),
            template.and_then(Manifest::pod_labels),
        ) else {
            continue;
        };
        let mut selected = selector.iter().filter(|(key, _)| *key != HASH);
        if let Some((key, _)) = selected.find(|(key, value)| labels.get(*key) != Some(*value)) {
            let message = format!(
                "{} selects by `{key}`, which the pods of {} do not have so: it is invalid",
                service.object, rollout.object
            );
            let at = service.origin.below(&["spec", "selector", key]).as_key();
            let problem = Diagnostic::error(Code::InvalidValue, message).at(at);
            let problem = problem.related(rollout.origin.below(&path), "named here");
            found.push(problem.hint("select by labels of the template alone; the controller adds its own"));
        }
    }
    found
}

/// The label by which the controller narrows a Service.
const HASH: &str = "rollouts-pod-template-hash";

/// Routes that it names and that it cannot move, or that somebody else moves too.
fn routes(environment: &Environment, rollout: &Manifest, named: &Named) -> Vec<Diagnostic> {
    let mut path: Vec<&str> = named.at.iter().map(String::as_str).collect();
    path.push("name");
    let (group, kind) = ("networking.istio.io", "VirtualService");
    let Some(routes) = environment.rendered.find(group, kind, &named.name) else {
        let message = format!(
            "there is no VirtualService `{}` in {}, so {} is invalid",
            named.name, environment.name, rollout.object
        );
        let known = environment.rendered.of_kind(group, kind);
        let hint = "add it in a commit before the Rollout";
        return vec![unknown(message, rollout, &path, &named.name, known, hint)];
    };
    let ends = Ends::of(&rollout.value);
    if let Some(lacks) = spec::lacking(&routes.value, named, &ends) {
        let message = format!("{} {lacks}, so {} is invalid", routes.object, rollout.object);
        let problem = Diagnostic::error(Code::UnsupportedRoute, message).at(routes.origin.clone());
        let problem = problem.related(rollout.origin.below(&path), "named here");
        return vec![
            problem.hint("let each route that it moves have a name and lead to both, with weights 100 and 0"),
        ];
    }
    let others = spec::other_weights(&routes.value, named, &ends).into_iter();
    let told = others.map(|(route, entry, weight)| {
        let message = format!(
            "{} gives the new pods {weight} % itself, and {} moves that weight",
            routes.object, rollout.object
        );
        let (route, entry) = (route.to_string(), entry.to_string());
        let at = ["spec", "http", &route, "route", &entry, "weight"];
        let problem = Diagnostic::error(Code::ContestedWeight, message).at(routes.origin.below(&at));
        let problem = problem.related(rollout.origin.below(&path), "named here");
        problem.hint("write 100 and 0, and let `steps` of the Rollout say the rest")
    });
    told.collect()
}
