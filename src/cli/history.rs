//! `rgctl history`: the record, verified.

use super::args::{HistoryArgs, OutputForm};
use super::error::Failure;
use super::exit::Exit;
use super::output::Output;
use super::outside;
use super::settings::Settings;
use crate::artefacts::journal::Entry;
use crate::report::document::{document, format};
use crate::report::history;

/// Shows the record of a blueprint. A record that does not verify is not shown.
pub async fn run(args: &HistoryArgs, settings: &Settings, output: &mut Output) -> Result<(), Failure> {
    let store = outside::store_to_read(settings)?;
    let entries = match store {
        Some(store) => store.entries(&args.blueprint, 0).await?,
        None => Vec::new(),
    };
    let whole = entries.len();
    if whole == 0 {
        output.say(&format!("nothing is on record for {}", args.blueprint));
    }
    let mut shown: Vec<Entry> =
        entries.into_iter().filter(|entry| args.run.as_ref().is_none_or(|run| *run == entry.run)).collect();
    if let Some(run) = args.run.as_ref().filter(|_| shown.is_empty() && whole > 0) {
        return Err(Failure::new(Exit::Error, format!("{} has no run {run} on record", args.blueprint)));
    }
    let last = args.last.map_or(usize::MAX, |last| last as usize);
    shown.drain(..shown.len().saturating_sub(last));
    match settings.output {
        OutputForm::Text => output.data(&history::text(&shown, whole, output.style))?,
        OutputForm::Markdown | OutputForm::Html => output.data(&history::markdown(&shown))?,
        form @ (OutputForm::Json | OutputForm::Yaml) => {
            output.document(&document(format::HISTORY, &shown), form)?;
        }
    }
    Ok(())
}
