//! The guard of a lease: it renews the lease beside everything else that a run does, and ends the run when it is lost.
//!
//! Goes in: a lease, and signs of life of the loop. Comes out: a permit to send changes that is never older than the lease.
//!
//! **Invariant:** a loop that gives no sign for one term is not renewed for: whoever hangs must lose its lease.
//! **Invariant:** what is sent, and what is asked to be recorded, stops with the lease, whatever the run is in the middle of.

use std::future::Future;
use std::pin::pin;
use std::sync::{Mutex, MutexGuard, PoisonError};

use futures::future::{Either, select};

use super::drive::{DriveError, World};
use crate::seams::{ClockReading, Lease, Permit, StoreError};
use crate::vocabulary::time::{Moment, Span};

/// Holds a lease for a run.
pub(super) struct Guard<'a> {
    world: World<'a>,
    lasts: Span,
    lease: Mutex<Lease>,
    permit: Permit,
    /// When the loop last gave a sign of life.
    alive: Mutex<ClockReading>,
}

impl<'a> Guard<'a> {
    /// Over a lease that was asked for at `sent`.
    pub(super) fn new(world: World<'a>, lease: Lease, sent: ClockReading, lasts: Span) -> Self {
        let permit = Permit::under_lease(sent, lasts);
        Self { world, lasts, lease: Mutex::new(lease), permit, alive: Mutex::new(sent) }
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
    pub(super) fn sign(&self) {
        *locked(&self.alive) = ClockReading::of(self.world.wall);
    }

    /// Whoever sleeps longer than this gives signs meanwhile.
    pub(super) fn bit(&self) -> Span {
        Ord::min(Span::from_secs(1), Span::from_millis(self.lasts.as_millis() / 8))
    }

    /// Does work with the lease renewed beside it; ends it at once when the lease is lost.
    pub(super) async fn beside<T>(
        &self,
        work: impl Future<Output = Result<T, DriveError>>,
    ) -> Result<T, DriveError> {
        match select(pin!(work), pin!(self.keep())).await {
            Either::Left((ended, _)) => ended,
            Either::Right((lost, _)) => Err(lost.into()),
        }
    }

    /// Makes sure of the lease after something that may have taken longer than a term: what the loop is about to do
    /// would be refused otherwise.
    pub(super) async fn make_sure(&self) -> Result<(), StoreError> {
        self.sign();
        if self.permit.check(self.world.wall).is_ok() { Ok(()) } else { self.renew().await }
    }

    /// Renews until the lease is lost; yields the loss.
    async fn keep(&self) -> StoreError {
        let clock = self.world.wall;
        let mut next = clock.now() + self.lasts.third();
        loop {
            self.sleep_until(next).await;
            // What could not be renewed is tried again soon: the record may be out of reach for a moment only.
            next = clock.now() + self.bit();
            let is_stalled = ClockReading::of(clock).waited_since(*locked(&self.alive)) >= self.lasts;
            if is_stalled {
                tracing::warn!("no sign of the run for {}: its lease is not renewed", self.lasts);
                continue;
            }
            match self.renew().await {
                Ok(()) => next = clock.now() + self.lasts.third(),
                Err(lost @ StoreError::Fenced { .. }) => return lost,
                Err(error) => tracing::warn!(%error, "the lease could not be renewed"),
            }
        }
    }

    /// Clocks that do not sleep let others go on all the same.
    async fn sleep_until(&self, at: Moment) {
        self.world.wall.sleep_until(at).await;
        tokio::task::yield_now().await;
    }

    async fn renew(&self) -> Result<(), StoreError> {
        let sent = ClockReading::of(self.world.wall);
        let lease = self.lease();
        match self.world.store.renew_lease(&lease, sent.wall, self.lasts).await {
            Ok(renewed) => {
                *locked(&self.lease) = renewed;
                self.permit.renew(sent, self.lasts);
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

    /// Gives the lease back. Best effort: one that is not given back ends by itself.
    pub(super) async fn release(&self) {
        self.permit.end();
        let lease = self.lease();
        let _ = self.world.store.release_lease(&lease).await;
    }
}

fn locked<T>(one: &Mutex<T>) -> MutexGuard<'_, T> {
    // A poisoned lock holds a whole value.
    one.lock().unwrap_or_else(PoisonError::into_inner)
}
