//! `tidegate status`: where releases stand.

use std::mem::ManuallyDrop;

use tidegate_core::checkout::Checkout;
use tidegate_core::delegated;
use tidegate_core::diagnostic::{Diagnostic, Severity};
use tidegate_core::model::Application;
use tidegate_core::phase::Position;
use tidegate_core::standing::Standing;
use tidegate_core::transition::disagree;

use super::{Outcome, Stop, show, show_notices};
use crate::args::{StatusArgs, StatusFormat};
use crate::report::{self, status};
use crate::workspace::Workspace;
use crate::{
    disk,
    report::status::{Delegated, Standpoint},
};

pub(crate) fn run(workspace: &Workspace, args: &StatusArgs) -> Result<Outcome, Stop> {
    if let Some(journal) = disk::pending(workspace.root(), workspace.git_dir())? {
        report::message(&format!(
            "a write was interrupted ({journal}); the next command that writes finishes it\n"
        ));
    }
    // The command ends with what it prints: nothing of the applications need be taken down before.
    let mut checkouts: ManuallyDrop<Vec<Checkout<'_>>> = ManuallyDrop::default();
    for folder in workspace.application_folders()? {
        checkouts.push(workspace.load(&folder)?);
    }
    let wanted = args.release.workload.as_deref();
    let mut standings = Vec::new();
    for checkout in checkouts.iter() {
        show_notices(workspace, &checkout.application);
        for release in &checkout.application.releases {
            if wanted.is_none_or(|wanted| release.workload == wanted) {
                standings.push((checkout, release, Standing::of(&checkout.application, release)));
            }
        }
    }
    let mut delegations = Vec::new();
    for checkout in checkouts.iter() {
        for delegation in &checkout.application.delegations {
            if wanted.is_none_or(|wanted| delegation.workload == wanted) {
                let standing = delegated::Standing::of(&checkout.application, delegation);
                delegations.push((checkout, delegation, standing));
            }
        }
    }
    let delegated: Vec<Delegated<'_>> = delegations
        .iter()
        .map(|(checkout, delegation, standing)| {
            let application = &checkout.application;
            let command = next_of(application, &delegation.workload);
            Delegated {
                application,
                delegation,
                standing,
                next: workspace.command_in(&application.at, &command),
                look: delegated::look(application, delegation),
            }
        })
        .collect();
    let standpoints: Vec<Standpoint<'_>> = standings
        .iter()
        .map(|(checkout, release, standing)| {
            let application = &checkout.application;
            let command = next_of(application, &release.workload);
            Standpoint {
                application,
                release,
                standing,
                next: workspace.command_in(&application.at, &command),
            }
        })
        .collect();
    match args.format {
        StatusFormat::Json => {
            report::product(&status::json(&standpoints, &delegated).map_err(anyhow::Error::from)?)?
        }
        StatusFormat::Text => {
            let width = report::terminal_width();
            report::product(
                &standpoints
                    .iter()
                    .map(|standpoint| status::text(standpoint, width))
                    .collect::<String>(),
            )?;
            report::product(&delegated.iter().map(Delegated::text).collect::<String>())?;
            for checkout in checkouts.iter().filter(|checkout| {
                let application = &checkout.application;
                application.releases.is_empty() && application.delegations.is_empty()
            }) {
                let name = report::escape(&checkout.application.name).into_owned();
                let init = workspace.command_in(&checkout.application.at, "init");
                report::product(&format!("{name}: no release (`{init}` starts one)\n"))?;
                for (workload, controller) in delegated::given(&checkout.application) {
                    let (workload, controller) = (report::escape(workload), controller.as_str());
                    report::product(&format!(
                        "  {controller} has {workload} and moves its requests to each new image\n"
                    ))?;
                }
            }
        }
    }
    let problems: Vec<Diagnostic> = standings
        .iter()
        .flat_map(|(checkout, release, standing)| {
            let far_apart = match &standing.position {
                Position::Disagree(phases) => Some(disagree(standing, phases)),
                _ => None,
            };
            standing
                .drift(&checkout.application, release)
                .into_iter()
                .chain(far_apart)
        })
        .collect();
    let unclear = delegations
        .iter()
        .filter(|(_, _, standing)| standing.position == delegated::Position::Unclear);
    let unclear: Vec<Diagnostic> = unclear
        .map(|(_, delegation, standing)| delegated::unclear(delegation, standing))
        .collect();
    let problems = [problems, unclear].concat();
    show(Some(workspace), &problems);
    let is_wrong = problems.iter().any(|problem| problem.severity == Severity::Error);
    Ok(if is_wrong { Outcome::Refused } else { Outcome::Fine })
}

/// The command that makes the next transition of a release.
fn next_of(application: &Application, workload: &str) -> String {
    match application.releases.len() + application.delegations.len() {
        1 => "next".to_owned(),
        _ => format!("next --workload {workload}"),
    }
}
