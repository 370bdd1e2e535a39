//! From where a release stands to the next resting point, checked by reading it back and proven like every transition.

use indexmap::IndexMap;
use serde_json::json;

use super::{Facts, Given, Position, Service, Stage, Standing, own_service, parked, tag, unclear};
use crate::change::{ChangeSet, FileChange};
use crate::checkout::Checkout;
use crate::diagnostic::{Code, Diagnostic, Failure};
use crate::layout::{self, Edit};
use crate::manifest::Manifest;
use crate::model::{Application, Delegation, Environment};
use crate::prover::{Proof, Unjudged};
use crate::provider::kept::{kept, released};
use crate::provider::{Takes, Wanted};
use crate::release_file;
use crate::transition::{Purpose, Transition, proven};

/// The next transition of a release, or the one into a stage; `None` when there is nothing to do.
///
/// From `trigger` a release may also end with the controller staying: `to` is `tidy` then.
///
/// Errors: the stage is not clear, the request does not fit it, or the files cannot carry it.
pub fn next(
    checkout: &Checkout<'_>,
    delegation: &Delegation,
    to: Option<Stage>,
) -> Result<Option<Transition>, Failure> {
    let standing = Standing::of(&checkout.application, delegation);
    let (now, following) = match standing.position {
        Position::At(now) => (now, standing.following(now)),
        // What was begun is finished first.
        Position::Between(one, other) => (one, Some(other)),
        Position::Unclear => return Err(unclear(delegation, &standing).into()),
    };
    let Some(following) = following else {
        return Ok(None);
    };
    let stage = match to {
        None => following,
        Some(to) if to == now && matches!(standing.position, Position::At(_)) => return Ok(None),
        Some(to) if to == following || (to, now) == (Stage::Tidy, Stage::Trigger) => to,
        Some(to) => {
            let message = format!("the release is in {now}: the next phase is {following}, not {to}");
            let problem = Diagnostic::error(Code::NotInThisPhase, message);
            return Err(problem
                .hint("one transition at a time: run `tidegate next`")
                .into());
        }
    };
    enter(checkout, delegation, &standing, stage).map(Some)
}

/// The next commit on the way back to where the release started; `None` when nothing is left of it.
pub fn abort(checkout: &Checkout<'_>, delegation: &Delegation) -> Result<Option<Transition>, Failure> {
    let standing = Standing::of(&checkout.application, delegation);
    if standing.is_new() {
        return restore_image(checkout, delegation).map(Some);
    }
    let stage = match standing.position {
        Position::Unclear => return Err(unclear(delegation, &standing).into()),
        // The earlier of two is nearer to the start until the controller has the workload.
        Position::Between(one, _) if one < Stage::Bootstrap => one,
        Position::Between(one, Stage::Vacate) => one,
        Position::Between(_, other) => other,
        Position::At(stage) => back(delegation, &standing, stage),
    };
    enter(checkout, delegation, &standing, stage).map(Some)
}

/// The stage after which less of a release is left: one at a time until the controller has the workload, from then on those by
/// which it gives the workload back.
fn back(delegation: &Delegation, standing: &Standing, stage: Stage) -> Stage {
    let before = || standing.preceding(stage).filter(|before| *before != Stage::Idle);
    match stage {
        Stage::Idle | Stage::Tidy => Stage::Tidy,
        Stage::Keep | Stage::HandOver => before().unwrap_or(Stage::Tidy),
        Stage::Bootstrap if delegation.stays => Stage::Tidy,
        Stage::Bootstrap | Stage::Vacate | Stage::Trigger => {
            let is_given_back = standing.fits(Stage::Suspend, delegation);
            let after = standing.following(Stage::Suspend).filter(|_| is_given_back);
            after.unwrap_or(Stage::Suspend)
        }
        Stage::Suspend | Stage::GiveBack => standing.following(stage).unwrap_or(Stage::Tidy),
    }
}

/// The image that ran before, back on the workload; `None` where it has it.
pub fn rollback(checkout: &Checkout<'_>, delegation: &Delegation) -> Result<Option<Transition>, Failure> {
    let standing = Standing::of(&checkout.application, delegation);
    match standing.is_new() {
        true => restore_image(checkout, delegation).map(Some),
        false => Ok(None),
    }
}

fn enter(
    checkout: &Checkout<'_>,
    delegation: &Delegation,
    standing: &Standing,
    stage: Stage,
) -> Result<Transition, Failure> {
    let application = &checkout.application;
    let mut edits = Vec::new();
    let mut problems = Vec::new();
    for (name, facts) in &standing.environments {
        let step = Step {
            application,
            delegation,
            environment: &application.environments[name],
            facts: *facts,
        };
        match step.edits(stage) {
            Ok(found) => edits.extend(found),
            Err(problem) => problems.push(problem),
        }
    }
    if !problems.is_empty() {
        return Err(problems.into());
    }
    let recorded = match stage {
        Stage::Tidy => release_file::remove_delegation(application, delegation)?,
        _ => None,
    };
    let purpose = Purpose::Stage(stage);
    make(checkout, delegation, purpose, &edits, recorded)
}

fn restore_image(checkout: &Checkout<'_>, delegation: &Delegation) -> Result<Transition, Failure> {
    let tag = Edit::Tag {
        workload: delegation.workload.clone(),
        tag: delegation.stable.tag.clone().unwrap_or_default(),
    };
    let mut transition = make(checkout, delegation, Purpose::RestoreImage, &[tag], None)?;
    let workload = checkout.application.workloads.get(&delegation.workload);
    let image = workload.and_then(|workload| workload.image.as_ref());
    let message = "the next build of the new code writes its tag again: revert the code first";
    let notice = Diagnostic::warning(Code::Drift, message);
    transition.notices.push(match image {
        Some(image) => notice.at(image.origin.clone()),
        None => notice,
    });
    Ok(transition)
}

/// The change set of some edits, checked by reading it back, and proven.
fn make(
    checkout: &Checkout<'_>,
    delegation: &Delegation,
    purpose: Purpose,
    edits: &[Edit],
    recorded: Option<FileChange>,
) -> Result<Transition, Failure> {
    let application = &checkout.application;
    let mut changes = layout::edit(application, edits)?;
    changes.extend(recorded);
    let change = ChangeSet::new(changes);
    let after = checkout.after(&change)?;
    if let Purpose::Stage(stage) = purpose {
        check(&after, delegation, stage)?;
    }
    let proofs = proven(delegation.controller, application, &after, &change)?;
    let notices = proofs
        .iter()
        .flat_map(|(name, proof)| not_judged(name, proof))
        .collect();
    Ok(Transition {
        workload: delegation.workload.clone(),
        system: delegation.controller.into(),
        has_flag: false,
        purpose,
        before: IndexMap::new(),
        after: IndexMap::new(),
        change,
        notices,
        proofs,
    })
}

/// What a proof does not cover.
fn not_judged(environment: &str, proof: &Proof) -> Vec<Diagnostic> {
    let of = |unjudged: &Unjudged| {
        let (object, reason) = (&unjudged.object, &unjudged.reason);
        let message = format!("{environment}: {object} {reason}, so its effect on requests is not judged");
        Diagnostic::warning(Code::NotJudged, message)
            .hint("`tidegate plan` says what must be true before it is merged")
    };
    proof.unjudged.iter().map(of).collect()
}

/// What was written must read as what was meant.
fn check(after: &Application, delegation: &Delegation, stage: Stage) -> Result<(), Diagnostic> {
    for (name, environment) in &after.environments {
        let facts = Facts::of(after, delegation, environment);
        let is_meant = match stage {
            Stage::Tidy => facts.service != Service::Parked && facts.given != Given::Suspended,
            stage if delegation.stays => facts.stage(delegation) == Some(stage),
            stage => facts.fits(stage, delegation),
        };
        if !is_meant {
            return Err(layout::undone(after, name));
        }
    }
    Ok(())
}

/// What one environment has to say for a stage.
struct Step<'a> {
    application: &'a Application,
    delegation: &'a Delegation,
    environment: &'a Environment,
    facts: Facts,
}

impl Step<'_> {
    fn edits(self, stage: Stage) -> Result<Vec<Edit>, Diagnostic> {
        let mut edits = Vec::new();
        if self.delegation.stays {
            if stage == Stage::Trigger {
                edits.push(self.tag());
            }
            return Ok(edits);
        }
        match stage {
            // The controller stays: what waited for its end goes.
            Stage::Tidy if self.facts.given == Given::Active && !self.is_over() => {
                let parked = parked(self.application, self.delegation, &self.environment.name);
                edits.extend(parked.map(Edit::Forget));
            }
            Stage::Trigger => edits.push(self.tag()),
            stage => {
                let stage = if stage == Stage::Tidy { Stage::Idle } else { stage };
                let takes = self.delegation.controller.controller().takes();
                let Some(row) = stage.row(takes, self.facts.is_routed) else {
                    return Ok(edits);
                };
                edits.extend(self.pods(row.has_pods));
                if row.given != self.facts.given {
                    edits.extend(self.given(row.given)?);
                }
                if row.service != self.facts.service || stage == Stage::Idle {
                    edits.extend(self.service(row.service)?);
                }
            }
        }
        Ok(edits)
    }

    /// Whether the workload has all that it needs to be without the controller.
    fn is_over(&self) -> bool {
        self.facts.fits(Stage::Suspend, self.delegation)
    }

    fn tag(&self) -> Edit {
        Edit::Tag {
            workload: self.delegation.workload.clone(),
            tag: self.delegation.canary.tag.clone().unwrap_or_default(),
        }
    }

    fn service(&self, wanted: Service) -> Result<Vec<Edit>, Diagnostic> {
        let controller = self.delegation.controller.controller();
        if controller.takes() == Takes::Pods {
            return self.split(wanted == Service::Split);
        }
        let own = own_service(self.delegation, self.environment);
        let edit = match (wanted, own) {
            (Service::Kept, None) => {
                parked(self.application, self.delegation, &self.environment.name).map(Edit::Unpark)
            }
            (Service::Kept, Some(service)) => say(service, kept(&service.value)),
            (Service::Own, Some(service)) => say(service, released(&service.value)),
            (Service::Parked, Some(service)) => Some(Edit::Park {
                at: service.origin.clone(),
                workload: self.delegation.workload.clone(),
            }),
            _ => None,
        };
        Ok(edit.into_iter().collect())
    }

    /// A second Service and routes that name it, or no more.
    fn split(&self, is_split: bool) -> Result<Vec<Edit>, Diagnostic> {
        let Delegation { workload, .. } = self.delegation;
        let controller = self.delegation.controller.controller();
        let wanted = controller.with_split(self.environment, workload, is_split)?;
        let edit = |wanted| match wanted {
            Wanted::Say { object, value } => say(object, value),
            Wanted::Remove(object) => Some(Edit::Remove {
                at: object.origin.clone(),
            }),
            Wanted::Add { beside, value } => Some(Edit::Add {
                beside: beside.origin.clone(),
                file: format!("{workload}-canary.yaml"),
                header: format!(
                    "# Where {} sends requests to the new pods of {workload}.\n",
                    self.delegation.controller.as_str()
                ),
                value,
            }),
        };
        Ok(wanted.into_iter().filter_map(edit).collect())
    }

    /// The workload's own number of pods: none, or as many as the controller's object asks for.
    fn pods(&self, wanted: Option<bool>) -> Option<Edit> {
        let wanted = wanted.filter(|wanted| *wanted != self.facts.has_pods)?;
        let Delegation {
            workload, controller, ..
        } = self.delegation;
        let name = &self.environment.name;
        let deployment = self.application.deployed(name, workload, "apps", "Deployment")?;
        let count = match wanted {
            true => {
                let object = controller.controller().object(self.environment, workload)?;
                object
                    .value
                    .pointer("/spec/replicas")
                    .cloned()
                    .unwrap_or(json!(1))
            }
            false => json!(0),
        };
        let mut value = deployment.value.clone();
        value["spec"]["replicas"] = count;
        say(deployment, value)
    }

    fn given(&self, wanted: Given) -> Result<Option<Edit>, Diagnostic> {
        let controller = self.delegation.controller.controller();
        let object = controller.object(self.environment, &self.delegation.workload);
        Ok(match (wanted, object) {
            (Given::No, object) => object.map(|object| Edit::Remove {
                at: object.origin.clone(),
            }),
            (Given::Active | Given::Suspended, Some(object)) => {
                let is_suspended = wanted == Given::Suspended;
                let value = controller.with_suspended(self.environment, object, is_suspended)?;
                say(object, value)
            }
            (Given::Active | Given::Suspended, None) => Some(self.new_object()?),
        })
    }

    fn new_object(&self) -> Result<Edit, Diagnostic> {
        let Self {
            application,
            delegation,
            environment,
            ..
        } = self;
        let workload = &delegation.workload;
        let deployment = application.deployed(&environment.name, workload, "apps", "Deployment");
        let deployment = deployment.ok_or_else(|| {
            let message = format!("`{workload}` is not in {}", environment.name);
            Diagnostic::error(Code::UnknownName, message).at(delegation.origin.below(&["workload"]))
        })?;
        let controller = delegation.controller.controller();
        let service = match controller.takes() {
            Takes::Service => parked(application, delegation, &environment.name).map(|parked| parked.value),
            Takes::Pods => own_service(delegation, environment).map(|service| service.value.clone()),
        };
        let service = service.ok_or_else(|| {
            let message = format!(
                "the Service of `{workload}` is not in the files of {}",
                environment.name
            );
            Diagnostic::error(Code::AmbiguousPhase, message).at(deployment.origin.clone())
        })?;
        let value = controller.new_object(application, delegation, environment, &service)?;
        Ok(Edit::Add {
            beside: deployment.origin.clone(),
            file: controller.file(workload),
            header: format!(
                "# How {} moves the requests of {workload} to a new image; edit it as you like.\n",
                delegation.controller.as_str()
            ),
            value,
        })
    }
}

fn say(object: &Manifest, value: serde_json::Value) -> Option<Edit> {
    let at = object.origin.clone();
    (value != object.value).then_some(Edit::Say { at, value })
}

/// Environments that run different tags: a release writes one to all, and back.
pub(super) fn unlike(application: &Application, delegation: &Delegation) -> Option<Diagnostic> {
    let mut environments = application.environments.values();
    let first = environments.next()?;
    let one = tag(application, delegation, first)?;
    environments.find_map(|environment| {
        let other = tag(application, delegation, environment)?;
        (other != one).then(|| {
            let message = format!("{} runs `{one}`, {} runs `{other}`", first.name, environment.name);
            let hint = "let every environment run the same version before a release begins";
            Diagnostic::error(Code::CanaryImpossible, message)
                .at(delegation.origin.clone())
                .hint(hint)
        })
    })
}
