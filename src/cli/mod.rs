//! The command line: text in, text and exit codes out.
//!
//! Goes in: arguments and the environment. Comes out: data on standard output, talk on standard error, an exit code.
//!
//! **Invariant:** standard output is data, standard error is talk.
//! **Invariant:** nothing is decided here about the world; commands call the engine and show what it says.

pub mod args;
pub mod catalog;
pub mod completions;
pub mod exit;
pub mod output;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser;

/// The program: parses, runs, turns the outcome into an exit code.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    match args::Cli::try_parse_from(arguments) {
        Ok(cli) => run(&cli).into(),
        Err(refusal) => usage(&refusal).into(),
    }
}

/// Help and version are answers; everything else that clap says is a refusal.
fn usage(refusal: &clap::Error) -> exit::Exit {
    let is_answer = !refusal.use_stderr();
    // A reader that went away is no error.
    let _ = refusal.print();
    if is_answer { exit::Exit::Done } else { exit::Exit::BadInput }
}

fn run(cli: &args::Cli) -> exit::Exit {
    let mut output = output::Output::process(cli.global.no_color);
    let args::Command::Completions(args) = &cli.command else {
        output.say("error: this command comes with the engine");
        return exit::Exit::Error;
    };
    match output.data(&String::from_utf8_lossy(&completions::script(args))) {
        Ok(()) => exit::Exit::Done,
        Err(_) => exit::Exit::Error,
    }
}
