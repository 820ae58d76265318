//! How much capacity to hold, and the proof that it is the right amount.
//!
//! Goes in: demand in units, facts of an axis, a calendar, the account of missed minutes. Comes out: a [`Decision`] with
//! its reasons; and, for the proof, what the same code would have paid and missed on recorded load, beside the baselines
//! and the offline optimum.
//!
//! The method: a library of about two thousand simple rules is replayed in shadow all the time; those that would have
//! kept the objective compete on cost; a few of the cheapest are followed together. `docs/scaling.md` tells why.
//!
//! **Invariant:** everything here is a pure function of its arguments; a decision depends on past samples only.
//! **Invariant:** one frozen configuration ([`constants::Constants::FROZEN`]) serves every series.

pub mod augment;
pub mod axis;
pub mod backtest;
pub mod baselines;
pub mod bootstrap;
pub mod budget;
pub mod caasper;
pub mod calendar;
pub mod choose;
pub mod commitments;
pub mod constants;
pub mod controller;
pub mod decide;
pub mod evaluate;
pub mod feed;
pub mod fleet;
pub mod forecast;
pub mod memory;
pub mod optimise;
pub mod optimum;
pub mod policy;
pub mod record;
pub mod replay;
pub mod resize;
pub mod robustness;
pub mod rules;
pub mod shadow;
pub mod telemetry;
pub mod tracking;

pub use axis::AxisProfile;
pub use constants::Constants;
pub use decide::{Decision, Situation, decide};
pub use memory::Memory;
