//! Databases of one writer and many readers. When a class and a number of members fit, `members` says.

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use rust_decimal::prelude::FromPrimitive;

use super::choose::{self, Candidate, Choice};
use super::connections::ConnectionLimit;
use super::load::first_month;
use super::members::{Members, all_vcpu, survivors, write_vcpu};
use super::{Answer, CapacityInput, Ceiling, FormulaRow, Load, Uncarried, assume};
use crate::families::aurora::AuroraStore;
use crate::families::bill::{MEAN_OF_PEAK, SECONDS};
use crate::families::documentdb::DocumentStore;
use crate::families::size::{Count, Size};
use rgctl_catalog::{InstanceClass, Unit};
use rgctl_model::kinds::aurora::{AuroraEngine, StorageKind};
use rgctl_model::overlay::Axis;
use rgctl_schema::quantity::Between;

/// What differs between the families, as the estimate sees it.
struct Shape {
    connections: ConnectionLimit,
    /// Part of the memory that holds pages.
    page_cache: f64,
    readers: Option<Between>,
    secondary_readers: Option<Between>,
    class: Option<String>,
    /// Half units, when serverless.
    serverless: Option<Between>,
    storage: Option<StorageKind>,
    volume_tib: Option<f64>,
}

pub(super) fn aurora(store: &AuroraStore, ask: &CapacityInput<'_>) -> Answer {
    let shape = Shape {
        connections: match (store.engine, &store.serverless) {
            (AuroraEngine::Mysql, _) => ConnectionLimit::AuroraMysql,
            (AuroraEngine::Postgresql, Some(units)) if units.min_acu.0 <= HALF_A_UNIT => {
                ConnectionLimit::AuroraPostgresqlThatRests
            }
            (AuroraEngine::Postgresql, _) => ConnectionLimit::AuroraPostgresql,
        },
        page_cache: assume::RELATIONAL_PAGE_CACHE,
        readers: store.readers,
        secondary_readers: store.secondary_readers,
        class: store.class.clone(),
        serverless: store.serverless.as_ref().map(|s| Between { min: s.min_acu.0, max: s.max_acu.0 }),
        storage: store.storage,
        volume_tib: choose::limit(ask, aurora_volume(store.engine, choose::version(ask).as_deref())),
    };
    estimate(&shape, ask)
}

pub(super) fn documentdb(store: &DocumentStore, ask: &CapacityInput<'_>) -> Answer {
    let shape = Shape {
        connections: match &store.serverless {
            None => ConnectionLimit::DocumentDb,
            Some(units) if units.min_dcu.0 <= 2 * HALF_A_UNIT => {
                ConnectionLimit::DocumentDbServerlessThatRests
            }
            Some(_) => ConnectionLimit::DocumentDbServerless,
        },
        page_cache: assume::DOCUMENT_PAGE_CACHE,
        readers: store.readers,
        secondary_readers: store.secondary_readers,
        class: store.class.clone(),
        serverless: store.serverless.as_ref().map(|s| Between { min: s.min_dcu.0, max: s.max_dcu.0 }),
        storage: store.storage,
        volume_tib: choose::limit(ask, "volume-max"),
    };
    estimate(&shape, ask)
}

/// Half a capacity unit, in the steps of bounds.
const HALF_A_UNIT: u32 = 1;

/// The catalogue's name of the largest volume of a version. Source: Aurora guide, "Size limits in Amazon Aurora": PostgreSQL
/// 15.13, 16.9, 17.5 and higher, MySQL 3.10 and higher. A version that is not known is taken for an older one.
fn aurora_volume(engine: AuroraEngine, version: Option<&str>) -> &'static str {
    let numbers = |text: &str| -> Vec<u32> { text.split('.').map_while(|part| part.parse().ok()).collect() };
    let is_recent = version.is_some_and(|version| match engine {
        AuroraEngine::Mysql => version
            .split_once("mysql_aurora.")
            .is_some_and(|(_, own)| numbers(own).as_slice() >= [3, 10].as_slice()),
        AuroraEngine::Postgresql => match numbers(version).as_slice() {
            [15, minor, ..] => *minor >= 13,
            [16, minor, ..] => *minor >= 9,
            [17, minor, ..] => *minor >= 5,
            [major, ..] => *major > 17,
            [] => false,
        },
    });
    if is_recent { "volume-max-recent-engines" } else { "volume-max-other-engines" }
}

impl Shape {
    /// So many members of one size.
    const fn members(&self, (vcpu, memory, gbps): Machine, count: u32, zones: u32) -> Members {
        Members {
            connections: self.connections,
            page_cache: self.page_cache,
            vcpu,
            memory,
            gbps,
            count,
            zones,
        }
    }
    /// So many members of a class, where its size is known.
    fn of_class(&self, class: &InstanceClass, count: u32, zones: u32) -> Option<Members> {
        Some(self.members(machine(class)?, count, zones))
    }
    fn class_fits(&self, class: &InstanceClass, count: u32, zones: u32, load: &Load) -> bool {
        self.of_class(class, count, zones).is_some_and(|members| members.carry(load))
    }
}

/// Processors, memory in GiB and lasting Gbit/s, where known, of one machine.
type Machine = (f64, f64, Option<f64>);

fn machine(class: &InstanceClass) -> Option<Machine> {
    Some((f64::from(class.vcpu?), class.memory_gib?, class.network_gbps_baseline))
}

/// The machine that so many half units are like.
fn of_units(half_units: u32) -> Machine {
    let units = f64::from(half_units) / 2.0;
    (units * assume::VCPU_PER_CAPACITY_UNIT, units * GIB_PER_UNIT, None)
}

fn estimate(shape: &Shape, ask: &CapacityInput<'_>) -> Answer {
    let load = ask.load;
    let secondaries = u32::try_from(ask.secondaries.len()).unwrap_or(u32::MAX);
    // A primary has one reader less for each region that follows it.
    let service_max = choose::limit(ask, "readers-per-cluster")
        .or_else(|| choose::limit(ask, "replicas-per-cluster"))
        .map_or(15, choose::units);
    let most = service_max.saturating_sub(secondaries);
    let bounds = shape.readers.unwrap_or(Between { min: 1, max: most });
    let within = Between { min: bounds.min.min(most), max: bounds.max.min(most) };
    let mut warnings = Vec::new();
    if within.max == 0 {
        warnings
            .push("without a reader, the loss of its zone stops the store until a member is made".to_owned());
    }
    let mut rows = vec![
        FormulaRow::new(
            "processors for writes",
            format!("writes/s ÷ {}", load.rates.writes),
            write_vcpu(load),
            "vCPU",
        ),
        FormulaRow::new(
            "processors in all",
            format!("the same + reads/s ÷ {}", load.rates.reads),
            all_vcpu(load),
            "vCPU",
        ),
    ];
    if shape.connections.bounds_work() {
        let formula = format!("requests/s × p99 ÷ (1 − {:.0} % headroom)", load.headroom * 100.0);
        rows.push(FormulaRow::new("connections that work", formula, load.active_connections, "connections"));
    }
    let picked = match shape.serverless {
        Some(units) => serverless(shape, ask, units, within, &mut rows, &mut warnings),
        None => machines(shape, ask, within, &mut rows, &mut warnings),
    };
    let readers = reader_count(shape, ask, within, picked.members - 1);
    if picked.fits {
        warnings.extend(crowds(shape, ask, picked.class.as_deref(), readers.max + 1));
    }
    let storage = storage_kind(shape, ask, picked.class.as_deref(), picked.members, &mut rows);
    let mut counts = BTreeMap::from([(Axis::Readers, readers)]);
    if let Some(units) = shape.serverless {
        counts.insert(Axis::CapacityUnits, Count::new(units, units.max));
    }
    let size = Size { class: picked.class.clone(), version: choose::version(ask), storage, counts };
    let secondary = secondary(shape, ask, &size);
    let uncarried = uncarried(shape, ask, &picked, within);
    Answer {
        rows,
        secondary,
        size,
        why: picked.why,
        ranking: picked.ranking,
        fits: picked.fits,
        uncarried,
        ceilings: ceilings(shape, ask, picked.class.as_deref(), within, most),
        warnings,
        io_per_month: io_per_month(load),
    }
}

/// Why no size of this family carries the load of today. A working set that is only assumed is left out of it: what is not in
/// memory is slow, and is carried.
fn uncarried(shape: &Shape, ask: &CapacityInput<'_>, picked: &Picked, within: Between) -> Option<Uncarried> {
    let load = ask.load;
    if let Some(tib) = shape.volume_tib.filter(|tib| load.data_gib > tib * 1024.0) {
        let why = format!("{:.0} TiB of data, and a volume holds at most {tib} TiB", load.data_gib / 1024.0);
        return Some(Uncarried { why, is_limit: true });
    }
    // In a single zone nothing is left of any size when that zone is lost.
    if picked.fits || shape.serverless.is_some() || ask.zones < 2 {
        return None;
    }
    let known = if load.states_working_set { load.working_set_gib } else { 0.0 };
    let load = Load { working_set_gib: known, rows: Vec::new(), ..load.clone() };
    let classes = choose::classes(ask, None);
    let members = within.max + 1;
    if classes.iter().any(|class| shape.class_fits(class, members, ask.zones, &load)) {
        return None;
    }
    let largest =
        classes.into_iter().max_by_key(|class| (class.vcpu, class.memory_gib.map(choose::units)))?;
    let broken = shape.of_class(largest, members, ask.zones)?.broken(&load);
    Some(Uncarried::assumed(format!(
        "{members} members of {} do not carry it: {}",
        largest.class,
        broken.join("; ")
    )))
}

/// What was picked.
struct Picked {
    class: Option<String>,
    members: u32,
    why: String,
    ranking: String,
    fits: bool,
}

fn machines<'c>(
    shape: &Shape,
    ask: &CapacityInput<'c>,
    within: Between,
    rows: &mut Vec<FormulaRow>,
    warnings: &mut Vec<String>,
) -> Picked {
    let load = ask.load;
    let classes = choose::classes(ask, shape.class.as_deref());
    let candidates = |load: &Load| {
        let carries = |&class: &&'c InstanceClass| {
            let mut members = within.min + 1..=within.max + 1;
            let members = members.find(|&members| shape.class_fits(class, members, ask.zones, load))?;
            Some(Candidate { class, machines: members, count: members })
        };
        classes.iter().filter_map(carries).collect()
    };
    let Choice { best, classes: carrying, ranking } = choose::best(ask, load, &candidates);
    if let Some(best) = best {
        let vcpu = f64::from(best.class.vcpu.unwrap_or(0));
        let left = survivors(best.count, ask.zones);
        let formula = format!("{} × {vcpu} vCPU × (1 − {:.0} % headroom)", best.count, load.headroom * 100.0);
        let usable = f64::from(best.count) * vcpu * (1.0 - load.headroom);
        rows.push(FormulaRow::new("usable processors", formula, usable, "vCPU"));
        let formula = format!("{left} members × {vcpu} vCPU, {} zones", ask.zones);
        rows.push(FormulaRow::new("processors without a zone", formula, f64::from(left) * vcpu, "vCPU"));
        let why = format!(
            "the first of {} classes that carry it: {} members of {}",
            carrying, best.count, best.class.class
        );
        return Picked {
            class: Some(best.class.class.clone()),
            members: best.count,
            why: if shape.class.is_some() { format!("{} as stated", best.class.class) } else { why },
            ranking,
            fits: true,
        };
    }
    nothing_fits(shape, &classes, within, warnings)
}

/// The most that there is, when nothing carries the load.
fn nothing_fits(
    shape: &Shape,
    classes: &[&InstanceClass],
    within: Between,
    warnings: &mut Vec<String>,
) -> Picked {
    let size = |class: &&&InstanceClass| (class.vcpu, class.memory_gib.map(choose::units));
    let largest = classes.iter().max_by_key(size).map(|class| class.class.clone());
    let class = shape.class.clone().or(largest);
    let named = class.as_deref().unwrap_or("any class");
    warnings.push(match (&shape.class, classes.is_empty()) {
        (Some(class), true) => {
            format!("the size of {class} is not known, so that nothing can be said about it")
        }
        (None, true) => "no class of known size is sold in all regions of this store".to_owned(),
        _ => format!("{} members of {named} do not carry this load by these assumptions", within.max + 1),
    });
    Picked {
        class,
        members: within.max + 1,
        why: "the most that the bounds allow".to_owned(),
        ranking: "none: nothing fits".to_owned(),
        fits: false,
    }
}

fn serverless(
    shape: &Shape,
    ask: &CapacityInput<'_>,
    units: Between,
    within: Between,
    rows: &mut Vec<FormulaRow>,
    warnings: &mut Vec<String>,
) -> Picked {
    let most = f64::from(units.max) / 2.0;
    let members = (within.min + 1..=within.max + 1)
        .find(|&count| shape.members(of_units(units.max), count, ask.zones).carry(ask.load));
    let need = all_vcpu(ask.load) / assume::VCPU_PER_CAPACITY_UNIT / (1.0 - ask.load.headroom);
    let formula = format!("processors ÷ {} ÷ (1 − headroom)", assume::VCPU_PER_CAPACITY_UNIT);
    rows.push(FormulaRow::new("capacity units at the peak, all members", formula, need, "units"));
    // The service advises a minimum that keeps the working set in memory.
    let warm = ask.load.working_set_gib / shape.page_cache / GIB_PER_UNIT;
    let formula = format!("GiB ÷ {:.2} ÷ {GIB_PER_UNIT}", shape.page_cache);
    rows.push(FormulaRow::new("units that hold the working set", formula, warm, "units"));
    if warm > f64::from(units.min) / 2.0 {
        warnings.push(format!(
            "at the least capacity of {} units the working set does not fit in memory: the first requests after a quiet time are slow",
            f64::from(units.min) / 2.0
        ));
    }
    if members.is_none() {
        warnings.push(format!("{} members of {most} units do not carry this load", within.max + 1));
    }
    Picked {
        class: None,
        members: members.unwrap_or(within.max + 1),
        why: format!("serverless as stated, up to {most} units a member"),
        ranking: "none: capacity follows the load".to_owned(),
        fits: members.is_some(),
    }
}

/// The known crowds that so many members do not carry.
fn crowds(shape: &Shape, ask: &CapacityInput<'_>, class: Option<&str>, members: u32) -> Vec<String> {
    let machine = match (shape.serverless, class) {
        (Some(units), _) => Some(of_units(units.max)),
        (None, class) => {
            let class = class.and_then(|class| ask.catalog.class(ask.store.catalog_service(), class));
            class.and_then(machine)
        }
    };
    let Some(machine) = machine else { return Vec::new() };
    ask.load.beyond(|load| shape.members(machine, members, ask.zones).carry(load))
}

/// Memory of a capacity unit.
const GIB_PER_UNIT: f64 = 2.0;

/// Readers with the bounds in which they may scale: those of the section, else room for the largest known crowd.
fn reader_count(shape: &Shape, ask: &CapacityInput<'_>, within: Between, readers: u32) -> Count {
    let room = choose::units(f64::from(readers) * ask.load.crowd * assume::ROOM_TO_SCALE);
    let max =
        if shape.readers.is_some() { within.max } else { room.clamp(within.min, within.max).max(readers) };
    Count::new(Between { min: within.min, max }, readers)
}

/// Members of a region that follows: all that the primary has when it serves reads or must take over faster than
/// members are made, else the fewest.
fn secondary(shape: &Shape, ask: &CapacityInput<'_>, primary: &Size) -> Size {
    let here = primary.counts.get(&Axis::Readers).copied().unwrap_or(Count::exactly(1));
    let full = here.now + 1;
    let now = if ask.serves_reads || ask.load.rto_minutes < assume::MEMBER_MINUTES { full } else { 1 };
    let bounds = shape.secondary_readers.unwrap_or(Between { min: 1, max: (here.max + 1).max(full) });
    let mut size = primary.clone();
    let bounds = Between { min: bounds.min.max(1), max: bounds.max.max(1) };
    size.counts.insert(Axis::Readers, Count::new(bounds, now));
    size
}

fn io_per_month(load: &Load) -> f64 {
    let a_second = load.reads * assume::PAGE_MISS_SHARE + load.writes * assume::IO_PER_WRITE;
    a_second * MEAN_OF_PEAK * SECONDS
}

/// Standard storage, unless the section or known prices say that I/O-Optimized costs less.
fn storage_kind(
    shape: &Shape,
    ask: &CapacityInput<'_>,
    class: Option<&str>,
    members: u32,
    rows: &mut Vec<FormulaRow>,
) -> StorageKind {
    let io = io_per_month(ask.load);
    let formula = "(reads × 5 % misses + writes × 2) × half of the peak, a month";
    rows.push(FormulaRow::new("storage I/O", formula, io / 1e6, "million a month"));
    if let Some(kind) = shape.storage {
        return kind;
    }
    let cost = |kind: StorageKind| -> Option<Decimal> {
        let (service, engine) = (ask.store.catalog_service(), ask.store.catalog_engine());
        let price = |sku: &str, unit| {
            let found = ask.catalog.nearest_price(service, sku, engine, kind.as_str(), ask.region, unit);
            found.money().map(|money| money.amount)
        };
        let times = |price: Decimal, n: f64| Decimal::from_f64(n).and_then(|n| price.checked_mul(n));
        let machines = times(price(class?, Unit::Hour)?, f64::from(members) * crate::families::bill::HOURS)?;
        let storage = times(price("storage", Unit::GbMonth)?, ask.load.data_gib)?;
        let requests = match kind {
            StorageKind::Standard => times(price("io-requests", Unit::MillionRequests)?, io / 1e6)?,
            StorageKind::IoOptimized => Decimal::ZERO,
        };
        machines.checked_add(storage)?.checked_add(requests)
    };
    let kinds = [StorageKind::Standard, StorageKind::IoOptimized];
    let before = ask.before.and_then(|before| kinds.into_iter().find(|kind| kind.as_str() == before.storage));
    match (cost(StorageKind::Standard), cost(StorageKind::IoOptimized), before) {
        // Near the point where both cost the same, each change of demand would be one of the kind.
        (Some(standard), Some(optimized), Some(before)) => {
            let (kept, other, change) = match before {
                StorageKind::Standard => (standard, optimized, StorageKind::IoOptimized),
                StorageKind::IoOptimized => (optimized, standard, StorageKind::Standard),
            };
            if kept <= other * assume::KEPT_STORAGE_COST_MAX { before } else { change }
        }
        (Some(standard), Some(optimized), None) if optimized < standard => StorageKind::IoOptimized,
        (_, _, before) => before.unwrap_or(StorageKind::Standard),
    }
}

fn ceilings(
    shape: &Shape,
    ask: &CapacityInput<'_>,
    class: Option<&str>,
    within: Between,
    most: u32,
) -> Vec<Ceiling> {
    let load = ask.load;
    let mut found = Vec::new();
    let mut watch = |what: &str, limit: String, fits: &dyn Fn(&Load) -> bool| {
        if let Some(reached_in) = first_month(load, fits) {
            found.push(Ceiling { what: what.to_owned(), limit, reached_in });
        }
    };
    let chosen = class.and_then(|class| ask.catalog.class(ask.store.catalog_service(), class));
    if let Some(class) = chosen {
        let name = &class.class;
        let one = shape.members(machine(class).unwrap_or_default(), 1, ask.zones);
        let any = |max: u32, load: &Load| (1..=max + 1).any(|count| Members { count, ..one }.share(load));
        let limit = format!("{name}: a larger class is needed");
        watch("writes or working set on this class", limit, &|load| one.writes(load));
        let limit = format!("{} readers of {name}, the blueprint's bound", within.max);
        watch("members within the blueprint", limit, &|load| any(within.max, load));
        let limit = format!(
            "{most} readers of {name}, the service's limit with {} regions that follow",
            ask.secondaries.len()
        );
        watch("members of this class", limit, &|load| any(most, load));
    }
    let all = choose::classes(ask, None);
    let largest = all.iter().max_by_key(|class| class.vcpu);
    if let (None, Some(largest)) = (shape.serverless, largest) {
        let one = shape.members(machine(largest).unwrap_or_default(), 1, ask.zones);
        let limit = format!("{}, the largest class: the writer cannot grow further", largest.class);
        watch("writes or working set of the writer", limit, &|load| one.writes(load));
        let memory = one.memory;
        let connections = shape.connections.open(memory) * f64::from(most + 1);
        let limit = format!("{connections:.0} connections on {} members of {}", most + 1, largest.class);
        watch("connections", limit, &|load| load.connections <= connections);
        let active = shape.connections.active(memory) * f64::from(most + 1);
        if active < connections {
            let limit = format!("{active:.0} at the same time on {} members of {}", most + 1, largest.class);
            watch("connections that work", limit, &|load| load.active_connections <= active);
        }
    }
    if let Some(tib) = shape.volume_tib {
        watch("storage", format!("{tib} TiB, the largest volume"), &|load| load.data_gib <= tib * 1024.0);
    }
    found
}
