//! How stores are reached, as they were found.

use super::ImportedStore;
use rgctl_model::observed::Inventory;
use rgctl_schema::names::RegionId;

/// Subnets, security groups and key of a store in one region; empty where nothing tells.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct NetworkFacts {
    /// Subnets.
    pub subnets: Vec<String>,
    /// Security groups.
    pub security_groups: Vec<String>,
    /// Key that encrypts storage.
    pub kms_key: Option<String>,
}

/// How a store is reached in a region.
pub fn network(inventory: &Inventory, store: &ImportedStore, region: &RegionId) -> NetworkFacts {
    let mut facts = NetworkFacts::default();
    for part in store.parts.iter().filter(|part| part.region == *region) {
        let is_it = |address: &&rgctl_model::address::Address| {
            address.region == *region
                && address.kind == part.kind
                && Some(address.name.as_str()) == part.name.as_deref()
        };
        let Some(address) = inventory.seen.keys().find(is_it) else { continue };
        let Some(seen) = inventory.seen.get(address) else { continue };
        for (field, into) in
            [("subnets", &mut facts.subnets), ("security_groups", &mut facts.security_groups)]
        {
            if into.is_empty() {
                *into = seen.attrs.names(field);
            }
        }
        facts.kms_key = facts.kms_key.or_else(|| seen.attrs.text("kms_key"));
    }
    facts
}
