//! `tidegate render`: the patched manifests of one environment.

use std::collections::{BTreeMap, BTreeSet};
use std::mem::ManuallyDrop;
use std::path::Path;

use anyhow::Context;
use tidegate_core::diagnostic::{Code, Diagnostic, Location};
use tidegate_core::manifest::ManifestSet;
use tidegate_core::model::Application;

use super::{Outcome, Stop, show_notices};
use crate::args::RenderArgs;
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
    std::fs::create_dir_all(folder)
        .with_context(|| format!("cannot make the folder {}", folder.display()))?;
    for name in files.keys().map(String::as_str).chain([LISTING]) {
        check_place(&folder.join(name))?;
    }
    let listing = folder.join(LISTING);
    let listed = std::fs::read_to_string(&listing).unwrap_or_default();
    // Before anything is written: what is interrupted half-way can be told from a person's files the next time.
    let known = listed.lines().filter(|name| is_plain(name)).map(str::to_owned);
    let known: BTreeSet<String> = known.chain(files.keys().cloned()).collect();
    write_if_other(&listing, &lines(known.iter()))?;
    for (name, text) in &files {
        write_if_other(&folder.join(name), text)?;
    }
    let gone: Vec<&String> = known.iter().filter(|name| !files.contains_key(*name)).collect();
    for name in &gone {
        let path = folder.join(name);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(anyhow::Error::from(error)
                    .context(format!("cannot remove {}", path.display()))
                    .into());
            }
            _ => {}
        }
    }
    write_if_other(&listing, &lines(files.keys()))?;
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

/// Errors: something else than a file stands there. Through a link a repository could have files outside of it written.
fn check_place(path: &Path) -> anyhow::Result<()> {
    match std::fs::symlink_metadata(path) {
        Ok(found) if !found.is_file() => {
            anyhow::bail!("{} is no regular file: it is not written", path.display())
        }
        Ok(_) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error).with_context(|| format!("cannot look at {}", path.display())),
    }
}

/// A file that is right already keeps its time of change.
fn write_if_other(path: &Path, text: &str) -> anyhow::Result<()> {
    if std::fs::read_to_string(path).is_ok_and(|found| found == text) {
        return Ok(());
    }
    std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}
