//! Virtual time: a sleep is over as soon as nobody sleeps for less long; or, while a process keeps pace with real time, when
//! so much of that has passed.
//!
//! **Invariant:** the world's time never passes a sleeper's, unless it keeps pace with real time.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::FutureExt;
use futures::future::BoxFuture;

use rgctl_model::ports::Clock;
use rgctl_schema::time::{Moment, Span};

use super::handle::SimCloud;

/// The clock of an embedded cloud.
#[derive(Clone, Debug)]
pub struct SimClock {
    cloud: SimCloud,
}

impl SimCloud {
    /// The clock of this world.
    pub fn clock(&self) -> SimClock {
        SimClock { cloud: self.clone() }
    }
}

impl Clock for SimClock {
    fn now(&self) -> Moment {
        // A file that cannot be read is reported by the next call; time stands still until then.
        self.cloud.with_news(|_| ());
        self.cloud.lock().now()
    }

    fn sleep_until(&self, at: Moment) -> BoxFuture<'_, ()> {
        let cloud = &self.cloud;
        let sleep = async move {
            loop {
                match cloud.rest_until(at) {
                    Rest::Over => return,
                    Rest::Virtual => {
                        Sleep { cloud: cloud.clone(), until: at, id: None }.await;
                        // Where the file cannot be written time stands, and waiting on would not end.
                        if cloud.lock().pacing().is_none() {
                            return;
                        }
                    }
                    Rest::Real(wall, wait) => wall.sleep_until(wall.now() + wait).await,
                }
            }
        };
        sleep.boxed()
    }

    fn is_virtual(&self) -> bool {
        self.cloud.with_news(|_| ());
        self.cloud.lock().pacing().is_none()
    }
}

/// Longest real time without looking whether the pace is still the same: other processes may end it, or let time jump.
const BIT: Span = Span::from_millis(250);

/// How a sleep goes on.
enum Rest {
    Over,
    /// Until nobody sleeps for less long.
    Virtual,
    /// For so long by this clock, then it is asked again.
    Real(Arc<dyn Clock>, Span),
}

impl SimCloud {
    fn rest_until(&self, until: Moment) -> Rest {
        self.with_news(|_| ());
        let mut inner = self.lock();
        if inner.owes_a_sign() {
            // Where the file cannot be written nobody hears the sign; the next call reports it.
            let _ = inner.transact(|_| ());
        }
        let now = inner.now();
        if now >= until {
            return Rest::Over;
        }
        match (inner.pacing(), inner.wall.clone()) {
            (Some(pacing), Some(wall)) => Rest::Real(wall, pacing.wait(now, until).min(BIT)),
            _ => Rest::Virtual,
        }
    }
}

/// A machine's time that does not pass.
pub(super) struct FrozenClock;

impl Clock for FrozenClock {
    fn now(&self) -> Moment {
        Moment::EPOCH
    }
    fn sleep_until(&self, _: Moment) -> BoxFuture<'_, ()> {
        futures::future::pending().boxed()
    }
}

struct Sleep {
    cloud: SimCloud,
    until: Moment,
    id: Option<u64>,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let cloud = self.cloud.clone();
        let mut inner = cloud.lock();
        if inner.world.now() >= self.until || inner.pacing().is_some() {
            drop(inner);
            self.leave();
            return Poll::Ready(());
        }
        let first_time = self.id.is_none();
        let id = *self.id.get_or_insert_with(|| {
            inner.sleepers.count += 1;
            inner.sleepers.count
        });
        inner.sleepers.waiting.insert((self.until, id), context.waker().clone());
        if first_time {
            // Others of the same task may be about to sleep for less long: they are polled before time moves.
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        let is_first =
            inner.sleepers.waiting.first_key_value().is_some_and(|(key, _)| *key == (self.until, id));
        if !is_first {
            return Poll::Pending;
        }
        let until = self.until;
        // Where the file cannot be written the world's time stays in memory; the next call reports it.
        // Another process may have begun to keep pace with real time: then the sleep goes on in that.
        let _ = inner.begin_and(|inner| {
            if inner.pacing().is_none() {
                inner.world.advance(until);
            }
        });
        drop(inner);
        self.leave();
        Poll::Ready(())
    }
}

impl Sleep {
    /// The next sleeper is woken: its turn may have come.
    fn leave(&mut self) {
        let Some(id) = self.id.take() else { return };
        let mut inner = self.cloud.lock();
        inner.sleepers.waiting.remove(&(self.until, id));
        let next = inner.sleepers.waiting.first_key_value().map(|(_, waker)| waker.clone());
        drop(inner);
        if let Some(next) = next {
            next.wake();
        }
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        self.leave();
    }
}
