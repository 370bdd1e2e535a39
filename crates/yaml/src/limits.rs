//! Bounds on what a file may cost: size, depth, documents, and what aliases expand to.
//!
//! Everything is checked while the events of the parser are consumed, before a value is built, so a hostile file costs no more
//! than its own size.

use crate::error::Kind;

/// Bounds of one reading.
///
/// Shape: each field is the largest number still accepted.
/// Errors: beyond a bound, reading fails with [`Kind::Limit`] at the place where the bound was passed.
/// Source: the defaults follow go-yaml's answer to CVE-2019-11253 (a budget of alias expansion relative to the size of the
/// document) and the sizes that Kubernetes objects have in practice (an object is at most 1.5 MiB in etcd).
///
/// ```
/// use tidegate_yaml::{Limits, Stream};
///
/// let tight = Limits { depth: 2, ..Limits::default() };
/// assert!(Stream::parse_with("a: {b: 1}\n", &tight).is_ok());
/// let error = Stream::parse_with("a: {b: [1]}\n", &tight).unwrap_err();
/// assert_eq!(error.to_string(), "1:8: a.b: nested deeper than 2 levels");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the text; 8 MiB.
    pub bytes: usize,
    /// Collections inside each other, also through aliases; 128.
    pub depth: usize,
    /// Documents in the text, empty ones counted; 10,000.
    pub documents: usize,
    /// Nodes (scalars, keys and collections) of all documents after aliases are expanded; 1,000,000.
    pub nodes: usize,
    /// Nodes after expansion for each node written in a document; 100.
    pub expansion: usize,
    /// Nodes after expansion that a document may always have, whatever [`Limits::expansion`] says; 10,000.
    pub expansion_floor: usize,
    /// Bytes of all keys and scalars after aliases are expanded; 32 MiB.
    pub expanded_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            bytes: 8 << 20,
            depth: 128,
            documents: 10_000,
            nodes: 1_000_000,
            expansion: 100,
            expansion_floor: 10_000,
            expanded_bytes: 32 << 20,
        }
    }
}

/// How large something is once its aliases are expanded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Expanded {
    /// Scalars, keys and collections.
    pub nodes: usize,
    /// Bytes of all keys and scalars.
    pub bytes: usize,
}

/// What a node costs when written out in full.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Cost {
    pub(crate) nodes: usize,
    pub(crate) bytes: usize,
}

impl Cost {
    pub(crate) fn plus(self, other: Self) -> Self {
        Self {
            nodes: self.nodes.saturating_add(other.nodes),
            bytes: self.bytes.saturating_add(other.bytes),
        }
    }
}

/// The costs of a stream so far, against its limits.
#[derive(Debug, Clone)]
pub(crate) struct Budget<'a> {
    pub(crate) limits: &'a Limits,
    /// Cost of the documents before this one.
    pub(crate) before: Cost,
    /// Cost of this document.
    pub(crate) document: Cost,
    /// Nodes written in this document, each alias counted as one.
    written: usize,
}

impl<'a> Budget<'a> {
    pub(crate) fn new(limits: &'a Limits, before: Cost) -> Self {
        Self {
            limits,
            before,
            document: Cost::default(),
            written: 0,
        }
    }

    /// Takes one written node into account; `cost` is more than one node for an alias.
    pub(crate) fn spend(&mut self, cost: Cost) -> Result<(), (Kind, String)> {
        self.written += 1;
        self.document = self.document.plus(cost);
        let total = self.before.plus(self.document);
        let limits = self.limits;
        let over = |what: String| Err((Kind::Limit, what));
        if total.nodes > limits.nodes {
            return over(format!("more than {} values", limits.nodes));
        }
        if total.bytes > limits.expanded_bytes {
            return over(format!(
                "more than {} bytes once the aliases are expanded",
                limits.expanded_bytes
            ));
        }
        Ok(())
    }

    /// Checks, once the document is read, that its aliases do not make it disproportionately large.
    ///
    /// Earlier a document could not be judged: what follows may be large without any alias. Until here only sums were made.
    pub(crate) fn finish(&self) -> Result<(), (Kind, String)> {
        let allowed = self
            .written
            .saturating_mul(self.limits.expansion)
            .max(self.limits.expansion_floor);
        if self.document.nodes > allowed {
            let text = format!(
                "aliases expand {} values written to more than {allowed}",
                self.written
            );
            return Err((Kind::Limit, text));
        }
        Ok(())
    }
}
