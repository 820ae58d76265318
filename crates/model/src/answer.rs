//! What a step does to those who use a store, and what the gate says about it.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::policy::ConsentRequest;
use rgctl_schema::time::Moment;

/// What a step does to those who use a store: what windows and freezes ask about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Disturbance {
    /// It adds, and interrupts nobody: something is made, started or grows.
    Growth,
    /// It interrupts nobody and takes nothing away: tags, longer backups, more logs, dynamic parameters.
    Quiet,
    /// It interrupts nobody and takes something away: a reader, a removed store, redundancy, protection.
    Reduction,
    /// A reader restarts, and others go on serving.
    ReaderRestart,
    /// A writer, or the only member, restarts.
    Restart,
    /// The write role moves.
    Failover,
    /// The version of the engine changes.
    Upgrade,
    /// Shards go, and their data moves.
    Reshard,
    /// A warehouse is resized, and takes no writes meanwhile.
    Resize,
    /// Something is deleted to be made anew.
    Replacement,
}

impl Disturbance {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Growth,
        Self::Quiet,
        Self::Reduction,
        Self::ReaderRestart,
        Self::Restart,
        Self::Failover,
        Self::Upgrade,
        Self::Reshard,
        Self::Resize,
        Self::Replacement,
    ];

    /// Whether it waits for a maintenance window, where there is one.
    pub fn waits_for_window(self) -> bool {
        self >= Self::Restart
    }
    /// Whether a freeze stops it; a hard one stops everything.
    pub fn disturbs_or_reduces(self) -> bool {
        self >= Self::Reduction
    }
}

/// What the gate says about a step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "gate", rename_all = "snake_case")]
pub enum Answer {
    /// It may be begun.
    Go,
    /// It may be begun later.
    Wait {
        /// When, as far as is known now.
        until: Moment,
        /// What it waits for.
        why: String,
    },
    /// It may not be begun as long as a region is held out in which it would act, or in which something lies that it needs.
    HeldOut {
        /// Which, and since when, by whom and why.
        why: String,
    },
    /// It may not be begun.
    No {
        /// Why not.
        why: String,
        /// What to do about it.
        remedy: String,
        /// What would have to be allowed by name; nothing when no consent helps.
        #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
        allow: BTreeSet<ConsentRequest>,
    },
}
