//! What the record knows, nobody wants, and is not there: it need not be looked for any more.
//!
//! **Invariant:** only a look that would have shown an object lets it go, and only when no call may still make it.

use std::collections::BTreeSet;

use super::pace::Pace;
use crate::ledger::{Ledger, StepStatus};
use rgctl_model::address::Address;
use rgctl_model::claims::Claimed;
use rgctl_model::journal::{Event, Purpose};
use rgctl_model::node::Desired;
use rgctl_model::observed::Inventory;
use rgctl_schema::names::StepId;

/// What is known when it is asked what is gone.
#[derive(Clone, Copy)]
pub struct GoneInput<'a> {
    /// What should exist.
    pub desired: &'a Desired,
    /// What was seen.
    pub inventory: &'a Inventory,
    /// What the record adds up to.
    pub ledger: &'a Ledger,
    /// What the look was for.
    pub purpose: Purpose,
    /// Bounds.
    pub pace: &'a Pace,
}

impl GoneInput<'_> {
    /// Objects of the record that are not wanted and not there: they were deleted outside rgctl, or a call never made them.
    pub fn gone(&self) -> Vec<Address> {
        self.gone_after(&[])
    }

    /// The line for the record about them, after further lines.
    pub(super) fn told_after(&self, record: &[Event]) -> Option<Event> {
        let objects = self.gone_after(record);
        (!objects.is_empty()).then_some(Event::Gone { objects })
    }

    fn gone_after(&self, record: &[Event]) -> Vec<Address> {
        if self.purpose == Purpose::TakeOver {
            // It looks at what it is to take over, and at nothing else.
            return Vec::new();
        }
        let unwanted = self.unwanted();
        if unwanted.is_empty() {
            return Vec::new();
        }
        let busy = self.busy(record);
        let is_let_go = |(address, claimed): &(&Address, &Claimed)| {
            !busy.contains(address) && !self.is_young(claimed) && self.is_missing(address)
        };
        unwanted.into_iter().filter(is_let_go).map(|(address, _)| address.clone()).collect()
    }

    /// Whether there is anything that the record knows and nobody wants.
    pub(super) fn knows_unwanted(&self) -> bool {
        !self.unwanted().is_empty()
    }

    /// What the record knows and nobody wants. Both are sorted, so that nothing needs to be searched for.
    fn unwanted(&self) -> Vec<(&Address, &Claimed)> {
        let wanted = (self.purpose != Purpose::Destroy).then(|| self.desired.nodes.keys());
        let mut wanted = wanted.into_iter().flatten().peekable();
        let mut is_wanted = |address: &Address| {
            while wanted.next_if(|other| *other < address).is_some() {}
            wanted.peek() == Some(&address)
        };
        self.ledger.claims.objects.iter().filter(|(address, _)| !is_wanted(address)).collect()
    }

    /// Lists lag behind calls, also when the step is over since nobody wants its object any more: what was asked for just
    /// now may be there and not be shown.
    fn is_young(&self, claimed: &Claimed) -> bool {
        claimed.asked.is_some_and(|asked| self.inventory.taken < asked.at + self.pace.late)
    }

    fn is_missing(&self, address: &Address) -> bool {
        // What spans regions may be seen at another one when its tags are lost.
        let is_elsewhere = |seen: &Address| seen.kind == address.kind && seen.name == address.name;
        let mut seen = self.inventory.seen.keys();
        let is_seen = if address.kind.facts().is_global {
            seen.any(is_elsewhere)
        } else {
            self.inventory.seen.contains_key(address)
        };
        !is_seen && self.inventory.is_complete_for(address)
    }

    /// Objects about which a step has something to say, or at which a call may still arrive.
    fn busy(&self, record: &[Event]) -> BTreeSet<Address> {
        let over: BTreeSet<&StepId> = record
            .iter()
            .filter_map(|event| match event {
                Event::Settled { step, .. } | Event::Failed { step, .. } => Some(step),
                _ => None,
            })
            .collect();
        let has_more = self.ledger.begun.iter().filter(|(step, begun)| {
            // A deletion that was done takes its object from the record by itself.
            begun.status != StepStatus::Failed && (begun.word == "delete" || !over.contains(step))
        });
        let late = self
            .ledger
            .late_calls()
            .filter(|(_, late)| self.inventory.taken < late.since.at + self.pace.late);
        has_more.map(|(_, begun)| begun.address.clone()).chain(late.map(|(_, late)| late.address)).collect()
    }
}
