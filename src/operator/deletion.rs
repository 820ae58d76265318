//! What the deletion of a resource means: nothing for the cloud, unless all of it was said beforehand.
//!
//! **Invariant:** a resource goes without any call to the cloud whenever its text says `retain`, says nothing, or cannot be read.
//! **Invariant:** where many go at once, or their namespace or their definition goes, all are kept in the cloud.
//! **Invariant:** nothing here looks at credentials, at the spec's other parts, or at whether somebody paused it.

use std::collections::BTreeMap;

use rgctl_kube::item::{Item, Place};
use rgctl_kube::kinds::marks;
use rgctl_schema::time::{Moment, Span};

/// More deletions than these within [`WITHIN`] are taken for an accident.
const MANY: usize = 3;
/// More than one in so many, too, unless it is a single one.
const SHARE: usize = 10;
/// In which time.
const WITHIN: Span = Span::from_mins(10);

/// What its text says of the deletion of a blueprint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Wish {
    /// What it made stays.
    #[default]
    Retain,
    /// What it made goes, with final snapshots.
    Snapshot,
}

impl Wish {
    /// From the raw spec: it must be understood also where the rest of it is not. Whatever is not the one word is `retain`.
    pub fn of(item: &Item) -> Self {
        let spec = item.spec();
        let word = spec.pointer("/policies/deletion").and_then(serde_json::Value::as_str);
        if word == Some("snapshot") { Self::Snapshot } else { Self::Retain }
    }
}

/// Why nothing of what is deleted goes in the cloud.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Brake {
    /// Its whole namespace goes.
    Namespace,
    /// The definition of its kind goes.
    Definition,
    /// Many go at once.
    Many,
}

impl Brake {
    /// Why, for people.
    pub const fn why(self) -> &'static str {
        match self {
            Self::Namespace => "its namespace is deleted: what it made is kept",
            Self::Definition => "the definition of its kind is deleted: what it made is kept",
            Self::Many => "many blueprints are deleted at once: what they made is kept",
        }
    }
}

/// What is to be done about a resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is not deleted.
    Stays {
        /// Whether the finalizer is to be added or to be taken off; nothing where it is right as it is.
        finalizer: Option<bool>,
    },
    /// It goes now, and everything in the cloud stays.
    Release {
        /// What keeps it from going there, although its text wants that; nothing where its text keeps it.
        brake: Option<Brake>,
    },
    /// Its stores go, each with a final snapshot, once a person has agreed to the plan of it.
    Destroy,
}

/// Judges one resource.
pub fn judge(item: &Item, brake: Option<Brake>) -> Verdict {
    let has = item.meta.is_kept();
    let wish = Wish::of(item);
    if !item.meta.is_going() {
        let wants = wish == Wish::Snapshot;
        return Verdict::Stays { finalizer: (wants != has).then_some(wants) };
    }
    if wish == Wish::Retain {
        return Verdict::Release { brake: None };
    }
    match brake {
        // Nothing can be agreed to in a namespace that goes.
        Some(brake @ (Brake::Namespace | Brake::Definition)) => Verdict::Release { brake: Some(brake) },
        Some(brake @ Brake::Many) if item.meta.mark(marks::RELEASE_DELETION) != Some(item.uid()) => {
            Verdict::Release { brake: Some(brake) }
        }
        Some(Brake::Many) | None => Verdict::Destroy,
    }
}

/// Deletions that were seen lately.
#[derive(Clone, Debug, Default)]
pub struct Deletions {
    seen: BTreeMap<Place, Moment>,
}

impl Deletions {
    /// Somebody deletes that one, since then.
    pub fn note(&mut self, place: &Place, at: Moment) {
        self.seen.insert(place.clone(), at);
        let newest = self.seen.values().max().copied().unwrap_or(at);
        self.seen.retain(|_, then| newest.since(*then) <= WITHIN);
    }

    /// Whether one that is deleted at that time is one of many, of so many that there are with it.
    pub fn are_many(&self, at: Moment, of: usize) -> bool {
        let near = |then: &&Moment| Ord::max(**then, at).since(Ord::min(**then, at)) <= WITHIN;
        let count = self.seen.values().filter(near).count();
        count > MANY || (count > 1 && count * SHARE > of)
    }
}

#[cfg(test)]
mod tests {
    use rgctl_kube::item::Watched;
    use serde_json::json;

    use super::*;

    fn item(spec: &serde_json::Value, deleted: bool, finalizer: bool) -> Item {
        let mut meta = json!({ "name": "arena", "namespace": "games", "uid": "u-1" });
        if deleted {
            meta["deletionTimestamp"] = json!("2026-11-28T07:00:00Z");
        }
        if finalizer {
            meta["finalizers"] = json!([marks::FINALIZER]);
        }
        Item::of(Watched::Blueprint, json!({ "metadata": meta, "spec": spec })).unwrap()
    }

    fn snapshot() -> serde_json::Value {
        json!({ "policies": { "deletion": "snapshot" } })
    }

    #[test]
    fn only_a_text_that_says_snapshot_gets_the_finalizer_and_one_that_says_otherwise_loses_it() {
        let finalizer = |spec: &serde_json::Value, has| match judge(&item(spec, false, has), None) {
            Verdict::Stays { finalizer } => finalizer,
            other => panic!("{other:?}"),
        };
        assert_eq!(finalizer(&json!({}), false), None);
        assert_eq!(finalizer(&snapshot(), false), Some(true));
        assert_eq!(finalizer(&snapshot(), true), None);
        assert_eq!(finalizer(&json!({ "policies": { "deletion": "retain" } }), true), Some(false));
        assert_eq!(finalizer(&json!({ "policies": { "deletion": "Snapshot" } }), false), None);
        assert_eq!(finalizer(&json!({ "policies": ["snapshot"] }), true), Some(false));
    }

    #[test]
    fn what_is_deleted_goes_at_once_unless_its_text_says_snapshot() {
        for spec in
            [json!({}), json!(null), json!({ "policies": 7 }), json!({ "policies": { "deletion": true } })]
        {
            assert!(matches!(judge(&item(&spec, true, true), None), Verdict::Release { .. }), "{spec}");
        }
        assert_eq!(judge(&item(&snapshot(), true, true), None), Verdict::Destroy);
    }

    #[test]
    fn a_namespace_or_a_definition_that_goes_keeps_everything_in_the_cloud() {
        let mut item = item(&snapshot(), true, true);
        item.meta.annotations.insert(marks::RELEASE_DELETION.into(), "u-1".into());
        for brake in [Brake::Namespace, Brake::Definition] {
            assert_eq!(judge(&item, Some(brake)), Verdict::Release { brake: Some(brake) });
            // What goes because its text says so is not told as braked.
            let kept = self::item(&json!({}), true, true);
            assert_eq!(judge(&kept, Some(brake)), Verdict::Release { brake: None });
        }
    }

    #[test]
    fn one_of_many_is_destroyed_only_when_a_person_names_its_uid() {
        let mut item = item(&snapshot(), true, true);
        assert!(matches!(judge(&item, Some(Brake::Many)), Verdict::Release { .. }));
        item.meta.annotations.insert(marks::RELEASE_DELETION.into(), "u-0".into());
        assert!(matches!(judge(&item, Some(Brake::Many)), Verdict::Release { .. }));
        item.meta.annotations.insert(marks::RELEASE_DELETION.into(), "u-1".into());
        assert_eq!(judge(&item, Some(Brake::Many)), Verdict::Destroy);
    }

    #[test]
    fn more_than_three_or_a_tenth_within_ten_minutes_are_many_whatever_their_order() {
        let at = |minutes: i64| Moment::from_secs(1_000_000 + minutes * 60);
        let mut few = Deletions::default();
        few.note(&Place::new("games", "a"), at(0));
        assert!(!few.are_many(at(0), 1), "a single one is no accident");
        few.note(&Place::new("games", "b"), at(1));
        assert!(few.are_many(at(1), 19) && !few.are_many(at(1), 20));
        let mut four = Deletions::default();
        for (number, minute) in [3, 0, 2, 1].into_iter().enumerate() {
            four.note(&Place::new("games", &number.to_string()), at(minute));
        }
        assert!(four.are_many(at(0), 1_000) && four.are_many(at(3), 1_000));
        assert!(!four.are_many(at(30), 1_000));
        // One by one, each after a quarter of an hour, is no accident.
        let mut slow = Deletions::default();
        for number in 0..10 {
            slow.note(&Place::new("games", &number.to_string()), at(number * 15));
            assert!(!slow.are_many(at(number * 15), 1_000));
        }
    }
}
