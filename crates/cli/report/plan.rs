//! A plan: for people, for a pull request, for programs.

use serde::Serialize;
use tidegate_core::change::FileChange;
use tidegate_core::model::Routes;
use tidegate_core::plan::Step;

use super::escape;
use super::transition::{about, name, proof, shares, traffic};

/// The plan for a person at a terminal.
pub(crate) fn text(application: &str, workload: &str, steps: &[Step]) -> String {
    let title = format!("{}/{}", escape(application), escape(workload));
    let mut text = format!(
        "{title}: {} transitions, one commit each; shares are stable/canary\n",
        steps.len()
    );
    for (index, step) in steps.iter().enumerate() {
        let transition = &step.transition;
        text.push_str(&format!(
            "\n{}. {}: {}\n",
            index + 1,
            name(transition),
            about(transition)
        ));
        for line in traffic(transition) {
            text.push_str(&format!("     {line}\n"));
        }
        text.push_str("   files\n");
        for change in transition.change.iter() {
            text.push_str(&format!(
                "     {} {}\n",
                verb(change),
                escape(change.path.as_str())
            ));
        }
        text.push_str(&format!("   proof\n     {}\n", proof(transition)));
        text.push_str("   before merging\n");
        for precondition in &step.preconditions {
            text.push_str(&format!(
                "     - {}\n         {}\n",
                escape(&precondition.what),
                escape(&precondition.command)
            ));
        }
        text.push_str(&format!("   undo\n     {}\n", step.undo));
    }
    text
}

/// The plan as a person would paste it into a pull request: the next transition open, the rest folded.
pub(crate) fn markdown(application: &str, workload: &str, steps: &[Step]) -> String {
    let mut text = format!("## Canary `{}/{}`\n\n", code(application), code(workload));
    text.push_str(&format!(
        "{} transitions to a tidy repository, one commit each. Shares are stable/canary.\n",
        steps.len()
    ));
    for (index, step) in steps.iter().enumerate() {
        let transition = &step.transition;
        let heading = format!("{}. {}: {}", index + 1, name(transition), about(transition));
        match index {
            0 => text.push_str(&format!("\n### {heading}\n\n")),
            _ => text.push_str(&format!("\n<details><summary>{heading}</summary>\n\n")),
        }
        text.push_str("| environment | before | after |\n| --- | --- | --- |\n");
        for (environment, after) in &transition.after {
            let before = transition
                .before
                .get(environment)
                .copied()
                .unwrap_or(Routes::Plain);
            text.push_str(&format!(
                "| {} | {} | {} |\n",
                code(environment),
                shares(before),
                shares(*after)
            ));
        }
        text.push('\n');
        for change in transition.change.iter() {
            text.push_str(&format!(
                "- {} `{}`\n",
                verb(change).trim(),
                code(change.path.as_str())
            ));
        }
        text.push_str(&format!("\nProof: {}.\n", proof(transition)));
        text.push_str("\nBefore merging:\n\n");
        for precondition in &step.preconditions {
            text.push_str(&format!(
                "- [ ] {}\n      `{}`\n",
                code(&precondition.what),
                code(&precondition.command)
            ));
        }
        text.push_str(&format!("\nUndo: {}.\n", step.undo));
        if index > 0 {
            text.push_str("\n</details>\n");
        }
    }
    text
}

/// Text of the input that cannot end a code span or start a tag.
fn code(text: &str) -> String {
    escape(text).replace('`', "'").replace('<', "&lt;")
}

fn verb(change: &FileChange) -> &'static str {
    match (&change.before, &change.after) {
        (None, _) => "add   ",
        (_, None) => "remove",
        _ => "edit  ",
    }
}

#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    application: &'a str,
    workload: &'a str,
    transitions: Vec<Entry<'a>>,
}

#[derive(Serialize)]
struct Entry<'a> {
    name: String,
    about: &'static str,
    environments: Vec<Environment<'a>>,
    files: Vec<File<'a>>,
    preconditions: Vec<Precondition<'a>>,
    undo: &'a str,
}

#[derive(Serialize)]
struct Environment<'a> {
    name: &'a str,
    canary_percent_before: Option<u8>,
    canary_percent_after: Option<u8>,
    states: Option<u64>,
}

#[derive(Serialize)]
struct File<'a> {
    path: &'a str,
    action: &'static str,
}

#[derive(Serialize)]
struct Precondition<'a> {
    what: &'a str,
    command: &'a str,
}

/// The plan as JSON: schema `tidegate.dev/plan/v1`.
///
/// Shape: `transitions[]` in order, with the canary's share per environment in percent (null where no version is
/// named) and the number of states in which it was shown to be safe, files with `add`, `edit` or `remove`, preconditions with their command, and undo. Fields are added, never
/// renamed, within v1.
pub(crate) fn json(application: &str, workload: &str, steps: &[Step]) -> serde_json::Result<String> {
    let transitions = steps.iter().map(entry).collect();
    let document = Document {
        schema: "tidegate.dev/plan/v1",
        application,
        workload,
        transitions,
    };
    Ok(serde_json::to_string_pretty(&document)? + "\n")
}

fn entry(step: &Step) -> Entry<'_> {
    let transition = &step.transition;
    let percent = |routes: Option<&Routes>| routes?.canary().map(|canary| canary.percent());
    let environments = transition.after.iter().map(|(name, after)| Environment {
        name,
        canary_percent_before: percent(transition.before.get(name)),
        canary_percent_after: percent(Some(after)),
        states: transition
            .proofs
            .get(name)
            .map(|proof| u64::try_from(proof.states).unwrap_or(u64::MAX)),
    });
    let files = transition.change.iter().map(|change| File {
        path: change.path.as_str(),
        action: verb(change).trim(),
    });
    let preconditions = step.preconditions.iter().map(|one| Precondition {
        what: &one.what,
        command: &one.command,
    });
    Entry {
        name: name(transition),
        about: about(transition),
        environments: environments.collect(),
        files: files.collect(),
        preconditions: preconditions.collect(),
        undo: &step.undo,
    }
}
