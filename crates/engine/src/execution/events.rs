//! Calls and their answers as lines of the record.

use super::late;
use super::schedule::Call;
use super::turn::{Turn, is_in_motion};
use rgctl_model::address::Address;
use rgctl_model::journal::{Cause, Event};
use rgctl_model::observed::Inventory;
use rgctl_model::plan::Op;
use rgctl_model::ports::CloudError;
use rgctl_schema::phase::Phase;

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
