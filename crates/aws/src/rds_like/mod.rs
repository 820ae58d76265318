//! Aurora and DocumentDB: one control plane, one SDK crate, one codec.
//!
//! Goes in: attributes of either family. Comes out: requests of the RDS API, and what its answers say in our words.
//!
//! Both families answer on one host, under one signing name and one API version, with the same operations, fields
//! and codes; the SDK has a crate for each, which sends the same bytes. We use the one of RDS for both: a list of
//! clusters then serves both families in one call. The `engine` of an object tells them apart.
//!
//! **Invariant:** an object of another engine (Neptune, plain RDS) is never shown as ours.

mod act;
mod change;
mod create;
mod observe;
mod roles;
mod shape;

pub use act::{act, delete, tag, untag};
pub use change::{modify, reset_parameters, texts_before};
pub use create::create;
pub use observe::{home_of, observe, parameters, tags};

/// Name under which the budget knows the endpoint.
pub const ENDPOINT: &str = "rds";

/// The engine's name of DocumentDB; Aurora has two.
pub const DOCUMENT_ENGINE: &str = "docdb";

/// Parameters that one call may carry. Source: RDS API reference, ModifyDBClusterParameterGroup.
pub const PARAMETERS_A_CALL: usize = 20;
