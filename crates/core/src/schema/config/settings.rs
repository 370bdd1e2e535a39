//! The settings, section by section, with the built-in profile as their defaults.
//!
//! Source of the defaults where nothing else is said: the GAP documentation, or what is inferred from it.

use indexmap::IndexMap;
use serde::Deserialize;

use super::Pattern;

/// Which files belong to an application.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LayoutConfig {
    /// What to do with a `gap/<environment>/gap.yaml`, which the GAP documentation does not know.
    pub env_gap_yaml: EnvironmentSpec,
    /// Names of files that hold extra resources; a name that `patch_globs` matches too is a patch.
    pub resource_globs: Vec<String>,
    /// Names of files that hold patches.
    pub patch_globs: Vec<String>,
}

impl Default for LayoutConfig {
    fn default() -> Self {
        let globs = |start: &str| vec![format!("{start}*.yaml"), format!("{start}*.yml")];
        Self {
            env_gap_yaml: EnvironmentSpec::Ignore,
            resource_globs: globs("gap_"),
            patch_globs: globs("gap_patch_"),
        }
    }
}

/// What to do with a spec in an environment's folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EnvironmentSpec {
    /// Say that it has no effect.
    Ignore,
    /// Merge it, map by map, over `gap/gap.yaml`.
    Merge,
    /// Refuse it.
    Error,
}

/// How patches find their targets.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PatchConfig {
    /// The order of patches; within a file it is that of the documents.
    pub order: PatchOrder,
    /// When a patch's namespace fits its target's.
    pub namespace_match: NamespaceMatch,
    /// apiVersions that are taken for another one, with a warning.
    pub api_version_aliases: Vec<ApiVersionAlias>,
}

impl Default for PatchConfig {
    /// Source of the alias: the GAP documentation's page on patches shows Services in `apps/v1`.
    fn default() -> Self {
        let service = ApiVersionAlias {
            kind: "Service".into(),
            from: "apps/v1".into(),
            to: "v1".into(),
        };
        Self {
            order: PatchOrder::Folder,
            namespace_match: NamespaceMatch::Application,
            api_version_aliases: vec![service],
        }
    }
}

/// The order of patches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PatchOrder {
    /// `gap/` before `gap/<environment>/`, by name within a folder.
    Folder,
    /// By name, whatever the folder; `gap/` first where names are equal.
    Name,
}

/// When a patch's namespace fits its target's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NamespaceMatch {
    /// No namespace means the application's, on both sides.
    Application,
    /// Both must say the same, or both nothing, as in kustomize.
    Exact,
}

/// An apiVersion that is taken for another one.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApiVersionAlias {
    /// The kind it holds for.
    pub kind: String,
    /// What patches say.
    pub from: String,
    /// What it means.
    pub to: String,
}

/// What generated objects say.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RenderConfig {
    /// How an image with a digest for a tag is written.
    pub digest_tag: DigestTag,
    /// Registry that image repositories are prefixed with unless they begin with a host; empty for none.
    pub registry_host: String,
    /// Which workloads get a Service.
    pub service_for: ServiceFor,
    /// Port of generated Services.
    pub service_port: u16,
    /// Port that containers listen on.
    pub container_port: u16,
    /// Version of Istio's API that is written.
    pub istio_api: IstioApi,
    /// apiVersion of generated HorizontalPodAutoscalers.
    pub hpa_api: HpaApi,
}

impl Default for RenderConfig {
    fn default() -> Self {
        Self {
            digest_tag: DigestTag::At,
            registry_host: "europe-west3-docker.pkg.dev".into(),
            service_for: ServiceFor::All,
            service_port: 80,
            container_port: 8080,
            istio_api: IstioApi::V1beta1,
            hpa_api: HpaApi::V2,
        }
    }
}

/// How an image with a digest for a tag is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DigestTag {
    /// `repository@sha256:…`.
    At,
    /// `repository:sha256:…`.
    Colon,
}

/// Which workloads get a Service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ServiceFor {
    /// Every one.
    All,
    /// Those with an ingress.
    Ingress,
}

/// Version of Istio's API groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum IstioApi {
    /// `v1beta1`, as in the GAP canary guide.
    V1beta1,
    /// `v1`.
    V1,
}

impl IstioApi {
    /// The version in an apiVersion.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::V1beta1 => "v1beta1",
            Self::V1 => "v1",
        }
    }
}

/// apiVersion of HorizontalPodAutoscalers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum HpaApi {
    /// `autoscaling/v2`.
    #[serde(rename = "autoscaling/v2")]
    V2,
    /// `autoscaling/v2beta2`, which has the same shape.
    #[serde(rename = "autoscaling/v2beta2")]
    V2beta2,
}

impl HpaApi {
    /// The apiVersion.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::V2 => "autoscaling/v2",
            Self::V2beta2 => "autoscaling/v2beta2",
        }
    }
}

/// Names of generated objects, as patterns.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NamesConfig {
    /// VirtualServices. Source of the two dashes: the GAP canary guide.
    pub virtual_service: Pattern,
    /// AuthorizationPolicies.
    pub authorization_policy: Pattern,
    /// The container of a generated pod.
    pub container: Pattern,
}

impl Default for NamesConfig {
    fn default() -> Self {
        Self {
            virtual_service: Pattern::new("{{ name }}--{{ deployment }}"),
            authorization_policy: Pattern::new("{{ name }}--{{ deployment }}"),
            container: Pattern::new("{{ name }}-{{ deployment }}"),
        }
    }
}

/// Labels of generated objects.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LabelsConfig {
    /// Value of the label `app`, which differs between two workloads of one application.
    pub app: Pattern,
    /// The labels that a generated Service selects by.
    pub service_selector: Vec<SelectorLabel>,
}

impl Default for LabelsConfig {
    fn default() -> Self {
        Self {
            app: Pattern::new("{{ name }}-{{ deployment }}"),
            service_selector: vec![SelectorLabel::App],
        }
    }
}

/// A label that a generated Service may select by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum SelectorLabel {
    /// `app`.
    #[serde(rename = "app")]
    App,
    /// `applicationName`.
    #[serde(rename = "applicationName")]
    ApplicationName,
}

/// Who may call a workload that says nothing about it.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AuthzConfig {
    /// What a workload without rules gets.
    pub default: AuthzDefault,
    /// What a workload's own rules do to that default.
    pub merge: AuthzMerge,
    /// First part of principals; in Istio `cluster.local` stands for the local trust domain, whatever its name.
    pub trust_domain: String,
}

impl Default for AuthzConfig {
    fn default() -> Self {
        Self {
            default: AuthzDefault::Ingress,
            merge: AuthzMerge::Replace,
            trust_domain: "cluster.local".into(),
        }
    }
}

/// What a workload without rules of its own gets, beside the spec's `defaultAuthorizationPolicy`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AuthzDefault {
    /// One with an ingress admits the ingress controller; one without gets no policy.
    Ingress,
    /// One with an ingress admits the ingress controller; one without admits nobody.
    Deny,
    /// Nothing.
    None,
}

/// What a workload's own rules do to the default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AuthzMerge {
    /// They take its place.
    Replace,
    /// They are added to it.
    Extend,
}

/// What an Application of Argo CD means that does not say it itself.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ArgocdConfig {
    /// The environment by the name of the Application, as a glob pattern; the first that fits.
    pub environments: IndexMap<String, String>,
}

impl ArgocdConfig {
    /// The environment of an Application.
    ///
    /// Shape: the name as in `ARGOCD_APP_NAME`, which is `<namespace>_<name>` for an Application outside of Argo CD's own
    /// namespace; its own name alone is looked at.
    pub fn environment_of(&self, application: &str) -> Option<&str> {
        let name = application.rsplit_once('_').map_or(application, |(_, name)| name);
        let fits = |glob: &str| glob::Pattern::new(glob).is_ok_and(|pattern| pattern.matches(name));
        let mut rules = self.environments.iter();
        rules.find_map(|(glob, environment)| fits(glob).then_some(environment.as_str()))
    }
}

/// How `gap.yaml` is read.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SpecConfig {
    /// What a key that is not known means.
    pub unknown_keys: UnknownKeys,
}

impl Default for SpecConfig {
    fn default() -> Self {
        Self {
            unknown_keys: UnknownKeys::Warn,
        }
    }
}

/// What a key that is not known means. It is kept in the file in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UnknownKeys {
    /// A warning, once for each key.
    Warn,
    /// An error, once for each key.
    Error,
    /// Nothing.
    Ignore,
}
