//! What a step is expected to do to those who use the store, from the planner's tables of the kinds.

use super::tables;
use rgctl_model::kinds::AnyAttrs;
use rgctl_model::kinds::facts::DurationEstimate;
use rgctl_model::observed::Observed;
use rgctl_model::plan::{Effect, Op, Verb};
use rgctl_schema::phase::{Phase, Role};
use rgctl_schema::table::{Change, FieldChange};
use rgctl_schema::time::Span;

/// Effect of an operation on an object as it is seen now.
pub(super) fn of(op: &Op, seen: Option<&Observed>) -> Effect {
    let slow = slow_resize(op, seen);
    let lasts = slow.unwrap_or_else(|| lasts(op));
    Effect {
        duration: lasts.median(),
        duration_p95: lasts.p95(),
        write_outage: slow.map_or_else(|| write_outage(op, seen), DurationEstimate::median),
        failovers: failovers(op),
        reversible: is_reversible(op, seen),
    }
}

/// A change of size that takes longer than usual, and takes no writes for all that time.
fn slow_resize(op: &Op, seen: Option<&Observed>) -> Option<DurationEstimate> {
    let Op::Modify { attrs, changes, .. } = op else { return None };
    let slow = tables::of(op.address().kind).slow_resize?;
    let before = &seen?.attrs;
    let mut after = before.clone();
    for change in changes {
        after.copy_field(&change.field, attrs);
    }
    (slow.lasts)(before, &after)
}

/// Tags are no part of an object's work.
const TAGS: DurationEstimate = DurationEstimate::new(1, 2);

fn is_of_tags(changes: &[FieldChange]) -> bool {
    let mut out = changes.iter().map(FieldChange::taken_out);
    !changes.is_empty() && out.all(|out| matches!(out, Some(("tags", _))))
}

fn lasts(op: &Op) -> DurationEstimate {
    let timing = &tables::of(op.address().kind).timing;
    match op {
        // A member that joins a global object copies its data first.
        Op::Create { attrs, .. } if attrs.joins().is_some() => timing.create.plus(timing.online),
        Op::Create { .. } => timing.create,
        Op::Delete { .. } => timing.delete,
        Op::Tag { .. } => TAGS,
        Op::Modify { changes, .. } if is_of_tags(changes) => TAGS,
        Op::Modify { .. } => timing.of(op.change()),
        Op::Act { verb, .. } => match verb {
            Verb::Failover { .. } | Verb::TestFailover { .. } => timing.failover_outage,
            Verb::Switchover { .. } | Verb::FailoverGlobal { .. } | Verb::Reboot => timing.restart_outage,
            Verb::Detach { .. } | Verb::Start | Verb::Stop => timing.restart,
        },
    }
}

/// How long all but one in twenty transitions last in which an object with such attributes is in such a phase. What
/// changes is not told by the phase: the longest of what it may be.
pub fn transition_p95(attrs: &AnyAttrs, phase: &Phase) -> Span {
    let tables::KindRow { timing, slow_resize, .. } = tables::of(attrs.kind());
    let changes = [timing.in_place, timing.online, timing.restart, timing.failover, timing.resize];
    let slowest = slow_resize.map(|slow| slow.slowest);
    let change = || changes.into_iter().chain(slowest).map(DurationEstimate::p95).fold(Span::ZERO, Span::max);
    match phase {
        // A member that joins a global object copies its data first.
        Phase::Creating => timing.create.plus(timing.online).p95(),
        // A final snapshot is taken first.
        Phase::Deleting => timing.delete.plus(timing.online).p95(),
        Phase::Busy { .. }
        | Phase::Ready
        | Phase::Stopped
        | Phase::Absent
        | Phase::Failed(_)
        | Phase::Unknown(_) => change(),
    }
}

fn write_outage(op: &Op, seen: Option<&Observed>) -> Span {
    let (facts, timing) = (op.address().kind.facts(), &tables::of(op.address().kind).timing);
    let role = seen.and_then(|seen| seen.facts.role);
    let takes_writes = match facts.parent {
        // A member other than the writer takes no writes away.
        Some(_) => role == Some(Role::Writer),
        None => facts.holds_data,
    };
    match op {
        Op::Modify { .. } if takes_writes => timing.write_outage(op.change()).median(),
        Op::Act { .. } if failovers(op) > 0 => timing.failover_outage.median(),
        Op::Act { verb: Verb::Reboot | Verb::Stop, .. } if takes_writes => timing.restart_outage.median(),
        Op::Delete { .. } if takes_writes && facts.parent.is_some() => timing.failover_outage.median(),
        Op::Modify { .. } | Op::Act { .. } | Op::Delete { .. } | Op::Create { .. } | Op::Tag { .. } => {
            Span::ZERO
        }
    }
}

fn failovers(op: &Op) -> u32 {
    match op {
        Op::Act { verb, .. } => u32::from(matches!(
            verb,
            Verb::Failover { .. }
                | Verb::TestFailover { .. }
                | Verb::Switchover { .. }
                | Verb::FailoverGlobal { .. }
        )),
        Op::Modify { .. } => u32::from(op.change() == Change::Failover),
        Op::Create { .. } | Op::Tag { .. } | Op::Delete { .. } => 0,
    }
}

fn is_reversible(op: &Op, seen: Option<&Observed>) -> bool {
    match op {
        Op::Create { .. } | Op::Tag { .. } => true,
        Op::Delete { address, .. } => !address.kind.facts().holds_data,
        Op::Modify { attrs, changes, .. } => {
            // What follows the creation of an object ends with the object.
            let leads_back = seen.is_none_or(|seen| {
                let mut after = seen.attrs.clone();
                for change in changes {
                    after.copy_field(&change.field, attrs);
                }
                tables::leads_back(&seen.attrs, &after)
            });
            leads_back && changes.iter().all(|change| change.before.is_some())
        }
        Op::Act { verb, .. } => !matches!(verb, Verb::Detach { .. } | Verb::FailoverGlobal { .. }),
    }
}
