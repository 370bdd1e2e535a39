//! `kustomization.yaml`: which files make up a set of objects, and what is laid over them.
//!
//! Source: kustomize `api/types/kustomization.go`, version 5. What can change objects in ways that are not carried out here is
//! refused, since what is deployed would not be known.

use indexmap::IndexMap;
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use tidegate_yaml::Stream;

use super::deserialize;
use crate::diagnostic::{Code, Diagnostic, Location};
use crate::repo::RepoPath;

/// Names that the file may have, in the order in which they are looked for.
pub const FILE_NAMES: [&str; 3] = ["kustomization.yaml", "kustomization.yml", "Kustomization"];

/// What the file says.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "camelCase")]
pub struct Kustomization {
    #[serde(deserialize_with = "or_default")]
    api_version: String,
    #[serde(deserialize_with = "or_default")]
    kind: String,
    #[serde(rename = "metadata")]
    _metadata: Value,
    /// The namespace of every object.
    #[serde(deserialize_with = "or_default")]
    pub namespace: String,
    /// Files of objects, and folders with a kustomization.
    #[serde(deserialize_with = "or_default")]
    pub resources: Vec<String>,
    /// More folders: an older key.
    #[serde(deserialize_with = "or_default")]
    pub bases: Vec<String>,
    /// Folders whose kustomization is laid over what is here.
    #[serde(deserialize_with = "or_default")]
    pub components: Vec<String>,
    /// Patches of any kind.
    #[serde(deserialize_with = "or_default")]
    pub patches: Vec<PatchEntry>,
    /// Strategic merge patches, as files or as text: an older key.
    #[serde(deserialize_with = "or_default")]
    pub patches_strategic_merge: Vec<String>,
    /// JSON patches: an older key.
    #[serde(deserialize_with = "or_default")]
    pub patches_json6902: Vec<PatchEntry>,
    /// Labels of every object and of every selector: an older key.
    #[serde(deserialize_with = "or_default")]
    pub common_labels: IndexMap<String, String>,
    /// Labels of every object.
    #[serde(deserialize_with = "or_default")]
    pub labels: Vec<LabelEntry>,
    /// Annotations of every object and of its pods.
    #[serde(deserialize_with = "or_default")]
    pub common_annotations: IndexMap<String, String>,
    /// Images by their names.
    #[serde(deserialize_with = "or_default")]
    pub images: Vec<ImageEntry>,
    /// The same: an older key.
    #[serde(deserialize_with = "or_default")]
    pub image_tags: Vec<ImageEntry>,
    /// Replica counts by the names of workloads.
    #[serde(deserialize_with = "or_default")]
    pub replicas: Vec<ReplicaEntry>,
    /// ConfigMaps made of files and literals.
    #[serde(deserialize_with = "or_default")]
    pub config_map_generator: Vec<GeneratorEntry>,
    /// Secrets made of files and literals.
    #[serde(deserialize_with = "or_default")]
    pub secret_generator: Vec<GeneratorEntry>,
    /// What all of both have in common.
    #[serde(deserialize_with = "or_default")]
    pub generator_options: GeneratorOptions,
    /// The order of the output.
    #[serde(rename = "sortOptions")]
    _sort_options: Value,
}

/// A patch and the objects that it is for.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "camelCase")]
pub struct PatchEntry {
    /// A file.
    #[serde(deserialize_with = "or_default")]
    pub path: String,
    /// The patch itself.
    #[serde(deserialize_with = "or_default")]
    pub patch: String,
    /// Which objects; a strategic merge patch may say so itself.
    pub target: Option<TargetEntry>,
    /// What it may change of an object's identity.
    #[serde(deserialize_with = "or_default")]
    pub options: PatchOptions,
}

/// Which objects a patch is for; an empty text is no condition.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "camelCase")]
pub struct TargetEntry {
    /// API group.
    #[serde(deserialize_with = "or_default")]
    pub group: String,
    /// API version.
    #[serde(deserialize_with = "or_default")]
    pub version: String,
    /// Kind.
    #[serde(deserialize_with = "or_default")]
    pub kind: String,
    /// Name.
    #[serde(deserialize_with = "or_default")]
    pub name: String,
    /// Namespace.
    #[serde(deserialize_with = "or_default")]
    pub namespace: String,
    /// Labels.
    #[serde(deserialize_with = "or_default")]
    pub label_selector: String,
    /// Annotations.
    #[serde(deserialize_with = "or_default")]
    pub annotation_selector: String,
}

/// What a patch may change of an object's identity.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "camelCase")]
pub struct PatchOptions {
    /// Its name.
    #[serde(deserialize_with = "or_default")]
    pub allow_name_change: bool,
    /// Its kind.
    #[serde(deserialize_with = "or_default")]
    pub allow_kind_change: bool,
}

/// Labels, and where they go besides the objects themselves.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "camelCase")]
pub struct LabelEntry {
    /// The labels.
    #[serde(deserialize_with = "or_default")]
    pub pairs: IndexMap<String, String>,
    /// To selectors and pod templates.
    #[serde(deserialize_with = "or_default")]
    pub include_selectors: bool,
    /// To pod templates.
    #[serde(deserialize_with = "or_default")]
    pub include_templates: bool,
    /// To these places too.
    #[serde(rename = "fields", deserialize_with = "or_default")]
    pub field_specs: Vec<Value>,
}

/// What an image becomes.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "camelCase")]
pub struct ImageEntry {
    /// The image as objects say it, without tag and digest.
    #[serde(deserialize_with = "or_default")]
    pub name: String,
    /// Another repository.
    #[serde(deserialize_with = "or_default")]
    pub new_name: String,
    /// Another tag.
    #[serde(deserialize_with = "or_default")]
    pub new_tag: String,
    /// Another digest.
    #[serde(deserialize_with = "or_default")]
    pub digest: String,
    /// What is added to the tag.
    #[serde(deserialize_with = "or_default")]
    pub tag_suffix: String,
}

/// How many pods a workload has.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ReplicaEntry {
    /// Its name.
    #[serde(deserialize_with = "or_default")]
    pub name: String,
    /// How many.
    #[serde(deserialize_with = "or_default")]
    pub count: i64,
}

/// A ConfigMap or Secret made of files and literals.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "camelCase")]
pub struct GeneratorEntry {
    /// Its name, before the hash of its content is added.
    #[serde(deserialize_with = "or_default")]
    pub name: String,
    /// Its namespace.
    #[serde(deserialize_with = "or_default")]
    pub namespace: String,
    /// Whether it adds to one that is there: `create`, `merge` or `replace`.
    #[serde(deserialize_with = "or_default")]
    pub behavior: String,
    /// The type of a Secret.
    #[serde(rename = "type", deserialize_with = "or_default")]
    pub secret_type: String,
    /// `file` or `key=file`.
    #[serde(deserialize_with = "or_default")]
    pub files: Vec<String>,
    /// `key=value`.
    #[serde(deserialize_with = "or_default")]
    pub literals: Vec<String>,
    /// Files of lines `key=value`.
    #[serde(deserialize_with = "or_default")]
    pub envs: Vec<String>,
    /// One of them: an older key.
    #[serde(deserialize_with = "or_default")]
    pub env: String,
    /// What only this one is.
    #[serde(deserialize_with = "or_default")]
    pub options: GeneratorOptions,
}

/// What a generated object is like.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "camelCase")]
pub struct GeneratorOptions {
    /// Its labels.
    #[serde(deserialize_with = "or_default")]
    pub labels: IndexMap<String, String>,
    /// Its annotations.
    #[serde(deserialize_with = "or_default")]
    pub annotations: IndexMap<String, String>,
    /// Whether its name stays as it is.
    #[serde(deserialize_with = "or_default")]
    pub disable_name_suffix_hash: bool,
    /// Whether it can be changed in the cluster.
    #[serde(deserialize_with = "or_default")]
    pub immutable: bool,
}

/// Keys that change objects in ways that are not carried out here, each with what to do instead.
const NOT_CARRIED_OUT: [(&str, &str); 14] = [
    ("namePrefix", RENAMES),
    ("nameSuffix", RENAMES),
    ("replacements", WRITE_OUT),
    ("vars", WRITE_OUT),
    ("transformers", WRITE_OUT),
    ("generators", WRITE_OUT),
    ("validators", WRITE_OUT),
    ("helmCharts", WRITE_OUT),
    ("helmGlobals", WRITE_OUT),
    ("helmChartInflationGenerator", WRITE_OUT),
    ("openapi", WRITE_OUT),
    ("crds", WRITE_OUT),
    ("configurations", WRITE_OUT),
    ("buildMetadata", WRITE_OUT),
];

const RENAMES: &str =
    "give the objects their whole names in the files, and tell environments apart by `namespace:`";

const WRITE_OUT: &str = "write out what it makes, under `resources:` or `patches:`; or commit what `kustomize build` prints, and run tidegate in the folder that holds it";

impl Kustomization {
    /// Reads a file of this kind.
    ///
    /// Errors: the first thing that does not fit, or that is not carried out here, at its place.
    pub fn parse(file: &RepoPath, stream: &Stream) -> Result<Self, Diagnostic> {
        let mut documents = stream
            .documents()
            .iter()
            .enumerate()
            .filter(|(_, document)| !document.is_empty());
        let Some((index, document)) = documents.next() else {
            let empty = Diagnostic::error(Code::InvalidValue, "the kustomization is empty");
            return Err(empty
                .at(Location::file(file))
                .hint("name the files of the objects under `resources:`"));
        };
        if let Some((second, _)) = documents.next() {
            let extra = Diagnostic::error(Code::InvalidValue, "a kustomization is one document");
            return Err(extra
                .at(Location::value(file, second, &[]))
                .hint("put it into a folder of its own"));
        }
        let top = Location::value(file, index, &[]);
        let mut value = document.value().clone();
        if let Some(fields) = value.as_object_mut() {
            for (key, hint) in NOT_CARRIED_OUT {
                let is_said = fields.shift_remove(key).is_some_and(|said| !is_nothing(&said));
                if is_said {
                    let message = format!(
                        "`{key}` is not carried out by tidegate, so it cannot judge what is deployed"
                    );
                    let refused = Diagnostic::error(Code::Unsupported, message);
                    return Err(refused.at(top.below(&[key]).as_key()).hint(hint));
                }
            }
        }
        let read: Self = deserialize(&top, &value)?;
        read.check_type(&top)?;
        Ok(read)
    }

    /// Whether it is laid over what includes it.
    pub fn is_component(&self) -> bool {
        self.kind == "Component"
    }

    fn check_type(&self, top: &Location) -> Result<(), Diagnostic> {
        let wanted = match self.kind.as_str() {
            "" | "Kustomization" => "kustomize.config.k8s.io/v1beta1",
            "Component" => "kustomize.config.k8s.io/v1alpha1",
            other => {
                let message = format!("the kind of a kustomization is not `{other}`");
                return Err(Diagnostic::error(Code::InvalidValue, message)
                    .at(top.below(&["kind"]))
                    .hint("write `kind: Kustomization` or `kind: Component`"));
            }
        };
        if self.api_version.is_empty() || self.api_version == wanted {
            return Ok(());
        }
        let message = format!("unknown apiVersion `{}`", self.api_version);
        Err(Diagnostic::error(Code::InvalidValue, message)
            .at(top.below(&["apiVersion"]))
            .hint(format!("write `apiVersion: {wanted}`")))
    }
}

fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        _ => false,
    }
}

/// A key without a value says nothing.
fn or_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(
    deserializer: D,
) -> Result<T, D::Error> {
    Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_default())
}
