//! The operator: the loop of the agent, fed by the API server of a cluster instead of a folder.
//!
//! Goes in: resources as they are watched, what turns came to, the time. Comes out: texts that are in force, what may be done, and
//! what is told of it in the cluster.
//!
//! **Invariant:** everything here is pure; `cli/operator*.rs` watches, writes and waits.
//! **Invariant:** what is deleted in the cluster deletes nothing in the cloud, unless the resource said so before, a person agreed
//! to the plan of it, and no brake holds.

pub mod accounts;
pub mod conditions;
pub mod costs;
pub mod definitions;
pub mod deletion;
pub mod events;
pub mod freshness;
pub mod outputs;
pub mod overrides;
pub mod plans;
pub mod resources;
pub mod source;
pub mod version;
