//! What is missing, sorted out: what can have the step of the plan before, and what is planned as if there had been none.

use std::sync::Arc;

use super::input::PlanInput;
use super::layout::{Layout, Number};
use crate::gate;
use rgctl_model::address::Address;
use rgctl_model::claims::Claimed;
use rgctl_model::node::Node;
use rgctl_schema::phase::Phase;

/// How a wanted object stands, as far as those ask that need it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Standing {
    /// It is ready.
    Ready,
    /// It is in transition.
    Moving,
    /// It is not there, or in another state.
    #[default]
    Other,
}

impl Standing {
    pub fn of(phase: &Phase) -> Self {
        match phase {
            phase if phase.is_ready() => Self::Ready,
            phase if phase.is_transitional() => Self::Moving,
            _ => Self::Other,
        }
    }
}

/// Which of the missing objects of a plan can have the steps of the plan before.
pub(super) struct Sharing {
    pub layout: Arc<Layout>,
    /// In order of their addresses.
    pub missing: Vec<Number>,
    /// By number.
    pub standing: Vec<Standing>,
    /// By group, whether anything else than making what is missing is to be done in it.
    is_mixed: Vec<bool>,
    /// Whether that is so of all of them.
    are_all_mixed: bool,
}

impl Sharing {
    /// Nothing where a creation follows from more than its object.
    pub fn begin(input: &PlanInput<'_>, layout: &Arc<Layout>) -> Option<Self> {
        (is_plain(input) && !layout.has_circle()).then(|| Self {
            layout: Arc::clone(layout),
            missing: Vec::new(),
            standing: vec![Standing::default(); layout.len()],
            is_mixed: vec![false; layout.len()],
            are_all_mixed: false,
        })
    }

    /// Takes note of an object that is there, ours and as wanted.
    pub fn stands(&mut self, number: Number, standing: Standing) {
        self.standing[number] = standing;
    }

    /// Takes note of one that is missing. What was there before is not simply made: what was lost is asked about.
    pub fn misses(&mut self, number: Number, node: &Node, claimed: Option<&Claimed>) -> bool {
        let was_there = claimed.is_some_and(|claimed| claimed.is_done);
        if was_there {
            self.mixes(number, node, claimed);
        } else {
            self.missing.push(number);
        }
        !was_there
    }

    /// Something else than making it is to be done about an object.
    pub fn mixes(&mut self, number: Number, node: &Node, claimed: Option<&Claimed>) {
        self.is_mixed[self.layout.group(number)] = true;
        // Data that the record has under another store is asked about there.
        if claimed.is_some_and(|claimed| claimed.bears_data && claimed.store.as_ref() != Some(&node.store)) {
            self.mixes_all();
        }
    }

    /// Something is to be done that may show in every group.
    pub const fn mixes_all(&mut self) {
        self.are_all_mixed = true;
    }

    /// Those of the missing objects in whose groups something else is to be done; they are no longer among the others.
    pub fn take_mixed(&mut self) -> Vec<Address> {
        let is_mixed = |number: &Number| self.are_all_mixed || self.is_mixed[self.layout.group(*number)];
        let (mixed, apart): (Vec<Number>, _) =
            std::mem::take(&mut self.missing).into_iter().partition(is_mixed);
        self.missing = apart;
        mixed.into_iter().map(|number| self.layout.address(number).clone()).collect()
    }
}

/// Whether a missing object that was never there is made by a step that follows from the object alone.
fn is_plain(input: &PlanInput<'_>) -> bool {
    !input.destroy
        && input.policy.targets.is_empty()
        && input.figures.is_unpriced()
        && !input.verdicts.refuses_growth()
        && input.inventory.gaps.is_empty()
        && input.inventory.held_out.is_empty()
        && input.claims.leaving.is_empty()
        && input.claims.deleted.is_empty()
        && input.claims.removals.is_empty()
        && !gate::times::may_stop_growth(&input.desired.rules)
}
