//! What kustomize is given to do the same as `render`: the same base, and the same patches.

use std::path::Path;

use serde_json::{Value, json};
use tidegate_core::model::Environment;

use crate::kustomize::Kustomize;
use crate::measure::{Run, write};

/// Writes an environment as a kustomization, and how to build it; `None` where there is no kustomize.
pub(crate) fn kustomize(environment: &Environment, namespace: &str, folder: &Path) -> Option<Run> {
    let kustomize = Kustomize::find()?;
    write_overlay(environment, namespace, folder);
    kustomize.build(folder).expect("kustomize takes the overlay");
    let command = kustomize.command(folder);
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    Some(Run::new(folder, words.map(|word| word.to_str().expect("UTF-8"))))
}

fn write_overlay(environment: &Environment, namespace: &str, overlay: &Path) {
    let resources: Vec<&Value> = environment.base.iter().map(|manifest| &manifest.value).collect();
    write(
        &overlay.join("resources.yaml"),
        &tidegate_yaml::print_stream(resources),
    );
    let patches = environment.patches.iter().enumerate().map(|(index, patch)| {
        let file = format!("patch-{index}.yaml");
        write(&overlay.join(&file), &tidegate_yaml::print(&patch.value));
        json!({"path": file})
    });
    let kustomization = json!({
        "namespace": namespace,
        "resources": ["resources.yaml"],
        "patches": patches.collect::<Vec<_>>(),
    });
    write(
        &overlay.join("kustomization.yaml"),
        &tidegate_yaml::print(&kustomization),
    );
}
