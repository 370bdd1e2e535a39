//! Releases whose requests a controller in the cluster moves: tidegate hands it the workload and the new image, and takes
//! the workload back.
//!
//! ```text
//! idle → keep → hand-over → bootstrap → trigger → (the controller runs) → suspend → give-back → tidy
//! ```
//!
//! A controller writes the Service that callers use, so the repository must not: the Service stays in the cluster and leaves the
//! files, where it waits as a comment (`layout::Parked`). Where the controller had the workload before, a release is the new
//! image alone. Nothing records progress here either: a stage is recognised by what the manifests say.

use std::fmt;

use indexmap::IndexMap;

use crate::diagnostic::{Code, Diagnostic};
use crate::layout::{self, helm_release};
use crate::manifest::Manifest;
use crate::model::{Application, Delegation, Environment};
use crate::provider::kept::is_kept;

mod plan;
mod start;
mod transition;

pub use plan::{look, preconditions, remaining};
pub use start::{start, wanted};
pub use transition::{abort, next, rollback};

/// A named resting point of a release that is left to a controller; every one is safe to stay in for weeks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// Nothing of a release is in the manifests.
    Idle,
    /// Nothing may prune the Service.
    Keep,
    /// The Service is in the cluster and no longer in the files.
    HandOver,
    /// The controller has the workload.
    Bootstrap,
    /// The workload has the new image, and the controller decides about it.
    Trigger,
    /// The controller leaves everything as it is.
    Suspend,
    /// The Service is in the files again and selects the workload.
    GiveBack,
    /// The controller has nothing here any more, or had it before; no release is left.
    Tidy,
}

impl Stage {
    /// Every stage, in order.
    pub const ALL: [Self; 8] = [
        Self::Idle,
        Self::Keep,
        Self::HandOver,
        Self::Bootstrap,
        Self::Trigger,
        Self::Suspend,
        Self::GiveBack,
        Self::Tidy,
    ];

    /// The stages of a release, in order.
    pub fn all(stays: bool) -> impl DoubleEndedIterator<Item = Self> + Clone {
        let is_of =
            move |stage: &Self| !stays || matches!(stage, Self::Bootstrap | Self::Trigger | Self::Tidy);
        Self::ALL.into_iter().filter(is_of)
    }

    /// The name a user types and sees.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Keep => "keep",
            Self::HandOver => "hand-over",
            Self::Bootstrap => "bootstrap",
            Self::Trigger => "trigger",
            Self::Suspend => "suspend",
            Self::GiveBack => "give-back",
            Self::Tidy => "tidy",
        }
    }

    /// The stage of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|stage| stage.as_str() == name)
    }

    /// What the transition into the stage does, in a few words.
    pub fn about(self) -> &'static str {
        match self {
            Self::Idle => "one version, nothing of a release",
            Self::Keep => "let nothing prune the Service, which is about to leave the files",
            Self::HandOver => "take the Service out of the files; in the cluster it stays as it is",
            Self::Bootstrap => "give the workload to the controller, which clones it and writes its Service",
            Self::Trigger => "give the workload the new image; the controller moves the requests",
            Self::Suspend => {
                "let the controller leave everything as it is, and the workload get its pods back"
            }
            Self::GiveBack => "write the Service back, which selects the workload again",
            Self::Tidy => "take the rest of the release away",
        }
    }

    /// How to take the transition into the stage back, in the words of a reviewer.
    pub fn undo(self) -> &'static str {
        match self {
            Self::Idle | Self::Keep | Self::HandOver | Self::Suspend | Self::GiveBack => {
                "revert the commit; tidegate abort goes all the way back"
            }
            Self::Bootstrap => {
                "tidegate abort, commit by commit: what the controller made goes with its object"
            }
            Self::Trigger => "tidegate rollback (the old image; the controller moves the requests back)",
            Self::Tidy => "start again with tidegate init",
        }
    }

    /// The stage after this one; `None` after the last.
    pub fn following(self, stays: bool) -> Option<Self> {
        Self::all(stays).find(|stage| *stage > self)
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

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
    /// Whether the workload has the new image.
    pub is_new: bool,
}

impl Facts {
    /// What an environment says.
    pub fn of(application: &Application, delegation: &Delegation, environment: &Environment) -> Self {
        let controller = delegation.controller.controller();
        let given = match controller.object(environment, &delegation.workload) {
            None => Given::No,
            Some(object) if controller.is_suspended(&object.value) => Given::Suspended,
            Some(_) => Given::Active,
        };
        let service = match own_service(delegation, environment) {
            Some(service) if is_kept(&service.value) => Service::Kept,
            Some(_) => Service::Own,
            None if parked(application, delegation, &environment.name).is_some() => Service::Parked,
            None => Service::Absent,
        };
        let tag = delegation.canary.tag.as_deref();
        Self {
            service,
            given,
            is_new: tag.is_some() && self::tag(application, delegation, environment) == tag,
        }
    }

    /// The stage whose row these are.
    pub fn stage(self, stays: bool) -> Option<Stage> {
        let Self {
            service,
            given,
            is_new,
        } = self;
        match (given, service, is_new) {
            (Given::Active, _, false) if stays => Some(Stage::Bootstrap),
            (Given::Active, _, true) if stays => Some(Stage::Trigger),
            _ if stays => None,
            (Given::No, Service::Own, false) => Some(Stage::Idle),
            (Given::No, Service::Kept, false) => Some(Stage::Keep),
            (Given::No, Service::Parked, false) => Some(Stage::HandOver),
            (Given::Active, Service::Parked, false) => Some(Stage::Bootstrap),
            (Given::Active, Service::Parked, true) => Some(Stage::Trigger),
            (Given::Suspended, Service::Parked, _) => Some(Stage::Suspend),
            (Given::Suspended, Service::Kept, _) => Some(Stage::GiveBack),
            _ => None,
        }
    }

    /// What an environment says, for a person.
    pub fn describe(self) -> String {
        let service = match self.service {
            Service::Own => "the Service is in the files",
            Service::Kept => "the Service is in the files and kept",
            Service::Parked => "the Service is out of the files",
            Service::Absent => "the files have no Service",
        };
        let given = match self.given {
            Given::No => "the controller does not have the workload",
            Given::Active => "the controller has the workload",
            Given::Suspended => "the controller is suspended",
        };
        let image = if self.is_new { "new" } else { "old" };
        format!("{service}, {given}, the image is the {image} one")
    }
}

/// Where a release stands, per environment and together.
#[derive(Debug, Clone)]
pub struct Standing {
    /// What each environment's objects say.
    pub environments: IndexMap<String, Facts>,
    /// The stage they add up to.
    pub position: Position,
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
        let stages: Option<Vec<Stage>> = environments
            .values()
            .map(|facts| facts.stage(delegation.stays))
            .collect();
        let stages = stages.unwrap_or_default();
        let position = match (stages.iter().min(), stages.iter().max()) {
            (Some(first), Some(last)) if first == last => Position::At(*first),
            (Some(first), Some(last)) if first.following(delegation.stays) == Some(*last) => {
                Position::Between(*first, *last)
            }
            _ => Position::Unclear,
        };
        Self {
            environments,
            position,
        }
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
