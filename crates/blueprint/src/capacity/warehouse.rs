//! Warehouses: nodes by stored data.
//!
//! A class and a number of nodes fit when managed storage holds the data of a year ahead and each processor scans no
//! more than the assumed part of it. A lost zone is survived by managed storage, which keeps the data in several: the
//! cluster is made anew from it, unless a second zone stands by.

use std::collections::BTreeMap;

use super::choose::{self, Candidate, Choice};
use super::load::first_month;
use super::{Answer, CapacityInput, Ceiling, FormulaRow, Load, Uncarried};
use crate::families::redshift::WarehouseStore;
use crate::families::size::{Count, Size};
use rgctl_catalog::InstanceClass;
use rgctl_model::kinds::aurora::StorageKind;
use rgctl_model::overlay::Axis;
use rgctl_schema::quantity::Between;

/// Nodes at least: a single node has no copy of its own and cannot be resized elastically.
const NODES_MIN: u32 = 2;
/// The least of the known limits of nodes at creation: that of `ra3.large` and of `ra3.xlplus`. Source: as in the catalogue.
const NODES_AT_CREATE_LEAST: u32 = 16;
/// Months of growth that the nodes are planned for.
const MONTHS: u32 = 12;

pub(super) fn estimate<'c>(store: &WarehouseStore, ask: &CapacityInput<'c>) -> Answer {
    let size = |class: Option<String>, axis: Axis, count: Count| Size {
        class,
        version: None,
        storage: StorageKind::Standard,
        counts: BTreeMap::from([(axis, count)]),
    };
    if let Some(bounds) = &store.serverless {
        let most = bounds.max_rpu.unwrap_or(bounds.base_rpu);
        let units = Count::new(Between { min: bounds.base_rpu, max: most }, most);
        return answer(size(None, Axis::CapacityUnits, units), Pick::serverless(bounds.base_rpu));
    }
    let service_max = choose::limit(ask, "nodes-per-cluster").map_or(NODES_MIN, choose::units);
    let bounds = store.nodes.unwrap_or(Between { min: NODES_MIN, max: service_max });
    let classes = choose::classes(ask, store.class.as_deref());
    let planned = ask.load.after(MONTHS);
    let copies = if store.multi_zone { 2 } else { 1 };
    let candidates = |load: &Load| {
        let carries = |&class: &&'c InstanceClass| {
            let most = bounds.max.min(nodes_max(ask, class));
            let count = (bounds.min.max(1)..=most).find(|&nodes| fits(ask, class, nodes, load))?;
            Some(Candidate { class, machines: count * copies, count })
        };
        classes.iter().filter_map(carries).collect()
    };
    let Choice { best, ranking, .. } = choose::best(ask, &planned, &candidates);
    let class = best
        .map(|best| best.class)
        .or_else(|| classes.iter().copied().max_by_key(|class| (class.vcpu, class.class.clone())));
    let now = best.map_or(bounds.max, |best| best.count);
    let max = if store.nodes.is_some() { bounds.max } else { (now * 2).min(bounds.max).max(now) };
    let count = Count::new(Between { min: bounds.min.max(1), max }, now);
    let name = store.class.clone().or_else(|| class.map(|class| class.class.clone()));
    let mut pick = Pick { fits: best.is_some(), ranking, ..Pick::default() };
    let named = name.as_deref().unwrap_or("an unknown class");
    pick.why = format!("{now} nodes of {named} hold and scan the data of {MONTHS} months ahead");
    if best.is_none() {
        pick.why = String::from("the most that the bounds allow");
        pick.warnings.push(format!("{now} nodes of {named} do not carry this data by these assumptions"));
        // What is carried today is no reason to refuse anything today.
        let carries =
            |class: &InstanceClass| fits(ask, class, bounds.max.min(nodes_max(ask, class)), ask.load);
        pick.uncarried = (class.is_some() && !classes.iter().any(|class| carries(class)))
            .then(|| Uncarried::assumed(format!("{now} nodes of {named} do not carry the data of today")));
    }
    if let Some(class) = class {
        pick.rows = rows(class, now, &planned);
        pick.ceilings = ceilings(ask, class, bounds.max, service_max);
        pick.ceilings.extend(expected(store, ask));
    }
    answer(size(name, Axis::Nodes, count), pick)
}

/// What was picked, and what is to be said about it.
#[derive(Default)]
struct Pick {
    rows: Vec<FormulaRow>,
    why: String,
    ranking: String,
    fits: bool,
    uncarried: Option<Uncarried>,
    ceilings: Vec<Ceiling>,
    warnings: Vec<String>,
}

impl Pick {
    fn serverless(base: u32) -> Self {
        Self {
            why: format!("serverless as stated, {base} RPU while it works"),
            ranking: "none: capacity follows the load".to_owned(),
            fits: true,
            ..Self::default()
        }
    }
}

fn answer(size: Size, pick: Pick) -> Answer {
    Answer {
        rows: pick.rows,
        secondary: size.clone(),
        size,
        why: pick.why,
        ranking: pick.ranking,
        fits: pick.fits,
        uncarried: pick.uncarried,
        ceilings: pick.ceilings,
        warnings: pick.warnings,
        io_per_month: 0.0,
    }
}

/// Nodes that a cluster can be made with. Of a class whose limit nobody has published the least one that is known counts.
fn nodes_max(ask: &CapacityInput<'_>, class: &InstanceClass) -> u32 {
    let limit = choose::limit(ask, &format!("nodes-at-create-max:{}", class.class));
    limit.map_or(NODES_AT_CREATE_LEAST, choose::units)
}

fn fits(ask: &CapacityInput<'_>, class: &InstanceClass, nodes: u32, load: &Load) -> bool {
    let vcpu = f64::from(class.vcpu.unwrap_or(0));
    let scans = load.data_gib <= f64::from(nodes) * vcpu * load.rates.data_gib.value;
    let storage = choose::limit(ask, &format!("managed-storage-per-node:{}", class.class));
    let holds = storage.is_none_or(|tb| load.data_gib <= f64::from(nodes) * tb * GIB_PER_TB);
    scans && holds
}

/// Where the data grows beyond what the section expects of it.
fn expected(store: &WarehouseStore, ask: &CapacityInput<'_>) -> Option<Ceiling> {
    let most = store.max_storage?;
    let reached_in = first_month(ask.load, |load| load.data_gib <= most.as_gib())?;
    Some(Ceiling {
        what: "storage that is expected".to_owned(),
        limit: format!("`maxStorage: {most}`"),
        reached_in,
    })
}

/// The service counts storage of nodes in terabytes.
const GIB_PER_TB: f64 = 1e12 / 1_073_741_824.0;

fn rows(class: &InstanceClass, nodes: u32, planned: &Load) -> Vec<FormulaRow> {
    let vcpu = f64::from(class.vcpu.unwrap_or(0));
    let rate = planned.rates.data_gib;
    let formula = format!("data in {MONTHS} months ÷ {} GiB per processor ({})", rate.value, rate.origin());
    let chosen = format!("{nodes} nodes × {vcpu}");
    vec![
        FormulaRow::new(
            "processors to scan it",
            formula,
            planned.data_gib / planned.rates.data_gib.value,
            "vCPU",
        ),
        FormulaRow::new("processors chosen", chosen, f64::from(nodes) * vcpu, "vCPU"),
    ]
}

fn ceilings(ask: &CapacityInput<'_>, class: &InstanceClass, own: u32, service_max: u32) -> Vec<Ceiling> {
    let service = service_max.min(nodes_max(ask, class));
    let name = &class.class;
    let limits = [
        (own, "nodes within the blueprint", format!("{own} nodes of {name}")),
        (
            service,
            "nodes of this class",
            format!("{service} nodes of {name}, the service's limit at creation"),
        ),
    ];
    limits
        .into_iter()
        .filter_map(|(nodes, what, limit)| {
            let reached_in = first_month(ask.load, |load| fits(ask, class, nodes, load))?;
            Some(Ceiling { what: what.to_owned(), limit, reached_in })
        })
        .collect()
}
