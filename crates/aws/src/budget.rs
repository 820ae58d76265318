//! The rate budget: one token bucket for each account, region and endpoint, shared by all work of the process.
//!
//! Goes in: attempts made and answers of the service. Comes out: when the next call may be made.
//!
//! **Invariant:** every attempt costs a token, also retries and further pages; the level may go below zero, and then
//! everybody waits until it has been paid back.
//! **Invariant:** a share of each bucket, and a call at least, is out of reach for lower priorities, so that a failover is never
//! starved by reads. A bucket of which little is for us holds as much as the first call of each sort takes, and one that is slowed
//! keeps back what comes in in the same time: reads wait for it no longer than they did.
//! **Invariant:** reads are not starved by changes either: thousands of objects that are made one after the other would keep
//! anybody from seeing what became of them.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::{Arc, Mutex, PoisonError};

use rgctl_schema::time::{Moment, Span};

/// How urgent a call is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Priority {
    /// Failovers, switchovers, promotions: they may drain the bucket.
    Urgent,
    /// Changes of a plan.
    Change,
    /// Observation and metrics.
    Read,
}

/// How long a read lets changes go first.
const READS_WAIT: Span = Span::from_secs(10);

impl Priority {
    /// How urgent a call is that has waited so long.
    #[must_use]
    pub fn after(self, waited: Span) -> Self {
        if self == Self::Read && waited >= READS_WAIT { Self::Change } else { self }
    }

    /// When a call that began to wait then is looked at again: it may go through, or is more urgent.
    #[must_use]
    pub fn again(self, began: Moment, now: Moment, wait: Span) -> Moment {
        let (passes, rises) = (now + wait, began + READS_WAIT);
        if self == Self::Read && now < rises { passes.min(rises) } else { passes }
    }

    /// What must be left of a burst after the call: a share, and a call for each sort that is more urgent at least.
    const fn reserve(self, burst: f64) -> f64 {
        match self {
            Self::Urgent => 0.0,
            Self::Change => (0.05 * burst).max(1.0),
            Self::Read => (0.15 * burst).max(2.0),
        }
    }
}

/// The limits that a bucket starts with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    /// Calls a second.
    pub per_second: f64,
    /// Calls that may be made at once after a pause.
    pub burst: f64,
}

/// Share of a published limit that is left to people and other tools of the same account.
const OURS: f64 = 0.7;
/// Slowest rate to which throttling reduces a bucket, in calls a second: it must still find out that it may go faster.
const SLOWEST: f64 = 0.2;
/// Least that a full bucket holds: a read, and what it leaves.
const BURST_MIN: f64 = 3.0;
/// Part of the full rate by which an answered call speeds a slowed bucket up again.
const RECOVERY: f64 = 0.01;

impl Rate {
    /// What we allow ourselves at an endpoint. Only RDS publishes a figure (300 at once, 12 a second); the others are
    /// set below it and found out by throttling.
    pub fn of(endpoint: &str) -> Self {
        match endpoint {
            "rds" => Self { per_second: 12.0 * OURS, burst: 300.0 * OURS },
            "monitoring" => Self { per_second: 50.0 * OURS, burst: 100.0 * OURS },
            "s3" => Self { per_second: 500.0, burst: 1_000.0 },
            _ => Self { per_second: 10.0 * OURS, burst: 100.0 * OURS },
        }
    }
}

impl Rate {
    /// So many percent of it, and so much at once that each sort of call is let through.
    #[must_use]
    pub fn share(self, percent: u8) -> Self {
        let part = f64::from(percent) / 100.0;
        Self { per_second: self.per_second * part, burst: (self.burst * part).max(BURST_MIN) }
    }
}

/// One token bucket. Pure: time is an argument.
#[derive(Clone, Debug)]
pub struct TokenBucket {
    full: Rate,
    per_second: f64,
    level: f64,
    filled: Moment,
    slowed: Moment,
}

impl TokenBucket {
    /// A full bucket.
    pub const fn new(full: Rate, now: Moment) -> Self {
        Self { full, per_second: full.per_second, level: full.burst, filled: now, slowed: Moment::EPOCH }
    }

    fn fill(&mut self, now: Moment) {
        let gained = now.since(self.filled).as_secs_f64() * self.per_second;
        self.level = (self.level + gained).min(self.full.burst);
        self.filled = self.filled.max(now);
    }

    /// Has another limit from now on.
    fn hold_to(&mut self, full: Rate) {
        self.per_second *= full.per_second / self.full.per_second;
        self.level = self.level.min(full.burst);
        self.full = full;
    }

    /// Takes over what another bucket of the same limit has spent.
    fn join(&mut self, other: &Self) {
        self.level -= other.full.burst - other.level;
        self.per_second = self.per_second.min(other.per_second);
        self.slowed = self.slowed.max(other.slowed);
    }

    /// How long a call of this priority must wait; zero when it may be made now.
    pub fn wait(&mut self, now: Moment, priority: Priority) -> Span {
        self.fill(now);
        let slowed = self.full.burst * self.per_second / self.full.per_second;
        let missing = 1.0 + priority.reserve(slowed) - self.level;
        if missing <= 0.0 {
            return Span::ZERO;
        }
        let ms = (missing / self.per_second * 1_000.0).ceil();
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "positive and small")]
        let ms = ms as u64;
        Span::from_millis(ms.max(1))
    }

    /// An attempt was sent.
    pub fn spend(&mut self, now: Moment) {
        self.fill(now);
        self.level -= 1.0;
    }

    /// The service throttled: half the rate and nothing in stock. Answers to calls that were sent together count
    /// once a second.
    pub fn throttled(&mut self, now: Moment) {
        self.fill(now);
        if now.since(self.slowed) >= Span::from_secs(1) {
            // A small share may be slower than that at its best.
            self.per_second = (self.per_second / 2.0).max(SLOWEST.min(self.full.per_second));
            self.slowed = now;
        }
        self.level = self.level.min(0.0);
    }

    /// The service answered: a slowed bucket gets a little faster.
    pub fn answered(&mut self) {
        self.per_second = (self.per_second + self.full.per_second * RECOVERY).min(self.full.per_second);
    }
}

/// Whose calls count together: account, or role or profile until it is known; region; endpoint.
pub type RateLimitKey = (String, String, String);

/// All buckets of the process.
#[derive(Clone, Debug, Default)]
pub struct Budget {
    buckets: Arc<Mutex<BTreeMap<RateLimitKey, TokenBucket>>>,
    /// Percent of what we allow ourselves that is for us alone, by whose calls count together; all of it where nothing is said.
    shares: Arc<Mutex<BTreeMap<String, u8>>>,
}

impl Budget {
    /// Works on one bucket, which is made full when it does not exist.
    pub fn with<T>(
        &self,
        rate_limit_key: &RateLimitKey,
        now: Moment,
        work: impl FnOnce(&mut TokenBucket) -> T,
    ) -> T {
        // A poisoned lock holds figures, not a half-made structure: they are still good.
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let bucket = buckets
            .entry(rate_limit_key.clone())
            .or_insert_with(|| TokenBucket::new(self.rate(rate_limit_key), now));
        work(bucket)
    }

    fn rate(&self, (account, _, endpoint): &RateLimitKey) -> Rate {
        let shares = self.shares.lock().unwrap_or_else(PoisonError::into_inner);
        Rate::of(endpoint).share(shares.get(account).copied().unwrap_or(100))
    }

    /// So many percent of what we allow ourselves in an account are for us: others of ours work there, too.
    pub fn allow(&self, account: &str, percent: u8) {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        self.shares.lock().unwrap_or_else(PoisonError::into_inner).insert(account.to_owned(), percent);
        for (key, bucket) in buckets.iter_mut().filter(|(key, _)| key.0 == account) {
            bucket.hold_to(self.rate(key));
        }
    }

    /// Calls of a role or a profile count as those of its account from now on, and those that were made do as well.
    pub fn count_as(&self, name: &str, account: &str) {
        if name == account {
            return;
        }
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let old: Vec<RateLimitKey> = buckets.keys().filter(|key| key.0 == name).cloned().collect();
        for key in old {
            let Some(mut spent) = buckets.remove(&key) else { continue };
            let key = (account.to_owned(), key.1, key.2);
            // What is for us in the account is not what was for us under that name.
            spent.hold_to(self.rate(&key));
            match buckets.entry(key) {
                Entry::Vacant(empty) => drop(empty.insert(spent)),
                Entry::Occupied(mut bucket) => bucket.get_mut().join(&spent),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: Rate = Rate { per_second: 2.0, burst: 10.0 };

    #[test]
    fn a_failover_goes_through_when_reads_must_wait() {
        let now = Moment::from_secs(100);
        let mut bucket = TokenBucket::new(RATE, now);
        for _ in 0..9 {
            bucket.spend(now);
        }
        assert!(bucket.wait(now, Priority::Read) > Span::ZERO);
        assert_eq!(bucket.wait(now, Priority::Urgent), Span::ZERO);
        let later = now + Span::from_secs(1);
        assert_eq!(bucket.wait(later, Priority::Read), Span::ZERO);
    }

    #[test]
    fn a_read_that_changes_have_kept_waiting_goes_among_them() {
        let now = Moment::from_secs(100);
        let mut bucket = TokenBucket::new(RATE, now);
        for _ in 0..9 {
            bucket.spend(now);
        }
        // Changes take what comes in, and leave no more than their own reserve.
        let mut later = now;
        for second in 1..=20 {
            later = now + Span::from_millis(second * 500);
            while bucket.wait(later, Priority::Change) == Span::ZERO {
                bucket.spend(later);
            }
            assert!(bucket.wait(later, Priority::Read) > Span::ZERO, "a read never has its turn");
        }
        let waited = later.since(now);
        let later = later + Span::from_millis(500);
        assert_eq!(bucket.wait(later, Priority::Read.after(waited)), Span::ZERO);
        assert_eq!(Priority::Urgent.after(waited), Priority::Urgent);
        assert_eq!(Priority::Read.after(Span::from_secs(1)), Priority::Read);
        // It wakes up for that, and sleeps no longer than the bucket says.
        let (minute, rises) = (Span::from_mins(1), now + READS_WAIT);
        assert_eq!(Priority::Read.again(now, now + Span::from_secs(4), minute), rises);
        assert_eq!(Priority::Read.again(now, now, Span::from_secs(4)), now + Span::from_secs(4));
        assert_eq!(Priority::Read.again(now, rises, minute), rises + minute);
        assert_eq!(Priority::Change.again(now, now, minute), now + minute);
    }

    #[test]
    fn throttling_halves_the_rate_once_a_second_and_answers_restore_it() {
        let now = Moment::from_secs(100);
        let mut bucket = TokenBucket::new(RATE, now);
        bucket.throttled(now);
        bucket.throttled(now);
        assert!((bucket.per_second - 1.0).abs() < 1e-9, "{bucket:?}");
        for second in 1..=40 {
            bucket.throttled(now + Span::from_secs(second));
        }
        assert!((bucket.per_second - SLOWEST).abs() < 1e-9, "{bucket:?}");
        for _ in 0..80 {
            bucket.answered();
        }
        assert!((bucket.per_second - 1.8).abs() < 1e-9, "{bucket:?}");
        for _ in 0..80 {
            bucket.answered();
        }
        assert!((bucket.per_second - 2.0).abs() < 1e-9, "{bucket:?}");
    }

    #[test]
    fn a_share_of_an_account_bounds_what_is_called_there_also_when_it_is_said_later() {
        let (budget, now) = (Budget::default(), Moment::from_secs(100));
        let key = |account: &str| (account.to_owned(), "eu-west-1".to_owned(), "rds".to_owned());
        let all = Rate::of("rds");
        budget.with(&key("a"), now, |bucket| bucket.spend(now));
        budget.allow("a", 25);
        budget.allow("b", 50);
        let full = |account| {
            budget.with(&key(account), now, |bucket| (bucket.full, bucket.per_second, bucket.level))
        };
        let (a, rate, level) = full("a");
        assert_eq!((a, rate, level), (all.share(25), all.per_second * 0.25, all.burst * 0.25));
        assert_eq!(full("b").0, all.share(50));
        assert_eq!(full("c").0, all, "of another account nothing was said");
        budget.allow("a", 100);
        assert_eq!(full("a").0, all);
    }

    /// A full bucket of so many percent lets a call of each sort through, reads leave one for a change, and those one for a failover.
    #[test]
    fn at_each_endpoint_and_percent_every_sort_of_call_goes_through_and_none_starves_a_more_urgent_one() {
        let now = Moment::from_secs(100);
        for endpoint in
            ["rds", "elasticache", "redshift", "redshift-serverless", "monitoring", "tagging", "s3"]
        {
            for percent in 1..=100 {
                let mut bucket = TokenBucket::new(Rate::of(endpoint).share(percent), now);
                for (sort, next) in [
                    (Priority::Read, Priority::Change),
                    (Priority::Change, Priority::Urgent),
                    (Priority::Urgent, Priority::Urgent),
                ] {
                    let mut calls = 0;
                    while bucket.wait(now, sort) == Span::ZERO {
                        bucket.spend(now);
                        calls += 1;
                    }
                    assert!(calls > 0, "{endpoint}, {percent} %: {sort:?} does not go through");
                    let is_let = bucket.wait(now, next) == Span::ZERO;
                    assert_eq!(is_let, sort != Priority::Urgent, "{endpoint}, {percent} %: after {sort:?}");
                }
                // It fills again, and throttling makes it no faster than it may be.
                let mut later = now;
                for second in 0..40 {
                    later = now + Span::from_secs(second);
                    bucket.throttled(later);
                }
                assert!(bucket.per_second <= bucket.full.per_second, "{endpoint}, {percent} %");
                let wait = bucket.wait(later, Priority::Read);
                assert!(
                    wait < Span::from_mins(1),
                    "{endpoint}, {percent} %: a look has two minutes, not {wait}"
                );
                assert_eq!(bucket.wait(later + wait, Priority::Read), Span::ZERO, "{endpoint}, {percent} %");
            }
        }
    }

    #[test]
    fn what_a_role_called_counts_for_its_account_and_goes_on_at_the_share_of_that() {
        let (budget, now) = (Budget::default(), Moment::from_secs(100));
        let key = |account: &str| (account.to_owned(), "eu-west-1".to_owned(), "rds".to_owned());
        budget.allow("account", 25);
        budget.with(&key("role"), now, |bucket| bucket.spend(now));
        budget.count_as("role", "account");
        let full = budget.with(&key("account"), now, |bucket| (bucket.full, bucket.per_second));
        let share = Rate::of("rds").share(25);
        assert_eq!(full, (share, share.per_second));
    }

    #[test]
    fn two_workers_share_one_bucket() {
        let budget = Budget::default();
        let twin = budget.clone();
        let now = Moment::from_secs(1);
        let rate_limit_key: RateLimitKey = ("a".into(), "us-east-1".into(), "rds".into());
        for _ in 0..210 {
            budget.with(&rate_limit_key, now, |bucket| bucket.spend(now));
        }
        assert!(twin.with(&rate_limit_key, now, |bucket| bucket.wait(now, Priority::Urgent)) > Span::ZERO);
    }
}
