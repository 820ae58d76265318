//! `rgctl template render`: a template with its values filled in.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::blueprint::template;
use crate::report::diagnostics::{self, Colour};
use crate::vocabulary::diagnostic::{Diagnostics, Source};

/// Render templates: text first, documents afterwards.
#[derive(Args, Clone, Debug)]
pub struct TemplateArgs {
    /// What to do.
    #[command(subcommand)]
    pub action: TemplateAction,
}

/// What to do with a template.
#[derive(Clone, Debug, Subcommand)]
pub enum TemplateAction {
    /// Print a template with its values filled in.
    Render {
        /// The template.
        file: PathBuf,
        /// A value, such as `game=tile-rush`.
        #[arg(long = "set", value_name = "NAME=VALUE")]
        values: Vec<String>,
    },
}

/// Why a template could not be rendered.
#[derive(Debug, thiserror::Error)]
pub enum TemplateError {
    /// The file cannot be read.
    #[error("cannot read `{}`", file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A value is not of the form `NAME=VALUE`.
    #[error("`{0}` is not NAME=VALUE")]
    Value(String),
    /// Writing the result failed.
    #[error("cannot write the result")]
    Write(#[from] io::Error),
}

/// Runs the command: 0 when rendered, 1 when the template is wrong.
pub fn run(
    args: &TemplateArgs,
    colour: Colour,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> Result<u8, TemplateError> {
    let TemplateAction::Render { file, values } = &args.action;
    let text =
        std::fs::read_to_string(file).map_err(|source| TemplateError::Read { file: file.clone(), source })?;
    let mut given = BTreeMap::new();
    for value in values {
        let (name, value) = value.split_once('=').ok_or_else(|| TemplateError::Value(value.clone()))?;
        given.insert(name.to_owned(), value.to_owned());
    }
    let source = Source::new(file.display().to_string(), text);
    match template::render(&source, &given) {
        Ok(rendered) => {
            write!(out, "{}", rendered.text)?;
            Ok(0)
        }
        Err(problem) => {
            let mut found = Diagnostics::default();
            found.push(*problem);
            write!(err, "{}", diagnostics::text(&found, &diagnostics::sources([&source]), colour))?;
            Ok(1)
        }
    }
}
