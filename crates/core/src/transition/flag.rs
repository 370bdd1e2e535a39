//! The flag of a release whose versions are in one image: which value each side says in a shape, that flipping it
//! reaches nobody, and its way back.

use super::{Purpose, Transition, proven};
use crate::change::ChangeSet;
use crate::checkout::Checkout;
use crate::diagnostic::{Code, Diagnostic, Failure};
use crate::flag::{self, Reading};
use crate::layout;
use crate::manifest::Manifest;
use crate::model::{Application, Flag, Form, Release, Shape, Version};
use crate::prover::{Caller, Question, Request, reaching};
use crate::provider::Intent;
use crate::standing::Standing;

/// What both sides say while the copy exists, and whether the workload says anything at the end.
///
/// A copy that does not exist yet says what the workload does: the stable value.
pub(super) fn intents(application: &Application, release: &Release, shape: &Shape) -> Vec<Intent> {
    let Some(flag) = release.flag() else {
        return Vec::new();
    };
    let intent = |workload: &str, value: Option<&str>| Intent::Flag {
        workload: workload.to_owned(),
        name: flag.name.clone(),
        value: value.map(str::to_owned),
    };
    if shape.unsaid {
        return vec![intent(&release.workload, None)];
    }
    if !shape.copy {
        return Vec::new();
    }
    let version = |runs_new: bool| match runs_new {
        true => Version::Canary,
        false => Version::Stable,
    };
    let side = |version: Version| match version {
        Version::Stable => shape.promoted,
        Version::Canary => shape.shipped,
    };
    let sides = [Version::Stable, Version::Canary].into_iter();
    let sides = sides.map(|of| (release.workload_of(of), version(side(of))));
    let sides = sides.filter(|(workload, _)| application.workloads.contains_key(*workload));
    sides
        .map(|(workload, version)| intent(workload, Some(flag.value(version))))
        .collect()
}

/// A copy says what the workload does, so a release begins while that is the stable version's value.
///
/// Errors: it is not, in some environment.
pub(super) fn check_begin(
    application: &Application,
    release: &Release,
    shape: &Shape,
    standing: &Standing,
) -> Result<(), Vec<Diagnostic>> {
    let Some(flag) = release.flag().filter(|_| shape.copy && !has_copy(standing)) else {
        return Ok(());
    };
    let wrong = readings(application, release, flag).filter_map(|(reading, deployment)| {
        let problem = match &reading {
            Reading::Version(Version::Stable) => return None,
            Reading::Version(Version::Canary) => {
                let message = format!(
                    "`{}` says `{}` for `{}` already",
                    release.workload, flag.canary, flag.name
                );
                let hint = format!("let it run the old version until `ship`: write `{}`", flag.stable);
                Diagnostic::error(Code::Drift, message).hint(hint)
            }
            _ => reading.wrong(flag, &release.workload)?,
        };
        Some(problem.at(flag::place(flag, deployment)))
    });
    let mut problems: Vec<Diagnostic> = wrong.collect();
    problems.dedup();
    match problems.is_empty() {
        true => Ok(()),
        false => Err(problems),
    }
}

fn has_copy(standing: &Standing) -> bool {
    standing.environments.values().any(|observed| observed.copy)
}

/// Whether the workload needs the flag no more: it says the new value, and without one the image runs the same.
pub(super) fn is_needless(application: &Application, release: &Release) -> bool {
    let is_new = |flag: &Flag| {
        let mut readings = readings(application, release, flag).peekable();
        readings.peek().is_some()
            && readings.all(|(reading, _)| matches!(reading, Reading::Version(Version::Canary)))
    };
    release
        .flag()
        .is_some_and(|flag| flag.unsaid == Version::Canary && is_new(flag))
}

/// A flag that stays where the release ends: without it the old version would be back.
pub(super) fn stays(application: &Application, release: &Release) -> Option<Diagnostic> {
    let flag = release.flag()?;
    let (_, deployment) = readings(application, release, flag)
        .find(|(reading, _)| matches!(reading, Reading::Version(Version::Canary)))?;
    let message = format!(
        "`{}` keeps saying `{}` for `{}`: the release file says that the image runs the old version without it",
        release.workload, flag.canary, flag.name
    );
    let note = Diagnostic::note(Code::Drift, message).at(flag::place(flag, deployment));
    Some(note.hint(format!(
        "once the image runs the new version by default, take `{}` out; written as `without: canary` before, this commit does it",
        flag.name
    )))
}

/// What the workload says in each environment.
fn readings<'a>(
    application: &'a Application,
    release: &'a Release,
    flag: &'a Flag,
) -> impl Iterator<Item = (Reading, &'a Manifest)> {
    let environments = application.environments.keys();
    environments.filter_map(move |environment| {
        let deployment = application.deployed(environment, &release.workload, "apps", "Deployment")?;
        Some((Reading::of(flag, deployment), deployment))
    })
}

/// Shows that no request of the mesh reaches the canary side while its flag flips, in any half-applied state.
///
/// Errors: requests that do. Returned: callers that no route of the mesh keeps away.
pub(super) fn unreached(
    checkout: &Checkout<'_>,
    release: &Release,
    change: &ChangeSet,
) -> Result<Vec<Diagnostic>, Failure> {
    let before = &checkout.application;
    let after = checkout.after(change)?;
    let canary = release.workload_of(Version::Canary);
    let mut errors = Vec::new();
    let mut warnings = Vec::new();
    for (name, environment) in &after.environments {
        let (Some(earlier), Some(deployment)) = (
            before.environments.get(name),
            after.deployed(name, canary, "apps", "Deployment"),
        ) else {
            continue;
        };
        let ends = (&earlier.rendered, &environment.rendered);
        let workload = &deployment.object.name;
        let reaching = reaching(release.provider, ends.0, ends.1, Question::default(), workload);
        let (past, routed): (Vec<Request>, Vec<Request>) = reaching
            .into_iter()
            .partition(|request| request.caller == Caller::Outside);
        if let Some(request) = routed.first() {
            let message = format!("in {name}, requests to {request} reach `{canary}` whatever the weights");
            let exposed = Diagnostic::error(Code::Exposed, message).at(deployment.origin.clone());
            errors.push(exposed.hint(
                "let these callers use what the release routes, so that the new version can start unseen",
            ));
        }
        if let Some(request) = past.first() {
            let message = format!(
                "in {name}, requests to {request} pass all routes by, so `{canary}` serves some of them as the new version from here on"
            );
            let exposed = Diagnostic::warning(Code::Exposed, message).at(deployment.origin.clone());
            warnings.push(exposed.hint("give these callers a sidecar, or turn them away, before"));
        }
    }
    match errors.is_empty() {
        true => Ok(warnings),
        false => Err(errors.into()),
    }
}

/// Gives the workload the stable value back, where the copy is not there to be gone back to, or runs the new version
/// too; `None` where it says that already.
pub(super) fn restore(
    checkout: &Checkout<'_>,
    release: &Release,
    flag: &Flag,
    standing: &Standing,
) -> Result<Option<Transition>, Failure> {
    let application = &checkout.application;
    let is_alone = release.provider.form() == Form::Subsets && !has_copy(standing);
    let is_new = readings(application, release, flag)
        .any(|(reading, _)| matches!(reading, Reading::Version(Version::Canary)));
    if !is_new || !(is_alone || standing.is_promoted()) {
        return Ok(None);
    }
    let changes = layout::set_flag(application, &release.workload, &flag.name, Some(&flag.stable))?;
    let change = ChangeSet::new(changes);
    if change.is_empty() {
        return Ok(None);
    }
    let after = checkout.after(&change)?;
    let proofs = proven(release.provider, application, &after, &change)?;
    let routes = standing.routes();
    Ok(Some(Transition {
        workload: release.workload.clone(),
        system: release.provider.into(),
        has_flag: true,
        purpose: Purpose::RestoreFlag,
        before: routes.clone(),
        after: routes,
        change,
        notices: Vec::new(),
        proofs,
    }))
}
