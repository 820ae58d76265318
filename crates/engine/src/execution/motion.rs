//! What has stood how since when, from turn to turn of one run.
//!
//! Goes in: one look after another at the objects that a run is about. Comes out: since when each stands as it stands, and
//! until when anything has moved.

use std::sync::Arc;

use crate::planning;
use rgctl_model::address::Address;
use rgctl_model::observed::{Inventory, Observed};
use rgctl_schema::phase::Phase;
use rgctl_schema::time::{Moment, Span};

/// A transition counts as movement for so many times what all but one in twenty need: some take long, and a run that
/// ended meanwhile would only be started again.
const PATIENCE: u64 = 3;

/// How an object stands, and since when.
#[derive(Clone, Debug, PartialEq, Eq)]
struct ObservedState {
    /// The service's word and what is pending; empty when the object is not there.
    word: Arc<str>,
    since: Moment,
}

/// What was seen to move, from turn to turn of one run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Motion {
    /// Until when something has moved: a step was done, or has failed whose call was accepted; a phase changed; a transition was
    /// young.
    pub moved: Moment,
    /// When it was looked at.
    looked: Moment,
    /// In order of the addresses. What one turn found is handed on to the next as it is.
    standing: Arc<Vec<(Address, ObservedState)>>,
    /// Whether one of them is in a state for longer than nearly every one is.
    has_unusual: bool,
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

/// An object that a run is about.
#[derive(Clone, Copy, Debug)]
pub(super) struct Open<'a> {
    pub address: &'a Address,
    /// Whether it is known to be missing, so that it need not be looked for.
    pub is_missing: bool,
}

impl Motion {
    /// Nothing has been seen yet.
    pub fn new(began: Moment) -> Self {
        Self { moved: began, looked: began, standing: Arc::default(), has_unusual: false }
    }

    /// Takes note of how objects stand now, beside how they stood before. They come in order, each once, and so do those
    /// of `called`, which says since when a call at them is out: what is seen at the first look after it stands so since then. By
    /// that a process that has just begun is no more patient than one that saw it all.
    pub(super) fn look_at(
        &mut self,
        before: &Self,
        inventory: &Inventory,
        (objects, called): (Vec<Open<'_>>, &[(&Address, Moment)]),
        now: Moment,
    ) {
        self.looked = now;
        // All of them are sorted, so that nothing needs to be searched for; but few are searched for sooner.
        let looked_for = objects.iter().filter(|one| !one.is_missing).count();
        let mut walk = (looked_for * 16 > inventory.seen.len()).then(|| inventory.seen.iter().peekable());
        let mut earlier = before.standing.iter().peekable();
        let mut standing = Vec::with_capacity(objects.len());
        for Open { address, is_missing } in objects {
            while earlier.next_if(|(other, _)| other < address).is_some() {}
            let known = earlier.next_if(|(other, _)| other == address).map(|(_, standing)| standing);
            let seen = match &mut walk {
                _ if is_missing => None,
                None => inventory.seen.get(address),
                Some(walk) => {
                    while walk.next_if(|(other, _)| *other < address).is_some() {}
                    walk.peek().filter(|(other, _)| *other == address).map(|(_, seen)| *seen)
                }
            };
            if is_missing || seen.is_some() || inventory.is_complete_for(address) {
                let first = || {
                    let place = called.binary_search_by(|(other, _)| (*other).cmp(address)).ok();
                    let at = place.map(|place| called[place].1);
                    at.filter(|at| known.is_none() || *at >= before.looked).unwrap_or(now)
                };
                standing.push((address.clone(), self.stands(known, seen, (first, now))));
            } else {
                // Not being seen is no change.
                standing.extend(known.map(|known| (address.clone(), known.clone())));
            }
        }
        self.standing = Arc::new(standing);
    }

    fn stands(
        &mut self,
        before: Option<&ObservedState>,
        seen: Option<&Observed>,
        (first, now): (impl FnOnce() -> Moment, Moment),
    ) -> ObservedState {
        let (word, since) = match before {
            Some(before) if is_word(&before.word, seen) => (Arc::clone(&before.word), before.since),
            before => {
                // What was not looked at before has not moved.
                if before.is_some() {
                    self.moved = now;
                }
                (seen.map(word).unwrap_or_default().into(), first())
            }
        };
        let usual = seen.and_then(usual);
        if let Some(usual) = usual {
            self.moves_until(since + usual.times(PATIENCE), now);
        }
        self.has_unusual |= usual.is_some_and(|usual| now.since(since) > usual)
            || seen.is_some_and(|seen| matches!(seen.facts.phase, Phase::Unknown(_)));
        ObservedState { word, since }
    }

    /// Whether something that was looked at takes longer than nearly every one.
    pub(super) const fn has_unusual(&self) -> bool {
        self.has_unusual
    }

    /// Something moves until then, as far as that is not to come.
    pub(super) fn moves_until(&mut self, until: Moment, now: Moment) {
        self.moved = self.moved.max(until.min(now));
    }

    /// Since when an object has stood as it stands; what is said instead where nobody knows.
    pub(super) fn since(&self, address: &Address, otherwise: Moment) -> Moment {
        self.standing_of(address).map_or(otherwise, |standing| standing.since)
    }

    fn standing_of(&self, address: &Address) -> Option<&ObservedState> {
        let place = self.standing.binary_search_by(|(other, _)| other.cmp(address)).ok()?;
        Some(&self.standing[place].1)
    }

    /// How long nothing has moved.
    pub fn still_for(&self, now: Moment) -> Span {
        now.since(self.moved)
    }

    /// Why and since when, if an object is in transition for longer than nearly every one.
    pub(super) fn takes_long(
        &self,
        inventory: &Inventory,
        address: &Address,
        now: Moment,
    ) -> Option<(String, Moment)> {
        let seen = inventory.seen.get(address)?;
        let since = self.standing_of(address)?.since;
        if let Phase::Unknown(word) = &seen.facts.phase {
            return Some((format!("it is {word:?}, a state that this version does not know"), since));
        }
        let usual = usual(seen)?;
        let is_long = now.since(since) > usual;
        is_long.then(|| (format!("{}, longer than the usual {usual} at most", word(seen)), since))
    }
}

/// Whether an object still stands as that word says.
fn is_word(before: &str, seen: Option<&Observed>) -> bool {
    match seen {
        None => before.is_empty(),
        Some(seen) if seen.pending.is_none() => *before == *seen.facts.native,
        Some(seen) => *before == *word(seen),
    }
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
