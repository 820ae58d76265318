//! The outside, one folder each: implementations of the seams.
//!
//! Goes in: calls, questions and events of the engine. Comes out: what a provider, a disk or a cluster answers.
//!
//! **Invariant:** an adapter decides nothing; it translates, keeps, or imitates.

pub mod files;
pub mod sim;
