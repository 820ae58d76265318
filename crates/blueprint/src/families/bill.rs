//! What objects cost, as quantities of the units that the catalogue prices.
//!
//! Goes in: attributes and expected use. Comes out: lines for a month of 730 hours; prices are looked up elsewhere.
//!
//! **Invariant:** a quantity that nobody can tell is a stated planning assumption, a named constant of this file.
//! **Invariant:** what the services do not bill apart (secondary copies of a volume, free backups) has no line.

use rgctl_model::bill::BillLine;
use rgctl_model::kinds::aurora::StorageKind;
use rgctl_model::kinds::{AnyAttrs, documentdb, elasticache, redshift};
use rgctl_model::node::{Node, Usage};
use rgctl_schema::names::RegionId;
use rgctl_schema::quantity::Bytes;

use super::Store;
use super::checks::aurora::is_past_support;
use super::expand::Placement;
use super::size::Level;

/// Hours of an average month.
pub const HOURS: f64 = 730.0;
/// Seconds of an average month.
pub const SECONDS: f64 = HOURS * 3_600.0;
/// Assumption: mean load of a month as a part of the load at its daily peak.
pub const MEAN_OF_PEAK: f64 = 0.5;
/// Assumption: part of the data that changes in a day, which is what each further day of backups keeps.
pub const DAILY_CHANGE: f64 = 0.02;
/// Assumption: processing units of a serverless cache that a request takes; one moves up to 1 KiB.
pub const ECPU_PER_REQUEST: f64 = 4.0;
/// Assumption: part of a month in which a serverless warehouse works; it bills nothing when idle.
pub const WAREHOUSE_BUSY: f64 = 0.3;
/// Assumption: reads a second that one capacity unit of a serverless database carries at its aim of use.
pub const READS_PER_ACU: f64 = 300.0;
/// Assumption: writes a second that one capacity unit carries.
pub const WRITES_PER_ACU: f64 = 80.0;

/// What the catalogue calls a service.
#[derive(Clone, Copy)]
struct Of<'a> {
    service: &'a str,
    engine: &'a str,
    config: &'a str,
}

impl Of<'_> {
    fn line(self, sku: &str, unit: &str, quantity: f64) -> BillLine {
        BillLine {
            service: self.service.to_owned(),
            sku: sku.to_owned(),
            engine: self.engine.to_owned(),
            config: self.config.to_owned(),
            unit: unit.to_owned(),
            quantity: quantity.max(0.0),
        }
    }
    const fn any_config(self) -> Self {
        Self { config: "-", ..self }
    }
}

/// Lines of one object that stands alone. The region does not change quantities; it is in the signature so that a
/// family whose units differ by region needs no other caller.
///
/// A member whose price depends on its cluster's storage is taken for `standard`; [`bill_of_member`] knows better.
pub fn bill_of(attrs: &AnyAttrs, usage: &Usage, _region: &RegionId) -> Vec<BillLine> {
    bill_of_member(attrs, usage, None)
}

/// Lines of one object, with what it is a member of.
pub fn bill_of_member(attrs: &AnyAttrs, usage: &Usage, parent: Option<&AnyAttrs>) -> Vec<BillLine> {
    match attrs {
        AnyAttrs::AuroraInstance(member) => {
            let engine = member.engine.map_or("-", |engine| engine.as_str());
            let of = Of { service: "aurora", engine, config: storage_of(parent) };
            let mut lines =
                member_lines(of, member.class.as_deref(), "serverless-v2-acu", "ACU-hour", usage, parent);
            if parent.is_some_and(pays_extended_support) {
                lines.extend(extended_support(of, &lines));
            }
            lines
        }
        AnyAttrs::DocumentInstance(member) => {
            let of = Of { service: "docdb", engine: "docdb", config: storage_of(parent) };
            member_lines(of, member.class.as_deref(), "serverless-dcu", "DCU-hour", usage, parent)
        }
        AnyAttrs::AuroraCluster(cluster) => {
            let config = cluster.storage_kind.unwrap_or(StorageKind::Standard).as_str();
            let of = Of {
                service: "aurora",
                engine: cluster.engine.map_or("-", |engine| engine.as_str()),
                config,
            };
            let days = cluster.backup_retention_days.unwrap_or(1);
            volume_lines(of, usage, days, cluster.global.is_some(), cluster.managed_password)
        }
        AnyAttrs::DocumentCluster(cluster) => document_cluster(cluster, usage),
        AnyAttrs::CacheGroup(group) => cache_group(group, usage),
        AnyAttrs::CacheServerless(cache) => cache_serverless(cache, usage),
        AnyAttrs::RedshiftCluster(cluster) => warehouse(cluster, usage),
        AnyAttrs::RedshiftNamespace(namespace) => {
            let mut lines = vec![warehouse_of("ra3").line("managed-storage", "GB-month", usage.data_gib)];
            lines.extend(secret(namespace.managed_password));
            lines
        }
        AnyAttrs::RedshiftWorkgroup(workgroup) => serverless_warehouse(workgroup),
        AnyAttrs::Secret(secret) => {
            // Each copy is billed as a secret of its own.
            let copies = secret.replica_regions.as_ref().map_or(0, std::collections::BTreeSet::len);
            vec![secrets(1.0 + f64::from(u32::try_from(copies).unwrap_or(u32::MAX)))]
        }
        _ => Vec::new(),
    }
}

fn storage_of(parent: Option<&AnyAttrs>) -> &'static str {
    let kind = match parent {
        Some(AnyAttrs::AuroraCluster(cluster)) => cluster.storage_kind,
        Some(AnyAttrs::DocumentCluster(cluster)) => cluster.storage_kind,
        _ => None,
    };
    kind.unwrap_or(StorageKind::Standard).as_str()
}

/// Bounds of capacity of serverless members, in whole units.
fn unit_bounds(parent: Option<&AnyAttrs>) -> (f64, f64) {
    let (min, max) = match parent {
        Some(AnyAttrs::AuroraCluster(c)) => (c.serverless_min_half_acu, c.serverless_max_half_acu),
        Some(AnyAttrs::DocumentCluster(c)) => (c.serverless_min_half_dcu, c.serverless_max_half_dcu),
        _ => (None, None),
    };
    let halves = |units: u32| f64::from(units) / 2.0;
    (min.map_or(0.5, halves), max.map_or(f64::INFINITY, halves))
}

/// Mean capacity units of a serverless member under its load, within the bounds.
fn mean_units(usage: &Usage, (min, max): (f64, f64)) -> f64 {
    let peak = usage.reads_per_second / READS_PER_ACU + usage.writes_per_second / WRITES_PER_ACU;
    (peak * MEAN_OF_PEAK).clamp(min, max.max(min))
}

fn member_lines(
    of: Of<'_>,
    class: Option<&str>,
    sku: &str,
    unit: &str,
    usage: &Usage,
    parent: Option<&AnyAttrs>,
) -> Vec<BillLine> {
    match class {
        None => Vec::new(),
        Some("db.serverless") => {
            vec![of.line(sku, unit, mean_units(usage, unit_bounds(parent)) * HOURS)]
        }
        Some(class) => vec![of.line(class, "hour", HOURS)],
    }
}

/// Whether the version of a cluster is past the end of standard support, and nobody said that it is not paid for: the service goes on by
/// itself (Aurora guide, "Using Amazon RDS Extended Support").
fn pays_extended_support(cluster: &AnyAttrs) -> bool {
    let AnyAttrs::AuroraCluster(cluster) = cluster else { return false };
    let of = cluster.engine.zip(cluster.engine_version.as_ref());
    cluster.extended_support != Some(false)
        && of.is_some_and(|(engine, version)| is_past_support(engine, &version.0))
}

/// What support past its end costs, by class.
fn extended_support(of: Of<'_>, members: &[BillLine]) -> Vec<BillLine> {
    let of = of.any_config();
    let line = |member: &BillLine| {
        of.line(&format!("extended-support-{}", member.sku), &member.unit, member.quantity)
    };
    members.iter().map(line).collect()
}

fn secret(managed: Option<bool>) -> Option<BillLine> {
    (managed == Some(true)).then(|| secrets(1.0))
}

fn secrets(count: f64) -> BillLine {
    Of { service: "secretsmanager", engine: "-", config: "-" }.line("secret", "secret-month", count)
}

/// Storage, I/O, backups beyond the free size of the volume, and writes sent from another region.
fn volume_lines(of: Of<'_>, usage: &Usage, days: u32, follows: bool, managed: Option<bool>) -> Vec<BillLine> {
    let mut lines = vec![of.line("storage", "GB-month", usage.data_gib)];
    if of.config == StorageKind::Standard.as_str() {
        lines.push(of.line("io-requests", "million-requests", usage.io_per_month / 1e6));
    }
    let backups = usage.data_gib * DAILY_CHANGE * f64::from(days);
    lines.push(of.any_config().line("backup-storage", "GB-month", backups));
    if follows {
        let writes = usage.writes_per_second * MEAN_OF_PEAK * SECONDS / 1e6;
        lines.push(of.any_config().line("global-replicated-write-io", "million-replicated-io", writes));
    }
    lines.extend(secret(managed));
    lines
}

fn document_cluster(cluster: &documentdb::ClusterAttrs, usage: &Usage) -> Vec<BillLine> {
    let config = cluster.storage_kind.unwrap_or(StorageKind::Standard).as_str();
    let of = Of { service: "docdb", engine: "docdb", config };
    let days = cluster.backup_retention_days.unwrap_or(1);
    volume_lines(of, usage, days, cluster.global.is_some(), cluster.managed_password)
}

fn cache_group(group: &elasticache::GroupAttrs, usage: &Usage) -> Vec<BillLine> {
    let engine = group.engine.map_or("-", |engine| engine.as_str());
    let of = Of { service: "elasticache", engine, config: "-" };
    let Some(class) = group.node_type.as_deref() else { return Vec::new() };
    let nodes = group.shards.unwrap_or(1) * (1 + group.replicas_per_shard.unwrap_or(0));
    let mut lines = vec![of.line(class, "node-hour", f64::from(nodes) * HOURS)];
    // Every snapshot is a whole one.
    let kept = f64::from(group.snapshot_retention_days.unwrap_or(0)) * usage.data_gib;
    lines.push(of.line("backup-storage", "GB-month", kept));
    lines
}

fn cache_serverless(cache: &elasticache::ServerlessAttrs, usage: &Usage) -> Vec<BillLine> {
    let engine = cache.engine.map_or("-", |engine| engine.as_str());
    let of = Of { service: "elasticache", engine, config: "-" };
    let data = usage.data_gib.max(f64::from(cache.data_min_gib.unwrap_or(0)));
    let requests = (usage.reads_per_second + usage.writes_per_second) * MEAN_OF_PEAK;
    let units = (requests * ECPU_PER_REQUEST).max(f64::from(cache.ecpu_min_per_second.unwrap_or(0)));
    let kept = f64::from(cache.snapshot_retention_days.unwrap_or(0)) * usage.data_gib;
    vec![
        of.line("serverless-data", "GB-hour", data * HOURS),
        of.line("serverless-ecpu", "million-ECPU", units * SECONDS / 1e6),
        of.line("backup-storage", "GB-month", kept),
    ]
}

const fn warehouse_of(config: &'static str) -> Of<'static> {
    Of { service: "redshift", engine: "redshift", config }
}

fn warehouse(cluster: &redshift::ClusterAttrs, usage: &Usage) -> Vec<BillLine> {
    let mut lines = Vec::new();
    let copies = if cluster.multi_az == Some(true) { 2.0 } else { 1.0 };
    let nodes = f64::from(cluster.nodes.unwrap_or(1)) * copies;
    if let Some(class) = cluster.node_type.as_deref().filter(|_| cluster.paused != Some(true)) {
        lines.push(warehouse_of("-").line(class, "node-hour", nodes * HOURS));
    }
    lines.push(warehouse_of("ra3").line("managed-storage", "GB-month", usage.data_gib));
    let days = f64::from(cluster.snapshot_retention_days.unwrap_or(1));
    lines.push(snapshots(usage.data_gib * DAILY_CHANGE * days));
    lines.extend(secret(cluster.managed_password));
    lines
}

fn snapshots(gib: f64) -> BillLine {
    warehouse_of("first-50TB").line("backup-storage", "GB-month", gib)
}

fn serverless_warehouse(workgroup: &redshift::WorkgroupAttrs) -> Vec<BillLine> {
    let base = f64::from(workgroup.base_rpu.unwrap_or(0));
    vec![warehouse_of("-").line("serverless-rpu", "RPU-hour", base * WAREHOUSE_BUSY * HOURS)]
}

/// Lines of all objects of a store at a site, alike ones added up.
pub(super) fn of_nodes(store: &Store, site: &Placement<'_>, nodes: &[Node], level: Level) -> Vec<BillLine> {
    let mut sum: Vec<BillLine> = Vec::new();
    let members = nodes.iter().filter(|node| node.address.kind.facts().parent.is_some()).count();
    for node in nodes {
        let parent = parent_of(node, nodes);
        // The load of a cluster is spread over its members.
        let usage = if parent.is_some() { share_of(&site.usage, members) } else { node.usage };
        let usage = usage_at(store, usage, level);
        for mut line in bill_of_member(&node.attrs, &usage, parent) {
            at_level(&mut line, node, parent, level);
            add(&mut sum, line);
        }
    }
    for line in elsewhere(store, site) {
        add(&mut sum, line);
    }
    sum
}

/// Managed storage grows by itself: its upper bound is what the section expects of it.
fn usage_at(store: &Store, usage: Usage, level: Level) -> Usage {
    match (store, level) {
        (Store::Redshift(warehouse), Level::Ceiling) if usage.data_gib > 0.0 => {
            let most = warehouse.max_storage.map_or(0.0, Bytes::as_gib);
            Usage { data_gib: usage.data_gib.max(most), ..usage }
        }
        _ => usage,
    }
}

fn parent_of<'n>(node: &Node, nodes: &'n [Node]) -> Option<&'n AnyAttrs> {
    let parent = node.address.kind.facts().parent?;
    let name = node.attrs.text(parent.field)?;
    let is_it = |other: &&Node| other.address.kind == parent.kind && other.address.name.as_str() == name;
    nodes.iter().find(is_it).map(|node| &node.attrs)
}

/// An equal part of a load.
pub fn share_of(usage: &Usage, members: usize) -> Usage {
    let parts = members.max(1) as f64;
    Usage {
        reads_per_second: usage.reads_per_second / parts,
        writes_per_second: usage.writes_per_second / parts,
        ..*usage
    }
}

/// What follows the load costs its least at the floor, and at the ceiling what its upper bound allows.
fn at_level(line: &mut BillLine, node: &Node, parent: Option<&AnyAttrs>, level: Level) {
    let (least, most) = match (&node.attrs, line.unit.as_str()) {
        (AnyAttrs::AuroraInstance(_) | AnyAttrs::DocumentInstance(_), "ACU-hour" | "DCU-hour") => {
            let (min, max) = unit_bounds(parent);
            (min * HOURS, max * HOURS)
        }
        (AnyAttrs::RedshiftWorkgroup(workgroup), "RPU-hour") => {
            let most = workgroup.max_rpu.or(workgroup.base_rpu).unwrap_or(0);
            (0.0, f64::from(most) * HOURS)
        }
        (AnyAttrs::CacheServerless(cache), "GB-hour") => {
            let most = cache.data_max_gib.map_or(line.quantity, |gib| f64::from(gib) * HOURS);
            (f64::from(cache.data_min_gib.unwrap_or(0)) * HOURS, most)
        }
        (AnyAttrs::CacheServerless(cache), "million-ECPU") => {
            let most = cache.ecpu_max_per_second.map_or(line.quantity, |n| f64::from(n) * SECONDS / 1e6);
            (f64::from(cache.ecpu_min_per_second.unwrap_or(0)) * SECONDS / 1e6, most)
        }
        _ => return,
    };
    match level {
        Level::Floor => line.quantity = least.min(line.quantity),
        Level::Expected => {}
        Level::Ceiling => line.quantity = most.max(line.quantity),
    }
}

/// What a store costs in a region in which it has no object: copies of a warehouse's snapshots.
fn elsewhere(store: &Store, site: &Placement<'_>) -> Vec<BillLine> {
    match store {
        Store::Redshift(warehouse) if site.is_secondary() && warehouse.serverless.is_none() => {
            let kept = warehouse.snapshot_copy.as_ref().map_or(7, |copy| super::expand::days(copy.retention));
            vec![snapshots(site.usage.data_gib * (1.0 + DAILY_CHANGE * f64::from(kept)))]
        }
        _ => Vec::new(),
    }
}

fn add(sum: &mut Vec<BillLine>, line: BillLine) {
    let alike = |other: &&mut BillLine| {
        (&other.service, &other.sku, &other.engine, &other.config, &other.unit)
            == (&line.service, &line.sku, &line.engine, &line.config, &line.unit)
    };
    match sum.iter_mut().find(alike) {
        Some(other) => other.quantity += line.quantity,
        None => sum.push(line),
    }
}
