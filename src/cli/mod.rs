//! The command line.

pub mod catalog;
pub mod sim;
