//! The decision as a policy of the evaluator: the same code that scales for real, fed with recorded load.

use std::sync::Arc;

use super::axis::AxisProfile;
use super::constants::Constants;
use super::decide::{self, Situation};
use super::evaluate::{PolicyInput, ScalingPolicy, Terms};
use super::memory::Memory;
use super::rules::Library;
use crate::forecast::Band;
use rgctl_schema::time::Moment;

/// `rgctl` as a policy.
pub struct ShadowPolicy {
    memory: Memory,
    bounds: (u32, u32),
    bands: Option<Vec<Band>>,
}

impl ShadowPolicy {
    /// The policy on these terms, with the frozen constants or others.
    pub fn new(terms: &Terms, library: Arc<Library>, constants: Constants) -> Self {
        let axis: AxisProfile = terms.axis;
        let constants = Constants { rho: terms.rho, ..constants };
        Self {
            memory: Memory::new(axis, terms.units, terms.budget, library, constants),
            bounds: (1, terms.units),
            bands: None,
        }
    }

    /// Also keeps the forecast band of every minute, for reports.
    #[must_use]
    pub fn keeping_bands(self) -> Self {
        Self { bands: Some(Vec::new()), ..self }
    }

    /// The bands that were kept.
    pub fn bands(&self) -> &[Band] {
        self.bands.as_deref().unwrap_or_default()
    }

    fn situation(&self, known: usize, ordered: u32, changing: bool) -> Situation<'_> {
        Situation {
            memory: &self.memory,
            now: Moment::from_secs(i64::try_from(known).unwrap_or(i64::MAX).saturating_mul(60)),
            ordered,
            changing,
            bounds: self.bounds,
            calendar: &[],
            fault: None,
            metric_age_minutes: self.memory.axis().metric_age_minutes,
            unit_price_per_hour: None,
        }
    }

    /// What was learned.
    pub fn memory(&self) -> &Memory {
        &self.memory
    }
}

impl ScalingPolicy for ShadowPolicy {
    fn begin(&mut self, past: &[f64]) -> Option<u32> {
        for demand in past {
            self.memory.learn(*demand, None);
        }
        decide::first(&self.situation(past.len(), 1, false))
    }

    fn target(&mut self, view: &PolicyInput<'_>) -> u32 {
        if let Some(newest) = view.known.last().filter(|_| view.known.len() > self.memory.samples()) {
            self.memory.learn(*newest, view.served);
        }
        if let Some(bands) = &mut self.bands {
            bands.push(self.memory.band());
        }
        decide::target(&self.situation(view.known.len(), view.ordered, view.changing))
    }
}
