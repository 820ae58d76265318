//! The engine: what is to be done, whether it may be done, and the loop that does it.
//!
//! Goes in: desired state, an inventory, the record, policies. Comes out: a plan, calls, lines of the record.
//!
//! **Invariant:** everything but `execution/drive.rs` and `execution/guard.rs` is pure: time, ids and chance arrive as arguments.

pub mod execution;
pub mod gate;
pub mod ledger;
pub mod planning;
