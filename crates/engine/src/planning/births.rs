//! What an object is made with and keeps, whatever is wished for later: the zone of a member.
//!
//! It is said beside a plan that somebody reads. No turn of a run asks: it would go through all members for a sentence.

use std::collections::BTreeMap;

use super::input::PlanInput;
use rgctl_schema::names::{RegionId, StoreName};

/// The field of a member with the zone that it was made in.
const ZONE: &str = "zone";

/// Members that would be made in other zones today, counted by store and region.
pub fn kept_from_birth(input: &PlanInput<'_>) -> Vec<String> {
    let mut stay: BTreeMap<(&StoreName, &RegionId), usize> = BTreeMap::new();
    for node in input.desired.nodes.values() {
        if node.address.kind.facts().parent.is_none() {
            continue;
        }
        let Some(seen) = input.inventory.seen.get(&node.address) else { continue };
        let (wanted, has) = (node.attrs.text(ZONE), seen.attrs.text(ZONE));
        if wanted.is_some() && has.is_some() && wanted != has && input.is_target(&node.address) {
            *stay.entry((&node.store, &node.address.region)).or_default() += 1;
        }
    }
    let said = stay.into_iter().map(|((store, region), count)| {
        let members = if count == 1 { "1 member stays".to_owned() } else { format!("{count} members stay") };
        format!(
            "`{store}` in {region}: {members} in the zone in which it was made; those that are made from now on follow the zones \
             of the region"
        )
    });
    said.collect()
}
