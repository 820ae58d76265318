//! A plan in the making: steps by name, with an index by object.

use std::collections::{BTreeMap, BTreeSet};

use crate::artefacts::address::Address;
use crate::artefacts::plan::{Step, Waiting};
use crate::vocabulary::names::StepId;

#[derive(Default)]
pub(super) struct Draft {
    pub steps: BTreeMap<StepId, Step>,
    pub by_object: BTreeMap<Address, Vec<StepId>>,
    pub waiting: Vec<Waiting>,
    pub notes: Vec<String>,
}

impl Draft {
    /// Adds a step behind all steps that the same object has already: one mutation of an object at a time.
    pub fn push(&mut self, mut step: Step) -> StepId {
        let id = step.id.clone();
        let earlier = self.by_object.entry(step.op.at().clone()).or_default();
        if let Some(last) = earlier.last().filter(|last| **last != id) {
            step.needs.insert(last.clone());
        }
        if !earlier.contains(&id) {
            earlier.push(id.clone());
        }
        self.steps.insert(id.clone(), step);
        id
    }

    pub fn need(&mut self, step: &StepId, needed: &StepId) {
        if step != needed
            && self.steps.contains_key(needed)
            && let Some(step) = self.steps.get_mut(step)
        {
            step.needs.insert(needed.clone());
        }
    }

    pub fn ids_of(&self, at: &Address) -> &[StepId] {
        self.by_object.get(at).map_or(&[], Vec::as_slice)
    }

    /// Drops what is about other objects, and whatever needs a dropped step.
    pub fn keep_only(&mut self, keep: impl Fn(&Address) -> bool) {
        let mut dropped: BTreeSet<StepId> =
            self.steps.values().filter(|step| !keep(step.op.at())).map(|step| step.id.clone()).collect();
        loop {
            let more: Vec<StepId> = self
                .steps
                .values()
                .filter(|step| !dropped.contains(&step.id) && !step.needs.is_disjoint(&dropped))
                .map(|step| step.id.clone())
                .collect();
            if more.is_empty() {
                break;
            }
            for id in &more {
                self.notes.push(format!("{id} is left out: it needs a step of a store that is not a target"));
            }
            dropped.extend(more);
        }
        self.steps.retain(|id, _| !dropped.contains(id));
        self.waiting.retain(|waiting| keep(waiting.at()));
    }
}
