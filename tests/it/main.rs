//! The integration tests are one binary: linking is the slow part.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic, clippy::print_stdout, clippy::print_stderr)]

#[cfg(feature = "aws")]
mod aws;
mod blueprint;
mod catalog;
mod crash;
mod engine;
mod fixtures;
mod laws;
mod planning;
mod sim;
mod store_laws;
mod swarm;
mod taps;
#[cfg(feature = "aws")]
mod wire;
