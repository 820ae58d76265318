//! What may not go holds back whatever would go with it, so that nothing is half removed.

use std::collections::{BTreeMap, BTreeSet};

use super::draft::{Draft, DraftStep, StepNo, is_removal};
use super::held_out;
use super::input::PlanInput;
use rgctl_model::address::Address;
use rgctl_model::plan::{Blocker, Op, Step, Verb};
use rgctl_model::policy::ConsentRequest;
use rgctl_schema::phase::{Phase, Role};

/// Ties what goes with a destructive action to its consent, and drops removals that no consent makes possible.
pub(super) fn hold_back(input: &PlanInput<'_>, draft: &mut Draft<'_>) {
    if draft.entries().any(|(_, entry)| !entry.step.requires.is_empty()) {
        spread_down(draft);
        spread_up(draft);
    }
    held_out::spread(draft);
    let outsiders: Vec<Address> = with_outsiders(draft).into_iter().collect();
    drop_removals(&outsiders, draft);
    let bound = bound(input, draft);
    let objects: Vec<Address> = bound.iter().map(|(address, _)| address.clone()).collect();
    drop_removals(&objects, draft);
    draft.waiting.extend(bound.into_iter().map(|(address, by)| Blocker::Bound { address, by }));
}

/// A cluster that may not go keeps its members: what its deletion needs deleted requires what it requires.
fn spread_down(draft: &mut Draft<'_>) {
    spread(draft, |needed, entry| {
        let goes_with = is_removal(entry) && matches!(needed.op, Op::Delete { .. });
        goes_with.then_some(Spread::ToNeeded)
    });
}

/// What a dependant needs stays as long as the dependant: its groups require what its deletion requires.
fn spread_up(draft: &mut Draft<'_>) {
    spread(draft, |_, entry| is_removal(entry).then_some(Spread::ToDependant));
}

enum Spread {
    ToNeeded,
    ToDependant,
}

fn spread(draft: &mut Draft<'_>, way: impl Fn(&Step, &Step) -> Option<Spread>) {
    loop {
        let mut found: Vec<(StepNo, BTreeSet<ConsentRequest>)> = Vec::new();
        for (no, entry) in draft.entries() {
            for (need, needed) in draft.needs_of(entry) {
                let (from, to, to_no) = match way(&needed.step, &entry.step) {
                    Some(Spread::ToNeeded) => (&entry.step, &needed.step, need),
                    Some(Spread::ToDependant) => (&needed.step, &entry.step, no),
                    None => continue,
                };
                if !from.requires.is_subset(&to.requires) {
                    found.push((to_no, from.requires.clone()));
                }
            }
        }
        if found.is_empty() {
            return;
        }
        for (no, requires) in found {
            if let Some(step) = draft.step_mut(no) {
                step.requires.extend(requires);
            }
        }
    }
}

/// Objects that would go, and cannot as long as something that is not ours is bound to them.
fn with_outsiders(draft: &Draft<'_>) -> BTreeSet<Address> {
    let of = draft.waiting.iter().filter_map(|waiting| match waiting {
        Blocker::ForeignMember { of, .. } => Some(of),
        _ => None,
    });
    of.filter(|of| draft.deletion_of(of).is_some()).cloned().collect()
}

/// Objects that would go while a global object stays of which they are the primary, with that object: no service lets
/// its primary go before.
fn bound(input: &PlanInput<'_>, draft: &Draft<'_>) -> Vec<(Address, Address)> {
    let mut bound = Vec::new();
    for (global, seen) in &input.inventory.seen {
        if !global.kind.facts().is_global || matches!(seen.facts.phase, Phase::Absent | Phase::Deleting) {
            continue;
        }
        let Some(kind) = global.kind.member_kind().filter(|_| draft.deletion_of(global).is_none()) else {
            continue;
        };
        for member in seen.facts.members.iter().filter(|member| member.role == Role::Writer) {
            let address = Address::new(member.region.clone(), kind, member.name.clone());
            if draft.deletion_of(&address).is_some() {
                bound.push((address, global.clone()));
            }
        }
    }
    bound
}

/// Departures from a global object that only its removal asked for, which is dropped.
fn idle_detachments(dropped: &BTreeSet<StepNo>, draft: &Draft<'_>) -> Vec<StepNo> {
    let kept = draft.entries().filter(|(no, _)| !dropped.contains(no));
    let asked: BTreeSet<StepNo> = kept
        .filter(|(_, entry)| !is_detachment(&entry.step))
        .flat_map(|(_, entry)| draft.needs_of(entry))
        .map(|(no, _)| no)
        .collect();
    let of_dropped: BTreeSet<&Address> =
        dropped.iter().filter_map(|no| draft.get(*no)).map(|entry| entry.step.op.address()).collect();
    let is_idle = |(no, entry): &(StepNo, &DraftStep<'_>)| {
        is_detachment(&entry.step) && of_dropped.contains(entry.step.op.address()) && !asked.contains(no)
    };
    draft.entries().filter(is_idle).map(|(no, _)| no).collect()
}

fn is_detachment(step: &Step) -> bool {
    matches!(step.op, Op::Act { verb: Verb::Detach { .. }, .. })
}

/// Drops the removals of objects, with the removals that would go with them and everything that needs one of them. Each
/// step is looked at once, however many objects are bound.
fn drop_removals(objects: &[Address], draft: &mut Draft<'_>) {
    let mut queue: Vec<StepNo> = objects.iter().flat_map(|address| draft.of(address)).copied().collect();
    if queue.is_empty() {
        return;
    }
    let mut dependants: BTreeMap<StepNo, Vec<StepNo>> = BTreeMap::new();
    for (no, entry) in draft.entries() {
        for (need, _) in draft.needs_of(entry) {
            dependants.entry(need).or_default().push(no);
        }
    }
    let mut dropped: BTreeSet<StepNo> = BTreeSet::new();
    while let Some(no) = queue.pop() {
        if !dropped.insert(no) {
            continue;
        }
        queue.extend(dependants.get(&no).into_iter().flatten());
        let Some(entry) = draft.get(no).filter(|entry| is_removal(&entry.step)) else { continue };
        for (_, needed) in draft.needs_of(entry) {
            if matches!(needed.step.op, Op::Delete { .. }) {
                queue.extend(draft.of(needed.step.op.address()));
            }
        }
    }
    dropped.extend(idle_detachments(&dropped, draft));
    draft.drop(&dropped);
}
