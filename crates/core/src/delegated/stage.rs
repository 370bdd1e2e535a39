//! The stages of a release that is left to a controller, and what the manifests say in each: one table, read as the controller
//! takes the workload's Service or its pods.

use std::fmt;

use super::{Facts, Given, Service};
use crate::provider::Takes;

/// A named resting point of a release that is left to a controller; every one is safe to stay in for weeks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// Nothing of a release is in the manifests.
    Idle,
    /// Nothing may prune the Service.
    Keep,
    /// What callers come by is as the controller needs it.
    HandOver,
    /// The controller has the workload.
    Bootstrap,
    /// The workload has no pods of its own: the controller's serve.
    Vacate,
    /// The workload has the new image, and the controller decides about it.
    Trigger,
    /// The controller leaves everything as it is.
    Suspend,
    /// The Service is in the files again and selects the workload.
    GiveBack,
    /// The controller has nothing here any more, or had it before; no release is left.
    Tidy,
}

/// What the objects of one environment say in a stage; `None` where they may say either.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row {
    pub(super) service: Service,
    pub(super) given: Given,
    pub(super) has_pods: Option<bool>,
    pub(super) is_new: Option<bool>,
}

impl Row {
    pub(super) fn fits(self, facts: Facts) -> bool {
        self.service == facts.service
            && self.given == facts.given
            && self.has_pods.is_none_or(|has_pods| has_pods == facts.has_pods)
            && self.is_new.is_none_or(|is_new| is_new == facts.is_new)
    }
}

impl Stage {
    /// Every stage, in order.
    pub const ALL: [Self; 9] = [
        Self::Idle,
        Self::Keep,
        Self::HandOver,
        Self::Bootstrap,
        Self::Vacate,
        Self::Trigger,
        Self::Suspend,
        Self::GiveBack,
        Self::Tidy,
    ];

    /// The stages of a release for which a controller is given a workload, in order.
    pub fn all(takes: Takes) -> impl DoubleEndedIterator<Item = Self> + Clone {
        let is_of = move |stage: &Self| match takes {
            Takes::Service => !matches!(stage, Self::Vacate),
            Takes::Pods => !matches!(stage, Self::Keep | Self::GiveBack),
        };
        Self::ALL.into_iter().filter(is_of)
    }

    /// The stages of one for which it had the workload before.
    pub(super) const STAYING: [Self; 3] = [Self::Bootstrap, Self::Trigger, Self::Tidy];

    /// The row of the table; `None` where there is no such stage, or nothing of a release in the files.
    ///
    /// `is_routed` tells whether the controller moves weights that are in the files.
    pub(super) fn row(self, takes: Takes, is_routed: bool) -> Option<Row> {
        let row = |service, given, has_pods, is_new| {
            Some(Row {
                service,
                given,
                has_pods,
                is_new,
            })
        };
        let (old, new) = (Some(false), Some(true));
        match takes {
            Takes::Service => match self {
                Self::Idle => row(Service::Own, Given::No, None, old),
                Self::Keep => row(Service::Kept, Given::No, None, old),
                Self::HandOver => row(Service::Parked, Given::No, None, old),
                Self::Bootstrap => row(Service::Parked, Given::Active, None, old),
                Self::Trigger => row(Service::Parked, Given::Active, None, new),
                Self::Suspend => row(Service::Parked, Given::Suspended, None, None),
                Self::GiveBack => row(Service::Kept, Given::Suspended, None, None),
                Self::Vacate | Self::Tidy => None,
            },
            Takes::Pods => {
                let (own, none) = (Some(true), Some(false));
                let (split, suspended) = match is_routed {
                    true => (Service::Split, Given::Suspended),
                    false => (Service::Own, Given::Active),
                };
                match self {
                    Self::Idle => row(Service::Own, Given::No, own, old),
                    Self::HandOver if is_routed => row(split, Given::No, own, old),
                    Self::Bootstrap => row(split, Given::Active, own, old),
                    Self::Vacate => row(split, Given::Active, none, old),
                    Self::Trigger => row(split, Given::Active, none, new),
                    Self::Suspend => row(split, suspended, own, None),
                    Self::Keep | Self::HandOver | Self::GiveBack | Self::Tidy => None,
                }
            }
        }
    }

    /// The name a user types and sees.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Keep => "keep",
            Self::HandOver => "hand-over",
            Self::Bootstrap => "bootstrap",
            Self::Vacate => "vacate",
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
    pub fn about(self, takes: Takes) -> &'static str {
        match (self, takes) {
            (Self::Idle, _) => "one version, nothing of a release",
            (Self::Keep, _) => "let nothing prune the Service, which is about to leave the files",
            (Self::HandOver, Takes::Service) => {
                "take the Service out of the files; in the cluster it stays as it is"
            }
            (Self::HandOver, Takes::Pods) => {
                "let the routes name a second Service, for the new pods, which gets nothing yet"
            }
            (Self::Bootstrap, Takes::Service) => {
                "give the workload to the controller, which clones it and writes its Service"
            }
            (Self::Bootstrap, Takes::Pods) => {
                "let the controller make pods of the same image beside the workload's"
            }
            (Self::Vacate, _) => "let the workload give its own pods up; the controller's serve",
            (Self::Trigger, _) => "give the workload the new image; the controller moves the requests",
            (Self::Suspend, Takes::Service) => {
                "let the controller leave everything as it is, and the workload get its pods back"
            }
            (Self::Suspend, Takes::Pods) => {
                "give the workload its pods back, and let the controller leave the routes as they are"
            }
            (Self::GiveBack, _) => "write the Service back, which selects the workload again",
            (Self::Tidy, _) => "take the rest of the release away",
        }
    }

    /// How to take the transition into the stage back, in the words of a reviewer.
    pub fn undo(self) -> &'static str {
        match self {
            Self::Idle | Self::Keep | Self::HandOver | Self::Vacate | Self::Suspend | Self::GiveBack => {
                "revert the commit; tidegate abort goes all the way back"
            }
            Self::Bootstrap => {
                "tidegate abort, commit by commit: what the controller made goes with its object"
            }
            Self::Trigger => "tidegate rollback (the old image; the controller moves the requests back)",
            Self::Tidy => "start again with tidegate init",
        }
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}
