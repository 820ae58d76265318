//! What something costs, as quantities of priced units. Prices are looked up later, and may be unknown.

use serde::{Deserialize, Serialize};

use rgctl_schema::money::Total;
use rgctl_schema::names::{RegionId, StoreName};

/// A quantity of one priced unit, per month of 730 hours.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BillLine {
    /// Service, as the catalog names it: `aurora`, ...
    pub service: String,
    /// Class or named unit: `db.r7g.xlarge`, `storage`, `serverless-v2-acu`, ...
    pub sku: String,
    /// Engine, where the price depends on it.
    pub engine: String,
    /// Configuration, where the price depends on it: `standard`, `io-optimized`, ...
    pub config: String,
    /// Unit that the catalog prices: `hour`, `GB-month`, ...
    pub unit: String,
    /// Units a month.
    pub quantity: f64,
}

/// Bill lines of a store in one region, at the bounds of its scaling and in between.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StoreBill {
    /// The store.
    pub store: StoreName,
    /// The region.
    pub region: RegionId,
    /// Whether the region stands by for another one.
    pub standby: bool,
    /// At the lower bounds of all scaling axes.
    pub floor: Vec<BillLine>,
    /// As planned now.
    pub expected: Vec<BillLine>,
    /// At the upper bounds of all scaling axes.
    pub ceiling: Vec<BillLine>,
}

/// A cost per month at the bounds of scaling and in between.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CostRange {
    /// At the lower bounds.
    pub floor: Total,
    /// As planned.
    pub expected: Total,
    /// At the upper bounds.
    pub ceiling: Total,
}

impl CostRange {
    /// Adds all of another range.
    pub fn merge(&mut self, other: &Self) {
        self.floor.merge(&other.floor);
        self.expected.merge(&other.expected);
        self.ceiling.merge(&other.ceiling);
    }
}
