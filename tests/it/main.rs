//! The integration tests are one binary: linking is the slow part.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic, clippy::print_stdout, clippy::print_stderr)]

mod catalog;
mod fixtures;
mod laws;
mod planning;
mod store_laws;
