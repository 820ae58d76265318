//! What has been used so far: hours of classes and of storage, by region. Prices are looked up elsewhere.
//!
//! **Invariant:** an object is metered from its creation to its end, at each moment for what it was then.

use serde::Serialize;

use rgctl_model::address::Address;
use rgctl_model::bill::BillLine;
use rgctl_schema::names::RegionId;
use rgctl_schema::phase::Phase;
use rgctl_schema::time::Moment;

use super::size::class_of;
use super::state::{Meter, Object};
use super::world::World;

/// What a region has used so far.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Used {
    /// Where.
    pub region: RegionId,
    /// What; the quantity is what was used since the world began, in the line's unit.
    pub line: BillLine,
}

const GIB_HOUR: &str = "storage";

fn rates(object: &Object) -> Vec<(String, f64)> {
    let mut rates = Vec::new();
    let meaning = object.phase();
    let runs = !matches!(meaning, Phase::Creating | Phase::Stopped | Phase::Deleting);
    if let Some(class) = class_of(&object.attrs).filter(|_| runs) {
        let count = |field: &str| object.number(field).unwrap_or(1) as f64;
        let replicas = object.number("replicas_per_shard").unwrap_or(0) as f64;
        rates.push((class, count("nodes") * count("shards") * (1.0 + replicas)));
    }
    rates
}

impl World {
    /// Meters an object up to now; called before anything that is billed changes.
    pub(super) fn accrue(&mut self, address: &Address) {
        let now = self.now();
        let Some(object) = self.objects.get(address) else { return };
        let meter = self.metered(address, object, now);
        self.edit(address, |object| object.meter = meter);
    }

    fn metered(&self, address: &Address, object: &Object, now: Moment) -> Meter {
        let mut meter = object.meter.clone();
        let from = meter.since.as_millis().max(object.created.as_millis());
        let hours = now.since(Moment::from_millis(from)).as_secs_f64() / 3_600.0;
        if hours > 0.0 {
            for (sku, rate) in rates(object) {
                *meter.hours.entry(sku).or_default() += rate * hours;
            }
            if let Some(used) = self.used_gib(address).filter(|used| *used > 0.0) {
                *meter.hours.entry(GIB_HOUR.to_owned()).or_default() += used * hours;
            }
        }
        meter.since = now;
        meter
    }

    /// The meter of an object that is gone goes to the region's.
    pub(super) fn settle_bill(&mut self, address: &Address, object: &Object) {
        for (sku, hours) in self.metered(address, object, self.now()).hours {
            let key = ledger_key(address, object, &sku);
            *self.ledger.entry(key.clone()).or_default() += hours;
            self.touch(format!("ledger/{key}"));
        }
    }

    /// Everything used since the world began, by region, service and sku.
    pub fn used(&self) -> Vec<Used> {
        let mut sums = self.ledger.clone();
        for (address, object) in &self.objects {
            for (sku, hours) in self.metered(address, object, self.now()).hours {
                *sums.entry(ledger_key(address, object, &sku)).or_default() += hours;
            }
        }
        sums.iter().filter_map(|(key, hours)| read_key(key, *hours)).collect()
    }
}

fn ledger_key(address: &Address, object: &Object, sku: &str) -> String {
    let text = |field: &str| object.attrs.text(field).unwrap_or_default();
    {
        let (service, usual) = address.kind.listed_as();
        let engine = object.attrs.text("engine").unwrap_or_else(|| usual.to_owned());
        format!("{}|{service}|{sku}|{engine}|{}", address.region, text("storage_kind"))
    }
}

fn read_key(key: &str, hours: f64) -> Option<Used> {
    let mut parts = key.split('|').map(str::to_owned);
    let region = RegionId::new(parts.next()?).ok()?;
    let (service, sku, engine, config) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let unit = if sku == GIB_HOUR { "GB-hour" } else { "hour" }.to_owned();
    Some(Used { region, line: BillLine { service, sku, engine, config, unit, quantity: hours } })
}
