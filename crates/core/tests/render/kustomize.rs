//! The real kustomize, built from base objects and patches.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;
use tidegate_core::model::Environment;
use tidegate_yaml::Stream;

/// A program that builds a kustomization, given its folder as the last argument.
pub(crate) struct Kustomize {
    program: OsString,
    arguments: &'static [&'static str],
}

impl Kustomize {
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
            let is_required = std::env::var_os("TIDEGATE_ENGINES").is_some_and(|value| value == "required");
            assert!(!is_required, "{message}");
            eprintln!("skipped: {message}");
        }
        found
    }

    fn is_there(&self) -> bool {
        let output = Command::new(&self.program)
            .args(self.arguments)
            .arg("--help")
            .output();
        output.is_ok_and(|output| output.status.success())
    }

    /// Builds an environment's base objects and patches, each patch in a file of its own.
    ///
    /// Errors: kustomize's message.
    pub(crate) fn build(&self, environment: &Environment, namespace: &str) -> Result<Vec<Value>, String> {
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
        self.run(&folder.path().to_path_buf())
    }

    fn run(&self, folder: &PathBuf) -> Result<Vec<Value>, String> {
        let output = Command::new(&self.program)
            .args(self.arguments)
            .arg(folder)
            .output()
            .expect("runs");
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).trim().to_owned());
        }
        let stream =
            Stream::parse(String::from_utf8(output.stdout).expect("UTF-8")).expect("kustomize writes YAML");
        let documents = stream.documents().iter().filter(|document| !document.is_empty());
        Ok(documents.map(|document| document.value().clone()).collect())
    }
}
