//! `rgctl completions SHELL`.

use clap::CommandFactory;

use super::args::CompletionsArgs;
use super::command::Cli;

/// The completion script of a shell.
pub fn script(args: &CompletionsArgs) -> Vec<u8> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "rgctl", &mut script);
    script
}
