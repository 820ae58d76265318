//! The loop: who hears of changes, looks for all, gives turns, and ends in good order.
//!
//! Goes in: news of keys, orders of people, looks, what turns came to. Comes out: turns, one after the other for each key, and how
//! it ended.
//!
//! **Invariant:** a key whose look did not change, and to which nothing is due, has no turn at all.
//! **Invariant:** the loop gives a sign several times a minute, whatever it waits for.
//! **Invariant:** when it is asked to stop it begins nothing, and every open run is closed before it ends.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use tokio::sync::mpsc;

use super::effort::Measured;
use super::health::Health;
use super::metrics::{Metric, Metrics};
pub use super::organ::{Asked, Command, Condition, Done, Key, News, Order, Organ, Rhythm, Sight};
use super::queue::{Limits, Next, Queue};
use rgctl_model::ports::Clock;
use rgctl_schema::time::{Moment, Span};

#[path = "work_telling.rs"]
mod telling;

/// What the loop is given.
pub struct Agent<'a> {
    /// Looks and turns.
    pub organ: &'a dyn Organ,
    /// The cloud's time.
    pub clock: &'a dyn Clock,
    /// The machine's.
    pub wall: &'a dyn Clock,
    /// Told of signs.
    pub health: &'a Health,
    /// Told of numbers.
    pub metrics: &'a Metrics,
    /// Whether somebody asked to stop.
    pub stopping: &'a (dyn Fn() -> bool + Sync),
    /// Bounds of the queue.
    pub limits: Limits,
    /// How often what is done.
    pub rhythm: Rhythm,
}

/// How the loop ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ended {
    /// Blueprints by condition.
    pub conditions: BTreeMap<Condition, usize>,
    /// Turns that were given.
    pub turns: u64,
    /// Whether it was asked to.
    pub is_stopped: bool,
}

/// After the clock was set, all that waits is due within so long.
const SPREAD: Span = Span::from_secs(30);

/// Longest wait for a look that was called for: looks are made every few minutes.
const LOOK_MAX: Span = Span::from_mins(15);

/// What failed to close is closed after so long.
const CLOSES_AGAIN: Span = Span::from_secs(5);
/// What is closed bit by bit has a turn so often at most.
const CLOSES_MIN: Span = Span::from_secs(1);

/// By what the next turn of a key is made, where not by the clock.
#[derive(Debug, Default)]
struct Woken {
    by_person: bool,
    by_news: bool,
    /// A look was called for.
    by_look: bool,
}

impl Woken {
    const fn is_by_any(&self) -> bool {
        self.by_person || self.by_news || self.by_look
    }
}

/// What is known of a key.
#[derive(Debug, Default)]
struct State {
    condition: Condition,
    why: String,
    is_open: bool,
    is_resting: bool,
    woken: Woken,
    differing: usize,
    deletions_held: usize,
    /// A turn has closed what can be closed by now; the rest is looked at again then.
    closes_at: Option<Moment>,
}

/// How long a turn took, in real time.
struct Took {
    /// From its beginning to its end.
    whole: Duration,
    /// Without what it waited for.
    worked: Duration,
}

/// What ends beside the loop.
enum Finished {
    Turn(Key, Asked, Box<Done>, Took),
    Orders(Result<Vec<Order>, String>),
}

/// What rests because somebody said so.
#[derive(Debug, Default)]
struct Paused {
    all: bool,
    /// By name, whether it is there or not: it may go and come back.
    named: BTreeSet<Key>,
}

impl Paused {
    fn holds(&self, key: &Key) -> bool {
        self.all || self.named.contains(key)
    }
}

struct Loop<'a> {
    agent: &'a Agent<'a>,
    queue: Queue<Key>,
    states: BTreeMap<Key, State>,
    running: FuturesUnordered<BoxFuture<'a, Finished>>,
    /// Since the machine started.
    next_orders: Span,
    is_asking: bool,
    /// Regions that did not answer when that was last said.
    unseen: Vec<String>,
    paused: Paused,
    source_was_read: bool,
    /// Whether a blueprint came, went or changed its condition since that was last told.
    is_untold: bool,
    ended: Ended,
}

impl Agent<'_> {
    /// Goes round until it is asked to stop, and has closed what was open.
    pub async fn run(&self, mut news: mpsc::Receiver<News>) -> Ended {
        let mut all = Loop {
            agent: self,
            queue: Queue::new(self.limits),
            states: BTreeMap::new(),
            running: FuturesUnordered::new(),
            next_orders: Span::ZERO,
            is_asking: false,
            unseen: Vec::new(),
            paused: Paused::default(),
            source_was_read: false,
            is_untold: true,
            ended: Ended::default(),
        };
        let mut is_fed = true;
        let mut looking = self.organ.keep_looking();
        let mut keeping = self.organ.keep_open();
        let mut changed = self.organ.changed();
        let mut next_beat = self.wall.since_boot();
        loop {
            // Turns may end as fast as they begin: what is new is heard between them all the same.
            while let Ok(heard) = news.try_recv() {
                all.hear(heard);
            }
            if self.wall.since_boot() >= next_beat {
                next_beat = self.wall.since_boot() + self.rhythm.beat;
                all.beat();
            }
            let stopping = (self.stopping)();
            if stopping {
                all.close_open();
            } else {
                all.ask_for_orders();
                all.begin_turns();
            }
            if all.is_over(stopping, is_fed) {
                drop((looking, keeping, changed));
                all.ended.is_stopped = stopping;
                return all.end();
            }
            let next = if stopping { None } else { all.queue.next_at() };
            // In no order: turns that end as fast as they begin keep nothing else from being heard.
            tokio::select! {
                Some(finished) = all.running.next(), if !all.running.is_empty() => all.finished(finished),
                heard = news.recv(), if is_fed => match heard {
                    Some(heard) => all.hear(heard),
                    None => is_fed = false,
                },
                keys = &mut changed => {
                    all.look_different(&keys);
                    changed = self.organ.changed();
                }
                () = &mut looking => {}
                () = &mut keeping => {}
                () = self.wall.sleep_until(self.wall.now() + self.rhythm.beat) => {}
                () = self.until(next) => {}
            }
        }
    }

    /// Until a moment of the cloud's time. Where that stands, as that of an embedded cloud does whose file cannot be read, it is
    /// waited for in real time, so that the loop does not turn in circles.
    async fn until(&self, next: Option<Moment>) {
        let Some(next) = next else { return std::future::pending().await };
        self.clock.sleep_until(next).await;
        if self.clock.now() < next {
            std::future::pending::<()>().await;
        }
    }
}

impl Loop<'_> {
    /// A sign of life, and a look at the clocks.
    fn beat(&mut self) {
        let agent = self.agent;
        self.tell_sights();
        self.tell_queue();
        if std::mem::take(&mut self.is_untold) {
            self.tell_conditions();
        }
        let Some(by) = agent.health.loop_lives(agent.wall) else { return };
        tracing::warn!(target: "rgctl::agent", by, "the machine's clock was set");
        agent.metrics.add(Metric::ClockJumps, &[], 1);
        // Waits are counted from now: nobody knows how much of each is over.
        let now = agent.clock.now();
        self.queue.clock_was_set(now, SPREAD);
        for state in self.states.values_mut() {
            state.closes_at = None;
        }
        agent.organ.clock_was_set();
    }

    /// Begins to ask for orders, when it is time.
    fn ask_for_orders(&mut self) {
        let (organ, wall) = (self.agent.organ, self.agent.wall);
        let boot = wall.since_boot();
        if !self.is_asking && boot >= self.next_orders {
            self.is_asking = true;
            self.running.push(Box::pin(async move { Finished::Orders(organ.orders().await) }));
        }
    }

    /// Begins the turns that are due, as many as there is room for.
    fn begin_turns(&mut self) {
        let now = self.agent.clock.now();
        while let Some(taken) = self.queue.take(now) {
            self.agent.metrics.took(Metric::QueueWait, &[], Duration::from_millis(taken.waited.as_millis()));
            let Some(state) = self.states.get_mut(&taken.key) else {
                self.queue.done(&taken.key, now, Next::Rest);
                continue;
            };
            let rests = state.is_resting || self.paused.holds(&taken.key);
            if rests && !state.is_open {
                self.let_rest(&taken.key, now);
                continue;
            }
            let woken = std::mem::take(&mut state.woken);
            let by_clock = !rests && !woken.is_by_any();
            if by_clock && self.agent.organ.call_for_look(&taken.key, state.condition.has_haste()) {
                state.woken.by_look = true;
                self.queue.put_back(&taken.key, now, now + LOOK_MAX);
                continue;
            }
            let Woken { by_person, by_news, .. } = woken;
            let asked = Asked { stopping: rests, by_person, by_news };
            self.give(taken.key, asked);
        }
    }

    fn give(&mut self, key: Key, asked: Asked) {
        let (organ, wall) = (self.agent.organ, self.agent.wall);
        self.ended.turns += 1;
        let boot = wall.since_boot();
        // It begins now, and not when it is polled first: news may be told in between.
        let turn = Measured::new(organ.turn(key.clone(), asked));
        self.running.push(Box::pin(async move {
            let (done, worked) = turn.await;
            Finished::Turn(key, asked, Box::new(done), Took { whole: since(wall, boot), worked })
        }));
    }

    /// Ends the turn of a key that is paused, or gone from the source, and has nothing open.
    fn let_rest(&mut self, key: &Key, now: Moment) {
        self.queue.done(key, now, Next::Rest);
        let Some(state) = self.states.get_mut(key) else { return };
        if state.is_resting {
            self.agent.organ.forget(key);
            self.queue.remove(key);
            self.states.remove(key);
            self.is_untold = true;
        } else if state.condition != Condition::Paused {
            (state.condition, state.why) = (Condition::Paused, String::new());
            self.is_untold = true;
            tracing::info!(target: "rgctl::agent", blueprint = &**key, condition = "paused", "let rest");
        }
    }

    /// Gives open runs turns in which they close, all at once. What cannot be closed yet, since a call has not been heard of,
    /// has another one when that is due, and not at once.
    fn close_open(&mut self) {
        let now = self.agent.clock.now();
        let is_due = |state: &State| state.is_open && state.closes_at.is_none_or(|at| at <= now);
        let open = self.states.iter().filter(|(_, state)| is_due(state));
        let idle = open.filter(|(key, _)| !self.queue.is_in_flight(key)).map(|(key, _)| key.clone());
        for key in idle.collect::<Vec<_>>() {
            if self.queue.take_out_of_turn(&key, now) {
                self.give(key, Asked { stopping: true, ..Asked::default() });
            }
        }
    }

    /// Whether there is nothing left to wait for.
    fn is_over(&self, stopping: bool, is_fed: bool) -> bool {
        if stopping {
            return self.queue.in_flight() == 0 && self.states.values().all(|state| !state.is_open);
        }
        let is_idle = self.queue.in_flight() == 0 && self.queue.due(self.agent.clock.now()) == 0;
        let is_judged = |state: &State| !state.is_open && state.condition != Condition::New;
        // Going through all of them is for when nothing else is left.
        let is_done =
            || self.agent.rhythm.once && self.source_was_read && self.states.values().all(is_judged);
        is_idle && (is_done() || !is_fed && self.states.is_empty())
    }

    fn hear(&mut self, news: News) {
        let (agent, now) = (self.agent, self.agent.clock.now());
        match news {
            News::Changed { key, account } => {
                if !self.queue.add(&key, &account) {
                    tracing::error!(target: "rgctl::agent", blueprint = &*key, max = agent.limits.keys_max,
                        "too many blueprints: this one is left out");
                    return;
                }
                agent.organ.prepare(&key);
                let state = self.states.entry(key.clone()).or_default();
                (state.is_resting, state.woken.by_news) = (false, true);
                self.is_untold = true;
                self.queue.wake(&key, now);
            }
            News::Rests { key } => {
                if let Some(state) = self.states.get_mut(&key) {
                    state.is_resting = true;
                    self.queue.wake(&key, now);
                }
            }
            News::Read(answer) => {
                self.source_was_read |= answer.is_ok();
                if let Ok(refused) = &answer {
                    agent.metrics.set(Metric::FilesRefused, &[], *refused as f64);
                }
                agent.health.source(agent.wall, answer.map(drop));
            }
        }
    }

    fn look_different(&mut self, keys: &[Key]) {
        let now = self.agent.clock.now();
        for key in keys {
            if let Some(state) = self.states.get_mut(key) {
                state.woken.by_news = true;
                self.queue.wake(key, now);
            }
        }
    }

    fn finished(&mut self, finished: Finished) {
        match finished {
            Finished::Turn(key, asked, done, took) => self.turn_done(&key, asked, *done, &took),
            Finished::Orders(orders) => self.orders_heard(orders),
        }
    }

    fn turn_done(&mut self, key: &Key, asked: Asked, done: Done, took: &Took) {
        let (agent, now) = (self.agent, self.agent.clock.now());
        agent.metrics.took(Metric::Reconcile, &[], took.whole);
        agent.metrics.took(Metric::Effort, &[], took.worked);
        agent.metrics.add(Metric::Turns, &[("condition", done.condition.as_str())], 1);
        if let Some(answer) = done.store {
            self.store_said(answer);
        }
        if let Some(span) = done.throttled {
            let account = self.queue.account_of(key).unwrap_or_default();
            agent.metrics.add(Metric::Throttled, &[("account", account)], 1);
            self.queue.put_off_account_of(key, now + span);
        }
        let is_paused = self.paused.holds(key);
        if let Some(state) = self.states.get_mut(key) {
            if state.condition != done.condition || state.why != done.why {
                tracing::info!(target: "rgctl::agent", blueprint = &**key, condition = done.condition.as_str(),
                    why = done.why, differing = done.differing, "turn");
            }
            (state.condition, state.why, state.is_open) = (done.condition, done.why, done.is_open);
            (state.differing, state.deletions_held) = (done.differing, done.deletions_held);
            self.is_untold = true;
            let is_closing = state.is_open && asked.stopping;
            state.closes_at = is_closing.then(|| {
                if let Next::At(at) = done.next { at.max(now + CLOSES_MIN) } else { now + CLOSES_AGAIN }
            });
            // A run that is to be closed is closed as soon as it can be.
            if state.is_open && !asked.stopping && (is_paused || state.is_resting) {
                self.queue.wake(key, now);
            }
        }
        self.queue.done(key, now, done.next);
        let is_leaving = self.states.get(key).is_some_and(|state| state.is_resting && !state.is_open);
        if is_leaving {
            self.queue.wake(key, now);
        }
    }

    fn orders_heard(&mut self, orders: Result<Vec<Order>, String>) {
        let agent = self.agent;
        self.is_asking = false;
        self.next_orders = agent.wall.since_boot() + agent.rhythm.orders;
        match orders {
            Ok(orders) => {
                self.store_said(Ok(()));
                for order in &orders {
                    self.obey(order);
                }
            }
            Err(why) => self.store_said(Err(why)),
        }
    }

    fn obey(&mut self, order: &Order) {
        let now = self.agent.clock.now();
        let whose = order.key.as_deref().unwrap_or("*");
        tracing::info!(target: "rgctl::agent", blueprint = whose, order = ?order.what, from = order.from, "ordered");
        match (&order.key, order.what) {
            (_, Command::Reconcile) => {}
            // An order for all goes before those for one that came earlier.
            (None, what) => self.paused = Paused { all: what == Command::Pause, named: BTreeSet::new() },
            (Some(key), Command::Pause) => drop(self.paused.named.insert(key.clone())),
            (Some(key), Command::Resume) => drop(self.paused.named.remove(key)),
        }
        let named = |key: &Key| order.key.as_ref().is_none_or(|named| named == key);
        for (key, state) in self.states.iter_mut().filter(|(key, _)| named(key)) {
            state.woken.by_person |= order.what == Command::Reconcile;
            self.queue.wake(key, now);
        }
    }

    fn store_said(&mut self, answer: Result<(), String>) {
        let agent = self.agent;
        if let Err(why) = &answer {
            agent.metrics.add(Metric::StoreErrors, &[], 1);
            tracing::warn!(target: "rgctl::agent", why, "the store does not answer");
        }
        agent.health.store(agent.wall, answer);
    }

    fn conditions(&self) -> BTreeMap<Condition, usize> {
        let mut counts = BTreeMap::new();
        for state in self.states.values() {
            *counts.entry(state.condition).or_default() += 1;
        }
        counts
    }

    fn end(self) -> Ended {
        let conditions = self.conditions();
        Ended { conditions, ..self.ended }
    }
}

fn since(wall: &dyn Clock, boot: Span) -> Duration {
    Duration::from_millis(wall.since_boot().as_millis().saturating_sub(boot.as_millis()))
}
