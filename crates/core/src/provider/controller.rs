//! Controllers that move the requests themselves: what they are given, and what they make of it.
//!
//! A release that is left to one has no routes and no weights to write: it gives the workload to the controller, then the
//! new image, and takes the workload back or leaves it there.

use serde_json::Value;

use super::{ProviderId, argo_rollouts, flagger};
use crate::diagnostic::Diagnostic;
use crate::manifest::Manifest;
use crate::model::{Application, Delegation, Environment};
use crate::prover::{Traffic, World};

/// A controller that tidegate can leave a release to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ControllerId {
    /// Flagger, by its Canary objects.
    Flagger,
    /// Argo Rollouts, by its Rollouts.
    ArgoRollouts,
}

impl ControllerId {
    /// Every controller.
    pub const ALL: &'static [Self] = &[Self::Flagger, Self::ArgoRollouts];

    /// The name in the release file and on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Flagger => "flagger",
            Self::ArgoRollouts => "argo-rollouts",
        }
    }

    /// The controller of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|id| id.as_str() == name)
    }

    /// The controller itself.
    pub fn controller(self) -> &'static dyn Controller {
        match self {
            Self::Flagger => &flagger::Flagger,
            Self::ArgoRollouts => &argo_rollouts::ArgoRollouts,
        }
    }
}

/// What decides about requests: routes that tidegate writes, or a controller that writes its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum System {
    /// Routes of a provider.
    Provider(ProviderId),
    /// A controller.
    Controller(ControllerId),
}

impl From<ProviderId> for System {
    fn from(id: ProviderId) -> Self {
        Self::Provider(id)
    }
}

impl From<ControllerId> for System {
    fn from(id: ControllerId) -> Self {
        Self::Controller(id)
    }
}

impl System {
    /// The name in the release file and on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Provider(id) => id.as_str(),
            Self::Controller(id) => id.as_str(),
        }
    }

    /// Every name, as a person may write it.
    pub fn names() -> impl Iterator<Item = &'static str> + Clone {
        let providers = ProviderId::ALL.iter().map(|id| id.as_str());
        providers.chain(ControllerId::ALL.iter().map(|id| id.as_str()))
    }

    /// What it does with requests.
    pub(crate) fn traffic(self, world: &World<'_>) -> Box<dyn Traffic> {
        match self {
            Self::Provider(id) => id.traffic(world),
            Self::Controller(ControllerId::Flagger) => Box::new(flagger::FlaggerTraffic::new(world)),
            Self::Controller(ControllerId::ArgoRollouts) => Box::new(argo_rollouts::ArgoTraffic::new(world)),
        }
    }
}

/// What a controller takes from a workload that it is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Takes {
    /// The Service: it writes it from then on, for pods that it clones.
    Service,
    /// The pods: it makes them after the workload's template, and the workload gives its own up.
    Pods,
}

/// What has to be so of an object besides the one that gives a controller a workload.
#[derive(Debug, Clone, PartialEq)]
pub enum Wanted<'e> {
    /// It says this.
    Say {
        /// The object.
        object: &'e Manifest,
        /// The whole object.
        value: Value,
    },
    /// It is there.
    Add {
        /// The object whose file it lies beside.
        beside: &'e Manifest,
        /// The whole object.
        value: Value,
    },
    /// It is not there.
    Remove(&'e Manifest),
}

/// A controller that moves the requests itself.
pub trait Controller: Sync {
    /// Its name.
    fn id(&self) -> ControllerId;

    /// What it takes from a workload.
    fn takes(&self) -> Takes;

    /// Whether an environment gives it any workload.
    fn is_used(&self, environment: &Environment) -> bool;

    /// The object that gives it a workload, in an environment as it is rendered.
    fn object<'e>(&self, environment: &'e Environment, workload: &str) -> Option<&'e Manifest>;

    /// The Service of the files that callers of a workload use.
    fn taken_over<'e>(&self, environment: &'e Environment, workload: &str) -> Option<&'e Manifest>;

    /// The name of the Service that it writes for a workload, given its object; `None` where it writes none.
    fn service(&self, object: &Value) -> Option<String>;

    /// Whether an object makes it leave alone what it made.
    fn is_suspended(&self, environment: &Environment, object: &Manifest) -> bool;

    /// The object that makes it leave alone what it made, or go on.
    ///
    /// Errors: the object's version cannot say so.
    fn with_suspended(
        &self,
        environment: &Environment,
        object: &Manifest,
        is_suspended: bool,
    ) -> Result<Value, Diagnostic>;

    /// Whether the routes to a workload name a Service for each version, whose weights it moves; `None` where it moves none
    /// that are in the files.
    fn is_split(&self, _environment: &Environment, _workload: &str) -> Option<bool> {
        None
    }

    /// What makes them do so, or no more.
    ///
    /// Errors: what cannot be expressed, naming it.
    fn with_split<'e>(
        &self,
        _environment: &'e Environment,
        _workload: &'e str,
        _is_split: bool,
    ) -> Result<Vec<Wanted<'e>>, Diagnostic> {
        Ok(Vec::new())
    }

    /// The file that holds its object, beside the workload's.
    fn file(&self, workload: &str) -> String;

    /// The object that gives it a workload for the first time, with the Service that callers of the workload use.
    ///
    /// Errors: what it needs to know and the manifests do not say.
    fn new_object(
        &self,
        application: &Application,
        delegation: &Delegation,
        environment: &Environment,
        service: &Value,
    ) -> Result<Value, Diagnostic>;

    /// Why it cannot take a workload as it is rendered now, or release one that it has.
    fn check_start(&self, environment: &Environment, workload: &str) -> Vec<Diagnostic>;

    /// What is wrong with its objects in an environment as it is rendered, whether a release goes on or not.
    fn lint_environment(&self, environment: &Environment) -> Vec<Diagnostic>;

    /// The same of all environments, each thing once.
    fn lint(&self, application: &Application) -> Vec<Diagnostic> {
        let mut found: Vec<Diagnostic> = Vec::new();
        let environments = application.environments.values();
        for problem in environments.flat_map(|environment| self.lint_environment(environment)) {
            if !found.contains(&problem) {
                found.push(problem);
            }
        }
        found
    }

    /// What `kubectl` is asked to see how far it is with an object.
    fn look(&self, object: &Manifest) -> String;
}
