//! The remaining transitions of a release that is left to a controller, and what must be true before each is merged.

use indexmap::IndexSet;
use serde_json::Value;

use super::{Stage, next, parked};
use crate::change::ChangeSet;
use crate::checkout::Checkout;
use crate::diagnostic::Failure;
use crate::layout::helm_release;
use crate::manifest::Manifest;
use crate::model::{Application, Delegation, Environment};
use crate::plan::{Precondition, Step, undo};
use crate::provider::Takes;
use crate::transition::{Purpose, Transition};

/// Every transition from where a release stands to a tidy repository.
///
/// `first` is written before the plan begins. Errors: a transition that cannot be made, now or later.
pub fn remaining(checkout: &Checkout<'_>, first: &ChangeSet, workload: &str) -> Result<Vec<Step>, Failure> {
    let mut written = first.clone();
    let mut steps = Vec::new();
    for _ in Stage::ALL {
        let overlay = written.overlay(checkout.repo);
        let now = Checkout::load(&overlay, &checkout.application.at, checkout.config)?;
        let mut delegations = now.application.delegations.iter();
        let Some(delegation) = delegations.find(|found| found.workload == workload) else {
            break;
        };
        let Some(transition) = next(&now, delegation, None)? else {
            break;
        };
        let preconditions = preconditions(&now.application, delegation, &transition);
        let undo = undo(&transition);
        written.append(&transition.change);
        steps.push(Step {
            transition,
            preconditions,
            undo,
        });
    }
    Ok(steps)
}

/// What must be true before a transition is merged.
pub fn preconditions(
    application: &Application,
    delegation: &Delegation,
    transition: &Transition,
) -> Vec<Precondition> {
    let look = Look {
        application,
        delegation,
    };
    let mut found = vec![look.runs_before()];
    let Purpose::Stage(stage) = transition.purpose else {
        return found;
    };
    match delegation.controller.controller().takes() {
        Takes::Service => found.extend(look.before_service(stage)),
        Takes::Pods => found.extend(look.before_pods(stage)),
    }
    found
}

/// The commands that show how far the controller is, in every environment.
pub fn look(application: &Application, delegation: &Delegation) -> String {
    let look = Look {
        application,
        delegation,
    };
    look.controller("").command
}

/// Looks at the cluster for a release: the names that the commands need.
struct Look<'a> {
    application: &'a Application,
    delegation: &'a Delegation,
}

impl Look<'_> {
    /// What a stage needs where the controller takes the Service.
    fn before_service(&self, stage: Stage) -> Vec<Precondition> {
        match stage {
            Stage::Idle | Stage::Keep | Stage::Vacate => Vec::new(),
            Stage::HandOver => vec![self.kept()],
            Stage::Bootstrap => vec![self.service("is still there")],
            Stage::Trigger => {
                vec![self.controller("has initialised the workload (Initialized or Succeeded)")]
            }
            Stage::Suspend => vec![self.controller("is done with the new image (Succeeded, or Failed)")],
            Stage::GiveBack => self.pods(),
            Stage::Tidy if self.delegation.stays => {
                vec![self.controller("is done with the new image (Succeeded)")]
            }
            Stage::Tidy => vec![
                self.service("selects the workload and not its clone"),
                self.routes(),
            ],
        }
    }

    /// What a stage needs where the controller takes the pods.
    fn before_pods(&self, stage: Stage) -> Vec<Precondition> {
        match stage {
            Stage::Idle | Stage::Keep | Stage::HandOver | Stage::GiveBack => Vec::new(),
            Stage::Bootstrap => {
                let mut found = vec![self.is_installed()];
                found.extend(self.weights());
                found
            }
            Stage::Vacate => vec![self.controller("has all its pods ready (Healthy)")],
            Stage::Trigger => vec![
                self.controller("has the workload (Healthy)"),
                self.own_pods("has no pods of its own any more"),
            ],
            Stage::Suspend => vec![self.controller("is done with the new image (Healthy)")],
            Stage::Tidy if self.delegation.stays => {
                vec![self.controller("is done with the new image (Healthy)")]
            }
            Stage::Tidy => {
                let mut found = vec![self.own_pods("has all its pods ready")];
                let is_narrowed = self.is_routed();
                found.extend(is_narrowed.then(|| {
                    self.service(
                        "selects by the labels of the files alone, without `rollouts-pod-template-hash`",
                    )
                }));
                found
            }
        }
    }

    fn is_installed(&self) -> Precondition {
        Precondition {
            what: format!("{} runs in the cluster", self.delegation.controller.as_str()),
            command: "kubectl get deployments --all-namespaces -l app.kubernetes.io/name=argo-rollouts"
                .to_owned(),
        }
    }

    fn is_routed(&self) -> bool {
        let (controller, workload) = (self.delegation.controller.controller(), &self.delegation.workload);
        let mut environments = self.application.environments.values();
        environments.any(|environment| controller.is_split(environment, workload).is_some())
    }

    /// What syncs the repository would take the requests back with every sync.
    fn weights(&self) -> Option<Precondition> {
        self.is_routed().then(|| Precondition {
            what: "what syncs the repository leaves the live weights of the routes alone (Argo CD: `ignoreDifferences`, with the \
                   sync option `RespectIgnoreDifferences=true`)"
                .to_owned(),
            command: "kubectl get applications --all-namespaces -o jsonpath='{range .items[*]}{.metadata.name}{\" \"}{.spec.ignoreDifferences}{\"\\n\"}{end}'"
                .to_owned(),
        })
    }

    fn own_pods(&self, has: &str) -> Precondition {
        Precondition {
            what: format!("`{}` {has}, in every environment", self.delegation.workload),
            command: self.each(|_, deployment| Some(format!("get deployment {}", deployment.object.name))),
        }
    }

    fn runs_before(&self) -> Precondition {
        let last = self.application.environments.keys().next_back();
        let last = last.map_or("production", String::as_str);
        Precondition {
            what: format!(
                "what {last} runs is one safe step away; REV is what `argocd app get` says it runs"
            ),
            command: format!("tidegate check --base REV --env {last}"),
        }
    }

    /// A command for each namespace that environments run the workload in.
    fn each(&self, command: impl Fn(&Environment, &Manifest) -> Option<String>) -> String {
        let workload = &self.delegation.workload;
        let commands: IndexSet<String> = self
            .application
            .environments
            .values()
            .filter_map(|environment| {
                let deployed = self
                    .application
                    .deployed(&environment.name, workload, "apps", "Deployment");
                // What a chart makes is in the namespace of its release, unless that says otherwise.
                let deployment = deployed.or_else(|| helm_release::find(environment, workload))?;
                let namespace = deployment.object.namespace.as_ref();
                let namespace = namespace.unwrap_or(&self.application.namespace);
                Some(format!(
                    "kubectl -n {namespace} {}",
                    command(environment, deployment)?
                ))
            })
            .collect();
        commands.into_iter().collect::<Vec<_>>().join(" && ")
    }

    fn controller(&self, does: &str) -> Precondition {
        let (id, workload) = (self.delegation.controller, &self.delegation.workload);
        Precondition {
            what: format!("{} {does}, in every environment", id.as_str()),
            command: self.each(|environment, _| {
                let object = id.controller().object(environment, workload)?;
                Some(id.controller().look(object))
            }),
        }
    }

    fn name(&self, environment: &Environment) -> String {
        let (controller, workload) = (self.delegation.controller.controller(), &self.delegation.workload);
        let object = controller.object(environment, workload);
        let written = object.and_then(|object| controller.service(&object.value));
        let own = || Some(controller.taken_over(environment, workload)?.object.name.clone());
        let waits = || {
            let parked = parked(self.application, self.delegation, &environment.name)?;
            Some(parked.value.pointer("/metadata/name")?.as_str()?.to_owned())
        };
        written
            .or_else(own)
            .or_else(waits)
            .unwrap_or_else(|| workload.clone())
    }

    fn service(&self, is: &str) -> Precondition {
        Precondition {
            what: format!("the live Service {is}, in every environment"),
            command: self.each(|environment, _| {
                let name = self.name(environment);
                Some(format!("get service {name} -o jsonpath='{{.spec.selector}}'"))
            }),
        }
    }

    /// With the controller's object go its routes and its clones, in no order.
    fn routes(&self) -> Precondition {
        Precondition {
            what: "no route of a mesh names the clone: what the controller made goes with its object, in no order"
                .to_owned(),
            command: self.each(|_, deployment| {
                let name = &deployment.object.name;
                Some(format!(
                    "get virtualservices,httproutes,trafficsplits {name} --ignore-not-found -o yaml"
                ))
            }),
        }
    }

    fn kept(&self) -> Precondition {
        Precondition {
            what: "nothing prunes the live Service, in every environment".to_owned(),
            command: self.each(|environment, _| {
                let name = self.name(environment);
                Some(format!(
                    "get service {name} -o jsonpath='{{.metadata.annotations}}'"
                ))
            }),
        }
    }

    /// The workload has nobody to serve yet, and soon has everybody. A number of pods that the files say comes with the next
    /// sync; where they say none it is asked for, and nothing takes it away.
    fn pods(&self) -> Vec<Precondition> {
        let count =
            |deployment: &Manifest| deployment.value.pointer("/spec/replicas").and_then(Value::as_u64);
        let scale = self.each(|_, deployment| {
            let name = &deployment.object.name;
            let unsaid = count(deployment).is_none();
            unsaid.then(|| {
                format!("scale deployment/{name} --replicas=$(kubectl -n {} get deployment {name}-primary -o jsonpath='{{.spec.replicas}}')",
                    deployment.object.namespace.as_ref().unwrap_or(&self.application.namespace))
            })
        });
        let workload = &self.delegation.workload;
        let asked = Precondition {
            what: format!("`{workload}` was asked for as many pods as its clone has: no file says how many"),
            command: scale,
        };
        let ready = Precondition {
            what: format!("the pods of `{workload}` are ready, as many as its clone has"),
            command: self.each(|_, deployment| {
                let name = &deployment.object.name;
                Some(format!("get deployment {name} {name}-primary"))
            }),
        };
        let asked = (!asked.command.is_empty()).then_some(asked);
        asked.into_iter().chain([ready]).collect()
    }
}
