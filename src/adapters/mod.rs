//! The outside, one folder for each kind of it.
//!
//! Goes in: what the stages ask for, in our words. Comes out: what the outside answered, in our words.
//!
//! **Invariant:** no type of an outside crate crosses a folder's border.

pub mod http;
