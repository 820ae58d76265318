//! Execution: one pure function that decides what to do now, and one small loop around it that does it.
//!
//! Goes in: desired state, what is seen, what was begun, what may be done, the time. Comes out: lines for the record,
//! calls to make, when to look again, and a report.
//!
//! **Invariant:** [`turn::turn`] is pure; `drive.rs` is the only file of the core that awaits.
//! **Invariant:** the intent to call is in the record before the call is made, its outcome after.
//! **Invariant:** a step whose outcome is unclear is looked for before it is tried again.
//! **Invariant:** a run that lost its lease writes nothing and calls nothing any more.

pub mod drive;
mod judge;
mod ready;
pub mod turn;
