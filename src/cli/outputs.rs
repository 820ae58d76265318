//! `rgctl outputs`: where clients connect, as it is seen.

use std::path::PathBuf;

use clap::Args;

use super::adapters::Adapters;
use super::args::{InputArgs, OutputForm};
use super::error::Failure;
use super::exit::Exit;
use super::load::LoadedBlueprint;
use super::output::Output;
use super::run;
use super::settings::Settings;
use crate::report::document::{document, format};
use crate::report::outputs;
use rgctl_machine::outputs::{Replaces, write_text};
use rgctl_model::policy::Policy;

/// What may be replaced by a new file of them: an earlier one.
const OLDER: Replaces =
    Replaces::Ours { mark: format::OUTPUTS, otherwise: "no outputs of `rgctl outputs --out`" };

/// Where clients connect.
#[derive(Args, Clone, Debug)]
pub struct OutputsArgs {
    /// The files.
    #[command(flatten)]
    pub input: InputArgs,
    /// Write them to a file as well, whole or not at all: as JSON, with `--output yaml` as YAML
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

/// Shows where clients connect.
pub async fn run(
    args: &OutputsArgs,
    loaded: &LoadedBlueprint,
    adapters: &Adapters,
    settings: &Settings,
    output: &mut Output,
) -> Result<(), Failure> {
    let policy = Policy::default();
    let looked = run::look_and_plan(adapters, &loaded.desired, &loaded.figures, &policy, false).await?;
    let report = outputs::report(&loaded.desired, &looked.inventory, &looked.plan);
    let told = document(format::OUTPUTS, &report);
    match settings.output {
        OutputForm::Text => output.data(&outputs::text(&report, output.style))?,
        OutputForm::Markdown | OutputForm::Html => output.data(&outputs::markdown(&report))?,
        form => output.document(&told, form)?,
    }
    if let Some(path) = &args.out {
        write_text(path, &Output::text_of(&told, settings.output), OLDER)?;
        output.say(&format!("written: {}", path.display()));
    }
    if report.needs_person() {
        return Err(Failure::said(Exit::Blocked));
    }
    if report.is_complete() { Ok(()) } else { Err(Failure::said(Exit::Differences)) }
}
