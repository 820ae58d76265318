//! What the turns of the operator are: those of the agent, with what the cluster says before and what it hears after.
//!
//! Flow: deletion → whether it was judged → text → pause → overrides → turn → status. Guarantees: a deletion is judged before anything that may be wrong;
//! nothing is begun before the finalizer of what wants one is there; nothing is told of a text that was not judged.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;

use super::agent_done as done;
use super::agent_organ::Turns;
use super::operator_accounts::{AccountDesk, AccountOpener};
use super::operator_costs::Costs;
use super::operator_events::Events;
use super::operator_feed::Cluster;
use super::operator_outputs::Publisher;
use super::operator_plans::Agreements;
use super::operator_told::Voice;
use crate::agent::queue::Next;
use crate::agent::work::{Asked, Condition, Done, Key, Order, Organ, Sight};
use crate::operator::conditions::Report;
use crate::operator::deletion::{self, Verdict};
use crate::operator::overrides;
use crate::operator::source::Wrong;
use crate::operator::version::TakenUp;
use rgctl_engine::execution::drive::DriveError;
use rgctl_kube::desk::{Desk, DeskError};
use rgctl_kube::happening::Happening;
use rgctl_kube::item::{Item, Watched};
use rgctl_kube::kinds::condition::reasons;
use rgctl_kube::kinds::{BlueprintStatus, marks};
use rgctl_machine::SystemClock;
use rgctl_model::journal::Purpose;
use rgctl_model::ports::{Clock, StoreError};
use rgctl_model::scope::Scope;
use rgctl_schema::names::AccountName;

/// What could not be told is told again after so long, in real time.
const TELLS_AGAIN: Duration = Duration::from_secs(10);

/// The turns of an operator.
pub struct OperatorTurns {
    pub(super) turns: Turns,
    cluster: Arc<Cluster>,
    desk: Desk,
    voice: Arc<Voice>,
    pub(super) agreements: Agreements,
    pub(super) costs: Costs,
    publisher: Publisher,
    events: Arc<Events>,
    accounts: AccountDesk,
    /// Nothing is carried out.
    pub(super) observes_only: bool,
    /// Whose run is open, by a lease of ours.
    pub(super) open: Mutex<BTreeSet<Key>>,
    /// What was taken up last of each, as the record has it.
    pub(super) taken: Mutex<BTreeMap<Key, TakenUp>>,
    /// Of whose unchanged text something else is wanted than was taken up before, until that is there.
    pub(super) overridden: Mutex<BTreeSet<Key>>,
    /// Whose text is another one than was taken up before, until what it wants is there.
    pub(super) rewritten: Mutex<BTreeSet<Key>>,
    /// Records of blueprints that are gone, in which overrides may stand.
    left: Mutex<BTreeMap<Key, Scope>>,
}

pub(super) fn locked<T>(one: &Mutex<T>) -> MutexGuard<'_, T> {
    // A poisoned lock holds a whole value.
    one.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a turn came to, for the loop and for the cluster.
pub(super) struct Turned {
    pub(super) done: Done,
    pub(super) report: Report,
    /// Everything of it is gone.
    pub(super) is_destroyed: bool,
}

impl OperatorTurns {
    /// The turns of an agent, told to a cluster; `version` is that of the program and its catalogue.
    pub fn new(
        turns: Turns,
        cluster: Arc<Cluster>,
        desk: Desk,
        version: String,
        observes_only: bool,
        (events, costs): (Arc<Events>, Costs),
        accounts: Arc<AccountOpener>,
    ) -> Self {
        let voice = Voice::new(Arc::clone(&cluster), desk.clone(), Arc::clone(&events));
        let (voice, publisher) = (Arc::new(voice), Publisher::new(desk.clone()));
        let agreements = Agreements::new(Arc::clone(&cluster), desk.clone(), Arc::clone(&voice), version);
        let accounts = AccountDesk::new(Arc::clone(&cluster), Arc::clone(&voice), accounts);
        let (open, taken, left, overridden, rewritten) = Default::default();
        let turns = turns.telling_outputs();
        Self {
            turns,
            cluster,
            desk,
            voice,
            agreements,
            costs,
            publisher,
            events,
            accounts,
            observes_only,
            open,
            taken,
            overridden,
            rewritten,
            left,
        }
    }

    async fn one(&self, key: &Key, asked: Asked) -> Done {
        let Some(item) = self.item(key) else {
            // Gone from the cluster: what is open is closed, and nothing of it is begun.
            return self.turns.turn(Arc::clone(key), Asked { stopping: true, ..asked }).await;
        };
        self.voice.tell_others(key, &item).await;
        let verdict = deletion::judge(&item, self.cluster.brake(&item));
        if let Verdict::Release { brake } = verdict {
            let kept = ("LetGo", "its text keeps what it made: all of it stays");
            let what = brake.map_or(kept, |brake| ("Braked", brake.why()));
            return self.release(key, &item, what, asked).await;
        }
        let Some(item) = self.judged(key, item) else {
            return done::not_judged();
        };
        if let Verdict::Stays { finalizer: Some(keeps) } = verdict
            && let Err(error) = self.desk.keep(Watched::Blueprint, &item, marks::FINALIZER, keeps).await
        {
            return not_told(&error);
        }
        let purpose = if verdict == Verdict::Destroy { Purpose::Destroy } else { Purpose::Apply };
        let turned = self.judge(key, &item, asked, purpose).await;
        if turned.is_destroyed {
            let what = ("Destroyed", "everything of it is gone, each store with a last snapshot");
            return self.release(key, &item, what, asked).await;
        }
        let Turned { done, mut report, .. } = turned;
        let is_published = self.publisher.publish(key, &item, &mut report).await;
        self.voice.tell(key, &item, report).await;
        if is_published { done } else { done::soon(done, self.turns.adapters().clock.now()) }
    }

    fn item(&self, key: &Key) -> Option<Arc<Item>> {
        self.cluster.resources().first_of(key)
    }

    /// It with the text that is in force; nothing where it waits for its own to be judged, and nothing of it is under way.
    fn judged(&self, key: &Key, item: Arc<Item>) -> Option<Arc<Item>> {
        let (generation, spec) = self.cluster.in_force(&item)?;
        if generation == item.generation() {
            return Some(item);
        }
        let mut before = Arc::unwrap_or_clone(item);
        (before.meta.generation, before.spec) = (Some(generation), spec);
        locked(&self.open).contains(key).then(|| Arc::new(before))
    }

    /// A turn of a blueprint that is not to be let go at once.
    async fn judge(&self, key: &Key, item: &Item, asked: Asked, purpose: Purpose) -> Turned {
        if let Some(why) = self.cluster.refusal() {
            let wrong = || done::wrong(&why, self.turns.adapters().clock.now());
            let done = self.close(key, asked).await.unwrap_or_else(wrong);
            let reason = Some(reasons::OLD_DEFINITIONS);
            return told(item, Done { condition: Condition::Blocked, ..done }, reason, &why);
        }
        let paused = item.meta.paused();
        // Who writes while it is paused hears what is wrong before that ends.
        if let Some(Wrong { reason, why }) = self.cluster.wrong(key) {
            let why = paused.map_or(why.clone(), |paused| format!("{why}; it is paused, too: {paused}"));
            let wrong = || done::wrong(&why, self.turns.adapters().clock.now());
            let done = self.close(key, asked).await.unwrap_or_else(wrong);
            if reason == reasons::NO_ACCOUNT && !done.is_open {
                self.turns.look_away(key);
            }
            return told(item, Done { condition: Condition::Blocked, ..done }, Some(reason), &why);
        }
        if let Some(why) = paused {
            let done = self.close(key, asked).await.unwrap_or_else(done::paused);
            return told(item, Done { condition: Condition::Paused, ..done }, Some(reasons::PAUSED), why);
        }
        if let Some(paused) = self.paused(&self.turns.accounts_of(key)) {
            return self.rests(key, item, asked, &paused).await;
        }
        let before: BlueprintStatus = serde_json::from_str(&item.status).unwrap_or_default();
        let token = item.meta.reconcile_at();
        let is_asked = token.is_some() && token != before.last_handled_reconcile_at.as_deref();
        let asked = Asked { by_person: asked.by_person || is_asked, ..asked };
        let turned = self.decided(key, item, asked, purpose).await;
        turned.unwrap_or_else(|error| {
            let done = done::failed(&error, self.turns.adapters().clock.now());
            let why = done.why.clone();
            told(item, done, None, &why)
        })
    }

    /// The first of these accounts in which nothing may be begun.
    fn paused(&self, accounts: &[AccountName]) -> Option<AccountName> {
        accounts.iter().find(|name| self.cluster.terms(name.as_str()).is_paused).cloned()
    }

    /// Nothing is begun while an account of it is paused.
    async fn rests(&self, key: &Key, item: &Item, asked: Asked, account: &AccountName) -> Turned {
        let done = self.close(key, asked).await.unwrap_or_else(done::paused);
        let why = format!("its account {account} is paused");
        told(item, Done { condition: Condition::Paused, ..done }, Some(reasons::PAUSED), &why)
    }

    /// A turn with the overrides that there are now.
    async fn decided(
        &self,
        key: &Key,
        item: &Item,
        asked: Asked,
        purpose: Purpose,
    ) -> Result<Turned, DriveError> {
        let mut ready = match self.turns.ready(key, asked).await {
            Ok(ready) => ready,
            Err(done) => {
                let why = done.why.clone();
                return Ok(told(item, done, None, &why));
            }
        };
        if let Some(paused) = self.paused(&ready.accounts()) {
            // Also of a region that it has left: others may make turns of it again.
            drop(ready);
            return Ok(self.rests(key, item, asked, &paused).await);
        }
        let overrides: Vec<Arc<Item>> =
            self.cluster.resources().about(Watched::Override, &item.place).cloned().collect();
        let now = self.turns.adapters().clock.now();
        let (decisions, mut heard) = overrides::decide(&overrides, &ready.decisions, now);
        let observes = self.observes_only || item.meta.observe_only().is_some();
        if purpose == Purpose::Destroy || observes {
            let why = if observes { "it is only observed" } else { "its blueprint is being deleted" };
            heard = overrides::undecided(heard, &decisions, why);
        } else if !decisions.is_empty() {
            let (scope, standing) = (ready.scope.clone(), ready.decisions.clone());
            // Others may make turns of it again: it is made ready anew with what was decided.
            drop(ready);
            for decision in &decisions {
                let expected = standing.epoch(&decision.key());
                self.turns.adapters().store.decide(&scope, expected, now, decision).await?;
            }
            ready = match self.turns.ready(key, asked).await {
                Ok(ready) => ready,
                Err(done) => {
                    let why = done.why.clone();
                    return Ok(told(item, done, None, &why));
                }
            };
        }
        let decided = ready.loaded.decided.clone();
        let turned = self.act(key, item, ready, asked, purpose).await?;
        let is_there = turned.done.condition == Condition::Ready;
        for one in heard {
            let status = overrides::status(&one, &decided, is_there, SystemClock.now());
            self.voice.status_or_later(Watched::Override, &one.item, &status).await;
        }
        Ok(turned)
    }

    /// Withdraws what overrides have decided about blueprints that are gone. What the store does not take is withdrawn later; who only
    /// observes writes nothing.
    async fn withdraw(&self) {
        if self.observes_only {
            return;
        }
        let left = locked(&self.left).clone();
        for (key, scope) in left {
            let done = if self.item(&key).is_some() { Ok(()) } else { self.withdraw_in(&scope).await };
            match done {
                Ok(()) => drop(locked(&self.left).remove(&key)),
                Err(error) => {
                    tracing::warn!(target: "rgctl::operator", blueprint = &*key, %error, "what its overrides decided could not be withdrawn: again soon");
                }
            }
        }
    }

    async fn withdraw_in(&self, scope: &Scope) -> Result<(), StoreError> {
        let (store, now) = (&self.turns.adapters().store, self.turns.adapters().clock.now());
        let standing = store.standing(scope).await?;
        for decision in overrides::withdrawn(&standing) {
            store.decide(scope, standing.epoch(&decision.key()), now, &decision).await?;
        }
        Ok(())
    }

    /// Closes the run that is open, if one is: nothing more is begun.
    async fn close(&self, key: &Key, asked: Asked) -> Option<Done> {
        let is_open = locked(&self.open).contains(key);
        let asked = Asked { stopping: true, ..asked };
        if !is_open {
            return None;
        }
        let done = self.turns.turn(Arc::clone(key), asked).await;
        if !done.is_open
            && let Some(item) = self.item(key)
        {
            self.agreements.over(&item).await;
        }
        Some(done)
    }

    /// Lets a resource go, and tells what that means. Nothing in the cloud is touched, and nothing is asked of it.
    async fn release(
        &self,
        key: &Key,
        item: &Item,
        (reason, why): (&'static str, &str),
        asked: Asked,
    ) -> Done {
        let closed = self.close(key, asked).await;
        if let Some(closed) = closed.filter(|closed| closed.is_open) {
            return closed;
        }
        match self.desk.keep(Watched::Blueprint, item, marks::FINALIZER, false).await {
            Ok(()) | Err(DeskError::Gone) => {
                tracing::warn!(target: "rgctl::operator", blueprint = %item.place, reason, why, "let go");
                // In a namespace that goes nothing can be told any more.
                if !self.cluster.resources().is_ending(&item.place.namespace) {
                    let happening =
                        Happening { reason, action: "Release", note: why.to_owned(), is_warning: true };
                    self.events.offer(Watched::Blueprint, item, vec![happening]);
                }
                done::nothing()
            }
            Err(error) => not_told(&error),
        }
    }
}

pub(super) fn told(item: &Item, done: Done, reason: Option<&'static str>, why: &str) -> Turned {
    let report = Report {
        generation: item.generation(),
        state: done.condition,
        reason,
        message: why.to_owned(),
        handled: item.meta.reconcile_at().map(str::to_owned),
        unseen: done.unseen.clone(),
        ..Report::default()
    };
    Turned { done, report, is_destroyed: false }
}

/// The API server could not be told something that must be told first.
pub(super) fn not_told(error: &DeskError) -> Done {
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

    fn call_for_look(&self, key: &Key, haste: bool) -> bool {
        self.turns.call_for_look(key, haste)
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
                    tokio::select! {
                        () = tokio::time::sleep(TELLS_AGAIN) => {}
                        () = self.cluster.lost_some.notified() => {}
                    }
                    self.withdraw().await;
                    self.voice.tell_again().await;
                    self.voice.tell_lost().await;
                    self.costs.tell();
                }
            };
            let telling = futures::future::join(telling, self.events.keep_telling());
            futures::future::join3(self.turns.keep_open(), telling, self.accounts.keep()).await;
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
        self.voice.forget(key);
        self.costs.forget(key);
        self.publisher.forget(key);
        self.agreements.forget(key);
        locked(&self.taken).remove(key);
        locked(&self.overridden).remove(key);
        locked(&self.rewritten).remove(key);
        if let Some(scope) = self.turns.scope_of(key) {
            locked(&self.left).insert(Arc::clone(key), scope);
        }
        self.turns.forget(key);
    }
}
