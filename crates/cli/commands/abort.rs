//! `tidegate abort`: writes the next commit on the way back to where the release started.

use tidegate_core::{delegated, transition};

use super::write::Guard;
use super::{Outcome, Stop, Subject, choose, deployed, no_release};
use crate::args::AbortArgs;
use crate::report;
use crate::workspace::Workspace;

pub(crate) fn run(workspace: &Workspace, args: &AbortArgs) -> Result<Outcome, Stop> {
    let Some(chosen) = choose(workspace, args.release.workload.as_deref(), "abort")? else {
        return Ok(no_release());
    };
    let transition = match chosen.subject() {
        Subject::Release(release) => transition::abort(&chosen.checkout, release)?,
        Subject::Delegation(delegation) => delegated::abort(&chosen.checkout, delegation)?,
    };
    let Some(transition) = transition else {
        report::message("nothing of the release is left: nothing to do\n");
        return Ok(Outcome::Fine);
    };
    deployed::check(workspace, &chosen, &args.deployed, &transition)?;
    chosen.finish(workspace, &transition, &args.write, Guard::LastTransition)
}
