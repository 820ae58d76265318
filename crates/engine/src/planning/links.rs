//! Edges between wanted objects: what is made or changed after what, and what is replaced with what it hangs on.

use std::collections::{BTreeMap, BTreeSet};

use super::draft::{Draft, DraftStep, StepNo};
use super::input::PlanInput;
use super::rolling::parent_of;
use super::{compare, primary, removal, secrets, tables};
use rgctl_model::address::Address;
use rgctl_model::node::Node;
use rgctl_model::plan::{Op, Reason, Step, Verb};
use rgctl_schema::table::Change;

/// Edges between wanted objects: an object is made and changed after the things it needs. When a needed object is
/// replaced, its members and what is fixed to it are replaced too.
pub(super) fn link_needs<'a>(input: &PlanInput<'a>, draft: &mut Draft<'a>) {
    spread_replacement(input, draft);
    let replaced: BTreeSet<Address> = replaced(draft).into_iter().collect();
    if !replaced.is_empty() {
        removal::leave_globals(input, &replaced, draft);
        removal::writers_last(input, &replaced, draft);
    }
    wake_parents_first(draft);
    primary::secondaries_first(input, draft);
    primary::change_after_leaving(input, draft);
    // Nothing waits for a change; in a plan of nothing but changes, nothing needs to be looked up.
    let is_waited_for = |op: &Op| matches!(op, Op::Create { .. } | Op::Delete { .. });
    if !draft.entries().any(|(_, entry)| is_waited_for(&entry.step.op)) {
        return;
    }
    let mut edges: Vec<(StepNo, StepNo)> = Vec::new();
    for (_, own) in draft.objects() {
        let Some(node) = own.first().and_then(|first| draft.get(*first)?.node) else { continue };
        for theirs in node.needs.iter().map(|needed| draft.of(needed)) {
            let pairs = own.iter().flat_map(|id| theirs.iter().map(move |other| (*id, *other)));
            edges.extend(pairs.filter_map(|(dependant, needed)| link(draft, dependant, needed)));
        }
    }
    for (dependant, needed) in edges {
        draft.need(dependant, needed);
    }
}

/// Members wake with their parent, and take no change before.
pub(super) fn wake_parents_first(draft: &mut Draft<'_>) {
    let starts = |entry: &DraftStep<'_>| matches!(entry.step.op, Op::Act { verb: Verb::Start, .. });
    let woken: BTreeMap<Address, StepNo> = draft
        .entries()
        .filter(|(_, entry)| starts(entry))
        .map(|(no, entry)| (entry.step.op.address().clone(), no))
        .collect();
    if woken.is_empty() {
        return;
    }
    let mut edges: Vec<(StepNo, StepNo)> = Vec::new();
    for (address, own) in draft.objects() {
        let Some(entry) = own.first().and_then(|first| draft.get(*first)) else { continue };
        let parent = parent_of(address, entry.node, entry.seen);
        if let Some(start) = parent.and_then(|parent| woken.get(&parent)) {
            edges.extend(own.iter().map(|no| (*no, *start)));
        }
    }
    for (dependant, needed) in edges {
        draft.need(dependant, needed);
    }
}

/// One edge, from the step that waits to the one that it waits for: deletions run from dependants to what they need,
/// creations the other way round. Changes of two existing objects need no order between them; such edges would meet those
/// of `rolling` in a circle. What only makes a deletion possible is a part of it.
fn link(draft: &Draft<'_>, dependant: StepNo, needed: StepNo) -> Option<(StepNo, StepNo)> {
    let (first, second) = (&draft.get(dependant)?.step, &draft.get(needed)?.step);
    match (&first.op, &second.op) {
        // Members of one parent go in the order in which writes are least disturbed: the writer last, whoever that is by now.
        (Op::Delete { .. }, Op::Delete { .. }) if are_siblings(&first.op, &second.op) => None,
        (Op::Delete { .. }, Op::Delete { .. } | Op::Create { .. }) => Some((needed, dependant)),
        (Op::Delete { .. }, _) => None,
        (_, Op::Create { .. }) if first.why != Reason::Unprotect => Some((dependant, needed)),
        // What no member of a global object has is off before one is made.
        (Op::Create { address, .. }, Op::Modify { .. })
            if address.kind.facts().is_global && secrets::leaves_service(&second.op) =>
        {
            Some((dependant, needed))
        }
        _ => None,
    }
}

/// Whether two objects of a store are members of the same sort.
fn are_siblings(one: &Op, other: &Op) -> bool {
    one.address().kind == other.address().kind && one.address().kind.facts().parent.is_some()
}

/// Objects that are deleted to be made anew.
fn replaced(draft: &Draft<'_>) -> Vec<Address> {
    let is_replaced =
        |step: &&Step| matches!(step.why, Reason::MustReplace { .. }) && matches!(step.op, Op::Delete { .. });
    let steps = draft.entries().map(|(_, entry)| &*entry.step);
    steps.filter(is_replaced).map(|step| step.op.address().clone()).collect()
}

/// Objects that cannot outlive a replaced one: its members, and objects that name it in a field that is fixed.
fn spread_replacement<'a>(input: &PlanInput<'a>, draft: &mut Draft<'a>) {
    let mut queue: Vec<Address> = replaced(draft);
    if queue.is_empty() {
        return;
    }
    let mut dependants: BTreeMap<&Address, Vec<&'a Node>> = BTreeMap::new();
    for node in input.desired.nodes.values() {
        for need in &node.needs {
            dependants.entry(need).or_default().push(node);
        }
    }
    while let Some(gone) = queue.pop() {
        for node in dependants.get(&gone).into_iter().flatten().copied() {
            let Some(seen) = input.inventory.seen.get(&node.address) else { continue };
            if draft.deletion_of(&node.address).is_some() {
                continue;
            }
            let Some(field) = fixed_reference(node, &gone) else { continue };
            draft.drop_all(&node.address);
            compare::push_replacement(input, node, seen, &Reason::MustReplace { fields: vec![field] }, draft);
            queue.push(node.address.clone());
        }
    }
}

/// The field by which an object is fixed to another one, if it is. Groups of one store share a name: what counts is the kind that
/// the field names.
fn fixed_reference(node: &Node, to: &Address) -> Option<String> {
    let kind = node.address.kind;
    let changes = tables::changes(kind);
    let is_fixed =
        |field: &str| changes.iter().any(|(name, change)| *name == field && *change == Change::Replace);
    let mut naming = kind.binding_fields().filter(|(_, named)| *named == to.kind).map(|(field, _)| field);
    naming
        .find(|field| is_fixed(field) && node.attrs.text(field).as_deref() == Some(to.name.as_str()))
        .map(str::to_owned)
}
