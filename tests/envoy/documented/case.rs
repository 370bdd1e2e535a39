//! One hand-made state with what is known to happen to it.

use serde_json::{Map, Value, json};

use crate::scenario::Transition;

/// A state of its own. Unless it says otherwise, Service `web` of namespace `shop` has one pod of each version, `v1`
/// (stable) and `v2` (canary), and `cluster.local/ns/front/sa/client` asks it for `/` on port 80.
pub(super) struct Case {
    name: &'static str,
    objects: Vec<Value>,
    pods: Vec<Value>,
    requests: Vec<Value>,
}

pub(super) const HOST: &str = "web.shop.svc.cluster.local";

pub(super) fn case(name: &'static str) -> Case {
    Case {
        name,
        objects: vec![service(json!({"app": "web"}))],
        pods: vec![pod("a", "v1"), pod("b", "v2")],
        requests: Vec::new(),
    }
}

impl Case {
    /// Adds an object, in place of one of its kind and name.
    pub(super) fn object(mut self, object: Value) -> Self {
        let same = |known: &Value| known["kind"] == object["kind"] && known["metadata"] == object["metadata"];
        self.objects.retain(|known| !same(known));
        self.objects.push(object);
        self
    }

    pub(super) fn pods(mut self, pods: Vec<Value>) -> Self {
        self.pods = pods;
        self
    }

    /// Asks, with what differs from the usual request, and says how the requests are shared out: by version, by failure
    /// (`503 NC`), or by the status of an answer of the proxy (`301`).
    pub(super) fn ask(mut self, differs: Value, outcome: Value) -> Self {
        let id = format!("request {}", self.requests.len() + 1);
        let mut request = json!({"id": id, "host": HOST, "path": "/", "caller": caller("front", "client")});
        change(&mut request, differs);
        let (mut versions, mut failed, mut answered) = (Map::new(), Map::new(), Map::new());
        for (name, share) in outcome.as_object().expect("a map") {
            let kind = match name.as_str() {
                "stable" | "canary" => &mut versions,
                _ if name.contains(' ') => &mut failed,
                _ => &mut answered,
            };
            kind.insert(name.clone(), share.clone());
        }
        request["predicted"] = json!({"versions": versions, "failed": failed, "answered": answered});
        self.requests.push(request);
        self
    }

    pub(super) fn transition(self) -> Transition {
        let state = json!({"id": "as written", "objects": self.objects, "pods": self.pods, "requests": self.requests});
        serde_json::from_value(json!({"name": self.name, "states": [state]})).expect("a transition")
    }
}

/// A caller in the mesh.
pub(super) fn caller(namespace: &str, account: &str) -> Value {
    json!({"principal": format!("cluster.local/ns/{namespace}/sa/{account}"), "namespace": namespace})
}

/// A caller without a sidecar.
pub(super) fn outside() -> Value {
    json!({"principal": null, "namespace": "legacy"})
}

pub(super) fn pod(name: &str, version: &str) -> Value {
    json!({
        "name": name,
        "namespace": "shop",
        "labels": {"app": "web", "version": version},
        "serviceAccount": "web",
        "version": if version == "v1" { "stable" } else { "canary" },
        "ready": true,
        "ports": {"http": 8080},
    })
}

pub(super) fn service(selector: Value) -> Value {
    let ports = json!([{"name": "http", "port": 80, "targetPort": 8080}]);
    named(
        "v1",
        "Service",
        "web",
        json!({"selector": selector, "ports": ports}),
    )
}

/// A VirtualService `web` for `web`.
pub(super) fn routes(http: Value) -> Value {
    virtual_service("web", json!({"hosts": [HOST], "http": http}))
}

pub(super) fn virtual_service(name: &str, spec: Value) -> Value {
    named("networking.istio.io/v1", "VirtualService", name, spec)
}

/// A DestinationRule `web` for `web`, whose subsets ask for the version of their name.
pub(super) fn rule(subsets: &[&str]) -> Value {
    let subsets: Vec<Value> = subsets
        .iter()
        .map(|name| json!({"name": name, "labels": {"version": name}}))
        .collect();
    destination_rule("web", json!({"host": HOST, "subsets": subsets}))
}

pub(super) fn destination_rule(name: &str, spec: Value) -> Value {
    named("networking.istio.io/v1", "DestinationRule", name, spec)
}

/// A policy for the pods of one version.
pub(super) fn policy(name: &str, version: &str, action: &str, rules: Value) -> Value {
    let selector = json!({"matchLabels": {"version": version}});
    authorization(
        name,
        json!({"selector": selector, "action": action, "rules": rules}),
    )
}

pub(super) fn authorization(name: &str, spec: Value) -> Value {
    named("security.istio.io/v1", "AuthorizationPolicy", name, spec)
}

pub(super) fn peer_authentication(name: &str, spec: Value) -> Value {
    named("security.istio.io/v1", "PeerAuthentication", name, spec)
}

/// An object of namespace `shop`.
pub(super) fn named(api_version: &str, kind: &str, name: &str, spec: Value) -> Value {
    let metadata = json!({"name": name, "namespace": "shop"});
    json!({"apiVersion": api_version, "kind": kind, "metadata": metadata, "spec": spec})
}

/// The same object in another namespace.
pub(super) fn within(namespace: &str, mut object: Value) -> Value {
    object["metadata"]["namespace"] = json!(namespace);
    object
}

/// The same with some fields different.
pub(super) fn with(mut value: Value, differs: Value) -> Value {
    change(&mut value, differs);
    value
}

pub(super) fn to(subset: &str) -> Value {
    json!({"destination": {"host": HOST, "subset": subset}})
}

pub(super) fn weighted(subset: &str, weight: u32) -> Value {
    with(to(subset), json!({"weight": weight}))
}

fn change(value: &mut Value, differs: Value) {
    for (name, new) in differs.as_object().expect("a map") {
        value[name] = new.clone();
    }
}
