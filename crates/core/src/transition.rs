//! Transitions: from where a release stands to the next resting point, as a change set.
//!
//! A transition is made by saying what shape the files should have, and is checked by loading the files as
//! they will be and observing that shape. Nothing is written that does not read back as what was meant.

use indexmap::IndexMap;

use crate::adopt;
use crate::change::{ChangeSet, FileChange};
use crate::diagnostic::{Code, Diagnostic, Failure, Severity};
use crate::layout::gap;
use crate::model::{Application, Method, Release, Routes, Shape, Version, Weight};
use crate::phase::{Incomplete, Phase, Position, recognise};
use crate::provider::Observed;
use crate::repo::{Repo, RepoPath};
use crate::schema::config::Config;
use crate::schema::release::{check_names, check_tag, known_names};

/// An application together with the repository it was read from.
pub struct Checkout<'a> {
    pub(crate) repo: &'a dyn Repo,
    pub(crate) config: &'a Config,
    /// The application; its releases include those made by hand.
    pub application: Application,
}

impl<'a> Checkout<'a> {
    /// Reads the application in a folder.
    ///
    /// Errors: everything wrong with its files.
    pub fn load(repo: &'a dyn Repo, at: &RepoPath, config: &'a Config) -> Result<Self, Failure> {
        let mut application = gap::load(repo, at, config)?;
        let workloads: Vec<&str> = application.workloads.keys().map(String::as_str).collect();
        let environments: Vec<&str> = application.environments.keys().map(String::as_str).collect();
        let wrong_names = |release| check_names(release, &workloads, &environments);
        let problems: Vec<Diagnostic> = application.releases.iter().flat_map(wrong_names).collect();
        if !problems.is_empty() {
            return Err(problems.into());
        }
        let unrecorded = adopt::unrecorded(&application);
        application.releases.extend(unrecorded);
        Ok(Self {
            repo,
            config,
            application,
        })
    }

    /// The application as it is once a change set is written.
    fn after(&self, change: &ChangeSet) -> Result<Application, Failure> {
        let overlay = change.overlay(self.repo);
        Ok(Checkout::load(&overlay, &self.application.at, self.config)?.application)
    }
}

/// Where a release stands, per environment and together.
#[derive(Debug, Clone)]
pub struct Standing {
    /// What each environment's objects say.
    pub environments: IndexMap<String, Observed>,
    /// The phase they add up to.
    pub position: Position,
}

impl Standing {
    /// Observes a release in every environment.
    pub fn of(application: &Application, release: &Release) -> Self {
        let provider = release.provider.provider();
        let observe = |name: &String| (name.clone(), provider.observe(application, release, name));
        let environments: IndexMap<_, _> = application.environments.keys().map(observe).collect();
        let position = recognise(&environments, release.origin.is_some());
        Self {
            environments,
            position,
        }
    }

    /// What the routes name, per environment.
    pub fn routes(&self) -> IndexMap<String, Routes> {
        self.environments
            .iter()
            .map(|(name, observed)| (name.clone(), observed.routes))
            .collect()
    }

    /// Everything that differs from what the release needs, each once.
    pub fn drift(&self, application: &Application, release: &Release) -> Vec<Diagnostic> {
        let mut drift: Vec<Diagnostic> = Vec::new();
        for found in self.environments.values().flat_map(|observed| &observed.drift) {
            if !drift.contains(found) {
                drift.push(found.clone());
            }
        }
        if matches!(self.position, Position::Unclear(_)) {
            drift.extend(undoing(application));
        }
        drift.extend(pin_drift(application, release));
        drift
    }
}

/// Patches of the user's that undo ours, each once.
fn undoing(application: &Application) -> Vec<Diagnostic> {
    let mut found: Vec<Diagnostic> = application
        .environments
        .keys()
        .flat_map(|name| gap::undoing(application, name))
        .collect();
    found.dedup();
    found
}

/// A release file that disagrees with the copy's image: after `split` the pin in the spec is what counts.
fn pin_drift(application: &Application, release: &Release) -> Option<Diagnostic> {
    let origin = release.origin.as_ref()?;
    let image = application.workloads.get(&release.copy)?.image.as_ref()?;
    let (recorded, pinned) = (release.stable.tag.as_ref()?, image.tag.as_ref()?);
    (recorded != pinned).then(|| {
        let message = format!(
            "`{}` runs {pinned}, the release file says {recorded}",
            release.copy
        );
        Diagnostic::warning(Code::Drift, message)
            .at(origin.below(&["stable", "image", "tag"]))
            .related(image.origin.clone(), "the pin that counts")
            .hint(format!(
                "run `tidegate hotfix --stable-tag {pinned}` to record it"
            ))
    })
}

/// What a transition is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Purpose {
    /// Into a phase.
    Enter(Phase),
    /// Other weights, the phase's structure unchanged.
    Weights,
    /// The image that ran before the release, back on the workload.
    RestoreImage,
    /// Another image for the stable copy.
    MovePin,
    /// A release file.
    Start,
}

/// One change of the repository, from one resting point to another: one commit.
#[derive(Debug, Clone)]
pub struct Transition {
    /// The workload whose release moves.
    pub workload: String,
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
}

/// What a user asks of `next`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NextRequest {
    /// Only this environment.
    pub environment: Option<String>,
    /// The phase to be in afterwards.
    pub to: Option<Phase>,
}

/// The next transition; `None` when there is nothing to do.
///
/// Errors: the phase is not clear, the request does not fit it, or the files cannot carry it.
pub fn next(
    checkout: &Checkout<'_>,
    release: &Release,
    request: &NextRequest,
) -> Result<Option<Transition>, Failure> {
    check_supported(release)?;
    if let Some(name) = &request.environment {
        check_environment(&checkout.application, name)?;
    }
    let standing = Standing::of(&checkout.application, release);
    refuse_broken(&standing)?;
    refuse_undone(&checkout.application, &standing)?;
    match target(release, &standing, request)? {
        None => Ok(None),
        Some(Target { phase, routes }) => enter(checkout, release, &standing, phase, routes).map(Some),
    }
}

/// A phase to enter, with the routes of every environment.
struct Target {
    phase: Phase,
    routes: IndexMap<String, Routes>,
}

fn target(
    release: &Release,
    standing: &Standing,
    request: &NextRequest,
) -> Result<Option<Target>, Diagnostic> {
    let not_now = |message: String| Diagnostic::error(Code::NotInThisPhase, message);
    let phase = match &standing.position {
        Position::Disagree(phases) => return Err(disagree(standing, phases)),
        Position::Unclear(nearest) => match request.to {
            Some(to) if nearest.iter().any(|incomplete| incomplete.phase == to) => to,
            _ => return Err(unclear(nearest)),
        },
        Position::Ambiguous(one, other) => match request.to {
            Some(to) if to == *one || to == *other => return Ok(None),
            Some(to) if Some(to) == one.following() || Some(to) == other.following() => to,
            Some(Phase::Park) => Phase::Park,
            _ => return Err(ambiguous(*one, *other)),
        },
        Position::Between(one, other) => match request.to {
            None => other.phase,
            Some(to) if to == one.phase || to == other.phase => to,
            Some(to) => {
                let message = format!(
                    "the files are between {} and {}, so {to} is not next",
                    one.phase, other.phase
                );
                return Err(
                    not_now(message).hint(format!("complete it first: tidegate next --to {}", other.phase))
                );
            }
        },
        Position::At(now) => match request.to {
            Some(to) if to == *now || (to == Phase::Tidy && *now == Phase::Idle) => return Ok(None),
            Some(Phase::Hold) if matches!(now, Phase::Park | Phase::Ramp) => Phase::Hold,
            to => {
                let following = match now {
                    Phase::Park | Phase::Ramp => Phase::Ramp,
                    now => now.following().unwrap_or(Phase::Idle),
                };
                match to {
                    Some(to) if to != following => {
                        let message =
                            format!("the release is in {now}: the next phase is {following}, not {to}");
                        return Err(not_now(message).hint("one transition at a time: run `tidegate next`"));
                    }
                    _ => following,
                }
            }
        },
    };
    if request.environment.is_some() && !phase.is_per_environment() {
        let message = format!("{phase} is entered in all environments at once");
        return Err(not_now(message).hint("run `tidegate next` without --env"));
    }
    let is_step = phase == Phase::Ramp && matches!(standing.position, Position::At(_));
    let mut routes = standing.routes();
    for (name, routes) in &mut routes {
        if request.environment.as_ref().is_some_and(|only| only != name) {
            continue;
        }
        *routes = match *routes {
            Routes::Both(weight) if is_step => Routes::Both(step_after(release, name, weight)),
            now => phase.routes(now),
        };
    }
    if routes == standing.routes() && (is_step || request.environment.is_some()) {
        let only = request.environment.as_deref().unwrap_or("every environment");
        return Err(not_now(format!("{only} is there already"))
            .hint("run `tidegate next` without --env for the other environments"));
    }
    let is_full = routes
        .values()
        .all(|routes| *routes == Routes::Both(Weight::FULL));
    let phase = if phase == Phase::Ramp && is_full {
        Phase::Hold
    } else {
        phase
    };
    Ok(Some(Target { phase, routes }))
}

/// The first step above a weight.
fn step_after(release: &Release, environment: &str, weight: Weight) -> Weight {
    release
        .steps(environment)
        .iter()
        .copied()
        .find(|step| *step > weight)
        .unwrap_or(Weight::FULL)
}

/// Another share for the canary in one environment.
///
/// Errors: the routes of the environment do not name both versions. `None`: it has that share already.
pub fn shift(
    checkout: &Checkout<'_>,
    release: &Release,
    environment: &str,
    canary: Weight,
) -> Result<Option<Transition>, Failure> {
    weights(checkout, release, Some(environment), canary, "shift")
}

/// All requests back to the stable version, in one environment or in all.
pub fn rollback(
    checkout: &Checkout<'_>,
    release: &Release,
    environment: Option<&str>,
) -> Result<Option<Transition>, Failure> {
    weights(checkout, release, environment, Weight::ZERO, "rollback")
}

fn weights(
    checkout: &Checkout<'_>,
    release: &Release,
    environment: Option<&str>,
    canary: Weight,
    verb: &str,
) -> Result<Option<Transition>, Failure> {
    check_supported(release)?;
    if let Some(name) = environment {
        check_environment(&checkout.application, name)?;
    }
    let standing = Standing::of(&checkout.application, release);
    refuse_broken(&standing)?;
    let before = standing.routes();
    let mut after = before.clone();
    for (name, routes) in after
        .iter_mut()
        .filter(|(name, _)| environment.is_none_or(|only| only == *name))
    {
        if !matches!(routes, Routes::Both(_)) {
            return Err(no_weights(release, &standing, name, verb).into());
        }
        *routes = Routes::Both(canary);
    }
    if before == after {
        return Ok(None);
    }
    let shape = Phase::Ramp.shape(after.clone());
    let change = make(checkout, release, &shape, Vec::new())?;
    let workload = release.workload.clone();
    Ok(Some(Transition {
        workload,
        purpose: Purpose::Weights,
        before,
        after,
        change,
        notices: Vec::new(),
    }))
}

fn no_weights(release: &Release, standing: &Standing, environment: &str, verb: &str) -> Diagnostic {
    let message =
        format!("the routes of {environment} do not name both versions, so there is no weight to {verb}");
    let hint = match &standing.position {
        Position::At(phase) if *phase >= Phase::Retire => {
            format!(
                "the stable copy `{}` is gone: `tidegate abort` sets the image back",
                release.copy
            )
        }
        Position::At(Phase::Idle) => "no canary is running".to_owned(),
        _ => "nothing is exposed yet: `tidegate abort` takes the canary down, `tidegate next` goes on"
            .to_owned(),
    };
    Diagnostic::error(Code::NotInThisPhase, message).hint(hint)
}

/// The next commit on the way back to where the release started; `None` when nothing is left of it.
pub fn abort(checkout: &Checkout<'_>, release: &Release) -> Result<Option<Transition>, Failure> {
    check_supported(release)?;
    let application = &checkout.application;
    let standing = Standing::of(application, release);
    refuse_broken(&standing)?;
    let now = standing.routes();
    let is_exposed = |routes: &Routes| matches!(routes, Routes::Both(weight) if *weight > Weight::ZERO);
    if now.values().any(is_exposed) {
        return rollback_all(checkout, release, &standing).map(Some);
    }
    if let Some(transition) = restore_image(checkout, release, &standing)? {
        return Ok(Some(transition));
    }
    let phase = match &standing.position {
        Position::At(phase) => *phase,
        Position::Between(one, other) if one.phase < Phase::Retire => {
            return back_to(checkout, release, &standing, one.phase)
                .map(Some)
                .or_else(|failure| match failure {
                    Failure::Refused(_) => back_to(checkout, release, &standing, other.phase).map(Some),
                    other => Err(other),
                });
        }
        Position::Between(_, other) => {
            return enter_plain(checkout, release, &standing, other.phase).map(Some);
        }
        Position::Ambiguous(one, _) => *one,
        Position::Unclear(nearest) => {
            refuse_undone(application, &standing)?;
            return Err(unclear(nearest).into());
        }
        Position::Disagree(phases) => return Err(disagree(&standing, phases).into()),
    };
    let phase = match phase {
        Phase::Idle | Phase::Tidy if release.origin.is_none() => return Ok(None),
        Phase::Idle | Phase::Tidy | Phase::Split => Phase::Tidy,
        Phase::Wire => Phase::Split,
        Phase::Widen => Phase::Wire,
        Phase::Park | Phase::Ramp | Phase::Hold => Phase::Widen,
        later => later.following().unwrap_or(Phase::Tidy),
    };
    enter_plain(checkout, release, &standing, phase).map(Some)
}

fn back_to(
    checkout: &Checkout<'_>,
    release: &Release,
    standing: &Standing,
    phase: Phase,
) -> Result<Transition, Failure> {
    let phase = if phase == Phase::Idle { Phase::Tidy } else { phase };
    enter_plain(checkout, release, standing, phase)
}

fn enter_plain(
    checkout: &Checkout<'_>,
    release: &Release,
    standing: &Standing,
    phase: Phase,
) -> Result<Transition, Failure> {
    let routes = standing
        .routes()
        .into_iter()
        .map(|(name, now)| (name, phase.routes(now)))
        .collect();
    enter(checkout, release, standing, phase, routes)
}

fn rollback_all(
    checkout: &Checkout<'_>,
    release: &Release,
    standing: &Standing,
) -> Result<Transition, Failure> {
    let before = standing.routes();
    let to_stable = |routes: &Routes| match routes {
        Routes::Both(_) => Routes::Both(Weight::ZERO),
        other => *other,
    };
    let after: IndexMap<_, _> = before
        .iter()
        .map(|(name, routes)| (name.clone(), to_stable(routes)))
        .collect();
    let change = make(checkout, release, &Phase::Ramp.shape(after.clone()), Vec::new())?;
    let workload = release.workload.clone();
    Ok(Transition {
        workload,
        purpose: Purpose::Weights,
        before,
        after,
        change,
        notices: Vec::new(),
    })
}

/// Puts the image that ran before the release back on the workload; `None` where it runs already.
fn restore_image(
    checkout: &Checkout<'_>,
    release: &Release,
    standing: &Standing,
) -> Result<Option<Transition>, Failure> {
    let application = &checkout.application;
    let workload = &application.workloads[&release.workload];
    let (Some(image), Some(tag)) = (&workload.image, &release.from_tag) else {
        return Ok(None);
    };
    if image.tag.as_ref() == Some(tag) {
        return Ok(None);
    }
    let changes = gap::set_tag(application, image, tag)?;
    let change = ChangeSet::new(changes);
    checkout.after(&change)?;
    let message = "the next build of the new code writes its tag again: revert the code first";
    let notice = Diagnostic::warning(Code::Drift, message).at(image.origin.clone());
    let routes = standing.routes();
    Ok(Some(Transition {
        workload: release.workload.clone(),
        purpose: Purpose::RestoreImage,
        before: routes.clone(),
        after: routes,
        change,
        notices: vec![notice],
    }))
}

/// Moves the image that the stable copy is pinned to; `None` where it is there already.
pub fn hotfix(checkout: &Checkout<'_>, release: &Release, tag: &str) -> Result<Option<Transition>, Failure> {
    check_supported(release)?;
    if let Some(wrong) = check_tag(tag) {
        return Err(wrong.into());
    }
    let application = &checkout.application;
    let image = application
        .workloads
        .get(&release.copy)
        .and_then(|copy| copy.image.as_ref());
    let Some(image) = image else {
        let message = format!("there is no stable copy `{}` to fix", release.copy);
        let hint = "`tidegate status` says where the release stands";
        return Err(Diagnostic::error(Code::NotInThisPhase, message).hint(hint).into());
    };
    let mut changes: Vec<FileChange> = gap::set_tag(application, image, tag)?;
    changes.extend(gap::release_file::set_pin(application, release, tag)?);
    let change = ChangeSet::new(changes);
    if change.is_empty() {
        return Ok(None);
    }
    checkout.after(&change)?;
    let routes = Standing::of(application, release).routes();
    Ok(Some(Transition {
        workload: release.workload.clone(),
        purpose: Purpose::MovePin,
        before: routes.clone(),
        after: routes,
        change,
        notices: Vec::new(),
    }))
}

fn enter(
    checkout: &Checkout<'_>,
    release: &Release,
    standing: &Standing,
    phase: Phase,
    after: IndexMap<String, Routes>,
) -> Result<Transition, Failure> {
    let removed = match phase {
        Phase::Tidy | Phase::Idle => gap::release_file::remove(&checkout.application, release)?,
        _ => None,
    };
    let shape = phase.shape(after.clone());
    let change = make(checkout, release, &shape, removed.into_iter().collect())?;
    let notices = match phase {
        Phase::Split => gap::accidental_services(&checkout.application, release),
        _ => Vec::new(),
    };
    let workload = release.workload.clone();
    Ok(Transition {
        workload,
        purpose: Purpose::Enter(phase),
        before: standing.routes(),
        after,
        change,
        notices,
    })
}

/// The change set that gives the files a shape, checked by reading it back.
fn make(
    checkout: &Checkout<'_>,
    release: &Release,
    shape: &Shape,
    more: Vec<FileChange>,
) -> Result<ChangeSet, Failure> {
    let application = &checkout.application;
    let intents = release.provider.provider().emit(application, release, shape)?;
    let mut changes = gap::place(application, release, &intents)?;
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
            routes,
            ..
        } = observed;
        let is_shape = (*labels, *copy, *subsets, *wide, *routes)
            == (shape.labels, shape.copy, shape.subsets, shape.wide, wanted);
        if !is_shape {
            return Err(gap::undone(&after, name).into());
        }
        refuse_broken(&standing)?;
    }
    Ok(change)
}

/// Where the files are in no phase because a patch undoes ours, that patch is the problem.
fn refuse_undone(application: &Application, standing: &Standing) -> Result<(), Failure> {
    if !matches!(standing.position, Position::Unclear(_)) {
        return Ok(());
    }
    let undoing = undoing(application);
    if undoing.is_empty() {
        Ok(())
    } else {
        Err(undoing.into())
    }
}

/// Routes that cannot be read are an error for every command that would change them.
fn refuse_broken(standing: &Standing) -> Result<(), Failure> {
    let drift = standing
        .environments
        .values()
        .flat_map(|observed| &observed.drift);
    let mut errors: Vec<Diagnostic> = drift
        .filter(|diagnostic| diagnostic.severity == Severity::Error)
        .cloned()
        .collect();
    errors.dedup();
    if errors.is_empty() {
        Ok(())
    } else {
        Err(errors.into())
    }
}

fn check_supported(release: &Release) -> Result<(), Diagnostic> {
    let at = |diagnostic: Diagnostic, key: &str| match &release.origin {
        Some(origin) => diagnostic.at(origin.below(&[key])),
        None => diagnostic,
    };
    if release.copy_runs == Version::Canary {
        let unsupported =
            Diagnostic::error(Code::Unsupported, "the GAP layout copies the stable version only");
        return Err(at(unsupported, "copy").hint("write `copy: stable`, or leave the key out"));
    }
    if release.method == Method::Coexistence {
        let unsupported = Diagnostic::error(Code::Unsupported, "the method `coexistence` is not built yet");
        return Err(at(unsupported, "method").hint("write `method: succession`, or leave the key out"));
    }
    Ok(())
}

/// Checks the name of an environment given by a user.
pub fn check_environment(application: &Application, name: &str) -> Result<(), Diagnostic> {
    if application.environments.contains_key(name) {
        return Ok(());
    }
    let found = Diagnostic::error(Code::UnknownName, format!("there is no environment `{name}`"));
    Err(known_names(
        found,
        name,
        application.environments.keys().map(String::as_str),
    ))
}

/// Says that the environments are too far apart.
pub fn disagree(standing: &Standing, phases: &IndexMap<String, Phase>) -> Diagnostic {
    let list: Vec<String> = phases
        .iter()
        .map(|(name, phase)| format!("{name} is in {phase}"))
        .collect();
    let message = format!(
        "the environments are more than one phase apart: {}",
        list.join(", ")
    );
    let furthest = phases.iter().max_by_key(|(_, phase)| **phase);
    let at = furthest.and_then(|(name, _)| standing.environments.get(name)?.routes_at.clone());
    let mut disagree = Diagnostic::error(Code::EnvironmentsDisagree, message);
    disagree.location = at;
    disagree
        .hint("revert the last commit that touched only one of them, or write the missing files of the other")
}

fn unclear(nearest: &[Incomplete]) -> Diagnostic {
    let message = "the files are in no phase, nor between two";
    nearest.iter().fold(
        Diagnostic::error(Code::AmbiguousPhase, message),
        |diagnostic, incomplete| {
            let missing: Vec<&str> = incomplete.missing.iter().map(|missing| missing.what).collect();
            let phase = incomplete.phase;
            diagnostic.hint(format!(
                "`tidegate next --to {phase}` completes {phase}; it lacks: {}",
                missing.join("; ")
            ))
        },
    )
}

fn ambiguous(one: Phase, other: Phase) -> Diagnostic {
    let message =
        format!("this canary was made by hand and may be in {one} or in {other}: the files look the same");
    Diagnostic::error(Code::AmbiguousPhase, message)
        .hint("if the new code is not out yet, run `tidegate next --to park`")
        .hint("if the new code serves everybody, run `tidegate next --to retire`")
}
