//! Controllers that move the requests themselves: what they are given, and what they make of it.
//!
//! A release that is left to one has no routes and no weights to write: it gives the workload to the controller, then the
//! new image, and takes the workload back or leaves it there.

use serde_json::Value;

use super::{ProviderId, flagger};
use crate::diagnostic::Diagnostic;
use crate::manifest::Manifest;
use crate::model::{Application, Delegation, Environment};
use crate::prover::{Traffic, World};

/// A controller that tidegate can leave a release to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ControllerId {
    /// Flagger, by its Canary objects.
    Flagger,
}

impl ControllerId {
    /// Every controller.
    pub const ALL: &'static [Self] = &[Self::Flagger];

    /// The name in the release file and on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Flagger => "flagger",
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
        }
    }
}

/// A controller that moves the requests itself.
pub trait Controller: Sync {
    /// Its name.
    fn id(&self) -> ControllerId;

    /// Whether an environment gives it any workload.
    fn is_used(&self, environment: &Environment) -> bool;

    /// The object that gives it a workload, in an environment as it is rendered.
    fn object<'e>(&self, environment: &'e Environment, workload: &str) -> Option<&'e Manifest>;

    /// The Service of the files that it would take over.
    fn taken_over<'e>(&self, environment: &'e Environment, workload: &str) -> Option<&'e Manifest>;

    /// The name of the Service that it writes for a workload, given its object.
    fn service(&self, object: &Value) -> Option<String>;

    /// Whether an object makes it leave alone what it made.
    fn is_suspended(&self, object: &Value) -> bool;

    /// The object that makes it leave alone what it made, or go on.
    ///
    /// Errors: the object's version cannot say so.
    fn with_suspended(&self, object: &Manifest, is_suspended: bool) -> Result<Value, Diagnostic>;

    /// The object that gives it a workload for the first time, with the Service that it is to write from then on.
    ///
    /// Errors: what it needs to know and the manifests do not say.
    fn new_object(
        &self,
        application: &Application,
        delegation: &Delegation,
        environment: &Environment,
        service: &Value,
    ) -> Result<Value, Diagnostic>;

    /// Why it cannot take a workload as it is rendered now.
    fn check_start(&self, environment: &Environment, workload: &str) -> Vec<Diagnostic>;

    /// What is wrong with its objects as they are rendered, whether a release goes on or not.
    fn lint(&self, application: &Application) -> Vec<Diagnostic>;

    /// What `kubectl` is asked to see how far it is with an object.
    fn look(&self, object: &Manifest) -> String;
}
