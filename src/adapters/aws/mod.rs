//! The real provider, through its SDK.
//!
//! Goes in: operations and questions in our words. Comes out: receipts, inventories, series, classified errors.
//!
//! Without the feature `aws` there remain the table of operations and the policy that follows from it: they need no SDK.
//!
//! **Invariant:** no type of the SDK crosses the seam; no module outside this folder names one.
//! **Invariant:** a codec sends the fields that are set and no others, so that an unchanged field cannot be changed.

#[cfg(feature = "aws")]
pub mod budget;
#[cfg(feature = "aws")]
pub mod clients;
#[cfg(feature = "aws")]
pub mod cloud;
#[cfg(feature = "aws")]
pub mod direct;
#[cfg(feature = "aws")]
pub mod doctor;
#[cfg(feature = "aws")]
pub mod elasticache;
#[cfg(feature = "aws")]
pub mod errors;
#[cfg(feature = "aws")]
mod fence;
pub mod iam_policy;
#[cfg(feature = "aws")]
pub mod lane;
pub mod operations;
#[cfg(feature = "aws")]
pub mod parameters;
pub mod policy_parts;
#[cfg(feature = "aws")]
pub mod rds_like;
#[cfg(feature = "aws")]
pub mod redshift;
#[cfg(feature = "aws")]
pub mod redshift_serverless;
#[cfg(feature = "aws")]
mod retries;
#[cfg(feature = "aws")]
mod s3_archive;
#[cfg(feature = "aws")]
mod s3_inbox;
#[cfg(feature = "aws")]
pub mod s3_store;
#[cfg(feature = "aws")]
mod s3_trouble;
#[cfg(feature = "aws")]
pub mod series;
#[cfg(feature = "aws")]
pub mod sight;
#[cfg(feature = "aws")]
mod tags;
