//! Releases whose requests a controller in the cluster moves: tidegate hands it the workload and the new image, and takes
//! the workload back.
//!
//! ```text
//! it takes the Service: idle → keep → hand-over → bootstrap → trigger → (the controller runs) → suspend → give-back → tidy
//! it takes the pods:    idle → hand-over → bootstrap → vacate → trigger → (the controller runs) → suspend → tidy
//! ```
//!
//! One that writes the Service that callers use must be the only one who does: the Service stays in the cluster and leaves the
//! files, where it waits as a comment (`layout::Parked`). One that makes the pods makes them beside the workload's, which come and
//! go only while it has its own. Where the controller had the workload before, a release is the new image alone. Nothing
//! records progress here either: a stage is recognised by what the manifests say.

use indexmap::IndexMap;

use crate::diagnostic::{Code, Diagnostic};
use crate::layout::{self, helm_release};
use crate::manifest::Manifest;
use crate::model::{Application, Delegation, Environment};
use crate::provider::kept::is_kept;
use crate::provider::{ControllerId, Takes};

mod plan;
mod stage;
mod start;
mod transition;

pub use plan::{look, preconditions, remaining};
pub use stage::Stage;
pub use start::{start, wanted};
pub use transition::{abort, next, rollback};

/// Where the Service of a workload is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    /// In the files, as the user's.
    Own,
    /// In the files, and nothing may prune it.
    Kept,
    /// In the cluster alone; in the files it waits as a comment.
    Parked,
    /// Not in the files at all: the controller made it.
    Absent,
    /// In the files, and routes name it beside one for the new pods.
    Split,
}

/// Whose a workload is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Given {
    /// Nobody else's.
    No,
    /// The controller's.
    Active,
    /// The controller's, which leaves it alone.
    Suspended,
}

/// What the objects of one environment say about a release.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts {
    /// Where the Service is.
    pub service: Service,
    /// Whether the controller has the workload.
    pub given: Given,
    /// Whether the workload asks for pods of its own.
    pub has_pods: bool,
    /// Whether the workload has the new image.
    pub is_new: bool,
    /// Whether the controller moves weights that are in the files.
    pub is_routed: bool,
}

impl Facts {
    /// What an environment says.
    pub fn of(application: &Application, delegation: &Delegation, environment: &Environment) -> Self {
        let controller = delegation.controller.controller();
        let workload = &delegation.workload;
        let given = match controller.object(environment, workload) {
            None => Given::No,
            Some(object) if controller.is_suspended(environment, object) => Given::Suspended,
            Some(_) => Given::Active,
        };
        let is_split = controller.is_split(environment, workload);
        let service = match (own_service(delegation, environment), controller.takes()) {
            (Some(_), Takes::Pods) if is_split == Some(true) => Service::Split,
            (Some(_), Takes::Pods) => Service::Own,
            (Some(service), Takes::Service) if is_kept(&service.value) => Service::Kept,
            (Some(_), Takes::Service) => Service::Own,
            (None, _) if parked(application, delegation, &environment.name).is_some() => Service::Parked,
            (None, _) => Service::Absent,
        };
        let deployment = application.deployed(&environment.name, workload, "apps", "Deployment");
        let count = deployment.and_then(|deployment| deployment.value.pointer("/spec/replicas")?.as_u64());
        let tag = delegation.canary.tag.as_deref();
        Self {
            service,
            given,
            has_pods: count != Some(0),
            is_new: tag.is_some() && self::tag(application, delegation, environment) == tag,
            is_routed: is_split.is_some(),
        }
    }

    /// The stage whose row these are.
    pub fn stage(self, delegation: &Delegation) -> Option<Stage> {
        if delegation.stays {
            return match (self.given, self.is_new) {
                (Given::Active, false) => Some(Stage::Bootstrap),
                (Given::Active, true) => Some(Stage::Trigger),
                _ => None,
            };
        }
        Stage::ALL.into_iter().find(|stage| self.fits(*stage, delegation))
    }

    /// Whether they are what a stage's row says: of a release that takes a workload, rows of two stages may look alike.
    fn fits(self, stage: Stage, delegation: &Delegation) -> bool {
        let row = stage.row(delegation.controller.controller().takes(), self.is_routed);
        row.is_some_and(|row| row.fits(self))
    }

    /// What an environment says, for a person.
    pub fn describe(self) -> String {
        let service = match self.service {
            Service::Own => "the Service is in the files",
            Service::Kept => "the Service is in the files and kept",
            Service::Parked => "the Service is out of the files",
            Service::Absent => "the files have no Service",
            Service::Split => "routes name a Service for each version",
        };
        let given = match self.given {
            Given::No => "the controller does not have the workload",
            Given::Active => "the controller has the workload",
            Given::Suspended => "the controller is suspended",
        };
        let image = if self.is_new { "new" } else { "old" };
        let pods = if self.has_pods {
            ""
        } else {
            ", the workload has no pods of its own"
        };
        format!("{service}, {given}{pods}, the image is the {image} one")
    }
}

/// The workloads that a controller has somewhere, whether a release goes on or not.
pub fn given(application: &Application) -> Vec<(&str, ControllerId)> {
    let has = |workload: &str, id: ControllerId| {
        let mut environments = application.environments.values();
        environments.any(|environment| id.controller().object(environment, workload).is_some())
    };
    let workloads = application.workloads.keys();
    workloads
        .filter_map(|workload| {
            let mut ids = ControllerId::ALL.iter().copied();
            Some((workload.as_str(), ids.find(|id| has(workload, *id))?))
        })
        .collect()
}

/// Where a release stands, per environment and together.
#[derive(Debug, Clone)]
pub struct Standing {
    /// What each environment's objects say.
    pub environments: IndexMap<String, Facts>,
    /// The stage they add up to.
    pub position: Position,
    /// The stages of this release, in order.
    pub stages: Vec<Stage>,
}

/// Where a release stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Position {
    /// In a stage.
    At(Stage),
    /// Some environments are one stage ahead of the others: the earlier stage, and the later one.
    Between(Stage, Stage),
    /// In no stage, or environments are too far apart.
    Unclear,
}

impl Standing {
    /// Observes a release in every environment.
    pub fn of(application: &Application, delegation: &Delegation) -> Self {
        let facts = |(name, environment): (&String, &Environment)| {
            (name.clone(), Facts::of(application, delegation, environment))
        };
        let environments: IndexMap<String, Facts> = application.environments.iter().map(facts).collect();
        let is_routed = environments.values().any(|facts| facts.is_routed);
        let takes = delegation.controller.controller().takes();
        let all = match delegation.stays {
            true => Stage::STAYING.to_vec(),
            false => {
                let is_of = |stage: &Stage| *stage == Stage::Tidy || stage.row(takes, is_routed).is_some();
                Stage::all(takes).filter(is_of).collect()
            }
        };
        let stages: Option<Vec<Stage>> = environments
            .values()
            .map(|facts| facts.stage(delegation))
            .collect();
        let stages = stages.unwrap_or_default();
        let mut standing = Self {
            environments,
            position: Position::Unclear,
            stages: all,
        };
        standing.position = match (stages.iter().min(), stages.iter().max()) {
            (Some(first), Some(last)) if first == last => Position::At(*first),
            (Some(first), Some(last)) if standing.following(*first) == Some(*last) => {
                Position::Between(*first, *last)
            }
            _ => Position::Unclear,
        };
        standing
    }

    /// The stage after one; `None` after the last.
    pub fn following(&self, stage: Stage) -> Option<Stage> {
        self.stages.iter().copied().find(|other| *other > stage)
    }

    /// The stage before one; `None` before the first.
    fn preceding(&self, stage: Stage) -> Option<Stage> {
        self.stages.iter().rev().copied().find(|other| *other < stage)
    }

    /// Whether every environment is as a stage wants it, whatever else that may be.
    fn fits(&self, stage: Stage, delegation: &Delegation) -> bool {
        self.environments
            .values()
            .all(|facts| facts.fits(stage, delegation))
    }

    /// Whether the workload has the new image somewhere.
    pub fn is_new(&self) -> bool {
        self.environments.values().any(|facts| facts.is_new)
    }
}

/// Says that the files are in no stage, and what each environment says.
pub fn unclear(delegation: &Delegation, standing: &Standing) -> Diagnostic {
    let message = format!(
        "the files are in no phase of the release of `{}`",
        delegation.workload
    );
    let problem = Diagnostic::error(Code::AmbiguousPhase, message).at(delegation.origin.clone());
    let problem = standing
        .environments
        .iter()
        .fold(problem, |problem, (name, facts)| {
            problem.hint(format!("in {name} {}", facts.describe()))
        });
    problem.hint("revert the last commit that touched one of these")
}

/// The Service that callers of a workload use, in the files.
fn own_service<'e>(delegation: &Delegation, environment: &'e Environment) -> Option<&'e Manifest> {
    let controller = delegation.controller.controller();
    let object = controller.object(environment, &delegation.workload);
    match object.and_then(|object| controller.service(&object.value)) {
        Some(name) => environment.rendered.find("", "Service", &name),
        None => controller.taken_over(environment, &delegation.workload),
    }
}

/// The Service of a workload that waits in the files of an environment.
fn parked(application: &Application, delegation: &Delegation, environment: &str) -> Option<layout::Parked> {
    let mut all = layout::parked(application).into_iter();
    all.find(|parked| {
        parked.workload == delegation.workload && parked.environments.iter().any(|name| name == environment)
    })
}

/// The tag that a workload runs in an environment.
fn tag<'a>(
    application: &'a Application,
    delegation: &Delegation,
    environment: &'a Environment,
) -> Option<&'a str> {
    let deployment = application.deployed(&environment.name, &delegation.workload, "apps", "Deployment");
    match deployment {
        Some(deployment) => {
            let image = deployment.text("/spec/template/spec/containers/0/image")?;
            layout::split_image(image).1
        }
        None => helm_release::tag(helm_release::find(environment, &delegation.workload)?),
    }
}
