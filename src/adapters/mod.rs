//! The outside, one folder for each part of it: the provider, real and simulated; files; HTTP.
//!
//! Goes in: the seams' words. Comes out: what the outside made of them.
//!
//! **Invariant:** each outside crate is named in one folder only.

pub mod aws;
pub mod files;
pub mod http;
pub mod machine;
pub mod sim;
pub mod templates;
