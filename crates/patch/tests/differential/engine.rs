//! Pairs of object and patch through the real kustomize.

#[path = "../../../../tests/engines/kustomize.rs"]
mod kustomize;

use std::collections::HashMap;
use std::path::PathBuf;

use serde::Deserialize as _;
use serde_json::Value;

pub(crate) use kustomize::Kustomize;

/// Objects by kind and name, or the engine's message.
pub(crate) type Outcome = Result<HashMap<(String, String), Value>, String>;

impl Kustomize {
    /// Builds objects and patches, each patch in a file of its own, with its target if it has one.
    pub(crate) fn build_pairs<'p>(
        &self,
        objects: impl Iterator<Item = &'p Value>,
        patches: impl Iterator<Item = (&'p Value, Option<&'p Value>)>,
    ) -> Outcome {
        let folder = Folder::new();
        let objects: Vec<String> = objects.map(|object| format!("---\n{object}\n")).collect();
        folder.write("objects.yaml", &objects.concat());
        let mut kustomization = String::from("resources: [objects.yaml]\npatches:\n");
        for (index, (patch, target)) in patches.enumerate() {
            folder.write(&format!("{index}.yaml"), &patch.to_string());
            kustomization += &format!("- path: {index}.yaml\n");
            if let Some(target) = target {
                kustomization += &format!("  target: {target}\n");
            }
        }
        folder.write("kustomization.yaml", &kustomization);
        self.build(&folder.0).map(|text| by_kind_and_name(&text))
    }
}

fn by_kind_and_name(text: &str) -> HashMap<(String, String), Value> {
    let mut objects = HashMap::new();
    for document in serde_yaml::Deserializer::from_str(text) {
        let object = Value::deserialize(document).expect("kustomize writes YAML");
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        if !object.is_null() {
            objects.insert((text(&object["kind"]), text(&object["metadata"]["name"])), object);
        }
    }
    objects
}

/// A folder that is gone afterwards.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        use std::sync::atomic::{AtomicUsize, Ordering};
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("tidegate-patch-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a folder");
        Self(path)
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.0.join(name), text).expect("a file");
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}
