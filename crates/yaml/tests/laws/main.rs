//! What holds for every text: laws of reading, printing and editing over generated texts, and other readers of YAML to compare with.
//!
//! `PROPTEST_CASES` sets how many texts are tried for each law.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../../fuzz/bodies.rs"]
mod bodies;
mod edits;
mod engines;
mod generate;
#[path = "../../../../tests/engines/kustomize.rs"]
mod kustomize;
mod texts;
