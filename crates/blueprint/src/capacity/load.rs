//! What each store of a cell has to carry: requests, data, connections.
//!
//! **Invariant:** shares that no section states are split evenly over the stores that state none; a cache's misses and
//! written-through writes are on top of what its origin carries itself.

use std::collections::BTreeMap;
use std::fmt;

use super::crowd::{self, Crowd};
use super::{FormulaRow, assume};
use crate::families::checks;
use crate::families::common::{CachePattern, StoreDemand};
use crate::families::elasticache::Cache;
use crate::families::{Family, Store};
use crate::spec::{Blueprint, Cell};
use rgctl_schema::names::StoreName;
use rgctl_schema::quantity::{Bytes, Count, PerMonth, Share};
use rgctl_schema::time::{Moment, Span};

/// Days of an average month.
const MONTH_DAYS: f64 = 365.25 / 12.0;
/// The least number of connections that is planned for.
const CONNECTIONS_MIN: f64 = 20.0;

/// What a store has to carry at the peak of a usual day.
#[derive(Clone, Debug, PartialEq)]
pub struct Load {
    /// Reads a second.
    pub reads: f64,
    /// Writes a second.
    pub writes: f64,
    /// Open connections.
    pub connections: f64,
    /// Connections that work at the same time.
    pub active_connections: f64,
    /// Stored data in GiB.
    pub data_gib: f64,
    /// Data that must be in memory, in GiB.
    pub working_set_gib: f64,
    /// Whether that is stated, and not a share of the data that is assumed.
    pub states_working_set: bool,
    /// Bytes that a request moves.
    pub request_bytes: f64,
    /// Growth of requests and connections from month to month.
    pub request_growth: f64,
    /// Growth of data from month to month.
    pub data_growth: f64,
    /// Part of the capacity that stays free at the peak.
    pub headroom: f64,
    /// The largest known crowd ahead as a multiple of the usual peak.
    pub crowd: f64,
    /// The known crowds ahead, the nearest first.
    pub crowds: Vec<Crowd>,
    /// Availability to hold to, from 0 to 1.
    pub availability: f64,
    /// Minutes that a recovery may take.
    pub rto_minutes: u64,
    /// What one processor carries.
    pub rates: Rates,
    /// How the numbers were found.
    pub rows: Vec<FormulaRow>,
}

/// What one processor of the store's machines carries, measured or assumed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rates {
    /// Point reads a second of a database.
    pub reads: Rate,
    /// Small writes a second of a database.
    pub writes: Rate,
    /// Commands a second of a cache.
    pub commands: Rate,
    /// GiB that a warehouse scans in acceptable time.
    pub data_gib: Rate,
}

/// A rate, and whether somebody measured it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    /// The number.
    pub value: f64,
    /// Whether the blueprint states it.
    pub is_measured: bool,
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} per processor ({})", self.value, self.origin())
    }
}

impl Rate {
    /// Where the number is from, in a word.
    pub(super) const fn origin(self) -> &'static str {
        if self.is_measured { "measured" } else { "assumed" }
    }
}

impl Rates {
    fn of(store: &Store) -> Self {
        let stated = store.stated_rates();
        // Zero would be no rate, and is a finding of the section.
        let rate = |field: &str, scale: f64, assumed: f64| {
            let own = stated.iter().find(|(name, number)| *name == field && *number > 0);
            own.map_or(Rate { value: assumed, is_measured: false }, |(_, number)| Rate {
                value: *number as f64 / scale,
                is_measured: true,
            })
        };
        let (reads, writes) = match store.family() {
            Family::DocumentDb => (assume::DOCUMENT_READS_PER_VCPU, assume::DOCUMENT_WRITES_PER_VCPU),
            Family::Aurora | Family::ElastiCache | Family::Redshift => {
                (assume::RELATIONAL_READS_PER_VCPU, assume::RELATIONAL_WRITES_PER_VCPU)
            }
        };
        Self {
            reads: rate(checks::READS_PER_VCPU, 1.0, reads),
            writes: rate(checks::WRITES_PER_VCPU, 1.0, writes),
            commands: rate(checks::COMMANDS_PER_VCPU, 1.0, assume::CACHE_OPS_PER_VCPU),
            data_gib: rate(checks::DATA_PER_VCPU, Bytes::GIB as f64, assume::WAREHOUSE_GIB_PER_VCPU),
        }
    }
}

impl Load {
    /// The load after so many months of the stated growth.
    #[must_use]
    pub fn after(&self, months: u32) -> Self {
        self.grown(f64::from(months))
    }

    fn grown(&self, exponent: f64) -> Self {
        let (requests, data) =
            ((1.0 + self.request_growth).powf(exponent), (1.0 + self.data_growth).powf(exponent));
        Self {
            reads: self.reads * requests,
            writes: self.writes * requests,
            connections: self.connections * requests,
            active_connections: self.active_connections * requests,
            data_gib: self.data_gib * data,
            working_set_gib: self.working_set_gib * data,
            rows: Vec::new(),
            crowds: Vec::new(),
            ..self.clone()
        }
    }

    /// The same with so many times as much of everything.
    pub(super) fn times(&self, factor: f64) -> Self {
        Self {
            reads: self.reads * factor,
            writes: self.writes * factor,
            connections: self.connections * factor,
            active_connections: self.active_connections * factor,
            data_gib: self.data_gib * factor,
            working_set_gib: self.working_set_gib * factor,
            rows: Vec::new(),
            crowds: Vec::new(),
            ..self.clone()
        }
    }

    /// The load while a known crowd is there; what is kept free at a usual peak is for such a day.
    fn with(&self, crowd: &Crowd) -> Self {
        let grown = self.grown(crowd.months);
        let times = crowd.times.as_f64();
        Self {
            reads: grown.reads * times,
            writes: grown.writes * times,
            connections: grown.connections * times,
            active_connections: grown.active_connections * times * (1.0 - self.headroom),
            headroom: 0.0,
            ..grown
        }
    }

    /// The known crowds that the upper bounds do not carry, in words.
    pub(super) fn beyond(&self, carried: impl Fn(&Self) -> bool) -> Vec<String> {
        let beyond = self.crowds.iter().filter(|crowd| !carried(&self.with(crowd)));
        let text = |crowd: &Crowd| {
            format!(
                "the upper bounds do not carry `{}` of {}, {} the usual peak, by these assumptions",
                crowd.name, crowd.starts, crowd.times
            )
        };
        beyond.map(text).collect()
    }

    /// Network bandwidth in Gbit a second.
    pub fn gbps(&self) -> f64 {
        (self.reads + self.writes) * self.request_bytes * 8.0 / 1e9
    }
}

/// The first month in which something no longer fits, within the months that are followed.
pub(super) fn first_month(load: &Load, fits: impl Fn(&Load) -> bool) -> Option<u32> {
    // How the numbers were found is of no interest here, and dear to copy for every month.
    let bare = Load { rows: Vec::new(), crowds: Vec::new(), ..load.clone() };
    (0..=assume::MONTHS_AHEAD).find(|&months| !fits(&bare.after(months)))
}

/// What is known of all stores together.
struct Whole {
    requests: f64,
    read_share: f64,
    cell_share: f64,
    rest_share: f64,
    rest_data_gib: f64,
    crowds: Vec<Crowd>,
}

/// Loads of all stores of a cell.
pub fn loads(blueprint: &Blueprint, cell: &Cell, now: Moment) -> BTreeMap<StoreName, Load> {
    let whole = Whole { crowds: crowd::ahead(blueprint, cell, now), ..whole(blueprint, cell) };
    let stores: Vec<&Store> = blueprint.spec.stores.iter().filter(|store| cell.has(store.name())).collect();
    let mut loads: BTreeMap<StoreName, Load> =
        stores.iter().map(|store| (store.name().clone(), own_load(blueprint, &whole, store))).collect();
    for store in stores {
        if let Store::ElastiCache(section) = store
            && let Some(cache) = &section.cache
            && let Some(origin) = &cache.origin
            && let Some(front) = loads.get(store.name()).cloned()
            && let Some(behind) = loads.get_mut(origin)
        {
            pass_on(store.name(), cache, &front, behind);
        }
    }
    for load in loads.values_mut() {
        finish(blueprint, load);
    }
    loads
}

fn whole(blueprint: &Blueprint, cell: &Cell) -> Whole {
    let demand = &blueprint.spec.demand;
    let cell_share = blueprint.demand_share(cell).fraction();
    let players = demand.players.peak_concurrent.0 as f64;
    let requests = players * f64::from(demand.requests_per_player_per_minute) / 60.0 * cell_share;
    let stores: Vec<&Store> = blueprint.spec.stores.iter().filter(|store| cell.has(store.name())).collect();
    let given = |pick: fn(&StoreDemand) -> Option<f64>| {
        let all = stores.iter().map(|store| (store, store.common().demand.as_ref().and_then(pick)));
        let (mut sum, mut open) = (0.0, 0_u32);
        for (store, value) in all {
            match value {
                Some(value) => sum += value,
                // A warehouse sees no requests of players unless its section says so.
                None if store.family() == Family::Redshift => {}
                None => open += 1,
            }
        }
        (sum, f64::from(open.max(1)))
    };
    let (shares, open_shares) = given(|demand| demand.request_share.map(Share::fraction));
    let (data, open_data) = given(|demand| demand.data_size.map(Bytes::as_gib));
    let hot = demand.hot_data.as_ref().map_or(0.0, |hot| hot.size.as_gib());
    Whole {
        requests,
        read_share: demand.read_share.fraction(),
        cell_share,
        rest_share: (1.0 - shares).max(0.0) / open_shares,
        rest_data_gib: (hot - data).max(0.0) / open_data,
        crowds: Vec::new(),
    }
}

fn own_load(blueprint: &Blueprint, whole: &Whole, store: &Store) -> Load {
    let demand = &blueprint.spec.demand;
    let own = store.common().demand.as_ref();
    let is_warehouse = store.family() == Family::Redshift;
    let usual = if is_warehouse { 0.0 } else { whole.rest_share };
    let share = own.and_then(|own| own.request_share).map_or(usual, Share::fraction);
    let read_share = own.and_then(|own| own.read_share).map_or(whole.read_share, Share::fraction);
    let requests = whole.requests * share;
    let (reads, writes) = (requests * read_share, requests * (1.0 - read_share));
    let stated = own.and_then(|own| own.data_size).map(Bytes::as_gib);
    let data = stated.unwrap_or(if is_warehouse { 0.0 } else { whole.rest_data_gib }) * whole.cell_share;
    let in_memory = if store.family() == Family::ElastiCache { 1.0 } else { assume::WORKING_SET_SHARE };
    let working_set =
        own.and_then(|own| own.working_set).map_or(data * in_memory, |size| size.as_gib() * whole.cell_share);
    let growth = demand.players.growth_per_month.fraction();
    let data_growth =
        demand.hot_data.as_ref().and_then(|hot| hot.growth_per_month).map_or(growth, PerMonth::fraction);
    let mut rows = vec![
        FormulaRow::new(
            "requests at the peak",
            format!(
                "{} players × {} a minute ÷ 60 × {:.0} % of the demand × {:.1} % to this store",
                demand.players.peak_concurrent,
                demand.requests_per_player_per_minute,
                whole.cell_share * 100.0,
                share * 100.0
            ),
            requests,
            "requests/s",
        ),
        FormulaRow::new("reads", format!("{:.0} % of them", read_share * 100.0), reads, "reads/s"),
        FormulaRow::new("writes", "the rest", writes, "writes/s"),
    ];
    rows.extend(whole.crowds.iter().filter(|_| requests > 0.0).map(|crowd| {
        let grown = (1.0 + growth).powf(crowd.months);
        let formula =
            format!("from {}: {} × the usual peak × {grown:.2} of growth", crowd.starts, crowd.times);
        let most = requests * crowd.times.as_f64() * grown;
        FormulaRow::new(&format!("requests in `{}`", crowd.name), formula, most, "requests/s")
    }));
    let kept = own.and_then(|own| own.retention).or(demand.hot_data.as_ref().map(|hot| hot.retention));
    rows.extend(kept.filter(|kept| *kept > Span::ZERO).map(|kept| {
        let months = kept.as_secs_f64() / (MONTH_DAYS * 86_400.0);
        let formula = format!("data ÷ {kept}: what is older is moved on or deleted");
        FormulaRow::new("data that leaves a month", formula, data / months, "GiB")
    }));
    let own_objectives = store.common().objectives.as_ref();
    let usual = &blueprint.spec.objectives;
    let availability = own_objectives.and_then(|own| own.availability).unwrap_or(usual.availability);
    let rto = own_objectives.and_then(|own| own.rto).unwrap_or(usual.rto);
    Load {
        reads,
        writes,
        connections: stated_connections(own, demand.connections, share) * whole.cell_share,
        active_connections: 0.0,
        data_gib: data,
        working_set_gib: working_set,
        states_working_set: own.is_some_and(|own| own.working_set.is_some()),
        request_bytes: own.and_then(|own| own.request_size).unwrap_or(demand.request_size).0 as f64,
        request_growth: growth,
        data_growth,
        headroom: demand.headroom.fraction().min(0.9),
        crowd: whole.crowds.iter().map(|crowd| crowd.times.as_f64()).fold(1.0, f64::max),
        crowds: whole.crowds.clone(),
        availability: availability.fraction(),
        rto_minutes: rto.as_mins(),
        rates: Rates::of(store),
        rows,
    }
}

/// Connections of a store before its cell's share: its own, or of all that the servers hold open those that go its way.
fn stated_connections(own: Option<&StoreDemand>, all: Option<Count>, share: f64) -> f64 {
    let of_all = all.map_or(0.0, |count| count.0 as f64 * share);
    own.and_then(|own| own.connections).map_or(of_all, |count| count.0 as f64)
}

/// What a cache leaves to its origin: the reads that miss, and writes that go through it.
fn pass_on(name: &StoreName, cache: &Cache, front: &Load, behind: &mut Load) {
    let hits = cache.hit_ratio.map_or(assume::CACHE_HIT_RATIO, Share::fraction);
    let misses = front.reads * (1.0 - hits);
    behind.reads += misses;
    let formula = format!("{:.0} reads/s of `{name}` × {:.0} % that miss", front.reads, (1.0 - hits) * 100.0);
    behind.rows.push(FormulaRow::new("reads behind the cache", formula, misses, "reads/s"));
    if matches!(cache.pattern, CachePattern::WriteThrough | CachePattern::WriteBehind) {
        behind.writes += front.writes;
        let formula = format!("every write of `{name}` reaches its origin");
        behind.rows.push(FormulaRow::new("writes behind the cache", formula, front.writes, "writes/s"));
    }
}

/// What follows once all requests are known.
fn finish(blueprint: &Blueprint, load: &mut Load) {
    let p99 = blueprint.spec.objectives.p99.as_secs_f64();
    load.active_connections = (load.reads + load.writes) * p99 / (1.0 - load.headroom);
    if load.connections <= 0.0 {
        load.connections = load.active_connections.max(CONNECTIONS_MIN);
        let formula = format!("Little's law: requests/s × p99 {p99} s ÷ (1 − headroom), at least 20");
        load.rows.push(FormulaRow::new("connections", formula, load.connections.ceil(), "connections"));
    } else {
        let row = FormulaRow::new("connections", "as stated", load.connections, "connections");
        load.rows.push(row);
    }
    let year = load.after(12);
    let growth = format!("{:.1} % a month", load.data_growth * 100.0);
    load.rows.push(FormulaRow::new("data", "today", load.data_gib, "GiB"));
    load.rows.push(FormulaRow::new("data in 12 months", format!("grown by {growth}"), year.data_gib, "GiB"));
    let formula = "as stated, else 5 % of the data (all of it in a cache)";
    load.rows.push(FormulaRow::new("working set", formula, load.working_set_gib, "GiB"));
    let formula = format!("requests/s × {:.0} bytes × 8", load.request_bytes);
    load.rows.push(FormulaRow::new("bandwidth", formula, load.gbps(), "Gbit/s"));
}
