//! `tidegate cmp discover`: whether the Application's folder is ours.

use tidegate_core::layout::LayoutId;
use tidegate_core::repo::RepoPath;

use super::place::{below_root, named, with_spec};
use super::request::{self, Request};
use crate::commands::Stop;
use crate::workspace::Workspace;

/// The path of the spec, or nothing: folders of plain manifests are Argo CD's own unless an Application names the plugin.
///
/// Exit code 0 either way: anything else is an error of discovery, not "no match". The manual runs this in the repository's root, the
/// program in the Application's folder; both are looked at. Parameters may be those of another plugin, so what is wrong with
/// them is said by `generate`.
pub(super) fn run(workspace: &Workspace) -> Result<String, Stop> {
    let path = Request::from_environment().ok().and_then(|request| request.path);
    let folder = named(workspace, path.as_ref());
    let found = match with_spec(workspace, &folder) {
        // It stands there and cannot be used: `generate` says why.
        Err(Stop::Refused(_)) => Some(folder),
        found => found?,
    };
    let found = match found {
        None => in_the_root(workspace, path.as_ref())?,
        found => found,
    };
    let spec = |folder| LayoutId::Gap.main_file(&folder);
    Ok(found.map_or_else(String::new, |folder| format!("{}\n", spec(folder))))
}

/// The Application's folder, where the command was run in the root of the repository instead.
fn in_the_root(workspace: &Workspace, path: Option<&RepoPath>) -> Result<Option<RepoPath>, Stop> {
    let Some(source) = request::source_path().filter(|source| !below_root(workspace.here(), source)) else {
        return Ok(None);
    };
    let folder = match path {
        Some(path) => source.join(path.as_str()),
        None => source,
    };
    with_spec(workspace, &named(workspace, Some(&folder)))
}
