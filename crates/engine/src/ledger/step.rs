//! What is known of a step that was begun: how far it is, how often it was tried, and the call that may still arrive.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use rgctl_model::address::Address;
use rgctl_model::journal::{Cause, Entries, LineTime, RecordedObject};
use rgctl_schema::names::{RunId, Token};

/// What is known of a step that was begun and is not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum StepStatus {
    /// The call was about to be made, or was made without an answer: it may have taken effect.
    Unclear,
    /// The call was accepted.
    Accepted,
    /// The call certainly had no effect, and may be made again later.
    Deferred,
    /// The call was refused for good, or its effect failed.
    Failed,
}

impl fmt::Display for StepStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Unclear => "called and not answered",
            Self::Accepted => "accepted",
            Self::Deferred => "put off",
            Self::Failed => "failed",
        })
    }
}

/// How often a step was tried. The counts begin anew when something else is asked for, or when its effect was seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tries {
    /// Calls, over all runs.
    pub calls: u32,
    /// How many were accepted since a run gave the step up.
    pub accepted: u32,
    /// How often in a row it was put off for the state of things while nothing was in motion.
    pub at_rest: u32,
    /// How often in a row no answer came.
    pub unanswered: u32,
    /// How often in a row the name was taken.
    pub taken: u32,
}

impl Tries {
    /// One call more.
    pub(super) const fn and_one(self, was_given_up: bool) -> Self {
        let calls = self.calls + 1;
        // What an earlier run gave up is tried again with the patience of a new run.
        if was_given_up {
            return Self { calls, accepted: 0, at_rest: 0, unanswered: 0, taken: 0 };
        }
        Self { calls, ..self }
    }
}

/// A state of an object that this version does not know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnknownState {
    /// The service's word.
    pub word: String,
    /// Since when it was seen so.
    pub since: LineTime,
}

/// A step that was begun.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InFlightStep {
    /// On which object.
    pub address: Address,
    /// The operation in a word.
    pub word: String,
    /// Token of the call.
    pub token: Token,
    /// Snapshot that must exist before the step counts as done.
    pub final_snapshot: Option<Address>,
    /// What is known.
    pub status: StepStatus,
    /// Since when.
    pub since: LineTime,
    /// When the first of the calls was made that are counted.
    pub first: LineTime,
    /// How often it was tried.
    pub tries: Tries,
    /// Digest of what is asked for.
    pub asks: String,
    /// By what sort of reason it was put off last.
    pub cause: Cause,
    /// In which run it was last touched.
    pub run: RunId,
    /// Why it was put off or failed.
    pub why: String,
    /// What the call was to change, as the record tells it.
    pub changes: Vec<String>,
    /// The objects that its new values refer to; records of old do not say.
    pub names: Option<BTreeSet<Address>>,
    /// The entries that its calls set; records of old do not say.
    pub sets: Option<Entries>,
    /// The entries that it takes out.
    pub unsets: Entries,
    /// The state of its object, while this version does not know it.
    pub unknown: Option<UnknownState>,
}

/// A call without an answer, which may still arrive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Late {
    /// On which object.
    pub address: Address,
    /// The operation in a word.
    pub word: String,
    /// What it was to change, as the record tells it.
    pub changes: Vec<String>,
    /// The objects that its new values refer to; records of old do not say.
    pub names: Option<BTreeSet<Address>>,
    /// The entries that it sets; records of old do not say.
    pub sets: Option<Entries>,
    /// The entries that it takes out.
    pub unsets: Entries,
    /// When it was made, at the latest.
    pub since: LineTime,
    /// Whether the call was made again since: an effect that is seen may then be that of the second one.
    pub repeated: bool,
}

impl InFlightStep {
    /// Whether it was done, when it is over and this is there of its object: its call was accepted, or what it was for is so all
    /// the same. Of a change whose call certainly had no effect, an object that is there says nothing.
    pub(super) fn is_done_with(&self, object: Option<&RecordedObject>) -> bool {
        match (self.status, self.word.as_str()) {
            (StepStatus::Accepted, _) => true,
            (_, "create") => object.is_some(),
            (_, "delete") => object.is_none(),
            (status, _) => status == StepStatus::Unclear,
        }
    }

    pub(super) fn late(&self, repeated: bool) -> Late {
        Late {
            address: self.address.clone(),
            word: self.word.clone(),
            changes: self.changes.clone(),
            names: self.names.clone(),
            sets: self.sets.clone(),
            unsets: self.unsets.clone(),
            since: self.since,
            repeated,
        }
    }
}
