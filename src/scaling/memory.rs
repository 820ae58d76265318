//! Everything that is remembered of one series: the fold over its past on which a decision rests.
//!
//! A decision over four weeks of minutes would have to replay forty thousand minutes of some thousand rules. So the past is
//! folded in once, sample by sample, and a decision reads the fold. The fold is a pure function of the samples: the same
//! past gives the same memory.
//!
//! **Invariant:** bounded size, about a quarter of a megabyte for each series, whatever its age.

use std::sync::Arc;

use super::axis::AxisProfile;
use super::budget::Ledger;
use super::choose::{self, Choice};
use super::constants::Constants;
use super::optimum::units_needed;
use super::rules::Library;
use super::shadow::Shadow;
use crate::forecast::bases::DAY;
use crate::forecast::{Band, BandCalibrator, Base, Bases, ChangeWatch};

/// Days over which the highest demand is remembered, to know a record.
const RECORD_DAYS: usize = 28;
/// Minutes for which a surprise is answered: one lag, until the answer serves, and as long again.
const SURPRISE_MINUTES: usize = 15;
/// Minutes between two choices of rules.
const CHOICE_MINUTES: usize = 15;
/// Utilisation for which the shadow fleets are sized at first.
const FIRST_UTILISATION: f64 = 0.5;

/// What was learned of one series.
#[derive(Clone, Debug)]
pub struct Memory {
    axis: AxisProfile,
    constants: Constants,
    units_max: u32,
    budget: f64,
    library: Arc<Library>,
    bases: Bases,
    calibrator: BandCalibrator,
    watch: ChangeWatch,
    shadow: Option<Shadow>,
    ledger: Ledger,
    records: [f32; RECORD_DAYS],
    record_known: f32,
    surprised_at: Option<usize>,
    mean_known: f64,
    choice: Choice,
    rise: Option<(f64, usize)>,
}

/// How much demand is to be covered, and why.
#[derive(Clone, Debug, PartialEq)]
pub struct Required {
    /// Demand in units.
    pub demand: f64,
    /// Units that serve it at the target utilisation, within the bounds of the axis.
    pub units: u32,
    /// The rules that were followed.
    pub choice: Choice,
    /// Demand that the rules alone would cover.
    pub by_rules: f64,
    /// What raised the demand above the rules, if anything.
    pub raised_by: Option<Raise>,
}

/// A reason to cover more than the rules ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Raise {
    /// The series is younger than two weeks: its past cannot show its jumps.
    Young,
    /// Demand broke its record of four weeks and was not served.
    Record,
    /// Demand breaks its record and rises.
    Rising,
}

impl Memory {
    /// An empty memory. `units_max` is the hard bound of the axis, `budget` the share of minutes that may be missed.
    pub fn new(
        axis: AxisProfile,
        units_max: u32,
        budget: f64,
        library: Arc<Library>,
        constants: Constants,
    ) -> Self {
        Self {
            axis,
            constants,
            units_max,
            budget,
            library,
            bases: Bases::default(),
            calibrator: BandCalibrator::default(),
            watch: ChangeWatch::default(),
            shadow: None,
            ledger: Ledger::default(),
            records: [0.0; RECORD_DAYS],
            record_known: f32::INFINITY,
            surprised_at: None,
            mean_known: 0.0,
            choice: Choice::default(),
            rise: None,
        }
    }

    /// Samples folded in.
    pub fn samples(&self) -> usize {
        self.bases.count()
    }

    /// The axis for which was learned.
    pub fn axis(&self) -> &AxisProfile {
        &self.axis
    }

    /// The account since going live.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// The statements about the near future.
    pub fn bases(&self) -> &Bases {
        &self.bases
    }

    /// The library that is replayed.
    pub fn library(&self) -> &Library {
        &self.library
    }

    /// The constants in force.
    pub fn constants(&self) -> &Constants {
        &self.constants
    }

    /// Largest number of units.
    pub fn units_max(&self) -> u32 {
        self.units_max
    }

    /// Folds in the demand of the next minute, and what really served it once the policy is live.
    pub fn learn(&mut self, demand: f64, serving: Option<f64>) {
        let demand =
            if demand.is_finite() { demand.max(0.0) } else { f64::from(self.bases.statements().newest) };
        if let Some(shadow) = &mut self.shadow {
            shadow.minute(self.bases.statements(), demand);
        } else {
            let first = units_needed(demand, FIRST_UTILISATION).min(self.units_max);
            let library = Arc::clone(&self.library);
            self.shadow = Some(Shadow::new(library, &self.axis, self.units_max, first, &self.constants));
        }
        if let Some(serving) = serving {
            self.ledger.book(demand, serving, self.constants.rho);
            if demand > serving && demand > f64::from(self.record_known) {
                self.surprised_at = Some(self.bases.count());
            }
        }
        let minute = self.bases.count();
        self.remember_record(minute, demand);
        self.bases.push(demand);
        self.calibrator.push(&self.bases);
        self.watch.push(demand);
        let covered = serving.map_or(f64::INFINITY, |s| s * self.constants.rho * self.constants.rise_from);
        if demand > covered || demand > f64::from(self.record_known) {
            let now = self.bases.count();
            let held = self.rising();
            self.rise = Some((self.after_surprise(demand).max(held), now + SURPRISE_MINUTES));
        }
        // The record changes once in a block, so that choosing more often would find nothing new.
        if self.bases.count().is_multiple_of(CHOICE_MINUTES) {
            self.choose();
        }
    }

    fn choose(&mut self) {
        let allowance = self.ledger.allowance(self.budget, &self.constants);
        if let Some(shadow) = &self.shadow {
            self.choice = choose::choose_by_both(shadow, &allowance, &self.constants);
        }
    }

    fn remember_record(&mut self, minute: usize, demand: f64) {
        let day = (minute / DAY) % RECORD_DAYS;
        if minute.is_multiple_of(DAY) {
            self.records[day] = 0.0;
        }
        if minute > 0 && minute.is_multiple_of(60) {
            // What was known at the last full hour: a record must not be its own yardstick.
            self.mean_known = f64::from(self.bases.statements().mean);
            self.record_known = self.records.iter().copied().fold(0.0, f32::max);
        }
        #[allow(clippy::cast_possible_truncation)] // as the samples themselves
        let value = demand as f32;
        self.records[day] = self.records[day].max(value);
    }

    /// The highest demand of the next half hour, in quantiles.
    pub fn band(&self) -> Band {
        self.calibrator.band(self.bases.statements())
    }

    /// The watch for changes of nature.
    pub fn watch(&self) -> &ChangeWatch {
        &self.watch
    }

    /// Share of minutes that may be missed.
    pub fn budget(&self) -> f64 {
        self.budget
    }

    /// How much demand an order given now should cover.
    pub fn required(&self) -> Required {
        let c = &self.constants;
        let said = self.bases.statements();
        let rules = self.shadow.as_ref().and_then(|s| choose::blended(s, &self.choice, said));
        let by_rules = rules.unwrap_or_else(|| f64::from(said.of(Base::Last1d)));
        let raises = [
            (Raise::Young, self.young_floor()),
            (Raise::Record, self.record_floor()),
            (Raise::Rising, self.rising()),
        ];
        let (mut demand, mut raised_by) = (by_rules, None);
        for (raise, floor) in raises {
            if floor > demand {
                (demand, raised_by) = (floor, Some(raise));
            }
        }
        let units = units_needed(demand, c.rho).clamp(1, self.units_max);
        Required { demand, units, choice: self.choice.clone(), by_rules, raised_by }
    }

    /// What a young series holds because its past cannot show its jumps; nothing where it already showed a wide range.
    fn young_floor(&self) -> f64 {
        let c = &self.constants;
        if self.bases.count() as f64 >= c.young_days * DAY as f64 {
            return 0.0;
        }
        let said = self.bases.statements();
        let seen = if self.record_known.is_finite() { self.record_known } else { said.highest[1] };
        let spread = f64::from(seen) / self.mean_known.max(1e-9);
        let narrow =
            ((c.young_spread - spread) / (c.young_spread - c.narrow_spread).max(0.1)).clamp(0.0, 1.0);
        (1.0 + (c.young_factor - 1.0) * narrow) * f64::from(said.of(Base::Trend))
    }

    /// The highest of the last day, for a day after demand broke its record and was not served.
    fn record_floor(&self) -> f64 {
        let surprised = self.surprised_at.is_some_and(|at| self.bases.count() < at + DAY);
        let bank = self.ledger.allowance(self.budget, &self.constants).hard_bank;
        if surprised && bank < self.constants.record_bank {
            f64::from(self.bases.statements().of(Base::Last1d))
        } else {
            0.0
        }
    }

    /// After a surprise the rise is taken to go on for about two lags, and the highest of the last day to be possible
    /// again: several small orders would each come a lag too late. Surprises are as rare as the objective demands, and
    /// what was ordered too much is given back within minutes, so that generosity costs next to nothing.
    fn after_surprise(&self, demand: f64) -> f64 {
        let c = &self.constants;
        let past = self.bases.past();
        let before = past.get(past.count().saturating_sub(4)).map_or(demand, f64::from);
        let onward = demand + ((demand - before) / 3.0).max(0.0) * c.rise_minutes;
        let day = f64::from(self.bases.statements().of(Base::Last1d)) * c.rise_day;
        onward.max(day).max(demand * c.rise_factor)
    }

    fn rising(&self) -> f64 {
        match self.rise {
            Some((demand, until)) if self.bases.count() < until => demand,
            _ => 0.0,
        }
    }
}
