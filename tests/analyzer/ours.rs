//! What tidegate finds in an environment of an application as it lies there, change or not.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use tidegate_core::check::{judge, lint};
use tidegate_core::checkout::Checkout;
use tidegate_core::diagnostic::{Diagnostic, Location};
use tidegate_core::manifest::Manifest;
use tidegate_core::model::Environment;
use tidegate_core::prover::Question;
use tidegate_core::repo::{MemoryRepo, RepoPath};
use tidegate_core::schema::config::Config;

/// One environment of one repository.
pub(crate) struct Case {
    pub(crate) name: String,
    /// What is rendered, and a pod of each workload.
    pub(crate) manifests: Vec<Value>,
    pub(crate) findings: Vec<Finding>,
}

/// A diagnostic, and the objects that the places it names are part of, by kind and name.
pub(crate) struct Finding {
    pub(crate) diagnostic: Diagnostic,
    pub(crate) objects: BTreeSet<String>,
}

/// Every environment of an application.
pub(crate) fn cases(name: &str, repo: &MemoryRepo, at: &str) -> Vec<Case> {
    let at = RepoPath::new(at).expect("a path");
    let config =
        Config::load(repo, &RepoPath::root()).unwrap_or_else(|failure| panic!("{name}: {failure:?}"));
    let checkout = Checkout::load(repo, &at, &config).unwrap_or_else(|failure| panic!("{name}: {failure:?}"));
    let linted = lint(&checkout);
    let environments = || checkout.application.environments.values();
    // The lint is about all environments: what is said of objects of others is not said of this one.
    let is_of = |environment: &Environment, diagnostic: &Diagnostic| {
        !objects(environment, diagnostic).is_empty()
            || environments().all(|other| objects(other, diagnostic).is_empty())
    };
    environments()
        .map(|environment| {
            let linted = linted.iter().filter(|diagnostic| is_of(environment, diagnostic));
            let wanted = Some(environment.name.as_str());
            let verdict = judge(&checkout, &checkout, wanted, Question::default(), &|_| false);
            let judged = verdict.diagnostics.into_iter().map(|(_, diagnostic)| diagnostic);
            let findings = linted.cloned().chain(judged).map(|diagnostic| Finding {
                objects: objects(environment, &diagnostic),
                diagnostic,
            });
            Case {
                name: format!("{name}, {}", environment.name),
                manifests: manifests(environment),
                findings: findings.collect(),
            }
        })
        .collect()
}

fn objects(environment: &Environment, diagnostic: &Diagnostic) -> BTreeSet<String> {
    let places = diagnostic
        .location
        .iter()
        .chain(diagnostic.related.iter().map(|(place, _)| place));
    places.flat_map(|place| objects_at(environment, place)).collect()
}

/// The objects that a place is part of: those that a patch is for, those that a document or a place in the spec makes.
fn objects_at<'a>(environment: &'a Environment, place: &'a Location) -> impl Iterator<Item = String> + 'a {
    let patches = environment
        .patches
        .iter()
        .map(|patch| (&patch.target, &patch.origin));
    let base = environment
        .base
        .iter()
        .map(|manifest| (&manifest.object, &manifest.origin));
    let is_part = |origin: &Location| {
        let below = match (place.pointer(), origin.pointer()) {
            (Some(place), Some(origin)) => place.starts_with(origin),
            _ => true,
        };
        place.file == origin.file && place.document() == origin.document() && below
    };
    patches
        .chain(base)
        .filter(move |(_, origin)| is_part(origin))
        .map(|(object, _)| object.to_string())
}

fn manifests(environment: &Environment) -> Vec<Value> {
    let rendered = environment.rendered.iter();
    let pods = environment.rendered.iter().filter_map(pod);
    rendered
        .map(|manifest| manifest.value.clone())
        .chain(pods)
        .collect()
}

/// A pod as a workload's controller would make it.
fn pod(workload: &Manifest) -> Option<Value> {
    let template = workload.value.pointer("/spec/template")?;
    let replicas = workload.value.pointer("/spec/replicas").and_then(Value::as_u64);
    (replicas != Some(0)).then(|| {
        json!({
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "name": format!("{}-0", workload.object.name),
                "namespace": workload.object.namespace,
                "labels": template.pointer("/metadata/labels"),
            },
            "spec": template.get("spec"),
        })
    })
}
