//! What the turns of the operator are: those of the agent, with what the cluster says before and what it hears after.
//!
//! Flow: deletion → pause → text → overrides → is it held? → agreement → turn → plan and status. Guarantees: a deletion is judged
//! before anything that may be wrong; nothing is begun before the finalizer of what wants one is there; what is held is done by an
//! agreement to exactly that, or not at all.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;

use super::agent_done as done;
use super::agent_organ::{Acted, Mandate, Ready, Turns};
use super::operator_feed::Cluster;
use super::operator_plans::{Agreement, Agreements};
use super::operator_told::Voice;
use super::run;
use crate::agent::queue::Next;
use crate::agent::work::{Asked, Condition, Done, Key, Order, Organ, Sight};
use crate::operator::conditions::Report;
use crate::operator::deletion::{self, Verdict};
use crate::operator::overrides;
use crate::operator::plans::Held;
use crate::operator::version::{self, MEMORY, TakenUp};
use rgctl_engine::execution::drive::{DriveError, Environment};
use rgctl_kube::desk::{Desk, DeskError};
use rgctl_kube::item::{Item, Watched};
use rgctl_kube::kinds::condition::reasons;
use rgctl_kube::kinds::plan::Cause;
use rgctl_kube::kinds::{BlueprintStatus, marks};
use rgctl_machine::SystemClock;
use rgctl_model::checkpoint::BlobKey;
use rgctl_model::journal::{Outcome, Purpose};
use rgctl_model::plan::Plan;
use rgctl_model::policy::Policy;
use rgctl_model::ports::Clock;
use rgctl_model::scope::Scope;
use rgctl_schema::digest::sha256_hex;

/// What could not be told is told again after so long, in real time.
const TELLS_AGAIN: Duration = Duration::from_secs(10);

/// The turns of an operator.
pub struct OperatorTurns {
    turns: Turns,
    cluster: Arc<Cluster>,
    desk: Desk,
    voice: Arc<Voice>,
    agreements: Agreements,
    /// Nothing is carried out.
    observes_only: bool,
    /// Whose run is open, by a lease of ours.
    open: Mutex<BTreeSet<Key>>,
    /// What was taken up last of each, as the record has it.
    taken: Mutex<BTreeMap<Key, TakenUp>>,
}

fn locked<T>(one: &Mutex<T>) -> MutexGuard<'_, T> {
    // A poisoned lock holds a whole value.
    one.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a turn came to, for the loop and for the cluster.
struct Turned {
    done: Done,
    report: Report,
    /// Everything of it is gone.
    is_destroyed: bool,
}

/// What waits for a person, and why all of it does, where all does.
struct Waiting {
    plan: Plan,
    held: Held,
}

impl OperatorTurns {
    /// The turns of an agent, told to a cluster; `version` is that of the program and its catalogue.
    pub fn new(
        turns: Turns,
        cluster: Arc<Cluster>,
        desk: Desk,
        version: String,
        observes_only: bool,
    ) -> Self {
        let voice = Arc::new(Voice::new(Arc::clone(&cluster), desk.clone()));
        let agreements = Agreements::new(Arc::clone(&cluster), desk.clone(), Arc::clone(&voice), version);
        let (open, taken) = (Mutex::default(), Mutex::default());
        Self { turns, cluster, desk, voice, agreements, observes_only, open, taken }
    }

    async fn one(&self, key: &Key, asked: Asked) -> Done {
        let Some(item) = self.item(key) else {
            // Gone from the cluster: what is open is closed, and nothing of it is begun.
            return self.turns.turn(Arc::clone(key), Asked { stopping: true, ..asked }).await;
        };
        self.voice.tell_others(key, &item).await;
        let turned = match deletion::judge(&item, self.cluster.brake(&item)) {
            Verdict::Release { why } => return self.release(key, &item, why, asked).await,
            Verdict::Destroy => self.judge(key, &item, asked, Purpose::Destroy).await,
            Verdict::Stays { finalizer: Some(keeps) } => {
                match self.desk.keep(Watched::Blueprint, &item, marks::FINALIZER, keeps).await {
                    Ok(()) => self.judge(key, &item, asked, Purpose::Apply).await,
                    Err(error) => return not_told(&error),
                }
            }
            Verdict::Stays { finalizer: None } => self.judge(key, &item, asked, Purpose::Apply).await,
        };
        if turned.is_destroyed {
            return self
                .release(key, &item, "everything of it is gone, with its final snapshots", asked)
                .await;
        }
        self.voice.tell(key, &item, turned.report).await;
        turned.done
    }

    fn item(&self, key: &Key) -> Option<Arc<Item>> {
        self.cluster.resources().first_of(key)
    }

    /// A turn of a blueprint that is not to be let go at once.
    async fn judge(&self, key: &Key, item: &Item, asked: Asked, purpose: Purpose) -> Turned {
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
        let turned = self.decided(key, item, asked, purpose).await;
        turned.unwrap_or_else(|error| {
            let done = done::failed(&error, self.turns.adapters().clock.now());
            let why = done.why.clone();
            let mut turned = told(item, done, None, &why);
            turned.report.unseen = matches!(error, DriveError::Cloud(_)).then_some(why);
            turned
        })
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
        let overrides: Vec<Arc<Item>> = {
            let resources = self.cluster.resources();
            let of =
                |one: &&Arc<Item>| one.spec().get("blueprint").and_then(|name| name.as_str()) == Some(&**key);
            resources.within(Watched::Override, &item.place.namespace).filter(of).cloned().collect()
        };
        let now = self.turns.adapters().clock.now();
        let (decisions, heard) = overrides::decide(&overrides, &item.place.namespace, &ready.decisions, now);
        if !decisions.is_empty() && purpose == Purpose::Apply && !self.observes_only {
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
            if let Err(error) = self.voice.status(Watched::Override, &one.item, &status).await {
                tracing::warn!(target: "rgctl::operator", item = %one.item.place, %error, "its status could not be told");
            }
        }
        Ok(turned)
    }

    async fn act(
        &self,
        key: &Key,
        item: &Item,
        mut ready: Ready,
        asked: Asked,
        purpose: Purpose,
    ) -> Result<Turned, DriveError> {
        let cloud = self.turns.eyes(&ready.scope.blueprint, asked);
        let environment = Environment { cloud: &cloud, ..self.turns.adapters().environment() };
        let account = ready.scope.home.to_string();
        let regions = ready.loaded.desired.regions.iter().map(ToString::to_string).collect();
        let observes = item.meta.observe_only().map(str::to_owned);
        let observes =
            observes.or_else(|| self.observes_only.then(|| "the operator only observes".to_owned()));
        let mut turned = match observes {
            Some(why) => self.observe(item, &environment, &mut ready, &why).await?,
            None => self.act_or_wait(key, item, &environment, &mut ready, asked, purpose).await?,
        };
        let done = done::with_resync(turned.done, key, environment.clock.now(), &ready.decisions);
        turned.report.drift = Some(done.differing);
        (turned.report.account, turned.report.regions, turned.done) = (Some(account), regions, done);
        Ok(turned)
    }

    /// A turn that looks and plans.
    async fn observe(
        &self,
        item: &Item,
        environment: &Environment<'_>,
        ready: &mut Ready,
        why: &str,
    ) -> Result<Turned, DriveError> {
        let done = self.turns.observe(environment, ready).await?;
        let reason = (done.condition == Condition::Pending).then_some(reasons::OBSERVE_ONLY);
        let why = format!("{why}; {}", done.why);
        Ok(told(item, done, reason, &why))
    }

    /// A turn that acts as far as it may, and publishes what waits.
    async fn act_or_wait(
        &self,
        key: &Key,
        item: &Item,
        environment: &Environment<'_>,
        ready: &mut Ready,
        asked: Asked,
        purpose: Purpose,
    ) -> Result<Turned, DriveError> {
        let taken = TakenUp {
            version: self.agreements.version.clone(),
            text: sha256_hex(item.spec.as_bytes()),
            desired: ready.loaded.desired.fingerprint.clone(),
        };
        let is_destroy = purpose == Purpose::Destroy;
        let verdict =
            if is_destroy { version::Verdict::Known } else { self.taken_up(key, ready, &taken).await? };
        let waits_whole = is_destroy || verdict == version::Verdict::Hold;
        let waiting = if waits_whole || self.agreements.may_be(item) {
            Some(waiting(environment, ready, is_destroy, waits_whole).await?)
        } else {
            None
        };
        let agreement = match &waiting {
            Some(waiting) => self.agreements.agreed(item, &waiting.held).await,
            None => None,
        };
        let is_held = |one: &&Waiting| waits_whole && !one.held.is_empty() && agreement.is_none();
        if let Some(waiting) = waiting.as_ref().filter(is_held) {
            return self.pending(key, item, (environment, ready), waiting, asked, is_destroy).await;
        }
        if let Some(agreement) = &agreement
            && let Err(error) = self.agreements.begin(agreement).await
        {
            let why = error.to_string();
            return Ok(told(item, not_told(&error), None, &why));
        }
        if verdict != version::Verdict::Known {
            self.take_up(key, &ready.scope, &taken).await?;
        }
        let consents = agreement.as_ref().map(|one| one.consents.clone()).unwrap_or_default();
        let is_exact = agreement.is_some() || is_destroy;
        let mandate = Mandate {
            purpose,
            policy: Policy { consents, ..Policy::default() },
            agreed: waiting.as_ref().filter(|_| is_exact).map(|one| &one.plan),
        };
        let acted = self.turns.act(environment, ready, &mandate, asked).await?;
        Ok(self.acted(item, acted, agreement, is_destroy).await)
    }

    /// What is told after a turn that acted.
    async fn acted(
        &self,
        item: &Item,
        acted: Acted,
        agreement: Option<Agreement>,
        is_destroy: bool,
    ) -> Turned {
        let Acted { done, reconciled, run } = acted;
        let run = run.map(|run| run.0);
        let held = Held::of(&reconciled.turn.plan, is_destroy);
        let outcome = reconciled.outcome;
        if agreement.is_none() && !held.is_empty() && !done.is_open {
            let waiting = Waiting { plan: reconciled.turn.plan, held };
            return self.published(item, &waiting, cause(item, is_destroy, false), done).await;
        }
        let why = done.why.clone();
        let mut turned = told(item, done, None, &why);
        match &agreement {
            Some(agreement) => {
                // What waits for its window, and what was stopped, goes on by the same agreement.
                if matches!(outcome, Some(Outcome::Settled | Outcome::Blocked)) {
                    self.agreements.end(agreement, run.as_deref().unwrap_or("none")).await;
                }
                turned.report.plan = Some(agreement.plan.place.name.to_string());
            }
            None if held.is_empty() => self.agreements.tidy(item, None).await,
            None => {}
        }
        turned.report.run = run.filter(|_| turned.done.is_open);
        turned.is_destroyed = is_destroy && outcome == Some(Outcome::Settled);
        turned
    }

    /// Whether what is wanted was wanted by somebody.
    async fn taken_up(
        &self,
        key: &Key,
        ready: &Ready,
        now: &TakenUp,
    ) -> Result<version::Verdict, DriveError> {
        if locked(&self.taken).get(key) == Some(now) {
            return Ok(version::Verdict::Known);
        }
        let store = &self.turns.adapters().store;
        let Some(name) = BlobKey::new(MEMORY) else { return Ok(version::Verdict::Hold) };
        let kept = store.blob(&ready.scope, &name).await?;
        let before: Option<TakenUp> = kept.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        let recorded = match before {
            Some(_) => None,
            None => rgctl_engine::execution::reconcile::read(&**store, &ready.scope).await?.desired,
        };
        let verdict = version::judge(now, before.as_ref(), recorded.as_ref());
        if verdict == version::Verdict::Known {
            locked(&self.taken).insert(Arc::clone(key), now.clone());
        }
        Ok(verdict)
    }

    async fn take_up(&self, key: &Key, scope: &Scope, now: &TakenUp) -> Result<(), DriveError> {
        if let (Some(name), Ok(bytes)) = (BlobKey::new(MEMORY), serde_json::to_vec(now)) {
            self.turns.adapters().store.put_blob(scope, &name, &bytes).await?;
            locked(&self.taken).insert(Arc::clone(key), now.clone());
        }
        Ok(())
    }

    /// All waits: nothing is begun, and what is open is closed.
    async fn pending(
        &self,
        key: &Key,
        item: &Item,
        (environment, ready): (&Environment<'_>, &mut Ready),
        waiting: &Waiting,
        asked: Asked,
        is_destroy: bool,
    ) -> Result<Turned, DriveError> {
        let is_open = locked(&self.open).contains(key);
        let done = if is_open {
            let mandate = Mandate::consenting(BTreeSet::new());
            self.turns.act(environment, ready, &mandate, Asked { stopping: true, ..asked }).await?.done
        } else {
            Done {
                condition: Condition::Pending,
                differing: waiting.plan.steps.len(),
                deletions_held: waiting.plan.lacking().len(),
                store: Some(Ok(())),
                ..done::nothing()
            }
        };
        Ok(self.published(item, waiting, cause(item, is_destroy, true), done).await)
    }

    /// Publishes what waits, and says so.
    async fn published(&self, item: &Item, waiting: &Waiting, cause: Cause, done: Done) -> Turned {
        let reason = if cause == Cause::NewVersion { reasons::NEW_VERSION } else { reasons::NEEDS_APPROVAL };
        let consents: Vec<&str> = waiting.held.consents.iter().map(String::as_str).collect();
        let plan = match self.agreements.publish(item, &waiting.plan, &waiting.held, cause).await {
            Ok(Some(plan)) => plan,
            Ok(None) => {
                let why = "it has more steps than can be agreed to by name: apply it with `rgctl apply`";
                return told(item, Done { condition: Condition::Blocked, ..done }, Some("TooManySteps"), why);
            }
            Err(error) => {
                let why = format!("its plan could not be published: {error}");
                return told(
                    item,
                    Done { next: Next::Failed, condition: Condition::Failed, ..done },
                    None,
                    &why,
                );
            }
        };
        let needs = if consents.is_empty() { String::new() } else { format!(" to {}", consents.join(", ")) };
        let allow = consents.iter().fold(String::new(), |all, consent| all + " --allow " + consent);
        let why = format!(
            "plan {plan} waits for an approval{needs}: `rgctl approve {plan} -n {}{allow}`",
            item.place.namespace
        );
        let done = Done { condition: Condition::Pending, why: why.clone(), ..done };
        let mut turned = told(item, done, Some(reason), &why);
        turned.report.plan = Some(plan);
        turned.report.pending = Some((reason, why.clone()));
        turned.report.deletion = (cause == Cause::Deletion).then_some((reason, why));
        turned
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
                tracing::warn!(target: "rgctl::operator", blueprint = %item.place, why, "let go");
                done::nothing()
            }
            Err(error) => not_told(&error),
        }
    }
}

/// What waits for a person, as the world is now; all of it where all waits.
async fn waiting(
    environment: &Environment<'_>,
    ready: &Ready,
    destroy: bool,
    all: bool,
) -> Result<Waiting, DriveError> {
    let (desired, figures) = (&ready.loaded.desired, &ready.loaded.figures);
    let looked = run::look_and_plan_in(environment, desired, figures, &Policy::default(), destroy).await?;
    let held = Held::of(&looked.plan, all);
    Ok(Waiting { plan: looked.plan, held })
}

/// Why there is something to do.
fn cause(item: &Item, is_destroy: bool, is_whole: bool) -> Cause {
    let before: BlueprintStatus = serde_json::from_str(&item.status).unwrap_or_default();
    match (is_destroy, is_whole) {
        (true, _) => Cause::Deletion,
        (false, true) => Cause::NewVersion,
        (false, false) if before.observed_generation == Some(item.generation()) => Cause::Drift,
        (false, false) => Cause::Changed,
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
    Turned { done, report, is_destroyed: false }
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
                    self.voice.tell_again().await;
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
        self.voice.forget(key);
        locked(&self.taken).remove(key);
        self.turns.forget(key);
    }
}
