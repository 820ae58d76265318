//! The integration tests are one binary.

mod scaling;
