//! Adoption: a blueprint for what exists already.
//!
//! Goes in: an inventory that nobody wrote a blueprint for. Comes out: a blueprint document, the `Region` documents that
//! it needs, the plan that is left once it is taken over, and what had to stay outside.
//!
//! **Invariant:** pure, and nothing is changed: the plan is made as if the tags of ownership were set.
//! **Invariant:** every difference is either stated in the blueprint as it was found, or stands in the plan.

mod layout;
pub mod stores;
mod text;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::import::stores::{ImportedStore, Part, imported_stores, is_root};
use rgctl_blueprint::desired;
use rgctl_blueprint::families::adopt::Ownership;
use rgctl_blueprint::region::{Region, RegionBook};
use rgctl_blueprint::spec::Blueprint;
use rgctl_catalog::Catalog;
use rgctl_engine::planning::{self, Figures, effective_attrs};
use rgctl_model::address::Address;
use rgctl_model::choices::Choices;
use rgctl_model::claims::NO_CLAIMS;
use rgctl_model::kinds::AnyAttrs;
use rgctl_model::node::{Desired, Node};
use rgctl_model::observed::Inventory;
use rgctl_model::overlay::Decisions;
use rgctl_model::plan::Plan;
use rgctl_model::policy::{Authority, Policy};
use rgctl_model::sizes::Sizes;
use rgctl_schema::diagnostic::{Diagnostics, Finding};
use rgctl_schema::names::{BlueprintName, StoreName};
use rgctl_schema::section::from_json;
use rgctl_schema::time::Moment;

use layout::{Layout, Placed};

/// What an adoption is made from.
pub struct ImportInput<'a> {
    /// What exists.
    pub inventory: &'a Inventory,
    /// Name of the blueprint to write.
    pub blueprint: &'a BlueprintName,
    /// The regions that are described.
    pub regions: &'a RegionBook,
    /// Prices, classes, limits.
    pub catalog: &'a Catalog,
    /// Costs and capacities, for the plan.
    pub figures: &'a dyn Figures,
    /// Names of clusters, groups and warehouses; all of them when none is given.
    pub only: &'a BTreeSet<String>,
    /// When.
    pub now: Moment,
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Adoption {
    /// The blueprint.
    pub document: Value,
    /// Regions that it needs and that were not described.
    pub regions: Vec<Value>,
    /// Its stores.
    pub stores: Vec<StoreFound>,
    /// What stays outside, and why.
    pub left: Vec<Left>,
    /// What a person should know.
    pub notes: Vec<String>,
    /// What the blueprint wants; nothing when it cannot be built.
    pub desired: Option<Desired>,
    /// What would be done once everything is taken over; nothing when the blueprint cannot be built.
    pub plan: Option<Plan>,
    /// Why the blueprint cannot be built.
    pub problems: Vec<String>,
}

/// A store of the blueprint.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StoreFound {
    /// Its name in the blueprint.
    pub store: StoreName,
    /// Its engine.
    pub engine: String,
    /// The object in which its data is.
    pub root: Address,
    /// The same in the regions that follow.
    pub followers: Vec<Address>,
    /// How many objects it takes as its own.
    pub objects: usize,
    /// Objects that it uses and that stay others' own.
    pub shared: Vec<String>,
    /// What its section has no words for, stated as it was found.
    pub kept: Vec<Kept>,
}

/// An attribute that is stated as it was found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Kept {
    /// Of which object.
    #[serde(rename = "at")]
    pub address: Address,
    /// Which.
    pub field: String,
    /// Its value; nothing when it is left alone.
    pub value: Value,
}

/// An object that stays outside of the blueprint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Left {
    /// Which.
    #[serde(rename = "at")]
    pub address: Address,
    /// Why.
    pub why: String,
}

impl Adoption {
    /// Whether the blueprint reproduces what was found: it can be used, the plan has no step, and nothing is in its way.
    pub fn is_exact(&self) -> bool {
        self.problems.is_empty()
            && self.plan.as_ref().is_some_and(|plan| plan.steps.is_empty() && plan.waiting.is_empty())
    }

    /// The documents as a file.
    pub fn file(&self) -> String {
        text::file(&self.document, &self.regions)
    }
}

/// Writes the blueprint and proves it.
///
/// 1. Stores are recognised, named and placed into cells.
/// 2. The blueprint is built under the real names, and every attribute that differs is stated as it was found.
/// 3. It is built again, and planned against the inventory as if everything of it were taken over.
pub fn adopt(ask: &ImportInput<'_>) -> Adoption {
    let settled = settled(ask.inventory);
    let all = imported_stores(&settled);
    let chosen =
        all.iter().filter(|store| ask.only.is_empty() || ask.only.contains(store.root.name.as_str()));
    let layout = Layout::of(ask.blueprint, chosen.cloned().collect());
    let mut work = DocumentBuilder { ask, settled: &settled, layout: &layout, settings: BTreeMap::new() };
    let regions = layout::missing_regions(&settled, &layout, ask.regions);
    let mut book = ask.regions.clone();
    for region in regions.iter().filter_map(|region| from_json::<Region>(region).ok()) {
        book.insert(region);
    }
    let mut adoption = Adoption {
        document: work.document(),
        regions,
        stores: Vec::new(),
        left: left(ask, &all, &layout),
        notes: layout.notes.clone(),
        desired: None,
        plan: None,
        problems: Vec::new(),
    };
    if layout.placed.is_empty() {
        adoption.problems.push("nothing was found that a blueprint could hold".to_owned());
        return adoption;
    }
    let built = match work.build(&book) {
        Ok(first) => {
            work.note_differences(&first);
            adoption.document = work.document();
            work.build(&book)
        }
        Err(problems) => Err(problems),
    };
    adoption.stores = work.stores();
    match built {
        Ok(desired) => {
            adoption.plan = Some(plan_as_if_taken(ask, &desired));
            adoption.desired = Some(desired);
        }
        Err(problems) => adoption.problems = problems,
    }
    adoption
}

/// The inventory as it will be once everything accepted is in effect.
fn settled(inventory: &Inventory) -> Inventory {
    let mut settled = inventory.clone();
    for seen in settled.seen.values_mut() {
        seen.attrs = effective_attrs(seen);
        seen.pending = None;
    }
    settled
}

fn plan_as_if_taken(ask: &ImportInput<'_>, desired: &Desired) -> Plan {
    let mut inventory = ask.inventory.clone();
    for (address, node) in &desired.nodes {
        if let Some(seen) = inventory.seen.get_mut(address).filter(|seen| seen.owner().is_none()) {
            seen.facts.tags.extend(node.all_tags(&desired.blueprint));
        }
    }
    planning::plan(&planning::PlanInput {
        desired,
        inventory: &inventory,
        held_out: &BTreeMap::new(),
        policy: &Policy::default(),
        figures: ask.figures,
        choices: Choices::NONE,
        now: ask.now,
        snapshot_suffix: "import",
        destroy: false,
        claims: &NO_CLAIMS,
        verdicts: &planning::verdicts(desired, ask.figures),
        authority: Authority::Person,
    })
}

struct DocumentBuilder<'a> {
    ask: &'a ImportInput<'a>,
    settled: &'a Inventory,
    layout: &'a Layout,
    /// Attributes stated as they were found.
    settings: BTreeMap<Address, Map<String, Value>>,
}

impl DocumentBuilder<'_> {
    fn document(&self) -> Value {
        let stores: Vec<Value> = self.layout.placed.iter().map(|placed| self.store(placed)).collect();
        self.layout.document(self.ask.blueprint, self.settled, stores)
    }

    fn store(&self, placed: &Placed) -> Value {
        let mut fields = Map::new();
        fields.insert("name".into(), json!(placed.name));
        fields.extend(placed.found.section.clone());
        if placed.stays {
            fields.insert("global".into(), json!(false));
        }
        let tags = layout::common_tags(self.settled, &placed.found);
        if !tags.is_empty() {
            fields.insert("tags".into(), json!(tags));
        }
        let adopted: Vec<Value> =
            placed.found.parts.iter().filter_map(|part| self.entry(placed, part)).collect();
        if !adopted.is_empty() {
            fields.insert("adopt".into(), Value::Array(adopted));
        }
        Value::Object(fields)
    }

    /// The entry of an object; none when everything of it follows from the section.
    fn entry(&self, placed: &Placed, part: &Part) -> Option<Value> {
        let settings = part
            .own()
            .and_then(|address| self.settings.get(&address))
            .filter(|settings| !settings.is_empty());
        let is_derived = placed.derives(self.ask.blueprint, part);
        if is_derived && settings.is_none() {
            return None;
        }
        let mut fields = Map::new();
        fields.insert("region".into(), json!(part.region));
        fields.insert("kind".into(), json!(part.kind));
        if part.number > 1 {
            fields.insert("number".into(), json!(part.number));
        }
        if let Some(home) = &part.home {
            fields.insert("home".into(), json!(home));
        }
        if let Some(name) = part.name.as_ref().filter(|_| !is_derived) {
            fields.insert("name".into(), json!(name));
        }
        if part.ownership != Ownership::Own {
            fields.insert("ownership".into(), json!(part.ownership));
        }
        if let Some(settings) = settings {
            fields.insert("settings".into(), Value::Object(settings.clone()));
        }
        Some(Value::Object(fields))
    }

    fn build(&self, book: &RegionBook) -> Result<Desired, Vec<String>> {
        let blueprint: Blueprint = from_json(&self.document()).map_err(|found| unreadable(&found))?;
        let built = desired::build(
            &blueprint,
            book,
            self.ask.catalog,
            (&Decisions::default(), &Sizes::default()),
            self.ask.now,
        );
        built.map(|built| built.desired).map_err(|findings| findings.iter().map(told).collect())
    }

    /// States what differs as it was found.
    fn note_differences(&mut self, desired: &Desired) {
        for (address, node) in &desired.nodes {
            let Some(seen) = self.settled.seen.get(address) else { continue };
            let found = differences(node, &seen.attrs);
            if !found.is_empty() {
                self.settings.insert(address.clone(), found);
            }
        }
    }

    fn stores(&self) -> Vec<StoreFound> {
        let kept = |found: &ImportedStore| {
            let own = found.own();
            let of_store = self.settings.iter().filter(|(address, _)| own.contains(*address));
            of_store
                .flat_map(|(address, fields)| {
                    fields.iter().map(|(field, value)| Kept {
                        address: address.clone(),
                        field: field.clone(),
                        value: value.clone(),
                    })
                })
                .collect()
        };
        let all = self.layout.placed.iter().map(|placed| {
            let found = &placed.found;
            let shared = found.parts.iter().filter(|part| part.ownership == Ownership::Shared);
            let shared: BTreeSet<String> = shared
                .map(|part| {
                    format!("{}/{}/{}", part.region, part.kind, part.name.as_deref().unwrap_or_default())
                })
                .collect();
            StoreFound {
                store: placed.name.clone(),
                engine: found.section.get("engine").and_then(Value::as_str).unwrap_or_default().to_owned(),
                root: found.root.clone(),
                followers: found.followers.values().cloned().collect(),
                objects: found.own().len(),
                shared: shared.into_iter().collect(),
                kept: kept(found),
            }
        });
        all.collect()
    }
}

/// Fields that say how an object was made, or move by themselves, and are wanted only where a section asks for them.
const OF_NO_WISH: [&str; 4] = ["global", "paused", "source", "source_region"];

/// The attributes in which a wanted object is not as it was found, and those that it would leave open, as they are.
fn differences(node: &Node, seen: &AnyAttrs) -> Map<String, Value> {
    let mut found = Map::new();
    for change in planning::tables::diff(&node.attrs, seen) {
        // `null` leaves an attribute alone that the service does not tell.
        let value = seen.get(&change.field).unwrap_or(Value::Null);
        found.insert(change.field, value);
    }
    for (field, value) in seen.set_fields() {
        let says_nothing = matches!(&value, Value::Bool(false) | Value::Null)
            || value.as_array().is_some_and(Vec::is_empty)
            || value.as_object().is_some_and(Map::is_empty);
        let is_hidden = value == json!(rgctl_schema::table::HIDDEN);
        if node.attrs.get(field).is_none() && !says_nothing && !is_hidden && !OF_NO_WISH.contains(&field) {
            found.insert(field.to_owned(), value);
        }
    }
    found
}

fn left(ask: &ImportInput<'_>, all: &[ImportedStore], layout: &Layout) -> Vec<Left> {
    let taken: BTreeSet<Address> = layout.placed.iter().flat_map(|placed| placed.found.own()).collect();
    let used: BTreeSet<(&str, &str)> = layout
        .placed
        .iter()
        .flat_map(|placed| &placed.found.parts)
        .filter_map(|part| Some((part.kind.as_str(), part.name.as_deref()?)))
        .collect();
    let mut left = Vec::new();
    for (address, seen) in &ask.inventory.seen {
        if address.kind.facts().observe_only || taken.contains(address) {
            continue;
        }
        let owner = seen.owner();
        let why = if let Some(owner) = owner {
            format!("it belongs to the blueprint `{owner}`")
        } else if let Some(why) = layout.refused.get(address) {
            why.clone()
        } else if used.contains(&(address.kind.as_str(), address.name.as_str())) {
            "it is used, and shared with others or the service's own".to_owned()
        } else if all.iter().any(|store| store.root == *address || store.own().contains(address)) {
            "its store was not chosen".to_owned()
        } else if is_root(address.kind) {
            "it is on its way out".to_owned()
        } else {
            "no store that is to be imported uses it".to_owned()
        };
        left.push(Left { address: address.clone(), why });
    }
    left
}

fn told(finding: &Finding) -> String {
    format!("{}: {} [{}]", finding.path, finding.message, finding.code)
}

fn unreadable(found: &Diagnostics) -> Vec<String> {
    found.iter().map(|d| format!("{}: {} [{}]", d.path, d.message, d.code)).collect()
}
