//! Values by address, in a sorted list: who asks for them in nearly the order of the addresses finds most of them next to the
//! one before.

use std::cell::Cell;

use rgctl_model::address::Address;

/// Values by address.
pub(super) struct ByAddress<'a, T> {
    sorted: Vec<(&'a Address, T)>,
    /// Where the next one is looked for first.
    next: Cell<usize>,
}

impl<'a, T: Copy> ByAddress<'a, T> {
    /// Of several at one address the last one counts.
    pub fn new(pairs: impl Iterator<Item = (&'a Address, T)>) -> Self {
        let mut sorted: Vec<(&'a Address, T)> = pairs.collect();
        // The stable sort finds the long runs that are in order already.
        sorted.sort_by_key(|(address, _)| *address);
        sorted.dedup_by(|later, kept| {
            let is_same = later.0 == kept.0;
            if is_same {
                *kept = *later;
            }
            is_same
        });
        Self { sorted, next: Cell::new(0) }
    }

    /// The value at an address.
    pub fn get(&self, address: &Address) -> Option<T> {
        let next = self.sorted.get(self.next.get()).filter(|(other, _)| *other == address);
        if let Some((_, value)) = next {
            self.next.set(self.next.get() + 1);
            return Some(*value);
        }
        let place = self.sorted.binary_search_by(|(other, _)| (*other).cmp(address)).ok()?;
        self.next.set(place + 1);
        Some(self.sorted[place].1)
    }

    /// Whether there is one.
    pub fn contains(&self, address: &Address) -> bool {
        self.get(address).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rgctl_model::kinds::KindId;
    use rgctl_schema::names::{Name, RegionId};

    #[test]
    fn each_value_is_found_in_whatever_order_it_is_asked_for_and_of_two_the_last_counts() {
        let address = |name: &str| {
            Address::new(RegionId::new("us-east-1").unwrap(), KindId::AuroraCluster, Name::new(name).unwrap())
        };
        let all: Vec<Address> = ["d", "b", "a", "e", "b"].into_iter().map(address).collect();
        let values = ByAddress::new(all.iter().zip(0..));
        for (name, value) in [("a", Some(2)), ("b", Some(4)), ("d", Some(0)), ("c", None), ("e", Some(3))] {
            assert_eq!(values.get(&address(name)), value, "{name}");
        }
        for name in ["e", "d", "b", "a", "a"] {
            assert!(values.contains(&address(name)), "{name}");
        }
    }
}
