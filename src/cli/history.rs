//! `rgctl history`: the record, verified.

use std::collections::BTreeSet;

use super::adapters;
use super::args::{HistoryArgs, OutputForm};
use super::error::Failure;
use super::exit::Exit;
use super::names;
use super::output::Output;
use super::settings::{CloudSettings, Settings};
use crate::report::document::{document, format};
use crate::report::history::{self, Line};
use rgctl_model::inbox::Message;
use rgctl_model::journal::Entry;
use rgctl_model::overlay::Decided;
use rgctl_model::ports::Store;
use rgctl_model::scope::{CloudKind, Home, Scope};
use rgctl_sim::SimCloud;
use rgctl_store::objects::WorldFile;

/// Shows the record of a blueprint. A record that does not verify is not shown.
pub async fn run(args: &HistoryArgs, settings: &Settings, output: &mut Output) -> Result<(), Failure> {
    let chains = match adapters::store_to_read(settings)? {
        Some(store) => chains(args, &*store, settings, output).await?,
        None => Chains::default(),
    };
    let Chains { entries, decisions, messages } = chains;
    let whole = entries.len() + decisions.len() + messages.len();
    if whole == 0 {
        output.say(&format!("nothing is on record for {}", args.blueprint));
    }
    let runs = entries.iter().map(|entry| entry.run.0.clone()).collect();
    // A decision belongs to no run.
    let is_asked = |line: &Line| match line {
        Line::Record(one) => args.run.as_ref().is_none_or(|run| *run == one.entry.run),
        Line::Decision(_) | Line::Message(_) => args.run.is_none(),
    };
    let mut shown = history::merged(history::noted(entries), decisions, messages);
    shown.retain(is_asked);
    if let Some(run) = args.run.as_ref().filter(|_| shown.is_empty()) {
        names::all_known(names::unknown("--run", "run", &run.0, &runs))?;
    }
    let last = args.last.map_or(usize::MAX, |last| last as usize);
    shown.drain(..shown.len().saturating_sub(last));
    match settings.output {
        OutputForm::Text => {
            output.data(&history::text(&shown, whole, output.style))?;
        }
        OutputForm::Markdown | OutputForm::Html => {
            output.data(&history::markdown(&shown))?;
        }
        form @ (OutputForm::Json | OutputForm::Yaml) => {
            output.document(&document(format::HISTORY, &shown), form)?;
        }
    }
    Ok(())
}

/// What is kept of a blueprint, each chain verified.
#[derive(Default)]
struct Chains {
    entries: Vec<Entry>,
    decisions: Vec<Decided>,
    messages: Vec<Message>,
}

async fn chains(
    args: &HistoryArgs,
    store: &dyn Store,
    settings: &Settings,
    output: &mut Output,
) -> Result<Chains, Failure> {
    let homes = store.homes(&args.blueprint).await?;
    let home = match &args.account {
        Some(home) => Some(home.clone()),
        None => usual(&homes, settings)?,
    };
    let others: Vec<String> =
        homes.iter().filter(|other| home.as_ref() != Some(*other)).map(ToString::to_string).collect();
    let chains = match &home {
        Some(home) => {
            let scope = Scope::new(home.clone(), args.blueprint.clone());
            Chains {
                entries: store.entries(&scope, 0).await?,
                decisions: store.decisions(&scope, 0).await?,
                messages: store.inbox(&scope, 0).await?,
            }
        }
        None => Chains::default(),
    };
    if chains.entries.is_empty() && !others.is_empty() {
        output.say(&format!("on record for {}: --account {}", args.blueprint, others.join(", --account ")));
    }
    Ok(chains)
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
