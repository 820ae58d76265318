//! One look for many blueprints: what each is shown, and what stands for it.

mod digests;
mod shared;
mod waits;
mod worlds;

use std::collections::BTreeSet;
use std::sync::Arc;

use rgctl_model::address::Address;
use rgctl_model::observed::{Inventory, Selection};
use rgctl_model::sweep::{Partition, Parts, Viewers, sift};
use rgctl_schema::names::{BlueprintName, RegionId};

pub fn game(name: &str) -> BlueprintName {
    BlueprintName::new(name).unwrap()
}

pub fn regions(codes: &[&str]) -> BTreeSet<RegionId> {
    codes.iter().map(|code| RegionId::new(code).unwrap()).collect()
}

/// A blueprint and the objects that it names.
pub type Viewer = (BlueprintName, BTreeSet<Address>);

pub fn selection((owner, named): &Viewer, regions: &BTreeSet<RegionId>) -> Selection {
    Selection {
        regions: regions.clone(),
        owner: Some(owner.clone()),
        named: named.clone(),
        ..Selection::default()
    }
}

/// What one look shows to all of them.
pub fn parts_of(inventory: Inventory, viewers: &[Viewer]) -> Parts {
    let all = Viewers::new(viewers.iter().map(|(name, named)| (name, named)));
    let mut partition = Partition::new(Arc::new(all), Box::new(|_, _, _| true));
    sift(inventory, &mut partition);
    partition.into_parts()
}
