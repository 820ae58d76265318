//! What an observation shows of all that is there: what is the blueprint's, and what is bound to that.
//!
//! Goes in: objects with their tags, references and members. Comes out: which of them belong to the answer.
//!
//! **Invariant:** it is one rule for every provider, for an observation of one blueprint as for a [`super::sweep`] of all.

use std::collections::BTreeMap;

use super::address::Address;
use super::node::TAG_BLUEPRINT;
use super::observed::{Member, Observed, Selection};
use crate::kinds::AnyAttrs;
use rgctl_schema::names::{BlueprintName, Name};

/// How far objects of others are followed to ours: a reader to its cluster, and from there to our global object.
pub const REFERENCES: usize = 2;

/// What decides whether an object is shown.
#[derive(Clone, Copy, Debug)]
pub struct Face<'a> {
    /// Where it is.
    pub address: &'a Address,
    /// Its attributes, which name other objects.
    pub attrs: &'a AnyAttrs,
    /// Its tags.
    pub tags: &'a BTreeMap<String, String>,
    /// Its members, where it is a global object.
    pub members: &'a [Member],
}

impl<'a> Face<'a> {
    /// The face of an object that was seen.
    pub fn of(address: &'a Address, seen: &'a Observed) -> Self {
        Self { address, attrs: &seen.attrs, tags: &seen.facts.tags, members: &seen.facts.members }
    }

    /// The objects of the region that its fields name.
    pub fn named(&self) -> impl Iterator<Item = Address> + use<'a> {
        let region = self.address.region.clone();
        self.attrs.named().into_iter().filter_map(move |(_, kind, name)| {
            Some(Address::new(region.clone(), kind, Name::new(name).ok()?))
        })
    }

    /// The members of a global object, in whatever regions.
    pub fn members(&self) -> impl Iterator<Item = Address> + use<'a> {
        let kind = self.address.kind.member_kind();
        let members = kind.map_or(&[][..], |_| self.members);
        members
            .iter()
            .filter_map(move |member| Some(Address::new(member.region.clone(), kind?, member.name.clone())))
    }
}

/// Whether a name is one that only this blueprint gives.
fn is_name_of(owner: &str, address: &Address) -> bool {
    address.name.as_str().strip_prefix(owner).is_some_and(|rest| rest.starts_with('-'))
}

/// The texts that may be the name of the blueprint that gives such a name: what stands before one of its hyphens.
pub fn givers(name: &Name) -> impl Iterator<Item = &str> {
    name.as_str().match_indices('-').map(|(place, _)| &name.as_str()[..place])
}

impl Selection {
    /// Whether an object is asked for by where it is alone: the blueprint names it, or only the blueprint gives such names.
    pub fn asks_by_name(&self, address: &Address) -> bool {
        self.owner.as_ref().is_some_and(|owner| is_name_of(owner.as_str(), address))
            || self.named.contains(address)
    }

    /// Whether an object is asked for: by its tag, or by its name.
    pub fn asks_for(&self, address: &Address, tags: &BTreeMap<String, String>) -> bool {
        let Some(owner) = &self.owner else { return true };
        self.asks_by_name(address) || tags.get(TAG_BLUEPRINT).is_some_and(|tag| tag == owner.as_str())
    }

    /// Whether everything is asked for, for several blueprints.
    pub fn is_for_many(&self) -> bool {
        self.owner.is_none() && !self.owners.is_empty()
    }

    /// Whether a text is the name of one of the blueprints that everything is asked for.
    pub fn is_for(&self, owner: &str) -> bool {
        BlueprintName::new(owner).is_ok_and(|owner| self.owners.contains(&owner))
    }

    /// Whether everything about an object has to be known, in an observation for many: it may be of one of the blueprints that
    /// want to know everything. What is asked for by name may be anybody's.
    pub fn needs_whole(&self, address: &Address, seen: &Observed) -> bool {
        let is_whole = |owner: &str| BlueprintName::new(owner).is_ok_and(|owner| self.whole.contains(&owner));
        self.named.contains(address)
            || seen.owner().is_some_and(is_whole)
            || givers(&address.name).any(is_whole)
    }

    /// Whether it matters for certain whose an object is.
    pub fn needs_owner(&self, address: &Address) -> bool {
        self.asks_by_name(address)
            || (!self.owners.is_empty() && givers(&address.name).any(|giver| self.is_for(giver)))
    }

    /// Which objects of all that were seen are shown: those that are asked for, and up to two references from them members
    /// of their clusters and global objects, users of their groups, global objects around their clusters.
    ///
    /// A member that was not seen counts by its name: it lies in a region that was not looked at with the others.
    pub fn shown(&self, seen: &[Face<'_>]) -> Vec<bool> {
        let asked: Vec<bool> = seen.iter().map(|face| self.asks_for(face.address, face.tags)).collect();
        if asked.iter().all(|asked| *asked) {
            return asked;
        }
        let places: BTreeMap<&Address, usize> =
            seen.iter().enumerate().map(|(place, face)| (face.address, place)).collect();
        let mut around: BTreeMap<Address, Vec<usize>> = BTreeMap::new();
        for (place, face) in seen.iter().enumerate() {
            for member in face.members() {
                around.entry(member).or_default().push(place);
            }
        }
        // What each stranger is bound to, by its place; and whether it has a member elsewhere that is ours by its name.
        let bonds = |face: &Face<'_>| {
            let globals = around.get(face.address).into_iter().flatten().copied();
            let named = face.named().chain(face.members()).filter_map(|it| places.get(&it).copied());
            let elsewhere = face.members().any(|it| !places.contains_key(&it) && self.asks_by_name(&it));
            (named.chain(globals).collect::<Vec<usize>>(), elsewhere)
        };
        let strangers: Vec<(usize, Vec<usize>, bool)> = asked
            .iter()
            .zip(seen)
            .enumerate()
            .filter(|(_, (asked, _))| !**asked)
            .map(|(place, (_, face))| {
                let (bonds, elsewhere) = bonds(face);
                (place, bonds, elsewhere)
            })
            .collect();
        let mut shown = asked;
        for _ in 0..REFERENCES {
            let is_bound = |(place, bonds, elsewhere): &&(usize, Vec<usize>, bool)| {
                !shown[*place] && (*elsewhere || bonds.iter().any(|bond| shown[*bond]))
            };
            let further: Vec<usize> = strangers.iter().filter(is_bound).map(|(place, ..)| *place).collect();
            if further.is_empty() {
                break;
            }
            for place in further {
                shown[place] = true;
            }
        }
        shown
    }
}
