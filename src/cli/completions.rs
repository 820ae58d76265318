//! `rgctl completions SHELL`.

use clap::CommandFactory;

use super::args::{Cli, CompletionsArgs};

/// The completion script of a shell.
pub fn script(args: &CompletionsArgs) -> Vec<u8> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "rgctl", &mut script);
    script
}
