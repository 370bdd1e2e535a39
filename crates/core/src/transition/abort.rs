//! The way back to where a release started, one transition at a time.

use super::refusals::{check_supported, disagree, refuse_broken, refuse_undone, unclear};
use super::weights::set_weights;
use super::{Purpose, Transition, enter, flag, proven};
use crate::change::ChangeSet;
use crate::checkout::Checkout;
use crate::diagnostic::{Code, Diagnostic, Failure};
use crate::layout;
use crate::model::{Form, Release, Routes, Weight};
use crate::phase::{Phase, Position};
use crate::standing::Standing;

/// The next commit on the way back to where the release started; `None` when nothing is left of it.
pub fn abort(checkout: &Checkout<'_>, release: &Release) -> Result<Option<Transition>, Failure> {
    check_supported(&checkout.application, release)?;
    let application = &checkout.application;
    let standing = Standing::of(application, release);
    refuse_broken(&standing)?;
    let now = standing.routes();
    if standing.is_promoted()
        && let Some(transition) = demote(checkout, release, &standing)?
    {
        return Ok(Some(transition));
    }
    let is_exposed = |routes: &Routes| {
        let has_share = routes.range().is_some_and(|(_, high)| high > Weight::ZERO);
        has_share || matches!(routes, Routes::Preview(_))
    };
    if now.values().any(is_exposed) {
        let to_stable = |routes| match routes {
            Routes::Both(_) | Routes::Preview(_) | Routes::Between(..) => Routes::Both(Weight::ZERO),
            other => other,
        };
        let after = now.into_iter().map(|(name, routes)| (name, to_stable(routes)));
        return set_weights(checkout, release, &standing, after.collect()).map(Some);
    }
    if let Some(transition) = restore_stable(checkout, release, &standing)? {
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
    let course = release.course();
    let before = |phase: Phase| phase.preceding(course).unwrap_or(Phase::Idle);
    let phase = match phase {
        Phase::Idle | Phase::Tidy if release.origin.is_none() => return Ok(None),
        Phase::Idle | Phase::Tidy | Phase::Split => end(release, &standing),
        Phase::Wire | Phase::Widen | Phase::Ship => before(phase),
        Phase::Preview | Phase::Ramp | Phase::Hold if course.ships => before(Phase::Ship),
        Phase::Park | Phase::Preview | Phase::Ramp | Phase::Hold => before(Phase::Park),
        later => later.following(course).unwrap_or(Phase::Tidy),
    };
    enter_plain(checkout, release, &standing, phase).map(Some)
}

/// Takes the new version off the workload again, where the copy still runs it too: first everything to the copy, then
/// the old image. `None` where there is no copy to go to.
fn demote(
    checkout: &Checkout<'_>,
    release: &Release,
    standing: &Standing,
) -> Result<Option<Transition>, Failure> {
    let now = standing.routes();
    let weights = now.values().filter(|routes| routes.range().is_some());
    let (named, full) = (weights.clone().count(), Routes::Both(Weight::FULL));
    let has_copy = standing.environments.values().all(|observed| observed.copy);
    if named == 0 || named < now.len() || !has_copy {
        return Ok(None);
    }
    if weights.clone().all(|routes| *routes == full) {
        return restore_stable(checkout, release, standing);
    }
    let after = now.into_iter().map(|(name, _)| (name, full));
    enter(checkout, release, standing, Phase::Promote, after.collect()).map(Some)
}

/// The last phase on the way back: where the workload never got the copy's image, the release never was.
fn end(release: &Release, standing: &Standing) -> Phase {
    match release.provider.form() {
        Form::Backends | Form::Pinned | Form::Replicas if !standing.is_promoted() => Phase::Idle,
        _ => Phase::Tidy,
    }
}

fn back_to(
    checkout: &Checkout<'_>,
    release: &Release,
    standing: &Standing,
    phase: Phase,
) -> Result<Transition, Failure> {
    let phase = match phase {
        Phase::Idle => end(release, standing),
        phase => phase,
    };
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
        .map(|(name, now)| (name, phase.routes(release.course(), now)))
        .collect();
    enter(checkout, release, standing, phase, routes)
}

/// Makes the workload run what it ran before the release; `None` where it does already.
fn restore_stable(
    checkout: &Checkout<'_>,
    release: &Release,
    standing: &Standing,
) -> Result<Option<Transition>, Failure> {
    match release.flag() {
        Some(flag) => flag::restore(checkout, release, flag, standing),
        None => restore_image(checkout, release, standing),
    }
}

/// Puts the image that ran before the release back on the workload; `None` where it runs already.
fn restore_image(
    checkout: &Checkout<'_>,
    release: &Release,
    standing: &Standing,
) -> Result<Option<Transition>, Failure> {
    let application = &checkout.application;
    let workload = &application.workloads[&release.workload];
    // With a backend for each version only `promote` changes the workload; what else it runs is somebody's fix.
    let old = match release.provider.form() {
        Form::Subsets => release.from_tag.as_ref(),
        Form::Backends | Form::Pinned | Form::Replicas => {
            release.stable.tag.as_ref().filter(|_| standing.is_promoted())
        }
    };
    let (Some(image), Some(tag)) = (&workload.image, old) else {
        return Ok(None);
    };
    if image.tag.as_ref() == Some(tag) {
        return Ok(None);
    }
    let changes = layout::set_tag(application, &release.workload, tag)?;
    let change = ChangeSet::new(changes);
    let after = checkout.after(&change)?;
    let proofs = proven(release.provider, application, &after, &change)?;
    let message = "the next build of the new code writes its tag again: revert the code first";
    let notice = Diagnostic::warning(Code::Drift, message).at(image.origin.clone());
    let routes = standing.routes();
    Ok(Some(Transition {
        workload: release.workload.clone(),
        system: release.provider.into(),
        has_flag: false,
        purpose: Purpose::RestoreImage,
        before: routes.clone(),
        after: routes,
        change,
        notices: vec![notice],
        proofs,
    }))
}
