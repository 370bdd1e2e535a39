//! What a release puts into layouts whose folders hold what is applied: files with names of their own among it, and the
//! release file away from it, in `.tidegate/releases/<folder>.yaml`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tidegate_yaml::Stream;

use crate::diagnostic::{Diagnostic, Failure};
use crate::model::Release;
use crate::repo::{Repo, RepoPath};
use crate::schema::config::Config;
use crate::schema::file::read_stream_within;
use crate::schema::release;

/// Where they are, from the root of the repository.
const RELEASES: &str = ".tidegate/releases";

/// Files whose names begin so exist for a release alone.
pub(super) const OWNED_PREFIX: &str = "tidegate-canary-";

/// First lines of a file of ours.
pub(super) const HEADER: &str = "# Written by tidegate for the canary of this workload; `tidegate status` says where it stands.\n# The last transition removes it.\n";

/// The name of the file of ours with what exists for the release of a workload alone.
pub(super) fn own_file(release: &Release) -> String {
    format!("{OWNED_PREFIX}{}.yaml", release.workload)
}

/// Those among some files.
pub(super) fn owned(streams: &BTreeMap<RepoPath, Arc<Stream>>) -> BTreeSet<RepoPath> {
    let is_owned = |file: &&RepoPath| file.file_name().starts_with(OWNED_PREFIX);
    streams.keys().filter(is_owned).cloned().collect()
}

/// The release file of the application in a folder.
pub(super) fn file(at: &RepoPath) -> RepoPath {
    let name = match at.as_str() {
        "" => format!("{RELEASES}.yaml"),
        folder => format!("{RELEASES}/{folder}.yaml"),
    };
    RepoPath::root().join(&name)
}

/// The releases of a file, if it is there; what is wrong with it goes to `problems`.
pub(super) fn read(
    repo: &dyn Repo,
    file: &RepoPath,
    config: &Config,
    streams: &mut BTreeMap<RepoPath, Arc<Stream>>,
    problems: &mut Vec<Diagnostic>,
) -> Result<Vec<Release>, Failure> {
    let Some(stream) = read_stream_within(repo, file, &config.limits)? else {
        return Ok(Vec::new());
    };
    let releases = release::parse(file, &stream);
    streams.insert(file.clone(), stream);
    Ok(releases.unwrap_or_else(|wrong| {
        problems.extend(wrong);
        Vec::new()
    }))
}
