//! What has moved, and what has not for too long.
//!
//! Goes in: what a turn knows, and what was known of it at the turn before. Comes out: since when nothing has moved,
//! and what is waited for beyond the usual.
//!
//! **Invariant:** only what is open counts: a backup of another cluster moves nothing that a run waits for.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use super::assess::Assessment;
use super::input::TurnInput;
use super::motion::{Motion, Open, Wait};
use crate::ledger::StepStatus;
use crate::planning::KnownSteps;
use rgctl_model::address::Address;
use rgctl_model::plan::{Blocker, Plan};
use rgctl_schema::time::Moment;

/// What is known after one more look.
pub(super) fn after(
    input: &TurnInput<'_>,
    plan: &Plan,
    known: KnownSteps<'_>,
    verdicts: &Assessment<'_>,
) -> Motion {
    let now = input.now;
    let mut motion = Motion::new(input.motion.moved);
    if verdicts.record.iter().any(|event| input.ledger.is_movement(event)) {
        motion.moved = now;
    }
    let accepted = verdicts.begun(input).filter(|(_, begun)| begun.status == StepStatus::Accepted);
    let called = last_calls(accepted.map(|(_, begun)| (&begun.address, begun.since.at)).collect());
    motion.look_at(input.motion, input.inventory, (open(input, plan, known, verdicts), &called), now);
    // The effect of a call that was accepted may take this long to show, whatever has become of its step since.
    for begun in input.ledger.begun.values().filter(|begun| begun.status == StepStatus::Accepted) {
        motion.moves_until(begun.since.at + input.pace.visibility, now);
    }
    motion
}

/// The last call at each object, in order of the addresses: two steps on one object may be under way.
fn last_calls(mut calls: Vec<(&Address, Moment)>) -> Vec<(&Address, Moment)> {
    calls.sort_unstable_by_key(|(address, at)| (*address, Reverse(*at)));
    calls.dedup_by_key(|(address, _)| *address);
    calls
}

/// What is waited for beyond the usual, by step or by object.
pub(super) fn waits(
    motion: &Motion,
    input: &TurnInput<'_>,
    plan: &Plan,
    verdicts: &Assessment<'_>,
) -> BTreeMap<String, Wait> {
    // What is due is being tried, or stands behind something else that is told.
    let is_due = |wait: &Wait| wait.again.is_some_and(|again| again <= input.now);
    let put_off = verdicts.put_off.iter().filter(|(_, wait)| !is_due(wait));
    let mut waits: BTreeMap<String, Wait> =
        put_off.map(|(id, wait)| (id.to_string(), wait.clone())).collect();
    let mut of_steps = BTreeSet::new();
    if motion.has_unusual() {
        for (id, begun) in verdicts.begun(input) {
            of_steps.insert(&begun.address);
            if let Some((why, since)) = motion.takes_long(input.inventory, &begun.address, input.now) {
                waits.insert(id.to_string(), Wait { why, since, again: None, calls: begun.tries.calls });
            }
        }
    }
    for waiting in plan.waiting.iter().filter(|waiting| waiting.ends_by_itself()) {
        let address = waiting.address();
        if let Blocker::Unseen { why, .. } = waiting {
            let since = motion.since(address, motion.moved);
            waits.insert(address.to_string(), Wait { why: why.clone(), since, again: None, calls: 0 });
        } else if motion.has_unusual()
            && !of_steps.contains(address)
            && let Some((why, since)) = motion.takes_long(input.inventory, address, input.now)
        {
            waits.insert(address.to_string(), Wait { why, since, again: None, calls: 0 });
        }
    }
    waits
}

/// What a run is about now, in order of the addresses, each once.
fn open<'a>(
    input: &'a TurnInput<'_>,
    plan: &'a Plan,
    known: KnownSteps<'a>,
    verdicts: &'a Assessment<'_>,
) -> Vec<Open<'a>> {
    let begun = verdicts.begun(input);
    let begun = begun.flat_map(|(_, begun)| std::iter::once(&begun.address).chain(&begun.final_snapshot));
    let waiting = plan.waiting.iter().filter(|waiting| waiting.ends_by_itself()).map(Blocker::address);
    let others = known.others(plan).map(|step| step.op.address()).chain(waiting).chain(begun);
    let missing = known.missing().map(|address| Open { address, is_missing: true });
    let mut open: Vec<Open<'a>> =
        missing.chain(others.map(|address| Open { address, is_missing: false })).collect();
    // The stable sort finds the long runs that are in order already. What is known to be missing stays before what is not.
    open.sort_by_key(|one| one.address);
    open.dedup_by_key(|one| one.address);
    open
}

#[cfg(test)]
mod tests {
    use super::*;
    use rgctl_model::kinds::KindId;
    use rgctl_schema::names::{Name, RegionId};

    #[test]
    fn of_several_calls_at_one_object_the_last_one_counts() {
        let region = RegionId::new("us-east-1").unwrap();
        let address =
            |name: &str| Address::new(region.clone(), KindId::AuroraCluster, Name::new(name).unwrap());
        let (one, other, at) = (address("game-a"), address("game-b"), Moment::from_secs);
        let calls = vec![(&other, at(5)), (&one, at(1)), (&one, at(9)), (&one, at(4))];
        assert_eq!(last_calls(calls), [(&one, at(9)), (&other, at(5))]);
    }
}
