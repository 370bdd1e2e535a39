//! A copy without the autoscaler or the disruption budget that its workload has.
//!
//! Such a copy serves while it gets little: with the load of all it stays at its first number of pods, and a drained node may
//! take every one of them. What a release of ours copies is complete; a copy made by hand may not be, and what is added
//! for the workload meanwhile is not. Sources: the GAP canary guide's phase 1; Kubernetes, "Horizontal Pod Autoscaling"
//! (`scaleTargetRef`), "Specifying a Disruption Budget" (`selector`); KEDA, "Scaling Deployments".

use crate::diagnostic::{Code, Diagnostic};
use crate::manifest::{Manifest, ManifestSet};
use crate::model::{Application, Form, Release};
use crate::selector::selects;

/// What may be aimed at a workload's pods and not at its copy's.
#[derive(Clone, Copy)]
enum Companion {
    Autoscaler,
    Budget,
}

impl Companion {
    const ALL: [Self; 2] = [Self::Autoscaler, Self::Budget];

    fn is_for(self, manifest: &Manifest, deployment: &Manifest) -> bool {
        let object = &manifest.object;
        match self {
            Self::Autoscaler => {
                (object.is("autoscaling", "HorizontalPodAutoscaler") || object.is("keda.sh", "ScaledObject"))
                    && manifest
                        .text("/spec/scaleTargetRef/kind")
                        .is_none_or(|kind| kind == "Deployment")
                    && manifest.text("/spec/scaleTargetRef/name") == Some(&deployment.object.name)
            }
            Self::Budget => {
                let selector = manifest.value.pointer("/spec/selector");
                object.is("policy", "PodDisruptionBudget")
                    && selector
                        .zip(deployment.pod_labels())
                        .is_some_and(|(selector, labels)| selects(selector, labels))
            }
        }
    }

    fn of<'a>(self, rendered: &'a ManifestSet, deployment: &Manifest) -> Option<&'a Manifest> {
        let mut manifests = rendered.iter();
        manifests.find(|manifest| {
            manifest.object.namespace == deployment.object.namespace && self.is_for(manifest, deployment)
        })
    }

    fn matters(self) -> &'static str {
        match self {
            Self::Autoscaler => "so the copy stays at its number of pods when it gets all requests",
            Self::Budget => "so a drained node may take all pods of the copy at once",
        }
    }
}

/// One for each kind of companion, at the first environment that shows it.
pub(super) fn find(application: &Application, release: &Release) -> Vec<Diagnostic> {
    if release.provider.form() == Form::Replicas {
        return Vec::new(); // The release itself counts the pods.
    }
    let missing = |companion: Companion| {
        let mut environments = application.environments.iter();
        environments.find_map(|(name, environment)| {
            let of = |workload| application.deployed(name, workload, "apps", "Deployment");
            let (original, copy) = of(&release.workload).zip(of(&release.copy))?;
            let own = companion.of(&environment.rendered, original)?;
            let is_missing = companion.of(&environment.rendered, copy).is_none();
            is_missing.then(|| {
                let message = format!(
                    "{} is for `{}` alone in {name}, {}",
                    own.object,
                    release.workload,
                    companion.matters()
                );
                let hint = format!("write the same for {}", copy.object);
                Diagnostic::warning(Code::IncompleteCopy, message)
                    .at(own.origin.clone())
                    .hint(hint)
            })
        })
    };
    Companion::ALL.into_iter().filter_map(missing).collect()
}
