//! The record: what happened, in order, and enough of it to go on after a crash.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::address::Address;
use super::choices::Choices;
use super::claims::Claimed;
use super::node::Node;
use super::observed::Observed;
use super::policy::Policy;
use super::rules::RecordedRules;
use super::scope::Home;
use rgctl_schema::digest::sha256_hex;
use rgctl_schema::names::{BlueprintName, Fingerprint, RegionId, RunId, StepId, StoreName, Token};
use rgctl_schema::time::Moment;

/// What a run was started for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// Bring the world into the blueprint's shape.
    Apply,
    /// Remove everything of the blueprint.
    Destroy,
    /// Set the tags of ownership on what the blueprint names and nobody owns, and nothing else.
    TakeOver,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The world is as wanted.
    Settled,
    /// What could be done is done; the rest is blocked.
    Blocked,
    /// It was stopped, and goes on with the next run.
    Stopped,
    /// What is left waits for a maintenance window, or for the end of a freeze.
    Waiting,
    /// Its deadline came, and it goes on with the next run.
    Paused,
}

/// Why a call was put off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// The state of things refuses it now.
    #[default]
    State,
    /// The provider has no capacity.
    Capacity,
    /// Too many calls are made.
    Rate,
    /// The provider was not reached.
    Network,
}

impl Cause {
    #[allow(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde calls")]
    const fn is_state(&self) -> bool {
        matches!(self, Self::State)
    }
}

/// Entries beside which others may have theirs: parameters of a group, tags. Each has its name and a digest of its value, by which
/// is known whether somebody else has set it since.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entries {
    /// Parameters.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub parameters: BTreeMap<String, String>,
    /// Tags, without those of ownership.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
}

/// The digest of the value of an entry.
pub fn entry_digest(value: &str) -> String {
    sha256_hex(value.as_bytes()).chars().take(16).collect()
}

impl Entries {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.parameters.is_empty() && self.tags.is_empty()
    }

    /// Adds all of another; what both have it has from that one.
    pub fn add(&mut self, other: &Self) {
        self.parameters.extend(other.parameters.clone());
        self.tags.extend(other.tags.clone());
    }

    /// Takes all of another out.
    pub fn remove(&mut self, other: &Self) {
        self.parameters.retain(|name, _| !other.parameters.contains_key(name));
        self.tags.retain(|name, _| !other.tags.contains_key(name));
    }

    /// Whether both have an entry of one name.
    pub fn meets(&self, other: &Self) -> bool {
        let has = |one: &BTreeMap<String, String>, two: &BTreeMap<String, String>| {
            one.keys().any(|name| two.contains_key(name))
        };
        has(&self.parameters, &other.parameters) || has(&self.tags, &other.tags)
    }
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// A run began.
    Opened {
        /// What for.
        purpose: Purpose,
        /// What it may do.
        policy: Policy,
        /// Digest of the desired state.
        desired: Fingerprint,
        /// How many steps its first plan has.
        steps: usize,
        /// The policies and the calendar that it obeys; records of old do not say.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        rules: Option<RecordedRules>,
    },
    /// Something else is wanted than when the run began, or something else may be done: it goes on with that.
    Revised {
        /// What it may do now.
        policy: Policy,
        /// Digest of the desired state.
        desired: Fingerprint,
        /// How many steps its plan has now.
        steps: usize,
        /// The policies and the calendar that it obeys now.
        rules: RecordedRules,
    },
    /// Something was chosen where several ways are equally right; a run and its successors keep to it.
    Chosen {
        /// What.
        choices: Choices,
    },
    /// A call is about to be made. Found without an outcome, it may have taken effect or not.
    Intended {
        /// Which step.
        step: StepId,
        /// On which object.
        #[serde(rename = "at")]
        address: Address,
        /// The operation in a word.
        word: String,
        /// The call's token.
        token: Token,
        /// A snapshot that must exist before the step counts as done.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[serde(rename = "leaves")]
        final_snapshot: Option<Address>,
        /// Why.
        why: String,
        /// What changes, `field: before -> after` each.
        changes: Vec<String>,
        /// Digest of what is asked for, without what it was before: while it stays the same, calls are counted together.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        asks: String,
        /// The objects that its new values refer to; records of old do not say.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        names: Option<BTreeSet<Address>>,
        /// The entries that it sets, where it sets any or makes its object; records of old do not say.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        sets: Option<Box<Entries>>,
        /// The entries that it takes out.
        #[serde(default, skip_serializing_if = "Entries::is_empty")]
        unsets: Entries,
        /// The store that its object belongs to, where that is known: by the time it is there, nobody may want it any more.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        store: Option<StoreName>,
    },
    /// The call was accepted.
    Accepted {
        /// Which step.
        step: StepId,
    },
    /// The call was refused; nothing changed.
    Refused {
        /// Which step.
        step: StepId,
        /// The service's code.
        code: String,
        /// The service's text.
        message: String,
    },
    /// No answer came: the call may have taken effect or not.
    Unclear {
        /// Which step.
        step: StepId,
        /// What is known of it.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        why: String,
    },
    /// The name of what was to be made is taken. Whether by an earlier call of ours, the next look tells.
    Taken {
        /// Which step.
        step: StepId,
    },
    /// The call was put off: the service was busy, throttled or out of capacity.
    Deferred {
        /// Which step.
        step: StepId,
        /// Why.
        why: String,
        /// By what sort of reason.
        #[serde(default, skip_serializing_if = "Cause::is_state")]
        cause: Cause,
        /// Whether it was the state of things, and nothing was in motion that could change it.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        at_rest: bool,
    },
    /// The object of a step whose call is out is in a state that this version does not know; or, where none is told, no
    /// longer. From when on is on record, since the patience for it must not begin anew with each process.
    UnknownState {
        /// Which step.
        step: StepId,
        /// The service's word.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        state: Option<String>,
    },
    /// What the step was for is done; or it was put off, and is no longer wanted.
    Settled {
        /// Which step.
        step: StepId,
        /// What is there now; nothing where it was deleted, or is not ours, and in records of old. After a deletion that was given
        /// up, since it is no longer wanted, it is there.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        object: Option<RecordedObject>,
    },
    /// The step was not done.
    Failed {
        /// Which step.
        step: StepId,
        /// Why.
        why: String,
    },
    /// Objects that the record knew, that are no longer wanted, and that were looked for and not found: deleted by another
    /// hand, or never made after all.
    Gone {
        /// Which.
        objects: Vec<Address>,
    },
    /// A run ended.
    Closed {
        /// How.
        outcome: Outcome,
        /// In a sentence.
        summary: String,
        /// What it leaves, where it could not do all: what fails is not tried again while all this is as it was.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        left: Option<Left>,
    },
}

/// How things stand when a run could not do all.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Left {
    /// Digest of the world as it was seen.
    pub world: Fingerprint,
    /// Position of the last decision that was known.
    #[serde(default)]
    pub decided: u64,
}

/// What is kept of an object: enough to know it again when its tags are lost.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordedObject {
    /// What tells it from every other object, see [`Observed::identity`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The store of the blueprint that it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub store: Option<StoreName>,
    /// What becomes of it when it is no longer wanted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep: Option<String>,
}

impl RecordedObject {
    /// What is kept of an object that is there: what is wanted of it, else what the record knows of it. Its tags are not
    /// taken for it: any hand may write them, and a record that believed one would contradict the right one later.
    pub fn of(node: Option<&Node>, known: Option<&Claimed>, seen: &Observed) -> Self {
        // Which store it is made for is told before it is made.
        let store = node.map(|node| node.store.clone()).or_else(|| known?.store.clone());
        let known = known.filter(|known| known.is_done);
        let keep = node.map(|node| node.keep_tag().to_owned()).or_else(|| known?.keep.clone());
        Self { id: seen.identity(), store, keep }
    }
}

/// One line of the record. Each carries the digest of the one before, so that a changed line is detected.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Position in the blueprint's record, from 1.
    pub seq: u64,
    /// When.
    pub at: Moment,
    /// Whose record.
    pub blueprint: BlueprintName,
    /// In which account; records of old do not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub home: Option<Home>,
    /// Which run.
    pub run: RunId,
    /// Who: user and host, or the controller.
    pub actor: String,
    /// What.
    pub what: Event,
    /// Digest of the line before; empty at the first.
    pub previous: String,
    /// Digest of this line.
    pub hash: String,
}

/// The time that a line of the record tells. Whoever goes on with what another process left may reckon it by a clock of its
/// own; what is kept is what the line says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "(Moment, u64)", into = "(Moment, u64)")]
pub struct LineTime {
    /// When, as it is reckoned.
    pub at: Moment,
    told: Moment,
    seq: u64,
}

impl LineTime {
    /// As the line says.
    pub const fn of(entry: &Entry) -> Self {
        Self { at: entry.at, told: entry.at, seq: entry.seq }
    }

    /// As some line says.
    pub const fn new(at: Moment, seq: u64) -> Self {
        Self { at, told: at, seq }
    }

    /// When, as the line says.
    pub const fn told(self) -> Moment {
        self.told
    }

    /// Whether an earlier line than that told it.
    pub const fn is_before(self, seq: u64) -> bool {
        self.seq < seq
    }
}

impl From<(Moment, u64)> for LineTime {
    fn from((at, seq): (Moment, u64)) -> Self {
        Self::new(at, seq)
    }
}

impl From<LineTime> for (Moment, u64) {
    fn from(time: LineTime) -> Self {
        (time.told, time.seq)
    }
}

impl Event {
    /// The region in which it begins something, if it does.
    pub const fn begun_in(&self) -> Option<&RegionId> {
        match self {
            Self::Intended { address, .. } => Some(&address.region),
            _ => None,
        }
    }
}

/// The regions in which something was ever begun. Which of them still hold something, the ledger tells.
pub fn regions_of(entries: &[Entry]) -> BTreeSet<RegionId> {
    entries.iter().filter_map(|entry| entry.what.begun_in().cloned()).collect()
}
