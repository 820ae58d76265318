//! Quotas of an account, and what of a plan would exceed them.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::kinds::KindId;
use crate::vocabulary::names::{RegionId, StepId};

/// How much of a kind an account may have in a region, as the account itself tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountQuota {
    /// Region.
    pub region: RegionId,
    /// Kind of the objects that are counted.
    pub kind: KindId,
    /// How many it may have.
    pub limit: u64,
    /// How many it has, those of others included; nothing where that is not told.
    pub used: Option<u64>,
    /// Whether it stands in place of every other limit of the kind: of its machines, of those of one object, and of kinds
    /// that usually count together with it.
    pub alone: bool,
}

/// Steps that would exceed a quota.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OverQuota {
    /// Region.
    pub region: RegionId,
    /// Of what, as the catalog names it.
    pub what: String,
    /// How much there would be.
    pub would_be: u64,
    /// How much there may be.
    pub limit: u64,
    /// Whether the account itself told the limit; else it is the usual one.
    pub own: bool,
    /// The steps that do not fit.
    pub steps: Vec<StepId>,
}

impl fmt::Display for OverQuota {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { region, what, would_be, limit, .. } = self;
        let whose = if self.own { "by the account's quota" } else { "by default" };
        let steps: Vec<&str> = self.steps.iter().map(|step| &*step.0).collect();
        write!(
            f,
            "{region}: {would_be} {what} would be wanted, {limit} are allowed {whose}: {}",
            steps.join(", ")
        )
    }
}
