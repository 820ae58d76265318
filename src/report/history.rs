//! The record for people: who, when, what, why, before → after, outcome.

use std::collections::VecDeque;
use std::fmt::Write;

use serde::Serialize;

use crate::report::overlays::decision_words;
use crate::report::style::{Style, Tone};
use rgctl_engine::ledger;
use rgctl_model::inbox::{Message, Request};
use rgctl_model::journal::{Entry, Event, Outcome, Purpose, RecordedObject};
use rgctl_model::overlay::{Decided, Decision};
use rgctl_schema::names::{BlueprintName, StepId};
use rgctl_schema::time::Moment;

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
        Event::UnknownState { step, state: Some(state) } => (
            format!("in a state that this version does not know: {step}"),
            vec![format!("the service says {state:?}; the step fails when that lasts")],
        ),
        Event::UnknownState { step, state: None } => {
            (format!("in a state that this version knows again: {step}"), Vec::new())
        }
        Event::Settled { step, object } => {
            // What was put off is over, too, when nobody wants it any more.
            let word = if is_so(step, object.as_ref()) == Some(false) { "over" } else { "done" };
            (format!("{word}: {step}"), Vec::new())
        }
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

/// Whether what a step was for is so, when it is over and this is there of what is ours; nothing where that does not tell.
pub(super) fn is_so(step: &StepId, object: Option<&RecordedObject>) -> Option<bool> {
    match step.0.split_once(' ')?.0 {
        "create" => Some(object.is_some()),
        "delete" => Some(object.is_none()),
        _ => None,
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

/// A line of another chain than the record's.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Beside<T> {
    /// Which chain: `decisions` or `inbox`.
    pub chain: &'static str,
    /// The line.
    #[serde(flatten)]
    pub line: T,
}

/// A line of what is shown: lines of the record as they always were, and between them what was decided and asked for.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Line {
    /// Of the record.
    Record(Box<Noted>),
    /// Of the log of decisions.
    Decision(Box<Beside<Decided>>),
    /// Of the inbox.
    Message(Beside<Message>),
}

impl Line {
    const fn at(&self) -> Moment {
        match self {
            Self::Record(one) => one.entry.at,
            Self::Decision(one) => one.line.at,
            Self::Message(one) => one.line.at,
        }
    }

    /// Its place: a number in the record, `d` and a number among decisions, `m` and a number among messages.
    fn place(&self) -> String {
        match self {
            Self::Record(one) => one.entry.seq.to_string(),
            Self::Decision(one) => format!("d{}", one.line.seq),
            Self::Message(one) => format!("m{}", one.line.seq),
        }
    }

    /// In a line, with lines below it. Lines of the record stand under the name of who runs; the others say who.
    fn words(&self) -> (String, Vec<String>) {
        match self {
            Self::Record(one) => {
                let (line, mut below) = words(&one.entry.what);
                below.extend(one.note.as_deref().map(note_line));
                (line, below)
            }
            Self::Decision(one) => {
                let what = &one.line.what;
                let mut below = vec![format!("why: {}", what.why())];
                if let Decision::Set { overlay } = what
                    && let Some(until) = overlay.until
                {
                    let then = if overlay.then_return { "over" } else { "held" };
                    below.push(format!("until {until}, then {then}"));
                }
                (format!("{} {}", what.by(), decision_words(what, None)), below)
            }
            Self::Message(one) => {
                (format!("{} asked {}", one.line.from, request_words(&one.line.what)), Vec::new())
            }
        }
    }
}

/// What is asked for, and of whom.
fn request_words(request: &Request) -> String {
    let agents = |what: &str, blueprint: &Option<BlueprintName>| {
        let which = blueprint.as_ref().map_or_else(|| "all".to_owned(), ToString::to_string);
        format!("the agents to {what} {which}")
    };
    match request {
        Request::Yield { epoch } => format!("holder {epoch} of the lease to yield"),
        Request::Pause { blueprint } => agents("pause", blueprint),
        Request::Resume { blueprint } => agents("resume", blueprint),
        Request::Reconcile { blueprint } => agents("reconcile", blueprint),
    }
}

/// The three chains as one list, by time. Each keeps its own order, whatever its clocks say; of lines of one time that of
/// the record comes first.
pub fn merged(entries: Vec<Noted>, decisions: Vec<Decided>, messages: Vec<Message>) -> Vec<Line> {
    let beside = |line| Line::Decision(Box::new(Beside { chain: "decisions", line }));
    let message = |line| Line::Message(Beside { chain: "inbox", line });
    let whole = entries.len() + decisions.len() + messages.len();
    let mut chains = [
        entries.into_iter().map(|one| Line::Record(Box::new(one))).collect::<VecDeque<_>>(),
        decisions.into_iter().map(beside).collect(),
        messages.into_iter().map(message).collect(),
    ];
    let mut lines = Vec::with_capacity(whole);
    while let Some(next) =
        chains.iter_mut().filter(|chain| !chain.is_empty()).min_by_key(|chain| chain.front().map(Line::at))
    {
        lines.extend(next.pop_front());
    }
    lines
}

/// The lines as text: one heading per run. `whole` is the number of lines that were verified, of which these are some.
pub fn text(lines: &[Line], whole: usize, style: Style) -> String {
    let mut out = String::new();
    let mut run = None;
    for line in lines {
        if let Line::Record(one) = line
            && run != Some((&one.entry.blueprint, &one.entry.run))
        {
            let entry = &one.entry;
            run = Some((&entry.blueprint, &entry.run));
            let title = format!("{}, run {} by {}", entry.blueprint, entry.run, entry.actor);
            let gap = if out.is_empty() { "" } else { "\n" };
            let _ = writeln!(out, "{gap}{}", style.paint(Tone::Strong, &title));
        }
        let (words, below) = line.words();
        let _ = writeln!(out, "  {:>5}  {}  {words}", line.place(), line.at());
        for more in below {
            let _ = writeln!(out, "{:31}{more}", "");
        }
    }
    let verified = format!("{} of {whole} lines; the chain of digests is whole.", lines.len());
    let _ = writeln!(out, "{}", style.paint(Tone::Faint, &verified));
    out
}

/// The lines as Markdown.
pub fn markdown(lines: &[Line]) -> String {
    let mut out = String::from(
        "| Line | When | Blueprint | Run | Who | What |\n| ---: | --- | --- | --- | --- | --- |\n",
    );
    for line in lines {
        let (words, below) = line.words();
        let what = std::iter::once(words).chain(below).collect::<Vec<_>>().join("<br>").replace('|', "\\|");
        let (blueprint, run, who) = match line {
            Line::Record(one) => (&one.entry.blueprint, one.entry.run.0.as_str(), one.entry.actor.as_str()),
            Line::Decision(one) => (&one.line.scope.blueprint, "", one.line.what.by()),
            Line::Message(one) => (&one.line.scope.blueprint, "", one.line.from.as_str()),
        };
        let _ = writeln!(out, "| {} | {} | {blueprint} | {run} | {who} | {what} |", line.place(), line.at());
    }
    out
}
