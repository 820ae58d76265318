//! Quotas of an account, and what of a plan would exceed them.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::kinds::KindId;
use rgctl_schema::names::{RegionId, StepId};

/// Steps named in a line; more are counted.
const NAMED_MAX: usize = 3;

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

/// A quota that the account told, in the form in which it holds for as long as a run lasts: what is seen changes, what
/// others have is taken to stay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownQuota {
    /// Region.
    pub region: RegionId,
    /// Kind of the objects that are counted.
    pub kind: KindId,
    /// How many there may be.
    pub limit: u64,
    /// How many there are beside those that are seen.
    pub others: u64,
    /// See [`AccountQuota::alone`].
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
    pub steps: BTreeSet<StepId>,
}

impl OverQuota {
    /// What is wrong, whichever steps it is about.
    pub fn reason(&self) -> String {
        let Self { region, what, would_be, limit, .. } = self;
        let whose = if self.own { "by the account's quota" } else { "by default" };
        format!("{region}: {would_be} {what} would be wanted, {limit} are allowed {whose}")
    }
}

impl fmt::Display for OverQuota {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named: Vec<&str> = self.steps.iter().take(NAMED_MAX).map(|step| &*step.0).collect();
        write!(f, "{}: {}", self.reason(), named.join(", "))?;
        match self.steps.len().saturating_sub(NAMED_MAX) {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}
