//! Why a transition is not made: what the files or the request lack.

use indexmap::IndexMap;

use crate::diagnostic::{Code, Diagnostic, Failure, Severity};
use crate::layout::LayoutId;
use crate::model::{Application, Order, Release};
use crate::phase::{Incomplete, Phase, Position};
use crate::provider::ProviderId;
use crate::schema::release;
use crate::standing::{Standing, undoing};

/// Where the files are in no phase because a patch undoes ours, that patch is the problem.
pub(super) fn refuse_undone(application: &Application, standing: &Standing) -> Result<(), Failure> {
    if !matches!(standing.position, Position::Unclear(_)) {
        return Ok(());
    }
    let undoing = undoing(application);
    if undoing.is_empty() {
        Ok(())
    } else {
        Err(undoing.into())
    }
}

/// Routes that cannot be read are an error for every command that would change them.
pub(super) fn refuse_broken(standing: &Standing) -> Result<(), Failure> {
    let drift = standing
        .environments
        .values()
        .flat_map(|observed| &observed.drift);
    let mut errors: Vec<Diagnostic> = drift
        .filter(|diagnostic| diagnostic.severity == Severity::Error)
        .cloned()
        .collect();
    errors.dedup();
    if errors.is_empty() {
        Ok(())
    } else {
        Err(errors.into())
    }
}

pub(super) fn check_supported(application: &Application, release: &Release) -> Result<(), Diagnostic> {
    let at = |diagnostic: Diagnostic, key: &str| match &release.origin {
        Some(origin) => diagnostic.at(origin.below(&[key])),
        None => diagnostic,
    };
    let layout = application.layout;
    if !layout.carries(release.provider.form()) {
        let (provider, layout) = (release.provider.as_str(), layout.as_str());
        let message = format!("the provider {provider} cannot be used in the layout {layout}");
        let unsupported = Diagnostic::error(Code::Unsupported, message);
        return Err(at(unsupported, "provider").hint("write the provider that `tidegate init` found"));
    }
    let wanted = release.provider.form().copy_runs();
    if release.copy_runs != wanted {
        let message = format!(
            "with {} the copy runs the {wanted} version",
            release.provider.as_str()
        );
        let unsupported = Diagnostic::error(Code::Unsupported, message);
        return Err(at(unsupported, "copy").hint(format!("write `copy: {wanted}`")));
    }
    let writes_waves = release.provider == ProviderId::Istio && layout == LayoutId::Gap;
    if release.order == Order::ArgoCd && !writes_waves {
        let message = "`order: argocd` is known for the provider istio in the layout gap";
        let unsupported = Diagnostic::error(Code::Unsupported, message);
        return Err(at(unsupported, "order").hint("leave the key out: every transition is safe in any order"));
    }
    Ok(())
}

/// Checks the name of an environment given by a user.
pub fn check_environment(application: &Application, name: &str) -> Result<(), Diagnostic> {
    release::check_environment(name, application.environments.keys().map(String::as_str))
}

/// Says that the environments are too far apart.
pub fn disagree(standing: &Standing, phases: &IndexMap<String, Phase>) -> Diagnostic {
    let list: Vec<String> = phases
        .iter()
        .map(|(name, phase)| format!("{name} is in {phase}"))
        .collect();
    let message = format!(
        "the environments are more than one phase apart: {}",
        list.join(", ")
    );
    let furthest = phases.iter().max_by_key(|(_, phase)| **phase);
    let at = furthest.and_then(|(name, _)| standing.environments.get(name)?.routes_at.clone());
    let mut disagree = Diagnostic::error(Code::EnvironmentsDisagree, message);
    disagree.location = at;
    disagree
        .hint("revert the last commit that touched only one of them, or write the missing files of the other")
}

/// Says that the files are in no phase.
pub fn unclear(nearest: &[Incomplete]) -> Diagnostic {
    let message = "the files are in no phase, nor between two";
    nearest.iter().fold(
        Diagnostic::error(Code::AmbiguousPhase, message),
        |diagnostic, incomplete| {
            let missing: Vec<&str> = incomplete.missing.iter().map(|missing| missing.what).collect();
            let phase = incomplete.phase;
            diagnostic.hint(format!(
                "`tidegate next --to {phase}` completes {phase}; it lacks: {}",
                missing.join("; ")
            ))
        },
    )
}

pub(super) fn ambiguous(one: Phase, other: Phase) -> Diagnostic {
    let message =
        format!("this canary was made by hand and may be in {one} or in {other}: the files look the same");
    Diagnostic::error(Code::AmbiguousPhase, message)
        .hint("if the new code is not out yet, run `tidegate next --to park`")
        .hint("if the new code serves everybody, run `tidegate next --to retire`")
}
