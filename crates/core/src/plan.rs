//! The remaining transitions of a release, made one after the other on the files as they will be, and what
//! must be true before each is merged.

use indexmap::IndexSet;

use crate::change::ChangeSet;
use crate::checkout::Checkout;
use crate::diagnostic::Failure;
use crate::manifest::ObjectRef;
use crate::model::{Application, Flag, FlagName, Form, Release, Routes, Version};
use crate::phase::Phase;
use crate::start::floor;
use crate::transition::{NextRequest, Purpose, Transition, next};

/// More transitions than a release can have: the phases, and at most 100 steps for each of some environments.
const LIMIT: usize = 1000;

/// A transition of the plan, with what a reviewer needs to know about it.
#[derive(Debug, Clone)]
pub struct Step {
    /// The transition.
    pub transition: Transition,
    /// What must be true before it is merged.
    pub preconditions: Vec<Precondition>,
    /// How to take it back.
    pub undo: String,
}

/// Something that must be true before a transition is merged, and the command that shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Precondition {
    /// What, as a sentence without a final stop.
    pub what: String,
    /// The command to look with.
    pub command: String,
}

/// Every transition from where a release stands to a tidy repository.
///
/// `first` is written before the plan begins (the release file, for a release that has not started).
/// Errors: a transition that cannot be made, now or later.
pub fn remaining(checkout: &Checkout<'_>, first: &ChangeSet, workload: &str) -> Result<Vec<Step>, Failure> {
    let mut written = first.clone();
    let mut steps = Vec::new();
    while steps.len() < LIMIT {
        let overlay = written.overlay(checkout.repo);
        let now = Checkout::load(&overlay, &checkout.application.at, checkout.config)?;
        let release = now
            .application
            .releases
            .iter()
            .find(|release| release.workload == workload);
        let Some(release) = release else { break };
        let Some(transition) = next(&now, release, &NextRequest::default())? else {
            break;
        };
        let preconditions = preconditions(&now.application, release, &transition);
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

/// How to take a transition back, in the words of a reviewer.
pub fn undo(transition: &Transition) -> String {
    match &transition.purpose {
        Purpose::Stage(stage) => stage.undo().to_owned(),
        Purpose::Weights | Purpose::Enter(Phase::Preview | Phase::Ramp | Phase::Hold) => {
            "tidegate rollback (everything back to the stable version), or revert the commit".to_owned()
        }
        Purpose::Enter(Phase::Retire | Phase::Unroute | Phase::Unwire | Phase::Tidy) => {
            "revert the commit; tidegate abort sets the old image back".to_owned()
        }
        Purpose::Enter(_) | Purpose::Grow => {
            "revert the commit; tidegate abort goes all the way back".to_owned()
        }
        Purpose::RestoreImage
        | Purpose::RestoreFlag
        | Purpose::MovePin
        | Purpose::Restore
        | Purpose::Start => "revert the commit".to_owned(),
    }
}

/// What must be true before a transition is merged.
pub fn preconditions(
    application: &Application,
    release: &Release,
    transition: &Transition,
) -> Vec<Precondition> {
    let look = Look { application, release };
    let mut found = vec![look.runs_before()];
    match release.provider.form() {
        Form::Subsets => found.extend(look.with_subsets(transition)),
        Form::Backends => found.extend(look.with_backends(transition)),
        Form::Pinned => found.extend(look.with_pins(transition)),
        Form::Replicas => found.extend(look.with_replicas(transition)),
    }
    if let (Some(flag), Purpose::Enter(Phase::Tidy)) = (release.flag(), &transition.purpose) {
        found.extend(look.without(flag));
    }
    // Where pods are the shares, there are as many as the shares say.
    if release.provider.form() != Form::Replicas && transition.after.values().any(is_split) {
        found.extend(look.floors());
    }
    found
}

fn is_split(routes: &Routes) -> bool {
    routes.range().is_some()
}

/// Looks at the cluster for a release: the names that the commands need.
struct Look<'a> {
    application: &'a Application,
    release: &'a Release,
}

impl Look<'_> {
    fn with_subsets(&self, transition: &Transition) -> Vec<Precondition> {
        match &transition.purpose {
            Purpose::Enter(Phase::Split) => vec![self.healthy(Version::Canary), self.room()],
            Purpose::Enter(Phase::Wire) => vec![self.healthy(Version::Stable), self.subsets()],
            Purpose::Enter(Phase::Widen) => vec![
                self.virtual_service("names the canary subset only"),
                self.healthy(Version::Stable),
            ],
            Purpose::Enter(Phase::Park) => vec![
                self.endpoints(&self.release.workload, "the pods of both versions, and no others"),
                self.image(),
                self.healthy(Version::Stable),
            ],
            Purpose::Enter(Phase::Ship) => {
                vec![
                    self.virtual_service("gives the stable version all requests"),
                    self.known(),
                ]
            }
            Purpose::Enter(Phase::Preview | Phase::Ramp | Phase::Hold) | Purpose::Weights | Purpose::Grow => {
                vec![self.healthy(Version::Canary), self.image()]
            }
            Purpose::Enter(Phase::Retire) => vec![self.virtual_service("gives the canary all requests")],
            Purpose::Enter(Phase::Unroute) => vec![
                self.pruned(),
                self.endpoints(&self.release.workload, "the pods of the workload only"),
            ],
            Purpose::Enter(Phase::Unwire) => vec![self.virtual_service("names no subset")],
            Purpose::Enter(_) => vec![self.unwired()],
            Purpose::RestoreImage => vec![self.virtual_service("gives the stable version all requests")],
            Purpose::RestoreFlag
            | Purpose::MovePin
            | Purpose::Restore
            | Purpose::Start
            | Purpose::Stage(_) => Vec::new(),
        }
    }

    fn with_backends(&self, transition: &Transition) -> Vec<Precondition> {
        let routed_to = |workload: &str| self.routes(&format!("gives `{workload}` all requests"));
        let Release { workload, copy, .. } = self.release;
        match &transition.purpose {
            Purpose::Enter(Phase::Split) => vec![self.healthy(Version::Stable), self.room()],
            Purpose::Enter(Phase::Park) => vec![
                self.healthy(Version::Canary),
                self.endpoints(copy, &format!("the pods of `{copy}`, and no others")),
                self.image(),
            ],
            Purpose::Enter(Phase::Ship) => vec![routed_to(workload), self.known()],
            Purpose::Enter(Phase::Preview | Phase::Ramp | Phase::Hold) | Purpose::Weights | Purpose::Grow => {
                vec![self.healthy(Version::Canary), self.image()]
            }
            Purpose::Enter(Phase::Promote) => vec![self.healthy(Version::Canary), routed_to(copy)],
            Purpose::Enter(Phase::Settle) => {
                vec![self.healthy(Version::Stable), self.same_image()]
            }
            Purpose::Enter(Phase::Retire) => vec![routed_to(workload)],
            Purpose::Enter(_) => vec![self.pruned(), self.routes(&format!("names `{copy}` no more"))],
            // On the way back from `promote` the copy serves everything meanwhile.
            Purpose::RestoreImage | Purpose::RestoreFlag if transition.before.values().any(is_split) => {
                vec![self.healthy(Version::Canary), routed_to(copy)]
            }
            Purpose::RestoreImage
            | Purpose::RestoreFlag
            | Purpose::MovePin
            | Purpose::Restore
            | Purpose::Start
            | Purpose::Stage(_) => Vec::new(),
        }
    }

    fn with_pins(&self, transition: &Transition) -> Vec<Precondition> {
        let routed_to = |version: Version| self.routes(&format!("gives the {version} version all requests"));
        match &transition.purpose {
            Purpose::Enter(Phase::Wire) => vec![self.healthy(Version::Stable)],
            Purpose::Enter(Phase::Park) => vec![routed_to(Version::Stable), self.room()],
            Purpose::Enter(Phase::Ship) => vec![routed_to(Version::Stable), self.known()],
            Purpose::Enter(Phase::Preview | Phase::Ramp | Phase::Hold) | Purpose::Weights | Purpose::Grow => {
                vec![self.healthy(Version::Canary), self.image()]
            }
            Purpose::Enter(Phase::Promote) => vec![self.healthy(Version::Canary), routed_to(Version::Canary)],
            Purpose::Enter(Phase::Settle) => vec![self.healthy(Version::Stable), self.same_image()],
            Purpose::Enter(Phase::Retire) => vec![routed_to(Version::Stable)],
            Purpose::Enter(_) => vec![self.pruned()],
            Purpose::RestoreImage | Purpose::RestoreFlag if transition.before.values().any(is_split) => {
                vec![self.healthy(Version::Canary), routed_to(Version::Canary)]
            }
            Purpose::RestoreImage
            | Purpose::RestoreFlag
            | Purpose::MovePin
            | Purpose::Restore
            | Purpose::Start
            | Purpose::Stage(_) => Vec::new(),
        }
    }

    fn with_replicas(&self, transition: &Transition) -> Vec<Precondition> {
        let Release { workload, copy, .. } = self.release;
        match &transition.purpose {
            Purpose::Enter(Phase::Park) => vec![self.healthy(Version::Stable)],
            Purpose::Enter(Phase::Ship) => vec![self.no_pods(copy), self.known()],
            Purpose::Grow => vec![self.healthy(Version::Stable), self.room()],
            Purpose::Enter(Phase::Ramp | Phase::Hold | Phase::Settle) | Purpose::Weights => vec![
                self.healthy(Version::Stable),
                self.healthy(Version::Canary),
                self.endpoints(workload, "the pods of both versions, and no others"),
            ],
            Purpose::Enter(Phase::Promote) => vec![self.healthy(Version::Canary), self.no_pods(workload)],
            Purpose::Enter(_) => vec![self.no_pods(copy)],
            Purpose::RestoreImage | Purpose::RestoreFlag => {
                vec![self.healthy(Version::Canary), self.no_pods(workload)]
            }
            Purpose::MovePin | Purpose::Restore | Purpose::Start | Purpose::Stage(_) => Vec::new(),
        }
    }

    /// A command for each namespace that environments run the workload in.
    fn kubectl(&self, what: &str) -> String {
        let of = |environment: &String| {
            let workload = &self.release.workload;
            let deployment = self
                .application
                .generated(environment, workload, "apps", "Deployment")?;
            deployment.object.namespace.as_ref()
        };
        let namespaces = self.application.environments.keys();
        let namespaces: IndexSet<&String> = namespaces
            .map(|environment| of(environment).unwrap_or(&self.application.namespace))
            .collect();
        let commands = namespaces
            .into_iter()
            .map(|namespace| format!("kubectl -n {namespace} {what}"));
        commands.collect::<Vec<_>>().join(" && ")
    }

    fn name(&self, workload: &str, group: &str, kind: &str) -> String {
        let mut environments = self.application.environments.keys();
        let found = environments.find_map(|name| self.application.generated(name, workload, group, kind));
        match (found, self.release.provider.form()) {
            (Some(manifest), _) => manifest.object.name.clone(),
            (None, Form::Subsets) => format!("{}-{workload}", self.application.name),
            (None, Form::Backends | Form::Pinned | Form::Replicas) => workload.to_owned(),
        }
    }

    /// Production lags, and may jump over several commits in one sync.
    fn runs_before(&self) -> Precondition {
        let last = self
            .application
            .environments
            .keys()
            .next_back()
            .map_or("production", String::as_str);
        Precondition {
            what: format!(
                "what {last} runs is one safe step away; REV is what `argocd app get` says it runs"
            ),
            command: format!("tidegate check --base REV --env {last}"),
        }
    }

    fn healthy(&self, version: Version) -> Precondition {
        let workload = self.release.workload_of(version);
        let name = self.name(workload, "apps", "Deployment");
        Precondition {
            what: format!("the {version} version's pods ({workload}) are ready, in every environment"),
            command: self.kubectl(&format!("rollout status deployment/{name} --timeout=10s")),
        }
    }

    fn room(&self) -> Precondition {
        Precondition {
            what: "there is room for the workload a second time".to_owned(),
            command: self.kubectl("describe resourcequota"),
        }
    }

    fn subsets(&self) -> Precondition {
        let rule = self.name(&self.release.workload, "networking.istio.io", "VirtualService");
        Precondition {
            what: "the DestinationRule with both subsets is live".to_owned(),
            command: self.kubectl(&format!(
                "get destinationrule {rule} -o jsonpath='{{.spec.subsets[*].name}}'"
            )),
        }
    }

    fn unwired(&self) -> Precondition {
        let rule = self.name(&self.release.workload, "networking.istio.io", "VirtualService");
        Precondition {
            what: "the DestinationRule is gone in every environment, pruned in production".to_owned(),
            command: self.kubectl(&format!("get destinationrule {rule} --ignore-not-found")),
        }
    }

    fn virtual_service(&self, says: &str) -> Precondition {
        let service = self.name(&self.release.workload, "networking.istio.io", "VirtualService");
        Precondition {
            what: format!("the live VirtualService {says}"),
            command: self.kubectl(&format!(
                "get virtualservice {service} -o jsonpath='{{.spec.http[*].route}}'"
            )),
        }
    }

    /// What the routes say, in whatever objects an environment has them.
    fn routes(&self, say: &str) -> Precondition {
        let provider = self.release.provider.provider();
        let routes = self.application.environments.keys().flat_map(|environment| {
            let routes = provider.weighted(self.application, self.release, environment);
            routes.into_iter()
        });
        let routes: IndexSet<(ObjectRef, &str)> = routes.collect();
        let mut kinds: Vec<&str> = routes.iter().map(|(object, _)| object.kind.as_str()).collect();
        kinds.dedup();
        let command = |(object, path): &(ObjectRef, &str)| {
            let namespace = object.namespace.as_ref().unwrap_or(&self.application.namespace);
            let (kind, name) = (resource(object), &object.name);
            format!("kubectl -n {namespace} get {kind} {name} --ignore-not-found -o jsonpath='{{.{path}}}'")
        };
        Precondition {
            what: format!("every live {} {say}", kinds.join(" and ")),
            command: routes.iter().map(command).collect::<Vec<_>>().join(" && "),
        }
    }

    fn endpoints(&self, workload: &str, are: &str) -> Precondition {
        let service = self.name(workload, "", "Service");
        Precondition {
            what: format!("the live Service's endpoints are {are}"),
            command: self.kubectl(&format!(
                "get endpointslices -l kubernetes.io/service-name={service} -o wide"
            )),
        }
    }

    /// What makes the stable version the old one.
    fn image(&self) -> Precondition {
        if let Some(flag) = self.release.flag() {
            return self.says(flag, Version::Stable);
        }
        let name = self.name(self.release.workload_of(Version::Stable), "apps", "Deployment");
        let tag = self.release.stable.tag.as_deref().unwrap_or("the pinned image");
        Precondition {
            what: format!("the stable version runs {tag}"),
            command: self.kubectl(&format!(
                "get deployment {name} -o jsonpath='{{.spec.template.spec.containers[*].image}}'"
            )),
        }
    }

    /// A side says the flag's value of its version, where the pods are.
    fn says(&self, flag: &Flag, version: Version) -> Precondition {
        self.workload_says(flag, self.release.workload_of(version), version)
    }

    fn workload_says(&self, flag: &Flag, workload: &str, version: Version) -> Precondition {
        let name = self.name(workload, "apps", "Deployment");
        let container = "{.spec.template.spec.containers[0]";
        let said = match &flag.name {
            FlagName::Env(name) => format!("{container}.env[?(@.name==\"{name}\")].value}}"),
            FlagName::Arg(_) => format!("{container}.command}}{container}.args}}"),
        };
        Precondition {
            what: format!("`{workload}` says `{}` for `{}`", flag.value(version), flag.name),
            command: self.kubectl(&format!("get deployment {name} -o jsonpath='{said}'")),
        }
    }

    /// The image that runs has both versions: a value that it does not know could start anything, or nothing.
    fn known(&self) -> Precondition {
        let name = self.name(self.release.workload_of(Version::Canary), "apps", "Deployment");
        let flag = self.release.flag();
        let value = flag.map_or("the flag", |flag| flag.canary.as_str());
        Precondition {
            what: format!("the image that runs in every environment has the version of `{value}` in it"),
            command: self.kubectl(&format!(
                "get deployment {name} -o jsonpath='{{.spec.template.spec.containers[0].image}}'"
            )),
        }
    }

    /// A flag that goes leaves what the image runs by itself.
    fn without(&self, flag: &Flag) -> Option<Precondition> {
        let name = self.name(&self.release.workload, "apps", "Deployment");
        (flag.unsaid == Version::Canary).then(|| Precondition {
            what: format!(
                "without `{}` the image that runs in every environment is the new version",
                flag.name
            ),
            command: self.kubectl(&format!(
                "get deployment {name} -o jsonpath='{{.spec.template.spec.containers[0].image}}'"
            )),
        })
    }

    fn same_image(&self) -> Precondition {
        if let Some(flag) = self.release.flag() {
            return self.workload_says(flag, &self.release.workload, Version::Canary);
        }
        let Release { workload, copy, .. } = self.release;
        Precondition {
            what: format!("`{workload}` runs the image of `{copy}`"),
            command: self.kubectl(&format!(
                "get deployment {workload} {copy} -o jsonpath='{{.items[*].spec.template.spec.containers[*].image}}'"
            )),
        }
    }

    fn no_pods(&self, workload: &str) -> Precondition {
        let name = self.name(workload, "apps", "Deployment");
        Precondition {
            what: format!("`{workload}` has no pod left, in every environment"),
            command: self.kubectl(&format!(
                "get deployment {name} -o jsonpath='{{.status.replicas}}'"
            )),
        }
    }

    fn pruned(&self) -> Precondition {
        let copy = &self.release.copy;
        let name = self.name(copy, "apps", "Deployment");
        Precondition {
            what: match self.release.provider.form() {
                Form::Subsets => {
                    format!("`{copy}` is gone in every environment; production does not prune by itself")
                }
                Form::Backends | Form::Pinned | Form::Replicas => {
                    format!("the pods of `{copy}` are gone in every environment")
                }
            },
            command: self.kubectl(&format!("get deployment {name} --ignore-not-found")),
        }
    }

    /// Git knows the floors of both versions, not how many pods run now.
    fn floors(&self) -> impl Iterator<Item = Precondition> {
        self.application.environments.keys().filter_map(|environment| {
            let of = |version| floor(self.application, environment, self.release.workload_of(version));
            let (stable, canary) = (of(Version::Stable)?, of(Version::Canary)?);
            Some(Precondition {
                what: format!("{environment} has pods enough for these shares; the floors are {stable} stable, {canary} canary"),
                command: self.kubectl("get deployments,hpa"),
            })
        })
    }
}

/// What kubectl calls a kind. Two traffic systems have a VirtualService, and it takes Istio's for the short name.
fn resource(object: &ObjectRef) -> String {
    let kind = object.kind.to_lowercase();
    match object.kind.as_str() {
        "VirtualService" if object.group() != "networking.istio.io" => format!("{kind}.{}", object.group()),
        _ => kind,
    }
}

/// The commands that give the canary a share at once, without Git: for the night when Git is too slow. The commit
/// must follow, or the next sync takes it back.
pub fn live_commands(
    application: &Application,
    release: &Release,
    environment: &str,
    routes: Routes,
) -> Vec<String> {
    let provider = release.provider.provider();
    let patches = provider.live_patches(application, release, environment, routes);
    let command = |(object, patch): (ObjectRef, serde_json::Value)| {
        let kind = resource(&object);
        let namespace = object.namespace.as_ref().unwrap_or(&application.namespace);
        format!(
            "kubectl -n {namespace} patch {kind} {} --type json -p '{patch}'",
            object.name
        )
    };
    patches.into_iter().map(command).collect()
}
