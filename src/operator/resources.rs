//! What there is in the cluster, as far as it was told.
//!
//! **Invariant:** what is kept of a resource is what is needed of it, and there is a bound to how many are kept.
//! **Invariant:** a change of nothing but a status is told as such: it wakes nobody.
//! **Invariant:** a kind whose definition is not there is waited for by nobody; when it is there again, all of it is read anew.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rgctl_kube::item::{Item, Place, Seen, Watched};
use rgctl_kube::kinds::{BlueprintSpec, Spec};
use rgctl_schema::time::Span;

/// Resources of one kind that are kept.
pub const ITEMS_MAX: usize = 20_000;
/// A watch that said for so long that it is broken is told of.
const BROKEN_FOR: Span = Span::from_mins(5);
/// A watch that has not said for so long that it is broken is whole again: it is tried more often than that.
const WHOLE_AFTER: Span = Span::from_mins(1);

/// What came of something that was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Something else is wanted, or it is new.
    Wanted(Place),
    /// Nothing but what is told of it.
    Status(Place),
    /// It is gone.
    Gone(Box<Item>),
}

#[derive(Debug, Default)]
struct Broken {
    since: Option<Span>,
    last: Span,
    why: String,
}

/// Everything that there is.
#[derive(Debug, Default)]
pub struct Resources {
    items: BTreeMap<Watched, BTreeMap<Place, Arc<Item>>>,
    /// Blueprints by name, whatever their namespace.
    named: BTreeMap<Arc<str>, BTreeSet<Place>>,
    /// Plans and overrides by the blueprint, and approvals by the plan, that they are about, each in its namespace.
    about: BTreeMap<(Watched, Place), BTreeSet<Place>>,
    whole: BTreeSet<(Watched, Option<String>)>,
    broken: BTreeMap<(Watched, Option<String>), Broken>,
    /// Kinds whose definition is not there.
    undefined: BTreeSet<Watched>,
    left_out: usize,
}

impl Resources {
    /// Takes what a watch of a kind in a namespace, or in all, told at that time since the machine was started.
    pub fn fold(&mut self, what: Watched, scope: Option<&str>, seen: Seen, since_boot: Span) -> Vec<Change> {
        match seen {
            Seen::Is(item) => self.put(what, *item).into_iter().collect(),
            Seen::Gone(place) => self.take(what, &place).into_iter().collect(),
            Seen::Whole(all) => {
                let all: BTreeSet<Place> = all.into_iter().collect();
                let within = |place: &Place| {
                    let own = if what.is_of_cluster() { &place.name } else { &place.namespace };
                    scope.is_none_or(|scope| scope == &**own)
                };
                let known = self.items.get(&what).into_iter().flatten();
                let gone =
                    known.map(|(place, _)| place).filter(|place| within(place) && !all.contains(*place));
                let gone: Vec<Place> = gone.cloned().collect();
                self.whole.insert((what, scope.map(str::to_owned)));
                self.broken.remove(&(what, scope.map(str::to_owned)));
                gone.iter().filter_map(|place| self.take(what, place)).collect()
            }
            Seen::Broken(why) => {
                let broken = self.broken.entry((what, scope.map(str::to_owned))).or_default();
                let is_new = broken.since.is_none() || since(since_boot, broken.last) > WHOLE_AFTER;
                if is_new {
                    broken.since = Some(since_boot);
                }
                (broken.last, broken.why) = (since_boot, why);
                Vec::new()
            }
        }
    }

    fn put(&mut self, what: Watched, mut item: Item) -> Option<Change> {
        let all = self.items.entry(what).or_default();
        let place = item.place.clone();
        let before = all.get(&place);
        if let Some(before) = before.filter(|before| before.spec == item.spec) {
            // Whoever has the text in force has this very one: a change of the status makes no second one of it.
            item.spec = Arc::clone(&before.spec);
        }
        if before.is_none() && all.len() >= ITEMS_MAX {
            self.left_out += 1;
            return None;
        }
        let is_same = before.is_some_and(|before| is_wanted_alike(before, &item));
        let is_new = before.is_none();
        let other = before.filter(|before| before.spec != item.spec).and_then(|before| about(what, before));
        let new = if is_same { None } else { about(what, &item) };
        all.insert(place.clone(), Arc::new(item));
        if let Some(other) = other {
            self.leave(what, other, &place);
        }
        if let Some(new) = new {
            self.about.entry((what, new)).or_default().insert(place.clone());
        }
        if is_new && what == Watched::Blueprint {
            self.named.entry(Arc::clone(&place.name)).or_default().insert(place.clone());
        }
        Some(if is_same { Change::Status(place) } else { Change::Wanted(place) })
    }

    fn take(&mut self, what: Watched, place: &Place) -> Option<Change> {
        let item = self.items.get_mut(&what)?.remove(place)?;
        if let Some(about) = about(what, &item) {
            self.leave(what, about, place);
        }
        if what == Watched::Blueprint
            && let Some(places) = self.named.get_mut(&place.name)
        {
            places.remove(place);
            if places.is_empty() {
                self.named.remove(&place.name);
            }
        }
        Some(Change::Gone(Box::new(Arc::unwrap_or_clone(item))))
    }

    fn leave(&mut self, what: Watched, about: Place, place: &Place) {
        let key = (what, about);
        if let Some(places) = self.about.get_mut(&key) {
            places.remove(place);
            if places.is_empty() {
                self.about.remove(&key);
            }
        }
    }

    /// What was told of a resource is so from now on: the watch will say it, too.
    pub fn told(&mut self, what: Watched, place: &Place, status: &str) {
        if let Some(item) = self.items.get_mut(&what).and_then(|all| all.get_mut(place)) {
            Arc::make_mut(item).status = status.into();
        }
    }

    /// One of them.
    pub fn item(&self, what: Watched, place: &Place) -> Option<Arc<Item>> {
        self.items.get(&what)?.get(place).cloned()
    }

    /// All of a kind.
    pub fn all(&self, what: Watched) -> impl Iterator<Item = &Arc<Item>> {
        self.items.get(&what).into_iter().flat_map(BTreeMap::values)
    }

    /// All of a kind, by place.
    pub fn items_of(&self, what: Watched) -> Option<&BTreeMap<Place, Arc<Item>>> {
        self.items.get(&what)
    }

    /// Those of a kind in a namespace.
    pub fn within(&self, what: Watched, namespace: &str) -> impl Iterator<Item = &Arc<Item>> {
        let from = Place::new(namespace, "");
        let all = self.items.get(&what).into_iter().flat_map(move |all| all.range(from.clone()..));
        all.map(|(_, item)| item).take_while(move |item| *item.place.namespace == *namespace)
    }

    /// Those of a kind that are about another resource: plans and overrides of a blueprint, approvals of a plan.
    pub fn about<'a>(
        &'a self,
        what: Watched,
        other: &Place,
    ) -> impl Iterator<Item = &'a Arc<Item>> + use<'a> {
        let places = self.about.get(&(what, other.clone()));
        places.into_iter().flatten().filter_map(move |place| self.items.get(&what)?.get(place))
    }

    /// How many there are of a kind.
    pub fn count(&self, what: Watched) -> usize {
        self.items.get(&what).map_or(0, BTreeMap::len)
    }

    /// The blueprint of a name: where several namespaces have one, the first that was made, since they are one in the account.
    pub fn first_of(&self, name: &str) -> Option<Arc<Item>> {
        let items = self.named.get(name)?.iter().filter_map(|place| self.item(Watched::Blueprint, place));
        items.min_by(|a, b| (a.meta.creation_timestamp, a.uid()).cmp(&(b.meta.creation_timestamp, b.uid())))
    }

    /// The blueprints of that name.
    pub fn places_of(&self, name: &str) -> Vec<Place> {
        self.named.get(name).into_iter().flatten().cloned().collect()
    }

    /// Whether a namespace comes to its end, for all that is known.
    pub fn is_ending(&self, namespace: &str) -> bool {
        self.item(Watched::Namespace, &Place::new("", namespace)).is_none_or(|one| one.meta.is_going())
    }

    /// Whether the definition of blueprints comes to its end.
    pub fn is_definition_ending(&self) -> bool {
        let name = Place::new("", &BlueprintSpec::NAMES.definition());
        self.item(Watched::Definition, &name).is_some_and(|one| one.meta.is_going())
    }

    /// The definitions of these kinds are not there, and of no other ones.
    pub fn are_undefined(&mut self, kinds: BTreeSet<Watched>) {
        self.whole.retain(|(what, _)| !kinds.contains(what));
        self.broken.retain(|(what, _), _| !kinds.contains(what));
        self.undefined = kinds;
    }

    /// Kinds whose definition is not there.
    pub const fn undefined(&self) -> &BTreeSet<Watched> {
        &self.undefined
    }

    /// Whether all of these watches have told everything once, as far as there is anything to tell.
    pub fn is_whole(&self, watches: &[(Watched, Option<String>)]) -> bool {
        watches.iter().all(|watch| self.undefined.contains(&watch.0) || self.whole.contains(watch))
    }

    /// Why the cluster cannot be seen, where it could not for so long that somebody should know.
    pub fn blindness(&self, since_boot: Span) -> Option<String> {
        let is_blind = |broken: &&Broken| {
            let lasts = broken.since.is_some_and(|since_then| since(broken.last, since_then) >= BROKEN_FOR);
            lasts && since(since_boot, broken.last) <= WHOLE_AFTER
        };
        let defined = self.broken.iter().filter(|((what, _), _)| !self.undefined.contains(what));
        defined.map(|(_, broken)| broken).find(is_blind).map(|broken| broken.why.clone())
    }

    /// Resources that there was no room for.
    pub const fn left_out(&self) -> usize {
        self.left_out
    }
}

fn since(now: Span, then: Span) -> Span {
    Span::from_millis(now.as_millis().saturating_sub(then.as_millis()))
}

/// What a resource is about.
fn about(what: Watched, item: &Item) -> Option<Place> {
    let path = match what {
        Watched::Plan => "/blueprint/name",
        Watched::Override => "/blueprint",
        Watched::Approval => "/plan",
        Watched::Blueprint
        | Watched::Region
        | Watched::Account
        | Watched::Namespace
        | Watched::Definition => return None,
    };
    let name = item.spec().pointer(path)?.as_str()?.to_owned();
    Some(Place::new(&item.place.namespace, &name))
}

/// Whether the same is wanted by two versions of a resource.
fn is_wanted_alike(a: &Item, b: &Item) -> bool {
    (&a.meta, &a.spec) == (&b.meta, &b.spec)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn item(namespace: &str, name: &str, created: &str, more: &Value) -> Item {
        let mut object = json!({
            "metadata": { "name": name, "namespace": namespace, "uid": format!("{namespace}-{name}"),
                "generation": 1, "creationTimestamp": created },
            "spec": { "a": 1 },
        });
        object.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        Item::of(Watched::Blueprint, object).unwrap()
    }

    fn is(resources: &mut Resources, item: Item) -> Vec<Change> {
        resources.fold(Watched::Blueprint, None, Seen::Is(Box::new(item)), Span::ZERO)
    }

    const EARLY: &str = "2026-11-28T06:00:00Z";
    const LATE: &str = "2026-11-28T06:30:00Z";

    #[test]
    fn a_change_of_nothing_but_the_status_is_told_as_such() {
        let mut resources = Resources::default();
        let place = Place::new("games", "arena");
        assert_eq!(
            is(&mut resources, item("games", "arena", EARLY, &json!({}))),
            [Change::Wanted(place.clone())]
        );
        let told = json!({ "status": { "observedGeneration": 1 } });
        assert_eq!(is(&mut resources, item("games", "arena", EARLY, &told)), [Change::Status(place.clone())]);
        let wanted = json!({ "spec": { "a": 2 } });
        assert_eq!(is(&mut resources, item("games", "arena", EARLY, &wanted)), [Change::Wanted(place)]);
    }

    #[test]
    fn a_text_that_did_not_change_is_kept_once_whatever_is_told_of_it() {
        let mut resources = Resources::default();
        is(&mut resources, item("games", "arena", EARLY, &json!({})));
        let before = resources.first_of("arena").unwrap();
        let told = json!({ "status": { "observedGeneration": 1 } });
        is(&mut resources, item("games", "arena", EARLY, &told));
        let after = resources.first_of("arena").unwrap();
        assert_ne!(before.status, after.status);
        assert!(Arc::ptr_eq(&before.spec, &after.spec));
    }

    #[test]
    fn the_first_of_a_name_has_it_until_it_goes() {
        let mut resources = Resources::default();
        is(&mut resources, item("b", "arena", LATE, &json!({})));
        is(&mut resources, item("a", "arena", LATE, &json!({})));
        is(&mut resources, item("c", "arena", EARLY, &json!({})));
        let first = |resources: &Resources| resources.first_of("arena").map(|item| item.place.to_string());
        assert_eq!(first(&resources).as_deref(), Some("c/arena"));
        resources.fold(Watched::Blueprint, None, Seen::Gone(Place::new("c", "arena")), Span::ZERO);
        assert_eq!(first(&resources).as_deref(), Some("a/arena"), "of one moment the one of the lesser uid");
        assert_eq!(resources.places_of("arena").len(), 2);
    }

    #[test]
    fn who_is_not_among_all_that_there_are_is_gone_in_that_namespace_alone() {
        let mut resources = Resources::default();
        for (namespace, name) in [("a", "one"), ("a", "two"), ("b", "three")] {
            is(&mut resources, item(namespace, name, EARLY, &json!({})));
        }
        let whole = Seen::Whole(vec![Place::new("a", "two")]);
        let gone = resources.fold(Watched::Blueprint, Some("a"), whole, Span::ZERO);
        assert!(matches!(gone.as_slice(), [Change::Gone(item)] if *item.place.name == *"one"));
        assert_eq!(resources.count(Watched::Blueprint), 2);
        assert_eq!(resources.within(Watched::Blueprint, "a").count(), 1);
        assert!(resources.is_whole(&[(Watched::Blueprint, Some("a".to_owned()))]));
        assert!(!resources.is_whole(&[(Watched::Blueprint, None)]));
    }

    #[test]
    fn what_is_about_a_blueprint_is_found_by_it_also_after_it_was_changed_or_is_gone() {
        let mut resources = Resources::default();
        let other = |name: &str, of: &str| {
            let object =
                json!({ "metadata": { "name": name, "namespace": "games" }, "spec": { "blueprint": of } });
            Seen::Is(Box::new(Item::of(Watched::Override, object).unwrap()))
        };
        let of = |resources: &Resources, name: &str| -> Vec<String> {
            let all = resources.about(Watched::Override, &Place::new("games", name));
            all.map(|item| item.place.name.to_string()).collect()
        };
        for (name, of) in [("one", "arena"), ("two", "arena"), ("three", "lobby")] {
            resources.fold(Watched::Override, None, other(name, of), Span::ZERO);
        }
        assert_eq!(
            (of(&resources, "arena"), of(&resources, "lobby")),
            (vec!["one".to_owned(), "two".to_owned()], vec!["three".to_owned()])
        );
        resources.fold(Watched::Override, None, other("one", "lobby"), Span::ZERO);
        resources.fold(Watched::Override, None, Seen::Gone(Place::new("games", "two")), Span::ZERO);
        assert_eq!((of(&resources, "arena"), of(&resources, "lobby").len()), (Vec::new(), 2));
        assert_eq!(resources.about(Watched::Override, &Place::new("elsewhere", "lobby")).count(), 0);
        resources.fold(Watched::Override, None, Seen::Whole(Vec::new()), Span::ZERO);
        assert!(resources.about.is_empty(), "nothing is kept of what is gone");
    }

    #[test]
    fn a_kind_that_is_not_defined_is_waited_for_by_nobody_and_read_anew_when_it_is() {
        let mut resources = Resources::default();
        let watches = [(Watched::Blueprint, None), (Watched::Plan, None)];
        for what in [Watched::Blueprint, Watched::Plan] {
            resources.fold(what, None, Seen::Whole(Vec::new()), Span::ZERO);
        }
        assert!(resources.is_whole(&watches));
        resources.are_undefined(BTreeSet::from([Watched::Plan]));
        for second in (0..400).step_by(20) {
            let broken = Seen::Broken("404".to_owned());
            resources.fold(Watched::Plan, None, broken, Span::from_secs(second));
        }
        assert!(resources.is_whole(&watches), "the others are heard of all the same");
        assert_eq!(resources.blindness(Span::from_secs(390)), None);
        // The others' own watches are as they are.
        let broken = Seen::Broken("refused".to_owned());
        for second in (0..400).step_by(20) {
            resources.fold(Watched::Blueprint, None, broken.clone(), Span::from_secs(second));
        }
        assert!(resources.blindness(Span::from_secs(390)).is_some());
        resources.are_undefined(BTreeSet::new());
        assert!(!resources.is_whole(&watches), "what there is of it now was not read yet");
        resources.fold(Watched::Plan, None, Seen::Whole(Vec::new()), Span::from_secs(400));
        assert!(resources.is_whole(&watches));
    }

    #[test]
    fn a_namespace_that_was_not_seen_is_taken_for_one_that_comes_to_its_end() {
        let mut resources = Resources::default();
        assert!(resources.is_ending("games"), "then what is in it keeps everything");
        let object = json!({ "metadata": { "name": "games" } });
        let seen = Seen::Is(Box::new(Item::of(Watched::Namespace, object).unwrap()));
        resources.fold(Watched::Namespace, None, seen, Span::ZERO);
        assert!(!resources.is_ending("games"));
    }

    #[test]
    fn a_watch_that_is_broken_for_long_is_told_of_until_it_is_whole_again() {
        let mut resources = Resources::default();
        let at = |seconds: u64| Span::from_secs(1_000 + seconds);
        let mut blind = Vec::new();
        for second in (0..400).step_by(20) {
            resources.fold(Watched::Plan, None, Seen::Broken("refused".to_owned()), at(second));
            blind.push(resources.blindness(at(second)).is_some());
        }
        assert!(!blind[10] && blind[15] && blind[19], "{blind:?}");
        assert_eq!(resources.blindness(at(500)), None, "it has not been said any more for a while");
        resources.fold(Watched::Plan, None, Seen::Broken("refused".to_owned()), at(510));
        assert_eq!(resources.blindness(at(510)), None, "it begins anew");
    }
}
