//! Environments through the real kustomize.

#[path = "../../../../tests/engines/kustomize.rs"]
mod engine;

use serde_json::Value;
use tidegate_core::model::Environment;
use tidegate_yaml::Stream;

pub(crate) use engine::Kustomize;

impl Kustomize {
    /// Builds an environment's base objects and patches, each patch in a file of its own.
    ///
    /// Errors: kustomize's message.
    pub(crate) fn build_environment(
        &self,
        environment: &Environment,
        namespace: &str,
    ) -> Result<Vec<Value>, String> {
        let folder = tempfile::tempdir().expect("a folder");
        let write =
            |name: String, text: String| std::fs::write(folder.path().join(name), text).expect("a file");
        let objects: Vec<String> = environment
            .base
            .iter()
            .map(|manifest| format!("---\n{}\n", manifest.value))
            .collect();
        write("objects.yaml".to_owned(), objects.concat());
        let mut kustomization = format!("namespace: {namespace}\nresources: [objects.yaml]\npatches:\n");
        for (index, patch) in environment.patches.iter().enumerate() {
            let mut value = patch.value.clone();
            value["apiVersion"] = patch.target.api_version.clone().into();
            write(format!("{index}.yaml"), value.to_string());
            kustomization += &format!("- path: {index}.yaml\n");
        }
        write("kustomization.yaml".to_owned(), kustomization);
        let text = self.build(folder.path())?;
        let stream = Stream::parse(text).expect("kustomize writes YAML");
        let documents = stream.documents().iter().filter(|document| !document.is_empty());
        Ok(documents.map(|document| document.value().clone()).collect())
    }
}
