//! One turn of the engine: everything known goes in, everything to do comes out.

use std::collections::{BTreeMap, BTreeSet};

use super::motion::{Motion, Wait};
use super::{assess, late, progress, quiet, schedule};
use crate::planning::{self, Figures, KnownSteps, Memory, PlanInput, Unpriced};
use rgctl_model::address::Address;
use rgctl_model::choices::Choices;
use rgctl_model::journal::{Event, Outcome, Purpose};
use rgctl_model::observed::Inventory;
use rgctl_model::plan::{Blocker, Plan};
use rgctl_schema::names::{RegionId, StepId};
use rgctl_schema::time::{Moment, Span};

pub use super::input::TurnInput;
pub use super::pace::Pace;
pub use super::schedule::{Call, HeldStep, Later};

/// However sure the provider is that nothing happens, a look is made this often.
pub(super) const QUIET_MAX: Span = Span::from_days(1);

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
    /// How far apart looks are at least while it goes on.
    pub apart: Span,
    /// The plan as it is now: what is left to do. It is not priced.
    pub plan: Plan,
    /// Regions in which its steps make or grow something.
    pub grows: BTreeSet<RegionId>,
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
    pub held: Vec<HeldStep>,
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
            at = at + pace.look_after(at, self.youngest, self.apart);
        }
        self.due.map_or(at, |due| due.min(at))
    }

    /// What a run comes to that ends with it, after so many calls.
    pub(super) fn summary(&self, calls: u64) -> String {
        let stalled = self.stalled.as_ref().map(|why| format!("; {why}")).unwrap_or_default();
        format!(
            "{calls} calls; {} steps left, {} under way, {} held, {} waiting for their time{stalled}",
            self.plan.steps.len(),
            self.under_way.len(),
            self.held.len(),
            self.later.len()
        )
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
    turn_after(input, &mut Memory::default())
}

/// Decides what [`turn`] decides, and compares only what has changed since the turn that a memory is of.
pub fn turn_after(input: &TurnInput<'_>, memory: &mut Memory) -> Turn {
    let masked = input.inventory.holding_out(input.held_out);
    turn_of(&TurnInput { inventory: &masked, ..*input }, memory)
}

fn turn_of(input: &TurnInput<'_>, memory: &mut Memory) -> Turn {
    let Planned { plan, broken, is_again, is_known } = planned(input, memory);
    let known = if is_known { memory.known_steps() } else { KnownSteps::NOTHING };
    let mut verdicts = assess::assess(input, &plan, known);
    let mut choice = schedule::choose(input, &plan, known, &verdicts, &broken);
    let unseen = verdicts.unseen.iter();
    choice.held.extend(unseen.map(|(step, why)| HeldStep {
        step: step.clone(),
        why: why.clone(),
        is_refused: false,
    }));
    let chosen = Choices::among(known.others(&plan)).beyond(&input.ledger.choices);
    // On record before the first call, and only with one: a run that begins nothing chooses nothing.
    if !choice.calls.is_empty() && !chosen.is_empty() {
        verdicts.record.push(Event::Chosen { choices: chosen });
    }
    if !is_again {
        let gone = input.looked().told_after(&verdicts.record);
        verdicts.record.extend(gone);
    }
    let motion = progress::after(input, &plan, known, &verdicts);
    let mut waits = progress::waits(&motion, input, &plan, &verdicts);
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
    let begun = verdicts.begun(input);
    // Where nothing is under way, looks become rarer with the time in which nothing has moved.
    let youngest = begun.map(|(_, begun)| begun.since.at).max().unwrap_or(motion.moved);
    let seen = (outcome.is_none()).then(|| input.inventory.seen.keys().collect::<Vec<_>>());
    let apart = input.pace.looks_apart(&seen.unwrap_or_default());
    let wake = input.now + input.pace.look_after(input.now, youngest, apart);
    let wake = due.map_or(wake, |due| due.min(wake));
    Turn {
        record: verdicts.record,
        calls: choice.calls,
        wake,
        has_more: choice.has_no_room,
        due,
        youngest,
        apart,
        under_way: verdicts.under_way.into_iter().collect(),
        waits,
        motion,
        stalled,
        held: choice.held,
        later: choice.later,
        grows: known.regions_that_grow(&plan),
        plan,
        outcome,
    }
}

/// The plan that a turn is decided by, with what each step costs.
pub(super) fn priced(input: &TurnInput<'_>) -> Plan {
    let masked = input.inventory.holding_out(input.held_out);
    let input = &TurnInput { inventory: &masked, ..*input };
    let (suffix, choices) = (snapshot_suffix(input.began), input.choices());
    planning::plan(&ask(input, input.figures, &suffix, &choices))
}

fn ask<'a>(
    input: &TurnInput<'a>,
    figures: &'a dyn Figures,
    suffix: &'a str,
    choices: &'a Choices,
) -> PlanInput<'a> {
    PlanInput {
        desired: input.desired,
        inventory: input.inventory,
        held_out: input.held_out,
        policy: input.policy,
        figures,
        choices,
        now: input.now,
        snapshot_suffix: suffix,
        destroy: input.destroys(),
        claims: &input.ledger.claims,
        verdicts: input.verdicts,
        authority: input.authority,
    }
}

/// The plan as it is now.
struct Planned {
    plan: Plan,
    /// Objects that are seen broken.
    broken: Vec<Address>,
    /// Whether nothing has happened since the turn before, which had nothing to do.
    is_again: bool,
    /// Whether the memory knows its steps.
    is_known: bool,
}

fn planned(input: &TurnInput<'_>, memory: &mut Memory) -> Planned {
    let suffix = snapshot_suffix(input.began);
    // Prices matter to a step only where nothing may grow.
    let unpriced = Unpriced(input.figures);
    let figures: &dyn Figures = if input.verdicts.refuses_growth() { input.figures } else { &unpriced };
    let choices = input.choices();
    let ask = ask(input, figures, &suffix, &choices);
    if input.purpose == Purpose::TakeOver {
        let seen: Vec<_> = input.inventory.seen.iter().collect();
        let plan = planning::take_over(&ask, input.gives_up());
        return Planned { plan, broken: planning::broken(&seen), is_again: false, is_known: false };
    }
    let again = quiet::again(input, memory);
    let is_again = again.is_some();
    let plan = again.unwrap_or_else(|| {
        let plan = planning::plan_after(&ask, memory);
        quiet::keep(input, &plan, memory);
        plan
    });
    debug_assert_eq!(plan, planning::plan(&ask), "what was kept from the turn before is not so any more");
    Planned { plan, broken: memory.broken().to_vec(), is_again, is_known: !is_again }
}

/// Why nothing more is waited for, if nothing has moved for too long. What can be called now is called first: the
/// machine may have slept. Whether a call took effect that is out without an answer is found out first, too.
fn stalled(
    input: &TurnInput<'_>,
    motion: &Motion,
    verdicts: &assess::Assessment<'_>,
    choice: &schedule::ScheduledCalls,
) -> Option<String> {
    let still = motion.still_for(input.now);
    if still < input.pace.still_max || !choice.calls.is_empty() || verdicts.has_calls_unclear {
        return None;
    }
    Some(format!("nothing has moved for {still}: no step was done, no state has changed"))
}

/// What a run leaves that ends although something is still waited for.
fn unfinished(waits: &BTreeMap<String, Wait>, verdicts: &assess::Assessment<'_>) -> Vec<HeldStep> {
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
            HeldStep { step, why: why + &since.unwrap_or_default(), is_refused: false }
        })
        .collect()
}

fn outcome(
    input: &TurnInput<'_>,
    plan: &Plan,
    verdicts: &assess::Assessment<'_>,
    choice: &schedule::ScheduledCalls,
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
