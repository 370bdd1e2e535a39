//! What a release wrote, written again from what it covers: for a person who changed one of both.

use super::{Purpose, Transition, proven};
use crate::change::ChangeSet;
use crate::checkout::Checkout;
use crate::diagnostic::Failure;
use crate::layout;
use crate::model::Release;
use crate::phase::Position;
use crate::provider::Basis;
use crate::standing::Standing;

/// The files of the present phase as they would be written today; `None` where they are so, or where the phase is not
/// clear. Files of the user's are left alone, and so is the phase.
///
/// Errors: the routes cannot carry the phase, or the change is not safe.
pub fn restore(checkout: &Checkout<'_>, release: &Release) -> Result<Option<Transition>, Failure> {
    let application = &checkout.application;
    let standing = Standing::of(application, release);
    let Position::At(phase) = &standing.position else {
        return Ok(None);
    };
    let routes = standing.routes();
    let shape = phase.shape(release.course(), routes.clone());
    let intents = release
        .provider
        .provider()
        .emit(application, release, &shape, Basis::Afresh)?;
    let changes = layout::place(application, release, &intents)?;
    let is_own = |change: &crate::change::FileChange| application.owned.contains(&change.path);
    let change = ChangeSet::new(changes.into_iter().filter(is_own));
    if change.is_empty() {
        return Ok(None);
    }
    let after = checkout.after(&change)?;
    let proofs = proven(release.provider, application, &after, &change)?;
    Ok(Some(Transition {
        workload: release.workload.clone(),
        system: release.provider.into(),
        has_flag: release.flag().is_some(),
        purpose: Purpose::Restore,
        before: routes.clone(),
        after: routes,
        change,
        notices: Vec::new(),
        proofs,
    }))
}
