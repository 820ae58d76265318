//! ElastiCache: replication groups, global datastores, serverless caches, users.
//!
//! Goes in: attributes of the family. Comes out: requests of its API, and what its answers say in our words.
//!
//! **Invariant:** shards, replicas, user groups and members each have calls of their own; the general call never
//! carries them.

mod act;
mod change;
mod create;
mod global;
mod observe;

pub use act::{act, delete, tag, untag};
pub use change::{modify, reset_parameters};
pub use create::{create, plain_name};
pub use observe::{observe, parameters, tags};

/// Name under which the budget knows the endpoint.
pub const ENDPOINT: &str = "elasticache";

/// Parameters that one call may carry. Source: API reference, ModifyCacheParameterGroup.
const PARAMETERS_A_CALL: usize = 20;
