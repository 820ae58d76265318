//! What the blueprints of a cluster cost, as numbers for whoever collects them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::agent::metrics::{Metric, Metrics, SERIES_MAX};
use crate::agent::work::Key;
use crate::operator::costs;
use rgctl_engine::planning::Figures;
use rgctl_kube::kinds::document::Cost;
use rgctl_model::node::Desired;
use rgctl_schema::money::Currency;
use rgctl_schema::names::RegionId;

/// What a blueprint costs an hour, by region and currency.
type Hours = Box<[(RegionId, Currency, f64)]>;

/// What each costs.
pub struct Costs {
    metrics: Arc<Metrics>,
    all: Mutex<BTreeMap<Key, Hours>>,
}

impl Costs {
    /// Told to these numbers.
    pub const fn new(metrics: Arc<Metrics>) -> Self {
        Self { metrics, all: Mutex::new(BTreeMap::new()) }
    }

    /// Notes what a blueprint costs as it is wanted.
    pub fn note(&self, key: &Key, desired: &Desired, figures: &dyn Figures) -> Cost {
        let by_region = costs::by_region(desired, figures);
        let cost = costs::cost(&costs::sum(by_region.values()));
        let hours = by_region.iter().flat_map(|(region, month)| {
            costs::numbers(month).map(|(currency, hour)| (region.clone(), currency, hour))
        });
        self.locked().insert(Arc::clone(key), hours.collect());
        cost
    }

    /// It is gone from the cluster.
    pub fn forget(&self, key: &Key) {
        self.locked().remove(key);
    }

    /// Tells all numbers: now and then, since it goes through all of them.
    pub fn tell(&self) {
        let all = self.locked();
        let mut regions: BTreeMap<(&str, &str), f64> = BTreeMap::new();
        let mut each = Vec::new();
        for (key, hours) in &*all {
            for (region, currency, hour) in hours {
                let (region, currency) = (region.as_str(), currency.code());
                *regions.entry((region, currency)).or_default() += hour;
                if all.len() <= SERIES_MAX {
                    let labels = vec![("blueprint", &**key), ("region", region), ("currency", currency)];
                    each.push((labels, *hour));
                }
            }
        }
        let regions = regions.into_iter();
        let regions = regions
            .map(|((region, currency), hour)| (vec![("region", region), ("currency", currency)], hour));
        self.metrics.set_all(Metric::CostPerHour, regions);
        self.metrics.set_all(Metric::BlueprintCostPerHour, each);
    }

    fn locked(&self) -> MutexGuard<'_, BTreeMap<Key, Hours>> {
        // A poisoned lock holds a whole value.
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
