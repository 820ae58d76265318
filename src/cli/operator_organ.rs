//! What the turns of the operator are: those of the agent, with what the cluster says before and what it hears after.
//!
//! Flow: deletion → pause → text → turn → status. Guarantees: a deletion is judged before anything that may be wrong; nothing is
//! begun before the finalizer of what wants one is there; a status is written only where it differs.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;

use super::agent_done as done;
use super::agent_organ::{Mandate, Turns};
use super::operator_feed::Cluster;
use crate::agent::queue::Next;
use crate::agent::work::{Asked, Condition, Done, Key, Order, Organ, Sight};
use crate::operator::conditions::{self, Report};
use crate::operator::deletion::{self, Verdict};
use rgctl_engine::execution::drive::{DriveError, Environment};
use rgctl_kube::desk::{Desk, DeskError};
use rgctl_kube::item::{Item, Watched};
use rgctl_kube::kinds::condition::reasons;
use rgctl_kube::kinds::{BlueprintStatus, marks};
use rgctl_machine::SystemClock;
use rgctl_model::ports::Clock;

/// What could not be told is told again after so long, in real time.
const TELLS_AGAIN: Duration = Duration::from_secs(10);

/// The turns of an operator.
pub struct OperatorTurns {
    turns: Turns,
    cluster: Arc<Cluster>,
    desk: Desk,
    /// Nothing is carried out.
    observes_only: bool,
    /// Whose run is open, by a lease of ours.
    open: Mutex<BTreeSet<Key>>,
    /// What the API server could not be told.
    untold: Mutex<BTreeMap<Key, Report>>,
}

fn locked<T>(one: &Mutex<T>) -> MutexGuard<'_, T> {
    // A poisoned lock holds a whole value.
    one.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a turn came to, for the loop and for the cluster.
struct Turned {
    done: Done,
    report: Report,
}

impl OperatorTurns {
    /// The turns of an agent, told to a cluster.
    pub fn new(turns: Turns, cluster: Arc<Cluster>, desk: Desk, observes_only: bool) -> Self {
        Self { turns, cluster, desk, observes_only, open: Mutex::default(), untold: Mutex::default() }
    }

    async fn one(&self, key: &Key, asked: Asked) -> Done {
        let Some(item) = self.item(key) else {
            // Gone from the cluster: what is open is closed, and nothing of it is begun.
            return self.turns.turn(Arc::clone(key), Asked { stopping: true, ..asked }).await;
        };
        self.tell_others(key, &item).await;
        let turned = match deletion::judge(&item, self.cluster.brake(&item)) {
            Verdict::Release { why } => return self.release(key, &item, why, asked).await,
            Verdict::Destroy => self.destroy(key, &item, asked).await,
            Verdict::Stays { finalizer: Some(keeps) } => {
                match self.desk.keep(Watched::Blueprint, &item, marks::FINALIZER, keeps).await {
                    Ok(()) => self.judge(key, &item, asked).await,
                    Err(error) => return not_told(&error),
                }
            }
            Verdict::Stays { finalizer: None } => self.judge(key, &item, asked).await,
        };
        self.tell(key, &item, turned.report).await;
        turned.done
    }

    fn item(&self, key: &Key) -> Option<Arc<Item>> {
        self.cluster.resources().first_of(key)
    }

    /// A turn of a blueprint that is wanted.
    async fn judge(&self, key: &Key, item: &Item, asked: Asked) -> Turned {
        if let Some(why) = item.meta.paused() {
            let done = self.close(key, asked).await.unwrap_or_else(done::paused);
            return told(item, Done { condition: Condition::Paused, ..done }, Some(reasons::PAUSED), why);
        }
        if let Some(why) = self.cluster.wrong(key) {
            let wrong = || done::wrong(&why, self.turns.adapters().clock.now());
            let done = self.close(key, asked).await.unwrap_or_else(wrong);
            return told(item, Done { condition: Condition::Blocked, ..done }, Some(reasons::BAD_SPEC), &why);
        }
        let before: BlueprintStatus = serde_json::from_str(&item.status).unwrap_or_default();
        let token = item.meta.reconcile_at();
        let is_asked = token.is_some() && token != before.last_handled_reconcile_at.as_deref();
        let asked = Asked { by_person: asked.by_person || is_asked, ..asked };
        match self.act(key, item, asked).await {
            Ok(turned) => turned,
            Err(error) => {
                let done = done::failed(&error, self.turns.adapters().clock.now());
                let why = done.why.clone();
                told(item, done, None, &why)
            }
        }
    }

    async fn act(&self, key: &Key, item: &Item, asked: Asked) -> Result<Turned, DriveError> {
        let mut ready = match self.turns.ready(key, asked).await {
            Ok(ready) => ready,
            Err(done) => {
                let why = done.why.clone();
                return Ok(told(item, done, None, &why));
            }
        };
        let cloud = self.turns.eyes(&ready.scope.blueprint, asked);
        let environment = Environment { cloud: &cloud, ..self.turns.adapters().environment() };
        let observes = item.meta.observe_only().map(str::to_owned);
        let observes =
            observes.or_else(|| self.observes_only.then(|| "the operator only observes".to_owned()));
        let done = match &observes {
            Some(_) => self.turns.observe(&environment, &mut ready).await?,
            None => {
                self.turns
                    .act(&environment, &mut ready, &Mandate::consenting(BTreeSet::new()), asked)
                    .await?
                    .0
            }
        };
        let done = done::with_resync(done, key, environment.clock.now(), &ready.decisions);
        let pending = done.condition == Condition::Pending;
        let reason = observes.as_ref().filter(|_| pending).map(|_| reasons::OBSERVE_ONLY);
        let why = done.why.clone();
        let mut turned = told(item, done, reason, &why);
        turned.report.drift = Some(turned.done.differing);
        turned.report.account = Some(ready.scope.home.to_string());
        turned.report.regions = ready.loaded.desired.regions.iter().map(ToString::to_string).collect();
        Ok(turned)
    }

    /// Closes the run that is open, if one is: nothing more is begun.
    async fn close(&self, key: &Key, asked: Asked) -> Option<Done> {
        let is_open = locked(&self.open).contains(key);
        let asked = Asked { stopping: true, ..asked };
        if is_open { Some(self.turns.turn(Arc::clone(key), asked).await) } else { None }
    }

    /// Lets a resource go. Nothing in the cloud is touched, and nothing is asked of it.
    async fn release(&self, key: &Key, item: &Item, why: &str, asked: Asked) -> Done {
        let closed = self.close(key, asked).await;
        if let Some(closed) = closed.filter(|closed| closed.is_open) {
            return closed;
        }
        match self.desk.keep(Watched::Blueprint, item, marks::FINALIZER, false).await {
            Ok(()) | Err(DeskError::Gone) => {
                tracing::warn!(target: "rgctl::operator", blueprint = %item.place, why, "let go: nothing was deleted in the cloud");
                done::nothing()
            }
            Err(error) => not_told(&error),
        }
    }

    /// A blueprint whose stores are to go.
    async fn destroy(&self, key: &Key, item: &Item, asked: Asked) -> Turned {
        let done = self.close(key, asked).await.unwrap_or_else(done::paused);
        let why = "its stores are deleted with final snapshots once a person agrees to the plan of it";
        let mut turned =
            told(item, Done { condition: Condition::Pending, ..done }, Some(reasons::NEEDS_APPROVAL), why);
        turned.report.deletion = Some((reasons::NEEDS_APPROVAL, why.to_owned()));
        turned
    }

    /// Tells the blueprints of that name in other namespaces that it is taken.
    async fn tell_others(&self, key: &Key, first: &Item) {
        let others: Vec<Arc<Item>> = {
            let resources = self.cluster.resources();
            let places = resources.places_of(key);
            places
                .iter()
                .filter(|place| **place != first.place)
                .filter_map(|place| resources.item(Watched::Blueprint, place))
                .collect()
        };
        for other in others {
            // Whatever it says, it made nothing: it may go.
            if other.meta.is_going() && other.meta.is_kept() {
                let _ = self.desk.keep(Watched::Blueprint, &other, marks::FINALIZER, false).await;
                continue;
            }
            let why = format!(
                "{} has this name, which is one for the whole account: give it another one",
                first.place
            );
            let report = Report {
                generation: other.generation(),
                state: Condition::Blocked,
                reason: Some(reasons::NAME_TAKEN),
                message: why,
                ..Report::default()
            };
            if let Err(error) = self.write(&other, &report).await {
                tracing::warn!(target: "rgctl::operator", blueprint = %other.place, %error, "its status could not be told");
            }
        }
    }

    /// Tells what a turn came to, where that is news.
    async fn tell(&self, key: &Key, item: &Item, report: Report) {
        match self.write(item, &report).await {
            Ok(()) | Err(DeskError::Gone) => drop(locked(&self.untold).remove(key)),
            Err(error) => {
                tracing::warn!(target: "rgctl::operator", blueprint = %item.place, %error, "its status could not be told: again soon");
                locked(&self.untold).insert(Arc::clone(key), report);
            }
        }
    }

    async fn write(&self, item: &Item, report: &Report) -> Result<(), DeskError> {
        // As it is now, should it have been told something since the turn began.
        let now = self.cluster.resources().item(Watched::Blueprint, &item.place);
        let Some(now) = now.filter(|now| now.uid() == item.uid()) else { return Ok(()) };
        let before = now.status();
        let known: BlueprintStatus = serde_json::from_value(before.clone()).unwrap_or_default();
        let status = conditions::status(report, &known, SystemClock.now());
        let after =
            serde_json::to_value(&status).map_err(|error| DeskError::Refused { why: error.to_string() })?;
        let Some(changes) = conditions::changes(&before, &after) else { return Ok(()) };
        if let Some(told) = self.desk.tell(Watched::Blueprint, &now, &changes).await? {
            self.cluster.resources().told(Watched::Blueprint, &item.place, &told.status);
        }
        Ok(())
    }

    /// Tells again what could not be told.
    async fn tell_again(&self) {
        let untold = locked(&self.untold).clone();
        for (key, report) in untold {
            if let Some(item) = self.item(&key) {
                self.tell(&key, &item, report).await;
            } else {
                locked(&self.untold).remove(&key);
            }
        }
    }
}

fn told(item: &Item, done: Done, reason: Option<&'static str>, why: &str) -> Turned {
    let report = Report {
        generation: item.generation(),
        state: done.condition,
        reason,
        message: why.to_owned(),
        handled: item.meta.reconcile_at().map(str::to_owned),
        ..Report::default()
    };
    Turned { done, report }
}

/// The API server could not be told something that must be told first.
fn not_told(error: &DeskError) -> Done {
    Done { next: Next::Failed, condition: Condition::Failed, why: error.to_string(), ..done::nothing() }
}

impl Organ for OperatorTurns {
    fn prepare(&self, key: &Key) {
        self.turns.prepare(key);
    }

    fn keep_looking(&self) -> BoxFuture<'_, ()> {
        self.turns.keep_looking()
    }

    fn clock_was_set(&self) {
        self.turns.clock_was_set();
    }

    fn changed(&self) -> BoxFuture<'_, Vec<Key>> {
        self.turns.changed()
    }

    fn sights(&self) -> Vec<Sight> {
        self.turns.sights()
    }

    fn keep_open(&self) -> BoxFuture<'_, ()> {
        async move {
            let telling = async {
                loop {
                    tokio::time::sleep(TELLS_AGAIN).await;
                    self.tell_again().await;
                }
            };
            futures::future::join(self.turns.keep_open(), telling).await;
        }
        .boxed()
    }

    fn turn(&self, key: Key, asked: Asked) -> BoxFuture<'_, Done> {
        let turning = self.turns.begins(&key);
        async move {
            let done = self.one(&key, asked).await;
            let mut open = locked(&self.open);
            if done.is_open {
                open.insert(key);
            } else {
                open.remove(&key);
            }
            drop((open, turning));
            done
        }
        .boxed()
    }

    fn orders(&self) -> BoxFuture<'_, Result<Vec<Order>, String>> {
        self.turns.orders()
    }

    fn forget(&self, key: &Key) {
        locked(&self.untold).remove(key);
        self.turns.forget(key);
    }
}
