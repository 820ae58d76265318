//! The integration tests are one binary: linking is the slow part.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic, clippy::print_stdout, clippy::print_stderr)]

mod account;
mod agreed;
mod architecture;
#[cfg(feature = "aws")]
mod aws;
mod blueprint;
mod capacity;
mod catalog;
mod cli;
mod crash;
mod digests;
mod emptied;
mod engine;
mod families;
mod field_law;
mod first_hour;
mod fixtures;
mod fuzz;
mod gate;
mod import;
mod inputs;
mod laws;
mod lease;
mod lowers;
mod names;
mod ownership;
mod planning;
mod policy;
mod quotas;
mod regions;
mod scaling;
mod scenarios;
mod seen;
mod shipped;
mod sim;
mod site;
mod store_law;
mod store_laws;
mod swarm;
mod swarm_blueprint;
mod swarm_rules;
mod swarm_tally;
mod taps;
mod views;
mod visible;
mod waits;
#[cfg(feature = "aws")]
mod wire;
