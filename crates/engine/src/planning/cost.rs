//! Cost a month, before and after; prices come from outside and may be unknown.

use std::collections::BTreeMap;

use super::difference::effective_attrs;
use super::input::PlanInput;
use rgctl_model::bill::CostRange;
use rgctl_model::kinds::AnyAttrs;
use rgctl_model::node::Usage;
use rgctl_model::observed::Observed;
use rgctl_model::plan::{CostChange, CostKey, Op};
use rgctl_schema::money::Total;

/// Cost of an object before and after an operation on it.
pub(super) fn change(input: &PlanInput<'_>, op: &Op, seen: Option<&Observed>, usage: &Usage) -> CostChange {
    let region = &op.address().region;
    let cost = |attrs: &AnyAttrs| input.figures.cost(attrs, usage, region);
    if let Op::Create { attrs, .. } = op {
        return CostChange { before: Total::default(), after: cost(attrs) };
    }
    let now = seen.map(effective_attrs);
    let before = now.as_ref().map(&cost).unwrap_or_default();
    let after = match op {
        Op::Create { .. } | Op::Delete { .. } => Total::default(),
        Op::Modify { attrs, .. } => {
            let mut merged = now.unwrap_or_else(|| attrs.clone());
            merged.overlay(attrs);
            cost(&merged)
        }
        Op::Tag { .. } | Op::Act { .. } => before.clone(),
    };
    CostChange { before, after }
}

/// Cost by region; a region that stands by has a line of its own.
pub(super) fn ranges(input: &PlanInput<'_>) -> BTreeMap<CostKey, CostRange> {
    let mut ranges: BTreeMap<CostKey, CostRange> = BTreeMap::new();
    if input.destroy {
        return ranges;
    }
    for bill in &input.desired.bills {
        let key = CostKey { region: bill.region.clone(), standby: bill.standby };
        ranges.entry(key).or_default().merge(&input.figures.range(bill));
    }
    ranges
}
