//! `rgctl capacity`: how big each store has to be, with every formula, and the limits ahead.
//!
//! Goes in: estimates. Comes out: data on one writer.
//!
//! **Invariant:** an assumption stands in the formula that uses it, and a ranking without prices says so.

use std::collections::BTreeSet;
use std::io::{self, Write};

use clap::Args;
use comfy_table::{Cell, CellAlignment, Table, presets};
use serde_json::{Value, json};

use super::error::Failure;
use super::names;
use rgctl_blueprint::capacity::{Ceiling, Estimate};
use rgctl_blueprint::families::size::{Count, Size};
use rgctl_blueprint::places;
use rgctl_blueprint::region::RegionBook;
use rgctl_model::overlay::Axis;
use rgctl_schema::names::RegionId;

/// Name of the JSON format.
pub const CAPACITY_FORMAT: &str = "rgctl.dev/capacity/v2";

/// Arguments of `rgctl capacity`, beside the files and the form of the output.
#[derive(Args, Clone, Debug, Default)]
pub struct CapacityArgs {
    /// Only these stores.
    #[arg(long = "target", value_name = "STORE")]
    pub stores: Vec<String>,
    /// Only the result and what lies ahead, without the formulas.
    #[arg(long)]
    pub short: bool,
}

impl CapacityArgs {
    /// Whether there are stores of all names that were asked for.
    pub fn check(&self, estimates: &[Estimate]) -> Result<(), Failure> {
        let known = estimates.iter().map(|estimate| estimate.store.to_string()).collect();
        names::all_known(
            self.stores.iter().filter_map(|name| names::unknown("--target", "store", name, &known)),
        )
    }

    /// The estimates that were asked for.
    pub fn select<'e>(&self, estimates: &'e [Estimate]) -> Vec<&'e Estimate> {
        let wanted = |estimate: &&Estimate| {
            self.stores.is_empty() || self.stores.iter().any(|name| name == estimate.store.as_str())
        };
        estimates.iter().filter(wanted).collect()
    }
}

/// The document for programs.
pub fn document(args: &CapacityArgs, estimates: &[Estimate]) -> Value {
    let estimates: Vec<Value> = args.select(estimates).into_iter().map(in_units).collect();
    json!({ "format": CAPACITY_FORMAT, "estimates": estimates })
}

/// An estimate for programs: numbers are in units as people name them, not in the steps that the service takes.
fn in_units(estimate: &Estimate) -> Value {
    let mut document = json!(estimate);
    let steps = u64::from(estimate.steps_per_unit.max(1));
    for size in ["/size/counts", "/secondary/counts"] {
        let counts =
            document.pointer_mut(size).and_then(|counts| counts.get_mut(Axis::CapacityUnits.to_string()));
        let Some(counts) = counts.and_then(Value::as_object_mut) else { continue };
        for count in counts.values_mut() {
            let Some(number) = count.as_u64() else { continue };
            *count =
                if number % steps == 0 { json!(number / steps) } else { json!(number as f64 / steps as f64) };
        }
    }
    document
}

/// Writes the tables for people.
pub fn write_text(
    args: &CapacityArgs,
    estimates: &[Estimate],
    regions: &RegionBook,
    out: &mut dyn Write,
) -> io::Result<()> {
    let chosen = args.select(estimates);
    let used: BTreeSet<&RegionId> = chosen.iter().map(|estimate| &estimate.region).collect();
    for region in used.into_iter().filter_map(|region| regions.get(region)) {
        let (code, title) = (&region.metadata.name, &region.spec.title);
        let players = places::of_cities(region).map(|cities| format!(", near players in {cities}"));
        writeln!(out, "{code} is {title}{}", players.unwrap_or_default())?;
    }
    writeln!(out)?;
    let several_cells = estimates.iter().any(|estimate| estimate.cell != estimates[0].cell);
    for (place, estimate) in chosen.iter().enumerate() {
        if place > 0 {
            writeln!(out)?;
        }
        let cell = if several_cells { format!(", cell {}", estimate.cell) } else { String::new() };
        let purpose = estimate.purpose.as_ref().map(|purpose| format!(": {purpose}")).unwrap_or_default();
        writeln!(out, "{} ({}) in {}{cell}{purpose}", estimate.store, estimate.engine, estimate.region)?;
        if !args.short {
            writeln!(out, "{}", formulas(estimate))?;
        }
        write_result(estimate, out)?;
    }
    Ok(())
}

fn formulas(estimate: &Estimate) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(["  QUANTITY", "VALUE", "UNIT", "FORMULA"]);
    for row in &estimate.rows {
        table.add_row([
            Cell::new(format!("  {}", row.quantity)),
            Cell::new(number(row.value)).set_alignment(CellAlignment::Right),
            Cell::new(&row.unit),
            Cell::new(&row.formula),
        ]);
    }
    table
}

fn write_result(estimate: &Estimate, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "  size       {}", size_text(&estimate.size, estimate.steps_per_unit))?;
    if let Some(secondary) = &estimate.secondary {
        let text = size_text(secondary, estimate.steps_per_unit);
        let text =
            if estimate.secondary_runs { text } else { "copies of snapshots, nothing runs there".to_owned() };
        writeln!(out, "  secondary  {text}")?;
    }
    writeln!(out, "  why        {}", estimate.why)?;
    writeln!(out, "  ranking    {}", estimate.ranking)?;
    for ceiling in &estimate.ceilings {
        writeln!(out, "  ceiling    {}", ceiling_text(ceiling))?;
    }
    for warning in &estimate.warnings {
        writeln!(out, "  warning    {warning}")?;
    }
    Ok(())
}

fn ceiling_text(ceiling: &Ceiling) -> String {
    match ceiling.reached_in {
        0 => format!("{}: {} — passed today", ceiling.what, ceiling.limit),
        1 => format!("{}: {} — in 1 month", ceiling.what, ceiling.limit),
        months => format!("{}: {} — in {months} months", ceiling.what, ceiling.limit),
    }
}

/// Such as `db.r6g.2xlarge, 3 readers (1 to 8), io-optimized storage`.
fn size_text(size: &Size, steps_per_unit: u32) -> String {
    let class = size.class.clone().unwrap_or_else(|| "serverless".to_owned());
    let counts = size.counts.iter().map(|(axis, count)| count_text(*axis, *count, steps_per_unit));
    // Databases of one writer and many readers have a choice of how their storage is billed; the others have none.
    let storage =
        size.counts.contains_key(&Axis::Readers).then(|| format!("{} storage", size.storage.as_str()));
    std::iter::once(class).chain(counts).chain(storage).collect::<Vec<_>>().join(", ")
}

fn count_text(axis: Axis, count: Count, steps_per_unit: u32) -> String {
    let units = |number: u32| match (axis, steps_per_unit) {
        (Axis::CapacityUnits, 2) if number % 2 == 1 => format!("{}.5", number / 2),
        (Axis::CapacityUnits, 2) => (number / 2).to_string(),
        _ => number.to_string(),
    };
    if count.min == count.max {
        format!("{} {axis}", units(count.now))
    } else {
        format!("{} {axis} ({} to {})", units(count.now), units(count.min), units(count.max))
    }
}

/// Three digits that matter, thousands apart.
fn number(value: f64) -> String {
    let digits = if value.abs() >= 100.0 { 0 } else { 2 };
    let text = format!("{value:.digits$}");
    let (whole, rest) = text.split_once('.').unwrap_or((&text, ""));
    let mut grouped = String::new();
    for (place, digit) in whole.chars().enumerate() {
        if place > 0 && (whole.len() - place) % 3 == 0 && digit.is_ascii_digit() {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    let rest = rest.trim_end_matches('0');
    if rest.is_empty() { grouped } else { format!("{grouped}.{rest}") }
}
