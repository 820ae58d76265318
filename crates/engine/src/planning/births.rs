//! What an object keeps, whatever is wished for later: the zone that a member was made in, the parameters that the service has.
//!
//! It is said beside a plan that somebody reads. No turn of a run asks: it would go through all members for a sentence.

use std::collections::{BTreeMap, BTreeSet};

use super::input::PlanInput;
use super::primary::is_member;
use super::tables::{self, InGlobal};
use rgctl_model::address::Address;
use rgctl_model::node::Node;
use rgctl_model::observed::Observed;
use rgctl_model::plan::{Op, Plan};
use rgctl_schema::names::{Name, RegionId, StoreName};

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
    said.chain(input.desired.nodes.values().filter_map(|node| kept_by_the_service(input, plan, node)))
        .collect()
}

/// What the service has of a member of a global object, where a plan changes what was wished for in its place.
fn kept_by_the_service(input: &PlanInput<'_>, plan: &Plan, node: &Node) -> Option<String> {
    let address = &node.address;
    address.kind.global_kind()?;
    let seen = input.inventory.seen.get(address).filter(|_| !input.held_out.contains_key(&address.region))?;
    let is_changed = |group: &Address| {
        plan.steps.iter().any(|step| matches!(&step.op, Op::Modify { address, .. } if address == group))
    };
    let in_vain = |field: &str, kind| -> Option<(String, String)> {
        let (wished, has) = (node.attrs.text(field)?, seen.attrs.text(field)?);
        let group = Address::new(address.region.clone(), kind, Name::new(&wished).ok()?);
        (wished != has && is_changed(&group)).then_some((wished, has))
    };
    let of_service = |seen: &Observed| {
        let fields = address.kind.references().iter();
        let mut fields =
            fields.filter(|refers| tables::in_global(address.kind, refers.field) == InGlobal::Service);
        fields
            .find_map(|refers| in_vain(refers.field, refers.kind))
            .filter(|_| is_member(input.inventory, address, seen))
    };
    let (wished, has) = of_service(seen)?;
    Some(format!(
        "`{}` in {}: the parameters of a global datastore are those of the service's group `{has}`, which no call of rgctl \
         changes; what is changed of `{wished}` reaches no member: change `{has}` in the console, too",
        node.store, address.region
    ))
}
