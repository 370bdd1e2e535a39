//! Generated repositories with kustomizations: the objects of plain manifests in a base, and two overlays that change them.

use std::collections::BTreeMap;

use tidegate_core::provider::ProviderId;
use tidegate_core::repo::{MemoryRepo, RepoPath};

use super::manifests::{self, OLD, noted};
use super::{Choices, ended};

/// A whole repository whose workload a release of the provider can begin with.
pub(crate) fn repository(choices: &mut Choices<'_>, provider: ProviderId) -> MemoryRepo {
    let plain = manifests::repository(choices, provider);
    let image = choices.pick(&[Image::Document, Image::Overlays, Image::OneOverlay, Image::Base]);
    let mut files = BTreeMap::new();
    let mut names = Vec::new();
    for (path, text) in plain.files() {
        // One folder of them is the base.
        if path.as_str() == "README.md" || path.as_str().starts_with("production/") {
            continue;
        }
        let text = match image {
            Image::Document | Image::OneOverlay => text.clone(),
            Image::Overlays | Image::Base => text.replace(OLD, "0.0.0"),
        };
        files.insert(file(&format!("base/{}", path.file_name())), text);
        names.push(path.file_name().to_owned());
    }
    let workload = manifests::workload(provider);
    let mut base = list(choices, "resources", &names);
    base.push_str(choices.pick(&[
        "",
        "labels:\n  - pairs:\n      team: books\n",
        "labels:\n- pairs: {team: books}\n  includeTemplates: true\n",
        "commonAnnotations: {note: \"on\"}\n",
    ]));
    if matches!(image, Image::Base) {
        base.push_str(&images(choices));
    }
    add(&mut files, choices, "base/kustomization.yaml", &base);
    for (index, overlay) in ["staging", "production"].into_iter().enumerate() {
        let mut text = list(choices, "resources", &["../../base".to_owned()]);
        // The names of App Mesh hold the namespace.
        if provider != ProviderId::AppMesh && choices.is() {
            text.push_str(&format!("namespace: shop-{overlay}\n"));
        }
        if provider != ProviderId::Replicas && choices.of(3) == 1 {
            text.push_str(&format!(
                "replicas:\n- name: {workload}\n  count: {}\n",
                2 + index
            ));
        }
        text.push_str(&patches(choices, &mut files, overlay, workload));
        let says_image = match image {
            Image::Overlays => true,
            Image::OneOverlay => index == 0,
            Image::Document | Image::Base => false,
        };
        if says_image {
            text.push_str(&images(choices));
        }
        let name = choices.pick(&["kustomization.yaml", "kustomization.yml", "Kustomization"]);
        add(&mut files, choices, &format!("overlays/{overlay}/{name}"), &text);
    }
    MemoryRepo::new(files)
}

/// What says the image.
#[derive(Clone, Copy)]
enum Image {
    Document,
    Overlays,
    OneOverlay,
    Base,
}

fn images(choices: &mut Choices<'_>) -> String {
    let entry = choices.pick(&[
        "images:\n  - name: team/web\n    newTag: ",
        "images:\n- name: team/web\n  newName: team/web\n  newTag: ",
    ]);
    let more = choices.pick(&["", "\nimageTags: []"]);
    format!("{entry}{OLD}{more}\n")
}

/// Patches of a person's, of any kind, that leave alone what a release changes.
fn patches(
    choices: &mut Choices<'_>,
    files: &mut BTreeMap<RepoPath, String>,
    overlay: &str,
    workload: &str,
) -> String {
    let merge = format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: {workload}\nspec:\n  template:\n    spec:\n      containers:\n      - name: web\n        \
         env: [{{name: WHERE, value: {overlay}}}]\n"
    );
    let indented: String = merge.lines().map(|line| format!("    {line}\n")).collect();
    let mut in_file = |choices: &mut Choices<'_>| {
        add(files, choices, &format!("overlays/{overlay}/web.yaml"), &merge);
    };
    match choices.of(5) {
        1 => {
            in_file(choices);
            "patches:\n  - path: web.yaml\n".to_owned()
        }
        2 => {
            in_file(choices);
            "patchesStrategicMerge: [web.yaml]\n".to_owned()
        }
        3 => format!("patches:\n- patch: |-\n{indented}"),
        4 => "patches:\n- target: {kind: Deployment}\n  patch: |-\n    - op: add\n      path: /spec/template/spec/containers/0/resources\n      \
              value: {limits: {cpu: \"1\"}}\n"
            .to_owned(),
        _ => String::new(),
    }
}

fn list(choices: &mut Choices<'_>, key: &str, entries: &[String]) -> String {
    match choices.of(3) {
        1 => format!("{key}: [{}]\n", entries.join(", ")),
        2 => format!(
            "{key}:\n{}",
            entries
                .iter()
                .map(|entry| format!("  - \"{entry}\"\n"))
                .collect::<String>()
        ),
        _ => format!(
            "{key}:\n{}",
            entries
                .iter()
                .map(|entry| format!("- {entry}\n"))
                .collect::<String>()
        ),
    }
}

fn add(files: &mut BTreeMap<RepoPath, String>, choices: &mut Choices<'_>, name: &str, text: &str) {
    let text = noted(choices, text);
    files.insert(file(name), ended(choices, text));
}

fn file(path: &str) -> RepoPath {
    RepoPath::new(path).expect("a path")
}
