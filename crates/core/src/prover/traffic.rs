//! Requests and what becomes of them: the vocabulary that a traffic system answers the prover in.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::{PodGroup, State, Unjudged};
use crate::manifest::ObjectRef;

/// One kind of request: everything that routes and policies can tell apart.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Request {
    /// The host that is called.
    pub host: String,
    /// Other hosts that are routed alike, for messages.
    pub hosts_alike: Vec<String>,
    /// The port that is called.
    pub port: u16,
    /// The path.
    pub path: String,
    /// The method.
    pub method: String,
    /// Headers, by lower-case name.
    pub headers: BTreeMap<String, String>,
    /// Patterns that cannot be given an example of, and that this request fulfils: field and pattern.
    pub fulfils: Vec<(String, String)>,
    /// Who calls.
    pub caller: Caller,
    /// Where it enters.
    pub entry: Entry,
}

/// Who calls.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Caller {
    /// A workload in the mesh, by its principal: `cluster.local/ns/checkout/sa/web`.
    Mesh(String),
    /// A workload without a sidecar: no identity, and no routes on its way.
    Outside,
}

impl Caller {
    /// The principal, where there is an identity.
    pub fn principal(&self) -> Option<&str> {
        match self {
            Self::Mesh(principal) => Some(principal),
            Self::Outside => None,
        }
    }

    /// The namespace of the principal. Source: Istio, `<trust domain>/ns/<namespace>/sa/<account>`.
    pub fn namespace(&self) -> Option<&str> {
        self.principal()?
            .split('/')
            .skip_while(|part| *part != "ns")
            .nth(1)
    }
}

/// Where a request enters the mesh.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Entry {
    /// At the caller's own proxy.
    Sidecar,
    /// At a gateway, by namespace and name.
    Gateway(String),
}

impl fmt::Display for Request {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            host,
            port,
            path,
            method,
            headers,
            fulfils,
            caller,
            entry,
            hosts_alike,
        } = self;
        if method != "GET" {
            write!(formatter, "{method} ")?;
        }
        write!(formatter, "{host}")?;
        if *port != 80 {
            write!(formatter, ":{port}")?;
        }
        write!(formatter, "{path}")?;
        if !hosts_alike.is_empty() {
            write!(formatter, " (and {} more hosts)", hosts_alike.len())?;
        }
        for (name, value) in headers {
            write!(formatter, " with {name}: {value}")?;
        }
        for (field, pattern) in fulfils {
            write!(formatter, " with {field} like {pattern}")?;
        }
        match caller {
            Caller::Mesh(principal) => write!(formatter, " from {}", short(principal))?,
            Caller::Outside => write!(formatter, " from outside the mesh")?,
        }
        match entry {
            Entry::Sidecar => Ok(()),
            Entry::Gateway(gateway) => write!(formatter, " at the gateway {gateway}"),
        }
    }
}

/// `cluster.local/ns/shop/sa/web` → `shop/web`.
fn short(principal: &str) -> String {
    match principal.split('/').collect::<Vec<_>>().as_slice() {
        [_, "ns", namespace, "sa", account] => format!("{namespace}/{account}"),
        _ => principal.to_owned(),
    }
}

/// What becomes of requests of one kind: shares that add up to 1.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Outcome {
    /// Served, by the workload that serves it.
    pub served: BTreeMap<String, f64>,
    /// Not served, and why.
    pub failed: Vec<(Failure, f64)>,
    /// The fewest pods that are ready behind each workload that serves.
    pub pods: BTreeMap<String, u64>,
    /// Those of `served` that no manifest describes: they are taken to serve what they get.
    pub elsewhere: BTreeSet<String>,
}

impl Outcome {
    /// All requests are served, by so many pods.
    pub(crate) fn served(by: &str, pods: u64) -> Self {
        Self {
            served: BTreeMap::from([(by.to_owned(), 1.0)]),
            pods: BTreeMap::from([(by.to_owned(), pods)]),
            ..Self::default()
        }
    }

    /// All requests leave what the manifests describe, for a host or the like of somebody else's.
    pub(crate) fn elsewhere(to: &str) -> Self {
        Self {
            elsewhere: BTreeSet::from([to.to_owned()]),
            ..Self::served(to, u64::MAX)
        }
    }

    /// All requests fail alike.
    pub(crate) fn failure(failure: Failure) -> Self {
        Self {
            failed: vec![(failure, 1.0)],
            ..Self::default()
        }
    }

    /// The share that fails.
    pub fn failing(&self) -> f64 {
        self.failed.iter().map(|(_, share)| share).sum()
    }

    /// Adds a part of another outcome.
    pub(crate) fn add(&mut self, other: Self, share: f64) {
        for (workload, part) in other.served {
            *self.served.entry(workload).or_default() += part * share;
        }
        self.failed.extend(
            other
                .failed
                .into_iter()
                .map(|(failure, part)| (failure, part * share)),
        );
        self.elsewhere.extend(other.elsewhere);
        for (workload, count) in other.pods {
            let known = self.pods.entry(workload).or_default();
            *known = count.max(*known);
        }
    }
}

/// Why requests fail.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Failure {
    /// What kind of failure it is.
    pub kind: FailureKind,
    /// As the proxy logs it and with the object at fault: `503 NC: subset v1 is in no DestinationRule`.
    pub text: String,
    /// The object at fault, where one can be named.
    pub object: Option<ObjectRef>,
    /// Whose pods turned the request away, where it came that far.
    pub workload: Option<String>,
}

/// Kinds of failures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FailureKind {
    /// No route takes the request: it may be meant.
    NoRoute,
    /// The route's destination does not exist.
    NoDestination,
    /// The destination has no ready pod.
    NoPods,
    /// The pods turn the caller away.
    Denied,
}

/// The semantics of a traffic system over one world.
pub(crate) trait Traffic {
    /// The kinds of requests that the objects before and after tell apart.
    fn requests(&self) -> Vec<Request>;

    /// What becomes of a request in a state. Reads the state's objects through `state` alone.
    fn serve(&self, state: &State<'_>, request: &Request) -> Outcome;

    /// The ready pods of a state, with their relative numbers.
    fn pods(&self, state: &State<'_>) -> Vec<(PodGroup, u64)>;

    /// Changed objects that may matter and that this model does not know.
    fn unjudged(&self) -> Vec<Unjudged>;
}
