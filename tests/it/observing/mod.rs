//! One look for many blueprints: what each is shown, and what stands for it.

mod calls;
mod digests;
mod shared;
mod waits;
mod worlds;

use std::collections::BTreeSet;
use std::sync::Arc;

use rgctl_model::address::Address;
use rgctl_model::observed::{Inventory, Observed, Selection};
use rgctl_model::selection::Face;
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

/// What an observation with this selection would have shown at the same moment.
pub fn view(whole: &Inventory, selection: &Selection) -> Inventory {
    let within = |address: &Address| selection.regions.contains(&address.region);
    let spans = |address: &Address, seen: &Observed| {
        Face::of(address, seen).members().any(|member| selection.regions.contains(&member.region))
    };
    let here: Vec<(&Address, &Observed)> =
        whole.seen.iter().filter(|(address, seen)| within(address) || spans(address, seen)).collect();
    let faces: Vec<Face<'_>> = here.iter().map(|(address, seen)| Face::of(address, seen)).collect();
    let shown = here.into_iter().zip(selection.shown(&faces)).filter(|(_, shown)| *shown);
    let gaps = whole.gaps.iter().filter(|gap| selection.regions.contains(&gap.region)).cloned();
    let times = whole.times.iter().filter(|(region, _)| selection.regions.contains(*region));
    Inventory {
        seen: shown.map(|((address, seen), _)| (address.clone(), seen.clone())).collect(),
        gaps: gaps.collect(),
        taken: whole.taken,
        times: times.map(|(region, at)| (region.clone(), *at)).collect(),
        held_out: whole.held_out.clone(),
    }
}
