//! A series on the minute grid: every minute has a finite value, and it is known which of them were measured.

use super::trace::Trace;
use rgctl_schema::time::Moment;

/// A gap is *long* when it exceeds this many usual intervals: the shape in between is a guess, and is reported.
const LONG_GAP_INTERVALS: i64 = 3;

/// Values at consecutive minutes.
#[derive(Clone, Debug, PartialEq)]
pub struct MinuteSeries {
    /// The minute of the first value.
    pub start: Moment,
    /// One finite value for each minute.
    pub values: Vec<f64>,
    /// Gaps longer than three usual intervals, bridged by a straight line.
    pub long_gaps: usize,
    /// Minutes inside those gaps.
    pub bridged_minutes: usize,
}

impl MinuteSeries {
    /// Puts a trace on the minute grid.
    ///
    /// Readings belong to the minute in which they were taken; several in one minute are averaged; minutes between two
    /// readings lie on a straight line (`autoscaling protocol`: "resample to 1 minute, linear interpolation for coarser data").
    pub fn from_trace(trace: &Trace) -> Self {
        let interval = trace.interval_seconds();
        let mut points: Vec<(i64, f64, u32)> = Vec::with_capacity(trace.readings.len());
        for (moment, value) in &trace.readings {
            let minute = moment.as_secs().div_euclid(60);
            match points.last_mut() {
                // The mean is moved along instead of summed up: a sum of large values is infinite.
                Some((last, mean, count)) if *last == minute => {
                    *count += 1;
                    *mean += (value - *mean) / f64::from(*count);
                }
                _ => points.push((minute, *value, 1)),
            }
        }
        let start_minute = points.first().map_or(0, |p| p.0);
        let mut series = Self {
            start: Moment::from_secs(start_minute * 60),
            values: Vec::new(),
            long_gaps: 0,
            bridged_minutes: 0,
        };
        let mut before: Option<(i64, f64)> = None;
        for (minute, value, _) in points {
            if let Some((last, from)) = before {
                let distance = minute - last;
                if distance * 60 > LONG_GAP_INTERVALS * interval.max(60) {
                    series.long_gaps += 1;
                    series.bridged_minutes += usize::try_from(distance - 1).unwrap_or(0);
                }
                for step in 1..distance {
                    series.values.push(from + (value - from) * step as f64 / distance as f64);
                }
            }
            series.values.push(value);
            before = Some((minute, value));
        }
        series
    }

    /// The index at which the scored part begins: the first 40 % are for warming up.
    pub fn scored_from(&self) -> usize {
        self.values.len() * 2 / 5
    }

    /// The series in units, such that the peak of the scored part is `share` × `units`.
    ///
    /// `None` when the scored part is empty or never above zero, since then no scale exists.
    pub fn in_units(&self, units: u32, share: f64) -> Option<Vec<f64>> {
        self.in_units_at(units, share, 1.0)
    }

    /// The same with a quantile of the scored part in place of its peak, so that one outlier does not set the scale.
    ///
    /// Values are rounded to a billionth of a unit: what is written out is then exactly what was judged.
    pub fn in_units_at(&self, units: u32, share: f64, quantile: f64) -> Option<Vec<f64>> {
        let mut scored = self.values.get(self.scored_from()..)?.to_vec();
        let last = scored.len().checked_sub(1)?;
        // A place in the series: not negative, and small.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let place = ((scored.len() as f64 * quantile.clamp(0.0, 1.0)).ceil() as usize).clamp(1, last + 1) - 1;
        let level = *scored.select_nth_unstable_by(place, f64::total_cmp).1;
        let factor = share * f64::from(units) / level;
        let nano = |v: f64| (v * factor * 1e9).round() / 1e9;
        (factor.is_finite() && factor > 0.0).then(|| self.values.iter().map(|v| nano(*v)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn coarse_readings_are_joined_by_straight_lines_and_long_gaps_are_reported() {
        let trace =
            Trace::parse("timestamp,value\n0,0\n300,10\n600,0\n3600,5\n3900,5\n4200,5\n").expect("readable");
        let series = MinuteSeries::from_trace(&trace);
        assert_eq!(series.values.get(..6), Some(&[0.0, 2.0, 4.0, 6.0, 8.0, 10.0][..]));
        assert_eq!((series.values.len(), series.long_gaps, series.bridged_minutes), (71, 1, 49));
    }

    #[test]
    fn the_peak_of_the_scored_part_sets_the_scale() {
        let values = (0..10).map(f64::from).rev().collect();
        let series = MinuteSeries { start: Moment::EPOCH, values, long_gaps: 0, bridged_minutes: 0 };
        let units = series.in_units(10, 0.8).expect("has a peak");
        assert!((units[4] - 8.0).abs() < 1e-12, "the scored part begins at index 4 with value 5");
        let middle = series.in_units_at(10, 0.8, 0.5).expect("has a median");
        assert!((middle[7] - 8.0).abs() < 1e-12, "the median of 5, 4, 3, 2, 1, 0 from below is 2");
        let flat = MinuteSeries { values: vec![0.0; 10], ..series };
        assert_eq!(flat.in_units(10, 0.8), None);
    }
}
