//! An order in which the steps could be done one after the other.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::draft::{Draft, Left};
use rgctl_model::address::Address;
use rgctl_model::plan::Step;
use rgctl_schema::names::{RegionId, StepId, StoreName};

/// Sorts steps so that each stands behind those it needs; among free ones by region, then store, then name.
///
/// A cycle cannot come from a legal desired state; should one be found, its steps stand at the end and wait for each
/// other, which shows in the plan, instead of being done in a wrong order.
pub(super) fn sort(draft: Draft<'_>) -> Vec<Step> {
    let mut left = draft.into_left();
    let ids: Vec<StepId> = left.iter().map(|one| one.step.id.clone()).collect();
    for one in &mut left {
        one.step.needs = one.needs.iter().map(|need| ids[*need].clone()).collect();
    }
    let ranks = ranks(&left);
    let mut open: Vec<usize> = left.iter().map(|one| one.needs.len()).collect();
    let mut dependants: Vec<Vec<usize>> = vec![Vec::new(); left.len()];
    for (number, one) in left.iter().enumerate() {
        for need in &one.needs {
            dependants[*need].push(number);
        }
    }
    let entry = |number: usize| Reverse((ranks[number], number));
    let mut free: BinaryHeap<_> = (0..left.len()).filter(|n| open[*n] == 0).map(entry).collect();
    let mut order: Vec<usize> = Vec::with_capacity(left.len());
    while let Some(Reverse((_, number))) = free.pop() {
        order.push(number);
        for dependant in &dependants[number] {
            open[*dependant] -= 1;
            if open[*dependant] == 0 {
                free.push(entry(*dependant));
            }
        }
    }
    let mut in_a_circle: Vec<usize> = (0..left.len()).filter(|number| open[*number] > 0).collect();
    in_a_circle.sort_by_key(|number| ranks[*number]);
    order.extend(in_a_circle);
    let mut left: Vec<Option<Left>> = left.into_iter().map(Some).collect();
    order.into_iter().filter_map(|number| left[number].take().map(|one| *one.step)).collect()
}

/// What free steps are sorted by.
pub(super) fn key(step: &Step) -> (&RegionId, Option<&StoreName>, &Address, &StepId) {
    let address = step.op.address();
    (&address.region, step.store.as_ref(), address, &step.id)
}

/// Each step's place when nothing needs anything.
fn ranks(left: &[Left]) -> Vec<usize> {
    let key = |number: &usize| key(&left[*number].step);
    let mut sorted: Vec<usize> = (0..left.len()).collect();
    // The stable sort finds the long runs that are in order already.
    sorted.sort_by(|left, right| key(left).cmp(&key(right)));
    let mut ranks = vec![0; left.len()];
    for (rank, number) in sorted.into_iter().enumerate() {
        ranks[number] = rank;
    }
    ranks
}
