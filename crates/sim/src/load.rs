//! Load: what clients do to a store over the day, and what the meters of its machines show.
//!
//! The model is a sine of the day with its peak at 20:00 UTC, noise by the minute, and events. Capacities are round
//! figures by vCPU, good for shapes and not for sizing: 1,500 operations a second and vCPU for databases, 25,000 for
//! caches.
//!
//! **Invariant:** a sample depends on seed, object, signal and minute only, never on when it is asked for.

use rgctl_model::address::Address;
use rgctl_model::node::Usage;
use rgctl_model::series::{Series, SeriesAsk, Signal};
use rgctl_schema::phase::Role;
use rgctl_schema::time::{Moment, Span};

use super::size::{class_of, room_gib, vcpus};
use super::state::{Load, Surge, parent_of};
use super::timing;
use super::world::World;

const DATABASE_OPS_PER_VCPU: f64 = 1_500.0;
const CACHE_OPS_PER_VCPU: f64 = 25_000.0;
/// At night the load is this part of the peak.
const TROUGH: f64 = 0.35;
const PEAK_HOUR: f64 = 20.0;
const HOURS_PER_MONTH: f64 = 730.0;
/// Most samples of one answer, as the service bounds it.
const SAMPLES_MAX: usize = 100_800;
const GIB: f64 = 1_073_741_824.0;

impl World {
    /// Sets what clients do to a store.
    pub fn set_load(&mut self, address: &Address, usage: Usage, surges: Vec<Surge>) {
        self.accrue(address);
        self.looked = None;
        self.loads.insert(address.clone(), Load { usage, since: self.now(), surges });
        self.touch(format!("load/{address}"));
    }

    fn load_of(&self, address: &Address) -> Option<&Load> {
        if let Some(load) = self.loads.get(address) {
            return Some(load);
        }
        // A secondary holds what its primary holds.
        let global = self.global_of(address)?;
        let primary = self.objects.get(global)?.members.iter().find(|member| member.role == Role::Writer)?;
        self.loads.get(&Self::member_address(global, &primary.region, &primary.name)?)
    }

    /// Stored data in GiB.
    pub(super) fn used_gib(&self, address: &Address) -> Option<f64> {
        if !address.kind.facts().holds_data {
            return None;
        }
        Some(self.load_of(address).map_or(0.0, |load| stored(load, self.now())))
    }

    /// Answers a question about measured values.
    pub fn series(&self, ask: &SeriesAsk) -> Series {
        let mut samples = Vec::new();
        let delay = timing::METRIC_DELAY + self.metric_lag();
        let delivered = self.now() - delay;
        let period = ask.period.max(Span::from_secs(60));
        let step = i64::try_from(period.as_millis()).unwrap_or(i64::MAX);
        let mut at = Moment::from_millis(ask.from.as_millis().div_euclid(step).saturating_mul(step));
        let exists_from = self.objects.get(&ask.address).map(|object| object.created);
        while at < ask.until && at + period <= delivered && samples.len() < SAMPLES_MAX {
            if at >= ask.from
                && exists_from.is_some_and(|from| from <= at)
                && let Some(value) = self.sample(&ask.address, ask.signal, at)
            {
                samples.push((at, value));
            }
            at = at + period;
        }
        Series { ask: ask.clone(), samples }
    }

    fn sample(&self, address: &Address, signal: Signal, when: Moment) -> Option<f64> {
        let object = self.objects.get(address)?;
        let store = parent_of(address, &object.attrs).unwrap_or_else(|| address.clone());
        let load = self.load_of(&store)?;
        let shape = self.shape(&store, load, when);
        let (reads, writes) = (load.usage.reads_per_second * shape, load.usage.writes_per_second * shape);
        let is_member = store != *address;
        let (reads, writes) =
            if is_member { self.share(&store, object.role, reads, writes) } else { (reads, writes) };
        let class = class_of(&object.attrs);
        let cpus = class.as_deref().and_then(vcpus);
        let (nodes, per_vcpu) = match (object.number("shards"), object.number("nodes")) {
            (Some(shards), _) => {
                let replicas = object.number("replicas_per_shard").unwrap_or(0);
                ((shards * (1 + replicas)) as f64, CACHE_OPS_PER_VCPU)
            }
            (None, nodes) => (nodes.unwrap_or(1) as f64, DATABASE_OPS_PER_VCPU),
        };
        let busy = cpus.map(|cpus| (reads + 2.0 * writes) / (cpus * nodes * per_vcpu));
        let stored = stored(load, when);
        let full = room_gib(&object.attrs).map(|room| 100.0 * stored / room.max(0.001));
        Some(match signal {
            Signal::CpuPercent => (100.0 * busy? + 2.0).min(100.0),
            Signal::Connections => ((reads + writes) / 20.0).ceil(),
            Signal::FreeMemoryBytes => cpus? * 8.0 * GIB * (1.0 - 0.6 * busy?.min(1.0)),
            Signal::MemoryPercent | Signal::DiskPercent => full?.min(100.0),
            Signal::ReadsPerSecond => reads,
            Signal::WritesPerSecond => writes,
            Signal::StoredBytes => stored * GIB,
            Signal::CapacityUnits => ((reads + 2.0 * writes) / (DATABASE_OPS_PER_VCPU / 4.0)).max(0.5),
            Signal::ReplicaLagMs => 12.0 * (1.0 + 4.0 * busy.unwrap_or(0.0)),
            Signal::GlobalLagMs => 180.0 * (1.0 + shape),
            // A cache that is too small for its data misses more.
            Signal::HitPercent => full.map_or(95.0, |full| if full > 90.0 { 80.0 } else { 95.0 }),
        })
    }

    /// Writers take the writes, readers share the reads; a writer alone takes all.
    fn share(&self, cluster: &Address, role: Option<Role>, reads: f64, writes: f64) -> (f64, f64) {
        let readers = self.children(cluster).filter(|(_, member)| member.role == Some(Role::Reader)).count();
        match (role, readers) {
            (Some(Role::Writer), 0) => (reads, writes),
            (Some(Role::Writer), _) => (0.0, writes),
            (_, readers) => (reads / readers.max(1) as f64, 0.0),
        }
    }

    /// The load at a moment as a part of its peak.
    fn shape(&self, store: &Address, load: &Load, when: Moment) -> f64 {
        let hour = (when.as_secs().rem_euclid(86_400) as f64) / 3_600.0;
        let wave = f64::midpoint(((hour - PEAK_HOUR) / 24.0 * std::f64::consts::TAU).cos(), 1.0);
        let minute = when.as_secs().div_euclid(60).unsigned_abs();
        let noise = timing::fraction(timing::draw(self.seed(), "load", store, minute)) - 0.5;
        let surge = load
            .surges
            .iter()
            .filter(|surge| surge.from <= when && when < surge.until)
            .fold(1.0, |factor, surge| factor * surge.factor);
        (TROUGH + (1.0 - TROUGH) * wave) * (1.0 + 0.1 * noise) * surge
    }
}

fn stored(load: &Load, when: Moment) -> f64 {
    let months = when.since(load.since).as_secs_f64() / 3_600.0 / HOURS_PER_MONTH;
    load.usage.data_gib + load.usage.growth_gib_per_month * months
}
