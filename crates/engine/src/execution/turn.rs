//! One turn of the engine: everything known goes in, everything to do comes out.

use std::collections::BTreeMap;

use super::gone::Looked;
use super::late;
use super::motion::{Motion, Wait};
use super::{assess, schedule};
use crate::gate::{Asked, Verdicts};
use crate::ledger::Ledger;
use crate::planning::{self, Figures, PlanInput, Unpriced};
use rgctl_model::choices::Choices;
use rgctl_model::journal::{Event, Outcome, Purpose};
use rgctl_model::node::Desired;
use rgctl_model::observed::Inventory;
use rgctl_model::plan::{Blocker, Plan, Reason, Step};
use rgctl_model::policy::{Authority, Policy};
use rgctl_model::quota::OverQuota;
use rgctl_model::scope::RecordId;
use rgctl_schema::names::{RunId, StepId, Token};
use rgctl_schema::time::{Moment, Span};

/// Bounds of what one run does at a time, and how patiently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// Most calls made in one turn to one control plane of one region. The provider's rate is kept by the adapter; this
    /// bounds memory, and how long nobody looks because calls are being made.
    pub calls_per_turn_max: usize,
    /// Most steps under way at a time for one control plane of one region.
    pub steps_under_way_max: usize,
    /// How long to wait at least before looking again while something is under way.
    pub look_again: Span,
    /// How long to wait at most: looks become rarer the longer a step takes.
    pub look_again_max: Span,
    /// How long after a call to look for its effect: reads lag writes, and a look at once would see nothing.
    pub look_after_calls: Span,
    /// How long a service may take to show the effect of a call it accepted: reads lag writes by some seconds.
    pub visibility: Span,
    /// How often a call may be accepted without an effect that shows. A service may lose one; one that never shows is
    /// a matter for a person.
    pub accepted_max: u32,
    /// How often in a row a call may be put off for the state of things while nothing is in motion that could change
    /// it. Not everything that moves shows; what has not moved after so many tries is a matter for a person.
    pub at_rest_max: u32,
    /// How long to wait, after a call without an answer, before what is seen counts as its outcome.
    pub unclear: Span,
    /// First wait before a call that was put off, or had no answer, is made again; it doubles each time.
    pub retry: Span,
    /// Longest such wait: what has not changed in hours is not asked for every minute.
    pub retry_max: Span,
    /// How long a call without an answer may still arrive: until then nothing opposite is begun.
    pub late: Span,
    /// How long the lease lasts without being renewed.
    pub lease: Span,
    /// Longest such wait, at first, where the state of things refused the call or the provider was not reached: both often
    /// end at once, and a step that finds out late makes the whole run late.
    pub retry_soon_max: Span,
    /// After so many calls that bound is twice as long, after as many again three times, up to `retry_max`.
    pub retry_soon_calls: u32,
    /// Most calls of a step, over all runs, while it asks for the same and no effect is seen. Each run after that makes one,
    /// which tells whether what was wrong has been mended.
    pub calls_max: u32,
    /// How often in a row a name may be taken by something that is not shown. Reads lag, and a name is free some minutes
    /// after its object has gone; what is not shown after that is never shown.
    pub taken_max: u32,
    /// How often in a row a call may have no answer that would happen twice when it is made twice.
    pub unanswered_acts_max: u32,
    /// How long the object of a step under way may be in a state that this version does not know: services pass through
    /// states that they have never documented, and are well again.
    pub unknown_max: Span,
    /// How long a run goes on while nothing moves.
    pub still_max: Span,
    /// How long a part of the world that does not answer is asked again before it is left to a person.
    pub unseen_max: Span,
}

/// A step is found to are done later than it did by at most this part of the time that it took, beyond
/// `look_again`. A chain of steps is so made longer by at most this part of itself.
const LATE_PART: u64 = 40;

/// However sure the provider is that nothing happens, a look is made this often.
const QUIET_MAX: Span = Span::from_days(1);

impl Pace {
    /// How long to wait before looking again. The youngest step decides; the others are looked at along with it.
    fn look_after(&self, now: Moment, youngest: Moment) -> Span {
        let age = now.since(youngest);
        Span::from_millis(age.as_millis() / LATE_PART).min(self.look_again_max).max(self.look_again)
    }
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            calls_per_turn_max: 256,
            steps_under_way_max: 2_000,
            look_again: Span::from_secs(10),
            look_again_max: Span::from_mins(1),
            look_after_calls: Span::from_secs(5),
            visibility: Span::from_secs(60),
            accepted_max: 3,
            at_rest_max: 12,
            unclear: Span::from_secs(15),
            retry: Span::from_secs(5),
            late: Span::from_mins(15),
            lease: Span::from_mins(1),
            retry_max: Span::from_mins(30),
            retry_soon_max: Span::from_mins(5),
            retry_soon_calls: 16,
            calls_max: 100,
            taken_max: 8,
            unanswered_acts_max: 6,
            unknown_max: Span::from_mins(30),
            still_max: Span::from_days(1),
            unseen_max: Span::from_mins(15),
        }
    }
}

/// Everything that a turn knows.
#[derive(Clone, Copy)]
pub struct TurnInput<'a> {
    /// What should exist.
    pub desired: &'a Desired,
    /// What exists.
    pub inventory: &'a Inventory,
    /// What was begun.
    pub ledger: &'a Ledger,
    /// What may be done.
    pub policy: &'a Policy,
    /// Prices and capacities.
    pub figures: &'a dyn Figures,
    /// A plan that was agreed to: nothing else is done.
    pub agreed: Option<&'a Plan>,
    /// This run.
    pub run: &'a RunId,
    /// When this run began; part of the names of final snapshots.
    pub began: Moment,
    /// Now.
    pub now: Moment,
    /// What the run is for.
    pub purpose: Purpose,
    /// Whether no new step may be begun: the run is being stopped.
    pub stopping: bool,
    /// What was found about desired state as a whole.
    pub verdicts: &'a Verdicts,
    /// On whose word.
    pub authority: Authority,
    /// Bounds.
    pub pace: &'a Pace,
    /// What has moved up to the turn before.
    pub motion: &'a Motion,
}

impl TurnInput<'_> {
    /// What the gate judges by.
    pub fn asked<'b>(&'b self, over_quota: &'b [OverQuota]) -> Asked<'b> {
        Asked {
            rules: &self.desired.rules,
            policy: self.policy,
            verdicts: self.verdicts,
            over_quota,
            authority: self.authority,
            now: self.now,
        }
    }

    /// What was chosen: as it was agreed to, and else as it is on record.
    fn choices(&self) -> Choices {
        let mut choices = self.ledger.choices_for(&self.desired.fingerprint);
        choices.overlay(self.agreed.map(Choices::of).unwrap_or_default());
        choices
    }

    /// The record that is given up by what was agreed to be taken over.
    fn gives_up(&self) -> Option<&RecordId> {
        let mut steps = self.agreed.iter().flat_map(|plan| &plan.steps);
        steps.find_map(|step| if let Reason::TakenOver { from } = &step.why { from.as_ref() } else { None })
    }

    /// What may be gone is judged by.
    const fn looked(&self) -> Looked<'_> {
        Looked {
            desired: self.desired,
            inventory: self.inventory,
            ledger: self.ledger,
            purpose: self.purpose,
            now: self.now,
            pace: self.pace,
        }
    }

    /// Whether everything of the blueprint is to be removed.
    pub fn destroys(&self) -> bool {
        self.purpose == Purpose::Destroy
    }
}

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
pub struct Held {
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

/// What a turn decided.
#[derive(Clone, Debug, PartialEq)]
pub struct Turn {
    /// Lines for the record about what is done or failed.
    pub record: Vec<Event>,
    /// Calls to make, each after its intent has been recorded.
    pub calls: Vec<Call>,
    /// When to look again at the latest, if no call is made.
    pub wake: Moment,
    /// Whether more could be begun at once: this turn makes enough calls already.
    pub has_more: bool,
    /// When something is due although the cloud may look as it does now: another try, the end of patience.
    pub due: Option<Moment>,
    /// When the youngest of the steps under way began; when anything moved last, where none is.
    pub youngest: Moment,
    /// The plan as it is now: what is left to do. It is not priced.
    pub plan: Plan,
    /// Steps under way, with what they wait for.
    pub under_way: BTreeMap<StepId, String>,
    /// What is waited for beyond the usual, by step or by object: what is tried again, what is not seen, what takes longer
    /// than nearly always.
    pub waits: BTreeMap<String, Wait>,
    /// What has moved up to now.
    pub motion: Motion,
    /// Why the run ends although time might bring more: nothing has moved for too long.
    pub stalled: Option<String>,
    /// Steps that are held up.
    pub held: Vec<Held>,
    /// Steps that wait for their time.
    pub later: Vec<Later>,
    /// Set when there is nothing more to do in this run.
    pub outcome: Option<Outcome>,
}

impl Turn {
    /// The first look that shows something new when the world stays as it is until `quiet`. The looks that are left out
    /// change nothing about when the others are made.
    pub fn look_when_quiet_until(&self, quiet: Moment, pace: &Pace) -> Moment {
        let quiet = quiet.min(self.wake + QUIET_MAX);
        let until = self.due.map_or(quiet, |due| due.min(quiet));
        let mut at = self.wake;
        while at < until {
            at = at + pace.look_after(at, self.youngest);
        }
        self.due.map_or(at, |due| due.min(at))
    }
}

/// Whether something is in transition or under way, so that the state of things may change by itself.
pub fn is_in_motion(turn: &Turn, inventory: &Inventory) -> bool {
    !turn.under_way.is_empty()
        || turn.plan.waiting.iter().any(Blocker::ends_by_itself)
        || inventory.seen.values().any(|seen| seen.facts.phase.is_transitional())
}

/// The longest that a suffix of a snapshot's name can be is fixed by its form: `yyyymmddhhmmss`.
pub fn snapshot_suffix(began: Moment) -> String {
    began.rfc3339().chars().filter(char::is_ascii_digit).take(14).collect()
}

/// Decides what to do now.
///
/// 1. The plan is made anew from what is seen: what is done is no longer in it.
/// 2. Each begun step is assessed: done, failed, still under way, or to be tried again.
/// 3. Of the steps of the plan, those are begun whose needs are met, whose object is free, to which the gate says yes,
///    that were agreed to, and for which there is room.
/// 4. What the plan chose among equals is recorded, so that the next turn chooses alike.
/// 5. What the record knows, nobody wants and nobody finds is let go.
/// 6. When nothing is under way and nothing can be begun, the run is over; so it is when nothing has moved for too long.
pub fn turn(input: &TurnInput<'_>) -> Turn {
    let suffix = snapshot_suffix(input.began);
    // Prices matter to a step only where nothing may grow.
    let unpriced = Unpriced(input.figures);
    let figures: &dyn Figures = if input.verdicts.refuses_growth() { input.figures } else { &unpriced };
    let ask = PlanInput {
        desired: input.desired,
        inventory: input.inventory,
        policy: input.policy,
        figures,
        choices: &input.choices(),
        now: input.now,
        snapshot_suffix: &suffix,
        destroy: input.destroys(),
        claims: &input.ledger.claims,
        verdicts: input.verdicts,
        authority: input.authority,
    };
    let plan = match input.purpose {
        Purpose::Apply | Purpose::Destroy => planning::plan(&ask),
        Purpose::TakeOver => planning::take_over(&ask, input.gives_up()),
    };
    let mut verdicts = assess::assess(input, &plan);
    let mut choice = schedule::choose(input, &plan, &verdicts);
    let unseen = verdicts.unseen.iter();
    choice.held.extend(unseen.map(|(step, why)| Held {
        step: step.clone(),
        why: why.clone(),
        is_refused: false,
    }));
    let chosen = Choices::of(&plan).beyond(&input.ledger.choices);
    // On record before the first call, and only with one: a run that begins nothing chooses nothing.
    if !choice.calls.is_empty() && !chosen.is_empty() {
        verdicts.record.push(Event::Chosen { choices: chosen });
    }
    let gone = input.looked().told_after(&verdicts.record);
    verdicts.record.extend(gone);
    let motion = Motion::after(input, &plan, &verdicts);
    let mut waits = motion.waits(input, &plan, &verdicts);
    waits.extend(late::waits(input, &choice.late));

    let outcome = outcome(input, &plan, &verdicts, &choice);
    let stalled = if outcome.is_none() { stalled(input, &motion, &verdicts, &choice) } else { None };
    let outcome = outcome.or_else(|| stalled.as_ref().map(|_| Outcome::Blocked));
    if stalled.is_some() {
        choice.held.extend(unfinished(&waits, &verdicts));
    }

    let end = (outcome.is_none()).then(|| motion.moved + input.pace.still_max);
    let times = choice.later.iter().map(|later| later.until);
    let dues = verdicts.due.iter().chain(choice.late.values()).copied().chain(end).chain(times);
    let due = dues.filter(|at| *at > input.now).min();
    let begun = verdicts.under_way.keys().filter_map(|id| input.ledger.begun.get(id));
    // Where nothing is under way, looks become rarer with the time in which nothing has moved.
    let youngest = begun.map(|begun| begun.since).max().unwrap_or(motion.moved);
    let wake = input.now + input.pace.look_after(input.now, youngest);
    let wake = due.map_or(wake, |due| due.min(wake));
    Turn {
        record: verdicts.record,
        calls: choice.calls,
        wake,
        has_more: choice.has_no_room,
        due,
        youngest,
        under_way: verdicts.under_way,
        waits,
        motion,
        stalled,
        held: choice.held,
        later: choice.later,
        plan,
        outcome,
    }
}

/// Why nothing more is waited for, if nothing has moved for too long. What can be called now is called first: the
/// machine may have slept. Whether a call took effect that is out without an answer is found out first, too.
fn stalled(
    input: &TurnInput<'_>,
    motion: &Motion,
    verdicts: &assess::Assessment,
    choice: &schedule::Choice,
) -> Option<String> {
    let still = motion.still_for(input.now);
    if still < input.pace.still_max || !choice.calls.is_empty() || verdicts.has_calls_unclear {
        return None;
    }
    Some(format!("nothing has moved for {still}: no step was done, no state has changed"))
}

/// What a run leaves that ends although something is still waited for.
fn unfinished(waits: &BTreeMap<String, Wait>, verdicts: &assess::Assessment) -> Vec<Held> {
    let under_way = verdicts.under_way.iter().map(|(id, what)| (id.clone(), format!("waiting for: {what}")));
    let put_off = verdicts.put_off.iter().map(|(id, wait)| (id.clone(), format!("waiting: {}", wait.why)));
    under_way
        .chain(put_off)
        .map(|(step, why)| {
            let wait = waits.get(&step.0.to_string());
            let since = wait.map(|wait| {
                let calls =
                    if wait.calls == 1 { "1 call".to_owned() } else { format!("{} calls", wait.calls) };
                format!(", since {}, {calls}", wait.since)
            });
            Held { step, why: why + &since.unwrap_or_default(), is_refused: false }
        })
        .collect()
}

fn outcome(
    input: &TurnInput<'_>,
    plan: &Plan,
    verdicts: &assess::Assessment,
    choice: &schedule::Choice,
) -> Option<Outcome> {
    if !choice.calls.is_empty() {
        return None;
    }
    if input.stopping && !verdicts.has_calls_unclear {
        return Some(Outcome::Stopped);
    }
    let can_go_on = !verdicts.under_way.is_empty()
        || choice.waits_for_time
        || plan.waiting.iter().any(Blocker::ends_by_itself);
    if can_go_on {
        return None;
    }
    let is_held = !verdicts.failed.is_empty() || !choice.held.is_empty();
    let waits = !choice.later.is_empty() && plan.health.is_clean();
    Some(match (is_held, plan.is_clean(), waits) {
        (false, true, _) => Outcome::Settled,
        (false, false, true) => Outcome::Waiting,
        (true, ..) | (false, false, false) => Outcome::Blocked,
    })
}
