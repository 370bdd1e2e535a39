//! Another image for the stable copy while a canary runs.

use super::refusals::check_supported;
use super::{Purpose, Transition, proven};
use crate::change::{ChangeSet, FileChange};
use crate::checkout::Checkout;
use crate::diagnostic::{Code, Diagnostic, Failure};
use crate::layout::gap;
use crate::model::Release;
use crate::schema::release::check_tag;
use crate::standing::Standing;

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
    let after = checkout.after(&change)?;
    let proofs = proven(release, application, &after, &change)?;
    let routes = Standing::of(application, release).routes();
    Ok(Some(Transition {
        workload: release.workload.clone(),
        purpose: Purpose::MovePin,
        before: routes.clone(),
        after: routes,
        change,
        notices: Vec::new(),
        proofs,
    }))
}
