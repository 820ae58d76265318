//! Recognition: the way back from expansion. Objects that exist become the store sections that would expand to them.
//!
//! Goes in: an inventory. Comes out: for each cluster, group, cache and warehouse a [`ImportedStore`] store: its section,
//! the names that its objects have, and which of them are its own.
//!
//! **Invariant:** pure; nothing is invented: what a section cannot say is left to the comparison that follows.
//! **Invariant:** an object that several stores use, or that somebody else owns, is never one store's own.

mod network;
mod sections;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use rgctl_blueprint::families::Family;
use rgctl_blueprint::families::adopt::Ownership;
use rgctl_model::address::Address;
use rgctl_model::kinds::redshift::NO_COPY;
use rgctl_model::kinds::{AnyAttrs, KindId};
use rgctl_model::observed::{Inventory, Observed};
use rgctl_schema::names::{Name, RegionId};
use rgctl_schema::phase::{Phase, Role};

pub use network::{NetworkFacts, network};

/// The object in which a store's data is, by which the store is recognised.
const ROOTS: &[(KindId, Family)] = &[
    (KindId::AuroraCluster, Family::Aurora),
    (KindId::DocumentCluster, Family::DocumentDb),
    (KindId::CacheGroup, Family::ElastiCache),
    (KindId::CacheServerless, Family::ElastiCache),
    (KindId::RedshiftCluster, Family::Redshift),
    (KindId::RedshiftNamespace, Family::Redshift),
];

/// Whether an object of that name is made by the service in every account, so that nobody may own it.
fn is_of_service(name: &str) -> bool {
    name == "default" || name.starts_with("default-vpc-")
}

/// A store as it was found.
#[derive(Clone, Debug, PartialEq)]
pub struct ImportedStore {
    /// The object in which its data is, in the primary region.
    pub root: Address,
    /// The same in each secondary region.
    pub followers: BTreeMap<RegionId, Address>,
    /// Regions that snapshots are copied to, without an object of its own there.
    pub copies: Vec<RegionId>,
    /// Members of its global object in regions that were not looked at.
    pub unseen: Vec<RegionId>,
    /// The fields of its section, without its name and what is adopted.
    pub section: Map<String, Value>,
    /// Its objects.
    pub parts: Vec<Part>,
}

/// An object of a store: which part it plays, and what it is called.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    /// Region.
    pub region: RegionId,
    /// Kind.
    pub kind: KindId,
    /// Region that addresses it, when it spans regions and that is another one.
    pub home: Option<RegionId>,
    /// Which of several.
    pub number: u32,
    /// What it is called; nothing when there is none.
    pub name: Option<String>,
    /// Whose it is.
    pub ownership: Ownership,
}

impl Part {
    /// Its address, when it is an object of the store's own.
    pub fn own(&self) -> Option<Address> {
        let name = self.name.as_deref().filter(|_| self.ownership == Ownership::Own)?;
        let region = self.home.as_ref().unwrap_or(&self.region);
        Some(Address::new(region.clone(), self.kind, Name::new(name).ok()?))
    }
}

impl ImportedStore {
    /// The regions to which it is replicated or copied.
    pub fn secondaries(&self) -> Vec<RegionId> {
        self.followers.keys().chain(&self.copies).cloned().collect()
    }
    /// Its objects by address, those of others left out.
    pub fn own(&self) -> BTreeSet<Address> {
        self.parts.iter().filter_map(Part::own).collect()
    }
}

/// The stores that an inventory holds and that nobody owns, in the order of their addresses.
pub fn imported_stores(inventory: &Inventory) -> Vec<ImportedStore> {
    let view = InventoryIndex::of(inventory);
    let roots = inventory.seen.iter().filter(|(address, seen)| {
        is_root(address.kind)
            && seen.owner().is_none()
            && !matches!(seen.facts.phase, Phase::Deleting | Phase::Absent)
    });
    roots
        .filter(|(address, _)| view.primary_of(address).is_none())
        .map(|(address, seen)| view.store(address, seen))
        .collect()
}

/// Whether a store is recognised by objects of the kind.
pub fn is_root(kind: KindId) -> bool {
    ROOTS.iter().any(|(root, _)| *root == kind)
}

/// An inventory with what refers to what.
struct InventoryIndex<'a> {
    inventory: &'a Inventory,
    /// Objects that name an object in a field.
    referrers: BTreeMap<Address, BTreeSet<&'a Address>>,
    /// How many stores use an object.
    uses: BTreeMap<Address, usize>,
}

impl<'a> InventoryIndex<'a> {
    fn of(inventory: &'a Inventory) -> Self {
        let mut view = Self { inventory, referrers: BTreeMap::new(), uses: BTreeMap::new() };
        for (address, seen) in &inventory.seen {
            for (_, target) in references(address, &seen.attrs) {
                view.referrers.entry(target).or_default().insert(address);
            }
        }
        for root in inventory.seen.keys().filter(|address| is_root(address.kind)) {
            for used in view.used_by(root) {
                *view.uses.entry(used).or_default() += 1;
            }
        }
        view
    }

    fn seen(&self, address: &Address) -> Option<&'a Observed> {
        self.inventory.seen.get(address)
    }

    /// What a store's main object and its members refer to, and what that refers to.
    fn used_by(&self, root: &Address) -> BTreeSet<Address> {
        let mut open: Vec<Address> = self.dependants(root);
        open.push(root.clone());
        let mut used = BTreeSet::new();
        while let Some(address) = open.pop() {
            let Some(seen) = self.seen(&address) else { continue };
            for (_, target) in references(&address, &seen.attrs) {
                if target != *root && used.insert(target.clone()) {
                    open.push(target);
                }
            }
        }
        used
    }

    /// Objects that are about another one: members of a cluster, the workgroup of a namespace. By length and name, so
    /// that `-10` comes after `-9`.
    fn dependants(&self, root: &Address) -> Vec<Address> {
        let mut all: Vec<Address> =
            self.referrers.get(root).into_iter().flatten().map(|address| (*address).clone()).collect();
        all.sort_by_key(|address| (address.kind, address.name.as_str().len(), address.name.clone()));
        all
    }

    /// The global object that an object is a member of.
    fn global_of(&self, address: &Address) -> Option<(&'a Address, &'a Observed)> {
        self.inventory.globals_of(address).next()
    }

    /// The object that an object follows, when that one was seen too.
    fn primary_of(&self, address: &Address) -> Option<Address> {
        let (_, global) = self.global_of(address)?;
        let writer = global.facts.members.iter().find(|member| member.role == Role::Writer)?;
        let primary = Address::new(writer.region.clone(), address.kind, writer.name.clone());
        (primary != *address && self.inventory.seen.contains_key(&primary)).then_some(primary)
    }

    fn store(&self, root: &Address, seen: &Observed) -> ImportedStore {
        let global = self.global_of(root);
        let (mut followers, mut unseen) = (BTreeMap::new(), Vec::new());
        for member in global.map(|(_, global)| &global.facts.members).into_iter().flatten() {
            let address = Address::new(member.region.clone(), root.kind, member.name.clone());
            if address == *root {
                continue;
            }
            if self.inventory.seen.contains_key(&address) {
                followers.insert(member.region.clone(), address);
            } else {
                unseen.push(member.region.clone());
            }
        }
        let mut parts = self.parts(root);
        for follower in followers.values() {
            parts.extend(self.parts(follower));
        }
        // A store of several regions would be given a secret; where nobody knows of one, its password is left alone.
        parts.retain(|part| {
            part.kind != KindId::Secret || (part.name.is_some() && part.region == root.region)
        });
        let has_user = root.kind.references().iter().any(|reference| reference.kind == KindId::Secret);
        if has_user && !followers.is_empty() && !parts.iter().any(|part| part.kind == KindId::Secret) {
            parts.push(self.part(KindId::Secret, 1, None, &root.region));
        }
        if let Some((address, _)) = global.filter(|_| !followers.is_empty()) {
            // The blueprint addresses what spans regions by the primary one.
            parts.push(Part {
                home: Some(address.region.clone()).filter(|home| *home != root.region),
                ..self.part(address.kind, 1, Some(address.name.as_str()), &root.region)
            });
        }
        let copies = seen.attrs.text("snapshot_copy_region").filter(|code| code != NO_COPY);
        let copies = copies.and_then(|code| RegionId::new(code).ok());
        let mut found = ImportedStore {
            root: root.clone(),
            followers,
            copies: copies.into_iter().collect(),
            unseen,
            section: Map::new(),
            parts,
        };
        found.section = sections::section(self, &found, seen);
        found
    }

    /// The objects of a store in one region.
    fn parts(&self, root: &Address) -> Vec<Part> {
        let Some(seen) = self.seen(root) else { return Vec::new() };
        let region = &root.region;
        let mut parts = vec![self.part(root.kind, 1, Some(root.name.as_str()), region)];
        for reference in root.kind.references() {
            let name = seen.attrs.text(reference.field);
            let part = self.part(reference.kind, 1, name.as_deref(), region);
            if reference.kind == KindId::CacheUserGroup {
                parts.extend(self.users(&part));
            }
            parts.push(part);
        }
        let mut counted: BTreeMap<KindId, u32> = BTreeMap::new();
        let mut groups: BTreeMap<String, usize> = BTreeMap::new();
        for address in self.dependants(root) {
            let number = counted.entry(address.kind).or_insert(0);
            *number += 1;
            parts.push(self.part(address.kind, *number, Some(address.name.as_str()), region));
            if let Some(group) = self.seen(&address).and_then(|member| member.attrs.text("parameter_group")) {
                *groups.entry(group).or_default() += 1;
            }
        }
        if root.kind == KindId::AuroraCluster {
            // One group for all members; a member with another one says so itself.
            let most = groups.iter().max_by_key(|(_, uses)| **uses).map(|(group, _)| group.as_str());
            parts.push(self.part(KindId::AuroraInstanceParameters, 1, most, region));
        }
        parts
    }

    /// The users of a group. Where the group is not the store's own, or there is none, the one user that expansion would
    /// make is not there either.
    fn users(&self, group: &Part) -> Vec<Part> {
        let of_group =
            group.own().and_then(|address| self.seen(&address)).map(|seen| seen.attrs.names("users"));
        let Some(users) = of_group.filter(|users| !users.is_empty()) else {
            return vec![self.part(KindId::CacheUser, 1, None, &group.region)];
        };
        (1..)
            .zip(users)
            .map(|(number, name)| self.part(KindId::CacheUser, number, Some(&name), &group.region))
            .collect()
    }

    fn part(&self, kind: KindId, number: u32, name: Option<&str>, region: &RegionId) -> Part {
        let address = name.and_then(|name| Name::new(name).ok()).and_then(|name| {
            let here = Address::new(region.clone(), kind, name.clone());
            if !kind.facts().is_global {
                return Some(here);
            }
            self.inventory.seen.keys().find(|address| address.kind == kind && address.name == name).cloned()
        });
        let is_own = address.is_some_and(|address| {
            let is_free = self.seen(&address).is_some_and(|seen| seen.owner().is_none());
            is_free
                && self.uses.get(&address).is_none_or(|uses| *uses <= 1)
                && !is_of_service(address.name.as_str())
        });
        let ownership = match (name, is_own) {
            (None, _) => Ownership::Absent,
            (Some(_), true) => Ownership::Own,
            (Some(_), false) => Ownership::Shared,
        };
        Part { region: region.clone(), kind, home: None, number, name: name.map(str::to_owned), ownership }
    }

    /// Members of a cluster, or whatever else is about the object, of one kind.
    fn members(&self, root: &Address, kind: KindId) -> Vec<&'a Observed> {
        let all = self.dependants(root);
        all.iter().filter(|address| address.kind == kind).filter_map(|address| self.seen(address)).collect()
    }
}

/// The objects of its region that an object names, with the field that does.
fn references(address: &Address, attrs: &AnyAttrs) -> Vec<(&'static str, Address)> {
    let regional = attrs.named().into_iter().filter(|(_, kind, _)| !kind.facts().is_global);
    regional
        .filter_map(|(field, kind, name)| {
            Some((field, Address::new(address.region.clone(), kind, Name::new(name).ok()?)))
        })
        .collect()
}
