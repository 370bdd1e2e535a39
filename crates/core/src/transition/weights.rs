//! Other shares for the two versions, the phase's structure unchanged.

use indexmap::IndexMap;

use super::refusals::{check_environment, check_supported, refuse_broken};
use super::{Purpose, Transition, make, on_the_way, rounded};
use crate::checkout::Checkout;
use crate::diagnostic::{Code, Diagnostic, Failure};
use crate::model::{Release, Routes, Shape, Weight};
use crate::phase::{Phase, Position};
use crate::standing::Standing;

/// Another share for the canary in one environment.
///
/// Errors: the routes of the environment do not name both versions. `None`: it has that share already.
pub fn shift(
    checkout: &Checkout<'_>,
    release: &Release,
    environment: &str,
    canary: Weight,
) -> Result<Option<Transition>, Failure> {
    let share = |now, share| release.shared(environment, now, share);
    weights(checkout, release, Some(environment), canary, ("shift", &share))
}

/// All requests back to the stable version, in one environment or in all: those of a preview as well.
pub fn rollback(
    checkout: &Checkout<'_>,
    release: &Release,
    environment: Option<&str>,
) -> Result<Option<Transition>, Failure> {
    let share = |_, share| Routes::Both(share);
    weights(checkout, release, environment, Weight::ZERO, ("rollback", &share))
}

fn weights(
    checkout: &Checkout<'_>,
    release: &Release,
    environment: Option<&str>,
    canary: Weight,
    (verb, to): (&str, &dyn Fn(Routes, Weight) -> Routes),
) -> Result<Option<Transition>, Failure> {
    check_supported(&checkout.application, release)?;
    if let Some(name) = environment {
        check_environment(&checkout.application, name)?;
    }
    let standing = Standing::of(&checkout.application, release);
    refuse_broken(&standing)?;
    let before = standing.routes();
    let is_named = before.values().any(|routes| routes.range().is_some());
    if standing.is_promoted() && is_named {
        let message =
            "the workload and its copy both run the new version, so there is nothing to choose between";
        return Err(Diagnostic::error(Code::NotInThisPhase, message)
            .hint("`tidegate abort` puts the old version back")
            .into());
    }
    let is_shipped = standing.environments.values().all(|observed| observed.shipped);
    if let Some(flag) = release
        .flag()
        .filter(|_| is_named && !is_shipped && canary > Weight::ZERO)
    {
        let message = format!("both sides still say `{}` for `{}`", flag.stable, flag.name);
        return Err(Diagnostic::error(Code::NotInThisPhase, message)
            .hint("`tidegate next` ships the new version, without a request for it, first")
            .into());
    }
    let provider = release.provider.provider();
    let mut notices = Vec::new();
    let mut after = before.clone();
    for (name, routes) in after
        .iter_mut()
        .filter(|(name, _)| environment.is_none_or(|only| only == *name))
    {
        if routes.range().is_none() || !standing.environments[name].copy {
            return Err(no_weights(release, &standing, name, verb).into());
        }
        let share = provider.attainable(&checkout.application, release, name, canary);
        notices.extend(rounded(release, name, canary, share));
        *routes = to(*routes, share);
    }
    if before == after {
        return Ok(None);
    }
    let mut transition = set_weights(checkout, release, &standing, after)?;
    transition.notices = notices;
    Ok(Some(transition))
}

/// Weights as given, in environments whose routes name both versions.
pub(super) fn set_weights(
    checkout: &Checkout<'_>,
    release: &Release,
    standing: &Standing,
    after: IndexMap<String, Routes>,
) -> Result<Transition, Failure> {
    let form = release.provider.form();
    let (after, is_grown) = on_the_way(form, standing, after);
    let shape = Shape {
        shipped: standing.is_shipped(),
        ..Phase::Ramp.shape(release.course(), after.clone())
    };
    let (change, proofs) = make(checkout, release, &shape, Vec::new())?;
    Ok(Transition {
        workload: release.workload.clone(),
        system: release.provider.into(),
        has_flag: release.flag().is_some(),
        purpose: match is_grown {
            true => Purpose::Grow,
            false => Purpose::Weights,
        },
        before: standing.routes(),
        after,
        change,
        notices: Vec::new(),
        proofs,
    })
}

fn no_weights(release: &Release, standing: &Standing, environment: &str, verb: &str) -> Diagnostic {
    let message =
        format!("the routes of {environment} do not name both versions, so there is no weight to {verb}");
    let hint = match &standing.position {
        Position::At(phase) if *phase >= Phase::Retire => {
            format!(
                "the copy `{}` is gone: `tidegate abort` sets the image back",
                release.copy
            )
        }
        Position::At(Phase::Idle) => "no canary is running".to_owned(),
        _ => "nothing is exposed yet: `tidegate abort` takes the canary down, `tidegate next` goes on"
            .to_owned(),
    };
    Diagnostic::error(Code::NotInThisPhase, message).hint(hint)
}
