//! What a swarm has met, to show that it met something.

use std::collections::{BTreeMap, BTreeSet};

use rgctl_engine::execution::drive::Ended;
use rgctl_model::journal::{Event, Outcome};

use crate::swarm_decisions::MET;

/// What may hold a step up, and a sign of it in the sentence that a person is told.
const REASONS: [(&str, &str); 11] = [
    ("refused: never", ": never`"),
    ("refused: no consent by name", "consent by name"),
    ("refused: cost", "policies.cost"),
    ("refused: quota", "by the account's quota"),
    ("refused: store unknown", "which store"),
    ("refused: not in the agreed plan", "agreed to"),
    ("refused: tried in vain", " times in vain since "),
    ("held: region unseen", " could not be seen: "),
    ("held: region held out", " is held out since "),
    ("waits: freeze", "the freeze `"),
    ("waits: window", "maintenance window"),
];

/// Counts by name.
#[derive(Clone, Debug, Default)]
pub struct Tally(BTreeMap<&'static str, u64>);

impl Tally {
    pub fn add(&mut self, what: &'static str, count: u64) {
        *self.0.entry(what).or_default() += count;
    }

    pub fn of(&self, what: &str) -> u64 {
        self.0.get(what).copied().unwrap_or_default()
    }

    #[must_use]
    pub fn plus(mut self, other: &Self) -> Self {
        for (what, count) in &other.0 {
            self.add(what, *count);
        }
        self
    }

    /// What held something up in a run.
    pub fn hear(&mut self, told: &BTreeSet<String>) {
        for why in told {
            let known = REASONS.iter().find(|(_, sign)| why.contains(sign));
            self.add(known.map_or("another reason", |(name, _)| *name), 1);
        }
    }

    /// How a run ended.
    pub fn take(&mut self, ended: &Ended, events: &[Event]) {
        if ended.outcome == Outcome::Waiting {
            self.add("runs that end with waits", 1);
        }
        if ended.outcome == Outcome::Stopped
            && let Some(Event::Closed { summary, .. }) = events.last()
            && summary.contains("yielded to")
        {
            self.add("preemptions", 1);
        }
    }

    /// The names that a long enough run must have met.
    pub fn missing(&self) -> Vec<&'static str> {
        let reasons = REASONS.iter().map(|(name, _)| *name);
        let others = [
            "runs that end with waits",
            "preemptions",
            "late calls",
            "lost tags",
            "permanent faults",
            "agreed plans",
        ];
        reasons.chain(others).chain(MET).filter(|name| self.of(name) == 0).collect()
    }
}
