//! How sure a comparison is: a block bootstrap over days, paired by trace.
//!
//! Minutes follow each other too closely to be drawn one by one; days are taken for independent enough. Each draw takes as
//! many days of each trace as it has, with repetition, the same days for both policies. A policy that misses a gate on
//! the drawn days counts as the static peak, as in the figure of merit.
//!
//! **Invariant:** the same outcomes give the same interval; chance comes from a fixed seed.

use super::backtest::Optima;
use super::evaluate::{Day, EvaluationResult};

/// Draws: the ends of a 90 % interval of a thousand draws rest on fifty draws each.
const DRAWS: usize = 1000;

/// A figure with its 90 % interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// Fifth percentile.
    pub low: f64,
    /// Median.
    pub middle: f64,
    /// Ninety-fifth percentile.
    pub high: f64,
}

/// Cost of one policy over another: geometric means over traces of the ratio.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Comparison {
    /// With misses counted as the static peak.
    pub judged: Interval,
    /// Cost alone.
    pub raw: Interval,
}

/// One trace with what both policies did on it.
pub type Pair<'a> = (&'a EvaluationResult, &'a EvaluationResult, &'a Optima);

/// Compares the first policy of each pair with the second; `None` without any whole trace.
pub fn paired(pairs: &[Pair<'_>], budget: f64) -> Option<Comparison> {
    if pairs.is_empty() || pairs.iter().any(|(a, b, _)| a.days.is_empty() || a.days.len() != b.days.len()) {
        return None;
    }
    let mut chance = Chance(0x9E37_79B9_7F4A_7C15);
    let (mut judged, mut raw) = (Vec::with_capacity(DRAWS), Vec::with_capacity(DRAWS));
    for _ in 0..DRAWS {
        let (mut log_judged, mut log_raw) = (0.0, 0.0);
        for (own, other, optima) in pairs {
            let (mut a, mut b) = (Day::default(), Day::default());
            for _ in 0..own.days.len() {
                let day = chance.below(own.days.len());
                add(&mut a, &own.days[day]);
                add(&mut b, &other.days[day]);
            }
            let fixed = optima.fixed / own.minutes.max(1) as f64 * f64::from(a.minutes);
            let counted = |d: &Day| if keeps(d, budget) { d.cost } else { fixed };
            log_judged += (counted(&a) / counted(&b)).ln();
            log_raw += (a.cost / b.cost).ln();
        }
        judged.push((log_judged / pairs.len() as f64).exp());
        raw.push((log_raw / pairs.len() as f64).exp());
    }
    Some(Comparison { judged: interval(judged), raw: interval(raw) })
}

fn add(sum: &mut Day, day: &Day) {
    sum.minutes += day.minutes;
    sum.cost += day.cost;
    sum.soft += day.soft;
    sum.hard += day.hard;
}

fn keeps(sum: &Day, budget: f64) -> bool {
    let minutes = f64::from(sum.minutes.max(1));
    f64::from(sum.soft) <= budget * minutes && f64::from(sum.hard) <= budget / 2.0 * minutes
}

fn interval(mut values: Vec<f64>) -> Interval {
    values.sort_by(f64::total_cmp);
    let at = |percent: usize| values[(values.len() * percent / 100).min(values.len() - 1)];
    Interval { low: at(5), middle: at(50), high: at(95) }
}

/// A small generator of reproducible numbers (xorshift, Marsaglia 2003): what is drawn must not depend on a crate.
pub(crate) struct Chance(pub(crate) u64);

impl Chance {
    /// A number below `bound`, which must not be 0.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        // The remainder of a large number: the bias is below one in a billion.
        usize::try_from(self.0 >> 11).unwrap_or(0) % bound.max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(costs: &[f64], soft: u32) -> EvaluationResult {
        let days: Vec<Day> =
            costs.iter().map(|cost| Day { minutes: 1440, cost: *cost, soft, hard: 0 }).collect();
        EvaluationResult { minutes: 1440 * costs.len() as u64, days, ..EvaluationResult::default() }
    }

    const OPTIMA: Optima = Optima { free: 1.0, quarter: 1.0, hour: 1.0, violations: 0, fixed: 400.0 };

    #[test]
    fn a_constant_ratio_has_no_width_and_a_varying_one_holds_its_mean() {
        let own = outcome(&[10.0, 20.0, 30.0, 40.0], 0);
        let other = outcome(&[20.0, 40.0, 60.0, 80.0], 0);
        let same = paired(&[(&own, &other, &OPTIMA)], 0.001).expect("has days");
        assert!((same.raw.low - 0.5).abs() < 1e-12 && (same.raw.high - 0.5).abs() < 1e-12);
        let uneven = outcome(&[20.0, 20.0, 60.0, 60.0], 0);
        let wide = paired(&[(&own, &uneven, &OPTIMA)], 0.001).expect("has days").raw;
        assert!(wide.low < 0.625 && wide.high > 0.625 && wide.low < wide.middle && wide.middle < wide.high);
    }

    #[test]
    fn a_policy_that_misses_counts_as_the_static_peak() {
        let kept = outcome(&[50.0; 4], 1);
        let missed = outcome(&[50.0; 4], 2);
        let found = paired(&[(&kept, &missed, &OPTIMA)], 0.001).expect("has days");
        assert!((found.raw.middle - 1.0).abs() < 1e-12);
        assert!((found.judged.middle - 0.5).abs() < 1e-12, "200 against 400");
    }
}
