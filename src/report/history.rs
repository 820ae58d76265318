//! The record for people: who, when, what, why, before → after, outcome.

use std::fmt::Write;

use serde::Serialize;

use crate::report::style::{Style, Tone};
use rgctl_engine::ledger;
use rgctl_model::journal::{Entry, Event, Outcome, Purpose};

/// An event in a line, with lines below it.
pub fn words(event: &Event) -> (String, Vec<String>) {
    match event {
        Event::Opened { purpose, policy, steps, .. } => {
            let purpose = match purpose {
                Purpose::Apply => "apply",
                Purpose::Destroy => "destroy",
                Purpose::TakeOver => "import --take-over",
            };
            let consents: Vec<String> =
                policy.consents.iter().map(|consent| format!("allowed: {consent}")).collect();
            (format!("begins {purpose}, {steps} steps in the plan"), consents)
        }
        Event::Revised { policy, steps, .. } => {
            let consents = policy.consents.iter().map(|consent| format!("allowed: {consent}")).collect();
            (format!("goes on with what is wanted now, {steps} steps in the plan"), consents)
        }
        Event::Chosen { choices } => {
            let successors =
                choices.successors.iter().map(|(address, to)| format!("{to} takes over in {address}"));
            let snapshots = choices
                .snapshots
                .iter()
                .map(|(address, name)| format!("{address} leaves the snapshot {name}"));
            ("chooses".to_owned(), successors.chain(snapshots).collect())
        }
        Event::Intended { step, why, changes, .. } => {
            let mut below = changes.clone();
            below.insert(0, format!("why: {why}"));
            (format!("calls {step}"), below)
        }
        Event::Accepted { step } => (format!("accepted: {step}"), Vec::new()),
        Event::Refused { step, code, message } => {
            (format!("REFUSED: {step}"), vec![format!("{code}: {message}")])
        }
        Event::Unclear { step, why } => {
            let why = Some(why.clone()).filter(|why| !why.is_empty());
            (format!("no answer: {step}; it will be looked for"), why.into_iter().collect())
        }
        Event::Taken { step } => {
            (format!("the name is taken: {step}; the next look tells whether it is ours"), Vec::new())
        }
        Event::Deferred { step, why, .. } => (format!("put off: {step}"), vec![why.clone()]),
        Event::Settled { step, .. } => (format!("done: {step}"), Vec::new()),
        Event::Gone { objects } => (
            "no longer there, and no longer wanted".to_owned(),
            objects.iter().map(ToString::to_string).collect(),
        ),
        Event::Failed { step, why } => (format!("FAILED: {step}"), vec![why.clone()]),
        Event::Closed { outcome, summary, .. } => {
            (format!("ends, {}: {summary}", outcome_word(*outcome)), Vec::new())
        }
    }
}

/// An outcome in words.
pub const fn outcome_word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Settled => "settled",
        Outcome::Blocked => "blocked",
        Outcome::Stopped => "stopped, resumable",
        Outcome::Waiting => "waits for its time",
        Outcome::Paused => "paused, resumable",
    }
}

/// A line of the record, and what is odd about it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Noted {
    /// The line.
    #[serde(flatten)]
    pub entry: Entry,
    /// Why it does not follow from the lines before it; nothing for nearly all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// The lines of a whole record, each with what is odd about it.
pub fn noted(entries: Vec<Entry>) -> Vec<Noted> {
    let mut notes = ledger::notes(&entries);
    let note = |entry: Entry| Noted { note: notes.remove(&entry.seq).map(|why| why.to_string()), entry };
    entries.into_iter().map(note).collect()
}

fn note_line(note: &str) -> String {
    format!("note: it does not follow from the lines before it: {note}")
}

/// The record as text: one heading per run. `whole` is the number of lines that were verified, of which these are some.
pub fn text(entries: &[Noted], whole: usize, style: Style) -> String {
    let mut out = String::new();
    let mut run = None;
    for Noted { entry, note } in entries {
        if run != Some((&entry.blueprint, &entry.run)) {
            run = Some((&entry.blueprint, &entry.run));
            let title = format!("{}, run {} by {}", entry.blueprint, entry.run, entry.actor);
            let gap = if out.is_empty() { "" } else { "\n" };
            let _ = writeln!(out, "{gap}{}", style.paint(Tone::Strong, &title));
        }
        let (line, below) = words(&entry.what);
        let _ = writeln!(out, "  {:>5}  {}  {line}", entry.seq, entry.at);
        for line in below.into_iter().chain(note.iter().map(|note| note_line(note))) {
            let _ = writeln!(out, "{:31}{line}", "");
        }
    }
    let verified = format!("{} of {whole} lines; the chain of digests is whole.", entries.len());
    let _ = writeln!(out, "{}", style.paint(Tone::Faint, &verified));
    out
}

/// The record as Markdown.
pub fn markdown(entries: &[Noted]) -> String {
    let mut out = String::from(
        "| Line | When | Blueprint | Run | Who | What |\n| ---: | --- | --- | --- | --- | --- |\n",
    );
    for Noted { entry, note } in entries {
        let (line, below) = words(&entry.what);
        let mut what = line;
        for more in below.into_iter().chain(note.iter().map(|note| note_line(note))) {
            what.push_str("<br>");
            what.push_str(&more);
        }
        let what = what.replace('|', "\\|");
        let _ = writeln!(
            out,
            "| {} | {} | {} | {} | {} | {what} |",
            entry.seq, entry.at, entry.blueprint, entry.run, entry.actor
        );
    }
    out
}
