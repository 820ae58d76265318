//! What is ours and no longer wanted. Deletion is defined once: consent → protection off → dependants gone → final
//! snapshot → absent.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::difference::effective_attrs;
use super::disturb::is_upgrade;
use super::draft::{Draft, StepNo};
use super::input::PlanInput;
use super::rolling::{Successors, parent_of, push_act};
use super::{cost, effect, pauses, secrets};
use rgctl_model::address::Address;
use rgctl_model::kinds::{AnyAttrs, KindId};
use rgctl_model::node::{KEEP_RETAIN, Node, Usage};
use rgctl_model::observed::{Member, Observed};
use rgctl_model::plan::{Answer, Blocker, Disturbance, Op, Reason, Step, Verb};
use rgctl_model::policy::{ConsentRequest, DestructiveAction};
use rgctl_schema::names::Name;
use rgctl_schema::phase::{Phase, Role};
use rgctl_schema::table::{Change, FieldChange};

/// Name of the snapshot that a deletion leaves behind; none where nothing is held, or by request.
pub(super) fn final_snapshot(input: &PlanInput<'_>, address: &Address) -> Option<Name> {
    address.kind.facts().final_snapshot?;
    // The tag counts, not the blueprint: a store that left the blueprint has only its tag.
    let seen = input.inventory.seen.get(address);
    let is_discarded = seen.is_some_and(|seen| input.claims.discards(address, seen));
    if input.policy.skip_final_snapshot || is_discarded {
        return None;
    }
    // A name that was chosen before is kept, unless such a snapshot is there by now.
    let is_free = |name: &&Name| {
        let kind = address.kind.facts().final_snapshot.unwrap_or(address.kind);
        !input.inventory.seen.contains_key(&Address::new(address.region.clone(), kind, (*name).clone()))
    };
    if let Some(chosen) = input.choices.snapshots.get(address).filter(is_free) {
        return Some(chosen.clone());
    }
    let suffix = format!("-final-{}", input.snapshot_suffix);
    let room = Name::MAX.saturating_sub(suffix.len());
    let stem: String = address.name.as_str().chars().take(room).collect();
    Name::new(format!("{}{suffix}", stem.trim_end_matches('-'))).ok()
}

/// Switches the service's own protection off, so that the deletion that follows is accepted.
pub(super) fn unprotect(input: &PlanInput<'_>, address: &Address, seen: &Observed) -> Step {
    let field = address.kind.facts().protection.unwrap_or("deletion_protection");
    let mut attrs = AnyAttrs::empty(address.kind);
    // The field is a truth value in every table that names it as its protection; a law checks that.
    let _ = attrs.set(field, Some(Value::Bool(false)));
    let change = FieldChange {
        field: field.to_owned(),
        before: Some(Value::Bool(true)),
        after: Value::Bool(false),
        change: Change::InPlace,
        alone: false,
        with: None,
        through: false,
        shrinks: false,
        lowers: true,
        common: false,
    };
    let op = Op::Modify { address: address.clone(), changes: vec![change], attrs };
    bare_step(input, op, seen, Reason::Unprotect)
}

fn bare_step(input: &PlanInput<'_>, op: Op, seen: &Observed, why: Reason) -> Step {
    Step {
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
        effect: effect::of(&op, Some(seen)),
        cost: cost::change(input, &op, Some(seen), &Usage::default()),
        op,
    }
}

/// Adds what it takes to remove objects that are seen and not wanted, as far as they are ours.
pub(super) fn remove_unwanted<'a>(
    input: &PlanInput<'a>,
    unwanted: &[(&'a Address, &'a Observed)],
    draft: &mut Draft<'a>,
) {
    if unwanted.is_empty() {
        return;
    }
    let used = secrets::still_used(input);
    let ours = |(address, seen): &&(&Address, &Observed)| {
        input.owns(address, seen) && !address.kind.facts().observe_only && !used.contains(*address)
    };
    let unwanted: Vec<(&'a Address, &'a Observed)> = unwanted.iter().filter(ours).copied().collect();
    if unwanted.is_empty() {
        return;
    }
    let retained = retained(input, &unwanted);
    let mut leaving: BTreeSet<Address> = BTreeSet::new();
    for (address, seen) in unwanted {
        if retained.contains(address) {
            draft.waiting.push(Blocker::Retained { address: address.clone() });
        } else if remove(input, address, seen, draft) {
            leaving.insert(address.clone());
        }
    }
    leave_globals(input, &leaving, draft);
    move_writers(input, &leaving, draft);
    outlast_leaving(input, &leaving, draft);
    writers_last(input, &leaving, draft);
    dependants_first(input, &leaving, draft);
}

/// What is to be kept, and whatever that names in its fields: its groups cannot go while it uses them.
fn retained<'a>(input: &PlanInput<'_>, unwanted: &[(&'a Address, &'a Observed)]) -> BTreeSet<&'a Address> {
    let is_kept =
        |address: &Address, seen: &Observed| input.claims.keep_of(address, seen) == Some(KEEP_RETAIN);
    let mut queue: Vec<(&Address, &Observed)> =
        unwanted.iter().filter(|(address, seen)| is_kept(address, seen)).copied().collect();
    let mut retained: BTreeSet<&Address> = queue.iter().map(|(address, _)| *address).collect();
    let by_name = by_name(unwanted.iter().map(|(address, _)| *address));
    let seen_at: BTreeMap<&Address, &Observed> = unwanted.iter().copied().collect();
    while let Some((address, seen)) = queue.pop() {
        for other in named_by(address, seen, &by_name) {
            if retained.insert(other) {
                queue.extend(seen_at.get(other).map(|seen| (other, *seen)));
            }
        }
    }
    retained
}

/// Adds the steps that remove one object; tells whether it is on its way out.
fn remove<'a>(input: &PlanInput<'a>, address: &Address, seen: &'a Observed, draft: &mut Draft<'a>) -> bool {
    match &seen.facts.phase {
        Phase::Absent => return false,
        Phase::Deleting => {
            draft.waiting.push(Blocker::Transition {
                address: address.clone(),
                phase: seen.facts.phase.clone(),
                native: seen.facts.native.clone(),
            });
            return false;
        }
        Phase::Creating | Phase::Busy { .. } => draft.waiting.push(Blocker::Transition {
            address: address.clone(),
            phase: seen.facts.phase.clone(),
            native: seen.facts.native.clone(),
        }),
        Phase::Ready | Phase::Stopped | Phase::Failed(_) | Phase::Unknown(_) => {}
    }
    if !input.inventory.gaps.is_empty() {
        draft.waiting.push(Blocker::Unseen {
            address: address.clone(),
            why: "nothing is deleted while a part of the world cannot be seen".to_owned(),
            lasting: input.inventory.gaps.iter().any(|gap| gap.lasting),
        });
        return false;
    }
    let why = if input.destroy { Reason::Destroy } else { Reason::Unwanted };
    let holds_data = address.kind.facts().holds_data;
    let deletes = holds_data.then(|| input.act(DestructiveAction::Delete, address));
    // What a decision held goes only when somebody says so, also where the blueprint never named it.
    let was_held = !input.destroy && input.desired.lowered.objects.contains(address);
    let shrinks = was_held.then(|| input.act(DestructiveAction::Shrink, address));
    let requires: BTreeSet<ConsentRequest> = deletes.into_iter().chain(shrinks).collect();
    let why = if was_held { Reason::Released } else { why };
    if let Some(op) = pauses::waking(input, address, None, seen) {
        let wake = bare_step(input, op, seen, why.clone());
        draft.push(Step { requires: requires.clone(), ..wake }, None, Some(seen));
    }
    if effective_attrs(seen).is_protected() {
        draft.push(Step { requires: requires.clone(), ..unprotect(input, address, seen) }, None, Some(seen));
    }
    let op = Op::Delete { address: address.clone(), final_snapshot: final_snapshot(input, address) };
    draft.push(Step { requires, ..bare_step(input, op, seen, why) }, None, Some(seen));
    true
}

/// Members leave a global object before they, or it, can be deleted; the secondaries first. They leave for good, or until
/// they have been made anew.
pub(super) fn leave_globals<'a>(input: &PlanInput<'a>, leaving: &BTreeSet<Address>, draft: &mut Draft<'a>) {
    let leaving_members = deletions_by_parent(input, leaving, draft);
    for (global, seen) in &input.inventory.seen {
        let facts = global.kind.facts();
        if !facts.is_global || !input.owns(global, seen) {
            continue;
        }
        if seen.facts.phase == Phase::Deleting {
            wait_for_end(global, seen, leaving, draft);
        }
        // Unwanted, or made anew with its primary.
        let deletion = draft.deletion_of(global);
        let mut secondaries: Vec<StepNo> = Vec::new();
        let mut members: Vec<_> = seen.facts.members.iter().collect();
        // Readers (secondaries) sort after the writer by role, so the order is turned round.
        members.sort_by_key(|member| std::cmp::Reverse(member.role));
        for member in members {
            let cluster = global.kind.member_kind().and_then(|kind| {
                leaving.get(&Address::new(member.region.clone(), kind, member.name.clone()))
            });
            let is_primary = member.role == Role::Writer;
            if is_primary && !super::tables::of(global.kind).primary_leaves {
                // It is let go by the end of the global object, and by nothing else.
                if let (Some(deletion), Some(of_cluster)) =
                    (deletion, cluster.and_then(|cluster| draft.deletion_of(cluster)))
                {
                    draft.need(of_cluster, deletion);
                }
                continue;
            }
            let must_leave =
                if is_primary { deletion.is_some() } else { deletion.is_some() || cluster.is_some() };
            if !must_leave || !may_leave(input, global, member) {
                continue;
            }
            let verb = Verb::Detach { region: member.region.clone(), member: member.name.clone() };
            let of_cluster = cluster.and_then(|cluster| draft.deletion_of(cluster));
            let gone = of_cluster.or(deletion).and_then(|no| draft.get(no)).map(|entry| &entry.step);
            let why = gone.map_or(Reason::Unwanted, |delete| delete.why.clone());
            // Where the cluster stays, its detaching goes with the global object.
            let requires = of_cluster.and(gone).map(|delete| delete.requires.clone()).unwrap_or_default();
            let op = Op::Act { address: global.clone(), verb };
            let detach = draft.push_aside(Step { requires, ..bare_step(input, op, seen, why) }, seen);
            if is_primary {
                for secondary in &secondaries {
                    draft.need(detach, *secondary);
                }
            } else {
                secondaries.push(detach);
                // A secondary that leaves is promoted: where its members go too, none of them is made a writer first.
                for deletion in cluster.and_then(|cluster| leaving_members.get(cluster)).into_iter().flatten()
                {
                    draft.need(detach, *deletion);
                }
            }
            for deletion in deletion.into_iter().chain(of_cluster) {
                draft.need(deletion, detach);
            }
        }
        if let Some(deletion) = deletion {
            inherit_consent(global, deletion, draft);
        }
        if !secondaries.is_empty() {
            make_room_first(input, global, seen, &secondaries, draft);
        }
    }
}

/// A secondary that leaves makes room for a reader of the primary, where there would be too many otherwise.
fn make_room_first(
    input: &PlanInput<'_>,
    global: &Address,
    seen: &Observed,
    detaches: &[StepNo],
    draft: &mut Draft<'_>,
) {
    let writer = seen.facts.members.iter().find(|member| member.role == Role::Writer);
    let (Some(kind), Some(writer)) = (global.kind.member_kind(), writer) else { return };
    let (Some(most), Some(child)) = (kind.members_max(), kind.child_kind()) else { return };
    let primary = Address::new(writer.region.clone(), kind, writer.name.clone());
    let is_its = |node: &&Node| {
        node.address.kind == child && parent_of(&node.address, Some(node), None).as_ref() == Some(&primary)
    };
    let members: Vec<&Address> =
        input.desired.nodes.values().filter(is_its).map(|node| &node.address).collect();
    if members.len() + seen.facts.members.len().saturating_sub(1) <= most {
        return;
    }
    for no in members.into_iter().flat_map(|address| draft.of(address)).copied().collect::<Vec<_>>() {
        if draft.get(no).is_some_and(|entry| matches!(entry.step.op, Op::Create { .. })) {
            for detach in detaches {
                draft.need(no, *detach);
            }
        }
    }
}

/// What is still a member of a global object that is on its way out goes after it.
fn wait_for_end(global: &Address, seen: &Observed, leaving: &BTreeSet<Address>, draft: &mut Draft<'_>) {
    let Some(kind) = global.kind.member_kind() else { return };
    for member in &seen.facts.members {
        let address = Address::new(member.region.clone(), kind, member.name.clone());
        let deletion = leaving.get(&address).and_then(|address| draft.deletion_of(address));
        if let Some(step) = deletion.and_then(|no| draft.step_mut(no)) {
            step.after_deletion_of.insert(global.clone());
        }
    }
}

/// What is not ours is not taken out of anything: its global object stays with it.
fn may_leave(input: &PlanInput<'_>, global: &Address, member: &Member) -> bool {
    let address =
        global.kind.member_kind().map(|kind| Address::new(member.region.clone(), kind, member.name.clone()));
    address.is_none_or(|address| {
        input.inventory.seen.get(&address).is_none_or(|seen| input.owns(&address, seen))
    })
}

/// A global object goes only if its members may: it holds no data, but its end ends their replication.
fn inherit_consent(global: &Address, deletion: StepNo, draft: &mut Draft<'_>) {
    let needed = draft.get(deletion).into_iter().flat_map(|entry| draft.needs_of(entry));
    let requires: BTreeSet<ConsentRequest> =
        needed.flat_map(|(_, needed)| needed.step.requires.iter().cloned()).collect();
    for no in draft.of(global).to_vec() {
        if let Some(step) = draft.step_mut(no) {
            step.requires.extend(requires.iter().cloned());
        }
    }
}

/// A member that leaves while its parent stays gives the write role away first.
fn move_writers<'a>(input: &PlanInput<'a>, leaving: &BTreeSet<Address>, draft: &mut Draft<'a>) {
    let parent_of_writer = |address: &Address| {
        let seen = input.inventory.seen.get(address).filter(|seen| seen.facts.role == Some(Role::Writer))?;
        parent_of(address, input.node(address), Some(seen)).filter(|parent| !leaving.contains(parent))
    };
    let writers: Vec<(&Address, Address)> =
        leaving.iter().filter_map(|address| Some((address, parent_of_writer(address)?))).collect();
    if writers.is_empty() {
        return;
    }
    let successors = Successors::of(input);
    for (address, parent) in writers {
        if let Some(to) = successors.of_writer(&parent, address) {
            let op = Op::Act { address: parent, verb: Verb::Failover { to: Some(to.name.clone()) } };
            let why = Reason::WriterMovesFirst { writer: address.name.clone() };
            let failover = push_act(input, draft, op, why);
            // Who takes over is changed before, while no writes depend on it.
            for no in draft.of(to).to_vec() {
                draft.need(failover, no);
            }
            if let Some(deletion) = draft.deletion_of(address) {
                draft.need(deletion, failover);
            }
        }
    }
}

/// A writer that nobody takes over from is disturbed after its leaving siblings are gone: the service would give the role
/// to one of them, which would have to give it back.
fn outlast_leaving(input: &PlanInput<'_>, leaving: &BTreeSet<Address>, draft: &mut Draft<'_>) {
    let mut deletions: BTreeMap<Address, Vec<StepNo>> = BTreeMap::new();
    for address in leaving {
        let Some(seen) = input.inventory.seen.get(address) else { continue };
        let parent =
            parent_of(address, input.node(address), Some(seen)).filter(|parent| !leaving.contains(parent));
        if let (Some(parent), Some(deletion)) = (parent, draft.deletion_of(address)) {
            deletions.entry(parent).or_default().push(deletion);
        }
    }
    let moves_role = |no: &StepNo| {
        let op = draft.get(*no).map(|entry| &entry.step.op);
        matches!(op, Some(Op::Act { verb: Verb::Failover { .. }, .. }))
    };
    deletions.retain(|parent, _| !draft.of(parent).iter().any(moves_role));
    if deletions.is_empty() {
        return;
    }
    let mut edges: Vec<(StepNo, StepNo)> = Vec::new();
    for (no, entry) in draft.entries() {
        let disturbs = entry.step.op.restarts();
        let is_writer = entry.seen.is_some_and(|seen| seen.facts.role == Some(Role::Writer));
        if disturbs && is_writer {
            let parent = parent_of(entry.step.op.address(), entry.node, entry.seen);
            let before = parent.and_then(|parent| deletions.get(&parent)).into_iter().flatten();
            edges.extend(before.map(|deletion| (no, *deletion)));
        }
    }
    for (dependant, needed) in edges {
        draft.need(dependant, needed);
    }
}

/// The deletions of members that go with their parents, by parent.
fn deletions_by_parent(
    input: &PlanInput<'_>,
    leaving: &BTreeSet<Address>,
    draft: &Draft<'_>,
) -> BTreeMap<Address, Vec<StepNo>> {
    let mut by_parent: BTreeMap<Address, Vec<StepNo>> = BTreeMap::new();
    for address in leaving {
        let Some(seen) = input.inventory.seen.get(address) else { continue };
        let parent =
            parent_of(address, input.node(address), Some(seen)).filter(|parent| leaving.contains(parent));
        if let (Some(parent), Some(deletion)) = (parent, draft.deletion_of(address)) {
            by_parent.entry(parent).or_default().push(deletion);
        }
    }
    by_parent
}

/// Of members that leave with their parent the writer goes last: its end would make another one the writer, and the parent
/// busy, for nothing.
pub(super) fn writers_last(input: &PlanInput<'_>, leaving: &BTreeSet<Address>, draft: &mut Draft<'_>) {
    for members in deletions_by_parent(input, leaving, draft).into_values() {
        let is_writer = |no: &StepNo| {
            let seen = draft.get(*no).and_then(|entry| entry.seen);
            seen.is_some_and(|seen| seen.facts.role == Some(Role::Writer))
        };
        let (writers, readers): (Vec<_>, Vec<_>) = members.into_iter().partition(is_writer);
        for writer in writers {
            for reader in &readers {
                draft.need(writer, *reader);
            }
        }
    }
}

/// An object goes after everything that names it in one of its fields: members before their cluster, clusters before
/// their subnet group. A wanted object that still names it must have been changed before.
fn dependants_first(input: &PlanInput<'_>, leaving: &BTreeSet<Address>, draft: &mut Draft<'_>) {
    let by_name = by_name(leaving);
    let mut edges: Vec<(Address, Address)> = Vec::new();
    for (dependant, seen) in &input.inventory.seen {
        if !input.owns(dependant, seen) || dependant.kind.facts().observe_only {
            continue;
        }
        let needed = named_by(dependant, seen, &by_name).into_iter();
        edges.extend(needed.map(|needed| (dependant.clone(), needed.clone())));
    }
    for (dependant, needed) in &edges {
        let leaves =
            input.inventory.seen.get(dependant).is_some_and(|seen| seen.facts.phase == Phase::Deleting);
        let Some(deletion) = draft.deletion_of(needed) else { continue };
        if leaves && let Some(step) = draft.step_mut(deletion) {
            step.after_deletion_of.insert(dependant.clone());
        }
        for no in draft.of(dependant).to_vec() {
            draft.need(deletion, no);
        }
        // A member that gets another group with the newer version of its parent has no step of its own.
        let parent = parent_of(dependant, input.node(dependant), input.inventory.seen.get(dependant));
        for no in parent.map(|parent| draft.of(&parent).to_vec()).unwrap_or_default() {
            let upgrades =
                |op: &Op| matches!(op, Op::Modify { changes, .. } if changes.iter().any(is_upgrade));
            if draft.get(no).is_some_and(|entry| upgrades(&entry.step.op)) {
                draft.need(deletion, no);
            }
        }
    }
}

/// Addresses by kind and name, which is what fields of other objects have of them.
fn by_name<'a>(all: impl IntoIterator<Item = &'a Address>) -> BTreeMap<(KindId, &'a str), Vec<&'a Address>> {
    let mut by_name: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for address in all {
        by_name.entry((address.kind, address.name.as_str())).or_default().push(address);
    }
    by_name
}

/// Which of them an object names in its fields: in its own region, or in any when they span regions.
fn named_by<'a>(
    address: &Address,
    seen: &Observed,
    by_name: &BTreeMap<(KindId, &'a str), Vec<&'a Address>>,
) -> Vec<&'a Address> {
    let reaches = |needed: &&Address| needed.kind.facts().is_global || needed.region == address.region;
    let mut named: Vec<&'a Address> = Vec::new();
    for (_, kind, name) in seen.attrs.named() {
        let homonyms = by_name.get(&(kind, name.as_str())).into_iter().flatten().copied();
        named.extend(homonyms.filter(reaches));
    }
    named
}
