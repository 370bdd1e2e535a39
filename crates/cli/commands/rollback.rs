//! `tidegate rollback`: sends all requests back to the stable version.

use tidegate_core::{delegated, transition};

use super::write::Guard;
use super::{Outcome, Stop, Subject, all_at_once, choose, deployed, missing_release};
use crate::args::RollbackArgs;
use crate::report;
use crate::workspace::Workspace;

pub(crate) fn run(workspace: &Workspace, args: &RollbackArgs) -> Result<Outcome, Stop> {
    let Some(chosen) = choose(workspace, args.release.workload.as_deref(), "rollback")? else {
        return Err(missing_release());
    };
    let transition = match chosen.subject() {
        Subject::Release(release) => transition::rollback(&chosen.checkout, release, args.env.as_deref())?,
        Subject::Delegation(delegation) => {
            all_at_once(args.env.as_deref())?;
            delegated::rollback(&chosen.checkout, delegation)?
        }
    };
    let Some(transition) = transition else {
        report::message("the stable version has all requests already: nothing to do\n");
        return Ok(Outcome::Fine);
    };
    deployed::check(workspace, &chosen, &args.deployed, &transition)?;
    if let Subject::Release(release) = chosen.subject() {
        let application = &chosen.checkout.application;
        report::message(&report::transition::live(application, release, &transition));
    }
    chosen.finish(workspace, &transition, &args.write, Guard::Overwritten)
}
