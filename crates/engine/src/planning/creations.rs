//! What is missing and has nothing but itself to be made: most of the steps of a large plan, and the same ones from turn to
//! turn until something they need is there.
//!
//! Goes in: which objects are missing, and in which groups nothing else is to be done. Comes out: the steps that make them,
//! in order; those that were made for the plan before are shared with it.
//!
//! **Invariant:** a plan that shares steps equals one that makes all of them: only what was never there is made here, only
//! where nothing is removed, hidden, held out or over a bound, and nothing that is planned for one group shows in another
//! one. A run asserts it in debug builds.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::demands::{Demand, Demands};
use super::input::PlanInput;
use super::layout::{Layout, Number};
use super::sharing::{Sharing, Standing};
use super::{compare, disturb, order};
use crate::gate::{self, Verdicts};
use rgctl_model::address::Address;
use rgctl_model::node::Desired;
use rgctl_model::plan::{Answer, Reason, Step, Steps};
use rgctl_model::policy::{Authority, Policy};
use rgctl_model::rules::Rules;
use rgctl_schema::names::{RegionId, StepId};

/// What the gate judged the steps by, beside the steps.
#[derive(Clone, Debug, PartialEq)]
struct JudgedBy {
    rules: Vec<Rules>,
    policy: Policy,
    verdicts: Verdicts,
    authority: Authority,
}

impl JudgedBy {
    fn of(input: &PlanInput<'_>) -> Self {
        Self {
            rules: input.desired.rules.clone(),
            policy: input.policy.clone(),
            verdicts: input.verdicts.clone(),
            authority: input.authority,
        }
    }

    fn is_of(&self, input: &PlanInput<'_>) -> bool {
        self.rules == input.desired.rules
            && self.policy == *input.policy
            && self.verdicts == *input.verdicts
            && self.authority == input.authority
    }
}

/// A step that is kept.
#[derive(Clone, Debug)]
struct Kept {
    step: Arc<Step>,
    demand: Demand,
}

/// A step of the last plan.
#[derive(Clone, Copy, Debug, Default)]
struct Place {
    /// The object, where it is made by one of these steps.
    number: Option<Number>,
    /// Whether one of these stands behind another one, or behind a transition that is seen.
    is_behind: bool,
}

/// The steps that were made, by number of their objects, and what they rest on.
#[derive(Clone, Debug)]
pub(super) struct Creations {
    layout: Arc<Layout>,
    judged_by: Option<JudgedBy>,
    /// A step is kept until its object is there, or one of the objects that it needs comes or goes.
    kept: Vec<Option<Kept>>,
    /// Sums over those that are kept.
    demands: Demands,
    /// Whether the object was missing for the plan that the steps were last made for.
    is_missing: Vec<bool>,
    /// The missing objects of the last plan that are made by these steps, in order of their addresses.
    missing: Vec<Number>,
    /// The steps of the last plan; nothing where none of them is one of these.
    places: Vec<Place>,
    /// Whether the gate lets every one of these steps go.
    may_all_go: bool,
}

impl Creations {
    pub fn new(desired: &Desired) -> Self {
        let layout = Arc::new(Layout::of(desired));
        Self {
            judged_by: None,
            kept: vec![None; layout.len()],
            demands: Demands::default(),
            is_missing: vec![false; layout.len()],
            missing: Vec::new(),
            places: Vec::new(),
            may_all_go: true,
            layout,
        }
    }

    /// Begins to sort out what is missing, for another plan than the last one.
    pub fn begin(&mut self, input: &PlanInput<'_>) -> Option<Sharing> {
        self.missing.clear();
        self.places.clear();
        Sharing::begin(input, &self.layout)
    }

    /// The steps that make what is missing, together with the others of the plan; and whether all of them are surely within
    /// every bound that is known.
    pub fn make(&mut self, input: &PlanInput<'_>, sharing: Sharing, others: &Steps) -> (Steps, bool) {
        self.judge_by(input);
        self.take_over(sharing.missing);
        let mut open = vec![0; self.layout.len()];
        for number in &self.missing {
            let needs = self.layout.needs(*number);
            open[*number] = needs.iter().map(|need| usize::from(self.is_missing[*need])).sum();
        }
        let is_behind = |number: Number| {
            let mut needs = self.layout.needs(number).iter().map(|need| sharing.standing[*need]);
            let mut moves = || needs.find(|need| *need != Standing::Ready) == Some(Standing::Moving);
            open[number] > 0 || self.layout.needs_only_wanted(number) && moves()
        };
        let mut are_behind = vec![false; self.layout.len()];
        for number in &self.missing {
            are_behind[*number] = is_behind(*number);
        }
        let order = self.order(open);
        self.make_steps(input, &order);
        let fit = self.demands.surely_fit(input, others);
        self.may_all_go &= fit;
        (self.merge(&order, &are_behind, others), fit)
    }

    /// Forgets what was judged by other rules.
    fn judge_by(&mut self, input: &PlanInput<'_>) {
        if !self.judged_by.as_ref().is_some_and(|judged_by| judged_by.is_of(input)) {
            self.judged_by = Some(JudgedBy::of(input));
            self.kept.fill(None);
            self.demands = Demands::default();
        }
    }

    /// Takes note of what is missing now, and forgets the steps for which that is news.
    fn take_over(&mut self, missing: Vec<Number>) {
        let mut is_missing = vec![false; self.layout.len()];
        for number in &missing {
            is_missing[*number] = true;
        }
        for (number, is_missing) in is_missing.iter().enumerate() {
            if self.is_missing[number] == *is_missing {
                continue;
            }
            for one in self.layout.dependants(number).iter().chain([&number]) {
                if let Some(kept) = self.kept[*one].take() {
                    self.demands.take_off(&kept.demand);
                }
            }
        }
        (self.is_missing, self.missing) = (is_missing, missing);
    }

    /// Each behind those that it needs; among free ones by region, then store, then name. `open` are, by number, the missing
    /// objects that it needs.
    fn order(&self, open: Vec<usize>) -> Vec<Number> {
        let dependants = |number| {
            let dependants = self.layout.dependants(number).iter().copied();
            dependants.filter(|dependant| self.is_missing[*dependant])
        };
        let rank = |number| self.layout.rank(number);
        order::behind_needs(self.missing.iter().copied(), open, rank, dependants)
    }

    /// Makes those steps that are not kept, as a plan of nothing else would.
    fn make_steps(&mut self, input: &PlanInput<'_>, order: &[Number]) {
        let mut news: Vec<(Number, Step)> = Vec::new();
        for number in order.iter().filter(|number| self.kept[**number].is_none()) {
            if let Some(node) = input.desired.nodes.get(self.layout.address(*number)) {
                news.push((*number, compare::create(input, node, None, Reason::Missing)));
            }
        }
        disturb::describe_new(input, news.iter_mut().map(|(_, step)| step));
        for (number, mut step) in news {
            let needs = self.layout.needs(number).iter().filter(|need| self.is_missing[**need]);
            // In order, so that those that are needed are made.
            step.needs = needs.filter_map(|need| self.id(*need)).collect();
            step.answer = gate::authorise(&step, &input.asked(&[]));
            let demand = self.demands.add(input, &step);
            self.kept[number] = Some(Kept { step: Arc::new(step), demand });
        }
        let goes = |kept: &Kept| kept.step.answer == Answer::Go;
        // By one rule for all of them: what it says of one of them it says of each.
        self.may_all_go = order.first().and_then(|first| self.kept[*first].as_ref()).is_none_or(goes);
    }

    fn id(&self, number: Number) -> Option<StepId> {
        Some(self.kept[number].as_ref()?.step.id.clone())
    }

    /// These steps and all others in one order: at each place the one that comes first of those that could come next.
    fn merge(&mut self, order: &[Number], are_behind: &[bool], others: &Steps) -> Steps {
        let mut merged = Vec::with_capacity(order.len() + others.len());
        let mut others = others.iter_shared().peekable();
        for number in order {
            let Some(Kept { step, .. }) = &self.kept[*number] else { continue };
            while let Some(other) = others.next_if(|other| order::key(other) < order::key(step)) {
                merged.push(Arc::clone(other));
                self.places.push(Place::default());
            }
            merged.push(Arc::clone(step));
            self.places.push(Place { number: Some(*number), is_behind: are_behind[*number] });
        }
        merged.extend(others.cloned());
        self.places.resize(merged.len(), Place::default());
        Steps::from(merged)
    }

    /// The missing objects of the last plan that are made by these steps, in order.
    pub fn missing(&self) -> impl Iterator<Item = &Address> {
        self.missing.iter().map(|number| self.layout.address(*number))
    }

    /// The step of the last plan that makes an object, where it is one of these.
    pub fn step_for(&self, address: &Address) -> Option<&Step> {
        if self.missing.is_empty() {
            return None;
        }
        let number = self.layout.number(address).filter(|number| self.is_missing[*number])?;
        Some(&self.kept[number].as_ref()?.step)
    }

    /// The object that the step at a place of the last plan makes, where it is one of these.
    pub fn made_at(&self, place: usize) -> Option<&Address> {
        Some(self.layout.address(self.places.get(place)?.number?))
    }

    /// Whether it is one of these, and may go, and stands behind another one or behind a transition that is seen.
    pub fn stands_behind(&self, place: usize) -> bool {
        self.may_all_go && self.places.get(place).is_some_and(|place| place.is_behind)
    }

    /// The regions in which these steps make something.
    pub fn regions(&self) -> BTreeSet<RegionId> {
        let mut regions: BTreeSet<RegionId> = BTreeSet::new();
        for address in self.missing() {
            if !regions.contains(&address.region) {
                regions.insert(address.region.clone());
            }
        }
        regions
    }
}
