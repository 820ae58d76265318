//! The `rgctl` program: the command line over the engine.
//!
//! Goes in: arguments. Comes out: calls of the crates below it, views, an exit code.

pub mod agent;
pub mod cli;
pub mod import;
pub mod operator;
pub mod report;
