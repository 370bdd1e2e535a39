//! Flagger: a Canary object gives it a workload, and it moves the requests by itself.
//!
//! It clones the workload to `<name>-primary`, writes the Services `<name>`, `<name>-primary` and `<name>-canary` and the routes of a
//! mesh, and scales the workload to nothing until its image changes. What it writes must not be written by anybody else.
//!
//! Sources: Flagger, "How it works", "Canary analysis", "FAQ"; its definitions of v1alpha3 (0.18) and v1beta1 (1.44).

use serde_json::{Map, Value, json};

use super::given::Givers;
use super::{Controller, ControllerId, Takes};
use crate::diagnostic::{Code, Diagnostic, nearest};
use crate::manifest::{Manifest, ObjectRef};
use crate::model::{Application, Delegation, Environment, Weight};

mod lint;
mod traffic;

pub(super) use traffic::FlaggerTraffic;

/// The API group of Canary objects.
const GROUP: &str = "flagger.app";

/// The version that our own Canary objects are of.
const API_VERSION: &str = "flagger.app/v1beta1";

/// The labels of which one has to select the pods: the clone gets another value of it. Source: Flagger, flag
/// `-selector-labels`.
const SELECTOR_LABELS: [&str; 3] = ["app", "name", "app.kubernetes.io/name"];

/// What a Canary can name as its mesh or ingress. Source: definition of v1beta1, `spec.provider`.
const PROVIDERS: [&str; 19] = [
    "apisix",
    "appmesh",
    "appmesh:v1beta2",
    "contour",
    "gatewayapi:v1",
    "gatewayapi:v1beta1",
    "gloo",
    "istio",
    "knative",
    "kubernetes",
    "kuma",
    "linkerd",
    "nginx",
    "osm",
    "skipper",
    "smi:v1alpha1",
    "smi:v1alpha2",
    "smi:v1alpha3",
    "traefik",
];

/// The controller.
pub(super) struct Flagger;

impl Controller for Flagger {
    fn id(&self) -> ControllerId {
        ControllerId::Flagger
    }

    fn takes(&self) -> Takes {
        Takes::Service
    }

    fn is_used(&self, environment: &Environment) -> bool {
        CANARIES.of(environment).next().is_some()
    }

    fn object<'e>(&self, environment: &'e Environment, workload: &str) -> Option<&'e Manifest> {
        CANARIES
            .of(environment)
            .find(|canary| target_of(&canary.value) == Some(workload))
    }

    fn taken_over<'e>(&self, environment: &'e Environment, workload: &str) -> Option<&'e Manifest> {
        taken_over(environment, workload)
    }

    fn service(&self, object: &Value) -> Option<String> {
        service_of(object)
    }

    fn is_suspended(&self, _environment: &Environment, object: &Manifest) -> bool {
        is_suspended(&object.value)
    }

    fn file(&self, workload: &str) -> String {
        format!("{workload}-canary.yaml")
    }

    fn with_suspended(
        &self,
        _environment: &Environment,
        object: &Manifest,
        is_suspended: bool,
    ) -> Result<Value, Diagnostic> {
        if object.object.api_version != API_VERSION {
            let message = format!(
                "{} cannot be suspended in {}",
                object.object, object.object.api_version
            );
            let problem = Diagnostic::error(Code::Unsupported, message);
            let hint = format!("move it to `{API_VERSION}` first: Flagger would fight over its Service");
            return Err(problem.at(object.origin.below(&["apiVersion"])).hint(hint));
        }
        let mut value = object.value.clone();
        if let Some(spec) = value.get_mut("spec").and_then(Value::as_object_mut) {
            match is_suspended {
                true => spec.insert("suspend".to_owned(), json!(true)),
                false => spec.shift_remove("suspend"),
            };
        }
        Ok(value)
    }

    /// Success rate and duration are the two metrics that Flagger knows for every mesh. Source: Flagger, "Metrics Analysis",
    /// "Builtin metrics"; interval, threshold and ranges are those of its guides.
    fn new_object(
        &self,
        application: &Application,
        delegation: &Delegation,
        environment: &Environment,
        service: &Value,
    ) -> Result<Value, Diagnostic> {
        let workload = &delegation.workload;
        let missing = |what: &str| {
            let message = format!("`{workload}` has no {what} in {}", environment.name);
            Diagnostic::error(Code::CanaryImpossible, message)
        };
        let deployment = application.deployed(&environment.name, workload, "apps", "Deployment");
        let deployment = deployment.ok_or_else(|| missing("Deployment"))?;
        let port = service.pointer("/spec/ports/0");
        let port = port.ok_or_else(|| missing("port in its Service"))?;
        let mut said = Map::new();
        if let Some(name) = service.pointer("/metadata/name").filter(|name| *name != workload) {
            said.insert("name".to_owned(), name.clone());
        }
        for (key, own) in [
            ("port", "port"),
            ("targetPort", "targetPort"),
            ("name", "portName"),
            ("appProtocol", "appProtocol"),
        ] {
            if let Some(value) = port.get(key) {
                said.insert(own.to_owned(), value.clone());
            }
        }
        let ObjectRef {
            api_version, kind, ..
        } = &deployment.object;
        let mut spec = Map::new();
        let target = json!({"apiVersion": api_version, "kind": kind, "name": deployment.object.name});
        spec.insert("targetRef".to_owned(), target);
        if let Some(scaler) = scaler(environment, workload) {
            let ObjectRef {
                api_version,
                kind,
                name,
                ..
            } = &scaler.object;
            let scaler = json!({"apiVersion": api_version, "kind": kind, "name": name});
            spec.insert("autoscalerRef".to_owned(), scaler);
        }
        spec.insert("service".to_owned(), Value::Object(said));
        let steps: Vec<u8> = delegation
            .steps(&environment.name)
            .iter()
            .map(|step| Weight::percent(*step))
            .collect();
        let analysis = json!({
            "interval": "1m",
            "threshold": 5,
            "stepWeights": steps,
            "metrics": [
                {"name": "request-success-rate", "interval": "1m", "thresholdRange": {"min": 99}},
                {"name": "request-duration", "interval": "1m", "thresholdRange": {"max": 500}},
            ],
        });
        spec.insert("analysis".to_owned(), analysis);
        let mut metadata = Map::new();
        metadata.insert("name".to_owned(), json!(workload));
        if let Some(namespace) = &deployment.object.namespace {
            metadata.insert("namespace".to_owned(), json!(namespace));
        }
        Ok(json!({"apiVersion": API_VERSION, "kind": "Canary", "metadata": metadata, "spec": spec}))
    }

    fn check_start(&self, environment: &Environment, workload: &str) -> Vec<Diagnostic> {
        match self.object(environment, workload) {
            // Whether it serves is the controller's business.
            Some(_) => Vec::new(),
            None => lint::before(environment, workload),
        }
    }

    fn lint_environment(&self, environment: &Environment) -> Vec<Diagnostic> {
        lint::find(environment)
    }

    fn look(&self, object: &Manifest) -> String {
        format!("get canary {}", object.object.name)
    }
}

/// The Canary objects.
const CANARIES: Givers = Givers {
    controller: "Flagger",
    kind: (GROUP, "Canary"),
    target_of,
    at: ["spec", "targetRef", "name"],
};

/// The Deployment that a Canary is about.
fn target_of(canary: &Value) -> Option<&str> {
    let target = canary.pointer("/spec/targetRef")?;
    let kind = target.get("kind").and_then(Value::as_str)?;
    target
        .get("name")
        .and_then(Value::as_str)
        .filter(|_| kind == "Deployment")
}

/// The Service that Flagger writes for a Canary: named by it, else called like its target.
fn service_of(canary: &Value) -> Option<String> {
    let named = canary.pointer("/spec/service/name").and_then(Value::as_str);
    named.or_else(|| target_of(canary)).map(str::to_owned)
}

fn is_suspended(canary: &Value) -> bool {
    canary.pointer("/spec/suspend") == Some(&Value::Bool(true))
}

/// The clone of a workload.
fn primary(workload: &str) -> String {
    format!("{workload}-primary")
}

/// The Service of the repository that Flagger would take over: the one called like the workload, else the only one.
fn taken_over<'e>(environment: &'e Environment, workload: &str) -> Option<&'e Manifest> {
    let named = |service: &&Manifest| service.object.name == workload;
    let services = || super::backends::services(environment, workload);
    services().find(named).or_else(|| services().next())
}

/// The autoscaler of a workload.
fn scaler<'e>(environment: &'e Environment, workload: &str) -> Option<&'e Manifest> {
    environment.rendered.iter().find(|object| {
        let is_scaler = object.object.is("autoscaling", "HorizontalPodAutoscaler")
            || object.object.is("keda.sh", "ScaledObject");
        is_scaler && object.text("/spec/scaleTargetRef/name") == Some(workload)
    })
}

/// The nearest of Flagger's meshes and ingresses to one that it does not know; `None` where it does.
fn unknown_provider(canary: &Manifest) -> Option<Diagnostic> {
    let named = canary.text("/spec/provider")?;
    // v1alpha3 knows fewer, and the controller's flag is one of the same names.
    if PROVIDERS.contains(&named) {
        return None;
    }
    let message = format!("Flagger knows no provider `{named}`");
    let problem = Diagnostic::error(Code::UnknownName, message);
    let problem = problem.at(canary.origin.below(&["spec", "provider"]));
    Some(match nearest(named, PROVIDERS) {
        Some(near) => problem.hint(format!("did you mean `{near}`?")),
        None => problem.hint(format!("it knows: {}", PROVIDERS.join(", "))),
    })
}
