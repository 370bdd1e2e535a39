//! `tidegate render`: the patched manifests of one environment.

use std::mem::ManuallyDrop;
use std::path::Path;

use anyhow::Context;
use tidegate_core::diagnostic::{Code, Diagnostic, Location};
use tidegate_core::manifest::ManifestSet;
use tidegate_core::model::Application;

use super::{Outcome, Stop, show_notices};
use crate::args::RenderArgs;
use crate::report;
use crate::workspace::Workspace;

pub(crate) fn run(workspace: &Workspace, args: &RenderArgs) -> Result<Outcome, Stop> {
    let folder = workspace.application_folder(&format!("render --env {}", args.env))?;
    // The command ends with what it prints: nothing of the application need be taken down before.
    let application = &*ManuallyDrop::new(workspace.load_environment(&folder, &args.env)?);
    show_notices(workspace, application);
    let rendered = manifests(application, &args.env)?;
    match &args.output_dir {
        None => report::product(&stream(rendered))?,
        Some(folder) => write_files(application, rendered, folder)?,
    }
    Ok(Outcome::Fine)
}

/// The manifests of an environment that the application was read for.
///
/// Errors: its spec keeps the application out of it.
pub(super) fn manifests<'a>(
    application: &'a Application,
    environment: &str,
) -> Result<&'a ManifestSet, Diagnostic> {
    let found = application.environments.get(environment);
    found.map(|environment| &environment.rendered).ok_or_else(|| {
        let spec = application.at.join("gap/gap.yaml");
        let message = format!("`isProduction: false` keeps the application out of `{environment}`");
        Diagnostic::error(Code::NothingRendered, message)
            .at(Location::value(&spec, 0, &["isProduction"]))
            .hint("take the line away, or name another environment")
    })
}

/// The manifests as one text: the product of `render` and of `cmp generate`.
pub(super) fn stream(rendered: &ManifestSet) -> String {
    tidegate_yaml::print_stream(rendered.iter().map(|manifest| &manifest.value))
}

/// One file per object, named after its kind and name.
fn write_files(application: &Application, rendered: &ManifestSet, folder: &Path) -> Result<(), Stop> {
    std::fs::create_dir_all(folder)
        .with_context(|| format!("cannot make the folder {}", folder.display()))?;
    let mut names = std::collections::BTreeSet::new();
    for manifest in rendered.iter() {
        let namespace = manifest
            .object
            .namespace
            .as_deref()
            .filter(|namespace| *namespace != application.namespace);
        let prefix = namespace
            .map(|namespace| format!("{namespace}_"))
            .unwrap_or_default();
        let name = format!(
            "{prefix}{}_{}.yaml",
            manifest.object.kind.to_lowercase(),
            manifest.object.name
        );
        let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        if !name.chars().all(is_plain) || !names.insert(name.clone()) {
            let message = format!("{} has no name that can be a file's", manifest.object);
            return Err(Diagnostic::error(Code::InvalidName, message)
                .at(manifest.origin.clone())
                .into());
        }
        let path = folder.join(&name);
        let text = tidegate_yaml::print(&manifest.value);
        if std::fs::read_to_string(&path).is_ok_and(|found| found == text) {
            continue;
        }
        std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    report::message(&format!("{} objects in {}\n", names.len(), folder.display()));
    Ok(())
}
