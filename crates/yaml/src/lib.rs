//! The crate page is written with the code.
