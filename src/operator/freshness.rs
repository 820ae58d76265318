//! Whether a new text may be acted on: by what its namespace, the regions and their accounts were when it was there, or later.
//!
//! Flow: a text that is new → one list of these for all that are new → the watches have told all of it → the texts are released.
//!
//! **Invariant:** watches of two kinds are in no order. A text that was not acted on yet by this process is released only when what
//! the watches of regions, accounts and namespaces have told is at least as new as a list that was begun after the text was there.
//! What cannot be listed, or not be compared, releases nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::resources::Resources;
use rgctl_kube::item::{Item, Listed, Place, Watched};
use rgctl_schema::time::Span;

/// What a blueprint is judged by, and what has to be as new as it.
pub const JUDGED_BY: [Watched; 3] = [Watched::Region, Watched::Account, Watched::Namespace];
/// What was listed may be gone by now: after so long without having been told of it, it is listed anew.
const AGAIN: Span = Span::from_secs(5);
/// Watches may be behind for a while; after so many lists in a row, nobody is left to wonder.
const UNTOLD_MAX: u32 = 3;
/// After a list that failed, for the first time and at most.
const RETRY: (Span, Span) = (Span::from_secs(1), Span::from_secs(30));

/// Which text of a blueprint: whose object, and how often that was changed.
type Text = (String, i64);
type Texts = BTreeMap<Arc<str>, Text>;

/// The texts that were released, and those that wait.
#[derive(Debug, Default)]
pub struct Freshness {
    released: BTreeMap<Arc<str>, (Text, Arc<str>)>,
    waiting: Texts,
    /// For whom a list is being made.
    asked: Option<Texts>,
    /// Those of the waiting that the last list is as new as.
    covered: Texts,
    lists: Vec<Listed>,
    /// When the last list came, and how many in a row did not.
    listed: Span,
    failed: u32,
    /// How many lists in a row came and released nothing.
    untold: u32,
    trouble: Option<String>,
}

fn text(item: &Item) -> Text {
    (item.uid().to_owned(), item.generation())
}

impl Freshness {
    /// There is that text; tells whether it waits.
    pub fn note(&mut self, item: &Item) -> bool {
        let (name, text) = (&item.place.name, text(item));
        if self.released.get(name).is_some_and(|(released, _)| *released == text) {
            self.waiting.remove(name);
            return false;
        }
        self.waiting.insert(Arc::clone(name), text);
        true
    }

    /// It is gone.
    pub fn forget(&mut self, name: &str) {
        self.released.remove(name);
        self.waiting.remove(name);
    }

    /// Whether a list is to be begun now; who is told so begins it.
    pub fn begin(&mut self, now: Span) -> bool {
        let is_due = now >= self.listed + self.pause();
        let is_covered = |(name, text): (&Arc<str>, &Text)| self.covered.get(name) == Some(text);
        let all_covered = self.waiting.iter().all(is_covered);
        if self.asked.is_some() || self.waiting.is_empty() || ((all_covered || self.failed > 0) && !is_due) {
            return false;
        }
        self.asked = Some(self.waiting.clone());
        true
    }

    fn pause(&self) -> Span {
        match self.failed {
            0 => AGAIN,
            failed => Span::from_millis(RETRY.0.as_millis() << (failed - 1).min(5)).min(RETRY.1),
        }
    }

    /// What came of a list.
    pub fn listed(&mut self, came: Result<Vec<Listed>, String>, now: Span) {
        let asked = self.asked.take().unwrap_or_default();
        let still = self.covered.iter().any(|(name, text)| self.waiting.get(name) == Some(text));
        self.untold = if still { self.untold.saturating_add(1) } else { 0 };
        self.listed = now;
        match came {
            Ok(lists) => (self.covered, self.lists, self.failed, self.trouble) = (asked, lists, 0, None),
            Err(why) => (self.failed, self.trouble) = (self.failed.saturating_add(1), Some(why)),
        }
    }

    /// The names whose text may be acted on now; each is [released](Self::release) once that is in force.
    pub fn ready(&self, resources: &Resources) -> BTreeSet<Arc<str>> {
        let mut covered = self.covered.iter().filter(|(name, text)| self.waiting.get(*name) == Some(*text));
        let first = covered.next();
        if first.is_none() || !self.lists.iter().all(|list| has_told(resources, list)) {
            return BTreeSet::new();
        }
        first.into_iter().chain(covered).map(|(name, _)| Arc::clone(name)).collect()
    }

    /// Its text is in force.
    pub fn release(&mut self, item: &Item) {
        let name = &item.place.name;
        self.untold = 0;
        self.covered.remove(name);
        self.waiting.remove(name);
        self.released.insert(Arc::clone(name), (text(item), Arc::clone(&item.spec)));
    }

    /// Generation and text of an object that are in force; none where no text of it was released yet.
    pub fn in_force(&self, item: &Item) -> Option<(i64, Arc<str>)> {
        let ((uid, generation), spec) = self.released.get(&item.place.name)?;
        (*uid == item.uid()).then(|| (*generation, Arc::clone(spec)))
    }

    /// Whether something waits.
    pub fn is_waited_for(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Whether nothing was released yet, though something waits for it.
    pub fn is_first(&self) -> bool {
        self.released.is_empty() && !self.waiting.is_empty()
    }

    /// Why nothing can be released, where that is so.
    pub fn trouble(&self) -> Option<String> {
        if self.waiting.is_empty() {
            return None;
        }
        if let Some(why) = &self.trouble {
            return Some(format!("what new blueprints are judged by could not be listed: {why}"));
        }
        (self.untold >= UNTOLD_MAX).then(|| {
            format!(
                "the watches have not told what was listed {} times: new blueprints wait for that",
                self.untold
            )
        })
    }
}

/// Whether the watches have told all that is in a list: each resource in that version or a later one, and of what is not in it nothing
/// that was there then.
fn has_told(resources: &Resources, list: &Listed) -> bool {
    let told = |item: &Item, from: u64| item.version.is_some_and(|version| version >= from);
    let is_there = |(place, version): (&Place, &u64)| {
        resources.item(list.what, place).is_some_and(|item| told(&item, *version))
    };
    let within = |item: &&Arc<Item>| {
        let own = if list.what.is_of_cluster() { &item.place.name } else { &item.place.namespace };
        list.scope.as_deref().is_none_or(|scope| scope == &**own)
    };
    let is_later = |item: &Arc<Item>| list.items.contains_key(&item.place) || told(item, list.version);
    list.items.iter().all(is_there) && resources.all(list.what).filter(within).all(is_later)
}

#[cfg(test)]
mod tests {
    use rgctl_kube::item::Seen;
    use serde_json::json;

    use super::*;

    fn item(what: Watched, name: &str, version: u64, generation: i64) -> Item {
        let object = json!({
            "metadata": { "name": name, "namespace": "games", "uid": format!("uid of {name}"),
                "generation": generation, "resourceVersion": version.to_string() },
            "spec": {},
        });
        Item::of(what, object).unwrap()
    }

    fn told(resources: &mut Resources, name: &str, version: u64) {
        let seen = Seen::Is(Box::new(item(Watched::Region, name, version, 1)));
        resources.fold(Watched::Region, None, seen, Span::ZERO);
    }

    fn list(version: u64, regions: &[(&str, u64)]) -> Vec<Listed> {
        let items = regions.iter().map(|(name, version)| (Place::new("games", name), *version)).collect();
        vec![Listed { what: Watched::Region, scope: None, version, items }]
    }

    fn none() -> BTreeSet<Arc<str>> {
        BTreeSet::new()
    }

    fn generation(freshness: &Freshness, item: &Item) -> Option<i64> {
        freshness.in_force(item).map(|(generation, _)| generation)
    }

    fn at(seconds: u64) -> Span {
        Span::from_secs(seconds)
    }

    #[test]
    fn a_text_is_released_when_the_watches_have_told_what_was_there_when_it_was_listed() {
        let (mut freshness, mut resources) = (Freshness::default(), Resources::default());
        told(&mut resources, "us-east-1", 10);
        let arena = item(Watched::Blueprint, "arena", 20, 1);
        assert!(freshness.note(&arena) && freshness.is_first());
        assert!(freshness.begin(at(1)) && !freshness.begin(at(1)), "one list at a time");
        freshness.listed(Ok(list(21, &[("us-east-1", 19)])), at(1));
        assert_eq!(freshness.ready(&resources), none(), "the region was changed before the text");
        assert_eq!(generation(&freshness, &arena), None);
        told(&mut resources, "us-east-1", 19);
        let ready = freshness.ready(&resources);
        assert_eq!(ready, BTreeSet::from([Arc::from("arena")]));
        freshness.release(&arena);
        assert_eq!((generation(&freshness, &arena), freshness.note(&arena)), (Some(1), false));
        assert!(!freshness.begin(at(100)), "nothing waits: nothing is asked");
        // Changed again: it waits again, and goes on by the generation that was released.
        let anew = item(Watched::Blueprint, "arena", 30, 2);
        assert!(freshness.note(&anew));
        assert_eq!((generation(&freshness, &anew), freshness.ready(&resources).len()), (Some(1), 0));
        assert!(freshness.begin(at(100)), "the list of before is older than it");
    }

    #[test]
    fn what_is_not_there_any_more_is_not_judged_by_and_what_came_later_may_be() {
        let (mut freshness, mut resources) = (Freshness::default(), Resources::default());
        told(&mut resources, "us-east-1", 10);
        freshness.note(&item(Watched::Blueprint, "arena", 20, 1));
        assert!(freshness.begin(at(1)));
        freshness.listed(Ok(list(21, &[])), at(1));
        assert_eq!(
            freshness.ready(&resources),
            none(),
            "it was removed before the text, and that was not told yet"
        );
        resources.fold(Watched::Region, None, Seen::Gone(Place::new("games", "us-east-1")), Span::ZERO);
        told(&mut resources, "us-west-2", 25);
        assert_eq!(freshness.ready(&resources).len(), 1);
        // What was listed and is gone since is never told: it is listed anew.
        freshness.note(&item(Watched::Blueprint, "lobby", 22, 1));
        assert!(freshness.begin(at(2)));
        freshness.listed(Ok(list(23, &[("eu-west-1", 5)])), at(2));
        assert!(freshness.ready(&resources).is_empty() && !freshness.begin(at(3)));
        assert!(freshness.begin(at(7)));
    }

    #[test]
    fn one_list_is_for_all_that_were_there_before_it_and_for_nobody_else() {
        let (mut freshness, resources) = (Freshness::default(), Resources::default());
        for number in 0..1_000 {
            freshness.note(&item(Watched::Blueprint, &format!("b-{number}"), 20, 1));
        }
        assert!(freshness.begin(at(1)));
        // While it is under way: that one it may be older than, whether it is new or another text of one that waited.
        freshness.note(&item(Watched::Blueprint, "late", 22, 1));
        freshness.note(&item(Watched::Blueprint, "b-7", 23, 2));
        freshness.listed(Ok(list(21, &[])), at(1));
        let ready = freshness.ready(&resources);
        assert_eq!(ready.len(), 999);
        for name in &ready {
            freshness.release(&item(Watched::Blueprint, name, 20, 1));
        }
        assert!(freshness.begin(at(1)));
        freshness.listed(Ok(list(24, &[])), at(1));
        assert_eq!(freshness.ready(&resources).len(), 2);
        freshness.forget("late");
        assert_eq!(freshness.ready(&resources).len(), 1);
    }

    #[test]
    fn what_cannot_be_listed_or_compared_releases_nothing_and_is_asked_for_more_and_more_rarely() {
        let (mut freshness, mut resources) = (Freshness::default(), Resources::default());
        freshness.note(&item(Watched::Blueprint, "arena", 20, 1));
        let mut begun = Vec::new();
        for second in 0..100 {
            if freshness.begin(at(second)) {
                begun.push(second);
                freshness.listed(Err("refused".to_owned()), at(second));
            }
        }
        assert_eq!(begun, [0, 1, 3, 7, 15, 31, 61, 91]);
        assert!(freshness.trouble().unwrap().contains("refused") && freshness.ready(&resources).is_empty());
        let unknown = Item { version: None, ..item(Watched::Region, "us-east-1", 1, 1) };
        resources.fold(Watched::Region, None, Seen::Is(Box::new(unknown)), Span::ZERO);
        assert!(freshness.begin(at(121)));
        freshness.listed(Ok(list(21, &[("us-east-1", 1)])), at(121));
        assert_eq!((freshness.ready(&resources).len(), freshness.trouble()), (0, None));
        // What is never told is said.
        for second in [130, 140, 150] {
            assert_eq!(freshness.trouble(), None);
            assert!(freshness.begin(at(second)));
            freshness.listed(Ok(list(21, &[("us-east-1", 1)])), at(second));
        }
        assert!(freshness.trouble().unwrap().contains("have not told"), "{:?}", freshness.trouble());
        told(&mut resources, "us-east-1", 1);
        assert_eq!(freshness.ready(&resources).len(), 1);
        freshness.release(&item(Watched::Blueprint, "arena", 20, 1));
        assert_eq!(freshness.trouble(), None);
    }
}
