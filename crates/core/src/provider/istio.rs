//! Istio: VirtualService weights over the subsets of a DestinationRule.
//!
//! Source: Istio reference, "Virtual Service", "Destination Rule"; the GAP canary guide for names and labels.
//! A subset is the Service's endpoints that also carry the subset's labels, so three things hang together:
//! pod labels, subsets, and which pods the Service selects.

use indexmap::IndexSet;
use jsonptr::PointerBuf;
use serde_json::{Map, Value, json};

use super::preview::other_preview;
use super::{Basis, CopyIntent, canary_mark, same_weight, version_labels};
use super::{CANARY_LABEL, DEFAULT_MARK, Intent, Observed, Previews, Provider, ProviderId, VERSION_LABEL};
use crate::argo_cd::{PRUNE_LAST, SYNC_OPTIONS, SYNC_WAVE};
use crate::diagnostic::{Code, Diagnostic, Location, Severity};
use crate::manifest::{Manifest, ObjectRef, first_difference};
use crate::model::{
    Application, Environment, Form, Order, Release, Routes, Shape, TargetedPatch, Version, Weight,
};
use crate::preview::Preview;
use crate::render::render_object;

mod callers;
mod contested_host;
mod dead_rule;
mod foreign_pods;
mod orphaned_rule;
pub(super) mod preview;
mod routes;
mod traffic;

use foreign_pods::foreign_pods;
use routes::{Split, Unreadable, Unsplittable};
pub(super) use traffic::{Action, IstioTraffic, Rule, fulfilling};

const NETWORKING: &str = "networking.istio.io";

/// The provider.
pub(super) struct Istio;

impl Provider for Istio {
    fn id(&self) -> ProviderId {
        ProviderId::Istio
    }

    fn form(&self) -> Form {
        Form::Subsets
    }

    fn previews(&self) -> Previews {
        Previews {
            matches: true,
            mirrors: true,
        }
    }

    fn is_used(&self, application: &Application, workload: &str, environment: &str) -> bool {
        let routes = application.generated(environment, workload, NETWORKING, "VirtualService");
        routes.is_some()
    }

    fn check_start(&self, application: &Application, release: &Release) -> Vec<Diagnostic> {
        let mut problems = Vec::new();
        for environment in application.environments.values() {
            if application
                .generated(&environment.name, &release.workload, NETWORKING, "VirtualService")
                .is_none()
            {
                let message = format!(
                    "workload `{}` is not routed by the service mesh",
                    release.workload
                );
                let problem = Diagnostic::error(Code::CanaryImpossible, message);
                let problem = problem.at(application.workloads[&release.workload].origin.clone());
                problems.push(
                    problem
                        .hint("set `useServiceMesh: true`, deploy it to every environment, and start again"),
                );
                return problems;
            }
            let Some(mesh) = Mesh::of(application, release, &environment.name) else {
                continue;
            };
            problems.extend(mesh.own_subsets(environment));
            problems.extend(callers::ingress_refused(application, release, &environment.name));
            if let Err(wrong) = mesh.routes_patches(
                application,
                environment,
                release.previewed(&environment.name, Weight::ZERO),
                release,
                Basis::AsWritten,
            ) {
                problems.extend(wrong);
            }
        }
        problems.extend(application.environments.values().flat_map(contested_host::find));
        once(problems)
    }

    fn lint(&self, application: &Application) -> Vec<Diagnostic> {
        let environments = application.environments.values();
        once(environments.flat_map(|environment| {
            let contested = contested_host::find(environment).into_iter();
            let dead = dead_rule::find(environment);
            contested
                .chain(dead)
                .chain(orphaned_rule::find(application, environment))
        }))
    }

    fn hosts(&self, application: &Application, release: &Release, environment: &str) -> Vec<String> {
        let routes = application.deployed(environment, &release.workload, NETWORKING, "VirtualService");
        let hosts = routes.and_then(|routes| routes.value.pointer("/spec/hosts")?.as_array());
        let hosts = hosts.into_iter().flatten().filter_map(Value::as_str);
        hosts
            .filter(|host| !host.ends_with(".svc.cluster.local"))
            .map(str::to_owned)
            .collect()
    }

    fn own_weight(&self, application: &Application, release: &Release) -> Result<Option<u64>, Diagnostic> {
        let mut weights = Vec::new();
        for environment in application.environments.values() {
            let Some(mesh) = Mesh::of(application, release, &environment.name) else {
                continue;
            };
            let own = environment
                .patches
                .iter()
                .filter(|patch| !application.owns(&patch.origin));
            for patch in own.filter(|patch| patch.target.is(NETWORKING, "VirtualService")) {
                let rules = patch.value.pointer("/spec/http").and_then(Value::as_array);
                let rules = rules.into_iter().flatten().enumerate();
                let plain =
                    rules.filter(|(_, rule)| matches!(mesh.split().read(rule), Ok(Some(Routes::Plain))));
                weights.extend(plain.map(|(rule_index, rule)| {
                    let weight = rule.pointer("/route/0/weight").and_then(Value::as_u64);
                    let at = ["spec", "http", &rule_index.to_string(), "route"];
                    (weight, patch.origin.below(&at).as_key())
                }));
            }
        }
        same_weight(
            weights,
            "some routes give their only destination a weight and others another or none",
            "a single destination gets everything anyway: take the weights out, or write 100 at each",
        )
    }

    fn emit(
        &self,
        application: &Application,
        release: &Release,
        shape: &Shape,
        basis: Basis,
    ) -> Result<Vec<Intent>, Vec<Diagnostic>> {
        let mut intents = Vec::new();
        let mut routes_patches = Vec::new();
        let mut problems = Vec::new();
        if shape.labels {
            let workload = release.workload.clone();
            let version = if release.copy_runs == Version::Stable {
                Version::Canary
            } else {
                Version::Stable
            };
            intents.push(Intent::Label {
                workload,
                labels: version_labels(application, release, version),
            });
        }
        if shape.copy {
            intents.push(Intent::Copy(CopyIntent {
                of: release.workload.clone(),
                key: release.copy.clone(),
                labels: version_labels(application, release, release.copy_runs),
                image: release.stable.clone(),
                replicas: indexmap::IndexMap::new(),
            }));
        }
        for environment in application.environments.values() {
            let Some(mesh) = Mesh::of(application, release, &environment.name) else {
                continue;
            };
            match shape.subsets {
                true => intents.push(mesh.destination_rule(environment)),
                false => match mesh.no_destination_rule(application, environment, release) {
                    Ok(intent) => intents.push(intent),
                    Err(wrong) => problems.push(wrong),
                },
            }
            intents.push(mesh.service(application, environment, release, shape.wide));
            if shape.wide {
                let foreign = foreign_pods(&mesh, application, environment, release);
                // A Service that is wide already can be narrowed again: that way stays open.
                let new = foreign.iter().filter(|foreign| !foreign.is_selected);
                problems.extend(new.map(|foreign| foreign.error()));
            }
            let routes = shape
                .routes
                .get(&environment.name)
                .copied()
                .unwrap_or(Routes::Plain);
            match mesh.routes_patches(application, environment, routes, release, basis) {
                Ok(patches) => routes_patches.extend(patches),
                Err(wrong) => problems.extend(wrong),
            }
        }
        // Weights differ per environment, so routes are written per environment even while they are the same.
        let mut intents = together(intents);
        intents.extend(routes_patches);
        if problems.is_empty() {
            Ok(intents)
        } else {
            Err(problems)
        }
    }

    fn observe(&self, application: &Application, release: &Release, environment: &str) -> Observed {
        let mut drift = Vec::new();
        let Some(mesh) = Mesh::of(application, release, environment) else {
            let copy = application.workloads.contains_key(&release.copy);
            return Observed {
                labels: false,
                copy,
                subsets: false,
                wide: false,
                shipped: false,
                promoted: false,
                unsaid: false,
                routes: Routes::Plain,
                routes_at: None,
                drift,
            };
        };
        let pods = |workload: &str| {
            application
                .deployed(environment, workload, "apps", "Deployment")?
                .pod_labels()
        };
        let original = pods(&release.workload);
        let copy = pods(&release.copy);
        let has = |pods: Option<&Map<String, Value>>, label: &str| {
            pods.is_some_and(|pods| pods.contains_key(label))
        };
        let service = application.deployed(environment, &release.workload, "", "Service");
        let selector = service.and_then(|service| service.value.pointer("/spec/selector")?.as_object());
        let wide = match (selector, original, copy) {
            (Some(selector), Some(original), Some(copy)) => {
                selects(selector, original) && selects(selector, copy)
            }
            (Some(selector), ..) => selector.contains_key(CANARY_LABEL),
            _ => false,
        };
        drift.extend(mesh.wrong_subsets.iter().cloned());
        let (routes, routes_at) = mesh.observed_routes(&application.environments[environment], &mut drift);
        drift.extend(mesh.outdated_routes(application, &application.environments[environment]));
        let foreign = foreign_pods(
            &mesh,
            application,
            &application.environments[environment],
            release,
        );
        drift.extend(foreign.iter().map(|foreign| foreign.warning()));
        if copy.is_some() {
            drift.extend(callers::missing(application, release, environment));
        }
        Observed {
            labels: has(original, VERSION_LABEL) && has(original, CANARY_LABEL),
            copy: copy.is_some(),
            subsets: mesh.has_subsets,
            wide,
            shipped: false,
            promoted: false,
            unsaid: false,
            routes,
            routes_at,
            drift,
        }
    }

    fn weighted(
        &self,
        application: &Application,
        release: &Release,
        environment: &str,
    ) -> Vec<(ObjectRef, &'static str)> {
        let workload = &release.workload;
        let routes = application.deployed(environment, workload, NETWORKING, "VirtualService");
        let weighted = |routes: &Manifest| (routes.object.clone(), "spec.http[*].route");
        routes.map(weighted).into_iter().collect()
    }

    fn live_patches(
        &self,
        application: &Application,
        release: &Release,
        environment: &str,
        routes: Routes,
    ) -> Vec<(ObjectRef, Value)> {
        let mesh = Mesh::of(application, release, environment);
        let (Some(mesh), Some(_)) = (mesh, routes.range()) else {
            return Vec::new();
        };
        let services = application.environments[environment]
            .rendered
            .of_kind(NETWORKING, "VirtualService");
        services
            .filter_map(|service| mesh.live_patch(service, routes))
            .collect()
    }
}

/// What is the same in several environments is told once.
fn once(found: impl IntoIterator<Item = Diagnostic>) -> Vec<Diagnostic> {
    found.into_iter().collect::<IndexSet<_>>().into_iter().collect()
}

/// Joins intents that say the same of several environments.
fn together(intents: Vec<Intent>) -> Vec<Intent> {
    let mut joined: Vec<Intent> = Vec::new();
    for mut intent in intents {
        let more = intent.take_environments();
        let same = joined.iter_mut().find_map(|other| {
            let environments = other.take_environments();
            let is_same = *other == intent && !more.is_empty();
            other.give_environments(environments);
            is_same.then_some(other)
        });
        match same {
            Some(other) => {
                let mut environments = other.take_environments();
                environments.extend(more);
                other.give_environments(environments);
            }
            None => {
                intent.give_environments(more);
                joined.push(intent);
            }
        }
    }
    joined
}

/// What one environment's objects mean for a release.
struct Mesh<'a> {
    namespace: String,
    /// Name of the workload's Service.
    service: String,
    /// The Service's full name in the mesh.
    host: String,
    /// Name of the DestinationRule we write: that of the generated VirtualService.
    rule_name: String,
    api_version: String,
    stable: String,
    canary: String,
    has_subsets: bool,
    /// Subsets that select none of their version's pods.
    wrong_subsets: Vec<Diagnostic>,
    from_weight: Option<u64>,
    preview: &'a Preview,
    order: Order,
    /// Whether routes and Service say in which wave they are applied, too.
    has_waves: bool,
    /// The canary label's value where it is not the usual one: then subsets name it too.
    own_mark: Option<String>,
}

impl<'a> Mesh<'a> {
    /// `None` where the workload has no Service or VirtualService.
    fn of(application: &Application, release: &'a Release, environment: &str) -> Option<Self> {
        let service = &application
            .generated(environment, &release.workload, "", "Service")?
            .object
            .name;
        let routes = &application
            .generated(environment, &release.workload, NETWORKING, "VirtualService")?
            .object;
        let mut mesh = Self {
            namespace: application.namespace.clone(),
            service: service.clone(),
            host: format!("{service}.{}.svc.cluster.local", application.namespace),
            rule_name: routes.name.clone(),
            api_version: routes.api_version.clone(),
            stable: Version::Stable.label().to_owned(),
            canary: Version::Canary.label().to_owned(),
            has_subsets: false,
            wrong_subsets: Vec::new(),
            from_weight: release.from_weight,
            preview: release.preview(environment),
            order: release.order,
            has_waves: release.order == Order::ArgoCd && !has_own_routes(application),
            own_mark: Some(canary_mark(application, release)).filter(|mark| mark != DEFAULT_MARK),
        };
        mesh.find_subsets(application, release, environment);
        Some(mesh)
    }

    /// Finds the subsets of the two versions: by the pods they select, else by their labels, else by their names.
    fn find_subsets(&mut self, application: &Application, release: &Release, environment: &str) {
        let pods = |workload: &str| {
            application
                .deployed(environment, workload, "apps", "Deployment")?
                .pod_labels()
        };
        let rules = application.environments[environment]
            .rendered
            .of_kind(NETWORKING, "DestinationRule");
        let subsets: Vec<(&str, &Map<String, Value>, Location)> = rules
            .filter(|rule| self.is_for_host(rule))
            .flat_map(|rule| {
                let subsets = rule.value.pointer("/spec/subsets").and_then(Value::as_array);
                subsets
                    .into_iter()
                    .flatten()
                    .enumerate()
                    .filter_map(|(index, subset)| {
                        let at = rule.origin.below(&[
                            "spec",
                            "subsets",
                            &index.to_string(),
                            "labels",
                            VERSION_LABEL,
                        ]);
                        Some((
                            subset.get("name")?.as_str()?,
                            subset.get("labels")?.as_object()?,
                            at,
                        ))
                    })
            })
            .filter(|(_, labels, _)| labels.contains_key(VERSION_LABEL))
            .collect();
        let mut find = |version: Version| {
            let pods = pods(release.workload_of(version));
            let selects_pods = |labels: &Map<String, Value>| pods.is_some_and(|pods| selects(labels, pods));
            let by_pods = subsets.iter().find(|(_, labels, _)| selects_pods(labels));
            let by_label = || {
                subsets
                    .iter()
                    .find(|(_, labels, _)| labels[VERSION_LABEL] == version.label())
            };
            let by_name = || subsets.iter().find(|(name, ..)| *name == version.label());
            let (name, labels, at) = by_pods.or_else(by_label).or_else(by_name)?;
            if pods.is_some_and(|pods| pods.contains_key(VERSION_LABEL)) && !selects_pods(labels) {
                let message = format!("the subset `{name}` selects no pod of the {version} version");
                let wrong = Diagnostic::error(Code::Drift, message).at(at.clone());
                self.wrong_subsets
                    .push(wrong.hint(format!("write `{VERSION_LABEL}: {}`", version.label())));
            }
            Some((*name).to_owned())
        };
        let stable = find(Version::Stable);
        let canary = find(Version::Canary);
        self.has_subsets = stable.is_some() && canary.is_some();
        self.stable = stable.unwrap_or_else(|| self.stable.clone());
        self.canary = canary.unwrap_or_else(|| self.canary.clone());
    }

    /// Whether a destination in the application's namespace means the workload's Service.
    fn is_host(&self, host: &str) -> bool {
        let short = [
            self.service.clone(),
            format!("{}.{}", self.service, self.namespace),
        ];
        host == self.host || short.iter().any(|name| name == host) || host == format!("{}.svc", short[1])
    }

    /// The JSON patch that gives the canary a share in one VirtualService, and ends its preview where routes are wanted
    /// without; `None` where it does not split the host.
    fn live_patch(&self, service: &Manifest, routes: Routes) -> Option<(ObjectRef, Value)> {
        let split = self.split();
        let canary = routes.canary()?;
        let keeps_matches = matches!(routes, Routes::Preview(_));
        let keeps_mirror = routes == Routes::Preview(Weight::ZERO);
        let http = service.value.pointer("/spec/http")?.as_array()?;
        let mut operations = Vec::new();
        for (rule_index, rule) in http.iter().enumerate() {
            let entries = rule.get("route").and_then(Value::as_array).into_iter().flatten();
            for (index, entry) in entries.enumerate() {
                if let Some(weight) = split
                    .weight_of(entry, canary)
                    .filter(|_| !split.is_chosen(http, rule))
                {
                    let path = format!("/spec/http/{rule_index}/route/{index}/weight");
                    operations.push(json!({"op": "replace", "path": path, "value": weight.percent()}));
                }
            }
        }
        // From the last on, so that each is where it was.
        for (rule_index, rule) in http.iter().enumerate().rev() {
            if split.is_chosen(http, rule) {
                let path = format!("/spec/http/{rule_index}");
                operations.extend((!keeps_matches).then(|| json!({"op": "remove", "path": path})));
            } else if split.is_mirrored(rule) && !keeps_mirror {
                let fields = preview::MIRROR.iter().filter(|field| rule.get(**field).is_some());
                let paths = fields.map(|field| format!("/spec/http/{rule_index}/{field}"));
                operations.extend(paths.map(|path| json!({"op": "remove", "path": path})));
            }
        }
        (!operations.is_empty()).then(|| (service.object.clone(), Value::Array(operations)))
    }

    fn is_for_host(&self, rule: &Manifest) -> bool {
        rule.text("/spec/host").is_some_and(|host| self.is_host(host))
    }

    fn split(&self) -> Split<'_> {
        Split {
            is_host: Box::new(|host| self.is_host(host)),
            stable: &self.stable,
            canary_subset: &self.canary,
            from_weight: self.from_weight,
            preview: self.preview,
        }
    }

    /// The DestinationRule for the host that stands in the repository, preferring one with the subsets.
    fn found_rule<'e>(&self, environment: &'e Environment) -> Option<&'e Manifest> {
        let rules = environment
            .base
            .iter()
            .filter(|manifest| manifest.object.is(NETWORKING, "DestinationRule"));
        let mut rules: Vec<_> = rules.filter(|rule| self.is_for_host(rule)).collect();
        rules.sort_by_key(|rule| !self.names_subsets(rule));
        rules.first().copied()
    }

    fn names_subsets(&self, rule: &Manifest) -> bool {
        let subsets = rule.value.pointer("/spec/subsets").and_then(Value::as_array);
        subsets.into_iter().flatten().any(|subset| self.is_subset(subset))
    }

    fn is_subset(&self, subset: &Value) -> bool {
        let name = subset.get("name").and_then(Value::as_str);
        name.is_some_and(|name| name == self.stable || name == self.canary)
    }

    /// Subsets of the user's own where ours must go.
    fn own_subsets(&self, environment: &Environment) -> Option<Diagnostic> {
        let rule = environment.base.iter().find(|manifest| {
            manifest.object.is(NETWORKING, "DestinationRule") && self.is_for_host(manifest)
        })?;
        let subsets = rule.value.pointer("/spec/subsets")?.as_array()?;
        let names = [self.stable.as_str(), self.canary.as_str()];
        let index = subsets.iter().position(|subset| {
            subset
                .get("name")
                .and_then(Value::as_str)
                .is_some_and(|name| names.contains(&name))
        })?;
        let message = format!(
            "{} already has a subset `{}`",
            rule.object,
            subsets[index]["name"].as_str().unwrap_or_default()
        );
        let at = rule.origin.below(&["spec", "subsets", &index.to_string()]);
        let hint = "a canary needs the subsets v1 and v2: rename yours first";
        Some(
            Diagnostic::error(Code::CanaryImpossible, message)
                .at(at)
                .hint(hint),
        )
    }

    fn subset(&self, version: Version) -> Value {
        let mut labels = Map::from_iter([(VERSION_LABEL.to_owned(), json!(version.label()))]);
        if let Some(mark) = &self.own_mark {
            labels.insert(CANARY_LABEL.to_owned(), json!(mark));
        }
        json!({"name": version.label(), "labels": labels})
    }

    /// The DestinationRule with both subsets: the one that is there for the host, else one of ours.
    fn destination_rule(&self, environment: &Environment) -> Intent {
        let environments = vec![environment.name.clone()];
        let subsets = [self.subset(Version::Stable), self.subset(Version::Canary)];
        let Some(found) = self.found_rule(environment) else {
            let mut value = json!({
                "apiVersion": self.api_version,
                "kind": "DestinationRule",
                "metadata": {"name": self.rule_name},
                "spec": {"host": self.host, "subsets": subsets},
            });
            if self.order == Order::ArgoCd {
                value["metadata"]["annotations"] = json!({SYNC_OPTIONS: PRUNE_LAST});
            }
            return Intent::Object { environments, value };
        };
        let mut value = found.value.clone();
        if let Some(list) = subsets_of(&mut value).filter(|_| !self.has_subsets) {
            list.extend(subsets);
        }
        Intent::Object { environments, value }
    }

    /// No subsets: a rule of ours goes, one of the user's loses them.
    fn no_destination_rule(
        &self,
        application: &Application,
        environment: &Environment,
        release: &Release,
    ) -> Result<Intent, Diagnostic> {
        let environments = vec![environment.name.clone()];
        let Some(found) = self.found_rule(environment) else {
            return Ok(Intent::NoObject {
                environments,
                object: ObjectRef::new(&self.api_version, "DestinationRule", &self.rule_name),
            });
        };
        if application.owns(&found.origin) {
            self.check_own_rule(found)?;
        } else if !self.names_subsets(found) {
            return Ok(Intent::Object {
                environments,
                value: found.value.clone(),
            });
        }
        let mut value = found.value.clone();
        if let Some(subsets) = subsets_of(&mut value).filter(|_| !application.owns(&found.origin)) {
            subsets.retain(|subset| !self.is_subset(subset));
            let is_empty = subsets.is_empty();
            let spec = value.get_mut("spec").and_then(Value::as_object_mut);
            match spec {
                Some(spec) if is_empty && spec.len() <= 2 && release.origin.is_none() => {}
                Some(spec) if is_empty => {
                    spec.shift_remove("subsets");
                    return Ok(Intent::Object { environments, value });
                }
                _ => return Ok(Intent::Object { environments, value }),
            }
        }
        Ok(Intent::NoObject {
            environments,
            object: found.object.clone(),
        })
    }

    /// What a person added to the rule of ours would go with it.
    fn check_own_rule(&self, found: &Manifest) -> Result<(), Diagnostic> {
        let mut plain = found.value.clone();
        if found.value.pointer("/metadata/annotations") == Some(&json!({SYNC_OPTIONS: PRUNE_LAST}))
            && let Some(metadata) = plain.get_mut("metadata").and_then(Value::as_object_mut)
        {
            metadata.shift_remove("annotations");
        }
        if let Some(subsets) = subsets_of(&mut plain) {
            subsets.retain(|subset| !self.is_subset(subset));
        }
        let ours = json!({
            "apiVersion": found.object.api_version,
            "kind": "DestinationRule",
            "metadata": {"name": found.object.name},
            "spec": {"host": self.host, "subsets": []},
        });
        match first_difference(&plain, &ours) {
            None => Ok(()),
            Some(path) => Err(Diagnostic::error(
                Code::Drift,
                format!("{} goes now, and this is not of the release", found.object),
            )
            .at(found.origin.below_pointer(&path).as_key())
            .hint("put it into a DestinationRule of your own, in another file, first")),
        }
    }

    /// The Service, selecting the pods of both versions and nothing else, or as it is generated.
    fn service(
        &self,
        application: &Application,
        environment: &Environment,
        release: &Release,
        is_wide: bool,
    ) -> Intent {
        let selector = self.widening(application, environment, release);
        let environments = vec![environment.name.clone()];
        let target = ObjectRef::new("v1", "Service", &self.service);
        let fields = json!({"spec": {"selector": selector}});
        match is_wide {
            true => Intent::Patch {
                environments,
                target,
                fields: self.in_wave(AFTER_ROUTES, fields),
            },
            false => Intent::NoPatch {
                environments,
                target,
                fields: in_wave(AFTER_ROUTES, fields),
            },
        }
    }

    /// A patch of ours that says as well in which wave its object is applied, where the release asks for it.
    fn in_wave(&self, wave: &str, fields: Value) -> Value {
        match self.has_waves {
            true => in_wave(wave, fields),
            false => fields,
        }
    }

    /// The edit of the generated selector after which it selects the pods of both versions: what they differ in goes,
    /// the release's two labels come.
    fn widening(
        &self,
        application: &Application,
        environment: &Environment,
        release: &Release,
    ) -> Map<String, Value> {
        let pods = |workload: &str| {
            application
                .deployed(&environment.name, workload, "apps", "Deployment")
                .and_then(Manifest::pod_labels)
        };
        let (original, copy) = (pods(&release.workload), pods(&release.copy));
        let service = application.generated(&environment.name, &release.workload, "", "Service");
        let generated = service.and_then(|service| service.value.pointer("/spec/selector")?.as_object());
        let mut selector = Map::new();
        for key in generated.into_iter().flat_map(Map::keys) {
            let differs = original.and_then(|pods| pods.get(key)) != copy.and_then(|pods| pods.get(key));
            if differs {
                selector.insert(key.clone(), Value::Null);
            }
        }
        selector.insert(CANARY_LABEL.to_owned(), json!(canary_mark(application, release)));
        selector.insert("applicationName".to_owned(), json!(application.name));
        selector
    }

    /// Every VirtualService with routes to the host, with those routes as wanted.
    ///
    /// Starts from the patch of ours where there is one, so that what a person changed in it stays; it does not go
    /// before it says the same as the routes it covers.
    fn routes_patches(
        &self,
        application: &Application,
        environment: &Environment,
        wanted: Routes,
        release: &Release,
        basis: Basis,
    ) -> Result<Vec<Intent>, Vec<Diagnostic>> {
        let mut intents = Vec::new();
        let mut problems = Vec::new();
        for base in environment
            .base
            .iter()
            .filter(|manifest| manifest.object.is(NETWORKING, "VirtualService"))
        {
            let is_users = |patch: &TargetedPatch| !application.owns(&patch.origin);
            let Some(plain) = render_object(environment, &base.object, &is_users)? else {
                continue;
            };
            let at = http_origin(application, environment, base);
            problems.extend(self.other_protocols(&plain, &base.origin));
            let Some(http) = plain.value.pointer("/spec/http").and_then(Value::as_array) else {
                continue;
            };
            let environments = vec![environment.name.clone()];
            let target = base.object.clone();
            let own = own_http(application, environment, &base.object).filter(|_| basis == Basis::AsWritten);
            if wanted == Routes::Plain {
                problems.extend(own.as_ref().and_then(|own| self.differing(own, http, &at)).map(
                    |mut wrong| {
                        wrong.severity = Severity::Error;
                        wrong
                    },
                ));
            }
            let start = own
                .as_ref()
                .filter(|_| wanted != Routes::Plain)
                .map_or(http.as_slice(), |own| own.rules);
            match self.split().apply(start, wanted) {
                Ok(Some(wanted_http)) if wanted != Routes::Plain || wanted_http != *http => {
                    let fields = json!({"spec": {"http": wanted_http}});
                    intents.push(Intent::Patch {
                        environments,
                        target,
                        fields: self.in_wave(wave_of(wanted), fields),
                    });
                }
                Ok(Some(_)) => intents.push(Intent::NoPatch {
                    environments,
                    target,
                    fields: in_wave(AFTER_PODS, json!({})),
                }),
                Ok(None) => {}
                Err(Unsplittable {
                    rule_index,
                    part,
                    reason,
                }) => {
                    let message = format!("route {} of {} {reason}", rule_index + 1, base.object);
                    let hint = match part {
                        "route" => format!(
                            "take the other destinations out before releasing `{}`",
                            release.workload
                        ),
                        _ => format!("leave `{part}` out of the release, or change the route before it"),
                    };
                    let problem = Diagnostic::error(Code::UnsupportedRoute, message);
                    let at = at.below(&[&rule_index.to_string(), part]);
                    problems.push(problem.at(at).hint(hint));
                }
            }
        }
        if problems.is_empty() {
            Ok(intents)
        } else {
            Err(problems)
        }
    }

    /// Patches of ours that differ from the routes they cover.
    fn outdated_routes(&self, application: &Application, environment: &Environment) -> Vec<Diagnostic> {
        let services = environment.base.iter();
        let differing = |base: &Manifest| {
            let own = own_http(application, environment, &base.object)?;
            let is_users = |patch: &TargetedPatch| !application.owns(&patch.origin);
            let covered = render_object(environment, &base.object, &is_users).ok()??;
            let covered = covered.value.pointer("/spec/http")?.as_array()?;
            self.differing(&own, covered, &http_origin(application, environment, base))
        };
        services
            .filter(|base| base.object.is(NETWORKING, "VirtualService"))
            .filter_map(differing)
            .collect()
    }

    /// Where a patch of ours says other things than the routes it covers, besides which versions get what.
    fn differing(&self, own: &OwnHttp<'_>, covered: &[Value], covered_at: &Location) -> Option<Diagnostic> {
        let plain = |http| self.split().plain(http).ok()?.map(Value::Array);
        let path = first_difference(&plain(own.rules)?, &plain(covered)?)?;
        let own_path = self.where_it_lasts(own.rules, &path);
        let message = "this patch of the release and the routes it covers differ here";
        Some(
            Diagnostic::warning(Code::Drift, message)
                .at(own.origin.below(&["spec", "http"]).below_pointer(&own_path))
                .related(covered_at.below_pointer(&path), "what it covers")
                .hint("the release changes versions and weights only: write the same in both places"),
        )
    }

    /// The place in a list of rules of a place in the same list without a preview.
    fn where_it_lasts(&self, http: &[Value], path: &PointerBuf) -> PointerBuf {
        let mut tokens: Vec<String> = path.tokens().map(|token| token.decoded().into_owned()).collect();
        let lasting = self.split().lasting(http);
        let index = tokens
            .first()
            .and_then(|first| lasting.get(first.parse::<usize>().ok()?));
        if let (Some(first), Some(index)) = (tokens.first_mut(), index) {
            *first = index.to_string();
        }
        PointerBuf::from_tokens(tokens)
    }

    /// Routes of raw TCP and TLS to the host cannot be told apart by version here.
    fn other_protocols(&self, service: &Manifest, at: &Location) -> Vec<Diagnostic> {
        let reaches = |protocol: &str| {
            let rules = service
                .value
                .pointer(&format!("/spec/{protocol}"))
                .and_then(Value::as_array);
            let entries = rules
                .into_iter()
                .flatten()
                .filter_map(|rule| rule.get("route")?.as_array())
                .flatten();
            entries
                .filter_map(|entry| entry.pointer("/destination/host")?.as_str())
                .any(|host| self.is_host(host))
        };
        let protocols = ["tcp", "tls"].into_iter().filter(|protocol| reaches(protocol));
        protocols
            .map(|protocol| {
                let message = format!("{} has {protocol} routes to {}", service.object, self.service);
                Diagnostic::error(Code::UnsupportedRoute, message)
                    .at(at.clone())
                    .hint(
                        "only http routes can be split by weight: route this traffic to a Service of its own",
                    )
            })
            .collect()
    }

    /// What all routes to the host name; routes that disagree with the others are drift.
    fn observed_routes(
        &self,
        environment: &Environment,
        drift: &mut Vec<Diagnostic>,
    ) -> (Routes, Option<Location>) {
        let mut found: Vec<(Routes, Location, String)> = Vec::new();
        let mut has_preview = false;
        for service in environment.rendered.of_kind(NETWORKING, "VirtualService") {
            let origin = written_at(environment, service, &["spec", "http"]);
            let http = service.value.pointer("/spec/http").and_then(Value::as_array);
            let http = http.map_or(&[][..], Vec::as_slice);
            for (rule_index, rule) in http.iter().enumerate() {
                has_preview |= self.split().is_mirrored(rule);
                if self.split().is_chosen(http, rule) {
                    has_preview = true;
                    continue;
                }
                let at = origin.below(&[&rule_index.to_string(), "route"]).as_key();
                let name = format!("route {} of {}", rule_index + 1, service.object);
                match self.split().read(rule) {
                    Ok(Some(routes)) => found.push((routes, at, name)),
                    Ok(None) => {}
                    Err(Unreadable::Destinations(reason)) => {
                        drift.push(
                            Diagnostic::error(Code::UnsupportedRoute, format!("{name} {reason}")).at(at),
                        );
                    }
                    Err(Unreadable::Weights(reason)) => {
                        let wrong = Diagnostic::error(Code::InvalidValue, format!("{name} {reason}")).at(at);
                        drift.push(wrong.hint("make the two weights add up to 100"));
                    }
                }
            }
        }
        let first = found
            .iter()
            .find(|(routes, ..)| *routes != Routes::Plain)
            .or(found.first());
        let Some((routes, at, _)) = first else {
            return (Routes::Plain, None);
        };
        for (other, at, name) in found.iter().filter(|(other, ..)| other != routes) {
            let message = match other {
                Routes::Plain => format!("{name} names no version"),
                _ => format!("{name} is split differently from the first"),
            };
            drift.push(Diagnostic::warning(Code::Drift, message).at(at.clone()));
        }
        match *routes {
            Routes::Both(share) if has_preview => {
                drift.extend(self.other_preview(environment, share));
                (Routes::Preview(share), Some(at.clone()))
            }
            routes => (routes, Some(at.clone())),
        }
    }

    /// A preview that is not the one of the release file: the next transition writes that.
    fn other_preview(&self, environment: &Environment, share: Weight) -> Vec<Diagnostic> {
        let services = environment.rendered.of_kind(NETWORKING, "VirtualService");
        let differing = services.filter_map(|service| {
            let http = service.value.pointer("/spec/http")?;
            let wanted = self.split().apply(http.as_array()?, Routes::Preview(share));
            let path = first_difference(http, &Value::Array(wanted.ok()??))?;
            let at = written_at(environment, service, &["spec", "http"]).below_pointer(&path);
            Some(other_preview(self.preview, &service.object, at))
        });
        differing.collect()
    }
}

/// The wave of routes that name one version: a wave begins when the pods of the one before are ready, so not before
/// there are pods and a subset to name.
const AFTER_PODS: &str = "1";

/// The wave of a Service that selects both versions: not before the routes name one of them.
const AFTER_ROUTES: &str = "2";

/// The wave of routes that name both: not before the Service has pods of both.
const AFTER_SERVICE: &str = "3";

fn wave_of(routes: Routes) -> &'static str {
    match routes {
        Routes::Both(_) | Routes::Preview(_) | Routes::Between(..) => AFTER_SERVICE,
        Routes::Plain | Routes::CanaryOnly => AFTER_PODS,
    }
}

/// Whether a patch of the user's says some routes. They are edited there, where annotations are the user's; and a Service
/// that waits for routes which do not wait themselves would be worse than none.
fn has_own_routes(application: &Application) -> bool {
    let patches = application
        .environments
        .values()
        .flat_map(|environment| &environment.patches);
    let mut own = patches.filter(|patch| !application.owns(&patch.origin));
    own.any(|patch| {
        patch.target.is(NETWORKING, "VirtualService") && patch.value.pointer("/spec/http").is_some()
    })
}

fn in_wave(wave: &str, mut fields: Value) -> Value {
    fields["metadata"] = json!({"annotations": {SYNC_WAVE: wave}});
    fields
}

/// The `http` list of a VirtualService in a patch of ours.
struct OwnHttp<'a> {
    rules: &'a [Value],
    origin: &'a Location,
}

fn own_http<'a>(
    application: &Application,
    environment: &'a Environment,
    service: &ObjectRef,
) -> Option<OwnHttp<'a>> {
    let own = environment
        .patches
        .iter()
        .rev()
        .find(|patch| application.owns(&patch.origin) && sets_http(patch, service))?;
    let rules = own.value.pointer("/spec/http")?.as_array()?;
    Some(OwnHttp {
        rules,
        origin: &own.origin,
    })
}

/// Where the `http` list of a VirtualService was written last by the user.
fn http_origin(application: &Application, environment: &Environment, base: &Manifest) -> Location {
    let mut patches = environment
        .patches
        .iter()
        .rev()
        .filter(|patch| !application.owns(&patch.origin));
    let source = patches.find(|patch| sets_http(patch, &base.object));
    source
        .map_or(&base.origin, |patch| &patch.origin)
        .below(&["spec", "http"])
}

fn sets_http(patch: &TargetedPatch, service: &ObjectRef) -> bool {
    sets(patch, service, &["spec", "http"])
}

/// Where a field of an object was written last: in a patch of it, else where the object itself comes from.
fn written_at(environment: &Environment, manifest: &Manifest, field: &[&str]) -> Location {
    let mut patches = environment.patches.iter().rev();
    let source = patches.find(|patch| sets(patch, &manifest.object, field));
    source
        .map_or(&manifest.origin, |patch| &patch.origin)
        .below(field)
}

fn sets(patch: &TargetedPatch, object: &ObjectRef, field: &[&str]) -> bool {
    let is_target = patch.target.kind == object.kind && patch.target.name == object.name;
    is_target
        && field
            .iter()
            .try_fold(&patch.value, |value, key| value.get(key))
            .is_some()
}

fn subsets_of(rule: &mut Value) -> Option<&mut Vec<Value>> {
    let spec = rule.get_mut("spec")?.as_object_mut()?;
    let subsets = spec.entry("subsets").or_insert_with(|| json!([]));
    if subsets.is_null() {
        *subsets = json!([]);
    }
    subsets.as_array_mut()
}

/// Whether labels satisfy an equality selector.
fn selects(selector: &Map<String, Value>, labels: &Map<String, Value>) -> bool {
    !selector.is_empty() && selector.iter().all(|(key, value)| labels.get(key) == Some(value))
}
