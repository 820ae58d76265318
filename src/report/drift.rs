//! Drift: differences that were made outside rgctl, told apart from changes that the blueprint asks for; and whatever
//! else is not there, ours, whole and serving.
//!
//! The record says whether the wish has changed since the world last settled: when it has not, whatever differs now was
//! done outside rgctl. What the record says we made, and is gone, was removed outside rgctl in any case.

use std::collections::BTreeSet;
use std::fmt::Write;

use serde::Serialize;

use crate::report::style::{Style, Tone};
use crate::report::{history, plan, words};
use rgctl_model::health::Health;
use rgctl_model::journal::{Entry, Event, Outcome};
use rgctl_model::plan::{Op, Plan, Reason};
use rgctl_schema::names::{BlueprintName, Fingerprint, StepId};
use rgctl_schema::time::Moment;

/// Why something differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DriftCause {
    /// The world was as wanted, the wish has not changed since, and now it differs.
    ChangedOutside,
    /// The blueprint has changed since the world last settled, or a run is unfinished: `apply` will do it.
    NotYetApplied,
}

/// Something that differs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Difference {
    /// The step that would end it.
    pub step: StepId,
    /// What it is about, in words.
    pub what: String,
    /// Fields, `name: seen → wanted`.
    pub fields: Vec<String>,
    /// Why it differs.
    pub cause: DriftCause,
}

/// The last run, as the record tells it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LastRun {
    /// When it ended; when it began, where it has not ended.
    pub at: Moment,
    /// How it ended; unset while it is under way, and where it was cut off.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
    /// What it came to, in words.
    pub summary: String,
}

/// All that differs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DriftReport {
    /// Whose.
    pub blueprint: BlueprintName,
    /// When a run last ended with the world as wanted, if ever.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub settled: Option<Moment>,
    /// The last run, where the world is not as it was when it last settled: that run was begun since, or it never settled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unsettled: Option<LastRun>,
    /// Whether nothing differs, and everything wanted is there, ours, whole and serving.
    pub clean: bool,
    /// The differences.
    pub differences: Vec<Difference>,
    /// What is not there, ours, whole and serving beside them; what could not be seen may differ or not.
    pub health: Health,
}

impl DriftReport {
    /// Whether something was changed outside rgctl.
    pub fn has_drift(&self) -> bool {
        self.differences.iter().any(|difference| difference.cause == DriftCause::ChangedOutside)
    }
}

/// Tells drift from change.
pub fn report(plan: &Plan, desired: &Fingerprint, past: &Past) -> DriftReport {
    let wish_is_old = past.settled.as_ref().is_some_and(|(_, fingerprint)| fingerprint == desired);
    let differences = plan.steps.iter().map(|step| {
        let is_gone = matches!((&step.op, &step.why), (Op::Create { .. }, Reason::Missing));
        let was_made = past.made.contains(&step.id);
        let by_another = match step.why {
            Reason::LostTags { .. } => true,
            Reason::Unmarked => false,
            _ => wish_is_old || (is_gone && was_made),
        };
        let address = step.op.address();
        Difference {
            step: step.id.clone(),
            what: what(&step.op, &format!("{} {} in {}", address.kind, address.name, address.region)),
            fields: plan::fields(step, plan::Detail::Changes).into_iter().map(|(_, text)| text).collect(),
            cause: if by_another { DriftCause::ChangedOutside } else { DriftCause::NotYetApplied },
        }
    });
    DriftReport {
        blueprint: plan.blueprint.clone(),
        settled: past.settled_at,
        unsettled: past.last.clone().filter(|_| past.settled.is_none()),
        clean: plan.is_clean(),
        differences: differences.collect(),
        health: plan.health.clone(),
    }
}

fn what(op: &Op, object: &str) -> String {
    match op {
        Op::Create { .. } => format!("{object} is missing"),
        Op::Delete { .. } => format!("{object} exists and is not wanted"),
        Op::Modify { .. } | Op::Tag { .. } => format!("{object} differs"),
        Op::Act { .. } => format!("{object} needs {}", words::verb(op)),
    }
}

/// What the record tells of the past, as far as drift is told by it. Whoever looks again and again folds in what is new.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Past {
    /// The end of what was folded.
    end: (u64, String),
    /// What the last run that was opened was to make.
    opened: Option<Fingerprint>,
    /// When, and for which wish, a run last ended with the world as wanted and none was begun since.
    settled: Option<(Moment, Fingerprint)>,
    /// When a run last ended so, whatever came after it.
    settled_at: Option<Moment>,
    /// The run that was opened last.
    last: Option<LastRun>,
    /// What was so before a run that began nothing, such as one that only put other policies on record, is so after it.
    before: Option<(Moment, Fingerprint)>,
    /// Steps that were done and were not taken back by a later step on the same object.
    made: BTreeSet<StepId>,
    /// Steps whose last call was put off.
    put_off: BTreeSet<StepId>,
}

impl Past {
    /// What a whole record tells.
    pub fn of(record: &[Entry]) -> Self {
        let mut past = Self::default();
        past.fold(record);
        past
    }

    /// Position and digest of the last line that was folded in; zero and an empty text before the first.
    pub fn end(&self) -> (u64, &str) {
        (self.end.0, &self.end.1)
    }

    /// Folds in the lines that follow.
    pub fn fold(&mut self, lines: &[Entry]) {
        for entry in lines {
            self.end = (entry.seq, entry.hash.clone());
            match &entry.what {
                Event::Opened { desired, .. } => {
                    self.opened = Some(desired.clone());
                    self.before = self.settled.take();
                    self.last = Some(LastRun { at: entry.at, outcome: None, summary: String::new() });
                }
                Event::Revised { desired, .. } => self.opened = Some(desired.clone()),
                Event::Intended { step, .. } => {
                    self.before = None;
                    self.put_off.remove(step);
                }
                Event::Deferred { step, .. } => {
                    self.put_off.insert(step.clone());
                }
                Event::Closed { outcome, summary, .. } => {
                    self.last =
                        Some(LastRun { at: entry.at, outcome: Some(*outcome), summary: summary.clone() });
                    self.settled = if *outcome == Outcome::Settled {
                        self.settled_at = Some(entry.at);
                        self.opened.clone().map(|desired| (entry.at, desired))
                    } else {
                        self.before.take()
                    };
                }
                // What was put off, and is no longer wanted, was never done.
                Event::Settled { step, object } => {
                    let is_so = history::is_so(step, object.as_ref());
                    if !self.put_off.remove(step) || is_so == Some(true) {
                        self.done(step);
                    }
                }
                _ => {}
            }
        }
    }

    fn done(&mut self, step: &StepId) {
        match step.0.strip_prefix("delete ") {
            Some(address) => {
                self.made.remove(&StepId(format!("create {address}").into()));
            }
            None => {
                self.made.insert(step.clone());
            }
        }
    }
}

/// What has changed since another look, a line each; at the first look all that differs, or that nothing does. Nothing
/// where nothing has changed.
pub fn changes(before: Option<&DriftReport>, now: &DriftReport) -> Vec<String> {
    if before.is_some_and(|before| before.differences == now.differences && before.health == now.health) {
        return Vec::new();
    }
    let none: &[Difference] = &[];
    let old = before.map_or(none, |before| &before.differences);
    let is_in = |all: &[Difference], one: &Difference| all.iter().any(|other| other == one);
    let is_left = |one: &Difference| now.differences.iter().any(|other| other.step == one.step);
    let line = |one: &Difference| {
        let fields =
            if one.fields.is_empty() { String::new() } else { format!(": {}", one.fields.join(", ")) };
        let cause = match one.cause {
            DriftCause::ChangedOutside => "changed outside rgctl",
            DriftCause::NotYetApplied => "not yet applied",
        };
        format!("{}{fields} ({cause})", one.what)
    };
    let mut lines: Vec<String> = now.differences.iter().filter(|one| !is_in(old, one)).map(line).collect();
    lines.extend(old.iter().filter(|one| !is_left(one)).map(|one| format!("no longer: {}", one.what)));
    let health = |report: &DriftReport| report.health.line();
    if let Some(told) = health(now).filter(|told| before.and_then(health).as_ref() != Some(told)) {
        lines.push(told);
    }
    if now.clean {
        lines.push("as wanted".to_owned());
    }
    lines
}

/// Since when the world is as it was made, or why it is not.
fn since(report: &DriftReport) -> String {
    match (report.settled, &report.unsettled) {
        (Some(at), None) => format!("settled at {at}"),
        (Some(at), Some(last)) => format!("last settled at {at}; since then {}", run_in_words(last)),
        (None, Some(last)) => format!("it has never settled on this record: {}", run_in_words(last)),
        (None, None) => "nothing was ever applied on this record".to_owned(),
    }
}

fn run_in_words(last: &LastRun) -> String {
    let at = last.at;
    let Some(outcome) = last.outcome else {
        return format!("a run began at {at} and has not ended");
    };
    format!("a run ended at {at}, {}: {}", history::outcome_word(outcome), last.summary)
}

/// Drift for people.
pub fn text(report: &DriftReport, style: Style) -> String {
    let mut out = String::new();
    let _ =
        writeln!(out, "{}", style.paint(Tone::Strong, &format!("{}: {}", report.blueprint, since(report))));
    if report.clean {
        let _ = writeln!(out, "No differences.");
    }
    let sections = [
        (DriftCause::ChangedOutside, "Drift: changed outside rgctl"),
        (DriftCause::NotYetApplied, "Not drift: wanted and not applied yet"),
    ];
    for (cause, heading) in sections {
        let of_cause: Vec<&Difference> =
            report.differences.iter().filter(|difference| difference.cause == cause).collect();
        if of_cause.is_empty() {
            continue;
        }
        let _ = writeln!(out, "\n{}", style.paint(Tone::Change, heading));
        for difference in of_cause {
            let _ = writeln!(out, "  {}", difference.what);
            for field in &difference.fields {
                let _ = writeln!(out, "      {field}");
            }
        }
    }
    if let Some(line) = report.health.line() {
        let _ = writeln!(out, "\n{}", style.paint(Tone::Bad, &format!("Not as wanted: {line}")));
        for (name, why) in ailing(&report.health) {
            let _ = writeln!(out, "  {name} {why}");
        }
    }
    out
}

/// Each trouble with its object and its reason.
fn ailing(health: &Health) -> impl Iterator<Item = (String, &str)> {
    health.troubles.iter().map(|ailment| {
        let name = match &ailment.address {
            Some(address) => format!("{} {} in {}", address.kind, address.name, address.region),
            None => ailment.name.clone(),
        };
        (name, ailment.why.as_str())
    })
}

/// Drift for a pull request.
pub fn markdown(report: &DriftReport) -> String {
    let mut out = format!("## Drift of `{}`\n\n", report.blueprint);
    if report.clean {
        out.push_str("No differences.\n");
        return out;
    }
    if !report.differences.is_empty() {
        out.push_str("| Cause | What | Fields |\n| --- | --- | --- |\n");
    }
    for difference in &report.differences {
        let by = match difference.cause {
            DriftCause::ChangedOutside => "changed outside rgctl",
            DriftCause::NotYetApplied => "not applied yet",
        };
        let fields = difference.fields.join("<br>").replace('|', "\\|");
        let _ = writeln!(out, "| {by} | {} | {fields} |", difference.what);
    }
    if let Some(line) = report.health.line() {
        let _ = writeln!(out, "\n**Not as wanted:** {line}\n");
        for (name, why) in ailing(&report.health) {
            let _ = writeln!(out, "- {name} {why}");
        }
    }
    out
}
