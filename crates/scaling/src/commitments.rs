//! Buying for a year: how much capacity to commit to, quarter by quarter, on series of daily peaks.
//!
//! A committed unit costs `1 - discount` of its price every day of a year, used or not; what exceeds the commitments is
//! paid on demand. A layer is worth committing if it is used on more than `1 - discount` of the days of that year.
//!
//! The rule rests on an asymmetry: a wrong purchase binds for a year, a missed one can be made a quarter later. So only
//! the floor of the last two months is trusted, which no event and no launch lifts; most of the decline of the last year
//! is taken to go on, and no growth at all; and each quarter fills up what will no longer be held *tomorrow*, so that
//! purchases end one after the other and follow growth.
//!
//! **Invariant:** a purchase depends on days before it only.

use crate::telemetry::Trace;

/// Days between two purchases.
pub const QUARTER_DAYS: usize = 91;
/// Days that a purchase binds.
pub const TERM_DAYS: usize = 365;
/// Days whose lowest is the floor: longer than an event or a season's start lasts.
const FLOOR_DAYS: usize = 60;
/// Share of the decline of the last year that is taken to go on. Decline slows down, seldom stops.
const DECLINE_GOES_ON: f64 = 0.75;
/// Days over which a decline is taken from, at least, when there is no year.
const DECLINE_DAYS_MIN: usize = QUARTER_DAYS;
/// Quarters for which a purchase lasts, counting its own.
const QUARTERS_HELD: usize = TERM_DAYS / QUARTER_DAYS;

/// Who buys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Buyer {
    /// This product.
    Own,
    /// Nothing is ever bought.
    Nobody,
    /// The lowest day of the last month.
    MonthLowest,
    /// The mean of the last month.
    MonthMean,
    /// The last month, times the growth of the last year.
    Growth,
    /// Knows all days: no plan of purchases is cheaper.
    Clairvoyant,
}

impl Buyer {
    /// All, the own one first.
    pub const ALL: [Self; 6] =
        [Self::Own, Self::Nobody, Self::MonthLowest, Self::MonthMean, Self::Growth, Self::Clairvoyant];

    /// The word of the reports.
    pub fn words(self) -> &'static str {
        match self {
            Self::Own => "rgctl",
            Self::Nobody => "no commitment",
            Self::MonthLowest => "lowest of the last month",
            Self::MonthMean => "mean of the last month",
            Self::Growth => "previous-year growth",
            Self::Clairvoyant => "clairvoyant",
        }
    }
}

/// What a buyer paid over the scored days.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bill {
    /// Who bought.
    pub buyer: Buyer,
    /// In unit-days at the price on demand.
    pub cost: f64,
    /// Unit-days that were committed.
    pub committed: f64,
}

/// The highest reading of each day from the first to the last; a day without one takes the value of the day before.
pub fn daily_peaks(trace: &Trace) -> Vec<f64> {
    let mut daily: Vec<f64> = Vec::new();
    let mut last_day = None;
    for (moment, value) in &trace.readings {
        let day = moment.as_secs().div_euclid(86_400);
        match last_day {
            Some(last) if last == day => {
                if let Some(peak) = daily.last_mut() {
                    *peak = peak.max(*value);
                }
            }
            Some(last) => {
                let before = daily.last().copied().unwrap_or(*value);
                daily.extend((last + 1..day).map(|_| before));
                daily.push(*value);
            }
            None => daily.push(*value),
        }
        last_day = Some(day);
    }
    daily
}

/// The bills of all buyers over the days from `from` on.
pub fn bills(daily: &[f64], from: usize, discount: f64) -> Vec<Bill> {
    Buyer::ALL.into_iter().map(|buyer| bill(daily, from, discount, buyer)).collect()
}

fn bill(daily: &[f64], from: usize, discount: f64, buyer: Buyer) -> Bill {
    if buyer == Buyer::Clairvoyant {
        return clairvoyant(&daily[from..], discount);
    }
    let mut committed = vec![0.0_f64; daily.len() + TERM_DAYS];
    for day in (from..daily.len()).step_by(QUARTER_DAYS) {
        // What was bought four quarters ago ends today; tomorrow it is missing.
        let bought = (wanted(&daily[..day], discount, buyer) - committed[day + 1]).max(0.0);
        for level in &mut committed[day..day + TERM_DAYS] {
            *level += bought;
        }
    }
    let mut out = Bill { buyer, cost: 0.0, committed: 0.0 };
    for (need, level) in daily.iter().zip(&committed).skip(from) {
        out.cost += level * (1.0 - discount) + (need - level).max(0.0);
        out.committed += level;
    }
    out
}

/// The level that a buyer wants to hold from tomorrow on.
fn wanted(past: &[f64], discount: f64, buyer: Buyer) -> f64 {
    let month_of = |days: &[f64]| days[days.len().saturating_sub(30)..].to_vec();
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len().max(1) as f64;
    let month = month_of(past);
    match buyer {
        Buyer::Nobody | Buyer::Clairvoyant => 0.0,
        Buyer::MonthLowest => lowest(&month),
        Buyer::MonthMean => mean(&month),
        Buyer::Growth => {
            let year_ago = past.len().checked_sub(365).map(|end| mean(&month_of(&past[..end])));
            let growth = year_ago.filter(|b| *b > 0.0).map(|b| (mean(&month) / b).min(2.0));
            growth.map_or(0.0, |g| mean(&month) * g)
        }
        Buyer::Own => own(past, discount),
    }
}

/// The floor of the last two months, sinking on; of that the level used on all but the break-even share of the days.
fn own(past: &[f64], discount: f64) -> f64 {
    let floor = lowest(&past[past.len().saturating_sub(FLOOR_DAYS)..]);
    let rate = DECLINE_GOES_ON * daily_trend(past).min(0.0);
    let year: Vec<f64> = (0..TERM_DAYS).map(|k| floor * (rate * k as f64).exp()).collect();
    quantile(&year, discount)
}

/// The logarithm of the change for each day, by the medians of a month: over the last year, or since its first month for a
/// younger series; 0 for one that is too young even for that.
fn daily_trend(past: &[f64]) -> f64 {
    let span = past.len().saturating_sub(30).min(TERM_DAYS);
    if span < DECLINE_DAYS_MIN {
        return 0.0;
    }
    let now = &past[past.len() - 30..];
    let start = past.len() - 30 - span;
    let change = quantile(now, 0.5) / quantile(&past[start..start + 30], 0.5).max(1e-9);
    change.max(1e-9).ln() / span as f64
}

fn lowest(values: &[f64]) -> f64 {
    values.iter().copied().reduce(f64::min).unwrap_or(0.0)
}

/// The least cost that any plan of purchases reaches, knowing all days.
///
/// Layers are independent of each other: between two neighbouring values of the need a layer is used on the same days.
/// For each, a dynamic programme over quarters decides when it is bought; the state is how long ago it was.
fn clairvoyant(scored: &[f64], discount: f64) -> Bill {
    let mut levels = scored.to_vec();
    levels.push(0.0);
    levels.sort_by(f64::total_cmp);
    levels.dedup();
    let mut out = Bill { buyer: Buyer::Clairvoyant, cost: 0.0, committed: 0.0 };
    for pair in levels.windows(2) {
        let (cost, committed) = layer(scored, pair[0], discount);
        out.cost += (pair[1] - pair[0]) * cost;
        out.committed += (pair[1] - pair[0]) * committed;
    }
    out
}

/// Least cost and committed days of the layer just above `level`, for one unit.
fn layer(scored: &[f64], level: f64, discount: f64) -> (f64, f64) {
    let days = scored.len();
    let mut used_before = vec![0.0_f64; days + 1];
    for (day, need) in scored.iter().enumerate() {
        used_before[day + 1] = used_before[day] + f64::from(u8::from(*need > level));
    }
    let used = |from: usize, until: usize| {
        let (from, until) = (from.min(days), until.min(days));
        if until > from { used_before[until] - used_before[from] } else { 0.0 }
    };
    // From behind: the least cost from a quarter on, when the layer was last bought `age` quarters ago (0: is not held).
    let mut later = [(0.0_f64, 0.0_f64); QUARTERS_HELD + 1];
    for quarter in (0..days.div_ceil(QUARTER_DAYS)).rev() {
        let start = quarter * QUARTER_DAYS;
        let end = start + QUARTER_DAYS;
        let term = (start + TERM_DAYS).min(days) - start;
        let bought = (term as f64 * (1.0 - discount) + later[1].0, term as f64 + later[1].1);
        let mut now = later;
        for (age, entry) in now.iter_mut().enumerate() {
            let held_until =
                if age == 0 { start } else { (start + TERM_DAYS).saturating_sub(age * QUARTER_DAYS) };
            let next = if age == 0 || age == QUARTERS_HELD { later[0] } else { later[age + 1] };
            let waits = (used(held_until.max(start), end) + next.0, next.1);
            *entry = if bought.0 < waits.0 { bought } else { waits };
        }
        later = now;
    }
    later[0]
}

/// The value below which a share of the values lie.
pub fn quantile(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    // An index from a share of a length is small and not negative.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let index = ((sorted.len().saturating_sub(1)) as f64 * share.clamp(0.0, 1.0)).floor() as usize;
    sorted.get(index).copied().unwrap_or(0.0)
}

/// The loss of one forecast.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pinball {
    /// Days ahead.
    pub horizon: usize,
    /// The quantile that was forecast.
    pub quantile: f64,
    /// Loss of the own forecast, as a share of the mean need.
    pub loss: f64,
    /// Loss of the last day's value as the forecast.
    pub naive: f64,
}

/// Pinball loss of the forecasts: the last value times the changes that this series itself made over such a time.
pub fn pinball(daily: &[f64], from: usize) -> Vec<Pinball> {
    let mut out = Vec::new();
    for horizon in [30, 90, 180] {
        for share in [0.5, 0.8, 0.95] {
            let of = |error: f64| if error >= 0.0 { share * error } else { (share - 1.0) * error };
            let (mut loss, mut naive, mut scale) = (0.0, 0.0, 0.0);
            let mut day = from.max(horizon + 31);
            while day - 1 + horizon < daily.len() {
                let ratios: Vec<f64> = (0..day - horizon)
                    .rev()
                    .step_by(7)
                    .take(52)
                    .filter(|i| daily[*i] > 0.0)
                    .map(|i| daily[i + horizon] / daily[i])
                    .collect();
                let (last, came) = (daily[day - 1], daily[day - 1 + horizon]);
                let change = if ratios.is_empty() { 1.0 } else { quantile(&ratios, share) };
                loss += of(came - last * change);
                naive += of(came - last);
                scale += came;
                day += 7;
            }
            let relative = |sum: f64| sum / f64::max(scale, 1e-9);
            out.push(Pinball { horizon, quantile: share, loss: relative(loss), naive: relative(naive) });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_steady_game_is_committed() {
        let steady: Vec<f64> = (0..1500).map(|d| 100.0 + 5.0 * (f64::from(d) / 7.0).sin()).collect();
        let of = |buyer| bill(&steady, 600, 0.2, buyer).cost;
        assert!(of(Buyer::Own) < 1.05 * of(Buyer::Clairvoyant));
    }

    #[test]
    fn no_way_of_fading_makes_buying_dearer_than_not_buying() {
        let week = |d: f64| 1.0 + 0.12 * (d * std::f64::consts::TAU / 7.0).sin();
        let ways: [&dyn Fn(f64) -> f64; 7] = [
            &|d| (-d / 60.0).exp() + 0.002,
            &|d| (-d / 150.0).exp() + 0.002,
            &|d| (-d / 400.0).exp(),
            &|d| 10.0 / (d + 10.0),
            &|d| (10.0 / (d + 10.0)).sqrt(),
            &|d| (-d / 700.0).exp(),
            // A collapse without a sign is survived where purchases of better years have paid for it.
            &|d| if d < 900.0 { 1.0 } else { (-(d - 900.0) / 120.0).exp() + 0.02 },
        ];
        for (number, way) in ways.iter().enumerate() {
            for (days, from) in [(700, 180), (1500, 600)] {
                let daily: Vec<f64> =
                    (0..days).map(|d| 1000.0 * way(f64::from(d)) * week(f64::from(d))).collect();
                for discount in [0.2, 0.35] {
                    let of = |buyer| bill(&daily, from, discount, buyer).cost;
                    let worse = of(Buyer::Own) / of(Buyer::Nobody);
                    assert!(worse <= 1.03, "way {number}, {days} days, discount {discount}: {worse}");
                }
            }
        }
        let fading: Vec<f64> = (0..1500).map(|d| 1000.0 * (-f64::from(d) / 150.0).exp()).collect();
        let of = |buyer| bill(&fading, 600, 0.2, buyer).cost;
        assert!(of(Buyer::MonthMean) > 1.1 * of(Buyer::Nobody), "over-buying is the common failure");
    }

    #[test]
    fn a_purchase_does_not_see_the_future() {
        let daily: Vec<f64> = (0..1000).map(|d| 50.0 + f64::from(d % 13)).collect();
        let mut other = daily.clone();
        other[700..].fill(1.0);
        let until = 700 - 400;
        let paid = |days: &[f64]| {
            let cost = |d: &[f64]| bill(d, 400, 0.2, Buyer::Own).cost;
            (cost(&days[..400 + until]), own(&days[..700], 0.2))
        };
        assert_eq!(paid(&daily), paid(&other));
    }

    #[test]
    fn no_plan_of_purchases_is_cheaper_than_the_clairvoyant() {
        // Every plan for two levels over five quarters, tried out; needs are 0, 1 or 2 units.
        let days = 5 * QUARTER_DAYS - 20;
        for seed in 0..6_u32 {
            let daily: Vec<f64> = (0..days)
                .map(|d| {
                    let block = u32::try_from(d / 60).expect("small");
                    f64::from((seed * 7 + block * block * 5 + block) % 3)
                })
                .collect();
            let mut best = f64::INFINITY;
            for code in 0..3_u32.pow(5) {
                let mut level = vec![0.0; days + TERM_DAYS];
                for quarter in 0..5_usize {
                    let bought = f64::from((code / 3_u32.pow(u32::try_from(quarter).expect("small"))) % 3);
                    for l in &mut level[quarter * QUARTER_DAYS..quarter * QUARTER_DAYS + TERM_DAYS] {
                        *l += bought;
                    }
                }
                let cost: f64 = daily.iter().zip(&level).map(|(need, l)| l * 0.7 + (need - l).max(0.0)).sum();
                best = best.min(cost);
            }
            let found = clairvoyant(&daily, 0.3).cost;
            assert!((found - best).abs() < 1e-6, "seed {seed}: {found} against {best}");
        }
    }
}
