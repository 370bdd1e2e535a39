//! The two backends of a release in one environment, and every list of backends that names one of them.

use jsonptr::PointerBuf;
use serde_json::{Map, Value, json};

use super::{Backends, is_routed, names, services, weight};
use crate::diagnostic::{Code, Diagnostic, Location};
use crate::manifest::{Manifest, ObjectRef};
use crate::model::{Application, Environment, Release, Routes, Version, Weight};
use crate::provider::{Intent, Observed, set_weight};

/// The two backends of a release in one environment.
pub(super) struct Pair<'a, B: ?Sized> {
    pub(super) backends: &'a B,
    application: &'a Application,
    pub(super) release: &'a Release,
    pub(super) environment: &'a Environment,
    /// The workload's Service: of several the one that routes name.
    pub(super) service: &'a Manifest,
    /// What routes call the workload.
    stable: String,
    /// What they call its copy.
    copy: String,
}

impl<'a, B: Backends> Pair<'a, B> {
    pub(super) fn of(
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
    pub(super) fn objects(&self) -> impl Iterator<Item = &'a Manifest> {
        let beside = self.backends.beside(self.environment, self.service);
        std::iter::once(self.service).chain(beside)
    }

    /// The same for the copy, where it is there.
    pub(super) fn of_copy(&self, object: &Manifest) -> Option<&'a Manifest> {
        let name = self.release.name_for_copy(&object.object.name);
        let mut objects = self.environment.base.iter();
        objects.find(|manifest| {
            manifest.object.is(object.object.group(), &object.object.kind)
                && manifest.object.name == name
                && manifest.object.namespace == object.object.namespace
        })
    }

    /// Only one of several Services can be split.
    pub(super) fn other_services(&self) -> Vec<Diagnostic> {
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
    pub(super) fn routes_elsewhere(&self) -> Vec<Diagnostic> {
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
    pub(super) fn taken_route(&self) -> Option<Diagnostic> {
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

    pub(super) fn taken_name(&self) -> Option<Diagnostic> {
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
    pub(super) fn overlap(&self) -> Option<Diagnostic> {
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
    pub(super) fn all_routes(&self) -> impl Iterator<Item = &'a Manifest> {
        let routes = self.environment.base.iter();
        routes.filter(|route| {
            route.object.namespace == self.service.object.namespace
                && (names(self.backends, route, &self.stable) || names(self.backends, route, &self.copy))
        })
    }

    /// Those that were there before the release.
    pub(super) fn user_routes(&self) -> impl Iterator<Item = &'a Manifest> {
        self.all_routes()
            .filter(|route| !self.application.owns(&route.origin))
    }

    pub(super) fn version(&self, route: &Manifest, entry: &Value) -> Option<Version> {
        match self.backends.backend(&route.object, entry)? {
            name if name == self.stable => Some(Version::Stable),
            name if name == self.copy => Some(Version::Canary),
            _ => None,
        }
    }

    /// The entry of a list that names the workload's Service alone.
    pub(super) fn only<'v>(&self, route: &'v Manifest, list: &PointerBuf) -> Option<&'v Value> {
        match list.resolve(&route.value).ok()?.as_array()?.as_slice() {
            [only] => (self.version(route, only) == Some(Version::Stable)).then_some(only),
            _ => None,
        }
    }

    /// What makes the routes of the environment say what is wanted.
    pub(super) fn routes(&self, wanted: Routes, from_weight: Option<u64>) -> Result<Vec<Intent>, Diagnostic> {
        let environments = || vec![self.environment.name.clone()];
        let mut intents = Vec::new();
        for route in self.user_routes() {
            let value = self.wanted(route, wanted, from_weight)?;
            intents.push(Intent::Patch {
                environments: environments(),
                target: route.object.clone(),
                fields: json!({"spec": value["spec"]}),
            });
        }
        if intents.is_empty()
            && let Some(mut own) = self.backends.own_route(self.service)
        {
            let Some((canary, _)) = wanted.range() else {
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
            if let (Routes::Preview(share), Some(object)) = (wanted, ObjectRef::of(&own)) {
                let route = Manifest {
                    object,
                    value: own.clone(),
                    origin: self.service.origin.clone(),
                };
                self.begin_preview(&route, &mut own, share)
                    .map_err(|wrong| wrong.of(&route))?;
            }
            intents.push(Intent::Object {
                environments: environments(),
                value: own,
            });
        }
        Ok(intents)
    }

    /// A route as wanted.
    ///
    /// Errors: what of it cannot be said, at its place.
    pub(super) fn wanted(
        &self,
        route: &Manifest,
        wanted: Routes,
        from_weight: Option<u64>,
    ) -> Result<Value, Diagnostic> {
        let mut value = route.value.clone();
        for list in self.split_lists(route) {
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
        self.end_preview(route, &mut value);
        if let Routes::Preview(share) = wanted {
            self.begin_preview(route, &mut value, share)
                .map_err(|wrong| wrong.of(route))?;
        }
        Ok(value)
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
            Routes::Both(share) | Routes::Preview(share) | Routes::Between(_, share) => {
                set_weight(&mut stable_entry, Some(share.rest().percent().into()));
                set_weight(&mut canary_entry, Some(share.percent().into()));
                vec![stable_entry, canary_entry]
            }
            Routes::Plain | Routes::CanaryOnly if canary.is_none() => vec![stable_entry],
            Routes::Plain | Routes::CanaryOnly => {
                set_weight(&mut stable_entry, from_weight.or(self.backends.least_weight()));
                vec![stable_entry]
            }
        }))
    }

    /// What all routes say; those that disagree with the first are drift.
    pub(super) fn observe_routes(&self, observed: &mut Observed) {
        let mut found: Vec<(Routes, Location)> = Vec::new();
        for route in self.all_routes() {
            for list in self.split_lists(route) {
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
