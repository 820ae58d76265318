//! What a plan is made from, and what every part of planning asks of it.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::figures::Figures;
use crate::gate::{GateInput, Verdicts};
use rgctl_model::address::Address;
use rgctl_model::choices::Choices;
use rgctl_model::claims::Claims;
use rgctl_model::node::{Desired, Node};
use rgctl_model::observed::{Inventory, Observed};
use rgctl_model::overlay::HoldOut;
use rgctl_model::policy::{Authority, ConsentRequest, DestructiveAction, Policy};
use rgctl_model::quota::OverQuota;
use rgctl_schema::names::{RegionId, StoreName};
use rgctl_schema::time::Moment;

/// Everything that a plan is made from.
#[derive(Clone, Copy)]
pub struct PlanInput<'a> {
    /// What should exist.
    pub desired: &'a Desired,
    /// What exists.
    pub inventory: &'a Inventory,
    /// What may be done.
    pub policy: &'a Policy,
    /// Prices and capacities.
    pub figures: &'a dyn Figures,
    /// What was chosen before where several ways are equally right.
    pub choices: &'a Choices,
    /// When; only recorded.
    pub now: Moment,
    /// Ends the names of final snapshots, so that they are unique: the run's start, for example.
    pub snapshot_suffix: &'a str,
    /// Whether everything of the blueprint is to be removed.
    pub destroy: bool,
    /// The regions that are held out.
    pub held_out: &'a BTreeMap<RegionId, HoldOut>,
    /// What the record knows of its objects.
    pub claims: &'a Claims,
    /// What was found about desired state as a whole.
    pub verdicts: &'a Verdicts,
    /// On whose word.
    pub authority: Authority,
}

impl PlanInput<'_> {
    /// Whether the object is ours, by its tags or by the record.
    pub(super) fn owns(&self, address: &Address, seen: &Observed) -> bool {
        self.claims.owns(&self.desired.blueprint, address, seen)
    }

    pub(super) fn node(&self, address: &Address) -> Option<&Node> {
        if self.destroy { None } else { self.desired.nodes.get(address) }
    }

    /// The store that an object belongs to: by desired state, else by the record and by its tag. When these two tell
    /// different stores, nobody knows: a tag is written by any hand.
    pub(super) fn store_of(&self, address: &Address) -> Option<StoreName> {
        if let Some(node) = self.desired.nodes.get(address) {
            return Some(node.store.clone());
        }
        // The record tells it from the intent on, also of what nobody wanted any more when it was there.
        let recorded = self.claims.objects.get(address).and_then(|claimed| claimed.store.clone());
        let Some(seen) = self.inventory.seen.get(address) else { return recorded };
        match (recorded, self.claims.store_of(address, seen)) {
            (Some(recorded), Some(told)) if recorded != told => None,
            (_, told) => told,
        }
    }

    /// A destructive action on an object.
    pub(super) fn act(&self, action: DestructiveAction, address: &Address) -> ConsentRequest {
        ConsentRequest { action, store: self.store_of(address), region: address.region.clone() }
    }

    /// What the gate judges by.
    pub(super) fn asked<'b>(&'b self, over_quota: &'b [OverQuota]) -> GateInput<'b> {
        GateInput {
            rules: &self.desired.rules,
            policy: self.policy,
            verdicts: self.verdicts,
            over_quota,
            authority: self.authority,
            now: self.now,
        }
    }

    pub(super) fn is_target(&self, address: &Address) -> bool {
        self.policy.targets.is_empty()
            || self.store_of(address).is_some_and(|store| self.policy.targets.contains(&store))
    }
}

/// A wanted object, and a seen one at the same address; at most one of the two is missing.
pub(super) type Pair<'a> = (Option<(&'a Address, &'a Node)>, Option<(&'a Address, &'a Arc<Observed>)>);

/// Wanted and seen objects side by side, in the order of their addresses. Both lists are sorted, so that nothing needs to
/// be searched for.
pub(super) fn side_by_side<'a>(input: &PlanInput<'a>) -> impl Iterator<Item = Pair<'a>> {
    let mut wanted = input.desired.nodes.iter().filter(|_| !input.destroy).peekable();
    let mut seen = input.inventory.seen.iter_shared().peekable();
    std::iter::from_fn(move || {
        let order = match (wanted.peek(), seen.peek()) {
            (None, None) => return None,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some((wanted, _)), Some((address, _))) => wanted.cmp(address),
        };
        let node = if order.is_le() { wanted.next() } else { None };
        let seen = if order.is_ge() { seen.next() } else { None };
        Some((node, seen))
    })
}
