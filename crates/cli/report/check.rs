//! What `check` says at the end.

use tidegate_core::check::{Judgement, Verdict};
use tidegate_core::prover::Order;
use tidegate_core::repo::RepoPath;

use super::escape;

/// How many of what were looked at.
#[derive(Debug, Default)]
pub(crate) struct Summary {
    applications: usize,
    ignored: usize,
    lines: Vec<String>,
}

impl Summary {
    /// Of one application.
    pub(crate) fn of(folder: &RepoPath, verdict: &Option<Verdict>, ignored: usize) -> Self {
        let mut summary = Self {
            applications: 1,
            ignored,
            lines: Vec::new(),
        };
        for (environment, Judgement { proof, .. }) in verdict.iter().flat_map(|verdict| &verdict.judgements) {
            if proof.changes.is_empty() {
                continue;
            }
            let verdict = if proof.is_safe() { "safe" } else { "UNSAFE" };
            summary.lines.push(format!(
                "{}: {}: {verdict}; {} objects change, {} states, {} kinds of requests\n",
                escape(&folder.to_string()),
                escape(environment),
                proof.changes.len(),
                proof.states,
                proof.requests
            ));
        }
        summary
    }

    /// Adds another.
    pub(crate) fn append(&mut self, other: Self) {
        self.applications += other.applications;
        self.ignored += other.ignored;
        self.lines.extend(other.lines);
    }

    /// What was compared, and the verdict on each environment that changes; nothing where no application was looked at,
    /// so that a hook stays silent in a repository without any.
    pub(crate) fn text(&self, described: &str, order: Order) -> String {
        if self.applications == 0 {
            return String::new();
        }
        let order = match order {
            Order::Any => "any order",
            Order::ArgoCd => "the order of Argo CD",
        };
        let applications = match self.applications {
            1 => "1 application".to_owned(),
            count => format!("{count} applications"),
        };
        let ignored = match self.ignored {
            0 => String::new(),
            count => format!(", {count} ignored with a reason"),
        };
        format!(
            "{}{applications} checked, {}, applied in {order}{ignored}\n",
            self.lines.concat(),
            escape(described)
        )
    }
}
