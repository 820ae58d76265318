//! The `rgctl` binary: parse, call, turn the outcome into an exit code.

fn main() {}
