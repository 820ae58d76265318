//! Noise within the hour for traces that have only hourly or half-hourly readings.
//!
//! Such a trace lies on straight lines between its readings, which flatters every forecast. A finer trace shows how load
//! departs from such lines: its departures, as shares of the line and one interval long, are drawn with repetition and
//! laid over the coarse trace. The readings themselves stay, since departures begin and end at nothing.
//!
//! **Invariant:** the same donor and seed give the same series.

use super::series::MinuteSeries;

/// Departures of a finer series from straight lines, one interval each.
#[derive(Clone, Debug, PartialEq)]
pub struct Departures {
    blocks: Vec<Vec<f64>>,
    minutes: usize,
}

impl Departures {
    /// The departures of `donor` from the lines between its values every `minutes`; `None` if it is too short or never
    /// departs from them.
    pub fn of(donor: &MinuteSeries, minutes: usize) -> Option<Self> {
        let mut blocks = Vec::new();
        let mut start = 0;
        while minutes > 0 && start + minutes < donor.values.len() {
            let (from, to) = (donor.values[start], donor.values[start + minutes]);
            let block: Vec<f64> = (0..minutes)
                .map(|i| {
                    let line = from + (to - from) * i as f64 / minutes as f64;
                    if line > 0.0 { donor.values[start + i] / line - 1.0 } else { 0.0 }
                })
                .collect();
            blocks.push(block);
            start += minutes;
        }
        let departs = blocks.iter().flatten().any(|d| d.abs() > 1e-9);
        departs.then_some(Self { blocks, minutes })
    }

    /// The series with a drawn departure over each interval.
    #[must_use]
    pub fn over(&self, series: &MinuteSeries, seed: u64) -> MinuteSeries {
        let mut state = seed | 1;
        let mut values = series.values.clone();
        for part in values.chunks_mut(self.minutes) {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            let drawn = usize::try_from(state >> 11).unwrap_or(0) % self.blocks.len();
            for (value, departure) in part.iter_mut().zip(&self.blocks[drawn]) {
                *value = (*value * (1.0 + departure)).max(0.0);
            }
        }
        MinuteSeries { values, ..series.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rgctl_schema::time::Moment;

    fn series(values: Vec<f64>) -> MinuteSeries {
        MinuteSeries { start: Moment::EPOCH, values, long_gaps: 0, bridged_minutes: 0 }
    }

    #[test]
    fn readings_stay_and_the_minutes_between_depart_as_the_donor_does() {
        let donor = series((0..601).map(|t| if t % 60 == 30 { 150.0 } else { 100.0 }).collect());
        let departures = Departures::of(&donor, 60).expect("departs");
        let noisy = departures.over(&series(vec![10.0; 240]), 7);
        assert!((0..240).step_by(60).all(|t| (noisy.values[t] - 10.0).abs() < 1e-12));
        assert!((30..240).step_by(60).all(|t| (noisy.values[t] - 15.0).abs() < 1e-12));
        assert_eq!(noisy, departures.over(&series(vec![10.0; 240]), 7));
    }

    #[test]
    fn a_donor_without_departures_is_none() {
        assert_eq!(Departures::of(&series((0..300).map(f64::from).collect()), 60), None);
        assert_eq!(Departures::of(&series(vec![1.0; 20]), 60), None);
    }
}
