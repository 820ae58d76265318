//! The `rgctl` binary: parse, call, turn the outcome into an exit code.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use rgctl::cli::{explain, schema, template, validate};
use rgctl::report::diagnostics::Colour;
use rgctl::vocabulary::time::Moment;

#[derive(Parser)]
#[command(name = "rgctl", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Validate(validate::ValidateArgs),
    Schema(schema::SchemaArgs),
    Explain(explain::ExplainArgs),
    Template(template::TemplateArgs),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let (out, err) = (&mut io::stdout(), &mut io::stderr());
    let now = Moment::from_millis(jiff::Timestamp::now().as_millisecond());
    let done: Result<u8, Box<dyn std::error::Error>> = match cli.command {
        Command::Validate(args) => validate::run(&args, now, Colour::No, out, err).map_err(Into::into),
        Command::Schema(args) => schema::run(&args, out, err).map_err(Into::into),
        Command::Explain(args) => explain::run(&args, out, err).map_err(Into::into),
        Command::Template(args) => template::run(&args, Colour::No, out, err).map_err(Into::into),
    };
    match done {
        Ok(code) => ExitCode::from(code),
        Err(reason) => {
            let _ = writeln!(err, "rgctl: {reason}");
            ExitCode::from(1)
        }
    }
}
