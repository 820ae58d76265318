//! Reports: how what was found and decided is shown to people and machines.
//!
//! Goes in: artefacts. Comes out: text and JSON.
//!
//! **Invariant:** nothing is decided here; a report of the same artefact is the same text.

pub mod diagnostics;
