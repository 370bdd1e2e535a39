//! How a repository holds an application: where things are read from and written to.

pub mod gap;
