//! VirtualServices: which requests they take, and what their rules do.

use serde_json::Value;

use super::super::super::cluster::full_name;
use super::destinations::{ExportTo, Target};
use crate::manifest::{Manifest, ObjectRef};
use crate::prover::{Entry, Request};

/// A VirtualService as far as HTTP requests are concerned.
#[derive(Debug)]
pub(in crate::provider::istio) struct VirtualService {
    pub(in crate::provider::istio) object: ObjectRef,
    pub(super) namespace: String,
    /// Full names.
    pub(in crate::provider::istio) hosts: Vec<String>,
    /// Gateways by namespace and name, or `mesh`.
    pub(super) gateways: Vec<String>,
    pub(in crate::provider::istio) export: ExportTo,
    pub(super) http: Vec<Rule>,
}

/// One rule of the `http` list.
#[derive(Debug)]
pub(in crate::provider) struct Rule {
    pub(in crate::provider) matches: Vec<Match>,
    pub(in crate::provider) action: Action,
}

/// What a rule does with a request.
#[derive(Debug)]
pub(in crate::provider) enum Action {
    /// The proxy answers itself: a redirect, a fixed response, or a delegate that is not here.
    Answer(String),
    /// To destinations, by weight.
    Route(Vec<Target>),
}

/// One alternative of a rule's `match`: everything it says must hold.
#[derive(Debug, Clone, Default)]
pub(in crate::provider) struct Match {
    pub(super) uri: Option<Pattern>,
    pub(super) method: Option<Pattern>,
    pub(super) authority: Option<Pattern>,
    pub(super) headers: Vec<(String, Pattern)>,
    pub(super) without_headers: Vec<(String, Pattern)>,
    pub(super) port: Option<u16>,
    gateways: Option<Vec<String>>,
    pub(super) source_namespace: Option<String>,
    /// Conditions that no example can be given of, with what they say: `sourceLabels`, `queryParams`.
    pub(super) unknown: Vec<(String, String)>,
    pub(super) ignores_case: bool,
}

/// A string match.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Pattern {
    Exact(String),
    Prefix(String),
    Regex(String),
    /// An empty match: the header is there.
    Present,
}

impl Pattern {
    fn read(value: &Value) -> Self {
        let text = |key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
        let exact = text("exact").map(Self::Exact);
        exact
            .or_else(|| text("prefix").map(Self::Prefix))
            .or_else(|| text("regex").map(Self::Regex))
            .unwrap_or(Self::Present)
    }

    /// A text that it matches, where one can be given.
    pub(super) fn example(&self) -> Option<String> {
        match self {
            Self::Exact(text) | Self::Prefix(text) => Some(text.clone()),
            Self::Regex(_) => None,
            Self::Present => Some("any".to_owned()),
        }
    }

    fn is_met(&self, field: &str, value: Option<&str>, request: &Request, ignores_case: bool) -> bool {
        let same = |one: &str, other: &str| {
            if ignores_case {
                one.eq_ignore_ascii_case(other)
            } else {
                one == other
            }
        };
        match (self, value) {
            (Self::Regex(pattern), _) => {
                let fulfils = &request.fulfils;
                fulfils
                    .iter()
                    .any(|(known, fulfilled)| known == field && fulfilled == pattern)
            }
            (Self::Exact(text), Some(value)) => same(text, value),
            (Self::Prefix(text), Some(value)) => {
                value.get(..text.len()).is_some_and(|start| same(text, start))
            }
            (Self::Present, value) => value.is_some(),
            (_, None) => false,
        }
    }
}

impl VirtualService {
    pub(in crate::provider::istio) fn read(manifest: &Manifest) -> Self {
        let namespace = manifest.object.namespace.clone().unwrap_or_default();
        let list = |key: &str| {
            let list = manifest
                .value
                .get("spec")
                .and_then(|spec| spec.get(key)?.as_array());
            list.map(|list| {
                list.iter()
                    .filter_map(Value::as_str)
                    .map(str::to_owned)
                    .collect::<Vec<_>>()
            })
        };
        let hosts = list("hosts").unwrap_or_default();
        let rules = manifest.value.pointer("/spec/http").and_then(Value::as_array);
        Self {
            hosts: hosts.iter().map(|host| full_name(host, &namespace)).collect(),
            gateways: match list("gateways") {
                Some(gateways) if !gateways.is_empty() => gateways
                    .iter()
                    .map(|gateway| gateway_name(gateway, &namespace))
                    .collect(),
                _ => vec!["mesh".to_owned()],
            },
            export: ExportTo::read(manifest),
            http: rules
                .into_iter()
                .flatten()
                .map(|rule| Rule::read(rule, &namespace))
                .collect(),
            object: manifest.object.clone(),
            namespace,
        }
    }

    /// Whether it is for requests at the callers' own proxies.
    pub(in crate::provider::istio) fn is_in_mesh(&self) -> bool {
        self.gateways.iter().any(|gateway| gateway == "mesh")
    }

    /// How exactly it names the host of a request that it takes.
    pub(super) fn takes(&self, request: &Request) -> Option<(bool, usize)> {
        let is_seen = request.entry != Entry::Sidecar || self.export.covers(request.caller.namespace());
        is_seen.then(|| self.names(request)).flatten()
    }

    /// How exactly it names a host, whoever calls: longer is more exact, a wildcard less than a name.
    pub(super) fn names(&self, request: &Request) -> Option<(bool, usize)> {
        let is_bound = match &request.entry {
            Entry::Sidecar => self.is_in_mesh(),
            Entry::Gateway(name) => self.gateways.contains(name),
        };
        if !is_bound {
            return None;
        }
        let exactness = |host: &String| match host.strip_prefix('*') {
            Some(end) if request.host.ends_with(end) => Some((false, end.len())),
            None if *host == request.host => Some((true, host.len())),
            _ => None,
        };
        self.hosts.iter().filter_map(exactness).max()
    }
}

/// `namespace/name`, the own namespace where none is said.
fn gateway_name(gateway: &str, namespace: &str) -> String {
    match gateway {
        "mesh" => gateway.to_owned(),
        _ if gateway.contains('/') => gateway.to_owned(),
        _ => format!("{namespace}/{gateway}"),
    }
}

impl Rule {
    pub(in crate::provider) fn read(rule: &Value, namespace: &str) -> Self {
        let matches = rule.get("match").and_then(Value::as_array);
        let matches = matches
            .into_iter()
            .flatten()
            .map(|matched| Match::read(matched, namespace));
        let status = |pointer: &str, usual| rule.pointer(pointer).and_then(Value::as_u64).unwrap_or(usual);
        let answer = match () {
            () if rule.get("redirect").is_some() => {
                Some(format!("redirect {}", status("/redirect/redirectCode", 301)))
            }
            () if rule.get("directResponse").is_some() => {
                Some(format!("response {}", status("/directResponse/status", 200)))
            }
            () if rule.get("delegate").is_some() => Some("delegate".to_owned()),
            () => None,
        };
        let action = match answer {
            Some(answer) => Action::Answer(answer),
            None => {
                let route = rule.get("route").and_then(Value::as_array);
                let targets = route
                    .into_iter()
                    .flatten()
                    .filter_map(|entry| target(entry, namespace));
                Action::Route(targets.collect())
            }
        };
        Self {
            matches: matches.collect(),
            action,
        }
    }

    /// Whether a request is of this rule: one of its alternatives holds, or it has none.
    pub(in crate::provider) fn matches(&self, request: &Request, bound: &[String]) -> bool {
        self.matches.is_empty() || self.matches.iter().any(|matched| matched.holds(request, bound))
    }
}

fn target(entry: &Value, namespace: &str) -> Option<Target> {
    let destination = entry.get("destination")?;
    let port = destination.pointer("/port/number").and_then(Value::as_u64);
    Some(Target {
        host: full_name(destination.get("host")?.as_str()?, namespace),
        subset: destination
            .get("subset")
            .and_then(Value::as_str)
            .map(str::to_owned),
        port: port.and_then(|port| u16::try_from(port).ok()),
        weight: entry.get("weight").and_then(Value::as_u64).unwrap_or(0),
    })
}

impl Match {
    fn read(value: &Value, namespace: &str) -> Self {
        let pattern = |key: &str| value.get(key).map(Pattern::read);
        let patterns = |key: &str| {
            let map = value.get(key).and_then(Value::as_object);
            let patterns = map.into_iter().flatten();
            patterns
                .map(|(name, value)| (name.to_ascii_lowercase(), Pattern::read(value)))
                .collect()
        };
        let gateways = value.get("gateways").and_then(Value::as_array);
        let unknown = |key: &str| Some((key.to_owned(), value.get(key)?.to_string()));
        Self {
            uri: pattern("uri"),
            method: pattern("method"),
            authority: pattern("authority"),
            headers: patterns("headers"),
            without_headers: patterns("withoutHeaders"),
            port: value
                .get("port")
                .and_then(Value::as_u64)
                .and_then(|port| u16::try_from(port).ok()),
            gateways: gateways.map(|gateways| {
                gateways
                    .iter()
                    .filter_map(Value::as_str)
                    .map(|gateway| gateway_name(gateway, namespace))
                    .collect()
            }),
            source_namespace: value
                .get("sourceNamespace")
                .and_then(Value::as_str)
                .map(str::to_owned),
            unknown: ["sourceLabels", "queryParams", "scheme"]
                .into_iter()
                .filter_map(unknown)
                .collect(),
            ignores_case: value
                .get("ignoreUriCase")
                .and_then(Value::as_bool)
                .unwrap_or(false),
        }
    }

    fn holds(&self, request: &Request, bound: &[String]) -> bool {
        let entry = match &request.entry {
            Entry::Sidecar => "mesh",
            Entry::Gateway(name) => name,
        };
        let is_at = self
            .gateways
            .as_deref()
            .unwrap_or(bound)
            .iter()
            .any(|gateway| gateway == entry);
        let header = |name: &str| request.headers.get(name).map(String::as_str);
        let met = |pattern: &Option<Pattern>, field: &str, value: &str, ignores_case| {
            pattern
                .as_ref()
                .is_none_or(|pattern| pattern.is_met(field, Some(value), request, ignores_case))
        };
        let fulfilled = |unknown: &(String, String)| request.fulfils.contains(unknown);
        is_at
            && met(&self.uri, "uri", &request.path, self.ignores_case)
            && met(&self.method, "method", &request.method, false)
            && met(&self.authority, "authority", &request.host, false)
            && self.port.is_none_or(|port| port == request.port)
            && self
                .source_namespace
                .as_deref()
                .is_none_or(|namespace| request.caller.namespace() == Some(namespace))
            && self
                .headers
                .iter()
                .all(|(name, pattern)| pattern.is_met(name, header(name), request, false))
            && !self
                .without_headers
                .iter()
                .any(|(name, pattern)| pattern.is_met(name, header(name), request, false))
            && self.unknown.iter().all(fulfilled)
    }
}
