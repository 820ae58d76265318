//! The record of what happened: how its lines are chained, and what they add up to.
//!
//! Goes in: entries in order. Comes out: the [`ledger::Ledger`] of steps that were begun and have not come true yet, and
//! the verdict on whether a line was changed by another hand.
//!
//! **Invariant:** folding never fails and never looks at a clock; an unknown outcome stays unknown.

pub mod chain;
pub mod ledger;
