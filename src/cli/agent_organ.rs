//! What the turns of an agent are: read the text, judge the world, and act where that is allowed.
//!
//! Goes in: names of blueprints. Comes out: what each turn came to.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::FutureExt;
use futures::future::{BoxFuture, join_all};
use tokio::sync::OwnedMutexGuard;

use super::adapters::Adapters;
use super::agent_done as done;
use super::agent_texts::{Language, Shared, Wanted};
use super::run;
use super::signals::StopRequest;
use crate::agent::consents::Consents;
use crate::agent::folder::{Texts, text_of};
use crate::agent::observer::{Observer, SharedCloud};
use crate::agent::work::{Asked, Command, Done, Key, Order, Organ, Sight};
use crate::report::drift::{self, DriftReport};
use rgctl_engine::execution::drive::{Begins, DriveError, Environment, IfHeld, Job, Watch};
use rgctl_engine::execution::reconcile::{Reconciled, Session, keep_lease, reconcile_once};
use rgctl_engine::execution::turn::{Pace, Turn};
use rgctl_engine::ledger::Failing;
use rgctl_machine::inputs::{self, DOCUMENT_BYTES_MAX};
use rgctl_model::inbox::{self, Request};
use rgctl_model::journal::Purpose;
use rgctl_model::observed::Inventory;
use rgctl_model::overlay::Decisions;
use rgctl_model::plan::Plan;
use rgctl_model::policy::{Authority, Consent, Policy};
use rgctl_model::ports::{Clock, StoreError};
use rgctl_model::scope::{Home, Scope};
use rgctl_schema::names::BlueprintName;
use rgctl_schema::time::{Moment, Span};

/// How often leases of open runs are looked after, in real time.
const KEEP: Span = Span::from_secs(1);

/// What is kept of a blueprint between its turns.
#[derive(Default)]
struct Slot {
    session: Session,
    /// Under which record.
    scope: Option<Scope>,
}

/// What was heard of orders.
#[derive(Default)]
struct Heard {
    /// The last message of each account.
    last: BTreeMap<Home, u64>,
    /// What the loop was not told yet.
    news: Vec<Order>,
}

/// Told when something differs otherwise than before.
pub type Told = Box<dyn Fn(&DriftReport, Moment) + Send + Sync>;

/// What is known before a turn is made.
pub struct Ready {
    /// Whose.
    pub scope: Scope,
    /// What should exist.
    pub loaded: Wanted,
    /// What stands of decisions.
    pub decisions: Decisions,
    /// Nobody else makes a turn of it meanwhile.
    slot: OwnedMutexGuard<Slot>,
}

/// What may be done in a turn.
pub struct Mandate<'a> {
    /// What for.
    pub purpose: Purpose,
    /// With which consents.
    pub policy: Policy,
    /// Nothing but this, where a plan was agreed to.
    pub agreed: Option<&'a Plan>,
}

impl Mandate<'_> {
    /// To bring the world into the blueprint's shape, with these consents.
    pub fn consenting(consents: BTreeSet<Consent>) -> Self {
        let policy = Policy { consents, ..Policy::default() };
        Self { purpose: Purpose::Apply, policy, agreed: None }
    }
}

/// The turns.
pub struct Turns {
    adapters: Adapters,
    observer: Arc<Observer>,
    texts: Texts<Shared>,
    language: Language,
    /// Whether anything is done, or only planned.
    acts: bool,
    /// The file of consents.
    allow_file: Option<PathBuf>,
    pace: Pace,
    owner: String,
    stop: StopRequest,
    told: Option<Told>,
    slots: Mutex<BTreeMap<Key, Arc<tokio::sync::Mutex<Slot>>>>,
    heard: tokio::sync::Mutex<Heard>,
    /// The account that was worked in last, for numbers.
    account: Mutex<String>,
    /// Why the file of consents could not be used when that was said last.
    refused: Mutex<Option<String>>,
}

/// What turns are made with.
pub struct Means {
    /// Store, clocks, and the provider itself.
    pub adapters: Adapters,
    /// The looks that all share.
    pub observer: Arc<Observer>,
    /// The texts in force.
    pub texts: Texts<Shared>,
    /// What judges them.
    pub language: Language,
    /// Whether somebody asked to stop.
    pub stop: StopRequest,
}

impl Turns {
    /// Turns that observe and plan.
    pub fn observing(means: Means, told: Option<Told>) -> Self {
        let Means { adapters, observer, texts, language, stop } = means;
        Self {
            adapters,
            observer,
            texts,
            language,
            acts: false,
            allow_file: None,
            pace: Pace::default(),
            owner: rgctl_machine::owner(),
            stop,
            told,
            slots: Mutex::default(),
            heard: tokio::sync::Mutex::default(),
            account: Mutex::default(),
            refused: Mutex::default(),
        }
    }

    /// Turns that act, with the consents of a file.
    pub fn acting(means: Means, allow_file: Option<PathBuf>) -> Self {
        Self { acts: true, allow_file, ..Self::observing(means, None) }
    }

    /// The outside.
    pub const fn adapters(&self) -> &Adapters {
        &self.adapters
    }

    async fn one(&self, key: &Key, asked: Asked) -> Result<Done, DriveError> {
        let mut ready = match self.ready(key, asked).await? {
            Ok(ready) => ready,
            Err(done) => return Ok(done),
        };
        let cloud = self.eyes(&ready.scope.blueprint, asked);
        let environment = Environment { cloud: &cloud, ..self.adapters.environment() };
        let done = if self.acts {
            let consents = self.consents().of(key);
            let mandate = Mandate::consenting(consents);
            self.act(&environment, &mut ready, &mandate, asked).await?.0
        } else {
            self.observe(&environment, &ready.scope, &ready.loaded).await?
        };
        Ok(done::with_resync(done, key, self.adapters.clock.now(), &ready.decisions))
    }

    /// Everything that goes before a turn; or what it comes to without one.
    pub async fn ready(&self, key: &Key, asked: Asked) -> Result<Result<Ready, Done>, DriveError> {
        let now = self.adapters.clock.now();
        let Some(text) = text_of(&self.texts, key) else { return Ok(Err(done::nothing())) };
        let Ok(name) = BlueprintName::new(&**key) else { return Ok(Err(done::nothing())) };
        let home = self.adapters.cloud.home(text.place.primary.as_ref()).await?;
        let scope = Scope::new(home, name);
        scope.home.account().clone_into(&mut locked(&self.account));
        if self.is_paused(&scope.home, key).await? && !asked.stopping {
            return Ok(Err(done::paused()));
        }
        let decisions = self.adapters.store.standing(&scope).await?;
        let mut loaded = match self.language.load(&text, key, &decisions, now) {
            Ok(loaded) => loaded,
            Err(why) => return Ok(Err(done::wrong(&why, now))),
        };
        let left = run::regions_left_in(&*self.adapters.store, &scope, &loaded.desired, now).await?;
        loaded.desired.regions.extend(left);
        let mut slot = self.slot(key).lock_owned().await;
        if slot.scope.as_ref() != Some(&scope) {
            // Another world, or another account: what is known of the one before is of no use.
            *slot = Slot { scope: Some(scope.clone()), ..Slot::default() };
        }
        Ok(Ok(Ready { scope, loaded, decisions, slot }))
    }

    /// The looks that a turn is shown: any, where a change has woken it; a fresh one, where a clock or a person has.
    pub fn eyes(&self, name: &BlueprintName, asked: Asked) -> SharedCloud {
        let cloud = self.observer.cloud_for(name);
        if asked.by_person {
            return cloud.since(self.adapters.clock.now());
        }
        if asked.by_news { cloud.since(Moment::EPOCH) } else { cloud }
    }

    /// A turn that acts as far as it may.
    pub async fn act(
        &self,
        environment: &Environment<'_>,
        ready: &mut Ready,
        mandate: &Mandate<'_>,
        asked: Asked,
    ) -> Result<(Done, Reconciled), DriveError> {
        let Ready { scope, loaded, decisions, slot } = ready;
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
        };
        let stopping = asked.stopping || self.stop.is_made();
        let mut watch = Hearing { stop: self.stop.clone(), stopping: asked.stopping, blueprint: name };
        let reconciled = reconcile_once(environment, &job, &mut slot.session, &mut watch).await;
        let is_open = slot.session.is_leased();
        let reconciled = match reconciled {
            Ok(reconciled) => reconciled,
            Err(error) => {
                slot.session = Session::default();
                self.observer.set_in_motion(name, false);
                return Err(error);
            }
        };
        self.observer.set_in_motion(name, reconciled.outcome.is_none());
        let failing = slot.session.ledger().and_then(|ledger| ledger.failing.as_ref());
        let due = failing.map(Failing::due);
        if reconciled.outcome.is_some() {
            // Thousands are at rest: what one of them needs is read again.
            slot.session = Session::default();
        }
        let done = done::acted(&reconciled, is_open, due, stopping, environment.clock.now());
        Ok((done, reconciled))
    }

    /// Looks and plans; nothing is done, and nothing is written.
    pub async fn observe(
        &self,
        environment: &Environment<'_>,
        scope: &Scope,
        loaded: &Wanted,
    ) -> Result<Done, DriveError> {
        let policy = Policy::default();
        let looked =
            run::look_and_plan_in(environment, &loaded.desired, &loaded.figures, &policy, false).await?;
        let record = environment.store.entries(scope, 0).await?;
        let report = drift::report(&looked.plan, &loaded.desired.fingerprint, &record);
        if let Some(told) = &self.told {
            told(&report, environment.clock.now());
        }
        Ok(done::observed(&looked.plan, &report))
    }

    /// The consents as the file gives them now; none where it cannot be used.
    fn consents(&self) -> Consents {
        let Some(path) = &self.allow_file else { return Consents::default() };
        let text = inputs::read_text(path, DOCUMENT_BYTES_MAX).map_err(|error| error.to_string());
        let (consents, refused) = match text.and_then(|text| Consents::parse(&text)) {
            Ok(consents) => (consents, None),
            Err(why) => (Consents::default(), Some(why)),
        };
        let mut before = locked(&self.refused);
        if *before != refused {
            if let Some(why) = &refused {
                tracing::warn!(target: "rgctl::agent", file = %path.display(), why, "nothing is consented to");
            }
            *before = refused;
        }
        consents
    }

    /// Whose consents have changed has a turn, as if a person had ordered it.
    async fn hear_consents(&self, before: &mut Consents) {
        let now = self.consents();
        let changed = now.differing(before);
        *before = now;
        let mut heard = self.heard.lock().await;
        heard.news.extend(changed.into_iter().map(|name| Order {
            key: Some(Key::from(name.as_str())),
            what: Command::Reconcile,
            from: "the file of consents".to_owned(),
        }));
    }

    fn slot(&self, key: &Key) -> Arc<tokio::sync::Mutex<Slot>> {
        Arc::clone(locked(&self.slots).entry(Arc::clone(key)).or_default())
    }

    /// Whether a blueprint is paused by an order that the loop has not been told yet. The orders of an account are read before
    /// the first turn there.
    async fn is_paused(&self, home: &Home, key: &Key) -> Result<bool, StoreError> {
        let mut heard = self.heard.lock().await;
        if !heard.last.contains_key(home) {
            self.hear(home, &mut heard).await?;
        }
        let (mut all, mut own) = (false, false);
        for order in &heard.news {
            match (&order.key, order.what) {
                (_, Command::Reconcile) => {}
                (None, Command::Pause) => all = true,
                (None, Command::Resume) => (all, own) = (false, false),
                (Some(named), what) if named == key => own = what == Command::Pause,
                (Some(_), _) => {}
            }
        }
        Ok(all || own)
    }

    /// Reads what is new among the orders of an account. Of old ones only those are of use that hold on.
    async fn hear(&self, home: &Home, heard: &mut Heard) -> Result<(), StoreError> {
        let Some(scope) = inbox::agents(home) else { return Ok(()) };
        let last = heard.last.get(home).copied();
        let messages = self.adapters.store.inbox(&scope, last.unwrap_or(0)).await?;
        let end = messages.last().map_or(last.unwrap_or(0), |message| message.seq);
        heard.last.insert(home.clone(), end);
        for message in messages {
            let (what, blueprint) = match message.what {
                Request::Yield { .. } => continue,
                Request::Pause { blueprint } => (Command::Pause, blueprint),
                Request::Resume { blueprint } => (Command::Resume, blueprint),
                Request::Reconcile { .. } if last.is_none() => continue,
                Request::Reconcile { blueprint } => (Command::Reconcile, blueprint),
            };
            let key = blueprint.map(|name| Key::from(name.as_str()));
            heard.news.push(Order { key, what, from: message.from });
        }
        Ok(())
    }

    async fn keep(&self, slot: &tokio::sync::Mutex<Slot>) {
        // A turn that runs renews by itself.
        let Ok(mut slot) = slot.try_lock() else { return };
        let environment = self.adapters.environment();
        if slot.session.renewal_due().is_none_or(|due| due > environment.wall.now()) {
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
            self.observer.expect(&name, &text.place.regions);
        }
    }

    fn keep_looking(&self) -> BoxFuture<'_, ()> {
        self.observer.keep_looking().boxed()
    }

    fn changed(&self) -> BoxFuture<'_, Vec<Key>> {
        let keys = async { self.observer.news().await.iter().map(|name| Key::from(name.as_str())).collect() };
        keys.boxed()
    }

    fn sights(&self) -> Vec<Sight> {
        let account = locked(&self.account).clone();
        done::sights(&self.observer.figures(), &account)
    }

    fn keep_open(&self) -> BoxFuture<'_, ()> {
        async move {
            let mut consents = self.consents();
            loop {
                let clock = &self.adapters.wall;
                clock.sleep_until(clock.now() + KEEP).await;
                self.hear_consents(&mut consents).await;
                let slots: Vec<_> = locked(&self.slots).values().cloned().collect();
                join_all(slots.iter().map(|slot| self.keep(slot))).await;
            }
        }
        .boxed()
    }

    fn turn<'a>(&'a self, key: &'a Key, asked: Asked) -> BoxFuture<'a, Done> {
        async move {
            let done = self.one(key, asked).await;
            done.unwrap_or_else(|error| done::failed(&error, self.adapters.clock.now()))
        }
        .boxed()
    }

    fn orders(&self) -> BoxFuture<'_, Result<Vec<Order>, String>> {
        async move {
            let mut heard = self.heard.lock().await;
            let homes: Vec<Home> = heard.last.keys().cloned().collect();
            for home in homes {
                self.hear(&home, &mut heard).await.map_err(|error| error.to_string())?;
            }
            Ok(std::mem::take(&mut heard.news))
        }
        .boxed()
    }

    fn forget(&self, key: &Key) {
        locked(&self.slots).remove(key);
        if let Ok(name) = BlueprintName::new(&**key) {
            self.observer.forget(&name);
        }
    }
}

/// Hears what a run tells, and passes a request to stop on to it.
struct Hearing<'a> {
    stop: StopRequest,
    stopping: bool,
    blueprint: &'a BlueprintName,
}

impl Watch for Hearing<'_> {
    fn turned(&mut self, turn: &Turn, _: &Inventory) {
        for call in &turn.calls {
            tracing::info!(target: "rgctl::agent", blueprint = %self.blueprint, step = %call.step.id.0, "calls");
        }
    }
    fn stopping(&mut self) -> bool {
        self.stopping || self.stop.is_made()
    }
    fn told(&mut self, line: &str) {
        // What it comes to is told as the condition of the blueprint.
        tracing::debug!(target: "rgctl::agent", blueprint = %self.blueprint, "{line}");
    }
}

fn locked<T>(one: &Mutex<T>) -> MutexGuard<'_, T> {
    // A poisoned lock holds a whole value.
    one.lock().unwrap_or_else(PoisonError::into_inner)
}
