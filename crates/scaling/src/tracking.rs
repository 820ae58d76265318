//! AWS target tracking as a baseline, with its real alarm rules: for readers, for shards, and with a predictive floor.
//!
//! A high alarm fires after some one-minute points above the target, a low alarm after fifteen points below a share of
//! it; the points of the whole time count, also those while a change is pending. An activity is complete when the element
//! exists: until then nothing new is asked for, and then its cooldown begins. That the element is still cold is nothing
//! the provider knows. A removal is complete at once. A scale-out is not held back by a cooldown (it interrupts the one
//! of a scale-in and, being larger than the last request, ignores its own); a scale-in is held back by both. Processor
//! time is capped at 100 %, so that one step can at most multiply the capacity by 100 % over the target.
//!
//! This reading of the published rules is the one of those tried that reproduces the reference figures best; see
//! `docs/scaling.md`.

use std::collections::VecDeque;

use super::evaluate::{PolicyInput, ScalingPolicy};
use super::feed::Shared;
use super::optimum::units_needed;
use crate::forecast::bases::DAY;

/// Points below the low threshold before anything is given back.
const LOW_POINTS: usize = 15;

/// The rules of one kind of scalable thing.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TrackingRules {
    /// One-minute points above the target before capacity is added.
    pub points: usize,
    /// Share of the target below which capacity may be given back.
    pub low_share: f64,
    /// Least step outwards, as a share of the present capacity; at least one element.
    pub step_min: f64,
    /// Minutes after a completed scale-out in which nothing is given back.
    pub cooldown_out: u32,
    /// Minutes after a completed scale-in in which nothing is given back.
    pub cooldown_in: u32,
}

impl TrackingRules {
    /// Aurora readers: five minutes of cooldown, one reader at a time inwards.
    pub const READERS: Self =
        Self { points: 3, low_share: 0.9, step_min: 0.0, cooldown_out: 5, cooldown_in: 5 };
    /// ElastiCache shards: steps of a fifth at least, in only below 75 % of the target, cooldowns of 600 and 900 s.
    pub const SHARDS: Self =
        Self { low_share: 0.75, step_min: 0.2, cooldown_out: 10, cooldown_in: 15, ..Self::READERS };
}

/// Target tracking at one target utilisation.
pub struct TargetTracking {
    target: f64,
    rules: TrackingRules,
    recent: VecDeque<f64>,
    cooldown: u32,
    was_creating: bool,
    ahead: Option<Shared>,
}

impl TargetTracking {
    /// Tracks `target`.
    pub fn new(target: f64, rules: TrackingRules) -> Self {
        Self { target, rules, recent: VecDeque::new(), cooldown: 0, was_creating: false, ahead: None }
    }

    /// Also holds what a forecast asks for.
    #[must_use]
    pub fn at_least(self, ahead: Shared) -> Self {
        Self { ahead: Some(ahead), ..self }
    }

    /// The last `count` points satisfy a condition; false while there are fewer.
    fn all_of_last(&self, count: usize, holds: impl Fn(f64) -> bool) -> bool {
        self.recent.len() >= count && self.recent.iter().rev().take(count).all(|u| holds(*u))
    }
}

/// The highest of the coming hour on the days that a predictive policy looks at, launched five minutes early.
pub fn predicted(known: &[f64]) -> f64 {
    let hour_ahead = |day: usize| {
        let start = (known.len() + 5).checked_sub(DAY * day)?;
        known.get(start..(start + 60).min(known.len()))?.iter().copied().reduce(f64::max)
    };
    [1, 7, 14].into_iter().filter_map(hour_ahead).fold(0.0, f64::max)
}

impl ScalingPolicy for TargetTracking {
    fn begin(&mut self, past: &[f64]) -> Option<u32> {
        past.last().map(|d| units_needed(*d, self.target))
    }

    fn target(&mut self, view: &PolicyInput<'_>) -> u32 {
        let (Some(demand), Some(served)) = (view.known.last(), view.served) else { return view.ordered };
        self.recent.push_back((demand / served.max(1e-9)).min(1.0));
        if self.recent.len() > LOW_POINTS {
            self.recent.pop_front();
        }
        self.cooldown = self.cooldown.saturating_sub(1);
        if self.was_creating && !view.creating {
            self.cooldown = self.cooldown.max(self.rules.cooldown_out);
        }
        self.was_creating = view.creating;
        let floor = self.ahead.as_ref().map_or(0, |a| units_needed(a.at(view.known).0, self.target));
        if view.creating {
            return view.ordered.max(floor);
        }
        let high = self.all_of_last(self.rules.points, |u| u > self.target);
        let low = self.all_of_last(LOW_POINTS, |u| u < self.rules.low_share * self.target);
        let wanted = if high {
            let utilisation = self.recent.back().copied().unwrap_or(0.0);
            let least = units_needed(f64::from(view.ordered) * self.rules.step_min, 1.0);
            units_needed(f64::from(view.ordered) * utilisation, self.target).max(view.ordered + least)
        } else if low && self.cooldown == 0 {
            self.cooldown = self.rules.cooldown_in;
            view.ordered.saturating_sub(1)
        } else {
            view.ordered
        };
        wanted.max(floor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(policy: &mut TargetTracking, demand: f64, served: f64, ordered: u32) -> u32 {
        policy.target(&PolicyInput {
            known: &[demand],
            served: Some(served),
            ordered,
            changing: false,
            creating: false,
        })
    }

    #[test]
    fn out_after_three_points_and_in_by_one_after_fifteen() {
        let mut readers = TargetTracking::new(0.5, TrackingRules::READERS);
        assert_eq!((0..3).map(|_| ask(&mut readers, 9.0, 10.0, 10)).collect::<Vec<_>>(), [10, 10, 18]);
        let asked: Vec<u32> = (0..20).map(|_| ask(&mut readers, 1.0, 10.0, 10)).collect();
        assert_eq!(asked[13..], [10, 9, 10, 10, 10, 10, 9], "its cooldown lasts five minutes");
    }

    #[test]
    fn shards_grow_by_a_fifth_at_least_and_shrink_late() {
        let mut shards = TargetTracking::new(0.5, TrackingRules::SHARDS);
        assert_eq!((0..3).map(|_| ask(&mut shards, 5.1, 10.0, 10)).last(), Some(12));
        let asked = (0..30).map(|_| ask(&mut shards, 4.0, 10.0, 10)).min();
        assert_eq!(asked, Some(10), "40 % is below 90 % of the target and above 75 % of it");
    }

    #[test]
    fn a_scale_out_does_not_wait_for_the_cooldown_of_a_scale_in() {
        let mut readers = TargetTracking::new(0.5, TrackingRules::READERS);
        let shrunk = (0..15).map(|_| ask(&mut readers, 1.0, 10.0, 10)).last();
        let grown = (0..3).map(|_| ask(&mut readers, 8.1, 9.0, 9)).last();
        assert_eq!((shrunk, grown), (Some(9), Some(17)));
    }
}
