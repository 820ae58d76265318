//! Execution: one pure function that decides what to do now, and one small loop around it that does it.
//!
//! Goes in: desired state, what is seen, what was begun, what may be done, the time. Comes out: lines for the record,
//! calls to make, when to look again, and a report.
//!
//! **Invariant:** [`turn::turn`] is pure; `reconcile.rs`, and `calls.rs`, `drive.rs`, `guard.rs`, `interval.rs`, `look.rs` and
//! `resume.rs` beside it, are the only files of the core that await.
//! **Invariant:** a run lives in the record: whatever a process remembers of it may be thrown away after any turn.
//! **Invariant:** the intent to call is in the record before the call is made, its outcome after.
//! **Invariant:** a step whose outcome is unclear is looked for before it is tried again.
//! **Invariant:** no wait is endless: a step that is tried in vain ends with its reason after a bounded number of calls, and
//! a run after a bounded time in which nothing moved.
//! **Invariant:** a run that lost its lease writes nothing and calls nothing any more: it is renewed beside everything else
//! that the run does, and each request that changes something is checked against it last of all before it leaves.
//! **Invariant:** a call without an answer may still arrive; until it was seen, or is too old, nothing opposite is begun.

mod agreed;
mod assess;
mod by_address;
mod calls;
pub mod drive;
mod entries;
mod events;
pub mod gone;
mod guard;
mod input;
mod interval;
mod job;
mod late;
mod look;
pub mod motion;
mod pace;
mod progress;
mod quiet;
pub mod reconcile;
mod resume;
pub mod retry;
mod room;
mod schedule;
mod session;
pub mod source;
pub mod turn;
pub mod unseen;
