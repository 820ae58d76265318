//! What exists: stores by region, in which phase, in which role, with what pending, at what price.

use std::collections::BTreeMap;
use std::fmt::Write;

use comfy_table::{Cell, Table, presets};
use serde::Serialize;

use crate::artefacts::address::Address;
use crate::artefacts::bill::CostRange;
use crate::artefacts::claims::Claims;
use crate::artefacts::node::Desired;
use crate::artefacts::seen::{Gap, Inventory, Seen};
use crate::report::open::{self, OpenStep};
use crate::report::style::{Style, Tone};
use crate::vocabulary::money::Total;
use crate::vocabulary::names::{BlueprintName, RegionId, StoreName};
use crate::vocabulary::phase::Phase;
use crate::vocabulary::time::Moment;

/// One object of a store.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ObjectStatus {
    /// Where.
    pub at: Address,
    /// In which phase; absent when it is wanted and missing.
    pub phase: Phase,
    /// The service's word.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub native: String,
    /// What part it plays now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// Class or node type, where it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class: Option<String>,
    /// Fields that were accepted and are not in effect yet.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub pending: Vec<String>,
    /// Fields that differ from the blueprint.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub differs: Vec<String>,
    /// Host name that clients connect to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// Whether the blueprint no longer wants it.
    pub unwanted: bool,
}

/// A store in a region.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StoreStatus {
    /// The store.
    pub store: StoreName,
    /// The region.
    pub region: RegionId,
    /// Whether the region stands by for another one.
    pub standby: bool,
    /// In a word: `ready`, `1 of 3 ready`, ...
    pub summary: String,
    /// Cost a month, as planned.
    pub cost: Total,
    /// Its objects.
    pub objects: Vec<ObjectStatus>,
}

/// Everything that exists of a blueprint.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StatusReport {
    /// Whose.
    pub blueprint: BlueprintName,
    /// When it was looked at.
    pub taken: Moment,
    /// Stores by region.
    pub stores: Vec<StoreStatus>,
    /// What could not be seen.
    pub gaps: Vec<Gap>,
    /// Steps that the record says were begun and have not come true, with what they wait for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub open: Vec<OpenStep>,
}

/// Puts desired and observed state side by side.
pub fn report(
    desired: &Desired,
    inventory: &Inventory,
    claims: &Claims,
    price: &dyn Fn(&StoreName, &RegionId) -> CostRange,
) -> StatusReport {
    let mut objects: BTreeMap<(StoreName, RegionId), Vec<ObjectStatus>> = BTreeMap::new();
    let mut standby: BTreeMap<(StoreName, RegionId), bool> = BTreeMap::new();
    for node in desired.nodes.values() {
        let key = (node.store.clone(), node.at.region.clone());
        standby.insert(key.clone(), node.standby);
        let seen = inventory.seen.get(&node.at);
        let mut object = seen.map_or_else(|| missing(&node.at), |seen| object(&node.at, seen));
        if let Some(seen) = seen {
            object.differs = node.attrs.diff(&seen.attrs).into_iter().map(|change| change.field).collect();
        }
        objects.entry(key).or_default().push(object);
    }
    for (at, seen) in &inventory.seen {
        if !claims.owns(&desired.blueprint, at, seen) || desired.nodes.contains_key(at) {
            continue;
        }
        let Some(store) = claims.store_of(at, seen) else { continue };
        let unwanted = !at.kind.facts().observe_only;
        objects
            .entry((store, at.region.clone()))
            .or_default()
            .push(ObjectStatus { unwanted, ..object(at, seen) });
    }
    let stores = objects.into_iter().map(|(key, objects)| {
        let standby = standby.get(&key).copied().unwrap_or_default();
        let cost = price(&key.0, &key.1).expected;
        let summary = summary(&objects);
        StoreStatus { store: key.0, region: key.1, standby, summary, cost, objects }
    });
    StatusReport {
        blueprint: desired.blueprint.clone(),
        taken: inventory.taken,
        stores: stores.collect(),
        gaps: inventory.gaps.clone(),
        open: Vec::new(),
    }
}

fn missing(at: &Address) -> ObjectStatus {
    ObjectStatus {
        at: at.clone(),
        phase: Phase::Absent,
        native: String::new(),
        role: None,
        class: None,
        pending: Vec::new(),
        differs: Vec::new(),
        endpoint: None,
        unwanted: false,
    }
}

fn object(at: &Address, seen: &Seen) -> ObjectStatus {
    let set = seen.attrs.set_fields();
    let sizes = ["class", "node_type"];
    let class = set.iter().find(|(name, _)| sizes.contains(name)).and_then(|(_, value)| value.as_str());
    let pending = seen.pending.iter().flat_map(crate::kinds::AnyAttrs::set_fields);
    ObjectStatus {
        phase: seen.facts.phase.clone(),
        native: seen.facts.native.clone(),
        role: seen.facts.role.map(|role| role.to_string()),
        class: class.map(str::to_owned),
        pending: pending.map(|(name, _)| name.to_owned()).collect(),
        endpoint: seen.facts.endpoint.clone(),
        ..missing(at)
    }
}

fn summary(objects: &[ObjectStatus]) -> String {
    // Snapshots and the like are left behind on purpose; they say nothing about the store's health.
    let is_counted = |object: &&ObjectStatus| !object.unwanted && !object.at.kind.facts().observe_only;
    let wanted: Vec<&ObjectStatus> = objects.iter().filter(is_counted).collect();
    let ready = wanted.iter().filter(|object| object.phase.is_ready()).count();
    if wanted.iter().all(|object| object.phase == Phase::Absent) {
        return "absent".to_owned();
    }
    if ready == wanted.len() { "ready".to_owned() } else { format!("{ready} of {} ready", wanted.len()) }
}

/// The status for people.
pub fn text(report: &StatusReport, style: Style) -> String {
    let mut out = String::new();
    let title = format!("{} at {}", report.blueprint, report.taken);
    let _ = writeln!(out, "{}", style.paint(Tone::Strong, &title));
    for store in &report.stores {
        let standby = if store.standby { " (standby)" } else { "" };
        let cost =
            if store.cost == Total::default() { String::new() } else { format!(", {} a month", store.cost) };
        let heading = format!("{} in {}{standby}: {}{cost}", store.store, store.region, store.summary);
        let _ = writeln!(out, "\n{}", style.paint(Tone::Strong, &heading));
        let mut table = Table::new();
        table.load_style(presets::NOTHING);
        for object in &store.objects {
            table.add_row(cells(object).map(Cell::new));
        }
        for line in table.to_string().lines() {
            let _ = writeln!(out, " {}", line.trim_end());
        }
    }
    for gap in &report.gaps {
        let line = format!("{} could not be seen in full: {}", gap.region, gap.why);
        let _ = writeln!(out, "\n{}", style.paint(Tone::Bad, &line));
    }
    if !report.open.is_empty() {
        let _ = writeln!(out, "\n{}", style.paint(Tone::Strong, "begun and not done, by the record"));
        out.push_str(&open::text(&report.open));
    }
    out
}

fn cells(object: &ObjectStatus) -> [String; 6] {
    let mut remarks = Vec::new();
    if object.unwanted {
        remarks.push("no longer wanted".to_owned());
    }
    if !object.pending.is_empty() {
        remarks.push(format!("pending: {}", object.pending.join(", ")));
    }
    if !object.differs.is_empty() {
        remarks.push(format!("differs: {}", object.differs.join(", ")));
    }
    if remarks.is_empty() {
        remarks.extend(object.endpoint.clone());
    }
    let native = object.native.as_str();
    let is_plain = object.phase.is_ready() || native.is_empty() || object.phase.to_string().contains(native);
    let phase = if is_plain { object.phase.to_string() } else { format!("{} ({native})", object.phase) };
    [
        object.at.kind.to_string(),
        object.at.name.to_string(),
        phase,
        object.role.clone().unwrap_or_default(),
        object.class.clone().unwrap_or_default(),
        remarks.join("; "),
    ]
}

/// The status for a pull request or a page.
pub fn markdown(report: &StatusReport) -> String {
    let mut out = format!("## `{}` at {}\n", report.blueprint, report.taken);
    for store in &report.stores {
        let standby = if store.standby { " (standby)" } else { "" };
        let _ = writeln!(out, "\n### {} in {}{standby}: {}\n", store.store, store.region, store.summary);
        let _ =
            writeln!(out, "| Kind | Name | Phase | Role | Class | |\n| --- | --- | --- | --- | --- | --- |");
        for object in &store.objects {
            let _ = writeln!(out, "| {} |", cells(object).join(" | "));
        }
    }
    for gap in &report.gaps {
        let _ = writeln!(out, "\n**{} could not be seen in full:** {}", gap.region, gap.why);
    }
    if !report.open.is_empty() {
        let _ =
            writeln!(out, "\n### Begun and not done, by the record\n\n```\n{}```", open::text(&report.open));
    }
    out
}
