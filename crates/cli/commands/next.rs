//! `tidegate next`: writes the next transition.

use tidegate_core::delegated::{self, Stage};
use tidegate_core::diagnostic::{Code, Diagnostic};
use tidegate_core::phase::Phase;
use tidegate_core::schema::release::known_names;
use tidegate_core::transition::{self, NextRequest};

use super::write::Guard;
use super::{Outcome, Stop, Subject, all_at_once, choose, deployed, no_release};
use crate::args::NextArgs;
use crate::report;
use crate::workspace::Workspace;

pub(crate) fn run(workspace: &Workspace, args: &NextArgs) -> Result<Outcome, Stop> {
    let Some(chosen) = choose(workspace, args.release.workload.as_deref(), "next")? else {
        return Ok(no_release());
    };
    let transition = match chosen.subject() {
        Subject::Release(release) => {
            let request = NextRequest {
                environment: args.env.clone(),
                to: args.to.as_deref().map(parse_phase).transpose()?,
            };
            transition::next(&chosen.checkout, release, &request)?
        }
        Subject::Delegation(delegation) => {
            all_at_once(args.env.as_deref())?;
            let to = args.to.as_deref().map(parse_stage).transpose()?;
            delegated::next(&chosen.checkout, delegation, to)?
        }
    };
    match transition {
        Some(transition) => {
            deployed::check(workspace, &chosen, &args.deployed, &transition)?;
            chosen.finish(workspace, &transition, &args.write, Guard::LastTransition)
        }
        None => {
            report::message(&report::transition::nothing_to_do(
                &chosen.checkout.application,
                &chosen.subject(),
            ));
            Ok(Outcome::Fine)
        }
    }
}

fn parse_stage(name: &str) -> Result<Stage, Diagnostic> {
    Stage::parse(name).ok_or_else(|| {
        let unknown = Diagnostic::error(Code::UnknownName, format!("there is no phase `{name}`"));
        known_names(unknown, name, Stage::ALL.into_iter().map(Stage::as_str))
    })
}

fn parse_phase(name: &str) -> Result<Phase, Diagnostic> {
    Phase::parse(name).ok_or_else(|| {
        let unknown = Diagnostic::error(Code::UnknownName, format!("there is no phase `{name}`"));
        known_names(unknown, name, Phase::ALL.into_iter().map(Phase::as_str))
    })
}
