//! The published vectors, read in place beside the project. Where they are absent, the tests say so and do nothing.

#![expect(clippy::disallowed_methods, reason = "tests read files")]
#![expect(clippy::print_stderr, reason = "a skipped test says why")]

mod apimachinery;
mod json;
mod kustomization;
mod kustomize;
mod merge_keys;
mod vectors;
