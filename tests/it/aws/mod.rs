//! The adapter of the real provider, below the port: requests as they are sent, answers as they come back.

mod answers;
mod bodies;
mod decoding;
mod doctor;
mod fake_s3;
mod fence;
mod lost_region;
mod measuring;
mod models;
mod replay;
mod requests;
mod shared_look;
mod silence;
mod tags;
mod throttled;
