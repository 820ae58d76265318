//! Where a store would stand without any member, or its data would be gone from the live store: that needs a consent of
//! its own, beside those for what is deleted or replaced.

use std::collections::{BTreeMap, BTreeSet};

use super::Ask;
use super::draft::{Draft, StepNo};
use super::rolling::parent_of;
use crate::artefacts::address::Address;
use crate::artefacts::plan::Op;
use crate::artefacts::policy::Grave;
use crate::kinds::AnyAttrs;
use crate::vocabulary::names::{Name, RegionId, StoreName};
use crate::vocabulary::phase::{Phase, Role};

/// Adds the consent to every step that would empty a store.
pub(super) fn require_consent(ask: &Ask<'_>, draft: &mut Draft<'_>) {
    if ask.destroy || !draft.entries().any(|(_, entry)| is_of_interest(&entry.step.op)) {
        return;
    }
    let mut emptying: Vec<(StepNo, Address)> = made_empty(ask, draft);
    emptying.extend(left_without_members(ask, draft));
    for (no, at) in emptying {
        let act = ask.act(Grave::Empty, &at);
        if let Some(step) = draft.step_mut(no) {
            step.requires.insert(act);
        }
    }
}

fn is_of_interest(op: &Op) -> bool {
    match op {
        Op::Create { at, .. } => at.kind.facts().holds_data,
        Op::Delete { at, .. } => at.kind.facts().holds_data || at.kind.facts().parent.is_some(),
        Op::Modify { .. } | Op::Tag { .. } | Op::Act { .. } => false,
    }
}

/// Steps that make an object for data where there was one that bore data, and does so no more: all steps of the object,
/// and those that delete the one before.
fn made_empty(ask: &Ask<'_>, draft: &Draft<'_>) -> Vec<(StepNo, Address)> {
    let mut gone: BTreeMap<(StoreName, RegionId), Vec<StepNo>> = BTreeMap::new();
    for (no, entry) in draft.entries() {
        if let Op::Delete { at, .. } = &entry.step.op
            && at.kind.facts().holds_data
            && let Some(store) = ask.store_of(at)
        {
            gone.entry((store, at.region.clone())).or_default().push(no);
        }
    }
    let without_data = moves(ask, draft, &gone);
    let lost: BTreeSet<(&StoreName, &RegionId)> = ask
        .claims
        .objects
        .iter()
        .filter(|(at, claimed)| claimed.bears_data && !ask.inventory.seen.contains_key(at))
        .filter(|(at, _)| ask.claims.should_exist(at))
        .filter_map(|(at, claimed)| Some((claimed.store.as_ref()?, &at.region)))
        .collect();
    let mut found = Vec::new();
    for (_, entry) in draft.entries() {
        let Op::Create { at, attrs, .. } = &entry.step.op else { continue };
        if !at.kind.facts().holds_data || is_filled_again(ask, attrs, draft) {
            continue;
        }
        let Some(store) = ask.store_of(at) else { continue };
        let deletions = gone.get(&(store.clone(), at.region.clone()));
        let is_lost = lost.contains(&(&store, &at.region)) || ask.claims.should_exist(at);
        // A store that goes from one place to another, with no place that keeps its data.
        let moved = || without_data.get(&store).into_iter().flatten();
        let elsewhere = deletions.is_none() && !is_lost;
        if elsewhere && moved().next().is_none() {
            continue;
        }
        found.extend(draft.of(at).iter().map(|no| (*no, at.clone())));
        let moved = moved().filter(|_| elsewhere);
        for no in deletions.into_iter().flatten().chain(moved) {
            let of_object = draft.get(*no).map(|entry| entry.step.op.at().clone());
            let all = of_object.map(|object| draft.of(&object).to_vec()).unwrap_or_default();
            found.extend(all.into_iter().map(|no| (no, at.clone())));
        }
    }
    found
}

/// The deletions of each store of which no object with data stays anywhere.
fn moves(
    ask: &Ask<'_>,
    draft: &Draft<'_>,
    gone: &BTreeMap<(StoreName, RegionId), Vec<StepNo>>,
) -> BTreeMap<StoreName, Vec<StepNo>> {
    let mut moves: BTreeMap<StoreName, Vec<StepNo>> = BTreeMap::new();
    for ((store, _), deletions) in gone {
        moves.entry(store.clone()).or_default().extend(deletions);
    }
    if moves.is_empty() {
        return moves;
    }
    let holds = ask.inventory.seen.iter().filter(|(at, _)| at.kind.facts().holds_data);
    let stay = holds.filter(|(at, seen)| {
        ask.owns(at, seen)
            && draft.deletion_of(at).is_none()
            && !matches!(seen.facts.phase, Phase::Absent | Phase::Deleting)
    });
    for store in stay.filter_map(|(at, _)| ask.store_of(at)) {
        moves.remove(&store);
    }
    moves
}

/// Whether the service fills it with the data of a primary that stays.
fn is_filled_again(ask: &Ask<'_>, attrs: &AnyAttrs, draft: &Draft<'_>) -> bool {
    let Some(global) = attrs.text("global").and_then(|name| Name::new(name).ok()) else { return false };
    ask.inventory.seen.iter().any(|(at, seen)| {
        let is_global = at.kind.facts().is_global && at.name == global && ask.owns(at, seen);
        is_global
            && draft.deletion_of(at).is_none()
            && seen.facts.members.iter().filter(|member| member.role == Role::Writer).any(|member| {
                at.kind.member_kind().is_some_and(|kind| {
                    let primary = Address::new(member.region.clone(), kind, member.name.clone());
                    ask.inventory.seen.contains_key(&primary) && draft.deletion_of(&primary).is_none()
                })
            })
    })
}

/// Deletions of all members of a parent that stays. Members that are wanted and new are made before; where there are
/// some, the deletions wait for them instead.
fn left_without_members(ask: &Ask<'_>, draft: &mut Draft<'_>) -> Vec<(StepNo, Address)> {
    let mut leaving: BTreeMap<Address, Vec<(StepNo, Address)>> = BTreeMap::new();
    let mut coming: BTreeMap<Address, Vec<StepNo>> = BTreeMap::new();
    for (no, entry) in draft.entries() {
        let at = entry.step.op.at();
        let Some(parent) = parent_of(at, entry.node, ask.inventory.seen.get(at)) else { continue };
        match &entry.step.op {
            Op::Delete { .. } => leaving.entry(parent).or_default().push((no, at.clone())),
            Op::Create { .. } if draft.deletion_of(at).is_none() => {
                coming.entry(parent).or_default().push(no);
            }
            _ => {}
        }
    }
    let mut found = Vec::new();
    for (parent, members) in leaving {
        let stays = ask.node(&parent).is_some() && draft.deletion_of(&parent).is_none();
        if !stays {
            continue;
        }
        let leaves = |at: &Address| members.iter().any(|(_, leaving)| leaving == at);
        let serves = ask.inventory.seen.iter().any(|(at, seen)| {
            !leaves(at)
                && seen.facts.phase.serves()
                && at.kind.facts().parent.is_some_and(|one| one.kind == parent.kind)
                && parent_of(at, None, Some(seen)).as_ref() == Some(&parent)
        });
        // A member that is on its way is waited for when the deletion is begun.
        if serves || is_arriving(ask, &parent, leaves) {
            continue;
        }
        match coming.get(&parent) {
            Some(new) => {
                for (deletion, _) in &members {
                    for creation in new {
                        draft.need(*deletion, *creation);
                    }
                }
            }
            None => found.extend(members),
        }
    }
    found
}

/// Whether a wanted member of ours that stays is being made.
fn is_arriving(ask: &Ask<'_>, parent: &Address, leaves: impl Fn(&Address) -> bool) -> bool {
    ask.inventory.seen.iter().any(|(at, seen)| {
        seen.facts.phase == Phase::Creating
            && !leaves(at)
            && ask.node(at).is_some()
            && ask.owns(at, seen)
            && parent_of(at, None, Some(seen)).as_ref() == Some(parent)
    })
}
