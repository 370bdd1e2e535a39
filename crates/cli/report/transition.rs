//! A transition in words: what it does to traffic, what it is called in the history, how to take it back.

use tidegate_core::delegated::{self, Stage};
use tidegate_core::model::{Application, Course, Release, Routes};
use tidegate_core::phase::Position;
use tidegate_core::plan::{live_commands, undo};
use tidegate_core::provider::System;
use tidegate_core::standing::Standing;
use tidegate_core::transition::{Deployed, Leap, Purpose, Transition};

use super::escape;
use crate::commands::Subject;

/// What a transition is called: a phase's name, or what it does.
pub(crate) fn name(transition: &Transition) -> String {
    match &transition.purpose {
        Purpose::Enter(phase) => phase.to_string(),
        Purpose::Stage(stage) => stage.to_string(),
        Purpose::Weights => "weights".to_owned(),
        Purpose::Grow => "grow".to_owned(),
        Purpose::RestoreImage => "restore the stable image".to_owned(),
        Purpose::RestoreFlag => "restore the flag".to_owned(),
        Purpose::MovePin => "move the stable image".to_owned(),
        Purpose::Restore => "write the release's files again".to_owned(),
        Purpose::Start => "start".to_owned(),
    }
}

/// What a transition does, in one sentence without a final stop.
pub(crate) fn about(transition: &Transition) -> &'static str {
    match &transition.purpose {
        Purpose::Enter(phase) => match transition.system {
            System::Provider(provider) => phase.about(Course {
                form: provider.form(),
                ships: transition.has_flag,
            }),
            System::Controller(_) => phase.as_str(),
        },
        Purpose::Stage(stage) => match transition.system {
            System::Controller(controller) => stage.about(controller.controller().takes()),
            System::Provider(_) => stage.as_str(),
        },
        Purpose::Weights => "change the shares of the two versions",
        Purpose::Grow => "add the pods of the version that gets more; the other's go once they are ready",
        Purpose::RestoreFlag => "give the workload the flag's value from before the release back",
        Purpose::RestoreImage => "put the image that ran before the release back on the workload",
        Purpose::MovePin => "give the stable version another image",
        Purpose::Restore => "write the files of the release again, as its phase says",
        Purpose::Start => "write down the release; nothing that is deployed changes",
    }
}

/// The shares of an environment: `stable/canary`, or that no version is named.
pub(crate) fn shares(routes: Routes) -> String {
    match routes.canary() {
        Some(canary) if matches!(routes, Routes::Preview(_)) => {
            format!("{}/{canary} and preview", canary.rest())
        }
        Some(canary) => format!("{}/{canary}", canary.rest()),
        None => "one version".to_owned(),
    }
}

/// One line for each environment: `production: one version → 0/100`.
pub(crate) fn traffic(transition: &Transition) -> Vec<String> {
    let line = |(name, after): (&String, &Routes)| {
        let before = transition.before.get(name).copied().unwrap_or(Routes::Plain);
        match shares(before) == shares(*after) {
            true => format!("{}: {}, as before", escape(name), shares(*after)),
            false => format!("{}: {} → {}", escape(name), shares(before), shares(*after)),
        }
    };
    transition.after.iter().map(line).collect()
}

/// What was written, for the person at the terminal.
pub(crate) fn summary(application: &str, transition: &Transition) -> String {
    let mut text = format!(
        "{}/{}: {}\n",
        escape(application),
        escape(&transition.workload),
        name(transition)
    );
    if transition.purpose != Purpose::Start {
        for line in traffic(transition) {
            text.push_str(&format!("  {line}    (stable/canary)\n"));
        }
    }
    let next = match transition.purpose {
        Purpose::Start => {
            "commit this, then run `tidegate plan` to see what is ahead and `tidegate next` to begin"
        }
        Purpose::Stage(Stage::Trigger) => {
            "commit this, let every environment run it; the controller moves the requests, and `tidegate status` says how to look"
        }
        _ => "commit this, let every environment run it, then look at `tidegate status`",
    };
    text.push_str(&format!("  next: {next}\n"));
    text
}

/// What `--check` says.
pub(crate) fn out_of_date(application: &str, transition: &Transition) -> String {
    let files = transition
        .change
        .iter()
        .map(|change| format!("  {}\n", escape(change.path.as_str())));
    let name = name(transition);
    format!(
        "{}/{}: {name} would write\n{}",
        escape(application),
        escape(&transition.workload),
        files.collect::<String>()
    )
}

/// The message of the one commit: phase, traffic before and after, undo.
pub(crate) fn commit_message(application: &str, transition: &Transition) -> String {
    let subject = match &transition.purpose {
        Purpose::Enter(phase) => format!("canary {application}/{}: {phase}", transition.workload),
        Purpose::Weights => {
            let shares: Vec<String> = transition
                .after
                .iter()
                .map(|(name, routes)| format!("{name} {}", shares(*routes)))
                .collect();
            format!(
                "canary {application}/{}: {}",
                transition.workload,
                shares.join(", ")
            )
        }
        _ => format!(
            "canary {application}/{}: {}",
            transition.workload,
            name(transition)
        ),
    };
    let mut message = format!("{subject}\n\n{}.\n\n", capitalise(about(transition)));
    if !transition.after.is_empty() && transition.purpose != Purpose::Start {
        message.push_str("Traffic (stable/canary):\n");
        for line in traffic(transition) {
            message.push_str(&format!("  {line}\n"));
        }
        message.push('\n');
    }
    message.push_str(&format!("Undo: {}.\n", undo(transition)));
    message
}

/// The kubectl lines that do the same at once.
pub(crate) fn live(application: &Application, release: &Release, transition: &Transition) -> String {
    let changed = transition
        .after
        .iter()
        .filter(|(name, after)| transition.before.get(*name) != Some(*after));
    let commands: Vec<String> = changed
        .flat_map(|(name, after)| {
            let commands = live_commands(application, release, name, *after).into_iter();
            commands.map(move |command| {
                format!(
                    "  # in {}
  {}
",
                    escape(name),
                    escape(&command)
                )
            })
        })
        .collect();
    if commands.is_empty() {
        return String::new();
    }
    let text = commands.concat();
    format!(
        "when Git is too slow, this does the same at once; the commit must follow, or the next sync undoes it:\n{text}"
    )
}

/// Why `next` has nothing to do.
pub(crate) fn nothing_to_do(application: &Application, subject: &Subject<'_>) -> String {
    let (workload, phase) = match subject {
        Subject::Release(release) => {
            let standing = Standing::of(application, release);
            let phase = match standing.position {
                Position::At(phase) => Some(phase.as_str()),
                _ => None,
            };
            (&release.workload, phase)
        }
        Subject::Delegation(delegation) => {
            let standing = delegated::Standing::of(application, delegation);
            let stage = match standing.position {
                delegated::Position::At(stage) => Some(stage.as_str()),
                _ => None,
            };
            (&delegation.workload, stage)
        }
    };
    let workload = escape(workload);
    match phase {
        Some(phase) => format!("{workload} is in {phase} already: nothing to do\n"),
        None => format!("{workload} is there already: nothing to do\n"),
    }
}

fn capitalise(text: &str) -> String {
    let mut letters = text.chars();
    letters
        .next()
        .map(|first| first.to_uppercase().collect::<String>() + letters.as_str())
        .unwrap_or_default()
}

/// Why one sync may take an environment from what it runs to a transition.
pub(crate) fn leap(deployed: &Deployed, leap: &Leap) -> String {
    format!(
        "{}: one sync from `{}` to this is safe in any order, {} states\n",
        escape(&deployed.environment.name),
        escape(&deployed.revision),
        leap.proof.states
    )
}

/// Why a transition may be merged: `safe in any order, 24 states in staging, 24 in production`.
pub(crate) fn proof(transition: &Transition) -> String {
    let states = transition
        .proofs
        .iter()
        .enumerate()
        .map(|(index, (environment, proof))| {
            let word = if index == 0 { " states" } else { "" };
            format!("{}{word} in {}", proof.states, escape(environment))
        });
    format!("safe in any order, {}", states.collect::<Vec<_>>().join(", "))
}
