//! The command line: arguments in, an exit code out.

pub mod scale;
mod scale_output;

use std::error::Error;
use std::io::Write;

use clap::{Parser, Subcommand};

/// Plans, provisions, scales and rehearses the recovery of managed data stores.
#[derive(Debug, Parser)]
#[command(name = "rgctl", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Scaling: measure it, explain it, run it.
    #[command(subcommand)]
    Scale(Scale),
}

#[derive(Debug, Subcommand)]
enum Scale {
    /// Measures the scaler on recorded load.
    Backtest(scale::BacktestArgs),
}

/// Parses the arguments of the process and runs what they ask for.
pub fn main(out: &mut dyn Write) -> Result<u8, Box<dyn Error>> {
    match Cli::parse().command {
        Command::Scale(Scale::Backtest(args)) => scale::run(&args, out),
    }
}
