//! Reports that are looked at outside of the terminal.
//!
//! Goes in: results. Comes out: text in one file, self-contained, that works offline.

mod chart;
pub mod html;
