//! What has moved, and what has not for too long.
//!
//! Goes in: what a turn knows, and what was known of it at the turn before. Comes out: since when nothing has moved,
//! and what is waited for beyond the usual.
//!
//! **Invariant:** only what is open counts: a backup of another cluster moves nothing that a run waits for.

use std::collections::{BTreeMap, BTreeSet};

use super::assess::Assessment;
use super::turn::TurnInput;
use crate::ledger::Status;
use crate::planning;
use rgctl_model::address::Address;
use rgctl_model::journal::Event;
use rgctl_model::observed::Observed;
use rgctl_model::plan::{Blocker, Plan};
use rgctl_schema::phase::Phase;
use rgctl_schema::time::{Moment, Span};

/// A transition counts as movement for so many times what all but one in twenty need: some take long, and a run that
/// ended meanwhile would only be started again.
const PATIENCE: u64 = 3;

/// How an object stands, and since when.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Standing {
    /// The service's word and what is pending; empty when the object is not there.
    word: String,
    since: Moment,
}

/// What was seen to move, from turn to turn of one run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Motion {
    /// Until when something has moved: a step was done, a phase changed, a transition was young.
    pub moved: Moment,
    standing: BTreeMap<Address, Standing>,
}

/// Something that is waited for beyond the usual.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wait {
    /// Why.
    pub why: String,
    /// Since when.
    pub since: Moment,
    /// When it is tried again; unset when it is only looked at.
    pub again: Option<Moment>,
    /// Calls made so far.
    pub calls: u32,
}

impl Motion {
    /// Nothing has been seen yet.
    pub const fn new(began: Moment) -> Self {
        Self { moved: began, standing: BTreeMap::new() }
    }

    /// What is known after one more look.
    pub(super) fn after(input: &TurnInput<'_>, plan: &Plan, verdicts: &Assessment) -> Self {
        let now = input.now;
        let mut motion = Self { moved: input.motion.moved, standing: BTreeMap::new() };
        if verdicts.record.iter().any(|event| matches!(event, Event::Settled { .. })) {
            motion.moved = now;
        }
        for at in open(input, plan, verdicts) {
            motion.look_at(input, at);
        }
        // The effect of a call that was accepted may take this long to show.
        for id in verdicts.under_way.keys() {
            if let Some(begun) = input.ledger.begun.get(id).filter(|begun| begun.status == Status::Accepted) {
                motion.moves_until(begun.since + input.pace.visibility, now);
            }
        }
        motion
    }

    fn look_at(&mut self, input: &TurnInput<'_>, at: &Address) {
        let seen = input.inventory.seen.get(at);
        let before = input.motion.standing.get(at);
        if seen.is_none() && !input.inventory.is_complete_for(at) {
            // Not being seen is no change.
            self.standing.extend(before.map(|before| (at.clone(), before.clone())));
            return;
        }
        let word = seen.map(word).unwrap_or_default();
        let since = match before {
            Some(before) if before.word == word => before.since,
            Some(_) => {
                self.moved = input.now;
                input.now
            }
            // What was not looked at before has not moved.
            None => input.now,
        };
        if let Some(usual) = seen.and_then(usual) {
            self.moves_until(since + usual.times(PATIENCE), input.now);
        }
        self.standing.insert(at.clone(), Standing { word, since });
    }

    fn moves_until(&mut self, until: Moment, now: Moment) {
        self.moved = self.moved.max(until.min(now));
    }

    /// Since when an object has stood as it stands.
    pub(super) fn since(&self, at: &Address, now: Moment) -> Moment {
        self.standing.get(at).map_or(now, |standing| standing.since)
    }

    /// How long nothing has moved.
    pub fn still_for(&self, now: Moment) -> Span {
        now.since(self.moved)
    }

    /// What is waited for beyond the usual, by step or by object.
    pub(super) fn waits(
        &self,
        input: &TurnInput<'_>,
        plan: &Plan,
        verdicts: &Assessment,
    ) -> BTreeMap<String, Wait> {
        // What is due is being tried, or stands behind something else that is told.
        let is_due = |wait: &Wait| wait.again.is_some_and(|again| again <= input.now);
        let put_off = verdicts.put_off.iter().filter(|(_, wait)| !is_due(wait));
        let mut waits: BTreeMap<String, Wait> =
            put_off.map(|(id, wait)| (id.to_string(), wait.clone())).collect();
        let mut of_steps = BTreeSet::new();
        for id in verdicts.under_way.keys() {
            let Some(begun) = input.ledger.begun.get(id) else { continue };
            of_steps.insert(&begun.at);
            if let Some((why, since)) = self.takes_long(input, &begun.at) {
                waits.insert(id.to_string(), Wait { why, since, again: None, calls: begun.tries.calls });
            }
        }
        for waiting in plan.waiting.iter().filter(|waiting| waiting.ends_by_itself()) {
            let at = waiting.at();
            if let Blocker::Unseen { why, .. } = waiting {
                let since = self.standing.get(at).map_or(self.moved, |standing| standing.since);
                waits.insert(at.to_string(), Wait { why: why.clone(), since, again: None, calls: 0 });
            } else if !of_steps.contains(at)
                && let Some((why, since)) = self.takes_long(input, at)
            {
                waits.insert(at.to_string(), Wait { why, since, again: None, calls: 0 });
            }
        }
        waits
    }

    /// Why and since when, if an object is in transition for longer than nearly every one.
    fn takes_long(&self, input: &TurnInput<'_>, at: &Address) -> Option<(String, Moment)> {
        let seen = input.inventory.seen.get(at)?;
        let since = self.standing.get(at)?.since;
        if let Phase::Unknown(word) = &seen.facts.phase {
            return Some((format!("it is {word:?}, a state that this version does not know"), since));
        }
        let usual = usual(seen)?;
        let is_long = input.now.since(since) > usual;
        is_long.then(|| (format!("{}, longer than the usual {usual} at most", word(seen)), since))
    }
}

/// What a run is about now.
fn open<'a>(input: &'a TurnInput<'_>, plan: &'a Plan, verdicts: &'a Assessment) -> BTreeSet<&'a Address> {
    let begun = verdicts.under_way.keys().filter_map(|id| input.ledger.begun.get(id));
    let begun = begun.flat_map(|begun| std::iter::once(&begun.at).chain(&begun.final_snapshot));
    let waiting = plan.waiting.iter().filter(|waiting| waiting.ends_by_itself()).map(Blocker::at);
    plan.steps.iter().map(|step| step.op.at()).chain(waiting).chain(begun).collect()
}

/// The service's word, and what is pending.
fn word(seen: &Observed) -> String {
    let pending = seen.pending.as_ref().map(|pending| pending.set_names().join(", ")).unwrap_or_default();
    if pending.is_empty() {
        seen.facts.native.clone()
    } else {
        format!("{}, pending {pending}", seen.facts.native)
    }
}

/// How long nearly every transition lasts that the object is in; nothing when it is in none.
fn usual(seen: &Observed) -> Option<Span> {
    let is_pending = seen.pending.as_ref().is_some_and(|pending| !pending.set_names().is_empty());
    (is_pending || seen.facts.phase.is_transitional())
        .then(|| planning::transition_p95(&seen.attrs, &seen.facts.phase))
}
