//! The forecast band: between which demands the next half hour will lie, and who said so best lately.
//!
//! Every base is scored on this very series by the size of its recent errors; the best one carries the band. The band's
//! edges are calibrated online by adaptive conformal inference (Gibbs and Candès, NeurIPS 2021): an edge that was crossed
//! moves out, one that was not moves in a little, so that in the long run it is crossed as often as it promises,
//! whatever the series does.

use super::bases::{Base, Bases, Predictions};
use super::window::SlidingMax;

/// Minutes for which a band is made: one lag and twenty minutes of hold.
pub const HORIZON_MINUTES: usize = 30;
/// Minutes between two comparisons.
const STEP: usize = 15;
/// What remains of an old error after one comparison: a half-life of about a day and a half.
const FADE: f64 = 0.995;
/// Step of the edges, in logarithm: 2 % for each full miss.
const LEARNING: f64 = 0.02;
/// Promised shares below the lower, middle and upper edge.
pub const QUANTILES: [f64; 3] = [0.05, 0.5, 0.95];

/// The highest demand of the next half hour, in quantiles.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Band {
    /// Five times in a hundred it stays below.
    pub low: f64,
    /// As often above as below.
    pub middle: f64,
    /// Five times in a hundred it goes above.
    pub high: f64,
    /// The forecaster with the least recent error on this series.
    pub forecaster: Base,
    /// Its recent error: mean absolute logarithm, so 0.1 is about ten percent.
    pub error: f64,
}

/// Learns errors and edges.
#[derive(Clone, Debug)]
pub struct BandCalibrator {
    errors: [f64; 16],
    weight: f64,
    edges: [f64; 3],
    pending: [Option<(Predictions, usize, Base)>; 2],
    highest: SlidingMax,
}

impl Default for BandCalibrator {
    fn default() -> Self {
        Self {
            errors: [0.0; 16],
            weight: 0.0,
            edges: [-0.1, 0.0, 0.1],
            pending: [None; 2],
            highest: SlidingMax::new(HORIZON_MINUTES),
        }
    }
}

impl BandCalibrator {
    /// Takes account of the sample that `bases` took last.
    pub fn push(&mut self, bases: &Bases) {
        let said = bases.statements();
        let actual = self.highest.push(said.newest);
        let now = bases.count();
        if !now.is_multiple_of(STEP) {
            return;
        }
        let slot = (now / STEP) % 2;
        if let Some((before, at, best)) = self.pending[slot].filter(|(_, at, _)| at + HORIZON_MINUTES == now)
        {
            debug_assert!(at < now);
            self.judge(&before, best, f64::from(actual));
        }
        self.pending[slot] = Some((*said, now, self.best()));
    }

    fn judge(&mut self, before: &Predictions, best: Base, actual: f64) {
        let error = |value: f32| (actual.max(1e-6) / f64::from(value).max(1e-6)).ln().clamp(-5.0, 5.0);
        for (sum, value) in self.errors.iter_mut().zip(before.bases) {
            *sum = *sum * FADE + error(value).abs();
        }
        self.weight = self.weight * FADE + 1.0;
        let miss = error(before.of(best));
        for (edge, promised) in self.edges.iter_mut().zip(QUANTILES) {
            let below = f64::from(u8::from(miss <= *edge));
            *edge += LEARNING * (promised - below);
        }
    }

    fn best(&self) -> Base {
        let least = |a: &Base, b: &Base| self.errors[*a as usize].total_cmp(&self.errors[*b as usize]);
        Base::ALL.into_iter().min_by(least).unwrap_or(Base::Last15m)
    }

    /// The band from what is said now.
    pub fn band(&self, said: &Predictions) -> Band {
        let forecaster = self.best();
        let value = f64::from(said.of(forecaster));
        let mut edges = self.edges.map(|e| value * e.exp());
        edges.sort_by(f64::total_cmp);
        let error = self.errors[forecaster as usize] / self.weight.max(1.0);
        Band { low: edges[0], middle: edges[1], high: edges[2], forecaster, error }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_band_is_crossed_about_as_often_as_it_promises() {
        let (mut bases, mut calibrator) = (Bases::default(), BandCalibrator::default());
        let demand = |t: usize| {
            let noise = ((t * 7919) % 1009) as f64 / 1009.0;
            10.0 + 6.0 * (t as f64 / 1440.0 * std::f64::consts::TAU).sin() + 2.0 * noise
        };
        let (mut inside, mut all) = (0, 0);
        for t in 0..1440 * 14 {
            bases.push(demand(t));
            calibrator.push(&bases);
            if t > 1440 * 7 && t % 97 == 0 {
                let band = calibrator.band(bases.statements());
                let actual = (t + 1..=t + HORIZON_MINUTES).map(demand).fold(0.0, f64::max);
                inside += u32::from(band.low <= actual && actual <= band.high);
                all += 1;
            }
        }
        let share = f64::from(inside) / f64::from(all);
        assert!((0.8..=0.99).contains(&share), "{share}");
    }
}
