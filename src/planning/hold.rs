//! What may not go holds back whatever would go with it, so that nothing is half removed.

use std::collections::BTreeSet;

use super::Ask;
use super::draft::Draft;
use super::removal::delete_id;
use crate::artefacts::address::Address;
use crate::artefacts::plan::{Op, Step, Verb, Waiting};
use crate::artefacts::policy::Consent;
use crate::vocabulary::names::StepId;
use crate::vocabulary::phase::{Phase, Role};

/// Holds back the removals that go with one that lacks consent, and drops those that no consent makes possible.
pub(super) fn hold_back(ask: &Ask<'_>, draft: &mut Draft) {
    if draft.steps.values().any(|step| step.lacks.is_some()) {
        spread_lacking(draft);
    }
    for (at, global) in bound(ask, draft) {
        drop_removal(&at, draft);
        draft.waiting.push(Waiting::Bound { at, by: global });
    }
}

/// Members and groups go with their store: whatever a step without consent needs for its object, or is needed by its
/// deletion, is held with it.
fn spread_lacking(draft: &mut Draft) {
    loop {
        let mut found: Vec<(StepId, Consent)> = Vec::new();
        for step in draft.steps.values().filter(|step| is_removal(step)) {
            for need in &step.needs {
                let Some(needed) = draft.steps.get(need) else { continue };
                match (&step.lacks, &needed.lacks) {
                    // The cluster may not go: its members stay as well.
                    (Some(consent), None) if needed.op.word() == "delete" => {
                        found.push((need.clone(), consent.clone()));
                    }
                    // A dependant may not go: what it needs stays.
                    (None, Some(consent)) => found.push((step.id.clone(), consent.clone())),
                    _ => {}
                }
            }
        }
        if found.is_empty() {
            return;
        }
        for (id, consent) in found {
            if let Some(step) = draft.steps.get_mut(&id) {
                step.lacks = Some(consent);
            }
        }
    }
}

fn is_removal(step: &Step) -> bool {
    matches!(step.op, Op::Delete { .. } | Op::Act { verb: Verb::Detach { .. }, .. })
}

/// Objects that would go while a global object stays of which they are the primary, with that object: no service lets
/// its primary go before.
fn bound(ask: &Ask<'_>, draft: &Draft) -> Vec<(Address, Address)> {
    let mut bound = Vec::new();
    for (global, seen) in &ask.inventory.seen {
        let stays = global.kind.facts().is_global
            && !matches!(seen.facts.phase, Phase::Absent | Phase::Deleting)
            && !draft.steps.contains_key(&delete_id(global));
        let Some(kind) = global.kind.member_kind().filter(|_| stays) else { continue };
        for member in seen.facts.members.iter().filter(|member| member.role == Role::Writer) {
            let at = Address::new(member.region.clone(), kind, member.name.clone());
            if draft.steps.contains_key(&delete_id(&at)) {
                bound.push((at, global.clone()));
            }
        }
    }
    bound
}

/// Drops the removal of an object, with the removals that would go with it and everything that needs one of them.
fn drop_removal(at: &Address, draft: &mut Draft) {
    let mut dropped: BTreeSet<StepId> = draft.ids_of(at).iter().cloned().collect();
    loop {
        let mut more: Vec<StepId> = Vec::new();
        for step in draft.steps.values() {
            if dropped.contains(&step.id) {
                let needed = step.needs.iter().filter_map(|need| draft.steps.get(need));
                let with_it = needed.filter(|needed| is_removal(step) && needed.op.word() == "delete");
                more.extend(with_it.flat_map(|needed| draft.ids_of(needed.op.at())).cloned());
            } else if !step.needs.is_disjoint(&dropped) {
                more.push(step.id.clone());
            }
        }
        let before = dropped.len();
        dropped.extend(more);
        if dropped.len() == before {
            break;
        }
    }
    draft.steps.retain(|id, _| !dropped.contains(id));
}
