//! Where a release stands: what the files of every environment say, and what in them differs from what it needs.

use indexmap::IndexMap;

use crate::diagnostic::{Code, Diagnostic};
use crate::layout;
use crate::model::{Application, Release, Routes, Version, Weight};
use crate::phase::{Position, recognise};
use crate::provider::{Observed, observe};

/// Where a release stands, per environment and together.
#[derive(Debug, Clone)]
pub struct Standing {
    /// What each environment's objects say.
    pub environments: IndexMap<String, Observed>,
    /// The phase they add up to.
    pub position: Position,
}

impl Standing {
    /// Observes a release in every environment.
    pub fn of(application: &Application, release: &Release) -> Self {
        let observe = |name: &String| (name.clone(), observe(application, release, name));
        let environments: IndexMap<_, _> = application.environments.keys().map(observe).collect();
        let position = recognise(&environments, release.course(), release.origin.is_some());
        Self {
            environments,
            position,
        }
    }

    /// What the routes name, per environment.
    pub fn routes(&self) -> IndexMap<String, Routes> {
        self.environments
            .iter()
            .map(|(name, observed)| (name.clone(), observed.routes))
            .collect()
    }

    /// Whether the release has a preview for an environment that is parked: for this one, or any.
    pub fn is_preview_ahead(&self, release: &Release, environment: Option<&str>) -> bool {
        let parked = Routes::Both(Weight::ZERO);
        self.environments.iter().any(|(name, observed)| {
            environment.is_none_or(|only| only == name)
                && observed.routes == parked
                && release.previewed(name, Weight::ZERO) != parked
        })
    }

    /// Whether the workload runs the new version as its copy does, in some environment.
    pub fn is_promoted(&self) -> bool {
        self.environments.values().any(|observed| observed.promoted)
    }

    /// Whether a flag makes the canary side run the new version, in some environment.
    pub fn is_shipped(&self) -> bool {
        self.environments.values().any(|observed| observed.shipped)
    }

    /// Everything that differs from what the release needs, each once.
    pub fn drift(&self, application: &Application, release: &Release) -> Vec<Diagnostic> {
        let mut drift: Vec<Diagnostic> = Vec::new();
        for found in self.environments.values().flat_map(|observed| &observed.drift) {
            if !drift.contains(found) {
                drift.push(found.clone());
            }
        }
        if matches!(self.position, Position::Unclear(_) | Position::Between(..)) {
            drift.extend(undoing(application));
        }
        drift.extend(pin_drift(application, release));
        drift
    }
}

/// Patches of the user's that undo ours, each once.
pub(crate) fn undoing(application: &Application) -> Vec<Diagnostic> {
    let mut found: Vec<Diagnostic> = application
        .environments
        .keys()
        .flat_map(|name| layout::undoing(application, name))
        .collect();
    found.dedup();
    found
}

/// A release file that disagrees with the copy's image: after `split` the pin in the spec is what counts.
fn pin_drift(application: &Application, release: &Release) -> Option<Diagnostic> {
    let origin = release.origin.as_ref()?;
    if release.copy_runs == Version::Canary {
        return None;
    }
    let image = application.workloads.get(&release.copy)?.image.as_ref()?;
    let (recorded, pinned) = (release.stable.tag.as_ref()?, image.tag.as_ref()?);
    (recorded != pinned).then(|| {
        let message = format!(
            "`{}` runs {pinned}, the release file says {recorded}",
            release.copy
        );
        Diagnostic::warning(Code::Drift, message)
            .at(origin.below(&["stable", "image", "tag"]))
            .related(image.origin.clone(), "the pin that counts")
            .hint(format!(
                "run `tidegate hotfix --stable-tag {pinned}` to record it"
            ))
    })
}
