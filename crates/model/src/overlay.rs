//! Overlays: changes of desired state by something else than the blueprint, each with owner, reason and expiry.

use std::fmt;

use serde::{Deserialize, Serialize};

use rgctl_schema::names::{RegionId, StoreName};
use rgctl_schema::time::Moment;

/// A dimension in which a store grows and shrinks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Axis {
    /// Members that serve reads.
    Readers,
    /// Shards.
    Shards,
    /// Replicas of each shard.
    Replicas,
    /// Upper bound of serverless capacity units.
    CapacityUnits,
    /// Nodes of a warehouse.
    Nodes,
}

impl fmt::Display for Axis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Readers => "readers",
            Self::Shards => "shards",
            Self::Replicas => "replicas",
            Self::CapacityUnits => "capacity-units",
            Self::Nodes => "nodes",
        })
    }
}

/// A decision to run a store at a size other than the blueprint's, within the blueprint's bounds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Overlay {
    /// Which store.
    pub store: StoreName,
    /// In which region.
    pub region: RegionId,
    /// In which dimension.
    pub axis: Axis,
    /// The size, in units of the axis.
    pub target: u32,
    /// Who decided.
    pub owner: String,
    /// Why.
    pub why: String,
    /// The decision holds from then on, if it has not been withdrawn by then.
    pub firm_after: Moment,
    /// The decision is void from then on.
    pub expires: Moment,
}

impl Overlay {
    /// Whether the decision is in force.
    pub fn is_in_force(&self, now: Moment) -> bool {
        self.firm_after <= now && now < self.expires
    }
}
