//! Members of one parent are never disturbed together: readers first, one at a time; the writer last, after the write
//! role has moved to a member that is done.

use std::collections::{BTreeMap, BTreeSet};

use super::draft::Draft;
use super::{Ask, cost, effect};
use crate::artefacts::address::Address;
use crate::artefacts::node::Usage;
use crate::artefacts::plan::{Op, Reason, Step, Verb};
use crate::vocabulary::names::{Name, StepId};
use crate::vocabulary::phase::Role;
use crate::vocabulary::table::Change;

/// The parent of an object, by desired state or by what is seen.
pub(super) fn parent_of(ask: &Ask<'_>, at: &Address) -> Option<Address> {
    let parent = at.kind.facts().parent?;
    let name = ask
        .node(at)
        .and_then(|node| node.attrs.text(parent.field))
        .or_else(|| ask.inventory.seen.get(at).and_then(|seen| seen.attrs.text(parent.field)))?;
    Some(Address::new(at.region.clone(), parent.kind, Name::new(name).ok()?))
}

fn role_of(ask: &Ask<'_>, at: &Address) -> Option<Role> {
    ask.inventory.seen.get(at).and_then(|seen| seen.facts.role)
}

pub(super) fn roll(ask: &Ask<'_>, draft: &mut Draft) {
    let mut disturbed: BTreeMap<Address, BTreeSet<Address>> = BTreeMap::new();
    for step in draft.steps.values() {
        let disturbs = step.op.word() == "modify" && step.op.change() >= Change::Restart;
        if disturbs && let Some(parent) = parent_of(ask, step.op.at()) {
            disturbed.entry(parent).or_default().insert(step.op.at().clone());
        }
    }
    for (parent, members) in disturbed {
        roll_members(ask, &parent, members, draft);
    }
}

fn roll_members(ask: &Ask<'_>, parent: &Address, members: BTreeSet<Address>, draft: &mut Draft) {
    let (writers, readers): (Vec<Address>, Vec<Address>) =
        members.into_iter().partition(|at| role_of(ask, at) == Some(Role::Writer));
    let mut last: Option<StepId> = None;
    for reader in &readers {
        last = chain(draft, reader, last);
    }
    let Some(writer) = writers.first() else { return };
    if let Some(to) = successor(ask, parent, writer, &readers) {
        let op = Op::Act { at: parent.clone(), verb: Verb::Failover { to: Some(to.name.clone()) } };
        let why = Reason::WriterMovesFirst { writer: writer.name.clone() };
        let id = push_act(ask, draft, op, why);
        if let Some(last) = &last {
            draft.need(&id, last);
        }
        last = Some(id);
        // From then on the old writer is a reader, whose change holds up no writes.
        for id in draft.ids_of(writer).to_vec() {
            if let Some(step) = draft.steps.get_mut(&id) {
                step.effect.write_outage = crate::vocabulary::time::Span::ZERO;
            }
        }
    }
    chain(draft, writer, last);
}

/// Puts all steps of a member behind `last`; yields the last of them.
fn chain(draft: &mut Draft, member: &Address, last: Option<StepId>) -> Option<StepId> {
    let ids = draft.ids_of(member).to_vec();
    if let Some(last) = &last {
        for id in &ids {
            draft.need(id, last);
        }
    }
    ids.last().cloned().or(last)
}

/// Who takes the write role: a ready member that is wanted; one whose own change is done by then, if there is one.
pub(super) fn successor(
    ask: &Ask<'_>,
    parent: &Address,
    writer: &Address,
    changed: &[Address],
) -> Option<Address> {
    let is_candidate = |at: &Address| {
        at != writer
            && ask.is_wanted(at)
            && ask.inventory.seen.get(at).is_some_and(|seen| {
                seen.facts.role == Some(Role::Reader) && seen.facts.phase.is_ready() && ask.owns(seen)
            })
            && parent_of(ask, at).as_ref() == Some(parent)
    };
    let siblings =
        || ask.inventory.seen.keys().filter(|at| at.kind == writer.kind && at.region == writer.region);
    let tier = |at: &Address| {
        let seen = ask.inventory.seen.get(at);
        seen.and_then(|seen| seen.attrs.get("promotion_tier")).and_then(|tier| tier.as_u64()).unwrap_or(15)
    };
    changed
        .iter()
        .filter(|at| is_candidate(at))
        .min_by_key(|at| (tier(at), *at))
        .or_else(|| siblings().filter(|at| is_candidate(at)).min_by_key(|at| (tier(at), *at)))
        .cloned()
}

pub(super) fn push_act(ask: &Ask<'_>, draft: &mut Draft, op: Op, why: Reason) -> StepId {
    let seen = ask.inventory.seen.get(op.at());
    draft.push(Step {
        id: op.step_id(),
        store: ask.store_of(op.at()),
        needs: BTreeSet::new(),
        why,
        lacks: None,
        effect: effect::of(&op, seen),
        cost: cost::change(ask, &op, seen, &Usage::default()),
        op,
    })
}
