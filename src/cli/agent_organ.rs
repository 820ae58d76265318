//! What the turns of an agent are: read the text, judge the world, and act where that is allowed.
//!
//! Goes in: names of blueprints. Comes out: what each turn came to.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::FutureExt;
use futures::future::{BoxFuture, join_all};

use super::adapters::Adapters;
use super::agent_accounts::Accounts;
use super::agent_consents::ConsentsFile;
use super::agent_done as done;
use super::agent_heard::HeardOrders;
use super::agent_hearing::{Acted, Hearing, Mandate, tell_notes};
use super::agent_ready::{Ready, Slot, accounts_in};
use super::agent_texts::{Language, Shared};
use super::eyes::Eyes;
use super::look;
use super::made_as::Making;
use super::observers::Observers;
use super::run;
use super::signals::StopRequest;
use super::worked_in;
use crate::agent::consents::Consents;
use crate::agent::folder::{Texts, text_of};
use crate::agent::observer::Turning;
use crate::agent::work::{Asked, Command, Done, Key, Order, Organ, Sight};
use crate::report::drift::{self, DriftReport};
use crate::report::outputs::{self, OutputsReport};
use rgctl_engine::execution::drive::{Begins, DriveError, Environment, IfHeld, Job, Reading};
use rgctl_engine::execution::reconcile::{Session, keep_lease, reconcile_once};
use rgctl_engine::execution::turn::Pace;
use rgctl_engine::ledger::Failing;
use rgctl_model::journal::Outcome;
use rgctl_model::policy::{Authority, Policy};
use rgctl_model::ports::{Clock, StoreError};
use rgctl_model::scope::Scope;
use rgctl_schema::names::{AccountName, BlueprintName};
use rgctl_schema::time::{Moment, Span};

/// How often leases of open runs are looked after, in real time.
const KEEP: Span = Span::from_secs(1);

/// Told when something differs otherwise than before.
pub type Told = Box<dyn Fn(&DriftReport, Moment) + Send + Sync>;

/// The turns.
pub struct Turns {
    pub(super) adapters: Adapters,
    pub(super) observers: Observers,
    pub(super) texts: Texts<Shared>,
    pub(super) language: Language,
    /// Whether anything is done, or only planned.
    acts: bool,
    /// Whether each turn tells where clients connect.
    tells_outputs: bool,
    consents: ConsentsFile,
    pace: Pace,
    owner: String,
    stop: StopRequest,
    told: Option<Told>,
    slots: Mutex<BTreeMap<Key, Arc<tokio::sync::Mutex<Slot>>>>,
    pub(super) heard: HeardOrders,
    pub(super) accounts: Arc<Accounts>,
}

/// What turns are made with.
pub struct Means {
    /// Store, clocks, and the provider itself.
    pub adapters: Adapters,
    /// The looks that all share.
    pub observers: Observers,
    /// The texts in force.
    pub texts: Texts<Shared>,
    /// What judges them.
    pub language: Language,
    /// In which account each region is worked in.
    pub accounts: Arc<Accounts>,
    /// Whether somebody asked to stop.
    pub stop: StopRequest,
}

impl Turns {
    /// Turns that observe and plan.
    pub fn observing(means: Means, told: Option<Told>) -> Self {
        let Means { adapters, observers, texts, language, accounts, stop } = means;
        Self {
            adapters,
            observers,
            texts,
            language,
            acts: false,
            tells_outputs: false,
            consents: ConsentsFile::new(None),
            pace: Pace::default(),
            owner: rgctl_machine::owner(),
            stop,
            told,
            slots: Mutex::default(),
            heard: HeardOrders::default(),
            accounts,
        }
    }

    /// Turns that act, with the consents of a file.
    pub fn acting(means: Means, allow_file: Option<PathBuf>) -> Self {
        Self { acts: true, consents: ConsentsFile::new(allow_file), ..Self::observing(means, None) }
    }

    /// The same, of which each turn tells where clients connect.
    #[must_use]
    pub fn telling_outputs(self) -> Self {
        Self { tells_outputs: true, ..self }
    }

    /// The outside.
    pub const fn adapters(&self) -> &Adapters {
        &self.adapters
    }

    /// Under which record a blueprint was worked on, where it was and nobody does now.
    pub fn scope_of(&self, key: &Key) -> Option<Scope> {
        let slot = locked(&self.slots).get(key).cloned()?;
        slot.try_lock().ok()?.scope.clone()
    }

    /// A turn of a blueprint begins: what is new for it from now on is shown to it, or told when this is dropped.
    pub fn begins(&self, key: &Key) -> Vec<Turning> {
        BlueprintName::new(&**key).map(|name| self.observers.turn_of(&name)).unwrap_or_default()
    }

    async fn one(&self, key: &Key, asked: Asked) -> Done {
        match self.ready(key, asked).await {
            Ok(mut ready) => {
                let done = self.go(key, &mut ready).await;
                done.unwrap_or_else(|error| done::failed(&error, self.adapters.clock.now()))
            }
            Err(done) => done,
        }
    }

    async fn go(&self, key: &Key, ready: &mut Ready) -> Result<Done, DriveError> {
        let (now, asked) = (self.adapters.clock.now(), ready.asked);
        let cloud = self.eyes(ready);
        let environment = Environment { cloud: &cloud, ..self.adapters.environment() };
        let done = if self.acts {
            let mandate = Mandate::consenting(self.consents.now().await.of(key));
            self.act(&environment, ready, &mandate, asked).await?.done
        } else {
            self.observe(&environment, ready).await?.0
        };
        Ok(done::with_resync(done, key, now, &ready.decisions))
    }

    /// The looks that a turn is shown: any, where a change has woken it; a fresh one, where a clock or a person has.
    pub fn eyes(&self, ready: &Ready) -> Eyes {
        let since = match ready.asked {
            Asked { by_person: true, .. } => Some(self.adapters.clock.now()),
            Asked { by_news: true, .. } => Some(Moment::EPOCH),
            Asked { .. } => None,
        };
        ready.view.eyes(&ready.scope.blueprint, since)
    }

    /// The accounts that a blueprint names, by the names of their documents; those of regions that it has left are known once it is
    /// [ready](Ready::accounts).
    pub fn accounts_of(&self, key: &Key) -> Vec<AccountName> {
        text_of(&self.texts, key).map(|text| accounts_in(&text, &text.place.regions)).unwrap_or_default()
    }

    /// Looks no more for a blueprint until its next turn.
    pub fn look_away(&self, key: &Key) {
        if let Ok(name) = BlueprintName::new(&**key) {
            self.observers.forget(&name);
        }
    }

    /// Remembers in which account each of its regions is worked in, before anything is done there: once it has left one, what is left
    /// is nobody else's.
    pub async fn remember(&self, ready: &mut Ready) -> Result<(), StoreError> {
        if !self.observers.knows_accounts() {
            return Ok(());
        }
        let named = ready.text.place.regions.iter();
        let now =
            named.filter_map(|region| Some((region.clone(), ready.view.account_in(region)?.to_owned())));
        let now = now.collect();
        let (store, regions) = (&*self.adapters.store, &ready.loaded.desired.regions);
        worked_in::keep(store, &ready.scope, &mut ready.slot.worked_in, regions, now).await
    }

    /// A turn that acts as far as it may.
    pub async fn act(
        &self,
        environment: &Environment<'_>,
        ready: &mut Ready,
        mandate: &Mandate<'_>,
        asked: Asked,
    ) -> Result<Acted, DriveError> {
        let Ready { scope, loaded, decisions, text, slot, .. } = ready;
        let store = &*self.adapters.store;
        let making = Making {
            purpose: mandate.purpose,
            targets: &mandate.policy.targets,
            wanted: &loaded.desired.sizes,
        };
        if !asked.stopping {
            making.begins(store, scope, &mut slot.sizes).await?;
        }
        let name = &scope.blueprint;
        // Names of runs differ, also of those that begin at one moment.
        let run = rgctl_machine::new_run(&format!("{} {name}", self.owner), self.adapters.wall.now());
        let job = Job {
            desired: &loaded.desired,
            policy: &mandate.policy,
            figures: &loaded.figures,
            agreed: mandate.agreed,
            joins: None,
            decided: decisions.last_seq,
            purpose: mandate.purpose,
            authority: Authority::Person,
            run: &run,
            begins: if asked.by_person { Begins::Asked } else { Begins::Due },
            owner: &self.owner,
            deadline: None,
            if_held: IfHeld::GiveUp,
            pace: &self.pace,
            prices: mandate.prices,
        };
        let stopping = asked.stopping || self.stop.is_made();
        let mut watch = Hearing {
            stop: self.stop.clone(),
            stopping: asked.stopping,
            blueprint: name,
            connects: self.tells_outputs.then_some(&loaded.desired),
            outputs: None,
        };
        let reconciled = reconcile_once(environment, &job, &mut slot.session, &mut watch).await;
        let is_open = slot.session.is_leased();
        slot.text = is_open.then(|| text.clone());
        let reconciled = match reconciled {
            Ok(reconciled) => reconciled,
            Err(error) => {
                // It is empty, but for a lease of somebody else that is watched from turn to turn.
                self.observers.set_in_motion(name, false);
                return Err(error);
            }
        };
        self.observers.set_in_motion(name, reconciled.outcome.is_none());
        if reconciled.outcome == Some(Outcome::Settled) {
            making.is_done(store, scope, &mut slot.sizes).await?;
        }
        let failing = slot.session.ledger().and_then(|ledger| ledger.failing.as_ref());
        let due = failing.map(Failing::due);
        let told = slot.session.ledger().and_then(|ledger| ledger.ruled.as_ref());
        let run = told.map(|ruled| ruled.run.clone());
        if reconciled.outcome.is_some() {
            slot.session = Session::default();
            slot.rest();
        }
        let done = done::acted(&reconciled, is_open, due, stopping, environment.clock.now());
        Ok(Acted { done, reconciled, run, outputs: watch.outputs })
    }

    /// Looks and plans; nothing is done, and nothing is written. Whoever only looks holds no lease.
    pub async fn observe(
        &self,
        environment: &Environment<'_>,
        ready: &mut Ready,
    ) -> Result<(Done, Option<OutputsReport>), DriveError> {
        let Ready { scope, loaded, slot, asked, .. } = ready;
        self.let_go(scope.blueprint.as_str(), slot).await;
        slot.rest();
        let (desired, figures, policy) = (&loaded.desired, &loaded.figures, Policy::default());
        let reading = if asked.by_person { Reading::Whole } else { Reading::InTurn };
        let looked = run::look_and_plan_in(environment, desired, figures, &policy, false, reading).await?;
        tell_notes(&scope.blueprint, &looked.plan);
        look::fold_past(environment.store, scope, &mut slot.past).await?;
        let report = drift::report(&looked.plan, &loaded.desired.fingerprint, &slot.past);
        if let Some(told) = &self.told {
            told(&report, environment.clock.now());
        }
        let connects =
            self.tells_outputs.then(|| outputs::report(&loaded.desired, &looked.inventory, &looked.plan));
        Ok((done::observed(&looked.plan, &report), connects))
    }

    async fn keep_leases(&self) {
        let clock = &self.adapters.wall;
        loop {
            clock.sleep_until(clock.now() + KEEP).await;
            let now = self.adapters.wall.now();
            let is_due =
                |slot: &&Arc<tokio::sync::Mutex<Slot>>| slot.try_lock().is_ok_and(|slot| slot.is_due(now));
            // Of thousands at rest none has a lease, and none is made a task of.
            let due: Vec<_> = locked(&self.slots).values().filter(is_due).cloned().collect();
            join_all(due.iter().map(|slot| self.keep(slot))).await;
        }
    }

    /// Beside the leases, which a disk that hangs does not let lapse.
    async fn follow_consents(&self) {
        let clock = &self.adapters.wall;
        let mut consents = self.consents.now().await;
        loop {
            clock.sleep_until(clock.now() + KEEP).await;
            self.hear_consents(&mut consents).await;
        }
    }

    /// Whose consents have changed has a turn, as if a person had ordered it.
    async fn hear_consents(&self, before: &mut Consents) {
        let now = self.consents.now().await;
        let changed = now.differing(before);
        *before = now;
        self.heard.add(changed.into_iter().map(|name| Order {
            key: Some(Key::from(name.as_str())),
            what: Command::Reconcile,
            from: "the file of consents".to_owned(),
        }));
    }

    pub(super) fn slot(&self, key: &Key) -> Arc<tokio::sync::Mutex<Slot>> {
        Arc::clone(locked(&self.slots).entry(Arc::clone(key)).or_default())
    }

    async fn keep(&self, slot: &tokio::sync::Mutex<Slot>) {
        // A turn that runs renews by itself.
        let Ok(mut slot) = slot.try_lock() else { return };
        let environment = self.adapters.environment();
        if !slot.is_due(environment.wall.now()) {
            return;
        }
        match keep_lease(&environment, &mut slot.session).await {
            Ok(()) => {}
            Err(DriveError::Store(StoreError::Fenced { .. })) => {
                tracing::warn!(target: "rgctl::agent", "a lease was lost: the next turn begins from the record");
            }
            Err(error) => tracing::warn!(target: "rgctl::agent", %error, "a lease could not be renewed"),
        }
    }
}

impl Organ for Turns {
    fn prepare(&self, key: &Key) {
        if let (Some(text), Ok(name)) = (text_of(&self.texts, key), BlueprintName::new(&**key)) {
            self.observers.expect(&name, &text, &text.place.regions);
        }
    }

    fn keep_looking(&self) -> BoxFuture<'_, ()> {
        self.observers.keep_looking().boxed()
    }

    fn clock_was_set(&self) {
        self.observers.clock_was_set();
    }

    fn call_for_look(&self, key: &Key, haste: bool) -> bool {
        BlueprintName::new(&**key).is_ok_and(|name| self.observers.call_for(&name, haste))
    }

    fn changed(&self) -> BoxFuture<'_, Vec<Key>> {
        let keys =
            async { self.observers.news().await.iter().map(|name| Key::from(name.as_str())).collect() };
        keys.boxed()
    }

    fn sights(&self) -> Vec<Sight> {
        self.observers.sights(&|region| self.accounts.of(region))
    }

    fn keep_open(&self) -> BoxFuture<'_, ()> {
        async move {
            tokio::join!(self.follow_consents(), self.keep_leases());
        }
        .boxed()
    }

    fn turn(&self, key: Key, asked: Asked) -> BoxFuture<'_, Done> {
        let turning = self.begins(&key);
        async move {
            let done = self.one(&key, asked).await;
            drop(turning);
            done
        }
        .boxed()
    }

    fn orders(&self) -> BoxFuture<'_, Result<Vec<Order>, String>> {
        async move { self.heard.orders(&*self.adapters.store).await.map_err(|error| error.to_string()) }
            .boxed()
    }

    fn forget(&self, key: &Key) {
        locked(&self.slots).remove(key);
        if let Ok(name) = BlueprintName::new(&**key) {
            self.observers.forget(&name);
        }
    }
}

fn locked<T>(one: &Mutex<T>) -> MutexGuard<'_, T> {
    // A poisoned lock holds a whole value.
    one.lock().unwrap_or_else(PoisonError::into_inner)
}
