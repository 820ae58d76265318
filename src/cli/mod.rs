//! The command line: text in, text and exit codes out.
//!
//! **Invariant:** standard output is data, standard error is talk.

pub mod sim;
