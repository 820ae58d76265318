//! The command line.

pub mod catalog;
pub mod explain;
pub mod schema;
pub mod sim;
pub mod template;
pub mod validate;
