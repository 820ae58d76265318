//! What the tests of several crates share: objects, worlds, stand-ins around the ports, the laws of stores.
//!
//! **Invariant:** no crate of the program depends on this one; tests do.
#![allow(
    missing_docs,
    clippy::missing_panics_doc,
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr
)]

pub mod decides;
pub mod decision_law;
pub mod digests;
pub mod fixtures;
pub mod shipped;
pub mod site;
pub mod store_law;
pub mod swarm_blueprint;
pub mod swarm_overlays;
pub mod swarm_rules;
pub mod tampered;
pub mod taps;
