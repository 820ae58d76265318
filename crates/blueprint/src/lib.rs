//! The blueprint language: text to typed documents.
//!
//! Goes in: texts with their names. Comes out: [`spec::Blueprint`]s and [`region::Region`]s, and all that is wrong with
//! them, each problem with its code, place and remedy.
//!
//! **Invariant:** pure; files are read by the caller, and the present moment is an argument.
//! **Invariant:** no text makes it panic; what has an error is never acted upon.
//! **Invariant:** text is rendered, then parsed, never patched.

pub mod account;
pub mod capacity;
pub mod desired;
pub mod document;
pub mod families;
pub mod lint;
pub mod places;
pub mod region;
pub mod schema;
pub mod spec;
pub mod template;
pub mod yaml;
