//! Which steps are begun now.

use std::collections::BTreeMap;

use super::agreed::{Agreed, only_adds};
use super::assess::Assessment;
use super::input::TurnInput;
use super::room::{Room, changes_all, disturbs, plane};
use crate::gate;
use crate::ledger::StepStatus;
use crate::planning::{KnownSteps, tables};
use rgctl_model::address::Address;
use rgctl_model::journal::Event;
use rgctl_model::plan::{Answer, Op, Plan, Step, Verb};
use rgctl_schema::digest::sha256_hex;
use rgctl_schema::names::{StepId, Token};
use rgctl_schema::phase::Phase;
use rgctl_schema::time::Moment;

/// A call to make.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// The step.
    pub step: Step,
    /// Its token.
    pub token: Token,
}

/// What holds up a step.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct HeldStep {
    /// Which step.
    pub step: StepId,
    /// Why, for a person.
    pub why: String,
    /// Whether it is the gate that says no.
    pub is_refused: bool,
}

/// A step that waits for a maintenance window, or for the end of a freeze.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Later {
    /// Which step.
    pub step: StepId,
    /// When it may begin.
    pub until: Moment,
    /// What it waits for.
    pub why: String,
}

#[derive(Default)]
pub(super) struct ScheduledCalls {
    pub calls: Vec<Call>,
    pub held: Vec<HeldStep>,
    pub later: Vec<Later>,
    /// Whether something is held up by nothing but time.
    pub waits_for_time: bool,
    /// Whether something is held up only because this turn makes enough calls already.
    pub has_no_room: bool,
    /// When the wait for a call that may still arrive is over.
    pub late: BTreeMap<StepId, Moment>,
}

/// `broken` are the objects that are seen broken.
pub(super) fn choose(
    input: &TurnInput<'_>,
    plan: &Plan,
    known: KnownSteps<'_>,
    verdicts: &Assessment<'_>,
    broken: &[Address],
) -> ScheduledCalls {
    if plan.steps.is_empty() {
        return ScheduledCalls::default();
    }
    let mut room = Room::new(input, (plan, known), verdicts, broken);
    let agreed = input.agreed.map(Agreed::of);
    let mut choice = ScheduledCalls::default();
    for (place, step) in plan.steps.iter().enumerate() {
        if known.stands_behind(place) && agreed.is_none() && room.says_nothing_else(step) {
            debug_assert!(
                matches!(room.assess(input, verdicts, None, step), Readiness::Behind),
                "more is to be said of {}",
                step.id
            );
            continue;
        }
        match room.assess(input, verdicts, agreed.as_ref(), step) {
            Readiness::Begin => {
                room.take(step);
                choice.calls.push(Call { token: token(input, verdicts, step), step: step.clone() });
            }
            Readiness::Wait => choice.waits_for_time = true,
            Readiness::WaitUntil(until) => {
                choice.waits_for_time = true;
                choice.late.insert(step.id.clone(), until);
            }
            Readiness::NoRoom => (choice.waits_for_time, choice.has_no_room) = (true, true),
            Readiness::Behind => {}
            Readiness::Later(until, why) => choice.later.push(Later { step: step.id.clone(), until, why }),
            Readiness::Refused(why) => {
                choice.held.push(HeldStep { step: step.id.clone(), why, is_refused: true });
            }
            Readiness::Held(why) => {
                choice.held.push(HeldStep { step: step.id.clone(), why, is_refused: false });
            }
        }
    }
    choice
}

enum Readiness {
    /// It is begun.
    Begin,
    /// Only time is missing.
    Wait,
    /// Only time is missing, and it is known until when.
    WaitUntil(Moment),
    /// Enough calls are made in this turn already.
    NoRoom,
    /// It stands behind other steps, which decide what becomes of it.
    Behind,
    /// The gate says: not now.
    Later(Moment, String),
    /// The gate says no.
    Refused(String),
    /// A person is needed.
    Held(String),
}

impl Room<'_> {
    /// Whether a step that makes what was never there, and stands behind what it needs, is no more than that. Most steps of
    /// a large plan are, and need no further look.
    fn says_nothing_else(&self, step: &Step) -> bool {
        self.late.is_empty()
            && (self.verdicts.failed.is_empty() || !self.verdicts.failed.contains_key(&step.id))
            && (self.verdicts.retry_at.is_empty() || !self.verdicts.retry_at.contains_key(&step.id))
    }

    fn assess(
        &self,
        input: &TurnInput<'_>,
        verdicts: &Assessment<'_>,
        agreed: Option<&Agreed<'_>>,
        step: &Step,
    ) -> Readiness {
        // Asked again, now that the step could be begun: nothing else anywhere says yes.
        let answer = gate::strictest(&step.answer, gate::authorise(step, &input.asked(self.over_quota)));
        if let Answer::No { why, remedy, .. } = answer {
            return Readiness::Refused(format!("{why}; {remedy}"));
        }
        if let Answer::HeldOut { why } = answer {
            return Readiness::Held(why);
        }
        if let Some(why) = verdicts.failed.get(&step.id) {
            return Readiness::Held(why.clone());
        }
        if let Some(agreed) = agreed
            && !agreed.covers(step, self.parent(step.op.address()).as_ref())
            && !self.is_added(step)
        {
            return Readiness::Held("it is not in the plan that was agreed to: make a new plan".to_owned());
        }
        let is_out = || verdicts.is_under_way(&step.id);
        // Also of what stands behind others: a person is told of each step that waits for its time.
        if let Answer::Wait { until, why } = answer {
            return if is_out() { Readiness::Behind } else { Readiness::Later(until, why) };
        }
        // What a step needs are steps of the same plan, which is of what is not done.
        if !step.needs.is_empty() || is_out() {
            return Readiness::Behind;
        }
        let mut going = step.after_deletion_of.iter().filter_map(|address| input.inventory.seen.get(address));
        if let Some(seen) = going.next() {
            // What does not go by itself is removed by another step, or by nobody.
            return if seen.facts.phase.is_transitional() { Readiness::Wait } else { Readiness::Behind };
        }
        if verdicts.retry_at.get(&step.id).is_some_and(|at| *at > input.now) {
            return Readiness::Wait;
        }
        if let Some(until) = self.late.in_the_way(input, &step.op) {
            return Readiness::WaitUntil(until);
        }
        if self.is_object_taken(step) {
            return Readiness::Behind;
        }
        if self.waits_for_relief(step) {
            return Readiness::Behind;
        }
        if let Some(why) = self.leaves_nobody(step) {
            return Readiness::Held(why);
        }
        if self.waits_for_successor(step) {
            return Readiness::Behind;
        }
        if let Some(missing) = self.unready_need(step) {
            return self.unready(&missing);
        }
        let plane = plane(step.op.address());
        let is_below = |counts: &BTreeMap<_, usize>, max| counts.get(&plane).is_none_or(|count| *count < max);
        if input.stopping || !is_below(&self.under_way, input.pace.steps_under_way_max) {
            return Readiness::Wait;
        }
        if !is_below(&self.calls, input.pace.calls_per_turn_max) {
            return Readiness::NoRoom;
        }
        Readiness::Begin
    }

    /// Whether a decision that was made since the plan was agreed to asks for a step that only adds.
    fn is_added(&self, step: &Step) -> bool {
        let Some(then) = self.input.joins.filter(|_| only_adds(step)) else { return false };
        let now = &self.input.desired.nodes;
        let is_new = |at: &Address| then.nodes.get(at) != now.get(at);
        let of = step.op.address();
        if let (Op::Modify { changes, .. }, Some(then), Some(now)) =
            (&step.op, then.nodes.get(of), now.get(of))
        {
            // What was changed outside rgctl since was not decided, and not agreed to.
            return changes
                .iter()
                .all(|change| then.attrs.get(&change.field) != now.attrs.get(&change.field));
        }
        // A change of a member may need an act on its parent.
        is_new(of) || now.keys().any(|member| is_new(member) && self.parent(member).as_ref() == Some(of))
    }

    /// One mutation of an object at a time; of its members at most one is disturbed at a time; a member waits while its parent
    /// changes, a newer version of a primary while a secondary does, and the end of a group while a user of it does.
    fn is_object_taken(&self, step: &Step) -> bool {
        let address = step.op.address();
        if self.is_taken(address) {
            return true;
        }
        let parent = self.parent(address);
        if parent.as_ref().is_some_and(|parent| self.is_taken(parent)) {
            return true;
        }
        let is_fellow_taken = || self.fellows_of(address).any(|fellow| self.is_taken(fellow));
        if changes_all(&step.op) && is_fellow_taken()
            || step.op.beside().is_some_and(|beside| self.is_taken(&beside))
            || self.joins_what_is_taken(&step.op)
            || self.is_ahead_of_secondaries(&step.op)
            || self.is_left_by_what_moves(&step.op)
            || self.has_not_left(&step.op)
        {
            return true;
        }
        // Members that only join disturb nobody; two that leave or restart together might be all there are.
        if let Some(parent) = &parent
            && disturbs(&step.op)
            && !self.is_leaving(parent)
            && self.is_disturbed(parent)
        {
            return true;
        }
        tables::of(address.kind).exclusive_with_members
            && !matches!(step.op, Op::Create { .. })
            && self.is_disturbed(address)
    }

    /// A broken member is no member that serves while another one is out. Where a third one serves, the step goes on: it
    /// may be the bigger machine that is needed most while one is broken.
    fn leaves_nobody(&self, step: &Step) -> Option<String> {
        let address = step.op.address();
        let serves = |address: &Address| {
            self.input.inventory.seen.get(address).is_some_and(|seen| seen.facts.phase.serves())
        };
        if !disturbs(&step.op) || !serves(address) {
            return None;
        }
        let parent = self.parent(address).filter(|parent| !self.is_leaving(parent))?;
        let broken = *self.broken.get(&parent)?;
        if self.others_of(&parent, address).any(|(_, other)| other.facts.phase.serves()) {
            return None;
        }
        let phase = &self.input.inventory.seen.get(broken)?.facts.phase;
        Some(format!("it would leave {parent} without a member that serves: {} is {phase}", broken.name))
    }

    /// The last member that serves goes when another one that is being made serves: until then it is all there is.
    fn waits_for_relief(&self, step: &Step) -> bool {
        let address = step.op.address();
        if !matches!(step.op, Op::Delete { .. }) {
            return false;
        }
        let Some(parent) = self.parent(address).filter(|parent| !self.is_leaving(parent)) else {
            return false;
        };
        let others = || self.others_of(&parent, address);
        !others().any(|(_, seen)| seen.facts.phase.serves())
            && others().any(|(_, seen)| seen.facts.phase == Phase::Creating)
    }

    /// Who takes the write role over must be able to: it may be busy with a change outside rgctl.
    fn waits_for_successor(&self, step: &Step) -> bool {
        let Op::Act { address, verb: Verb::Failover { to: Some(to) } } = &step.op else { return false };
        let Some(kind) = address.kind.child_kind() else { return false };
        let successor = Address::new(address.region.clone(), kind, to.clone());
        let seen = self.input.inventory.seen.get(&successor);
        self.is_taken(&successor) || seen.is_some_and(|seen| seen.facts.phase.is_transitional())
    }

    /// The first object that must be ready before this one is made, and is not.
    fn unready_need(&self, step: &Step) -> Option<Address> {
        if !matches!(step.op, Op::Create { .. }) {
            return None;
        }
        let node = self.input.desired.nodes.get(step.op.address())?;
        let is_ready = |address: &Address| {
            self.input.inventory.seen.get(address).is_some_and(|seen| seen.facts.phase.is_ready())
                && !self.is_taken(address)
        };
        node.needs.iter().find(|address| !is_ready(address)).cloned()
    }

    fn unready(&self, missing: &Address) -> Readiness {
        match self.input.inventory.seen.get(missing).map(|seen| &seen.facts.phase) {
            Some(phase) if phase.is_transitional() || phase.is_ready() => Readiness::Behind,
            Some(phase) => Readiness::Held(format!("it needs {missing}, which is {phase}")),
            None if self.is_open(missing) => Readiness::Behind,
            None if !self.input.inventory.is_complete_for(missing) => {
                Readiness::Held(format!("it needs {missing}, which could not be seen"))
            }
            None => Readiness::Held(format!("it needs {missing}, which does not exist")),
        }
    }
}

/// The token of a call. A step that was begun and is not done keeps its token, across crashes, so that what an
/// earlier call made is recognised; a step that was done and is needed again gets a new one.
fn token(input: &TurnInput<'_>, verdicts: &Assessment<'_>, step: &Step) -> Token {
    let is_done = || {
        let is_it = |event: &Event| matches!(event, Event::Settled { step: done, .. } if *done == step.id);
        verdicts.record.iter().any(is_it)
    };
    // What a failed step made, if anything, is broken or gone: its token is spent.
    let begun = input.ledger.begun.get(&step.id).filter(|begun| begun.status != StepStatus::Failed);
    if let Some(begun) = begun.filter(|_| !is_done()) {
        return begun.token.clone();
    }
    let seed = (&input.desired.blueprint, input.run, &step.id, input.ledger.last_seq);
    let text = serde_json::to_vec(&seed).unwrap_or_default();
    Token(sha256_hex(&text).chars().take(32).collect())
}
