//! Applications, workloads and releases: neutral to the traffic system and to how a repository holds them.
//!
//! Test of neutrality: no field here exists for one provider or one layout alone.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use indexmap::IndexMap;
use serde_json::Value;
use tidegate_yaml::Stream;

use crate::diagnostic::{Diagnostic, Location};
use crate::layout::LayoutId;
use crate::manifest::{Manifest, ManifestSet, ObjectRef};
use crate::preview::Preview;
use crate::repo::RepoPath;

/// One deployable unit as its repository describes it, with everything later stages need.
#[derive(Debug, Clone)]
pub struct Application {
    /// How the repository holds it.
    pub layout: LayoutId,
    /// Where its releases are written, if it has any.
    pub release_file: RepoPath,
    /// The folder that holds the application (for GAP: the parent of `gap/`).
    pub at: RepoPath,
    /// The application's name; prefix of the names of its objects.
    pub name: String,
    /// The namespace its objects live in.
    pub namespace: String,
    /// The long-running workloads by key, in file order.
    pub workloads: IndexMap<String, Workload>,
    /// One rendered set of manifests each, in promotion order (staging before production).
    pub environments: IndexMap<String, Environment>,
    /// The releases in progress, in file order.
    pub releases: Vec<Release>,
    /// The releases in progress whose requests a controller moves, in file order.
    pub delegations: Vec<Delegation>,
    /// The files the application was read from, for edits and for showing places.
    pub files: BTreeMap<RepoPath, Arc<Stream>>,
    /// The files among them that a release alone put there (by their names); documents in all other files are the user's and are edited, not rewritten.
    pub owned: std::collections::BTreeSet<RepoPath>,
    /// Warnings and notes met while loading.
    pub notices: Vec<Diagnostic>,
}

impl Application {
    /// The object of a kind that makes up a workload in an environment, before patches.
    pub fn generated(&self, environment: &str, workload: &str, group: &str, kind: &str) -> Option<&Manifest> {
        let environment = self.environments.get(environment)?;
        let parts = environment.parts.get(workload)?;
        let mut objects = parts.iter().map(|index| &environment.base[*index]);
        objects.find(|manifest| manifest.object.is(group, kind))
    }

    /// The same object as it is deployed: patched, with its namespace.
    pub fn deployed(&self, environment: &str, workload: &str, group: &str, kind: &str) -> Option<&Manifest> {
        let object = &self.generated(environment, workload, group, kind)?.object;
        self.environments
            .get(environment)?
            .rendered
            .find(group, kind, &object.name)
    }

    /// Whether a release alone put the file of this place there.
    pub fn owns(&self, location: &Location) -> bool {
        self.owned.contains(&location.file)
    }
}

/// One long-running deployment of an application.
#[derive(Debug, Clone, PartialEq)]
pub struct Workload {
    /// Its key in the spec: `web`.
    pub key: String,
    /// The image it runs.
    pub image: Option<Image>,
    /// Whether it is exposed through the ingress controller.
    pub is_exposed: bool,
    /// Labels its spec puts on the pods.
    pub pod_labels: IndexMap<String, String>,
    /// Where it is described.
    pub origin: Location,
}

/// A container image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// Repository, as the spec says it (for GAP without the registry host).
    pub repository: Option<String>,
    /// Tag, or digest as `sha256:<64 hex>`.
    pub tag: Option<String>,
    /// Where the tag (or the image) is written.
    pub origin: Location,
}

/// What one environment is rendered from, and the result.
#[derive(Debug, Clone)]
pub struct Environment {
    /// Its name: `staging`, `production`.
    pub name: String,
    /// Generated and extra objects, before any patch.
    pub base: Vec<Manifest>,
    /// Which of them make up each workload, by their index: its Deployment, its Service and what belongs to them.
    pub parts: IndexMap<String, Vec<usize>>,
    /// The patches, in the order they are applied.
    pub patches: Vec<TargetedPatch>,
    /// All patches applied, the namespace set, in output order.
    pub rendered: ManifestSet,
}

/// A strategic merge patch and the object it is for.
#[derive(Debug, Clone, PartialEq)]
pub struct TargetedPatch {
    /// The object it names.
    pub target: ObjectRef,
    /// The patch.
    pub value: Value,
    /// The file and document it was read from.
    pub origin: Location,
}

/// The two sides of a canary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Version {
    /// What served before: subset `v1`.
    Stable,
    /// The new code: subset `v2`.
    Canary,
}

impl Version {
    /// The name of the version in labels and subsets. Source: the GAP canary guide.
    pub fn label(self) -> &'static str {
        match self {
            Self::Stable => "v1",
            Self::Canary => "v2",
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Stable => "stable",
            Self::Canary => "canary",
        })
    }
}

/// Share of requests a version receives, in whole percent.
///
/// Shape: 0..=100; the shares of one route add up to exactly 100.
/// Errors: [`Weight::new`] refuses larger values; rounding is the caller's decision.
/// Source: Istio `HTTPRouteDestination.weight`, which up to 1.14 had to add up to 100.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Weight(u8);

impl Weight {
    /// No requests.
    pub const ZERO: Self = Self(0);
    /// All requests.
    pub const FULL: Self = Self(100);

    /// A weight of this many percent; `None` above 100.
    pub fn new(percent: u64) -> Option<Self> {
        u8::try_from(percent)
            .ok()
            .filter(|percent| *percent <= 100)
            .map(Self)
    }

    /// The weight in percent.
    pub fn percent(self) -> u8 {
        self.0
    }

    /// What is left for the other version.
    #[must_use]
    pub fn rest(self) -> Self {
        Self(100 - self.0)
    }
}

impl fmt::Display for Weight {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.0)
    }
}

/// How the two versions come to differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Method {
    /// The new code replaces the old in the repository; the stable copy keeps the old image.
    Succession,
    /// Both versions are in one image and a flag chooses.
    Coexistence(Flag),
}

/// What chooses between two versions of one image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flag {
    /// What it is called.
    pub name: FlagName,
    /// Its value for the stable version: what the workload says before the release.
    pub stable: String,
    /// Its value for the canary.
    pub canary: String,
    /// Which version the image runs where nothing says the flag, by the end of the release.
    pub unsaid: Version,
}

impl Flag {
    /// The value for a version.
    pub fn value(&self, version: Version) -> &str {
        match version {
            Version::Stable => &self.stable,
            Version::Canary => &self.canary,
        }
    }
}

/// What a flag is called, and how a container says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FlagName {
    /// A variable of the environment, as an entry of `env` with a `value`.
    Env(String),
    /// An argument, in `args` or in `command`: one item `--engine=rapid`, or two, `--engine` and `rapid`.
    Arg(String),
}

impl fmt::Display for FlagName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Env(name) | Self::Arg(name) => formatter.write_str(name),
        }
    }
}

/// What is known about the order in which objects are applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Order {
    /// Nothing: every subset may be live.
    #[default]
    Any,
    /// What Argo CD guarantees inside one sync: waves, prunes first, the order of kinds.
    ///
    /// Source: gitops-engine, `pkg/sync/sync_tasks.go`, `pkg/sync/sync_context.go`.
    ArgoCd,
}

/// The intent to take one workload through a canary, and the facts about its start that the files lose.
#[derive(Debug, Clone, PartialEq)]
pub struct Release {
    /// The workload that is released.
    pub workload: String,
    /// The workload added for the release's time: `web-v1`.
    pub copy: String,
    /// Which version the copy runs.
    pub copy_runs: Version,
    /// How the versions come to differ.
    pub method: Method,
    /// The traffic system.
    pub provider: crate::provider::ProviderId,
    /// The image the stable version is pinned to.
    pub stable: PinnedImage,
    /// The image of the new version, where the copy runs it; where the workload does, its spec says it.
    pub canary: PinnedImage,
    /// The image tag the spec named before the release; `abort` restores it.
    pub from_tag: Option<String>,
    /// The weight that the single destinations of the user's own routes said before the release, if they did.
    pub from_weight: Option<u64>,
    /// How many pods the workload asked for before the release, by environment, where their numbers split the requests.
    pub from_replicas: IndexMap<String, u64>,
    /// Percent to the canary, ascending, the last one 100.
    pub steps: Vec<Weight>,
    /// Steps of environments that have their own.
    pub environment_steps: IndexMap<String, Vec<Weight>>,
    /// Requests that meet the canary before its share of the others grows.
    pub preview: Preview,
    /// Those of environments that have their own.
    pub environment_previews: IndexMap<String, Preview>,
    /// Whether objects of the release say when one sync of Argo CD applies and deletes them, besides.
    pub order: Order,
    /// Where the release is written; `None` for a canary made by hand, read from the files alone.
    pub origin: Option<Location>,
}

/// The intent to give one workload another image and to leave the requests to a controller.
#[derive(Debug, Clone, PartialEq)]
pub struct Delegation {
    /// The workload that is released.
    pub workload: String,
    /// The controller.
    pub controller: crate::provider::ControllerId,
    /// Whether it had the workload before the release and keeps it.
    pub stays: bool,
    /// What the workload runs before.
    pub stable: PinnedImage,
    /// What it is given.
    pub canary: PinnedImage,
    /// Percent to the canary, ascending, the last one 100; a controller that stays has its own.
    pub steps: Vec<Weight>,
    /// Steps of environments that have their own.
    pub environment_steps: IndexMap<String, Vec<Weight>>,
    /// Where the release is written.
    pub origin: Location,
}

impl Delegation {
    /// The weights the canary takes in an environment, ascending, the last one 100.
    pub fn steps(&self, environment: &str) -> &[Weight] {
        self.environment_steps.get(environment).unwrap_or(&self.steps)
    }
}

/// An image that does not move.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PinnedImage {
    /// Repository, as the spec says it.
    pub repository: Option<String>,
    /// Tag, or digest as `sha256:<64 hex>`.
    pub tag: Option<String>,
}

impl Release {
    /// What chooses between the versions, where both are in one image.
    pub fn flag(&self) -> Option<&Flag> {
        match &self.method {
            Method::Succession => None,
            Method::Coexistence(flag) => Some(flag),
        }
    }

    /// Which phases it goes through.
    pub fn course(&self) -> Course {
        Course {
            form: self.provider.form(),
            ships: self.flag().is_some(),
        }
    }

    /// The weights the canary takes in an environment, ascending, the last one 100.
    pub fn steps(&self, environment: &str) -> &[Weight] {
        self.environment_steps.get(environment).unwrap_or(&self.steps)
    }

    /// The requests of an environment that meet the canary before its share of the others grows.
    pub fn preview(&self, environment: &str) -> &Preview {
        self.environment_previews
            .get(environment)
            .unwrap_or(&self.preview)
    }

    /// The routes that give the canary a share, and the preview besides, as far as it still makes a difference.
    pub fn previewed(&self, environment: &str, share: Weight) -> Routes {
        let Preview { matches, mirror } = self.preview(environment);
        let is_seen = match share {
            Weight::FULL => false,
            Weight::ZERO => !matches.is_empty() || mirror.is_some(),
            _ => !matches.is_empty(),
        };
        match is_seen {
            true => Routes::Preview(share),
            false => Routes::Both(share),
        }
    }

    /// The routes that give the canary another share, with the preview if it is on.
    pub fn shared(&self, environment: &str, now: Routes, share: Weight) -> Routes {
        match now {
            Routes::Preview(_) => self.previewed(environment, share),
            _ => Routes::Both(share),
        }
    }

    /// The workload that runs a version while the copy exists.
    pub fn workload_of(&self, version: Version) -> &str {
        match version == self.copy_runs {
            true => &self.copy,
            false => &self.workload,
        }
    }

    /// The version that the copy's name ends in: `v2`.
    pub fn copy_version(&self) -> &str {
        match self.copy.rsplit_once('-') {
            Some((_, version)) => version,
            None => self.copy_runs.label(),
        }
    }

    /// What an object that belongs to the workload is called for its copy.
    pub fn name_for_copy(&self, name: &str) -> String {
        match name.contains(&self.workload) {
            true => name.replacen(&self.workload, &self.copy, 1),
            false => format!("{name}-{}", self.copy_runs.label()),
        }
    }

    /// The name of the copy that a workload gets: `web-v1` keeps the stable version of `web`, `jazz-v2` is the new one of
    /// `jazz-v1`.
    pub fn copy_name(workload: &str, copy_runs: Version) -> String {
        let numbered = workload
            .rsplit_once("-v")
            .and_then(|(name, number)| Some((name, number.parse::<u32>().ok()?)));
        match numbered.filter(|_| copy_runs == Version::Canary) {
            Some((name, number)) => format!("{name}-v{}", number.saturating_add(1)),
            None => format!("{workload}-{}", copy_runs.label()),
        }
    }
}

/// Which versions an environment's routes name, and with which weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Routes {
    /// No version is named: whatever the Service selects serves.
    Plain,
    /// Only the canary is named; it gets everything.
    CanaryOnly,
    /// Both are named; the canary gets this share, the stable version the rest.
    Both(Weight),
    /// The same, and the requests of the release's preview meet the canary whatever its share is.
    Preview(Weight),
    /// On the way from one share to another, the smaller first: each version has what it needs for the share in which
    /// it gets more. Only where shares follow from pods, which have to be there before others may go.
    Between(Weight, Weight),
}

impl Routes {
    /// The canary's share where versions are named, else `None`.
    pub fn canary(self) -> Option<Weight> {
        match self {
            Self::Plain => None,
            Self::CanaryOnly => Some(Weight::FULL),
            Self::Both(weight) | Self::Preview(weight) => Some(weight),
            Self::Between(low, high) => {
                let (stable, canary) = (u64::from(low.rest().percent()), u64::from(high.percent()));
                Weight::new((100 * canary + (stable + canary) / 2) / (stable + canary))
            }
        }
    }

    /// The shares for which both versions have what they need, where both are named.
    pub fn range(self) -> Option<(Weight, Weight)> {
        match self {
            Self::Plain | Self::CanaryOnly => None,
            Self::Both(weight) | Self::Preview(weight) => Some((weight, weight)),
            Self::Between(low, high) => Some((low, high)),
        }
    }
}

/// How a traffic system tells the two versions apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Form {
    /// By labels of the pods behind one Service: before both versions may stand behind it, the routes have to name
    /// the one that serves.
    Subsets,
    /// By a backend of its own for each version: the workload's stays as it is, the copy gets another.
    Backends,
    /// By labels of the pods behind one Service, for which a controller declares versions as they become ready: the
    /// routes have to name the one that serves for as long as there are two.
    Pinned,
    /// Not at all: one Service spreads the requests evenly over the pods of both, so that their numbers are the shares.
    Replicas,
}

impl Form {
    /// Which version the copy runs. Behind one Service the workload gets the new code, so that at the end only the copy
    /// goes; with backends of their own the workload keeps the old version, which callers past all routes meet.
    pub fn copy_runs(self) -> Version {
        match self {
            Self::Subsets => Version::Stable,
            Self::Backends | Self::Pinned | Self::Replicas => Version::Canary,
        }
    }

    /// The next resting point on the way to other routes: where shares follow from pods, first those that are
    /// wanted are added, then those that are not go.
    pub fn toward(self, now: Routes, wanted: Routes) -> Routes {
        let (Self::Replicas, Some((low, high)), Routes::Both(share)) = (self, now.range(), wanted) else {
            return wanted;
        };
        match (low.min(share), high.max(share)) {
            grown if grown == (low, high) => wanted,
            (low, high) => Routes::Between(low, high),
        }
    }
}

/// Which phases a release goes through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Course {
    /// How its versions are told apart.
    pub form: Form,
    /// Whether a transition of its own makes the canary side run the new version, since both are in one image.
    pub ships: bool,
}

impl From<Form> for Course {
    /// That of a release whose new version is another image.
    fn from(form: Form) -> Self {
        Self { form, ships: false }
    }
}

/// What a phase means for the files: the columns of the phase table.
///
/// A provider makes this true ([`crate::provider::Provider::emit`]) and reads it back
/// ([`crate::provider::Provider::observe`]); `observe(render(place(emit(shape)))) == shape` is the law
/// every provider keeps in every layout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shape {
    /// The workload carries the labels that tell versions apart.
    pub labels: bool,
    /// The copy exists.
    pub copy: bool,
    /// The versions are declared to the traffic system (DestinationRule subsets, a Service for the copy).
    pub subsets: bool,
    /// The Service selects the pods of both versions.
    pub wide: bool,
    /// A flag makes the canary side run the new version, where both are in one image and the copy exists.
    pub shipped: bool,
    /// The workload runs the new version as its copy does.
    pub promoted: bool,
    /// The workload says the flag no more, since its image runs the new version without.
    pub unsaid: bool,
    /// What the routes name, per environment.
    pub routes: IndexMap<String, Routes>,
}
