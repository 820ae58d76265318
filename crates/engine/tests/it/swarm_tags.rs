//! Tags that are taken away outside rgctl, in a life of the swarm.

use std::collections::{BTreeMap, BTreeSet};

use rand::{Rng, RngExt};
use rgctl_model::address::Address;
use rgctl_model::node::{Desired, TAG_PREFIX, TAG_STORE};

use rgctl_testkit::site::Site;

/// Tags that were taken away outside rgctl.
#[derive(Default)]
pub struct LostTags {
    /// As they were.
    were: BTreeMap<Address, BTreeMap<String, Option<String>>>,
    /// Objects that the record knows again, by an id of the service. It does not know those of which no step is done
    /// yet, and those to which the service gives no id (groups of parameters and subnets).
    known: BTreeSet<Address>,
}

/// Takes tags of ours away outside rgctl from an object or two, or writes another store on it.
pub fn lose_tags(rng: &mut impl Rng, site: &Site, wanted: &Desired, lost_tags: &mut LostTags) -> u64 {
    let (inventory, claims) = (site.look(wanted), site.claims("game"));
    let tagged: Vec<_> = inventory
        .seen
        .iter()
        .filter(|(address, seen)| seen.owner().is_some() && !address.kind.facts().observe_only)
        .collect();
    let mut lost = 0;
    for _ in 0..rng.random_range(1..=2) {
        if tagged.is_empty() {
            break;
        }
        // Rather of what bears data than of what only helps it.
        let action: Vec<_> = tagged.iter().filter(|(address, _)| address.kind.facts().holds_data).collect();
        let (address, seen) = if action.is_empty() || rng.random_bool(0.4) {
            tagged[rng.random_range(0..tagged.len())]
        } else {
            *action[rng.random_range(0..action.len())]
        };
        let ours = seen.facts.tags.iter().filter(|(name, _)| name.starts_with(TAG_PREFIX));
        let (all, renames) = (rng.random_bool(0.5), rng.random_bool(0.4));
        let gone: Vec<_> = ours.filter(|_| all || rng.random_bool(0.5)).collect();
        let tags = gone.iter().map(|(name, value)| ((*name).clone(), Some((*value).clone())));
        let were = lost_tags.were.entry(address.clone()).or_default();
        for (name, value) in tags {
            // Of what is lost twice, the first loss knows how it was.
            were.entry(name).or_insert(value);
        }
        if claims.objects.get(address).is_some_and(|claimed| claimed.is_done && claimed.id.is_some()) {
            lost_tags.known.insert(address.clone());
        }
        // Or it writes the name of another store.
        let other = |name: &str| (name == TAG_STORE && renames).then(|| "s39".to_owned());
        let gone = gone.into_iter().map(|(name, _)| (name.clone(), other(name))).collect();
        let edited = site.cloud.with_world(|world| world.edit_tags(address, gone));
        lost += u64::from(edited.is_ok_and(|edited| edited.is_ok()));
    }
    lost
}

/// A person gives back what a run does not: tags of what the record does not know again, and of what is no longer wanted,
/// which is not deleted while nobody knows its store.
pub fn give_tags_back(site: &Site, lost: LostTags, wanted: &Desired) {
    for (address, tags) in lost.were {
        if !(lost.known.contains(&address) && wanted.nodes.contains_key(&address)) {
            // What has gone meanwhile needs none.
            let _ = site.cloud.with_world(|world| world.edit_tags(&address, tags));
        }
    }
}
