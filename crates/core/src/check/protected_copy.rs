//! A copy that may not be deleted: the end of its release could not take it away.
//!
//! Source: the GAP documentation, `deletionProtection`, which labels objects so that nobody deletes them.

use crate::diagnostic::{Code, Diagnostic};
use crate::model::{Application, Release};

const LABEL: &str = "deletionProtection";

/// The label on the Deployment of a copy, as it is deployed.
pub(super) fn find(application: &Application, release: &Release) -> Option<Diagnostic> {
    let mut environments = application.environments.keys();
    let copy = environments.find_map(|name| {
        let copy = application.deployed(name, &release.copy, "apps", "Deployment")?;
        copy.value.pointer("/metadata/labels")?.get(LABEL).map(|_| copy)
    })?;
    let message = format!("{} is protected, so `retire` could not delete it", copy.object);
    Some(
        Diagnostic::warning(Code::ProtectedCopy, message)
            .at(copy.origin.clone())
            .hint(format!(
                "take the label `{LABEL}` off the copy, by a patch of its own"
            )),
    )
}
