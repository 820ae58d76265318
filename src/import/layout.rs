//! Where the stores that were found go in a blueprint: names, cells, networks, and the regions that it needs.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use crate::import::stores::{ImportedStore, NetworkFacts, Part, network};
use rgctl_blueprint::document::API_VERSION;
use rgctl_blueprint::region::RegionBook;
use rgctl_model::address::Address;
use rgctl_model::node::TAG_PREFIX;
use rgctl_model::observed::Inventory;
use rgctl_schema::names::{BlueprintName, Partition, RegionId, StoreName};

/// The shortest limit of an identifier that is made of the names of blueprint, store and region.
const IDENTIFIER_MAX: usize = 40;
/// What a blueprint says of load and objectives when nobody has told: sizes are stated, so that nothing follows from it,
/// and the objectives are ones that everything meets.
const UNKNOWN_DEMAND: &str = "Objectives and demand are not known from the cloud: state yours.";

/// A store with its place.
#[derive(Clone, Debug)]
pub(super) struct Placed {
    pub name: StoreName,
    pub found: ImportedStore,
    /// It is not replicated though its cell has a second region.
    pub stays: bool,
    /// The blueprint has one cell, which is in no name.
    pub only_cell: bool,
}

impl Placed {
    /// Whether a part is called as it would be without being told.
    pub fn derives(&self, blueprint: &BlueprintName, part: &Part) -> bool {
        let Some(address) = part.own() else { return false };
        let id = format!("{blueprint}-{}-{}", self.name, address.region.short());
        match address.kind.facts().parent {
            Some(_) => address.name.as_str() == format!("{id}-{}", part.number),
            None if address.kind.facts().is_global => {
                self.only_cell
                    && part.home.is_none()
                    && address.name.as_str() == format!("{blueprint}-{}-global", self.name)
            }
            None => address.name.as_str() == id,
        }
    }
}

/// A group of regions with its stores.
#[derive(Clone, Debug)]
struct CellFound {
    primary: RegionId,
    secondaries: Vec<RegionId>,
    stores: Vec<StoreName>,
}

/// All stores with their places.
#[derive(Clone, Debug, Default)]
pub(super) struct Layout {
    pub placed: Vec<Placed>,
    pub refused: BTreeMap<Address, String>,
    pub notes: Vec<String>,
    cells: Vec<CellFound>,
}

impl Layout {
    pub fn of(blueprint: &BlueprintName, mut found: Vec<ImportedStore>) -> Self {
        // Replicated stores first: they decide which regions belong together.
        found.sort_by_key(|store| std::cmp::Reverse(store.secondaries().len()));
        let mut layout = Self::default();
        let mut names = BTreeSet::new();
        for store in found {
            for region in &store.unseen {
                layout.notes.push(format!(
                    "{} has a follower in {region}, which was not looked at: give `--region {region}` too",
                    store.root
                ));
            }
            let Some(name) = store_name(blueprint, &store.root, &names) else {
                layout
                    .notes
                    .push(format!("{} is left out: no name of a store can be made of its own", store.root));
                continue;
            };
            match layout.place(&name, &store) {
                Ok(stays) => {
                    names.insert(name.clone());
                    layout.placed.push(Placed { name, found: store, stays, only_cell: true });
                }
                Err(why) => {
                    layout.notes.push(format!("{} is left out: {why}", store.root));
                    for address in store.own() {
                        layout.refused.insert(address, why.clone());
                    }
                }
            }
        }
        for placed in &mut layout.placed {
            placed.only_cell = layout.cells.len() == 1;
        }
        layout.placed.sort_by(|a, b| a.found.root.cmp(&b.found.root));
        layout
    }

    fn place(&mut self, name: &StoreName, store: &ImportedStore) -> Result<bool, String> {
        let (primary, secondaries) = (&store.root.region, store.secondaries());
        if let Some(cell) = self.cells.iter_mut().find(|cell| cell.primary == *primary) {
            if cell.secondaries != secondaries && !secondaries.is_empty() {
                return Err(format!(
                    "in a blueprint all stores of {primary} have the same second regions; import it by `--only` into \
                     a blueprint of its own"
                ));
            }
            cell.stores.push(name.clone());
            return Ok(secondaries.is_empty() && !cell.secondaries.is_empty());
        }
        let uses = |cell: &CellFound, region: &RegionId| {
            cell.primary == *region || cell.secondaries.contains(region)
        };
        let twice = secondaries
            .iter()
            .chain([primary])
            .find(|region| self.cells.iter().any(|cell| uses(cell, region)));
        if let Some(region) = twice {
            return Err(format!(
                "{region} follows another region in this blueprint, and a region belongs to one cell; import it by \
                 `--only` into a blueprint of its own"
            ));
        }
        self.cells.push(CellFound { primary: primary.clone(), secondaries, stores: vec![name.clone()] });
        Ok(false)
    }

    /// The blueprint's document.
    pub fn document(&self, blueprint: &BlueprintName, inventory: &Inventory, stores: Vec<Value>) -> Value {
        let mut spec = Map::new();
        spec.insert(
            "demand".into(),
            json!({ "players": { "peakConcurrent": 1 }, "requestsPerPlayerPerMinute": 1 }),
        );
        spec.insert(
            "objectives".into(),
            json!({ "availability": "90%", "p99": "10s", "rto": "24h", "rpo": "24h" }),
        );
        spec.insert("regions".into(), self.regions());
        let networks: Map<String, Value> = self
            .all_regions()
            .into_iter()
            .filter_map(|region| Some((region.to_string(), refs(&self.usual_network(inventory, &region)?))))
            .collect();
        if !networks.is_empty() {
            spec.insert("network".into(), json!({ "regions": networks }));
        }
        spec.insert("stores".into(), Value::Array(stores));
        json!({
            "apiVersion": API_VERSION,
            "kind": "Blueprint",
            "metadata": { "name": blueprint, "annotations": { "imported": UNKNOWN_DEMAND } },
            "spec": spec,
        })
    }

    fn regions(&self) -> Value {
        let place = |cell: &CellFound| {
            let mut fields = Map::new();
            fields.insert("primary".into(), json!(cell.primary));
            if !cell.secondaries.is_empty() {
                fields.insert("secondaries".into(), json!(cell.secondaries));
            }
            fields
        };
        if let [only] = self.cells.as_slice() {
            return Value::Object(place(only));
        }
        let share = format!("{:.2}%", 100.0 / self.cells.len().max(1) as f64);
        let cells = self.cells.iter().map(|cell| {
            let mut fields = Map::new();
            fields.insert("name".into(), json!(cell.primary.short()));
            fields.extend(place(cell));
            fields.insert("demandShare".into(), json!(share));
            fields.insert("stores".into(), json!(cell.stores));
            Value::Object(fields)
        });
        json!({ "cells": cells.collect::<Vec<_>>() })
    }

    fn all_regions(&self) -> BTreeSet<RegionId> {
        self.cells.iter().flat_map(|cell| cell.secondaries.iter().chain([&cell.primary])).cloned().collect()
    }

    /// The network that most stores of a region are in, when it is complete.
    fn usual_network(&self, inventory: &Inventory, region: &RegionId) -> Option<NetworkFacts> {
        let mut counted: BTreeMap<NetworkFacts, usize> = BTreeMap::new();
        for placed in &self.placed {
            let facts = network(inventory, &placed.found, region);
            if facts.subnets.len() >= 2 && !facts.security_groups.is_empty() {
                *counted.entry(facts).or_default() += 1;
            }
        }
        let most = counted.values().copied().max()?;
        counted.into_iter().find(|(_, uses)| *uses == most).map(|(facts, _)| facts)
    }
}

fn refs(facts: &NetworkFacts) -> Value {
    let mut fields = Map::new();
    fields.insert("subnets".into(), json!(facts.subnets));
    fields.insert("securityGroups".into(), json!(facts.security_groups));
    if let Some(key) = &facts.kms_key {
        fields.insert("kmsKey".into(), json!(key));
    }
    Value::Object(fields)
}

/// A name within the blueprint, from the name of the main object: without what the blueprint and the region add to it.
fn store_name(blueprint: &BlueprintName, root: &Address, taken: &BTreeSet<StoreName>) -> Option<StoreName> {
    let text = root.name.as_str();
    let text = text.strip_prefix(&format!("{blueprint}-")).unwrap_or(text);
    let ends = [format!("-{}", root.region.short()), format!("-{}", root.region)];
    let text = ends.iter().find_map(|end| text.strip_suffix(end.as_str())).unwrap_or(text);
    // What is left may begin with a digit; the whole identifier never does.
    let text =
        if text.starts_with(|first: char| first.is_ascii_lowercase()) { text } else { root.name.as_str() };
    let around = blueprint.as_str().len() + root.region.short().len() + 2;
    let most = StoreName::MAX.min(IDENTIFIER_MAX.saturating_sub(around)).max(1);
    let numbered = |number: usize| {
        let end = if number == 1 { String::new() } else { format!("-{number}") };
        let head: String = text.chars().take(most.saturating_sub(end.len()).max(1)).collect();
        StoreName::new(format!("{}{end}", head.trim_end_matches('-'))).ok()
    };
    // Each number gives another name, so that one more than are taken is enough.
    (1..=taken.len() + 1).filter_map(numbered).find(|name| !taken.contains(name))
}

/// The user's tags that all objects of a store have alike.
pub(super) fn common_tags(inventory: &Inventory, store: &ImportedStore) -> BTreeMap<String, String> {
    let mut all = store
        .own()
        .into_iter()
        .filter_map(|address| inventory.seen.get(&address))
        .map(|seen| &seen.facts.tags);
    let Some(first) = all.next() else { return BTreeMap::new() };
    // The service's own tags cannot be set by anybody else.
    let is_own = |key: &str| !key.starts_with(TAG_PREFIX) && !key.starts_with("aws:");
    let mut common: BTreeMap<String, String> = first
        .iter()
        .filter(|(key, _)| is_own(key))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    for tags in all {
        common.retain(|key, value| tags.get(key) == Some(value));
    }
    common
}

/// `Region` documents for the regions that are not described.
pub(super) fn missing_regions(inventory: &Inventory, layout: &Layout, known: &RegionBook) -> Vec<Value> {
    let missing = layout.all_regions().into_iter().filter(|region| known.get(region).is_none());
    missing
        .map(|region| {
            let zones: BTreeSet<String> = inventory
                .seen
                .iter()
                .filter(|(address, _)| address.region == region)
                .filter_map(|(_, seen)| seen.attrs.text("zone"))
                .collect();
            let usual = ["a", "b", "c"].map(|letter| format!("{region}{letter}"));
            let zones: Vec<String> = if zones.len() < 2 { usual.into() } else { zones.into_iter().collect() };
            let partition = Partition::of(&region);
            let currency = if partition == Partition::AwsCn { "CNY" } else { "USD" };
            let facts = layout.usual_network(inventory, &region).unwrap_or_default();
            json!({
                "apiVersion": API_VERSION,
                "kind": "Region",
                "metadata": { "name": region },
                "spec": {
                    "title": region,
                    "partition": partition,
                    "currency": currency,
                    "zones": zones,
                    "network": refs(&facts),
                },
            })
        })
        .collect()
}
