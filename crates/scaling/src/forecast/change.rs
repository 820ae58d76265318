//! Signs that a series has changed its nature: a shift of its level, exponential growth, decay.
//!
//! They do not steer capacity — the shadow record forgets within days what no longer holds — but they belong into the
//! explanation, and growth tells when a hard bound will be hit, which no scaling can cure.

use super::bases::{Base, DAY, Predictions};

/// Days of means that are kept.
const DAYS: usize = 28;
/// A present level beyond this factor of the usual one, up or down, is a shift.
const SHIFT_FACTOR: f64 = 1.6;
/// Least daily growth that is called growth: doubling within ten weeks.
const GROWTH_PER_DAY: f64 = 0.01;
/// Least share of the variance of the daily means that steady growth must explain.
const FIT_MIN: f64 = 0.7;

/// What has changed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum DemandShift {
    /// The level of the last six hours is this many times the usual one at this time.
    LevelShift {
        /// Present over usual.
        factor: f64,
    },
    /// Demand grows exponentially.
    Growth {
        /// Days until it has doubled.
        doubling_days: f64,
    },
    /// Demand decays exponentially.
    Decay {
        /// Days until it has halved.
        halving_days: f64,
    },
}

impl DemandShift {
    /// The sign in a few words.
    pub fn words(&self) -> String {
        match self {
            Self::LevelShift { factor } => format!("the level is {factor:.1} times the usual one"),
            Self::Growth { doubling_days } => format!("demand doubles every {doubling_days:.0} days"),
            Self::Decay { halving_days } => format!("demand halves every {halving_days:.0} days"),
        }
    }
}

/// Watches daily means.
#[derive(Clone, Debug, Default)]
pub struct ChangeWatch {
    sum: f64,
    count: usize,
    means: Vec<f64>,
}

impl ChangeWatch {
    /// Takes the demand of a minute.
    pub fn push(&mut self, demand: f64) {
        self.sum += demand;
        self.count += 1;
        if self.count == DAY {
            self.means.push(self.sum / DAY as f64);
            if self.means.len() > DAYS {
                self.means.remove(0);
            }
            (self.sum, self.count) = (0.0, 0);
        }
    }

    /// What has changed, as far as it shows.
    pub fn changes(&self, said: &Predictions) -> Vec<DemandShift> {
        let mut changes = Vec::new();
        let usual = f64::from(said.of(Base::LevelSeason));
        let factor = f64::from(said.of(Base::Level6h)) / usual.max(1e-9);
        if self.means.len() >= 2 && usual > 0.0 && !(1.0 / SHIFT_FACTOR..=SHIFT_FACTOR).contains(&factor) {
            changes.push(DemandShift::LevelShift { factor });
        }
        if let Some(rate) = self.growth_per_day() {
            let days = std::f64::consts::LN_2 / rate.abs();
            changes.push(if rate > 0.0 {
                DemandShift::Growth { doubling_days: days }
            } else {
                DemandShift::Decay { halving_days: days }
            });
        }
        changes
    }

    /// Growth of the logarithm per day, when it is steady; it needs a week.
    pub fn growth_per_day(&self) -> Option<f64> {
        let n = self.means.len();
        if n < 7 || self.means.iter().any(|m| *m <= 0.0) {
            return None;
        }
        let logs: Vec<f64> = self.means.iter().map(|m| m.ln()).collect();
        let (mx, my) = ((n as f64 - 1.0) / 2.0, logs.iter().sum::<f64>() / n as f64);
        let (mut sxy, mut sxx, mut syy) = (0.0, 0.0, 0.0);
        for (i, y) in logs.iter().enumerate() {
            let x = i as f64 - mx;
            sxy += x * (y - my);
            sxx += x * x;
            syy += (y - my) * (y - my);
        }
        let slope = sxy / sxx;
        let fit = if syy > 0.0 { sxy * sxy / (sxx * syy) } else { 0.0 };
        (slope.abs() >= GROWTH_PER_DAY && fit >= FIT_MIN).then_some(slope)
    }

    /// Days until demand reaches `limit` at the present growth; `None` without growth.
    pub fn days_until(&self, limit: f64, said: &Predictions) -> Option<f64> {
        let rate = self.growth_per_day().filter(|r| *r > 0.0)?;
        let now = f64::from(said.highest[1]).max(1e-9);
        Some(((limit / now).ln() / rate).max(0.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::forecast::Bases;

    #[test]
    fn exponential_growth_is_seen_and_dated() {
        let mut watch = ChangeWatch::default();
        let mut bases = Bases::default();
        for t in 0..DAY * 14 {
            let demand = 2.0_f64.powf(t as f64 / (10.0 * DAY as f64));
            watch.push(demand);
            bases.push(demand);
        }
        let changes = watch.changes(bases.statements());
        assert!(changes.iter().any(
            |c| matches!(c, DemandShift::Growth { doubling_days } if (9.0..11.0).contains(doubling_days))
        ));
        let days = watch.days_until(2.0 * f64::from(bases.statements().highest[1]), bases.statements());
        assert!(days.is_some_and(|d| (9.0..11.0).contains(&d)));
    }

    #[test]
    fn a_step_is_a_shift_and_a_steady_series_is_nothing() {
        let mut watch = ChangeWatch::default();
        let mut bases = Bases::default();
        for t in 0..DAY * 8 + 400 {
            let demand = if t < DAY * 8 { 2.0 } else { 6.0 };
            watch.push(demand);
            bases.push(demand);
            if t == DAY * 8 - 1 {
                assert_eq!(watch.changes(bases.statements()), []);
            }
        }
        assert!(
            matches!(watch.changes(bases.statements())[..], [DemandShift::LevelShift { factor }] if factor > 2.0)
        );
    }
}
