//! One turn of the engine: everything known goes in, everything to do comes out.

use std::collections::BTreeMap;

use super::{judge, ready};
use crate::artefacts::journal::{Event, Outcome};
use crate::artefacts::node::Desired;
use crate::artefacts::plan::{Plan, Step};
use crate::artefacts::policy::Policy;
use crate::artefacts::seen::Inventory;
use crate::planning::{self, Ask, Figures};
use crate::record::ledger::Ledger;
use crate::vocabulary::names::{RunId, StepId, Token};
use crate::vocabulary::time::{Moment, Span};

/// Bounds of what one run does at a time, and how patiently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// Most calls made in one turn. The provider's rate is kept by the adapter; this bounds memory and the loss of a
    /// crash.
    pub calls_per_turn_max: usize,
    /// Most steps under way at a time for one control plane of one region.
    pub steps_under_way_max: usize,
    /// How long to wait before looking again while something is under way.
    pub look_again: Span,
    /// How long a service may take to show the effect of a call it accepted: reads lag writes by some seconds.
    pub visibility: Span,
    /// How long to wait, after a call without an answer, before what is seen counts as its outcome.
    pub unclear: Span,
    /// First wait before a call that was put off is made again; it doubles each time.
    pub retry: Span,
    /// Longest such wait.
    pub retry_max: Span,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            calls_per_turn_max: 256,
            steps_under_way_max: 2_000,
            look_again: Span::from_secs(10),
            visibility: Span::from_secs(60),
            unclear: Span::from_secs(15),
            retry: Span::from_secs(5),
            retry_max: Span::from_mins(5),
        }
    }
}

/// Everything that a turn knows.
#[derive(Clone, Copy)]
pub struct Known<'a> {
    /// What should exist.
    pub desired: &'a Desired,
    /// What exists.
    pub inventory: &'a Inventory,
    /// What was begun.
    pub ledger: &'a Ledger,
    /// What may be done.
    pub policy: &'a Policy,
    /// Prices and capacities.
    pub figures: &'a dyn Figures,
    /// A plan that was agreed to: nothing else is done.
    pub agreed: Option<&'a Plan>,
    /// This run.
    pub run: &'a RunId,
    /// When this run began; part of the names of final snapshots.
    pub began: Moment,
    /// Now.
    pub now: Moment,
    /// Whether everything of the blueprint is to be removed.
    pub destroy: bool,
    /// Whether no new step may be begun: the run is being stopped.
    pub stopping: bool,
    /// Bounds.
    pub pace: &'a Pace,
}

/// A call to make.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// The step.
    pub step: Step,
    /// Its token.
    pub token: Token,
}

/// What holds up a step.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Held {
    /// Which step.
    pub step: StepId,
    /// Why, for a person.
    pub why: String,
}

/// What a turn decided.
#[derive(Clone, Debug, PartialEq)]
pub struct Turn {
    /// Lines for the record about what has come true or failed.
    pub record: Vec<Event>,
    /// Calls to make, each after its intent has been recorded.
    pub calls: Vec<Call>,
    /// When to look again at the latest.
    pub wake: Moment,
    /// The plan as it is now: what is left to do.
    pub plan: Plan,
    /// Steps under way, with what they wait for.
    pub under_way: BTreeMap<StepId, String>,
    /// Steps that are held up.
    pub held: Vec<Held>,
    /// Set when there is nothing more to do in this run.
    pub outcome: Option<Outcome>,
}

/// The longest that a suffix of a snapshot's name can be is fixed by its form: `yyyymmddhhmmss`.
pub fn snapshot_suffix(began: Moment) -> String {
    began.rfc3339().chars().filter(char::is_ascii_digit).take(14).collect()
}

/// Decides what to do now.
///
/// 1. The plan is made anew from what is seen: what has come true is no longer in it.
/// 2. Each begun step is judged: come true, failed, still under way, or to be tried again.
/// 3. Of the steps of the plan, those are begun whose needs are met, whose object is free, that lack no consent, that
///    were agreed to, and for which there is room.
/// 4. When nothing is under way and nothing can be begun, the run is over.
pub fn turn(known: &Known<'_>) -> Turn {
    let suffix = snapshot_suffix(known.began);
    let plan = planning::plan(&Ask {
        desired: known.desired,
        inventory: known.inventory,
        policy: known.policy,
        figures: known.figures,
        now: known.now,
        snapshot_suffix: &suffix,
        destroy: known.destroy,
    });
    let verdicts = judge::judge(known, &plan);
    let choice = ready::choose(known, &plan, &verdicts);

    let mut wake = known.now + known.pace.look_again;
    for at in verdicts.retry_at.values() {
        if *at > known.now && *at < wake {
            wake = *at;
        }
    }
    let outcome = outcome(known, &plan, &verdicts, &choice);
    Turn {
        record: verdicts.record,
        calls: choice.calls,
        wake,
        under_way: verdicts.under_way,
        held: choice.held,
        plan,
        outcome,
    }
}

fn outcome(
    known: &Known<'_>,
    plan: &Plan,
    verdicts: &judge::Verdicts,
    choice: &ready::Choice,
) -> Option<Outcome> {
    if !choice.calls.is_empty() {
        return None;
    }
    if known.stopping && !verdicts.has_calls_unclear {
        return Some(Outcome::Stopped);
    }
    let can_go_on = !verdicts.under_way.is_empty()
        || choice.waits_for_time
        || plan.waiting.iter().any(crate::artefacts::plan::Waiting::ends_by_itself);
    if can_go_on {
        return None;
    }
    let is_done = plan.steps.is_empty() && plan.waiting.iter().all(|waiting| !blocks(waiting));
    Some(if is_done && verdicts.failed.is_empty() { Outcome::Settled } else { Outcome::Blocked })
}

fn blocks(waiting: &crate::artefacts::plan::Waiting) -> bool {
    !matches!(waiting, crate::artefacts::plan::Waiting::Retained { .. })
}
