//! What is shown against a real API server: `testbed/README.md` says how its binaries are built, `.ci/cluster.sh` runs it.
//!
//! Where the binaries are not there, each test says that it was left out, and with `RGCTL_CLUSTER=required` it fails. Real
//! time passes here, since what is shown is what processes and sockets do; how long something takes to expire is told to
//! what is tested, so that no test waits long.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic, clippy::print_stdout, clippy::print_stderr)]
#![allow(clippy::disallowed_methods, reason = "real processes live in real time")]

mod command;
mod harness;
mod kinds;
mod leader;
mod operator;
#[allow(dead_code, reason = "what the next test needs of a control plane")]
mod plane;
#[allow(dead_code, reason = "likewise of processes")]
mod processes;
mod record;
mod relay;
mod replicas;
mod stopped;
mod watching;
