//! A baseline in the manner of `CaaSPER` (SIGMOD 2024): the price-performance curve of a window of samples.
//!
//! For each count of elements the curve says which share of the samples would have been throttled. Where the present
//! count throttles, one steps up by an amount that grows with that share; where the curve is flat, one walks down to where
//! it bends. Once the day is confirmed to repeat, the coming window of yesterday joins the samples (the proactive mode).
//! The knob prefers performance: it widens the samples.

use super::evaluate::{PolicyInput, ScalingPolicy};
use super::optimum::units_needed;
use crate::forecast::bases::DAY;

/// Samples of the window.
const WINDOW: usize = 60;
/// Minutes between two decisions to walk down.
const PERIOD: usize = 5;
/// Minutes of yesterday that join the samples: the lag and twenty more, as the other predictive baselines look ahead.
const AHEAD: usize = 28;
/// Correlation of the last two days from which the day counts as repeating.
const SEASONAL: f64 = 0.8;

/// The policy.
pub struct Caasper {
    rho: f64,
    margin: f64,
    repeats: bool,
}

impl Caasper {
    /// Prefers performance by `margin`.
    pub fn new(rho: f64, margin: f64) -> Self {
        Self { rho, margin, repeats: false }
    }
}

impl ScalingPolicy for Caasper {
    fn begin(&mut self, past: &[f64]) -> Option<u32> {
        self.repeats = day_repeats(past);
        None
    }

    fn target(&mut self, view: &PolicyInput<'_>) -> u32 {
        let now = view.known.len();
        if now.is_multiple_of(60) {
            self.repeats = day_repeats(view.known);
        }
        let window = &view.known[now.saturating_sub(WINDOW)..];
        let coming = now
            .checked_sub(DAY)
            .filter(|_| self.repeats)
            .and_then(|i| view.known.get(i..(i + AHEAD).min(now)))
            .unwrap_or_default();
        let served = self.rho * f64::from(view.ordered);
        // What was throttled in the newest period asks for more; older samples only say how far one may walk down.
        let newest = &view.known[now.saturating_sub(PERIOD)..];
        let wanted = newest.iter().chain(coming).map(|d| d * self.margin);
        let (mut throttled, mut samples) = (0_u32, 0_u32);
        for demand in wanted {
            samples += 1;
            throttled += u32::from(demand > served);
        }
        if throttled > 0 {
            if view.changing {
                return view.ordered;
            }
            let slope = f64::from(throttled) / f64::from(samples.max(1));
            return view.ordered + units_needed(f64::from(view.ordered) * slope, 1.0);
        }
        if !now.is_multiple_of(PERIOD) {
            return view.ordered;
        }
        let bend = window.iter().chain(coming).copied().fold(0.0, f64::max);
        units_needed(bend * self.margin, self.rho).min(view.ordered)
    }
}

/// Whether the last day went like the one before, by the correlation of their five-minute means.
fn day_repeats(past: &[f64]) -> bool {
    let Some(from) = past.len().checked_sub(2 * DAY) else { return false };
    let means = |part: &[f64]| -> Vec<f64> {
        part.chunks(PERIOD).map(|c| c.iter().sum::<f64>() / c.len() as f64).collect()
    };
    correlation(&means(&past[from..from + DAY]), &means(&past[from + DAY..])) > SEASONAL
}

fn correlation(a: &[f64], b: &[f64]) -> f64 {
    let n = a.len().min(b.len()).max(1) as f64;
    let (mean_a, mean_b) = (a.iter().sum::<f64>() / n, b.iter().sum::<f64>() / n);
    let (mut cross, mut own, mut other) = (0.0, 0.0, 0.0);
    for (x, y) in a.iter().zip(b) {
        cross += (x - mean_a) * (y - mean_b);
        own += (x - mean_a).powi(2);
        other += (y - mean_b).powi(2);
    }
    let scale = f64::sqrt(own * other);
    if scale > 0.0 { cross / scale } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(known: &[f64], ordered: u32) -> u32 {
        let mut policy = Caasper::new(0.8, 1.0);
        policy.begin(known);
        policy.target(&PolicyInput { known, served: None, ordered, changing: false, creating: false })
    }

    #[test]
    fn steps_up_with_the_throttled_share_and_walks_down_to_the_bend() {
        let mut known = vec![4.0; 100];
        assert_eq!(ask(&known, 10), 5, "the whole window needs five");
        known[99] = 9.0;
        assert_eq!(ask(&known, 10), 12, "one of five samples is throttled");
        known[95..].fill(9.0);
        assert_eq!(ask(&known, 10), 20, "all of them are");
    }

    #[test]
    fn a_day_that_repeats_speaks_before_its_peak() {
        let day = |t: usize| if (t % DAY) < 30 { 8.0 } else { 2.0 };
        let known: Vec<f64> = (0..3 * DAY - 10).map(day).collect();
        assert!(ask(&known, 3) > 3, "yesterday's peak is ten minutes away");
        assert_eq!(ask(&known[..3 * DAY - 60], 3), 3);
    }
}
