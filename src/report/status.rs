//! What exists: stores by region, in which phase, in which role, with what pending, at what price.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use comfy_table::{Cell, Table, presets};
use serde::Serialize;

use crate::report::at_work::AtWork;
use crate::report::open::{self, OpenStep};
use crate::report::overlays::DecisionRow;
use crate::report::style::{Style, Tone};
use rgctl_engine::planning::{is_of_the_service, tables};
use rgctl_model::address::Address;
use rgctl_model::bill::CostRange;
use rgctl_model::claims::Claims;
use rgctl_model::health::Health;
use rgctl_model::node::{Desired, Keep, Node, Usage};
use rgctl_model::observed::{Gap, Inventory, Observed};
use rgctl_model::overlay::HoldOut;
use rgctl_model::plan::{Blocker, Plan};
use rgctl_schema::money::Total;
use rgctl_schema::names::{BlueprintName, RegionId, StoreName};
use rgctl_schema::phase::Phase;
use rgctl_schema::time::Moment;

/// One object of a store.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own, in a form that others read")]
pub struct ObjectStatus {
    /// Where.
    #[serde(rename = "at")]
    pub address: Address,
    /// In which phase; absent when it is wanted and missing, nothing when it could not be seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phase: Option<Phase>,
    /// Whether it could not be seen: it may exist or not.
    pub unseen: bool,
    /// Whether that is because its region is held out.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub held_out: bool,
    /// The service's word.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub native: String,
    /// What part it plays now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// Class or node type, where it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class: Option<String>,
    /// Numbers of nodes, shards and the like, as seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<String>,
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
    /// Whether it is not ours.
    pub foreign: bool,
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
    /// Cost a month of what exists and is ours.
    pub cost: Total,
    /// Cost a month as wanted.
    pub wanted: Total,
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
    /// Whether everything wanted is there, ours, whole and serving, and nothing else is.
    pub clean: bool,
    /// How many objects of ours exist, snapshots left aside.
    pub exist: usize,
    /// Cost a month of what exists and is ours.
    pub cost: Total,
    /// Cost a month of what is wanted.
    pub wanted: Total,
    /// Cost a month of what is not ours and stands in its place or is bound to it.
    pub not_ours: Total,
    /// What is not there, ours, whole and serving.
    pub health: Health,
    /// Stores by region.
    pub stores: Vec<StoreStatus>,
    /// What could not be seen.
    pub gaps: Vec<Gap>,
    /// Regions that are held out.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub held_out: Vec<HoldOut>,
    /// Steps that the record says were begun and are not done, with what they wait for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub open: Vec<OpenStep>,
    /// What was decided about its sizes, and what it comes to.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub decisions: Vec<DecisionRow>,
    /// The run that works on it now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at_work: Option<AtWork>,
}

/// What to reckon costs with.
#[derive(Clone, Copy)]
pub struct Prices<'a> {
    /// Cost a month of an object as it exists.
    pub existing: &'a dyn Fn(&Node) -> Total,
    /// Cost a month of a store in a region, as it is wanted.
    pub wanted: &'a dyn Fn(&StoreName, &RegionId) -> CostRange,
}

type Place = (StoreName, RegionId);

/// What exists, as if it were wanted: with the attributes that are seen, and the use that is expected or measured.
pub fn existing(desired: &Desired, inventory: &Inventory, claims: &Claims, plan: &Plan) -> Desired {
    let outsiders = outsiders(plan);
    let nodes = inventory.seen.iter().filter(|(_, seen)| seen.facts.phase != Phase::Absent);
    let nodes = nodes.filter_map(|(address, seen)| {
        let wanted = desired.nodes.get(address);
        let is_ours = claims.owns(&desired.blueprint, address, seen);
        if wanted.is_none() && !is_ours && !outsiders.contains_key(address) {
            return None;
        }
        let store_of = |address: &Address| match desired.nodes.get(address) {
            Some(node) => Some(node.store.clone()),
            None => claims.store_of(address, inventory.seen.get(address)?),
        };
        let store = store_of(address).or_else(|| store_of(outsiders.get(address)?))?;
        let mut usage = wanted.map_or_else(Usage::default, |node| node.usage);
        usage.data_gib = seen.facts.used_gib.unwrap_or(usage.data_gib);
        let node = Node {
            address: address.clone(),
            attrs: seen.attrs.clone(),
            needs: BTreeSet::new(),
            store,
            keep: Keep::default(),
            tags: BTreeMap::new(),
            standby: wanted.is_some_and(|node| node.standby),
            usage,
        };
        Some((address.clone(), node))
    });
    Desired { nodes: nodes.collect(), ..desired.clone() }
}

/// Objects that are not ours and bound to ours, each with the one of ours.
fn outsiders(plan: &Plan) -> BTreeMap<&Address, &Address> {
    let told = plan.waiting.iter().filter_map(|waiting| match waiting {
        Blocker::ForeignMember { address, of, .. } => Some((address, of)),
        _ => None,
    });
    told.collect()
}

fn place_of(node: &Node) -> Place {
    (node.store.clone(), node.address.region.clone())
}

/// What is wanted and not seen, by store and region.
fn without_objects(
    desired: &Desired,
    inventory: &Inventory,
    exists: &Desired,
) -> BTreeMap<Place, StoreStatus> {
    let mut stores: BTreeMap<Place, StoreStatus> = BTreeMap::new();
    for node in desired.nodes.values().filter(|node| !exists.nodes.contains_key(&node.address)) {
        let is_unseen = !inventory.is_complete_for(&node.address);
        let store = stores.entry(place_of(node)).or_insert_with(|| StoreStatus::of(node));
        store.objects.push(ObjectStatus {
            phase: (!is_unseen).then_some(Phase::Absent),
            unseen: is_unseen,
            held_out: inventory.hold_on(&node.address).is_some(),
            ..missing(&node.address)
        });
    }
    stores
}

/// Puts desired and observed state side by side, with what the plan says of the two.
pub fn report(
    desired: &Desired,
    inventory: &Inventory,
    claims: &Claims,
    plan: &Plan,
    prices: &Prices<'_>,
) -> StatusReport {
    let outsiders = outsiders(plan);
    let is_foreign = |address: &Address| {
        outsiders.contains_key(address)
            || plan
                .waiting
                .iter()
                .any(|one| matches!(one, Blocker::Foreign { address: foreign, .. } if foreign == address))
    };
    let exists = existing(desired, inventory, claims, plan);
    let mut stores = without_objects(desired, inventory, &exists);
    let mut sums = (Total::default(), Total::default());
    for node in exists.nodes.values() {
        let address = &node.address;
        let Some(seen) = inventory.seen.get(address) else { continue };
        let wanted = desired.nodes.get(address);
        let mut object = object(address, seen);
        object.unwanted =
            wanted.is_none() && !address.kind.facts().observe_only && !outsiders.contains_key(address);
        object.foreign = is_foreign(address);
        if let Some(wanted) = wanted {
            let fields = tables::diff(&wanted.attrs, &seen.attrs).into_iter().map(|change| change.field);
            // What the service has there is as it should be.
            let is_ours = |field: &String| !is_of_the_service(inventory, address, seen, field);
            object.differs = fields.filter(is_ours).collect();
        }
        let cost = (prices.existing)(node);
        let store = stores.entry(place_of(node)).or_insert_with(|| StoreStatus::of(node));
        store.standby |= node.standby;
        if object.foreign {
            sums.1.merge(&cost);
        } else {
            store.cost.merge(&cost);
            sums.0.merge(&cost);
        }
        store.objects.push(object);
    }
    let mut wanted = Total::default();
    for ((name, region), store) in &mut stores {
        store.objects.sort_by(|a, b| a.address.cmp(&b.address));
        store.summary = summary(&store.objects);
        store.wanted = (prices.wanted)(name, region).expected;
        wanted.merge(&store.wanted);
    }
    let is_there = |object: &&ObjectStatus| object.is_there() && !object.foreign;
    StatusReport {
        blueprint: desired.blueprint.clone(),
        taken: inventory.taken,
        clean: plan.is_clean(),
        exist: stores.values().flat_map(|store| &store.objects).filter(is_there).count(),
        cost: sums.0,
        wanted,
        not_ours: sums.1,
        health: plan.health.clone(),
        stores: stores.into_values().collect(),
        gaps: inventory.gaps.clone(),
        held_out: inventory.held_out.values().cloned().collect(),
        open: Vec::new(),
        decisions: Vec::new(),
        at_work: None,
    }
}

impl StoreStatus {
    fn of(node: &Node) -> Self {
        Self {
            store: node.store.clone(),
            region: node.address.region.clone(),
            standby: node.standby,
            summary: String::new(),
            cost: Total::default(),
            wanted: Total::default(),
            objects: Vec::new(),
        }
    }
}

impl ObjectStatus {
    /// Whether it exists, and is no snapshot or the like that stays behind on purpose.
    fn is_there(&self) -> bool {
        self.phase.as_ref().is_some_and(|phase| *phase != Phase::Absent)
            && !self.address.kind.facts().observe_only
    }
}

fn missing(address: &Address) -> ObjectStatus {
    ObjectStatus {
        address: address.clone(),
        phase: Some(Phase::Absent),
        unseen: false,
        held_out: false,
        native: String::new(),
        role: None,
        class: None,
        size: None,
        pending: Vec::new(),
        differs: Vec::new(),
        endpoint: None,
        unwanted: false,
        foreign: false,
    }
}

/// Numbers that make the size of an object, as they are seen.
const SIZES: [&str; 5] = ["nodes", "shards", "replicas_per_shard", "base_rpu", "max_rpu"];

fn object(address: &Address, seen: &Observed) -> ObjectStatus {
    let set = seen.attrs.set_fields();
    let classes = ["class", "node_type"];
    let class = set.iter().find(|(name, _)| classes.contains(name)).and_then(|(_, value)| value.as_str());
    let sizes: Vec<String> = set
        .iter()
        .filter(|(name, _)| SIZES.contains(name))
        .map(|(name, value)| format!("{name} {value}"))
        .collect();
    let pending = seen.pending.iter().flat_map(rgctl_model::kinds::AnyAttrs::set_fields);
    ObjectStatus {
        phase: Some(seen.facts.phase.clone()),
        native: seen.facts.native.clone(),
        role: seen.facts.role.map(|role| role.to_string()),
        class: class.map(str::to_owned),
        size: (!sizes.is_empty()).then(|| sizes.join(", ")),
        pending: pending.map(|(name, _)| name.to_owned()).collect(),
        endpoint: seen.facts.endpoint.clone(),
        ..missing(address)
    }
}

fn summary(objects: &[ObjectStatus]) -> String {
    // Snapshots and the like are left behind on purpose; they say nothing about the store's health.
    let is_counted = |object: &&ObjectStatus| !object.unwanted && !object.address.kind.facts().observe_only;
    let wanted: Vec<&ObjectStatus> = objects.iter().filter(is_counted).collect();
    let count = |what: &dyn Fn(&ObjectStatus) -> bool| wanted.iter().filter(|object| what(object)).count();
    let ready = count(&|object| object.phase.as_ref().is_some_and(Phase::is_ready) && !object.foreign);
    let held_out = count(&|object| object.held_out);
    if held_out > 0 && held_out == wanted.len() {
        return "held out".to_owned();
    }
    let unseen = count(&|object| object.unseen && !object.held_out);
    let foreign = count(&|object| object.foreign);
    if unseen > 0 && unseen == wanted.len() {
        return "unseen".to_owned();
    }
    if wanted.iter().all(|object| object.phase == Some(Phase::Absent)) {
        return "absent".to_owned();
    }
    if ready == wanted.len() {
        return "ready".to_owned();
    }
    let mut parts = vec![format!("{ready} of {} ready", wanted.len())];
    parts.extend((held_out > 0).then(|| format!("{held_out} held out")));
    parts.extend((unseen > 0).then(|| format!("{unseen} unseen")));
    parts.extend((foreign > 0).then(|| format!("{foreign} not ours")));
    parts.join(", ")
}

fn money(total: &Total) -> String {
    if *total == Total::default() { "nothing".to_owned() } else { format!("{total} a month") }
}

/// What a store costs that exists; what could not be seen may exist and cost something too.
fn cost_of(store: &StoreStatus) -> String {
    let is_unseen = store.objects.iter().any(|object| object.unseen);
    match (is_unseen, store.cost == Total::default()) {
        (true, true) => "its cost unknown".to_owned(),
        (true, false) => format!("{} for what was seen", money(&store.cost)),
        (false, _) => money(&store.cost),
    }
}

/// What exists and what it costs; what is wanted stands apart.
pub(super) fn headline(report: &StatusReport) -> String {
    let is_whole = report.gaps.is_empty() && report.held_out.is_empty();
    let exists = match report.exist {
        0 if is_whole => "nothing exists, and costs nothing".to_owned(),
        0 => "nothing was seen; what exists could not be seen in full".to_owned(),
        count if !is_whole => {
            let noun = if count == 1 { "object was" } else { "objects were" };
            format!("{count} {noun} seen, for {}; what exists could not be seen in full", money(&report.cost))
        }
        count => {
            let verb = if count == 1 { "object exists and costs" } else { "objects exist and cost" };
            format!("{count} {verb} {}", money(&report.cost))
        }
    };
    let wanted = format!("wanted: {}", money(&report.wanted));
    let not_ours = if report.not_ours == Total::default() {
        String::new()
    } else {
        format!("; not ours and bound to it: {}", money(&report.not_ours))
    };
    format!("{exists} ({wanted}{not_ours})")
}

/// The status for people.
pub fn text(report: &StatusReport, style: Style) -> String {
    let mut out = String::new();
    let title = format!("{} at {}", report.blueprint, report.taken);
    let _ = writeln!(out, "{}", style.paint(Tone::Strong, &title));
    let _ = writeln!(out, "{}", headline(report));
    if let Some(line) = report.health.line() {
        let _ = writeln!(out, "{}", style.paint(Tone::Bad, &format!("Not as wanted: {line}")));
    }
    if let Some(at_work) = &report.at_work {
        let _ = writeln!(out, "{}", at_work.text());
    }
    for row in &report.decisions {
        let _ = writeln!(out, "decided: {}", row.sentence());
    }
    for store in &report.stores {
        let standby = if store.standby { " (standby)" } else { "" };
        let (cost, wanted) = (cost_of(store), money(&store.wanted));
        let cost = if cost == wanted { format!(", {cost}") } else { format!(", {cost} (wanted: {wanted})") };
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
    for hold in &report.held_out {
        let _ = writeln!(out, "\n{}", style.paint(Tone::Bad, &hold.to_string()));
    }
    if !report.open.is_empty() {
        let _ = writeln!(out, "\n{}", style.paint(Tone::Strong, "begun and not done, by the record"));
        out.push_str(&open::text(&report.open));
    }
    out
}

pub(super) fn cells(object: &ObjectStatus) -> [String; 6] {
    let mut remarks = Vec::new();
    if object.foreign {
        remarks.push("not ours".to_owned());
    }
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
    let phase = object.phase.as_ref().map_or_else(
        || if object.held_out { "held out".to_owned() } else { "unseen".to_owned() },
        |phase| {
            let is_plain = phase.is_ready() || native.is_empty() || phase.to_string().contains(native);
            if is_plain { phase.to_string() } else { format!("{phase} ({native})") }
        },
    );
    [
        object.address.kind.to_string(),
        object.address.name.to_string(),
        phase,
        object.role.clone().unwrap_or_default(),
        [&object.class, &object.size].into_iter().flatten().cloned().collect::<Vec<_>>().join(", "),
        remarks.join("; "),
    ]
}
