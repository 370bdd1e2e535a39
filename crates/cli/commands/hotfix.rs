//! `tidegate hotfix`: moves the image that the stable version is pinned to.

use tidegate_core::transition;

use super::write::Guard;
use super::{Outcome, Stop, choose, deployed, missing_release};
use crate::args::HotfixArgs;
use crate::report;
use crate::workspace::Workspace;

pub(crate) fn run(workspace: &Workspace, args: &HotfixArgs) -> Result<Outcome, Stop> {
    let command = format!("hotfix --stable-tag {}", args.stable_tag);
    let Some(chosen) = choose(workspace, args.release.workload.as_deref(), &command)? else {
        return Err(missing_release());
    };
    let release = chosen.release("fix")?;
    let Some(transition) = transition::hotfix(&chosen.checkout, release, &args.stable_tag)? else {
        report::message("the stable version is pinned to it already: nothing to do\n");
        return Ok(Outcome::Fine);
    };
    deployed::check(workspace, &chosen, &args.deployed, &transition)?;
    chosen.finish(workspace, &transition, &args.write, Guard::Overwritten)
}
