//! The regions of a blueprint: what each is to it, and which are held out.

use std::collections::BTreeSet;
use std::fmt::Write;

use comfy_table::{Cell, Table, presets};
use serde::Serialize;

use crate::report::style::{Style, Tone};
use rgctl_model::overlay::HoldOut;
use rgctl_schema::names::{BlueprintName, RegionId, StoreName};

/// What a region is to a blueprint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// A store of it has its primary there.
    Primary,
    /// A store of it stands by there.
    Secondary,
    /// The blueprint has left it, and the record holds something there still.
    Left,
}

impl Role {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Primary => "primary",
            Self::Secondary => "secondary",
            Self::Left => "left the blueprint",
        }
    }
}

/// One region.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RegionRow {
    /// Which.
    pub region: RegionId,
    /// What it is to the blueprint; in several cells it may be several things.
    pub roles: BTreeSet<Role>,
    /// The stores that are wanted there.
    pub stores: BTreeSet<StoreName>,
    /// How many objects are wanted there.
    pub objects: usize,
    /// Since when it is held out, by whom and why, if it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held_out: Option<HoldOut>,
}

impl RegionRow {
    /// A region of which nothing is known yet.
    pub const fn new(region: RegionId) -> Self {
        Self { region, roles: BTreeSet::new(), stores: BTreeSet::new(), objects: 0, held_out: None }
    }
}

/// All of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RegionsReport {
    /// Whose.
    pub blueprint: BlueprintName,
    /// By code.
    pub regions: Vec<RegionRow>,
}

fn cells(row: &RegionRow) -> [String; 5] {
    let roles: Vec<&str> = row.roles.iter().map(|role| role.as_str()).collect();
    let stores: Vec<&str> = row.stores.iter().map(StoreName::as_str).collect();
    let held = row.held_out.as_ref().map_or_else(
        || "-".to_owned(),
        |hold| format!("since {}, by {}, because: {}", hold.since, hold.by, hold.why),
    );
    [row.region.to_string(), roles.join(", "), stores.join(", "), row.objects.to_string(), held]
}

const HEADINGS: [&str; 5] = ["region", "role", "stores", "objects", "held out"];

/// For people.
pub fn text(report: &RegionsReport, style: Style) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(HEADINGS.map(Cell::new));
    for row in &report.regions {
        table.add_row(cells(row).map(Cell::new));
    }
    let mut out = String::new();
    let _ = writeln!(out, "{}", style.paint(Tone::Strong, report.blueprint.as_str()));
    for line in table.to_string().lines() {
        let _ = writeln!(out, "{}", line.trim_end());
    }
    out
}

/// For a page.
pub fn markdown(report: &RegionsReport) -> String {
    let mut out = format!("## Regions of `{}`\n\n| {} |\n", report.blueprint, HEADINGS.join(" | "));
    out.push_str("| --- | --- | --- | ---: | --- |\n");
    for row in &report.regions {
        let _ = writeln!(out, "| {} |", cells(row).map(|cell| cell.replace('|', "\\|")).join(" | "));
    }
    out
}
