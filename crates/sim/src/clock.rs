//! Virtual time: a sleep is over as soon as nobody sleeps for less long.
//!
//! **Invariant:** the world's time never passes a sleeper's.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures::FutureExt;
use futures::future::BoxFuture;

use rgctl_model::ports::Clock;
use rgctl_schema::time::Moment;

use super::handle::SimCloud;
use super::world::World;

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
        self.cloud.with_news(World::now)
    }

    fn sleep_until(&self, at: Moment) -> BoxFuture<'_, ()> {
        Sleep { cloud: self.cloud.clone(), until: at, id: None }.boxed()
    }

    fn is_virtual(&self) -> bool {
        true
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
        if inner.world.now() >= self.until {
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
        let _ = inner.transact(|world| world.advance(until));
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
