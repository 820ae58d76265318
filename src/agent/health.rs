//! Whether an agent lives, and why not.
//!
//! Goes in: signs of the loop, of the store, of the folder and of the clocks. Comes out: a verdict with its reasons.
//!
//! **Invariant:** times are counted since the machine was started: setting the clock makes nobody ill, it is a reason of its own.

use std::sync::{Mutex, MutexGuard, PoisonError};

use rgctl_model::ports::{Clock, ClockReading};
use rgctl_schema::time::{Moment, Span};

/// A loop that gives no sign for so long hangs.
pub const LOOP_SILENT_MAX: Span = Span::from_mins(1);
/// A store that did not answer for so long is out of reach.
pub const STORE_SILENT_MAX: Span = Span::from_mins(5);
/// A source of blueprints that could not be read for so long is out of reach.
pub const SOURCE_SILENT_MAX: Span = Span::from_mins(5);
/// A watch is heard of every minute, by a bookmark: one that was silent for so long may be blind.
pub const WATCH_SILENT_MAX: Span = Span::from_mins(6);
/// It is begun anew every five minutes by the server and by its own watchdog: twice that without success, and the process is to be.
pub const WATCH_DEAD_AFTER: Span = Span::from_mins(11);
/// The time of day may drift so far from the time since the start without having been set.
pub const DRIFT_MAX: Span = Span::from_secs(30);
/// For so long after the time of day was set that is a reason.
const SET_TOLD: Span = Span::from_mins(5);
/// No machine whose clock is right shows an earlier time than this: 2026-01-01.
const OLDEST: Moment = Moment::from_secs(1_767_225_600);

/// A reading of both clocks.
type Reading = ClockReading;

#[derive(Debug, Default)]
struct Signs {
    loop_seen: Span,
    store_seen: Span,
    store_error: Option<String>,
    source_seen: Span,
    source_error: Option<String>,
    last: Option<Reading>,
    /// When and by how much the time of day was set.
    was_set: Option<(Span, String)>,
    has_looked: bool,
    has_source: bool,
    /// It waits for its turn; whether another one was seen that works, so that there is something to wait for.
    waits: Option<bool>,
    /// Which of the watches is silent for longest, and since when.
    watch: Option<(Span, String)>,
    cloud_error: Option<String>,
    /// Why it does nothing before a person has done something.
    refusal: Option<String>,
}

/// What is known of an agent's health, shared by the loop and the listener.
#[derive(Debug, Default)]
pub struct Health(Mutex<Signs>);

/// A verdict: healthy when no reason is against it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Why not.
    pub reasons: Vec<String>,
}

impl Verdict {
    /// Whether nothing is wrong.
    pub const fn is_well(&self) -> bool {
        self.reasons.is_empty()
    }
}

impl Health {
    /// An agent that begins now.
    pub fn new(clock: &dyn Clock) -> Self {
        let now = clock.since_boot();
        Self(Mutex::new(Signs { loop_seen: now, store_seen: now, source_seen: now, ..Signs::default() }))
    }

    /// The loop lives. Tells by how much the time of day was set since the last sign, if it was.
    pub fn loop_lives(&self, clock: &dyn Clock) -> Option<String> {
        let reading = ClockReading::of(clock);
        let mut signs = self.locked();
        signs.loop_seen = reading.boot;
        let set = signs.last.and_then(|last| was_set(last, reading));
        if let Some(by) = &set {
            signs.was_set = Some((reading.boot, by.clone()));
        }
        signs.last = Some(reading);
        set
    }

    /// It waits for its turn, in which it asks nobody for anything; whether it has seen that another one works.
    pub fn waits(&self, clock: &dyn Clock, has_seen: bool) {
        self.loop_lives(clock);
        let now = clock.since_boot();
        let mut signs = self.locked();
        (signs.store_seen, signs.source_seen, signs.waits) = (now, now, Some(has_seen));
    }

    /// Its turn has come, if it waited for one.
    pub fn begins(&self) {
        self.locked().waits = None;
    }

    /// The store answered, or why it did not.
    pub fn store(&self, clock: &dyn Clock, answer: Result<(), String>) {
        let now = clock.since_boot();
        let mut signs = self.locked();
        match answer {
            Ok(()) => (signs.store_seen, signs.store_error) = (now, None),
            Err(why) => signs.store_error = Some(why),
        }
    }

    /// The source of blueprints was read, or why it could not be.
    pub fn source(&self, clock: &dyn Clock, answer: Result<(), String>) {
        let now = clock.since_boot();
        let mut signs = self.locked();
        match answer {
            Ok(()) => (signs.source_seen, signs.source_error, signs.has_source) = (now, None, true),
            Err(why) => signs.source_error = Some(why),
        }
    }

    /// Of all watches of the source that one is silent for longest, since then.
    pub fn watches(&self, heard: Span, which: &str) {
        self.locked().watch = Some((heard, which.to_owned()));
    }

    /// The world was looked at, where there is anything to look at; or why it could not be.
    pub fn cloud(&self, answer: Result<(), String>) {
        let mut signs = self.locked();
        match answer {
            Ok(()) => (signs.has_looked, signs.cloud_error) = (true, None),
            Err(why) => signs.cloud_error = Some(why),
        }
    }

    /// Why it does nothing until a person has put something right; nothing where it works. It lives all the same: another start
    /// would change nothing.
    pub fn refuses(&self, why: Option<String>) {
        self.locked().refusal = why;
    }

    /// Whether the agent lives: its loop goes round, its store is within reach, the clock is right.
    pub fn lives(&self, clock: &dyn Clock) -> Verdict {
        let (now, signs) = (ClockReading::of(clock), self.locked());
        let since = |then: Span| Span::from_millis(now.boot.as_millis().saturating_sub(then.as_millis()));
        let mut reasons = Vec::new();
        let silent = since(signs.loop_seen);
        if silent > LOOP_SILENT_MAX {
            reasons.push(format!("the loop gave no sign for {silent}"));
        }
        let because = |why: &Option<String>| why.as_ref().map_or_else(String::new, |why| format!(": {why}"));
        let silent = since(signs.store_seen);
        if silent > STORE_SILENT_MAX {
            reasons.push(format!("the store did not answer for {silent}{}", because(&signs.store_error)));
        }
        let silent = since(signs.source_seen);
        if silent > SOURCE_SILENT_MAX {
            reasons.push(format!(
                "the blueprints could not be read for {silent}{}",
                because(&signs.source_error)
            ));
        }
        if let Some((silent, which)) = silent_watch(&signs, now.boot, WATCH_DEAD_AFTER) {
            reasons.push(format!("the watch of {which} was silent for {silent}"));
        }
        if now.wall < OLDEST {
            reasons.push(format!("the machine's clock says {}, which is over", now.wall));
        }
        if let Some((_, by)) = signs.was_set.as_ref().filter(|(at, _)| since(*at) < SET_TOLD) {
            reasons.push(format!("the machine's clock was set {by}"));
        }
        Verdict { reasons }
    }

    /// Whether it does its work: it lives, has read its blueprints, and has seen the world.
    pub fn ready(&self, clock: &dyn Clock) -> Verdict {
        let Verdict { mut reasons } = self.lives(clock);
        let signs = self.locked();
        if let Some(has_seen) = signs.waits {
            if !has_seen {
                reasons.push("it waits for its turn, and sees no other that works: it leads in a moment, or may not read and write the Lease".to_owned());
            }
            return Verdict { reasons };
        }
        reasons.extend(signs.refusal.clone());
        let told = |why: &Option<String>| why.as_ref().map_or_else(String::new, |why| format!(": {why}"));
        if !signs.has_source {
            reasons.push(format!("the blueprints have not been read yet{}", told(&signs.source_error)));
        }
        if !signs.has_looked || signs.cloud_error.is_some() {
            let not = if signs.has_looked { "cannot be looked at" } else { "has not been looked at yet" };
            reasons.push(format!("the cloud {not}{}", told(&signs.cloud_error)));
        }
        if let Some(why) = &signs.store_error {
            reasons.push(format!("the store does not answer: {why}"));
        }
        let now = clock.since_boot();
        let is_told = silent_watch(&signs, now, WATCH_DEAD_AFTER).is_some();
        if let Some((silent, which)) = silent_watch(&signs, now, WATCH_SILENT_MAX).filter(|_| !is_told) {
            reasons.push(format!("the watch of {which} was silent for {silent}"));
        }
        Verdict { reasons }
    }

    fn locked(&self) -> MutexGuard<'_, Signs> {
        // A poisoned lock holds a whole value.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The watch that is silent for longest, where that is too long.
fn silent_watch(signs: &Signs, boot: Span, bound: Span) -> Option<(Span, &str)> {
    let (heard, which) = signs.watch.as_ref()?;
    let silent = Span::from_millis(boot.as_millis().saturating_sub(heard.as_millis()));
    (silent > bound).then_some((silent, which.as_str()))
}

/// By how much the time of day was set between two readings, in words; nothing where both clocks went alike.
fn was_set(earlier: Reading, later: Reading) -> Option<String> {
    let passed = i128::from(later.boot.as_millis()) - i128::from(earlier.boot.as_millis());
    let shown = i128::from(later.wall.as_millis()) - i128::from(earlier.wall.as_millis());
    let by = shown - passed;
    let size = Span::from_millis(u64::try_from(by.unsigned_abs()).unwrap_or(u64::MAX));
    (size > DRIFT_MAX).then(|| format!("{} by {size}", if by > 0 { "forward" } else { "back" }))
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;
    use futures::future::BoxFuture;

    use super::*;

    /// A time of day and a time since the start, in seconds.
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

    const DAY: i64 = 1_800_000_000;

    fn reasons(health: &Health, clock: &Clocks) -> String {
        health.lives(clock).reasons.join("; ")
    }

    #[test]
    fn an_agent_that_goes_round_and_reaches_its_store_is_well() {
        let health = Health::new(&Clocks(DAY, 100));
        health.loop_lives(&Clocks(DAY + 300, 400));
        health.store(&Clocks(DAY + 300, 400), Ok(()));
        health.source(&Clocks(DAY + 300, 400), Ok(()));
        assert_eq!(reasons(&health, &Clocks(DAY + 359, 459)), "");
        let not_yet = health.ready(&Clocks(DAY + 359, 459));
        assert_eq!(not_yet.reasons, ["the cloud has not been looked at yet"]);
        health.cloud(Ok(()));
        assert!(health.ready(&Clocks(DAY + 359, 459)).is_well());
    }

    #[test]
    fn who_waits_is_ready_once_it_has_seen_whom_it_waits_for() {
        let (clock, health) = (Clocks(DAY, 0), Health::new(&Clocks(DAY, 0)));
        health.waits(&clock, false);
        assert!(health.lives(&clock).is_well());
        let told = health.ready(&clock).reasons.join("; ");
        assert!(told.starts_with("it waits for its turn, and sees no other that works"), "{told}");
        health.waits(&clock, true);
        assert!(health.ready(&clock).is_well());
        health.begins();
        assert!(!health.ready(&clock).is_well(), "it has read nothing yet");
    }

    #[test]
    fn a_loop_that_hangs_and_a_store_that_is_away_are_named_with_their_reasons() {
        let health = Health::new(&Clocks(DAY, 0));
        health.store(&Clocks(DAY, 0), Err("503 SlowDown".to_owned()));
        health.loop_lives(&Clocks(DAY + 290, 290));
        assert_eq!(reasons(&health, &Clocks(DAY + 299, 299)), "", "a minute without it is borne");
        assert!(!health.ready(&Clocks(DAY + 299, 299)).is_well(), "but not ready");
        health.source(&Clocks(DAY + 290, 290), Ok(()));
        let told = reasons(&health, &Clocks(DAY + 400, 400));
        assert_eq!(told, "the loop gave no sign for 1m50s; the store did not answer for 6m40s: 503 SlowDown");
        health.store(&Clocks(DAY + 401, 401), Ok(()));
        health.loop_lives(&Clocks(DAY + 401, 401));
        assert_eq!(reasons(&health, &Clocks(DAY + 402, 402)), "");
    }

    #[test]
    fn a_watch_that_is_silent_makes_it_unready_first_and_unwell_much_later() {
        let health = Health::new(&Clocks(DAY, 0));
        let at = |seconds: u64| Clocks(DAY + i64::try_from(seconds).unwrap(), seconds);
        let lives = |seconds| {
            for sign in (0..=seconds).step_by(30) {
                health.loop_lives(&at(sign));
            }
            health.store(&at(seconds), Ok(()));
            health.source(&at(seconds), Ok(()));
            health.cloud(Ok(()));
        };
        health.watches(Span::from_secs(10), "blueprints");
        for (seconds, ready, well) in
            [(360, true, true), (390, false, true), (660, false, true), (690, false, false)]
        {
            lives(seconds);
            assert_eq!(
                health.ready(&at(seconds)).is_well(),
                ready,
                "{seconds}: {:?}",
                health.ready(&at(seconds))
            );
            assert_eq!(health.lives(&at(seconds)).is_well(), well, "{seconds}");
        }
        assert_eq!(health.ready(&at(390)).reasons, ["the watch of blueprints was silent for 6m20s"]);
        health.watches(Span::from_secs(690), "plans");
        assert!(health.ready(&at(690)).is_well(), "it was heard of again");
    }

    #[test]
    fn a_clock_that_is_set_is_told_for_a_while_and_makes_nobody_else_ill() {
        let health = Health::new(&Clocks(DAY, 0));
        assert_eq!(health.loop_lives(&Clocks(DAY, 0)), None);
        assert_eq!(health.loop_lives(&Clocks(DAY + 10, 9)), None, "clocks drift a little");
        let forward = health.loop_lives(&Clocks(DAY + 3_620, 20));
        assert_eq!(forward.as_deref(), Some("forward by 59m59s"));
        assert_eq!(
            reasons(&health, &Clocks(DAY + 3_630, 30)),
            "the machine's clock was set forward by 59m59s"
        );
        let back = health.loop_lives(&Clocks(DAY + 40, 40));
        assert_eq!(back.as_deref(), Some("back by 1h"));
        for clock in [Clocks(DAY + 200, 200), Clocks(DAY + 360, 360)] {
            health.loop_lives(&clock);
            health.store(&clock, Ok(()));
            health.source(&clock, Ok(()));
        }
        assert_eq!(reasons(&health, &Clocks(DAY + 361, 361)), "");
        assert!(reasons(&health, &Clocks(0, 361)).contains("1970"), "a machine without a battery");
    }
}
