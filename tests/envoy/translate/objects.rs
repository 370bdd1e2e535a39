//! The objects of a state, read with the fields that decide who serves a request.
//!
//! A field that the types below do not name is refused: it might change the answer. Fields that cannot (a timeout, a
//! mirrored copy) are named and passed over. Kinds of the mesh that are not read are refused as well; kinds of other
//! groups hold no routing and are passed over, NetworkPolicies among them.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::Value;

use super::app_mesh::{self, OldVirtualNode, OldVirtualService, VirtualNode, VirtualRouter};
use super::gateway_api::{self, ReferenceGrant};
use super::smi::TrafficSplit;

/// Where the mesh keeps what holds for every namespace.
/// Source: Istio `MeshConfig.rootNamespace`, default of an installation.
pub(crate) const ROOT_NAMESPACE: &str = "istio-system";

pub(crate) type Labels = BTreeMap<String, String>;

/// Everything that is read of a state.
#[derive(Debug, Default)]
pub(crate) struct Objects {
    pub(crate) services: Vec<Object<Service>>,
    pub(crate) virtual_services: Vec<Object<VirtualService>>,
    pub(crate) destination_rules: Vec<Object<DestinationRule>>,
    pub(crate) gateways: Vec<Object<Gateway>>,
    pub(crate) sidecars: Vec<Object<Sidecar>>,
    pub(crate) authorization_policies: Vec<Object<AuthorizationPolicy>>,
    pub(crate) peer_authentications: Vec<Object<PeerAuthentication>>,
    /// Of the Gateway API.
    pub(crate) http_routes: Vec<Object<gateway_api::HttpRoute>>,
    pub(crate) reference_grants: Vec<Object<ReferenceGrant>>,
    /// Of App Mesh, v1beta1.
    pub(crate) old_virtual_services: Vec<Object<OldVirtualService>>,
    pub(crate) old_virtual_nodes: Vec<Object<OldVirtualNode>>,
    /// Of App Mesh, v1beta2.
    pub(crate) mesh_services: Vec<Object<app_mesh::VirtualService>>,
    pub(crate) virtual_routers: Vec<Object<VirtualRouter>>,
    pub(crate) virtual_nodes: Vec<Object<VirtualNode>>,
    /// Of SMI.
    pub(crate) traffic_splits: Vec<Object<TrafficSplit>>,
}

#[derive(Debug)]
pub(crate) struct Object<T> {
    pub(crate) name: String,
    pub(crate) namespace: String,
    /// `metadata.creationTimestamp`; objects without one are as old as each other.
    created: String,
    annotations: Labels,
    pub(crate) spec: T,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Service {
    #[serde(default)]
    pub(crate) selector: Labels,
    #[serde(default)]
    pub(crate) ports: Vec<ServicePort>,
    #[serde(default, rename = "type")]
    kind: Option<String>,
    #[serde(default, rename = "clusterIP")]
    cluster_ip: Option<String>,
    #[serde(default)]
    pub(crate) publish_not_ready_addresses: bool,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ServicePort {
    #[serde(default)]
    pub(crate) name: String,
    pub(crate) port: u16,
    /// A number or the name of a container port; the Service's own number when absent.
    #[serde(default)]
    pub(crate) target_port: Value,
    #[serde(default)]
    app_protocol: Option<String>,
    #[serde(default)]
    protocol: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct VirtualService {
    #[serde(default)]
    pub(crate) hosts: Vec<String>,
    #[serde(default)]
    pub(crate) gateways: Vec<String>,
    #[serde(default)]
    pub(crate) http: Vec<HttpRoute>,
    #[serde(default)]
    pub(crate) export_to: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct HttpRoute {
    #[serde(default, rename = "match")]
    pub(crate) matches: Vec<HttpMatch>,
    #[serde(default)]
    pub(crate) route: Vec<HttpDestination>,
    pub(crate) redirect: Option<Redirect>,
    pub(crate) direct_response: Option<DirectResponse>,
    pub(crate) rewrite: Option<Rewrite>,
    pub(crate) headers: Option<Headers>,
    #[serde(default, rename = "name")]
    _name: IgnoredAny,
    #[serde(default, rename = "timeout")]
    _timeout: IgnoredAny,
    // A local reply of the client's own proxy is not retried, nor is a 403.
    #[serde(default, rename = "retries")]
    _retries: IgnoredAny,
    #[serde(default, rename = "corsPolicy")]
    _cors_policy: IgnoredAny,
    #[serde(default, rename = "mirror")]
    _mirror: IgnoredAny,
    #[serde(default, rename = "mirrors")]
    _mirrors: IgnoredAny,
    #[serde(default, rename = "mirrorPercent")]
    _mirror_percent: IgnoredAny,
    #[serde(default, rename = "mirrorPercentage")]
    _mirror_percentage: IgnoredAny,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct HttpMatch {
    pub(crate) uri: Option<StringMatch>,
    #[serde(default)]
    pub(crate) ignore_uri_case: bool,
    pub(crate) scheme: Option<StringMatch>,
    pub(crate) method: Option<StringMatch>,
    pub(crate) authority: Option<StringMatch>,
    /// A string match each, or `{}` where presence is enough.
    #[serde(default)]
    pub(crate) headers: BTreeMap<String, Value>,
    #[serde(default)]
    pub(crate) without_headers: BTreeMap<String, Value>,
    #[serde(default)]
    pub(crate) query_params: BTreeMap<String, StringMatch>,
    pub(crate) port: Option<u16>,
    #[serde(default)]
    pub(crate) source_labels: Labels,
    #[serde(default)]
    pub(crate) source_namespace: String,
    #[serde(default)]
    pub(crate) gateways: Vec<String>,
    #[serde(default, rename = "name")]
    _name: IgnoredAny,
    #[serde(default, rename = "statPrefix")]
    _stat_prefix: IgnoredAny,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum StringMatch {
    Exact(String),
    Prefix(String),
    Regex(String),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct HttpDestination {
    pub(crate) destination: Destination,
    #[serde(default)]
    pub(crate) weight: u32,
    pub(crate) headers: Option<Headers>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Destination {
    pub(crate) host: String,
    #[serde(default)]
    pub(crate) subset: String,
    pub(crate) port: Option<PortNumber>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PortNumber {
    pub(crate) number: u16,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Redirect {
    #[serde(default)]
    pub(crate) uri: String,
    #[serde(default)]
    pub(crate) authority: String,
    #[serde(default)]
    pub(crate) redirect_code: u16,
    #[serde(default, rename = "scheme")]
    _scheme: IgnoredAny,
    #[serde(default, rename = "port")]
    _port: IgnoredAny,
    #[serde(default, rename = "derivePort")]
    _derive_port: IgnoredAny,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DirectResponse {
    pub(crate) status: u16,
    #[serde(default, rename = "body")]
    _body: IgnoredAny,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Rewrite {
    #[serde(default)]
    pub(crate) uri: String,
    #[serde(default)]
    pub(crate) authority: String,
    pub(crate) uri_regex_rewrite: Option<RegexRewrite>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RegexRewrite {
    #[serde(rename = "match")]
    pub(crate) pattern: String,
    pub(crate) rewrite: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Headers {
    pub(crate) request: Option<HeaderOperations>,
    #[serde(default, rename = "response")]
    _response: IgnoredAny,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct HeaderOperations {
    #[serde(default)]
    pub(crate) set: Labels,
    #[serde(default)]
    pub(crate) add: Labels,
    #[serde(default)]
    pub(crate) remove: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct DestinationRule {
    pub(crate) host: String,
    #[serde(default)]
    pub(crate) subsets: Vec<Subset>,
    pub(crate) traffic_policy: Option<TrafficPolicy>,
    #[serde(default)]
    pub(crate) export_to: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Subset {
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) labels: Labels,
    pub(crate) traffic_policy: Option<TrafficPolicy>,
}

/// Only how the connection is made; limits, ejection and the choice among endpoints of one subset leave the shares as
/// they are.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct TrafficPolicy {
    pub(crate) tls: Option<ClientTls>,
    #[serde(default)]
    pub(crate) port_level_settings: Vec<PortTrafficPolicy>,
    #[serde(default, rename = "loadBalancer")]
    _load_balancer: IgnoredAny,
    #[serde(default, rename = "connectionPool")]
    _connection_pool: IgnoredAny,
    #[serde(default, rename = "outlierDetection")]
    _outlier_detection: IgnoredAny,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PortTrafficPolicy {
    pub(crate) port: PortNumber,
    pub(crate) tls: Option<ClientTls>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct ClientTls {
    #[serde(default)]
    pub(crate) mode: String,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Gateway {
    #[serde(default)]
    pub(crate) servers: Vec<Server>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Server {
    pub(crate) port: PortSpec,
    #[serde(default)]
    pub(crate) hosts: Vec<String>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct PortSpec {
    pub(crate) number: u16,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Sidecar {
    pub(crate) workload_selector: Option<SidecarSelector>,
    #[serde(default)]
    pub(crate) ingress: Vec<IgnoredAny>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct SidecarSelector {
    #[serde(default)]
    pub(crate) labels: Labels,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Selector {
    #[serde(default)]
    pub(crate) match_labels: Labels,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AuthorizationPolicy {
    #[serde(default)]
    pub(crate) selector: Selector,
    #[serde(default)]
    pub(crate) action: Action,
    #[serde(default)]
    pub(crate) rules: Vec<Rule>,
}

/// `CUSTOM` is not here: nobody can say what an external service would decide.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum Action {
    #[default]
    Allow,
    Deny,
    Audit,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rule {
    #[serde(default)]
    pub(crate) from: Vec<From>,
    #[serde(default)]
    pub(crate) to: Vec<To>,
    #[serde(default)]
    pub(crate) when: Vec<Condition>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct From {
    pub(crate) source: Source,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(crate) struct Source {
    pub(crate) principals: Vec<String>,
    pub(crate) not_principals: Vec<String>,
    pub(crate) namespaces: Vec<String>,
    pub(crate) not_namespaces: Vec<String>,
    pub(crate) service_accounts: Vec<String>,
    pub(crate) not_service_accounts: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct To {
    pub(crate) operation: Operation,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(crate) struct Operation {
    pub(crate) hosts: Vec<String>,
    pub(crate) not_hosts: Vec<String>,
    pub(crate) ports: Vec<String>,
    pub(crate) not_ports: Vec<String>,
    pub(crate) methods: Vec<String>,
    pub(crate) not_methods: Vec<String>,
    pub(crate) paths: Vec<String>,
    pub(crate) not_paths: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Condition {
    pub(crate) key: String,
    #[serde(default)]
    pub(crate) values: Vec<String>,
    #[serde(default)]
    pub(crate) not_values: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct PeerAuthentication {
    pub(crate) selector: Option<Selector>,
    #[serde(default)]
    pub(crate) mtls: MutualTls,
    #[serde(default)]
    pub(crate) port_level_mtls: BTreeMap<String, MutualTls>,
}

#[derive(Debug, Default, Deserialize)]
pub(crate) struct MutualTls {
    #[serde(default)]
    pub(crate) mode: MutualTlsMode,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum MutualTlsMode {
    #[default]
    Unset,
    Disable,
    Permissive,
    Strict,
}

impl Objects {
    /// Reads objects, older ones first, those of one age by name and namespace.
    ///
    /// Errors: which object, and what of it is not translated.
    /// Source: Istio sorts configuration by creation time, then by `name.namespace` (`sortConfigByCreationTime`).
    pub(crate) fn read(objects: &[Value]) -> Result<Self, String> {
        let mut read = Self::default();
        for object in objects {
            let kind = object["kind"].as_str().unwrap_or_default();
            let version = object["apiVersion"].as_str().unwrap_or_default();
            let group = version.split_once('/').map_or("", |(group, _)| group);
            match (group, kind) {
                ("", "Service") => read.services.push(Object::read(object)?),
                ("networking.istio.io", "VirtualService") => {
                    read.virtual_services.push(Object::read(object)?);
                }
                ("networking.istio.io", "DestinationRule") => {
                    read.destination_rules.push(Object::read(object)?);
                }
                ("networking.istio.io", "Gateway") => read.gateways.push(Object::read(object)?),
                ("networking.istio.io", "Sidecar") => read.sidecars.push(Object::read(object)?),
                ("security.istio.io", "AuthorizationPolicy") => {
                    read.authorization_policies.push(Object::read(object)?);
                }
                ("security.istio.io", "PeerAuthentication") => {
                    read.peer_authentications.push(Object::read(object)?);
                }
                // Refuses bad tokens; the requests here carry none.
                ("security.istio.io", "RequestAuthentication") => {}
                ("gateway.networking.k8s.io", "HTTPRoute") => read.http_routes.push(Object::read(object)?),
                ("gateway.networking.k8s.io", "ReferenceGrant") => {
                    read.reference_grants.push(Object::read(object)?);
                }
                ("appmesh.k8s.aws", _) => read.add_of_app_mesh(version, kind, object)?,
                ("split.smi-spec.io", "TrafficSplit") => read.traffic_splits.push(Object::read(object)?),
                _ if group.ends_with("istio.io")
                    || ["gateway.networking.k8s.io", "split.smi-spec.io"].contains(&group) =>
                {
                    return Err(format!("{kind} {} is not translated", object["metadata"]["name"]));
                }
                _ => {}
            }
        }
        for service in &read.services {
            service.refuse_what_is_not_translated()?;
        }
        read.services.sort_by_key(Object::age);
        read.virtual_services.sort_by_key(Object::age);
        read.destination_rules.sort_by_key(Object::age);
        read.authorization_policies.sort_by_key(Object::age);
        read.peer_authentications.sort_by_key(Object::age);
        Ok(read)
    }

    fn add_of_app_mesh(&mut self, version: &str, kind: &str, object: &Value) -> Result<(), String> {
        let is_old = version == "appmesh.k8s.aws/v1beta1";
        match (kind, is_old) {
            ("VirtualService", true) => self.old_virtual_services.push(Object::read(object)?),
            ("VirtualNode", true) => self.old_virtual_nodes.push(Object::read(object)?),
            ("VirtualService", false) => self.mesh_services.push(Object::read(object)?),
            ("VirtualRouter", false) => self.virtual_routers.push(Object::read(object)?),
            ("VirtualNode", false) => self.virtual_nodes.push(Object::read(object)?),
            ("Mesh", _) => {}
            _ => return Err(format!("{kind} {} is not translated", object["metadata"]["name"])),
        }
        Ok(())
    }
}

impl<T: DeserializeOwned> Object<T> {
    fn read(object: &Value) -> Result<Self, String> {
        let metadata = &object["metadata"];
        let text = |field: &str| metadata[field].as_str().unwrap_or_default().to_owned();
        let (name, namespace) = (text("name"), text("namespace"));
        let what = format!(
            "{} {namespace}/{name}",
            object["kind"].as_str().unwrap_or_default()
        );
        if name.is_empty() || namespace.is_empty() {
            return Err(format!("{what} lacks its name or namespace"));
        }
        let spec = match &object["spec"] {
            Value::Null => Value::Object(serde_json::Map::new()),
            spec => spec.clone(),
        };
        let annotations = match &metadata["annotations"] {
            Value::Null => Labels::new(),
            annotations => {
                Labels::deserialize(annotations).map_err(|error| format!("{what}: annotations: {error}"))?
            }
        };
        Ok(Self {
            created: text("creationTimestamp"),
            spec: T::deserialize(spec).map_err(|error| format!("{what}: {error}"))?,
            annotations,
            name,
            namespace,
        })
    }
}

impl<T> Object<T> {
    /// Namespace and name.
    pub(crate) fn key(&self) -> String {
        format!("{}/{}", self.namespace, self.name)
    }

    /// Sorts older ones first, those of one age by name.
    pub(crate) fn age(&self) -> (String, String) {
        (self.created.clone(), format!("{}.{}", self.name, self.namespace))
    }
}

impl Object<Service> {
    /// The name under which the mesh knows the Service.
    pub(crate) fn host(&self) -> String {
        format!("{}.{}.svc.cluster.local", self.name, self.namespace)
    }

    /// Whether proxies of a namespace know the Service.
    /// Source: Istio, annotation `networking.istio.io/exportTo`.
    pub(crate) fn is_visible_to(&self, namespace: &str) -> bool {
        let export_to: Vec<String> = self
            .annotations
            .get("networking.istio.io/exportTo")
            .map(|list| list.split(',').map(|entry| entry.trim().to_owned()).collect())
            .unwrap_or_default();
        is_exported(&export_to, &self.namespace, namespace)
    }

    fn refuse_what_is_not_translated(&self) -> Result<(), String> {
        let refuse = |what: &str| Err(format!("Service {}/{}: {what}", self.namespace, self.name));
        if self.spec.kind.as_deref() == Some("ExternalName") {
            return refuse("ExternalName is not translated");
        }
        if self.spec.cluster_ip.as_deref() == Some("None") {
            return refuse("headless Services are not translated");
        }
        for port in &self.spec.ports {
            // Istio takes the protocol from `appProtocol`, else from the port's name up to the first hyphen; where
            // neither names one it looks at the bytes. Source: Istio, Protocol Selection.
            let named = port
                .app_protocol
                .as_deref()
                .unwrap_or_else(|| port.name.split('-').next().unwrap_or_default());
            let is_http = !matches!(
                named,
                "tcp" | "tls" | "https" | "mongo" | "mysql" | "redis" | "udp"
            );
            if !is_http || !matches!(port.protocol.as_deref(), None | Some("TCP")) {
                return refuse("a port that is not HTTP is not translated");
            }
        }
        Ok(())
    }
}

/// Whether an object is visible from a namespace.
///
/// Source: Istio, `exportTo`: nothing or `*` is everybody, `.` the object's own namespace, `~` nobody, else a
/// namespace.
pub(crate) fn is_exported(export_to: &[String], own_namespace: &str, namespace: &str) -> bool {
    export_to.is_empty()
        || export_to.iter().any(|entry| match entry.as_str() {
            "*" => true,
            "." => own_namespace == namespace,
            "~" => false,
            named => named == namespace,
        })
}

/// Whether all labels of a selector are among a pod's.
pub(crate) fn selects(selector: &Labels, labels: &Labels) -> bool {
    selector
        .iter()
        .all(|(name, value)| labels.get(name) == Some(value))
}

/// A host as the mesh sees it: a name without a dot is completed with the namespace of the object that holds it.
///
/// Source: Istio, VirtualService `hosts` and Destination `host`; `name.namespace` has a dot and is taken as it is.
pub(crate) fn complete_host(host: &str, namespace: &str) -> String {
    if host.contains('.') || host == "*" {
        host.to_owned()
    } else {
        format!("{host}.{namespace}.svc.cluster.local")
    }
}

/// Whether a host is covered by a pattern: itself, `*`, or `*` and the end of the host.
pub(crate) fn host_matches(host: &str, pattern: &str) -> bool {
    match pattern.strip_prefix('*') {
        Some(end) => host.ends_with(end),
        None => host.eq_ignore_ascii_case(pattern),
    }
}

/// The pattern that decides for a host: the exact one, else the longest with a wildcard, the first of equals.
///
/// Source: Istio `MostSpecificHostMatch`.
pub(crate) fn most_specific<'a>(host: &str, patterns: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let mut best: Option<&str> = None;
    for pattern in patterns.filter(|pattern| host_matches(host, pattern)) {
        let rank = |pattern: &str| (!pattern.starts_with('*'), pattern.len());
        if best.is_none_or(|best| rank(pattern) > rank(best)) {
            best = Some(pattern);
        }
    }
    best
}
