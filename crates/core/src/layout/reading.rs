//! The YAML files of one application: each within its limits, and all of them together.

use std::sync::Arc;

use tidegate_yaml::{Expanded, Limits, Stream};

use crate::diagnostic::Failure;
use crate::repo::{ReadError, Repo, RepoPath};
use crate::schema::config::Config;
use crate::schema::file::read_stream_within;

/// Reads files, and counts what they hold.
pub(super) struct Reader<'a> {
    repo: &'a dyn Repo,
    limits: &'a Limits,
    /// What the files counted so far hold together.
    expanded: Expanded,
}

impl<'a> Reader<'a> {
    pub(super) fn new(repo: &'a dyn Repo, config: &'a Config) -> Self {
        Self {
            repo,
            limits: &config.limits,
            expanded: Expanded::default(),
        }
    }

    /// Reads a file; `None` where there is none.
    ///
    /// Errors: what keeps this file from being read.
    pub(super) fn stream(&self, file: &RepoPath) -> Result<Option<Arc<Stream>>, Failure> {
        read_stream_within(self.repo, file, self.limits)
    }

    /// Counts a file that is kept.
    ///
    /// Errors: all of them hold more than an application may; nothing more should be read then.
    pub(super) fn count(&mut self, file: &RepoPath, stream: &Stream) -> Result<(), ReadError> {
        let Expanded { nodes, bytes } = stream.expanded();
        self.expanded.nodes += nodes;
        self.expanded.bytes += bytes;
        if self.expanded.nodes <= self.limits.nodes && self.expanded.bytes <= self.limits.expanded_bytes {
            return Ok(());
        }
        let limit = format!(
            "the files of one application may hold {} values and {} bytes together",
            self.limits.nodes, self.limits.expanded_bytes
        );
        Err(ReadError::Limit {
            path: file.clone(),
            limit,
        })
    }
}
