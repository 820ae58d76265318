//! Fields that the members of a global object have in common: they are changed at the primary, for all of them.

use super::Ask;
use super::compare::remaining_changes;
use crate::artefacts::address::Address;
use crate::artefacts::node::Node;
use crate::artefacts::seen::Seen;
use crate::vocabulary::phase::Role;
use crate::vocabulary::table::FieldChange;

/// Leaves to the primary what it is about to change for all members. What the primary has already, and a secondary has
/// not, stays a difference of the secondary.
pub(super) fn leave_to_primary(ask: &Ask<'_>, at: &Address, seen: &Seen, changes: &mut Vec<FieldChange>) {
    let Some((primary, as_seen)) = primary_of(ask, at, seen) else { return };
    let comes: Vec<FieldChange> = remaining_changes(&primary.attrs, as_seen);
    let is_left = |change: &FieldChange| {
        change.common && comes.iter().any(|other| other.field == change.field && other.after == change.after)
    };
    changes.retain(|change| !is_left(change));
}

/// The primary of the global object of which an object is a secondary, where it is wanted and ours.
fn primary_of<'a>(ask: &Ask<'a>, at: &Address, seen: &Seen) -> Option<(&'a Node, &'a Seen)> {
    let kind = at.kind.global_kind()?;
    let name = seen.attrs.text("global")?;
    let is_its = |(global, _): &(&Address, &Seen)| global.kind == kind && global.name.as_str() == name;
    let (_, global) = ask.inventory.seen.iter().find(is_its)?;
    let writer = global.facts.members.iter().find(|member| member.role == Role::Writer)?;
    let primary = Address::new(writer.region.clone(), at.kind, writer.name.clone());
    if primary == *at {
        return None;
    }
    let node = ask.desired.nodes.get(&primary)?;
    let seen = ask.inventory.seen.get(&primary).filter(|seen| ask.owns(&primary, seen))?;
    Some((node, seen))
}
