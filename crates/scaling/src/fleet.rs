//! A small fleet, minute by minute: what was ordered, what serves, what is billed.
//!
//! Goes in: one target per minute. Comes out: serving and billed capacity of that minute.
//!
//! **Invariant:** serving capacity never exceeds what was ordered at least one lag ago.
//! **Invariant:** billed is at least serving for elements.

use std::collections::VecDeque;

use super::axis::{AxisProfile, ScalingMode};

/// What a fleet does in one minute.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct FleetState {
    /// Capacity that serves, in units.
    pub serving: f64,
    /// Capacity that is paid for, in units.
    pub billed: f64,
    /// Of which only because of minimum billing.
    pub billed_idle: f64,
    /// Capacity ordered in all: serving plus in flight.
    pub ordered: u32,
}

/// A fleet on one axis.
#[derive(Clone, Debug)]
pub struct Fleet {
    axis: AxisProfile,
    now: i64,
    /// Order minutes of the living elements, ascending, each with the count that was ordered then.
    elements: VecDeque<(i64, u32)>,
    /// Living elements in all.
    count: u32,
    /// Minutes until which removed elements are still billed, each with their count.
    retired: Vec<(i64, u32)>,
    serial: Serial,
    level: f64,
    starts: u64,
}

/// The single move of an axis on which only one may run.
#[derive(Clone, Copy, Debug, Default)]
struct Serial {
    from: u32,
    to: u32,
    began: i64,
    moving: bool,
}

impl Fleet {
    /// A fleet of `units` elements that have served for long.
    pub fn new(axis: AxisProfile, units: u32) -> Self {
        let long_ago = -1_000_000;
        Self {
            axis,
            now: 0,
            elements: VecDeque::from([(long_ago, units)]),
            count: units,
            retired: Vec::new(),
            serial: Serial { from: units, to: units, began: long_ago, moving: false },
            level: f64::from(units),
            starts: 0,
        }
    }

    /// Capacity ordered in all, before this minute's target.
    pub fn ordered(&self) -> u32 {
        match self.axis.motion {
            ScalingMode::Elements => self.count,
            _ => self.serial.to,
        }
    }

    /// Whether an ordered change is not finished.
    pub fn changing(&self) -> bool {
        match self.axis.motion {
            ScalingMode::Elements => self.younger_than(self.lag()),
            _ => self.serial.moving,
        }
    }

    /// Whether something ordered does not exist yet. What exists and is cold counts as done for the provider.
    pub fn creating(&self) -> bool {
        match self.axis.motion {
            ScalingMode::Elements => self.younger_than(i64::from(self.axis.create_minutes)),
            _ => self.serial.moving,
        }
    }

    fn younger_than(&self, minutes: i64) -> bool {
        self.elements.back().is_some_and(|(t, _)| self.now - t < minutes)
    }

    fn at_least_as_old_as(&self, minutes: i64) -> u32 {
        self.elements.iter().take_while(|(t, _)| self.now - t >= minutes).map(|(_, n)| n).sum()
    }

    /// Elements started since the beginning.
    pub fn starts(&self) -> u64 {
        self.starts
    }

    fn lag(&self) -> i64 {
        i64::from(self.axis.lag_minutes())
    }

    /// Takes the target of this minute and lets the minute pass.
    pub fn minute(&mut self, target: u32) -> FleetState {
        let standing = match self.axis.motion {
            ScalingMode::Elements => self.elements_minute(target),
            ScalingMode::Reshard { moving_minutes } => self.serial_minute(target, Some(moving_minutes), 0),
            ScalingMode::Resize { outage_minutes } => self.serial_minute(target, None, outage_minutes),
            ScalingMode::Continuous { up_units, up_share, down_share } => {
                let wanted = f64::from(target);
                // The target of the minute before is what has had time to arrive.
                let aim = f64::from(self.serial.to);
                let (up, down) = (up_units + up_share * self.level, down_share * self.level);
                self.level = aim.clamp(self.level - down, self.level + up);
                self.serial.to = target;
                self.starts += u64::from(wanted > aim);
                FleetState { serving: self.level, billed: self.level, billed_idle: 0.0, ordered: target }
            }
        };
        self.now += 1;
        self.merge_old();
        standing
    }

    fn elements_minute(&mut self, target: u32) -> FleetState {
        let (now, create, lag) = (self.now, i64::from(self.axis.create_minutes), self.lag());
        let minimum = i64::from(self.axis.minimum_billing_minutes);
        if self.count < target {
            self.elements.push_back((now, target - self.count));
            self.starts += u64::from(target - self.count);
            self.count = target;
        }
        // An element in creation cannot be called back, and what serves is not given away for what does not yet:
        // so the oldest go first, but never below the target in serving elements.
        let mut serving = self.at_least_as_old_as(lag);
        let mut leaving = self.count.min(serving).saturating_sub(target);
        serving -= leaving;
        self.count -= leaving;
        while let Some((ordered, here)) = self.elements.front_mut().filter(|_| leaving > 0) {
            let gone = leaving.min(*here);
            let until = *ordered + create + minimum;
            if until > now {
                self.retired.push((until, gone));
            }
            leaving -= gone;
            *here -= gone;
            if *here == 0 {
                self.elements.pop_front();
            }
        }
        self.retired.retain(|(until, _)| *until > now);
        let idle: u32 = self.retired.iter().map(|(_, n)| n).sum();
        FleetState {
            serving: f64::from(serving),
            billed: f64::from(self.at_least_as_old_as(create) + idle),
            billed_idle: f64::from(idle),
            ordered: self.count,
        }
    }

    /// Elements that have paid their minimum and serve are all alike: they become one entry.
    fn merge_old(&mut self) {
        let settled = self.lag().max(i64::from(self.axis.create_minutes + self.axis.minimum_billing_minutes));
        while self.elements.get(1).is_some_and(|(t, _)| self.now - t > settled) {
            let Some((_, first)) = self.elements.pop_front() else { return };
            if let Some((_, next)) = self.elements.front_mut() {
                *next += first;
            }
        }
    }

    fn serial_minute(&mut self, target: u32, moving_minutes: Option<u32>, outage_minutes: u32) -> FleetState {
        let lag = self.lag();
        if self.serial.moving && self.now - self.serial.began >= lag {
            self.serial = Serial { from: self.serial.to, moving: false, ..self.serial };
        }
        if !self.serial.moving && target != self.serial.to && target > 0 {
            self.serial = Serial { from: self.serial.to, to: target, began: self.now, moving: true };
            self.starts += u64::from(target.saturating_sub(self.serial.from));
        }
        let Serial { from, to, began, moving } = self.serial;
        let age = self.now - began;
        if !moving {
            let size = f64::from(to);
            return FleetState { serving: size, billed: size, billed_idle: 0.0, ordered: to };
        }
        let left = lag - age;
        let serving = match moving_minutes {
            Some(minutes) => {
                let share = (1.0 - left as f64 / f64::from(minutes.max(1))).clamp(0.0, 1.0);
                effective_capacity(f64::from(from), f64::from(to), share)
            }
            None if left <= i64::from(outage_minutes) => 0.0,
            None => f64::from(from),
        };
        // What grows is paid from when it exists; what shrinks is paid until its data has left.
        let exists = age >= i64::from(self.axis.create_minutes);
        let billed = if exists || to < from { from.max(to) } else { from };
        FleetState { serving, billed: f64::from(billed), billed_idle: 0.0, ordered: to }
    }
}

/// Effective capacity while a share of the data has moved from `from` to `to` elements.
///
/// The fullest element limits all of them: it holds `1/from` of the data at first and `1/to` at the end (P-Store,
/// section 4.3 there; symmetric when shrinking).
pub fn effective_capacity(from: f64, to: f64, share_moved: f64) -> f64 {
    if to >= from {
        1.0 / (1.0 / from - share_moved * (1.0 / from - 1.0 / to))
    } else {
        1.0 / (1.0 / to - (1.0 - share_moved) * (1.0 / to - 1.0 / from))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ordered_reader_is_billed_after_five_and_serves_after_eight_minutes() {
        let mut fleet = Fleet::new(AxisProfile::READER, 2);
        let path: Vec<_> = (0..10).map(|_| fleet.minute(3)).collect();
        assert_eq!(path.iter().map(|s| s.serving).collect::<Vec<_>>()[6..], [2.0, 2.0, 3.0, 3.0]);
        assert_eq!(path.iter().map(|s| s.billed).collect::<Vec<_>>()[3..6], [2.0, 2.0, 3.0]);
    }

    #[test]
    fn a_removed_reader_is_billed_for_ten_minutes_at_least() {
        let mut fleet = Fleet::new(AxisProfile::READER, 1);
        for _ in 0..8 {
            fleet.minute(2);
        }
        let after: Vec<_> = (0..12).map(|_| fleet.minute(1)).collect();
        assert!(
            after.iter().all(|s| (s.serving - 1.0).abs() < 1e-9),
            "the old one leaves, the young one serves"
        );
        assert!((after[0].billed - 1.0).abs() < 1e-9, "the oldest has long paid its minimum");
    }

    #[test]
    fn what_serves_is_not_given_away_for_what_does_not_yet() {
        let mut fleet = Fleet::new(AxisProfile::READER, 3);
        fleet.minute(5);
        assert_eq!(fleet.minute(3), FleetState { serving: 3.0, billed: 3.0, billed_idle: 0.0, ordered: 5 });
    }

    #[test]
    fn resharding_reaches_its_new_capacity_by_and_by_and_alone() {
        let mut fleet = Fleet::new(AxisProfile::SHARD, 4);
        let path: Vec<f64> = (0..25).map(|t| fleet.minute(if t == 3 { 12 } else { 8 }).serving).collect();
        assert!(path[..8].iter().all(|s| (s - 4.0).abs() < 1e-9), "a second move waits");
        assert!(path[12] > 4.0 && path[12] < 8.0);
        assert!((path[20] - 8.0).abs() < 1e-9);
        assert!((effective_capacity(8.0, 4.0, 0.0) - 8.0).abs() < 1e-9);
        assert!((effective_capacity(8.0, 4.0, 1.0) - 4.0).abs() < 1e-9);
    }

    #[test]
    fn a_resize_interrupts_service_before_it_ends() {
        let mut fleet = Fleet::new(AxisProfile::NODE, 2);
        let path: Vec<f64> = (0..14).map(|_| fleet.minute(4).serving).collect();
        assert_eq!(path[7..], [2.0, 0.0, 0.0, 0.0, 0.0, 4.0, 4.0]);
    }
}
