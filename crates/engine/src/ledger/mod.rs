//! What the record adds up to: the steps that were begun, and what is known of each.
//!
//! **Invariant:** what is appended follows from what is on record; [`Ledger::check`] says so before it is written. What is
//! on record already is folded whatever it says, and [`notes`] tells where it does not follow.

mod runs;
mod step;
mod transitions;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use rgctl_model::address::Address;
use rgctl_model::checkpoint::{CHECKPOINT_BYTES_MAX, Checkpoint};
use rgctl_model::choices::Choices;
use rgctl_model::claims::Claims;
use rgctl_model::journal::{Cause, Entry, Event, Left, LineTime, Outcome, Purpose, RecordedObject};
use rgctl_model::policy::{DestructiveAction, Policy};
use rgctl_model::rules::RecordedRules;
use rgctl_schema::names::{Fingerprint, RegionId, RunId, StepId};
use rgctl_schema::time::{Moment, Span};

pub use runs::{Failing, OpenRun, Ruled};
pub use step::{InFlightStep, Late, StepStatus, Tries, UnknownState};
pub use transitions::IllegalTransition;

use transitions::Ahead;

/// Version of what a checkpoint holds: raised whenever the form of the ledger changes, or what lines add up to.
pub const VERSION: u32 = 6;

/// Why a step waits whose name is taken.
pub const NAME_TAKEN: &str = "the name is taken by something that this account's listing does not show";

/// How far the clocks of two machines that can sign requests may be apart: services refuse signatures that are five minutes
/// off, some a little more.
const CLOCKS_APART: Span = Span::from_mins(15);
/// Nothing stays on its way this long. Until then calls without an answer are kept in mind.
const ON_ITS_WAY_MAX: Span = Span::from_days(1);

/// A run that is open has a checkpoint so many lines after the last one at the earliest.
const LINES_OF_A_CHECKPOINT: u64 = 100;

/// Who wrote the last lines, and from which one on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Writer {
    actor: String,
    since: u64,
}

/// The steps that were begun and are not done, and the end of the record.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ledger {
    /// Begun steps.
    pub begun: BTreeMap<StepId, InFlightStep>,
    /// Position of the last line.
    pub last_seq: u64,
    /// Digest of the last line.
    pub last_hash: String,
    /// The run that was opened and not closed: it works, or was cut off.
    pub open: Option<OpenRun>,
    /// Who wrote last.
    writer: Option<Writer>,
    /// What the last run was for, and what it might do.
    doing: Option<(Purpose, Policy)>,
    /// What was chosen for steps that are not done.
    pub choices: Choices,
    /// Digest of the desired state of the last run: choices are kept for as long as it is the same.
    pub desired: Option<Fingerprint>,
    /// Digest of the desired state that was seen in full to be as it should be, where that is the last that the record tells:
    /// no run was begun since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    settled: Option<Fingerprint>,
    /// The policies and the calendar that were obeyed last.
    pub ruled: Option<Ruled>,
    /// What the last runs could not do, if they could not.
    pub failing: Option<Failing>,
    /// Calls without an answer of steps that went on without it.
    late: BTreeMap<StepId, Late>,
    /// The objects that were made or taken over and not deleted since.
    pub claims: Claims,
}

impl Ledger {
    /// What a checkpoint holds; nothing where it is not of the form that this version writes.
    pub fn from_checkpoint(checkpoint: &Checkpoint) -> Option<Self> {
        let ledger: Self = serde_json::from_str(&checkpoint.state).ok()?;
        (ledger.last_seq == checkpoint.seq && ledger.last_hash == checkpoint.hash).then_some(ledger)
    }

    /// All that it adds up to, as the record tells it; nothing where that is too much.
    pub fn checkpoint(&self) -> Option<Checkpoint> {
        let state = serde_json::to_string(self).ok().filter(|state| state.len() <= CHECKPOINT_BYTES_MAX)?;
        Some(Checkpoint::new(self.last_seq, self.last_hash.clone(), VERSION, state))
    }

    /// Adds lines in order.
    pub fn fold(&mut self, entries: &[Entry]) {
        for entry in entries {
            self.add(entry);
            if self.writer.as_ref().is_none_or(|writer| writer.actor != entry.actor) {
                self.writer = Some(Writer { actor: entry.actor.clone(), since: entry.seq });
            }
            self.last_seq = entry.seq;
            self.last_hash.clone_from(&entry.hash);
        }
    }

    /// Another run goes on with what earlier ones left, at `now` by its own clock; theirs may have shown another time. What
    /// they did is past, and what they left without an answer may be younger than it says, but not than the new run.
    pub fn inherit(&mut self, now: Moment) {
        self.by_clock_of(u64::MAX, now);
    }

    /// The same where the run that is open is gone on with: what this process wrote in it was written by this clock.
    pub fn go_on(&mut self, owner: &str, now: Moment) {
        match (&self.open, &self.writer) {
            (Some(open), Some(writer)) if writer.actor == owner => {
                let horizon = if writer.since <= open.seq { Ord::min(open.began, now) } else { now };
                self.by_clock_of(open.seq.max(writer.since), horizon);
            }
            _ => self.inherit(now),
        }
    }

    /// Reckons what was told before a line by a clock that shows `horizon` at the latest then.
    fn by_clock_of(&mut self, own_from: u64, horizon: Moment) {
        let past = |at: Moment| Ord::min(horizon, at);
        let perhaps_younger = |time: &mut LineTime| {
            if time.is_before(own_from) {
                time.at = past(time.at + CLOCKS_APART);
            }
        };
        for begun in self.begun.values_mut() {
            begun.first.at = past(begun.first.at);
            if begun.status == StepStatus::Unclear {
                perhaps_younger(&mut begun.since);
            } else if begun.since.is_before(own_from) {
                begun.since.at = past(begun.since.at);
            }
            if let Some(unknown) = begun.unknown.as_mut().filter(|unknown| unknown.since.is_before(own_from))
            {
                unknown.since.at = past(unknown.since.at);
            }
        }
        self.late.values_mut().for_each(|late| perhaps_younger(&mut late.since));
        let asked = self.claims.objects.values_mut().filter_map(|claimed| claimed.asked.as_mut());
        asked.for_each(perhaps_younger);
    }

    /// Whether the last that the record tells is that all of this desired state was seen to be as it should be.
    pub fn has_settled(&self, desired: &Fingerprint) -> bool {
        self.settled.as_ref() == Some(desired)
    }

    /// Whether a line tells that something has moved: that a step was done, or that one has failed whose call was accepted. A step
    /// that was put off and that nobody wants any more moved nothing.
    pub fn is_movement(&self, event: &Event) -> bool {
        match event {
            Event::Settled { step, object } => {
                self.begun.get(step).is_some_and(|begun| begun.is_done_with(object.as_ref()))
            }
            Event::Failed { step, .. } => {
                self.begun.get(step).is_some_and(|begun| begun.status == StepStatus::Accepted)
            }
            _ => false,
        }
    }

    fn add(&mut self, entry: &Entry) {
        if self.is_movement(&entry.what)
            && let Some(open) = &mut self.open
        {
            open.moved = entry.at;
        }
        match &entry.what {
            // What an earlier run gave up stays known with its count of calls: a new run tries it again, but not as if
            // nothing had happened.
            Event::Opened { .. } | Event::Revised { .. } => self.begin(entry),
            Event::Closed { outcome, left, .. } => self.close(entry, *outcome, left.as_ref()),
            Event::Chosen { choices } => self.choices.overlay(choices.clone()),
            Event::Intended { .. } => self.intend(entry),
            Event::Accepted { step } => {
                self.set(step, StepStatus::Accepted, "", entry);
                self.count(step, |tries| Tries {
                    accepted: tries.accepted + 1,
                    unanswered: 0,
                    taken: 0,
                    ..tries
                });
            }
            Event::Unclear { step, why } => {
                let why = if why.is_empty() { "no answer came" } else { why };
                self.set(step, StepStatus::Unclear, why, entry);
                self.count(step, |tries| Tries { unanswered: tries.unanswered + 1, taken: 0, ..tries });
            }
            Event::Taken { step } => {
                self.set(step, StepStatus::Unclear, NAME_TAKEN, entry);
                self.count(step, |tries| Tries { taken: tries.taken + 1, unanswered: 0, ..tries });
            }
            Event::Deferred { step, why, cause, at_rest } => {
                self.set(step, StepStatus::Deferred, why, entry);
                self.made_nothing(step);
                let rest = |so_far: u32| if *at_rest { so_far + 1 } else { 0 };
                self.count(step, |tries| Tries {
                    at_rest: rest(tries.at_rest),
                    unanswered: 0,
                    taken: 0,
                    ..tries
                });
                if let Some(begun) = self.begun.get_mut(step) {
                    begun.cause = *cause;
                }
            }
            Event::Refused { step, code, message } => {
                self.set(step, StepStatus::Failed, &format!("refused with {code}: {message}"), entry);
                self.made_nothing(step);
            }
            Event::Failed { step, why } => {
                self.leave_behind(step, false);
                self.set(step, StepStatus::Failed, why, entry);
            }
            Event::UnknownState { step, state } => {
                if let Some(begun) = self.begun.get_mut(step) {
                    let since = LineTime::of(entry);
                    begun.unknown = state.clone().map(|word| UnknownState { word, since });
                }
            }
            Event::Settled { step, object } => {
                if let Some(begun) = self.begun.remove(step) {
                    self.settle(step, &begun, object.as_ref());
                    self.choices.forget(&begun.address, &begun.word);
                }
                // What was asked for once, and is so, has arrived.
                if self.late.get(step).is_some_and(|late| !late.repeated) {
                    self.late.remove(step);
                }
            }
            Event::Gone { objects } => objects.iter().for_each(|address| self.claims.let_go(address)),
        }
    }

    fn begin(&mut self, entry: &Entry) {
        self.settled = None;
        match &entry.what {
            Event::Opened { desired, purpose, policy, rules, .. } => {
                if rules.as_ref().is_none_or(|rules| !self.is_wanted(*purpose, policy, desired, rules)) {
                    self.failing = None;
                }
                let (at, seq) = (entry.at, entry.seq);
                self.open = Some(OpenRun { id: entry.run.clone(), began: at, moved: at, seq });
                self.late.retain(|_, late| entry.at.since(late.since.told()) < ON_ITS_WAY_MAX);
                self.want(entry, *purpose, policy, desired);
            }
            Event::Revised { desired, policy, .. } => {
                self.failing = None;
                if let Some((purpose, _)) = self.doing {
                    self.want(entry, purpose, policy, desired);
                }
            }
            _ => {}
        }
    }

    /// What is wanted from that line on.
    fn want(&mut self, entry: &Entry, purpose: Purpose, policy: &Policy, desired: &Fingerprint) {
        self.ruled = Ruled::of(entry).or(self.ruled.take());
        self.doing = Some((purpose, policy.clone()));
        if self.desired.as_ref() != Some(desired) {
            self.choices = Choices::default();
            self.desired = Some(desired.clone());
        }
    }

    /// Whether that is what the last run was for: the same purpose, permission, wish and rules.
    pub fn is_wanted(
        &self,
        purpose: Purpose,
        policy: &Policy,
        desired: &Fingerprint,
        rules: &RecordedRules,
    ) -> bool {
        self.doing.as_ref().is_some_and(|(was, might)| *was == purpose && might == policy)
            && self.desired.as_ref() == Some(desired)
            && self.ruled.as_ref().is_some_and(|ruled| ruled.rules == *rules)
    }

    /// Whether the lines after the last checkpoint are worth another one: whoever goes on with a long run does not read it from
    /// its beginning. A checkpoint tells of every object, so that many objects have one the more seldom.
    pub fn is_checkpoint_due(&self, last: u64) -> bool {
        self.last_seq.saturating_sub(last) >= LINES_OF_A_CHECKPOINT.max(self.claims.objects.len() as u64)
    }

    /// What the run that is open is for.
    pub fn open_for(&self) -> Option<Purpose> {
        self.open.as_ref().and(self.doing.as_ref()).map(|(purpose, _)| *purpose)
    }

    fn close(&mut self, entry: &Entry, outcome: Outcome, left: Option<&Left>) {
        let failed = self.failing.take();
        if matches!(outcome, Outcome::Stopped | Outcome::Paused) {
            // It says nothing about what failed before it.
            self.open = None;
            self.failing = failed;
            return;
        }
        let began = self.open.take().map_or(entry.at, |open| open.began);
        self.failing = left.filter(|_| outcome == Outcome::Blocked).map(|left| {
            let same = failed.filter(|failed| failed.left == *left);
            let runs = same.map_or(1, |failed| failed.runs + u32::from(began >= failed.due()));
            Failing { run: entry.run.clone(), runs, at: entry.at, left: left.clone() }
        });
        if outcome != Outcome::Settled {
            return;
        }
        // A take-over only sets tags.
        if let Some((purpose @ (Purpose::Apply | Purpose::Destroy), policy)) = &self.doing {
            self.claims.finish(&policy.targets);
            let is_all = *purpose == Purpose::Apply && policy.targets.is_empty();
            self.settled = self.desired.clone().filter(|_| is_all);
        }
        self.begun.retain(|_, begun| begun.status != StepStatus::Failed);
    }

    fn intend(&mut self, entry: &Entry) {
        let Event::Intended {
            step,
            address,
            word,
            token,
            final_snapshot,
            changes,
            asks,
            names,
            sets,
            unsets,
            store,
            ..
        } = &entry.what
        else {
            return;
        };
        self.leave_behind(step, true);
        // A call for something else that was asked for before may have taken effect.
        let mut all = self.begun.get(step).and_then(|before| before.sets.clone());
        if let Some(sets) = sets {
            all.get_or_insert_default().add(sets);
        }
        let before = self.begun.get(step).filter(|before| before.asks == *asks);
        let tries = before.map(|before| before.tries.and_one(before.status == StepStatus::Failed));
        let begun = InFlightStep {
            address: address.clone(),
            word: word.clone(),
            token: token.clone(),
            final_snapshot: final_snapshot.clone(),
            status: StepStatus::Unclear,
            since: LineTime::of(entry),
            first: before.map_or_else(|| LineTime::of(entry), |before| before.first),
            tries: tries.unwrap_or_else(|| Tries::default().and_one(false)),
            asks: asks.clone(),
            cause: Cause::State,
            run: entry.run.clone(),
            why: String::new(),
            changes: changes.clone(),
            names: names.clone(),
            sets: all,
            unsets: unsets.clone(),
            unknown: None,
        };
        if word == "delete" {
            let consents = self.doing.iter().flat_map(|(_, policy)| &policy.consents);
            let agreed =
                consents.filter(|consent| consent.action == DestructiveAction::Empty).cloned().collect();
            self.claims.begin_deletion(address, agreed);
        } else if word == "create" {
            let claimed = self.claims.objects.entry(address.clone()).or_default();
            claimed.tokens.insert(token.clone());
            // Whose data is there is told by what was done, not by what was asked for: the call may be refused.
            if !claimed.is_done {
                claimed.store = store.clone().or(claimed.store.take());
            }
            claimed.asked = Some(LineTime::of(entry));
        }
        self.begun.insert(step.clone(), begun);
    }

    fn set(&mut self, step: &StepId, status: StepStatus, why: &str, entry: &Entry) {
        if let Some(begun) = self.begun.get_mut(step) {
            begun.status = status;
            begun.since = LineTime::of(entry);
            begun.run.clone_from(&entry.run);
            why.clone_into(&mut begun.why);
            // A deletion that certainly had no effect leaves its object where it is.
            if begun.word == "delete" && matches!(status, StepStatus::Deferred | StepStatus::Failed) {
                self.claims.keep_after_all(&begun.address);
            }
        }
    }

    /// A step is over, and this is there of its object. What was put off was not done: of what it was to make nothing is there,
    /// unless an earlier call for it may still arrive.
    fn settle(&mut self, step: &StepId, begun: &InFlightStep, object: Option<&RecordedObject>) {
        let is_given_up = begun.status == StepStatus::Deferred && !begun.is_done_with(object);
        match begun.word.as_str() {
            "create" if is_given_up && !self.late.contains_key(step) => {
                self.claims.never_made(&begun.address);
            }
            // What is not there is not ours because of a change that was never made.
            "delete" => self.claims.settled(&begun.address, &begun.word, object),
            _ if is_given_up && object.is_none() => {}
            word => {
                let was_ours = self.claims.should_exist(&begun.address);
                self.claims.settled(&begun.address, word, object);
                // What is made anew, or taken over, has nothing of ours yet; records of old do not say what was set.
                let is_new = begun.sets.is_some() && (word == "create" || word == "tag" && !was_ours);
                if object.is_some() && !is_given_up {
                    self.claims.entries(&begun.address, is_new, begun.sets.as_ref(), &begun.unsets);
                }
            }
        }
    }

    /// A call that certainly had no effect: what it was to make is not on its way.
    fn made_nothing(&mut self, step: &StepId) {
        let address = self.begun.get(step).filter(|begun| begun.word == "create").map(|begun| &begun.address);
        if let Some(claimed) = address.and_then(|address| self.claims.objects.get_mut(address)) {
            claimed.asked = None;
        }
    }

    fn count(&mut self, step: &StepId, counted: impl Fn(Tries) -> Tries) {
        if let Some(begun) = self.begun.get_mut(step) {
            begun.tries = counted(begun.tries);
        }
    }

    /// A step goes on without an answer to its last call.
    fn leave_behind(&mut self, step: &StepId, repeated: bool) {
        if let Some(late) = self.late.get_mut(step) {
            late.repeated |= repeated;
        }
        let Some(begun) = self.begun.get(step).filter(|begun| begun.status == StepStatus::Unclear) else {
            return;
        };
        let repeated = repeated || self.late.contains_key(step);
        self.late.insert(step.clone(), begun.late(repeated));
    }

    /// Calls without an answer, which may still arrive: those that are being looked for, and those of steps that went on
    /// without.
    pub fn late_calls(&self) -> impl Iterator<Item = (&StepId, Late)> {
        let unclear = self.begun.iter().filter(|(_, begun)| begun.status == StepStatus::Unclear);
        let unclear = unclear.map(|(step, begun)| (step, begun.late(false)));
        self.late.iter().map(|(step, late)| (step, late.clone())).chain(unclear)
    }

    /// The objects that may be there as far as the record knows: those that were made, taken over or perhaps made and are
    /// not known to be gone, and those at which a call is out, or may still arrive so long after it was made.
    pub fn held(&self, now: Moment, late: Span) -> BTreeSet<&Address> {
        let begun = self.begun.values().filter(|begun| begun.status != StepStatus::Failed);
        let out = self.late.values().filter(|call| now < call.since.at + late);
        let called = begun.map(|begun| &begun.address).chain(out.map(|call| &call.address));
        self.claims.objects.keys().chain(called).collect()
    }

    /// The regions of these objects. A region that has left the blueprint is looked at for as long as it is one of them:
    /// what was made there would be forgotten otherwise, and go on being billed.
    pub fn regions_held(&self, now: Moment, late: Span) -> BTreeSet<RegionId> {
        self.held(now, late).into_iter().map(|address| address.region.clone()).collect()
    }

    /// What was chosen for a desired state, if it is that of the last run.
    pub fn choices_for(&self, desired: &Fingerprint) -> Choices {
        if self.desired.as_ref() == Some(desired) { self.choices.clone() } else { Choices::default() }
    }

    /// Whether events of a run may be appended: each follows from what is on record, and from those before it.
    pub fn check(&self, run: &RunId, events: &[Event]) -> Result<(), IllegalTransition> {
        let mut ahead = Ahead::of(&self.begun, self.open.as_ref().map(|open| &open.id));
        events.iter().try_for_each(|event| ahead.follow(run, event))
    }
}

/// Lines of a record that do not follow from those before, by position, each with the reason. Records of older versions
/// may have some: they count for what they say, and people are told.
pub fn notes(entries: &[Entry]) -> BTreeMap<u64, IllegalTransition> {
    let mut ledger = Ledger::default();
    let mut notes = BTreeMap::new();
    for entry in entries {
        if let Err(illegal) = ledger.check(&entry.run, std::slice::from_ref(&entry.what)) {
            notes.insert(entry.seq, illegal);
        }
        ledger.fold(std::slice::from_ref(entry));
    }
    notes
}
