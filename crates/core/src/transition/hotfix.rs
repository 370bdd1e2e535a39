//! Another image for the stable version while a canary runs.

use super::refusals::check_supported;
use super::{Purpose, Transition, proven};
use crate::change::{ChangeSet, FileChange};
use crate::checkout::Checkout;
use crate::diagnostic::{Code, Diagnostic, Failure};
use crate::layout;
use crate::model::{Release, Version};
use crate::release_file;
use crate::schema::release::check_tag;
use crate::standing::Standing;

/// Moves the image that the stable version is pinned to; `None` where it is there already.
pub fn hotfix(checkout: &Checkout<'_>, release: &Release, tag: &str) -> Result<Option<Transition>, Failure> {
    check_supported(&checkout.application, release)?;
    if let Some(flag) = release.flag() {
        let message = format!(
            "both versions run the same image, and `{}` chooses: there is no pin to move",
            flag.name
        );
        let refused = Diagnostic::error(Code::Unsupported, message);
        let hint = "ship the fix as always: both versions get it";
        return Err(refused.hint(hint).into());
    }
    if let Some(wrong) = check_tag(tag) {
        return Err(wrong.into());
    }
    let application = &checkout.application;
    let image = application
        .workloads
        .get(release.workload_of(Version::Stable))
        .and_then(|copy| copy.image.as_ref());
    if image.is_none() {
        let stable = release.workload_of(Version::Stable);
        let message = format!("there is no stable version `{stable}` to fix");
        let hint = "`tidegate status` says where the release stands";
        return Err(Diagnostic::error(Code::NotInThisPhase, message).hint(hint).into());
    }
    let mut changes: Vec<FileChange> =
        layout::set_tag(application, release.workload_of(Version::Stable), tag)?;
    changes.extend(release_file::set_pin(application, release, tag)?);
    let change = ChangeSet::new(changes);
    if change.is_empty() {
        return Ok(None);
    }
    let after = checkout.after(&change)?;
    let proofs = proven(release.provider, application, &after, &change)?;
    let routes = Standing::of(application, release).routes();
    Ok(Some(Transition {
        workload: release.workload.clone(),
        system: release.provider.into(),
        has_flag: false,
        purpose: Purpose::MovePin,
        before: routes.clone(),
        after: routes,
        change,
        notices: Vec::new(),
        proofs,
    }))
}
