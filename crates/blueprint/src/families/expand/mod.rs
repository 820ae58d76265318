//! Expansion: a store section at a place becomes objects, in the order in which they can come into being.
//!
//! Goes in: a store, a [`Placement`] with its resolved size. Comes out: an [`Expansion`]: nodes, bill, axes.
//!
//! **Invariant:** pure, and names derive from the address or from the section, so that a second try finds the first.
//! **Invariant:** every `needs` of a node is a node of the same store, and no need leads back to itself.
//! **Invariant:** encrypted, private and protected unless the section says otherwise; passwords are never handled, secrets only named.

mod aurora;
mod documentdb;
mod elasticache;
mod redshift;
mod secret;

pub use aurora::SERVERLESS_CLASS;
pub use elasticache::{cluster_mode, gib_of};

use std::collections::{BTreeMap, BTreeSet};

use rgctl_model::address::Address;
use rgctl_model::bill::{BillLine, StoreBill};
use rgctl_model::kinds::{AnyAttrs, KindId};
use rgctl_model::node::{Keep, Node, Usage};
use rgctl_schema::names::{BlueprintName, Name, NameError, RegionId, StoreName};
use rgctl_schema::time::Span;

use super::common::{self, Common};
use super::size::{self, AxisFacts, Level, Size};
use super::{Store, adopt, bill};

/// Days that automatic backups are kept when the section does not say.
const BACKUP_DAYS: u32 = 7;
/// The most days that the services keep automatic backups.
const BACKUP_DAYS_MAX: u64 = 35;

/// What a store is told of the region that it is built in.
#[derive(Clone, Debug)]
pub struct Placement<'a> {
    /// Name of the blueprint.
    pub blueprint: &'a BlueprintName,
    /// Name of the cell; nothing when the blueprint has only one.
    pub cell: Option<&'a StoreName>,
    /// The region.
    pub region: &'a RegionId,
    /// Its zones, in the order of the subnets.
    pub zones: &'a [String],
    /// Subnets.
    pub subnets: &'a [String],
    /// Security groups.
    pub security_groups: &'a [String],
    /// The region's own key.
    pub kms_key: Option<&'a str>,
    /// Region of the cell that takes the writes.
    pub primary: &'a RegionId,
    /// Regions that the store is replicated to.
    pub secondaries: &'a [RegionId],
    /// Whether the region stands by for another one, serving nothing.
    pub standby: bool,
    /// How big it is.
    pub size: &'a Size,
    /// What it is expected to see.
    pub usage: Usage,
    /// Tags of the blueprint.
    pub tags: &'a BTreeMap<String, String>,
    /// Weekly maintenance window as the services write it, UTC.
    pub maintenance: Option<&'a str>,
    /// The family of the parameter groups that have the store's plain name, where such were made before.
    pub parameter_family: Option<&'a str>,
    /// Whether a time in which the store is paused holds now; nothing when it has no such times.
    pub paused: Option<bool>,
}

impl Placement<'_> {
    /// Whether the region follows another one.
    pub fn is_secondary(&self) -> bool {
        self.region != self.primary
    }
    /// Whether the store spans regions.
    pub const fn is_replicated(&self) -> bool {
        !self.secondaries.is_empty()
    }
}

/// What a store is made of in one region.
#[derive(Clone, Debug)]
pub struct Expansion {
    /// The objects.
    pub nodes: Vec<Node>,
    /// What they cost, as quantities.
    pub bill: StoreBill,
    /// Where the store can grow.
    pub axes: Vec<AxisFacts>,
    /// The family of its parameter groups, also where it uses groups that are not its own.
    pub parameter_family: Option<String>,
}

/// Why a store cannot be expanded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExpandError {
    /// A name that the service would refuse.
    #[error("the identifier `{name}` of store `{store}` is not possible: {why}")]
    Name {
        /// The store.
        store: StoreName,
        /// The name.
        name: String,
        /// Why.
        why: NameError,
    },
    /// A found value that the attribute does not take.
    #[error("{what} of store `{store}` cannot be as it was found: {why}")]
    Adopted {
        /// The store.
        store: StoreName,
        /// Which attribute of which object.
        what: String,
        /// Why.
        why: String,
    },
    /// A size without what its shape needs.
    #[error("the size of store `{store}` lacks {what}")]
    Size {
        /// The store.
        store: StoreName,
        /// What is missing.
        what: &'static str,
    },
}

/// Makes the objects, the bill and the axes of a store at a site.
pub fn expand(store: &Store, site: &Placement<'_>) -> Result<Expansion, ExpandError> {
    let (nodes, parameter_family) = nodes_at(store, site, Level::Expected)?;
    let lines = |level| -> Result<Vec<BillLine>, ExpandError> {
        Ok(bill::of_nodes(store, site, &nodes_at(store, site, level)?.0, level))
    };
    let bill = StoreBill {
        store: store.name().clone(),
        region: site.region.clone(),
        standby: site.standby,
        floor: lines(Level::Floor)?,
        expected: lines(Level::Expected)?,
        ceiling: lines(Level::Ceiling)?,
    };
    // A warehouse's second region holds snapshots only: nothing grows there.
    let axes = if nodes.is_empty() { Vec::new() } else { size::axes(store, site.size) };
    Ok(Expansion { nodes, bill, axes, parameter_family })
}

/// The objects, and the family of their parameter groups.
fn nodes_at(
    store: &Store,
    site: &Placement<'_>,
    level: Level,
) -> Result<(Vec<Node>, Option<String>), ExpandError> {
    let nodes = match store {
        Store::Aurora(store) => aurora::nodes(store, site, level),
        Store::DocumentDb(store) => documentdb::nodes(store, site, level),
        Store::ElastiCache(store) => elasticache::nodes(store, site, level),
        Store::Redshift(store) => redshift::nodes(store, site, level),
    }?;
    let family = nodes.iter().find_map(|node| node.attrs.text("family"));
    let nodes =
        adopt::adopt(nodes, store.name(), &store.common().adopt, (site.primary, site.parameter_family))?;
    Ok((nodes, family))
}

/// A text of at most so many characters that stands for a longer one: its beginning and eight digits of its digest (FNV-1a).
fn shortened(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let digest =
        text.bytes().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    let head: String = text.chars().take(most.saturating_sub(9)).collect();
    format!("{}-{digest:08x}", head.trim_end_matches('-'))
}

/// Puts nodes of one store and region together.
struct Builder<'a> {
    common: &'a Common,
    site: &'a Placement<'a>,
    nodes: Vec<Node>,
}

impl<'a> Builder<'a> {
    const fn new(common: &'a Common, site: &'a Placement<'a>) -> Self {
        Self { common, site, nodes: Vec::new() }
    }

    fn name_of(&self, text: &str, max: usize) -> Result<Name, ExpandError> {
        let refuse = |why| ExpandError::Name { store: self.common.name.clone(), name: text.to_owned(), why };
        let got = text.chars().count();
        if got > max {
            return Err(refuse(NameError::TooLong { got, max }));
        }
        Name::new(text).map_err(refuse)
    }

    /// The identifier of the store's main object here.
    fn id(&self) -> Result<Name, ExpandError> {
        self.id_in(self.site.region, Name::MAX)
    }

    fn id_in(&self, region: &RegionId, max: usize) -> Result<Name, ExpandError> {
        self.name_of(&super::checks::identifier(self.site.blueprint, self.common, region), max)
    }

    /// The name of a group of parameters of a family, and whether it is another one than that of the store. A group cannot change its
    /// family: that of a newer one is made beside it, its users move there, and the old one goes.
    fn group(&self, id: &Name, family: &str) -> Result<(Name, bool), ExpandError> {
        if self.site.parameter_family.is_none_or(|plain| plain == family) {
            return Ok((id.clone(), false));
        }
        let tail: String = family.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
        let room = Name::MAX.saturating_sub(tail.chars().count() + 1);
        Ok((self.name_of(&format!("{}-{tail}", shortened(id.as_str(), room)), Name::MAX)?, true))
    }

    /// The identifier of what spans the cell's regions. It names no region, since roles move.
    fn global_id(&self) -> Result<Name, ExpandError> {
        let cell = self.site.cell.map(|cell| format!("-{cell}")).unwrap_or_default();
        self.name_of(&format!("{}-{}{cell}-global", self.site.blueprint, self.common.name), Name::MAX)
    }

    fn address(&self, kind: KindId, name: &Name) -> Address {
        Address::new(self.site.region.clone(), kind, name.clone())
    }

    /// Adds an object; gives its address.
    fn add(&mut self, kind: KindId, name: &Name, attrs: AnyAttrs, needs: &[&Address]) -> Address {
        let address = self.address(kind, name);
        let mut tags = self.site.tags.clone();
        tags.extend(self.common.tags.clone());
        let keep = match self.common.keep {
            common::Keep::Store => Keep::Retain,
            common::Keep::FinalSnapshot => Keep::Delete,
            common::Keep::Nothing => Keep::Discard,
        };
        let holds_data = kind.facts().holds_data;
        self.nodes.push(Node {
            address: address.clone(),
            attrs,
            needs: needs.iter().map(|need| (*need).clone()).collect(),
            store: self.common.name.clone(),
            keep,
            tags,
            standby: self.site.standby,
            usage: if holds_data { self.site.usage } else { Usage::default() },
        });
        address
    }

    /// What the objects are for, as the services keep it beside groups.
    fn description(&self) -> String {
        format!("{} {}", self.site.blueprint, self.common.name)
    }

    fn subnets(&self) -> BTreeSet<String> {
        self.site.subnets.iter().cloned().collect()
    }

    fn security_groups(&self) -> BTreeSet<String> {
        self.site.security_groups.iter().cloned().collect()
    }

    fn kms_key(&self) -> Option<String> {
        let own = self.common.kms_key.as_deref().or(self.site.kms_key);
        own.filter(|_| self.common.encrypted).map(str::to_owned)
    }

    fn maintenance(&self) -> Option<String> {
        self.site.maintenance.map(str::to_owned)
    }

    fn backup_days(&self, usual: u32) -> u32 {
        let days = super::checks::retention(self.common).map(days);
        days.unwrap_or(usual)
    }

    fn backup_window(&self) -> Option<String> {
        self.common.backup.as_ref().and_then(|backup| backup.window.clone())
    }

    /// The zone of a member, by its number from 1.
    fn zone(&self, number: u32) -> Option<String> {
        let zones = self.site.zones;
        let place = (number.max(1) - 1) as usize;
        place.checked_rem(zones.len()).and_then(|place| zones.get(place)).cloned()
    }

    fn class(&self) -> Result<String, ExpandError> {
        let lacks = || ExpandError::Size { store: self.common.name.clone(), what: "a class" };
        self.site.size.class.clone().ok_or_else(lacks)
    }

    fn version(&self) -> Result<String, ExpandError> {
        let lacks = || ExpandError::Size { store: self.common.name.clone(), what: "an engine version" };
        self.site.size.version.clone().ok_or_else(lacks)
    }
}

/// Whole days of a span, up to what the services keep.
pub(super) fn days(span: Span) -> u32 {
    u32::try_from((span.as_secs() / 86_400).min(BACKUP_DAYS_MAX)).unwrap_or(BACKUP_DAYS)
}

/// The first so many numbers of a version: `8.0` of `8.0.mysql_aurora.3.10.0`.
fn leading(version: &str, parts: usize) -> String {
    version.split('.').take(parts).collect::<Vec<_>>().join(".")
}

/// The user's parameters on top of ours.
fn with_parameters(ours: &[(&str, &str)], users: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let mut all: BTreeMap<String, String> =
        ours.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    all.extend(users.clone());
    all
}

/// A set of what is listed. That nothing is listed is a wish as well: what was there before ends.
fn set<T: Ord + Clone>(values: &[T]) -> BTreeSet<T> {
    values.iter().cloned().collect()
}
