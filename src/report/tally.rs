//! Figures about a plan as a whole.

use std::collections::BTreeMap;

use rgctl_model::bill::CostRange;
use rgctl_model::plan::{Op, Plan, Reason, Step};
use rgctl_schema::names::StepId;
use rgctl_schema::time::Span;

/// How many steps of which sort, and what they do to the users in sum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Tally {
    /// Objects made.
    pub create: usize,
    /// Objects changed.
    pub change: usize,
    /// Objects made anew, their data not carried over.
    pub replace: usize,
    /// Objects deleted.
    pub delete: usize,
    /// Failovers and other acts.
    pub act: usize,
    /// How long it takes when everything that can be done at a time is.
    pub duration: Span,
    /// The same, all but one time in twenty.
    pub duration_p95: Span,
    /// How long writes fail, all steps added.
    pub write_outage: Span,
    /// How often the write role moves.
    pub failovers: u32,
    /// Steps that cannot be undone.
    pub irreversible: usize,
}

impl Tally {
    /// Of a plan.
    pub fn of(plan: &Plan) -> Self {
        let mut tally = Self {
            duration: longest(plan, |step| step.effect.duration),
            duration_p95: longest(plan, |step| step.effect.duration_p95),
            ..Self::default()
        };
        for step in &plan.steps {
            match (&step.op, &step.why) {
                // A replacement is a deletion and a creation; it is counted once, at the creation.
                (Op::Delete { .. }, Reason::MustReplace { .. }) => {}
                (Op::Create { .. }, Reason::MustReplace { .. }) => tally.replace += 1,
                (Op::Create { .. }, _) => tally.create += 1,
                (Op::Modify { .. } | Op::Tag { .. }, _) => tally.change += 1,
                (Op::Delete { .. }, _) => tally.delete += 1,
                (Op::Act { .. }, _) => tally.act += 1,
            }
            tally.write_outage += step.effect.write_outage;
            tally.failovers += step.effect.failovers;
            tally.irreversible += usize::from(!step.effect.reversible);
        }
        tally
    }

    /// In a line: `3 to create, 1 to change`.
    pub fn line(&self) -> String {
        let parts: Vec<String> = [
            (self.create, "to create"),
            (self.change, "to change"),
            (self.replace, "to replace"),
            (self.delete, "to delete"),
            (self.act, "to act on"),
        ]
        .into_iter()
        .filter(|(number, _)| *number > 0)
        .map(|(number, what)| format!("{number} {what}"))
        .collect();
        if parts.is_empty() { "nothing to do".to_owned() } else { parts.join(", ") }
    }
}

/// The longest chain of steps that wait for each other. Steps stand in an order in which needs come first.
fn longest(plan: &Plan, length: impl Fn(&Step) -> Span) -> Span {
    let mut ends: BTreeMap<&StepId, Span> = BTreeMap::new();
    let mut last = Span::ZERO;
    for step in &plan.steps {
        let starts = step.needs.iter().filter_map(|need| ends.get(need)).copied().max().unwrap_or(Span::ZERO);
        let end = starts + length(step);
        ends.insert(&step.id, end);
        last = Ord::max(last, end);
    }
    last
}

/// Cost of all regions.
pub fn sum(plan: &Plan) -> CostRange {
    let mut sum = CostRange::default();
    for range in plan.cost.values() {
        sum.merge(range);
    }
    sum
}
