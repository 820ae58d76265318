//! The integration tests are one binary.
