//! What a plan or a blueprint costs a month, by region: floor, expected, ceiling.

use std::collections::BTreeSet;
use std::fmt::{self, Write};

use comfy_table::{Cell, CellAlignment, Table, presets};
use serde::Serialize;

use crate::report::style::{Style, Tone};
use crate::report::tally;
use rgctl_model::bill::CostRange;
use rgctl_model::plan::{CostKey, Plan};
use rgctl_schema::money::Total;
use rgctl_schema::names::{BlueprintName, RegionId, StoreName};

/// Cost of a store in a region.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StoreCost {
    /// The store.
    pub store: StoreName,
    /// The region.
    pub region: RegionId,
    /// Whether the region stands by.
    pub standby: bool,
    /// Its cost.
    pub cost: CostRange,
}

/// What a blueprint costs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CostReport {
    /// Whose.
    pub blueprint: BlueprintName,
    /// By store and region.
    pub stores: Vec<StoreCost>,
    /// What is not ours and bound to ours.
    pub not_ours: NotOurs,
    /// Where the prices are from.
    pub prices: Vec<String>,
}

/// What is bound to our objects and not ours, which no sum has.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "looked", rename_all = "snake_case")]
pub enum NotOurs {
    /// As far as was seen.
    Observed {
        /// Names of the objects.
        objects: Vec<String>,
        /// What they cost a month.
        cost: Total,
        /// Regions that could not be seen in full.
        unseen: BTreeSet<RegionId>,
    },
    /// Nobody looked.
    Not {
        /// Why.
        why: String,
    },
}

impl fmt::Display for NotOurs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Not { why } => {
                write!(f, "Whether anything that is not ours is bound to ours is not known: {why}.")
            }
            Self::Observed { objects, cost, unseen } => {
                if objects.is_empty() {
                    f.write_str("Nothing that is not ours was seen bound to ours.")?;
                } else {
                    let names = objects.join(", ");
                    write!(f, "Not ours and bound to ours, beside these sums: {cost} a month ({names}).")?;
                }
                if unseen.is_empty() {
                    return Ok(());
                }
                let unseen: Vec<&str> = unseen.iter().map(RegionId::as_str).collect();
                write!(f, " Not seen in full: {}.", unseen.join(", "))
            }
        }
    }
}

impl CostReport {
    /// All of it.
    pub fn sum(&self) -> CostRange {
        let mut sum = CostRange::default();
        for store in &self.stores {
            sum.merge(&store.cost);
        }
        sum
    }
}

/// Name of a region's line.
pub fn region(key: &CostKey) -> String {
    if key.standby { format!("{} (standby)", key.region) } else { key.region.to_string() }
}

/// Adds `at least` where something is unpriced; an empty amount is nought.
fn amount(total: &Total) -> Cell {
    Cell::new(total.to_string()).set_alignment(CellAlignment::Right)
}

fn headings(first: &[&str]) -> Vec<Cell> {
    let mut cells: Vec<Cell> = first.iter().map(Cell::new).collect();
    cells.extend(
        ["floor", "expected", "ceiling"].map(|text| Cell::new(text).set_alignment(CellAlignment::Right)),
    );
    cells
}

fn row(first: &[String], range: &CostRange) -> Vec<Cell> {
    let mut cells: Vec<Cell> = first.iter().map(Cell::new).collect();
    cells.extend([amount(&range.floor), amount(&range.expected), amount(&range.ceiling)]);
    cells
}

fn empty_table() -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table
}

/// The cost table of a plan, with what is unpriced below.
pub fn table(plan: &Plan, style: Style) -> String {
    let mut table = empty_table();
    table.set_header(headings(&["Cost a month"]));
    for (key, range) in &plan.cost {
        table.add_row(row(&[region(key)], range));
    }
    let sum = tally::sum(plan);
    if plan.cost.len() > 1 {
        table.add_row(row(&["in all".to_owned()], &sum));
    }
    finish(&table, &sum, style)
}

/// A cost report for people.
pub fn text(report: &CostReport, style: Style) -> String {
    let mut table = empty_table();
    table.set_header(headings(&["Store", "Region"]));
    for store in &report.stores {
        let key = CostKey { region: store.region.clone(), standby: store.standby };
        table.add_row(row(&[store.store.to_string(), region(&key)], &store.cost));
    }
    let sum = report.sum();
    table.add_row(row(&["in all".to_owned(), String::new()], &sum));
    let title = format!("{}: cost a month", report.blueprint);
    let mut out = format!("{}\n\n{}", style.paint(Tone::Strong, &title), finish(&table, &sum, style));
    let _ = writeln!(out, "{}", report.not_ours);
    for line in &report.prices {
        let _ = writeln!(out, "{line}");
    }
    out
}

/// A cost report for a pull request.
pub fn markdown(report: &CostReport) -> String {
    let mut out = format!("### `{}`: cost a month\n\n", report.blueprint);
    out.push_str("| Store | Region | Floor | Expected | Ceiling |\n| --- | --- | ---: | ---: | ---: |\n");
    for store in &report.stores {
        let key = CostKey { region: store.region.clone(), standby: store.standby };
        let cost = &store.cost;
        let _ = writeln!(
            out,
            "| {} | {} | {} | {} | {} |",
            store.store,
            region(&key),
            cost.floor,
            cost.expected,
            cost.ceiling
        );
    }
    let sum = report.sum();
    let _ = writeln!(out, "| **in all** | | {} | **{}** | {} |", sum.floor, sum.expected, sum.ceiling);
    for what in &sum.ceiling.unpriced {
        let _ = writeln!(out, "\nNo price is known for {what}.");
    }
    let _ = writeln!(out, "\n{}", report.not_ours);
    for line in &report.prices {
        let _ = writeln!(out, "\n{line}");
    }
    out
}

fn finish(table: &Table, sum: &CostRange, style: Style) -> String {
    let mut out = String::new();
    for line in table.to_string().lines() {
        let _ = writeln!(out, "{}", line.trim_end());
    }
    let mut all = sum.floor.clone();
    all.merge(&sum.expected);
    all.merge(&sum.ceiling);
    if !all.is_complete() {
        let heading = "Without a known price, so that the sums are lower bounds:";
        let _ = writeln!(out, "{}", style.paint(Tone::Change, heading));
        for what in &all.unpriced {
            let _ = writeln!(out, "  {what}");
        }
    }
    out
}
