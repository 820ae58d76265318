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
const EVIDENCE_DAYS: usize = 365;
/// What a layer must be used beyond break-even, since a wrong purchase binds and a missed one can be made next quarter.
const CAUTION: f64 = 0.04;

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
        let held = &committed[day..day + TERM_DAYS];
        let wanted = wanted(daily, day, discount, buyer, held);
        // Commitments run out one by one; a purchase is what is missing on most days of its term.
        let kept = quantile(held, 0.5);
        let bought = (wanted - kept).max(0.0);
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

fn wanted(daily: &[f64], day: usize, discount: f64, buyer: Buyer, held: &[f64]) -> f64 {
    let past = &daily[..day];
    let month = &past[day.saturating_sub(30)..];
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len().max(1) as f64;
    match buyer {
        Buyer::Nobody => 0.0,
        Buyer::MonthLowest => month.iter().copied().reduce(f64::min).unwrap_or(0.0),
        Buyer::MonthMean => mean(month),
        Buyer::Growth => {
            let before = day.checked_sub(365).map(|d| mean(&daily[d.saturating_sub(30)..d.max(1)]));
            before.filter(|b| *b > 0.0).map_or(0.0, |b| mean(month) * (mean(month) / b).min(2.0))
        }
        Buyer::Clairvoyant => {
            let year = &daily[day..(day + TERM_DAYS).min(daily.len())];
            // What lies beyond the series is not needed.
            let mut need = year.to_vec();
            need.resize(TERM_DAYS, 0.0);
            let rest: Vec<f64> = need.iter().zip(held).map(|(n, h)| (n - h).max(0.0)).collect();
            quantile(held, 0.5) + quantile(&rest, discount)
        }
        Buyer::Own => own(past, discount),
    }
}

/// The level that is used on more than the break-even share of the coming year's days, as far as the past can tell.
fn own(past: &[f64], discount: f64) -> f64 {
    if past.len() < EVIDENCE_DAYS + 30 {
        return 0.0;
    }
    let level = quantile(&past[past.len() - 30..], 0.5);
    // How each year of the past compares to the month before it: which level was used on the break-even share of days.
    let quantile_wanted = (discount - CAUTION).max(0.02);
    let mut shares: Vec<f64> = Vec::new();
    let mut start = 30;
    while start + 180 <= past.len() {
        let base = quantile(&past[start - 30..start], 0.5);
        let year = &past[start..(start + TERM_DAYS).min(past.len())];
        if base > 0.0 {
            shares.push(quantile(year, quantile_wanted) / base);
        }
        start += 30;
    }
    // The last two years speak; the worse quarter of them is believed, and growth beyond the present is not bought.
    let recent = &shares[shares.len().saturating_sub(24)..];
    let share = quantile(recent, 0.25).min(1.0);
    let year_ago = quantile(&past[past.len() - 365..past.len() - 335], 0.5);
    // A game that fell by a third within a year is fading: it is left on demand until it has settled.
    let fading = year_ago > 0.0 && level < 0.67 * year_ago;
    if fading { 0.0 } else { level * share }
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
        let before = own(&daily[..700], 0.2);
        daily[700..].fill(0.0);
        assert!((own(&daily[..700], 0.2) - before).abs() < 1e-12);
    }
}
