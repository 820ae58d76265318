//! How much a result hangs on its constants and on its series.
//!
//! Three questions: which share of random changes of all constants still keeps all series; what a choice of constants made
//! without a series does on that series; and (with `augment`) what happens on series that were not chosen on.

use super::augment::Chance;
use super::constants::Constants;
use super::replay::Recording;

/// What one configuration did on one recording.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cell {
    /// Cost over the optimum.
    pub ratio: f64,
    /// What a miss counts as: the static peak over the optimum.
    pub fixed: f64,
    /// Share of soft-missed minutes.
    pub soft: f64,
    /// Share of hard-missed minutes.
    pub hard: f64,
    /// Whether both gates are kept.
    pub kept: bool,
}

impl Cell {
    /// Judges a recording by a configuration.
    pub fn of(recording: &Recording, constants: Constants) -> Self {
        let outcome = recording.replay(constants);
        let free = recording.optima.free;
        Self {
            ratio: outcome.cost / free,
            fixed: recording.optima.fixed / free,
            soft: outcome.soft_share(),
            hard: outcome.hard_share(),
            kept: outcome.keeps(recording.terms.budget),
        }
    }

    /// The ratio that counts: that of the static peak where a gate is missed.
    pub fn judged(&self) -> f64 {
        if self.kept { self.ratio } else { self.fixed }
    }
}

/// What all configurations did: for each configuration one cell for each recording. The first is the frozen one.
pub type Cells = Vec<Vec<Cell>>;

/// The geometric mean over series, where a series that misses a gate counts as the static peak.
pub fn mean(cells: &[Cell]) -> f64 {
    let logs: f64 = cells.iter().map(|c| c.judged().ln()).sum();
    (logs / cells.len().max(1) as f64).exp()
}

/// The frozen configuration and `draws` in which every constant was moved at random by up to `spread`.
pub fn configurations(draws: usize, spread: f64, seed: u64) -> Vec<Constants> {
    let moved = |draw: usize| Constants::FROZEN.moved(spread, &mut Chance::of(seed, &[draw as u64]));
    std::iter::once(Constants::FROZEN).chain((0..draws).map(moved)).collect()
}

/// How the result changes when the constants do.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Fragility {
    /// Random configurations.
    pub draws: usize,
    /// Those that keep every series.
    pub keep_all: usize,
    /// Those that miss one series at most.
    pub keep_all_but_one: usize,
    /// The geometric mean: least, 10th, 50th, 90th percentile, most.
    pub means: [f64; 5],
    /// Index of a series and the number of configurations that miss it, most often first.
    pub missed: Vec<(usize, usize)>,
}

/// Sums up the random configurations; the frozen one, which is the first, is left out.
pub fn fragility(cells: &[Vec<Cell>]) -> Fragility {
    let moved = cells.get(1..).unwrap_or_default();
    let misses_of = |row: &Vec<Cell>| row.iter().filter(|c| !c.kept).count();
    let mut means: Vec<f64> = moved.iter().map(|row| mean(row)).collect();
    means.sort_by(f64::total_cmp);
    let at = |percent: usize| {
        let last = means.len().checked_sub(1)?;
        means.get((last * percent + 50) / 100).copied()
    };
    let series = moved.first().map_or(0, Vec::len);
    let mut failing: Vec<(usize, usize)> =
        (0..series).map(|i| (i, moved.iter().filter(|row| !row[i].kept).count())).collect();
    failing.retain(|(_, often)| *often > 0);
    failing.sort_by_key(|(index, often)| (std::cmp::Reverse(*often), *index));
    Fragility {
        draws: moved.len(),
        keep_all: moved.iter().filter(|row| misses_of(row) == 0).count(),
        keep_all_but_one: moved.iter().filter(|row| misses_of(row) <= 1).count(),
        means: [0, 10, 50, 90, 100].map(|percent| at(percent).unwrap_or(f64::NAN)),
        missed: failing,
    }
}

/// Configurations that keep every series of every size: `cells` for each size.
pub fn keep_all_sizes(cells: &[Cells]) -> usize {
    let draws = cells.iter().map(Vec::len).min().unwrap_or(0);
    (1..draws).filter(|draw| cells.iter().all(|size| size[*draw].iter().all(|c| c.kept))).count()
}

/// For each series what the configuration does on it that is best on all others: fewest misses, then least mean.
///
/// That is what a choice of constants promises for a series that had no part in it. The structure had all of them.
pub fn leave_one_out(cells: &[Vec<Cell>]) -> Vec<Cell> {
    let series = cells.first().map_or(0, Vec::len);
    let without = |row: &[Cell], out: usize| {
        let others: Vec<Cell> =
            row.iter().enumerate().filter(|(i, _)| *i != out).map(|(_, cell)| *cell).collect();
        (others.iter().filter(|c| !c.kept).count(), mean(&others))
    };
    (0..series)
        .filter_map(|out| {
            let best = cells.iter().min_by(|a, b| {
                let (a, b) = (without(a, out), without(b, out));
                a.0.cmp(&b.0).then(a.1.total_cmp(&b.1))
            })?;
            best.get(out).copied()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(ratio: f64, kept: bool) -> Cell {
        Cell { ratio, fixed: 4.0, soft: 0.0, hard: 0.0, kept }
    }

    #[test]
    fn a_miss_counts_as_the_static_peak_and_the_frozen_configuration_is_no_draw() {
        let cells = vec![
            vec![cell(1.0, true), cell(1.0, false)],
            vec![cell(1.0, true), cell(1.0, true)],
            vec![cell(1.0, true), cell(2.0, false)],
            vec![cell(1.0, false), cell(1.0, false)],
        ];
        let f = fragility(&cells);
        assert_eq!((f.draws, f.keep_all, f.keep_all_but_one), (3, 1, 2));
        assert_eq!(f.missed, [(1, 2), (0, 1)]);
        assert!((f.means[0] - 1.0).abs() < 1e-9 && (f.means[2] - 2.0).abs() < 1e-9);
        assert!((f.means[4] - 4.0).abs() < 1e-9);
        assert_eq!(keep_all_sizes(&[cells.clone(), cells]), 1);
    }

    #[test]
    fn the_series_left_out_has_no_say_in_the_choice() {
        // The second configuration is cheapest on the first series alone, the first on the second series alone.
        let cells = vec![vec![cell(3.0, true), cell(1.0, true)], vec![cell(1.0, true), cell(2.0, true)]];
        let left_out: Vec<f64> = leave_one_out(&cells).iter().map(|c| c.ratio).collect();
        assert_eq!(left_out, [3.0, 2.0]);
        // Keeping goes before cost.
        let cells = vec![vec![cell(3.0, true), cell(1.0, false)], vec![cell(5.0, true), cell(3.0, true)]];
        assert!((leave_one_out(&cells)[0].ratio - 5.0).abs() < 1e-9);
    }
}
