//! Which kinds of requests the objects tell apart.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::virtual_services::{Match, Pattern, VirtualService};
use super::{IstioTraffic, destinations::Service};
use crate::manifest::Manifest;
use crate::prover::{Caller, Entry, Request, Unjudged, World};

/// A meshed caller that no policy names.
const SOMEBODY: &str = "cluster.local/ns/elsewhere/sa/somebody";

/// Every host, entry, match and caller, once each.
pub(super) fn requests(traffic: &IstioTraffic) -> Vec<Request> {
    let callers = callers(traffic);
    let mut found = Vec::new();
    for door in doors(traffic) {
        for example in examples(traffic, &door) {
            for caller in &callers {
                let is_outside = *caller == Caller::Outside;
                // Without a proxy there are no routes to tell apart, and no public host.
                if is_outside && (example.is_special || door.entry != Entry::Sidecar || !door.is_service) {
                    continue;
                }
                found.push(Request {
                    host: door.hosts[0].clone(),
                    hosts_alike: door.hosts[1..].to_vec(),
                    port: door.port,
                    path: example.path.clone(),
                    method: example.method.clone(),
                    headers: example.headers.clone(),
                    fulfils: example.fulfils.clone(),
                    caller: caller.clone(),
                    entry: door.entry.clone(),
                });
            }
        }
    }
    found.sort();
    found.dedup();
    found
}

/// Where requests come in: hosts that are routed alike, a port, the caller's proxy or a gateway.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Door {
    hosts: Vec<String>,
    port: u16,
    entry: Entry,
    is_service: bool,
}

fn doors(traffic: &IstioTraffic) -> Vec<Door> {
    let mut doors = Vec::new();
    // A Service is called by its name, whether or not a VirtualService has the same host.
    for service in traffic.services.iter().flat_map(|versions| versions.each()) {
        for port in service.ports.iter().filter(|port| port.is_http) {
            doors.push(Door {
                hosts: vec![service.host.clone()],
                port: port.number,
                entry: Entry::Sidecar,
                is_service: true,
            });
        }
    }
    let is_service = |host: &String| {
        traffic
            .services
            .iter()
            .any(|versions| versions.any(|service: &Service| service.host == *host))
    };
    for routes in traffic
        .virtual_services
        .iter()
        .flat_map(|versions| versions.each())
    {
        for gateway in &routes.gateways {
            let entry = match gateway.as_str() {
                "mesh" => Entry::Sidecar,
                name => Entry::Gateway(name.to_owned()),
            };
            let hosts = routes
                .hosts
                .iter()
                .filter(|host| entry != Entry::Sidecar || !is_service(host));
            let hosts: Vec<String> = hosts.map(|host| host.replacen('*', "any", 1)).collect();
            for group in alike(traffic, &hosts, &entry) {
                doors.push(Door {
                    hosts: group,
                    port: 80,
                    entry: entry.clone(),
                    is_service: false,
                });
            }
        }
    }
    doors.sort();
    doors.dedup();
    doors
}

/// Hosts that the same VirtualServices take, grouped.
fn alike(traffic: &IstioTraffic, hosts: &[String], entry: &Entry) -> Vec<Vec<String>> {
    let mut groups: BTreeMap<Vec<String>, Vec<String>> = BTreeMap::new();
    for host in hosts {
        let request = blank(host, entry.clone());
        let takes = |routes: &VirtualService| routes.takes(&request).is_some();
        let taking = traffic.virtual_services.iter().map(|versions| {
            versions
                .each()
                .map(|routes| format!("{}{}", routes.object.name, takes(routes)))
                .collect::<String>()
        });
        // A rule that tells hosts apart itself needs each of them.
        let by_authority = traffic.virtual_services.iter().any(|versions| {
            versions.any(|routes| {
                routes
                    .http
                    .iter()
                    .flat_map(|rule| &rule.matches)
                    .any(|matched| matched.authority.is_some())
            })
        });
        let mut key: Vec<String> = taking.collect();
        if by_authority {
            key.push(host.clone());
        }
        groups.entry(key).or_default().push(host.clone());
    }
    groups.into_values().collect()
}

fn blank(host: &str, entry: Entry) -> Request {
    Request {
        host: host.to_owned(),
        hosts_alike: Vec::new(),
        port: 80,
        path: "/".to_owned(),
        method: "GET".to_owned(),
        headers: BTreeMap::new(),
        fulfils: Vec::new(),
        caller: Caller::Mesh(SOMEBODY.to_owned()),
        entry,
    }
}

/// A request that fulfils one alternative of a rule.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Example {
    path: String,
    method: String,
    headers: BTreeMap<String, String>,
    fulfils: Vec<(String, String)>,
    /// Whether it differs from a plain request.
    is_special: bool,
}

fn examples(traffic: &IstioTraffic, door: &Door) -> BTreeSet<Example> {
    let plain = Example {
        path: "/".into(),
        method: "GET".into(),
        headers: BTreeMap::new(),
        fulfils: Vec::new(),
        is_special: false,
    };
    let mut found = BTreeSet::from([plain]);
    let request = blank(&door.hosts[0], door.entry.clone());
    for routes in traffic
        .virtual_services
        .iter()
        .flat_map(|versions| versions.each())
    {
        if routes.takes(&request).is_none() {
            continue;
        }
        for matched in routes.http.iter().flat_map(|rule| &rule.matches) {
            found.insert(example(matched));
            // A header that must be missing is one that can be there.
            for (name, pattern) in &matched.without_headers {
                let mut with = example(matched);
                with.add(name, pattern);
                found.insert(with);
            }
        }
    }
    for policy in traffic.authorization.iter().flat_map(|versions| versions.each()) {
        found.extend(policy.rules.iter().flat_map(operations));
    }
    found
}

impl Example {
    fn add(&mut self, name: &str, pattern: &Pattern) {
        self.is_special = true;
        match pattern {
            Pattern::Regex(regex) => self.fulfils.push((name.to_owned(), regex.clone())),
            other => {
                self.headers
                    .insert(name.to_owned(), other.example().unwrap_or_default());
            }
        }
    }
}

fn example(matched: &Match) -> Example {
    let mut example = Example {
        path: "/".into(),
        method: "GET".into(),
        headers: BTreeMap::new(),
        fulfils: Vec::new(),
        is_special: true,
    };
    match &matched.uri {
        Some(Pattern::Regex(regex)) => example.fulfils.push(("uri".into(), regex.clone())),
        Some(pattern) => example.path = pattern.example().unwrap_or_else(|| "/".into()),
        None => {}
    }
    match &matched.method {
        Some(Pattern::Regex(regex)) => example.fulfils.push(("method".into(), regex.clone())),
        Some(pattern) => example.method = pattern.example().unwrap_or_else(|| "GET".into()),
        None => {}
    }
    for (name, pattern) in &matched.headers {
        example.add(name, pattern);
    }
    example.fulfils.extend(
        matched
            .unknown
            .iter()
            .map(|field| (field.clone(), "as the route says".to_owned())),
    );
    example
}

/// Paths and methods that policies tell apart.
fn operations(rule: &Value) -> Vec<Example> {
    let operations = rule
        .get("to")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|to| to.get("operation"));
    let mut found = Vec::new();
    for operation in operations {
        let texts = |keys: [&str; 2]| -> Vec<String> {
            let lists = keys
                .into_iter()
                .filter_map(|key| operation.get(key)?.as_array())
                .flatten();
            lists
                .filter_map(Value::as_str)
                .map(|text| text.replace('*', "any"))
                .collect()
        };
        let paths = texts(["paths", "notPaths"]);
        let methods = texts(["methods", "notMethods"]);
        for path in paths
            .iter()
            .map(String::as_str)
            .chain(paths.is_empty().then_some("/"))
        {
            for method in methods
                .iter()
                .map(String::as_str)
                .chain(methods.is_empty().then_some("GET"))
            {
                found.push(Example {
                    path: if path.starts_with('/') {
                        path.to_owned()
                    } else {
                        format!("/{path}")
                    },
                    method: method.to_owned(),
                    headers: BTreeMap::new(),
                    fulfils: Vec::new(),
                    is_special: true,
                });
            }
        }
    }
    found
}

/// Every caller that some policy names, somebody else, and one without identity.
fn callers(traffic: &IstioTraffic) -> BTreeSet<Caller> {
    let mut callers = BTreeSet::from([Caller::Outside, Caller::Mesh(SOMEBODY.to_owned())]);
    let policies = traffic.authorization.iter().flat_map(|versions| versions.each());
    for rule in policies.flat_map(|policy| &policy.rules) {
        let sources = rule.get("from").and_then(Value::as_array).into_iter().flatten();
        for source in sources.filter_map(|from| from.get("source")) {
            let texts = |key: &str| -> Vec<String> {
                let list = source.get(key).and_then(Value::as_array).into_iter().flatten();
                list.filter_map(Value::as_str).map(str::to_owned).collect()
            };
            let principals = texts("principals").into_iter().chain(texts("notPrincipals"));
            callers.extend(principals.map(|principal| Caller::Mesh(principal_like(&principal))));
            let namespaces = texts("namespaces").into_iter().chain(texts("notNamespaces"));
            callers.extend(namespaces.map(|namespace| {
                Caller::Mesh(format!(
                    "cluster.local/ns/{}/sa/somebody",
                    namespace.replace('*', "any")
                ))
            }));
            let accounts = texts("serviceAccounts")
                .into_iter()
                .chain(texts("notServiceAccounts"));
            callers.extend(accounts.filter_map(|account| {
                let (namespace, name) = account.split_once('/')?;
                Some(Caller::Mesh(format!("cluster.local/ns/{namespace}/sa/{name}")))
            }));
        }
    }
    callers
}

/// A principal that a pattern matches.
fn principal_like(pattern: &str) -> String {
    match pattern {
        "*" => SOMEBODY.to_owned(),
        _ if pattern.starts_with('*') => {
            format!("cluster.local/ns/any/sa/any{}", pattern.trim_start_matches('*'))
        }
        _ => pattern.replace('*', "any"),
    }
}

/// Kinds whose objects the model knows, or that no request depends on.
const KNOWN: &[(&str, &str)] = &[
    ("networking.istio.io", "VirtualService"),
    ("networking.istio.io", "DestinationRule"),
    ("security.istio.io", "AuthorizationPolicy"),
    ("security.istio.io", "PeerAuthentication"),
    ("autoscaling", "HorizontalPodAutoscaler"),
    ("policy", "PodDisruptionBudget"),
    ("", "Service"),
    ("", "ServiceAccount"),
    ("", "ConfigMap"),
    ("", "Secret"),
    ("", "PersistentVolumeClaim"),
    ("apps", "Deployment"),
    ("apps", "StatefulSet"),
    ("apps", "DaemonSet"),
    ("apps", "ReplicaSet"),
    ("batch", "CronJob"),
    ("batch", "Job"),
];

/// Changed objects of other kinds that name a Service or select pods which serve before the change.
pub(super) fn unjudged(world: &World<'_>, traffic: &IstioTraffic) -> Vec<Unjudged> {
    let mut found = Vec::new();
    for (object, before, after) in world.changed() {
        let is_known = KNOWN.iter().any(|(group, kind)| object.is(group, kind));
        let spec =
            |manifest: Option<&Manifest>| manifest.and_then(|manifest| manifest.value.get("spec").cloned());
        if is_known {
            let asks = [before, after]
                .into_iter()
                .flatten()
                .any(|manifest| manifest.text("/spec/action") == Some("CUSTOM"));
            if asks && object.kind == "AuthorizationPolicy" {
                let reason = "asks an authorizer that is not in the manifests".to_owned();
                found.push(Unjudged {
                    object: object.clone(),
                    reason,
                });
            }
            continue;
        }
        if spec(before) == spec(after) {
            continue;
        }
        let names = traffic.services.iter().flat_map(|versions| versions.each());
        let names: BTreeSet<&str> = names
            .flat_map(|service| [service.host.as_str(), service.object.name.as_str()])
            .collect();
        let mentions = [before, after]
            .into_iter()
            .flatten()
            .any(|manifest| mentions(&manifest.value, &names));
        let reached = [before, after]
            .into_iter()
            .flatten()
            .any(|manifest| selects_served(manifest, traffic));
        if mentions || reached {
            found.push(Unjudged {
                object: object.clone(),
                reason: "is of a kind that this model does not know".to_owned(),
            });
        }
    }
    found
}

/// Whether some text in an object is one of these names.
fn mentions(value: &Value, names: &BTreeSet<&str>) -> bool {
    match value {
        Value::String(text) => names.contains(text.as_str()),
        Value::Array(items) => items.iter().any(|item| mentions(item, names)),
        Value::Object(fields) => fields
            .iter()
            .filter(|(key, _)| *key != "metadata")
            .any(|(_, field)| mentions(field, names)),
        _ => false,
    }
}

/// Whether an object selects pods that a Service reaches at both ends.
fn selects_served(manifest: &Manifest, traffic: &IstioTraffic) -> bool {
    let selectors = [
        "/spec/selector/matchLabels",
        "/spec/workloadSelector/labels",
        "/spec/workloadSelector/matchLabels",
        "/spec/podSelector/matchLabels",
        "/spec/podSelector",
    ];
    let selectors = selectors
        .iter()
        .filter_map(|pointer| manifest.value.pointer(pointer)?.as_object());
    let selectors: Vec<_> = selectors
        .filter(|selector| selector.values().all(Value::is_string))
        .collect();
    let is_selected = |labels: &serde_json::Map<String, Value>, selector: &serde_json::Map<String, Value>| {
        selector.iter().all(|(key, value)| labels.get(key) == Some(value))
    };
    let pods = traffic
        .workloads
        .iter()
        .flat_map(|versions| versions.each())
        .flatten();
    pods.into_iter().any(|pods| {
        let services = traffic.services.iter();
        let is_served = services.into_iter().any(|versions| {
            // At both ends: what is reached at one only comes or goes with the change.
            versions.each().all(|service| {
                service.namespace == pods.namespace
                    && service.selector.as_ref().is_some_and(|selector| {
                        selector
                            .iter()
                            .all(|(key, value)| pods.labels.get(key).and_then(Value::as_str) == Some(value))
                    })
            })
        });
        is_served
            && selectors
                .iter()
                .any(|selector| is_selected(&pods.labels, selector))
    })
}
