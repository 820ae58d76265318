//! The integration tests are one binary: linking is the slow part.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic, clippy::print_stdout, clippy::print_stderr)]

mod account;
mod accounts;
mod agent;
mod agreed;
mod architecture;
#[cfg(feature = "aws")]
mod aws;
mod blueprint;
mod capacity;
mod catalog;
mod cli;
mod decisions;
mod emptied;
mod families;
mod field_law;
mod first_hour;
mod fuzz;
mod gate;
mod import;
mod inputs;
mod laws;
mod lowers;
mod names;
mod observing;
mod outputs;
mod policy;
mod quotas;
mod regions;
mod scaling;
mod scenarios;
mod seen;
mod sim;
mod store_laws;
mod views;
mod visible;
#[cfg(feature = "aws")]
mod wire;
