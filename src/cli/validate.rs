//! `rgctl validate`: all problems of all files at once.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::Args;

use crate::blueprint::document::Reading;
use crate::catalog::{Catalog, CatalogError};
use crate::report::diagnostics::{self, Colour};
use crate::vocabulary::codes;
use crate::vocabulary::diagnostic::{Diagnostic, Diagnostics, Mark, Severity, Source};
use crate::vocabulary::time::Moment;

/// A file larger than this is no document of ours; it is not read into memory.
const FILE_BYTES_MAX: u64 = 4 << 20;
/// Files of one folder.
const FILES_MAX: usize = 1_000;

/// How diagnostics are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Output {
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
    /// Refuse warnings too.
    #[arg(long)]
    pub deny_warnings: bool,
    /// Form of the output; set from the global option.
    #[arg(skip)]
    pub output: Output,
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

/// Reads and checks files. `now` decides what lies in the past.
///
/// The files that cannot be read are among the diagnostics, so that one missing file does not hide the others.
pub fn read(
    files: &[PathBuf],
    regions: Option<&Path>,
    catalog: &Catalog,
    now: Moment,
) -> (Reading, Vec<Source>) {
    let mut found = Diagnostics::default();
    let mut sources: Vec<Source> = Vec::new();
    if let Some(folder) = regions {
        sources.extend(texts(folder, &mut found));
    }
    for file in files {
        sources.extend(texts(file, &mut found));
    }
    let mut reading = Reading::with_built_in_regions(&sources);
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
    let found = &reading.diagnostics;
    match args.output {
        Output::Text => {
            write!(out, "{}", diagnostics::text(found, &diagnostics::sources(&sources), colour))?;
            writeln!(err, "{}", diagnostics::summary(found, sources.len()))?;
        }
        Output::Json => {
            serde_json::to_writer_pretty(&mut *out, &diagnostics::json(found))?;
            writeln!(out)?;
        }
    }
    let refused = found.has_errors() || args.deny_warnings && found.count(Severity::Warning) > 0;
    Ok(u8::from(refused))
}

/// The text of a file, or of all YAML files of a folder in the order of their names.
fn texts(path: &Path, found: &mut Diagnostics) -> Vec<Source> {
    if !path.is_dir() {
        return text(path, found).into_iter().collect();
    }
    let mut files: Vec<PathBuf> = match std::fs::read_dir(path) {
        Ok(entries) => entries.filter_map(|entry| entry.ok().map(|entry| entry.path())).collect(),
        Err(reason) => {
            found.push(unreadable(path, &reason));
            return Vec::new();
        }
    };
    files.retain(|file| file.extension().is_some_and(|ending| ending == "yaml" || ending == "yml"));
    files.sort();
    files.truncate(FILES_MAX);
    if files.is_empty() {
        found.push(unreadable(path, &io::Error::other("the folder has no file that ends in .yaml")));
    }
    files.iter().filter_map(|file| text(file, found)).collect()
}

fn text(path: &Path, found: &mut Diagnostics) -> Option<Source> {
    let size = std::fs::metadata(path).map_or(0, |facts| facts.len());
    let read = if size > FILE_BYTES_MAX {
        Err(io::Error::other(format!("it has {size} bytes, at most {FILE_BYTES_MAX} are read")))
    } else {
        std::fs::read_to_string(path)
    };
    match read {
        Ok(text) => Some(Source::new(path.display().to_string(), text)),
        Err(reason) => {
            found.push(unreadable(path, &reason));
            None
        }
    }
}

fn unreadable(path: &Path, reason: &io::Error) -> Diagnostic {
    let source = Source::new(path.display().to_string(), "");
    let message = format!("`{}` cannot be read: {reason}", path.display());
    Diagnostic::new(codes::UNREADABLE, Severity::Error, &source, Mark::default(), message)
        .help("check the path; folders are searched for files that end in .yaml")
}
