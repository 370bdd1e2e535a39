//! Traffic systems: what must exist in a phase, and what the objects say.
//!
//! A provider never touches text or files: it turns a [`Shape`] into [`Intent`]s, and rendered manifests
//! back into a shape. Where an intent is written is the layout's business.

use indexmap::IndexMap;
use jsonptr::PointerBuf;
use serde_json::{Value, json};

use crate::diagnostic::{Code, Diagnostic, Location};
use crate::flag::{self, Reading, container};
use crate::manifest::{Manifest, ObjectRef};
use crate::model::{Application, Flag, FlagName, Form, PinnedImage, Release, Routes, Shape, Version, Weight};
use crate::prover::{Traffic, World};

mod app_mesh;
mod argo_rollouts;
mod backends;
mod cluster;
mod controller;
mod flagger;
mod gateway_api;
mod given;
mod istio;
mod istio_hosts;
pub(crate) mod kept;
mod kubesphere;
mod preview;
mod replicas;
mod reselected;
mod smi;

pub use controller::{Controller, ControllerId, System, Takes, Wanted};
pub use preview::Previews;

/// A traffic system that tidegate can drive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ProviderId {
    /// Istio: VirtualService weights over DestinationRule subsets.
    Istio,
    /// Gateway API: HTTPRoute weights over a Service for each version.
    GatewayApi,
    /// Istio: VirtualService weights over a Service for each version.
    IstioHosts,
    /// AWS App Mesh: weighted targets over VirtualNodes.
    AppMesh,
    /// SMI: TrafficSplit weights over a Service for each version.
    Smi,
    /// KubeSphere: the weights of a Strategy, from which its controller writes Istio's objects.
    Kubesphere,
    /// Numbers of pods behind one Service.
    Replicas,
}

impl ProviderId {
    /// Every provider.
    pub const ALL: &'static [Self] = &[
        Self::Istio,
        Self::GatewayApi,
        Self::IstioHosts,
        Self::AppMesh,
        Self::Smi,
        Self::Kubesphere,
        Self::Replicas,
    ];

    /// The name in the release file and on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Istio => "istio",
            Self::GatewayApi => "gateway-api",
            Self::IstioHosts => "istio-hosts",
            Self::AppMesh => "app-mesh",
            Self::Smi => "smi",
            Self::Kubesphere => "kubesphere",
            Self::Replicas => "replicas",
        }
    }

    /// The provider of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|id| id.as_str() == name)
    }

    /// What it does with requests.
    pub(crate) fn traffic(self, world: &World<'_>) -> Box<dyn Traffic> {
        match self {
            // Without routes, what callers of a Service meet is the same for all.
            Self::Istio | Self::IstioHosts | Self::Replicas => Box::new(istio::IstioTraffic::new(world)),
            Self::AppMesh => Box::new(app_mesh::AppMeshTraffic::new(world)),
            Self::Smi => Box::new(smi::SmiTraffic::new(world)),
            Self::Kubesphere => Box::new(kubesphere::KubesphereTraffic::new(world)),
            Self::GatewayApi => Box::new(gateway_api::GatewayTraffic::new(world)),
        }
    }

    /// Whether it takes requests to a workload in every environment.
    pub(crate) fn is_used_everywhere(self, application: &Application, workload: &str) -> bool {
        let mut environments = application.environments.keys();
        environments.all(|name| self.provider().is_used(application, workload, name))
    }

    /// How it tells the two versions apart.
    pub fn form(self) -> Form {
        self.provider().form()
    }

    /// The provider itself.
    pub fn provider(self) -> &'static dyn Provider {
        match self {
            Self::Istio => &istio::Istio,
            Self::GatewayApi => &gateway_api::GatewayApi,
            Self::IstioHosts => &istio_hosts::IstioHosts,
            Self::AppMesh => &app_mesh::AppMesh,
            Self::Smi => &smi::Smi,
            Self::Kubesphere => &kubesphere::Kubesphere,
            Self::Replicas => &replicas::Replicas,
        }
    }
}

/// What a provider wants to exist while a release is in a shape.
///
/// The list is complete: for everything a release can put into the repository it says whether it is wanted;
/// labels and a copy that no intent names are not.
#[derive(Debug, Clone, PartialEq)]
pub enum Intent {
    /// A workload's pods carry these labels.
    Label {
        /// The workload.
        workload: String,
        /// The labels.
        labels: IndexMap<String, String>,
    },
    /// A workload exists a second time.
    Copy(CopyIntent),
    /// An object by which routes reach a workload exists once more for its copy; where no intent says so, it goes.
    Backend {
        /// The environments, in the application's order.
        environments: Vec<String>,
        /// The workload's: its Service, or what a traffic system has beside it.
        of: ObjectRef,
        /// The name of the copy's.
        name: String,
    },
    /// A workload runs this tag of its image.
    Tag {
        /// The workload.
        workload: String,
        /// The tag or digest.
        tag: String,
    },
    /// A workload says this value for a flag that it says already; without a value, nothing.
    Flag {
        /// The workload.
        workload: String,
        /// The flag.
        name: FlagName,
        /// The value.
        value: Option<String>,
    },
    /// An object exists with this content, in these environments.
    Object {
        /// The environments, in the application's order.
        environments: Vec<String>,
        /// The whole object.
        value: Value,
    },
    /// An object that exists for the release alone goes.
    NoObject {
        /// The environments, in the application's order.
        environments: Vec<String>,
        /// The object.
        object: ObjectRef,
    },
    /// An object that is rendered anyway says this.
    Patch {
        /// The environments, in the application's order.
        environments: Vec<String>,
        /// The object.
        target: ObjectRef,
        /// The fields, as a strategic merge patch without the target's apiVersion, kind and name.
        fields: Value,
    },
    /// An object is as it is rendered without the release.
    NoPatch {
        /// The environments, in the application's order.
        environments: Vec<String>,
        /// The object.
        target: ObjectRef,
        /// What a patch for the release would say: taken out of a patch that says other things too.
        fields: Value,
    },
}

impl Intent {
    fn environments_mut(&mut self) -> Option<&mut Vec<String>> {
        match self {
            Self::Object { environments, .. }
            | Self::NoObject { environments, .. }
            | Self::Patch { environments, .. }
            | Self::NoPatch { environments, .. }
            | Self::Backend { environments, .. } => Some(environments),
            Self::Label { .. } | Self::Copy(_) | Self::Tag { .. } | Self::Flag { .. } => None,
        }
    }

    fn take_environments(&mut self) -> Vec<String> {
        self.environments_mut().map(std::mem::take).unwrap_or_default()
    }

    fn give_environments(&mut self, environments: Vec<String>) {
        if let Some(own) = self.environments_mut() {
            *own = environments;
        }
    }
}

/// What a release's own objects begin from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Basis {
    /// What the release wrote before, with what a person changed in it.
    AsWritten,
    /// What is rendered without the release.
    Afresh,
}

/// A copy of a workload that keeps one version running beside the other.
#[derive(Debug, Clone, PartialEq)]
pub struct CopyIntent {
    /// The workload that is copied.
    pub of: String,
    /// The copy's key.
    pub key: String,
    /// Labels of the copy's pods.
    pub labels: IndexMap<String, String>,
    /// The image the copy is pinned to.
    pub image: PinnedImage,
    /// How many pods it asks for, by environment; as many as the workload where nothing is said.
    pub replicas: IndexMap<String, u64>,
}

/// A label that one of the two versions' pods carry.
pub const VERSION_LABEL: &str = "version";

/// The label that marks the pods of both versions of a release.
pub const CANARY_LABEL: &str = "canary";

/// The label of a Service that exists as a backend of routes alone: nobody calls it by its name. Its value is the
/// workload whose copy it reaches.
pub const BACKEND_LABEL: &str = "tidegate.dev/backend-of";

/// Whether routes alone reach an object.
pub(crate) fn is_backend(manifest: &Manifest) -> bool {
    let labels = manifest.value.pointer("/metadata/labels");
    labels.is_some_and(|labels| labels.get(BACKEND_LABEL).is_some())
}

/// The JSON patch that gives the entries of some lists of a live route the weights of their versions.
fn weight_operations(
    route: &Value,
    lists: Vec<PointerBuf>,
    version: impl Fn(&Value) -> Option<Version>,
    canary: Weight,
) -> Vec<Value> {
    let mut operations = Vec::new();
    for list in lists {
        let entries = list.resolve(route).ok().and_then(Value::as_array);
        for (index, entry) in entries.into_iter().flatten().enumerate() {
            let weight = match version(entry) {
                Some(Version::Canary) => canary,
                Some(Version::Stable) => canary.rest(),
                None => continue,
            };
            let path = format!("{list}/{index}/weight");
            operations.push(json!({"op": "replace", "path": path, "value": weight.percent()}));
        }
    }
    operations
}

/// What the objects of one environment say about a release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observed {
    /// The workload carries the labels that tell versions apart.
    pub labels: bool,
    /// The copy exists.
    pub copy: bool,
    /// The versions are declared to the traffic system.
    pub subsets: bool,
    /// The Service selects the pods of both versions.
    pub wide: bool,
    /// A flag makes the canary side run the new version, where both are in one image and the copy exists.
    pub shipped: bool,
    /// The workload runs the new version as its copy does.
    pub promoted: bool,
    /// The workload does not say the flag that would choose its version.
    pub unsaid: bool,
    /// What the routes name.
    pub routes: Routes,
    /// Where the first of them is written.
    pub routes_at: Option<Location>,
    /// Where the files differ from what the release needs, phase or not.
    pub drift: Vec<Diagnostic>,
}

impl Observed {
    /// Pods of one version or of both, and nothing else that a release needs.
    fn of_copy(copy: bool) -> Self {
        Self {
            labels: false,
            copy,
            subsets: false,
            wide: false,
            shipped: false,
            promoted: false,
            unsaid: false,
            routes: Routes::Plain,
            routes_at: None,
            drift: Vec::new(),
        }
    }
}

/// A traffic system.
pub trait Provider: Sync {
    /// Its name.
    fn id(&self) -> ProviderId;

    /// How it tells the two versions apart.
    fn form(&self) -> Form;

    /// What it can do besides weights.
    fn previews(&self) -> Previews {
        Previews::default()
    }

    /// Whether it takes requests to a workload in an environment, as it is rendered now.
    fn is_used(&self, application: &Application, workload: &str, environment: &str) -> bool;

    /// Whether a release can start on a workload as it is rendered now.
    ///
    /// Errors: every reason why not.
    fn check_start(&self, application: &Application, release: &Release) -> Vec<Diagnostic>;

    /// What is wrong with the traffic system's objects as they are rendered, whether a release goes on or not.
    fn lint(&self, application: &Application) -> Vec<Diagnostic>;

    /// The public hosts whose requests an environment's routes take to the workload.
    fn hosts(&self, application: &Application, release: &Release, environment: &str) -> Vec<String>;

    /// The weight that the user's own routes give their single destination, if they say one: a release changes it, so
    /// it has to be remembered.
    ///
    /// Errors: some say one and others another.
    fn own_weight(&self, application: &Application, release: &Release) -> Result<Option<u64>, Diagnostic>;

    /// The share nearest to a wanted one that it can give the canary in an environment; none and all are always possible,
    /// and a canary that is wanted gets some.
    fn attainable(
        &self,
        _application: &Application,
        _release: &Release,
        _environment: &str,
        wanted: Weight,
    ) -> Weight {
        wanted
    }

    /// How many pods the workload asks for in each environment, where their numbers are the shares: a release changes
    /// them, so they have to be remembered.
    fn own_replicas(&self, _application: &Application, _release: &Release) -> IndexMap<String, u64> {
        IndexMap::new()
    }

    /// What must exist for a shape, on the basis of what a release wrote already or without it.
    ///
    /// Errors: what cannot be expressed, naming it; never an approximation.
    fn emit(
        &self,
        application: &Application,
        release: &Release,
        shape: &Shape,
        basis: Basis,
    ) -> Result<Vec<Intent>, Vec<Diagnostic>>;

    /// What the rendered objects of an environment say.
    fn observe(&self, application: &Application, release: &Release, environment: &str) -> Observed;

    /// The objects that carry the weights of an environment, or will, each with the JSONPath of its destinations.
    fn weighted(
        &self,
        application: &Application,
        release: &Release,
        environment: &str,
    ) -> Vec<(ObjectRef, &'static str)>;

    /// The same objects, each with the JSON patch that gives the versions their shares
    /// at once: what `kubectl patch --type json` takes, in the order in which to run it.
    fn live_patches(
        &self,
        application: &Application,
        release: &Release,
        environment: &str,
        routes: Routes,
    ) -> Vec<(ObjectRef, Value)>;
}

/// The weight that several routes say alike, each with its place: a release can give back one only.
///
/// Errors: `message` and `hint`, at the first that says something else.
fn same_weight(
    weights: Vec<(Option<u64>, Location)>,
    message: &str,
    hint: &str,
) -> Result<Option<u64>, Diagnostic> {
    let unlike = weights
        .windows(2)
        .find_map(|pair| (pair[0].0 != pair[1].0).then_some((&pair[0].1, &pair[1].1)));
    match unlike {
        Some((one, other)) => Err(Diagnostic::error(Code::CanaryImpossible, message)
            .at(other.clone())
            .related(one.clone(), "unlike this one")
            .hint(hint)),
        None => Ok(weights.first().and_then(|(weight, _)| *weight)),
    }
}

/// Writes the weight of an entry of a route, or takes it out.
fn set_weight(entry: &mut Value, weight: Option<u64>) {
    let Some(entry) = entry.as_object_mut() else {
        return;
    };
    match weight {
        Some(weight) => entry.insert("weight".to_owned(), json!(weight)),
        None => entry.shift_remove("weight"),
    };
}

/// What the rendered objects of an environment say of a release.
pub fn observe(application: &Application, release: &Release, environment: &str) -> Observed {
    let mut observed = release
        .provider
        .provider()
        .observe(application, release, environment);
    match release.flag() {
        None => observed.promoted = is_promoted(application, release, environment),
        Some(flag) => observe_flag(application, release, flag, environment, &mut observed),
    }
    observed
}

/// Which versions the flag makes the workloads run, and where they say something that a release cannot go by.
fn observe_flag(
    application: &Application,
    release: &Release,
    flag: &Flag,
    environment: &str,
    observed: &mut Observed,
) {
    let read = |workload: &str| {
        let deployment = application.deployed(environment, workload, "apps", "Deployment")?;
        Some((Reading::of(flag, deployment), deployment))
    };
    let runs = |reading: &Reading| match reading {
        Reading::Version(version) => Some(*version),
        // While both run, each has to say what it is.
        Reading::Unsaid if !observed.copy => Some(flag.unsaid),
        _ => None,
    };
    let (workload, copy) = (read(&release.workload), read(&release.copy));
    let version =
        |found: &Option<(Reading, &Manifest)>| found.as_ref().and_then(|(reading, _)| runs(reading));
    let is_canary = |found| version(found) == Some(Version::Canary);
    let (shipped, promoted) = match release.copy_runs {
        Version::Stable => (is_canary(&workload), false),
        Version::Canary => (is_canary(&copy), is_canary(&workload)),
    };
    let unsaid = matches!(workload, Some((Reading::Unsaid, _)));
    let mut drift = Vec::new();
    for (key, found) in [(&release.workload, &workload), (&release.copy, &copy)] {
        let Some((reading, deployment)) = found.as_ref().filter(|_| observed.copy) else {
            continue;
        };
        let wrong = reading.wrong(flag, key);
        drift.extend(wrong.map(|wrong| wrong.at(flag::place(flag, deployment))));
    }
    if release.copy_runs == Version::Stable && is_canary(&copy) {
        let message = format!(
            "`{}` is the stable version and says `{}` for `{}`",
            release.copy, flag.canary, flag.name
        );
        let wrong = Diagnostic::error(Code::Drift, message).hint(format!("write `{}`", flag.stable));
        drift.extend(
            copy.as_ref()
                .map(|(_, deployment)| wrong.at(flag::place(flag, deployment))),
        );
    }
    let image = |found: &Option<(Reading, &Manifest)>| {
        let (_, deployment) = found.as_ref()?;
        Some(container(&deployment.value)?.get("image")?.as_str()?.to_owned())
    };
    if let (Some(own), Some(other), Some((_, copy))) = (image(&workload), image(&copy), &copy)
        && own != other
    {
        let message = format!(
            "`{}` runs `{own}`, `{}` runs `{other}`: they differ in more than `{}`",
            release.workload, release.copy, flag.name
        );
        let unlike = Diagnostic::warning(Code::Drift, message).at(flag::place(flag, copy));
        drift.push(unlike.hint("let whatever writes the new image write it at both"));
    }
    observed.shipped = observed.copy && shipped;
    observed.promoted = promoted;
    observed.unsaid = unsaid;
    observed.drift.extend(drift);
}

/// Whether a workload runs what its copy runs, or what the release says of it once it is gone.
fn is_promoted(application: &Application, release: &Release, environment: &str) -> bool {
    if release.copy_runs == Version::Stable {
        return false;
    }
    let image = |workload: &str| {
        application
            .deployed(environment, workload, "apps", "Deployment")?
            .text("/spec/template/spec/containers/0/image")
    };
    let Some(own) = image(&release.workload) else {
        return false;
    };
    match (image(&release.copy), &release.canary.tag) {
        (Some(copy), _) => own == copy,
        (None, Some(tag)) => own
            .strip_suffix(tag.as_str())
            .is_some_and(|rest| rest.ends_with([':', '@'])),
        (None, None) => false,
    }
}

/// The value of the canary label of a release.
///
/// `enabled`, or the workload's name where another workload of the application already carries `enabled`;
/// what the workload carries already stays.
pub fn canary_mark(application: &Application, release: &Release) -> String {
    let label = |key: &str| {
        application
            .workloads
            .get(key)
            .and_then(|workload| workload.pod_labels.get(CANARY_LABEL))
    };
    if let Some(mark) = label(&release.workload) {
        return mark.clone();
    }
    let is_other = |key: &&String| **key != release.workload && **key != release.copy;
    let is_taken = application
        .workloads
        .keys()
        .filter(is_other)
        .any(|key| label(key).is_some_and(|mark| mark == DEFAULT_MARK));
    if is_taken {
        release.workload.clone()
    } else {
        DEFAULT_MARK.to_owned()
    }
}

/// The canary label's value of the first release of an application. Source: the GAP canary guide.
pub const DEFAULT_MARK: &str = "enabled";

/// The labels of a version's pods.
pub fn version_labels(
    application: &Application,
    release: &Release,
    version: Version,
) -> IndexMap<String, String> {
    let mark = canary_mark(application, release);
    [
        (VERSION_LABEL.to_owned(), version.label().to_owned()),
        (CANARY_LABEL.to_owned(), mark),
    ]
    .into_iter()
    .collect()
}
