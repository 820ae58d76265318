//! One wanted object against what is seen of it.

use std::collections::{BTreeMap, BTreeSet};

use super::difference::{effective_attrs, remaining_changes};
use super::draft::{Draft, StepNo};
use super::input::PlanInput;
use super::wanted_step::step;
use super::{pauses, restarts, tables, unset};
use rgctl_model::address::Address;
use rgctl_model::claims::OwnershipStatus;
use rgctl_model::kinds::{AnyAttrs, KindId};
use rgctl_model::node::{Node, TAG_KEEP, TAG_KEY, TAG_PREFIX, TAG_RECORD};
use rgctl_model::observed::{Observed, ParameterStatus};
use rgctl_model::plan::{Blocker, Op, Reason, Step, Verb};
use rgctl_model::policy::{ConsentRequest, DestructiveAction};
use rgctl_schema::phase::Phase;
use rgctl_schema::table::{Change, FieldChange};

/// Adds what there is to do and to wait for. Tells whether the object is there, ours, and differs in nothing.
pub(super) fn compare<'a>(
    input: &PlanInput<'a>,
    node: &'a Node,
    seen: Option<&'a Observed>,
    draft: &mut Draft<'a>,
) -> bool {
    let Some(seen) = seen else {
        if input.inventory.hold_on(&node.address).is_some() {
            // Neither missing nor done; it is told with the others of its region.
        } else if input.inventory.is_complete_for(&node.address) {
            make(input, node, None, &Reason::Missing, &BTreeSet::new(), draft);
        } else {
            draft.waiting.push(Blocker::Unseen {
                address: node.address.clone(),
                why: "its region could not be seen in full, so it may exist".to_owned(),
                lasting: input.inventory.gaps_around(&node.address).any(|gap| gap.lasting),
            });
        }
        return false;
    };
    if let OwnershipStatus::Foreign { owner, remedy } =
        input.claims.ownership(&input.desired.blueprint, &node.address, seen)
    {
        draft.waiting.push(Blocker::Foreign { address: node.address.clone(), owner, remedy });
        return false;
    }
    compare_phase(input, node, seen, draft)
}

/// What is waited for of one that is ours and differs in nothing.
pub(super) fn waits_for(address: &Address, seen: &Observed) -> Option<Blocker> {
    if seen.facts.phase.is_ready() { pending(address, seen) } else { Some(transition(address, seen)) }
}

fn compare_phase<'a>(
    input: &PlanInput<'a>,
    node: &'a Node,
    seen: &'a Observed,
    draft: &mut Draft<'a>,
) -> bool {
    let address = &node.address;
    match &seen.facts.phase {
        // A seen object that is absent or on its way out is made anew once it is gone.
        Phase::Absent => {
            make(input, node, Some(seen), &Reason::Missing, &BTreeSet::new(), draft);
        }
        Phase::Deleting => {
            make(input, node, Some(seen), &Reason::Missing, &BTreeSet::new(), draft);
            draft.waiting.push(transition(address, seen));
        }
        Phase::Creating | Phase::Busy { .. } => {
            draft.waiting.push(transition(address, seen));
            return change(input, node, seen, draft);
        }
        Phase::Ready => {
            draft.waiting.extend(pending(address, seen));
            return change(input, node, seen, draft);
        }
        Phase::Stopped => {
            // What is stopped takes no change: it is woken first. Members wake with their parent, and a kind that can be
            // paused by a change of that field; where it is wanted paused, for what differs and no longer.
            let wakes_by_itself = pauses::pause_of(node).is_some()
                || pauses::has_stopped_parent(input, address, Some(node), seen);
            if !wakes_by_itself {
                let op = Op::Act { address: address.clone(), verb: Verb::Start };
                draft.push(
                    step(input, node, Some(seen), op, Reason::Differs, BTreeSet::new()),
                    Some(node),
                    Some(seen),
                );
            }
            change(input, node, seen, draft);
        }
        Phase::Failed(_) | Phase::Unknown(_) => draft.waiting.push(broken(address, seen)),
    }
    false
}

fn transition(address: &Address, seen: &Observed) -> Blocker {
    Blocker::Transition {
        address: address.clone(),
        phase: seen.facts.phase.clone(),
        native: seen.facts.native.clone(),
    }
}

fn pending(address: &Address, seen: &Observed) -> Option<Blocker> {
    let mut fields = seen.pending.as_ref().map(AnyAttrs::set_names).unwrap_or_default();
    if seen.facts.parameters == ParameterStatus::Applying {
        fields.push("parameters");
    }
    let fields: Vec<String> = fields.into_iter().map(str::to_owned).collect();
    (!fields.is_empty()).then(|| Blocker::Pending { address: address.clone(), fields })
}

/// What is left where no table knows better.
const REPAIR_BY_HAND: &str = "repair it by hand, or delete it so that the next apply makes it anew";

fn broken(address: &Address, seen: &Observed) -> Blocker {
    let known = |word: &str| tables::of(address.kind).remedies.iter().find(|remedy| remedy.0 == word);
    let remedy = match &seen.facts.phase {
        Phase::Failed(word) => known(word).map_or(REPAIR_BY_HAND, |remedy| remedy.1),
        _ => "this version does not know that status; nothing is done to the object until it is ready again",
    };
    Blocker::Broken { address: address.clone(), phase: seen.facts.phase.clone(), remedy: remedy.to_owned() }
}

pub(super) fn create(input: &PlanInput<'_>, node: &Node, seen: Option<&Observed>, why: Reason) -> Step {
    let op = Op::Create {
        address: node.address.clone(),
        attrs: node.attrs.clone(),
        tags: node.all_tags(&input.desired.blueprint),
    };
    step(input, node, seen, op, why, BTreeSet::new())
}

/// What is changed of an object as soon as it is made, since no call that makes it says so.
pub(super) fn follows_birth(node: &Node) -> Vec<FieldChange> {
    let mut bare = node.attrs.clone();
    let is_none = |value: &serde_json::Value| value.as_array().is_some_and(Vec::is_empty);
    for field in tables::of(node.address.kind).after_birth {
        if node.attrs.get(field).is_some_and(|value| !is_none(&value)) {
            // A field of the kind's own takes no value at all.
            let _ = bare.set(field, None);
        }
    }
    let mut changes = tables::diff(&node.attrs, &bare);
    changes.extend(pauses::pausing(node));
    changes
}

/// Adds the step that makes an object, and the one that pauses it where a timetable says so.
fn make<'a>(
    input: &PlanInput<'a>,
    node: &'a Node,
    seen: Option<&'a Observed>,
    why: &Reason,
    requires: &BTreeSet<ConsentRequest>,
    draft: &mut Draft<'a>,
) {
    let made = Step { requires: requires.clone(), ..create(input, node, seen, why.clone()) };
    draft.push(made, Some(node), seen);
    for change in follows_birth(node) {
        let changes = vec![change];
        let mut attrs = AnyAttrs::empty(node.address.kind);
        for change in &changes {
            attrs.copy_field(&change.field, &node.attrs);
        }
        let op = Op::Modify { address: node.address.clone(), changes, attrs };
        draft.push(step(input, node, seen, op, why.clone(), requires.clone()), Some(node), seen);
    }
}

/// When a change that needs a call of its own has its turn among the changes of one object.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum CallOrder {
    /// What is paused is woken before anything else is asked of it.
    Wakes,
    /// What shrinks and is not gone: it makes room for what grows, and fewer fit into a smaller mode.
    Shrinks,
    /// Modes, versions, classes: what grows may depend on them.
    Mode,
    /// What grows or is switched off: a switch that needs more of it, such as failover a replica, is set afterwards.
    Grows,
    /// All changes that go in one call.
    Together,
    /// What goes to nothing: whatever needed it has been switched off by then.
    Vanishes,
    /// What is switched on, and what grows into the room that something leaves which goes to nothing.
    Last,
}

fn turn_of(kind: KindId, change: &FieldChange, makes_room: bool) -> CallOrder {
    if tables::of(kind).pause == Some(change.field.as_str()) {
        return if change.after == serde_json::Value::Bool(true) {
            CallOrder::Last
        } else {
            CallOrder::Wakes
        };
    }
    let before = change.before.as_ref().and_then(serde_json::Value::as_u64);
    match &change.after {
        serde_json::Value::Number(after) if after.as_u64() > before && makes_room => CallOrder::Last,
        serde_json::Value::Number(after) if after.as_u64() > before => CallOrder::Grows,
        serde_json::Value::Number(after) if after.as_u64() == Some(0) => CallOrder::Vanishes,
        serde_json::Value::Number(_) => CallOrder::Shrinks,
        // The end of a way by a value that is neither.
        serde_json::Value::Bool(_) if change.before.as_ref().is_some_and(serde_json::Value::is_string) => {
            CallOrder::Mode
        }
        serde_json::Value::Bool(false) => CallOrder::Grows,
        serde_json::Value::Bool(true) => CallOrder::Last,
        // What was bound to a mode goes before it.
        serde_json::Value::String(none) if none.is_empty() => CallOrder::Shrinks,
        _ => CallOrder::Mode,
    }
}

/// Values on the way that one change may take; no table knows more than one.
const STAGES_MAX: usize = 4;

/// Everything that is to be asked for, also what can be asked for only after a step on the way: what is agreed to is the
/// whole way, and not its beginning.
fn staged_changes(wanted: &AnyAttrs, seen: &Observed) -> Vec<FieldChange> {
    let mut changes = remaining_changes(wanted, seen);
    let is_through = |change: &&FieldChange| change.through;
    let mut stage: Vec<FieldChange> = changes.iter().filter(is_through).cloned().collect();
    if stage.is_empty() {
        return changes;
    }
    let mut reached = effective_attrs(seen);
    for _ in 0..STAGES_MAX {
        if stage.is_empty() {
            break;
        }
        for change in &stage {
            // A value of the table's own is of the field's type.
            let _ = reached.set(&change.field, Some(change.after.clone()));
        }
        let follows = |change: &FieldChange| stage.iter().any(|before| before.field == change.field);
        let next: Vec<FieldChange> = tables::diff(wanted, &reached).into_iter().filter(follows).collect();
        for change in &next {
            // Behind its own step before, so that nothing that rests on the end stands between.
            let place = changes.iter().rposition(|other| other.field == change.field);
            changes.insert(place.map_or(changes.len(), |place| place + 1), change.clone());
        }
        stage = next.into_iter().filter(|change| change.through).collect();
    }
    changes
}

/// Adds the steps that change a seen object into the wanted one; tells whether it differs in nothing.
fn change<'a>(input: &PlanInput<'a>, node: &'a Node, seen: &'a Observed, draft: &mut Draft<'a>) -> bool {
    let mut changes = staged_changes(&node.attrs, seen);
    let is_equal = changes.is_empty();
    if changes.iter().any(|change| change.common) {
        super::primary::leave_to_primary(input, &node.address, seen, &mut changes);
    }
    super::primary::change_as_member(input, &node.address, seen, &mut changes);
    pauses::wake_for(node, seen, &mut changes);
    super::primary::leave_to_parent(input, node, seen, &mut changes);
    if changes.iter().any(|change| change.change == Change::Replace) {
        replace(input, node, seen, &changes, draft);
        return false;
    }
    let (mut alone, together): (Vec<_>, Vec<_>) = changes.into_iter().partition(|change| change.alone);
    let kind = node.address.kind;
    // Shards and replicas share a limit of nodes: those that go make room for those that come.
    let makes_room = alone.iter().any(|change| turn_of(kind, change, false) == CallOrder::Vanishes);
    alone.sort_by_key(|change| turn_of(kind, change, makes_room));
    // Those that only go together have the turn of the first of them.
    let is_early = |call: &Vec<FieldChange>| {
        call.first().is_some_and(|first| turn_of(kind, first, makes_room) < CallOrder::Together)
    };
    let (early, late): (Vec<_>, Vec<_>) = calls(alone).into_iter().partition(is_early);
    // What takes something away goes in a call of its own: what a freeze stops holds nothing else up.
    let (lowers, others): (Vec<_>, Vec<_>) = together.into_iter().partition(|change| change.lowers);
    let together = [others, lowers].into_iter().filter(|changes| !changes.is_empty());
    let mut all: BTreeSet<ConsentRequest> = BTreeSet::new();
    let mut waking: Option<StepNo> = None;
    for changes in early.into_iter().chain(together).chain(late) {
        let attrs = asked(input, (node, seen), &changes);
        let was_held = changes.iter().any(|change| takes_what_was_held(input, &node.address, change));
        let why = if was_held { Reason::Released } else { Reason::Differs };
        let held = was_held.then(|| input.act(DestructiveAction::Shrink, &node.address));
        let requires: BTreeSet<ConsentRequest> =
            shrink(input, node, seen, &changes).into_iter().chain(held).collect();
        all.extend(requires.iter().cloned());
        let wakes = pauses::wakes(kind, &changes);
        let op = Op::Modify { address: node.address.clone(), changes, attrs };
        let no = draft.push(step(input, node, Some(seen), op, why, requires), Some(node), Some(seen));
        waking = waking.or(wakes.then_some(no));
    }
    // Nothing is woken for what nobody has allowed.
    if let Some(step) = waking.and_then(|no| draft.step_mut(no)) {
        step.requires = all;
    }
    let other_key = other_key(node, seen);
    let born = born_otherwise(node, seen);
    let retag = retag(input, node, seen);
    let is_equal = is_equal && other_key.is_none() && born.is_empty() && retag.is_none();
    draft.waiting.extend(other_key.into_iter().chain(born));
    if let Some((op, why)) = retag {
        draft.push(step(input, node, Some(seen), op, why, BTreeSet::new()), Some(node), Some(seen));
    }
    let is_set = unset::take_out(input, node, seen, draft);
    let waits = restarts::note(input, node, seen, draft);
    is_equal && !is_set && !waits
}

/// Changes that go alone, one for each call, except those that only go together.
fn calls(changes: Vec<FieldChange>) -> Vec<Vec<FieldChange>> {
    let mut calls: Vec<Vec<FieldChange>> = Vec::new();
    for change in changes {
        let joins = |other: &FieldChange| {
            change.with.as_ref() == Some(&other.field) || other.with.as_ref() == Some(&change.field)
        };
        match calls.iter_mut().find(|call| call.iter().any(joins)) {
            Some(call) => call.push(change),
            None => calls.push(vec![change]),
        }
    }
    calls
}

/// What a call asks for: the wanted values, or those on the way to them.
fn asked(input: &PlanInput<'_>, (node, seen): (&Node, &Observed), changes: &[FieldChange]) -> AnyAttrs {
    let mut attrs = AnyAttrs::empty(node.address.kind);
    for change in changes {
        if change.through {
            // A value of the table's own is of the field's type.
            let _ = attrs.set(&change.field, Some(change.after.clone()));
        } else {
            attrs.copy_field(&change.field, &node.attrs);
        }
        // Also where it does not differ by its own rule: the service wants to be told.
        if let Some(with) = &change.with
            && !super::primary::is_of_the_service(input.inventory, &node.address, seen, with)
        {
            attrs.copy_field(with, &node.attrs);
        }
    }
    attrs
}

/// An alias in place of the key that the object was made with. A key that is named by its id or ARN is compared with what
/// the service tells instead.
fn other_key(node: &Node, seen: &Observed) -> Option<Blocker> {
    let after = node.kms_key().filter(|key| key.contains("alias/"))?;
    let before = seen.facts.tags.get(TAG_KEY).filter(|before| **before != after)?.clone();
    Some(Blocker::OtherKey { address: node.address.clone(), before, after })
}

/// What the object was made as, and is wished otherwise since.
fn born_otherwise(node: &Node, seen: &Observed) -> Vec<Blocker> {
    let address = &node.address;
    let differing = tables::born_otherwise(&node.attrs, &seen.attrs).into_iter();
    let blocker = |(field, before, after): (&str, _, _)| Blocker::BornOtherwise {
        address: address.clone(),
        field: field.to_owned(),
        before,
        after,
    };
    differing.map(blocker).collect()
}

/// Tags of the user that differ, and tags of ownership that are lost or say otherwise. Tags that are only seen are left
/// alone, unless we set them (`unset.rs`): somebody else may need them.
fn retag(input: &PlanInput<'_>, node: &Node, seen: &Observed) -> Option<(Op, Reason)> {
    let users = node.tags.iter().filter(|(key, _)| !key.starts_with(TAG_PREFIX));
    let wanted =
        users.map(|(key, value)| (key.as_str(), value.as_str())).chain([(TAG_KEEP, node.keep_tag())]);
    // The tag tells which key the object was made with; it follows only where that is what the service tells, too.
    let key = node.kms_key().filter(|_| other_key(node, seen).is_none());
    let wanted = wanted.chain(key.as_deref().map(|key| (TAG_KEY, key)));
    let mut differing: BTreeMap<String, String> = wanted
        .filter(|(key, value)| seen.facts.tags.get(*key).map(String::as_str) != Some(*value))
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect();
    let lost = input.claims.lost_tags(&input.desired.blueprint, node, seen);
    let is_unmarked = lost.keys().eq([TAG_RECORD]) && !input.claims.is_marked(&node.address);
    let why = match lost.is_empty() {
        true => Reason::Differs,
        false if is_unmarked => Reason::Unmarked,
        false => Reason::LostTags { tags: lost.keys().cloned().collect() },
    };
    differing.extend(lost);
    (!differing.is_empty()).then(|| (Op::Tag { address: node.address.clone(), tags: differing }, why))
}

/// Shrinking needs consent when what is stored would not fit any more, or when nobody knows how much is stored.
fn shrink(
    input: &PlanInput<'_>,
    node: &Node,
    seen: &Observed,
    changes: &[FieldChange],
) -> Option<ConsentRequest> {
    if !node.address.kind.facts().holds_data {
        return None;
    }
    let mut after = effective_attrs(seen);
    let before_gib = input.figures.capacity_gib(&after);
    for change in changes {
        after.copy_field(&change.field, &node.attrs);
    }
    let after_gib = input.figures.capacity_gib(&after);
    let shrinks = match (before_gib, after_gib) {
        (Some(before), Some(after)) => after < before,
        _ => changes.iter().any(|change| change.shrinks),
    };
    let fits = match (seen.facts.used_gib, after_gib) {
        (Some(used), Some(capacity)) => used <= capacity,
        _ => false,
    };
    (shrinks && !fits).then(|| input.act(DestructiveAction::Shrink, &node.address))
}

/// Whether a change takes away what a decision held. A number that grows takes nothing away.
fn takes_what_was_held(input: &PlanInput<'_>, address: &Address, change: &FieldChange) -> bool {
    let number = |value: Option<&serde_json::Value>| value.and_then(serde_json::Value::as_u64);
    let grows = match (number(change.before.as_ref()), number(Some(&change.after))) {
        (Some(before), Some(after)) => after >= before,
        _ => change.after == serde_json::Value::Bool(true),
    };
    input.desired.lowered.holds_field(address, &change.field) && !grows
}

/// Delete and create. Members and dependants of a replaced object are replaced with it, by `link_needs`.
fn replace<'a>(
    input: &PlanInput<'a>,
    node: &'a Node,
    seen: &'a Observed,
    changes: &[FieldChange],
    draft: &mut Draft<'a>,
) {
    let fields: Vec<String> = changes
        .iter()
        .filter(|change| change.change == Change::Replace)
        .map(|change| change.field.clone())
        .collect();
    push_replacement(input, node, seen, &Reason::MustReplace { fields }, draft);
}

pub(super) fn push_replacement<'a>(
    input: &PlanInput<'a>,
    node: &'a Node,
    seen: &'a Observed,
    why: &Reason,
    draft: &mut Draft<'a>,
) {
    let facts = node.address.kind.facts();
    let requires: BTreeSet<ConsentRequest> =
        facts.holds_data.then(|| input.act(DestructiveAction::Replace, &node.address)).into_iter().collect();
    let (wanted, found) = (Some(node), Some(seen));
    if let Some(op) = pauses::waking(input, &node.address, wanted, seen) {
        draft.push(step(input, node, found, op, why.clone(), requires.clone()), wanted, found);
    }
    if effective_attrs(seen).is_protected() {
        let unprotect = super::removal::unprotect(input, &node.address, seen);
        draft.push(Step { requires: requires.clone(), ..unprotect }, wanted, found);
    }
    let op = Op::Delete {
        address: node.address.clone(),
        final_snapshot: super::removal::final_snapshot(input, &node.address),
    };
    draft.push(step(input, node, found, op, why.clone(), requires.clone()), wanted, found);
    make(input, node, found, why, &requires, draft);
}
