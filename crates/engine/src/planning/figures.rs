//! Figures about kinds that come from outside: prices, capacities, limits.

use rgctl_model::bill::{CostRange, StoreBill};
use rgctl_model::kinds::AnyAttrs;
use rgctl_model::node::Usage;
use rgctl_schema::money::Total;
use rgctl_schema::names::RegionId;

/// Figures about kinds that the planner must not know itself: prices and capacities.
pub trait Figures: Send + Sync {
    /// Cost a month of one object.
    fn cost(&self, attrs: &AnyAttrs, usage: &Usage, region: &RegionId) -> Total;
    /// Cost a month of a store in a region, at its bounds.
    fn range(&self, bill: &StoreBill) -> CostRange;
    /// Data that an object of these attributes can hold, in GiB; nothing when it grows by itself or is unknown.
    fn capacity_gib(&self, attrs: &AnyAttrs) -> Option<f64>;
    /// Where the prices come from and how old they are, one line each.
    fn sources(&self) -> Vec<String>;
    /// Whether no price is known, so that nothing ever costs anything.
    fn is_unpriced(&self) -> bool {
        false
    }
    /// The limit of that name that every account has in a region at first; nothing where nobody knows.
    fn limit(&self, _service: &str, _item: &str, _region: &RegionId) -> Option<u64> {
        None
    }
}

/// No figures at all: costs are empty, capacities unknown. For work in which costs do not matter.
#[derive(Clone, Copy, Debug)]
pub struct NoFigures;

impl Figures for NoFigures {
    fn cost(&self, _: &AnyAttrs, _: &Usage, _: &RegionId) -> Total {
        Total::default()
    }
    fn range(&self, _: &StoreBill) -> CostRange {
        CostRange::default()
    }
    fn capacity_gib(&self, _: &AnyAttrs) -> Option<f64> {
        None
    }
    fn sources(&self) -> Vec<String> {
        Vec::new()
    }
    fn is_unpriced(&self) -> bool {
        true
    }
}

/// Figures without prices: for a run, which is decided by capacities and limits alone and plans anew very often.
#[derive(Clone, Copy)]
pub struct Unpriced<'a>(pub &'a dyn Figures);

impl Figures for Unpriced<'_> {
    fn cost(&self, attrs: &AnyAttrs, usage: &Usage, region: &RegionId) -> Total {
        NoFigures.cost(attrs, usage, region)
    }
    fn range(&self, bill: &StoreBill) -> CostRange {
        NoFigures.range(bill)
    }
    fn capacity_gib(&self, attrs: &AnyAttrs) -> Option<f64> {
        self.0.capacity_gib(attrs)
    }
    fn limit(&self, service: &str, item: &str, region: &RegionId) -> Option<u64> {
        self.0.limit(service, item, region)
    }
    fn sources(&self) -> Vec<String> {
        Vec::new()
    }
    fn is_unpriced(&self) -> bool {
        true
    }
}
