//! Members of one parent are never disturbed together: readers first, one at a time; the writer last, after the write
//! role has moved to a member that is done.

use std::collections::{BTreeMap, BTreeSet};

use super::draft::{Draft, StepNo};
use super::input::{PlanInput, side_by_side};
use super::{cost, effect, tables};
use rgctl_model::address::Address;
use rgctl_model::choices::Choices;
use rgctl_model::node::{Node, Usage};
use rgctl_model::observed::Observed;
use rgctl_model::plan::{Answer, Disturbance, Op, Reason, Step, Verb};
use rgctl_schema::names::Name;
use rgctl_schema::phase::{Phase, Role};

/// The parent of an object, by desired state or by what is seen.
pub(super) fn parent_of(address: &Address, node: Option<&Node>, seen: Option<&Observed>) -> Option<Address> {
    let parent = address.kind.facts().parent?;
    let name = node
        .and_then(|node| node.attrs.text(parent.field))
        .or_else(|| seen.and_then(|seen| seen.attrs.text(parent.field)))?;
    Some(Address::new(address.region.clone(), parent.kind, Name::new(name).ok()?))
}

/// A member that is disturbed, with all its steps.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Disturbed {
    role: Role,
    address: Address,
    steps: Vec<StepNo>,
}

pub(super) fn roll<'a>(input: &PlanInput<'a>, draft: &mut Draft<'a>) {
    let mut disturbed: Vec<(Address, Disturbed)> = Vec::new();
    for (address, steps) in draft.objects() {
        let disturbs = |no: &StepNo| {
            let entry = draft.get(*no)?;
            entry.step.op.restarts().then_some(entry)
        };
        let Some(entry) = steps.iter().find_map(disturbs) else { continue };
        if let Some(parent) = parent_of(address, entry.node, entry.seen) {
            // What has no role holds up nobody; it is done with the readers.
            let role = entry.seen.and_then(|seen| seen.facts.role).unwrap_or(Role::Reader);
            disturbed.push((parent, Disturbed { role, address: address.clone(), steps: steps.to_vec() }));
        }
    }
    if disturbed.is_empty() {
        return;
    }
    let successors = Successors::of(input);
    for (parent, members) in by_parent(disturbed) {
        roll_members(input, &successors, &parent, members, draft);
    }
}

/// Groups what belongs to parents. Members of one parent stand together for the greater part, which makes sorting cheap.
fn by_parent<T: Ord>(mut pairs: Vec<(Address, T)>) -> Vec<(Address, Vec<T>)> {
    pairs.sort();
    let mut groups: Vec<(Address, Vec<T>)> = Vec::new();
    for (parent, member) in pairs {
        match groups.last_mut().filter(|(last, _)| *last == parent) {
            Some((_, members)) => members.push(member),
            None => groups.push((parent, vec![member])),
        }
    }
    groups
}

fn roll_members<'a>(
    input: &PlanInput<'a>,
    successors: &Successors<'a>,
    parent: &Address,
    members: Vec<Disturbed>,
    draft: &mut Draft<'a>,
) {
    let (writers, readers): (Vec<_>, Vec<_>) =
        members.into_iter().partition(|member| member.role == Role::Writer);
    let mut last: Option<StepNo> = None;
    for reader in &readers {
        last = chain(draft, reader, last);
    }
    let Some(writer) = writers.first() else { return };
    if let Some(to) = successors.of_writer(parent, &writer.address) {
        let op = Op::Act { address: parent.clone(), verb: Verb::Failover { to: Some(to.name.clone()) } };
        let why = Reason::WriterMovesFirst { writer: writer.address.name.clone() };
        let failover = push_act(input, draft, op, why);
        if let Some(last) = last {
            draft.need(failover, last);
        }
        last = Some(failover);
        // From then on the old writer is a reader, whose change holds up no writes.
        for no in &writer.steps {
            if let Some(step) = draft.step_mut(*no) {
                step.effect.write_outage = rgctl_schema::time::Span::ZERO;
            }
        }
    }
    chain(draft, writer, last);
}

/// Puts all steps of a member behind `last`; yields the last of them.
fn chain(draft: &mut Draft<'_>, member: &Disturbed, last: Option<StepNo>) -> Option<StepNo> {
    if let Some(last) = last {
        for no in &member.steps {
            draft.need(*no, last);
        }
    }
    member.steps.last().copied().or(last)
}

/// Who can take the write role, by parent: wanted readers, in the order in which they would.
pub(super) struct Successors<'a> {
    ready: BTreeMap<Address, Vec<&'a Address>>,
    chosen: &'a Choices,
    /// Those that are busy, and can take it later.
    busy: BTreeMap<Address, Vec<&'a Address>>,
}

impl<'a> Successors<'a> {
    pub fn of(input: &PlanInput<'a>) -> Self {
        let (mut ready, mut busy) = (Vec::new(), Vec::new());
        for pair in side_by_side(input) {
            let (Some((_, node)), Some((address, seen))) = pair else { continue };
            let seen: &Observed = seen;
            let phase = &seen.facts.phase;
            let goes = matches!(phase, Phase::Deleting);
            if seen.facts.role == Some(Role::Writer) || !input.owns(address, seen) || goes {
                continue;
            }
            let Some(parent) = parent_of(address, Some(node), Some(seen)) else { continue };
            if phase.is_transitional() {
                busy.push((parent, address));
            // What is stopped is woken with its parent before a role moves.
            } else if (phase.is_ready() || *phase == Phase::Stopped) && seen.facts.role == Some(Role::Reader)
            {
                let place = tables::of(address.kind).promotion.map(|order| {
                    let place = seen.attrs.get(order.field).and_then(|place| place.as_u64());
                    place.unwrap_or(order.unset)
                });
                ready.push((parent, (place, address)));
            }
        }
        let addresses = |members: Vec<(Option<u64>, &'a Address)>| {
            members.into_iter().map(|(_, address)| address).collect()
        };
        Self {
            ready: by_parent(ready).into_iter().map(|(parent, all)| (parent, addresses(all))).collect(),
            chosen: input.choices,
            busy: by_parent(busy).into_iter().collect(),
        }
    }

    /// The one that was chosen before, while it is there; else the first in order. Readers that are to be changed are
    /// changed before the writer gives its role away, so that each is as good as the other by then.
    pub fn of_writer(&self, parent: &Address, writer: &Address) -> Option<&'a Address> {
        let ready =
            || self.ready.get(parent).into_iter().flatten().copied().filter(|address| *address != writer);
        let mut able = ready().chain(self.busy.get(parent).into_iter().flatten().copied());
        let chosen = self.chosen.successors.get(parent);
        chosen.and_then(|name| able.find(|address| address.name == *name)).or_else(|| ready().next())
    }
}

pub(super) fn push_act<'a>(input: &PlanInput<'a>, draft: &mut Draft<'a>, op: Op, why: Reason) -> StepNo {
    let seen = input.inventory.seen.get(op.address());
    let step = Step {
        id: op.step_id(),
        store: input.store_of(op.address()),
        needs: BTreeSet::new(),
        after_deletion_of: BTreeSet::new(),
        why,
        requires: BTreeSet::new(),
        disturbs: Disturbance::Quiet,
        held_out: None,
        cool_down: None,
        repairs: false,
        answer: Answer::Go,
        effect: effect::of(&op, seen),
        cost: cost::change(input, &op, seen, &Usage::default()),
        op,
    };
    draft.push(step, None, seen)
}
