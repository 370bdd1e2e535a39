//! What all traffic systems have in common that split between backends: lists of them with weights, in routes of the
//! user's or in one of ours.
//!
//! The workload is reached as before and its copy gets a backend of its own, so a release adds an entry to each list that names
//! the workload's, and takes it out again.

use jsonptr::PointerBuf;
use serde_json::{Map, Value, json};

use super::{Basis, CopyIntent, Intent, Observed, Provider, ProviderId};
use crate::diagnostic::{Code, Diagnostic, Location};
use crate::manifest::{Manifest, ObjectRef};
use crate::model::{Application, Environment, Form, Release, Routes, Shape, Version, Weight};

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

    fn is_used(&self, application: &Application, workload: &str) -> bool {
        let has_route = |environment: &Environment| {
            services(environment, workload).any(|service| is_routed(self, environment, service))
        };
        application.environments.values().all(has_route)
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
            problems.extend(pair.routes(Routes::Both(Weight::ZERO), release.from_weight).err());
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
        let mut found: Option<(Option<u64>, Location)> = None;
        for environment in application.environments.values() {
            let Some(pair) = Pair::of(self, application, release, environment) else {
                continue;
            };
            for route in pair.user_routes() {
                for list in self.lists(&route.value) {
                    let Some(entry) = pair.only(route, &list) else {
                        continue;
                    };
                    let weight = entry.get("weight").and_then(weight);
                    let at = route.origin.below_pointer(&list);
                    match &found {
                        Some((known, other)) if *known != weight => {
                            let message =
                                "some routes give their only backend a weight and others another or none";
                            return Err(Diagnostic::error(Code::CanaryImpossible, message)
                                .at(at)
                                .related(other.clone(), "unlike this one")
                                .hint(
                                    "a single backend gets everything anyway: write the same at each, or none",
                                ));
                        }
                        _ => found = Some((weight, at)),
                    }
                }
            }
        }
        Ok(found.and_then(|(weight, _)| weight))
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
            }));
        }
        let copy = application.workloads.get(&release.copy);
        let tag = copy.and_then(|copy| copy.image.as_ref()?.tag.clone());
        if let Some(tag) = tag.filter(|_| shape.promoted) {
            let workload = release.workload.clone();
            intents.push(Intent::Tag { workload, tag });
        }
        for environment in application.environments.values() {
            let Some(pair) = Pair::of(self, application, release, environment) else {
                continue;
            };
            let unlike = other_image(application, &release.copy, environment);
            if let Some(found) = unlike.filter(|_| shape.promoted && shape.copy) {
                problems.push(found.hint("give every copy the image that the workload is to get"));
            }
            if shape.subsets {
                intents.extend(pair.objects().map(|object| Intent::Backend {
                    environments: vec![environment.name.clone()],
                    of: object.object.clone(),
                    name: release.name_for_copy(&object.object.name),
                }));
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
        let mut observed = Observed {
            labels: false,
            copy: has_copy,
            subsets: false,
            wide: false,
            promoted: false,
            routes: Routes::Plain,
            routes_at: None,
            drift: Vec::new(),
        };
        if let Some(pair) = Pair::of(self, application, release, environment) {
            observed.subsets = pair.objects().all(|object| pair.of_copy(object).is_some());
            pair.observe_routes(&mut observed);
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
        canary: Weight,
    ) -> Vec<(ObjectRef, Value)> {
        let environment = &application.environments[environment];
        let Some(pair) = Pair::of(self, application, release, environment) else {
            return Vec::new();
        };
        let mut patches = Vec::new();
        for route in pair.all_routes() {
            let mut operations = Vec::new();
            for list in self.lists(&route.value) {
                let entries = list.resolve(&route.value).ok().and_then(Value::as_array);
                for (index, entry) in entries.into_iter().flatten().enumerate() {
                    let Some(version) = pair.version(route, entry) else {
                        continue;
                    };
                    let weight = match version {
                        Version::Canary => canary,
                        Version::Stable => canary.rest(),
                    };
                    let path = format!("{list}/{index}/weight");
                    operations.push(json!({"op": "replace", "path": path, "value": weight.percent()}));
                }
            }
            if !operations.is_empty() {
                patches.push((route.object.clone(), Value::Array(operations)));
            }
        }
        patches
    }
}

/// A release begins from one version and ends in one: environments that run different images have to meet first.
fn other_image(application: &Application, workload: &str, environment: &Environment) -> Option<Diagnostic> {
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
fn services<'e>(environment: &'e Environment, workload: &str) -> impl Iterator<Item = &'e Manifest> {
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

/// The two backends of a release in one environment.
struct Pair<'a, B: ?Sized> {
    backends: &'a B,
    application: &'a Application,
    release: &'a Release,
    environment: &'a Environment,
    /// The workload's Service: of several the one that routes name.
    service: &'a Manifest,
    /// What routes call the workload.
    stable: String,
    /// What they call its copy.
    copy: String,
}

impl<'a, B: Backends> Pair<'a, B> {
    fn of(
        backends: &'a B,
        application: &'a Application,
        release: &'a Release,
        environment: &'a Environment,
    ) -> Option<Self> {
        let services = || services(environment, &release.workload);
        let routed = services().find(|service| is_routed(backends, environment, service));
        let service = routed.or_else(|| services().next())?;
        let stable = backends.name_of(environment, service)?;
        Some(Self {
            backends,
            application,
            release,
            environment,
            service,
            copy: release.name_for_copy(&stable),
            stable,
        })
    }

    /// What makes the workload reachable: its Service and what stands beside it.
    fn objects(&self) -> impl Iterator<Item = &'a Manifest> {
        let beside = self.backends.beside(self.environment, self.service);
        std::iter::once(self.service).chain(beside)
    }

    /// The same for the copy, where it is there.
    fn of_copy(&self, object: &Manifest) -> Option<&'a Manifest> {
        let name = self.release.name_for_copy(&object.object.name);
        let mut objects = self.environment.base.iter();
        objects.find(|manifest| {
            manifest.object.is(object.object.group(), &object.object.kind)
                && manifest.object.name == name
                && manifest.object.namespace == object.object.namespace
        })
    }

    /// Only one of several Services can be split.
    fn other_services(&self) -> Vec<Diagnostic> {
        let others = services(self.environment, &self.release.workload)
            .filter(|other| other.object != self.service.object)
            .filter(|other| is_routed(self.backends, self.environment, other));
        let refusal = |other: &Manifest| {
            let workload = &self.release.workload;
            let message = format!("routes reach `{workload}` by {} too", other.object);
            Diagnostic::error(Code::UnsupportedRoute, message)
                .at(other.origin.clone())
                .related(self.service.origin.clone(), "besides this one")
                .hint("let all routes name the same Service before the release")
        };
        others.map(refusal).collect()
    }

    /// Routes to the workload that are not in the namespace of its Service: they would go on without the copy.
    fn routes_elsewhere(&self) -> Vec<Diagnostic> {
        let own = &self.service.object.namespace;
        let is_about = |route: &Manifest| {
            let as_if_here = ObjectRef {
                namespace: own.clone(),
                ..route.object.clone()
            };
            let is_unsaid = own.is_none() != route.object.namespace.is_none();
            let lists = self.backends.lists(&route.value).into_iter();
            let mut entries = lists.flat_map(|list| {
                let entries = list.resolve(&route.value).ok().and_then(Value::as_array);
                entries.into_iter().flatten()
            });
            entries.any(|entry| match self.backends.backend(&route.object, entry) {
                Some(name) => is_unsaid && name == self.stable,
                None => self.backends.backend(&as_if_here, entry).as_ref() == Some(&self.stable),
            })
        };
        let routes = self.environment.base.iter().filter(|route| {
            self.backends.is_route(&route.object) && route.object.namespace != *own && is_about(route)
        });
        let say = |namespace: &Option<String>| match namespace {
            Some(namespace) => format!("in namespace `{namespace}`"),
            None => "in no namespace".to_owned(),
        };
        let refusal = |route: &Manifest| {
            let message = format!(
                "{} is {}, {} to which it leads is {}",
                route.object,
                say(&route.object.namespace),
                self.service.object,
                say(own)
            );
            Diagnostic::error(Code::UnsupportedRoute, message)
                .at(route.origin.clone())
                .related(self.service.origin.clone(), "the Service")
                .hint("let both say the same namespace before the release")
        };
        routes.map(refusal).collect()
    }

    /// Something of the user's where a route of ours would be.
    fn taken_route(&self) -> Option<Diagnostic> {
        if self.all_routes().next().is_some() {
            return None;
        }
        let own = ObjectRef::of(&self.backends.own_route(self.service)?)?;
        let name = &self.service.object.name;
        let is_host = |host: &String| host.split('.').next() == Some(name);
        let taken = self.environment.base.iter().find(|route| {
            self.backends.is_route(&route.object)
                && route.object.namespace == own.namespace
                && (route.object.name == own.name || self.backends.hosts(&route.value).iter().any(is_host))
        })?;
        let message = format!(
            "{} is there already, and sends nothing to {} by weights that could be set",
            taken.object, self.service.object
        );
        Some(
            Diagnostic::error(Code::UnsupportedRoute, message)
                .at(taken.origin.clone())
                .hint(format!(
                    "let it name `{}` before the release, or rename it",
                    self.stable
                )),
        )
    }

    fn taken_name(&self) -> Option<Diagnostic> {
        let taken = self.objects().find_map(|object| self.of_copy(object))?;
        let message = format!(
            "the copy would be reached by {}, which is there already",
            taken.object
        );
        Some(
            Diagnostic::error(Code::CanaryImpossible, message)
                .at(taken.origin.clone())
                .hint("rename it first"),
        )
    }

    /// A Service of one version that selects the pods of both would mix them, whatever the routes say.
    fn overlap(&self) -> Option<Diagnostic> {
        let pods = |workload: &str| {
            let name = &self.environment.name;
            let deployment = self.application.deployed(name, workload, "apps", "Deployment")?;
            deployment.pod_labels()
        };
        let (own, copy) = (pods(&self.release.workload)?, pods(&self.release.copy)?);
        let services = [Some(self.service), self.of_copy(self.service)];
        services.into_iter().flatten().find_map(|service| {
            let selector = service.value.pointer("/spec/selector")?.as_object()?;
            let selects = |pods: &Map<String, Value>| {
                let mut labels = selector.iter();
                labels.all(|(key, value)| pods.get(key) == Some(value))
            };
            (selects(own) && selects(copy)).then(|| {
                let message = format!(
                    "{} selects the pods of `{}` and of `{}`",
                    service.object, self.release.workload, self.release.copy
                );
                Diagnostic::error(Code::AccidentalSelection, message)
                    .at(service.origin.below(&["spec", "selector"]).as_key())
                    .hint("select by a label that the Deployment selects by too, so that the copy can have another value")
            })
        })
    }

    /// Routes with one of the two among their backends.
    fn all_routes(&self) -> impl Iterator<Item = &'a Manifest> {
        let routes = self.environment.base.iter();
        routes.filter(|route| {
            route.object.namespace == self.service.object.namespace
                && (names(self.backends, route, &self.stable) || names(self.backends, route, &self.copy))
        })
    }

    /// Those that were there before the release.
    fn user_routes(&self) -> impl Iterator<Item = &'a Manifest> {
        self.all_routes()
            .filter(|route| !self.application.owns(&route.origin))
    }

    fn version(&self, route: &Manifest, entry: &Value) -> Option<Version> {
        match self.backends.backend(&route.object, entry)? {
            name if name == self.stable => Some(Version::Stable),
            name if name == self.copy => Some(Version::Canary),
            _ => None,
        }
    }

    /// The entry of a list that names the workload's Service alone.
    fn only<'v>(&self, route: &'v Manifest, list: &PointerBuf) -> Option<&'v Value> {
        match list.resolve(&route.value).ok()?.as_array()?.as_slice() {
            [only] => (self.version(route, only) == Some(Version::Stable)).then_some(only),
            _ => None,
        }
    }

    /// What makes the routes of the environment say what is wanted.
    fn routes(&self, wanted: Routes, from_weight: Option<u64>) -> Result<Vec<Intent>, Diagnostic> {
        let environments = || vec![self.environment.name.clone()];
        let mut intents = Vec::new();
        for route in self.user_routes() {
            let mut value = route.value.clone();
            for list in self.backends.lists(&route.value) {
                let entries = list.resolve(&route.value).ok().and_then(Value::as_array);
                let entries = entries.map_or(&[][..], Vec::as_slice);
                let split = self
                    .split(route, entries, wanted, from_weight)
                    .map_err(|reason| {
                        let message = format!("{} {reason}", route.object);
                        Diagnostic::error(Code::UnsupportedRoute, message)
                            .at(route.origin.below_pointer(&list))
                            .hint("give this traffic a route of its own before the release")
                    })?;
                if let (Some(split), Ok(place)) = (split, list.resolve_mut(&mut value)) {
                    *place = Value::Array(split);
                }
            }
            intents.push(Intent::Patch {
                environments: environments(),
                target: route.object.clone(),
                fields: json!({"spec": value["spec"]}),
            });
        }
        if intents.is_empty()
            && let Some(mut own) = self.backends.own_route(self.service)
        {
            let Routes::Both(canary) = wanted else {
                return Ok(ObjectRef::of(&own)
                    .map(|object| Intent::NoObject {
                        environments: environments(),
                        object,
                    })
                    .into_iter()
                    .collect());
            };
            let entry = |name: &str, weight: Weight| {
                let mut entry = self.backends.entry(self.service, name);
                set_weight(&mut entry, Some(weight.percent().into()));
                entry
            };
            let list = Value::Array(vec![
                entry(&self.stable, canary.rest()),
                entry(&self.copy, canary),
            ]);
            for place in self.backends.lists(&own) {
                if let Ok(place) = place.resolve_mut(&mut own) {
                    *place = list.clone();
                }
            }
            intents.push(Intent::Object {
                environments: environments(),
                value: own,
            });
        }
        Ok(intents)
    }

    /// A list of backends as wanted; `None` where it is about others.
    fn split(
        &self,
        route: &Manifest,
        entries: &[Value],
        wanted: Routes,
        from_weight: Option<u64>,
    ) -> Result<Option<Vec<Value>>, String> {
        let of = |version| {
            entries
                .iter()
                .find(move |entry| self.version(route, entry) == Some(version))
        };
        let (stable, canary) = (of(Version::Stable), of(Version::Canary));
        let Some(model) = stable.or(canary) else {
            return Ok(None);
        };
        let ours = usize::from(stable.is_some()) + usize::from(canary.is_some());
        if entries.len() > ours {
            return Err("has further backends, with weights of their own".to_owned());
        }
        let named = |name: &str, found: Option<&Value>| match found {
            Some(entry) => entry.clone(),
            None => self.backends.named(model, name),
        };
        let mut stable_entry = named(&self.stable, stable);
        let mut canary_entry = named(&self.copy, canary);
        Ok(Some(match wanted {
            Routes::Both(share) => {
                set_weight(&mut stable_entry, Some(share.rest().percent().into()));
                set_weight(&mut canary_entry, Some(share.percent().into()));
                vec![stable_entry, canary_entry]
            }
            Routes::Plain | Routes::CanaryOnly if canary.is_none() => vec![stable_entry],
            Routes::Plain | Routes::CanaryOnly => {
                set_weight(&mut stable_entry, from_weight);
                vec![stable_entry]
            }
        }))
    }

    /// What all routes say; those that disagree with the first are drift.
    fn observe_routes(&self, observed: &mut Observed) {
        let mut found: Vec<(Routes, Location)> = Vec::new();
        for route in self.all_routes() {
            for list in self.backends.lists(&route.value) {
                let entries = list.resolve(&route.value).ok().and_then(Value::as_array);
                let entries = entries.map_or(&[][..], Vec::as_slice);
                let at = route.origin.below_pointer(&list).as_key();
                match self.read(route, entries) {
                    Ok(Some(routes)) => found.push((routes, at)),
                    Ok(None) => {}
                    Err(wrong) => observed.drift.push(wrong.at(at)),
                }
            }
        }
        let named = found.iter().find(|(routes, _)| *routes != Routes::Plain);
        let Some((routes, at)) = named.or(found.first()).cloned() else {
            return;
        };
        for (_, other) in found.iter().filter(|(other, _)| *other != routes) {
            let message = "these backends are split differently from the first ones";
            observed
                .drift
                .push(Diagnostic::warning(Code::Drift, message).at(other.clone()));
        }
        observed.routes = routes;
        observed.routes_at = Some(at);
    }

    fn read(&self, route: &Manifest, entries: &[Value]) -> Result<Option<Routes>, Diagnostic> {
        let weight = |entry: &Value| {
            let weight = entry.get("weight").and_then(weight);
            weight.unwrap_or(self.backends.default_weight())
        };
        let mut weights = [None, None];
        for entry in entries {
            match self.version(route, entry) {
                Some(Version::Stable) => weights[0] = Some(weight(entry)),
                Some(Version::Canary) => weights[1] = Some(weight(entry)),
                None => {}
            }
        }
        match weights {
            [None, None] => Ok(None),
            [Some(_), None] => Ok(Some(Routes::Plain)),
            [None, Some(_)] => Ok(Some(Routes::CanaryOnly)),
            [Some(stable), Some(canary)] => {
                let total = stable.saturating_add(canary);
                match Weight::new(canary).filter(|_| total == 100) {
                    Some(canary) => Ok(Some(Routes::Both(canary))),
                    None => {
                        let message = format!("the weights of {} add up to {total} percent", route.object);
                        Err(Diagnostic::error(Code::InvalidValue, message)
                            .hint("make the two weights add up to 100"))
                    }
                }
            }
        }
    }
}

/// A weight; older TrafficSplits write it as text.
fn weight(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

fn set_weight(entry: &mut Value, weight: Option<u64>) {
    let Some(entry) = entry.as_object_mut() else {
        return;
    };
    match weight {
        Some(weight) => entry.insert("weight".to_owned(), json!(weight)),
        None => entry.shift_remove("weight"),
    };
}
