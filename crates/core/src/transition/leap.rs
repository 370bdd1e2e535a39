//! From what an environment runs to what a transition writes: production lags, and one sync may jump over several
//! commits.

use super::Transition;
use super::refusals::check_environment;
use crate::checkout::Checkout;
use crate::diagnostic::{Diagnostic, Failure, Severity};
use crate::model::Environment;
use crate::prover::{Proof, Question, Subject, prove, repair};

/// What an environment runs.
#[derive(Debug, Clone)]
pub struct Deployed {
    /// The revision, as messages name it.
    pub revision: String,
    /// The environment as that revision has it.
    pub environment: Environment,
}

/// One sync from what an environment runs to what a transition writes, safe in every state between.
#[derive(Debug, Clone)]
pub struct Leap {
    /// Why it is safe.
    pub proof: Proof,
    /// Warnings to show with it.
    pub notices: Vec<Diagnostic>,
}

/// Shows that one sync may take an environment from what it runs to what a transition writes.
///
/// `stops` are the revisions between, the latest first. They are asked for only where the sync is not safe, to name
/// the first of them that the environment may be taken to instead.
///
/// Errors: a state in which requests fail, with the revision to promote first, or else the fewest commits.
pub fn leap(
    checkout: &Checkout<'_>,
    transition: &Transition,
    deployed: &Deployed,
    stops: impl IntoIterator<Item = Deployed>,
) -> Result<Leap, Failure> {
    let after = checkout.after(&transition.change)?;
    let before = &deployed.environment;
    check_environment(&after, &before.name)?;
    let subject = Subject {
        before,
        after: &after.environments[&before.name],
        revision: Some(&deployed.revision),
        is_changed: &|file| transition.change.iter().any(|change| change.path == *file),
    };
    let question = Question::default();
    let prove_to = |to: &Environment| prove(transition.system, &before.rendered, &to.rendered, question);
    let proof = prove_to(subject.after);
    if proof.is_safe() {
        let notices = proof.diagnostics(&subject, None, question.order);
        return Ok(Leap { proof, notices });
    }
    let stop = stops.into_iter().find(|stop| {
        let proof = prove_to(&stop.environment);
        proof.is_safe() && !proof.changes.is_empty()
    });
    let Some(Deployed { revision, .. }) = stop else {
        let rendered = (&before.rendered, &subject.after.rendered);
        let repair = repair(transition.system, rendered.0, rendered.1, question, &proof);
        return Err(proof
            .diagnostics(&subject, repair.as_ref(), question.order)
            .into());
    };
    let name = &before.name;
    let hint = format!("promote {name} to `{revision}` first, then say `--deployed {name}={revision}`");
    let problems = proof.diagnostics(&subject, None, question.order).into_iter();
    let problems = problems.map(|problem| match problem.severity {
        Severity::Error => problem.hint(hint.clone()),
        _ => problem,
    });
    Err(problems.collect::<Vec<_>>().into())
}
