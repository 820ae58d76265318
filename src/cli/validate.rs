//! `rgctl validate`: all problems of all files at once.

use std::error::Error as _;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::Args;

use super::error::Failure;
use super::exit::Exit;
use crate::report::diagnostics::{self, Colour};
use rgctl_blueprint::document::ParsedDocuments;
use rgctl_catalog::{Catalog, CatalogError};
use rgctl_kube::crds::forms;
use rgctl_machine::inputs::{self, DOCUMENT_BYTES_MAX, DOCUMENTS_BYTES_MAX, InputBudget, InputError};
use rgctl_schema::codes;
use rgctl_schema::diagnostic::{Diagnostic, Diagnostics, Finding, Mark, Severity, Source};
use rgctl_schema::time::Moment;

/// How diagnostics are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DiagnosticFormat {
    /// With carets, for people.
    #[default]
    Text,
    /// For machines.
    Json,
}

/// Check blueprints and regions: every problem of every file, with its place and what to do about it.
#[derive(Args, Clone, Debug)]
pub struct ValidateArgs {
    /// Blueprint or region files, or folders of them.
    #[arg(short = 'f', long = "file", value_name = "FILE", required = true, num_args = 1..)]
    pub files: Vec<PathBuf>,
    /// Folder of `Region` documents that take the place of the built-in ones of the same code.
    #[arg(long, value_name = "DIR")]
    pub regions: Option<PathBuf>,
    /// Refuse also what a file may say and a custom resource may not: unquoted numbers where a text is meant, long forms.
    #[arg(long)]
    pub for_cluster: bool,
    /// Refuse warnings too.
    #[arg(long)]
    pub deny_warnings: bool,
    /// Form of the output; set from the global option.
    #[arg(skip)]
    pub output: DiagnosticFormat,
}

/// Why the check itself could not be done.
#[derive(Debug, thiserror::Error)]
pub enum ValidateError {
    /// Writing the result failed.
    #[error("cannot write the result")]
    Write(#[from] io::Error),
    /// The result cannot be put into JSON.
    #[error("cannot encode the result")]
    Encode(#[from] serde_json::Error),
    /// The shipped catalogue is damaged.
    #[error("cannot read the catalogue")]
    Catalog(#[from] CatalogError),
}

impl From<ValidateError> for Failure {
    fn from(error: ValidateError) -> Self {
        match error {
            ValidateError::Write(error) => error.into(),
            ValidateError::Encode(error) if error.is_io() => io::Error::from(error).into(),
            error => Self::of(Exit::Error, &error),
        }
    }
}

/// Reads and checks files. `now` decides what lies in the past.
///
/// The files that cannot be read are among the diagnostics, so that one missing file does not hide the others.
pub fn read(
    files: &[PathBuf],
    regions: Option<&Path>,
    catalog: &Catalog,
    now: Moment,
) -> (ParsedDocuments, Vec<Source>) {
    let mut found = Diagnostics::default();
    let mut sources: Vec<Source> = Vec::new();
    let mut allowance = InputBudget::new(DOCUMENTS_BYTES_MAX);
    if let Some(folder) = regions {
        sources.extend(texts(folder, &mut allowance, &mut found));
    }
    for file in files {
        sources.extend(texts(file, &mut allowance, &mut found));
    }
    let mut reading = ParsedDocuments::with_built_in_regions(&sources);
    reading.diagnostics.merge(found);
    reading.check(catalog, now);
    (reading, sources)
}

/// Runs the command: 0 when nothing is wrong, 1 when there is an error.
pub fn run(
    args: &ValidateArgs,
    now: Moment,
    colour: Colour,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> Result<u8, ValidateError> {
    let catalog = Catalog::embedded()?;
    let (reading, sources) = read(&args.files, args.regions.as_deref(), &catalog, now);
    let mut reading = reading;
    if args.for_cluster {
        for problem in sources.iter().flat_map(unfit) {
            reading.diagnostics.push(problem);
        }
    }
    let found = &reading.diagnostics;
    match args.output {
        DiagnosticFormat::Text => {
            write!(out, "{}", diagnostics::text(found, &diagnostics::sources(&sources), colour))?;
            writeln!(err, "{}", diagnostics::summary(found, sources.len()))?;
        }
        DiagnosticFormat::Json => {
            serde_json::to_writer_pretty(&mut *out, &diagnostics::json(found))?;
            writeln!(out)?;
        }
    }
    let refused = found.has_errors() || args.deny_warnings && found.count(Severity::Warning) > 0;
    Ok(u8::from(refused))
}

/// What the API server would not take of the documents of a text. What cannot be read is told elsewhere.
fn unfit(source: &Source) -> Vec<Diagnostic> {
    let mut unread = Diagnostics::default();
    let mut found = Vec::new();
    for tree in rgctl_blueprint::yaml::parse(source, &mut unread) {
        let document = tree.to_json();
        let kind = document["kind"].as_str().unwrap_or_default();
        for forms::Unfit { path, what, remedy } in forms::unfit(kind, &document["spec"]) {
            let finding = Finding::error(codes::WRONG_TYPE, path.as_str(), what.to_owned()).help(remedy);
            found.push(finding.locate(source, tree.locate(&path)));
        }
    }
    found
}

/// The text of a file, or of all YAML files of a folder in the order of their names.
fn texts(path: &Path, allowance: &mut InputBudget, found: &mut Diagnostics) -> Vec<Source> {
    if !path.is_dir() {
        return text(path, allowance, found).into_iter().collect();
    }
    match inputs::files_of(path, &["yaml", "yml"]) {
        Ok(files) if files.is_empty() => {
            let message = format!("`{}` has no file that ends in .yaml", path.display());
            found.push(unread(path, message, "name a file, or the folder that the files are in"));
            Vec::new()
        }
        Ok(files) => files
            .iter()
            // A folder is searched for files: a pipe in it would hold up the rest.
            .filter_map(|file| match inputs::is_file(file) {
                Ok(()) => text(file, allowance, found),
                Err(reason) => {
                    found.push(unreadable(file, &reason));
                    None
                }
            })
            .collect(),
        Err(reason) => {
            found.push(unreadable(path, &reason));
            Vec::new()
        }
    }
}

fn text(path: &Path, allowance: &mut InputBudget, found: &mut Diagnostics) -> Option<Source> {
    match allowance.text(path, DOCUMENT_BYTES_MAX) {
        Ok(text) => Some(Source::new(inputs::shown(path), text)),
        Err(reason) => {
            found.push(unreadable(path, &reason));
            None
        }
    }
}

fn unreadable(path: &Path, reason: &InputError) -> Diagnostic {
    let cause = reason.source().map_or_else(String::new, |cause| format!(": {cause}"));
    unread(path, format!("{reason}{cause}"), reason.remedy())
}

fn unread(path: &Path, message: String, help: &str) -> Diagnostic {
    let source = Source::new(inputs::shown(path), "");
    Diagnostic::new(codes::UNREADABLE, Severity::Error, &source, Mark::default(), message).help(help)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::style::Style;

    #[test]
    fn a_closed_pipe_is_quiet() {
        let pipe = serde_json::Error::io(io::ErrorKind::BrokenPipe.into());
        let quiet = Failure::from(ValidateError::Encode(pipe));
        assert_eq!((quiet.exit, quiet.text(Style::PLAIN)), (Exit::Done, String::new()));
    }
}
