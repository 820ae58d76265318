//! The guard of a lease: it gets the lease, renews it beside everything else that a run does, and ends the run when it is
//! lost.
//!
//! Goes in: a job, and signs of life of its loop. Comes out: a permit to send changes that is never older than the lease.
//!
//! **Invariant:** a lease that somebody may still hold is taken only after it stood unchanged, by a clock of this machine that
//! nobody sets, for as long as it lasts. Clocks of two machines are never compared.
//! **Invariant:** a loop that gives no sign for one term is not renewed for: whoever hangs must lose its lease.
//! **Invariant:** what is sent, and what is asked to be recorded, stops with the lease, whatever the run is in the middle of.

use std::future::Future;
use std::pin::pin;
use std::sync::{Mutex, MutexGuard, PoisonError};

use futures::future::{Either, select};

use super::job::{DriveError, Environment, IfHeld, Job, Watch};
use rgctl_model::inbox::Request;
use rgctl_model::ports::{ClockReading, Lease, Permit, StoreError};
use rgctl_model::scope::Scope;
use rgctl_schema::names::RunId;
use rgctl_schema::time::{Moment, Span};

/// Holds a lease for a run, from turn to turn.
pub(super) struct Guard {
    lasts: Span,
    lease: Mutex<Lease>,
    permit: Permit,
    /// When the loop last gave a sign of life.
    alive: Mutex<ClockReading>,
    /// When it is renewed next, by this machine's time of day. It is kept here, since turns are shorter than terms.
    due: Mutex<Moment>,
    inbox: Mutex<Inbox>,
}

/// What was read of the messages.
#[derive(Default)]
struct Inbox {
    /// The epoch from which on wishes concern this holder.
    asked_since: u64,
    /// The last one that was read.
    seen: u64,
    /// Who asks this holder to yield.
    asked_by: Option<String>,
}

impl Guard {
    /// Gets the lease for a run that begins or goes on, or tells who has it; and whether it was free at once.
    pub(super) async fn take(
        environment: &Environment<'_>,
        job: &Job<'_>,
        (run, goes_on): (&RunId, bool),
        scope: &Scope,
        (watched, watch): (&mut Watched, &mut dyn Watch),
    ) -> Result<(Self, bool), StoreError> {
        let mut contest = Contest { environment: *environment, job, run, scope, watched, asked: None };
        // A wish that was told to the process before goes to whoever holds the same lease after it.
        let before = if goes_on { environment.store.lease(scope).await? } else { None };
        let (lease, sent) = contest.win(watch).await?;
        let own = before.filter(|before| !before.is_given_back() && before.is_free_for(run, job.owner, None));
        let lease_epoch = own.map_or(lease.epoch, |own| own.epoch);
        let lasts = job.pace.lease;
        let guard = Self {
            lasts,
            lease: Mutex::new(lease),
            permit: Permit::under_lease(sent, lasts),
            alive: Mutex::new(sent),
            due: Mutex::new(environment.wall.now() + lasts.third()),
            inbox: Mutex::new(Inbox { asked_since: lease_epoch, ..Inbox::default() }),
        };
        let was_free = contest.watched.take().is_none();
        Ok((guard, was_free))
    }

    /// The lease as it was last renewed.
    pub(super) fn lease(&self) -> Lease {
        locked(&self.lease).clone()
    }

    /// What lets changes through.
    pub(super) const fn permit(&self) -> &Permit {
        &self.permit
    }

    /// The loop lives.
    pub(super) fn sign(&self, environment: &Environment<'_>) {
        *locked(&self.alive) = ClockReading::of(environment.wall);
    }

    /// Whoever sleeps longer than this gives signs meanwhile.
    pub(super) fn bit(&self) -> Span {
        Ord::min(Span::from_secs(1), Span::from_millis(self.lasts.as_millis() / 8))
    }

    /// Does work with the lease renewed beside it; ends it at once when the lease is lost.
    pub(super) async fn beside<T>(
        &self,
        environment: &Environment<'_>,
        work: impl Future<Output = Result<T, DriveError>>,
    ) -> Result<T, DriveError> {
        match select(pin!(work), pin!(self.keep(environment))).await {
            Either::Left((ended, _)) => ended,
            Either::Right((lost, _)) => Err(lost.into()),
        }
    }

    /// Makes sure of the lease after something that may have taken longer than a term: what the loop is about to do
    /// would be refused otherwise.
    pub(super) async fn make_sure(&self, environment: &Environment<'_>) -> Result<(), StoreError> {
        self.sign(environment);
        if self.permit.check(environment.wall).is_ok() { Ok(()) } else { self.renew(environment).await }
    }

    /// When it is to be renewed next, by this machine's time of day.
    pub(super) fn due(&self) -> Moment {
        *locked(&self.due)
    }

    /// Renews until the lease is lost; yields the loss.
    async fn keep(&self, environment: &Environment<'_>) -> StoreError {
        let clock = environment.wall;
        loop {
            // Clocks that do not sleep let others go on all the same.
            clock.sleep_until(self.due()).await;
            tokio::task::yield_now().await;
            let is_stalled = ClockReading::of(clock).waited_since(*locked(&self.alive)) >= self.lasts;
            if is_stalled {
                tracing::warn!("no sign of the run for {}: its lease is not renewed", self.lasts);
                self.set_due(clock.now() + self.bit());
                continue;
            }
            match self.renew(environment).await {
                Ok(()) => self.read_inbox(environment).await,
                Err(lost @ StoreError::Fenced { .. }) => return lost,
                Err(error) => tracing::warn!(%error, "the lease could not be renewed"),
            }
        }
    }

    fn set_due(&self, at: Moment) {
        *locked(&self.due) = at;
    }

    /// Renews the lease. What could not be renewed is tried again soon: the record may be out of reach for a moment only.
    pub(super) async fn renew(&self, environment: &Environment<'_>) -> Result<(), StoreError> {
        self.set_due(environment.wall.now() + self.bit());
        let sent = ClockReading::of(environment.wall);
        let lease = self.lease();
        match environment.store.renew_lease(&lease, sent.wall, self.lasts).await {
            Ok(renewed) => {
                *locked(&self.lease) = renewed;
                self.permit.renew(sent, self.lasts);
                self.set_due(environment.wall.now() + self.lasts.third());
                Ok(())
            }
            Err(error) => {
                if matches!(error, StoreError::Fenced { .. }) {
                    self.permit.end();
                }
                Err(error)
            }
        }
    }

    /// Reads what was asked of this holder. Messages that cannot be read ask nothing: the run goes on.
    pub(super) async fn read_inbox(&self, environment: &Environment<'_>) {
        let (lease, seen) = (self.lease(), locked(&self.inbox).seen);
        let messages = match environment.store.inbox(&lease.scope, seen).await {
            Ok(messages) => messages,
            Err(error) => {
                tracing::warn!(%error, "the messages to this run cannot be read");
                return;
            }
        };
        let mut inbox = locked(&self.inbox);
        for message in messages {
            inbox.seen = inbox.seen.max(message.seq);
            if let Request::Yield { epoch } = message.what
                && (inbox.asked_since..=lease.epoch).contains(&epoch)
            {
                inbox.asked_by = Some(message.from);
            }
        }
    }

    /// Who asks this run to yield.
    pub(super) fn asked_by(&self) -> Option<String> {
        locked(&self.inbox).asked_by.clone()
    }

    /// Gives the lease back. Best effort: one that is not given back ends by itself.
    pub(super) async fn release(&self, environment: &Environment<'_>) {
        self.permit.end();
        let lease = self.lease();
        let _ = environment.store.release_lease(&lease).await;
    }
}

/// A lease of somebody else, and since when it is seen to stand so: whoever gives up each time, and comes again, watches it too.
pub(super) type Watched = Option<(Lease, ClockReading)>;

/// How many terms a holder is given to yield. It hears of the wish within a third of one; then it finds out what became of
/// the calls that it sent.
const TERMS_TO_YIELD: u64 = 3;
/// A lease of another version, or a damaged one, is watched no longer than this.
const WATCHED_MAX: Span = Span::from_hours(1);
/// How often a watched lease is looked at in its term.
const LOOKS_A_TERM: u64 = 12;

/// The way to a lease that somebody else may hold.
struct Contest<'a, 'b> {
    environment: Environment<'a>,
    job: &'b Job<'b>,
    run: &'b RunId,
    scope: &'b Scope,
    /// The lease that stands, and since when it is seen to stand so.
    watched: &'b mut Watched,
    /// Since when its holder is asked to yield.
    asked: Option<ClockReading>,
}

impl Contest<'_, '_> {
    /// The lease, and when it was asked for.
    async fn win(&mut self, watch: &mut dyn Watch) -> Result<(Lease, ClockReading), StoreError> {
        let (store, clock, job) = (self.environment.store, self.environment.wall, self.job);
        loop {
            let sent = ClockReading::of(clock);
            let stood = self
                .watched
                .as_ref()
                .filter(|(lease, since)| sent.waited_since(*since) >= Ord::min(lease.lasts, WATCHED_MAX));
            let stood = stood.map(|(lease, _)| lease);
            let lasts = job.pace.lease;
            let taken = store.take_lease(self.scope, self.run, job.owner, sent.wall, lasts, stood).await;
            let lease = match taken {
                Ok(lease) => return Ok((lease, sent)),
                Err(StoreError::Held { lease }) => *lease,
                Err(other) => return Err(other),
            };
            if !self.goes_on(&lease, watch).await? {
                return Err(StoreError::Held { lease: Box::new(lease) });
            }
            let bit = Span::from_millis(Ord::min(lease.lasts, lasts).as_millis() / LOOKS_A_TERM);
            clock.sleep_until(clock.now() + bit).await;
        }
    }

    /// Whether a lease that is not free is worth watching on. One that changes has a holder that lives.
    async fn goes_on(&mut self, lease: &Lease, watch: &mut dyn Watch) -> Result<bool, StoreError> {
        let now = ClockReading::of(self.environment.wall);
        let before = self.watched.as_ref().map(|(watched, _)| watched.epoch);
        let is_same = self.watched.as_ref().is_some_and(|(watched, _)| watched == lease);
        if !is_same {
            *self.watched = Some((lease.clone(), now));
        }
        // Whoever comes again has watched it meanwhile.
        if self.job.if_held == IfHeld::GiveUp || watch.stopping() {
            return Ok(false);
        }
        if self.job.if_held == IfHeld::AskToYield {
            let asked = *self.asked.get_or_insert(now);
            if before != Some(lease.epoch) {
                let request = Request::Yield { epoch: lease.epoch };
                // By the clock of the record, beside whose lines it is shown.
                let at = self.environment.clock.now();
                self.environment.store.post(self.scope, self.job.owner, at, &request).await?;
                watch.told(&format!("{} works on this, and is asked to yield", lease.owner));
            }
            // A holder that lives and does not yield keeps what it has.
            let is_patient = now.waited_since(asked) < lease.lasts.times(TERMS_TO_YIELD);
            return Ok(is_same || is_patient);
        }
        if before.is_none() {
            watch.told(&format!(
                "{} works on this, or has died: its lease is watched for {}",
                lease.owner,
                Ord::min(lease.lasts, WATCHED_MAX)
            ));
        }
        Ok(is_same || before.is_none())
    }
}

fn locked<T>(one: &Mutex<T>) -> MutexGuard<'_, T> {
    // A poisoned lock holds a whole value.
    one.lock().unwrap_or_else(PoisonError::into_inner)
}
