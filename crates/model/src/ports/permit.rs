//! Until when changes may be sent: as long as a lease is held for sure.
//!
//! Goes in: when a lease was asked for, and for how long. Comes out: yes or no, at the moment before a request leaves.
//!
//! **Invariant:** a holder counts from before it asked, so that it stops before anybody else may begin.
//! **Invariant:** by the larger of two clocks: a machine that slept, or whose clock was set, does not believe too long.

use std::sync::{Arc, Mutex, PoisonError};

use super::Clock;
use rgctl_schema::time::{Moment, Span};

/// What a machine's clocks show at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockReading {
    /// The time of day, which a hand may set.
    pub wall: Moment,
    /// Time since the machine started, its sleep included, which nobody sets.
    pub boot: Span,
}

impl ClockReading {
    /// Reads both clocks.
    pub fn of(clock: &dyn Clock) -> Self {
        Self { wall: clock.now(), boot: clock.since_boot() }
    }

    /// The reading that lies so much later on both clocks.
    #[must_use]
    pub fn after(self, span: Span) -> Self {
        Self { wall: self.wall + span, boot: self.boot + span }
    }

    /// Time that has passed for somebody who must not wait too briefly: by the clock that nobody sets.
    pub fn waited_since(self, earlier: Self) -> Span {
        Span::from_millis(self.boot.as_millis().saturating_sub(earlier.boot.as_millis()))
    }

    /// Whether that moment has come on either clock.
    fn has_reached(self, end: Self) -> bool {
        self.wall >= end.wall || self.boot >= end.boot
    }
}

/// What a holder leaves of its term unused: for clocks that run at slightly different speeds, and for a connection that
/// is made after the last look at the clock.
const MARGIN_MAX: Span = Span::from_secs(10);

/// The margin of a lease of that length.
pub fn margin(lasts: Span) -> Span {
    Ord::min(MARGIN_MAX, Span::from_millis(lasts.as_millis() / 6))
}

/// A change was not sent, since the lease is not held for sure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not sent: the lease on this work is no longer held for sure")]
pub struct NotSent;

#[derive(Clone, Copy, Debug)]
enum State {
    Always,
    NotAfter(ClockReading),
    Ended,
}

/// Permission to send changes, which ends by itself unless the lease under it is renewed. Clones are the same permit.
#[derive(Clone, Debug)]
pub struct Permit(Arc<Mutex<State>>);

impl Permit {
    /// For changes that nobody else can be in the way of, such as those of a test.
    pub fn always() -> Self {
        Self(Arc::new(Mutex::new(State::Always)))
    }

    /// Under a lease that was asked for at `sent`.
    pub fn under_lease(sent: ClockReading, lasts: Span) -> Self {
        Self(Arc::new(Mutex::new(State::NotAfter(end_of(sent, lasts)))))
    }

    /// The lease was renewed. What has been ended stays so.
    pub fn renew(&self, sent: ClockReading, lasts: Span) {
        let mut state = self.state();
        if let State::NotAfter(_) = *state {
            *state = State::NotAfter(end_of(sent, lasts));
        }
    }

    /// The lease is lost, or was given back: nothing is sent any more, by nobody who holds this permit.
    pub fn end(&self) {
        *self.state() = State::Ended;
    }

    /// The last moment, where there is one.
    pub fn not_after(&self) -> Option<ClockReading> {
        match *self.state() {
            State::NotAfter(end) => Some(end),
            State::Always | State::Ended => None,
        }
    }

    /// Asked for each request, last of all before it leaves.
    pub fn check(&self, clock: &dyn Clock) -> Result<(), NotSent> {
        match *self.state() {
            State::Always => Ok(()),
            State::NotAfter(end) if !ClockReading::of(clock).has_reached(end) => Ok(()),
            State::NotAfter(_) | State::Ended => Err(NotSent),
        }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        // A poisoned lock holds a whole value.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn end_of(sent: ClockReading, lasts: Span) -> ClockReading {
    sent.after(Span::from_millis(lasts.as_millis() - margin(lasts).as_millis()))
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;
    use futures::future::BoxFuture;

    use super::*;

    struct Clocks(i64, u64);

    impl Clock for Clocks {
        fn now(&self) -> Moment {
            Moment::from_secs(self.0)
        }
        fn since_boot(&self) -> Span {
            Span::from_secs(self.1)
        }
        fn sleep_until(&self, _: Moment) -> BoxFuture<'_, ()> {
            futures::future::pending().boxed()
        }
    }

    const MINUTE: Span = Span::from_mins(1);

    #[test]
    fn a_permit_ends_a_margin_before_its_lease_on_whichever_clock_comes_first() {
        let permit = Permit::under_lease(ClockReading::of(&Clocks(1_000, 50)), MINUTE);
        assert_eq!(permit.check(&Clocks(1_049, 99)), Ok(()));
        assert_eq!(permit.check(&Clocks(1_050, 99)), Err(NotSent), "the time of day has come");
        assert_eq!(
            permit.check(&Clocks(1_001, 100)),
            Err(NotSent),
            "the machine slept, its clock was set back"
        );
    }

    #[test]
    fn a_renewed_permit_lasts_longer_and_an_ended_one_never_again() {
        let permit = Permit::under_lease(ClockReading::of(&Clocks(1_000, 50)), MINUTE);
        let twin = permit.clone();
        permit.renew(ClockReading::of(&Clocks(1_040, 90)), MINUTE);
        assert_eq!(twin.check(&Clocks(1_080, 130)), Ok(()));
        permit.end();
        permit.renew(ClockReading::of(&Clocks(1_080, 130)), MINUTE);
        assert_eq!(twin.check(&Clocks(1_080, 130)), Err(NotSent));
    }

    #[test]
    fn the_margin_is_a_sixth_of_a_short_lease_and_ten_seconds_of_a_long_one() {
        assert_eq!(margin(Span::from_secs(6)), Span::from_secs(1));
        assert_eq!(margin(MINUTE), Span::from_secs(10));
        assert_eq!(margin(Span::from_hours(1)), Span::from_secs(10));
    }
}
