//! In which account a blueprint was worked on in each region, as its record remembers it.
//!
//! Goes in: a record. Comes out: accounts by region, for regions that its text does not name any more: whoever their documents name
//! by now need not be who made what is left there.

use std::collections::{BTreeMap, BTreeSet};

use super::memory;
use rgctl_model::ports::{Store, StoreError};
use rgctl_model::scope::Scope;
use rgctl_schema::names::RegionId;

/// Numbers of accounts, or [`ENVIRONMENT`], by region.
pub type WorkedIn = BTreeMap<RegionId, String>;

/// The account of whoever the environment says.
pub const ENVIRONMENT: &str = "the environment";

/// Name of the memory in the record.
const MEMORY: &str = "accounts";

/// What is remembered; a record that was begun before anything was remembered has nothing.
pub async fn recall(store: &dyn Store, scope: &Scope) -> Result<WorkedIn, StoreError> {
    Ok(memory::recall(store, scope, MEMORY).await?.unwrap_or_default())
}

/// Remembers in which accounts a blueprint's regions are worked in now, beside what is known of the others among these.
pub async fn keep(
    store: &dyn Store,
    scope: &Scope,
    known: &mut Option<WorkedIn>,
    regions: &BTreeSet<RegionId>,
    now: WorkedIn,
) -> Result<(), StoreError> {
    let was = match known.take() {
        Some(known) => known,
        None => recall(store, scope).await?,
    };
    let mut all = was.clone();
    all.retain(|region, _| regions.contains(region));
    all.extend(now);
    if all != was {
        memory::keep(store, scope, MEMORY, &all).await?;
    }
    *known = Some(all);
    Ok(())
}
