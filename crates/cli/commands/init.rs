//! `tidegate init`: looks at the repository and writes a release file.

use tidegate_core::diagnostic::{Code, Diagnostic};
use tidegate_core::preview::{Preview, RequestMatch};
use tidegate_core::schema::preview::parse_mirror;
use tidegate_core::start::{self, StartRequest};

use super::write::{Guard, finish};
use super::{Outcome, Stop};
use crate::args::InitArgs;
use crate::report;
use crate::workspace::Workspace;

/// What `--match` and `--mirror` say.
fn preview(args: &InitArgs) -> Result<Preview, Diagnostic> {
    let matches = args.matches.iter().map(|text| RequestMatch::parse(text));
    let mirror = args.mirror.as_ref().map(|text| {
        let number = text.strip_suffix('%').unwrap_or(text).parse::<u64>();
        let percent = number.map_err(|_| {
            let message = format!("`{text}` is not a share of the requests");
            Diagnostic::error(Code::InvalidValue, message).hint("write it in percent: --mirror 10%")
        })?;
        parse_mirror(percent)
    });
    Ok(Preview {
        matches: matches.collect::<Result<_, _>>()?,
        mirror: mirror.transpose()?,
    })
}

pub(crate) fn run(workspace: &Workspace, args: &InitArgs) -> Result<Outcome, Stop> {
    let folder = workspace.application_folder("init")?;
    let checkout = workspace.load(&folder)?;
    let request = StartRequest {
        workload: args.release.workload.clone(),
        provider: args.provider.clone(),
        stable_tag: args.stable_tag.clone(),
        canary_tag: args.canary_tag.clone(),
        flag: args.flag.clone(),
        steps: args.steps.clone(),
        preview: preview(args)?,
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
