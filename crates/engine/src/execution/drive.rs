//! The one loop that awaits: look, decide, record the intents, call, record the outcomes, wait; until there is nothing
//! more to do.

use std::collections::{BTreeMap, BTreeSet};

use futures::StreamExt;
use futures::future::join_all;
use futures::stream;

use super::events::{intent, outcomes};
use super::guard::Guard;
use super::input::TurnInput;
use super::motion::Motion;
use super::schedule::Call;
use super::turn::{self, Turn};
use super::unseen::Unseen;
use crate::gate::Verdicts;
use crate::ledger::Ledger;
use crate::planning;
use rgctl_model::address::Address;
use rgctl_model::claims::Claims;
use rgctl_model::journal::{Event, Outcome, Purpose};
use rgctl_model::kinds::facts::Endpoint;
use rgctl_model::node::{Desired, TAG_BLUEPRINT, TAG_RECORD, TAG_TOKEN};
use rgctl_model::observed::{Inventory, Selection};
use rgctl_model::plan::Op;
use rgctl_model::ports::{Clock, Cloud, CloudError, Permit};
use rgctl_model::quota::KnownQuota;
use rgctl_model::rules::RecordedRules;
use rgctl_model::scope::{RecordId, Scope};
use rgctl_schema::names::RegionId;
use rgctl_schema::time::{Moment, Span};

pub use super::job::{DriveError, Environment, IfHeld, Job, Watch};

/// Calls in flight at a time, in equal shares of the control planes that are called, at least one each. The adapters keep
/// the provider's rate; this bounds sockets and memory.
const CALLS_AT_ONCE: usize = 32;
/// How often an observation that fails as a whole is repeated before the run ends.
const OBSERVE_TRIES_MAX: u32 = 8;
/// The same for a provider that is not reached at the first look: nothing has been begun, a person waits, and the
/// adapter has tried several times already.
const FIRST_TRIES_MAX: u32 = 1;

/// How a run ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Ended {
    /// How.
    pub outcome: Outcome,
    /// The last turn: what is left and why.
    pub last: Turn,
    /// Calls that were made.
    pub calls: u64,
    /// When, in the provider's time.
    pub at: Moment,
}

/// Looks at the world before anything is begun.
pub async fn observe(environment: &Environment<'_>, wanted: &Selection) -> Result<Inventory, CloudError> {
    look(environment, wanted, FIRST_TRIES_MAX, None, &mut |_, _| {}).await
}

/// Looks at the world once: throttling is waited out, and what is not reached is tried so often.
async fn look(
    environment: &Environment<'_>,
    wanted: &Selection,
    tries_max: u32,
    guard: Option<&Guard<'_>>,
    told: &mut (dyn FnMut(&CloudError, Moment) + Send),
) -> Result<Inventory, CloudError> {
    let mut tries = 0;
    loop {
        let error = match environment.cloud.observe(wanted).await {
            Ok(inventory) => return Ok(inventory),
            Err(error) => error,
        };
        let (wait, most) = match &error {
            CloudError::Throttled { after } => ((*after).max(Span::from_secs(1)), OBSERVE_TRIES_MAX),
            CloudError::Unreachable { .. } | CloudError::Unclear { .. } | CloudError::Busy { .. } => {
                (Span::from_secs(2).times(1 << tries), tries_max)
            }
            _ => return Err(error),
        };
        tries += 1;
        if tries >= most {
            return Err(error);
        }
        let again = environment.clock.now() + wait;
        told(&error, again);
        wait_until(environment.clock, again, guard, &mut || false).await;
    }
}

/// The account's own quotas in these regions, with a line for each region where they cannot be read.
pub async fn quotas(
    cloud: &dyn Cloud,
    regions: &BTreeSet<RegionId>,
    inventory: &Inventory,
) -> (Vec<KnownQuota>, Vec<String>) {
    // One region that is not reached hides nothing of the others.
    let asked = regions.iter().map(|region| async move {
        let one = BTreeSet::from([region.clone()]);
        cloud.quotas(&one).await.map_err(|error| {
            format!(
                "the account's quotas in {region} could not be read ({error}): the usual ones are assumed"
            )
        })
    });
    let (mut told, mut unread) = (Vec::new(), Vec::new());
    for answer in join_all(asked).await {
        match answer {
            Ok(quotas) => told.extend(quotas),
            Err(why) => unread.push(why),
        }
    }
    (planning::known_quotas(told, inventory), unread)
}

/// Waits until then, in bits after which the guard hears that the loop lives; less long when that is asked for.
async fn wait_until(
    clock: &dyn Clock,
    until: Moment,
    guard: Option<&Guard<'_>>,
    ends: &mut (dyn FnMut() -> bool + Send),
) {
    let bit = guard.map_or(Span::from_secs(1), Guard::bit);
    while clock.now() < until && !ends() {
        let next = if clock.is_virtual() { until } else { Ord::min(until, clock.now() + bit) };
        clock.sleep_until(next).await;
        if let Some(guard) = guard {
            guard.sign();
        }
    }
}

/// Whose record a desired state is carried out under.
pub async fn scope_of(cloud: &dyn Cloud, desired: &Desired) -> Result<Scope, CloudError> {
    let home = cloud.home(desired.regions.first()).await?;
    Ok(Scope::new(home, desired.blueprint.clone()))
}

/// What is looked at for a desired state: what is the blueprint's by its name or its tag. Objects that were adopted under
/// names of their own are found by nothing else until they are taken over, so that then everything is looked at.
pub fn selection_of(desired: &Desired, claims: &Claims) -> Selection {
    let prefix = format!("{}-", desired.blueprint);
    let is_named = |address: &&Address| !address.name.as_str().starts_with(&prefix);
    let known = desired.nodes.keys().chain(claims.objects.keys());
    let named: BTreeSet<Address> = known.filter(is_named).cloned().collect();
    let owner = named.is_empty().then(|| desired.blueprint.clone());
    Selection { regions: desired.regions.clone(), owner, named }
}

/// The same for what a run is for: what is taken over is asked for by name, since whose it is must be certain.
pub fn selection_for(purpose: Purpose, desired: &Desired, claims: &Claims) -> Selection {
    match purpose {
        Purpose::Apply | Purpose::Destroy => selection_of(desired, claims),
        Purpose::TakeOver => Selection {
            regions: desired.regions.clone(),
            owner: None,
            named: desired.nodes.keys().cloned().collect(),
        },
    }
}

/// Runs a job until there is nothing more to do, or it is stopped.
///
/// Flow: take the lease → open the run in the record → turns → close the run → give the lease back. The lease is renewed
/// beside all of it.
/// Guarantees: every call has its intent in the record before it; nothing is sent when the lease is not held for sure; a
/// run that ends in whatever way leaves a record from which the next one goes on. Assumes: the store refuses writers
/// without the current lease.
pub async fn drive(
    environment: &Environment<'_>,
    job: &Job<'_>,
    watch: &mut dyn Watch,
) -> Result<Ended, DriveError> {
    let scope = scope_of(environment.cloud, job.desired).await?;
    let guard = Guard::take(*environment, job, &scope, watch).await?;
    let began = environment.clock.now();
    let (ledger, verdicts) = (Ledger::default(), planning::verdicts(job.desired, job.figures));
    let mut run = Run {
        environment,
        job,
        guard: &guard,
        ledger,
        verdicts,
        read: BTreeSet::new(),
        calls: 0,
        began,
        motion: Motion::new(began),
        unseen: Unseen::default(),
        yields_to: None,
    };
    let ended = guard.beside(run.work(watch)).await;
    guard.release().await;
    ended
}

struct Run<'a> {
    environment: &'a Environment<'a>,
    job: &'a Job<'a>,
    guard: &'a Guard<'a>,
    ledger: Ledger,
    verdicts: Verdicts,
    /// Regions whose quotas were asked for.
    read: BTreeSet<RegionId>,
    calls: u64,
    began: Moment,
    /// Who asked for the lease.
    yields_to: Option<String>,
    motion: Motion,
    unseen: Unseen,
}

impl Run<'_> {
    async fn work(&mut self, watch: &mut dyn Watch) -> Result<Ended, DriveError> {
        let entries = self.environment.store.entries(&self.guard.lease().scope, 0).await?;
        self.ledger.fold(&entries);
        self.ledger.inherit(self.began);
        self.ledger.claims.record = Some(self.environment.store.identity(&self.guard.lease().scope).await?);
        let mut wanted = selection_for(self.job.purpose, self.job.desired, &self.ledger.claims);
        wanted.regions.extend(self.ledger.regions_held(self.began, self.job.pace.late));
        let mut opened = false;
        loop {
            self.guard.sign();
            let mut told = |why: &CloudError, again: Moment| {
                watch.told(&format!("the cloud cannot be observed: {why}; again at {again}"));
            };
            let mut inventory =
                look(self.environment, &wanted, OBSERVE_TRIES_MAX, Some(self.guard), &mut told).await?;
            self.unseen.note(&mut inventory, self.job.pace.unseen_max);
            // Looking may have taken longer than a term: whoever holds nothing decides nothing.
            self.guard.make_sure().await?;
            self.guard.read_inbox().await;
            let stopping = watch.stopping() || self.is_past_deadline() || self.yields(watch);
            let mut turn = turn::turn(&self.known(&inventory, stopping));
            if self.read_quotas(&turn, &inventory, watch).await {
                self.guard.make_sure().await?;
                turn = turn::turn(&self.known(&inventory, stopping));
            }
            tracing::debug!(
                left = turn.plan.steps.len(),
                under_way = turn.under_way.len(),
                calls = turn.calls.len(),
                seen = inventory.seen.len(),
                gaps = inventory.gaps.len(),
                "turn"
            );
            watch.turned(&turn, &inventory);
            self.motion.clone_from(&turn.motion);
            let mut events = Vec::new();
            // A run that finds nothing to do, and nothing new to obey, leaves no trace in the record.
            let has_work = !turn.record.is_empty()
                || !turn.calls.is_empty()
                || !turn.under_way.is_empty()
                || self.has_other_rules();
            if !opened && has_work {
                opened = true;
                events.push(self.opening(&turn));
            }
            events.extend(turn.record.iter().cloned());
            events.extend(turn.calls.iter().map(intent));
            self.append(&events).await?;
            let answers = self.call_all(&turn.calls).await;
            let outcomes = outcomes(&turn, answers, &inventory);
            self.append(&outcomes).await?;
            if let Some(outcome) = turn.outcome {
                return self.close(outcome, turn, opened).await;
            }
            self.sleep(&turn, stopping, watch).await;
        }
    }

    fn known<'b>(&'b self, inventory: &'b Inventory, stopping: bool) -> TurnInput<'b> {
        TurnInput {
            desired: self.job.desired,
            inventory,
            ledger: &self.ledger,
            policy: self.job.policy,
            figures: self.job.figures,
            agreed: self.job.agreed,
            run: self.job.run,
            began: self.began,
            now: self.environment.clock.now(),
            purpose: self.job.purpose,
            stopping,
            verdicts: &self.verdicts,
            authority: self.job.authority,
            pace: self.job.pace,
            motion: &self.motion,
        }
    }

    /// Reads the account's quotas where something is about to grow for the first time; whether there was anything to read.
    async fn read_quotas(&mut self, turn: &Turn, inventory: &Inventory, watch: &mut dyn Watch) -> bool {
        let mut regions = planning::regions_that_grow(&turn.plan.steps);
        regions.retain(|region| !self.read.contains(region));
        if regions.is_empty() {
            return false;
        }
        let (known, unread) = quotas(self.environment.cloud, &regions, inventory).await;
        for why in unread {
            watch.told(&why);
        }
        self.verdicts.quotas.extend(known);
        self.read.extend(regions);
        true
    }

    fn is_past_deadline(&self) -> bool {
        self.job.deadline.is_some_and(|deadline| self.environment.clock.now() >= deadline)
    }

    /// Whether somebody asks for the lease: nothing more is begun then.
    fn yields(&mut self, watch: &mut dyn Watch) -> bool {
        let asked_by = self.guard.asked_by();
        if let Some(who) = asked_by.as_ref().filter(|_| self.yields_to.is_none()) {
            watch.told(&format!("{who} asks for the lease: nothing more is begun"));
        }
        self.yields_to = asked_by;
        self.yields_to.is_some()
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

    /// Whether other policies or another calendar hold than the record tells: then they are put on record, so that an older
    /// plan is held to them.
    fn has_other_rules(&self) -> bool {
        let recorded = self.ledger.ruled.as_ref().map(|ruled| &ruled.rules);
        self.ledger.last_seq > 0 && recorded != Some(&RecordedRules::of(&self.job.desired.rules))
    }

    /// Adds lines that follow from what is on record; others are never written.
    async fn append(&mut self, events: &[Event]) -> Result<(), DriveError> {
        if events.is_empty() {
            return Ok(());
        }
        self.ledger.check(self.job.run, events)?;
        let (now, lease) = (self.environment.clock.now(), self.guard.lease());
        let after = self.ledger.last_seq;
        self.environment.store.append(&lease, after, now, events).await?;
        let last = Some((self.ledger.last_seq, self.ledger.last_hash.clone()));
        self.ledger.fold(&rgctl_model::chain::seal(&lease, last, now, events));
        self.guard.sign();
        Ok(())
    }

    /// Makes the calls of a turn, those of each control plane beside those of the others: one that is slow holds up
    /// nobody else's. Answers are taken as they come.
    async fn call_all<'b>(&mut self, calls: &'b [Call]) -> Vec<(&'b Call, Result<(), CloudError>)> {
        self.calls += calls.len() as u64;
        let (world, guard, record) = (self.environment, self.guard, self.ledger.claims.record.as_ref());
        let planes = by_plane(calls);
        let share = (CALLS_AT_ONCE / planes.len().max(1)).max(1);
        let streams = planes.into_values().map(|asked| {
            let asked = asked.into_iter().map(|(place, call)| async move {
                let answer = call_once(world, call, record, guard.permit()).await;
                guard.sign();
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

    /// Sleeps until the next look. A request to stop cuts the sleep short, but for a turn that knew of it: that one waits
    /// for the outcome of its calls.
    async fn sleep(&self, turn: &Turn, stopping: bool, watch: &mut dyn Watch) {
        let mut ends = || !stopping && (watch.stopping() || self.guard.asked_by().is_some());
        wait_until(self.environment.clock, self.next_look(turn), Some(self.guard), &mut ends).await;
    }

    async fn close(&mut self, outcome: Outcome, last: Turn, opened: bool) -> Result<Ended, DriveError> {
        let outcome = match outcome {
            Outcome::Stopped if self.is_past_deadline() => Outcome::Paused,
            other => other,
        };
        if opened {
            let mut summary = summary(&last, self.calls);
            if let Some(who) = self.yields_to.as_ref().filter(|_| outcome == Outcome::Stopped) {
                summary = format!("yielded to {who}; {summary}");
            }
            self.append(&[Event::Closed { outcome, summary }]).await?;
        }
        Ok(Ended { outcome, last, calls: self.calls, at: self.environment.clock.now() })
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
