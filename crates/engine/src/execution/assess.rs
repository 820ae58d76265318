//! What has become of the steps that were begun.

use std::cell::OnceCell;
use std::collections::BTreeMap;

use super::by_address::ByAddress;
use super::input::TurnInput;
use super::late;
use super::motion::Wait;
use crate::ledger::{InFlightStep, NAME_TAKEN, StepStatus};
use crate::planning::KnownSteps;
use rgctl_model::address::Address;
use rgctl_model::journal::{Cause, Event, RecordedObject};
use rgctl_model::observed::Observed;
use rgctl_model::plan::{Blocker, Plan, Step};
use rgctl_schema::names::StepId;
use rgctl_schema::phase::Phase;
use rgctl_schema::time::{Moment, Span};

#[derive(Default)]
pub(super) struct Assessment<'a> {
    /// Lines for the record.
    pub record: Vec<Event>,
    /// Steps whose calls are out, with what they wait for.
    /// In their order.
    pub under_way: Vec<(StepId, String)>,
    /// Steps that may be tried again, from when on.
    pub retry_at: BTreeMap<StepId, Moment>,
    /// What each of these waits for.
    pub put_off: BTreeMap<StepId, Wait>,
    /// Steps that failed in this run, with the reason.
    pub failed: BTreeMap<StepId, String>,
    /// Begun steps whose objects cannot be seen, and will not be by waiting, with the reason.
    pub unseen: BTreeMap<StepId, String>,
    /// Objects on which a step is under way.
    pub taken: Vec<&'a Address>,
    /// When something is due by time alone: another try, the end of patience.
    pub due: Vec<Moment>,
    /// Whether a call's outcome is still unknown.
    pub has_calls_unclear: bool,
}

impl Assessment<'_> {
    /// Whether the call of a step is out.
    pub fn is_under_way(&self, id: &StepId) -> bool {
        self.under_way.binary_search_by(|(other, _)| other.cmp(id)).is_ok()
    }

    /// The steps under way, with what the record knows of them. Both are sorted, so that nothing needs to be searched for.
    pub fn begun<'a>(
        &'a self,
        input: &TurnInput<'a>,
    ) -> impl Iterator<Item = (&'a StepId, &'a InFlightStep)> + use<'a> {
        let mut out = self.under_way.iter().map(|(id, _)| id).peekable();
        input.ledger.begun.iter().filter(move |(id, _)| {
            while out.next_if(|other| other < id).is_some() {}
            out.peek() == Some(id)
        })
    }
}

/// The steps of a plan by name.
struct PlannedSteps<'a> {
    known: KnownSteps<'a>,
    others: BTreeMap<&'a StepId, &'a Step>,
}

impl<'a> PlannedSteps<'a> {
    fn of(plan: &'a Plan, known: KnownSteps<'a>) -> Self {
        Self { known, others: known.others(plan).map(|step| (&step.id, step)).collect() }
    }

    fn get(&self, id: &StepId, address: &Address) -> Option<&'a Step> {
        let creation = || self.known.creation_of(address).filter(|step| step.id == *id);
        self.others.get(id).copied().or_else(creation)
    }
}

pub(super) fn assess<'a>(input: &TurnInput<'a>, plan: &Plan, known: KnownSteps<'_>) -> Assessment<'a> {
    let planned = PlannedSteps::of(plan, known);
    // What is only told, such as a key that cannot be compared, says nothing about how a step goes.
    let about_steps = plan.waiting.iter().filter(|waiting| !waiting.is_only_told());
    let moving = ByAddress::new(about_steps.map(|waiting| (waiting.address(), waiting)));
    let mut verdicts = Assessment::default();
    for (id, begun) in &input.ledger.begun {
        if let Some(hold) =
            input.inventory.hold_on(&begun.address).filter(|_| begun.status != StepStatus::Failed)
        {
            // Its call may be out, or done: nobody looks, and it stays on record as it is.
            verdicts.unseen.insert(id.clone(), hold.to_string());
            verdicts.taken.push(&begun.address);
            continue;
        }
        let waiting = moving.get(&begun.address);
        let step = StepAssessment { input, id, begun, planned: &planned, found: OnceCell::new(), waiting };
        match begun.status {
            // What an earlier run gave up is tried again.
            StepStatus::Failed if begun.run != *input.run => {}
            StepStatus::Failed => {
                verdicts.failed.insert(id.clone(), begun.why.clone());
            }
            StepStatus::Deferred => step.judge_deferred(&mut verdicts),
            StepStatus::Unclear => step.judge_unclear(&mut verdicts),
            StepStatus::Accepted => step.judge_accepted(&mut verdicts),
        }
        // What was put off waits out of sight as well, but no call of it is out whose object anybody watches.
        let is_out = matches!(begun.status, StepStatus::Unclear | StepStatus::Accepted);
        if is_out && verdicts.under_way.last().is_some_and(|(last, _)| last == id) {
            step.note_unknown_state(&mut verdicts);
        }
    }
    verdicts
}

struct StepAssessment<'a, 'b> {
    input: &'b TurnInput<'a>,
    id: &'a StepId,
    begun: &'a InFlightStep,
    planned: &'b PlannedSteps<'b>,
    /// The step of the plan, if there is one; looked for when it is asked for, which is seldom where the object is in
    /// transition.
    found: OnceCell<Option<&'b Step>>,
    waiting: Option<&'b Blocker>,
}

impl<'a> StepAssessment<'a, '_> {
    fn step(&self) -> Option<&Step> {
        *self.found.get_or_init(|| self.planned.get(self.id, &self.begun.address))
    }

    fn is_planned(&self) -> bool {
        self.step().is_some()
    }

    /// Whether it waits for the release of a region.
    fn is_held_out(&self) -> bool {
        self.step().is_some_and(|step| step.held_out.is_some())
    }

    /// Whether something else is asked for than what was tried.
    fn is_new_wish(&self) -> bool {
        self.step().is_some_and(|step| step.op.asks() != self.begun.asks)
    }

    /// Why nobody knows what became of its object, or whether the step is still wanted, and whether time will not tell, if
    /// that is so.
    fn is_out_of_sight(&self) -> Option<(String, bool)> {
        let (address, inventory) = (&self.begun.address, self.input.inventory);
        if inventory.gaps.is_empty() {
            return None;
        }
        let gap = if !inventory.seen.contains_key(address) {
            inventory.gaps_around(address).max_by_key(|gap| gap.lasting)?
        } else if !self.is_planned()
            && !late::is_so(self.input, address, &self.begun.word, &self.begun.changes)
        {
            // On partial sight of anything, a plan leaves removals out, and what goes before them.
            inventory.gaps.iter().max_by_key(|gap| gap.lasting)?
        } else {
            return None;
        };
        Some((format!("{} could not be seen: {}", gap.region, gap.why), gap.lasting))
    }

    /// Of a step whose call is out and that goes on: a state of its object that this version does not know, and that it is in
    /// none any more, are told when they are seen first. Of what is not seen nothing is told.
    fn note_unknown_state(&self, verdicts: &mut Assessment<'a>) {
        let (address, inventory) = (&self.begun.address, self.input.inventory);
        let state = match inventory.seen.get(address).map(|seen| &seen.facts.phase) {
            Some(Phase::Unknown(word)) => Some(word),
            Some(_) => None,
            None if inventory.is_complete_for(address) => None,
            None => return,
        };
        if state != self.begun.unknown.as_ref().map(|known| &known.word) {
            verdicts.record.push(Event::UnknownState { step: self.id.clone(), state: state.cloned() });
        }
    }

    /// Since when its object is in that state: by the record, so that a process that has just begun is no more patient.
    fn unknown_since(&self, phase: &Phase) -> Moment {
        let known = self.begun.unknown.as_ref();
        let same = known.filter(|known| matches!(phase, Phase::Unknown(word) if *word == known.word));
        same.map_or(self.input.now, |known| known.since.at)
    }

    fn judge_deferred(&self, verdicts: &mut Assessment<'a>) {
        if let Some((why, lasting)) = self.is_out_of_sight() {
            self.out_of_sight(verdicts, why, lasting);
        } else if self.is_left_out() {
            // It has its turn, or is no longer wanted, when its object can be changed again.
        } else if !self.is_planned() {
            // Somebody else brought it about, or it is no longer wanted.
            verdicts.record.push(self.settled());
        } else if self.is_held_out() {
            // It has its turn when the region is released.
        } else if let Some(why) = self.given_up() {
            self.fail(verdicts, why);
        } else {
            self.put_off(verdicts, self.input.pace.retry, self.begun.why.clone());
        }
    }

    /// Whether the plan is without it for what its object is, so that nobody can tell whether it is still wanted. What is
    /// broken, in a state that this version does not know, or not ours is not changed, and what something of somebody else's is bound
    /// to is not removed.
    fn is_left_out(&self) -> bool {
        let is_reason = |one: &Blocker| {
            matches!(one, Blocker::Broken { .. } | Blocker::Foreign { .. } | Blocker::Bound { .. })
        };
        self.waiting.is_some_and(is_reason) && !self.is_planned()
    }

    /// Why a step that was tried in vain is tried no more, if it is not. A wish that was not tried yet is.
    fn given_up(&self) -> Option<String> {
        let (pace, tries, why) = (self.input.pace, self.begun.tries, &self.begun.why);
        if self.is_new_wish() {
            None
        } else if tries.at_rest >= pace.at_rest_max {
            // Time alone will not change it.
            Some(format!(
                "put off {} times while nothing was in motion that could end it: {why}",
                tries.at_rest
            ))
        } else if tries.taken >= pace.taken_max {
            Some(format!(
                "{NAME_TAKEN}: it was refused {} times; choose another name, or free it",
                tries.taken
            ))
        } else if !self.repeats_harmlessly() && tries.unanswered >= pace.unanswered_acts_max {
            Some(format!(
                "no answer came {} times in a row, and to be asked for once more it might happen twice: {why}",
                tries.unanswered
            ))
        } else if tries.calls >= pace.calls_max {
            Some(format!(
                "called {} times in vain since {}, at last: {why}",
                tries.calls, self.begun.first.at
            ))
        } else {
            None
        }
    }

    /// A second create or modify finds the first; a second failover would be a second failover.
    fn repeats_harmlessly(&self) -> bool {
        matches!(self.begun.word.as_str(), "create" | "modify" | "tag" | "delete")
    }

    /// Another try comes when its time has come; the first one of a run as soon as it may.
    fn put_off(&self, verdicts: &mut Assessment<'a>, least: Span, why: String) {
        let is_ours = self.begun.run == *self.input.run && !self.is_new_wish();
        let wait = if is_ours { least.max(self.backoff()) } else { least };
        let at = self.begun.since.at + wait;
        verdicts.due.push(at);
        verdicts.retry_at.insert(self.id.clone(), at);
        let wait = Wait { why, since: self.begun.first.at, again: Some(at), calls: self.begun.tries.calls };
        verdicts.put_off.insert(self.id.clone(), wait);
    }

    /// The wait before another try: it doubles with each, up to a bound. What hangs on the state of things, or on the
    /// network, often ends soon after it ended for others: there the bound grows by and by.
    fn backoff(&self) -> Span {
        let (pace, calls) = (self.input.pace, self.begun.tries.calls);
        let doubled = pace.retry.times(1 << calls.saturating_sub(1).min(16));
        let may_end_soon = self.begun.status == StepStatus::Deferred
            && match self.begun.cause {
                Cause::State | Cause::Network => true,
                Cause::Capacity | Cause::Rate => false,
            };
        let most = if may_end_soon {
            pace.retry_soon_max.times(u64::from(calls / pace.retry_soon_calls).max(1)).min(pace.retry_max)
        } else {
            pace.retry_max
        };
        doubled.min(most)
    }

    /// What is seen counts only when it was seen long enough after the call.
    fn judge_unclear(&self, verdicts: &mut Assessment<'a>) {
        let is_soon_clear = self.repeats_harmlessly() && self.begun.tries.taken == 0;
        let patience = if is_soon_clear { self.input.pace.unclear } else { self.input.pace.visibility };
        if self.input.inventory.taken < self.begun.since.at + patience {
            verdicts.has_calls_unclear = true;
            verdicts.due.push(self.begun.since.at + patience);
            self.still(verdicts, "finding out whether the call took effect".to_owned());
        } else {
            self.judge_seen(verdicts, patience);
        }
    }

    fn judge_accepted(&self, verdicts: &mut Assessment<'a>) {
        self.judge_seen(verdicts, self.input.pace.visibility);
    }

    /// What cannot be seen is neither done nor failed: it stays begun. Where time will not show it, the run need not
    /// wait for it.
    fn out_of_sight(&self, verdicts: &mut Assessment<'a>, why: String, lasting: bool) {
        if lasting {
            verdicts.unseen.insert(self.id.clone(), why);
            verdicts.taken.push(&self.begun.address);
        } else {
            self.still(verdicts, why);
        }
    }

    fn judge_seen(&self, verdicts: &mut Assessment<'a>, patience: Span) {
        if let Some((why, lasting)) = self.is_out_of_sight() {
            self.out_of_sight(verdicts, why, lasting);
            return;
        }
        if self.input.inventory.taken < self.begun.since.at {
            // A view that several share may be older than the call: it says nothing about it.
            self.still(verdicts, "a look that was begun after the call".to_owned());
            return;
        }
        match self.waiting {
            Some(Blocker::Transition { native, .. }) => self.still(verdicts, native.clone()),
            Some(Blocker::Pending { fields, .. }) => {
                self.still(verdicts, format!("{} to take effect", fields.join(", ")));
            }
            Some(Blocker::Unseen { why, lasting, .. }) => self.out_of_sight(verdicts, why.clone(), *lasting),
            Some(Blocker::Broken { phase: phase @ Phase::Unknown(_), .. }) if !self.is_planned() => {
                let until = self.unknown_since(phase) + self.input.pace.unknown_max;
                if self.input.now < until {
                    verdicts.due.push(until);
                    self.still(verdicts, format!("a state that this version knows: it is {phase}"));
                } else {
                    self.fail(verdicts, format!("{} is {phase}", self.begun.address));
                }
            }
            Some(Blocker::Broken { phase, .. }) if !self.is_planned() => {
                self.fail(verdicts, format!("{} is {phase}", self.begun.address));
            }
            Some(Blocker::Foreign { owner, .. }) => {
                let owner = owner.as_deref().unwrap_or("nobody rgctl knows");
                self.fail(verdicts, format!("{} exists already and belongs to {owner}", self.begun.address));
            }
            _ if self.is_planned() => {
                // Accepted, and nothing to be seen of it yet.
                if self.input.inventory.taken < self.begun.since.at + patience {
                    verdicts.due.push(self.begun.since.at + patience);
                    self.still(verdicts, "the call to show".to_owned());
                } else if self.is_outdone() {
                    verdicts.record.push(self.settled());
                } else {
                    self.judge_without_effect(verdicts, patience);
                }
            }
            _ => self.judge_done(verdicts, patience),
        }
    }

    /// Whether what was called for is so, and something else is wanted of the same fields by now. That it was done is a line
    /// of the record like any other: by these, nothing else, a process that has just begun knows when something moved.
    fn is_outdone(&self) -> bool {
        let begun = self.begun;
        begun.status == StepStatus::Accepted
            && begun.word == "modify"
            && !begun.changes.is_empty()
            && self.is_new_wish()
            && late::is_so(self.input, &begun.address, &begun.word, &begun.changes)
    }

    /// The time has passed in which an effect would have shown.
    fn judge_without_effect(&self, verdicts: &mut Assessment<'a>, patience: Span) {
        let accepted = self.begun.tries.accepted;
        if self.is_held_out() {
            // It has its turn when the region is released.
        } else if let Some(why) = self.given_up() {
            self.fail(verdicts, why);
        } else if self.begun.status != StepStatus::Accepted {
            let why =
                if self.begun.why.is_empty() { "its answer was never recorded" } else { &self.begun.why };
            self.put_off(verdicts, patience, why.to_owned());
        } else if accepted >= self.input.pace.accepted_max && !self.is_new_wish() {
            let why = format!(
                "the call was accepted {accepted} times, and {} after the last one nothing of it shows: the service \
                 does not do it, or something outside rgctl undoes it",
                self.input.now.since(self.begun.since.at)
            );
            self.fail(verdicts, why);
        } else {
            verdicts.retry_at.insert(self.id.clone(), self.input.now);
        }
    }

    /// The plan no longer asks for it, and its object is at rest.
    fn judge_done(&self, verdicts: &mut Assessment<'a>, patience: Span) {
        // The wish may have changed since: then what it was for is not there, and its call may still come.
        let arrives_until = self.begun.since.at + self.input.pace.late;
        if self.input.inventory.taken < arrives_until && !late::has_arrived(self.input, self.begun) {
            verdicts.due.push(arrives_until);
            self.still(
                verdicts,
                format!("a call without an answer, which may still arrive until {arrives_until}"),
            );
            return;
        }
        // Whoever uses a group of parameters tells a little later than the group itself that it has to restart for them.
        let is_of_parameters = |change: &String| {
            let field = late::field_of(change);
            ["parameters", "parameter_group"].contains(&field) || field.starts_with("parameters.")
        };
        let shows_until = self.begun.since.at + patience;
        if self.begun.changes.iter().any(is_of_parameters) && self.input.inventory.taken < shows_until {
            verdicts.due.push(shows_until);
            self.still(verdicts, "whether the parameters take effect at once".to_owned());
            return;
        }
        // The snapshot that a deletion leaves behind must be there and whole.
        let snapshot = self.begun.final_snapshot.as_ref();
        // A deletion that never was done, and is no longer wanted, leaves none.
        if let Some(snapshot) = snapshot.filter(|_| self.object().is_none()) {
            match self.input.inventory.seen.get(snapshot).map(|seen| &seen.facts.phase) {
                Some(Phase::Ready) => {}
                Some(phase) if phase.is_transitional() => {
                    self.still(verdicts, format!("final snapshot {}", snapshot.name));
                    return;
                }
                // It is listed by the control plane of the object that it is of, which is not always that of its kind:
                // snapshots of clusters and of namespaces are one kind.
                _ if !self.input.inventory.is_complete_for(&self.begun.address)
                    || self.input.inventory.taken < self.begun.since.at + patience.times(10) =>
                {
                    verdicts.due.push(self.begun.since.at + patience.times(10));
                    self.still(verdicts, format!("final snapshot {} to show", snapshot.name));
                    return;
                }
                _ => {
                    self.fail(
                        verdicts,
                        format!(
                            "{} is gone, but its final snapshot {} was not found",
                            self.begun.address, snapshot.name
                        ),
                    );
                    return;
                }
            }
        }
        verdicts.record.push(self.settled());
    }

    /// Its object, which is there and ours: after a deletion only where it stays. What an accepted call made is, whoever took
    /// its tags since; what is there after another one may be what somebody else made under that name.
    fn object(&self) -> Option<&Observed> {
        let (begun, blueprint) = (self.begun, &self.input.desired.blueprint);
        let is_deletion = begun.word == "delete";
        let is_ours = |seen: &&Observed| {
            !is_deletion && begun.status == StepStatus::Accepted
                || self.input.ledger.claims.owns(blueprint, &begun.address, seen)
        };
        let stays = |seen: &&Observed| !is_deletion || !seen.facts.phase.is_going();
        self.input.inventory.seen.get(&begun.address).filter(stays).filter(is_ours)
    }

    /// What is there now is kept with it, so that it is known again without its tags.
    fn settled(&self) -> Event {
        let address = &self.begun.address;
        let (node, claimed) =
            (self.input.desired.nodes.get(address), self.input.ledger.claims.objects.get(address));
        let object = self.object().map(|seen| RecordedObject::of(node, claimed, seen));
        Event::Settled { step: self.id.clone(), object }
    }

    fn still(&self, verdicts: &mut Assessment<'a>, what: String) {
        verdicts.under_way.push((self.id.clone(), what));
        verdicts.taken.push(&self.begun.address);
    }

    fn fail(&self, verdicts: &mut Assessment<'a>, why: String) {
        verdicts.failed.insert(self.id.clone(), why.clone());
        verdicts.record.push(Event::Failed { step: self.id.clone(), why });
    }
}
