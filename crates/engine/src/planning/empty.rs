//! Where a store would stand without any member, or its data would be gone from the live store: that needs a consent of
//! its own, beside those for what is deleted or replaced.

use std::collections::{BTreeMap, BTreeSet};

use super::draft::{Draft, StepNo};
use super::input::PlanInput;
use super::rolling::parent_of;
use rgctl_model::address::Address;
use rgctl_model::claims::Removal;
use rgctl_model::kinds::AnyAttrs;
use rgctl_model::plan::Op;
use rgctl_model::policy::{ConsentRequest, DestructiveAction};
use rgctl_schema::names::{Name, RegionId, StoreName};
use rgctl_schema::phase::{Phase, Role};

/// Adds the consent to every step that would empty a store.
pub(super) fn require_consent(input: &PlanInput<'_>, draft: &mut Draft<'_>) {
    if input.destroy || !draft.entries().any(|(_, entry)| is_of_interest(&entry.step.op)) {
        return;
    }
    let mut emptying: Vec<(StepNo, Address)> = made_empty(input, draft);
    emptying.extend(left_without_members(input, draft));
    for (no, address) in emptying {
        let act = input.act(DestructiveAction::Empty, &address);
        if let Some(step) = draft.step_mut(no) {
            step.requires.insert(act);
        }
    }
}

fn is_of_interest(op: &Op) -> bool {
    match op {
        Op::Create { address, .. } => address.kind.facts().holds_data,
        Op::Delete { address, .. } => {
            address.kind.facts().holds_data || address.kind.facts().parent.is_some()
        }
        Op::Modify { .. } | Op::Tag { .. } | Op::Act { .. } => false,
    }
}

/// Data of a store that is gone, or on its way out, before this plan does anything.
struct Gone<'a> {
    address: &'a Address,
    store: Option<&'a StoreName>,
    /// The removal of ours that took it, if one did.
    removal: Option<&'a Removal>,
}

impl Gone<'_> {
    /// Whether that act was allowed to the run that took the data: `replace` and `empty` were agreed to together before
    /// anything was deleted, and are not asked for again. What the blueprint forbids by now is asked for, and refused.
    fn is_agreed(&self, input: &PlanInput<'_>, act: &ConsentRequest) -> bool {
        let is_forbidden = input.desired.rules.iter().any(|rules| rules.policies.forbids(act.action));
        !is_forbidden && self.removal.is_some_and(|removal| removal.allows(act))
    }
}

/// Whether an object is gone, or on its way out. What could not be looked for is not.
fn is_going(input: &PlanInput<'_>, address: &Address) -> bool {
    match input.inventory.seen.get(address) {
        Some(seen) => seen.facts.phase.is_going(),
        None => input.inventory.is_complete_for(address),
    }
}

/// Data that was deleted outside rgctl, and data that we deleted in a removal that has not come to its end.
fn gone<'a>(input: &PlanInput<'a>) -> Vec<Gone<'a>> {
    let lost = input.claims.objects.iter().filter(|(address, claimed)| {
        claimed.bears_data && input.claims.should_exist(address) && is_going(input, address)
    });
    let lost = lost.map(|(address, claimed)| Gone { address, store: claimed.store.as_ref(), removal: None });
    let removed = input.claims.half_removed(|address| is_going(input, address)).into_iter();
    lost.chain(removed.map(|(address, removal)| Gone {
        address,
        store: removal.store.as_ref(),
        removal: Some(removal),
    }))
    .collect()
}

/// Steps that make an object for data where there was one that bore data, and does so no more: all steps of the object,
/// and those that delete the one before.
fn made_empty(input: &PlanInput<'_>, draft: &Draft<'_>) -> Vec<(StepNo, Address)> {
    let mut deleted: BTreeMap<(StoreName, RegionId), Vec<StepNo>> = BTreeMap::new();
    for (no, entry) in draft.entries() {
        if let Op::Delete { address, .. } = &entry.step.op
            && address.kind.facts().holds_data
            && let Some(store) = input.store_of(address)
        {
            deleted.entry((store, address.region.clone())).or_default().push(no);
        }
    }
    let gone = gone(input);
    let kept = if deleted.is_empty() && gone.is_empty() { BTreeSet::new() } else { kept(input, draft) };
    let mut found = Vec::new();
    for (_, entry) in draft.entries() {
        let Op::Create { address, attrs, .. } = &entry.step.op else { continue };
        if !address.kind.facts().holds_data || is_filled_again(input, address, attrs, draft) {
            continue;
        }
        let Some(store) = input.store_of(address) else { continue };
        let act = input.act(DestructiveAction::Empty, address);
        let of_store = |gone: &&Gone<'_>| gone.address == address || gone.store == Some(&store);
        let (here, elsewhere): (Vec<_>, Vec<_>) =
            gone.iter().filter(of_store).partition(|gone| gone.address.region == address.region);
        let in_place = deleted.get(&(store.clone(), address.region.clone()));
        // A store that goes from one place to another, with no place that keeps its data.
        let moves = in_place.is_none() && here.is_empty() && !kept.contains(&store);
        let from = deleted.iter().filter(|((other, _), _)| moves && *other == store);
        let deletions: Vec<StepNo> =
            in_place.into_iter().chain(from.map(|(_, deletions)| deletions)).flatten().copied().collect();
        let mut before = here.into_iter().chain(elsewhere.into_iter().filter(|_| moves));
        let was_there = input.claims.should_exist(address) || before.any(|gone| !gone.is_agreed(input, &act));
        if deletions.is_empty() && !was_there {
            continue;
        }
        found.extend(draft.of(address).iter().map(|no| (*no, address.clone())));
        for no in deletions {
            let of_object = draft.get(no).map(|entry| entry.step.op.address().clone());
            let all = of_object.map(|object| draft.of(&object).to_vec()).unwrap_or_default();
            found.extend(all.into_iter().map(|no| (no, address.clone())));
        }
    }
    found
}

/// The stores of which an object with data stays somewhere, or may for all that could be seen.
fn kept(input: &PlanInput<'_>, draft: &Draft<'_>) -> BTreeSet<StoreName> {
    let holds = input.inventory.seen.iter().filter(|(address, _)| address.kind.facts().holds_data);
    let stay = holds.filter(|(address, seen)| {
        input.owns(address, seen) && draft.deletion_of(address).is_none() && !seen.facts.phase.is_going()
    });
    let unseen = input.claims.objects.iter().filter(|(address, claimed)| {
        claimed.bears_data && !input.inventory.seen.contains_key(address) && !is_going(input, address)
    });
    let stay = stay.filter_map(|(address, _)| input.store_of(address));
    stay.chain(unseen.filter_map(|(_, claimed)| claimed.store.clone())).collect()
}

/// Whether the service fills it with the data of a primary that stays.
fn is_filled_again(input: &PlanInput<'_>, address: &Address, attrs: &AnyAttrs, draft: &Draft<'_>) -> bool {
    let Some(global) = attrs.joins().and_then(|name| Name::new(name).ok()) else { return false };
    let stays = |address: &Address| {
        input.inventory.seen.contains_key(address)
            && !is_going(input, address)
            && draft.deletion_of(address).is_none()
    };
    let is_it =
        |global_at: &Address| Some(global_at.kind) == address.kind.global_kind() && global_at.name == global;
    let seen = input
        .inventory
        .seen
        .iter()
        .filter(|(address, seen)| is_it(address) && input.owns(address, seen) && stays(address));
    let primaries = seen.flat_map(|(_, seen)| {
        let writers = seen.facts.members.iter().filter(|member| member.role == Role::Writer);
        writers.map(|member| Address::new(member.region.clone(), address.kind, member.name.clone()))
    });
    // A global object that is made anew is made from its primary.
    let made = draft.entries().map(|(_, entry)| &entry.step.op);
    let made = made.filter(|op| matches!(op, Op::Create { .. }) && is_it(op.address()));
    primaries.chain(made.filter_map(Op::beside)).any(|primary| stays(&primary))
}

/// Deletions of all members of a parent that stays. Members that are wanted and new are made before; where there are
/// some, the deletions wait for them instead.
fn left_without_members(input: &PlanInput<'_>, draft: &mut Draft<'_>) -> Vec<(StepNo, Address)> {
    let mut leaving: BTreeMap<Address, Vec<(StepNo, Address)>> = BTreeMap::new();
    let mut coming: BTreeMap<Address, Vec<StepNo>> = BTreeMap::new();
    for (no, entry) in draft.entries() {
        let address = entry.step.op.address();
        let Some(parent) = parent_of(address, entry.node, input.inventory.seen.get(address)) else {
            continue;
        };
        match &entry.step.op {
            Op::Delete { .. } => leaving.entry(parent).or_default().push((no, address.clone())),
            Op::Create { .. } if draft.deletion_of(address).is_none() => {
                coming.entry(parent).or_default().push(no);
            }
            _ => {}
        }
    }
    let mut found = Vec::new();
    for (parent, members) in leaving {
        let stays = input.node(&parent).is_some() && draft.deletion_of(&parent).is_none();
        if !stays {
            continue;
        }
        let leaves = |address: &Address| members.iter().any(|(_, leaving)| leaving == address);
        let serves = input.inventory.seen.iter().any(|(address, seen)| {
            !leaves(address)
                && seen.facts.phase.serves()
                && address.kind.facts().parent.is_some_and(|one| one.kind == parent.kind)
                && parent_of(address, None, Some(seen)).as_ref() == Some(&parent)
        });
        // A member that is on its way is waited for when the deletion is begun.
        if serves || is_arriving(input, &parent, leaves) {
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
fn is_arriving(input: &PlanInput<'_>, parent: &Address, leaves: impl Fn(&Address) -> bool) -> bool {
    input.inventory.seen.iter().any(|(address, seen)| {
        seen.facts.phase == Phase::Creating
            && !leaves(address)
            && input.node(address).is_some()
            && input.owns(address, seen)
            && parent_of(address, None, Some(seen)).as_ref() == Some(parent)
    })
}
