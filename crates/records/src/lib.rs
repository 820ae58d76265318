//! The record of a team, kept as objects by their keys: what a bucket and a cluster's API server have in common.
//!
//! Goes in: leases, lines, decisions, messages, and a [`Shelf`] that puts an object on condition. Comes out: the same, verified, for
//! everybody who shares the shelf.
//!
//! **Invariant:** whatever a shelf is, what is put on it has the same keys and the same content, and obeys the same laws.

mod archive;
mod decisions;
mod inbox;
mod lines;
mod memories;
pub mod shelf;
mod store;
mod tidy;

pub use store::Records;
