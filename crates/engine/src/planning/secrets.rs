//! Secrets of stores: which of them stay though no wanted object names them, and what clients are told before one goes.
//!
//! Goes in: a plan's input, its steps. Comes out: addresses, notes.

use std::collections::BTreeSet;

use serde_json::Value;

use super::input::PlanInput;
use super::tables;
use rgctl_model::address::Address;
use rgctl_model::kinds::KindId;
use rgctl_model::plan::{Op, Step};
use rgctl_schema::names::Name;

/// The field by which a store names its own secret.
const MASTER_SECRET: &str = "master_secret";

/// Secrets that wanted objects still have, where nothing is wanted in their place: a store that has lost its second region keeps
/// the password that it has.
pub(super) fn still_used(input: &PlanInput<'_>) -> BTreeSet<Address> {
    if input.destroy {
        return BTreeSet::new();
    }
    let mut used = BTreeSet::new();
    for (address, node) in &input.desired.nodes {
        if !address.kind.references().iter().any(|reference| reference.kind == KindId::Secret) {
            continue;
        }
        let is_named =
            node.attrs.get(MASTER_SECRET).is_some() || node.attrs.get("master_secret_arn").is_some();
        let Some(seen) = input.inventory.seen.get(address).filter(|_| !is_named) else { continue };
        let name = seen.attrs.text(MASTER_SECRET).and_then(|name| Name::new(name).ok());
        used.extend(name.map(|name| Address::new(address.region.clone(), KindId::Secret, name)));
    }
    used
}

/// Whether a change takes away what no member of a global object has: here, the secret that the service keeps.
pub(super) fn leaves_service(op: &Op) -> bool {
    let Op::Modify { address, changes, .. } = op else { return false };
    let field = tables::of(address.kind).outside_global;
    changes.iter().any(|change| Some(change.field.as_str()) == field && change.after == Value::Bool(false))
}

/// What is said of the changes by which a service's own secret goes.
pub(super) fn notes<'a>(steps: impl Iterator<Item = &'a Step>) -> Vec<String> {
    let leaving = steps.filter(|step| leaves_service(&step.op)).filter_map(|step| {
        let Op::Modify { address, attrs, .. } = &step.op else { return None };
        let named = attrs.text(MASTER_SECRET).or_else(|| attrs.text("master_secret_arn"))?;
        Some(format!(
            "{address}: with the change of its password the secret that the service keeps goes, and whoever reads it has to read \
             {named} from then on; `rgctl outputs` tells its ARN. Connections that are open stay"
        ))
    });
    leaving.collect()
}
