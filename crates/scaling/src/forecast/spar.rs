//! SPAR, the sparse periodic autoregression of P-Store (Taft et al., SIGMOD 2018, section 4.1 there).
//!
//! The demand of a five-minute bin is explained by the bins of the same time on earlier days, and by how far the last
//! half hour departed from those days. One least-squares problem for each horizon; its normal equations are updated
//! with each bin and solved once a day.

/// Bins of five minutes in a day.
const DAY: usize = 288;
/// Deviations of the last half hour.
const RECENT: usize = 6;
/// Horizons in bins: with a bin of five minutes they cover the time from one lag ahead to half an hour.
const HORIZONS: std::ops::RangeInclusive<usize> = 2..=7;
/// Ridge as a share of the mean diagonal, for days that hardly differ.
const RIDGE: f64 = 0.001;
/// What remains of old evidence at each daily solution.
const FADE: f64 = 0.98;

/// One forecaster that looks back a number of days.
#[derive(Clone, Debug)]
pub struct Spar {
    days: usize,
    bins: Vec<f64>,
    count: usize,
    in_bin: u32,
    bin_highest: f64,
    first_day_sum: f64,
    scale: f64,
    problems: Vec<Problem>,
    forecast: Option<f64>,
}

#[derive(Clone, Debug)]
struct Problem {
    horizon: usize,
    gram: Vec<f64>,
    moment: Vec<f64>,
    solution: Option<Vec<f64>>,
}

impl Spar {
    /// A forecaster that uses the last `days` days.
    pub fn new(days: usize) -> Self {
        let width = days + RECENT + 1;
        let problem = |horizon| Problem {
            horizon,
            gram: vec![0.0; width * width],
            moment: vec![0.0; width],
            solution: None,
        };
        Self {
            days,
            bins: vec![0.0; DAY * days + 32],
            count: 0,
            in_bin: 0,
            bin_highest: 0.0,
            first_day_sum: 0.0,
            scale: 0.0,
            problems: HORIZONS.map(problem).collect(),
            forecast: None,
        }
    }

    /// Takes the demand of a minute.
    pub fn push(&mut self, demand: f64) {
        self.bin_highest = self.bin_highest.max(demand);
        self.in_bin += 1;
        if self.in_bin == 5 {
            self.complete_bin();
            self.in_bin = 0;
            self.bin_highest = 0.0;
        }
    }

    /// The highest forecast of the horizons, in the unit of the demand; `None` while there is too little history.
    pub fn highest(&self) -> Option<f64> {
        self.forecast
    }

    fn width(&self) -> usize {
        self.days + RECENT + 1
    }

    /// A bin by its index, relative to the mean of the first day.
    fn bin(&self, index: usize) -> f64 {
        self.bins[index % self.bins.len()] / self.scale
    }

    fn complete_bin(&mut self) {
        if self.count < DAY {
            self.first_day_sum += self.bin_highest;
            self.scale = (self.first_day_sum / DAY as f64).max(1e-9);
        }
        let at = self.count % self.bins.len();
        self.bins[at] = self.bin_highest;
        self.count += 1;
        let newest = self.count - 1;
        let mut row = vec![0.0; self.width()];
        let mut problems = std::mem::take(&mut self.problems);
        for problem in &mut problems {
            if let Some(seen) = newest.checked_sub(problem.horizon)
                && self.regressors(seen, problem.horizon, &mut row)
            {
                problem.learn(&row, self.bin(newest));
            }
        }
        if self.count.is_multiple_of(DAY) && self.count >= DAY * (self.days + 1) {
            for problem in &mut problems {
                problem.solve(row.len());
            }
        }
        self.problems = problems;
        self.refresh(&mut row);
    }

    /// Fills in what is known at bin `seen` about bin `seen + horizon`; false while history is too short.
    fn regressors(&self, seen: usize, horizon: usize, row: &mut [f64]) -> bool {
        if seen < DAY * self.days + RECENT {
            return false;
        }
        for (k, slot) in row.iter_mut().take(self.days).enumerate() {
            *slot = self.bin(seen + horizon - DAY * (k + 1));
        }
        for j in 0..RECENT {
            let usual: f64 = (1..=self.days).map(|k| self.bin(seen - j - DAY * k)).sum();
            row[self.days + j] = self.bin(seen - j) - usual / self.days as f64;
        }
        row[self.days + RECENT] = 1.0;
        true
    }

    fn refresh(&mut self, row: &mut [f64]) {
        let newest = self.count - 1;
        let mut highest: Option<f64> = None;
        for problem in &self.problems {
            let Some(solution) = &problem.solution else { continue };
            if self.regressors(newest, problem.horizon, row) {
                let value: f64 = row.iter().zip(solution).map(|(a, b)| a * b).sum();
                highest = Some(highest.unwrap_or(0.0).max(value));
            }
        }
        self.forecast = highest.map(|h| h * self.scale);
    }
}

impl Problem {
    fn learn(&mut self, row: &[f64], outcome: f64) {
        let width = row.len();
        for (i, a) in row.iter().enumerate() {
            for (slot, b) in self.gram[i * width..(i + 1) * width].iter_mut().zip(row) {
                *slot += a * b;
            }
            self.moment[i] += a * outcome;
        }
    }

    fn solve(&mut self, width: usize) {
        let trace: f64 = (0..width).map(|i| self.gram[i * width + i]).sum();
        let ridge = RIDGE * trace / width as f64 + 1e-12;
        self.solution = cholesky_solve(&self.gram, &self.moment, ridge);
        for value in self.gram.iter_mut().chain(&mut self.moment) {
            *value *= FADE;
        }
    }
}

#[allow(clippy::many_single_char_names)] // the names of the textbook
/// Solves (A + ridge·I) x = b for a symmetric matrix; `None` when it is not positive definite.
fn cholesky_solve(a: &[f64], b: &[f64], ridge: f64) -> Option<Vec<f64>> {
    let n = b.len();
    let mut l = vec![0.0; n * n];
    for i in 0..n {
        for j in 0..=i {
            let dot: f64 = (0..j).map(|k| l[i * n + k] * l[j * n + k]).sum();
            let entry = a[i * n + j] - dot;
            if i == j {
                let square = entry + ridge;
                if square.is_nan() || square <= 0.0 {
                    return None;
                }
                l[i * n + i] = square.sqrt();
            } else {
                l[i * n + j] = entry / l[j * n + j];
            }
        }
    }
    let mut x = b.to_vec();
    for i in 0..n {
        let dot: f64 = (0..i).map(|k| l[i * n + k] * x[k]).sum();
        x[i] = (x[i] - dot) / l[i * n + i];
    }
    for i in (0..n).rev() {
        let dot: f64 = (i + 1..n).map(|k| l[k * n + i] * x[k]).sum();
        x[i] = (x[i] - dot) / l[i * n + i];
    }
    Some(x)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_daily_cycle_is_foreseen_within_a_percent() {
        let mut spar = Spar::new(1);
        let demand = |t: usize| 10.0 + 8.0 * (t as f64 / 1440.0 * std::f64::consts::TAU).sin();
        let mut worst: f64 = 0.0;
        for t in 0..1440 * 5 {
            spar.push(demand(t));
            if t > 1440 * 3 && (t + 1) % 5 == 0 {
                let ahead = (t + 6..t + 36).map(demand).fold(0.0, f64::max);
                worst = worst.max((spar.highest().expect("has history") / ahead - 1.0).abs());
            }
        }
        assert!(worst < 0.02, "{worst}");
    }

    #[test]
    fn a_silent_series_gives_no_absurd_forecast() {
        let mut spar = Spar::new(1);
        for _ in 0..1440 * 3 {
            spar.push(0.0);
        }
        assert!(spar.highest().is_none_or(|h| h.abs() < 1e-6));
    }
}
