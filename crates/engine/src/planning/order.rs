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
    let open = left.iter().map(|one| one.needs.len()).collect();
    let mut dependants: Vec<Vec<usize>> = vec![Vec::new(); left.len()];
    for (number, one) in left.iter().enumerate() {
        for need in &one.needs {
            dependants[*need].push(number);
        }
    }
    let of = |number: usize| dependants[number].iter().copied();
    let mut order = behind_needs(0..left.len(), open, |number| ranks[number], of);
    if order.len() < left.len() {
        let mut is_in_order = vec![false; left.len()];
        for number in &order {
            is_in_order[*number] = true;
        }
        let mut in_a_circle: Vec<usize> = (0..left.len()).filter(|number| !is_in_order[*number]).collect();
        in_a_circle.sort_by_key(|number| ranks[*number]);
        order.extend(in_a_circle);
    }
    let mut left: Vec<Option<Left>> = left.into_iter().map(Some).collect();
    order.into_iter().filter_map(|number| left[number].take().map(|one| *one.step)).collect()
}

/// Numbers, each behind those that it needs; among free ones the one of the lowest rank is first. `open` tells, by number, how
/// many it needs of those that are `there`, and `dependants` which of them need it. What needs itself in a circle, and what
/// needs that, is left out.
pub(super) fn behind_needs<D: Iterator<Item = usize>>(
    there: impl Iterator<Item = usize>,
    mut open: Vec<usize>,
    rank: impl Fn(usize) -> usize,
    dependants: impl Fn(usize) -> D,
) -> Vec<usize> {
    let entry = |number: usize| Reverse((rank(number), number));
    let mut free: BinaryHeap<_> = there.filter(|number| open[*number] == 0).map(entry).collect();
    let mut order = Vec::with_capacity(open.len());
    while let Some(Reverse((_, number))) = free.pop() {
        order.push(number);
        for dependant in dependants(number) {
            open[dependant] -= 1;
            if open[dependant] == 0 {
                free.push(entry(dependant));
            }
        }
    }
    order
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
