//! The next transition of a release.

use indexmap::IndexMap;

use super::refusals::{
    ambiguous, check_environment, check_supported, disagree, refuse_broken, refuse_undone, unclear,
};
use super::{Transition, enter, rounded};
use crate::checkout::Checkout;
use crate::diagnostic::{Code, Diagnostic, Failure};
use crate::model::{Application, Release, Routes, Weight};
use crate::phase::{Phase, Position};
use crate::standing::Standing;

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
    check_supported(&checkout.application, release)?;
    if let Some(name) = &request.environment {
        check_environment(&checkout.application, name)?;
    }
    let standing = Standing::of(&checkout.application, release);
    refuse_broken(&standing)?;
    refuse_undone(&checkout.application, &standing)?;
    match target(&checkout.application, release, &standing, request)? {
        None => Ok(None),
        Some(target) => {
            let mut transition = enter(checkout, release, &standing, target.phase, target.routes)?;
            transition.notices.extend(target.notices);
            Ok(Some(transition))
        }
    }
}

/// A phase to enter, with the routes of every environment.
struct Target {
    phase: Phase,
    routes: IndexMap<String, Routes>,
    notices: Vec<Diagnostic>,
}

fn target(
    application: &Application,
    release: &Release,
    standing: &Standing,
    request: &NextRequest,
) -> Result<Option<Target>, Diagnostic> {
    let course = release.course();
    let not_now = |message: String| Diagnostic::error(Code::NotInThisPhase, message);
    let phase = match &standing.position {
        Position::Disagree(phases) => return Err(disagree(standing, phases)),
        Position::Unclear(nearest) => match request.to {
            Some(to) if nearest.iter().any(|incomplete| incomplete.phase == to) => to,
            _ => return Err(unclear(nearest)),
        },
        Position::Ambiguous(one, other) => match request.to {
            Some(to) if to == *one || to == *other => return Ok(None),
            Some(to) if Some(to) == one.following(course) || Some(to) == other.following(course) => to,
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
            Some(Phase::Hold) if *now == Phase::Ramp || now.may_share(course) => Phase::Hold,
            Some(Phase::Ramp) if now.may_share(course) => Phase::Ramp,
            to => {
                let is_preview_ahead = || standing.is_preview_ahead(release, request.environment.as_deref());
                let following = match now {
                    now if now.may_share(course) && is_preview_ahead() => Phase::Preview,
                    now if *now == Phase::Ramp || now.may_share(course) => Phase::Ramp,
                    now => now.following(course).unwrap_or(Phase::Idle),
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
    let mut notices = Vec::new();
    let mut routes = standing.routes();
    for (name, routes) in &mut routes {
        if request.environment.as_ref().is_some_and(|only| only != name) {
            continue;
        }
        *routes = match *routes {
            Routes::Both(weight) | Routes::Preview(weight) if is_step => {
                let (step, share) = step_after(application, release, name, weight);
                notices.extend(rounded(release, name, step, share));
                release.shared(name, *routes, share)
            }
            Routes::Both(Weight::ZERO) if phase == Phase::Preview => release.previewed(name, Weight::ZERO),
            now if phase == Phase::Preview => now,
            // What was begun is finished first.
            Routes::Between(_, high) if is_step => Routes::Both(high),
            now => phase.routes(course, now),
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
    Ok(Some(Target {
        phase,
        routes,
        notices,
    }))
}

/// The first step that gives the canary more than a weight, and what it gives; of several that give the same, the
/// nearest.
fn step_after(
    application: &Application,
    release: &Release,
    environment: &str,
    weight: Weight,
) -> (Weight, Weight) {
    let provider = release.provider.provider();
    let attainable = |step| provider.attainable(application, release, environment, step);
    let steps = release.steps(environment).iter();
    let steps = steps.map(|step| (*step, attainable(*step)));
    let share = steps
        .clone()
        .map(|(_, share)| share)
        .find(|share| *share > weight);
    let same = steps.filter(|(_, given)| Some(*given) == share);
    same.min_by_key(|(step, share)| step.percent().abs_diff(share.percent()))
        .unwrap_or((Weight::FULL, Weight::FULL))
}
