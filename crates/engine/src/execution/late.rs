//! Calls that may still arrive: whoever died, or waited no longer for an answer, may have left one on its way.
//!
//! **Invariant:** until such a call was seen to arrive, or can no longer, nothing is begun that it would undo, or that would
//! undo it.

use std::collections::{BTreeMap, BTreeSet};

use super::entries;
use super::input::TurnInput;
use super::motion::Wait;
use crate::ledger::{InFlightStep, Late, StepStatus};
use rgctl_model::address::Address;
use rgctl_model::journal::{Entries, entry_digest};
use rgctl_model::kinds::AnyAttrs;
use rgctl_model::observed::Inventory;
use rgctl_model::plan::{Op, Verb};
use rgctl_schema::names::{Name, RegionId, StepId};
use rgctl_schema::phase::Role;
use rgctl_schema::table::{FieldChange, HIDDEN};
use rgctl_schema::time::Moment;

/// The field that a move of the write role sets, in the words of the record.
const WRITER: &str = "writer";

/// What an operation sets, for the record: `field: before -> after` each.
pub(super) fn aims(op: &Op) -> Vec<String> {
    match op {
        Op::Modify { changes, .. } => changes.iter().map(show).collect(),
        Op::Act { verb, .. } => {
            new_writer(verb).map(|to| format!("{WRITER}: another -> {to}")).into_iter().collect()
        }
        Op::Create { .. } | Op::Tag { .. } | Op::Delete { .. } => Vec::new(),
    }
}

fn show(change: &FieldChange) -> String {
    let before = change.before.as_ref().map_or_else(|| "unset".to_owned(), text);
    format!("{}: {before} -> {}", change.field, text(&change.after))
}

fn text(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::String(text) if text == HIDDEN => HIDDEN.to_owned(),
        other => other.to_string(),
    }
}

fn new_writer(verb: &Verb) -> Option<String> {
    match verb {
        Verb::Failover { to } => to.as_ref().map(ToString::to_string),
        Verb::Switchover { to, member } | Verb::FailoverGlobal { to, member } => {
            Some(format!("{to}/{member}"))
        }
        Verb::TestFailover { .. } | Verb::Detach { .. } | Verb::Reboot | Verb::Start | Verb::Stop => None,
    }
}

/// The calls that may still arrive, gathered once for all steps of a turn.
pub(super) struct LateCalls<'a> {
    /// Each with the time until which it may arrive.
    calls: Vec<(&'a StepId, Late, Moment)>,
    /// The places of those on each object.
    on: BTreeMap<Address, Vec<usize>>,
    /// Whether something is being deleted by one of them.
    deletes: bool,
}

impl<'a> LateCalls<'a> {
    pub(super) fn of(input: &TurnInput<'a>) -> Self {
        let calls = input.ledger.late_calls().map(|(step, late)| {
            let until = late.since.at + input.pace.late;
            (step, late, until)
        });
        let calls: Vec<_> = calls.filter(|(.., until)| input.inventory.taken < *until).collect();
        let mut on: BTreeMap<Address, Vec<usize>> = BTreeMap::new();
        for (place, (_, late, _)) in calls.iter().enumerate() {
            on.entry(late.address.clone()).or_default().push(place);
        }
        let deletes = calls.iter().any(|(_, late, _)| late.word == "delete");
        Self { calls, on, deletes }
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.calls.is_empty()
    }

    /// Until when an operation must wait for a call that may still arrive; nothing where none is in its way.
    pub(super) fn in_the_way(&self, input: &TurnInput<'_>, op: &Op) -> Option<Moment> {
        self.around(op)
            .filter(|(_, late, _)| opposes(late, op))
            .filter(|(step, late, _)| late.repeated || !is_seen(input, step, late))
            .map(|(.., until)| *until)
            .max()
    }

    /// Those that may oppose an operation: others than those on its own object only where something goes.
    fn around(&self, op: &Op) -> impl Iterator<Item = &(&'a StepId, Late, Moment)> {
        let concerns_others = match op {
            Op::Delete { .. } => true,
            Op::Create { .. } | Op::Modify { .. } => self.deletes,
            Op::Tag { .. } | Op::Act { .. } => false,
        };
        let all = if concerns_others { self.calls.as_slice() } else { &[] };
        let own = if concerns_others { None } else { self.on.get(op.address()) };
        all.iter().chain(own.into_iter().flatten().map(|place| &self.calls[*place]))
    }
}

/// What waits for calls that may still arrive, for a person.
pub(super) fn waits(input: &TurnInput<'_>, late: &BTreeMap<StepId, Moment>) -> Vec<(String, Wait)> {
    let late = late.iter().map(|(step, until)| {
        let why = "a call without an answer may still arrive: nothing opposite is begun until it is seen, or too late";
        let since = *until - input.pace.late;
        (step.to_string(), Wait { why: why.to_owned(), since, again: Some(*until), calls: 0 })
    });
    late.collect()
}

/// Opposite are: to delete and to make one object, a role to another member, a field to another value, a parameter or tag to be set
/// and to be taken out; and to delete an object and to make, or change, what refers to it.
fn opposes(late: &Late, op: &Op) -> bool {
    if late.address != *op.address() {
        return match op {
            Op::Delete { address, .. } => may_refer_to(late, address),
            Op::Create { .. } | Op::Modify { .. } => {
                late.word == "delete" && names(op).iter().flatten().any(|named| is_same(named, &late.address))
            }
            Op::Tag { .. } | Op::Act { .. } => false,
        };
    }
    match op {
        Op::Create { .. } => late.word == "delete",
        Op::Delete { .. } => late.word == "create",
        Op::Modify { .. } | Op::Act { .. } => {
            let differs = aims(op).iter().any(|ours| {
                let mut theirs = late.changes.iter().filter(|theirs| field_of(theirs) == field_of(ours));
                theirs.any(|theirs| after_of(theirs) != after_of(ours))
            });
            differs || entries::oppose(late, op)
        }
        Op::Tag { .. } => entries::oppose(late, op),
    }
}

/// The objects that the new values of an operation refer to, for the record: those that the fields of its kind name and,
/// of a global object, the member that it is made from.
pub(super) fn names(op: &Op) -> Option<BTreeSet<Address>> {
    let (Op::Create { address, attrs, .. } | Op::Modify { address, attrs, .. }) = op else { return None };
    let in_region = |region: &RegionId, kind, name: String| {
        Some(Address::new(region.clone(), kind, Name::new(name).ok()?))
    };
    let source = address.kind.member_kind().and_then(|kind| {
        let region = attrs.text("source_region").and_then(|code| RegionId::new(code).ok());
        in_region(region.as_ref().unwrap_or(&address.region), kind, attrs.text("source")?)
    });
    let named =
        attrs.named().into_iter().filter_map(|(_, kind, name)| in_region(&address.region, kind, name));
    Some(named.chain(source).collect())
}

/// A global object is the same one whatever region it is named from.
fn is_same(named: &Address, address: &Address) -> bool {
    let is_here = named.region == address.region || address.kind.facts().is_global;
    named.kind == address.kind && named.name == address.name && is_here
}

/// Whether a call that may still arrive refers to an object. A record of old does not say to which: then it may be any of a
/// kind to which such calls refer.
fn may_refer_to(late: &Late, address: &Address) -> bool {
    if let Some(names) = &late.names {
        return names.iter().any(|named| is_same(named, address));
    }
    let kind = late.address.kind;
    let sets = |field: &str| match late.word.as_str() {
        "create" => true,
        "modify" => late.changes.iter().any(|change| field_of(change) == field),
        _ => false,
    };
    let is_near =
        late.address.region == address.region || address.kind.facts().is_global || kind.facts().is_global;
    is_near && kind.binding_fields().any(|(field, named)| named == address.kind && sets(field))
}

pub(super) fn field_of(change: &str) -> &str {
    change.split_once(": ").map_or(change, |(field, _)| field)
}

/// What a change leads to. A text that holds an arrow itself is compared from there on, on both sides alike.
fn after_of(change: &str) -> &str {
    change.rsplit_once(" -> ").map_or(change, |(_, after)| after)
}

/// Whether what a call without an answer was for is so. Where that cannot be told, it is not.
pub(super) fn has_arrived(input: &TurnInput<'_>, begun: &InFlightStep) -> bool {
    let is_so = || is_so(input, &begun.address, &begun.word, &begun.changes);
    begun.status != StepStatus::Unclear
        || is_so() && are_tags_there(input, &begun.address, begun.sets.as_ref())
}

fn is_seen(input: &TurnInput<'_>, step: &StepId, late: &Late) -> bool {
    // Only a look that was made after the call can tell; the step's own judgement waits for one.
    let is_judged = input.ledger.begun.get(step).is_none_or(|begun| begun.status != StepStatus::Unclear)
        || input.inventory.taken >= late.since.at + input.pace.unclear;
    is_judged
        && is_so(input, &late.address, &late.word, &late.changes)
        && are_tags_there(input, &late.address, late.sets.as_ref())
}

/// Whether an object that is there has the tags that a call sets.
fn are_tags_there(input: &TurnInput<'_>, address: &Address, sets: Option<&Entries>) -> bool {
    let (Some(seen), Some(sets)) = (input.inventory.seen.get(address), sets) else { return true };
    let tag = |name: &String| seen.facts.tags.get(name).map(|value| entry_digest(value));
    sets.tags.iter().all(|(name, digest)| tag(name).as_ref() == Some(digest))
}

/// Whether what an operation was for is so, as far as can be seen.
pub(super) fn is_so(input: &TurnInput<'_>, address: &Address, word: &str, changes: &[String]) -> bool {
    let seen = input.inventory.seen.get(address);
    match word {
        "create" => seen.is_some(),
        "delete" => seen.is_none() && input.inventory.is_complete_for(address),
        "modify" => seen.is_some_and(|seen| {
            // What is wanted and no longer planned is there, in whatever words the service tells it.
            let wanted = input.desired.nodes.get(address).map(|node| &node.attrs);
            let told = [Some(&seen.attrs), seen.pending.as_ref(), wanted];
            changes.iter().all(|change| match field_of(change).split_once('.') {
                Some(("tags", name)) => !seen.facts.tags.contains_key(name),
                Some(_) => has(&seen.attrs, change),
                None => told.iter().flatten().any(|attrs| has(attrs, change)),
            })
        }),
        _ => changes
            .iter()
            .all(|change| field_of(change) != WRITER || writes(input.inventory, address, after_of(change))),
    }
}

fn has(attrs: &AnyAttrs, change: &str) -> bool {
    // An entry that was taken out is not there.
    if let Some((map, name)) = field_of(change).split_once('.').filter(|_| after_of(change) == "null") {
        return attrs.get(map).is_some_and(|entries| entries.get(name).is_none());
    }
    let value = attrs.get(field_of(change));
    // A secret is not compared: nobody can see whether it has arrived.
    value.is_some_and(|value| text(&value) == after_of(change))
}

fn writes(inventory: &Inventory, address: &Address, whom: &str) -> bool {
    let members = inventory.seen.get(address).map(|seen| seen.facts.members.as_slice()).unwrap_or_default();
    members
        .iter()
        .filter(|member| member.role == Role::Writer)
        .any(|member| member.name.as_str() == whom || format!("{}/{}", member.region, member.name) == whom)
}
