//! Stores that a timetable of the blueprint pauses: what is asked of one beside what differs.
//!
//! Goes in: what is wanted and seen of an object. Comes out: what wakes it for changes or its end, and what pauses it again.

use serde_json::Value;

use super::input::PlanInput;
use super::rolling::parent_of;
use super::tables;
use rgctl_model::address::Address;
use rgctl_model::kinds::KindId;
use rgctl_model::node::Node;
use rgctl_model::observed::Observed;
use rgctl_model::plan::{Op, Verb};
use rgctl_schema::phase::Phase;
use rgctl_schema::table::FieldChange;

/// The wanted value of the field that pauses an object, if its kind can be paused and anything is wanted of it.
pub(super) fn pause_of(node: &Node) -> Option<Value> {
    tables::of(node.address.kind).pause.and_then(|field| node.attrs.get(field))
}

/// When an object is wanted paused, `Stopped` is as wanted.
pub(super) fn wants_stopped(node: &Node) -> bool {
    pause_of(node) == Some(Value::Bool(true))
}

/// The change that pauses an object which is wanted paused. It follows its creation, too: no call that makes an object says
/// it, and what is made runs.
pub(super) fn pausing(node: &Node) -> Option<FieldChange> {
    let field = tables::of(node.address.kind).pause.filter(|_| wants_stopped(node))?;
    let mut awake = node.attrs.clone();
    awake.set(field, Some(Value::Bool(false))).ok()?;
    tables::diff(&node.attrs, &awake).into_iter().find(|change| change.field == field)
}

/// Whether these changes wake an object for others.
pub(super) fn wakes(kind: KindId, changes: &[FieldChange]) -> bool {
    let pause = tables::of(kind).pause;
    changes.iter().any(|change| change.through && pause == Some(change.field.as_str()))
}

/// What is paused takes no change, also where it is paused as wanted: it is woken for the changes, and paused after them.
pub(super) fn wake_for(node: &Node, seen: &Observed, changes: &mut Vec<FieldChange>) {
    if changes.is_empty() || seen.facts.phase != Phase::Stopped {
        return;
    }
    let Some(pausing) = pausing(node).filter(|pausing| changes.iter().all(|one| one.field != pausing.field))
    else {
        return;
    };
    let waking = FieldChange {
        before: Some(Value::Bool(true)),
        after: Value::Bool(false),
        through: true,
        ..pausing.clone()
    };
    changes.insert(0, waking);
    changes.push(pausing);
}

/// Members sleep and wake with their parent.
pub(super) fn has_stopped_parent(
    input: &PlanInput<'_>,
    address: &Address,
    node: Option<&Node>,
    seen: &Observed,
) -> bool {
    let parent = parent_of(address, node, Some(seen)).and_then(|parent| input.inventory.seen.get(&parent));
    parent.is_some_and(|parent| parent.facts.phase == Phase::Stopped)
}

/// What wakes an object that is to be deleted: what is stopped refuses that, too.
pub(super) fn waking(
    input: &PlanInput<'_>,
    address: &Address,
    node: Option<&Node>,
    seen: &Observed,
) -> Option<Op> {
    let sleeps = seen.facts.phase == Phase::Stopped && !has_stopped_parent(input, address, node, seen);
    sleeps.then(|| Op::Act { address: address.clone(), verb: Verb::Start })
}
