//! What the cluster is told of its resources: statuses, where they differ from what was told before.
//!
//! Flow: report → status → what differs → API server → resources. Guarantees: nothing is written that says the same; what could not
//! be told is told again, and the newest counts.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use serde_json::Value;

use super::operator_events::Events;
use super::operator_feed::Cluster;
use crate::agent::work::{Condition, Key};
use crate::operator::conditions::{self, Report};
use crate::operator::overrides;
use rgctl_kube::desk::{Desk, DeskError};
use rgctl_kube::item::{Item, Place, Watched};
use rgctl_kube::kinds::condition::reasons;
use rgctl_kube::kinds::{BlueprintStatus, marks};
use rgctl_machine::SystemClock;
use rgctl_model::ports::Clock;

/// Tells.
pub struct Voice {
    cluster: Arc<Cluster>,
    desk: Desk,
    events: Arc<Events>,
    /// What the API server could not be told of blueprints.
    untold: Untold<Key, Report>,
    /// The same of other resources, each with its uid.
    owed: Untold<(Watched, Place), (String, Value)>,
    /// Many tell what is new at once; what is old is told while nobody does.
    order: tokio::sync::RwLock<()>,
}

/// What could not be told, of each the newest.
struct Untold<K, T>(Mutex<BTreeMap<K, T>>);

impl<K: Ord + Clone, T> Untold<K, T> {
    const fn nothing() -> Self {
        Self(Mutex::new(BTreeMap::new()))
    }

    fn locked(&self) -> MutexGuard<'_, BTreeMap<K, T>> {
        // A poisoned lock holds a whole value.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn keys(&self) -> Vec<K> {
        self.locked().keys().cloned().collect()
    }

    /// Takes it out: whoever tells it keeps nobody from leaving something newer.
    fn take(&self, key: &K) -> Option<T> {
        self.locked().remove(key)
    }

    /// That is what there is to tell from now on.
    fn leave(&self, key: K, what: T) {
        self.locked().insert(key, what);
    }

    /// What was taken out could not be told again, and is told later unless there is something newer by now.
    fn give_back(&self, key: K, what: T) {
        self.locked().entry(key).or_insert(what);
    }
}

/// Whether something is told, or is for nobody any more.
fn is_told(place: &Place, answer: Result<(), DeskError>) -> bool {
    match answer {
        Ok(()) | Err(DeskError::Gone) => true,
        Err(error) => {
            tracing::warn!(target: "rgctl::operator", item = %place, %error, "its status could not be told: again soon");
            false
        }
    }
}

impl Voice {
    /// Tells a cluster.
    pub fn new(cluster: Arc<Cluster>, desk: Desk, events: Arc<Events>) -> Self {
        Self {
            cluster,
            desk,
            events,
            untold: Untold::nothing(),
            owed: Untold::nothing(),
            order: tokio::sync::RwLock::default(),
        }
    }

    /// Tells what a turn came to, where that is news.
    pub async fn tell(&self, key: &Key, item: &Item, report: Report) {
        // What was to be told before is no longer so.
        let _new = self.order.read().await;
        self.untold.take(key);
        if !is_told(&item.place, self.report(item, &report).await) {
            self.untold.leave(Arc::clone(key), report);
        }
    }

    /// Tells again what could not be told. Each is taken out just before: what is told meanwhile is newer, and stays.
    pub async fn tell_again(&self) {
        for key in self.untold.keys() {
            let _old = self.order.write().await;
            let item = self.cluster.resources().first_of(&key);
            let Some(report) = self.untold.take(&key) else { continue };
            let Some(item) = item else { continue };
            if !is_told(&item.place, self.report(&item, &report).await) {
                self.untold.give_back(key, report);
            }
        }
        for of in self.owed.keys() {
            let _old = self.order.write().await;
            let item = self.cluster.resources().item(of.0, &of.1);
            let Some((uid, status)) = self.owed.take(&of) else { continue };
            let Some(item) = item.filter(|item| item.uid() == uid) else { continue };
            if !is_told(&of.1, self.status(of.0, &item, &status).await) {
                self.owed.give_back(of, (uid, status));
            }
        }
    }

    /// Tells the status of any resource, now or as soon as the API server takes it.
    pub async fn status_or_later(&self, what: Watched, item: &Item, status: &impl Serialize) {
        let of = (what, item.place.clone());
        // What was to be told before is no longer so.
        let _new = self.order.read().await;
        self.owed.take(&of);
        if !is_told(&item.place, self.status(what, item, status).await)
            && let Ok(status) = serde_json::to_value(status)
        {
            self.owed.leave(of, (item.uid().to_owned(), status));
        }
    }

    /// Tells the blueprints of that name in other namespaces that it is taken.
    pub async fn tell_others(&self, key: &Key, first: &Item) {
        let others: Vec<Arc<Item>> = {
            let resources = self.cluster.resources();
            let places = resources.places_of(key);
            let others = places.iter().filter(|place| **place != first.place);
            others.filter_map(|place| resources.item(Watched::Blueprint, place)).collect()
        };
        for other in others {
            // Whatever it says, it made nothing: it may go.
            let told = if other.meta.is_kept() {
                self.desk.keep(Watched::Blueprint, &other, marks::FINALIZER, false).await
            } else {
                let why = format!(
                    "{} has this name, which is one for the whole account: choose another one",
                    first.place
                );
                let report = Report {
                    generation: other.generation(),
                    state: Condition::Blocked,
                    reason: Some(reasons::NAME_TAKEN),
                    message: why,
                    ..Report::default()
                };
                self.report(&other, &report).await
            };
            if let Err(error) = told {
                tracing::warn!(target: "rgctl::operator", blueprint = %other.place, %error, "it could not be told");
            }
        }
    }

    /// Tells overrides that they have no blueprint.
    pub async fn tell_lost(&self) {
        for place in self.cluster.take_lost() {
            let lost = {
                let resources = self.cluster.resources();
                let item = resources.item(Watched::Override, &place);
                // It may have come since.
                item.map(|item| overrides::lost(&item)).filter(|lost| {
                    let spec = lost.item.spec();
                    let of = spec.get("blueprint").and_then(|name| name.as_str()).unwrap_or_default();
                    resources.item(Watched::Blueprint, &Place::new(&place.namespace, of)).is_none()
                })
            };
            let Some(lost) = lost else { continue };
            let status = overrides::status(&lost, &[], false, SystemClock.now());
            if let Err(error) = self.status(Watched::Override, &lost.item, &status).await {
                tracing::warn!(target: "rgctl::operator", item = %place, %error, "its status could not be told: again soon");
                self.cluster.lose(place);
            }
        }
    }

    /// It is gone: nothing is told of it any more.
    pub fn forget(&self, key: &Key) {
        self.untold.take(key);
    }

    /// Tells it once.
    pub async fn report(&self, item: &Item, report: &Report) -> Result<(), DeskError> {
        // As it is now, should it have been told something since the turn began.
        let now = self.cluster.resources().item(Watched::Blueprint, &item.place);
        let Some(now) = now.filter(|now| now.uid() == item.uid()) else { return Ok(()) };
        let known: BlueprintStatus = serde_json::from_str(&now.status).unwrap_or_default();
        self.status(Watched::Blueprint, &now, &conditions::status(report, &known, SystemClock.now())).await
    }

    /// Tells the status of any resource, where it differs.
    pub async fn status(&self, what: Watched, item: &Item, status: &impl Serialize) -> Result<(), DeskError> {
        let after =
            serde_json::to_value(status).map_err(|error| DeskError::Refused { why: error.to_string() })?;
        let before = item.status();
        let Some(changes) = conditions::changes(&before, &after) else { return Ok(()) };
        if let Some(told) = self.desk.tell(what, item, &changes).await? {
            self.cluster.resources().told(what, &item.place, &told.status);
        }
        self.events.changed(what, item, &before, &after);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_not_be_told_again_is_never_told_over_what_is_newer() {
        let untold = Untold::nothing();
        untold.leave("arena", 1);
        let old = untold.take(&"arena").unwrap();
        // While that is told, a turn ends and cannot tell either.
        untold.leave("arena", 2);
        untold.give_back("arena", old);
        assert_eq!(untold.take(&"arena"), Some(2));
        untold.give_back("arena", 2);
        assert_eq!((untold.keys(), untold.take(&"arena")), (vec!["arena"], Some(2)), "else it waits");
    }
}
