//! What all traffic systems have in common that split between backends: lists of them with weights, in routes of the
//! user's or in one of ours.
//!
//! The workload is reached as before and its copy gets a backend of its own, so a release adds an entry to each list that names
//! the workload's, and takes it out again.

use jsonptr::PointerBuf;
use serde_json::{Value, json};

use super::{Basis, CopyIntent, Intent, Observed, Previews, Provider, ProviderId};
use super::{same_weight, weight_operations};
use crate::diagnostic::{Code, Diagnostic};
use crate::manifest::{Manifest, ObjectRef};
use crate::model::{Application, Environment, Form, Release, Routes, Shape, Weight};

mod pair;
mod rules;

use pair::Pair;
pub(super) use rules::Rules;

/// The shape of a traffic system's routes.
pub(super) trait Backends: Sync {
    /// Its name.
    fn id(&self) -> ProviderId;

    /// Whether an object is one of its routes.
    fn is_route(&self, object: &ObjectRef) -> bool;

    /// Where lists of backends stand in a route.
    fn lists(&self, route: &Value) -> Vec<PointerBuf>;

    /// The JSONPath of these lists, for a person who looks at a live route.
    fn lists_path(&self) -> &'static str;

    /// The backend that an entry of a list names, where it is one of the route's namespace.
    fn backend(&self, route: &ObjectRef, entry: &Value) -> Option<String>;

    /// The same entry for another backend.
    fn named(&self, entry: &Value, backend: &str) -> Value;

    /// What an entry without a weight counts.
    fn default_weight(&self) -> u64;

    /// What the only entry of a list has to say as its weight, where it may not leave it out.
    fn least_weight(&self) -> Option<u64> {
        None
    }

    /// What routes call a Service's pods, where that is not the Service's name.
    fn name_of(&self, _environment: &Environment, service: &Manifest) -> Option<String> {
        Some(service.object.name.clone())
    }

    /// What stands beside a Service that a copy needs once more to be reached in the same way.
    fn beside<'e>(&self, _environment: &'e Environment, _service: &Manifest) -> Vec<&'e Manifest> {
        Vec::new()
    }

    /// The hosts that a route is for, as the outside calls them.
    fn hosts(&self, route: &Value) -> Vec<String>;

    /// The rules of its routes; `None` where they do not tell requests apart.
    fn rules(&self) -> Option<&dyn Rules> {
        None
    }

    /// What is wrong with its objects, release or not.
    fn lint(&self, _application: &Application) -> Vec<Diagnostic> {
        Vec::new()
    }

    /// A route of ours for callers of a Service that no route of the user's is about, with the list of backends
    /// empty; `None` where the user has to write one.
    fn own_route(&self, _service: &Manifest) -> Option<Value> {
        None
    }

    /// One entry for a Service in a route of ours.
    fn entry(&self, _service: &Manifest, name: &str) -> Value {
        json!({"service": name})
    }
}

impl<B: Backends> Provider for B {
    fn id(&self) -> ProviderId {
        Backends::id(self)
    }

    fn form(&self) -> Form {
        Form::Backends
    }

    fn previews(&self) -> Previews {
        let rules = self.rules();
        Previews {
            matches: rules.is_some(),
            mirrors: rules.is_some_and(Rules::can_copy),
        }
    }

    fn is_used(&self, application: &Application, workload: &str, environment: &str) -> bool {
        let environment = &application.environments[environment];
        services(environment, workload).any(|service| is_routed(self, environment, service))
    }

    fn lint(&self, application: &Application) -> Vec<Diagnostic> {
        Backends::lint(self, application)
    }

    fn check_start(&self, application: &Application, release: &Release) -> Vec<Diagnostic> {
        let mut problems = Vec::new();
        for environment in application.environments.values() {
            let Some(pair) = Pair::of(self, application, release, environment) else {
                let message = format!(
                    "routes of {} have no way to reach the pods of `{}` in {}",
                    Backends::id(self).as_str(),
                    release.workload,
                    environment.name
                );
                let problem = Diagnostic::error(Code::CanaryImpossible, message);
                let problem = problem.at(application.workloads[&release.workload].origin.clone());
                problems.push(problem.hint("deploy the workload, its Service and what the traffic system needs beside it to every environment first"));
                continue;
            };
            if let Some(found) = other_image(application, &release.workload, environment) {
                problems
                    .push(found.hint("let every environment run the same version before a release begins"));
            }
            problems.extend(pair.other_services());
            problems.extend(pair.routes_elsewhere());
            problems.extend(pair.taken_route());
            if pair.all_routes().next().is_none() && self.own_route(pair.service).is_none() {
                let message = format!(
                    "no route leads to {} in {}",
                    pair.service.object, environment.name
                );
                let problem = Diagnostic::error(Code::CanaryImpossible, message);
                let problem = problem.at(pair.service.origin.clone());
                problems.push(problem.hint("write one, so that a release has weights to set"));
            }
            problems.extend(pair.taken_name());
            let routes = release.previewed(&environment.name, Weight::ZERO);
            problems.extend(pair.routes(routes, release.from_weight).err());
        }
        problems
    }

    fn hosts(&self, application: &Application, release: &Release, environment: &str) -> Vec<String> {
        let environment = &application.environments[environment];
        let Some(pair) = Pair::of(self, application, release, environment) else {
            return Vec::new();
        };
        let routes = pair.user_routes();
        let mut hosts: Vec<String> = routes
            .flat_map(|route| Backends::hosts(self, &route.value))
            .collect();
        if hosts.is_empty() {
            hosts.push(pair.service.object.name.clone());
        }
        hosts
    }

    fn own_weight(&self, application: &Application, release: &Release) -> Result<Option<u64>, Diagnostic> {
        let mut weights = Vec::new();
        for environment in application.environments.values() {
            let Some(pair) = Pair::of(self, application, release, environment) else {
                continue;
            };
            for route in pair.user_routes() {
                let lists = self.lists(&route.value).into_iter();
                weights.extend(lists.filter_map(|list| {
                    let weight = pair.only(route, &list)?.get("weight").and_then(weight);
                    Some((weight, route.origin.below_pointer(&list)))
                }));
            }
        }
        same_weight(
            weights,
            "some routes give their only backend a weight and others another or none",
            "a single backend gets everything anyway: write the same at each, or none",
        )
    }

    fn emit(
        &self,
        application: &Application,
        release: &Release,
        shape: &Shape,
        _basis: Basis,
    ) -> Result<Vec<Intent>, Vec<Diagnostic>> {
        let mut intents = Vec::new();
        let mut problems = Vec::new();
        if shape.copy {
            intents.push(Intent::Copy(CopyIntent {
                of: release.workload.clone(),
                key: release.copy.clone(),
                labels: indexmap::IndexMap::new(),
                image: release.canary.clone(),
                replicas: indexmap::IndexMap::new(),
            }));
        }
        match promote(application, release, shape) {
            Ok(promoted) => intents.extend(promoted),
            Err(unlike) => problems.extend(unlike),
        }
        for environment in application.environments.values() {
            let Some(pair) = Pair::of(self, application, release, environment) else {
                continue;
            };
            let environments = || vec![environment.name.clone()];
            match shape.subsets {
                true => intents.extend(pair.objects().map(|object| Intent::Backend {
                    environments: environments(),
                    of: object.object.clone(),
                    name: release.name_for_copy(&object.object.name),
                })),
                false => intents.extend(pair.objects().filter_map(|object| {
                    let object = pair.of_copy(object)?.object.clone();
                    let environments = environments();
                    Some(Intent::NoObject { environments, object })
                })),
            }
            let routes = shape.routes.get(&environment.name).copied();
            match pair.routes(routes.unwrap_or(Routes::Plain), release.from_weight) {
                Ok(routes) => intents.extend(routes),
                Err(wrong) => problems.push(wrong),
            }
        }
        if problems.is_empty() {
            Ok(intents)
        } else {
            Err(problems)
        }
    }

    fn observe(&self, application: &Application, release: &Release, environment: &str) -> Observed {
        let has_copy = application
            .deployed(environment, &release.copy, "apps", "Deployment")
            .is_some();
        let environment = &application.environments[environment];
        let mut observed = Observed::of_copy(has_copy);
        if let Some(pair) = Pair::of(self, application, release, environment) {
            observed.subsets = pair.objects().all(|object| pair.of_copy(object).is_some());
            pair.observe_routes(&mut observed);
            pair.observe_preview(&mut observed);
            observed.drift.extend(pair.overlap());
        }
        observed
    }

    fn weighted(
        &self,
        application: &Application,
        release: &Release,
        environment: &str,
    ) -> Vec<(ObjectRef, &'static str)> {
        let environment = &application.environments[environment];
        let Some(pair) = Pair::of(self, application, release, environment) else {
            return Vec::new();
        };
        let mut routes: Vec<ObjectRef> = pair.all_routes().map(|route| route.object.clone()).collect();
        if routes.is_empty() {
            routes.extend(self.own_route(pair.service).and_then(|own| ObjectRef::of(&own)));
        }
        let weighted = |route| (route, self.lists_path());
        routes.into_iter().map(weighted).collect()
    }

    fn live_patches(
        &self,
        application: &Application,
        release: &Release,
        environment: &str,
        routes: Routes,
    ) -> Vec<(ObjectRef, Value)> {
        let environment = &application.environments[environment];
        let pair = Pair::of(self, application, release, environment);
        let (Some(pair), Some(canary)) = (pair, routes.canary()) else {
            return Vec::new();
        };
        let mut patches = Vec::new();
        for route in pair.all_routes() {
            let version = |entry: &Value| pair.version(route, entry);
            let lists = pair.split_lists(route);
            let mut operations = weight_operations(&route.value, lists, version, canary);
            operations.extend(pair.preview_operations(route, routes));
            if !operations.is_empty() {
                patches.push((route.object.clone(), Value::Array(operations)));
            }
        }
        patches
    }
}

/// The copy's image on the workload, where a shape wants it.
///
/// Errors: copies that run different images.
pub(super) fn promote(
    application: &Application,
    release: &Release,
    shape: &Shape,
) -> Result<Option<Intent>, Vec<Diagnostic>> {
    // Of one image the flag says which version runs.
    if !shape.promoted || release.flag().is_some() {
        return Ok(None);
    }
    let environments = application.environments.values().filter(|_| shape.copy);
    let unlike = environments.filter_map(|environment| other_image(application, &release.copy, environment));
    let hint = "give every copy the image that the workload is to get";
    let unlike: Vec<Diagnostic> = unlike.map(|found| found.hint(hint)).collect();
    if !unlike.is_empty() {
        return Err(unlike);
    }
    let copy = application.workloads.get(&release.copy);
    let tag = copy.and_then(|copy| copy.image.as_ref()?.tag.clone());
    let workload = release.workload.clone();
    Ok(tag.map(|tag| Intent::Tag { workload, tag }))
}

/// A release begins from one version and ends in one: environments that run different images have to meet first.
pub(super) fn other_image(
    application: &Application,
    workload: &str,
    environment: &Environment,
) -> Option<Diagnostic> {
    let image = |name: &str| {
        let deployment = application.deployed(name, workload, "apps", "Deployment")?;
        Some((
            deployment.text("/spec/template/spec/containers/0/image")?,
            deployment,
        ))
    };
    let first = application.environments.keys().next()?;
    let ((one, at), (other, other_at)) = (image(first)?, image(&environment.name)?);
    (one != other).then(|| {
        let message = format!("{first} runs `{one}`, {} runs `{other}`", environment.name);
        Diagnostic::error(Code::CanaryImpossible, message)
            .at(other_at.origin.clone())
            .related(at.origin.clone(), "unlike this one")
    })
}

/// The Services that select a workload's pods.
pub(super) fn services<'e>(
    environment: &'e Environment,
    workload: &str,
) -> impl Iterator<Item = &'e Manifest> {
    let parts = environment.parts.get(workload).into_iter().flatten();
    let objects = parts.map(|index| &environment.base[*index]);
    objects.filter(|object| object.object.is("", "Service"))
}

/// Whether some route has a Service among its backends.
fn is_routed<B: Backends + ?Sized>(backends: &B, environment: &Environment, service: &Manifest) -> bool {
    let backend = backends.name_of(environment, service);
    backend.is_some_and(|backend| {
        let mut routes = environment.base.iter();
        routes.any(|route| names(backends, route, &backend))
    })
}

/// A route of ours, called like the Service that it is for.
pub(super) fn route_of(service: &Manifest, api_version: &str, kind: &str, spec: Value) -> Value {
    let ObjectRef { name, namespace, .. } = &service.object;
    let mut metadata = json!({"name": name});
    if let Some(namespace) = namespace {
        metadata["namespace"] = json!(namespace);
    }
    json!({"apiVersion": api_version, "kind": kind, "metadata": metadata, "spec": spec})
}

/// Whether a route has one among its backends.
fn names<B: Backends + ?Sized>(backends: &B, route: &Manifest, backend: &str) -> bool {
    backends.is_route(&route.object)
        && backends.lists(&route.value).iter().any(|list| {
            let entries = list.resolve(&route.value).ok().and_then(Value::as_array);
            let mut entries = entries.into_iter().flatten();
            entries.any(|entry| backends.backend(&route.object, entry).as_deref() == Some(backend))
        })
}

/// A weight; older TrafficSplits write it as text.
pub(super) fn weight(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}
