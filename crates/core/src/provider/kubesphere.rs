//! KubeSphere: the weights of a Strategy.
//!
//! KubeSphere's controllers write one DestinationRule and one VirtualService for each Service themselves: a subset for
//! each Deployment that has ready pods, and the routes that the Strategy's template says. So a release writes the Strategy
//! and the copy, never Istio's objects.
//!
//! Source: KubeSphere v3.3.2, `pkg/controller/{virtualservice,destinationrule}`; "Canary Release" of its manual.

use indexmap::IndexMap;
use jsonptr::PointerBuf;
use serde_json::{Value, json};

use super::backends::{other_image, promote, services, weight};
use super::replicas::own_version;
use super::{
    Basis, CopyIntent, Intent, Observed, Previews, Provider, ProviderId, VERSION_LABEL, set_weight,
    weight_operations,
};
use crate::diagnostic::{Code, Diagnostic, Location};
use crate::manifest::{Manifest, ObjectRef};
use crate::model::{Application, Environment, Form, Release, Routes, Shape, Version, Weight};

mod preview;
mod traffic;

pub(super) use traffic::KubesphereTraffic;

const GROUP: &str = "servicemesh.kubesphere.io";

/// What opts a Service or a Deployment in.
const ENABLED: &str = "servicemesh.kubesphere.io/enabled";

/// The label that a Service, its Deployments and its Strategy share; its value is the Service's name.
const APP: &str = "app";

/// The labels that tell which application a component belongs to: alike for all of its versions.
const APPLICATION: [&str; 3] = [APP, "app.kubernetes.io/name", "app.kubernetes.io/version"];

/// The provider.
pub(super) struct Kubesphere;

impl Provider for Kubesphere {
    fn id(&self) -> ProviderId {
        ProviderId::Kubesphere
    }

    fn form(&self) -> Form {
        Form::Pinned
    }

    fn previews(&self) -> Previews {
        Previews {
            matches: true,
            mirrors: true,
        }
    }

    fn is_used(&self, application: &Application, workload: &str, environment: &str) -> bool {
        services(&application.environments[environment], workload).any(is_enabled)
    }

    fn check_start(&self, application: &Application, release: &Release) -> Vec<Diagnostic> {
        let mut problems = Vec::new();
        for environment in application.environments.values() {
            let Some(component) = Component::of(application, release, environment) else {
                let message = format!(
                    "`{}` is not governed by KubeSphere in {}",
                    release.workload, environment.name
                );
                let problem = Diagnostic::error(Code::CanaryImpossible, message);
                let problem = problem.at(application.workloads[&release.workload].origin.clone());
                problems.push(problem.hint(format!("give its Service the annotation `{ENABLED}: \"true\"`")));
                continue;
            };
            problems.extend(component.lacks());
            problems.extend(component.taken());
            problems.extend(own_version(release, component.deployment));
            let unlike = other_image(application, &release.workload, environment);
            let hint = "let every environment run the same version before a release begins";
            problems.extend(unlike.map(|found| found.hint(hint)));
        }
        problems
    }

    /// Source: KubeSphere, `virtualservice_controller`: with two the controller stops and leaves the routes as they are.
    fn lint(&self, application: &Application) -> Vec<Diagnostic> {
        let mut found: Vec<Diagnostic> = Vec::new();
        for environment in application.environments.values() {
            let strategies = || {
                environment
                    .base
                    .iter()
                    .filter(|object| is_strategy(&object.object))
            };
            for (index, strategy) in strategies().enumerate() {
                let is_for_same = |other: &&Manifest| {
                    other.object.namespace == strategy.object.namespace
                        && label(other, APP).is_some()
                        && label(other, APP) == label(strategy, APP)
                };
                let Some(first) = strategies().take(index).find(is_for_same) else {
                    continue;
                };
                let message = format!(
                    "{} is the second Strategy of `{}`: KubeSphere follows neither",
                    strategy.object,
                    label(strategy, APP).unwrap_or_default()
                );
                let problem = Diagnostic::error(Code::ContestedHost, message)
                    .at(strategy.origin.clone())
                    .related(first.origin.clone(), "the first")
                    .hint("take one of them away");
                if !found.contains(&problem) {
                    found.push(problem);
                }
            }
        }
        found
    }

    fn hosts(&self, application: &Application, release: &Release, environment: &str) -> Vec<String> {
        let component = Component::of(application, release, &application.environments[environment]);
        let name = component.map(|component| component.service.object.name.clone());
        name.into_iter().collect()
    }

    fn own_weight(&self, _application: &Application, _release: &Release) -> Result<Option<u64>, Diagnostic> {
        Ok(None)
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
            let version = (VERSION_LABEL.to_owned(), release.copy_version().to_owned());
            intents.push(Intent::Copy(CopyIntent {
                of: release.workload.clone(),
                key: release.copy.clone(),
                labels: IndexMap::from([version]),
                image: release.canary.clone(),
                replicas: scaled(application, release),
            }));
        }
        match promote(application, release, shape) {
            Ok(promoted) => intents.extend(promoted),
            Err(unlike) => problems.extend(unlike),
        }
        for environment in application.environments.values() {
            let Some(component) = Component::of(application, release, environment) else {
                continue;
            };
            let environments = vec![environment.name.clone()];
            match shape.routes.get(&environment.name) {
                Some(routes) if routes.range().is_some() => match component.strategy(*routes) {
                    Ok(value) => intents.push(Intent::Object { environments, value }),
                    Err(wrong) => problems.push(wrong),
                },
                _ => intents.extend(component.strategy.map(|strategy| Intent::NoObject {
                    environments,
                    object: strategy.object.clone(),
                })),
            }
        }
        if problems.is_empty() {
            Ok(intents)
        } else {
            Err(problems)
        }
    }

    fn observe(&self, application: &Application, release: &Release, environment: &str) -> Observed {
        let copy = application.deployed(environment, &release.copy, "apps", "Deployment");
        let mut observed = Observed::of_copy(copy.is_some());
        let component = Component::of(application, release, &application.environments[environment]);
        let read = component.as_ref().and_then(Component::read);
        match read {
            None => {}
            Some((Ok(routes), at)) => {
                observed.routes = routes;
                observed.routes_at = Some(at);
                if matches!(routes, Routes::Preview(_)) {
                    observed
                        .drift
                        .extend(component.and_then(|component| component.other_preview(routes)));
                }
            }
            Some((Err(wrong), at)) => {
                observed.drift.push(wrong.at(at.clone()));
                observed.routes_at = Some(at);
            }
        }
        observed
    }

    fn weighted(
        &self,
        application: &Application,
        release: &Release,
        environment: &str,
    ) -> Vec<(ObjectRef, &'static str)> {
        let component = Component::of(application, release, &application.environments[environment]);
        let strategy = component.and_then(|component| ObjectRef::of(&component.fresh()));
        strategy
            .map(|strategy| (strategy, "spec.template.spec"))
            .into_iter()
            .collect()
    }

    fn live_patches(
        &self,
        application: &Application,
        release: &Release,
        environment: &str,
        routes: Routes,
    ) -> Vec<(ObjectRef, Value)> {
        let component = Component::of(application, release, &application.environments[environment]);
        let (Some(component), Some(canary)) = (component, routes.canary()) else {
            return Vec::new();
        };
        let Some(strategy) = component.strategy else {
            return Vec::new();
        };
        let version = |entry: &Value| component.version(entry);
        let lists = component.split_lists(&strategy.value);
        let mut operations = weight_operations(&strategy.value, lists, version, canary);
        operations.extend(component.preview_operations(&strategy.value, routes));
        vec![(strategy.object.clone(), Value::Array(operations))]
    }
}

/// Where an autoscaler sets how many pods there are, the copy begins with the fewest: it may come before its own
/// autoscaler, and callers past all routes meet as many of its pods as of the workload's.
fn scaled(application: &Application, release: &Release) -> IndexMap<String, u64> {
    let fewest = |name: &String| {
        let of = |group, kind| application.generated(name, &release.workload, group, kind);
        let said = of("apps", "Deployment")?
            .value
            .pointer("/spec/replicas")?
            .as_u64()?;
        let scaler = of("autoscaling", "HorizontalPodAutoscaler")?;
        let least = scaler.value.pointer("/spec/minReplicas").and_then(Value::as_u64);
        Some((name.clone(), said.min(least.unwrap_or(1))))
    };
    application.environments.keys().filter_map(fewest).collect()
}

fn is_strategy(object: &ObjectRef) -> bool {
    object.is(GROUP, "Strategy")
}

fn is_enabled(object: &Manifest) -> bool {
    let annotations = object.value.pointer("/metadata/annotations");
    annotations.and_then(|annotations| annotations.get(ENABLED)?.as_str()) == Some("true")
}

fn label<'m>(object: &'m Manifest, key: &str) -> Option<&'m str> {
    object.value.pointer("/metadata/labels")?.get(key)?.as_str()
}

/// The subset of a version. Source: KubeSphere, `NormalizeVersionName`: `v1.2` → `v12`.
fn subset(version: &str) -> String {
    version.replace(['.', '_', '-'], "")
}

/// Lists of destinations in a Strategy.
fn lists(strategy: &Value) -> Vec<PointerBuf> {
    let of = |kind: &str| {
        let rules = strategy.pointer(&format!("/spec/template/spec/{kind}"));
        let count = rules.and_then(Value::as_array).map_or(0, Vec::len);
        let kind = kind.to_owned();
        (0..count).map(move |rule| {
            PointerBuf::from_tokens(["spec", "template", "spec", &kind, &rule.to_string(), "route"])
        })
    };
    of("http").chain(of("tcp")).collect()
}

/// A Service that KubeSphere governs, with a version of the release behind it, in one environment.
struct Component<'a> {
    release: &'a Release,
    environment: &'a Environment,
    service: &'a Manifest,
    deployment: &'a Manifest,
    strategy: Option<&'a Manifest>,
}

impl<'a> Component<'a> {
    fn of(application: &'a Application, release: &'a Release, environment: &'a Environment) -> Option<Self> {
        let service = services(environment, &release.workload).find(|service| is_enabled(service))?;
        let deployment = application.generated(&environment.name, &release.workload, "apps", "Deployment")?;
        let strategy = environment.base.iter().find(|object| {
            is_strategy(&object.object)
                && object.object.namespace == service.object.namespace
                && label(object, APP) == Some(&service.object.name)
        });
        Some(Self {
            release,
            environment,
            service,
            deployment,
            strategy,
        })
    }

    fn stable_version(&self) -> &'a str {
        let labels = self.deployment.pod_labels();
        let version = labels.and_then(|labels| labels.get(VERSION_LABEL)?.as_str());
        version.unwrap_or(Version::Stable.label())
    }

    fn stable_subset(&self) -> String {
        subset(self.stable_version())
    }

    fn canary_subset(&self) -> String {
        subset(self.release.copy_version())
    }

    fn version(&self, destination: &Value) -> Option<Version> {
        let subset = destination.pointer("/destination/subset")?.as_str()?;
        match subset {
            subset if subset == self.canary_subset() => Some(Version::Canary),
            subset if subset == self.stable_subset() => Some(Version::Stable),
            _ => None,
        }
    }

    /// Everything that KubeSphere needs and these objects lack.
    fn lacks(&self) -> Vec<Diagnostic> {
        let mut problems = Vec::new();
        let mut lacks = |object: &Manifest, below: &[&str], what: String| {
            let message = format!(
                "{} has no {what}, so KubeSphere does not govern it",
                object.object
            );
            let problem =
                Diagnostic::error(Code::CanaryImpossible, message).at(object.origin.below(below).as_key());
            problems.push(problem.hint(format!("add {what}")));
        };
        let text = |object: &Manifest, pointer: &str, key: &str| {
            let found = object.value.pointer(pointer).and_then(|map| map.get(key));
            found.and_then(Value::as_str).map(str::to_owned)
        };
        for key in APPLICATION {
            if label(self.service, key).is_none() {
                lacks(self.service, &["metadata"], format!("label `{key}`"));
            }
        }
        if !is_enabled(self.deployment) {
            lacks(
                self.deployment,
                &["metadata"],
                format!("annotation `{ENABLED}: \"true\"`"),
            );
        }
        for key in APPLICATION.into_iter().chain([VERSION_LABEL]) {
            if label(self.deployment, key).is_none() {
                lacks(self.deployment, &["metadata"], format!("label `{key}`"));
            }
            if text(self.deployment, "/spec/selector/matchLabels", key).is_none() {
                // The selector of what is deployed cannot change.
                lacks(
                    self.deployment,
                    &["spec", "selector"],
                    format!("`{key}` in its selector"),
                );
            }
        }
        let inject = "sidecar.istio.io/inject";
        let is_injected = |pointer| text(self.deployment, pointer, inject).as_deref() == Some("true");
        if !is_injected("/spec/template/metadata/annotations")
            && !is_injected("/spec/template/metadata/labels")
        {
            lacks(
                self.deployment,
                &["spec", "template"],
                format!("annotation `{inject}: \"true\"` for its pods"),
            );
        }
        let app = label(self.service, APP);
        if app.is_some_and(|app| app != self.service.object.name) {
            let message = format!("the label `{APP}` of {} is not its name", self.service.object);
            let at = self.service.origin.below(&["metadata", "labels", APP]);
            let problem = Diagnostic::error(Code::CanaryImpossible, message).at(at);
            problems.push(
                problem.hint("KubeSphere names the routes after the one and looks for them by the other"),
            );
        }
        problems
    }

    /// Objects that stand where KubeSphere, or the release, writes.
    fn taken(&self) -> Vec<Diagnostic> {
        let mut problems = Vec::new();
        if let Some(strategy) = self.strategy {
            let message = format!(
                "{} runs a grayscale release of `{}` already",
                strategy.object, self.service.object.name
            );
            let problem = Diagnostic::error(Code::CanaryImpossible, message).at(strategy.origin.clone());
            problems.push(problem.hint("end it first: with two, KubeSphere follows neither"));
        }
        let written = self.environment.base.iter().filter(|object| {
            let is_written = ["VirtualService", "DestinationRule"]
                .iter()
                .any(|kind| object.object.is("networking.istio.io", kind));
            is_written
                && object.object.name == self.service.object.name
                && object.object.namespace == self.service.object.namespace
        });
        problems.extend(written.map(|object| {
            let message = format!("KubeSphere writes {} itself", object.object);
            let problem = Diagnostic::error(Code::CanaryImpossible, message).at(object.origin.clone());
            problem.hint("take it out of the repository")
        }));
        problems
    }

    /// The Strategy with a share for the canary, and its preview; what it says besides stays.
    ///
    /// Errors: it names the versions in a way that has no weights.
    fn strategy(&self, routes: Routes) -> Result<Value, Diagnostic> {
        let canary = routes.canary().unwrap_or(Weight::ZERO);
        let mut value = match self.strategy {
            Some(strategy) => strategy.value.clone(),
            None => self.fresh(),
        };
        self.end_preview(&mut value);
        if let Some(spec) = value.get_mut("spec").and_then(Value::as_object_mut) {
            spec.shift_remove("governor");
        }
        let mut is_set = false;
        for list in lists(&value) {
            let Some(entries) = list.resolve_mut(&mut value).ok().and_then(Value::as_array_mut) else {
                continue;
            };
            let versions: Vec<_> = entries.iter().map(|entry| self.version(entry)).collect();
            let names = |version| versions.contains(&Some(version));
            if !names(Version::Stable) || !names(Version::Canary) {
                continue;
            }
            is_set = true;
            for (entry, version) in entries.iter_mut().zip(&versions) {
                let share = match version {
                    Some(Version::Canary) => canary,
                    Some(Version::Stable) => canary.rest(),
                    None => continue,
                };
                set_weight(entry, Some(share.percent().into()));
            }
        }
        if let Routes::Preview(share) = routes {
            self.begin_preview(&mut value, share)?;
        }
        match (is_set, self.strategy) {
            (false, Some(strategy)) => {
                let message = format!("no rule of {} names both versions", strategy.object);
                let problem = Diagnostic::error(Code::UnsupportedRoute, message);
                let at = strategy.origin.below(&["spec", "template"]).as_key();
                Err(problem
                    .at(at)
                    .hint("a release sets the weights of a rule with both subsets"))
            }
            _ => Ok(value),
        }
    }

    /// A Strategy of ours: everything to the stable version.
    ///
    /// Source: what KubeSphere's console writes; `WaitForWorkloadReady` keeps to the one version that is ready until both are.
    fn fresh(&self) -> Value {
        let ObjectRef { name, namespace, .. } = &self.service.object;
        let labels: serde_json::Map<String, Value> = APPLICATION
            .into_iter()
            .filter_map(|key| Some((key.to_owned(), json!(label(self.service, key)?))))
            .collect();
        let replicas = self
            .deployment
            .value
            .pointer("/spec/replicas")
            .and_then(Value::as_u64);
        let mut metadata = json!({"name": format!("{name}-canary")});
        if let Some(namespace) = namespace {
            metadata["namespace"] = json!(namespace);
        }
        metadata["labels"] = json!(labels);
        metadata["annotations"] = json!({
            "servicemesh.kubesphere.io/oldWorkloadName": self.release.workload,
            "servicemesh.kubesphere.io/newWorkloadName": self.release.copy,
            "servicemesh.kubesphere.io/workloadType": "deployments",
            "servicemesh.kubesphere.io/workloadReplicas": replicas.unwrap_or(1).to_string(),
        });
        let entry = |subset: String, weight: u8| json!({"destination": {"host": name, "subset": subset}, "weight": weight});
        let route = json!([{"route": [entry(self.stable_subset(), 100), entry(self.canary_subset(), 0)]}]);
        let mut template = json!({"hosts": [name]});
        let ports = self
            .service
            .value
            .pointer("/spec/ports")
            .and_then(Value::as_array);
        let is_http = |port: &Value| {
            port.get("name")
                .and_then(Value::as_str)
                .is_some_and(traffic::is_http)
        };
        let ports: Vec<bool> = ports.into_iter().flatten().map(is_http).collect();
        for (kind, wanted) in [("http", true), ("tcp", false)] {
            if ports.contains(&wanted) {
                template[kind] = route.clone();
            }
        }
        json!({
            "apiVersion": format!("{GROUP}/v1alpha2"),
            "kind": "Strategy",
            "metadata": metadata,
            "spec": {
                "type": "Canary",
                "principal": self.stable_version(),
                "strategyPolicy": "WaitForWorkloadReady",
                "selector": {"matchLabels": labels},
                "template": {"spec": template},
            },
        })
    }

    /// What the Strategy says, and where; `None` without one.
    fn read(&self) -> Option<(Result<Routes, Diagnostic>, Location)> {
        let strategy = self.strategy?;
        if let Some(governor) = strategy.text("/spec/governor") {
            let at = strategy.origin.below(&["spec", "governor"]);
            let all = match governor == self.canary_subset() {
                true => Weight::FULL,
                false => Weight::ZERO,
            };
            return Some((Ok(Routes::Both(all)), at));
        }
        let mut found: Option<(Routes, Location)> = None;
        for list in lists(&strategy.value) {
            let at = strategy.origin.below_pointer(&list).as_key();
            let entries = list.resolve(&strategy.value).ok().and_then(Value::as_array);
            let mut weights = [None, None];
            for entry in entries.into_iter().flatten() {
                let place = match self.version(entry) {
                    Some(Version::Stable) => 0,
                    Some(Version::Canary) => 1,
                    None => continue,
                };
                weights[place] = Some(entry.get("weight").and_then(weight).unwrap_or(0));
            }
            let [Some(stable), Some(canary)] = weights else {
                continue;
            };
            let total = stable.saturating_add(canary);
            let Some(canary) = Weight::new(canary).filter(|_| total == 100) else {
                let message = format!("the weights of {} add up to {total} percent", strategy.object);
                let wrong = Diagnostic::error(Code::InvalidValue, message);
                return Some((Err(wrong.hint("make the two weights add up to 100")), at));
            };
            match &found {
                Some((Routes::Both(first), _)) if *first != canary => {
                    let wrong =
                        Diagnostic::error(Code::InvalidValue, "these weights differ from the first ones");
                    return Some((Err(wrong.hint("give all rules the same weights")), at));
                }
                Some(_) => {}
                None => found = Some((Routes::Both(canary), at)),
            }
        }
        Some(match found {
            Some((Routes::Both(share), at)) if self.has_preview(&strategy.value) => {
                (Ok(Routes::Preview(share)), at)
            }
            Some((routes, at)) => (Ok(routes), at),
            None => (Ok(Routes::Plain), strategy.origin.clone()),
        })
    }
}
