//! Which kinds of requests the objects tell apart.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::super::super::cluster::{Service, is_known, namespace_of};
use super::super::super::reselected;
use super::IstioTraffic;
use super::virtual_services::{Match, Pattern, VirtualService};
use crate::manifest::{Manifest, ObjectRef, mentions};
use crate::prover::{Caller, Entry, Request, Unjudged, World};
use crate::selector::{selectors, selects};

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
    let services = traffic
        .cluster
        .services
        .iter()
        .flat_map(|versions| versions.each());
    for service in services.filter(|service| !service.is_backend) {
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
            .cluster
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
            let matches = routes.http.iter().flat_map(|rule| &rule.matches);
            let ports: BTreeSet<u16> = matches
                .filter_map(|matched| matched.port)
                .chain(std::iter::once(80))
                .collect();
            for group in alike(traffic, &hosts, &entry) {
                doors.extend(ports.iter().map(|port| Door {
                    hosts: group.clone(),
                    port: *port,
                    entry: entry.clone(),
                    is_service: false,
                }));
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
        let takes = |routes: &VirtualService| routes.names(&request).is_some();
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
        let by_policy = traffic.authorization.iter().any(|versions| {
            versions.any(|policy| {
                let operations = policy.rules.iter().filter_map(|rule| rule.get("to")?.as_array());
                let mut operations = operations.flatten().filter_map(|to| to.get("operation"));
                operations.any(|to| to.get("hosts").is_some() || to.get("notHosts").is_some())
            })
        });
        let mut key: Vec<String> = taking.collect();
        if by_authority || by_policy {
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
        if routes.names(&request).is_none() {
            continue;
        }
        for matched in routes.http.iter().flat_map(|rule| &rule.matches) {
            found.insert(example(matched));
            if matched.ignores_case {
                let mut other = example(matched);
                other.path = in_other_case(&other.path);
                found.insert(other);
            }
            // A header that must be missing is one that can be there.
            for (name, pattern) in &matched.without_headers {
                let mut with = example(matched);
                with.add(name, pattern);
                found.insert(with);
            }
        }
    }
    let policies = || traffic.authorization.iter().flat_map(|versions| versions.each());
    let operations: Vec<Example> = policies()
        .flat_map(|policy| policy.rules.iter().flat_map(operations))
        .collect();
    // What a route leaves open, a policy may tell apart.
    let open: Vec<Example> = found
        .iter()
        .filter(|example| example.is_special && example.path == "/" && example.method == "GET")
        .flat_map(|example| {
            operations.iter().map(|operation| Example {
                path: operation.path.clone(),
                method: operation.method.clone(),
                ..example.clone()
            })
        })
        .collect();
    found.extend(operations);
    found.extend(open);
    // Conditions that cannot be given an example of: some requests fulfil none, one, or all of them.
    let unknown: BTreeSet<(String, String)> = policies().flat_map(|policy| policy.unknown()).collect();
    let singly = unknown.iter().map(|condition| vec![condition.clone()]);
    let all: Vec<Vec<(String, String)>> = singly
        .chain((unknown.len() > 1).then(|| unknown.iter().cloned().collect()))
        .collect();
    let fulfilling: Vec<Example> = found
        .iter()
        .flat_map(|example| {
            all.iter().map(|conditions| Example {
                fulfils: [&example.fulfils[..], conditions].concat(),
                is_special: true,
                ..example.clone()
            })
        })
        .collect();
    found.extend(fulfilling);
    found
}

fn in_other_case(text: &str) -> String {
    let other = |letter: char| match letter.is_ascii_uppercase() {
        true => letter.to_ascii_lowercase(),
        false => letter.to_ascii_uppercase(),
    };
    text.chars().map(other).collect()
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
    example.fulfils.extend(matched.unknown.iter().cloned());
    example
}

/// A request that fulfils one alternative of a rule, and is like another but for that.
pub(in crate::provider) fn fulfilling(matched: &Match, blank: &Request) -> Request {
    let Example {
        path,
        method,
        headers,
        fulfils,
        ..
    } = example(matched);
    Request {
        path,
        method,
        headers,
        fulfils,
        ..blank.clone()
    }
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
    callers.extend(
        telling_namespaces(traffic)
            .into_iter()
            .map(|namespace| somebody_in(&namespace)),
    );
    let policies = traffic.authorization.iter().flat_map(|versions| versions.each());
    for rule in policies.flat_map(|policy| &policy.rules) {
        let when = rule.get("when").and_then(Value::as_array).into_iter().flatten();
        for condition in when {
            let values = ["values", "notValues"]
                .into_iter()
                .filter_map(|key| condition.get(key)?.as_array());
            let values = values.flatten().filter_map(Value::as_str);
            match condition.get("key").and_then(Value::as_str) {
                Some("source.principal") => {
                    callers.extend(values.map(|value| Caller::Mesh(principal_like(value))));
                }
                Some("source.namespace") => {
                    callers.extend(values.map(|value| somebody_in(&value.replace('*', "any"))));
                }
                _ => {}
            }
        }
        let sources = rule.get("from").and_then(Value::as_array).into_iter().flatten();
        for source in sources.filter_map(|from| from.get("source")) {
            let texts = |key: &str| -> Vec<String> {
                let list = source.get(key).and_then(Value::as_array).into_iter().flatten();
                list.filter_map(Value::as_str).map(str::to_owned).collect()
            };
            let principals = texts("principals").into_iter().chain(texts("notPrincipals"));
            callers.extend(principals.map(|principal| Caller::Mesh(principal_like(&principal))));
            let namespaces = texts("namespaces").into_iter().chain(texts("notNamespaces"));
            callers.extend(namespaces.map(|namespace| somebody_in(&namespace.replace('*', "any"))));
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

/// Namespaces whose callers see other routes or subsets than the rest.
fn telling_namespaces(traffic: &IstioTraffic) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for routes in traffic
        .virtual_services
        .iter()
        .flat_map(|versions| versions.each())
    {
        found.extend(routes.export.namespaces().cloned());
        let matches = routes.http.iter().flat_map(|rule| &rule.matches);
        found.extend(matches.filter_map(|matched| matched.source_namespace.clone()));
    }
    for rule in traffic
        .destination_rules
        .iter()
        .flat_map(|versions| versions.each())
    {
        found.extend(rule.export.namespaces().cloned());
        if namespace_of(&rule.host) != Some(rule.namespace.as_str()) {
            found.insert(rule.namespace.clone());
        }
    }
    found
}

fn somebody_in(namespace: &str) -> Caller {
    Caller::Mesh(format!("cluster.local/ns/{namespace}/sa/somebody"))
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

/// Kinds whose objects the model knows, beyond those of every cluster.
const KNOWN: &[(&str, &str)] = &[
    ("networking.istio.io", "VirtualService"),
    ("networking.istio.io", "DestinationRule"),
    ("security.istio.io", "AuthorizationPolicy"),
    ("security.istio.io", "PeerAuthentication"),
];

/// Changed objects that may matter and that the model does not know, and parts of those it knows.
pub(super) fn unjudged(world: &World<'_>, traffic: &IstioTraffic) -> Vec<Unjudged> {
    let mut found = Vec::new();
    for (object, before, after) in world.changed() {
        let ends = [before, after];
        let reason = match is_known(object, KNOWN) {
            true => unknown_part(ends, traffic),
            false => is_concerned(ends, traffic).then_some("is of a kind that this model does not know"),
        };
        found.extend(reason.map(|reason| Unjudged {
            object: object.clone(),
            reason: reason.to_owned(),
        }));
    }
    let is_unknown = |manifest: &Manifest| {
        let is_custom = manifest.object.is("security.istio.io", "AuthorizationPolicy")
            && manifest.text("/spec/action") == Some("CUSTOM");
        let is_for_callers = manifest.object.is("networking.istio.io", "DestinationRule");
        is_custom || is_for_callers || !is_known(&manifest.object, KNOWN)
    };
    found.extend(reselected::find(world, &traffic.cluster.workloads, &is_unknown));
    found
}

/// What changes of an object of a known kind that the model does not know.
fn unknown_part(ends: [Option<&Manifest>; 2], traffic: &IstioTraffic) -> Option<&'static str> {
    let says = |pointer: &str| {
        ends.into_iter()
            .flatten()
            .any(|end| end.value.pointer(pointer).is_some())
    };
    let differs = |pointer: &str| {
        let [before, after] = ends.map(|end| end.and_then(|end| end.value.pointer(pointer)));
        before != after
    };
    let is = |pointer: &str, text: &str| {
        ends.into_iter()
            .flatten()
            .any(|end| end.text(pointer) == Some(text))
    };
    let object = &ends.into_iter().flatten().next()?.object;
    match object.kind.as_str() {
        "AuthorizationPolicy" if is("/spec/action", "CUSTOM") => {
            Some("asks an authorizer that is not in the manifests")
        }
        "AuthorizationPolicy" if says("/spec/targetRefs") || says("/spec/targetRef") => {
            Some("is for a waypoint or a gateway")
        }
        "VirtualService"
            if !ends
                .into_iter()
                .flatten()
                .all(|end| end.value.pointer("/spec/hosts").is_some()) =>
        {
            Some("is a part of others, by `delegate`")
        }
        "VirtualService" if differs("/spec/tcp") || differs("/spec/tls") => {
            Some("has routes of other protocols")
        }
        "VirtualService"
            if UNKNOWN_OF_RULES
                .iter()
                .any(|field| of_rules(ends[0], field) != of_rules(ends[1], field)) =>
        {
            Some("changes a `fault`, `rewrite`, `mirror` or `delegate`")
        }
        "VirtualService" if shares_a_host(object, traffic) => {
            Some("has a host that another VirtualService has too, and the older counts")
        }
        "DestinationRule" if says("/spec/workloadSelector") => Some("is for some callers only"),
        "DestinationRule"
            if differs("/spec/trafficPolicy") && !is("/spec/trafficPolicy/tls/mode", "ISTIO_MUTUAL") =>
        {
            Some("changes its `trafficPolicy`")
        }
        "Service" if differs("/metadata/annotations/networking.istio.io~1exportTo") => {
            Some("changes who sees it")
        }
        "Service" if is("/spec/clusterIP", "None") => Some("is headless: callers choose the pod"),
        "Service" if says("/spec/externalName") => Some("stands for another name"),
        "Service"
            if ends
                .into_iter()
                .flatten()
                .any(|end| Service::read(end).ports.iter().any(|port| !port.is_http)) =>
        {
            Some("has ports of other protocols than HTTP")
        }
        _ if MESH.iter().any(|name| {
            let both = ends.iter().all(Option::is_some);
            let of = |place: &str| differs(&format!("/spec/template/metadata/{place}/{name}"));
            both && (of("labels") || of("annotations"))
        }) =>
        {
            Some("changes whether or how its pods are in the mesh")
        }
        _ => None,
    }
}

/// Fields of a rule that change what a request becomes, and that this model does not know.
const UNKNOWN_OF_RULES: [&str; 5] = ["fault", "rewrite", "mirror", "mirrors", "delegate"];

/// Labels and annotations of pods that decide about their proxy, as parts of pointers.
const MESH: [&str; 4] = [
    "sidecar.istio.io~1inject",
    "istio.io~1rev",
    "traffic.sidecar.istio.io~1excludeInboundPorts",
    "istio.io~1dataplane-mode",
];

fn of_rules<'a>(manifest: Option<&'a Manifest>, field: &str) -> Vec<&'a Value> {
    let rules = manifest.and_then(|manifest| manifest.value.pointer("/spec/http")?.as_array());
    let mut values: Vec<&Value> = rules
        .into_iter()
        .flatten()
        .filter_map(|rule| Some((rule, rule.get(field)?)))
        // Copies for who gets requests of the rule anyway; the proxy does not wait for what becomes of them.
        .filter(|(rule, value)| field != "mirror" || !has_destination(rule, value))
        .map(|(_, value)| value)
        .collect();
    // A rule for a part of the next one's requests says the same.
    values.dedup();
    values
}

fn has_destination(rule: &Value, destination: &Value) -> bool {
    let route = rule.get("route").and_then(Value::as_array);
    let mut route = route.into_iter().flatten();
    route.any(|entry| entry.get("destination") == Some(destination))
}

/// Whether another VirtualService has the same host for the same callers at one end. Which one counts, or how gateways
/// merge them, depends on their ages.
fn shares_a_host(object: &ObjectRef, traffic: &IstioTraffic) -> bool {
    let own = |routes: &VirtualService| routes.object == *object;
    let Some(this) = traffic.virtual_services.iter().find(|versions| versions.any(own)) else {
        return false;
    };
    let clash = |one: &VirtualService, other: &VirtualService| {
        !own(other)
            && one.hosts.iter().any(|host| other.hosts.contains(host))
            && one
                .gateways
                .iter()
                .any(|gateway| other.gateways.contains(gateway))
    };
    traffic
        .virtual_services
        .iter()
        .any(|other| this.is_together(other, clash))
}

/// Whether a changed object of a kind that the model does not know may be about requests.
fn is_concerned(ends: [Option<&Manifest>; 2], traffic: &IstioTraffic) -> bool {
    // Everything but the name and what tools note down. Controllers of Ingresses read annotations: `canary-weight`.
    let content = |end: Option<&Manifest>| {
        let mut value = end?.value.clone();
        let metadata = value.as_object_mut()?.remove("metadata");
        let is_ingress = end?.object.is("networking.k8s.io", "Ingress");
        let said = if is_ingress {
            &["labels", "annotations"][..]
        } else {
            &["labels"]
        };
        let said = said.iter().map(|field| metadata.as_ref()?.get(field).cloned());
        Some((value, said.collect::<Vec<_>>()))
    };
    if content(ends[0]) == content(ends[1]) {
        return false;
    }
    let hosts = traffic
        .virtual_services
        .iter()
        .flat_map(|versions| versions.each());
    let hosts: Vec<&String> = hosts.flat_map(|routes| &routes.hosts).collect();
    let names = traffic
        .cluster
        .services
        .iter()
        .flat_map(|versions| versions.each());
    let names: BTreeSet<&str> = names
        .flat_map(|service| [service.host.as_str(), service.object.name.as_str()])
        .chain(hosts.into_iter().map(String::as_str))
        .collect();
    ends.into_iter().flatten().any(|end| {
        let namespace = end.object.namespace.as_deref().unwrap_or_default();
        let gateway = format!("{namespace}/{}", end.object.name);
        let is_bound = || {
            let mut routes = traffic.virtual_services.iter();
            routes.any(|versions| versions.any(|routes| routes.gateways.contains(&gateway)))
        };
        mentions(&end.value, &names)
            || selects_served(end, traffic)
            || is_for_everything(end)
            || (end.object.is("networking.istio.io", "Gateway") && is_bound())
            || end.object.is("", "Namespace")
            || end.object.is("", "Endpoints")
            || end.object.is("discovery.k8s.io", "EndpointSlice")
    })
}

/// Whether an object of Istio's is for all pods of its namespace.
fn is_for_everything(manifest: &Manifest) -> bool {
    let has = |field: &str| {
        manifest
            .value
            .pointer("/spec")
            .is_some_and(|spec| spec.get(field).is_some())
    };
    let kinds = [
        ("networking.istio.io", "EnvoyFilter"),
        ("networking.istio.io", "Sidecar"),
        ("networking.istio.io", "ProxyConfig"),
        ("security.istio.io", "RequestAuthentication"),
        ("extensions.istio.io", "WasmPlugin"),
    ];
    kinds.iter().any(|(group, kind)| manifest.object.is(group, kind))
        && !has("selector")
        && !has("workloadSelector")
}

/// Whether an object selects pods that a Service reaches at both ends.
fn selects_served(manifest: &Manifest, traffic: &IstioTraffic) -> bool {
    let pods = traffic
        .cluster
        .workloads
        .iter()
        .flat_map(|versions| versions.each())
        .flatten();
    pods.into_iter().any(|pods| {
        let services = traffic.cluster.services.iter();
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
        is_served && selectors(&manifest.value).any(|selector| selects(selector, &pods.labels))
    })
}
