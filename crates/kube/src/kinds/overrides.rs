//! Overrides: somebody's number for an axis of a store. With the scale subresource, `kubectl scale`, HPA and KEDA write it.

use serde::{Deserialize, Serialize};

use super::condition::Condition;
use super::meta::moment;
use super::{Names, Spec};
use rgctl_model::overlay::{Axis, Overlay, OverlayKey, Owner, Target};
use rgctl_schema::names::{BlueprintName, RegionId, StoreName};
use rgctl_schema::time::Moment;

/// Somebody's number for an axis of a store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OverrideSpec {
    /// Blueprint, in the same namespace.
    pub blueprint: BlueprintName,
    /// Its store.
    pub store: StoreName,
    /// In which region.
    pub region: RegionId,
    /// In which dimension; `class` is no number, and stands in no override.
    pub axis: Axis,
    /// How many, within the bounds of the blueprint.
    pub target: u32,
    /// Whether the number is meant exactly; else it is a floor.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub exactly: bool,
    /// Why.
    pub why: String,
    /// Until when it is meant.
    #[serde(default, with = "moment", skip_serializing_if = "Option::is_none")]
    pub until: Option<Moment>,
    /// What is after that: without a word it holds until somebody decides anew.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub then: Option<Then>,
}

impl Spec for OverrideSpec {
    const NAMES: Names = Names {
        kind: "Override",
        plural: "overrides",
        singular: "override",
        short: &["ov"],
        is_namespaced: true,
    };
    type Status = OverrideStatus;
}

/// What is after the time of an override.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Then {
    /// It is void.
    Return,
    /// It holds.
    Hold,
}

impl OverrideSpec {
    /// What it is about, as a decision of a person's.
    pub fn key(&self) -> OverlayKey {
        let Self { store, region, axis, .. } = self;
        OverlayKey { store: store.clone(), region: region.clone(), axis: *axis, owner: Owner::Person }
    }

    /// The same as a decision; or why it is none.
    pub fn overlay(&self, by: String, set: Moment) -> Result<Overlay, String> {
        if self.axis == Axis::Class {
            return Err("a class is no number; write it into the blueprint, or `rgctl scale set`".to_owned());
        }
        if self.then.is_some() && self.until.is_none() {
            return Err("`then` says what is after `until`, which is missing".to_owned());
        }
        Ok(Overlay {
            key: self.key(),
            target: Target::Count(self.target),
            exactly: self.exactly,
            by,
            why: self.why.clone(),
            set,
            until: self.until,
            then_return: self.then == Some(Then::Return),
        })
    }
}

/// What became of an override.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct OverrideStatus {
    /// The generation that was judged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// How many there are: what scalers compare with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub current: Option<u32>,
    /// A selector that means no pod: an HPA refuses an empty one, and takes its metrics from elsewhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub selector: Option<String>,
    /// What holds.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
}

/// The selector of an override: a label that no pod has.
pub fn selector(uid: &str) -> String {
    format!("rgctl.dev/override={uid}")
}
