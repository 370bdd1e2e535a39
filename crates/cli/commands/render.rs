//! `tidegate render`: the patched manifests of one environment.

use std::collections::{BTreeMap, BTreeSet};
use std::mem::ManuallyDrop;
use std::path::Path;

use tidegate_core::diagnostic::{Code, Diagnostic, Location};
use tidegate_core::manifest::ManifestSet;
use tidegate_core::model::Application;

use super::{Outcome, Stop, show_notices};
use crate::args::RenderArgs;
use crate::disk::OutputFolder;
use crate::report;
use crate::watch;
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
        let spec = application.layout.main_file(&application.at);
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

/// Names the files that an earlier run wrote into a folder, one a line: no other file is ever removed.
const LISTING: &str = ".tidegate-rendered";

/// One file per object, named after its kind and name; files of objects that are gone since the last time are removed.
///
/// Errors: objects whose names can be no file's, links and folders that stand where a file is to be; nothing is written then.
fn write_files(application: &Application, rendered: &ManifestSet, folder: &Path) -> Result<(), Stop> {
    let files = files(application, rendered)?;
    watch::stand_down();
    let output = OutputFolder::open(folder)?;
    for name in files.keys().map(String::as_str).chain([LISTING]) {
        output.check(name)?;
    }
    let listed = output.read(LISTING).unwrap_or_default();
    // Before anything is written: what is interrupted half-way can be told from a person's files the next time.
    let known = listed.lines().filter(|name| is_plain(name)).map(str::to_owned);
    let known: BTreeSet<String> = known.chain(files.keys().cloned()).collect();
    output.write(LISTING, &lines(known.iter()))?;
    for (name, text) in &files {
        output.write(name, text)?;
    }
    let gone: Vec<&String> = known.iter().filter(|name| !files.contains_key(*name)).collect();
    for name in &gone {
        output.remove(name)?;
    }
    output.write(LISTING, &lines(files.keys()))?;
    let removed = match gone.len() {
        0 => String::new(),
        count => format!(", {count} removed"),
    };
    report::message(&format!(
        "{} objects in {}{removed}\n",
        files.len(),
        folder.display()
    ));
    Ok(())
}

/// The texts by the names of their files.
fn files(application: &Application, rendered: &ManifestSet) -> Result<BTreeMap<String, String>, Diagnostic> {
    let mut files = BTreeMap::new();
    for manifest in rendered.iter() {
        let namespace = manifest.object.namespace.as_deref();
        let prefix = match namespace.filter(|namespace| *namespace != application.namespace) {
            Some(namespace) => format!("{namespace}_"),
            None => String::new(),
        };
        let kind = manifest.object.kind.to_lowercase();
        let name = format!("{prefix}{kind}_{}.yaml", manifest.object.name);
        let is_taken = !is_plain(&name)
            || files
                .insert(name, tidegate_yaml::print(&manifest.value))
                .is_some();
        if is_taken {
            let message = format!("{} has no name that can be a file's", manifest.object);
            return Err(Diagnostic::error(Code::InvalidName, message).at(manifest.origin.clone()));
        }
    }
    Ok(files)
}

/// Whether a name is one file in a folder, on every system.
fn is_plain(name: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    name.ends_with(".yaml") && !name.starts_with('.') && name.chars().all(is_plain)
}

fn lines<'a>(names: impl Iterator<Item = &'a String>) -> String {
    names.map(|name| format!("{name}\n")).collect()
}
