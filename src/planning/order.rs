//! An order in which the steps could be done one after the other.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::draft::Draft;
use crate::artefacts::plan::Step;
use crate::vocabulary::names::StepId;

/// Sorts steps so that each stands behind those it needs; among free ones by region, then store, then name.
///
/// A cycle cannot come from a legal desired state; should one be found, its steps stand at the end and wait for each
/// other, which shows in the plan, instead of being done in a wrong order.
pub(super) fn sort(draft: Draft<'_>) -> Vec<Step> {
    let (mut steps, needs) = draft.into_steps();
    let ids: Vec<StepId> = steps.iter().map(|step| step.id.clone()).collect();
    for (step, needs) in steps.iter_mut().zip(&needs) {
        step.needs = needs.iter().map(|need| ids[*need].clone()).collect();
    }
    let ranks = ranks(&steps);
    let mut open: Vec<usize> = needs.iter().map(Vec::len).collect();
    let mut dependants: Vec<Vec<usize>> = vec![Vec::new(); steps.len()];
    for (number, needs) in needs.iter().enumerate() {
        for need in needs {
            dependants[*need].push(number);
        }
    }
    let entry = |number: usize| Reverse((ranks[number], number));
    let mut free: BinaryHeap<_> = (0..steps.len()).filter(|n| open[*n] == 0).map(entry).collect();
    let mut order: Vec<usize> = Vec::with_capacity(steps.len());
    while let Some(Reverse((_, number))) = free.pop() {
        order.push(number);
        for dependant in &dependants[number] {
            open[*dependant] -= 1;
            if open[*dependant] == 0 {
                free.push(entry(*dependant));
            }
        }
    }
    let mut in_a_circle: Vec<usize> = (0..steps.len()).filter(|number| open[*number] > 0).collect();
    in_a_circle.sort_by_key(|number| ranks[*number]);
    order.extend(in_a_circle);
    let mut left: Vec<Option<Step>> = steps.into_iter().map(Some).collect();
    order.into_iter().filter_map(|number| left[number].take()).collect()
}

/// Each step's place when nothing needs anything.
fn ranks(steps: &[Step]) -> Vec<usize> {
    let key = |number: &usize| {
        let step = &steps[*number];
        (&step.op.at().region, &step.store, step.op.at(), &step.id)
    };
    let mut sorted: Vec<usize> = (0..steps.len()).collect();
    sorted.sort_unstable_by(|left, right| key(left).cmp(&key(right)));
    let mut ranks = vec![0; steps.len()];
    for (rank, number) in sorted.into_iter().enumerate() {
        ranks[number] = rank;
    }
    ranks
}
