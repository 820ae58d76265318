//! What is ours and no longer wanted. Deletion is defined once: consent → protection off → dependants gone → final
//! snapshot → absent.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::draft::Draft;
use super::rolling::{parent_of, push_act, successor};
use super::{Ask, cost, effect};
use crate::artefacts::address::Address;
use crate::artefacts::node::{KEEP_DISCARD, KEEP_RETAIN, TAG_KEEP, Usage};
use crate::artefacts::plan::{Op, Reason, Step, Verb, Waiting};
use crate::artefacts::policy::Grave;
use crate::artefacts::seen::Seen;
use crate::kinds::{AnyAttrs, KindId};
use crate::vocabulary::names::{Name, StepId};
use crate::vocabulary::phase::{Phase, Role};
use crate::vocabulary::table::FieldChange;

/// Name of the snapshot that a deletion leaves behind; none where nothing is held, or by request.
pub(super) fn final_snapshot(ask: &Ask<'_>, at: &Address) -> Option<Name> {
    at.kind.facts().final_snapshot?;
    // The tag counts, not the blueprint: a store that left the blueprint has only its tag.
    let seen = ask.inventory.seen.get(at);
    let is_discarded =
        seen.is_some_and(|seen| seen.facts.tags.get(TAG_KEEP).is_some_and(|keep| keep == KEEP_DISCARD));
    if ask.policy.skip_final_snapshot || is_discarded {
        return None;
    }
    let suffix = format!("-final-{}", ask.snapshot_suffix);
    let room = Name::MAX.saturating_sub(suffix.len());
    let stem: String = at.name.as_str().chars().take(room).collect();
    Name::new(format!("{}{suffix}", stem.trim_end_matches('-'))).ok()
}

/// Switches the service's own protection off, so that the deletion that follows is accepted.
pub(super) fn unprotect(ask: &Ask<'_>, at: &Address) -> Step {
    let field = at.kind.facts().protection.unwrap_or("deletion_protection");
    let mut attrs = AnyAttrs::empty(at.kind);
    // The field is a truth value in every table that names it as its protection; a law checks that.
    let _ = attrs.set(field, Some(Value::Bool(false)));
    let change = FieldChange {
        field: field.to_owned(),
        before: Some(Value::Bool(true)),
        after: Value::Bool(false),
        change: crate::vocabulary::table::Change::InPlace,
        alone: false,
        with: None,
        through: false,
        shrinks: false,
    };
    let op = Op::Modify { at: at.clone(), changes: vec![change], attrs };
    bare_step(ask, op, Reason::Unprotect)
}

fn bare_step(ask: &Ask<'_>, op: Op, why: Reason) -> Step {
    let seen = ask.inventory.seen.get(op.at());
    Step {
        id: op.step_id(),
        store: ask.store_of(op.at()),
        needs: BTreeSet::new(),
        gone: BTreeSet::new(),
        why,
        lacks: None,
        effect: effect::of(&op, seen),
        cost: cost::change(ask, &op, seen, &Usage::default()),
        op,
    }
}

/// Adds what it takes to remove objects that are seen and not wanted, as far as they are ours.
pub(super) fn remove_unwanted(ask: &Ask<'_>, unwanted: &[(&Address, &Seen)], draft: &mut Draft) {
    let ours = |(at, seen): &&(&Address, &Seen)| ask.owns(seen) && !at.kind.facts().observe_only;
    let unwanted: Vec<(&Address, &Seen)> = unwanted.iter().filter(ours).copied().collect();
    if unwanted.is_empty() {
        return;
    }
    let retained = retained(&unwanted);
    let mut leaving: BTreeSet<Address> = BTreeSet::new();
    for (at, seen) in unwanted {
        if retained.contains(at) {
            draft.waiting.push(Waiting::Retained { at: at.clone() });
        } else if remove(ask, at, seen, draft) {
            leaving.insert(at.clone());
        }
    }
    leave_globals(ask, &leaving, draft);
    move_writers(ask, &leaving, draft);
    dependants_first(ask, &leaving, draft);
}

/// What is to be kept, and whatever that names in its fields: its groups cannot go while it uses them.
fn retained<'a>(unwanted: &[(&'a Address, &'a Seen)]) -> BTreeSet<&'a Address> {
    let is_kept = |seen: &Seen| seen.facts.tags.get(TAG_KEEP).is_some_and(|keep| keep == KEEP_RETAIN);
    let mut queue: Vec<(&Address, &Seen)> =
        unwanted.iter().filter(|(_, seen)| is_kept(seen)).copied().collect();
    let mut retained: BTreeSet<&Address> = queue.iter().map(|(at, _)| *at).collect();
    let by_name = by_name(unwanted.iter().map(|(at, _)| *at));
    let seen_at: BTreeMap<&Address, &Seen> = unwanted.iter().copied().collect();
    while let Some((at, seen)) = queue.pop() {
        for other in named_by(at, seen, &by_name) {
            if retained.insert(other) {
                queue.extend(seen_at.get(other).map(|seen| (other, *seen)));
            }
        }
    }
    retained
}

/// Adds the steps that remove one object; tells whether it is on its way out.
fn remove(ask: &Ask<'_>, at: &Address, seen: &Seen, draft: &mut Draft) -> bool {
    match &seen.facts.phase {
        Phase::Absent => return false,
        Phase::Deleting => {
            draft.waiting.push(Waiting::Transition {
                at: at.clone(),
                phase: seen.facts.phase.clone(),
                native: seen.facts.native.clone(),
            });
            return false;
        }
        Phase::Creating | Phase::Busy { .. } => draft.waiting.push(Waiting::Transition {
            at: at.clone(),
            phase: seen.facts.phase.clone(),
            native: seen.facts.native.clone(),
        }),
        Phase::Ready | Phase::Stopped | Phase::Failed(_) | Phase::Unknown(_) => {}
    }
    if !ask.inventory.gaps.is_empty() {
        draft.waiting.push(Waiting::Unseen {
            at: at.clone(),
            why: "nothing is deleted while a part of the world cannot be seen".to_owned(),
            lasting: ask.inventory.gaps.iter().any(|gap| gap.lasting),
        });
        return false;
    }
    let why = if ask.destroy { Reason::Destroy } else { Reason::Unwanted };
    let lacks = if at.kind.facts().holds_data { ask.lacking(Grave::Delete, at) } else { None };
    if super::compare::effective_attrs(seen).is_protected() {
        draft.push(Step { lacks: lacks.clone(), ..unprotect(ask, at) });
    }
    let op = Op::Delete { at: at.clone(), final_snapshot: final_snapshot(ask, at) };
    draft.push(Step { lacks, ..bare_step(ask, op, why) });
    true
}

pub(super) fn delete_id(at: &Address) -> StepId {
    StepId(format!("delete {at}").into())
}

/// Members leave a global object before they, or it, can be deleted; the secondaries first. They leave for good, or until
/// they have been made anew.
pub(super) fn leave_globals(ask: &Ask<'_>, leaving: &BTreeSet<Address>, draft: &mut Draft) {
    for (global, seen) in &ask.inventory.seen {
        let facts = global.kind.facts();
        if !facts.is_global || !ask.owns(seen) {
            continue;
        }
        // Unwanted, or made anew with its primary.
        let global_leaves = leaving.contains(global) || draft.steps.contains_key(&delete_id(global));
        let mut secondaries: Vec<StepId> = Vec::new();
        let mut members: Vec<_> = seen.facts.members.iter().collect();
        // Readers (secondaries) sort after the writer by role, so the order is turned round.
        members.sort_by_key(|member| std::cmp::Reverse(member.role));
        for member in members {
            let cluster = global.kind.member_kind().and_then(|kind| {
                leaving.get(&Address::new(member.region.clone(), kind, member.name.clone()))
            });
            let is_primary = member.role == Role::Writer;
            let must_leave = if is_primary {
                facts.primary_leaves && global_leaves
            } else {
                global_leaves || cluster.is_some()
            };
            if !must_leave {
                continue;
            }
            let verb = Verb::Detach { region: member.region.clone(), member: member.name.clone() };
            let gone = draft.steps.get(&delete_id(cluster.unwrap_or(global)));
            let why = gone.map_or(Reason::Unwanted, |delete| delete.why.clone());
            let mut step = bare_step(ask, Op::Act { at: global.clone(), verb }, why);
            step.lacks = cluster.and(gone).and_then(|delete| delete.lacks.clone());
            let id = step.id.clone();
            draft.steps.entry(id.clone()).or_insert(step);
            if is_primary {
                for secondary in &secondaries {
                    draft.need(&id, secondary);
                }
            } else {
                secondaries.push(id.clone());
            }
            if global_leaves {
                draft.need(&delete_id(global), &id);
            }
            if let Some(cluster) = cluster {
                draft.need(&delete_id(cluster), &id);
            }
        }
        if global_leaves {
            inherit_consent(global, draft);
        }
    }
}

/// A global object goes only if its members may: it holds no data, but its end ends their replication.
fn inherit_consent(global: &Address, draft: &mut Draft) {
    let id = delete_id(global);
    let Some(step) = draft.steps.get(&id) else { return };
    let lacking =
        step.needs.iter().filter_map(|need| draft.steps.get(need)).find_map(|need| need.lacks.clone());
    for id in draft.ids_of(global).to_vec() {
        if let Some(step) = draft.steps.get_mut(&id)
            && step.lacks.is_none()
        {
            step.lacks.clone_from(&lacking);
        }
    }
}

/// A member that leaves while its parent stays gives the write role away first.
fn move_writers(ask: &Ask<'_>, leaving: &BTreeSet<Address>, draft: &mut Draft) {
    for at in leaving {
        let is_writer = ask.inventory.seen.get(at).and_then(|seen| seen.facts.role) == Some(Role::Writer);
        let Some(parent) = parent_of(ask, at).filter(|parent| is_writer && !leaving.contains(parent)) else {
            continue;
        };
        if let Some(to) = successor(ask, &parent, at, &[]) {
            let op = Op::Act { at: parent, verb: Verb::Failover { to: Some(to.name) } };
            let why = Reason::WriterMovesFirst { writer: at.name.clone() };
            let id = push_act(ask, draft, op, why);
            draft.need(&delete_id(at), &id);
        }
    }
}

/// An object goes after everything that names it in one of its fields: members before their cluster, clusters before
/// their subnet group. A wanted object that still names it must have been changed before.
fn dependants_first(ask: &Ask<'_>, leaving: &BTreeSet<Address>, draft: &mut Draft) {
    let by_name = by_name(leaving);
    let mut edges: Vec<(Address, Address)> = Vec::new();
    for (dependant, seen) in &ask.inventory.seen {
        if !ask.owns(seen) || dependant.kind.facts().observe_only {
            continue;
        }
        let needed = named_by(dependant, seen, &by_name).into_iter();
        edges.extend(needed.map(|needed| (dependant.clone(), needed.clone())));
    }
    for (dependant, needed) in &edges {
        let leaves =
            ask.inventory.seen.get(dependant).is_some_and(|seen| seen.facts.phase == Phase::Deleting);
        if leaves && let Some(step) = draft.steps.get_mut(&delete_id(needed)) {
            step.gone.insert(dependant.clone());
        }
        for id in draft.ids_of(dependant).to_vec() {
            draft.need(&delete_id(needed), &id);
        }
    }
}

/// Addresses by kind and name, which is what fields of other objects have of them.
fn by_name<'a>(all: impl IntoIterator<Item = &'a Address>) -> BTreeMap<(KindId, &'a str), Vec<&'a Address>> {
    let mut by_name: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for at in all {
        by_name.entry((at.kind, at.name.as_str())).or_default().push(at);
    }
    by_name
}

/// Which of them an object names in its fields: in its own region, or in any when they span regions.
fn named_by<'a>(
    at: &Address,
    seen: &Seen,
    by_name: &BTreeMap<(KindId, &'a str), Vec<&'a Address>>,
) -> Vec<&'a Address> {
    let reaches = |needed: &&Address| needed.kind.facts().is_global || needed.region == at.region;
    let mut named: Vec<&'a Address> = Vec::new();
    for (_, kind, name) in seen.attrs.named() {
        let homonyms = by_name.get(&(kind, name.as_str())).into_iter().flatten().copied();
        named.extend(homonyms.filter(reaches));
    }
    named
}
