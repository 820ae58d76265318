//! Caches: shards of nodes.
//!
//! A node class and a number of shards fit when the data fits in the memory that is left after the reserve and the
//! headroom, the primaries alone carry all commands with headroom, and the network of the primaries carries the
//! requests. A replica of each shard in another zone takes over when a zone is lost, so that no shard is lost with it.

use std::collections::BTreeMap;

use super::choose::{self, Candidate, Choice};
use super::load::first_month;
use super::{Answer, CapacityInput, Ceiling, FormulaRow, Load, Uncarried, assume};
use crate::families::common::CachePattern;
use crate::families::elasticache::{CacheServerless, CacheStore};
use crate::families::expand::{cluster_mode, gib_of};
use crate::families::size::{Count, Size};
use rgctl_catalog::InstanceClass;
use rgctl_model::kinds::aurora::StorageKind;
use rgctl_model::kinds::elasticache::ClusterMode;
use rgctl_model::overlay::Axis;
use rgctl_schema::quantity::{Between, Bytes, Share};

/// Families whose nodes may be members of a global datastore, `large` and above (guide, 2026-04).
const GLOBAL_FAMILIES: [&str; 8] = ["m5", "m6g", "m7g", "r5", "r6g", "r6gd", "r7g", "c7gn"];
/// Availability from which two replicas are planned, so that one may be replaced while a zone is lost.
const TWO_REPLICAS_FROM: f64 = 0.999_9;

pub(super) fn estimate<'c>(store: &CacheStore, ask: &CapacityInput<'c>) -> Answer {
    if let Some(bounds) = &store.serverless {
        return serverless(bounds, ask);
    }
    let load = ask.load;
    let usual = if load.availability >= TWO_REPLICAS_FROM { 2 } else { 1 };
    let replicas = store.replicas_per_shard.unwrap_or(Between { min: usual, max: 5 });
    let copies = Count::new(replicas, replicas.min.max(1));
    let service_max = choose::limit(ask, "shards-max-after-increase").map_or(1, choose::units);
    let service_max = if cluster_mode(store) == ClusterMode::Disabled {
        1
    } else {
        (service_max / (1 + copies.now)).max(1)
    };
    let shards = store.shards.unwrap_or(Between { min: 1, max: service_max });
    let mut warnings = Vec::new();
    if copies.now == 0 {
        warnings.push("without replicas, the loss of a zone loses the data of its shards".to_owned());
    }
    if ask.zones < 2 {
        warnings.push("with one zone, its loss cannot be survived".to_owned());
    }
    let classes = classes(store, ask);
    let candidates = |load: &Load| {
        let carries = |&class: &&'c InstanceClass| {
            let count = (shards.min.max(1)..=shards.max.max(1)).find(|&n| fits(class, n, load))?;
            Some(Candidate { class, machines: count * (1 + copies.now), count })
        };
        classes.iter().filter_map(carries).collect()
    };
    let Choice { best, classes: carrying, ranking } = choose::best(ask, load, &candidates);
    let (class, now) = if let Some(best) = best {
        (Some(best.class.class.clone()), best.count)
    } else {
        let largest = classes.iter().max_by_key(|class| (class.vcpu, class.class.clone()));
        let class = store.class.clone().or_else(|| largest.map(|class| class.class.clone()));
        warnings.push(too_few(shards.max));
        (class, shards.max)
    };
    let scales = shard_count(store, ask, shards, now);
    if let Some(best) = best {
        warnings.extend(load.beyond(|load| fits(best.class, scales.max, load)));
    }
    let mut rows = rows(best.as_ref(), load, copies.now);
    rows.extend(lifetime(store, load, &mut warnings));
    let counts = BTreeMap::from([(Axis::Shards, scales), (Axis::Replicas, copies)]);
    let size =
        Size { class: class.clone(), version: choose::version(ask), storage: StorageKind::Standard, counts };
    let why = match (&store.class, best) {
        (Some(class), _) => format!("{class} as stated, {now} shards with {} replicas", copies.now),
        (None, Some(best)) => format!(
            "the first of {} classes that carry it: {now} shards of {} with {} replicas each",
            carrying, best.class.class, copies.now
        ),
        (None, None) => "the most that the bounds allow".to_owned(),
    };
    Answer {
        rows,
        secondary: secondary(ask, &size),
        ceilings: ceilings(ask, class.as_deref(), shards, service_max, copies.now),
        size,
        why,
        ranking,
        fits: best.is_some(),
        // Where no class has a known size, nothing can be said.
        uncarried: (best.is_none() && class.is_some()).then(|| Uncarried::assumed(too_few(shards.max))),
        warnings,
        io_per_month: 0.0,
    }
}

fn too_few(shards: u32) -> String {
    format!("{shards} shards do not carry this load by these assumptions")
}

fn serverless(bounds: &CacheServerless, ask: &CapacityInput<'_>) -> Answer {
    let counts = bounds.max_data.map(|max| {
        let least = choose::units(ask.load.data_gib).max(1);
        let most = gib_of(max);
        (Axis::CapacityUnits, Count { min: least.min(most), now: most, max: most })
    });
    let size = Size {
        class: None,
        version: choose::version(ask),
        storage: StorageKind::Standard,
        counts: counts.into_iter().collect(),
    };
    let requests = ask.load.reads + ask.load.writes;
    let units = requests * (ask.load.request_bytes / 1024.0).max(1.0);
    let row = FormulaRow::new(
        "processing units at the peak",
        "requests/s × KiB a request, at least 1 each",
        units,
        "ECPU/s",
    );
    let most = bounds.max_ecpu_per_second.map_or(f64::INFINITY, |count| count.0 as f64);
    let kib = (ask.load.request_bytes / 1024.0).max(1.0);
    let mut warnings = ask.load.beyond(|load| (load.reads + load.writes) * kib <= most);
    let too_small = size.counts.values().any(|count| f64::from(count.max) < ask.load.data_gib);
    warnings.extend(too_small.then(|| "the data is more than `maxData`".to_owned()));
    Answer {
        rows: vec![row],
        secondary: size.clone(),
        size,
        why: "serverless as stated".to_owned(),
        ranking: "none: capacity follows the load".to_owned(),
        fits: !too_small,
        uncarried: None,
        ceilings: Vec::new(),
        warnings,
        io_per_month: 0.0,
    }
}

/// What comes in while an entry lives, at the peak: reads that miss fill the cache. More of it than the working set means
/// that entries are dropped before their time.
fn lifetime(store: &CacheStore, load: &Load, warnings: &mut Vec<String>) -> Option<FormulaRow> {
    let cache = store.cache.as_ref().filter(|cache| cache.pattern != CachePattern::Primary)?;
    let ttl = cache.ttl?;
    let misses = load.reads * (1.0 - cache.hit_ratio.map_or(assume::CACHE_HIT_RATIO, Share::fraction));
    let gib = misses * load.request_bytes * ttl.as_secs_f64() / Bytes::GIB as f64;
    if gib > load.working_set_gib {
        warnings.push(format!(
            "within the {ttl} that an entry lives, {gib:.0} GiB come in at the peak, the working set is {:.0} GiB: entries are dropped before they expire",
            load.working_set_gib
        ));
    }
    let formula = format!("{misses:.0} misses/s × {:.0} bytes × {ttl}", load.request_bytes);
    Some(FormulaRow::new("entries of one lifetime", formula, gib, "GiB"))
}

/// Memory in GiB that data may fill in a node.
fn usable_gib(class: &InstanceClass, load: &Load) -> f64 {
    class.memory_gib.unwrap_or(0.0) * (1.0 - assume::CACHE_RESERVED) * (1.0 - load.headroom)
}

/// Commands a second that a node carries with headroom.
fn usable_ops(class: &InstanceClass, load: &Load) -> f64 {
    let vcpu = class.vcpu.unwrap_or(0).min(assume::CACHE_VCPU_USED);
    f64::from(vcpu) * load.rates.commands.value * (1.0 - load.headroom)
}

fn fits(class: &InstanceClass, shards: u32, load: &Load) -> bool {
    let shards = f64::from(shards);
    load.working_set_gib <= shards * usable_gib(class, load)
        && load.reads + load.writes <= shards * usable_ops(class, load)
        && load.connections <= shards * assume::CACHE_CONNECTIONS_PER_NODE
        && class.network_gbps_baseline.is_none_or(|gbps| load.gbps() <= shards * gbps)
}

fn classes<'c>(store: &CacheStore, ask: &CapacityInput<'c>) -> Vec<&'c InstanceClass> {
    let global = !ask.secondaries.is_empty();
    let named = store.class.is_some();
    let all = choose::classes(ask, store.class.as_deref());
    all.into_iter()
        .filter(|class| named || class.family().ends_with("gd") == store.data_tiering)
        .filter(|class| named || !global || GLOBAL_FAMILIES.contains(&class.family()))
        .collect()
}

fn shard_count(store: &CacheStore, ask: &CapacityInput<'_>, bounds: Between, now: u32) -> Count {
    let room = choose::units(f64::from(now) * ask.load.crowd * assume::ROOM_TO_SCALE);
    let max = if store.shards.is_some() { bounds.max } else { room.min(bounds.max).max(now) };
    Count::new(Between { min: bounds.min.max(1), max }, now)
}

/// A region that follows has the same shards; its replicas are the fewest while it stands by.
fn secondary(ask: &CapacityInput<'_>, primary: &Size) -> Size {
    let mut size = primary.clone();
    if let Some(replicas) = size.counts.get_mut(&Axis::Replicas)
        && !ask.serves_reads
    {
        replicas.now = replicas.min;
    }
    size
}

fn rows(best: Option<&Candidate<'_>>, load: &Load, replicas: u32) -> Vec<FormulaRow> {
    let Some(best) = best else { return Vec::new() };
    let shards = f64::from(best.count);
    let memory = best.class.memory_gib.unwrap_or(0.0);
    let formula = format!("{shards} shards × {memory} GiB × (1 − 25 % reserve) × (1 − headroom)");
    let commands = format!(
        "{shards} shards × {}, at most {} processors × (1 − headroom)",
        load.rates.commands,
        assume::CACHE_VCPU_USED
    );
    vec![
        FormulaRow::new("usable memory", formula, shards * usable_gib(best.class, load), "GiB"),
        FormulaRow::new("usable commands", commands, shards * usable_ops(best.class, load), "commands/s"),
        FormulaRow::new(
            "nodes",
            format!("shards × (1 + {replicas} replicas); each shard has its copies in other zones"),
            f64::from(best.machines),
            "nodes",
        ),
    ]
}

fn ceilings(
    ask: &CapacityInput<'_>,
    class: Option<&str>,
    shards: Between,
    service_max: u32,
    replicas: u32,
) -> Vec<Ceiling> {
    let Some(class) = class.and_then(|class| ask.catalog.class("elasticache", class)) else {
        return Vec::new();
    };
    let name = &class.class;
    let quota = choose::limit(ask, "nodes-per-cluster-cluster-mode-default").map(choose::units);
    let quota = quota.map(|nodes| {
        let shards = nodes / (1 + replicas);
        (
            shards,
            "nodes of one cluster by default",
            format!("{nodes} nodes: {shards} shards of {name}; raised on request"),
        )
    });
    let own = (shards.max, "shards within the blueprint", format!("{} shards of {name}", shards.max));
    let service = (
        service_max,
        "shards of one cluster",
        format!("{service_max} shards of {name}: the cache is too big"),
    );
    let reached = |(most, what, limit): (u32, &str, String)| {
        let reached_in = first_month(ask.load, |load| fits(class, most.max(1), load))?;
        Some(Ceiling { what: what.to_owned(), limit, reached_in })
    };
    let quota = quota.filter(|(most, ..)| *most < service_max);
    [Some(own), quota, Some(service)].into_iter().flatten().filter_map(reached).collect()
}
