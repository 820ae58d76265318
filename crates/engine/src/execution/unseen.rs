//! Parts of the world that do not answer, over the looks of one run: tried to a bound, then left to a person.

use std::collections::BTreeMap;

use rgctl_model::kinds::facts::Endpoint;
use rgctl_model::observed::Inventory;
use rgctl_schema::names::RegionId;
use rgctl_schema::time::{Moment, Span};

/// Since when each part of the world has not answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unseen {
    since: BTreeMap<(RegionId, Endpoint), Moment>,
}

impl Unseen {
    /// Takes note of a look. A gap that has been there for so long counts as one that time does not close; one that has
    /// closed in between begins anew.
    pub fn note(&mut self, inventory: &mut Inventory, bound: Span) {
        let taken = inventory.taken;
        let mut since = BTreeMap::new();
        for gap in &mut inventory.gaps {
            let part = (gap.region.clone(), gap.endpoint);
            let first = self.since.get(&part).copied().unwrap_or(taken);
            if !gap.lasting && taken.since(first) >= bound {
                gap.lasting = true;
                gap.why = format!("{}; asked again and again for {}", gap.why, taken.since(first));
            }
            since.insert(part, first);
        }
        self.since = since;
    }
}
