//! A series recorded once, so that it can be judged by many configurations.
//!
//! The shadow replay of all rules takes nearly all the time of a backtest and depends on none of the constants but the
//! target utilisation. So it is run once for each series and size; what it said is kept (four bytes for each rule and
//! block, without loss), and each configuration only folds, chooses and acts again.
//!
//! **Invariant:** a replay gives exactly the path that the policy itself would have taken; a test compares the two.

use std::sync::Arc;

use super::axis::ScalingMode;
use super::backtest::{Optima, optima};
use super::constants::Constants;
use super::controller::{Controller, Sample};
use super::evaluate::{EvaluationResult, PolicyInput, PreparedTrace, ScalingPolicy, Terms, live};
use super::memory::FIRST_UTILISATION;
use super::optimum::units_needed;
use super::rules::Library;
use super::shadow::{Block, Shadow};
use crate::forecast::{Bases, Predictions};

/// What one rule did in one block.
#[derive(Clone, Copy, Debug, Default)]
struct Did {
    /// Unit-minutes: at most 15 × 1000, and whole.
    cost: u16,
    soft: u8,
    hard: u8,
}

/// A load with everything that was said about it and what every rule did on it.
#[derive(Clone, Debug)]
pub struct Recording {
    /// The load.
    pub load: PreparedTrace,
    /// The terms.
    pub terms: Terms,
    /// The optima.
    pub optima: Optima,
    said: Vec<Predictions>,
    /// One run of rules for each block; the first block ends with the sixteenth sample.
    did: Vec<Did>,
    library: Arc<Library>,
}

/// Whether the target on this axis follows from the demand to be covered alone, so that it can be replayed.
pub fn can_be_replayed(terms: &Terms) -> bool {
    matches!(terms.axis.motion, ScalingMode::Elements | ScalingMode::Continuous { .. })
}

impl Recording {
    /// Runs everything that depends on no constant.
    pub fn of(load: PreparedTrace, terms: Terms, library: &Arc<Library>) -> Self {
        let mut bases = Bases::default();
        let mut said = Vec::with_capacity(load.demand.len());
        let mut did = Vec::with_capacity(load.demand.len() / 15 * library.len());
        let mut shadow: Option<Shadow> = None;
        for demand in &load.demand {
            if let Some(shadow) = &mut shadow {
                if let Some(block) = shadow.minute(bases.statements(), *demand) {
                    did.extend(pack(block));
                }
            } else {
                let first = units_needed(*demand, FIRST_UTILISATION).min(terms.units);
                shadow = Some(Shadow::new(Arc::clone(library), &terms.axis, terms.units, first, terms.rho));
            }
            bases.push(*demand);
            said.push(*bases.statements());
        }
        let optima = optima(&load, &terms);
        Self { load, terms, optima, said, did, library: Arc::clone(library) }
    }

    /// Lives through the scored part with these constants.
    pub fn replay(&self, constants: Constants) -> EvaluationResult {
        let constants = Constants { rho: self.terms.rho, ..constants };
        let mut policy = Replay {
            recording: self,
            controller: Controller::new(self.terms.budget, Arc::clone(&self.library), constants),
            block: Block::new(self.library.len()),
            learned: 0,
        };
        live(&mut policy, &self.load.demand, self.load.scored_from, self.load.demand.len(), &self.terms)
    }

    /// Bytes held, about.
    pub fn size(&self) -> usize {
        self.did.len() * size_of::<Did>() + self.said.len() * size_of::<Predictions>()
    }
}

fn pack(block: &Block) -> impl Iterator<Item = Did> {
    // Whole and small by construction, see `Did`.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let did = |((cost, soft), hard): ((&f32, &f32), &f32)| Did {
        cost: *cost as u16,
        soft: *soft as u8,
        hard: *hard as u8,
    };
    block.cost.iter().zip(&block.soft).zip(&block.hard).map(did)
}

/// The policy over a recording.
struct Replay<'a> {
    recording: &'a Recording,
    controller: Controller,
    block: Block,
    learned: usize,
}

impl Replay<'_> {
    fn learn(&mut self, demand: f64, served: Option<f64>) {
        let at = self.learned;
        self.learned += 1;
        let nothing = Predictions::default();
        let said = &self.recording.said;
        let prior = at.checked_sub(1).map_or(&nothing, |i| &said[i]);
        let before = at.checked_sub(3).map_or(demand, |i| f64::from(said[i].newest));
        let block = if at > 0 && at.is_multiple_of(15) {
            self.unpack(at / 15 - 1);
            Some(&self.block)
        } else {
            None
        };
        self.controller.learn(&Sample { demand, before, prior, said: &said[at], served, block });
    }

    fn unpack(&mut self, block: usize) {
        let rules = self.recording.library.len();
        let did = &self.recording.did[block * rules..(block + 1) * rules];
        let Block { cost, soft, hard } = &mut self.block;
        for (((did, cost), soft), hard) in did.iter().zip(cost).zip(soft).zip(hard) {
            (*cost, *soft, *hard) = (f32::from(did.cost), f32::from(did.soft), f32::from(did.hard));
        }
    }
}

impl ScalingPolicy for Replay<'_> {
    fn begin(&mut self, past: &[f64]) -> Option<u32> {
        for demand in past {
            self.learn(*demand, None);
        }
        None
    }

    fn target(&mut self, view: &PolicyInput<'_>) -> u32 {
        if let Some(newest) = view.known.last().filter(|_| view.known.len() > self.learned) {
            self.learn(*newest, view.served);
        }
        let said = self.learned.checked_sub(1).map_or(Predictions::default(), |i| self.recording.said[i]);
        units_needed(self.controller.demand(&said).0, self.recording.terms.rho)
    }
}
