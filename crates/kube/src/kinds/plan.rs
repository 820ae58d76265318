//! Plans as objects: what would be done for a blueprint, and what became of that. Only the operator writes them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::condition::Condition;
use super::document::Cost;
use super::meta::at;
use super::{Names, Spec};
use rgctl_schema::time::Moment;

/// Steps that are told one by one.
pub const STEPS_TOLD_MAX: usize = 200;
/// Steps whose work is kept, so that it can be compared with what was approved.
pub const STEPS_KEPT_MAX: usize = 10_000;
/// Hexadecimal digits of its digest in the name of a plan.
const DIGITS_IN_NAME: usize = 12;

/// Name of the plan with a digest: the same plan is the same object.
pub fn name(blueprint: &str, digest: &str) -> String {
    let digits: String = digest.chars().take(DIGITS_IN_NAME).collect();
    format!("{blueprint}-{digits}")
}

/// What would be done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PlanSpec {
    /// For which blueprint, in the same namespace.
    pub blueprint: Of,
    /// Digest of all that it does: the same digest is the same work. An approval names it.
    pub digest: String,
    /// Why there is something to do.
    pub cause: Cause,
    /// When it was made.
    #[serde(with = "at")]
    pub made: Moment,
    /// Version that made it.
    pub version: String,
    /// Whether it is carried out only on an approval; else it is the record of what is carried out.
    #[serde(default = "yes")]
    pub needs_approval: bool,
    /// The run that carries it out, where it needs no approval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
    /// How many steps it has.
    pub steps: u32,
    /// The first of them, in the order in which they can begin.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub first: Vec<PlannedStep>,
    /// Consents that it needs, each by name, such as `delete:accounts@eu-west-1`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub consents: Vec<String>,
    /// The worst that it does to who uses the stores, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disturbance: Option<String>,
    /// What its steps concern costs now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost_now: Option<Cost>,
    /// What that costs after them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost_after: Option<Cost>,
    /// Step to digest of its work, so that each is compared with what was approved before it is done.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub work: BTreeMap<String, String>,
}

impl Spec for PlanSpec {
    const NAMES: Names =
        Names { kind: "Plan", plural: "plans", singular: "plan", short: &[], is_namespaced: true };
    type Status = PlanStatus;
}

const fn yes() -> bool {
    true
}

/// The object that a plan is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Of {
    /// Its name.
    pub name: String,
    /// Its identity.
    pub uid: String,
    /// The generation that was planned for.
    pub generation: i64,
}

/// Why there is something to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Cause {
    /// Something else is wanted.
    Changed,
    /// The world is not as it was.
    Drift,
    /// Somebody's number changed.
    Override,
    /// A new version of the operator, or of its catalogue, sees something to do where nothing changed.
    NewVersion,
    /// The blueprint is to go.
    Deletion,
}

impl Cause {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Changed, Self::Drift, Self::Override, Self::NewVersion, Self::Deletion];

    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Changed => "Changed",
            Self::Drift => "Drift",
            Self::Override => "Override",
            Self::NewVersion => "NewVersion",
            Self::Deletion => "Deletion",
        }
    }
}

/// A step as people read it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PlannedStep {
    /// Its name.
    pub id: String,
    /// What it does, in words.
    pub does: String,
    /// Why.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub why: String,
    /// What it does to who uses the store, where it does anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disturbs: Option<String>,
    /// Consents that it needs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub consents: Vec<String>,
}

/// What became of a plan.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PlanStatus {
    /// In which state it is.
    pub phase: Phase,
    /// Name of the approval that lets it be carried out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approval: Option<String>,
    /// The run that carries it out, or did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
    /// What holds.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
}

/// In which state a plan is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Phase {
    /// It waits for an approval, or for its time.
    #[default]
    Pending,
    /// It is carried out.
    Running,
    /// It was carried out.
    Done,
    /// Nothing of it may be begun: the blueprint's policies forbid it, or its region is held out.
    Refused,
    /// Something else is to be done now.
    Superseded,
}

impl Phase {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Pending, Self::Running, Self::Done, Self::Refused, Self::Superseded];

    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "Pending",
            Self::Running => "Running",
            Self::Done => "Done",
            Self::Refused => "Refused",
            Self::Superseded => "Superseded",
        }
    }
}
