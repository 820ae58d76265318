//! The embedded cloud: a seeded simulation of the services, with a clock of its own.
//!
//! Goes in: calls, questions, the passing of virtual time, faults. Comes out: what the services would answer.
//!
//! **Invariant:** what `call` has answered is kept before it answers.
//! **Invariant:** time moves only when somebody sleeps, or by `advance`; nothing here reads a real clock.

mod again;
mod billing;
mod calls;
mod checkers;
mod clock;
mod cloud;
mod cool_down;
mod faults;
mod globals;
mod handle;
mod hands;
mod load;
mod look;
mod pacing;
mod parameter_family;
mod parameters;
mod physics;
mod quotas;
mod refusals;
mod rows;
mod size;
mod slots;
mod state;
mod tables;
mod tap;
mod timing;
mod trail;
mod verbs;
mod world;

pub use billing::Used;
pub use clock::SimClock;
pub use faults::FaultPlan;
pub use handle::{Called, GENESIS, SimCloud, SimError};
pub use size::vcpus;
pub use slots::Slots;
pub use state::{Broken, Fault, Load, Object, Rule, Surge, Trailed, Violation};
pub use tables::{ApiBudget, budget};
pub use tap::{CallTap, FailAt, Side, TapVerdict};
pub use world::World;
