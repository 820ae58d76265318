//! A turn over a world in which nothing has happened since the one before: it costs nothing that grows with the world.
//!
//! **Invariant:** only a plan of nothing is used again, and only while everything that it followed from is the same: what was
//! seen is a copy of what was seen then, and the record has not gone on. A run asserts in debug builds that the plan equals
//! the one that is made anew.

use super::input::TurnInput;
use crate::planning::{Memory, Quiet, QuietBasis};
use rgctl_model::journal::Purpose;
use rgctl_model::plan::Plan;

/// The plan of the turn before, if nothing has happened since.
pub(super) fn again(input: &TurnInput<'_>, memory: &Memory) -> Option<Plan> {
    let quiet = memory.quiet.as_ref().filter(|quiet| {
        is_plain(input) && input.inventory.seen.is_copy_of(&quiet.seen) && basis(input) == quiet.basis
    })?;
    Some(Plan { made: input.now, ..quiet.plan.clone() })
}

/// Keeps a plan of nothing for the next turn.
pub(super) fn keep(input: &TurnInput<'_>, plan: &Plan, memory: &mut Memory) {
    let is_quiet = is_plain(input)
        && plan.steps.is_empty()
        && plan.waiting.is_empty()
        && !input.looked().knows_unwanted();
    memory.quiet = is_quiet.then(|| {
        let (seen, basis) = (input.inventory.seen.clone(), basis(input));
        Box::new(Quiet { seen, basis, plan: plan.clone() })
    });
}

/// Whether nothing is under way, nothing was agreed to, nothing is hidden and no price matters.
fn is_plain(input: &TurnInput<'_>) -> bool {
    input.purpose == Purpose::Apply
        && input.agreed.is_none()
        && input.inventory.gaps.is_empty()
        && input.inventory.held_out.is_empty()
        && input.ledger.begun.is_empty()
        && input.ledger.late_calls().next().is_none()
        && !input.desired.fingerprint.0.is_empty()
        && !input.verdicts.refuses_growth()
}

fn basis(input: &TurnInput<'_>) -> QuietBasis {
    let (desired, ledger) = (input.desired, input.ledger);
    QuietBasis {
        blueprint: desired.blueprint.clone(),
        desired: desired.fingerprint.clone(),
        regions: desired.regions.clone(),
        rules: desired.rules.clone(),
        policy: input.policy.clone(),
        verdicts: input.verdicts.clone(),
        authority: input.authority,
        record: (ledger.last_seq, ledger.last_hash.clone(), ledger.claims.record.clone()),
    }
}
