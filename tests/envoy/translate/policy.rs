//! AuthorizationPolicies and PeerAuthentications → who may enter a pod.

use serde_json::{Value, json};

use super::objects::ROOT_NAMESPACE;
use super::objects::{
    Action, AuthorizationPolicy, Condition, MutualTlsMode, Object, Objects, Operation, Rule, Source, selects,
};
use super::{PRINCIPAL_HEADER, Transport};
use crate::scenario::Pod;

/// How a pod takes connections to one of its ports.
///
/// The most specific PeerAuthentication decides: for the pod's labels, for its namespace, for the mesh. One that
/// leaves the mode unset passes the question on; the last answer is permissive. Of several of one kind the oldest
/// counts.
///
/// Source: Istio, PeerAuthentication.
pub(crate) fn mutual_tls_mode(objects: &Objects, pod: &Pod, port: u16) -> MutualTlsMode {
    let all = &objects.peer_authentications;
    let of_pod = all.iter().find(|found| {
        found.namespace == pod.namespace
            && found.spec.selector.as_ref().is_some_and(|selector| {
                !selector.match_labels.is_empty() && selects(&selector.match_labels, &pod.labels)
            })
    });
    let of_namespace = |namespace: &str| {
        all.iter().find(|found| {
            let selector = found.spec.selector.as_ref();
            found.namespace == namespace && selector.is_none_or(|selector| selector.match_labels.is_empty())
        })
    };
    let of_port = of_pod.and_then(|found| found.spec.port_level_mtls.get(&port.to_string()));
    let modes = [
        of_port.map(|mtls| mtls.mode),
        of_pod.map(|found| found.spec.mtls.mode),
        of_namespace(&pod.namespace).map(|found| found.spec.mtls.mode),
        of_namespace(ROOT_NAMESPACE).map(|found| found.spec.mtls.mode),
    ];
    modes
        .into_iter()
        .flatten()
        .find(|mode| *mode != MutualTlsMode::Unset)
        .unwrap_or(MutualTlsMode::Permissive)
}

/// The filters in front of a pod: any DENY policy that matches refuses; then, where there are ALLOW policies, one of
/// them has to match.
///
/// Source: Istio, AuthorizationPolicy, evaluation rules. A policy of the root namespace holds in every namespace.
pub(crate) fn filters(
    objects: &Objects,
    pod: &Pod,
    port: u16,
    transport: Transport,
) -> Result<Vec<Value>, String> {
    let selecting: Vec<&Object<AuthorizationPolicy>> = objects
        .authorization_policies
        .iter()
        .filter(|policy| policy.namespace == pod.namespace || policy.namespace == ROOT_NAMESPACE)
        .filter(|policy| selects(&policy.spec.selector.match_labels, &pod.labels))
        .collect();
    let mut filters = Vec::new();
    for action in [Action::Deny, Action::Allow] {
        let mut policies = serde_json::Map::new();
        let mut is_there = false;
        for policy in selecting.iter().filter(|policy| policy.spec.action == action) {
            is_there = true;
            for (index, rule) in policy.spec.rules.iter().enumerate() {
                let name = format!("ns[{}]-policy[{}]-rule[{index}]", policy.namespace, policy.name);
                let translated = envoy_policy(rule, &policy.namespace, port, transport)
                    .map_err(|what| format!("AuthorizationPolicy {}: {what}", policy.name))?;
                policies.insert(name, translated);
            }
        }
        if is_there {
            filters.push(json!({
                "name": "envoy.filters.http.rbac",
                "typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC",
                    "rules": {
                        "action": if action == Action::Deny { "DENY" } else { "ALLOW" },
                        "policies": policies,
                    },
                },
            }));
        }
    }
    Ok(filters)
}

/// The two halves of an Envoy policy; each has its own words for and, or, not.
#[derive(Clone, Copy)]
enum Half {
    /// Who asks.
    Principals,
    /// What is asked for.
    Permissions,
}

impl Half {
    fn any(self, matchers: Vec<Value>) -> Value {
        match self {
            Self::Principals => json!({"or_ids": {"ids": matchers}}),
            Self::Permissions => json!({"or_rules": {"rules": matchers}}),
        }
    }

    /// All of them; none at all hold for everything.
    fn all(self, matchers: Vec<Value>) -> Value {
        match self {
            _ if matchers.is_empty() => json!({"any": true}),
            Self::Principals => json!({"and_ids": {"ids": matchers}}),
            Self::Permissions => json!({"and_rules": {"rules": matchers}}),
        }
    }

    fn not(self, matcher: Value) -> Value {
        match self {
            Self::Principals => json!({"not_id": matcher}),
            Self::Permissions => json!({"not_rule": matcher}),
        }
    }

    /// One of the values, if there are any, and none of the others.
    fn values(self, values: &[String], not_values: &[String], matcher: impl Fn(&str) -> Value) -> Vec<Value> {
        let any_of = |values: &[String]| self.any(values.iter().map(|value| matcher(value)).collect());
        let mut all = Vec::new();
        if !values.is_empty() {
            all.push(any_of(values));
        }
        if !not_values.is_empty() {
            all.push(self.not(any_of(not_values)));
        }
        all
    }
}

/// One rule: some source, some operation, and all conditions. A part that is absent holds for everything.
fn envoy_policy(rule: &Rule, own_namespace: &str, port: u16, transport: Transport) -> Result<Value, String> {
    let mut principals = Vec::new();
    if !rule.from.is_empty() {
        let sources = rule
            .from
            .iter()
            .map(|from| source(&from.source, own_namespace, transport));
        principals.push(Half::Principals.any(sources.collect()));
    }
    let mut permissions = Vec::new();
    if !rule.to.is_empty() {
        let operations = rule.to.iter().map(|to| operation(&to.operation, port));
        permissions.push(Half::Permissions.any(operations.collect::<Result<_, _>>()?));
    }
    for Condition {
        key,
        values,
        not_values,
    } in &rule.when
    {
        let header = key
            .strip_prefix("request.headers[")
            .and_then(|rest| rest.strip_suffix(']'));
        let ids = |matcher: &dyn Fn(&str) -> Value| Half::Principals.values(values, not_values, matcher);
        match (key.as_str(), header) {
            ("destination.port", _) => {
                permissions
                    .extend(Half::Permissions.values(values, not_values, |value| is_port(value, port)));
            }
            ("source.principal", _) => {
                principals.extend(ids(&|value| identity(transport, &principal_match(value))));
            }
            ("source.namespace", _) => {
                principals.extend(ids(&|value| identity(transport, &namespace_match(value))));
            }
            (_, Some(name)) => principals.extend(ids(&|value| json!({"header": header_match(name, value)}))),
            (key, None) => return Err(format!("the condition {key} is not translated")),
        }
    }
    Ok(json!({
        "principals": [Half::Principals.all(principals)],
        "permissions": [Half::Permissions.all(permissions)],
    }))
}

fn source(source: &Source, own_namespace: &str, transport: Transport) -> Value {
    let half = Half::Principals;
    half.all(
        [
            half.values(&source.principals, &source.not_principals, |value| {
                identity(transport, &principal_match(value))
            }),
            half.values(&source.namespaces, &source.not_namespaces, |value| {
                identity(transport, &namespace_match(value))
            }),
            half.values(&source.service_accounts, &source.not_service_accounts, |value| {
                identity(transport, &account_match(value, own_namespace))
            }),
        ]
        .concat(),
    )
}

fn operation(operation: &Operation, port: u16) -> Result<Value, String> {
    let mut paths = operation.paths.iter().chain(&operation.not_paths);
    if paths.any(|path| path.contains(['{', '}'])) {
        return Err("path templates are not translated".to_owned());
    }
    let half = Half::Permissions;
    Ok(half.all(
        [
            half.values(&operation.hosts, &operation.not_hosts, host_match),
            half.values(
                &operation.methods,
                &operation.not_methods,
                |value| json!({"header": header_match(":method", value)}),
            ),
            half.values(
                &operation.paths,
                &operation.not_paths,
                |value| json!({"url_path": {"path": string_match(value)}}),
            ),
            half.values(&operation.ports, &operation.not_ports, |value| {
                is_port(value, port)
            }),
        ]
        .concat(),
    ))
}

/// Pods listen on sockets without ports here, so the listener's port is compared while translating.
fn is_port(value: &str, port: u16) -> Value {
    if value == port.to_string() {
        json!({"any": true})
    } else {
        json!({"not_rule": {"any": true}})
    }
}

/// Host names are compared without case. Source: Istio, AuthorizationPolicy `operation.hosts`.
fn host_match(value: &str) -> Value {
    let mut matcher = header_match(":authority", value);
    if let Some(matcher) = matcher.get_mut("string_match") {
        matcher["ignore_case"] = json!(true);
    }
    json!({"header": matcher})
}

/// The caller's identity, which Istio takes from the client's certificate. Here the caller's proxy writes it into a
/// header; what comes in plain text has none.
fn identity(transport: Transport, string_match: &Value) -> Value {
    match transport {
        Transport::Mutual => json!({"header": {"name": PRINCIPAL_HEADER, "string_match": string_match}}),
        Transport::Plain => json!({"not_id": {"any": true}}),
    }
}

/// Source: Istio, `spiffe://` before the principal, `*` for any that is there.
fn principal_match(value: &str) -> Value {
    match value.strip_prefix('*') {
        Some("") => json!({"safe_regex": {"regex": ".+"}}),
        Some(end) => json!({"suffix": end}),
        None => string_match(&format!("spiffe://{value}")),
    }
}

/// Source: Istio, AuthorizationPolicy `source.namespaces`: the namespace part of the identity.
fn namespace_match(value: &str) -> Value {
    json!({"safe_regex": {"regex": format!(".*/ns/{}/.*", value.replace('*', ".*"))}})
}

/// Source: Istio, AuthorizationPolicy `source.serviceAccounts`: `namespace/name`, or a name in the policy's namespace.
fn account_match(value: &str, own_namespace: &str) -> Value {
    let (namespace, name) = value.split_once('/').unwrap_or((own_namespace, value));
    json!({"safe_regex": {"regex": format!("spiffe://.+/ns/{namespace}/(.+/|)sa/{name}(/.+)?")}})
}

fn header_match(name: &str, value: &str) -> Value {
    if value == "*" {
        json!({"name": name, "present_match": true})
    } else {
        json!({"name": name, "string_match": string_match(value)})
    }
}

/// Source: Istio, AuthorizationPolicy: exact, prefix (`abc*`), suffix (`*abc`), presence (`*`).
fn string_match(value: &str) -> Value {
    if value == "*" {
        json!({"safe_regex": {"regex": ".+"}})
    } else if let Some(end) = value.strip_prefix('*') {
        json!({"suffix": end})
    } else if let Some(start) = value.strip_suffix('*') {
        json!({"prefix": start})
    } else {
        json!({"exact": value})
    }
}
