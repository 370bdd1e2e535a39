//! `check`: what is wrong with an application as it lies there, and whether a change of it is safe.

use indexmap::IndexMap;

use crate::checkout::Checkout;
use crate::diagnostic::{Code, Diagnostic};
use crate::layout;
use crate::model::Environment;
use crate::phase::Position;
use crate::prover::{Proof, Question, Repair, Subject, prove, repair};
use crate::provider::{ControllerId, ProviderId, System};
use crate::repo::RepoPath;
use crate::standing::Standing;
use crate::transition::{disagree, unclear};

mod contested_object;
mod ignore;
mod immutable_selector;
mod incomplete_copy;
mod moving_pin;
mod protected_copy;

pub use contested_object::{Claims, Marks};
pub use ignore::{Ignored, ignored};

/// What is wrong with the files as they are, whatever they were before.
pub fn lint(checkout: &Checkout<'_>) -> Vec<Diagnostic> {
    let application = &checkout.application;
    let mut found = application.notices.clone();
    found.extend(provider(checkout).unwrap_or(DEFAULT).provider().lint(application));
    for id in ControllerId::ALL {
        found.extend(id.controller().lint(application));
    }
    for release in &application.releases {
        let standing = Standing::of(application, release);
        found.extend(standing.drift(application, release));
        found.extend(layout::accidental_services(application, release));
        found.extend(moving_pin::find(application, release));
        found.extend(protected_copy::find(application, release));
        found.extend(incomplete_copy::find(application, release));
        match &standing.position {
            Position::Disagree(phases) => found.push(disagree(&standing, phases)),
            Position::Unclear(nearest) if !found.iter().any(|known| known.code == Code::Undone) => {
                found.push(unclear(nearest));
            }
            _ => {}
        }
    }
    found
}

/// The traffic system of an application: what a release says, else what routes to one of its workloads.
fn provider(checkout: &Checkout<'_>) -> Option<ProviderId> {
    let application = &checkout.application;
    let mut releases = application.releases.iter();
    if let Some(release) = releases.next() {
        return Some(release.provider);
    }
    let layout = application.layout;
    let mut fitting = ProviderId::ALL
        .iter()
        .copied()
        .filter(|id| layout.carries(id.form()));
    let is_used = |id: &ProviderId| {
        let mut workloads = application.workloads.keys();
        workloads.any(|workload| id.is_used_everywhere(application, workload))
    };
    fitting.find(is_used)
}

/// The controller that some workload of an application is given to, or is about to be.
fn controller(checkout: &Checkout<'_>) -> Option<ControllerId> {
    let application = &checkout.application;
    if let Some(delegation) = application.delegations.first() {
        return Some(delegation.controller);
    }
    let has = |id: &ControllerId| {
        let mut environments = application.environments.values();
        environments.any(|environment| id.controller().is_used(environment))
    };
    ControllerId::ALL.iter().copied().find(has)
}

/// What callers inside a cluster meet, whatever else there is.
const DEFAULT: ProviderId = ProviderId::Istio;

/// The verdict on a change of one application.
#[derive(Debug, Default)]
pub struct Verdict {
    /// One for each environment that is there at both ends.
    pub judgements: IndexMap<String, Judgement>,
    /// Everything found, with its environment.
    pub diagnostics: Vec<(String, Diagnostic)>,
}

/// The verdict on the change of one environment.
#[derive(Debug)]
pub struct Judgement {
    /// What was looked at, and whether it is safe.
    pub proof: Proof,
    /// What to do instead, where it is not.
    pub repair: Option<Repair>,
}

/// Judges a change of one application, in one environment or in all.
///
/// `is_changed` tells which files the change touches, to show the right one of several.
pub fn judge(
    before: &Checkout<'_>,
    after: &Checkout<'_>,
    environment: Option<&str>,
    question: Question,
    is_changed: &dyn Fn(&RepoPath) -> bool,
) -> Verdict {
    // What a controller writes is in no repository, and goes before all routes that are.
    let system = match controller(after).or(controller(before)) {
        Some(controller) => System::from(controller),
        None => System::from(provider(after).or(provider(before)).unwrap_or(DEFAULT)),
    };
    let mut verdict = Verdict::default();
    let wanted = |name: &&String| environment.is_none_or(|only| only == name.as_str());
    for name in after.application.environments.keys().filter(wanted) {
        let new = &after.application.environments[name];
        let Some(old) = before.application.environments.get(name) else {
            continue;
        };
        let (judgement, diagnostics) = judge_environment(system, old, new, question, is_changed);
        let diagnostics = diagnostics.into_iter();
        verdict
            .diagnostics
            .extend(diagnostics.map(|diagnostic| (name.clone(), diagnostic)));
        verdict.judgements.insert(name.clone(), judgement);
    }
    verdict
}

fn judge_environment(
    system: System,
    before: &Environment,
    after: &Environment,
    question: Question,
    is_changed: &dyn Fn(&RepoPath) -> bool,
) -> (Judgement, Vec<Diagnostic>) {
    let proof = prove(system, &before.rendered, &after.rendered, question);
    let repair = repair(system, &before.rendered, &after.rendered, question, &proof);
    let subject = Subject {
        before,
        after,
        revision: None,
        is_changed,
    };
    let mut diagnostics = proof.diagnostics(&subject, repair.as_ref(), question.order);
    diagnostics.extend(immutable_selector::find(&before.rendered, &after.rendered));
    (Judgement { proof, repair }, diagnostics)
}
