//! What stores were last made as: a derived value that has nothing to go by but demand, prices and a catalogue would change with
//! each of them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use rgctl_schema::names::StoreName;

/// What a store of a cell was last made as, whether its section stated it or it was derived.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SizeInForce {
    /// Of which engine: what was chosen for another one says nothing.
    pub engine: String,
    /// Class of its machines; nothing when it is serverless.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<String>,
    /// Engine version, where the engine has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The family of the parameter groups that have the store's plain name: a group cannot change its family, so that those of
    /// another one are made beside it, under names of their own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parameter_family: Option<String>,
    /// How storage is billed, in the word of the blueprint.
    pub storage: String,
}

/// The same of all stores, by store and cell.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Sizes(BTreeMap<StoreName, BTreeMap<StoreName, SizeInForce>>);

impl Sizes {
    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What a store of a cell was last made as.
    pub fn of(&self, store: &StoreName, cell: &StoreName) -> Option<&SizeInForce> {
        self.0.get(store)?.get(cell)
    }

    /// Notes what a store of a cell is made as.
    pub fn note(&mut self, store: &StoreName, cell: &StoreName, size: SizeInForce) {
        self.0.entry(store.clone()).or_default().insert(cell.clone(), size);
    }

    /// Leaves those of some stores, or of all others.
    pub fn retain_stores(&mut self, mut stays: impl FnMut(&StoreName) -> bool) {
        self.0.retain(|store, _| stays(store));
    }

    /// Adds what is known elsewhere, which counts where both know something.
    pub fn extend(&mut self, other: Self) {
        for (store, cells) in other.0 {
            self.0.entry(store).or_default().extend(cells);
        }
    }

    /// The same in parts of so many sizes at most.
    pub fn parts(&self, most: usize) -> Vec<Self> {
        let each = |(store, cells): (&StoreName, &BTreeMap<StoreName, SizeInForce>)| {
            let of_store = cells.iter().map(|(cell, size)| (store.clone(), cell.clone(), size.clone()));
            of_store.collect::<Vec<_>>()
        };
        let all: Vec<_> = self.0.iter().flat_map(each).collect();
        let part = |sizes: &[(StoreName, StoreName, SizeInForce)]| {
            let mut part = Self::default();
            for (store, cell, size) in sizes {
                part.note(store, cell, size.clone());
            }
            part
        };
        all.chunks(most.max(1)).map(part).collect()
    }
}
