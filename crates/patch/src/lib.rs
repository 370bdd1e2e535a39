#![doc = include_str!("../README.md")]

mod apply_all;
pub mod error;
pub mod json_patch;
pub mod limits;
pub mod list_keys;
pub mod merge_patch;
mod object_id;
pub mod strategic;
pub mod target;
mod trail;

pub use apply_all::{ApplyError, ApplyReason, ObjectSet, Patch, PatchBody, Unmatched, apply_all};
pub use error::{Document, PatchError, Reason};
pub use object_id::ObjectId;
