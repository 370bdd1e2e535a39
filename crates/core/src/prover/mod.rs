//! The prover: what happens to requests while a change rolls out.
//!
//! Nothing orders two objects: an apply that stops half-way, a controller or a proxy may see any subset of a change
//! first. So a change is judged in *every* state between its ends: each changed object old or new, each changed
//! workload with its old pods, both, its new pods, or none ready where its strategy allows that.
//!
//! ```text
//! before, after ─▶ World (what differs) ─▶ for each request served at both ends: every state ─▶ Proof
//!                                              │ Traffic::serve (the provider) │ invariants │
//! ```
//!
//! The search is exact without visiting every subset: serving a request reads only some of the changed objects, and
//! the search branches where one is read. What is not read cannot matter, so each visited leaf stands for all states
//! that agree on what was read. The search knows no mesh; a provider gives the semantics.

mod diagnostics;
mod forecast;
mod invariants;
mod order;
mod pods;
mod reach;
mod repair;
mod traffic;
mod waves;
mod world;

use std::collections::BTreeSet;

use crate::manifest::{ManifestSet, ObjectRef};
use crate::provider::System;

pub use diagnostics::Subject;
pub use forecast::{Forecast, ReadyPods, forecast};
pub use invariants::{CounterExample, Invariant, Withdrawn};
pub use order::Order;
pub(crate) use pods::{PodGroup, Pods, ROLLOUT, WORKLOADS};
pub(crate) use reach::reaching;
pub use repair::{Repair, repair};
pub(crate) use traffic::Traffic;
pub use traffic::{Caller, Entry, Failure, FailureKind, Outcome, Request};
pub use waves::Wave;
pub use world::{Applied, Change, ChangeKind};
pub(crate) use world::{State, Versions, World};

/// The verdict on the change of one environment.
#[derive(Debug, Clone, PartialEq)]
pub struct Proof {
    /// The objects that differ, in rendered order.
    pub changes: Vec<Change>,
    /// In how many states the change was judged: every combination of what is applied and how far rollouts are.
    pub states: u128,
    /// How many kinds of requests were followed.
    pub requests: usize,
    /// States in which requests fail or go where they should not, one for each way of failing.
    pub counter_examples: Vec<CounterExample>,
    /// The objects of the change that failing requests depend on.
    pub involved: BTreeSet<ObjectRef>,
    /// Requests that are served before and are not meant to be after.
    pub withdrawn: Vec<Withdrawn>,
    /// Requests that fail before the change, and why: the change is judged relative to that.
    pub broken_before: Vec<Withdrawn>,
    /// What the model cannot judge, as sentences with the objects they are about.
    pub unjudged: Vec<Unjudged>,
    /// Whether the bound on the search was reached, so that the verdict covers a part of the states only.
    pub is_cut: bool,
}

/// Something that may change traffic in a way that the model does not know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unjudged {
    /// The object.
    pub object: ObjectRef,
    /// Why, to follow the object's name.
    pub reason: String,
}

impl Proof {
    /// Whether every state keeps every invariant.
    pub fn is_safe(&self) -> bool {
        self.counter_examples.is_empty() && !self.is_cut
    }
}

/// What to prove, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Question {
    /// What is known about the order in which objects are applied.
    pub order: Order,
}

/// Judges the change from one rendered set of manifests to another.
///
/// Both are whole environments with namespaces set. The result depends on nothing else.
pub fn prove(
    system: impl Into<System>,
    before: &ManifestSet,
    after: &ManifestSet,
    question: Question,
) -> Proof {
    let world = World::new(before, after);
    let traffic = system.into().traffic(&world);
    let constraints = question.order.constraints(&world);
    let mut proof = Proof {
        changes: world.changes(),
        states: world.states(),
        requests: 0,
        counter_examples: Vec::new(),
        involved: BTreeSet::new(),
        withdrawn: Vec::new(),
        broken_before: Vec::new(),
        unjudged: traffic.unjudged(),
        is_cut: false,
    };
    let mut seen = BTreeSet::new();
    for request in traffic.requests() {
        proof.requests += 1;
        invariants::judge(
            &world,
            traffic.as_ref(),
            &constraints,
            &request,
            &mut proof,
            &mut seen,
        );
    }
    proof
        .counter_examples
        .sort_by_key(|example| (example.invariant, example.applied.len()));
    proof
}
