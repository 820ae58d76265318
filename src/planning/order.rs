//! An order in which the steps could be done one after the other.

use std::collections::{BTreeMap, BTreeSet};

use crate::artefacts::plan::Step;
use crate::vocabulary::names::StepId;

/// Sorts steps so that each stands behind those it needs; among free ones by region, then store, then name.
///
/// A cycle cannot come from a legal desired state; should one be found, its steps stand at the end and wait for each
/// other, which shows in the plan, instead of being done in a wrong order.
pub(super) fn sort(mut steps: BTreeMap<StepId, Step>) -> Vec<Step> {
    let known: BTreeSet<StepId> = steps.keys().cloned().collect();
    for step in steps.values_mut() {
        step.needs.retain(|need| known.contains(need));
    }
    let mut open: BTreeMap<StepId, usize> =
        steps.iter().map(|(id, step)| (id.clone(), step.needs.len())).collect();
    let mut dependants: BTreeMap<StepId, Vec<StepId>> = BTreeMap::new();
    for (id, step) in &steps {
        for need in &step.needs {
            dependants.entry(need.clone()).or_default().push(id.clone());
        }
    }
    let key = |step: &Step| {
        (step.op.at().region.clone(), step.store.clone(), step.op.at().clone(), step.id.clone())
    };
    let mut free: BTreeMap<_, StepId> = steps
        .iter()
        .filter(|(_, step)| step.needs.is_empty())
        .map(|(id, step)| (key(step), id.clone()))
        .collect();
    let mut sorted = Vec::with_capacity(steps.len());
    while let Some((_, id)) = free.pop_first() {
        open.remove(&id);
        for dependant in dependants.remove(&id).unwrap_or_default() {
            if let Some(count) = open.get_mut(&dependant) {
                *count -= 1;
                if *count == 0
                    && let Some(step) = steps.get(&dependant)
                {
                    free.insert(key(step), dependant);
                }
            }
        }
        sorted.extend(steps.remove(&id));
    }
    sorted.extend(steps.into_values());
    sorted
}
