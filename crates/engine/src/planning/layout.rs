//! The wanted objects by number: what needs what, what belongs together, and in which order they would be made.
//!
//! Goes in: a desired state. Comes out: numbers in place of addresses, which are compared and looked up a great deal faster.
//! It is the same as long as the same is wanted.

use std::collections::BTreeMap;

use rgctl_model::address::Address;
use rgctl_model::kinds::KindId;
use rgctl_model::node::{Desired, Node};
use rgctl_schema::names::StoreName;

use super::order::behind_needs;
use super::rolling::parent_of;

/// The number of a wanted object: its place among all of them, in the order of their addresses.
pub(super) type Number = usize;

/// Some numbers for each number, all of them in one list, so that they are read one after the other.
#[derive(Debug)]
struct Links {
    /// By number, where those of it begin; then where the last ones end.
    begin: Vec<usize>,
    all: Vec<Number>,
}

impl Links {
    fn of(lists: &[Vec<Number>]) -> Self {
        let mut begin = vec![0];
        for list in lists {
            begin.push(begin.last().copied().unwrap_or_default() + list.len());
        }
        Self { begin, all: lists.concat() }
    }

    fn of_number(&self, number: Number) -> &[Number] {
        &self.all[self.begin[number]..self.begin[number + 1]]
    }
}

/// The wanted objects by number.
#[derive(Debug)]
pub(super) struct Layout {
    addresses: Vec<Address>,
    /// By number, those of the wanted objects that it needs.
    needs: Links,
    /// By number, whether these are all that it needs.
    needs_only_wanted: Vec<bool>,
    /// By number, those that need it.
    dependants: Links,
    /// By number, what it belongs to: nothing that is planned for one group shows in another one.
    groups: Vec<Number>,
    /// By number, the place of its creation among all, when nothing needs anything.
    ranks: Vec<usize>,
    /// Whether needs go round in a circle somewhere, which no legal desired state has.
    has_circle: bool,
}

impl Layout {
    pub fn of(desired: &Desired) -> Self {
        let addresses: Vec<Address> = desired.nodes.keys().cloned().collect();
        let number = |address: &Address| addresses.binary_search(address).ok();
        let needs: Vec<Vec<Number>> =
            desired.nodes.values().map(|node| node.needs.iter().filter_map(number).collect()).collect();
        let mut dependants: Vec<Vec<Number>> = vec![Vec::new(); addresses.len()];
        for (dependant, needs) in needs.iter().enumerate() {
            for need in needs {
                dependants[*need].push(dependant);
            }
        }
        let groups = groups(desired, &needs, number);
        let stores: Vec<&StoreName> = desired.nodes.values().map(|node| &node.store).collect();
        let mut by_rank: Vec<Number> = (0..addresses.len()).collect();
        by_rank.sort_by_key(|number| (&addresses[*number].region, stores[*number], *number));
        let mut ranks = vec![0; addresses.len()];
        for (rank, number) in by_rank.iter().enumerate() {
            ranks[*number] = rank;
        }
        let open = needs.iter().map(Vec::len).collect();
        let of = |number: Number| dependants[number].iter().copied();
        let has_circle = behind_needs(0..needs.len(), open, |number| number, of).len() < needs.len();
        let is_whole = |(node, needs): (&Node, &Vec<Number>)| node.needs.len() == needs.len();
        let needs_only_wanted = desired.nodes.values().zip(&needs).map(is_whole).collect();
        let (needs, dependants) = (Links::of(&needs), Links::of(&dependants));
        Self { addresses, needs, needs_only_wanted, dependants, groups, ranks, has_circle }
    }

    pub const fn has_circle(&self) -> bool {
        self.has_circle
    }

    pub const fn len(&self) -> usize {
        self.addresses.len()
    }

    pub fn address(&self, number: Number) -> &Address {
        &self.addresses[number]
    }

    pub fn number(&self, address: &Address) -> Option<Number> {
        self.addresses.binary_search(address).ok()
    }

    pub fn needs(&self, number: Number) -> &[Number] {
        self.needs.of_number(number)
    }

    /// Whether these are all that it needs.
    pub fn needs_only_wanted(&self, number: Number) -> bool {
        self.needs_only_wanted[number]
    }

    pub fn dependants(&self, number: Number) -> &[Number] {
        self.dependants.of_number(number)
    }

    pub fn group(&self, number: Number) -> Number {
        self.groups[number]
    }

    pub fn rank(&self, number: Number) -> usize {
        self.ranks[number]
    }
}

/// What belongs together: what needs each other, members with their parents, all of a store, and all of a global object.
fn groups(
    desired: &Desired,
    needs: &[Vec<Number>],
    number: impl Fn(&Address) -> Option<Number>,
) -> Vec<Number> {
    let mut groups = Groups((0..needs.len()).collect());
    let mut stores: BTreeMap<&StoreName, Number> = BTreeMap::new();
    let mut globals: BTreeMap<(KindId, String), Number> = BTreeMap::new();
    for (own, (address, node)) in desired.nodes.iter().enumerate() {
        for need in &needs[own] {
            groups.join(own, *need);
        }
        groups.join(own, *stores.entry(&node.store).or_insert(own));
        if let Some(parent) = parent_of(address, Some(node), None).and_then(|parent| number(&parent)) {
            groups.join(own, parent);
        }
        let global = if address.kind.facts().is_global {
            Some((address.kind, address.name.to_string()))
        } else {
            address.kind.global_kind().zip(node.attrs.joins())
        };
        if let Some(global) = global {
            groups.join(own, *globals.entry(global).or_insert(own));
        }
    }
    (0..needs.len()).map(|number| groups.root(number)).collect()
}

/// Numbers that belong together, each with another one of them; one of them with itself.
struct Groups(Vec<Number>);

impl Groups {
    fn root(&mut self, mut number: Number) -> Number {
        while self.0[number] != number {
            self.0[number] = self.0[self.0[number]];
            number = self.0[number];
        }
        number
    }

    fn join(&mut self, one: Number, other: Number) {
        let (one, other) = (self.root(one), self.root(other));
        // The smaller one leads, so that the same is grouped alike whatever joins it first.
        self.0[one.max(other)] = one.min(other);
    }
}
