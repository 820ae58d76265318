//! Which line of the record may follow which.
//!
//! **Invariant:** one table says it for all: before a line is written, and when a record of an older version is read.

use std::collections::BTreeMap;

use super::step::{InFlightStep, StepStatus};
use rgctl_model::journal::Event;
use rgctl_schema::names::{RunId, StepId};

/// An event that does not follow from what is on record. Written by the engine, it would be a mistake of rgctl.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IllegalTransition {
    /// It is about a step that was never begun, or is done.
    #[error("`{event}` is told of a step that is not begun: {step}")]
    NotBegun {
        /// The event in a word.
        event: &'static str,
        /// Which step.
        step: StepId,
    },
    /// The step is in a state from which this does not follow.
    #[error("`{event}` is told of a step that is {status}: {step}")]
    Status {
        /// The event in a word.
        event: &'static str,
        /// Which step.
        step: StepId,
        /// What is known of it.
        status: StepStatus,
    },
    /// It belongs to no run that is open.
    #[error("`{event}` is told by {run}, which is not the run that is open")]
    NotOpen {
        /// The event in a word.
        event: &'static str,
        /// Whose it is.
        run: RunId,
    },
    /// A run that is open is opened again.
    #[error("{run} is opened twice")]
    OpenTwice {
        /// Which run.
        run: RunId,
    },
}

/// What is on record, with events that are not yet.
pub(super) struct Ahead<'a> {
    begun: &'a BTreeMap<StepId, InFlightStep>,
    open: Option<&'a RunId>,
    changed: BTreeMap<&'a StepId, (&'a RunId, Option<StepStatus>)>,
}

impl<'a> Ahead<'a> {
    pub(super) const fn of(begun: &'a BTreeMap<StepId, InFlightStep>, open: Option<&'a RunId>) -> Self {
        Self { begun, open, changed: BTreeMap::new() }
    }

    /// Takes the next event, if it follows.
    pub(super) fn follow(&mut self, run: &'a RunId, event: &'a Event) -> Result<(), IllegalTransition> {
        if matches!(event, Event::Opened { .. }) {
            if self.open == Some(run) {
                return Err(IllegalTransition::OpenTwice { run: run.clone() });
            }
            self.open = Some(run);
            return Ok(());
        }
        if self.open != Some(run) {
            return Err(IllegalTransition::NotOpen { event: word(event), run: run.clone() });
        }
        if matches!(event, Event::Closed { .. }) {
            self.open = None;
        } else if let Some(step) = step_of(event) {
            let next = next_status(step, self.status(run, step), event)?;
            self.changed.insert(step, (run, next));
        }
        Ok(())
    }

    /// What is known of a step. What an earlier run gave up counts as never begun.
    fn status(&self, run: &RunId, step: &StepId) -> Option<StepStatus> {
        let of_ledger = || self.begun.get(step).map(|begun| (&begun.run, Some(begun.status)));
        let (last, status) = self.changed.get(step).copied().or_else(of_ledger)?;
        status.filter(|status| *status != StepStatus::Failed || last == run)
    }
}

/// What a step is after an event, or why the event cannot follow. The one table of transitions.
fn next_status(
    step: &StepId,
    before: Option<StepStatus>,
    event: &Event,
) -> Result<Option<StepStatus>, IllegalTransition> {
    let illegal = || match before {
        None => IllegalTransition::NotBegun { event: word(event), step: step.clone() },
        Some(status) => IllegalTransition::Status { event: word(event), step: step.clone(), status },
    };
    match (event, before) {
        // A call may be made again until it has failed for good in this run.
        (Event::Intended { .. }, Some(StepStatus::Failed)) => Err(illegal()),
        (Event::Intended { .. }, _)
        | (Event::Unclear { .. } | Event::Taken { .. }, Some(StepStatus::Unclear)) => {
            Ok(Some(StepStatus::Unclear))
        }
        // An answer comes to a call that is out.
        (Event::Accepted { .. }, Some(StepStatus::Unclear)) => Ok(Some(StepStatus::Accepted)),
        (Event::Deferred { .. }, Some(StepStatus::Unclear)) => Ok(Some(StepStatus::Deferred)),
        (Event::Refused { .. }, Some(StepStatus::Unclear)) => Ok(Some(StepStatus::Failed)),
        (Event::Failed { .. }, Some(StepStatus::Unclear | StepStatus::Accepted | StepStatus::Deferred)) => {
            Ok(Some(StepStatus::Failed))
        }
        (Event::Settled { .. }, Some(StepStatus::Unclear | StepStatus::Accepted | StepStatus::Deferred)) => {
            Ok(None)
        }
        (Event::UnknownState { .. }, Some(StepStatus::Unclear | StepStatus::Accepted))
        | (
            Event::Opened { .. }
            | Event::Revised { .. }
            | Event::Closed { .. }
            | Event::Chosen { .. }
            | Event::Gone { .. },
            _,
        ) => Ok(before),
        _ => Err(illegal()),
    }
}

const fn step_of(event: &Event) -> Option<&StepId> {
    match event {
        Event::Intended { step, .. }
        | Event::Accepted { step }
        | Event::Refused { step, .. }
        | Event::Unclear { step, .. }
        | Event::Taken { step }
        | Event::Deferred { step, .. }
        | Event::UnknownState { step, .. }
        | Event::Settled { step, .. }
        | Event::Failed { step, .. } => Some(step),
        Event::Opened { .. }
        | Event::Revised { .. }
        | Event::Closed { .. }
        | Event::Chosen { .. }
        | Event::Gone { .. } => None,
    }
}

const fn word(event: &Event) -> &'static str {
    match event {
        Event::Opened { .. } => "opened",
        Event::Revised { .. } => "revised",
        Event::Chosen { .. } => "chosen",
        Event::Intended { .. } => "intended",
        Event::Accepted { .. } => "accepted",
        Event::Refused { .. } => "refused",
        Event::Unclear { .. } => "unclear",
        Event::Taken { .. } => "taken",
        Event::Deferred { .. } => "deferred",
        Event::UnknownState { .. } => "unknown state",
        Event::Settled { .. } => "settled",
        Event::Gone { .. } => "gone",
        Event::Failed { .. } => "failed",
        Event::Closed { .. } => "closed",
    }
}
