//! Objects that are not ours and are bound to ours: members of our clusters and global objects, users of our groups.
//!
//! They are left alone, and seen: a cluster with a member of somebody else's cannot be removed, so that its removal is
//! not begun either.

use std::collections::{BTreeMap, BTreeSet};

use super::difference::effective_attrs;
use super::draft::Draft;
use super::input::PlanInput;
use super::waiting::Waiting;
use rgctl_model::address::Address;
use rgctl_model::claims::OwnershipStatus;
use rgctl_model::kinds::KindId;
use rgctl_model::node::Usage;
use rgctl_model::observed::Observed;
use rgctl_model::plan::Blocker;
use rgctl_schema::money::Total;
use rgctl_schema::names::Name;
use rgctl_schema::phase::Phase;

/// Every object that is not ours, with an object of ours that it is bound to. One that is wanted is told as foreign
/// already; here it counts where its partner would go.
///
/// `others` are the objects that are not known to be ours.
pub(super) fn outsiders(
    input: &PlanInput<'_>,
    others: &[(&Address, &Observed)],
    draft: &Draft<'_>,
) -> Vec<Blocker> {
    let mut found: BTreeMap<Address, (Address, Option<String>)> = BTreeMap::new();
    let globals = input.inventory.seen.iter().filter(|(address, _)| address.kind.facts().is_global);
    let of_ours =
        |address: &Address| input.inventory.seen.get(address).is_some_and(|seen| input.owns(address, seen));
    for (global, seen) in globals {
        for address in members(global, seen) {
            if input.owns(global, seen) {
                if is_outsider(input, &address) {
                    found.entry(address.clone()).or_insert_with(|| (global.clone(), owner(input, &address)));
                }
            } else if of_ours(&address) && is_outsider(input, global) {
                found.entry(global.clone()).or_insert_with(|| (address, owner(input, global)));
            }
        }
    }
    for (address, seen) in others.iter().copied().filter(|(address, _)| is_outsider(input, address)) {
        let mut named = seen.attrs.named().into_iter().filter_map(|(_, kind, name)| {
            let name = Name::new(name).ok()?;
            Some(Address::new(address.region.clone(), kind, name))
        });
        if let Some(of) = named.find(|named| of_ours(named)) {
            found.entry(address.clone()).or_insert_with(|| (of, owner(input, address)));
        }
    }
    let is_news =
        |address: &Address, of: &Address| input.node(address).is_none() || draft.deletion_of(of).is_some();
    found
        .into_iter()
        .filter(|(address, (of, _))| is_news(address, of))
        .map(|(address, (of, owner))| Blocker::ForeignMember { address, of, owner })
        .collect()
}

/// What looks like ours and is not: of this blueprint in another record, or made by the record and changed since. A removal
/// leaves it alone, and is not over while it is there.
pub(super) fn lookalikes(input: &PlanInput<'_>, draft: &Draft<'_>) -> Vec<Blocker> {
    let told: BTreeSet<&Address> = draft.waiting.iter().map(Blocker::address).collect();
    let there = input.inventory.seen.iter().filter(|(address, seen)| {
        !address.kind.facts().observe_only && !matches!(seen.facts.phase, Phase::Absent | Phase::Deleting)
    });
    there
        .filter(|(address, _)| !told.contains(address))
        .filter_map(|(address, seen)| match input.claims.ownership(&input.desired.blueprint, address, seen) {
            OwnershipStatus::Foreign { owner, remedy: remedy @ Some(_) } => {
                Some(Blocker::Foreign { address: address.clone(), owner, remedy })
            }
            OwnershipStatus::Foreign { remedy: None, .. } | OwnershipStatus::Ours => None,
        })
        .collect()
}

/// What they cost, which no sum of the plan has; nothing where it is not known or nothing.
pub(super) fn cost(input: &PlanInput<'_>, waiting: &Waiting) -> Option<String> {
    let mut total = Total::default();
    for one in waiting.iter() {
        if let Blocker::ForeignMember { address, .. } = one
            && let Some(seen) = input.inventory.seen.get(address)
        {
            total.merge(&input.figures.cost(&effective_attrs(seen), &Usage::default(), &address.region));
        }
    }
    (total != Total::default()).then(|| {
        format!("What is not ours and bound to ours costs {total} a month beside the sums of this plan.")
    })
}

/// The members that a global object tells of.
fn members(global: &Address, seen: &Observed) -> Vec<Address> {
    let kind: Option<KindId> = global.kind.member_kind();
    let address = |kind| {
        let members = seen.facts.members.iter();
        members.map(|member| Address::new(member.region.clone(), kind, member.name.clone())).collect()
    };
    kind.map_or_else(Vec::new, address)
}

fn owner(input: &PlanInput<'_>, address: &Address) -> Option<String> {
    Some(input.inventory.seen.get(address)?.owner()?.to_owned())
}

/// Whether an object is there, is not ours, and stays. Where nobody looked, a member that is told of is not ours.
fn is_outsider(input: &PlanInput<'_>, address: &Address) -> bool {
    if let Some(seen) = input.inventory.seen.get(address) {
        return !input.owns(address, seen)
            && !address.kind.facts().observe_only
            && !matches!(seen.facts.phase, Phase::Absent | Phase::Deleting);
    }
    let looked: BTreeSet<_> = input.inventory.seen.keys().map(|seen| &seen.region).collect();
    let is_left_out = input.inventory.hold_on(address).is_some();
    !is_left_out && !input.desired.regions.contains(&address.region) && !looked.contains(&address.region)
}
