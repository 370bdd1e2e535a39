//! `tidegate plan`: every remaining transition of a release.

use tidegate_core::change::ChangeSet;
use tidegate_core::delegated;
use tidegate_core::plan::remaining;

use super::{Outcome, Stop, Subject, choose, no_release, show_notices};
use crate::args::{PlanArgs, PlanFormat};
use crate::report::{self, plan};
use crate::workspace::Workspace;

pub(crate) fn run(workspace: &Workspace, args: &PlanArgs) -> Result<Outcome, Stop> {
    let Some(chosen) = choose(workspace, args.release.workload.as_deref(), "plan")? else {
        return Ok(no_release());
    };
    let first = ChangeSet::default();
    let (workload, steps) = match chosen.subject() {
        Subject::Release(release) => (
            &release.workload,
            remaining(&chosen.checkout, &first, &release.workload)?,
        ),
        Subject::Delegation(delegation) => (
            &delegation.workload,
            delegated::remaining(&chosen.checkout, &first, &delegation.workload)?,
        ),
    };
    show_notices(workspace, &chosen.checkout.application);
    let name = &chosen.checkout.application.name;
    let text = match args.format {
        PlanFormat::Text => plan::text(name, workload, &steps),
        PlanFormat::Markdown => plan::markdown(name, workload, &steps),
        PlanFormat::Json => plan::json(name, workload, &steps).map_err(anyhow::Error::from)?,
    };
    report::product(&text)?;
    Ok(Outcome::Fine)
}
