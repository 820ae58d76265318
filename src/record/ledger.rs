//! What the record adds up to: the steps that were begun, and what is known of each.

use std::collections::{BTreeMap, BTreeSet};

use crate::artefacts::address::Address;
use crate::artefacts::claims::Claims;
use crate::artefacts::journal::{Entry, Event, Mark, regions_of};
use crate::vocabulary::names::{RegionId, RunId, StepId, Token};
use crate::vocabulary::time::{Moment, Span};

/// What is known of a step that was begun and has not come true.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// The call was about to be made, or was made without an answer: it may have taken effect.
    Unclear,
    /// The call was accepted.
    Accepted,
    /// The call certainly had no effect, and may be made again later.
    Deferred,
    /// The call was refused for good, or its effect failed.
    Failed,
}

/// A step that was begun.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Begun {
    /// On which object.
    pub at: Address,
    /// The operation in a word.
    pub word: String,
    /// Token of the call.
    pub token: Token,
    /// Snapshot that must exist before the step counts as done.
    pub leaves: Option<Address>,
    /// What is known.
    pub status: Status,
    /// Since when.
    pub since: Moment,
    /// How often the call was made.
    pub attempts: u32,
    /// How often it was accepted.
    pub accepted: u32,
    /// How often in a row it was put off for the state of things while nothing was in motion.
    pub at_rest: u32,
    /// In which run it was last touched.
    pub run: RunId,
    /// Why it was put off or failed.
    pub why: String,
    /// What the call was to change, as the record tells it.
    pub changes: Vec<String>,
}

/// A call without an answer, which may still arrive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Late {
    /// On which object.
    pub at: Address,
    /// The operation in a word.
    pub word: String,
    /// What it was to change, as the record tells it.
    pub changes: Vec<String>,
    /// When it was made, at the latest.
    pub since: Moment,
    /// Whether the call was made again since: an effect that is seen may then be that of the second one.
    pub repeated: bool,
}

impl Begun {
    fn late(&self, repeated: bool) -> Late {
        Late {
            at: self.at.clone(),
            word: self.word.clone(),
            changes: self.changes.clone(),
            since: self.since,
            repeated,
        }
    }
}

/// Nothing stays on its way this long. Until then calls without an answer are kept in mind.
const ON_ITS_WAY_MAX: Span = Span::from_days(1);

/// The steps that were begun and have not come true, and the end of the record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ledger {
    /// Begun steps.
    pub begun: BTreeMap<StepId, Begun>,
    /// Position of the last line.
    pub last_seq: u64,
    /// Digest of the last line.
    pub last_hash: String,
    /// Whether the last run was closed; if not, it was cut off.
    pub is_closed: bool,
    /// Every region in which something was ever begun.
    pub regions: BTreeSet<RegionId>,
    /// Calls without an answer of steps that went on without it.
    late: BTreeMap<StepId, Late>,
    /// The objects that were made or taken over and not deleted since.
    pub claims: Claims,
}

impl Ledger {
    /// Adds lines in order.
    pub fn fold(&mut self, entries: &[Entry]) {
        self.regions.extend(regions_of(entries));
        for entry in entries {
            self.add(entry);
            self.last_seq = entry.seq;
            self.last_hash.clone_from(&entry.hash);
        }
    }

    fn add(&mut self, entry: &Entry) {
        match &entry.what {
            Event::Opened { .. } => {
                self.is_closed = false;
                // A new run tries again what an earlier one gave up.
                self.begun.retain(|_, begun| begun.status != Status::Failed);
                self.late.retain(|_, late| entry.at.since(late.since) < ON_ITS_WAY_MAX);
            }
            Event::Closed { .. } => self.is_closed = true,
            Event::Intended { step, at, word, token, leaves, changes, .. } => {
                self.leave_behind(step, true);
                let (attempts, accepted, at_rest) = self
                    .begun
                    .get(step)
                    .map_or((1, 0, 0), |begun| (begun.attempts + 1, begun.accepted, begun.at_rest));
                let begun = Begun {
                    at: at.clone(),
                    word: word.clone(),
                    token: token.clone(),
                    leaves: leaves.clone(),
                    status: Status::Unclear,
                    since: entry.at,
                    attempts,
                    accepted,
                    at_rest,
                    run: entry.run.clone(),
                    why: String::new(),
                    changes: changes.clone(),
                };
                if word == "create" {
                    let claimed = self.claims.objects.entry(at.clone()).or_default();
                    claimed.tokens.insert(token.clone());
                }
                self.begun.insert(step.clone(), begun);
            }
            Event::Accepted { step } => {
                self.set(step, Status::Accepted, "", entry);
                if let Some(begun) = self.begun.get_mut(step) {
                    begun.accepted += 1;
                }
            }
            Event::Unclear { step } => self.set(step, Status::Unclear, "no answer came", entry),
            Event::Deferred { step, why, at_rest } => {
                self.set(step, Status::Deferred, why, entry);
                if let Some(begun) = self.begun.get_mut(step) {
                    begun.at_rest = if *at_rest { begun.at_rest + 1 } else { 0 };
                }
            }
            Event::Refused { step, code, message } => {
                self.set(step, Status::Failed, &format!("refused with {code}: {message}"), entry);
            }
            Event::Failed { step, why } => {
                self.leave_behind(step, false);
                self.set(step, Status::Failed, why, entry);
            }
            Event::Settled { step, object } => {
                if let Some(begun) = self.begun.remove(step) {
                    self.keep(&begun, object.as_ref());
                }
                // What was asked for once, and is so, has arrived.
                if self.late.get(step).is_some_and(|late| !late.repeated) {
                    self.late.remove(step);
                }
            }
        }
    }

    /// Keeps what a step that came true says of its object.
    fn keep(&mut self, begun: &Begun, mark: Option<&Mark>) {
        if begun.word == "delete" {
            self.claims.objects.remove(&begun.at);
            return;
        }
        let claimed = self.claims.objects.entry(begun.at.clone()).or_default();
        claimed.is_done = true;
        claimed.bears_data = begun.at.kind.facts().holds_data;
        if let Some(mark) = mark {
            claimed.id = mark.id.clone().or(claimed.id.take());
            claimed.store = mark.store.clone().or(claimed.store.take());
            claimed.keep = mark.keep.clone().or(claimed.keep.take());
        }
    }

    fn set(&mut self, step: &StepId, status: Status, why: &str, entry: &Entry) {
        if let Some(begun) = self.begun.get_mut(step) {
            begun.status = status;
            begun.since = entry.at;
            begun.run.clone_from(&entry.run);
            why.clone_into(&mut begun.why);
        }
    }

    /// A step goes on without an answer to its last call.
    fn leave_behind(&mut self, step: &StepId, repeated: bool) {
        if let Some(late) = self.late.get_mut(step) {
            late.repeated |= repeated;
        }
        let Some(begun) = self.begun.get(step).filter(|begun| begun.status == Status::Unclear) else {
            return;
        };
        let repeated = repeated || self.late.contains_key(step);
        self.late.insert(step.clone(), begun.late(repeated));
    }

    /// Calls without an answer, which may still arrive: those that are being looked for, and those of steps that went on
    /// without.
    pub fn late_calls(&self) -> impl Iterator<Item = (&StepId, Late)> {
        let unclear = self.begun.iter().filter(|(_, begun)| begun.status == Status::Unclear);
        let unclear = unclear.map(|(step, begun)| (step, begun.late(false)));
        self.late.iter().map(|(step, late)| (step, late.clone())).chain(unclear)
    }

    /// Whether calls are out whose end has not been seen.
    pub fn has_calls_out(&self) -> bool {
        self.begun.values().any(|begun| matches!(begun.status, Status::Accepted | Status::Unclear))
    }
}
