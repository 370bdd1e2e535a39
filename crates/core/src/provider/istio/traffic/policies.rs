//! Who may enter a pod: AuthorizationPolicies and PeerAuthentications.

use serde_json::{Map, Value};

use super::{ROOT_NAMESPACE, Serving, failure};
use crate::manifest::{Manifest, ObjectRef};
use crate::prover::{Caller, Failure, FailureKind, PodGroup, Request};

/// An AuthorizationPolicy.
#[derive(Debug)]
pub(super) struct AuthorizationPolicy {
    object: ObjectRef,
    scope: Scope,
    pub(super) action: Action,
    pub(super) rules: Vec<Value>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    Allow,
    Deny,
    /// `AUDIT` and `CUSTOM`: the first changes nothing, what the second does is not in the manifests.
    Other,
}

/// Which pods a policy is for.
#[derive(Debug)]
struct Scope {
    namespace: String,
    labels: Option<Map<String, Value>>,
}

impl Scope {
    fn of(manifest: &Manifest) -> Self {
        let labels = manifest
            .value
            .pointer("/spec/selector/matchLabels")
            .and_then(Value::as_object);
        Self {
            namespace: manifest.object.namespace.clone().unwrap_or_default(),
            labels: labels.cloned(),
        }
    }

    fn covers(&self, pods: &PodGroup) -> bool {
        let is_near = self.namespace == pods.namespace || self.namespace == ROOT_NAMESPACE;
        let selected = |labels: &Map<String, Value>| {
            labels
                .iter()
                .all(|(key, value)| pods.labels.get(key) == Some(value))
        };
        is_near && self.labels.as_ref().is_none_or(selected)
    }
}

impl AuthorizationPolicy {
    pub(super) fn read(manifest: &Manifest) -> Self {
        let rules = manifest.value.pointer("/spec/rules").and_then(Value::as_array);
        Self {
            object: manifest.object.clone(),
            scope: Scope::of(manifest),
            action: match manifest.text("/spec/action") {
                None | Some("ALLOW") => Action::Allow,
                Some("DENY") => Action::Deny,
                Some(_) => Action::Other,
            },
            rules: rules.cloned().unwrap_or_default(),
        }
    }

    pub(super) fn covers(&self, pods: &PodGroup) -> bool {
        self.scope.covers(pods)
    }

    fn applies(&self, request: &Request, port: Option<u16>) -> bool {
        self.rules
            .iter()
            .any(|rule| rule_matches(rule, request, port, self.action == Action::Deny))
    }
}

/// Whether mutual TLS is required of callers.
#[derive(Debug)]
pub(super) struct PeerAuthentication {
    object: ObjectRef,
    scope: Scope,
    mode: Option<String>,
    ports: Vec<(u16, String)>,
}

impl PeerAuthentication {
    pub(super) fn read(manifest: &Manifest) -> Self {
        let ports = manifest
            .value
            .pointer("/spec/portLevelMtls")
            .and_then(Value::as_object);
        let port = |(port, mtls): (&String, &Value)| {
            Some((port.parse().ok()?, mtls.get("mode")?.as_str()?.to_owned()))
        };
        Self {
            object: manifest.object.clone(),
            scope: Scope::of(manifest),
            mode: manifest
                .text("/spec/mtls/mode")
                .filter(|mode| *mode != "UNSET")
                .map(str::to_owned),
            ports: ports.into_iter().flatten().filter_map(port).collect(),
        }
    }
}

/// Why pods turn a request away; `None` where they admit it.
///
/// Source: Istio, "Authorization Policy": any DENY that matches denies; without ALLOW policies everybody is admitted;
/// with some, what one of them matches.
pub(super) fn refusal(serving: &Serving<'_>, pods: &PodGroup, port: Option<u16>) -> Option<Failure> {
    if serving.request.caller == Caller::Outside
        && let Some(strict) = strict(serving, pods, port)
    {
        return Some(strict);
    }
    let policies = serving
        .traffic
        .authorization
        .iter()
        .filter(|versions| versions.any(|policy| policy.covers(pods)));
    let seen: Vec<&AuthorizationPolicy> = policies
        .filter_map(|versions| serving.state.see(versions))
        .filter(|policy| policy.covers(pods))
        .collect();
    let of = |action: Action| seen.iter().filter(move |policy| policy.action == action);
    let caller = serving
        .request
        .caller
        .principal()
        .unwrap_or("a caller without identity");
    if let Some(denying) = of(Action::Deny).find(|policy| policy.applies(serving.request, port)) {
        let text = format!(
            "403 RBAC: {} denies {caller} the pods of `{}`",
            denying.object, pods.workload
        );
        return Some(failure(FailureKind::Denied, text, &denying.object));
    }
    let mut allowing = of(Action::Allow).peekable();
    let first = allowing.peek().copied()?;
    if allowing.any(|policy| policy.applies(serving.request, port)) {
        return None;
    }
    let text = format!(
        "403 RBAC: no AuthorizationPolicy admits {caller} to the pods of `{}`",
        pods.workload
    );
    Some(failure(FailureKind::Denied, text, &first.object))
}

/// Source: Istio, "PeerAuthentication": one for the pods beats the namespace's, which beats the mesh's.
fn strict(serving: &Serving<'_>, pods: &PodGroup, port: Option<u16>) -> Option<Failure> {
    let covering = serving
        .traffic
        .peers
        .iter()
        .filter(|versions| versions.any(|peer| peer.scope.covers(pods)));
    let mut seen: Vec<&PeerAuthentication> = covering
        .filter_map(|versions| serving.state.see(versions))
        .filter(|peer| peer.scope.covers(pods))
        .collect();
    let nearness = |peer: &PeerAuthentication| {
        (
            peer.scope.labels.is_none(),
            peer.scope.namespace != pods.namespace,
        )
    };
    seen.sort_by_key(|peer| (nearness(peer), peer.object.name.clone()));
    let of_port = seen
        .first()
        .and_then(|peer| peer.ports.iter().find(|(known, _)| Some(*known) == port));
    let mode = |peer: &&PeerAuthentication| peer.mode.clone();
    let (deciding, mode) = match of_port {
        Some((_, mode)) => (seen.first().copied()?, mode.clone()),
        None => seen.iter().find_map(|peer| Some((*peer, mode(peer)?)))?,
    };
    (mode == "STRICT").then(|| {
        let text = format!(
            "connection reset: {} requires mutual TLS of callers of `{}`",
            deciding.object, pods.workload
        );
        failure(FailureKind::Denied, text, &deciding.object)
    })
}

/// Whether a rule is about a request. What the model does not know counts against the request: such a condition
/// never admits and always denies.
fn rule_matches(rule: &Value, request: &Request, port: Option<u16>, is_deny: bool) -> bool {
    let list = |key: &str| rule.get(key).and_then(Value::as_array);
    let from = list("from").is_none_or(|from| {
        from.iter()
            .filter_map(|from| from.get("source"))
            .any(|source| all(source, |key, values| source_field(key, values, request, is_deny)))
    });
    let to = list("to").is_none_or(|to| {
        to.iter().filter_map(|to| to.get("operation")).any(|operation| {
            all(operation, |key, values| {
                operation_field(key, values, request, port, is_deny)
            })
        })
    });
    let when = list("when").is_none_or(|when| {
        when.iter()
            .all(|condition| condition_holds(condition, request, port, is_deny))
    });
    from && to && when
}

/// All fields of a source or an operation hold.
fn all(fields: &Value, holds: impl Fn(&str, &[Value]) -> bool) -> bool {
    let fields = fields.as_object().into_iter().flatten();
    fields
        .into_iter()
        .all(|(key, values)| holds(key, values.as_array().map_or(&[], Vec::as_slice)))
}

/// One field, given what it is compared with; a field that begins with `not` is its opposite.
fn field(key: &str, values: &[Value], value: Option<&str>) -> bool {
    let any = values
        .iter()
        .filter_map(Value::as_str)
        .any(|pattern| value.is_some_and(|value| fits(pattern, value)));
    if key.starts_with("not") { !any } else { any }
}

fn source_field(key: &str, values: &[Value], request: &Request, is_deny: bool) -> bool {
    let caller = &request.caller;
    match key {
        "principals" | "notPrincipals" => field(key, values, caller.principal()),
        "namespaces" | "notNamespaces" => field(key, values, caller.namespace()),
        "serviceAccounts" | "notServiceAccounts" => {
            let account = caller
                .principal()
                .and_then(|principal| principal.rsplit('/').next());
            let name = caller
                .namespace()
                .zip(account)
                .map(|(namespace, account)| format!("{namespace}/{account}"));
            field(key, values, name.as_deref())
        }
        _ => is_deny,
    }
}

fn operation_field(key: &str, values: &[Value], request: &Request, port: Option<u16>, is_deny: bool) -> bool {
    match key {
        "hosts" | "notHosts" => field(key, values, Some(&request.host)),
        "paths" | "notPaths" => field(key, values, Some(&request.path)),
        "methods" | "notMethods" => field(key, values, Some(&request.method)),
        "ports" | "notPorts" => field(key, values, port.map(|port| port.to_string()).as_deref()),
        _ => is_deny,
    }
}

fn condition_holds(condition: &Value, request: &Request, port: Option<u16>, is_deny: bool) -> bool {
    let Some(key) = condition.get("key").and_then(Value::as_str) else {
        return is_deny;
    };
    let port = port.map(|port| port.to_string());
    let value = match key {
        "source.principal" => request.caller.principal(),
        "source.namespace" => request.caller.namespace(),
        "destination.port" => port.as_deref(),
        _ => match key
            .strip_prefix("request.headers[")
            .and_then(|rest| rest.strip_suffix(']'))
        {
            Some(header) => request
                .headers
                .get(&header.to_ascii_lowercase())
                .map(String::as_str),
            None => return is_deny,
        },
    };
    let list = |name: &str| condition.get(name).and_then(Value::as_array).map(Vec::as_slice);
    list("values").is_none_or(|values| field("values", values, value))
        && list("notValues").is_none_or(|values| field("notValues", values, value))
}

/// Source: Istio: exact, `prefix*`, `*suffix`, and `*` for anything that is there.
fn fits(pattern: &str, value: &str) -> bool {
    match (pattern.strip_prefix('*'), pattern.strip_suffix('*')) {
        (Some(""), _) => !value.is_empty(),
        (_, Some(start)) => value.starts_with(start),
        (Some(end), None) => value.ends_with(end),
        (None, None) => pattern == value,
    }
}
