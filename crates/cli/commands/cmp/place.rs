//! Where the Application's files are: the root of the copy that Argo CD sent, and the application in it.

use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use tidegate_core::diagnostic::{Code, Diagnostic};
use tidegate_core::layout::LayoutId;
use tidegate_core::repo::RepoPath;

use super::request;
use crate::args::{BoundArgs, PlaceArgs};
use crate::commands::Stop;
use crate::disk::{self, ReadLimits};
use crate::workspace::Workspace;

/// The copy of the repository that the working folder is in.
pub(super) struct Place {
    pub(super) workspace: Workspace,
    /// What may be missing in the copy.
    pub(super) notice: Option<Diagnostic>,
}

/// Opens the copy of the repository that the working folder is in.
///
/// The root is the nearest folder upward with `.tidegate` or `.git`, as everywhere else; where neither was sent, it is the root of
/// the copy. Nothing above the copy takes part.
pub(super) fn open(place: &PlaceArgs, bounds: &BoundArgs) -> Result<Place, Stop> {
    let limits = ReadLimits {
        file_bytes: bounds.max_file_bytes,
        run_bytes: bounds.max_bytes,
        files: bounds.max_files,
    };
    let shown = place.directory.display();
    let folder = std::fs::canonicalize(&place.directory).with_context(|| format!("cannot open {shown}"))?;
    if !folder.is_dir() {
        return Err(anyhow!("{shown} is not a folder").into());
    }
    let copy = match &place.root {
        Some(root) => Sent {
            root: std::fs::canonicalize(root).with_context(|| format!("cannot open {}", root.display()))?,
            is_whole: true,
        },
        None => root_of_copy(&folder, request::source_path().as_ref()),
    };
    let mut inside = folder
        .ancestors()
        .take_while(|above| above.starts_with(&copy.root));
    let marked = inside.find(|folder| disk::is_root(folder));
    let notice = (marked.is_none() && !copy.is_whole).then(part_alone);
    let root = marked.unwrap_or(&copy.root).to_owned();
    Ok(Place {
        workspace: Workspace::at(root, &folder, limits, place.limits())?,
        notice,
    })
}

/// Settings that were not sent cannot be known of, and what is rendered without them may be something else.
fn part_alone() -> Diagnostic {
    let message = "only a part of the repository was sent, without a `.tidegate` folder";
    Diagnostic::warning(Code::NotSent, message).hint(
        "if the repository has one, add `;/.tidegate` to the Application's annotation argocd.argoproj.io/manifest-generate-paths",
    )
}

/// What Argo CD sent.
#[derive(Debug, PartialEq, Eq)]
struct Sent {
    root: PathBuf,
    /// Whether that is the root of the repository.
    is_whole: bool,
}

/// The folder that holds what was sent: as many folders above as the working folder ends like the Application's path.
///
/// All of the path where the whole repository was sent; less of it where only a folder below the root was. The folder above has
/// a random name, which no path can name.
fn root_of_copy(folder: &Path, source: Option<&RepoPath>) -> Sent {
    let mut parts = source
        .map_or("", RepoPath::as_str)
        .split('/')
        .rev()
        .filter(|part| !part.is_empty());
    let mut root = folder;
    let mut is_whole = true;
    for part in &mut parts {
        match (root.file_name(), root.parent()) {
            (Some(name), Some(above)) if name == part => root = above,
            _ => {
                is_whole = false;
                break;
            }
        }
    }
    Sent {
        root: root.to_owned(),
        is_whole,
    }
}

/// Whether a folder ends like the Application's path, so that it is the Application's folder.
pub(super) fn below_root(here: &RepoPath, source: &RepoPath) -> bool {
    Path::new(here.as_str()).ends_with(source.as_str())
}

/// A folder that an Application names: the working folder, or one below it.
pub(super) fn named(workspace: &Workspace, path: Option<&RepoPath>) -> RepoPath {
    match path {
        Some(path) => workspace.here().join(path.as_str()),
        None => workspace.here().clone(),
    }
}

/// The application that a folder holds, with `gap/gap.yaml` in it or being that `gap` itself; `None` where there is none.
///
/// Neither above nor further below: an Application renders what its path names, or nothing.
pub(super) fn with_spec(workspace: &Workspace, folder: &RepoPath) -> Result<Option<RepoPath>, Stop> {
    let spec = |folder: &RepoPath| LayoutId::Gap.main_file(folder);
    let holds = |folder: &RepoPath| Ok::<_, Stop>(workspace.repo().read(&spec(folder))?.is_some());
    if holds(folder)? {
        return Ok(Some(folder.clone()));
    }
    let above = folder.parent();
    match folder.file_name() == "gap" && holds(&above)? {
        true => Ok(Some(above)),
        false => Ok(None),
    }
}

/// Whether a folder is a part of an application with a spec: its patches are not manifests of their own.
pub(super) fn is_below_spec(workspace: &Workspace, folder: &RepoPath) -> Result<bool, Stop> {
    let mut above = folder.clone();
    while above != RepoPath::root() {
        if above.file_name() == "gap" && workspace.repo().read(&above.join("gap.yaml"))?.is_some() {
            return Ok(true);
        }
        above = above.parent();
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_copy_ends_where_the_path_begins() {
        let of = |folder: &str, source: &str| {
            let source = RepoPath::new(source).expect("a path");
            let sent = root_of_copy(Path::new(folder), Some(&source));
            (sent.root.to_str().expect("UTF-8").to_owned(), sent.is_whole)
        };
        let copy = "/tmp/_cmp_server/8a2b";
        let (whole, part) = ((copy.to_owned(), true), (copy.to_owned(), false));
        assert_eq!(of("/tmp/_cmp_server/8a2b/apps/web", "apps/web"), whole);
        assert_eq!(of("/tmp/_cmp_server/8a2b", "."), whole);
        assert_eq!(of("/tmp/_cmp_server/8a2b/web", "apps/web"), part);
        assert_eq!(of("/tmp/_cmp_server/8a2b", "apps/web"), part);
        let link = ("/tmp/_cmp_server/8a2b/real".to_owned(), false);
        assert_eq!(of("/tmp/_cmp_server/8a2b/real/web", "link/web"), link);
        assert_eq!(root_of_copy(Path::new("/"), None).root, Path::new("/"));
    }
}
