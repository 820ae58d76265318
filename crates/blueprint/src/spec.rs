//! What a blueprint says: demand, objectives, regions, stores, calendar, policies.

use std::collections::BTreeMap;

use crate::families::Store;
use rgctl_schema::names::{BlueprintName, RegionId, StoreName};
use rgctl_schema::quantity::{Bytes, Count, PerMonth, Share};
use rgctl_schema::section::Section;
use rgctl_schema::time::Span;
use rgctl_schema::{choices, section};

// The gate obeys them long after the blueprint has been read, so that they are part of desired state.
pub use rgctl_model::rules::{
    Allowance, Allowances, CalendarEntry, CostPolicy, Deletion, Enforcement, Freeze, Policies, Repeats,
};

choices! {
    /// The format of a document.
    pub enum ApiVersion {
        /// The first format.
        V1Alpha1 = "rgctl.dev/v1alpha1",
    }
    /// What a document with a blueprint is called.
    pub enum BlueprintKind {
        /// What a game needs.
        Blueprint = "Blueprint",
    }
    /// What a secondary region does while the primary is well.
    pub enum SecondaryRole {
        /// It serves reads of the players near it.
        Reads = "reads",
        /// It stands by, at the smallest size from which it can grow in time.
        Standby = "standby",
    }
}

section! {
    /// What a game needs: one system with its stores, in one or several regions.
    pub struct Blueprint {
        /// Format of the document.
        api_version: ApiVersion, else Some(ApiVersion::V1Alpha1);
        /// Kind of the document.
        kind: BlueprintKind;
        /// Name and labels.
        metadata: Metadata, else Metadata::stand_in();
        /// What is needed.
        spec: BlueprintSpec;
    }
    /// Name and labels of a document.
    pub struct Metadata {
        /// Name of the game or system. It becomes part of identifiers and cannot be changed later.
        name: BlueprintName, else BlueprintName::new("unnamed").ok();
        /// Labels, for tools that select documents by them.
        labels: BTreeMap<String, String>;
        /// Remarks for people and tools.
        annotations: BTreeMap<String, String>;
    }
    /// What a system needs.
    pub struct BlueprintSpec {
        /// The load that it has to carry. Capacity is derived from it where a store gives no size.
        demand: Demand, else Demand::stand_in();
        /// What it has to hold to, by which the topology is judged.
        objectives: Objectives = Objectives::usual();
        /// Where it runs.
        regions: Regions, else Regions::stand_in();
        /// Where its data may be.
        residency: Option<Residency>;
        /// How it is reached; by default through the networks of the `Region` documents.
        network: Option<Network>;
        /// Its data stores.
        stores: Vec<Store>;
        /// Known crowds: releases, seasons, holidays.
        calendar: Vec<CalendarEntry>;
        /// What may be done, when, and at which cost.
        policies: Policies = Policies::usual();
        /// Tags of all its objects.
        tags: BTreeMap<String, String>;
    }
    /// The load to carry.
    pub struct Demand {
        /// Who plays.
        players: Players, else Players::stand_in();
        /// Requests of one player in a minute, at the peak.
        requests_per_player_per_minute: u32 => "30", else Some(1);
        /// Share of the requests that only read.
        read_share: Share = Share::percent(80);
        /// Data that must be at hand.
        hot_data: Option<HotData>;
        /// Bytes that a request moves on average.
        request_size: Bytes = Bytes(4 * 1024);
        /// Connections that the game's servers hold open at the peak, after pooling; by default derived.
        connections: Option<Count> => "8k";
        /// What is kept free above the peak.
        headroom: Share = Share::percent(30);
    }
    /// Who plays.
    pub struct Players {
        /// Players at the same time, at the peak of a usual day.
        peak_concurrent: Count => "200k", else Some(Count(1));
        /// Growth of that number from one month to the next.
        growth_per_month: PerMonth = PerMonth::NONE => "15%";
    }
    /// Data that must be at hand.
    pub struct HotData {
        /// Its size at the beginning, over all stores that do not state their own.
        size: Bytes => "10TiB";
        /// How long data stays hot.
        retention: Span = Span::from_days(365) => "365d";
        /// Growth of its size from one month to the next; by default that of the players.
        growth_per_month: Option<PerMonth> => "5%";
    }
    /// What the system has to hold to.
    pub struct Objectives {
        /// Share of a month in which it serves.
        availability: Share = Share::from_millionths(999_500) => "99.95%";
        /// Time within which 99 of 100 requests to a store are answered.
        p99: Span = Span::from_millis(50) => "50ms";
        /// Recovery time: how long a recovery may take, the loss of a region included where there is a second one.
        rto: Span = Span::from_mins(15) => "15m";
        /// Recovery point: how much of the last writes may be lost, when a region is lost.
        rpo: Span = Span::from_mins(1) => "1m";
    }
    /// Where the system runs: `primary` with `secondaries`, or several `cells`.
    pub struct Regions {
        /// Region that takes the writes.
        primary: Option<RegionId> => "us-east-1";
        /// Regions that follow it, in the order in which they take over.
        secondaries: Vec<RegionId> => "[us-west-2]";
        /// What the secondaries do while the primary is well.
        secondary_role: SecondaryRole = SecondaryRole::Standby;
        /// Groups of regions with data of their own. Nothing is replicated between cells.
        cells: Vec<Cell>;
    }
    /// A group of regions with data of its own.
    pub struct Cell {
        /// Name of the cell. It becomes part of identifiers and cannot be changed later.
        name: StoreName => "europe";
        /// Region that takes the writes.
        primary: RegionId => "eu-west-1";
        /// Regions that follow it, in the order in which they take over.
        secondaries: Vec<RegionId> => "[eu-central-1]";
        /// What the secondaries do while the primary is well.
        secondary_role: SecondaryRole = SecondaryRole::Standby;
        /// Where this cell's data may be, within what holds for all.
        residency: Option<Residency>;
        /// Share of the demand that this cell serves.
        demand_share: Option<Share> => "25%";
        /// Stores that this cell has; all of them when none is named.
        stores: Vec<StoreName> => "[accounts, ranking]";
        /// Stores that stay in the primary region, for example where the other lacks the feature. When the region is
        /// lost, their data and backups are lost with it.
        not_replicated: Vec<StoreName> => "[matches]";
    }
    /// Where data may be.
    pub struct Residency {
        /// Patterns of region codes; `*` stands for anything.
        allow: Vec<String> => "[cn-*]";
    }
    /// How the system is reached.
    pub struct Network {
        /// Networks in place of those of the `Region` documents, by region code.
        regions: BTreeMap<String, NetworkRefs>;
    }
    /// References to network objects that exist already.
    pub struct NetworkRefs {
        /// Subnets, in at least two zones.
        subnets: Vec<String> => "[subnet-0a1, subnet-0a2, subnet-0a3]";
        /// Security groups that the stores get.
        security_groups: Vec<String> => "[sg-0a1]";
        /// Key that encrypts storage there.
        kms_key: Option<String> => "alias/rgctl";
    }
}

impl Objectives {
    /// What holds when a blueprint states none.
    ///
    /// # Panics
    /// Never: every field has a default, as a test shows.
    pub fn usual() -> Self {
        Self::blank().expect("every objective has a default")
    }
}

impl Regions {
    /// The name of the cell that the short form stands for.
    pub const ONLY_CELL: &str = "main";

    /// The cells, whichever form was written; none when neither was.
    ///
    /// # Panics
    /// Never: the name of the only cell is a constant.
    pub fn cells(&self) -> Vec<Cell> {
        let Some(primary) = &self.primary else { return self.cells.clone() };
        let name = StoreName::new(Self::ONLY_CELL).expect("a constant that is a legal name");
        vec![Cell {
            name,
            primary: primary.clone(),
            secondaries: self.secondaries.clone(),
            secondary_role: self.secondary_role,
            residency: None,
            demand_share: Some(Share::WHOLE),
            stores: Vec::new(),
            not_replicated: Vec::new(),
        }]
    }
}

impl Cell {
    /// All its regions, the primary first.
    pub fn regions(&self) -> impl Iterator<Item = &RegionId> {
        std::iter::once(&self.primary).chain(&self.secondaries)
    }
    /// Whether it has the store.
    pub fn has(&self, store: &StoreName) -> bool {
        self.stores.is_empty() || self.stores.contains(store)
    }
    /// The regions that a store is replicated to, besides the primary.
    pub fn replicas(&self, store: &Store) -> &[RegionId] {
        let stays = store.common().global == Some(false) || self.not_replicated.contains(store.name());
        if stays { &[] } else { &self.secondaries }
    }
    /// The regions in which a store is, the primary first; none when the cell does not have it.
    pub fn regions_of<'a>(&'a self, store: &'a Store) -> impl Iterator<Item = &'a RegionId> {
        let all = std::iter::once(&self.primary).chain(self.replicas(store));
        all.filter(|_| self.has(store.name()))
    }
    /// Whether it is the cell that the short form of `regions` stands for.
    pub fn is_only(&self) -> bool {
        self.name.as_str() == Regions::ONLY_CELL
    }
}

impl Blueprint {
    /// Its name.
    pub const fn name(&self) -> &BlueprintName {
        &self.metadata.name
    }
    /// Its cells, whichever form was written.
    pub fn cells(&self) -> Vec<Cell> {
        self.spec.regions.cells()
    }
    /// A store by its name.
    pub fn store(&self, name: &StoreName) -> Option<&Store> {
        self.spec.stores.iter().find(|store| store.name() == name)
    }
    /// The share of the demand that a cell serves; a cell without a stated share serves an equal part.
    pub fn demand_share(&self, cell: &Cell) -> Share {
        let cells = u32::try_from(self.cells().len().max(1)).unwrap_or(u32::MAX);
        cell.demand_share.unwrap_or(Share::from_millionths(1_000_000 / cells))
    }
    /// The patterns that the regions of a cell must match: those of the blueprint, and those of the cell.
    pub fn residency<'a>(&'a self, cell: &'a Cell) -> impl Iterator<Item = &'a Residency> {
        self.spec.residency.iter().chain(&cell.residency)
    }
}

impl Residency {
    /// Whether data may be in a region.
    pub fn allows(&self, region: &RegionId) -> bool {
        self.allow.iter().any(|pattern| matches(pattern, region.as_str()))
    }
}

/// Whether a pattern in which `*` stands for anything covers the whole text.
fn matches(pattern: &str, text: &str) -> bool {
    let Some((head, tail)) = pattern.split_once('*') else { return pattern == text };
    let Some(rest) = text.strip_prefix(head) else { return false };
    // Each later star is tried at every place; patterns are a few characters long.
    (0..=rest.len()).any(|skip| rest.get(skip..).is_some_and(|rest| matches(tail, rest)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_stated_has_a_default() {
        assert_eq!(Objectives::usual().rto, Span::from_mins(15));
        assert_eq!(Policies::usual().consent, Allowances::usual());
        assert!(StoreName::new(Regions::ONLY_CELL).is_ok());
    }

    #[test]
    fn a_pattern_covers_the_whole_code() {
        assert!(matches("cn-*", "cn-north-1"));
        assert!(matches("*-east-*", "us-east-1"));
        assert!(!matches("cn", "cn-north-1"));
        assert!(!matches("us-*-2", "us-east-1"));
        assert!(matches("*", "anything"));
    }
}
