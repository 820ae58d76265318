//! Runs, calls and their answers as lines of the record.

use super::entries;
use super::job::Job;
use super::late;
use super::retry::left;
use super::schedule::Call;
use super::session::Kept;
use super::turn::{Turn, is_in_motion};
use crate::ledger::Ledger;
use rgctl_model::address::Address;
use rgctl_model::journal::{Cause, Event, Outcome};
use rgctl_model::observed::Inventory;
use rgctl_model::plan::Op;
use rgctl_model::ports::CloudError;
use rgctl_model::rules::RecordedRules;
use rgctl_schema::phase::Phase;

/// The line that begins a run.
pub(super) fn opening(job: &Job<'_>, turn: &Turn) -> Event {
    Event::Opened {
        purpose: job.purpose,
        policy: job.policy.clone(),
        desired: job.desired.fingerprint.clone(),
        steps: turn.plan.steps.len(),
        rules: Some(RecordedRules::of(&job.desired.rules)),
    }
}

/// The line that tells that something else is wanted, or may be done, than the record says.
pub(super) fn revision(job: &Job<'_>, ledger: &Ledger, turn: &Turn) -> Option<Event> {
    let rules = RecordedRules::of(&job.desired.rules);
    let is_so = ledger.is_wanted(job.purpose, job.policy, &job.desired.fingerprint, &rules);
    (!is_so).then(|| Event::Revised {
        policy: job.policy.clone(),
        desired: job.desired.fingerprint.clone(),
        steps: turn.plan.steps.len(),
        rules,
    })
}

/// The line that ends a run.
pub(super) fn closing(
    job: &Job<'_>,
    kept: &Kept,
    outcome: Outcome,
    (last, inventory): (&Turn, &Inventory),
) -> Event {
    let mut summary = last.summary(kept.run.calls);
    if let Some(who) = kept.run.yields_to.as_ref().filter(|_| outcome == Outcome::Stopped) {
        summary = format!("yielded to {who}; {summary}");
    }
    let left = (outcome == Outcome::Blocked).then(|| left(job, &kept.ledger, inventory));
    Event::Closed { outcome, summary, left }
}

/// The intent to make a call, for the record.
pub(super) fn intent(call: &Call) -> Event {
    let step = &call.step;
    let final_snapshot = match &step.op {
        Op::Delete { address, final_snapshot } => final_snapshot.as_ref().and_then(|name| {
            let kind = address.kind.facts().final_snapshot?;
            Some(Address::new(address.region.clone(), kind, name.clone()))
        }),
        Op::Modify { .. } | Op::Create { .. } | Op::Tag { .. } | Op::Act { .. } => None,
    };
    Event::Intended {
        step: step.id.clone(),
        address: step.op.address().clone(),
        word: step.op.word().to_owned(),
        token: call.token.clone(),
        final_snapshot,
        why: step.why.to_string(),
        changes: late::aims(&step.op),
        asks: step.op.asks(),
        names: late::names(&step.op),
        sets: entries::sets(&step.op).map(Box::new),
        unsets: entries::unsets(&step.op),
        store: step.store.clone(),
    }
}

/// What the answers mean for the steps of a turn.
pub(super) fn outcomes(
    turn: &Turn,
    answers: Vec<(&Call, Result<(), CloudError>)>,
    inventory: &Inventory,
) -> Vec<Event> {
    let starts_motion =
        |answer: &Result<(), CloudError>| matches!(answer, Ok(()) | Err(CloudError::Unclear { .. }));
    let is_still = !answers.iter().any(|(_, answer)| starts_motion(answer)) && !is_in_motion(turn, inventory);
    answers.into_iter().map(|(call, answer)| outcome(call, answer, is_still)).collect()
}

/// What a call's answer means for its step.
fn outcome(call: &Call, answer: Result<(), CloudError>, is_still: bool) -> Event {
    let step = call.step.id.clone();
    match answer {
        Ok(()) => Event::Accepted { step },
        Err(CloudError::Unclear { why }) => Event::Unclear { step, why },
        Err(CloudError::NotFound { .. }) if matches!(call.step.op, Op::Delete { .. }) => {
            Event::Accepted { step }
        }
        // Something of that name exists: the next look tells whether it is ours.
        Err(CloudError::Conflict { .. }) if matches!(call.step.op, Op::Create { .. }) => {
            Event::Taken { step }
        }
        Err(CloudError::Refused { code, message } | CloudError::Denied { code, message }) => {
            Event::Refused { step, code, message }
        }
        // Waiting ends nothing here: somebody has to repair or delete what has failed.
        Err(CloudError::Busy { phase: phase @ Phase::Failed(_), code }) => {
            Event::Refused { step, code, message: format!("an object that it needs is {phase}") }
        }
        Err(
            error @ (CloudError::Busy { .. } | CloudError::NotFound { .. } | CloudError::Conflict { .. }),
        ) => Event::Deferred { step, why: error.to_string(), cause: Cause::State, at_rest: is_still },
        Err(CloudError::Throttled { .. }) => {
            // When it may be asked again differs from call to call, and is no other reason.
            let why = "throttled: the service takes no more calls at the moment".to_owned();
            Event::Deferred { step, why, cause: Cause::Rate, at_rest: false }
        }
        Err(error @ CloudError::Exhausted { .. }) => {
            Event::Deferred { step, why: error.to_string(), cause: Cause::Capacity, at_rest: false }
        }
        Err(error @ CloudError::Unreachable { .. }) => {
            Event::Deferred { step, why: error.to_string(), cause: Cause::Network, at_rest: false }
        }
    }
}
