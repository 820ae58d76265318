//! What is checked in every life of the swarm: that nothing is wrong, whatever failed, and that what is left at the end is
//! nothing but what is to be left.

use std::collections::BTreeMap;

use rgctl_engine::execution::drive::Ended;
use rgctl_engine::ledger::Ledger;
use rgctl_model::journal::Outcome;
use rgctl_model::plan::{Blocker, Op, Plan, Step};
use rgctl_model::policy::DestructiveAction;
use rgctl_model::ports::{Clock, Store};
use rgctl_schema::names::StepId;
use rgctl_schema::time::{Moment, Span};
use rgctl_sim::Called;
use rgctl_testkit::site::{Order, Site, block_on};

/// In a run, the same call is not made again sooner than this: the first wait of the engine's pace.
const RETRY_AT_LEAST: Span = Span::from_secs(5);

/// Whoever begins from a checkpoint, at whatever line, knows what whoever reads all lines knows.
pub fn checkpoints_stand_for_their_lines(site: &Site) -> Result<(), String> {
    let all = block_on(site.store.entries(&site.scope("game"), 0)).map_err(|error| error.to_string())?;
    let mut whole = Ledger::default();
    whole.fold(&all);
    for place in (0..=all.len()).step_by(all.len() / 8 + 1) {
        let (before, after) = all.split_at(place);
        let mut written = Ledger::default();
        written.fold(before);
        // What a process reckons by its own clock is not kept.
        written.inherit(site.cloud.clock().now() + Span::from_days(1));
        let kept = written.checkpoint().and_then(|checkpoint| Ledger::from_checkpoint(&checkpoint));
        let mut kept = kept.ok_or("a checkpoint cannot be read")?;
        kept.fold(after);
        if kept != whole {
            return Err(format!("a checkpoint at line {place} of {} leads elsewhere", all.len()));
        }
    }
    Ok(())
}

/// What was asked of the cloud at last, and what it said.
pub fn last_calls(site: &Site) -> Vec<String> {
    let calls = site.cloud.calls();
    let last = calls.iter().skip(calls.len().saturating_sub(12));
    last.map(|called| format!("{} {}: {:?}", called.at, called.op.step_id(), called.told)).collect()
}

/// Nothing is left to do, or nothing but what is in the way of what a person wanted kept, and the run said so.
pub fn is_at_rest(ended: &Ended, plan: &Plan) -> bool {
    // What the service takes once in a month only has its date, and nothing else is left.
    let is_cooling = |step: &Step| step.cool_down.is_some();
    if !plan.steps.is_empty() && plan.steps.iter().all(is_cooling) && plan.waiting.is_empty() {
        return ended.outcome == Outcome::Waiting;
    }
    let is_kept = |waiting: &Blocker| matches!(waiting, Blocker::Retained { .. });
    let is_bound = |waiting: &Blocker| matches!(waiting, Blocker::Bound { .. });
    let keeps_some = plan.waiting.iter().any(is_kept);
    // A kept secondary counts as a member of the primary.
    let has_no_room = |step: &Step| {
        ended.last.held.iter().any(|held| held.step == step.id && held.why.contains("no more are allowed"))
    };
    let is_still = plan.waiting.iter().all(|waiting| is_kept(waiting) || is_bound(waiting) && keeps_some)
        && plan.steps.iter().all(|step| keeps_some && has_no_room(step));
    let is_whole = plan.steps.is_empty() && !plan.waiting.iter().any(is_bound);
    is_still && ended.outcome == if is_whole { Outcome::Settled } else { Outcome::Blocked }
}

/// The checkers of the embedded cloud found nothing, and neither does a look at the calls of the last run.
pub fn nothing_is_wrong(site: &Site, order: &Order, calls_before: usize) -> Result<(), String> {
    if let Some(why) = site.wrong.first() {
        return Err(format!("{why}; the last calls: {:#?}", last_calls(site)));
    }
    let violations = site.cloud.violations();
    if !violations.is_empty() {
        return Err(format!("{violations:#?}; the last calls: {:#?}", last_calls(site)));
    }
    let calls = site.cloud.calls();
    consents_are_kept(&calls[calls_before..], order)?;
    budgets_are_kept(&calls[calls_before..])
}

/// Data is deleted with the consent for its store and region only.
fn consents_are_kept(calls: &[Called], order: &Order) -> Result<(), String> {
    for called in calls {
        let Op::Delete { address, .. } = &called.op else { continue };
        let name = address.name.as_str();
        let allowed = order.policy.consents.iter().any(|consent| {
            matches!(consent.action, DestructiveAction::Delete | DestructiveAction::Replace)
                && consent.region.as_ref() == Some(&address.region)
                && consent.store.as_ref().is_some_and(|store| name.starts_with(&format!("game-{store}-")))
        });
        if address.kind.facts().holds_data && !allowed {
            return Err(format!("{address} was deleted without consent"));
        }
    }
    Ok(())
}

/// No call is repeated without a wait.
fn budgets_are_kept(calls: &[Called]) -> Result<(), String> {
    let mut last: BTreeMap<StepId, Moment> = BTreeMap::new();
    for called in calls {
        let id = called.op.step_id();
        if let Some(before) = last.insert(id.clone(), called.at)
            && called.at.since(before) < RETRY_AT_LEAST
        {
            return Err(format!("{id} was called again after {}", called.at.since(before)));
        }
    }
    Ok(())
}

/// Most calls of a step, while it asks for the same; each run after that makes one more.
const CALLS_MAX: u64 = 100;

/// What does not succeed in so many runs is not asked for without end.
pub fn tries_are_bounded(site: &Site, runs: u64) -> Result<(), String> {
    let mut tries: BTreeMap<String, u64> = BTreeMap::new();
    for called in site.cloud.calls() {
        let asked = format!("{:?}", called.op);
        if called.told.is_ok() {
            tries.remove(&asked);
            continue;
        }
        let count = tries.entry(asked).or_default();
        *count += 1;
    }
    let worst =
        tries.into_iter().max_by_key(|(_, count)| *count).filter(|(_, count)| *count > CALLS_MAX + runs);
    worst.map_or(Ok(()), |(asked, count)| Err(format!("called {count} times in vain: {asked}")))
}
