//! The real kustomize.

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;

use serde::Deserialize as _;
use serde_json::Value;

/// A program that builds a kustomization, given its folder as the last argument.
#[derive(Debug)]
pub(crate) struct Engine {
    program: OsString,
    arguments: &'static [&'static str],
}

/// Objects by kind and name, or the engine's message.
pub(crate) type Outcome = Result<HashMap<(String, String), Value>, String>;

impl Engine {
    /// Finds kustomize. If there is none, says so; that is a failure where `TIDEGATE_ENGINES=required`.
    pub(crate) fn find() -> Option<Self> {
        let named = std::env::var_os("TIDEGATE_KUSTOMIZE").map(|program| Self {
            program,
            arguments: &["build"],
        });
        let on_path = Self {
            program: "kustomize".into(),
            arguments: &["build"],
        };
        let in_kubectl = Self {
            program: "kubectl".into(),
            arguments: &["kustomize"],
        };
        let found = named
            .into_iter()
            .chain([on_path, in_kubectl])
            .find(Self::is_there);
        if found.is_none() {
            let message = "no kustomize: not in TIDEGATE_KUSTOMIZE, nor kustomize or kubectl on the PATH";
            assert!(
                std::env::var_os("TIDEGATE_ENGINES").is_none_or(|value| value != "required"),
                "{message}"
            );
            eprintln!("skipped: {message}");
        }
        found
    }

    fn is_there(&self) -> bool {
        Command::new(&self.program)
            .args(self.arguments)
            .arg("--help")
            .output()
            .is_ok_and(|output| output.status.success())
    }

    /// Builds objects and patches, each patch in a file of its own, with its target if it has one.
    pub(crate) fn build<'p>(
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
        let output = Command::new(&self.program)
            .args(self.arguments)
            .arg(&folder.0)
            .output()
            .expect("runs");
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).trim().to_owned());
        }
        Ok(by_kind_and_name(
            &String::from_utf8(output.stdout).expect("UTF-8"),
        ))
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
