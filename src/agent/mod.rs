//! The agent: one loop that keeps many blueprints in shape for as long as it runs.
//!
//! Goes in: which blueprints there are and when they change, looks at the world, messages, the time. Comes out: turns of the
//! engine, metrics, health, lines for a log.
//!
//! **Invariant:** the loop does not know where blueprints come from, nor what a turn is: it is told of keys, and asks whoever
//! carries out turns. A folder of files and a cluster's API server feed the same loop.
//! **Invariant:** one look at a region is for all blueprints there.
//! **Invariant:** what decides is pure (`queue`, `files`, `sights`, `health`, `metrics`); `work` and `observer` await, `serve` listens.
//! **Invariant:** nothing that comes over the network changes anything.

pub mod consents;
mod effort;
pub mod files;
pub mod folder;
mod glances;
pub mod health;
pub mod metrics;
pub mod observer;
pub mod organ;
pub mod queue;
mod region;
pub mod serve;
mod shared;
mod sights;
pub mod work;
