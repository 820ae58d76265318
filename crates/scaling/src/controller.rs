//! The part of the memory that judges: which rules are followed, how many misses may be risked, and the floors for what
//! the past cannot show.
//!
//! Goes in: each sample, what was said before and after it, what really served it, and what the rules did in the block
//! that it completed. All constants act here and nowhere else, so that a recorded series can be judged by others.
//!
//! **Invariant:** a pure fold; the same inputs give the same demand to cover.

use std::sync::Arc;

use super::budget::ServiceMinutes;
use super::choose::{self, ActiveRules};
use super::constants::Constants;
use super::record::Record;
use super::rules::Library;
use super::shadow::Block;
use crate::forecast::bases::DAY;
use crate::forecast::{Base, Predictions};

/// Days over which the highest demand is remembered, to know a record.
const RECORD_DAYS: usize = 28;

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

/// A sample with what was said around it.
#[derive(Clone, Copy, Debug)]
pub struct Sample<'a> {
    /// Demand in units; finite.
    pub demand: f64,
    /// Demand three minutes before; the demand itself where there is none.
    pub before: f64,
    /// What was said before the sample came.
    pub prior: &'a Predictions,
    /// What is said with it.
    pub said: &'a Predictions,
    /// What really served it, once the policy is live.
    pub served: Option<f64>,
    /// What the rules did in the block that it completed.
    pub block: Option<&'a Block>,
}

/// Judges and remembers its judgements.
#[derive(Clone, Debug)]
pub struct Controller {
    constants: Constants,
    budget: f64,
    library: Arc<Library>,
    record: Record,
    ledger: ServiceMinutes,
    count: usize,
    records: [f32; RECORD_DAYS],
    record_known: f32,
    mean_known: f64,
    surprised_at: Option<usize>,
    choice: ActiveRules,
    /// The answer to a surprise, and until when it stands.
    rise: Option<(f64, f64)>,
}

impl Controller {
    /// A controller that has seen nothing; `budget` is the share of minutes that may be missed.
    pub fn new(budget: f64, library: Arc<Library>, constants: Constants) -> Self {
        Self {
            record: Record::new(library.len(), &constants),
            constants,
            budget,
            library,
            ledger: ServiceMinutes::default(),
            count: 0,
            records: [0.0; RECORD_DAYS],
            record_known: f32::INFINITY,
            mean_known: 0.0,
            surprised_at: None,
            choice: ActiveRules::default(),
            rise: None,
        }
    }

    /// The account since going live.
    pub fn ledger(&self) -> &ServiceMinutes {
        &self.ledger
    }

    /// The library that is judged.
    pub fn library(&self) -> &Arc<Library> {
        &self.library
    }

    /// The constants in force.
    pub fn constants(&self) -> &Constants {
        &self.constants
    }

    /// Share of minutes that may be missed.
    pub fn budget(&self) -> f64 {
        self.budget
    }

    /// The rules that are followed.
    pub fn choice(&self) -> &ActiveRules {
        &self.choice
    }

    /// The highest demand of the last four weeks.
    pub fn highest(&self) -> f64 {
        f64::from(self.records.iter().copied().fold(0.0, f32::max))
    }

    /// Whether the series is younger than two weeks.
    pub fn young(&self) -> bool {
        (self.count as f64) < self.constants.young_days * DAY as f64
    }

    /// Hard minutes that may still be missed; negative in debt.
    pub fn hard_bank(&self) -> f64 {
        self.ledger.allowance(self.budget, &self.constants).hard_bank
    }

    /// Folds in a sample.
    pub fn learn(&mut self, sample: &Sample<'_>) {
        let Sample { demand, prior, served, .. } = *sample;
        if let Some(serving) = served {
            self.ledger.book(demand, serving, self.constants.rho);
            if demand > serving && demand > f64::from(self.record_known) {
                self.surprised_at = Some(self.count);
            }
        }
        self.remember_record(prior, demand);
        self.count += 1;
        let covered = served.map_or(f64::INFINITY, |s| s * self.constants.rho * self.constants.rise_from);
        if demand > covered || demand > f64::from(self.record_known) {
            let answer = self.after_surprise(sample).max(self.rising());
            self.rise = Some((answer, self.count as f64 + self.constants.surprise_minutes));
        }
        if let Some(block) = sample.block {
            self.record.fold(block);
            // The record changes once in a block, so that choosing more often would find nothing new.
            self.choose();
        }
    }

    fn choose(&mut self) {
        let allowance = self.ledger.allowance(self.budget, &self.constants);
        self.choice = choose::choose_by_both(&self.record, &self.library, &allowance, &self.constants);
    }

    fn remember_record(&mut self, prior: &Predictions, demand: f64) {
        let minute = self.count;
        let day = (minute / DAY) % RECORD_DAYS;
        if minute.is_multiple_of(DAY) {
            self.records[day] = 0.0;
        }
        if minute > 0 && minute.is_multiple_of(60) {
            // What was known at the last full hour: a record must not be its own yardstick.
            self.mean_known = f64::from(prior.mean);
            self.record_known = self.records.iter().copied().fold(0.0, f32::max);
        }
        #[allow(clippy::cast_possible_truncation)] // as the samples themselves
        let value = demand as f32;
        self.records[day] = self.records[day].max(value);
    }

    /// The demand that the followed rules want covered; the highest of the last day while nothing is followed.
    ///
    /// Their middle while the account holds minutes, the most that any of them wants while it is in debt: then the next
    /// miss decides, and what is asked for too much lasts only until the debt is worked off.
    pub fn by_rules(&self, said: &Predictions) -> f64 {
        let account = self.ledger.allowance(self.budget, &self.constants);
        let in_debt = account.soft_bank < 0.0 || account.hard_bank < 0.0;
        let wanted = if in_debt { choose::largest } else { choose::blended };
        wanted(&self.library, &self.choice, said).unwrap_or_else(|| f64::from(said.of(Base::Last1d)))
    }

    /// The demand to be covered by an order given now, and what raised it above the rules.
    pub fn demand(&self, said: &Predictions) -> (f64, Option<Raise>) {
        let raises = [
            (Raise::Young, self.young_floor(said)),
            (Raise::Record, self.record_floor(said)),
            (Raise::Rising, self.rising()),
        ];
        let (mut demand, mut raised_by) = (self.by_rules(said), None);
        for (raise, floor) in raises {
            if floor > demand {
                (demand, raised_by) = (floor, Some(raise));
            }
        }
        (demand, raised_by)
    }

    /// What a young series holds because its past cannot show its jumps; nothing where it already showed a wide range.
    fn young_floor(&self, said: &Predictions) -> f64 {
        let c = &self.constants;
        if !self.young() {
            return 0.0;
        }
        let seen = if self.record_known.is_finite() { self.record_known } else { said.highest[1] };
        let spread = f64::from(seen) / self.mean_known.max(1e-9);
        let narrow =
            ((c.young_spread - spread) / (c.young_spread - c.narrow_spread).max(0.1)).clamp(0.0, 1.0);
        (1.0 + (c.young_factor - 1.0) * narrow) * f64::from(said.of(Base::Trend))
    }

    /// The highest of the last day, for a day after demand broke its record and was not served.
    fn record_floor(&self, said: &Predictions) -> f64 {
        let surprised = self.surprised_at.is_some_and(|at| self.count < at + DAY);
        if !surprised {
            return 0.0;
        }
        if self.hard_bank() < self.constants.record_bank { f64::from(said.of(Base::Last1d)) } else { 0.0 }
    }

    /// After a surprise the rise is taken to go on for about two lags, and the highest of the last day to be possible
    /// again: several small orders would each come a lag too late. Surprises are as rare as the objective demands, and
    /// what was ordered too much is given back within minutes, so that generosity costs next to nothing.
    fn after_surprise(&self, sample: &Sample<'_>) -> f64 {
        let c = &self.constants;
        let onward = sample.demand + ((sample.demand - sample.before) / 3.0).max(0.0) * c.rise_minutes;
        let day = f64::from(sample.said.of(Base::Last1d)) * c.rise_day;
        onward.max(day).max(sample.demand * c.rise_factor)
    }

    fn rising(&self) -> f64 {
        match self.rise {
            Some((demand, until)) if (self.count as f64) < until => demand,
            _ => 0.0,
        }
    }
}
