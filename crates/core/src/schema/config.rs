//! `.tidegate/config.yaml`: what a platform can settle otherwise than the built-in profile, which is GAP's.
//!
//! Every key is optional. A setting exists only where the GAP documentation leaves something open or a second
//! platform needs it. Texts with `{{ … }}` are patterns over names, see [`Pattern`].

use indexmap::IndexMap;
use serde::Deserialize;
use serde_json::{Map, Value};
use tidegate_yaml::Limits;

use super::deserialize;
use super::file::read_stream_within;
use crate::diagnostic::{Code, Diagnostic, Failure, Location};
use crate::repo::{Repo, RepoPath};

mod check;
mod hosts;
mod pattern;
mod settings;

pub use hosts::{EnvironmentConfig, Region};
pub use pattern::{Names, Pattern};
pub use settings::*;

/// The configuration file, from the root of a repository.
pub const PATH: &str = ".tidegate/config.yaml";

/// The settings of a repository.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Which files belong to an application.
    pub layout: LayoutConfig,
    /// How patches find their targets.
    pub patch: PatchConfig,
    /// What generated objects say.
    pub render: RenderConfig,
    /// Names of generated objects.
    pub names: NamesConfig,
    /// Labels of generated objects.
    pub labels: LabelsConfig,
    /// The environments in promotion order; where given, the list replaces `staging` and `production`.
    pub environments: IndexMap<String, EnvironmentConfig>,
    /// Who may call a workload that says nothing about it.
    pub authz: AuthzConfig,
    /// How `gap.yaml` is read.
    pub spec: SpecConfig,
    /// What Applications of Argo CD mean.
    pub argocd: ArgocdConfig,
    /// The root of the repository: template overrides are read from below it.
    #[serde(skip, default = "RepoPath::root")]
    pub root: RepoPath,
    /// What each file may hold; `nodes` and `expanded_bytes` also what all files of an application may hold together.
    #[serde(skip)]
    pub limits: Limits,
    /// Whether the file names the environments itself.
    #[serde(skip)]
    pub names_environments: bool,
    /// The document of the file that the settings were read from; `None` where there is no file.
    #[serde(skip)]
    document: Option<usize>,
}

impl Default for Config {
    fn default() -> Self {
        let environments =
            ["staging", "production"].map(|name| (name.to_owned(), EnvironmentConfig::default()));
        Self {
            layout: LayoutConfig::default(),
            patch: PatchConfig::default(),
            render: RenderConfig::default(),
            names: NamesConfig::default(),
            labels: LabelsConfig::default(),
            environments: environments.into_iter().collect(),
            authz: AuthzConfig::default(),
            spec: SpecConfig::default(),
            argocd: ArgocdConfig::default(),
            root: RepoPath::root(),
            limits: Self::default_limits(),
            names_environments: false,
            document: None,
        }
    }
}

impl Config {
    /// Reads the configuration of a repository; the built-in settings where there is no file.
    ///
    /// Errors: everything wrong with the file, each with its place.
    pub fn load(repo: &dyn Repo, root: &RepoPath) -> Result<Self, Failure> {
        Self::load_within(repo, root, &Self::default_limits())
    }

    /// What the files of one application may hold unless somebody says otherwise: 200,000 values.
    ///
    /// Several times what is read is in memory while a transition is made and proven.
    pub fn default_limits() -> Limits {
        Limits {
            nodes: 200_000,
            ..Limits::default()
        }
    }

    /// As [`Config::load`], within limits that hold for the files of applications too.
    pub fn load_within(repo: &dyn Repo, root: &RepoPath, limits: &Limits) -> Result<Self, Failure> {
        let file = root.join(PATH);
        let built_in = Self {
            root: root.clone(),
            limits: limits.clone(),
            ..Self::default()
        };
        let Some(stream) = read_stream_within(repo, &file, limits)? else {
            return Ok(built_in);
        };
        let mut documents = stream
            .documents()
            .iter()
            .enumerate()
            .filter(|(_, document)| !document.is_empty());
        let Some((index, document)) = documents.next() else {
            return Ok(built_in);
        };
        if let Some((second, _)) = documents.next() {
            let extra = Diagnostic::error(Code::InvalidValue, "the configuration holds one document");
            return Err(extra.at(Location::value(&file, second, &[])).into());
        }
        let top = Location::value(&file, index, &[]);
        let read: Self = deserialize(&top, &without_nulls(document.value()))?;
        let config = Self {
            root: root.clone(),
            limits: limits.clone(),
            names_environments: document
                .value()
                .get("environments")
                .is_some_and(|named| !named.is_null()),
            document: Some(index),
            ..read
        };
        let problems = config.check();
        if problems.is_empty() {
            Ok(config)
        } else {
            Err(problems.into())
        }
    }

    /// Where a setting stands, or would stand, in the file; `None` where there is no file.
    pub fn place(&self, path: &[&str]) -> Option<Location> {
        Some(Location::value(&self.root.join(PATH), self.document?, path))
    }
}

/// A section or a setting without a value (all its lines are comments) is not given.
fn without_nulls(value: &Value) -> Value {
    let Value::Object(sections) = value else {
        return value.clone();
    };
    let keep = |(name, section): (&String, &Value)| {
        let Value::Object(settings) = section else {
            return (name.clone(), section.clone());
        };
        let is_list_of_names = name == "environments";
        let settings = settings
            .iter()
            .filter(|(_, value)| is_list_of_names || !value.is_null());
        let given = |value: &Value| {
            if value.is_null() {
                Value::Object(Map::new())
            } else {
                value.clone()
            }
        };
        (
            name.clone(),
            settings.map(|(key, value)| (key.clone(), given(value))).collect(),
        )
    };
    sections
        .iter()
        .filter(|(_, section)| !section.is_null())
        .map(keep)
        .collect()
}

#[cfg(test)]
mod tests;
