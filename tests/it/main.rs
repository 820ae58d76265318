//! The integration tests are one binary: linking is the slow part.

mod catalog;
mod fixtures;
mod laws;
mod planning;
