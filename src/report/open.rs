//! What the record says is open: steps that were begun and are not done, with what they wait for.

use std::fmt::Write;

use serde::Serialize;

use rgctl_engine::ledger::{Ledger, StepStatus};
use rgctl_schema::names::StepId;
use rgctl_schema::time::Moment;

/// A step that was begun and is not done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OpenStep {
    /// Which step.
    pub step: StepId,
    /// What is known: `accepted`, `unclear`, `put off`, `failed`.
    pub state: &'static str,
    /// What it waits for, or why it failed.
    pub why: String,
    /// Since when it is tried.
    pub since: Moment,
    /// When that was last known.
    pub at: Moment,
    /// Calls so far, over all runs.
    pub calls: u32,
}

/// The open steps of a record.
pub fn steps(ledger: &Ledger) -> Vec<OpenStep> {
    let open = ledger.begun.iter().map(|(step, begun)| {
        let (state, otherwise) = match begun.status {
            StepStatus::Unclear => ("unclear", "whether the call took effect"),
            StepStatus::Accepted => ("accepted", "its effect to show"),
            StepStatus::Deferred => ("put off", "another try"),
            StepStatus::Failed => ("failed", "no reason was recorded"),
        };
        let why = if begun.why.is_empty() { otherwise } else { &begun.why };
        OpenStep {
            step: step.clone(),
            state,
            why: why.to_owned(),
            since: begun.first.at,
            at: begun.since.at,
            calls: begun.tries.calls,
        }
    });
    open.collect()
}

/// The open steps as lines.
pub fn text(steps: &[OpenStep]) -> String {
    let mut out = String::new();
    for open in steps {
        let calls = super::words::count(usize::try_from(open.calls).unwrap_or(usize::MAX), "call", "calls");
        let what = if open.state == "failed" { "because" } else { "waiting for" };
        let _ = writeln!(
            out,
            "  {}\n    {} at {}, {calls} since {}; {what}: {}",
            open.step, open.state, open.at, open.since, open.why
        );
    }
    out
}
