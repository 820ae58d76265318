//! A plan in the making: steps by number, with an index by object.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use super::waiting::Waiting;
use rgctl_model::address::Address;
use rgctl_model::node::Node;
use rgctl_model::observed::Observed;
use rgctl_model::plan::{Blocker, Op, Step, Verb};

/// The number of a step. Numbers are compared and looked up a great deal faster than names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct StepNo(usize);

/// A step with what it is about.
pub(super) struct DraftStep<'a> {
    /// The step; its needs are kept beside it, by number, until the plan is made. It is large, and moved about.
    pub step: Box<Step>,
    /// The wanted object, if it is wanted.
    pub node: Option<&'a Node>,
    /// What is seen of the object, if it is seen.
    pub seen: Option<&'a Observed>,
    needs: BTreeSet<StepNo>,
}

/// Whether a step takes an object away, or out of its global object.
pub(super) fn is_removal(step: &Step) -> bool {
    matches!(step.op, Op::Delete { .. } | Op::Act { verb: Verb::Detach { .. }, .. })
}

/// A step that is left when the plan is made.
pub(super) struct Left {
    pub step: Box<Step>,
    /// The places of the steps that it needs.
    pub needs: Vec<usize>,
}

#[derive(Default)]
pub(super) struct Draft<'a> {
    /// By number; what is dropped leaves a gap, so that numbers stay.
    entries: Vec<Option<DraftStep<'a>>>,
    by_object: ByObject,
    /// Steps of an object that have no order among each other.
    side_steps: BTreeMap<Address, Vec<StepNo>>,
    pub waiting: Waiting,
    pub notes: Vec<String>,
    /// Objects with parameters, or tags, that are not wanted and stay, by what they are and why: each with their names.
    pub stays: BTreeMap<[&'static str; 2], Vec<(&'a Address, Vec<String>)>>,
}

/// The steps of each object. Objects come in order for the greater part, since what is wanted and what is seen are gone
/// through in order; those need no search for their place.
#[derive(Default)]
struct ByObject {
    in_order: Vec<(Address, Vec<StepNo>)>,
    others: BTreeMap<Address, Vec<StepNo>>,
}

impl ByObject {
    fn place(&self, address: &Address) -> Result<usize, usize> {
        match self.in_order.last().map(|(last, _)| address.cmp(last)) {
            None | Some(Ordering::Greater) => Err(self.in_order.len()),
            Some(Ordering::Equal) => Ok(self.in_order.len() - 1),
            Some(Ordering::Less) => self.in_order.binary_search_by(|(other, _)| other.cmp(address)),
        }
    }

    fn entry(&mut self, address: &Address) -> &mut Vec<StepNo> {
        let place = match self.place(address) {
            Ok(place) => place,
            Err(place) if place == self.in_order.len() && !self.others.contains_key(address) => {
                self.in_order.push((address.clone(), Vec::new()));
                place
            }
            Err(_) => return self.others.entry(address.clone()).or_default(),
        };
        &mut self.in_order[place].1
    }

    fn get(&self, address: &Address) -> &[StepNo] {
        match self.place(address) {
            Ok(place) => &self.in_order[place].1,
            Err(_) => self.others.get(address).map_or(&[], Vec::as_slice),
        }
    }

    fn iter(&self) -> impl Iterator<Item = (&Address, &[StepNo])> {
        let in_order = self.in_order.iter().map(|(address, steps)| (address, steps.as_slice()));
        in_order.chain(self.others.iter().map(|(address, steps)| (address, steps.as_slice())))
    }

    fn retain(&mut self, keep: impl Fn(StepNo) -> bool) {
        let in_order = self.in_order.iter_mut().map(|(_, steps)| steps);
        for steps in in_order.chain(self.others.values_mut()) {
            steps.retain(|no| keep(*no));
        }
    }
}

impl<'a> Draft<'a> {
    /// Adds a step behind all steps that the same object has already: one mutation of an object at a time. A step of
    /// that name that is there already is replaced.
    pub fn push(&mut self, step: Step, node: Option<&'a Node>, seen: Option<&'a Observed>) -> StepNo {
        let next = StepNo(self.entries.len());
        let is_same = |no: &StepNo| self.entries[no.0].as_ref().is_some_and(|entry| entry.step.id == step.id);
        let earlier = self.by_object.entry(step.op.address());
        if let Some(same) = earlier.iter().copied().find(is_same) {
            if let Some(entry) = &mut self.entries[same.0] {
                *entry.step = step;
            }
            return same;
        }
        let needs = earlier.last().copied().into_iter().collect();
        earlier.push(next);
        self.entries.push(Some(DraftStep { step: Box::new(step), node, seen, needs }));
        next
    }

    /// Adds a step that has no order among the steps of its object, unless it is there already.
    pub fn push_aside(&mut self, step: Step, seen: &'a Observed) -> StepNo {
        let next = StepNo(self.entries.len());
        let is_same = |no: &StepNo| self.entries[no.0].as_ref().is_some_and(|entry| entry.step.id == step.id);
        let beside = self.side_steps.entry(step.op.address().clone()).or_default();
        if let Some(same) = beside.iter().copied().find(is_same) {
            return same;
        }
        beside.push(next);
        let step = Box::new(step);
        self.entries.push(Some(DraftStep { step, node: None, seen: Some(seen), needs: BTreeSet::new() }));
        next
    }

    pub fn need(&mut self, dependant: StepNo, needed: StepNo) {
        if dependant != needed
            && self.get(needed).is_some()
            && let Some(Some(entry)) = self.entries.get_mut(dependant.0)
        {
            entry.needs.insert(needed);
        }
    }

    /// Takes steps out of the order of the others: what stood behind one of them stands behind what that stands behind itself.
    pub fn let_pass(&mut self, passed: &BTreeSet<StepNo>) {
        let behind: BTreeMap<StepNo, BTreeSet<StepNo>> =
            passed.iter().filter_map(|no| Some((*no, self.get(*no)?.needs.clone()))).collect();
        for entry in self.entries.iter_mut().flatten() {
            let mut open: Vec<StepNo> =
                entry.needs.iter().copied().filter(|need| behind.contains_key(need)).collect();
            let mut gone = BTreeSet::new();
            while let Some(no) = open.pop() {
                entry.needs.remove(&no);
                for next in behind.get(&no).filter(|_| gone.insert(no)).into_iter().flatten() {
                    if behind.contains_key(next) {
                        open.push(*next);
                    } else {
                        entry.needs.insert(*next);
                    }
                }
            }
        }
    }

    pub fn get(&self, no: StepNo) -> Option<&DraftStep<'a>> {
        self.entries.get(no.0)?.as_ref()
    }

    pub fn step_mut(&mut self, no: StepNo) -> Option<&mut Step> {
        Some(&mut self.entries.get_mut(no.0)?.as_mut()?.step)
    }

    /// All steps, in the order in which they were added.
    pub fn entries(&self) -> impl Iterator<Item = (StepNo, &DraftStep<'a>)> {
        let numbered = self.entries.iter().enumerate();
        numbered.filter_map(|(no, entry)| Some((StepNo(no), entry.as_ref()?)))
    }

    /// What a step needs, as far as it is still there.
    pub fn needs_of<'b>(
        &'b self,
        entry: &'b DraftStep<'a>,
    ) -> impl Iterator<Item = (StepNo, &'b DraftStep<'a>)> {
        entry.needs.iter().filter_map(|need| Some((*need, self.get(*need)?)))
    }

    /// The steps of an object, in their order.
    pub fn of(&self, address: &Address) -> &[StepNo] {
        self.by_object.get(address)
    }

    /// Every object that has steps in an order.
    pub fn objects(&self) -> impl Iterator<Item = (&Address, &[StepNo])> {
        self.by_object.iter()
    }

    /// The step that deletes an object.
    pub fn deletion_of(&self, address: &Address) -> Option<StepNo> {
        let deletes =
            |no: &StepNo| self.get(*no).is_some_and(|entry| matches!(entry.step.op, Op::Delete { .. }));
        self.of(address).iter().copied().find(deletes)
    }

    /// Drops the steps of an object.
    pub fn drop_all(&mut self, address: &Address) {
        for no in std::mem::take(self.by_object.entry(address)) {
            self.entries[no.0] = None;
        }
    }

    pub fn drop(&mut self, dropped: &BTreeSet<StepNo>) {
        for no in dropped {
            self.entries[no.0] = None;
        }
        self.by_object.retain(|no| !dropped.contains(&no));
    }

    /// Drops what is about other objects, and whatever needs a dropped step.
    pub fn keep_only(&mut self, keep: impl Fn(&Address) -> bool) {
        let is_other = |(no, entry): (StepNo, &DraftStep<'_>)| (!keep(entry.step.op.address())).then_some(no);
        let mut dropped: BTreeSet<StepNo> = self.entries().filter_map(is_other).collect();
        loop {
            let needs_dropped = |(no, entry): &(StepNo, &DraftStep<'_>)| {
                !dropped.contains(no) && !entry.needs.is_disjoint(&dropped)
            };
            let more: Vec<(StepNo, String)> = self
                .entries()
                .filter(needs_dropped)
                .map(|(no, entry)| {
                    let id = &entry.step.id;
                    (no, format!("{id} is left out: it needs a step of a store that is not a target"))
                })
                .collect();
            if more.is_empty() {
                break;
            }
            for (no, note) in more {
                dropped.insert(no);
                self.notes.push(note);
            }
        }
        self.drop(&dropped);
        self.waiting.retain(|waiting| match waiting {
            // It has no store of its own.
            Blocker::ForeignMember { of, .. } => keep(of),
            other => keep(other.address()),
        });
    }

    /// The steps that are left, each with the places among them of those that it needs.
    pub fn into_left(self) -> Vec<Left> {
        let mut places: Vec<Option<usize>> = Vec::with_capacity(self.entries.len());
        let mut count = 0;
        for entry in &self.entries {
            places.push(entry.as_ref().map(|_| count));
            count += usize::from(entry.is_some());
        }
        let left = self.entries.into_iter().flatten();
        left.map(|entry| {
            let needs = entry.needs.iter().filter_map(|need| places[need.0]).collect();
            Left { step: entry.step, needs }
        })
        .collect()
    }
}
