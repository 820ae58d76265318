//! The queue of an agent, with virtual time and ten thousand keys.

use std::collections::{BTreeMap, BTreeSet};

use rgctl::agent::queue::{Limits, Next, Queue, hash_of, part_of};
use rgctl_schema::time::{Moment, Span};

const SECOND: Span = Span::from_secs(1);
const START: Moment = Moment::from_secs(1_000_000);

fn limits() -> Limits {
    Limits { floor: Span::from_secs(5), ..Limits::default() }
}

fn queue(limits: Limits, keys: &[(&str, &str)]) -> Queue<String> {
    let mut queue = Queue::new(limits);
    for (key, account) in keys {
        assert!(queue.add(&(*key).to_owned(), account));
    }
    queue
}

fn key(name: &str) -> String {
    name.to_owned()
}

fn taken(queue: &mut Queue<String>, now: Moment) -> Option<String> {
    queue.take(now).map(|taken| taken.key)
}

#[test]
fn the_earliest_wish_wins_and_nothing_runs_before_its_time() {
    let mut queue = queue(limits(), &[("a", "1"), ("b", "1")]);
    queue.wake(&key("a"), START + Span::from_secs(30));
    queue.wake(&key("a"), START + Span::from_secs(10));
    queue.wake(&key("a"), START + Span::from_secs(20));
    queue.wake(&key("b"), START + Span::from_secs(12));
    assert_eq!(queue.next_at(), Some(START + Span::from_secs(10)));
    assert_eq!(queue.take(START + Span::from_secs(9)), None);
    let first = queue.take(START + Span::from_secs(15)).unwrap();
    assert_eq!((first.key.as_str(), first.waited), ("a", Span::from_secs(5)));
    assert_eq!(taken(&mut queue, START + Span::from_secs(15)).as_deref(), Some("b"));
    assert_eq!(taken(&mut queue, START + Span::from_hours(1)), None);
}

#[test]
fn a_key_that_is_asked_for_during_its_turn_runs_again_after_the_floor() {
    let mut queue = queue(limits(), &[("a", "1")]);
    queue.wake(&key("a"), START);
    assert!(queue.take(START).is_some());
    queue.wake(&key("a"), START + SECOND);
    assert_eq!(queue.take(START + SECOND), None, "never two turns of one key");
    queue.done(&key("a"), START + Span::from_secs(2), Next::Rest);
    assert_eq!(queue.next_at(), Some(START + Span::from_secs(5)), "the floor counts from the beginning");
    assert!(queue.take(START + Span::from_secs(5)).is_some());
    queue.done(&key("a"), START + Span::from_secs(60), Next::Rest);
    assert_eq!(queue.next_at(), None, "what was asked for once is done once");
}

#[test]
fn what_fails_waits_longer_each_time_and_two_keys_do_not_wait_alike() {
    let mut queue = queue(limits(), &[("a", "1"), ("b", "1")]);
    let mut waits: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for name in ["a", "b"] {
        let mut now = START;
        queue.wake(&key(name), now);
        for _ in 0..12 {
            assert_eq!(taken(&mut queue, now).as_deref(), Some(name));
            queue.done(&key(name), now, Next::Failed);
            let at = queue.next_at().unwrap();
            waits.entry(key(name)).or_default().push(at.since(now).as_millis());
            now = at;
        }
        queue.remove(&key(name));
    }
    for (attempt, wait) in (1_u32..).zip(&waits["a"]) {
        let whole = (5_000_u64 << (attempt - 1)).min(1_800_000);
        // The floor is as long as the first wait.
        assert!((whole / 2..=whole.max(5_000)).contains(wait), "{attempt}: {wait} of {whole}");
    }
    assert_ne!(waits["a"][5..], waits["b"][5..]);
}

#[test]
fn a_success_ends_the_growing_of_waits_and_news_go_before_a_wait() {
    let mut queue = queue(limits(), &[("a", "1")]);
    let mut now = START;
    queue.wake(&key("a"), now);
    for _ in 0..8 {
        assert!(queue.take(now).is_some());
        queue.done(&key("a"), now, Next::Failed);
        now = queue.next_at().unwrap();
    }
    assert!(queue.take(now).is_some());
    queue.done(&key("a"), now, Next::Failed);
    assert!(queue.next_at().unwrap() > now + Span::from_mins(10));
    queue.wake(&key("a"), now + SECOND);
    assert_eq!(queue.next_at(), Some(now + Span::from_secs(5)), "a changed file is looked at at once");
    now = now + Span::from_secs(5);
    assert!(queue.take(now).is_some());
    queue.done(&key("a"), now, Next::At(now + Span::from_hours(1)));
    assert_eq!(queue.next_at(), Some(now + Span::from_hours(1)));
}

#[test]
fn an_account_whose_turns_do_not_end_keeps_only_its_share_of_the_places() {
    let mut queue = Queue::new(Limits { in_flight_max: 4, ..limits() });
    for number in 0..100 {
        queue.add(&format!("slow-{number}"), "slow");
        queue.wake(&format!("slow-{number}"), START);
        queue.add(&format!("fast-{number}"), "fast");
        queue.wake(&format!("fast-{number}"), START);
    }
    let mut served = 0;
    let mut now = START;
    // Turns of one account never end; those of the other one end at once.
    for _ in 0..200 {
        now = now + Span::from_millis(10);
        while let Some(taken) = queue.take(now) {
            if taken.key.starts_with("fast") {
                served += 1;
                queue.done(&taken.key, now, Next::Rest);
            }
        }
    }
    assert_eq!(served, 100);
    assert_eq!(queue.in_flight(), 2);
}

#[test]
fn a_throttled_account_is_left_alone_and_the_others_go_on() {
    let mut queue = queue(limits(), &[("a", "1"), ("b", "2")]);
    queue.wake(&key("a"), START);
    queue.wake(&key("b"), START);
    queue.put_off("1", START + Span::from_mins(1));
    assert_eq!(taken(&mut queue, START).as_deref(), Some("b"));
    assert_eq!(queue.take(START), None);
    assert_eq!(queue.next_at(), Some(START + Span::from_mins(1)));
    assert_eq!(taken(&mut queue, START + Span::from_mins(1)).as_deref(), Some("a"));
}

#[test]
fn a_key_that_is_removed_during_its_turn_has_no_other_one() {
    let mut queue = queue(limits(), &[("a", "1"), ("b", "1")]);
    queue.wake(&key("a"), START);
    assert!(queue.take(START).is_some());
    queue.wake(&key("a"), START);
    queue.remove(&key("a"));
    assert_eq!(queue.len(), 2, "its turn still runs");
    queue.done(&key("a"), START + SECOND, Next::At(START + SECOND));
    assert_eq!((queue.len(), queue.in_flight(), queue.next_at()), (1, 0, None));
    queue.wake(&key("a"), START);
    assert_eq!(queue.next_at(), None, "nobody knows it any more");
}

#[test]
fn a_key_that_comes_back_during_its_turn_stays() {
    let mut queue = queue(limits(), &[("a", "1")]);
    queue.wake(&key("a"), START);
    assert!(queue.take(START).is_some());
    queue.remove(&key("a"));
    assert!(queue.add(&key("a"), "2"), "the file was moved, and now names another account");
    queue.wake(&key("a"), START);
    queue.done(&key("a"), START + SECOND, Next::Rest);
    assert_eq!(queue.next_at(), Some(START + Span::from_secs(5)));
    assert_eq!(queue.in_flight(), 0);
}

#[test]
fn there_is_an_end_to_keys() {
    let mut queue = Queue::new(Limits { keys_max: 2, ..limits() });
    assert!(queue.add(&key("a"), "1") && queue.add(&key("b"), "1"));
    assert!(!queue.add(&key("c"), "1"));
    assert!(queue.add(&key("a"), "2"), "what is known stays so");
    queue.remove(&key("b"));
    assert!(queue.add(&key("c"), "1"));
}

#[test]
fn a_clock_that_was_set_back_puts_nothing_off() {
    let mut queue = Queue::new(limits());
    for number in 0..100 {
        queue.add(&format!("k{number}"), "1");
        queue.wake(&format!("k{number}"), START);
    }
    for _ in 0..100 {
        let taken = queue.take(START).unwrap();
        queue.done(&taken.key, START, Next::At(START + Span::from_mins(5)));
    }
    let earlier = Moment::from_secs(START.as_secs() - 86_400);
    queue.clock_was_set(earlier, Span::from_mins(1));
    let mut moments = BTreeSet::new();
    let mut now = earlier;
    while let Some(at) = queue.next_at() {
        now = now.max(at);
        let taken = queue.take(now).unwrap();
        queue.done(&taken.key, now, Next::Rest);
        moments.insert(at);
    }
    assert!(now.since(earlier) <= Span::from_mins(1), "{now}");
    assert!(moments.len() > 50, "they do not all come at once: {}", moments.len());
}

/// A small generator, so that a failure can be had again.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

/// What is known of a key beside the queue.
#[derive(Default, Clone)]
struct Seen {
    began: Option<Moment>,
    ends: Option<Moment>,
    asked: Option<Moment>,
    turns: u32,
}

#[test]
fn ten_thousand_keys_of_seven_accounts_are_all_served_fairly_with_one_turn_at_a_time_and_the_floor_kept() {
    const KEYS: usize = 10_000;
    let mut dice = Dice(7);
    let mut queue = Queue::new(Limits { in_flight_max: 16, floor: Span::from_secs(20), ..limits() });
    let mut seen = vec![Seen::default(); KEYS];
    for (number, one) in seen.iter_mut().enumerate() {
        assert!(queue.add(&format!("{number:05}"), &format!("account-{}", number % 7)));
        queue.wake(&format!("{number:05}"), START);
        one.asked = Some(START);
    }
    let mut now = START;
    let mut running: BTreeSet<(Moment, usize)> = BTreeSet::new();
    let mut longest = Span::ZERO;
    for _ in 0..60_000 {
        let times = [queue.next_at(), running.first().map(|(at, _)| *at)];
        let Some(next) = times.into_iter().flatten().min() else { break };
        now = now.max(next);
        while running.first().is_some_and(|(at, _)| *at <= now) {
            let (_, number) = running.pop_first().unwrap();
            let next = match dice.below(10) {
                0 => Next::Failed,
                1..=3 => Next::At(now + Span::from_secs(dice.below(300))),
                _ => Next::Rest,
            };
            seen[number].ends = None;
            queue.done(&format!("{number:05}"), now, next);
        }
        // Somebody changes a file, whether its key has a turn or not.
        let number = usize::try_from(dice.below(KEYS as u64)).unwrap();
        queue.wake(&format!("{number:05}"), now);
        seen[number].asked.get_or_insert(now);
        while let Some(taken) = queue.take(now) {
            let number: usize = taken.key.parse().unwrap();
            let one = &mut seen[number];
            assert_eq!(one.ends, None, "two turns of {number} at once");
            let floor = one.began.is_none_or(|began| now.since(began) >= Span::from_secs(20));
            assert!(floor, "{number} ran again after {}", now.since(one.began.unwrap()));
            if let Some(asked) = one.asked.take() {
                longest = longest.max(now.since(asked));
            }
            // One account in seven is as slow as one that is throttled.
            let lasts = if number % 7 == 3 { 2_000 } else { 20 + dice.below(30) };
            let ends = now + Span::from_millis(lasts);
            (one.began, one.ends, one.turns) = (Some(now), Some(ends), one.turns + 1);
            running.insert((ends, number));
            assert!(running.len() <= 16);
        }
    }
    let of = |slow: bool| (0..KEYS).filter(move |number| (number % 7 == 3) == slow);
    assert!(of(false).all(|number| seen[number].turns > 0), "nobody starves");
    let slow: u32 = of(true).map(|number| seen[number].turns).sum();
    assert!(slow > 0, "nor does the slow one");
    assert!(longest < Span::from_hours(1), "{longest}");
}

#[test]
fn the_parts_of_a_hash_are_spread_evenly() {
    let mut tenths = [0_u32; 10];
    for number in 0..10_000 {
        tenths[usize::try_from(part_of(10, hash_of(&format!("blueprint-{number}"), 1))).unwrap()] += 1;
    }
    assert!(tenths.iter().all(|count| (850..1_150).contains(count)), "{tenths:?}");
}
