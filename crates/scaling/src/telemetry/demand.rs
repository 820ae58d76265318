//! From utilisation to demand, and what a bad metric means.
//!
//! | the metric is | behaviour |
//! | --- | --- |
//! | missing or late (older than [`LATE_MINUTES`]) | the last good demand stands, no scale-in |
//! | NaN, infinite | as missing |
//! | negative | as missing: no load is negative, so nothing else in the reading is believed either |
//! | absurd (demand jumps by more than [`ABSURD_FACTOR`] above anything seen, in one minute) | held back until a second reading agrees |
//! | stuck (exactly the same value [`STUCK_MINUTES`] times, while it varied before) | taken, but no scale-in |
//! | reset (falls to nothing from more than a tenth of a unit, from one minute to the next) | taken for an outage of the metric: the last good demand stands for [`RESET_MINUTES`], no scale-in |
//! | contradictory (two values for a minute that differ by more than a tenth) | the larger counts, no scale-in |
//! | close to saturation | raised by [`decensored`], since a processor at 100 % hides the demand behind it |
//!
//! **Invariant:** a demand is finite and not negative.

/// A reading that is older than this many minutes is late: two periods of the slowest basic metric would be ten, but a
/// decision that waits ten minutes for news is worse than one that stands still.
pub const LATE_MINUTES: u32 = 3;
/// Equal readings in a row after which a metric that used to vary counts as stuck.
pub const STUCK_MINUTES: u32 = 30;
/// A rise by more than this factor over the highest demand ever seen needs a second witness.
pub const ABSURD_FACTOR: f64 = 50.0;
/// How long a fall to nothing is taken for a broken metric instead of an empty house.
pub const RESET_MINUTES: u32 = 10;
/// Utilisation from which queueing hides demand (autoscaling design: "de-censoring above about 90 %").
const CENSOR_FROM: f64 = 0.90;
/// What full utilisation is taken for: one step must be able to leave saturation, and overshoot is corrected within minutes.
const CENSOR_FULL: f64 = 1.30;

/// What a metric says for one minute.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MetricSample {
    /// Mean utilisation of the serving elements, 0 to 1; `None` when the provider has no datum.
    pub utilisation: Option<f64>,
    /// Elements that served in that minute.
    pub serving: f64,
    /// A second value for the same minute, when two sources disagree or a correction arrived.
    pub other: Option<f64>,
}

/// What is wrong with a reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum MetricFault {
    /// No datum.
    Missing,
    /// Not a number, or infinite.
    NotFinite,
    /// Below zero.
    Negative,
    /// Far above anything seen, not yet confirmed.
    Absurd,
    /// The same value for too long.
    Stuck,
    /// Fell to nothing at once.
    Reset,
    /// Two values that disagree.
    Contradictory,
}

impl MetricFault {
    /// The fault in a few words, for the explanation of a decision.
    pub fn words(self) -> &'static str {
        match self {
            Self::Missing => "the metric is missing",
            Self::NotFinite => "the metric is not a number",
            Self::Negative => "the metric is negative",
            Self::Absurd => "the metric jumped beyond belief and awaits a second witness",
            Self::Stuck => "the metric has not moved for half an hour",
            Self::Reset => "the metric fell to nothing at once",
            Self::Contradictory => "two sources disagree",
        }
    }
}

/// The demand behind a utilisation, as a multiple of the serving capacity.
///
/// Below 90 % it is the utilisation itself. Above, the true demand is hidden; the map rises linearly to 1.3 at 100 %, so
/// that one step can leave saturation (target tracking needs several, because processor time stops at 100 %).
pub fn decensored(utilisation: f64) -> f64 {
    if utilisation <= CENSOR_FROM {
        utilisation.max(0.0)
    } else {
        let over = ((utilisation - CENSOR_FROM) / (1.0 - CENSOR_FROM)).min(1.0);
        CENSOR_FROM + over * (CENSOR_FULL - CENSOR_FROM)
    }
}

/// Turns readings into demand, remembering just enough to know a bad one.
#[derive(Clone, Debug, Default)]
pub struct DemandMeter {
    last_good: Option<f64>,
    highest: f64,
    raw_last: Option<f64>,
    same_for: u32,
    varied: bool,
    zero_for: u32,
    suspected: Option<f64>,
}

impl DemandMeter {
    /// The demand of one minute in units and the fault of its reading, if any.
    ///
    /// `None` only before the first good reading.
    pub fn read(&mut self, reading: &MetricSample) -> (Option<f64>, Option<MetricFault>) {
        let Some(raw) = reading.utilisation else { return (self.last_good, Some(MetricFault::Missing)) };
        if !raw.is_finite() || !reading.serving.is_finite() {
            return (self.last_good, Some(MetricFault::NotFinite));
        }
        if raw < 0.0 || reading.serving < 0.0 {
            return (self.last_good, Some(MetricFault::Negative));
        }
        let mut fault = None;
        let mut utilisation = raw;
        if let Some(other) = reading.other.filter(|o| o.is_finite() && *o >= 0.0) {
            if (other - raw).abs() > 0.1 * raw.max(other) {
                fault = Some(MetricFault::Contradictory);
            }
            utilisation = raw.max(other);
        }
        if self.is_stuck(raw) {
            fault = fault.or(Some(MetricFault::Stuck));
        }
        let demand = decensored(utilisation) * reading.serving;
        if let Some(doubt) = self.doubt(demand) {
            return (self.last_good, Some(doubt));
        }
        self.last_good = Some(demand);
        self.highest = self.highest.max(demand);
        (Some(demand), fault)
    }

    /// Whether the metric has stood still for too long. A metric that never moved (an idle store) is not stuck.
    fn is_stuck(&mut self, raw: f64) -> bool {
        let same = self.raw_last.is_some_and(|last| last.to_bits() == raw.to_bits());
        self.varied |= self.raw_last.is_some() && !same;
        self.same_for = if same { self.same_for.saturating_add(1) } else { 0 };
        self.raw_last = Some(raw);
        // Saturation stands still legitimately: there demand is hidden, not the metric broken.
        self.varied && self.same_for >= STUCK_MINUTES && raw < 0.995
    }

    fn doubt(&mut self, demand: f64) -> Option<MetricFault> {
        let last = self.last_good?;
        if demand <= f64::EPSILON && last > 0.1 {
            self.zero_for = self.zero_for.saturating_add(1);
            return (self.zero_for <= RESET_MINUTES).then_some(MetricFault::Reset);
        }
        self.zero_for = 0;
        if self.highest > 0.0 && demand > ABSURD_FACTOR * self.highest {
            let confirmed = self.suspected.is_some_and(|s| demand > 0.5 * s);
            self.suspected = Some(demand);
            return (!confirmed).then_some(MetricFault::Absurd);
        }
        self.suspected = None;
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(utilisation: f64) -> MetricSample {
        MetricSample { utilisation: Some(utilisation), serving: 4.0, other: None }
    }

    #[test]
    fn demand_is_utilisation_times_serving_until_saturation_hides_it() {
        let mut meter = DemandMeter::default();
        assert_eq!(meter.read(&plain(0.5)), (Some(2.0), None));
        let (full, _) = meter.read(&plain(1.0));
        assert!((full.unwrap_or(0.0) - 5.2).abs() < 1e-9);
        assert!(decensored(0.95) > 0.95 && decensored(0.89) < 0.9);
    }

    #[test]
    fn a_bad_reading_leaves_the_last_good_demand_standing() {
        for (bad, fault) in [
            (MetricSample { utilisation: None, ..plain(0.0) }, MetricFault::Missing),
            (plain(f64::NAN), MetricFault::NotFinite),
            (plain(f64::INFINITY), MetricFault::NotFinite),
            (plain(-0.1), MetricFault::Negative),
            (plain(0.0), MetricFault::Reset),
            (plain(1.0e6), MetricFault::Absurd),
        ] {
            let mut meter = DemandMeter::default();
            meter.read(&plain(0.5));
            if fault == MetricFault::Absurd {
                let jump = MetricSample { serving: 1.0e6, ..plain(0.5) };
                assert_eq!(meter.read(&jump), (Some(2.0), Some(fault)));
                assert_eq!(meter.read(&jump).1, None, "a second witness is believed");
                continue;
            }
            assert_eq!(meter.read(&bad), (Some(2.0), Some(fault)));
        }
    }

    #[test]
    fn a_stuck_metric_is_noticed_but_an_idle_store_is_not_stuck() {
        let mut meter = DemandMeter::default();
        let idle: Vec<_> = (0..100).filter_map(|_| meter.read(&plain(0.02)).1).collect();
        assert!(idle.is_empty());
        meter.read(&plain(0.3));
        let faults: Vec<_> = (0..40).filter_map(|_| meter.read(&plain(0.4)).1).collect();
        assert_eq!(faults.first(), Some(&MetricFault::Stuck));
    }

    #[test]
    fn two_sources_that_disagree_count_for_the_larger() {
        let mut meter = DemandMeter::default();
        let read = meter.read(&MetricSample { utilisation: Some(0.4), serving: 1.0, other: Some(0.8) });
        assert_eq!(read, (Some(0.8), Some(MetricFault::Contradictory)));
    }
}
