//! Capacity: from the demand to classes and counts, with every formula shown.
//!
//! Goes in: a blueprint, the regions, the catalogue. Comes out: an [`Estimate`] for each store of each cell.
//!
//! **Invariant:** pure; what is assumed is a named constant of [`assume`] and stands in the estimate's rows.
//! **Invariant:** what is chosen fits its stated rules, or a warning says that nothing does.
//! **Invariant:** a price that is not known decides nothing: the ranking used is stated.

pub mod assume;
mod cache;
mod choose;
mod connections;
mod crowd;
mod database;
mod load;
mod members;
mod warehouse;

use serde::{Deserialize, Serialize};

pub use crowd::Crowd;
pub use load::{Load, loads};
pub use members::survivors;

use rayon::prelude::*;

use crate::families::Store;
use crate::families::size::{self, Size};
use crate::region::RegionBook;
use crate::spec::{Blueprint, Cell, SecondaryRole};
use rgctl_catalog::Catalog;
use rgctl_model::node::Usage;
use rgctl_model::overlay::Axis;
use rgctl_model::sizes::{SizeInForce, Sizes};
use rgctl_schema::names::{RegionId, StoreName};
use rgctl_schema::time::Moment;

/// A number with the way it was found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FormulaRow {
    /// What it is.
    pub quantity: String,
    /// How it follows from what was given and assumed.
    pub formula: String,
    /// The number.
    pub value: f64,
    /// What it counts.
    pub unit: String,
}

impl FormulaRow {
    fn new(quantity: &str, formula: impl Into<String>, value: f64, unit: &str) -> Self {
        Self { quantity: quantity.to_owned(), formula: formula.into(), value, unit: unit.to_owned() }
    }
}

/// A limit that the stated growth reaches.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ceiling {
    /// What ends there.
    pub what: String,
    /// The limit, in words.
    pub limit: String,
    /// In which month from now it is passed; 0 means today.
    pub reached_in: u32,
}

/// Why nothing carries a demand.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Uncarried {
    /// In words.
    pub why: String,
    /// Whether it is a limit of the service. Else it follows from assumptions, and a section that states its size is trusted.
    pub is_limit: bool,
}

impl Uncarried {
    fn assumed(why: String) -> Self {
        Self { why, is_limit: false }
    }
}

/// How big a store has to be, and why.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// The cell.
    pub cell: StoreName,
    /// The store.
    pub store: StoreName,
    /// Its engine, as blueprints write it.
    pub engine: String,
    /// What it is for, in its owner's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purpose: Option<String>,
    /// Region that takes the writes.
    pub region: RegionId,
    /// The way to the numbers.
    pub rows: Vec<FormulaRow>,
    /// Size in the primary region.
    pub size: Size,
    /// Size in each secondary region; nothing when the store is not replicated.
    pub secondary: Option<Size>,
    /// Whether anything runs there; where nothing does, the region holds copies of snapshots.
    pub secondary_runs: bool,
    /// Why this size.
    pub why: String,
    /// The order in which candidates were tried.
    pub ranking: String,
    /// Whether the size carries the demand by all rules.
    pub fits: bool,
    /// Why nothing that the service offers carries the demand, where nothing does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uncarried: Option<Uncarried>,
    /// Limits ahead, the nearest first.
    pub ceilings: Vec<Ceiling>,
    /// What a person should know.
    pub warnings: Vec<String>,
    /// Steps of [`Axis::CapacityUnits`] that make one unit as people name it.
    #[serde(skip)]
    pub steps_per_unit: u32,
    /// Use to expect, for bills and simulation.
    #[serde(skip)]
    pub usage: Usage,
}

/// What a family's part of the estimate is told.
struct CapacityInput<'a> {
    store: &'a Store,
    load: &'a Load,
    region: &'a RegionId,
    secondaries: &'a [RegionId],
    zones: u32,
    serves_reads: bool,
    catalog: &'a Catalog,
    /// As what it was made, by the same engine.
    before: Option<&'a SizeInForce>,
}

/// What a family's part of the estimate answers.
struct Answer {
    rows: Vec<FormulaRow>,
    size: Size,
    secondary: Size,
    why: String,
    ranking: String,
    fits: bool,
    /// Whatever the section states.
    uncarried: Option<Uncarried>,
    ceilings: Vec<Ceiling>,
    warnings: Vec<String>,
    io_per_month: f64,
}

/// Estimates of every store of every cell, in the order of the blueprint. `now` decides which crowds are ahead. What a store was
/// made as before it stays for as long as that carries the demand and does not cost far more: a new catalogue or a little more
/// demand is no reason to change machines, let alone to change them back.
pub fn estimate(
    blueprint: &Blueprint,
    regions: &RegionBook,
    catalog: &Catalog,
    before: &Sizes,
    now: Moment,
) -> Vec<Estimate> {
    let mut out = Vec::new();
    for cell in blueprint.cells() {
        let loads = loads(blueprint, &cell, now);
        // The load of the cell is shared out; from there on stores know nothing of each other.
        let stores = blueprint.spec.stores.par_iter().filter(|store| cell.has(store.name()));
        let estimates = stores.filter_map(|store| {
            let load = loads.get(store.name())?;
            let zones = regions.get(&cell.primary).map_or(assume::ZONES, |region| region.spec.zones.len());
            let ask = CapacityInput {
                store,
                load,
                region: &cell.primary,
                secondaries: cell.replicas(store),
                zones: u32::try_from(zones).unwrap_or(1).max(1),
                serves_reads: cell.secondary_role == SecondaryRole::Reads,
                catalog,
                before: before.of(store.name(), &cell.name).filter(|before| before.engine == store.engine()),
            };
            Some(estimate_store(&cell, &ask))
        });
        out.par_extend(estimates);
    }
    out
}

/// What stays as it was made, where it would be made otherwise today: a sentence for each store of a cell. The second are the estimates
/// of the same stores as if nothing had been made yet.
pub fn stays(made: &[Estimate], anew: &[Estimate]) -> Vec<String> {
    let sized =
        made.iter().zip(anew).filter(|(made, anew)| (&made.store, &made.cell) == (&anew.store, &anew.cell));
    let said = sized.filter_map(|(made, anew)| {
        let (is, would) = (differing(&made.size, &anew.size), differing(&anew.size, &made.size));
        (!is.is_empty()).then(|| {
            format!(
                "`{}` in {} stays as it was made: {is}; made today it would be {would}, which is had by stating it",
                made.store, made.region
            )
        })
    });
    said.collect()
}

/// What of a size is another one, in words.
fn differing(now: &Size, other: &Size) -> String {
    let class = now.class.clone().filter(|_| now.class != other.class);
    let version = now.version.as_ref().filter(|_| now.version != other.version);
    let storage = (now.storage != other.storage).then(|| format!("{} storage", now.storage.as_str()));
    let version = version.map(|version| format!("version {version}"));
    class.into_iter().chain(version).chain(storage).collect::<Vec<_>>().join(", ")
}

fn answer(ask: &CapacityInput<'_>) -> Answer {
    match ask.store {
        Store::Aurora(section) => database::aurora(section, ask),
        Store::DocumentDb(section) => database::documentdb(section, ask),
        Store::ElastiCache(section) => cache::estimate(section, ask),
        Store::Redshift(section) => warehouse::estimate(section, ask),
    }
}

fn estimate_store(cell: &Cell, ask: &CapacityInput<'_>) -> Estimate {
    let CapacityInput { store, load, secondaries, .. } = *ask;
    let answer = answer(ask);
    let mut rows = load.rows.clone();
    rows.extend(answer.rows);
    let mut ceilings = answer.ceilings;
    ceilings.sort_by_key(|ceiling| ceiling.reached_in);
    Estimate {
        cell: cell.name.clone(),
        store: store.name().clone(),
        engine: store.engine().to_owned(),
        purpose: store.common().purpose.clone(),
        region: cell.primary.clone(),
        rows,
        size: answer.size,
        secondary: (!secondaries.is_empty()).then_some(answer.secondary),
        secondary_runs: store.runs_in_secondaries(),
        why: answer.why,
        ranking: answer.ranking,
        fits: answer.fits,
        uncarried: answer.uncarried.filter(|why| why.is_limit || !store.states_its_size()),
        ceilings,
        warnings: answer.warnings,
        steps_per_unit: size::steps_per_unit(store, Axis::CapacityUnits),
        usage: Usage {
            data_gib: load.data_gib,
            growth_gib_per_month: load.data_gib * load.data_growth,
            io_per_month: answer.io_per_month,
            reads_per_second: load.reads,
            writes_per_second: load.writes,
        },
    }
}
