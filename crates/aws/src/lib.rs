//! The real provider, through its SDK.
//!
//! Goes in: operations and questions in our words. Comes out: receipts, inventories, series, classified errors.
//!
//! **Invariant:** no type of the SDK crosses the port; no module outside this folder names one.
//! **Invariant:** a codec sends the fields that are set and no others, so that an unchanged field cannot be changed.
#![cfg(feature = "sdk")]

pub mod accounts;
pub mod budget;
pub mod caller;
pub mod clients;
pub mod cloud;
pub mod direct;
pub mod doctor;
pub mod elasticache;
pub mod errors;
mod fence;
mod glance;
mod known_tags;
mod listed;
pub mod parameters;
pub mod probes;
pub mod rds_like;
pub mod redshift;
pub mod redshift_serverless;
pub mod region_listing;
mod retries;
pub mod s3_store;
mod s3_trouble;
pub mod secrets;
pub mod series;
pub mod service_client;
mod tags;
