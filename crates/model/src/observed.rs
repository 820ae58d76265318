//! Observed state: what exists, and what could not be seen.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::address::Address;
use super::node::{TAG_BLUEPRINT, TAG_STORE, TAG_TOKEN};
use super::overlay::HoldOut;
use super::seen::Seen;
use crate::kinds::facts::Endpoint;
use crate::kinds::{AnyAttrs, KindId};
use rgctl_schema::names::{BlueprintName, Name, RegionId};
use rgctl_schema::phase::{Phase, Role};
use rgctl_schema::time::Moment;

/// A member as its parent tells of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Member {
    /// Region of the member.
    pub region: RegionId,
    /// Name of the member.
    pub name: Name,
    /// What part it plays.
    pub role: Role,
}

impl Member {
    /// Whether it is that object, which is of the kind that its parent has for members.
    pub fn is(&self, address: &Address) -> bool {
        self.region == address.region && self.name == address.name
    }
}

/// By what a user proves who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Authentication {
    /// By a password.
    Password,
    /// By IAM.
    Iam,
    /// By nothing: the name is enough.
    NoPassword,
}

impl Authentication {
    /// In a word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::Iam => "iam",
            Self::NoPassword => "no-password",
        }
    }
}

/// How clients reach an object, beside [`Facts::endpoint`]: what the service tells, and never a secret itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Access {
    /// Port of the host names, where no attribute has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// Host name of whoever writes, where [`Facts::endpoint`] is another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub writer: Option<String>,
    /// Host name under which is only read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reader: Option<String>,
    /// Its port, where it has one of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reader_port: Option<u16>,
    /// Host name under which clients that know of shards learn of all nodes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub configuration: Option<String>,
    /// ARN of the secret in which the service keeps the first user's password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
    /// Of a user: by what it proves who it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authentication: Option<Authentication>,
}

/// Whether the parameters that an object was given are in effect in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ParameterStatus {
    /// They are, as far as the service tells.
    #[default]
    InSync,
    /// They are being applied.
    Applying,
    /// Some take effect when it restarts, and not before.
    PendingReboot,
    /// The service could not apply some, or tells a word that this version does not know.
    NotApplied,
}

impl ParameterStatus {
    /// Whether all of them are in effect.
    #[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it so")]
    pub fn is_in_sync(&self) -> bool {
        *self == Self::InSync
    }
}

/// A value that the service does not take again before a time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CoolDown {
    /// Of which field.
    pub field: String,
    /// The value; every other one is taken at any time.
    pub value: String,
    /// From when it is taken again.
    pub until: Moment,
}

/// Facts about an object that nobody wishes for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Facts {
    /// Our word for its state.
    pub phase: Phase,
    /// The service's word, for display only.
    pub native: String,
    /// ARN, where the service tells it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arn: Option<String>,
    /// What part it plays among its siblings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    /// Members, of clusters and global objects.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub members: Vec<Member>,
    /// Tags.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
    /// The service's own id, which no other object ever has, also one of the same name; where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// When it was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<Moment>,
    /// Host name that clients connect to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// The rest of how clients reach it: few kinds have any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access: Option<Box<Access>>,
    /// Stored data in GiB, where measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used_gib: Option<f64>,
    /// Whether its parameters are in effect.
    #[serde(default, skip_serializing_if = "ParameterStatus::is_in_sync")]
    pub parameters: ParameterStatus,
    /// Whether what only a question about this one object tells, its parameters, was not asked for: it is not known.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_unread: bool,
    /// What the service does not take again before a time, where it tells one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cool_down: Option<Box<CoolDown>>,
}

/// An object that exists.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Observed {
    /// Its attributes, as far as the service tells them.
    pub attrs: AnyAttrs,
    /// Values that were accepted and are not in effect yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending: Option<AnyAttrs>,
    /// Facts.
    pub facts: Facts,
}

impl Observed {
    /// What tells the object from every other one, for good: the service's id, else its ARN with the time of creation.
    /// Nothing where the service tells neither, so that an object that was deleted and made anew looks the same.
    pub fn identity(&self) -> Option<String> {
        let facts = &self.facts;
        facts
            .id
            .clone()
            .or_else(|| Some(format!("{} made {}", facts.arn.as_ref()?, facts.created?.as_millis())))
    }
    /// The blueprint that owns it, by its tags.
    pub fn owner(&self) -> Option<&str> {
        self.facts.tags.get(TAG_BLUEPRINT).map(String::as_str)
    }
    /// The store that it belongs to, by its tags.
    pub fn store(&self) -> Option<&str> {
        self.facts.tags.get(TAG_STORE).map(String::as_str)
    }
    /// Token of the call that made it, by its tags.
    pub fn token(&self) -> Option<&str> {
        self.facts.tags.get(TAG_TOKEN).map(String::as_str)
    }
}

/// A part of the world that could not be seen. Absence from it is no evidence of absence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// Region that was asked.
    pub region: RegionId,
    /// Control plane that did not answer in full.
    pub endpoint: Endpoint,
    /// Why, for a person.
    pub why: String,
    /// Whether time will not close it: a permission is missing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub lasting: bool,
}

impl Gap {
    /// A gap at every control plane of a region that could not be asked.
    pub fn of_region(region: &RegionId, why: &str, lasting: bool) -> Vec<Self> {
        let endpoints: BTreeSet<Endpoint> = KindId::ALL.iter().map(|kind| kind.facts().endpoint).collect();
        let gap = |endpoint| Self { region: region.clone(), endpoint, why: why.to_owned(), lasting };
        endpoints.into_iter().map(gap).collect()
    }
}

/// What an observation asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// Regions.
    pub regions: BTreeSet<RegionId>,
    /// Only objects of this blueprint, by their tag or under its names, those that are named, and what is bound to them;
    /// everything when unset.
    pub owner: Option<BlueprintName>,
    /// Objects that are asked for whatever they are called, and whose owner has to be known for certain: where tags come
    /// from an index that lags behind, these are asked about one by one.
    pub named: BTreeSet<Address>,
    /// Blueprints under whose names the owner has to be known for certain as well, when everything is asked for: the
    /// observation is for all of them.
    pub owners: BTreeSet<BlueprintName>,
    /// Those of them of whose objects everything has to be known. Of the others, what only a question about each object tells
    /// may be left unread ([`Facts::is_unread`]).
    pub whole: BTreeSet<BlueprintName>,
}

impl Selection {
    /// The same without regions that are held out: they may not answer, and nothing would follow from their answer.
    pub fn holding_out(&self, held_out: &BTreeMap<RegionId, HoldOut>) -> Cow<'_, Self> {
        if held_out.is_empty() {
            return Cow::Borrowed(self);
        }
        let mut without = self.clone();
        without.regions.retain(|region| !held_out.contains_key(region));
        without.named.retain(|address| !held_out.contains_key(&address.region));
        Cow::Owned(without)
    }
}

/// Everything that was seen at one time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Inventory {
    /// The objects.
    pub seen: Seen,
    /// What could not be seen.
    pub gaps: Vec<Gap>,
    /// When the observation began; the earliest of its parts that was seen, where they were looked at one by one.
    pub taken: Moment,
    /// When each region was last seen, where they were looked at one by one: of one that does not answer, before that; the
    /// beginning of all time where it never was.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub times: BTreeMap<RegionId, Moment>,
    /// Regions that are held out: what lies there is not known, whatever a look shows.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub held_out: BTreeMap<RegionId, HoldOut>,
}

impl Inventory {
    /// An inventory of nothing.
    pub fn empty(taken: Moment) -> Self {
        Self { seen: Seen::new(), gaps: Vec::new(), taken, times: BTreeMap::new(), held_out: BTreeMap::new() }
    }

    /// The same without what lies in these regions. An object that spans regions stays where another region tells of it.
    pub fn holding_out(&self, held_out: &BTreeMap<RegionId, HoldOut>) -> Cow<'_, Self> {
        if held_out.iter().all(|(region, hold)| self.held_out.get(region) == Some(hold)) {
            return Cow::Borrowed(self);
        }
        let mut without = self.clone();
        without.held_out.extend(held_out.iter().map(|(region, hold)| (region.clone(), hold.clone())));
        without
            .seen
            .retain(|address, _| address.kind.facts().is_global || !held_out.contains_key(&address.region));
        without.gaps.retain(|gap| !held_out.contains_key(&gap.region));
        Cow::Owned(without)
    }

    /// Whether an object lies in a region that is held out, with the decision.
    pub fn hold_on(&self, address: &Address) -> Option<&HoldOut> {
        self.held_out.get(&address.region)
    }

    /// The global objects that list an object as their member, with what is seen of them: one, unless it is on its way.
    pub fn globals_of<'a>(&'a self, member: &Address) -> impl Iterator<Item = (&'a Address, &'a Observed)> {
        let kind = member.kind.global_kind();
        let lists = move |seen: &Observed| seen.facts.members.iter().any(|one| one.is(member));
        // Of most kinds nothing is a member: nobody goes through the inventory for those.
        let all = kind.map(|kind| self.seen.iter().filter(move |(global, _)| global.kind == kind));
        all.into_iter().flatten().filter(move |(_, seen)| lists(seen))
    }

    /// The regions that were not seen in full: they did not answer, or are held out. One may be named several times.
    pub fn unseen_regions(&self) -> impl Iterator<Item = &RegionId> {
        self.gaps.iter().map(|gap| &gap.region).chain(self.held_out.keys())
    }

    /// When the place of an object was last looked at: what happened later cannot show yet.
    pub fn taken_for(&self, address: &Address) -> Moment {
        self.times.get(&address.region).copied().unwrap_or(self.taken)
    }

    /// Whether objects of this kind in this region were seen completely.
    pub fn is_complete_for(&self, address: &Address) -> bool {
        self.hold_on(address).is_none() && self.gaps_around(address).next().is_none()
    }

    /// The gaps in which an object may be hidden.
    pub fn gaps_around<'a>(&'a self, address: &'a Address) -> impl Iterator<Item = &'a Gap> {
        let endpoint = address.kind.facts().endpoint;
        self.gaps.iter().filter(move |gap| gap.region == address.region && gap.endpoint == endpoint)
    }
}
