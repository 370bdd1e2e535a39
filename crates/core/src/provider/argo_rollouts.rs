//! Argo Rollouts: a Rollout takes the template of its pods from the workload's Deployment, and moves the requests by its steps.
//!
//! Its pods run beside the Deployment's, behind the same Service, until the Deployment gives its own up; from then on a new image in
//! the Deployment's template is a canary of the Rollout's. Where routes lead to the workload, the controller moves their weights
//! between two Services, which it narrows to the pods of one version; elsewhere it splits by numbers of pods.
//!
//! Sources: Argo Rollouts, "Specification", "Migrating", "Canary", "Istio"; its definition of v1alpha1 (1.8).

use serde_json::{Map, Value, json};

use super::controller::{Takes, Wanted};
use super::given::Givers;
use super::{Controller, ControllerId};
use crate::diagnostic::{Code, Diagnostic};
use crate::manifest::{Manifest, ObjectRef};
use crate::model::{Application, Delegation, Environment, Weight};
use crate::prover::ROLLOUT;

mod lint;
mod pods;
mod routing;
mod spec;
mod traffic;

pub(super) use pods::{Behind, Rollouts};
use routing::{Routing, own_service};
use spec::{stable_service, target_of};
pub(super) use traffic::ArgoTraffic;

/// The version that our own Rollouts are of.
const API_VERSION: &str = "argoproj.io/v1alpha1";

/// The controller.
pub(super) struct ArgoRollouts;

impl Controller for ArgoRollouts {
    fn id(&self) -> ControllerId {
        ControllerId::ArgoRollouts
    }

    fn takes(&self) -> Takes {
        Takes::Pods
    }

    fn is_used(&self, environment: &Environment) -> bool {
        ROLLOUTS.of(environment).next().is_some()
    }

    fn object<'e>(&self, environment: &'e Environment, workload: &str) -> Option<&'e Manifest> {
        rollout_of(environment, workload)
    }

    fn taken_over<'e>(&self, environment: &'e Environment, workload: &str) -> Option<&'e Manifest> {
        own_service(environment, workload)
    }

    /// It writes none: it narrows those that are there.
    fn service(&self, _object: &Value) -> Option<String> {
        None
    }

    /// Without the Services it lets the routes be, and widens what it narrowed; where no route leads to the workload there is
    /// nothing that it could leave alone.
    fn is_suspended(&self, environment: &Environment, object: &Manifest) -> bool {
        let workload = target_of(&object.value).unwrap_or_default();
        stable_service(&object.value).is_none() && Routing::of(environment, workload).is_some()
    }

    fn with_suspended(
        &self,
        environment: &Environment,
        object: &Manifest,
        is_suspended: bool,
    ) -> Result<Value, Diagnostic> {
        let mut value = object.value.clone();
        let workload = target_of(&object.value).unwrap_or_default();
        let canary = value
            .pointer_mut("/spec/strategy/canary")
            .and_then(Value::as_object_mut);
        if let (Some(canary), Some(routing)) = (canary, Routing::of(environment, workload)) {
            match is_suspended {
                true => {
                    for key in ["canaryService", "stableService", "trafficRouting"] {
                        canary.shift_remove(key);
                    }
                }
                false => canary.extend(routed(&routing)),
            }
        }
        Ok(value)
    }

    fn is_split(&self, environment: &Environment, workload: &str) -> Option<bool> {
        Routing::of(environment, workload).map(|routing| routing.is_split())
    }

    fn with_split<'e>(
        &self,
        environment: &'e Environment,
        workload: &'e str,
        is_split: bool,
    ) -> Result<Vec<Wanted<'e>>, Diagnostic> {
        let Some(routing) = Routing::of(environment, workload) else {
            return Ok(Vec::new());
        };
        match is_split {
            true => routing.split(),
            false => Ok(routing.joined()),
        }
    }

    fn file(&self, workload: &str) -> String {
        format!("{workload}-rollout.yaml")
    }

    /// After each step the Rollout waits for a person; the controller scales nothing that is in the files.
    fn new_object(
        &self,
        application: &Application,
        delegation: &Delegation,
        environment: &Environment,
        _service: &Value,
    ) -> Result<Value, Diagnostic> {
        let workload = &delegation.workload;
        let deployment = application.deployed(&environment.name, workload, "apps", "Deployment");
        let deployment = deployment.ok_or_else(|| {
            let message = format!("`{workload}` has no Deployment in {}", environment.name);
            Diagnostic::error(Code::CanaryImpossible, message)
        })?;
        let mut metadata = Map::new();
        metadata.insert("name".to_owned(), json!(workload));
        if let Some(namespace) = &deployment.object.namespace {
            metadata.insert("namespace".to_owned(), json!(namespace));
        }
        let ObjectRef {
            api_version,
            kind,
            name,
            ..
        } = &deployment.object;
        let mut canary = Map::new();
        if let Some(routing) = Routing::of(environment, workload) {
            canary.extend(routed(&routing));
        }
        let steps = delegation.steps(&environment.name).iter();
        let steps =
            steps.flat_map(|step| [json!({"setWeight": Weight::percent(*step)}), json!({"pause": {}})]);
        canary.insert("steps".to_owned(), steps.collect());
        Ok(json!({
            "apiVersion": API_VERSION,
            "kind": ROLLOUT.1,
            "metadata": metadata,
            "spec": {
                "replicas": replicas(deployment).unwrap_or(1),
                "workloadRef": {"apiVersion": api_version, "kind": kind, "name": name, "scaleDown": "never"},
                "strategy": {"canary": canary},
            },
        }))
    }

    fn check_start(&self, environment: &Environment, workload: &str) -> Vec<Diagnostic> {
        lint::before(environment, workload)
    }

    fn lint_environment(&self, environment: &Environment) -> Vec<Diagnostic> {
        lint::find(environment)
    }

    fn look(&self, object: &Manifest) -> String {
        format!("get rollout {}", object.object.name)
    }
}

/// Rollouts that have their template from a Deployment.
const ROLLOUTS: Givers = Givers {
    controller: "Argo Rollouts",
    kind: ROLLOUT,
    target_of,
    at: ["spec", "workloadRef", "name"],
};

/// The Rollout that makes pods after a workload's template.
fn rollout_of<'e>(environment: &'e Environment, workload: &str) -> Option<&'e Manifest> {
    ROLLOUTS
        .of(environment)
        .find(|rollout| target_of(&rollout.value) == Some(workload))
}

/// How many pods an object asks for, where it says so.
fn replicas(manifest: &Manifest) -> Option<u64> {
    manifest.value.pointer("/spec/replicas").and_then(Value::as_u64)
}

/// What a strategy says of the routes whose weights it moves.
fn routed(routing: &Routing<'_>) -> Map<String, Value> {
    let [stable, canary] = routing.names();
    let mut said = Map::new();
    said.insert("canaryService".to_owned(), json!(canary));
    said.insert("stableService".to_owned(), json!(stable));
    said.insert("trafficRouting".to_owned(), routing.traffic_routing());
    said
}
