//! What runs for long: many blueprints over one look at each region.
//!
//! Goes in: the ports, blueprints. Comes out: looks that all of them share.

mod glances;
pub mod observer;
mod shared;
mod sights;
