//! What a turn of an agent may do, what is heard while it is made, and what it came to.

use std::collections::BTreeSet;

use super::signals::StopRequest;
use crate::agent::work::Done;
use crate::report::outputs::{self, OutputsReport};
use rgctl_engine::execution::drive::{Prices, Watch};
use rgctl_engine::execution::reconcile::Reconciled;
use rgctl_engine::execution::turn::Turn;
use rgctl_model::journal::Purpose;
use rgctl_model::node::Desired;
use rgctl_model::observed::Inventory;
use rgctl_model::plan::Plan;
use rgctl_model::policy::{Consent, Policy};
use rgctl_schema::names::{BlueprintName, RunId};

/// What a turn that acts came to.
pub struct Acted {
    /// For the loop.
    pub done: Done,
    /// In full.
    pub reconciled: Reconciled,
    /// The last run on record.
    pub run: Option<RunId>,
    /// Where clients connect, where that is asked for.
    pub outputs: Option<OutputsReport>,
}

/// What may be done in a turn.
pub struct Mandate<'a> {
    /// What for.
    pub purpose: Purpose,
    /// With which consents.
    pub policy: Policy,
    /// Nothing but this, where a plan was agreed to.
    pub agreed: Option<&'a Plan>,
    /// Of which turns the plan is told with its costs.
    pub prices: Prices,
}

impl Mandate<'_> {
    /// To bring the world into the blueprint's shape, with these consents.
    pub fn consenting(consents: BTreeSet<Consent>) -> Self {
        let policy = Policy { consents, ..Policy::default() };
        Self { purpose: Purpose::Apply, policy, agreed: None, prices: Prices::Never }
    }
}

/// Hears what a run tells, and passes a request to stop on to it.
pub struct Hearing<'a> {
    /// Whether somebody asks it to stop.
    pub stop: StopRequest,
    /// Whether it is to stop in any case.
    pub stopping: bool,
    /// Whose run it is.
    pub blueprint: &'a BlueprintName,
    /// What should exist, where somebody asks where clients connect.
    pub connects: Option<&'a Desired>,
    /// Where clients connect, by the last turn.
    pub outputs: Option<OutputsReport>,
}

impl Watch for Hearing<'_> {
    fn turned(&mut self, turn: &Turn, inventory: &Inventory) {
        self.outputs = self.connects.map(|desired| outputs::report(desired, inventory, &turn.plan));
        tell_notes(self.blueprint, &turn.plan);
        for call in &turn.calls {
            tracing::info!(target: "rgctl::agent", blueprint = %self.blueprint, step = %call.step.id.0, "calls");
        }
    }
    fn stopping(&mut self) -> bool {
        self.stopping || self.stop.is_made()
    }
    fn told(&mut self, line: &str) {
        // What it comes to is told as the condition of the blueprint.
        tracing::debug!(target: "rgctl::agent", blueprint = %self.blueprint, "{line}");
    }
}

/// What a plan was made without. Its numbers change from look to look, so that no status tells them.
pub fn tell_notes(blueprint: &BlueprintName, plan: &Plan) {
    for note in &plan.notes {
        tracing::debug!(target: "rgctl::agent", %blueprint, "{note}");
    }
}
