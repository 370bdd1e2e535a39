//! What is replayed and what comes back: the document between whoever predicts and this harness.
//!
//! A document is `{"transitions": [{"name": …, "states": [{"id", "objects", "pods", "requests"}]}]}`; the types below
//! give the rest, field by field. Objects are Kubernetes objects as JSON, each with its namespace. A field that is not
//! listed is refused.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

/// Shares of requests by outcome: each in 0..=1. Ordered, so that two runs print the same.
pub(crate) type Shares = BTreeMap<String, f64>;

/// One change of one environment, in all the states that it may pass through.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Transition {
    /// For people: `my-service/production/wire`.
    pub(crate) name: String,
    pub(crate) states: Vec<State>,
}

/// What a cluster holds at one moment, and what is asked of it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct State {
    /// For people: which changes are applied.
    pub(crate) id: String,
    pub(crate) objects: Vec<Value>,
    /// What there was before the change, for a controller that leaves things as they were until all it needs is there.
    #[serde(default)]
    pub(crate) previous: Vec<Value>,
    /// Whose routes the proxies of the callers take.
    #[serde(default)]
    pub(crate) system: System,
    pub(crate) pods: Vec<Pod>,
    pub(crate) requests: Vec<Request>,
}

/// Whose routes proxies take.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum System {
    #[default]
    Istio,
    GatewayApi,
    AppMesh,
    Smi,
}

/// A running pod. Deployments among the objects make no pods: the caller says which there are.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Pod {
    /// Unique among the pods of the state.
    pub(crate) name: String,
    pub(crate) namespace: String,
    pub(crate) labels: BTreeMap<String, String>,
    #[serde(default, rename = "serviceAccount")]
    _service_account: String,
    /// What its requests count for: `stable`, `canary`, `other`.
    pub(crate) version: String,
    pub(crate) ready: bool,
    /// Named container ports. A Service that names its target port by number reaches the pod without them.
    #[serde(default)]
    pub(crate) ports: BTreeMap<String, u16>,
}

/// A class of requests: everything that Envoy can tell apart about them.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Request {
    /// For people.
    pub(crate) id: String,
    /// The `Host` header, without a port.
    pub(crate) host: String,
    /// With its query string.
    pub(crate) path: String,
    #[serde(default = "get")]
    pub(crate) method: String,
    #[serde(default)]
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) caller: Caller,
    /// Whose configuration routes the request: `mesh` for the caller's sidecar, else `<namespace>/<name>` of the
    /// Gateway whose proxy the caller is.
    #[serde(default = "mesh")]
    pub(crate) via: String,
    /// The port that the caller connects to.
    #[serde(default = "http")]
    pub(crate) port: u16,
    /// What somebody says will happen. A request without it is measured and not compared.
    #[serde(default)]
    pub(crate) predicted: Option<Prediction>,
}

/// Who sends the request to the pod: the client with its sidecar, or a gateway's proxy.
#[derive(Debug, Clone, Default, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(deny_unknown_fields)]
pub(crate) struct Caller {
    /// `<trust domain>/ns/<namespace>/sa/<account>`; none for a caller outside the mesh, who has no sidecar.
    pub(crate) principal: Option<String>,
    pub(crate) namespace: String,
    /// Labels of the caller's pod, for routes that ask for them.
    #[serde(default)]
    pub(crate) labels: BTreeMap<String, String>,
}

/// Outcomes that somebody predicts. All shares of the three maps together are 1.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Prediction {
    /// By [`Pod::version`].
    #[serde(default)]
    pub(crate) versions: Shares,
    /// By status and reason, in the words of [`Answer::failed`].
    #[serde(default)]
    pub(crate) failed: Shares,
    /// As [`Answer::answered`].
    #[serde(default)]
    pub(crate) answered: Shares,
}

/// What Envoy did with one class of requests. All shares of the three maps together are 1; outcomes that did not occur
/// are absent.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Answer {
    /// Requests that a pod served, by pod name.
    pub(crate) shares: Shares,
    /// Requests that failed: the status and Envoy's response flag (`503 NC` no such cluster, `503 UH` no endpoint,
    /// `503 UC` the connection was closed, `404 NR` no route), or `403 RBAC` where the pod refused the caller.
    pub(crate) failed: Shares,
    /// Requests that the proxy itself answered because a route says so, by status: redirects and direct responses.
    pub(crate) answered: Shares,
    /// [`Self::shares`] by version of the pod.
    pub(crate) versions: Shares,
}

fn get() -> String {
    "GET".to_owned()
}

fn mesh() -> String {
    "mesh".to_owned()
}

fn http() -> u16 {
    80
}
