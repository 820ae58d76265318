//! `rgctl history`: the record, verified.

use std::collections::BTreeSet;

use super::adapters;
use super::args::{HistoryArgs, OutputForm};
use super::error::Failure;
use super::exit::Exit;
use super::names;
use super::output::Output;
use super::settings::{CloudSettings, Settings};
use crate::report::at_work::messages_text;
use crate::report::document::{document, format};
use crate::report::history::{self, Noted};
use rgctl_model::inbox::Message;
use rgctl_model::journal::Entry;
use rgctl_model::ports::Store;
use rgctl_model::scope::{CloudKind, Home, Scope};
use rgctl_sim::SimCloud;
use rgctl_store::objects::WorldFile;

/// Shows the record of a blueprint. A record that does not verify is not shown.
pub async fn run(args: &HistoryArgs, settings: &Settings, output: &mut Output) -> Result<(), Failure> {
    let (entries, messages) = match adapters::store_to_read(settings)? {
        Some(store) => entries(args, &*store, settings, output).await?,
        None => Default::default(),
    };
    let whole = entries.len();
    if whole == 0 {
        output.say(&format!("nothing is on record for {}", args.blueprint));
    }
    let runs = entries.iter().map(|entry| entry.run.0.clone()).collect();
    let is_asked = |noted: &Noted| args.run.as_ref().is_none_or(|run| *run == noted.entry.run);
    let mut shown: Vec<Noted> = history::noted(entries).into_iter().filter(is_asked).collect();
    if let Some(run) = args.run.as_ref().filter(|_| shown.is_empty()) {
        names::all_known(names::unknown("--run", "run", &run.0, &runs))?;
    }
    let last = args.last.map_or(usize::MAX, |last| last as usize);
    shown.drain(..shown.len().saturating_sub(last));
    match settings.output {
        OutputForm::Text => {
            let text = history::text(&shown, whole, output.style);
            output.data(&(text + &messages_text(&messages)))?;
        }
        OutputForm::Markdown | OutputForm::Html => {
            output.data(&(history::markdown(&shown) + &messages_text(&messages)))?;
        }
        form @ (OutputForm::Json | OutputForm::Yaml) => {
            output.document(&document(format::HISTORY, &shown), form)?;
        }
    }
    Ok(())
}

async fn entries(
    args: &HistoryArgs,
    store: &dyn Store,
    settings: &Settings,
    output: &mut Output,
) -> Result<(Vec<Entry>, Vec<Message>), Failure> {
    let homes = store.homes(&args.blueprint).await?;
    let home = match &args.account {
        Some(home) => Some(home.clone()),
        None => usual(&homes, settings)?,
    };
    let others: Vec<String> =
        homes.iter().filter(|other| home.as_ref() != Some(*other)).map(ToString::to_string).collect();
    let (entries, messages) = match &home {
        Some(home) => {
            let scope = Scope::new(home.clone(), args.blueprint.clone());
            (store.entries(&scope, 0).await?, store.inbox(&scope, 0).await?)
        }
        None => Default::default(),
    };
    if entries.is_empty() && !others.is_empty() {
        output.say(&format!("on record for {}: --account {}", args.blueprint, others.join(", --account ")));
    }
    Ok((entries, messages))
}

/// The account whose record is meant where none is named. No provider is asked: who may read the store may read it.
pub(super) fn usual(homes: &BTreeSet<Home>, settings: &Settings) -> Result<Option<Home>, Failure> {
    if settings.cloud == CloudSettings::Sim {
        return Ok(SimCloud::peek(&WorldFile::under(&settings.state_dir)).map(|(_, home)| home));
    }
    let of_aws: Vec<&Home> = homes.iter().filter(|home| home.cloud() == CloudKind::Aws).collect();
    match of_aws.as_slice() {
        [] => Ok(None),
        [home] => Ok(Some((*home).clone())),
        several => {
            let names: Vec<String> = several.iter().map(|home| format!("--account {home}")).collect();
            Err(Failure::new(Exit::BadInput, "it is on record in several accounts")
                .hint(format!("name one: {}", names.join(", "))))
        }
    }
}
