//! `gap/gap.yaml`: the spec of an application on SAP Emarsys' GAP.
//!
//! The public documentation of the spec is incomplete, so keys that are not known are kept in the file and passed over;
//! everything that is known is checked, and all that is wrong is reported at once.

use indexmap::IndexMap;
use serde_json::Value;

use crate::diagnostic::Location;

mod image;
pub(crate) mod names;
mod parse;
pub(crate) mod reader;
pub(crate) mod rules;

pub(crate) use parse::{Parsed, parse};

/// The name of the spec in an application's `gap` folder.
pub const FILE_NAME: &str = "gap.yaml";

/// Labels of pods that the platform sets itself.
pub(crate) const PLATFORM_LABELS: [&str; 2] = ["app", "applicationName"];

/// The spec of an application. Source: the GAP documentation, page on gap.yaml, and the GAP canary guide.
#[derive(Debug, Clone, PartialEq)]
pub struct GapSpec {
    /// The application's name, prefix of every generated name.
    pub name: String,
    /// The team's namespace.
    pub namespace: String,
    /// Image of every workload that has none of its own.
    pub image: Option<ImageSpec>,
    /// Whether all pods are in the service mesh.
    pub use_service_mesh: bool,
    /// Whether all pods know the platform's proxy.
    pub use_proxy_env_vars: bool,
    /// Whether Deployments and CronJobs are protected from deletion.
    pub deletion_protection: bool,
    /// Whether the application is deployed to production.
    pub is_production: bool,
    /// Who may call a workload without rules of its own.
    pub default_rules: Option<Vec<Value>>,
    /// The long-running workloads, in file order.
    pub deployments: IndexMap<String, DeploymentSpec>,
    /// The workloads that run at times, in file order.
    pub cronjobs: IndexMap<String, CronJobSpec>,
    /// The document it was read from.
    pub origin: Location,
}

/// A container image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageSpec {
    /// Path in the registry, without its host.
    pub repository: Option<String>,
    /// Tag, or digest as `sha256:<64 hex>`.
    pub tag: Option<String>,
    /// Where the tag is written; without one, where the image is.
    pub origin: Location,
}

/// What a workload's pods run.
#[derive(Debug, Clone, PartialEq)]
pub struct PodSpec {
    /// Command of the container.
    pub command: Option<Vec<String>>,
    /// Arguments of the container.
    pub args: Option<Vec<String>>,
    /// Image of its own.
    pub image: Option<ImageSpec>,
    /// Labels on the pods.
    pub labels: IndexMap<String, String>,
    /// Resources of the container, as Kubernetes has them.
    pub resources: Option<Value>,
    /// Where the workload is described.
    pub origin: Location,
}

/// A long-running workload.
#[derive(Debug, Clone, PartialEq)]
pub struct DeploymentSpec {
    /// What its pods run.
    pub pod: PodSpec,
    /// Whether it is exposed through the ingress controller.
    pub has_ingress: bool,
    /// Labels on the Ingress.
    pub ingress_labels: IndexMap<String, String>,
    /// Who may call it; `None` where it says nothing, empty for nobody.
    pub rules: Option<Vec<Value>>,
    /// How it is scaled; `None` where it is not.
    pub autoscaling: Option<AutoscalingSpec>,
}

/// How a workload is scaled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AutoscalingSpec {
    /// Fewest pods.
    pub min_replicas: u64,
    /// Most pods.
    pub max_replicas: u64,
    /// What is measured.
    pub metrics: Vec<MetricSpec>,
}

/// A resource whose use is kept near a share of what the pods request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetricSpec {
    /// `cpu`.
    pub name: String,
    /// Percent of the request.
    pub average_utilization: u64,
}

/// A workload that runs at times.
#[derive(Debug, Clone, PartialEq)]
pub struct CronJobSpec {
    /// What its pods run.
    pub pod: PodSpec,
    /// When it runs, as cron has it.
    pub schedule: String,
}

#[cfg(test)]
mod tests;
