//! What was chosen where several ways are equally right, so that a run and its successors keep to it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::address::Address;
use super::plan::{Op, Plan, Step, Verb};
use rgctl_schema::names::Name;

/// The choices of a plan. A choice that is made anew each time that somebody looks may change half-way, and then what
/// was agreed to is no longer what is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choices {
    /// By cluster, the member that takes the write role over.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub successors: BTreeMap<Address, Name>,
    /// By object, the name of the snapshot that its deletion leaves behind.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub snapshots: BTreeMap<Address, Name>,
}

impl Choices {
    /// No choice yet.
    pub const NONE: &'static Self = &Self { successors: BTreeMap::new(), snapshots: BTreeMap::new() };

    /// The choices that a plan makes.
    pub fn of(plan: &Plan) -> Self {
        Self::among(&plan.steps)
    }

    /// The choices that steps make.
    pub fn among<'s>(steps: impl IntoIterator<Item = &'s Step>) -> Self {
        let mut choices = Self::default();
        for step in steps {
            match &step.op {
                Op::Act { address, verb: Verb::Failover { to: Some(to) } } => {
                    choices.successors.insert(address.clone(), to.clone());
                }
                Op::Delete { address, final_snapshot: Some(name) } => {
                    choices.snapshots.insert(address.clone(), name.clone());
                }
                _ => {}
            }
        }
        choices
    }

    /// Whether nothing was chosen.
    pub fn is_empty(&self) -> bool {
        self.successors.is_empty() && self.snapshots.is_empty()
    }

    /// Takes over what others chose, also where it was chosen otherwise before.
    pub fn overlay(&mut self, others: Self) {
        self.successors.extend(others.successors);
        self.snapshots.extend(others.snapshots);
    }

    /// What is not among others, or was chosen otherwise there.
    #[must_use]
    pub fn beyond(mut self, others: &Self) -> Self {
        self.successors.retain(|address, name| others.successors.get(address) != Some(name));
        self.snapshots.retain(|address, name| others.snapshots.get(address) != Some(name));
        self
    }

    /// Forgets what was chosen for an act that is done.
    pub fn forget(&mut self, address: &Address, word: &str) {
        match word {
            "failover" => drop(self.successors.remove(address)),
            "delete" => drop(self.snapshots.remove(address)),
            _ => {}
        }
    }
}
