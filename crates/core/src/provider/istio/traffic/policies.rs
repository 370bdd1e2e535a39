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
    /// Whether it is for a waypoint or a gateway, not for pods.
    is_elsewhere: bool,
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
        let scope = Scope::of(manifest);
        let mut rules = rules.cloned().unwrap_or_default();
        rules
            .iter_mut()
            .for_each(|rule| complete_accounts(rule, &scope.namespace));
        let spec = manifest.value.get("spec");
        Self {
            object: manifest.object.clone(),
            scope,
            is_elsewhere: spec
                .is_some_and(|spec| spec.get("targetRefs").is_some() || spec.get("targetRef").is_some()),
            action: match manifest.text("/spec/action") {
                None | Some("ALLOW") => Action::Allow,
                Some("DENY") => Action::Deny,
                Some(_) => Action::Other,
            },
            rules,
        }
    }

    pub(super) fn covers(&self, pods: &PodGroup) -> bool {
        !self.is_elsewhere && self.scope.covers(pods)
    }

    fn applies(&self, request: &Request, port: Option<u16>) -> bool {
        self.rules.iter().any(|rule| rule_matches(rule, request, port))
    }

    /// What its rules say that no example can be given of, as a request that fulfils it says it.
    pub(super) fn unknown(&self) -> Vec<(String, String)> {
        let mut found = Vec::new();
        for rule in &self.rules {
            for (list, inner, known) in [
                ("from", "source", &SOURCES[..]),
                ("to", "operation", &OPERATIONS[..]),
            ] {
                let entries = rule.get(list).and_then(Value::as_array).into_iter().flatten();
                let fields = entries
                    .filter_map(|entry| entry.get(inner)?.as_object())
                    .flatten();
                let unknown = fields.filter(|(key, values)| !is_known(known, key, values));
                found.extend(unknown.map(|(key, values)| (key.clone(), values.to_string())));
            }
            let when = rule.get("when").and_then(Value::as_array).into_iter().flatten();
            let unknown = when.filter(|condition| {
                let key = condition.get("key").and_then(Value::as_str).unwrap_or_default();
                !CONDITIONS.contains(&key)
            });
            found.extend(unknown.map(|condition| ("when".to_owned(), condition.to_string())));
        }
        found
    }
}

/// The fields of a source that the model knows, without their `not`.
const SOURCES: [&str; 3] = ["principals", "namespaces", "serviceAccounts"];
/// The fields of an operation.
const OPERATIONS: [&str; 4] = ["hosts", "paths", "methods", "ports"];
/// The keys of a condition that a request answers by itself.
const CONDITIONS: [&str; 3] = ["source.principal", "source.namespace", "destination.port"];

/// Whether the model can tell if a field holds: path templates, `/a/{*}`, it cannot.
fn is_known(known: &[&str], key: &str, values: &Value) -> bool {
    let is_template = |values: &Vec<Value>| {
        let mut texts = values.iter().filter_map(Value::as_str);
        texts.any(|text| text.contains("{*"))
    };
    known.contains(&plain(key).as_str()) && !values.as_array().is_some_and(is_template)
}

/// `notPaths` → `paths`.
fn plain(key: &str) -> String {
    match key.strip_prefix("not") {
        Some(rest) => rest[..1].to_ascii_lowercase() + &rest[1..],
        None => key.to_owned(),
    }
}

/// Source: Istio, `serviceAccounts`: a name without a namespace is of the policy's.
fn complete_accounts(rule: &mut Value, namespace: &str) {
    let from = rule.get_mut("from").and_then(Value::as_array_mut);
    for source in from
        .into_iter()
        .flatten()
        .filter_map(|from| from.get_mut("source"))
    {
        for key in ["serviceAccounts", "notServiceAccounts"] {
            let accounts = source
                .get_mut(key)
                .and_then(Value::as_array_mut)
                .into_iter()
                .flatten();
            for account in accounts {
                if let Some(name) = account.as_str().filter(|name| !name.contains('/')) {
                    *account = Value::String(format!("{namespace}/{name}"));
                }
            }
        }
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
            let mode = mtls.get("mode")?.as_str().filter(|mode| *mode != "UNSET")?;
            Some((port.parse().ok()?, mode.to_owned()))
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
    let mutual_tls = mutual_tls(serving, pods, port);
    let mode = mutual_tls.as_ref().map(|(_, mode)| mode.as_str());
    if let (Caller::Outside, Some((peer, _)), Some("STRICT")) = (&serving.request.caller, &mutual_tls, mode) {
        let text = format!(
            "connection reset: {} requires mutual TLS of callers of `{}`",
            peer.object, pods.workload
        );
        return Some(denied(text, &peer.object, pods));
    }
    // Without TLS there is no certificate, and so no identity.
    let anonymous = (mode == Some("DISABLE")).then(|| Request {
        caller: Caller::Outside,
        ..serving.request.clone()
    });
    let request = anonymous.as_ref().unwrap_or(serving.request);
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
    let caller = request.caller.principal().unwrap_or("a caller without identity");
    if let Some(denying) = of(Action::Deny).find(|policy| policy.applies(request, port)) {
        let text = format!(
            "403 RBAC: {} denies {caller} the pods of `{}`",
            denying.object, pods.workload
        );
        return Some(denied(text, &denying.object, pods));
    }
    let mut allowing = of(Action::Allow).peekable();
    let first = allowing.peek().copied()?;
    if allowing.any(|policy| policy.applies(request, port)) {
        return None;
    }
    let text = format!(
        "403 RBAC: no AuthorizationPolicy admits {caller} to the pods of `{}`",
        pods.workload
    );
    Some(denied(text, &first.object, pods))
}

fn denied(text: String, object: &ObjectRef, pods: &PodGroup) -> Failure {
    Failure {
        workload: Some(pods.workload.clone()),
        ..failure(FailureKind::Denied, text, Some(object))
    }
}

/// The mode of mutual TLS and who says so.
///
/// Source: Istio, "PeerAuthentication": one for the pods beats the namespace's, which beats the mesh's.
fn mutual_tls<'a>(
    serving: &Serving<'a>,
    pods: &PodGroup,
    port: Option<u16>,
) -> Option<(&'a PeerAuthentication, String)> {
    let covering = serving
        .traffic
        .peers
        .iter()
        .filter(|versions| versions.any(|peer| peer.scope.covers(pods)));
    let mut seen: Vec<&'a PeerAuthentication> = covering
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
    match of_port {
        Some((_, mode)) => Some((seen.first().copied()?, mode.clone())),
        None => seen.iter().find_map(|peer| Some((*peer, mode(peer)?))),
    }
}

/// Whether a rule is about a request. What no example can be given of holds for requests that say they fulfil it;
/// there are some that do and some that do not. An empty list is no condition.
fn rule_matches(rule: &Value, request: &Request, port: Option<u16>) -> bool {
    let list = |key: &str| rule.get(key)?.as_array().filter(|list| !list.is_empty());
    let from = list("from").is_none_or(|from| {
        from.iter()
            .filter_map(|from| from.get("source"))
            .any(|source| all(source, |key, values| source_field(key, values, request)))
    });
    let to = list("to").is_none_or(|to| {
        to.iter().filter_map(|to| to.get("operation")).any(|operation| {
            all(operation, |key, values| {
                operation_field(key, values, request, port)
            })
        })
    });
    let when = list("when").is_none_or(|when| {
        when.iter()
            .all(|condition| condition_holds(condition, request, port))
    });
    from && to && when
}

/// All fields of a source or an operation hold.
fn all(fields: &Value, holds: impl Fn(&str, &[Value]) -> bool) -> bool {
    let fields = fields.as_object().into_iter().flatten();
    fields
        .into_iter()
        .map(|(key, values)| (key, values.as_array().map_or(&[][..], Vec::as_slice)))
        .all(|(key, values)| values.is_empty() || holds(key, values))
}

/// One field, given what it is compared with; a field that begins with `not` is its opposite.
fn field(key: &str, values: &[Value], value: Option<&str>) -> bool {
    let any = values
        .iter()
        .filter_map(Value::as_str)
        .any(|pattern| value.is_some_and(|value| fits(pattern, value)));
    if key.starts_with("not") { !any } else { any }
}

fn fulfils(request: &Request, key: &str, said: &str) -> bool {
    let mut fulfils = request.fulfils.iter();
    fulfils.any(|(field, what)| field == key && what == said)
}

fn source_field(key: &str, values: &[Value], request: &Request) -> bool {
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
        _ => fulfils(request, key, &Value::Array(values.to_vec()).to_string()),
    }
}

fn operation_field(key: &str, values: &[Value], request: &Request, port: Option<u16>) -> bool {
    let said = Value::Array(values.to_vec());
    match key {
        _ if !is_known(&OPERATIONS, key, &said) => fulfils(request, key, &said.to_string()),
        "hosts" | "notHosts" => field(key, values, Some(&request.host)),
        "paths" | "notPaths" => field(key, values, Some(&request.path)),
        "methods" | "notMethods" => field(key, values, Some(&request.method)),
        "ports" | "notPorts" => field(key, values, port.map(|port| port.to_string()).as_deref()),
        _ => false,
    }
}

fn condition_holds(condition: &Value, request: &Request, port: Option<u16>) -> bool {
    let key = condition.get("key").and_then(Value::as_str).unwrap_or_default();
    if fulfils(request, "when", &condition.to_string()) {
        return true;
    }
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
            None => return false,
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
