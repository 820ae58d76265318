//! `rgctl schema`: the JSON Schema of a kind of document, for editors.

use std::io::{self, Write};

use clap::{Args, ValueEnum};

use super::error::Failure;
use super::exit::Exit;
use rgctl_blueprint::schema;

/// A kind of document.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum DocumentKind {
    /// What a game needs.
    #[default]
    Blueprint,
    /// Where stores may be built.
    Region,
    /// Whose regions are.
    Account,
}

/// Print the JSON Schema of a kind of document. Editors check and complete with it.
#[derive(Args, Clone, Debug)]
pub struct SchemaArgs {
    /// Which kind.
    #[arg(value_enum, default_value_t, ignore_case = true)]
    pub kind: DocumentKind,
}

/// Why the schema could not be printed.
#[derive(Debug, thiserror::Error)]
pub enum SchemaError {
    /// Writing it failed.
    #[error("cannot write the schema")]
    Write(#[from] io::Error),
    /// Encoding it failed.
    #[error("cannot encode the schema")]
    Encode(#[from] serde_json::Error),
}

impl From<SchemaError> for Failure {
    fn from(error: SchemaError) -> Self {
        match error {
            SchemaError::Write(error) => error.into(),
            // The encoder writes as it goes: a reader that went away shows itself here.
            SchemaError::Encode(error) if error.is_io() => io::Error::from(error).into(),
            error @ SchemaError::Encode(_) => Self::of(Exit::Error, &error),
        }
    }
}

/// Runs the command.
pub fn run(args: &SchemaArgs, out: &mut dyn Write, _err: &mut dyn Write) -> Result<u8, SchemaError> {
    let schema = match args.kind {
        DocumentKind::Blueprint => schema::blueprint(),
        DocumentKind::Region => schema::region(),
        DocumentKind::Account => schema::account(),
    };
    serde_json::to_writer_pretty(&mut *out, &schema)?;
    writeln!(out)?;
    Ok(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::style::Style;

    #[test]
    fn a_closed_pipe_is_quiet() {
        let pipe = serde_json::Error::io(io::ErrorKind::BrokenPipe.into());
        let quiet = Failure::from(SchemaError::Encode(pipe));
        assert_eq!((quiet.exit, quiet.text(Style::PLAIN)), (Exit::Done, String::new()));
    }
}
