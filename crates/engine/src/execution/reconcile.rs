//! One turn with everything around it: look, decide, take the lease where there is something to do, record the intents,
//! call, record the outcomes, and say when to look again.
//!
//! Flow: read the record, or what was added to it → look → turn → is there work? → lease → intents → calls → outcomes.
//! Guarantees: every call has its intent in the record before it; nothing is sent when the lease is not held for sure; a
//! turn that rests on a record that has gone on is dropped. Assumes: the store refuses writers without the current lease.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::calls::call_all;
use super::events::{closing, intent, opening, outcomes, revision};
use super::guard::Guard;
use super::job::{Begins, DriveError, Environment, Job, Prices, Watch};
use super::look::{
    OBSERVE_TRIES_MAX, Reading, Sight, look, presume, presumed, quotas, scope_of, selection_read,
};
use super::resume::{begin, is_end, up_to_date};
use super::retry::{Begin, next_run};
use super::schedule::Call;
use super::session::Kept;
use super::turn::{self, QUIET_MAX, Turn, TurnInput};
use crate::ledger::Failing;
use rgctl_model::journal::{Event, Outcome, Purpose};
use rgctl_model::observed::Inventory;
use rgctl_model::ports::{CloudError, StoreError};
use rgctl_model::rules::RecordedRules;
use rgctl_schema::names::RunId;
use rgctl_schema::time::Moment;

pub use super::interval::{give_back, keep_lease, sleep_until};
pub use super::resume::read;
pub use super::session::Session;

/// What one turn came to.
#[derive(Clone, Debug, PartialEq)]
pub struct Reconciled {
    /// The turn: what is left and why.
    pub turn: Turn,
    /// The lines that were added to the record.
    pub events: Vec<Event>,
    /// How the run ended, if it did.
    pub outcome: Option<Outcome>,
    /// When to come again at the latest.
    pub wake: Moment,
    /// Calls of the run up to now.
    pub calls: u64,
}

/// Makes one look and one turn. The lease is taken when the turn has work, kept while the run is open, and given back when
/// it ends. A turn that was decided on a record that has gone on meanwhile does nothing, and is to be made again at once.
///
/// After an error, and after a turn that was cut off, the session is empty, but for a lease that is watched. After an error the
/// lease was given back as far as that was possible; after a turn that was cut off it ends by itself.
pub async fn reconcile_once(
    environment: &Environment<'_>,
    job: &Job<'_>,
    session: &mut Session,
    watch: &mut dyn Watch,
) -> Result<Reconciled, DriveError> {
    let (mut kept, is_new) = if let Some(kept) = session.0.take() {
        (up_to_date(environment, job, kept).await?, false)
    } else {
        let scope = scope_of(environment.cloud, job.desired).await?;
        (Box::new(begin(environment, job, scope).await?), true)
    };
    kept.prepare(job, environment.clock.now());
    kept.watched = session.1.take();
    let mut step = Step { environment, job, kept: &mut kept };
    match step.go(is_new, watch).await {
        Ok(reconciled) => {
            kept.is_over = reconciled.outcome.is_some();
            session.0 = Some(kept);
            Ok(reconciled)
        }
        Err(error) => {
            session.1 = kept.watched.take();
            if let Some(guard) = &kept.guard {
                guard.release(environment).await;
            }
            Err(error)
        }
    }
}

struct Step<'a> {
    environment: &'a Environment<'a>,
    job: &'a Job<'a>,
    kept: &'a mut Kept,
}

impl Step<'_> {
    async fn go(&mut self, has_just_read: bool, watch: &mut dyn Watch) -> Result<Reconciled, DriveError> {
        if !has_just_read {
            self.read_decisions().await?;
        }
        if self.kept.guard.is_none() && self.kept.is_open() {
            // Whoever goes on with an open run has work, and hears what its holder is asked. What was read anew counts.
            self.take_lease(watch).await?;
        }
        let guard = self.kept.guard.clone();
        let (turn, inventory) = match &guard {
            Some(guard) => {
                guard.sign(self.environment);
                guard.beside(self.environment, self.decide(Some(guard), watch)).await?
            }
            None => self.decide(None, watch).await?,
        };
        if !self.has_work(&turn) {
            return Ok(self.idle(turn, &inventory, watch).await);
        }
        let guard = if let Some(guard) = guard {
            guard
        } else {
            let Some(guard) = self.take_lease(watch).await? else {
                let wake = self.environment.clock.now();
                return Ok(Reconciled { wake, ..self.reconciled(turn, Vec::new(), None) });
            };
            guard
        };
        watch.turned(&turn, &inventory);
        let done = guard.beside(self.environment, self.act(&guard, turn, &inventory)).await?;
        if !self.kept.is_open() {
            self.kept.guard = None;
            guard.release(self.environment).await;
        }
        Ok(done)
    }

    /// A turn that does nothing. A lease that was kept for it is given back.
    async fn idle(&mut self, mut turn: Turn, inventory: &Inventory, watch: &mut dyn Watch) -> Reconciled {
        if let Some(guard) = self.kept.guard.take() {
            guard.release(self.environment).await;
        }
        if self.kept.run.not_before.is_some() {
            // What failed waits for its time: nothing of it is called now, and nothing is under way for anybody.
            turn.calls.clear();
            turn.outcome = turn.outcome.or(Some(Outcome::Blocked));
        }
        watch.turned(&turn, inventory);
        let outcome = turn.outcome.map(|outcome| self.told(outcome));
        self.reconciled(turn, Vec::new(), outcome)
    }

    /// What is decided while a run lasts counts from its next turn on. A run goes on without a store that is away for a
    /// moment, with what it knew.
    async fn read_decisions(&mut self) -> Result<(), StoreError> {
        let (store, scope) = (self.environment.store, &self.kept.scope);
        let standing = match store.decisions(scope, self.kept.decisions.last_seq).await {
            Ok(news) if news.is_empty() => return Ok(()),
            Ok(_) => store.standing(scope).await,
            Err(error) => Err(error),
        };
        match standing {
            Err(StoreError::Unavailable { .. }) => {}
            standing => self.kept.decide(standing?),
        }
        Ok(())
    }

    /// Looks, and decides what to do. Of a turn that is due by itself not everything need be read to see that there is nothing
    /// to do; what is written, done, or left for a person to agree to rests on what was read.
    async fn decide(
        &mut self,
        guard: Option<&Guard>,
        watch: &mut dyn Watch,
    ) -> Result<(Turn, Inventory), DriveError> {
        if self.job.begins == Begins::Due && self.job.agreed.is_none() {
            let (mut turn, inventory, unread) = self.decide_by(Reading::InTurn, guard, watch).await?;
            if unread == 0 || turn.plan.steps.is_empty() && !self.has_work(&turn) {
                self.price(&mut turn, &inventory);
                turn.plan.notes.extend(presumed(unread));
                return Ok((turn, inventory));
            }
        }
        let (mut turn, inventory, _) = self.decide_by(Reading::Whole, guard, watch).await?;
        self.price(&mut turn, &inventory);
        Ok((turn, inventory))
    }

    /// Says what the steps of its plan cost, where somebody is told.
    fn price(&self, turn: &mut Turn, inventory: &Inventory) {
        let is_told = match self.job.prices {
            Prices::Never => false,
            Prices::AtEnd => turn.outcome.is_some() || self.kept.run.not_before.is_some(),
            Prices::Always => true,
        };
        if is_told && !turn.plan.steps.is_empty() && self.job.purpose != Purpose::TakeOver {
            // Its prices are taken, and nothing else: what was decided is told as it was decided.
            let priced = turn::priced(&self.known(inventory));
            let costs: BTreeMap<_, _> = priced.steps.iter().map(|step| (&step.id, &step.cost)).collect();
            for step in turn.plan.steps.iter_mut() {
                if let Some(cost) = costs.get(&step.id) {
                    step.cost.clone_from(cost);
                }
            }
            turn.plan.cost = priced.cost;
        }
    }

    /// The same by a look that reads so much, with the number of objects that it left unread.
    async fn decide_by(
        &mut self,
        reading: Reading,
        guard: Option<&Guard>,
        watch: &mut dyn Watch,
    ) -> Result<(Turn, Inventory, usize), DriveError> {
        let mut told = |why: &CloudError, again: Moment| {
            watch.told(&format!("the cloud cannot be observed: {why}; again at {again}"));
        };
        let (environment, mut selection) = (self.environment, Cow::Borrowed(&self.kept.run.selection));
        // What a deletion leaves is waited for by its name, whatever its tags say: what was adopted has a name of its own.
        let snapshots = self.kept.ledger.begun.values().filter_map(|begun| begun.final_snapshot.as_ref());
        for snapshot in snapshots.filter(|address| !self.kept.run.selection.named.contains(*address)) {
            selection.to_mut().named.insert(snapshot.clone());
        }
        let selection = selection_read(selection, reading, self.job.desired, &self.kept.ledger);
        let sight = Sight { selection: &selection, held_out: &self.kept.held_out };
        let mut inventory = look(environment, sight, OBSERVE_TRIES_MAX, guard, &mut told).await?;
        let unread = presume(&mut inventory, &selection, self.job.desired);
        self.kept.run.unseen.note(&mut inventory, self.job.pace.unseen_max);
        if let Some(guard) = guard {
            // Looking may have taken longer than a term: whoever holds nothing decides nothing.
            guard.make_sure(self.environment).await?;
            guard.read_inbox(self.environment).await;
        }
        self.kept.run.stopping = watch.stopping() || self.is_past_deadline() || self.yields(guard, watch);
        self.begin_when_due(&inventory);
        let mut turn = self.turn(&inventory);
        if self.kept.run.not_before.is_some() && self.is_something_new(&turn) {
            self.kept.run.not_before = None;
            self.kept.run.id = self.next_id();
            turn = self.turn(&inventory);
        }
        // Nothing grows before what failed is tried again.
        if self.kept.run.not_before.is_none() && self.read_quotas(&turn, &inventory, watch).await {
            if let Some(guard) = guard {
                guard.make_sure(self.environment).await?;
            }
            turn = self.turn(&inventory);
        }
        tracing::debug!(
            left = turn.plan.steps.len(),
            under_way = turn.under_way.len(),
            calls = turn.calls.len(),
            seen = inventory.seen.len(),
            gaps = inventory.gaps.len(),
            "turn"
        );
        self.kept.run.motion.clone_from(&turn.motion);
        Ok((turn, inventory, unread))
    }

    /// Decides; what a turn found to be as wanted is compared again only when something about it has changed.
    fn turn(&mut self, inventory: &Inventory) -> Turn {
        let mut memory = std::mem::take(&mut self.kept.run.memory);
        let turn = turn::turn_after(&self.known(inventory), &mut memory);
        self.kept.run.memory = memory;
        turn
    }

    /// Where it is not time yet for another run, the turn is one of the last: what failed there stays so.
    fn begin_when_due(&mut self, inventory: &Inventory) {
        if self.kept.is_open() || self.job.begins == Begins::Asked {
            return;
        }
        let begin = next_run(self.job, &self.kept.ledger, inventory, self.environment.clock.now());
        let last = self.kept.ledger.failing.as_ref().map(|failing| &failing.run);
        (self.kept.run.not_before, self.kept.run.id) = match (begin, last) {
            (Begin::At(at), Some(last)) => (Some(at), last.clone()),
            _ => (None, self.next_id()),
        };
    }

    /// The name of a run that begins now: the one that the lease was taken for, where it is held already.
    fn next_id(&self) -> RunId {
        self.kept.guard.as_ref().map_or_else(|| self.job.run.clone(), |guard| guard.lease().run)
    }

    /// Whether there is something to do or to tell beside what the last run left.
    fn is_something_new(&self, turn: &Turn) -> bool {
        let is_new = |call: &Call| !self.kept.ledger.begun.contains_key(&call.step.id);
        !turn.record.is_empty() || turn.calls.iter().any(is_new)
    }

    fn known<'b>(&'b self, inventory: &'b Inventory) -> TurnInput<'b> {
        let run = &self.kept.run;
        TurnInput {
            desired: self.job.desired,
            inventory,
            held_out: &self.kept.held_out,
            ledger: &self.kept.ledger,
            policy: self.job.policy,
            figures: self.job.figures,
            agreed: self.job.agreed,
            joins: self.job.joins,
            run: &run.id,
            began: run.began,
            now: self.environment.clock.now(),
            purpose: self.job.purpose,
            stopping: run.stopping,
            verdicts: &run.verdicts,
            authority: self.job.authority,
            pace: self.job.pace,
            motion: &run.motion,
        }
    }

    /// Reads the account's quotas where something is about to grow for the first time; whether there was anything to read.
    async fn read_quotas(&mut self, turn: &Turn, inventory: &Inventory, watch: &mut dyn Watch) -> bool {
        let regions: BTreeSet<_> = turn.grows.difference(&self.kept.run.read).cloned().collect();
        if regions.is_empty() {
            return false;
        }
        let (known, unread) = quotas(self.environment.cloud, &regions, inventory).await;
        for why in unread {
            watch.told(&why);
        }
        self.kept.run.verdicts.quotas.extend(known);
        self.kept.run.read.extend(regions);
        true
    }

    fn is_past_deadline(&self) -> bool {
        self.job.deadline.is_some_and(|deadline| self.environment.clock.now() >= deadline)
    }

    /// Whether somebody asks for the lease: nothing more is begun then.
    fn yields(&mut self, guard: Option<&Guard>, watch: &mut dyn Watch) -> bool {
        let asked_by = guard.and_then(Guard::asked_by);
        if let Some(who) = asked_by.as_ref().filter(|_| self.kept.run.yields_to.is_none()) {
            watch.told(&format!("{who} asks for the lease: nothing more is begun"));
        }
        self.kept.run.yields_to = asked_by;
        self.kept.run.yields_to.is_some()
    }

    /// Whether a turn writes or calls, or waits for what was begun, or what it obeys is new. A run that finds nothing to do
    /// leaves no trace in the record; one that is open is ended there.
    fn has_work(&self, turn: &Turn) -> bool {
        if self.kept.run.not_before.is_some() {
            return false;
        }
        self.kept.is_open()
            || !turn.record.is_empty()
            || !turn.calls.is_empty()
            || !turn.under_way.is_empty()
            || self.has_other_rules()
    }

    /// Whether other policies or another calendar hold than the record tells: then they are put on record, so that an older
    /// plan is held to them.
    fn has_other_rules(&self) -> bool {
        let recorded = self.kept.ledger.ruled.as_ref().map(|ruled| &ruled.rules);
        self.kept.ledger.last_seq > 0 && recorded != Some(&RecordedRules::of(&self.job.desired.rules))
    }

    /// Takes the lease; nothing where what was decided may be out of date by then: the record has gone on, or somebody had
    /// the lease and was waited for.
    async fn take_lease(&mut self, watch: &mut dyn Watch) -> Result<Option<Arc<Guard>>, DriveError> {
        let (environment, job, kept) = (self.environment, self.job, &mut *self.kept);
        let was_open = kept.is_open();
        let (run, watch) = ((&kept.run.id, was_open), (&mut kept.watched, watch));
        let (guard, was_free) = Guard::take(environment, job, run, &kept.scope, watch).await?;
        let guard = Arc::new(guard);
        // From here on it is given back, whatever goes wrong.
        kept.guard = Some(Arc::clone(&guard));
        if was_free && is_end(environment.store, kept).await? {
            return Ok(Some(guard));
        }
        let begun = begin(environment, job, kept.scope.clone()).await?;
        // Lines carry the name of the lease: a run of another name takes a lease of its own.
        let fits = if begun.is_open() { begun.run.id == guard.lease().run } else { !was_open };
        let guard = if fits {
            Some(guard)
        } else {
            guard.release(environment).await;
            None
        };
        *kept = Kept { guard, ..begun };
        Ok(None)
    }

    /// Does what was decided.
    async fn act(
        &mut self,
        guard: &Guard,
        turn: Turn,
        inventory: &Inventory,
    ) -> Result<Reconciled, DriveError> {
        let mut events = Vec::new();
        if self.kept.is_open() {
            events.extend(revision(self.job, &self.kept.ledger, &turn));
        } else if self.has_work(&turn) {
            events.push(opening(self.job, &turn));
        }
        events.extend(turn.record.iter().cloned());
        events.extend(turn.calls.iter().map(intent));
        self.append(guard, &events).await?;
        // What every process that goes on with it will take it for.
        self.kept.run.began = self.kept.ledger.open.as_ref().map_or(self.kept.run.began, |open| open.began);
        self.kept.run.calls += turn.calls.len() as u64;
        let record = self.kept.ledger.claims.record.as_ref();
        let answers = call_all(self.environment, guard, record, &turn.calls).await;
        let answered = outcomes(&turn, answers, inventory);
        self.append(guard, &answered).await?;
        events.extend(answered);
        let outcome = turn.outcome.map(|outcome| self.told(outcome));
        if let Some(outcome) = outcome.filter(|_| self.kept.is_open()) {
            let closing = [closing(self.job, self.kept, outcome, (&turn, inventory))];
            self.append(guard, &closing).await?;
            events.extend(closing);
        }
        if !self.kept.is_open() || self.kept.ledger.is_checkpoint_due(self.kept.checkpointed) {
            self.keep_checkpoint(guard).await;
        }
        Ok(self.reconciled(turn, events, outcome))
    }

    /// Whoever reads the record next begins here. Without it, it is read from further back.
    async fn keep_checkpoint(&mut self, guard: &Guard) {
        // What is too much for one, or could not be written, is not tried again after every turn.
        self.kept.checkpointed = self.kept.ledger.last_seq;
        let Some(checkpoint) = self.kept.ledger.checkpoint() else { return };
        let put = self.environment.store.put_checkpoint(&guard.lease(), &checkpoint).await;
        if let Err(error) = put {
            tracing::warn!(%error, "no checkpoint could be written");
        }
    }

    /// How the run ends, for people.
    fn told(&self, outcome: Outcome) -> Outcome {
        match outcome {
            Outcome::Stopped if self.is_past_deadline() => Outcome::Paused,
            other => other,
        }
    }

    fn reconciled(&self, turn: Turn, events: Vec<Event>, outcome: Option<Outcome>) -> Reconciled {
        let wake = self.wake(&turn, outcome);
        Reconciled { wake, calls: self.kept.run.calls, turn, events, outcome }
    }

    /// Adds lines that follow from what is on record; others are never written.
    async fn append(&mut self, guard: &Guard, events: &[Event]) -> Result<(), DriveError> {
        if events.is_empty() {
            return Ok(());
        }
        let ledger = &mut self.kept.ledger;
        ledger.check(&self.kept.run.id, events)?;
        let (now, lease) = (self.environment.clock.now(), guard.lease());
        self.environment.store.append(&lease, ledger.last_seq, now, events).await?;
        let last = Some((ledger.last_seq, ledger.last_hash.clone()));
        ledger.fold(&rgctl_model::chain::seal(&lease, last, now, events));
        guard.sign(self.environment);
        Ok(())
    }

    /// When to come again. A run that was stopped goes on at once; where one is over, what is due by time alone is due.
    fn wake(&self, turn: &Turn, outcome: Option<Outcome>) -> Moment {
        let now = self.environment.clock.now();
        let failing = self.kept.ledger.failing.as_ref().map(Failing::due);
        match outcome {
            None if self.kept.run.not_before.is_none() => self.next_look(turn),
            Some(Outcome::Stopped | Outcome::Paused) => now,
            _ => {
                let dues = failing.into_iter().chain(turn.due).filter(|due| *due > now);
                dues.min().unwrap_or(now + QUIET_MAX)
            }
        }
    }

    /// When the next look is due. Looks that would show what the last one showed are left out, where the provider
    /// knows that; those that are left are made when they would have been made anyway.
    fn next_look(&self, turn: &Turn) -> Moment {
        let pace = self.job.pace;
        if !turn.calls.is_empty() {
            let now = self.environment.clock.now();
            // More calls can be made at once: then nothing is waited for.
            return if turn.has_more { now } else { now + pace.look_after_calls.max(turn.apart) };
        }
        match self.environment.cloud.next_event_at() {
            Some(quiet) => {
                let quiet = self.job.deadline.map_or(quiet, |deadline| deadline.min(quiet));
                turn.look_when_quiet_until(quiet, pace)
            }
            None => turn.wake,
        }
    }
}
