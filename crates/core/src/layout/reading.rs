//! The YAML files of one application: each within its limits, and all of them together.

use std::sync::Arc;

use serde_json::Value;
use tidegate_yaml::{Expanded, Limits, Stream};

use crate::diagnostic::{Code, Diagnostic, Failure};
use crate::manifest::Manifest;
use crate::repo::{ReadError, Repo, RepoPath};
use crate::schema::config::Config;
use crate::schema::file::read_stream_within;

/// How many times what its files may hold an application may hold in all environments together.
const COPIES: usize = 5;

/// Values that the objects of one workload hold, about.
const WORKLOAD: usize = 200;

/// Counts what all environments hold together: what is shared by all is held once for each, and a line of a spec becomes objects.
pub(super) struct Held<'a> {
    limits: &'a Limits,
    nodes: usize,
}

impl<'a> Held<'a> {
    pub(super) fn new(limits: &'a Limits) -> Self {
        Self { limits, nodes: 0 }
    }

    /// Counts the objects of one environment, before they are patched.
    ///
    /// Errors: all of them hold more than an application may; no more should be made then.
    pub(super) fn count(&mut self, objects: &[Manifest]) -> Result<(), Diagnostic> {
        for object in objects {
            self.nodes += nodes(&object.value);
            self.check(0)?;
        }
        Ok(())
    }

    /// Looks whether so many more workloads have room, before anything is made of them.
    ///
    /// Errors: they have not.
    pub(super) fn room_for(&self, workloads: usize) -> Result<(), Diagnostic> {
        self.check(workloads.saturating_mul(WORKLOAD))
    }

    fn check(&self, more: usize) -> Result<(), Diagnostic> {
        let most = self.limits.nodes.saturating_mul(COPIES);
        if self.nodes.saturating_add(more) <= most {
            return Ok(());
        }
        let message = format!("all environments of one application may hold {most} values together");
        let reached = Diagnostic::error(Code::LimitReached, message);
        Err(reached.hint("take away what the application does not need"))
    }
}

/// Scalars, keys, lists and maps of a value.
fn nodes(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(nodes).sum::<usize>(),
        Value::Object(entries) => 1 + entries.values().map(|value| 1 + nodes(value)).sum::<usize>(),
        _ => 1,
    }
}

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

    /// Reads a file that need not be YAML, and counts it; `None` where there is none.
    ///
    /// Errors: as [`Reader::count`], and a file that is no text.
    pub(super) fn text(&mut self, file: &RepoPath) -> Result<Option<String>, ReadError> {
        let Some(text) = self.repo.read(file)? else {
            return Ok(None);
        };
        self.expanded.bytes += text.len();
        self.check(file).map(|()| Some(text))
    }

    /// Counts a file that is kept.
    ///
    /// Errors: all of them hold more than an application may; nothing more should be read then.
    pub(super) fn count(&mut self, file: &RepoPath, stream: &Stream) -> Result<(), ReadError> {
        let Expanded { nodes, bytes } = stream.expanded();
        self.expanded.nodes += nodes;
        // The text is kept as it is written, and most of it may be comments.
        self.expanded.bytes += bytes.max(stream.text().len());
        self.check(file)
    }

    fn check(&self, file: &RepoPath) -> Result<(), ReadError> {
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
