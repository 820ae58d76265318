//! What the stores of a blueprint were last made as, beside its record.
//!
//! Goes in: a record, sizes that were stated or derived. Comes out: what is derived by the next time.
//!
//! **Invariant:** of a store that was made before, only what a run has brought about is remembered, not what one was to bring about:
//! else a wish that is given up would be taken for what is there. Of a new store it is remembered before its first call, so that a
//! creation that is gone on with makes the rest of it alike.

use std::collections::BTreeSet;

use super::memory;
use rgctl_model::journal::Purpose;
use rgctl_model::ports::{Store, StoreError};
use rgctl_model::scope::Scope;
use rgctl_model::sizes::Sizes;
use rgctl_schema::names::StoreName;

/// Sizes of a part: at some 200 bytes each they fit into a memory.
const PART_SIZES: usize = 60;

/// Name of the memory, of which each part has a number.
fn name(part: usize) -> String {
    format!("sizes/{part}")
}

/// What is remembered.
pub async fn recall(store: &dyn Store, scope: &Scope) -> Result<Sizes, StoreError> {
    let mut all = Sizes::default();
    for part in 0.. {
        let sizes: Sizes = memory::recall(store, scope, &name(part)).await?.unwrap_or_default();
        // The end of what is remembered now; there may have been more once.
        if sizes.is_empty() {
            break;
        }
        all.extend(sizes);
    }
    Ok(all)
}

async fn keep(store: &dyn Store, scope: &Scope, known: &mut Sizes, now: Sizes) -> Result<(), StoreError> {
    if *known == now {
        return Ok(());
    }
    let mut parts = now.parts(PART_SIZES);
    if parts.len() != known.parts(PART_SIZES).len() {
        parts.push(Sizes::default());
    }
    for (part, sizes) in parts.iter().enumerate() {
        memory::keep(store, scope, &name(part), sizes).await?;
    }
    *known = now;
    Ok(())
}

/// A run, as far as it matters here.
#[derive(Clone, Copy)]
pub struct Making<'a> {
    pub purpose: Purpose,
    /// The stores that it is about; all of them when there are none.
    pub targets: &'a BTreeSet<StoreName>,
    /// What they are to be made as.
    pub wanted: &'a Sizes,
}

impl Making<'_> {
    fn is_about(&self, store: &StoreName) -> bool {
        self.targets.is_empty() || self.targets.contains(store)
    }

    fn sizes(&self) -> Sizes {
        let mut sizes = self.wanted.clone();
        sizes.retain_stores(|store| self.is_about(store));
        sizes
    }

    /// Before its first call: remembers what stores are made as of which nothing is known yet.
    pub async fn begins(self, store: &dyn Store, scope: &Scope, known: &mut Sizes) -> Result<(), StoreError> {
        if self.purpose == Purpose::Destroy {
            return Ok(());
        }
        let mut now = self.sizes();
        now.extend(known.clone());
        keep(store, scope, known, now).await
    }

    /// When it has brought everything about: remembers that, or forgets the stores that are gone.
    pub async fn is_done(
        self,
        store: &dyn Store,
        scope: &Scope,
        known: &mut Sizes,
    ) -> Result<(), StoreError> {
        let mut now = known.clone();
        // A plan that was saved by a version which did not tell sizes knows nothing about them.
        if self.purpose == Purpose::Destroy || !self.wanted.is_empty() {
            now.retain_stores(|store| !self.is_about(store));
        }
        if self.purpose != Purpose::Destroy {
            now.extend(self.sizes());
        }
        keep(store, scope, known, now).await
    }
}

#[cfg(test)]
mod tests {
    use rgctl_model::ports::Cloud;
    use rgctl_model::sizes::SizeInForce;
    use rgctl_schema::names::BlueprintName;
    use rgctl_sim::{GENESIS, SimCloud};
    use rgctl_store::journal::SqliteStore;

    use super::*;

    const ALL: &BTreeSet<StoreName> = &BTreeSet::new();

    const fn making(purpose: Purpose, wanted: &Sizes) -> Making<'_> {
        Making { purpose, targets: ALL, wanted }
    }

    fn sizes(count: usize, class: &str) -> Sizes {
        let mut sizes = Sizes::default();
        for number in 0..count {
            let size = SizeInForce {
                engine: "aurora-postgresql".to_owned(),
                class: Some(class.to_owned()),
                version: Some("16.11".to_owned()),
                parameter_family: Some("aurora-postgresql16".to_owned()),
                storage: "standard".to_owned(),
            };
            let store = StoreName::new(format!("s{number}")).unwrap();
            sizes.note(&store, &StoreName::new("main").unwrap(), size);
        }
        sizes
    }

    #[tokio::test]
    async fn what_a_run_was_to_bring_about_is_remembered_of_new_stores_alone_until_it_has_done_so() {
        let (cloud, store) = (SimCloud::in_memory(1, GENESIS), SqliteStore::in_memory().unwrap());
        let scope = Scope::new(cloud.home(None).await.unwrap(), BlueprintName::new("game").unwrap());
        let known = || async { recall(&store, &scope).await.unwrap() };
        let (two, other, none) = (sizes(2, "db.r7g.large"), sizes(3, "db.r7g.xlarge"), Sizes::default());
        let mut held = known().await;
        assert_eq!(held, none);
        making(Purpose::Apply, &two).begins(&store, &scope, &mut held).await.unwrap();
        assert_eq!((known().await, &held), (two.clone(), &two));
        // Another class, and a third store: a run that is given up has changed nothing that is remembered of the first two.
        making(Purpose::Apply, &other).begins(&store, &scope, &mut held).await.unwrap();
        let of = |sizes: &Sizes, name: &str| {
            let (store, cell) = (StoreName::new(name).unwrap(), StoreName::new("main").unwrap());
            sizes.of(&store, &cell).and_then(|size| size.class.clone())
        };
        let half = known().await;
        let classes = ["s0", "s1", "s2"].map(|name| of(&half, name).unwrap());
        assert_eq!(classes, ["db.r7g.large", "db.r7g.large", "db.r7g.xlarge"]);
        making(Purpose::Apply, &other).is_done(&store, &scope, &mut held).await.unwrap();
        assert_eq!(known().await, other);
        // A destroy that stops half-way leaves stores; one that is done does not. A plan that does not tell sizes says nothing.
        making(Purpose::Destroy, &other).begins(&store, &scope, &mut held).await.unwrap();
        making(Purpose::Apply, &none).is_done(&store, &scope, &mut held).await.unwrap();
        assert_eq!(known().await, other);
        // Of a destroy or an apply of some stores, the others know nothing.
        let one: BTreeSet<StoreName> = [StoreName::new("s1").unwrap()].into();
        let about = |purpose, wanted| Making { purpose, targets: &one, wanted };
        about(Purpose::Apply, &two).is_done(&store, &scope, &mut held).await.unwrap();
        let classes = ["s0", "s1", "s2"].map(|name| of(&held, name).unwrap());
        assert_eq!(classes, ["db.r7g.xlarge", "db.r7g.large", "db.r7g.xlarge"]);
        about(Purpose::Destroy, &other).is_done(&store, &scope, &mut held).await.unwrap();
        assert_eq!(["s0", "s1", "s2"].map(|name| of(&held, name).is_some()), [true, false, true]);
        assert_eq!(known().await, held);
        making(Purpose::Destroy, &other).is_done(&store, &scope, &mut held).await.unwrap();
        assert_eq!((known().await, held), (none.clone(), none));
    }

    #[tokio::test]
    async fn hundreds_of_stores_are_remembered_in_parts_and_fewer_leave_nothing_of_the_others() {
        let (cloud, store) = (SimCloud::in_memory(1, GENESIS), SqliteStore::in_memory().unwrap());
        let scope = Scope::new(cloud.home(None).await.unwrap(), BlueprintName::new("game").unwrap());
        let mut held = Sizes::default();
        // More parts, fewer, and more again: what stood in a part before does not come back.
        for count in [150, 10, 70, 500, 61, 60, 1, 200] {
            let wanted = sizes(count, "db.r7g.large");
            making(Purpose::Apply, &wanted).is_done(&store, &scope, &mut held).await.unwrap();
            assert_eq!(recall(&store, &scope).await.unwrap(), wanted, "{count}");
        }
    }
}
