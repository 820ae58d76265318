//! `rgctl template render`: a template with its values filled in.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use super::error::Failure;
use super::exit::Exit;
use crate::report::diagnostics::{self, Colour};
use rgctl_blueprint::template::{self, Scan, Values};
use rgctl_machine::inputs::{self, InputError, TEMPLATE_BYTES_MAX};
use rgctl_schema::diagnostic::{Diagnostics, Source, did_you_mean};
use rgctl_templates::{JOB_BYTES_MAX, RenderError};

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
        /// The template; `-` is standard input.
        file: PathBuf,
        /// A value, such as `game=tile-rush`; repeat for several.
        #[arg(long = "set", value_name = "NAME=VALUE")]
        values: Vec<String>,
        /// A variable of the environment that the template may read, as a value of the same name; repeat for several.
        #[arg(long = "env", value_name = "NAME")]
        variables: Vec<String>,
    },
    /// Render what stands on standard input, for `render`, which bounds and stops it
    #[command(hide = true)]
    Worker,
}

/// Why a template could not be rendered.
#[derive(Debug, thiserror::Error)]
pub enum TemplateError {
    /// The file cannot be read.
    #[error(transparent)]
    Read(#[from] InputError),
    /// What was given on the command line does not fit the template.
    #[error("{}", problems.join("\n       "))]
    Given {
        /// Everything that does not fit.
        problems: Vec<String>,
    },
    /// It could not be rendered, for a reason that is not in the template.
    #[error(transparent)]
    Render(#[from] RenderError),
    /// Writing the result failed.
    #[error("cannot write the result")]
    Write(#[from] io::Error),
}

impl From<TemplateError> for Failure {
    fn from(error: TemplateError) -> Self {
        match error {
            TemplateError::Write(error) => error.into(),
            TemplateError::Read(error) => error.into(),
            error @ TemplateError::Given { .. } => Self::of(Exit::BadInput, &error),
            error @ TemplateError::Render(_) => Self::of(Exit::Error, &error)
                .hint("rgctl renders templates in a process of its own; check that it may begin one"),
        }
    }
}

/// Runs the command: 0 when rendered, 1 when the template is wrong.
pub fn run(
    args: &TemplateArgs,
    colour: Colour,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> Result<u8, TemplateError> {
    let (file, given, variables) = match &args.action {
        TemplateAction::Render { file, values, variables } => (file, values, variables),
        TemplateAction::Worker => {
            let job = inputs::InputBudget::new(JOB_BYTES_MAX).bytes(Path::new("-"), JOB_BYTES_MAX)?;
            return Ok(rgctl_templates::work(&job, out).map(|()| 0)?);
        }
    };
    let source = Source::new(inputs::shown(file), inputs::read_text(file, TEMPLATE_BYTES_MAX)?);
    let rendered = template::check(&source).map_err(RenderError::Wrong).and_then(|scan| {
        let values = match values(given, variables, &scan) {
            Ok(values) => values,
            Err(problems) => return Ok(Err(TemplateError::Given { problems })),
        };
        let program = std::env::current_exe().map_err(RenderError::NoProcess)?;
        rgctl_templates::render(&program, &source, &values, rgctl_templates::bounds()).map(Ok)
    });
    match rendered {
        Ok(text) => {
            write!(out, "{}", text?.text)?;
            Ok(0)
        }
        Err(RenderError::Wrong(problem)) => {
            let mut found = Diagnostics::default();
            found.push(*problem);
            write!(err, "{}", diagnostics::text(&found, &diagnostics::sources([&source]), colour))?;
            Ok(1)
        }
        Err(error) => Err(error.into()),
    }
}

/// The values that were given, or everything that is wrong with them: a name that the template does not have is a typing
/// error, and the value that was meant keeps another one.
fn values(given: &[String], variables: &[String], scan: &Scan) -> Result<Values, Vec<String>> {
    let (mut values, mut problems) = (Values::default(), Vec::new());
    let mut names = BTreeSet::new();
    for one in given {
        let Some((name, value)) = one.split_once('=') else {
            problems.push(format!("`--set {one}` is not NAME=VALUE"));
            continue;
        };
        if !scan.uses(name) {
            problems.push(unused("set", name, scan));
        }
        if !names.insert(name) {
            problems.push(format!("`{name}` is given twice"));
        }
        values.given.insert(name.to_owned(), value.to_owned());
    }
    for name in variables {
        if !scan.uses_variable(name) {
            problems.push(unused("env", name, scan));
        }
        if !names.insert(name) {
            problems.push(format!("`{name}` is given twice"));
        }
        match std::env::var(name) {
            Ok(value) => {
                values.given.insert(name.clone(), value);
                values.variables.insert(name.clone());
            }
            Err(std::env::VarError::NotPresent) => {
                problems.push(format!("`--env {name}`: the environment has no variable of that name"));
            }
            Err(std::env::VarError::NotUnicode(_)) => {
                problems.push(format!("`--env {name}`: the variable is not UTF-8 text"));
            }
        }
    }
    if problems.is_empty() { Ok(values) } else { Err(problems) }
}

fn unused(option: &str, name: &str, scan: &Scan) -> String {
    let mut text = format!("`--{option} {name}`: the template has no value `{name}`");
    let names: Vec<&str> = scan.names.iter().map(String::as_str).collect();
    // Writing to a String cannot fail.
    let _ = match did_you_mean(name, names.iter().copied()) {
        Some(near) => write!(text, "; did you mean `{near}`?"),
        None if names.is_empty() => write!(text, "; it has none"),
        None => write!(text, "; it has: {}", names.join(", ")),
    };
    text
}
