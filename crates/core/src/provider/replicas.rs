//! Numbers of pods: one Service spreads the requests evenly over the pods of both versions.
//!
//! The copy carries the labels that the Service selects by, and a version of its own besides. A share is a number of pods
//! among all, so only some can be had, and another one takes two commits: the version that gets more grows first.
//! Shares hold for connections rather than for requests.
//!
//! Source: Kubernetes, "Service" (endpoints are the ready pods that the selector matches), "Canary deployments".

use indexmap::IndexMap;
use serde_json::{Map, Value, json};

use super::backends::{other_image, promote, services};
use super::{Basis, CopyIntent, Intent, Observed, Provider, ProviderId, VERSION_LABEL};
use crate::diagnostic::{Code, Diagnostic, Location};
use crate::manifest::{Manifest, ObjectRef};
use crate::model::{Application, Environment, Form, Release, Routes, Shape, Weight};

/// The provider.
pub(super) struct Replicas;

impl Provider for Replicas {
    fn id(&self) -> ProviderId {
        ProviderId::Replicas
    }

    fn form(&self) -> Form {
        Form::Replicas
    }

    /// Nothing takes the requests anywhere: it is what remains where nothing routes.
    fn is_used(&self, _application: &Application, _workload: &str, _environment: &str) -> bool {
        false
    }

    fn check_start(&self, application: &Application, release: &Release) -> Vec<Diagnostic> {
        let mut problems = Vec::new();
        for environment in application.environments.values() {
            let deployment = application.deployed(&environment.name, &release.workload, "apps", "Deployment");
            let Some(deployment) = deployment else {
                let message = format!("`{}` is not in {}", release.workload, environment.name);
                let problem = Diagnostic::error(Code::CanaryImpossible, message);
                let problem = problem.at(application.workloads[&release.workload].origin.clone());
                problems.push(problem.hint("deploy it, with its Service, to every environment first"));
                continue;
            };
            problems.extend(unsaid(deployment));
            problems.extend(scaler(environment, release));
            problems.extend(own_version(release, deployment));
            problems.extend(narrow_services(environment, release, deployment));
            problems.extend(other_pods(environment, release));
            let unlike = other_image(application, &release.workload, environment);
            let hint = "let every environment run the same version before a release begins";
            problems.extend(unlike.map(|found| found.hint(hint)));
        }
        problems
    }

    fn lint(&self, _application: &Application) -> Vec<Diagnostic> {
        Vec::new()
    }

    fn hosts(&self, application: &Application, release: &Release, environment: &str) -> Vec<String> {
        let services = services(&application.environments[environment], &release.workload);
        services.map(|service| service.object.name.clone()).collect()
    }

    fn own_weight(&self, _application: &Application, _release: &Release) -> Result<Option<u64>, Diagnostic> {
        Ok(None)
    }

    /// The nearest number of pods; at least one for a canary that is wanted, and one for the stable version until
    /// everything is meant to be the canary's.
    fn attainable(
        &self,
        application: &Application,
        release: &Release,
        environment: &str,
        wanted: Weight,
    ) -> Weight {
        let total = Pods::of(application, release, environment).total;
        let most = match wanted {
            Weight::FULL => total,
            _ => total.saturating_sub(1).max(1),
        };
        let least = u64::from(wanted > Weight::ZERO);
        share(pods(total, wanted).clamp(least, most), total)
    }

    fn own_replicas(&self, application: &Application, release: &Release) -> IndexMap<String, u64> {
        let environments = application.environments.keys();
        let total = |name: &String| (name.clone(), Pods::of(application, release, name).total);
        environments.map(total).collect()
    }

    fn emit(
        &self,
        application: &Application,
        release: &Release,
        shape: &Shape,
        _basis: Basis,
    ) -> Result<Vec<Intent>, Vec<Diagnostic>> {
        if !shape.copy {
            return Ok(Vec::new());
        }
        let mut replicas = IndexMap::new();
        let mut counts = Vec::new();
        for name in application.environments.keys() {
            let routes = shape.routes.get(name).copied().unwrap_or(Routes::Plain);
            let (stable, canary) = Pods::of(application, release, name).wanted(routes);
            replicas.insert(name.clone(), canary);
            for (workload, count) in [(&release.workload, stable), (&release.copy, canary)] {
                let Some(deployment) = application.generated(name, workload, "apps", "Deployment") else {
                    continue;
                };
                counts.push(Intent::Patch {
                    environments: vec![name.clone()],
                    target: deployment.object.clone(),
                    fields: json!({"spec": {"replicas": count}}),
                });
            }
        }
        let version = (VERSION_LABEL.to_owned(), release.copy_version().to_owned());
        let mut intents = vec![Intent::Copy(CopyIntent {
            of: release.workload.clone(),
            key: release.copy.clone(),
            labels: IndexMap::from([version]),
            image: release.canary.clone(),
            replicas,
        })];
        intents.extend(promote(application, release, shape)?);
        intents.extend(counts);
        Ok(intents)
    }

    fn observe(&self, application: &Application, release: &Release, environment: &str) -> Observed {
        let of = |workload| application.deployed(environment, workload, "apps", "Deployment");
        let pods = Pods::of(application, release, environment);
        let has_copy = of(&release.copy).is_some();
        let is_shared = is_shared(&application.environments[environment], release);
        let at = of(&release.workload).map(replicas_at);
        let mut drift = Vec::new();
        if has_copy && pods.stable + pods.canary < pods.total {
            let message = format!(
                "{environment} has {} of the {} pods that the release began with",
                pods.stable + pods.canary,
                pods.total
            );
            let hint = "give them back, or write the number that is meant under `from: replicas:` in the release file";
            let wrong = Diagnostic::warning(Code::Drift, message).hint(hint);
            drift.push(match &at {
                Some(at) => wrong.at(at.clone()),
                None => wrong,
            });
        }
        Observed {
            routes: match has_copy && is_shared {
                true => pods.routes(),
                false => Routes::Plain,
            },
            routes_at: at,
            drift,
            ..Observed::of_copy(has_copy)
        }
    }

    fn weighted(
        &self,
        application: &Application,
        release: &Release,
        environment: &str,
    ) -> Vec<(ObjectRef, &'static str)> {
        let workloads = [&release.workload, &release.copy].into_iter();
        let deployments = workloads
            .filter_map(|workload| application.deployed(environment, workload, "apps", "Deployment"));
        deployments
            .map(|deployment| (deployment.object.clone(), "spec.replicas"))
            .collect()
    }

    /// The version that gets more first.
    fn live_patches(
        &self,
        application: &Application,
        release: &Release,
        environment: &str,
        routes: Routes,
    ) -> Vec<(ObjectRef, Value)> {
        let now = Pods::of(application, release, environment);
        let (stable, canary) = now.wanted(routes);
        let mut counts = vec![(&release.workload, stable), (&release.copy, canary)];
        if canary > now.canary {
            counts.reverse();
        }
        let patch = |(workload, count): (&String, u64)| {
            let deployment = application.deployed(environment, workload, "apps", "Deployment")?;
            let operation = json!({"op": "replace", "path": "/spec/replicas", "value": count});
            Some((deployment.object.clone(), json!([operation])))
        };
        counts.into_iter().filter_map(patch).collect()
    }
}

/// The pods that both versions ask for in one environment.
struct Pods {
    stable: u64,
    canary: u64,
    /// How many there were before the release.
    total: u64,
}

impl Pods {
    fn of(application: &Application, release: &Release, environment: &str) -> Self {
        let count = |workload: &str, unsaid| {
            let deployment = application.deployed(environment, workload, "apps", "Deployment")?;
            let said = deployment.value.pointer("/spec/replicas");
            Some(said.and_then(Value::as_u64).unwrap_or(unsaid))
        };
        // Source: Kubernetes, Deployment `replicas` defaults to 1.
        let stable = count(&release.workload, 1).unwrap_or(0);
        let canary = count(&release.copy, 1).unwrap_or(0);
        let recorded = release.from_replicas.get(environment).copied();
        Self {
            stable,
            canary,
            total: recorded.unwrap_or(stable + canary).max(1),
        }
    }

    /// How many pods the versions have where routes are so.
    fn wanted(&self, routes: Routes) -> (u64, u64) {
        let (low, high) = routes.range().unwrap_or((Weight::ZERO, Weight::ZERO));
        (self.total - pods(self.total, low), pods(self.total, high))
    }

    /// The shares that the numbers are.
    fn routes(&self) -> Routes {
        let low = share(self.total - self.stable.min(self.total), self.total);
        let high = share(self.canary.min(self.total), self.total);
        match low < high {
            true => Routes::Between(low, high),
            false => Routes::Both(high),
        }
    }
}

/// The number of pods nearest to a share of them.
fn pods(total: u64, share: Weight) -> u64 {
    total.saturating_mul(share.percent().into()).saturating_add(50) / 100
}

/// The share that a number of pods is.
fn share(pods: u64, total: u64) -> Weight {
    let percent = (u128::from(pods) * 100 + u128::from(total) / 2) / u128::from(total);
    u64::try_from(percent)
        .ok()
        .and_then(Weight::new)
        .unwrap_or(Weight::FULL)
}

fn replicas_at(deployment: &Manifest) -> Location {
    let said = deployment.value.pointer("/spec/replicas").is_some();
    let path: &[&str] = if said { &["spec", "replicas"] } else { &["spec"] };
    deployment.origin.below(path).as_key()
}

/// A number that is not said belongs to somebody else: an autoscaler, or a person with kubectl.
fn unsaid(deployment: &Manifest) -> Option<Diagnostic> {
    let said = deployment.value.pointer("/spec/replicas");
    let message = match said.map(Value::as_u64) {
        Some(Some(count)) if count > 0 => return None,
        Some(_) => format!("{} has no pods to share", deployment.object),
        None => format!("{} does not say how many pods it has", deployment.object),
    };
    let problem = Diagnostic::error(Code::CanaryImpossible, message).at(replicas_at(deployment));
    Some(problem.hint("write `replicas: 4`, say: with four pods a canary can have 25, 50, 75 or 100 percent"))
}

/// An autoscaler sets the numbers that would be the shares. Sources: Kubernetes, "Horizontal Pod Autoscaling"; KEDA,
/// "ScaledObject".
fn scaler(environment: &Environment, release: &Release) -> Option<Diagnostic> {
    let scales = |object: &&Manifest| {
        let is_scaler = object.object.is("autoscaling", "HorizontalPodAutoscaler")
            || object.object.is("keda.sh", "ScaledObject");
        is_scaler && object.text("/spec/scaleTargetRef/name") == Some(&release.workload)
    };
    let scaler = environment.base.iter().find(scales)?;
    let message = format!("{} sets how many pods `{}` has", scaler.object, release.workload);
    let problem = Diagnostic::error(Code::CanaryImpossible, message);
    let problem = problem.at(scaler.origin.below(&["spec", "scaleTargetRef"]).as_key());
    Some(problem.hint("take it away for the time of the release, or split the traffic by routes: tidegate init --provider NAME"))
}

/// Pods that say the copy's version already.
pub(super) fn own_version(release: &Release, deployment: &Manifest) -> Option<Diagnostic> {
    let version = deployment.pod_labels()?.get(VERSION_LABEL)?.as_str()?;
    (version == release.copy_version()).then(|| {
        let message = format!(
            "the pods of `{}` carry `{VERSION_LABEL}: {version}`, which its copy would have",
            release.workload
        );
        let at = ["spec", "template", "metadata", "labels", VERSION_LABEL];
        let problem =
            Diagnostic::error(Code::CanaryImpossible, message).at(deployment.origin.below(&at).as_key());
        problem.hint("give them another value first")
    })
}

/// Whether one Service spreads the requests over the pods of both versions, and over no others.
fn is_shared(environment: &Environment, release: &Release) -> bool {
    services(environment, &release.workload).any(|service| {
        is_behind(environment, service, &release.copy)
            && other_workload(environment, release, service).is_none()
    })
}

/// Whether a Service selects the pods of a workload.
fn is_behind(environment: &Environment, service: &Manifest, workload: &str) -> bool {
    services(environment, workload).any(|other| other.object == service.object)
}

/// A workload besides the two versions whose pods a Service selects.
fn other_workload<'e>(
    environment: &'e Environment,
    release: &Release,
    service: &Manifest,
) -> Option<&'e String> {
    let mut workloads = environment.parts.keys();
    workloads.find(|workload| {
        **workload != release.workload
            && **workload != release.copy
            && is_behind(environment, service, workload)
    })
}

/// Pods of others behind the Service would take shares that nobody counts.
fn other_pods(environment: &Environment, release: &Release) -> Option<Diagnostic> {
    services(environment, &release.workload).find_map(|service| {
        let other = other_workload(environment, release, service)?;
        let message = format!("{} selects the pods of `{other}` too", service.object);
        let at = service.origin.below(&["spec", "selector"]).as_key();
        let problem = Diagnostic::error(Code::CanaryImpossible, message).at(at);
        Some(problem.hint("shares are numbers of pods: let it select those of one workload only"))
    })
}

/// Services that would not select the copy's pods: their callers would meet the stable version alone, and nobody once it
/// has no pod.
fn narrow_services(environment: &Environment, release: &Release, deployment: &Manifest) -> Vec<Diagnostic> {
    let mut copy: Map<String, Value> = deployment.pod_labels().cloned().unwrap_or_default();
    copy.insert(VERSION_LABEL.to_owned(), json!(release.copy_version()));
    let services: Vec<&Manifest> = services(environment, &release.workload).collect();
    let narrow = services.iter().filter_map(|service| {
        let selector = service.value.pointer("/spec/selector")?.as_object()?;
        let (key, _) = selector
            .iter()
            .find(|(key, value)| copy.get(*key) != Some(value))?;
        let message = format!("{} selects one version only, by `{key}`", service.object);
        let at = service.origin.below(&["spec", "selector", key]).as_key();
        let problem = Diagnostic::error(Code::CanaryImpossible, message).at(at);
        Some(problem.hint(format!(
            "let it select the pods of every version: take `{key}` out of its selector"
        )))
    });
    narrow.collect()
}
