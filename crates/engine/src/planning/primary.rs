//! Fields that the members of a global object have in common: they are changed at the primary, for all of them.

use std::collections::{BTreeMap, BTreeSet};

use super::difference::remaining_changes;
use super::disturb::{is_major_upgrade, is_upgrade};
use super::draft::{Draft, StepNo};
use super::input::PlanInput;
use super::restarts::PARAMETER_GROUP;
use super::rolling::parent_of;
use super::tables::{self, InGlobal};
use rgctl_model::address::Address;
use rgctl_model::kinds::KindId;
use rgctl_model::node::{KEEP_RETAIN, Node};
use rgctl_model::observed::{Inventory, Observed};
use rgctl_model::plan::Op;
use rgctl_schema::phase::Role;
use rgctl_schema::table::{Change, FieldChange};

/// The field of a parent with the group that its members get with a newer version.
const INSTANCE_PARAMETER_GROUP: &str = "instance_parameter_group";

/// Leaves to the primary what it is about to change for all members. What the primary has already, and a secondary has
/// not, stays a difference of the secondary.
pub(super) fn leave_to_primary(
    input: &PlanInput<'_>,
    address: &Address,
    seen: &Observed,
    changes: &mut Vec<FieldChange>,
) {
    let Some((primary, as_seen)) = primary_of(input, address, seen) else { return };
    let comes: Vec<FieldChange> = remaining_changes(&primary.attrs, as_seen);
    let is_left = |change: &FieldChange| {
        change.common && comes.iter().any(|other| other.field == change.field && other.after == change.after)
    };
    changes.retain(|change| !is_left(change));
}

/// What no call changes of a member of a global object is another object's to have; what the service has there is not fought
/// over.
pub(super) fn change_as_member(
    input: &PlanInput<'_>,
    address: &Address,
    seen: &Observed,
    changes: &mut Vec<FieldChange>,
) {
    let there = |change: &FieldChange| tables::in_global(address.kind, &change.field);
    if changes.iter().all(|change| there(change) == InGlobal::Usual)
        || !is_member(input.inventory, address, seen)
    {
        return;
    }
    // Whoever leaves is changed after that, as any other.
    if !stays_member(input, address) {
        return;
    }
    changes.retain(|change| there(change) != InGlobal::Service);
    for change in changes.iter_mut().filter(|change| there(change) == InGlobal::Fixed) {
        change.change = Change::Replace;
    }
}

/// Whether a change is refused while its object belongs to a global one.
pub(crate) fn waits_for_leaving(kind: KindId, change: &FieldChange) -> bool {
    tables::in_global(kind, &change.field) != InGlobal::Usual
}

/// Whether a field of an object is the service's, since it belongs to a global object.
pub fn is_of_the_service(inventory: &Inventory, address: &Address, seen: &Observed, field: &str) -> bool {
    tables::in_global(address.kind, field) == InGlobal::Service && is_member(inventory, address, seen)
}

/// Whether an object is meant to belong to a global one, or goes on belonging to it.
fn stays_member(input: &PlanInput<'_>, address: &Address) -> bool {
    let joins = |node: &Node| node.attrs.joins().is_some();
    let is_source = |node: &Node| {
        Some(node.address.kind) == address.kind.global_kind()
            && node.attrs.text("source").as_deref() == Some(address.name.as_str())
            && node.attrs.text("source_region").is_none_or(|region| region == address.region.as_str())
    };
    // What is kept, or is not ours, goes on with its members.
    let is_kept = |(global, seen): (&Address, &Observed)| {
        input.claims.keep_of(global, seen) == Some(KEEP_RETAIN) || !input.owns(global, seen)
    };
    input.desired.nodes.get(address).is_none_or(joins)
        || input.desired.nodes.values().any(is_source)
        || input.inventory.globals_of(address).any(is_kept)
}

/// What cannot be changed of a member of a global object is changed when it has left that, or there is no such any more.
pub(super) fn change_after_leaving(input: &PlanInput<'_>, draft: &mut Draft<'_>) {
    let mut edges: Vec<(StepNo, StepNo)> = Vec::new();
    for (no, entry) in draft.entries() {
        let Op::Modify { address, changes, .. } = &entry.step.op else { continue };
        if !changes.iter().any(|change| waits_for_leaving(address.kind, change)) {
            continue;
        }
        for (global, _) in input.inventory.globals_of(address) {
            let ends = draft
                .of(global)
                .iter()
                .filter(|end| draft.get(**end).is_some_and(|end| super::draft::is_removal(&end.step)));
            edges.extend(ends.map(|end| (no, *end)));
        }
    }
    for (dependant, needed) in edges {
        draft.need(dependant, needed);
    }
}

/// Whether an object belongs to a global one, as its primary or as a secondary.
pub(super) fn is_member(inventory: &Inventory, address: &Address, seen: &Observed) -> bool {
    seen.attrs.joins().is_some() || inventory.globals_of(address).next().is_some()
}

/// Leaves to a parent what its members get with its newer version.
pub(super) fn leave_to_parent(
    input: &PlanInput<'_>,
    node: &Node,
    seen: &Observed,
    changes: &mut Vec<FieldChange>,
) {
    if changes.iter().all(|change| change.field != PARAMETER_GROUP) {
        return;
    }
    let Some(parent) = parent_of(&node.address, Some(node), Some(seen)) else { return };
    let Some((wanted, as_seen)) = input.desired.nodes.get(&parent).zip(input.inventory.seen.get(&parent))
    else {
        return;
    };
    let Some(group) = wanted.attrs.text(INSTANCE_PARAMETER_GROUP) else { return };
    // With a newer minor version the service takes no group for the members.
    if remaining_changes(&wanted.attrs, as_seen).iter().any(is_major_upgrade) {
        changes.retain(|change| change.field != PARAMETER_GROUP || change.after != group.as_str());
    }
}

/// The primary of the global object of which an object is a secondary, where it is wanted and ours.
fn primary_of<'a>(
    input: &PlanInput<'a>,
    address: &Address,
    seen: &Observed,
) -> Option<(&'a Node, &'a Observed)> {
    let kind = address.kind.global_kind()?;
    let name = seen.attrs.joins()?;
    let is_its = |(global, _): &(&Address, &Observed)| global.kind == kind && global.name.as_str() == name;
    let (_, global) = input.inventory.seen.iter().find(is_its)?;
    let writer = global.facts.members.iter().find(|member| member.role == Role::Writer)?;
    let primary = Address::new(writer.region.clone(), address.kind, writer.name.clone());
    if primary == *address {
        return None;
    }
    let node = input.desired.nodes.get(&primary)?;
    let seen = input.inventory.seen.get(&primary).filter(|seen| input.owns(&primary, seen))?;
    Some((node, seen))
}

/// The secondaries of a global object go first in two things: the whole way of a change by steps, before the primary changes what
/// all have in common (a group whose keys are not spread yet can take no second shard); and a newer version of the engine, since
/// what a newer primary writes an older secondary may not understand (Aurora and DocumentDB guides, on upgrading global
/// clusters). A step that was begun is no longer in the plan once something of it shows: `execution/room.rs` holds the primary until
/// the secondaries are at rest.
pub(super) fn secondaries_first(input: &PlanInput<'_>, draft: &mut Draft<'_>) {
    let staged = |change: &FieldChange| change.through;
    let mut edges = edges(input, draft, staged, |change| change.common);
    edges.extend(self::edges(input, draft, is_upgrade, is_upgrade));
    for (dependant, needed) in edges {
        draft.need(dependant, needed);
    }
}

/// Pairs of steps, of which the first changes something at a primary and waits for the second, which changes something of which
/// a secondary has to be done.
fn edges(
    input: &PlanInput<'_>,
    draft: &Draft<'_>,
    of_secondaries: impl Fn(&FieldChange) -> bool,
    of_primary: impl Fn(&FieldChange) -> bool,
) -> Vec<(StepNo, StepNo)> {
    // Only secondaries name their global object.
    let global_of =
        |address: &Address| Some((address.kind, input.inventory.seen.get(address)?.attrs.joins()?));
    let changes = |no: &StepNo| match draft.get(*no).map(|entry| &entry.step.op) {
        Some(Op::Modify { changes, .. }) => changes.as_slice(),
        _ => &[],
    };
    let mut ways: BTreeMap<(KindId, String), Vec<StepNo>> = BTreeMap::new();
    for (address, steps) in draft.objects() {
        let through = steps.iter().flat_map(changes).filter(|change| of_secondaries(change));
        let staged: BTreeSet<&str> = through.map(|change| change.field.as_str()).collect();
        if staged.is_empty() {
            continue;
        }
        let is_staged =
            |no: &&StepNo| changes(no).iter().any(|change| staged.contains(change.field.as_str()));
        if let Some(global) = global_of(address) {
            ways.entry(global).or_default().extend(steps.iter().filter(is_staged).copied());
        }
    }
    let mut edges: Vec<(StepNo, StepNo)> = Vec::new();
    if ways.is_empty() {
        return edges;
    }
    for (global, seen) in &input.inventory.seen {
        let Some(kind) = global.kind.member_kind() else { continue };
        let Some(theirs) = ways.get(&(kind, global.name.as_str().to_owned())) else { continue };
        for member in seen.facts.members.iter().filter(|member| member.role == Role::Writer) {
            let primary = Address::new(member.region.clone(), kind, member.name.clone());
            for no in draft.of(&primary).iter().filter(|no| changes(no).iter().any(&of_primary)) {
                edges.extend(theirs.iter().map(|needed| (*no, *needed)));
            }
        }
    }
    edges
}
