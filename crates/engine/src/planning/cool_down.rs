//! Values that a service takes once in a while only: what asks for one too early says until when it waits.
//!
//! Goes in: a plan in the making, or one that was made before. Comes out: on each step that asks for such a value the time that the
//! service tells. The gate says the rest.

use super::draft::{Draft, StepNo};
use super::input::PlanInput;
use rgctl_model::observed::{CoolDown, Observed};
use rgctl_model::plan::{Op, Plan};

/// Marks the steps of a plan in the making; one whose time has not come holds up no other change of its object.
pub(super) fn mark(input: &PlanInput<'_>, draft: &mut Draft<'_>) {
    let found: Vec<(StepNo, CoolDown)> = draft
        .entries()
        .filter_map(|(no, entry)| Some((no, of(&entry.step.op, entry.seen)?.clone())))
        .collect();
    let early = found.iter().filter(|(_, cooling)| cooling.until > input.now).map(|(no, _)| *no).collect();
    draft.let_pass(&early);
    for (no, cooling) in found {
        if let Some(step) = draft.step_mut(no) {
            step.cool_down = Some(cooling);
        }
    }
}

/// Marks the steps of a plan that was made before.
pub(super) fn mark_plan(input: &PlanInput<'_>, plan: &mut Plan) {
    for step in plan.steps.iter_mut() {
        let seen = input.inventory.seen.get(step.op.address());
        // What is not seen any more is as it was.
        if let Some(seen) = seen {
            step.cool_down = of(&step.op, Some(seen)).cloned();
        }
    }
}

/// What an operation asks for and the service does not take before a time.
fn of<'a>(op: &Op, seen: Option<&'a Observed>) -> Option<&'a CoolDown> {
    let Op::Modify { changes, .. } = op else { return None };
    let cooling = seen?.facts.cool_down.as_deref()?;
    let is_it = |change: &rgctl_schema::table::FieldChange| {
        change.field == cooling.field && change.after.as_str() == Some(cooling.value.as_str())
    };
    changes.iter().any(is_it).then_some(cooling)
}
