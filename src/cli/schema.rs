//! `rgctl schema`: the JSON Schema of a kind of document, for editors.

use std::io::{self, Write};

use clap::{Args, ValueEnum};

use rgctl_blueprint::schema;

/// A kind of document.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum DocumentKind {
    /// What a game needs.
    #[default]
    Blueprint,
    /// Where stores may be built.
    Region,
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

/// Runs the command.
pub fn run(args: &SchemaArgs, out: &mut dyn Write, _err: &mut dyn Write) -> Result<u8, SchemaError> {
    let schema = match args.kind {
        DocumentKind::Blueprint => schema::blueprint(),
        DocumentKind::Region => schema::region(),
    };
    serde_json::to_writer_pretty(&mut *out, &schema)?;
    writeln!(out)?;
    Ok(0)
}
