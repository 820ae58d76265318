//! Virtual time that keeps pace with real time: one clock for all processes that share a world.
//!
//! Goes in: where the pace began, and the time since this machine was started. Comes out: the world's time.
//!
//! **Invariant:** two processes that read the same row at the same moment read the same time.
//! **Invariant:** a pace that nobody keeps stands: time does not go on behind the back of a process that died, and does not
//! jump when the next one comes.

use serde::{Deserialize, Serialize};

use rgctl_schema::time::{Moment, Span};

/// How long time goes on after the last sign of a process that keeps it: longer than such a process ever is busy.
const KEPT: Span = Span::from_secs(30);

/// A pace, as the world keeps it. Real time is counted since the machine was started, since no hand sets that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pacing {
    /// Virtual seconds in a real one.
    pub factor: u32,
    /// When it began, in real time.
    since: Span,
    /// When it began, in virtual time.
    at: Moment,
    /// Until when it is kept, in real time.
    until: Span,
}

impl Pacing {
    /// One that begins now.
    pub fn begin(factor: u32, real: Span, at: Moment) -> Self {
        Self { factor, since: real, at, until: real + KEPT }
    }

    /// Whether somebody keeps it. Before its own beginning it is another life of the machine.
    pub fn is_kept(&self, real: Span) -> bool {
        self.since <= real && real < self.until
    }

    /// The world's time; none where the machine was started anew since.
    pub fn now(&self, real: Span) -> Option<Moment> {
        let real = real.min(self.until).as_millis();
        let passed = real.checked_sub(self.since.as_millis())?;
        Some(self.at + Span::from_millis(passed.saturating_mul(u64::from(self.factor))))
    }

    /// How long a wait for a moment takes in real time: at least a millisecond, so that who waits does not turn in circles.
    pub fn wait(&self, now: Moment, until: Moment) -> Span {
        Span::from_millis(until.since(now).as_millis().div_ceil(u64::from(self.factor.max(1))).max(1))
    }

    /// The same, kept for longer; nothing where that is not needed yet.
    pub fn kept_on(&self, real: Span) -> Option<Self> {
        let left = self.until.as_millis().saturating_sub(real.as_millis());
        (left < KEPT.as_millis() / 2).then(|| Self { until: real + KEPT, ..*self })
    }

    /// The same after a jump of virtual time.
    pub fn jumped(&self, by: Span) -> Self {
        Self { at: self.at + by, ..*self }
    }

    /// The same, kept by nobody from now on.
    pub fn left(&self, real: Span) -> Self {
        Self { until: real.min(self.until), ..*self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GENESIS: Moment = Moment::from_secs(1_000);

    #[test]
    fn time_passes_by_the_factor_and_stands_when_nobody_keeps_it() {
        let pace = Pacing::begin(60, Span::from_secs(100), GENESIS);
        assert_eq!(pace.now(Span::from_secs(101)), Some(GENESIS + Span::from_mins(1)));
        assert!(pace.is_kept(Span::from_secs(129)) && !pace.is_kept(Span::from_secs(130)));
        let end = pace.now(Span::from_secs(130));
        assert_eq!(end, Some(GENESIS + Span::from_mins(30)));
        assert_eq!(pace.now(Span::from_hours(1)), end, "it stands");
        assert_eq!(pace.kept_on(Span::from_secs(110)), None);
        let longer = pace.kept_on(Span::from_secs(120)).unwrap();
        assert_eq!(longer.now(Span::from_secs(140)), Some(GENESIS + Span::from_mins(40)));
        assert_eq!(
            longer.left(Span::from_secs(125)).now(Span::from_secs(140)),
            Some(GENESIS + Span::from_mins(25))
        );
    }

    #[test]
    fn another_life_of_the_machine_is_another_time() {
        let pace = Pacing::begin(60, Span::from_secs(100), GENESIS);
        assert_eq!(pace.now(Span::from_secs(99)), None);
        assert!(!pace.is_kept(Span::from_secs(99)));
    }

    #[test]
    fn a_wait_is_as_much_shorter_as_time_is_faster() {
        let pace = Pacing::begin(60, Span::ZERO, GENESIS);
        assert_eq!(pace.wait(GENESIS, GENESIS + Span::from_mins(5)), Span::from_secs(5));
        assert_eq!(pace.wait(GENESIS, GENESIS + Span::from_millis(1)), Span::from_millis(1));
        assert_eq!(pace.jumped(Span::from_hours(1)).now(Span::ZERO), Some(GENESIS + Span::from_hours(1)));
    }
}
