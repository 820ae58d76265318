//! The queue of an agent: whose turn it is.
//!
//! Goes in: keys with the moment at which each wants a turn, what became of turns, the time. Comes out: the next key.
//!
//! **Invariant:** one key never has two turns at once; what is asked for meanwhile is remembered, and it runs again.
//! **Invariant:** between the beginnings of two turns of one key lies at least the floor, whatever asks for one.
//! **Invariant:** accounts take turns, and none holds more than its share of the places, so that a slow one starves nobody.
//! **Invariant:** nothing here reads a clock or draws a number: the same calls give the same order.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use rgctl_schema::time::{Moment, Span};

/// The bounds of a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Most keys: each costs memory and, now and then, a turn.
    pub keys_max: usize,
    /// Most turns at once.
    pub in_flight_max: usize,
    /// The least time between the beginnings of two turns of one key.
    pub floor: Span,
    /// The first wait after a turn that failed; it doubles each time.
    pub retry: Span,
    /// The longest such wait.
    pub retry_max: Span,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            keys_max: 20_000,
            in_flight_max: 8,
            floor: Span::from_secs(5),
            retry: Span::from_secs(5),
            retry_max: Span::from_mins(30),
        }
    }
}

/// What a turn came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Nothing is due until somebody asks.
    Rest,
    /// The next turn is due then.
    At(Moment),
    /// It failed: again after a while, which grows.
    Failed,
}

/// A key whose turn it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken<K> {
    /// Whose.
    pub key: K,
    /// How long it was due.
    pub waited: Span,
}

/// A place in the order of one account: earlier moments first, then who asked first.
type Place = (Moment, u64);

#[derive(Debug)]
struct Entry {
    account: String,
    /// Its place in the order, while it waits for a turn.
    place: Option<Place>,
    in_flight: bool,
    /// Asked for during a turn: for when.
    dirty: Option<Moment>,
    /// Turns in a row that failed.
    failures: u32,
    /// When its last turn began.
    began: Option<Moment>,
}

#[derive(Debug, Default)]
struct Account<K> {
    waiting: BTreeMap<Place, K>,
    in_flight: usize,
    /// Keys that are its own, in whatever state.
    keys: usize,
    /// Nothing of it is begun before: it was throttled.
    not_before: Option<Moment>,
}

/// Keys and the moments at which they want a turn.
#[derive(Debug)]
pub struct Queue<K> {
    limits: Limits,
    entries: BTreeMap<K, Entry>,
    accounts: BTreeMap<String, Account<K>>,
    /// The account that was served last.
    served: String,
    /// Keys that were removed during their turn.
    leaving: BTreeSet<K>,
    in_flight: usize,
    asked: u64,
}

impl<K: Ord + Clone + AsRef<str>> Queue<K> {
    /// An empty one.
    pub const fn new(limits: Limits) -> Self {
        Self {
            limits,
            entries: BTreeMap::new(),
            accounts: BTreeMap::new(),
            served: String::new(),
            leaving: BTreeSet::new(),
            in_flight: 0,
            asked: 0,
        }
    }

    /// Keys that are known.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether no key is known.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Turns that run now.
    pub const fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// Whether a turn of this key runs now.
    pub fn is_in_flight(&self, key: &K) -> bool {
        self.entries.get(key).is_some_and(|entry| entry.in_flight)
    }

    /// Keys that want a turn now, and have none.
    pub fn due(&self, now: Moment) -> usize {
        let end = (Bound::Unbounded, Bound::Included((now, u64::MAX)));
        self.accounts.values().map(|account| account.waiting.range(end).count()).sum()
    }

    /// Makes a key known, or moves it to another account; whether there was room for it.
    pub fn add(&mut self, key: &K, account: &str) -> bool {
        self.leaving.remove(key);
        if let Some(entry) = self.entries.get(key) {
            if entry.account != account {
                self.move_to(key, account);
            }
            return true;
        }
        if self.entries.len() >= self.limits.keys_max {
            return false;
        }
        let entry = Entry {
            account: account.to_owned(),
            place: None,
            in_flight: false,
            dirty: None,
            failures: 0,
            began: None,
        };
        self.entries.insert(key.clone(), entry);
        self.account(account).keys += 1;
        true
    }

    /// Forgets a key. A turn of it that runs is ended by [`Self::done`], and nothing follows upon it.
    pub fn remove(&mut self, key: &K) {
        if self.is_in_flight(key) {
            self.leaving.insert(key.clone());
            return;
        }
        self.unplace(key);
        if let Some(entry) = self.entries.remove(key) {
            self.leave_account(&entry.account);
        }
    }

    /// Asks for a turn at that time; an earlier wish stays. During a turn it is remembered for after it.
    pub fn wake(&mut self, key: &K, at: Moment) {
        let floor = self.limits.floor;
        let Some(entry) = self.entries.get_mut(key) else { return };
        if entry.in_flight {
            entry.dirty = Some(entry.dirty.map_or(at, |asked| asked.min(at)));
            return;
        }
        let at = entry.began.map_or(at, |began| at.max(began + floor));
        if entry.place.is_some_and(|(placed, _)| placed <= at) {
            return;
        }
        self.place(key, at);
    }

    /// The next key whose time has come, of the next account that has one and a free place. Its turn begins.
    pub fn take(&mut self, now: Moment) -> Option<Taken<K>> {
        if self.in_flight >= self.limits.in_flight_max {
            return None;
        }
        let share = self.share();
        let is_ready = |account: &Account<K>| {
            account.in_flight < share
                && account.not_before.is_none_or(|until| until <= now)
                && account.waiting.first_key_value().is_some_and(|((at, _), _)| *at <= now)
        };
        let after = (Bound::Excluded(self.served.as_str()), Bound::Unbounded);
        let up_to = (Bound::Unbounded, Bound::Included(self.served.as_str()));
        let mut in_order = self.accounts.range::<str, _>(after).chain(self.accounts.range::<str, _>(up_to));
        let name = in_order.find(|(_, account)| is_ready(account)).map(|(name, _)| name.clone())?;
        let account = self.accounts.get_mut(&name)?;
        let ((at, _), key) = account.waiting.pop_first()?;
        account.in_flight += 1;
        account.not_before = None;
        self.in_flight += 1;
        self.served = name;
        if let Some(entry) = self.entries.get_mut(&key) {
            (entry.place, entry.in_flight, entry.began) = (None, true, Some(now));
        }
        Some(Taken { key, waited: now.since(at) })
    }

    /// Begins a turn of this key now, whatever else waits and however short ago its last one was: an agent that ends closes what
    /// is open. Not while it has one.
    pub fn take_out_of_turn(&mut self, key: &K, now: Moment) -> bool {
        if self.entries.get(key).is_none_or(|entry| entry.in_flight) {
            return false;
        }
        self.unplace(key);
        let Some(entry) = self.entries.get_mut(key) else { return false };
        (entry.in_flight, entry.began) = (true, Some(now));
        let name = entry.account.clone();
        self.account(&name).in_flight += 1;
        self.in_flight += 1;
        true
    }

    /// A turn has ended.
    pub fn done(&mut self, key: &K, now: Moment, next: Next) {
        let Some(entry) = self.entries.get_mut(key).filter(|entry| entry.in_flight) else { return };
        entry.in_flight = false;
        let dirty = entry.dirty.take();
        entry.failures = if next == Next::Failed { entry.failures.saturating_add(1) } else { 0 };
        let (failures, name) = (entry.failures, entry.account.clone());
        self.in_flight -= 1;
        if let Some(account) = self.accounts.get_mut(&name) {
            account.in_flight -= 1;
        }
        if self.leaving.remove(key) {
            self.remove(key);
            return;
        }
        let wanted = match next {
            Next::Rest => None,
            Next::At(at) => Some(at),
            Next::Failed => Some(now + self.back_off(key, failures)),
        };
        // What was asked for during the turn goes before its own wish.
        if let Some(at) = [wanted, dirty].into_iter().flatten().min() {
            self.wake(key, at.max(now));
        }
    }

    /// A key that was taken has no turn yet: it waits for something, until then at most.
    pub fn put_back(&mut self, key: &K, now: Moment, until: Moment) {
        let Some(entry) = self.entries.get_mut(key).filter(|entry| entry.in_flight) else { return };
        let failures = entry.failures;
        // Nothing has begun: the floor is counted from the turn before, which was over when this one was due.
        entry.began = None;
        self.done(key, now, Next::At(until));
        if let Some(entry) = self.entries.get_mut(key) {
            entry.failures = failures;
        }
    }

    /// For how long the turn that is due for longest is due.
    pub fn oldest(&self, now: Moment) -> Span {
        let firsts = self.accounts.values().filter_map(|account| account.waiting.first_key_value());
        let first = firsts.map(|((at, _), _)| *at).min();
        first.filter(|at| *at < now).map_or(Span::ZERO, |at| now.since(at))
    }

    /// Whose calls a key needs.
    pub fn account_of(&self, key: &K) -> Option<&str> {
        self.entries.get(key).map(|entry| entry.account.as_str())
    }

    /// Nothing of an account is begun before then: it is throttled, and more calls would make it worse.
    pub fn put_off(&mut self, account: &str, until: Moment) {
        if let Some(account) = self.accounts.get_mut(account) {
            account.not_before = Some(account.not_before.map_or(until, |before| before.max(until)));
        }
    }

    /// The same for the account of a key.
    pub fn put_off_account_of(&mut self, key: &K, until: Moment) {
        if let Some(name) = self.entries.get(key).map(|entry| entry.account.clone()) {
            self.put_off(&name, until);
        }
    }

    /// When a turn is due next, if one may begin without another one ending first.
    pub fn next_at(&self) -> Option<Moment> {
        if self.in_flight >= self.limits.in_flight_max {
            return None;
        }
        let share = self.share();
        let open = self.accounts.values().filter(|account| account.in_flight < share);
        let times = open.filter_map(|account| {
            let ((at, _), _) = account.waiting.first_key_value()?;
            Some(account.not_before.map_or(*at, |until| until.max(*at)))
        });
        times.min()
    }

    /// The clock was set to another time. What was due at a moment of the old one is due within a while from now: nobody
    /// knows how much of the wait is over.
    pub fn clock_was_set(&mut self, now: Moment, within: Span) {
        for account in self.accounts.values_mut() {
            account.not_before = None;
        }
        let keys: Vec<K> = self.entries.keys().cloned().collect();
        for key in keys {
            let spread = Span::from_millis(part_of(within.as_millis(), hash_of(&key, 0)));
            let Some(entry) = self.entries.get_mut(&key) else { continue };
            entry.began = entry.began.map(|began| began.min(now));
            if entry.dirty.is_some() {
                entry.dirty = Some(now);
            }
            if entry.place.is_some() {
                self.place(&key, now + spread);
            }
        }
    }

    /// The wait after so many failures in a row: doubling, and between half of it and the whole by the key, so that what
    /// failed together is not tried again together.
    fn back_off(&self, key: &K, failures: u32) -> Span {
        let doublings = failures.saturating_sub(1).min(24);
        let whole = self.limits.retry.times(1 << doublings).as_millis();
        let whole = whole.min(self.limits.retry_max.as_millis());
        Span::from_millis(whole / 2 + part_of(whole - whole / 2, hash_of(key, failures)))
    }

    /// Places of one account: an equal part of them, at least one.
    fn share(&self) -> usize {
        let accounts = self.accounts.values().filter(|account| account.keys > 0).count();
        (self.limits.in_flight_max / accounts.max(1)).max(1)
    }

    fn account(&mut self, name: &str) -> &mut Account<K> {
        let none = || Account { waiting: BTreeMap::new(), in_flight: 0, keys: 0, not_before: None };
        self.accounts.entry(name.to_owned()).or_insert_with(none)
    }

    fn leave_account(&mut self, name: &str) {
        let Some(account) = self.accounts.get_mut(name) else { return };
        account.keys -= 1;
        if account.keys == 0 {
            self.accounts.remove(name);
        }
    }

    fn move_to(&mut self, key: &K, account: &str) {
        let Some(entry) = self.entries.get(key) else { return };
        let (place, in_flight, old) = (entry.place, entry.in_flight, entry.account.clone());
        self.unplace(key);
        if in_flight && let Some(account) = self.accounts.get_mut(&old) {
            account.in_flight -= 1;
        }
        self.leave_account(&old);
        let new = self.account(account);
        new.keys += 1;
        new.in_flight += usize::from(in_flight);
        if let Some(entry) = self.entries.get_mut(key) {
            account.clone_into(&mut entry.account);
        }
        if let Some((at, _)) = place {
            self.place(key, at);
        }
    }

    fn place(&mut self, key: &K, at: Moment) {
        self.unplace(key);
        self.asked += 1;
        let place = (at, self.asked);
        let Some(entry) = self.entries.get_mut(key) else { return };
        entry.place = Some(place);
        let name = entry.account.clone();
        self.account(&name).waiting.insert(place, key.clone());
    }

    fn unplace(&mut self, key: &K) {
        let Some(entry) = self.entries.get_mut(key) else { return };
        if let Some(place) = entry.place.take()
            && let Some(account) = self.accounts.get_mut(&entry.account)
        {
            account.waiting.remove(&place);
        }
    }
}

/// A number that follows from a key and a count: FNV-1a, with its bits mixed at the end.
pub fn hash_of(key: &impl AsRef<str>, count: u32) -> u64 {
    let bytes = key.as_ref().bytes().chain(count.to_be_bytes());
    let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let mixed = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    mixed ^ (mixed >> 33)
}

/// A part of a whole, evenly spread by a hash.
pub fn part_of(whole: u64, hash: u64) -> u64 {
    let part = (u128::from(whole) * u128::from(hash)) >> 64;
    u64::try_from(part).unwrap_or(whole)
}
