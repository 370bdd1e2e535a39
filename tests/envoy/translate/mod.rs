//! One state of one environment → configuration of a real Envoy, and where to send which request.
//!
//! Written from Istio's and Envoy's documentation and Istio's source (named where a rule comes from it), without
//! anything of tidegate, so that no mistake is made once and believed twice. A test in `main.rs` keeps it so.
//!
//! In: the objects, pods and requests of a state. Out: clusters and listeners. Each caller gets a listener of its own,
//! which is the outbound side of its sidecar, or the gateway; each pod one for each port, which is its inbound side.
//! All are Unix sockets.
//!
//! What stands in for what:
//!
//! - *Mutual TLS.* The caller's listener writes the identity into a header, and the pod's listener for mutual TLS
//!   believes it. What comes in plain text goes to another listener of the pod, for which no identity matches; where a
//!   PeerAuthentication is strict that listener closes the connection, as a sidecar does that finds no filter chain
//!   for plain text.
//! - *A caller without a sidecar.* kube-proxy and DNS are played by a listener that knows Services and nothing of the
//!   mesh. Where it says `404 NR` such a caller finds no such name, `503 UH` is a connection refused, `503 UC` one
//!   that is reset.
//! - *An unknown host.* A request here has no address to pass through to, so that a host nobody knows is `404 NR`.

mod app_mesh;
mod clusters;
mod gateway_api;
mod objects;
mod policy;
mod routes;
mod smi;

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::scenario::{Caller, Pod, Request, State, System};
use clusters::{Client, Endpoint};
use objects::{MutualTlsMode, Objects, ROOT_NAMESPACE, host_matches, selects};
use routes::{Proxy, VirtualHost};

/// Carries the number that Envoy would draw to choose among weighted clusters.
pub(crate) const RANDOM_HEADER: &str = "x-random";
/// Says in a response who gave it and why: see [`http_listener`].
pub(crate) const OUTCOME_HEADER: &str = "x-outcome";
/// Carries the caller's identity from its proxy to the pod's.
const PRINCIPAL_HEADER: &str = "x-principal";
/// More sends than this for one request mean weights that nobody writes.
const MOST_SENDS: u64 = 100_000;

/// What one state needs of Envoy.
pub(crate) struct Translated {
    pub(crate) clusters: Vec<Value>,
    pub(crate) listeners: Vec<Value>,
    /// In the order of the state's requests.
    pub(crate) probes: Vec<Probe>,
}

/// How a class of requests is measured.
#[derive(Debug)]
pub(crate) struct Probe {
    /// Path of the socket on which the caller's proxy listens.
    pub(crate) socket: String,
    /// How often the request is sent so that every cluster gets its exact share, and every pod of a cluster as many
    /// requests as the others.
    pub(crate) sends: u64,
    /// The numbers to send begin at 0 and are this far apart.
    pub(crate) stride: u64,
}

/// How a client's connection reaches a pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Transport {
    Mutual,
    Plain,
}

/// The names that are the state's own among all in one Envoy.
pub(crate) struct Scope {
    prefix: String,
}

impl Scope {
    pub(crate) fn name(&self, name: &str) -> String {
        format!("{}/{name}", self.prefix)
    }
}

/// Translates a state. `name` is its own among those that Envoy holds at one time, `socket` gives paths that nobody
/// else uses.
///
/// Errors: what of the state is not translated, in words. An answer made without it would be worth nothing.
pub(crate) fn translate(
    state: &State,
    name: &str,
    socket: impl FnMut() -> String,
) -> Result<Translated, String> {
    let names: BTreeSet<&str> = state.pods.iter().map(|pod| pod.name.as_str()).collect();
    if names.len() < state.pods.len() {
        return Err("two pods have one name".to_owned());
    }
    let mut building = Building {
        state,
        name,
        objects: Objects::read(&state.objects)?,
        previous: Objects::read(&state.previous)?,
        socket,
        clusters: Vec::new(),
        sizes: BTreeMap::new(),
        pod_sockets: BTreeMap::new(),
    };
    let mut listeners = Vec::new();
    let mut proxies = BTreeMap::new();
    let mut probes = Vec::new();
    for request in &state.requests {
        let key = (&request.caller, request.via.as_str(), request.port);
        let (socket, virtual_hosts) = match proxies.entry(key) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => {
                let virtual_hosts = building.virtual_hosts(request)?;
                let socket = (building.socket)();
                listeners.push(outbound_listener(&socket, &request.caller, &virtual_hosts));
                new.insert((socket, virtual_hosts))
            }
        };
        probes.push(probe(
            socket.clone(),
            &request.host,
            virtual_hosts,
            &building.sizes,
        )?);
    }
    for (endpoint, socket) in &building.pod_sockets {
        let pod = &state.pods[endpoint.pod];
        listeners.push(inbound_listener(&building.objects, pod, *endpoint, socket)?);
    }
    Ok(Translated {
        clusters: building.clusters,
        listeners,
        probes,
    })
}

/// A translation under way.
struct Building<'a, Socket> {
    state: &'a State,
    name: &'a str,
    objects: Objects,
    previous: Objects,
    socket: Socket,
    clusters: Vec<Value>,
    /// How many endpoints each cluster has.
    sizes: BTreeMap<String, u64>,
    pod_sockets: BTreeMap<Endpoint, String>,
}

impl<Socket: FnMut() -> String> Building<'_, Socket> {
    /// What the proxy knows that a request of this class comes to, its clusters included.
    fn virtual_hosts(&mut self, request: &Request) -> Result<Vec<VirtualHost>, String> {
        let Request {
            caller, via, port, ..
        } = request;
        let client = match &caller.principal {
            None if via == "mesh" => Client::Outside,
            _ => Client::Proxy(&caller.namespace),
        };
        refuse_sidecars(&self.objects, self.state, caller, client)?;
        let scope = Scope {
            prefix: match client {
                Client::Outside => format!("{}/outside", self.name),
                Client::Proxy(namespace) => format!("{}/proxies of {namespace}", self.name),
            },
        };
        self.add_clusters(client, &scope)?;
        let proxy = Proxy {
            caller,
            via,
            port: *port,
            scope: &scope,
        };
        let Self { objects, state, .. } = self;
        match (client, via.as_str()) {
            (Client::Outside, _) => Ok(routes::outside_hosts(objects, &proxy)),
            (Client::Proxy(_), "mesh") => match state.system {
                System::Istio => routes::mesh_hosts(objects, &proxy),
                System::GatewayApi => gateway_api::mesh_hosts(objects, &proxy),
                System::AppMesh => app_mesh::hosts(objects, &self.previous, &proxy),
                System::Smi => Ok(smi::hosts(objects, &proxy)),
            },
            (Client::Proxy(_), _) => match state.system {
                System::GatewayApi => gateway_api::gateway_hosts(objects, &proxy),
                _ => routes::gateway_hosts(objects, &proxy),
            },
        }
    }

    /// Adds the clusters of a client, once for all proxies that share them.
    fn add_clusters(&mut self, client: Client<'_>, scope: &Scope) -> Result<(), String> {
        for cluster in clusters::clusters(&self.objects, &self.state.pods, client)? {
            let name = scope.name(&cluster.name);
            if self.sizes.contains_key(&name) {
                continue;
            }
            let mut sockets = Vec::new();
            for endpoint in cluster.endpoints {
                let socket = self.pod_sockets.entry(endpoint).or_insert_with(&mut self.socket);
                sockets.push(socket.clone());
            }
            self.clusters.push(clusters::envoy_cluster(&name, &sockets));
            self.sizes.insert(name, sockets.len() as u64);
        }
        Ok(())
    }
}

/// A Sidecar object changes what a proxy knows: refused where it applies to a caller or to what pods let in.
fn refuse_sidecars(
    objects: &Objects,
    state: &State,
    caller: &Caller,
    client: Client<'_>,
) -> Result<(), String> {
    for sidecar in &objects.sidecars {
        let labels = sidecar
            .spec
            .workload_selector
            .as_ref()
            .map(|selector| &selector.labels);
        let applies = |namespace: &str, own: &objects::Labels| {
            (sidecar.namespace == namespace || sidecar.namespace == ROOT_NAMESPACE)
                && labels.is_none_or(|labels| selects(labels, own))
        };
        let is_callers = client != Client::Outside && applies(&caller.namespace, &caller.labels);
        let is_pods = !sidecar.spec.ingress.is_empty()
            && state.pods.iter().any(|pod| applies(&pod.namespace, &pod.labels));
        if is_callers || is_pods {
            return Err(format!("Sidecar {} applies and is not translated", sidecar.name));
        }
    }
    Ok(())
}

/// How a request has to be sent for exact shares, whichever route it takes.
///
/// A route with weights of total `t` turns a number modulo `t` into a cluster. Where all weights are multiples of a
/// stride, every so manieth number says it all. A cluster with `n` endpoints that gets `w` of the requests gets a
/// multiple of `n` when all numbers come several times.
fn probe(
    socket: String,
    host: &str,
    virtual_hosts: &[VirtualHost],
    sizes: &BTreeMap<String, u64>,
) -> Result<Probe, String> {
    let possible = virtual_hosts
        .iter()
        .filter(|found| found.domains.iter().any(|domain| host_matches(host, domain)));
    let (single, several): (Vec<_>, Vec<_>) = possible
        .flat_map(|found| &found.routes)
        .map(|route| route.targets.as_slice())
        .partition(|targets| targets.len() < 2);
    let size = |cluster: &str| sizes.get(cluster).copied().unwrap_or_default().max(1);
    let mut sends = 1;
    for (cluster, _) in single.into_iter().flatten() {
        sends = least_common_multiple(sends, size(cluster));
    }
    let weights = several
        .iter()
        .flat_map(|targets| targets.iter().map(|(_, weight)| *weight));
    let stride = weights.fold(0, greatest_common_divisor).max(1);
    for targets in several {
        let total: u64 = targets.iter().map(|(_, weight)| weight / stride).sum();
        let mut rounds = 1;
        for (cluster, weight) in targets {
            let size = size(cluster);
            rounds = least_common_multiple(rounds, size / greatest_common_divisor(size, weight / stride));
        }
        sends = least_common_multiple(sends, total * rounds);
    }
    if sends > MOST_SENDS {
        return Err(format!("exact shares of {host} would take {sends} requests"));
    }
    Ok(Probe {
        socket,
        sends,
        stride,
    })
}

fn least_common_multiple(a: u64, b: u64) -> u64 {
    a / greatest_common_divisor(a, b) * b
}

fn greatest_common_divisor(a: u64, b: u64) -> u64 {
    if b == 0 {
        a
    } else {
        greatest_common_divisor(b, a % b)
    }
}

/// The outbound side of a caller.
fn outbound_listener(path: &str, caller: &Caller, virtual_hosts: &[VirtualHost]) -> Value {
    let hosts: Vec<Value> = virtual_hosts
        .iter()
        .map(|found| {
            let routes: Vec<&Value> = found.routes.iter().map(|route| &route.envoy).collect();
            json!({"name": found.domains[0], "domains": found.domains, "routes": routes})
        })
        .collect();
    // Set once for all routes and over whatever the request brought: nobody can claim to be somebody else.
    let identity: Vec<Value> = caller
        .principal
        .iter()
        .map(|principal| {
            json!({
                "header": {"key": PRINCIPAL_HEADER, "value": format!("spiffe://{principal}")},
                "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
            })
        })
        .collect();
    let routes = json!({
        "virtual_hosts": hosts,
        // A route to a cluster that does not exist is what is to be seen.
        "validate_clusters": false,
        "ignore_port_in_host_matching": true,
        "request_headers_to_add": identity,
    });
    http_listener(path, "proxy", routes, Vec::new(), json!({}))
}

/// The inbound side of a pod on one port, which also plays the application: it answers 200.
fn inbound_listener(objects: &Objects, pod: &Pod, endpoint: Endpoint, path: &str) -> Result<Value, String> {
    let filters = policy::filters(objects, pod, endpoint.port, endpoint.transport)?;
    let routes = json!({
        "virtual_hosts": [{
            "name": "application",
            "domains": ["*"],
            "routes": [{"match": {"prefix": "/"}, "direct_response": {"status": 200}}],
        }],
    });
    let mode = policy::mutual_tls_mode(objects, pod, endpoint.port);
    let is_refused = mode == MutualTlsMode::Strict && endpoint.transport == Transport::Plain;
    let chain = if is_refused {
        json!({"transport_protocol": "tls"})
    } else {
        json!({})
    };
    let name = format!("pod {}", pod.name);
    Ok(http_listener(path, &name, routes, filters, chain))
}

/// A listener on a socket. Every response that it makes itself, served or refused, carries `<who> <flags> <details>`
/// in a header.
///
/// Source: Envoy, `LocalReplyConfig`, access log operators `%RESPONSE_FLAGS%` and `%RESPONSE_CODE_DETAILS%`.
fn http_listener(path: &str, who: &str, mut routes: Value, mut filters: Vec<Value>, chain: Value) -> Value {
    routes["name"] = json!("routes");
    filters.push(json!({
        "name": "envoy.filters.http.router",
        "typed_config": {"@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"},
    }));
    let outcome = format!("{who}|%RESPONSE_FLAGS%|%RESPONSE_CODE_DETAILS%");
    let every_status =
        json!({"comparison": {"op": "GE", "value": {"default_value": 0, "runtime_key": "none"}}});
    json!({
        "@type": "type.googleapis.com/envoy.config.listener.v3.Listener",
        "name": path,
        "address": {"pipe": {"path": path}},
        "filter_chains": [{
            "filter_chain_match": chain,
            "filters": [{
                "name": "envoy.filters.network.http_connection_manager",
                "typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
                    "stat_prefix": "http",
                    "generate_request_id": false,
                    "route_config": routes,
                    "http_filters": filters,
                    "local_reply_config": {"mappers": [{
                        "filter": {"status_code_filter": every_status},
                        "headers_to_add": [{
                            "header": {"key": OUTCOME_HEADER, "value": outcome},
                            "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
                        }],
                    }]},
                },
            }],
        }],
    })
}
