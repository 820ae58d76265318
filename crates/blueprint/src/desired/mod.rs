//! Desired state: everything that should exist for a blueprint, and what it costs.
//!
//! Goes in: a blueprint that was checked, the regions, the catalogue, decisions, the present moment. Comes out: a
//! [`Built`]: the desired state, an estimate of every store, the axes on which each can grow.
//!
//! **Invariant:** pure; the same input gives the same fingerprint, and use that is only expected does not change it.
//! **Invariant:** a decision moves a store within the blueprint's bounds, never beyond them.

mod lowered;
#[cfg(test)]
mod overlay_laws;
pub mod overlays;
mod schedule;

use std::collections::{BTreeMap, BTreeSet};

use rayon::prelude::*;

use crate::capacity::{self, Estimate};
use crate::families::Store;
use crate::families::bill;
use crate::families::expand::{self, ExpandError, Expansion, Placement};
use crate::families::size::{AxisFacts, Size};
use crate::region::RegionBook;
use crate::spec::{Blueprint, Cell, NetworkRefs, SecondaryRole};
use rgctl_catalog::Catalog;
use rgctl_model::address::Address;
use rgctl_model::bill::BillLine;
use rgctl_model::kinds::{AnyAttrs, KindId};
use rgctl_model::node::{Desired, Lowered, Node, UncarriedDemand, Usage};
use rgctl_model::overlay::Decisions;
use rgctl_model::rules::{CellPlace, Rules};
use rgctl_model::sizes::{SizeInForce, Sizes};
use rgctl_schema::codes;
use rgctl_schema::diagnostic::Finding;
use rgctl_schema::digest::Digester;
use rgctl_schema::names::{Fingerprint, Name, RegionId, StoreName};
use rgctl_schema::time::Moment;

use overlays::Resolved;

/// What was built.
#[derive(Clone, Debug)]
pub struct Built {
    /// What should exist.
    pub desired: Desired,
    /// How the sizes were found, one for each store of each cell.
    pub estimates: Vec<Estimate>,
    /// Where each store can grow, by store and region.
    pub axes: BTreeMap<(StoreName, RegionId), Vec<AxisFacts>>,
    /// What was decided about it, and what holds.
    pub decided: Vec<Resolved>,
    /// Decisions about what the blueprint does not have.
    pub about_nothing: Vec<String>,
    /// Demand that nothing carries, where it is written. The gate refuses growth for it; all else goes on.
    pub uncarried: Vec<Finding>,
}

impl Built {
    /// What decisions do, or cannot do, a sentence for each.
    pub fn notes(&self) -> Vec<String> {
        self.decided.iter().flat_map(Resolved::notes).chain(self.about_nothing.iter().cloned()).collect()
    }
}

/// Builds desired state, with what was decided and what the stores were made as before. The findings are at paths of the blueprint's document; the caller knows its text.
pub fn build(
    blueprint: &Blueprint,
    regions: &RegionBook,
    catalog: &Catalog,
    (decisions, before): (&Decisions, &Sizes),
    now: Moment,
) -> Result<Built, Vec<Finding>> {
    let estimates = capacity::estimate(blueprint, regions, catalog, before, now);
    let cells = blueprint.cells();
    let input = DesiredInput { blueprint, regions, catalog, now, decisions, before };
    let stores: BTreeMap<&StoreName, &Store> =
        blueprint.spec.stores.iter().map(|store| (store.name(), store)).collect();
    let mut sized: Vec<(&Cell, &Store, &Estimate)> = Vec::new();
    for cell in &cells {
        let of_cell = estimates.iter().filter(|estimate| estimate.cell == cell.name);
        sized.extend(of_cell.filter_map(|one| Some((cell, *stores.get(&one.store)?, one))));
    }
    // Stores know nothing of each other: a blueprint of hundreds is expanded by all cores.
    let expanded: Vec<Expanded<'_>> = sized
        .par_iter()
        .flat_map_iter(|(cell, store, estimate)| input.expand(cell, store, estimate))
        .collect();
    let mut work = DesiredBuilder::new(&input, &cells);
    for one in expanded {
        work.take(one);
    }
    if !work.findings.is_empty() {
        return Err(work.findings);
    }
    let (mut built, families) = (work.built, work.families);
    for (_, store, estimate) in &sized {
        let Some(finding) = input.uncarried(store, estimate) else { continue };
        built.desired.uncarried.push(UncarriedDemand {
            store: store.name().clone(),
            why: format!("{} ({})", finding.message, finding.code),
            remedy: finding.help.clone().unwrap_or_default(),
        });
        built.uncarried.push(finding);
    }
    built.about_nothing = overlays::about_nothing(decisions, &blueprint.spec.stores, &cells);
    for one in &estimates {
        let Size { class, version, storage, .. } = one.size.clone();
        let first = before.of(&one.store, &one.cell).and_then(|before| before.parameter_family.clone());
        let size = SizeInForce {
            engine: one.engine.clone(),
            class,
            version,
            parameter_family: first
                .or_else(|| families.get(&(one.store.clone(), one.region.clone())).cloned()),
            storage: storage.as_str().to_owned(),
        };
        built.desired.sizes.note(&one.store, &one.cell, size);
    }
    built.estimates = estimates;
    built.desired.fingerprint = fingerprint(&built.desired.nodes);
    Ok(built)
}

/// Digest of what should exist, without what is only expected of it.
pub fn fingerprint(nodes: &BTreeMap<Address, Node>) -> Fingerprint {
    let mut digest = Digester::default();
    for Node { address, attrs, needs, store, keep, tags, standby, usage: _ } in nodes.values() {
        digest.add(&(address, attrs, needs, store, keep, tags, standby));
    }
    Fingerprint(digest.hex())
}

/// What the bill of a member rests on beside the member: its cluster, and how many share the cluster's load.
#[derive(Clone, Debug, Default)]
pub struct Clusters {
    clusters: BTreeMap<Address, (StoreName, AnyAttrs, Usage)>,
    members: BTreeMap<(KindId, RegionId, StoreName), usize>,
}

impl Clusters {
    /// The clusters of a desired state.
    pub fn of(desired: &Desired) -> Self {
        let mut found = Self::default();
        let parents: BTreeSet<KindId> =
            KindId::ALL.iter().filter_map(|kind| kind.facts().parent).map(|parent| parent.kind).collect();
        for node in desired.nodes.values() {
            let kind = node.address.kind;
            if kind.facts().parent.is_some() {
                let key = (kind, node.address.region.clone(), node.store.clone());
                *found.members.entry(key).or_default() += 1;
            }
            if parents.contains(&kind) {
                let what = (node.store.clone(), node.attrs.clone(), node.usage);
                found.clusters.insert(node.address.clone(), what);
            }
        }
        found
    }

    /// Bill lines of one object.
    pub fn bill_of(&self, attrs: &AnyAttrs, usage: &Usage, region: &RegionId) -> Vec<BillLine> {
        let kind = attrs.kind();
        let parent = kind.facts().parent.and_then(|parent| {
            let name = Name::new(attrs.text(parent.field)?).ok()?;
            self.clusters.get(&Address::new(region.clone(), parent.kind, name))
        });
        let Some((store, parent, usage_of_all)) = parent else {
            return bill::bill_of_member(attrs, usage, None);
        };
        let members = self.members.get(&(kind, region.clone(), store.clone())).copied().unwrap_or_default();
        bill::bill_of_member(attrs, &bill::share_of(usage_of_all, members), Some(parent))
    }
}

/// What is wished for, whichever store it is about.
struct DesiredInput<'a> {
    blueprint: &'a Blueprint,
    regions: &'a RegionBook,
    catalog: &'a Catalog,
    now: Moment,
    decisions: &'a Decisions,
    before: &'a Sizes,
}

/// A store in one of its regions.
struct Expanded<'a> {
    store: &'a Store,
    region: &'a RegionId,
    expansion: Result<Expansion, Box<Finding>>,
    decided: Vec<Resolved>,
    lowered: Lowered,
}

impl DesiredInput<'_> {
    fn expand<'b>(&self, cell: &'b Cell, store: &'b Store, estimate: &Estimate) -> Vec<Expanded<'b>> {
        let secondaries = cell.replicas(store);
        let mut expanded = Vec::new();
        for region in std::iter::once(&cell.primary).chain(secondaries) {
            let size =
                if region == &cell.primary { Some(&estimate.size) } else { estimate.secondary.as_ref() };
            let Some(size) = size else { continue };
            let place = overlays::Place { store, cell, region, catalog: self.catalog, now: self.now };
            let (size, decided) = overlays::apply(&place, self.decisions, size);
            let expand = |size: &Size| self.expand_in(cell, store, region, secondaries, size, estimate);
            let expansion = expand(&size);
            let lowered = match (&expansion, overlays::higher(&size, &decided)) {
                (Ok(now), Some(higher)) => lowered::between(expand(&higher).ok().as_ref(), now),
                _ => Lowered::default(),
            };
            expanded.push(Expanded { store, region, expansion, decided, lowered });
        }
        expanded
    }

    fn expand_in(
        &self,
        cell: &Cell,
        store: &Store,
        region: &RegionId,
        secondaries: &[RegionId],
        size: &Size,
        estimate: &Estimate,
    ) -> Result<Expansion, Box<Finding>> {
        let Some(facts) = self.regions.get(region) else {
            let message = format!("the region `{region}` is not described");
            return Err(Finding::error(codes::UNKNOWN_REGION, "spec.regions", message).into());
        };
        let network = self.network(region).unwrap_or(&facts.spec.network);
        let maintenance = self.blueprint.spec.policies.maintenance.as_ref();
        let maintenance = maintenance.and_then(|window| schedule::weekly_utc(window, self.now));
        let follows = region != &cell.primary;
        let mut usage = estimate.usage;
        if follows && cell.secondary_role == SecondaryRole::Standby {
            (usage.reads_per_second, usage.io_per_month) = (0.0, 0.0);
        }
        let before = self.before.of(store.name(), &cell.name);
        let place = Placement {
            blueprint: self.blueprint.name(),
            cell: (!cell.is_only()).then_some(&cell.name),
            region,
            zones: &facts.spec.zones,
            subnets: &network.subnets,
            security_groups: &network.security_groups,
            kms_key: network.kms_key.as_deref(),
            primary: &cell.primary,
            secondaries,
            standby: follows && cell.secondary_role == SecondaryRole::Standby,
            size,
            usage,
            tags: &self.blueprint.spec.tags,
            maintenance: maintenance.as_deref(),
            parameter_family: before.and_then(|before| before.parameter_family.as_deref()),
            paused: schedule::paused(store.pauses(), self.now),
        };
        expand::expand(store, &place).map_err(|error| self.finding(store, &error).into())
    }

    fn network(&self, region: &RegionId) -> Option<&NetworkRefs> {
        self.blueprint.spec.network.as_ref()?.regions.get(region.as_str())
    }

    fn path_of(&self, store: &Store, field: &str) -> String {
        let place = self.blueprint.spec.stores.iter().position(|other| other.name() == store.name());
        format!("spec.stores[{}].{field}", place.unwrap_or(0))
    }

    /// Demand that no size carries.
    fn uncarried(&self, store: &Store, estimate: &Estimate) -> Option<Finding> {
        let uncarried = estimate.uncarried.as_ref()?;
        let (name, region, why) = (store.name(), &estimate.region, &uncarried.why);
        let message = format!("nothing carries the demand on `{name}` in {region}: {why}");
        let (code, help) = if uncarried.is_limit {
            (
                codes::SIZE_LIMIT,
                "share the data over several stores or cells, move older data on, or take a version whose volumes are larger",
            )
        } else {
            (
                codes::UNCARRIED,
                "share the demand over several stores or cells, or state the class and the counts that measurements have \
                 shown to carry it; `rgctl capacity` prints every formula",
            )
        };
        Some(Finding::error(code, self.path_of(store, "demand"), message).help(help))
    }

    fn finding(&self, store: &Store, error: &ExpandError) -> Finding {
        let (code, field, help) = match error {
            ExpandError::Name { .. } => {
                (codes::NAME_TOO_LONG, "name", "choose a shorter name for the store or the blueprint")
            }
            ExpandError::Adopted { .. } => (codes::BAD_SETTING, "adopt", "correct the setting, or remove it"),
            ExpandError::Size { what: "a class", .. } => {
                (codes::CLASS_NOT_OFFERED, "class", "state a class that is sold in all regions of the store")
            }
            ExpandError::Size { .. } => (codes::VERSION_UNKNOWN, "version", "state a version"),
        };
        Finding::error(code, self.path_of(store, field), error.to_string()).help(help)
    }
}

/// What a blueprint allows, and when: what the gate obeys.
pub fn rules(blueprint: &Blueprint) -> Rules {
    let place = |cell: &Cell| CellPlace {
        name: cell.name.clone(),
        regions: cell.regions().cloned().collect(),
        stores: cell.stores.iter().cloned().collect(),
    };
    Rules {
        policies: blueprint.spec.policies.clone(),
        calendar: blueprint.spec.calendar.clone(),
        cells: blueprint.cells().iter().map(place).collect(),
    }
}

/// What has been put together so far.
struct DesiredBuilder<'a> {
    input: &'a DesiredInput<'a>,
    built: Built,
    /// The family of the parameter groups of each store and region.
    families: BTreeMap<(StoreName, RegionId), String>,
    findings: Vec<Finding>,
}

impl<'a> DesiredBuilder<'a> {
    fn new(input: &'a DesiredInput<'a>, cells: &[Cell]) -> Self {
        let desired = Desired {
            home: cells.first().map(|cell| cell.primary.clone()),
            blueprint: input.blueprint.name().clone(),
            regions: cells.iter().flat_map(Cell::regions).cloned().collect(),
            nodes: BTreeMap::new(),
            bills: Vec::new(),
            rules: vec![rules(input.blueprint)],
            lowered: Lowered::default(),
            uncarried: Vec::new(),
            sizes: Sizes::default(),
            fingerprint: Fingerprint(String::new()),
        };
        let built = Built {
            desired,
            estimates: Vec::new(),
            axes: BTreeMap::new(),
            decided: Vec::new(),
            about_nothing: Vec::new(),
            uncarried: Vec::new(),
        };
        Self { input, built, families: BTreeMap::new(), findings: Vec::new() }
    }

    fn take(&mut self, one: Expanded<'_>) {
        let Expanded { store, region, expansion, decided, lowered } = one;
        self.built.decided.extend(decided);
        self.built.desired.lowered.merge(lowered);
        let expansion = match expansion {
            Ok(expansion) => expansion,
            Err(finding) => return self.findings.push(*finding),
        };
        for node in expansion.nodes {
            let address = node.address.clone();
            if self.built.desired.nodes.insert(address.clone(), node).is_some() {
                let message = format!(
                    "two cells have a store `{}` in `{region}`: both would be {address}",
                    store.name()
                );
                let path = self.input.path_of(store, "name");
                self.findings.push(Finding::error(codes::DUPLICATE_NAME, path, message));
                return;
            }
        }
        let place = (store.name().clone(), region.clone());
        self.families.extend(expansion.parameter_family.map(|family| (place, family)));
        self.built.desired.bills.push(expansion.bill);
        self.built.axes.insert((store.name().clone(), region.clone()), expansion.axes);
    }
}

/// The regions in which a store has objects.
pub fn regions_of(desired: &Desired, store: &StoreName) -> BTreeSet<RegionId> {
    desired
        .nodes
        .values()
        .filter(|node| node.store == *store)
        .map(|node| node.address.region.clone())
        .collect()
}
