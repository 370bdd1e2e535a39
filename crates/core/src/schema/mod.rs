//! The shapes of the files on disk: the GAP spec, the release file, the configuration.

pub mod config;
pub mod gap;
pub mod release;
