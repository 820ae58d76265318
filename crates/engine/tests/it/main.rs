//! The engine on the embedded cloud, in one binary: linking is the slow part.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic, clippy::print_stdout, clippy::print_stderr)]

mod at_birth;
mod cool_down;
mod crash;
mod crash_decisions;
mod engine;
mod every_family;
mod held_out;
mod in_place;
mod joining;
mod late;
mod lease;
mod memory;
mod of_the_service;
mod ownership;
mod patience;
mod planning;
mod put_off;
mod replacing;
mod restarts;
mod roles;
mod secrets;
mod swarm;
mod swarm_checks;
mod swarm_decisions;
mod swarm_tags;
mod swarm_tally;
mod turns;
mod unread;
mod unset;
mod upgrades;
mod waits;
