//! Members of one parent are never disturbed together: readers first, one at a time; the writer last, after the write
//! role has moved to a member that is done.

use std::collections::{BTreeMap, BTreeSet};

use super::draft::{Draft, StepNo};
use super::{Ask, cost, effect};
use crate::artefacts::address::Address;
use crate::artefacts::node::{Node, Usage};
use crate::artefacts::plan::{Op, Reason, Step, Verb};
use crate::artefacts::seen::Seen;
use crate::vocabulary::names::Name;
use crate::vocabulary::phase::Role;
use crate::vocabulary::table::Change;

/// The parent of an object, by desired state or by what is seen.
pub(super) fn parent_of(at: &Address, node: Option<&Node>, seen: Option<&Seen>) -> Option<Address> {
    let parent = at.kind.facts().parent?;
    let name = node
        .and_then(|node| node.attrs.text(parent.field))
        .or_else(|| seen.and_then(|seen| seen.attrs.text(parent.field)))?;
    Some(Address::new(at.region.clone(), parent.kind, Name::new(name).ok()?))
}

pub(super) fn roll<'a>(ask: &Ask<'a>, draft: &mut Draft<'a>) {
    let mut disturbed: BTreeMap<Address, Vec<(Role, Address)>> = BTreeMap::new();
    for (_, entry) in draft.entries() {
        let op = &entry.step.op;
        if !matches!(op, Op::Modify { .. }) || op.change() < Change::Restart {
            continue;
        }
        if let Some(parent) = parent_of(op.at(), entry.node, entry.seen) {
            // What has no role holds up nobody; it is done with the readers.
            let role = entry.seen.and_then(|seen| seen.facts.role).unwrap_or(Role::Reader);
            disturbed.entry(parent).or_default().push((role, op.at().clone()));
        }
    }
    if disturbed.is_empty() {
        return;
    }
    let successors = Successors::of(ask);
    for (parent, members) in disturbed {
        roll_members(ask, &successors, &parent, members, draft);
    }
}

fn roll_members<'a>(
    ask: &Ask<'a>,
    successors: &Successors<'a>,
    parent: &Address,
    mut members: Vec<(Role, Address)>,
    draft: &mut Draft<'a>,
) {
    members.sort_unstable();
    // A member may be disturbed more than once.
    members.dedup();
    let (writers, readers): (Vec<_>, Vec<_>) =
        members.into_iter().partition(|(role, _)| *role == Role::Writer);
    let readers: Vec<Address> = readers.into_iter().map(|(_, at)| at).collect();
    let mut last: Option<StepNo> = None;
    for reader in &readers {
        last = chain(draft, reader, last);
    }
    let Some((_, writer)) = writers.first() else { return };
    if let Some(to) = successors.of_writer(parent, writer, &readers) {
        let op = Op::Act { at: parent.clone(), verb: Verb::Failover { to: Some(to.name.clone()) } };
        let why = Reason::WriterMovesFirst { writer: writer.name.clone() };
        let failover = push_act(ask, draft, op, why);
        if let Some(last) = last {
            draft.need(failover, last);
        }
        last = Some(failover);
        // From then on the old writer is a reader, whose change holds up no writes.
        for no in draft.of(writer).to_vec() {
            if let Some(step) = draft.step_mut(no) {
                step.effect.write_outage = crate::vocabulary::time::Span::ZERO;
            }
        }
    }
    chain(draft, writer, last);
}

/// Puts all steps of a member behind `last`; yields the last of them.
fn chain(draft: &mut Draft<'_>, member: &Address, last: Option<StepNo>) -> Option<StepNo> {
    let own = draft.of(member).to_vec();
    if let Some(last) = last {
        for no in &own {
            draft.need(*no, last);
        }
    }
    own.last().copied().or(last)
}

/// Who can take the write role: ready readers that are wanted, by parent, in the order in which they would.
pub(super) struct Successors<'a>(BTreeMap<Address, Vec<&'a Address>>);

impl<'a> Successors<'a> {
    pub fn of(ask: &Ask<'a>) -> Self {
        let mut found: BTreeMap<Address, Vec<(u64, &Address)>> = BTreeMap::new();
        for (at, seen) in &ask.inventory.seen {
            let can_take_over = seen.facts.role == Some(Role::Reader)
                && seen.facts.phase.is_ready()
                && ask.owns(seen)
                && ask.is_wanted(at);
            if can_take_over && let Some(parent) = parent_of(at, ask.node(at), Some(seen)) {
                let tier = seen.attrs.get("promotion_tier").and_then(|tier| tier.as_u64()).unwrap_or(15);
                found.entry(parent).or_default().push((tier, at));
            }
        }
        let in_order = |mut members: Vec<(u64, &'a Address)>| {
            members.sort_unstable();
            members.into_iter().map(|(_, at)| at).collect()
        };
        Self(found.into_iter().map(|(parent, members)| (parent, in_order(members))).collect())
    }

    /// The first in order; one whose own change is done by then, if there is one.
    pub fn of_writer(&self, parent: &Address, writer: &Address, changed: &[Address]) -> Option<&'a Address> {
        let all = || self.0.get(parent).into_iter().flatten().copied().filter(|at| *at != writer);
        all().find(|at| changed.contains(at)).or_else(|| all().next())
    }
}

pub(super) fn push_act<'a>(ask: &Ask<'a>, draft: &mut Draft<'a>, op: Op, why: Reason) -> StepNo {
    let seen = ask.inventory.seen.get(op.at());
    let step = Step {
        id: op.step_id(),
        store: ask.store_of(op.at()),
        needs: BTreeSet::new(),
        gone: BTreeSet::new(),
        why,
        lacks: None,
        effect: effect::of(&op, seen),
        cost: cost::change(ask, &op, seen, &Usage::default()),
        op,
    };
    draft.push(step, None, seen)
}
