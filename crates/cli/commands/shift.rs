//! `tidegate shift`: sets the canary's share in one environment.

use tidegate_core::diagnostic::{Code, Diagnostic};
use tidegate_core::model::Weight;
use tidegate_core::transition;

use super::write::Guard;
use super::{Outcome, Stop, choose, deployed, missing_release};
use crate::args::ShiftArgs;
use crate::report;
use crate::workspace::Workspace;

pub(crate) fn run(workspace: &Workspace, args: &ShiftArgs) -> Result<Outcome, Stop> {
    let weight = Weight::new(args.to).ok_or_else(|| {
        Diagnostic::error(
            Code::InvalidValue,
            format!("{} is not a share in percent", args.to),
        )
    })?;
    let command = format!("shift --env {} --to {}", args.env, args.to);
    let Some(chosen) = choose(workspace, args.release.workload.as_deref(), &command)? else {
        return Err(missing_release());
    };
    let release = chosen.release("shift")?;
    let application = &chosen.checkout.application;
    let Some(transition) = transition::shift(&chosen.checkout, release, &args.env, weight)? else {
        report::message(&format!(
            "the canary has {weight} percent in {} already: nothing to do\n",
            args.env
        ));
        return Ok(Outcome::Fine);
    };
    deployed::check(workspace, &chosen, &args.deployed, &transition)?;
    report::message(&report::transition::live(application, release, &transition));
    chosen.finish(workspace, &transition, &args.write, Guard::Overwritten)
}
