//! Everything that is remembered of one series: the fold over its past on which a decision rests.
//!
//! A decision over four weeks of minutes would have to replay forty thousand minutes of some thousand rules. So the past is
//! folded in once, sample by sample, and a decision reads the fold. The fold is a pure function of the samples: the same
//! past gives the same memory.
//!
//! **Invariant:** bounded size, about a quarter of a megabyte for each series, whatever its age.

use std::sync::Arc;

use super::axis::AxisProfile;
use super::budget::ServiceMinutes;
use super::choose::ActiveRules;
use super::constants::Constants;
pub use super::controller::Raise;
use super::controller::{Controller, Sample};
use super::optimum::units_needed;
use super::rules::Library;
use super::shadow::Shadow;
use crate::forecast::{Band, BandCalibrator, Bases, ChangeWatch};

/// Utilisation for which the shadow fleets are sized at first.
pub const FIRST_UTILISATION: f64 = 0.5;

/// What was learned of one series.
#[derive(Clone, Debug)]
pub struct Memory {
    axis: AxisProfile,
    units_max: u32,
    bases: Bases,
    calibrator: BandCalibrator,
    watch: ChangeWatch,
    shadow: Option<Shadow>,
    controller: Controller,
}

/// How much demand is to be covered, and why.
#[derive(Clone, Debug, PartialEq)]
pub struct Required {
    /// Demand in units.
    pub demand: f64,
    /// Units that serve it at the target utilisation, within the bounds of the axis.
    pub units: u32,
    /// The rules that were followed.
    pub choice: ActiveRules,
    /// Demand that the rules alone would cover.
    pub by_rules: f64,
    /// What raised the demand above the rules, if anything.
    pub raised_by: Option<Raise>,
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
            units_max,
            bases: Bases::default(),
            calibrator: BandCalibrator::default(),
            watch: ChangeWatch::default(),
            shadow: None,
            controller: Controller::new(budget, library, constants.for_lag(axis.lag_minutes())),
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
    pub fn ledger(&self) -> &ServiceMinutes {
        self.controller.ledger()
    }

    /// The statements about the near future.
    pub fn bases(&self) -> &Bases {
        &self.bases
    }

    /// The library that is replayed.
    pub fn library(&self) -> &Library {
        self.controller.library()
    }

    /// The constants in force.
    pub fn constants(&self) -> &Constants {
        self.controller.constants()
    }

    /// Largest number of units.
    pub fn units_max(&self) -> u32 {
        self.units_max
    }

    /// The judgements on which the demand to be covered rests.
    pub fn controller(&self) -> &Controller {
        &self.controller
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
        self.controller.budget()
    }

    /// Folds in the demand of the next minute, and what really served it once the policy is live.
    pub fn learn(&mut self, demand: f64, served: Option<f64>) {
        let prior = *self.bases.statements();
        let demand = if demand.is_finite() { demand.max(0.0) } else { f64::from(prior.newest) };
        let block = if let Some(shadow) = &mut self.shadow {
            shadow.minute(&prior, demand)
        } else {
            let first = units_needed(demand, FIRST_UTILISATION).min(self.units_max);
            let library = Arc::clone(self.controller.library());
            let rho = self.controller.constants().rho;
            self.shadow = Some(Shadow::new(library, &self.axis, self.units_max, first, rho));
            None
        };
        self.bases.push(demand);
        self.calibrator.push(&self.bases);
        self.watch.push(demand);
        let past = self.bases.past();
        let before = past.count().checked_sub(4).and_then(|i| past.get(i)).map_or(demand, f64::from);
        let said = self.bases.statements();
        self.controller.learn(&Sample { demand, before, prior: &prior, said, served, block });
    }

    /// How much demand an order given now should cover.
    pub fn required(&self) -> Required {
        let said = self.bases.statements();
        let (demand, raised_by) = self.controller.demand(said);
        let units = units_needed(demand, self.constants().rho).clamp(1, self.units_max);
        Required {
            demand,
            units,
            choice: self.controller.choice().clone(),
            by_rules: self.controller.by_rules(said),
            raised_by,
        }
    }
}
