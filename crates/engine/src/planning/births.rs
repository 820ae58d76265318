//! What an object is made with and keeps, whatever is wished for later: the zone of a member.
//!
//! It is said beside a plan that somebody reads. No turn of a run asks: it would go through all members for a sentence.

use std::collections::{BTreeMap, BTreeSet};

use super::input::PlanInput;
use rgctl_model::plan::{Op, Plan};
use rgctl_schema::names::{RegionId, StoreName};

/// The field of a member with the zone that it was made in.
const ZONE: &str = "zone";

/// How many members would be made in other zones today and stay where they are by a plan, by store and region.
pub fn kept_from_birth(input: &PlanInput<'_>, plan: &Plan) -> Vec<String> {
    let is_removed = |op: &Op| matches!(op, Op::Delete { .. });
    let removed: BTreeSet<_> =
        plan.steps.iter().map(|step| &step.op).filter(|op| is_removed(op)).map(Op::address).collect();
    let mut stay: BTreeMap<(&StoreName, &RegionId), usize> = BTreeMap::new();
    for node in input.desired.nodes.values() {
        let address = &node.address;
        if address.kind.facts().parent.is_none() || input.held_out.contains_key(&address.region) {
            continue;
        }
        let Some(seen) = input.inventory.seen.get(address) else { continue };
        let (wanted, has) = (node.attrs.text(ZONE), seen.attrs.text(ZONE));
        let differs = wanted.is_some() && has.is_some() && wanted != has;
        if differs && input.is_target(address) && !removed.contains(address) {
            *stay.entry((&node.store, &address.region)).or_default() += 1;
        }
    }
    let said = stay.into_iter().map(|((store, region), count)| {
        let stay = if count == 1 {
            "1 member stays in the zone in which it was made".to_owned()
        } else {
            format!("{count} members stay in the zones in which they were made")
        };
        format!(
            "`{store}` in {region}: {stay}; those that are made from now on follow the zones of the region"
        )
    });
    said.collect()
}
