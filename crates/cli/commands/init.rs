//! `tidegate init`: looks at the repository and writes a release file.

use tidegate_core::start::{self, StartRequest};

use super::write::{Guard, finish};
use super::{Outcome, Stop};
use crate::args::InitArgs;
use crate::report;
use crate::workspace::Workspace;

pub(crate) fn run(workspace: &Workspace, args: &InitArgs) -> Result<Outcome, Stop> {
    let folder = workspace.application_folder("init")?;
    let checkout = workspace.load(&folder)?;
    let request = StartRequest {
        workload: args.release.workload.clone(),
        provider: args.provider.clone(),
        stable_tag: args.stable_tag.clone(),
        canary_tag: args.canary_tag.clone(),
        steps: args.steps.clone(),
        adopt: args.adopt,
    };
    let started = start::start(&checkout, &request)?;
    report::sentences(&report::start::assumptions(&started));
    match &started.transition {
        Some(transition) => finish(
            workspace,
            &checkout.application,
            transition,
            &args.write,
            Guard::Overwritten,
        ),
        None => Ok(Outcome::Fine),
    }
}
