//! Redshift: provisioned clusters.
//!
//! Goes in: attributes of the family. Comes out: requests of its API, and what its answers say in our words.
//!
//! **Invariant:** which way a cluster can be resized is asked from the service each time, never assumed.

mod act;
mod change;
mod observe;
mod resize;

pub use act::{act, create, delete, tag, untag};
pub use change::{modify, reset_parameters};
pub use observe::{observe, parameters};

/// Name under which the budget knows the endpoint.
pub const ENDPOINT: &str = "redshift";
