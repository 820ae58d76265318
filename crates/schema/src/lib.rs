//! Words that know no resource: time, money, names, units, change tables, diagnostics.
//!
//! Goes in: text and numbers. Comes out: checked values that every later stage speaks in.
//!
//! **Invariant:** nothing here names a service, reads a clock, or does input or output.

pub mod calendar;
pub mod codes;
pub mod diagnostic;
pub mod digest;
pub mod money;
pub mod names;
pub mod node;
pub mod phase;
pub mod quantity;
pub mod section;
pub mod settings;
pub mod shape;
pub mod table;
pub mod time;
