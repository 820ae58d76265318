//! The objects of an inventory, by address. Copies share what they hold, and so do a look and the one after it: of ten
//! thousand objects few have changed in between.

use std::collections::{BTreeMap, btree_map};
use std::ops::Index;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::address::Address;
use super::observed::Observed;

/// The objects that were seen, by address; a map with a map's methods.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Seen(Arc<BTreeMap<Address, Arc<Observed>>>);

impl Seen {
    /// Nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Objects that others hold too; of two at one address the last one counts.
    pub fn of_shared(objects: Vec<(Address, Arc<Observed>)>) -> Self {
        // What comes in order is taken over in one go.
        Self(Arc::new(objects.into_iter().collect()))
    }

    /// Whether it is a copy of another one, neither of which was changed since: then both hold the same.
    pub fn is_copy_of(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    fn own(&mut self) -> &mut BTreeMap<Address, Arc<Observed>> {
        Arc::make_mut(&mut self.0)
    }

    /// The object at an address.
    pub fn get(&self, address: &Address) -> Option<&Observed> {
        self.0.get(address).map(|seen| &**seen)
    }

    /// The object at an address, to be shared.
    pub fn get_shared(&self, address: &Address) -> Option<&Arc<Observed>> {
        self.0.get(address)
    }

    /// The object at an address, to be changed: for this inventory alone.
    pub fn get_mut(&mut self, address: &Address) -> Option<&mut Observed> {
        self.own().get_mut(address).map(Arc::make_mut)
    }

    /// Whether there is an object at an address.
    pub fn contains_key(&self, address: &Address) -> bool {
        self.0.contains_key(address)
    }

    /// Puts an object in place.
    pub fn insert(&mut self, address: Address, seen: Observed) -> Option<Arc<Observed>> {
        self.own().insert(address, Arc::new(seen))
    }

    /// Puts an object in place that others hold too.
    pub fn insert_shared(&mut self, address: Address, seen: Arc<Observed>) {
        self.own().insert(address, seen);
    }

    /// Takes an object away.
    pub fn remove(&mut self, address: &Address) -> Option<Observed> {
        self.own().remove(address).map(Arc::unwrap_or_clone)
    }

    /// Keeps some.
    pub fn retain(&mut self, mut keep: impl FnMut(&Address, &Observed) -> bool) {
        self.own().retain(|address, seen| keep(address, seen));
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// In order of the addresses.
    pub fn iter(&self) -> Iter<'_> {
        Iter(self.0.iter())
    }

    /// The same, to be changed: for this inventory alone.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (&Address, &mut Observed)> {
        self.own().iter_mut().map(|(address, seen)| (address, Arc::make_mut(seen)))
    }

    /// In order of the addresses, each to be shared.
    pub fn iter_shared(&self) -> btree_map::Iter<'_, Address, Arc<Observed>> {
        self.0.iter()
    }

    /// The addresses, in order.
    pub fn keys(&self) -> btree_map::Keys<'_, Address, Arc<Observed>> {
        self.0.keys()
    }

    /// The same, to be kept.
    pub fn into_keys(self) -> btree_map::IntoKeys<Address, Arc<Observed>> {
        Arc::unwrap_or_clone(self.0).into_keys()
    }

    /// The objects, in order of their addresses.
    pub fn values(&self) -> impl Iterator<Item = &Observed> {
        self.0.values().map(|seen| &**seen)
    }

    /// The same, to be changed.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut Observed> {
        self.own().values_mut().map(Arc::make_mut)
    }
}

/// Objects in order of their addresses.
#[derive(Clone, Debug)]
pub struct Iter<'a>(btree_map::Iter<'a, Address, Arc<Observed>>);

impl<'a> Iterator for Iter<'a> {
    type Item = (&'a Address, &'a Observed);

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next().map(|(address, seen)| (address, &**seen))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

impl<'a> IntoIterator for &'a Seen {
    type Item = (&'a Address, &'a Observed);
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}

impl Index<&Address> for Seen {
    type Output = Observed;

    fn index(&self, address: &Address) -> &Observed {
        &self.0[address]
    }
}

impl IntoIterator for Seen {
    type Item = (Address, Observed);
    type IntoIter = std::iter::Map<
        btree_map::IntoIter<Address, Arc<Observed>>,
        fn((Address, Arc<Observed>)) -> (Address, Observed),
    >;

    fn into_iter(self) -> Self::IntoIter {
        let shared = |(address, seen)| (address, Arc::unwrap_or_clone(seen));
        Arc::unwrap_or_clone(self.0).into_iter().map(shared)
    }
}

impl Extend<(Address, Observed)> for Seen {
    fn extend<T: IntoIterator<Item = (Address, Observed)>>(&mut self, objects: T) {
        self.own().extend(objects.into_iter().map(|(address, seen)| (address, Arc::new(seen))));
    }
}

impl FromIterator<(Address, Observed)> for Seen {
    fn from_iter<T: IntoIterator<Item = (Address, Observed)>>(objects: T) -> Self {
        Self::of_shared(objects.into_iter().map(|(address, seen)| (address, Arc::new(seen))).collect())
    }
}

impl Serialize for Seen {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_map(self)
    }
}

impl<'de> Deserialize<'de> for Seen {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        BTreeMap::<Address, Observed>::deserialize(from).map(|objects| objects.into_iter().collect())
    }
}
