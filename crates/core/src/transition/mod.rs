//! Transitions: from where a release stands to the next resting point, as a change set.
//!
//! A transition is made by saying what shape the files should have, and is checked by loading the files as
//! they will be and observing that shape. Nothing is written that does not read back as what was meant.

use indexmap::IndexMap;

use crate::change::{ChangeSet, FileChange};
use crate::checkout::Checkout;
use crate::delegated::Stage;
use crate::diagnostic::{Code, Diagnostic, Failure};
use crate::layout;
use crate::model::{Application, Form, Release, Routes, Shape, Weight};
use crate::phase::Phase;
use crate::prover::{Proof, Question, Subject, prove};
use crate::provider::{Basis, Observed, System};
use crate::release_file;
use crate::standing::Standing;

mod abort;
mod flag;
mod hotfix;
mod leap;
mod next;
mod refusals;
mod restore;
mod weights;

pub use abort::abort;
pub use hotfix::hotfix;
pub use leap::{Deployed, Leap, leap};
pub use next::{NextRequest, next};
use refusals::refuse_broken;
pub use refusals::{check_environment, disagree, unclear};
pub use restore::restore;
pub use weights::{rollback, shift};

/// What a transition is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Purpose {
    /// Into a phase.
    Enter(Phase),
    /// Into a stage of a release that is left to a controller.
    Stage(Stage),
    /// Other weights, the phase's structure unchanged.
    Weights,
    /// The pods that other weights need, before those go that they do not need.
    Grow,
    /// The image that ran before the release, back on the workload.
    RestoreImage,
    /// The flag's value from before the release, back on the workload.
    RestoreFlag,
    /// Another image for the stable version.
    MovePin,
    /// What a release wrote, as its phase says.
    Restore,
    /// A release file.
    Start,
}

/// One change of the repository, from one resting point to another: one commit.
#[derive(Debug, Clone)]
pub struct Transition {
    /// The workload whose release moves.
    pub workload: String,
    /// The traffic system of the release.
    pub system: System,
    /// Whether both versions are in one image, so that a flag chooses.
    pub has_flag: bool,
    /// What it is for.
    pub purpose: Purpose,
    /// What the routes named before, per environment.
    pub before: IndexMap<String, Routes>,
    /// What they name after.
    pub after: IndexMap<String, Routes>,
    /// The files.
    pub change: ChangeSet,
    /// Warnings and notes to show with it.
    pub notices: Vec<Diagnostic>,
    /// Why it is safe in every environment.
    pub proofs: IndexMap<String, Proof>,
}

fn enter(
    checkout: &Checkout<'_>,
    release: &Release,
    standing: &Standing,
    phase: Phase,
    after: IndexMap<String, Routes>,
) -> Result<Transition, Failure> {
    let recorded = match phase {
        Phase::Tidy | Phase::Idle => release_file::remove(&checkout.application, release)?,
        Phase::Promote => bumped(&checkout.application, release)?,
        _ => None,
    };
    let (after, is_grown) = on_the_way(release.provider.form(), standing, after);
    let mut shape = phase.shape(release.course(), after.clone());
    flag::check_begin(&checkout.application, release, &shape, standing)?;
    shape.unsaid = phase == Phase::Tidy && flag::is_needless(&checkout.application, release);
    let (change, proofs) = make(checkout, release, &shape, recorded.into_iter().collect())?;
    let mut notices = standing.drift(&checkout.application, release);
    match phase {
        Phase::Ship => notices.extend(flag::unreached(checkout, release, &change)?),
        Phase::Tidy if !shape.unsaid => notices.extend(flag::stays(&checkout.application, release)),
        _ => {}
    }
    if phase == Phase::Split {
        notices.extend(layout::accidental_services(&checkout.application, release));
    }
    let workload = release.workload.clone();
    Ok(Transition {
        workload,
        system: release.provider.into(),
        has_flag: release.flag().is_some(),
        purpose: match is_grown {
            true => Purpose::Grow,
            false => Purpose::Enter(phase),
        },
        before: standing.routes(),
        after,
        change,
        notices,
        proofs,
    })
}

/// The routes of the next resting point on the way to others, and whether these are not reached by it.
fn on_the_way(
    form: Form,
    standing: &Standing,
    wanted: IndexMap<String, Routes>,
) -> (IndexMap<String, Routes>, bool) {
    let mut after = wanted.clone();
    for (name, routes) in &mut after {
        *routes = form.toward(standing.environments[name].routes, *routes);
    }
    let is_grown = after != wanted;
    (after, is_grown)
}

/// A share that a traffic system can give only nearly.
fn rounded(release: &Release, environment: &str, wanted: Weight, share: Weight) -> Option<Diagnostic> {
    (wanted != share).then(|| {
        let message =
            format!("{environment} can give the canary {share} percent of the requests, not {wanted}");
        let note = Diagnostic::note(Code::RoundedShare, message);
        let note = match &release.origin {
            Some(origin) => note.at(origin.below(&["steps"])),
            None => note,
        };
        note.hint("only as many shares are possible as the workload has pods")
    })
}

/// What the release file says once somebody gave the copy another image meanwhile: the workload gets that one.
fn bumped(application: &Application, release: &Release) -> Result<Option<FileChange>, Diagnostic> {
    if release.flag().is_some() {
        return Ok(None);
    }
    let copy = application.workloads.get(&release.copy);
    let tag = copy.and_then(|copy| copy.image.as_ref()?.tag.as_ref());
    match tag.filter(|tag| release.canary.tag.as_ref() != Some(*tag)) {
        Some(tag) => release_file::set_canary(application, release, tag),
        None => Ok(None),
    }
}

/// The change set that gives the files a shape, checked by reading it back.
fn make(
    checkout: &Checkout<'_>,
    release: &Release,
    shape: &Shape,
    more: Vec<FileChange>,
) -> Result<(ChangeSet, IndexMap<String, Proof>), Failure> {
    let application = &checkout.application;
    let system = release.provider.provider();
    let mut intents = system.emit(application, release, shape, Basis::AsWritten)?;
    intents.extend(flag::intents(application, release, shape));
    let mut changes = layout::place(application, release, &intents)?;
    changes.extend(more);
    let change = ChangeSet::new(changes);
    let after = checkout.after(&change)?;
    let standing = Standing::of(&after, release);
    for (name, observed) in &standing.environments {
        let wanted = shape.routes.get(name).copied().unwrap_or(Routes::Plain);
        let Observed {
            labels,
            copy,
            subsets,
            wide,
            shipped,
            promoted,
            unsaid,
            routes,
            ..
        } = observed;
        let is_shape = (*labels, *copy, *subsets, *wide, *shipped, *promoted, *routes)
            == (
                shape.labels,
                shape.copy,
                shape.subsets,
                shape.wide,
                shape.shipped,
                shape.promoted,
                wanted,
            );
        if !is_shape || (shape.unsaid && !unsaid) {
            return Err(layout::undone(&after, name).into());
        }
        refuse_broken(&standing)?;
    }
    let proofs = proven(release.provider, application, &after, &change)?;
    Ok((change, proofs))
}

/// Shows that a change is safe in every environment.
///
/// Errors: a state in which it is not.
pub(crate) fn proven(
    system: impl Into<System>,
    before: &Application,
    after: &Application,
    change: &ChangeSet,
) -> Result<IndexMap<String, Proof>, Failure> {
    let system = system.into();
    let mut proofs = IndexMap::new();
    let mut problems = Vec::new();
    for (name, environment) in &after.environments {
        let Some(earlier) = before.environments.get(name) else {
            continue;
        };
        let question = Question::default();
        let proof = prove(system, &earlier.rendered, &environment.rendered, question);
        if !proof.is_safe() {
            let subject = Subject {
                before: earlier,
                after: environment,
                revision: None,
                is_changed: &|file| change.iter().any(|change| change.path == *file),
            };
            problems.extend(proof.diagnostics(&subject, None, question.order));
        }
        proofs.insert(name.clone(), proof);
    }
    if problems.is_empty() {
        Ok(proofs)
    } else {
        Err(problems.into())
    }
}
