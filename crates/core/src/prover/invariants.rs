//! What must hold in every state, for every kind of request that is served at both ends.

use std::collections::BTreeSet;

use super::order::Constraints;
use super::traffic::{Failure, FailureKind, Outcome, Request, Traffic};
use super::world::{Applied, World};
use super::{Proof, Unjudged};
use crate::manifest::ObjectRef;

/// What must hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Invariant {
    /// Following the routes ends at ready pods.
    Reachable,
    /// The pods reached admit the caller.
    Allowed,
    /// Each version's share lies between its shares before and after.
    Exposure,
    /// A version has at least its share of the pods that the workload had.
    Capacity,
}

impl Invariant {
    /// The name in machine formats.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Reachable => "reachable",
            Self::Allowed => "allowed",
            Self::Exposure => "exposure",
            Self::Capacity => "capacity",
        }
    }
}

/// A state in which an invariant does not hold.
#[derive(Debug, Clone, PartialEq)]
pub struct CounterExample {
    /// Which one.
    pub invariant: Invariant,
    /// What is applied of the change.
    pub applied: Vec<Applied>,
    /// What of the change is not applied and matters.
    pub not_applied: Vec<ObjectRef>,
    /// Requests that it happens to.
    pub requests: Vec<Request>,
    /// The share of them, 0 to 1.
    pub share: f64,
    /// What happens: `503 NC: …`, or where they go.
    pub what: String,
    /// The object at fault, where one can be named.
    pub object: Option<ObjectRef>,
    /// Whether it is the state that the change ends in.
    pub is_end: bool,
}

/// Requests that are served at one end only.
#[derive(Debug, Clone, PartialEq)]
pub struct Withdrawn {
    /// The requests.
    pub request: Request,
    /// Why they are not served at the other end.
    pub failure: Failure,
}

/// Shares are ratios of small numbers; less than this is no difference.
const EPSILON: f64 = 1e-9;

/// What was found of one kind, so that the same is told once.
pub(super) type Seen = BTreeSet<(Invariant, String)>;

/// Follows one kind of request through every state.
pub(super) fn judge(
    world: &World<'_>,
    traffic: &dyn Traffic,
    constraints: &Constraints,
    request: &Request,
    proof: &mut Proof,
    seen: &mut Seen,
) {
    let ends = Ends::of(world, traffic, constraints, request);
    let new = ends.after.elsewhere.difference(&ends.before.elsewhere);
    new.for_each(|host| proof.note_elsewhere(world, host));
    if let Some(failure) = ends.withdrawal() {
        proof.withdrawn.push(Withdrawn {
            request: request.clone(),
            failure: failure.clone(),
        });
        return;
    }
    let mut failed = ends.before.failed.iter().map(|(failure, _)| failure);
    if let Some(failure) = failed.find(|failure| failure.kind.is_breakage()) {
        proof.note_broken(request, failure);
    }
    if !ends.is_kept() {
        return;
    }
    let mut found: Vec<CounterExample> = Vec::new();
    let is_complete = world.explore(constraints, |state| {
        // Of files that did not change the only state was looked at already.
        let outcome = match world.is_unchanged() {
            true => ends.after.clone(),
            false => traffic.serve(state, request),
        };
        let Some(violation) = ends.violated_by(&outcome) else {
            return;
        };
        let applied = state.applied();
        let objects = applied.iter().map(|applied| &applied.object);
        proof.involved.extend(objects.cloned());
        let (applied, rest): (Vec<_>, Vec<_>) = applied.into_iter().partition(|object| object.is_applied);
        let example = CounterExample {
            invariant: violation.invariant,
            is_end: state.is_end(),
            applied,
            not_applied: rest.into_iter().map(|object| object.object).collect(),
            requests: vec![request.clone()],
            share: violation.share,
            what: violation.what,
            object: violation.object,
        };
        let same = found
            .iter_mut()
            .find(|other| other.invariant == example.invariant && other.what == example.what);
        match same {
            // The plainest state tells the story best: little applied, a large share.
            Some(other) if example.weight() < other.weight() => *other = example,
            Some(_) => {}
            None => found.push(example),
        }
    });
    proof.is_cut |= !is_complete;
    for example in found {
        let is_new = seen.insert((example.invariant, example.what.clone()));
        match is_new {
            true => proof.counter_examples.push(example),
            false => proof.counter_examples.iter_mut().for_each(|known| {
                if known.invariant == example.invariant && known.what == example.what {
                    known.requests.extend(example.requests.iter().cloned());
                }
            }),
        }
    }
}

impl CounterExample {
    fn weight(&self) -> (usize, i64) {
        #[expect(clippy::cast_possible_truncation, reason = "a share is at most 1")]
        let share = (self.share * 1e6) as i64;
        (self.applied.len(), -share)
    }
}

impl FailureKind {
    /// Whether something is broken, rather than nobody meant to serve the request.
    fn is_breakage(self) -> bool {
        matches!(self, Self::NoDestination | Self::NoPods)
    }
}

impl Proof {
    /// Where a change starts to send requests may be a typing error as well as a Service of another repository.
    fn note_elsewhere(&mut self, world: &World<'_>, host: &str) {
        let Some(object) = world.names_now(host) else {
            return;
        };
        let unjudged = Unjudged {
            object: object.clone(),
            reason: format!("sends requests to `{host}`, which no file here describes"),
        };
        if !self.unjudged.contains(&unjudged) {
            self.unjudged.push(unjudged);
        }
    }

    fn note_broken(&mut self, request: &Request, failure: &Failure) {
        if !self.broken_before.iter().any(|known| known.failure == *failure) {
            self.broken_before.push(Withdrawn {
                request: request.clone(),
                failure: failure.clone(),
            });
        }
    }
}

/// How many pods serve, of whatever version.
fn serving(outcome: &Outcome) -> f64 {
    let served = outcome.served.iter().filter(|(_, share)| **share > EPSILON);
    served.map(|(workload, _)| count(outcome, workload)).sum()
}

/// What becomes of one kind of request before and after a change: what the states between must keep to.
pub(super) struct Ends {
    before: Outcome,
    after: Outcome,
}

pub(super) struct Violation {
    invariant: Invariant,
    share: f64,
    what: String,
    object: Option<ObjectRef>,
}

impl Ends {
    pub(super) fn of(
        world: &World<'_>,
        traffic: &dyn Traffic,
        constraints: &Constraints,
        request: &Request,
    ) -> Self {
        let end = |is_after| traffic.serve(&world.end(constraints, is_after), request);
        let before = end(false);
        let after = match world.is_unchanged() {
            true => before.clone(),
            false => end(true),
        };
        Self { before, after }
    }

    /// Whether the states between are to be judged. What is not served before cannot be lost: denied and unknown
    /// requests are no news.
    pub(super) fn is_kept(&self) -> bool {
        self.is_served_before() && self.withdrawal().is_none()
    }

    fn is_served_before(&self) -> bool {
        self.before.failing() <= 1.0 - EPSILON
    }

    /// Why requests are not meant to be served any more: no route takes them, or the pods that admitted them all do
    /// not.
    ///
    /// Pods that turn away what others admitted before did not withdraw anything: the traffic moved to them.
    fn withdrawal(&self) -> Option<&Failure> {
        let is_meant = |failure: &Failure| match failure.kind {
            FailureKind::NoRoute => true,
            FailureKind::Denied => {
                let workload = failure.workload.as_ref();
                workload.is_some_and(|workload| self.before.served.contains_key(workload))
            }
            FailureKind::NoDestination | FailureKind::NoPods => false,
        };
        let after = &self.after;
        let is_all =
            after.failing() > 1.0 - EPSILON && after.failed.iter().all(|(failure, _)| is_meant(failure));
        let (failure, _) = after.failed.first()?;
        (self.is_served_before() && is_all).then_some(failure)
    }

    pub(super) fn violated_by(&self, outcome: &Outcome) -> Option<Violation> {
        if outcome.failing() > self.before.failing() + EPSILON {
            let (failure, _) = outcome
                .failed
                .iter()
                .max_by(|(_, one), (_, other)| one.total_cmp(other))?;
            let of_kind = outcome
                .failed
                .iter()
                .filter(|(other, _)| other.text == failure.text);
            let invariant = match failure.kind {
                FailureKind::Denied => Invariant::Allowed,
                _ => Invariant::Reachable,
            };
            return Some(Violation {
                invariant,
                share: of_kind.map(|(_, share)| share).sum(),
                what: failure.text.clone(),
                object: failure.object.clone(),
            });
        }
        self.exposed(outcome)
            .or_else(|| self.overloaded(outcome))
            .or_else(|| self.too_few(outcome))
    }

    fn exposed(&self, outcome: &Outcome) -> Option<Violation> {
        let workloads: BTreeSet<&String> = outcome.served.keys().chain(self.before.served.keys()).collect();
        workloads.into_iter().find_map(|workload| {
            let share = |outcome: &Outcome| outcome.served.get(workload).copied().unwrap_or(0.0);
            let (before, after, now) = (share(&self.before), share(&self.after), share(outcome));
            (now > before.max(after) + EPSILON).then(|| Violation {
                invariant: Invariant::Exposure,
                share: now,
                what: format!(
                    "{} of the requests reach `{workload}`, which has {} before and {} after",
                    percent(now),
                    percent(before),
                    percent(after)
                ),
                object: None,
            })
        })
    }

    fn overloaded(&self, outcome: &Outcome) -> Option<Violation> {
        let capacity = |end: &Outcome| -> f64 {
            end.served
                .iter()
                .map(|(workload, share)| share * count(end, workload))
                .sum()
        };
        let had = capacity(&self.before).min(capacity(&self.after));
        outcome.served.iter().find_map(|(workload, share)| {
            let pods = count(outcome, workload);
            (pods + EPSILON < (share * had).floor()).then(|| Violation {
                invariant: Invariant::Capacity,
                share: *share,
                what: format!(
                    "`{workload}` takes {} of the requests with {pods} of at least {} pods",
                    percent(*share),
                    (share * had).floor()
                ),
                object: None,
            })
        })
    }

    /// Where pods go before others have come, those that are left serve everybody, whatever their shares.
    fn too_few(&self, outcome: &Outcome) -> Option<Violation> {
        let (before, after, now) = (serving(&self.before), serving(&self.after), serving(outcome));
        (now + EPSILON < before.min(after)).then(|| Violation {
            invariant: Invariant::Capacity,
            share: 1.0,
            what: format!("{now} pods serve all requests, where {before} do before and {after} after"),
            object: None,
        })
    }
}

fn count(outcome: &Outcome, workload: &str) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "numbers of pods are small")]
    let pods = outcome.pods.get(workload).copied().unwrap_or(0) as f64;
    pods
}

/// `0.05` → `5 %`.
pub(super) fn percent(share: f64) -> String {
    let percent = (share * 1000.0).round() / 10.0;
    format!("{percent} %")
}
