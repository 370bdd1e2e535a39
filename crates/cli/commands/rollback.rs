//! `tidegate rollback`: sends all requests back to the stable version.

use tidegate_core::transition;

use super::write::Guard;
use super::{Outcome, Stop, choose, deployed, missing_release};
use crate::args::RollbackArgs;
use crate::report;
use crate::workspace::Workspace;

pub(crate) fn run(workspace: &Workspace, args: &RollbackArgs) -> Result<Outcome, Stop> {
    let Some(chosen) = choose(workspace, args.release.workload.as_deref(), "rollback")? else {
        return Err(missing_release());
    };
    let application = &chosen.checkout.application;
    let Some(transition) = transition::rollback(&chosen.checkout, chosen.release(), args.env.as_deref())?
    else {
        report::message("the stable version has all requests already: nothing to do\n");
        return Ok(Outcome::Fine);
    };
    deployed::check(workspace, &chosen, &args.deployed, &transition)?;
    report::message(&report::transition::live(
        application,
        chosen.release(),
        &transition,
    ));
    chosen.finish(workspace, &transition, &args.write, Guard::Overwritten)
}
