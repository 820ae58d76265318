//! A look that goes on from the one before: only what was written since is looked at again.
//!
//! **Invariant:** it shows what a whole look would show; debug builds make both and compare them. Where it is not certain
//! that it does, there is none: while faults are about, where something spans regions, and where objects of others are in
//! the world, which may be bound to ours.

use std::collections::BTreeSet;

use rgctl_model::observed::{Inventory, Selection};
use rgctl_model::seen::Seen;

use super::look::ENDPOINTS;
use super::state::LastLook;
use super::world::World;

impl World {
    /// Keeps a whole look, if the next one may go on from it.
    pub(super) fn remember(&mut self, scope: &Selection, inventory: &Inventory) {
        self.looked = None;
        if !self.is_plain()
            || !self.objects.iter().all(|(address, object)| self.is_asked(scope, address, object))
        {
            return;
        }
        let restless = self.objects.iter().filter(|(address, object)| self.is_restless(address, object));
        let restless = restless.map(|(address, _)| address.clone()).collect();
        self.looked = Some(LastLook { scope: scope.clone(), seen: inventory.seen.clone(), restless });
    }

    /// Whether nothing is about that a look may stumble over.
    fn is_plain(&self) -> bool {
        self.faults.is_empty() && self.has_no_globals()
    }

    /// The look that goes on from the one before, if there may be one.
    pub(super) fn look_again(&mut self, scope: &Selection) -> Option<Inventory> {
        let mut last = self.looked.take().filter(|last| last.scope == *scope && self.is_plain())?;
        let mut restless = BTreeSet::new();
        for address in std::mem::take(&mut last.restless) {
            let object = self.objects.get(&address);
            if !object.is_none_or(|object| self.is_asked(scope, &address, object)) {
                return None;
            }
            let seen = object.filter(|_| scope.regions.contains(&address.region));
            match seen.and_then(|object| self.see(&address, object)) {
                Some(seen) => last.seen.insert_shared(address.clone(), seen),
                None => drop(last.seen.remove(&address)),
            }
            if object.is_some_and(|object| self.is_restless(&address, object)) {
                restless.insert(address);
            }
        }
        for region in &scope.regions {
            for endpoint in ENDPOINTS() {
                self.pay_for_lists(region, endpoint);
            }
        }
        let inventory = Inventory { seen: last.seen.clone(), ..Inventory::empty(self.now()) };
        debug_assert_eq!(
            inventory.seen,
            self.all_seen(scope),
            "something has changed that was not looked at again"
        );
        self.looked = Some(LastLook { restless, ..last });
        Some(inventory)
    }

    /// Everything in scope of a plain world, looked at one by one.
    fn all_seen(&self, scope: &Selection) -> Seen {
        let there = self.objects.iter().filter(|(address, object)| {
            scope.regions.contains(&address.region) && self.is_asked(scope, address, object)
        });
        let seen = there.filter_map(|(address, object)| Some((address.clone(), self.see(address, object)?)));
        Seen::of_shared(seen.collect())
    }
}
