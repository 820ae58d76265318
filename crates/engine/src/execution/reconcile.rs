//! One turn with everything around it: look, decide, take the lease where there is something to do, record the intents,
//! call, record the outcomes, and say when to look again.
//!
//! Flow: read the record, or what was added to it → look → turn → is there work? → lease → intents → calls → outcomes.
//! Guarantees: every call has its intent in the record before it; nothing is sent when the lease is not held for sure; a
//! turn that rests on a record that has gone on is dropped. Assumes: the store refuses writers without the current lease.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::StreamExt;
use futures::stream;

use super::events::{intent, outcomes};
use super::guard::Guard;
use super::job::{DriveError, Environment, Job, Watch};
use super::look::{OBSERVE_TRIES_MAX, look, quotas, scope_of, wait_until};
use super::schedule::Call;
use super::session::{CurrentRun, Kept};
use super::turn::{self, Turn, TurnInput};
use crate::ledger::Ledger;
use crate::planning;
use rgctl_model::journal::{Event, Outcome};
use rgctl_model::kinds::facts::Endpoint;
use rgctl_model::node::{TAG_BLUEPRINT, TAG_RECORD, TAG_TOKEN};
use rgctl_model::observed::Inventory;
use rgctl_model::plan::Op;
use rgctl_model::ports::{CloudError, Permit};
use rgctl_model::rules::RecordedRules;
use rgctl_model::scope::{RecordId, Scope};
use rgctl_schema::names::RegionId;
use rgctl_schema::time::Moment;

/// Calls in flight at a time, in equal shares of the control planes that are called, at least one each. The adapters keep
/// the provider's rate; this bounds sockets and memory.
const CALLS_AT_ONCE: usize = 32;

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
/// After an error, and after a turn that was cut off, the session is empty, and the lease was given back as far as that
/// was possible.
pub async fn reconcile_once(
    environment: &Environment<'_>,
    job: &Job<'_>,
    session: &mut Session,
    watch: &mut dyn Watch,
) -> Result<Reconciled, DriveError> {
    let mut kept = match session.0.take() {
        Some(kept) => up_to_date(environment, job, kept).await?,
        None => begin(environment, job, scope_of(environment.cloud, job.desired).await?).await?,
    };
    kept.run.follow(job, &kept.ledger);
    let mut step = Step { environment, job, kept: &mut kept };
    match step.go(watch).await {
        Ok(reconciled) => {
            session.0 = reconciled.outcome.is_none().then_some(kept);
            Ok(reconciled)
        }
        Err(error) => {
            if let Some(guard) = &kept.guard {
                guard.release(environment).await;
            }
            Err(error)
        }
    }
}

/// Sleeps until then with the lease renewed beside it. A request to stop cuts the sleep short, and so does somebody who
/// asks for the lease; but for a turn that knew of it: that one waits for the outcome of its calls.
pub async fn sleep_until(
    environment: &Environment<'_>,
    session: &Session,
    wake: Moment,
    watch: &mut dyn Watch,
) -> Result<(), DriveError> {
    let stopping = session.0.as_ref().is_some_and(|kept| kept.run.stopping);
    let guard = session.0.as_ref().and_then(|kept| kept.guard.as_deref());
    let mut ends =
        || !stopping && (watch.stopping() || guard.is_some_and(|guard| guard.asked_by().is_some()));
    let sleep = wait_until(environment, wake, guard, &mut ends);
    match guard {
        Some(guard) => {
            let sleep = async {
                sleep.await;
                Ok(())
            };
            guard.beside(environment, sleep).await
        }
        None => {
            sleep.await;
            Ok(())
        }
    }
}

/// Begins from the record.
async fn begin(environment: &Environment<'_>, job: &Job<'_>, scope: Scope) -> Result<Kept, DriveError> {
    let now = environment.clock.now();
    let mut ledger = Ledger::default();
    ledger.fold(&environment.store.entries(&scope, 0).await?);
    ledger.inherit(now);
    ledger.claims.record = Some(environment.store.identity(&scope).await?);
    let run = CurrentRun::new(job, &ledger, now);
    Ok(Kept { scope, ledger, guard: None, run })
}

/// Goes on from the turn before. Without a lease somebody else may have written: then it begins anew.
async fn up_to_date(environment: &Environment<'_>, job: &Job<'_>, kept: Kept) -> Result<Kept, DriveError> {
    if kept.guard.is_some() {
        return Ok(kept);
    }
    let news = environment.store.entries(&kept.scope, kept.ledger.last_seq).await?;
    if news.is_empty() { Ok(kept) } else { begin(environment, job, kept.scope).await }
}

struct Step<'a> {
    environment: &'a Environment<'a>,
    job: &'a Job<'a>,
    kept: &'a mut Kept,
}

impl Step<'_> {
    async fn go(&mut self, watch: &mut dyn Watch) -> Result<Reconciled, DriveError> {
        let guard = self.kept.guard.clone();
        let (turn, inventory) = match &guard {
            Some(guard) => {
                guard.sign(self.environment);
                guard.beside(self.environment, self.decide(Some(guard), watch)).await?
            }
            None => self.decide(None, watch).await?,
        };
        let guard = match guard {
            Some(guard) => guard,
            None if !self.has_work(&turn) => {
                watch.turned(&turn, &inventory);
                let outcome = turn.outcome.map(|outcome| self.told(outcome));
                return Ok(self.reconciled(turn, Vec::new(), outcome));
            }
            None => match self.take_lease(watch).await? {
                Some(guard) => guard,
                None => {
                    let wake = self.environment.clock.now();
                    return Ok(Reconciled { wake, ..self.reconciled(turn, Vec::new(), None) });
                }
            },
        };
        watch.turned(&turn, &inventory);
        let done = guard.beside(self.environment, self.act(&guard, turn, &inventory)).await?;
        if !self.kept.is_open() {
            self.kept.guard = None;
            guard.release(self.environment).await;
        }
        Ok(done)
    }

    /// Looks, and decides what to do.
    async fn decide(
        &mut self,
        guard: Option<&Guard>,
        watch: &mut dyn Watch,
    ) -> Result<(Turn, Inventory), DriveError> {
        let mut told = |why: &CloudError, again: Moment| {
            watch.told(&format!("the cloud cannot be observed: {why}; again at {again}"));
        };
        let (environment, selection) = (self.environment, &self.kept.run.selection);
        let mut inventory = look(environment, selection, OBSERVE_TRIES_MAX, guard, &mut told).await?;
        self.kept.run.unseen.note(&mut inventory, self.job.pace.unseen_max);
        if let Some(guard) = guard {
            // Looking may have taken longer than a term: whoever holds nothing decides nothing.
            guard.make_sure(self.environment).await?;
            guard.read_inbox(self.environment).await;
        }
        self.kept.run.stopping = watch.stopping() || self.is_past_deadline() || self.yields(guard, watch);
        let mut turn = self.turn(&inventory);
        if self.read_quotas(&turn, &inventory, watch).await {
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
        Ok((turn, inventory))
    }

    /// Decides; what a turn found to be as wanted is compared again only when something about it has changed.
    fn turn(&mut self, inventory: &Inventory) -> Turn {
        let mut memory = std::mem::take(&mut self.kept.run.memory);
        let turn = turn::turn_after(&self.known(inventory), &mut memory);
        self.kept.run.memory = memory;
        turn
    }

    fn known<'b>(&'b self, inventory: &'b Inventory) -> TurnInput<'b> {
        let run = &self.kept.run;
        TurnInput {
            desired: self.job.desired,
            inventory,
            ledger: &self.kept.ledger,
            policy: self.job.policy,
            figures: self.job.figures,
            agreed: self.job.agreed,
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
        let mut regions = planning::regions_that_grow(&turn.plan.steps);
        regions.retain(|region| !self.kept.run.read.contains(region));
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
        let (guard, was_free) = Guard::take(environment, job, &kept.run.id, &kept.scope, watch).await?;
        let guard = Arc::new(guard);
        // From here on it is given back, whatever goes wrong.
        kept.guard = Some(Arc::clone(&guard));
        let news = environment.store.entries(&kept.scope, kept.ledger.last_seq).await?;
        if was_free && news.is_empty() {
            return Ok(Some(guard));
        }
        let begun = begin(environment, job, kept.scope.clone()).await?;
        *kept = Kept { guard: Some(guard), ..begun };
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
        if !self.kept.is_open() && self.has_work(&turn) {
            events.push(self.opening(&turn));
        }
        events.extend(turn.record.iter().cloned());
        events.extend(turn.calls.iter().map(intent));
        self.append(guard, &events).await?;
        let answers = self.call_all(guard, &turn.calls).await;
        let answered = outcomes(&turn, answers, inventory);
        self.append(guard, &answered).await?;
        events.extend(answered);
        let outcome = turn.outcome.map(|outcome| self.told(outcome));
        if let Some(outcome) = outcome.filter(|_| self.kept.is_open()) {
            let closing = [self.closing(outcome, &turn)];
            self.append(guard, &closing).await?;
            events.extend(closing);
        }
        Ok(self.reconciled(turn, events, outcome))
    }

    fn opening(&self, turn: &Turn) -> Event {
        Event::Opened {
            purpose: self.job.purpose,
            policy: self.job.policy.clone(),
            desired: self.job.desired.fingerprint.clone(),
            steps: turn.plan.steps.len(),
            rules: Some(RecordedRules::of(&self.job.desired.rules)),
        }
    }

    fn closing(&self, outcome: Outcome, last: &Turn) -> Event {
        let mut summary = summary(last, self.kept.run.calls);
        if let Some(who) = self.kept.run.yields_to.as_ref().filter(|_| outcome == Outcome::Stopped) {
            summary = format!("yielded to {who}; {summary}");
        }
        Event::Closed { outcome, summary }
    }

    /// How the run ends, for people.
    fn told(&self, outcome: Outcome) -> Outcome {
        match outcome {
            Outcome::Stopped if self.is_past_deadline() => Outcome::Paused,
            other => other,
        }
    }

    fn reconciled(&self, turn: Turn, events: Vec<Event>, outcome: Option<Outcome>) -> Reconciled {
        Reconciled { wake: self.next_look(&turn), calls: self.kept.run.calls, turn, events, outcome }
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

    /// Makes the calls of a turn, those of each control plane beside those of the others: one that is slow holds up
    /// nobody else's. Answers are taken as they come.
    async fn call_all<'b>(
        &mut self,
        guard: &Guard,
        calls: &'b [Call],
    ) -> Vec<(&'b Call, Result<(), CloudError>)> {
        self.kept.run.calls += calls.len() as u64;
        let (world, record) = (self.environment, self.kept.ledger.claims.record.as_ref());
        let planes = by_plane(calls);
        let share = (CALLS_AT_ONCE / planes.len().max(1)).max(1);
        let streams = planes.into_values().map(|asked| {
            let asked = asked.into_iter().map(|(place, call)| async move {
                let answer = call_once(world, call, record, guard.permit()).await;
                guard.sign(world);
                (place, call, answer)
            });
            stream::iter(asked).buffer_unordered(share).boxed()
        });
        let mut answers: Vec<(usize, &Call, Result<(), CloudError>)> =
            stream::select_all(streams).collect().await;
        // In the order of the steps, so that equal runs leave equal records.
        answers.sort_by_key(|(place, ..)| *place);
        answers.into_iter().map(|(_, call, answer)| (call, answer)).collect()
    }

    /// When the next look is due. Looks that would show what the last one showed are left out, where the provider
    /// knows that; those that are left are made when they would have been made anyway.
    fn next_look(&self, turn: &Turn) -> Moment {
        let pace = self.job.pace;
        if !turn.calls.is_empty() {
            let now = self.environment.clock.now();
            // More calls can be made at once: then nothing is waited for.
            return if turn.has_more { now } else { now + pace.look_after_calls };
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

fn summary(last: &Turn, calls: u64) -> String {
    let stalled = last.stalled.as_ref().map(|why| format!("; {why}")).unwrap_or_default();
    format!(
        "{calls} calls; {} steps left, {} under way, {} held, {} waiting for their time{stalled}",
        last.plan.steps.len(),
        last.under_way.len(),
        last.held.len(),
        last.later.len()
    )
}

/// The calls by the control plane that takes them, each with its place.
fn by_plane(calls: &[Call]) -> BTreeMap<(&RegionId, Endpoint), Vec<(usize, &Call)>> {
    let mut planes: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for (place, call) in calls.iter().enumerate() {
        let address = call.step.op.address();
        planes.entry((&address.region, address.kind.facts().endpoint)).or_default().push((place, call));
    }
    planes
}

async fn call_once(
    environment: &Environment<'_>,
    call: &Call,
    record: Option<&RecordId>,
    permit: &Permit,
) -> Result<(), CloudError> {
    let mut op = call.step.op.clone();
    if let Op::Create { tags, .. } = &mut op {
        tags.insert(TAG_TOKEN.to_owned(), call.token.0.clone());
    }
    // Whoever says whose an object is says under which record, too.
    if let Op::Create { tags, .. } | Op::Tag { tags, .. } = &mut op
        && tags.contains_key(TAG_BLUEPRINT)
    {
        tags.extend(record.map(|record| (TAG_RECORD.to_owned(), record.0.clone())));
    }
    let answer = match permit.check(environment.wall) {
        Ok(()) => environment.cloud.call(&op, &call.token, permit).await.map(|_| ()),
        Err(not_sent) => Err(not_sent.into()),
    };
    tracing::info!(step = %call.step.id.0, token = %call.token.0, ok = answer.is_ok(), "called");
    answer
}
