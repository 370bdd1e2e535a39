//! The release model, planner, layouts and providers of tidegate.
//!
//! Values flow one way; IO happens only outside this crate:
//!
//! ```text
//! Repo ─▶ layout::load ─▶ plan ─▶ provider::emit ─▶ layout::place ─▶ ChangeSet
//! (read)   Application    Shape    Intents (what)    files (where)   (the CLI shows or writes it)
//! ```
//!
//! A change set is checked before anyone sees it: it is laid over the repository ([`repo::Overlay`]),
//! loaded and observed again, and must read as the phase that was asked for.

pub mod adopt;
mod argo_cd;
pub mod change;
pub mod check;
pub mod checkout;
pub mod delegated;
pub mod diagnostic;
mod flag;
pub mod layout;
pub mod manifest;
pub mod model;
pub mod phase;
pub mod plan;
pub mod preview;
pub mod prover;
pub mod provider;
mod rehearsal;
mod release_file;
pub mod render;
pub mod repo;
pub mod schema;
mod selector;
pub mod standing;
pub mod start;
pub mod transition;
