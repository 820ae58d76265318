//! Desired state: what should exist, and in which order it can come into being.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::address::Address;
use super::bill::StoreBill;
use super::rules::Rules;
use super::sizes::Sizes;
use crate::kinds::AnyAttrs;
use rgctl_schema::names::{BlueprintName, Fingerprint, RegionId, StoreName};

/// What may happen to an object that is no longer wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Keep {
    /// It is deleted; with a final snapshot and consent when it holds data.
    #[default]
    Delete,
    /// It is deleted without a final snapshot: its data can be made anew.
    Discard,
    /// It is left alone, and reported.
    Retain,
}

/// Use that a store is expected to see, for bills, simulation and the check of shrinking.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Usage {
    /// Stored data in GiB.
    pub data_gib: f64,
    /// Growth of stored data in GiB a month.
    pub growth_gib_per_month: f64,
    /// Storage I/O requests a month, where these are billed.
    pub io_per_month: f64,
    /// Reads a second at peak.
    pub reads_per_second: f64,
    /// Writes a second at peak.
    pub writes_per_second: f64,
}

/// An object that should exist.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Node {
    /// Where.
    #[serde(rename = "at")]
    pub address: Address,
    /// With which attributes; unset ones are not managed.
    pub attrs: AnyAttrs,
    /// Which objects must be ready before this one can be made.
    pub needs: BTreeSet<Address>,
    /// Store of the blueprint that it belongs to; shared objects belong to the first store that uses them.
    pub store: StoreName,
    /// What happens when it is no longer wanted.
    pub keep: Keep,
    /// The user's own tags.
    pub tags: BTreeMap<String, String>,
    /// Whether its region stands by for another one.
    pub standby: bool,
    /// Expected use; only on the object that holds a store's data.
    pub usage: Usage,
}

/// Everything that should exist for one blueprint.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Desired {
    /// Whose.
    pub blueprint: BlueprintName,
    /// The region whose account is the home of the record: the first primary one. The first of all regions where none is told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub home: Option<RegionId>,
    /// All regions that may hold objects of it, also those that no longer should.
    pub regions: BTreeSet<RegionId>,
    /// The objects.
    pub nodes: BTreeMap<Address, Node>,
    /// Bills by store and region.
    pub bills: Vec<StoreBill>,
    /// What the blueprint allows, and when. All of them hold: a saved plan brings its own, and meets those of the present.
    pub rules: Vec<Rules>,
    /// What decisions held, and hold no longer.
    #[serde(default, skip_serializing_if = "Lowered::is_empty")]
    pub lowered: Lowered,
    /// Demand that nothing carries, for each store of a cell that has such. It does not grow while it has.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub uncarried: Vec<UncarriedDemand>,
    /// What its stores are made as, for what is derived later.
    #[serde(default, skip_serializing_if = "Sizes::is_empty")]
    pub sizes: Sizes,
    /// Digest of the nodes.
    pub fingerprint: Fingerprint,
}

/// Demand on a store that no size of it carries.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UncarriedDemand {
    /// The store.
    pub store: StoreName,
    /// Why nothing carries it, with the code that `rgctl explain` has a page about.
    pub why: String,
    /// What to do.
    pub remedy: String,
}

/// What decisions held, and hold no longer: whoever takes it away needs consent, also where the blueprint never named it. The
/// end of a decision's time alone lowers nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lowered {
    /// Objects that would be there by what was held.
    pub objects: BTreeSet<Address>,
    /// Fields that would have another value by it, of objects that stay.
    pub fields: BTreeMap<Address, BTreeSet<String>>,
}

impl Lowered {
    /// Whether nothing was held.
    pub fn is_empty(&self) -> bool {
        self.objects.is_empty() && self.fields.is_empty()
    }

    /// Adds what was held elsewhere.
    pub fn merge(&mut self, other: Self) {
        self.objects.extend(other.objects);
        self.fields.extend(other.fields);
    }

    /// Whether a field of an object was held at another value.
    pub fn holds_field(&self, address: &Address, field: &str) -> bool {
        self.fields.get(address).is_some_and(|fields| fields.contains(field))
    }
}

/// Tag that names the owning blueprint. Ownership is on the cloud side, so that no state file can be lost.
pub const TAG_BLUEPRINT: &str = "rgctl:blueprint";
/// Tag that names the store.
pub const TAG_STORE: &str = "rgctl:store";
/// Tag that names the record that the object was made under: an object of another record is not ours, whatever its
/// blueprint is called.
pub const TAG_RECORD: &str = "rgctl:record";
/// Tag that holds the token of the call that made the object. It tells which record made an object that names none.
pub const TAG_TOKEN: &str = "rgctl:token";
/// Tag that says what becomes of the object when it is no longer wanted.
pub const TAG_KEEP: &str = "rgctl:keep";
/// Its value for an object of which a final snapshot is kept.
pub const KEEP_SNAPSHOT: &str = "final-snapshot";
/// Its value for an object that stays.
pub const KEEP_RETAIN: &str = "retain";
/// Its value for an object whose data need not be kept.
pub const KEEP_DISCARD: &str = "discard";
/// Tag with the key that encrypts an object, as it was asked for: the service answers with the key itself, from which an
/// alias cannot be told.
pub const TAG_KEY: &str = "rgctl:kms-key";
/// Prefix of all tags that are ours.
pub const TAG_PREFIX: &str = "rgctl:";

impl Node {
    /// The tags that the object carries: the user's and those of ownership.
    pub fn all_tags(&self, blueprint: &BlueprintName) -> BTreeMap<String, String> {
        let mut tags = self.tags.clone();
        tags.insert(TAG_BLUEPRINT.to_owned(), blueprint.to_string());
        tags.insert(TAG_STORE.to_owned(), self.store.to_string());
        // Always written, so that taking a wish back reaches the object too.
        tags.insert(TAG_KEEP.to_owned(), self.keep_tag().to_owned());
        tags.extend(self.kms_key().map(|key| (TAG_KEY.to_owned(), key)));
        tags
    }

    /// The key that encrypts it, as the blueprint names it.
    pub fn kms_key(&self) -> Option<String> {
        self.attrs.text("kms_key")
    }

    /// The value of its [`TAG_KEEP`].
    pub const fn keep_tag(&self) -> &'static str {
        match self.keep {
            Keep::Delete => KEEP_SNAPSHOT,
            Keep::Discard => KEEP_DISCARD,
            Keep::Retain => KEEP_RETAIN,
        }
    }
}
