//! Buying for a year: how much capacity to commit to, quarter by quarter, on series of daily peaks.
//!
//! A committed unit costs `1 - discount` of its price every day of a year, used or not; what exceeds the commitments is
//! paid on demand. A layer is worth committing if it is used on more than `1 - discount` of the days of that year. What
//! that share will be is forecast from how the series itself moved over a year in the past, and, because a young game
//! has no such past, from how games fade: nothing is bought on a rising star.
//!
//! **Invariant:** a purchase depends on days before it only.

use crate::telemetry::Trace;

/// Days between two purchases.
pub const QUARTER_DAYS: usize = 91;
/// Days that a purchase binds.
pub const TERM_DAYS: usize = 365;
/// Days of history before anything is bought: a launch cannot be told from a fad before that.
const EVIDENCE_DAYS: usize = 300;
/// Half a year, over which a fade shows.
const HALF_YEAR: usize = 182;
/// A present level below this share of the one half a year ago is a fade.
const FADING: f64 = 0.8;
/// Age up to which a game that fell from its launch peak is not trusted to have settled.
const YOUNG_DAYS: usize = 3 * 365;
/// Past years that are taken as examples of the coming one.
const SCENARIOS: usize = 16;
/// What a layer must be used beyond break-even, since a wrong purchase binds and a missed one can be made next quarter.
const CAUTION: f64 = 0.0;

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
    /// Knows the coming year.
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
    let mut committed = vec![0.0_f64; daily.len() + TERM_DAYS];
    let mut day = from;
    while day < daily.len() {
        let held = committed[day..day + TERM_DAYS].to_vec();
        let bought = purchase(daily, day, discount, buyer, &held);
        for level in &mut committed[day..day + TERM_DAYS] {
            *level += bought;
        }
        day += QUARTER_DAYS;
    }
    let mut out = Bill { buyer, cost: 0.0, committed: 0.0 };
    for (need, level) in daily.iter().zip(&committed).skip(from) {
        out.cost += level * (1.0 - discount) + (need - level).max(0.0);
        out.committed += level;
    }
    out
}

/// How much a buyer adds on a day, beside what it already `held` for the coming year.
fn purchase(daily: &[f64], day: usize, discount: f64, buyer: Buyer, held: &[f64]) -> f64 {
    let past = &daily[..day];
    let month = &past[day.saturating_sub(30)..];
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len().max(1) as f64;
    // A simple buyer fills up to its wish what is missing today.
    let fill = |wish: f64| (wish - held.first().copied().unwrap_or(0.0)).max(0.0);
    match buyer {
        Buyer::Nobody => 0.0,
        Buyer::MonthLowest => fill(month.iter().copied().reduce(f64::min).unwrap_or(0.0)),
        Buyer::MonthMean => fill(mean(month)),
        Buyer::Growth => {
            let before = day.checked_sub(365).map(|d| mean(&daily[d.saturating_sub(30)..d.max(1)]));
            fill(before.filter(|b| *b > 0.0).map_or(0.0, |b| mean(month) * (mean(month) / b).min(2.0)))
        }
        Buyer::Clairvoyant => {
            let year = &daily[day..(day + TERM_DAYS).min(daily.len())];
            // Days beyond the series are on nobody's bill.
            let rest = year.iter().zip(held).map(|(need, h)| (need - h).max(0.0));
            quantile(&rest.collect::<Vec<_>>(), discount)
        }
        Buyer::Own => own(past, held, discount),
    }
}

/// The newsvendor's answer: what is missing on all but the break-even share of the days of all years that may come.
///
/// The years that may come are the years that came, each seen from its own beginning, and two that did not: the present
/// trend going on, and a slow fade.
fn own(past: &[f64], held: &[f64], discount: f64) -> f64 {
    let Some(settled) = past.len().checked_sub(HALF_YEAR).filter(|_| past.len() >= EVIDENCE_DAYS) else {
        return 0.0;
    };
    let level = quantile(&past[past.len() - 30..], 0.5);
    let before = quantile(&past[settled..(settled + 30).min(past.len())], 0.5);
    // A game that lost a fifth within half a year is fading: it stays on demand until it has settled.
    // So does a game of less than three years that stands below half its best month: it was launched, and not kept.
    let best = past.chunks(30).map(|month| quantile(month, 0.5)).fold(0.0, f64::max);
    if level < FADING * before || (past.len() < YOUNG_DAYS && level < 0.5 * best) {
        return 0.0;
    }
    let week = &past[past.len() - 28..];
    let trend = (level / before.max(1e-9)).ln().clamp(-0.25, 0.0) / HALF_YEAR as f64;
    let fade = -0.10 / TERM_DAYS as f64;
    let mut missing: Vec<f64> = Vec::new();
    for (k, h) in held.iter().enumerate() {
        for rate in [trend, fade] {
            missing.push((week[k % 28] * (rate * k as f64).exp() - h).max(0.0));
        }
    }
    let newest = past.len().saturating_sub(TERM_DAYS);
    for start in (30..=newest).rev().step_by(45).take(SCENARIOS) {
        let base = quantile(&past[start - 30..start], 0.5);
        if base > 0.0 && start + TERM_DAYS <= past.len() {
            let year = &past[start..start + TERM_DAYS];
            missing.extend(year.iter().zip(held).map(|(need, h)| (need / base * level - h).max(0.0)));
        }
    }
    quantile(&missing, (discount - CAUTION).max(0.02))
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

/// Pinball loss of the forecasts of the own method, relative to the mean need: one figure for each horizon and quantile.
pub fn pinball(daily: &[f64], from: usize) -> Vec<(usize, f64, f64)> {
    let mut out = Vec::new();
    for horizon in [30, 90, 180] {
        for share in [0.5, 0.8, 0.95] {
            let (mut loss, mut scale, mut day) = (0.0, 0.0, from.max(horizon + 31));
            while day + horizon < daily.len() {
                let ratios: Vec<f64> = (0..day - horizon)
                    .rev()
                    .step_by(7)
                    .take(52)
                    .filter(|i| daily[*i] > 0.0)
                    .map(|i| daily[i + horizon] / daily[i])
                    .collect();
                let forecast =
                    daily[day - 1] * if ratios.is_empty() { 1.0 } else { quantile(&ratios, share) };
                let error = daily[day - 1 + horizon] - forecast;
                loss += if error >= 0.0 { share * error } else { (share - 1.0) * error };
                scale += daily[day - 1 + horizon];
                day += 7;
            }
            out.push((horizon, share, loss / f64::max(scale, 1e-9)));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_steady_game_is_committed_and_a_fading_one_is_not() {
        let steady: Vec<f64> = (0..1500).map(|d| 100.0 + 5.0 * (f64::from(d) / 7.0).sin()).collect();
        let of = |daily: &[f64], buyer| bill(daily, 600, 0.2, buyer).cost;
        assert!(of(&steady, Buyer::Own) < 1.05 * of(&steady, Buyer::Clairvoyant));
        let fading: Vec<f64> = (0..1500).map(|d| 1000.0 * (-f64::from(d) / 150.0).exp()).collect();
        assert!(of(&fading, Buyer::Own) <= 1.03 * of(&fading, Buyer::Nobody));
        assert!(
            of(&fading, Buyer::MonthMean) > 1.1 * of(&fading, Buyer::Nobody),
            "over-buying is the common failure"
        );
    }

    #[test]
    fn a_purchase_does_not_see_the_future() {
        let mut daily: Vec<f64> = (0..1000).map(|d| 50.0 + f64::from(d % 13)).collect();
        let before = own(&daily[..700], &[0.0; TERM_DAYS], 0.2);
        daily[700..].fill(0.0);
        assert!((own(&daily[..700], &[0.0; TERM_DAYS], 0.2) - before).abs() < 1e-12);
    }
}
