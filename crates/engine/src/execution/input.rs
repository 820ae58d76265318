//! What a turn knows.

use std::collections::BTreeMap;

use super::gone::GoneInput;
use super::motion::Motion;
use super::pace::Pace;
use crate::gate::{GateInput, Verdicts};
use crate::ledger::Ledger;
use crate::planning::Figures;
use rgctl_model::choices::Choices;
use rgctl_model::journal::Purpose;
use rgctl_model::node::Desired;
use rgctl_model::observed::Inventory;
use rgctl_model::overlay::HoldOut;
use rgctl_model::plan::{Plan, Reason};
use rgctl_model::policy::{Authority, Policy};
use rgctl_model::quota::OverQuota;
use rgctl_model::scope::RecordId;
use rgctl_schema::names::{RegionId, RunId};
use rgctl_schema::time::Moment;

/// Everything that a turn knows.
#[derive(Clone, Copy)]
pub struct TurnInput<'a> {
    /// What should exist.
    pub desired: &'a Desired,
    /// What exists.
    pub inventory: &'a Inventory,
    /// The regions that are held out.
    pub held_out: &'a BTreeMap<RegionId, HoldOut>,
    /// What was begun.
    pub ledger: &'a Ledger,
    /// What may be done.
    pub policy: &'a Policy,
    /// Prices and capacities.
    pub figures: &'a dyn Figures,
    /// A plan that was agreed to: nothing else is done.
    pub agreed: Option<&'a Plan>,
    /// What was wanted when that was agreed to, where what a decision adds since may join it.
    pub joins: Option<&'a Desired>,
    /// This run.
    pub run: &'a RunId,
    /// When this run began; part of the names of final snapshots.
    pub began: Moment,
    /// Now.
    pub now: Moment,
    /// What the run is for.
    pub purpose: Purpose,
    /// Whether no new step may be begun: the run is being stopped.
    pub stopping: bool,
    /// What was found about desired state as a whole.
    pub verdicts: &'a Verdicts,
    /// On whose word.
    pub authority: Authority,
    /// Bounds.
    pub pace: &'a Pace,
    /// What has moved up to the turn before.
    pub motion: &'a Motion,
}

impl TurnInput<'_> {
    /// What the gate judges by.
    pub fn asked<'b>(&'b self, over_quota: &'b [OverQuota]) -> GateInput<'b> {
        GateInput {
            rules: &self.desired.rules,
            policy: self.policy,
            verdicts: self.verdicts,
            over_quota,
            authority: self.authority,
            now: self.now,
        }
    }

    /// What was chosen: as it was agreed to, and else as it is on record.
    pub(super) fn choices(&self) -> Choices {
        let mut choices = self.ledger.choices_for(&self.desired.fingerprint);
        choices.overlay(self.agreed.map(Choices::of).unwrap_or_default());
        choices
    }

    /// The record that is given up by what was agreed to be taken over.
    pub(super) fn gives_up(&self) -> Option<&RecordId> {
        let mut steps = self.agreed.iter().flat_map(|plan| &plan.steps);
        steps.find_map(|step| if let Reason::TakenOver { from } = &step.why { from.as_ref() } else { None })
    }

    /// What may be gone is judged by.
    pub(super) const fn looked(&self) -> GoneInput<'_> {
        GoneInput {
            desired: self.desired,
            inventory: self.inventory,
            ledger: self.ledger,
            purpose: self.purpose,
            pace: self.pace,
        }
    }

    /// Whether everything of the blueprint is to be removed.
    pub fn destroys(&self) -> bool {
        self.purpose == Purpose::Destroy
    }
}
