//! The command line.

pub mod catalog;
#[cfg(feature = "aws")]
pub mod doctor;
pub mod explain;
#[cfg(feature = "aws")]
pub mod iam_policy;
pub mod import;
pub mod schema;
pub mod sim;
pub mod template;
pub mod validate;
