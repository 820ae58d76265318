//! Tags that were asked for object by object, since the index of tags did not know the object yet.
//!
//! Goes in: objects, and the tags that they were seen to have. Comes out: the same tags for some minutes. An object that was made
//! a moment ago is asked about once, and not at each look until the index has caught up: calls of the same budget make objects.
//!
//! **Invariant:** what a call of this process was about, and what a look does not show, is forgotten.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use rgctl_model::address::Address;
use rgctl_schema::time::{Moment, Span};

/// How long they are used: the index has caught up by then.
const KEEP: Span = Span::from_mins(5);

type Texts = BTreeMap<String, String>;

/// What this process knows of tags.
#[derive(Debug, Default)]
pub struct KnownTags(Mutex<BTreeMap<Address, (Moment, Texts)>>);

impl KnownTags {
    fn with<T>(&self, work: impl FnOnce(&mut BTreeMap<Address, (Moment, Texts)>) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The tags that an object was seen to have, while they are good.
    pub fn of(&self, address: &Address, now: Moment) -> Option<Texts> {
        self.with(|known| {
            let (then, texts) = known.get(address)?;
            (now < *then + KEEP).then(|| texts.clone())
        })
    }

    /// Notes tags that were read.
    pub fn keep(&self, address: &Address, now: Moment, texts: &Texts) {
        self.with(|known| known.insert(address.clone(), (now, texts.clone())));
    }

    /// A call about the object is being made, or was.
    pub fn changed(&self, address: &Address) {
        self.with(|known| known.remove(address));
    }

    /// Forgets what is too old, and what is gone.
    pub fn forget(&self, now: Moment, gone: impl Fn(&Address) -> bool) {
        self.with(|known| known.retain(|address, (then, _)| now < *then + KEEP && !gone(address)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rgctl_model::kinds::KindId;
    use rgctl_schema::names::{Name, RegionId};

    #[test]
    fn tags_are_used_until_they_are_old_changed_or_of_something_that_is_gone() {
        let address = |name: &str| {
            Address::new(
                RegionId::new("us-east-1").unwrap(),
                KindId::RdsSubnetGroup,
                Name::new(name).unwrap(),
            )
        };
        let (known, now) = (KnownTags::default(), Moment::from_secs(1_000));
        let texts = Texts::from([("a".to_owned(), "1".to_owned())]);
        for name in ["stays", "changes", "goes"] {
            known.keep(&address(name), now, &texts);
        }
        known.changed(&address("changes"));
        known.forget(now, |gone| *gone == address("goes"));
        let later = now + Span::from_mins(4);
        let found = ["stays", "changes", "goes"].map(|name| known.of(&address(name), later));
        assert_eq!(found, [Some(texts), None, None]);
        assert_eq!(known.of(&address("stays"), now + KEEP), None);
        known.forget(now + KEEP, |_| false);
        assert_eq!(known.with(|known| known.len()), 0);
    }
}
