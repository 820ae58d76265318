//! What a swarm has met, to show that it met something.

use std::collections::BTreeMap;

use rgctl::artefacts::journal::{Event, Outcome};
use rgctl::execution::drive::Ended;

/// What a run may be refused, as its reason says it.
const REFUSALS: [(&str, &str); 6] = [
    ("refused: never", ": never`"),
    ("refused: no consent by name", "consent by name"),
    ("refused: cost", "policies.cost"),
    ("refused: store unknown", "which store"),
    ("refused: not in the agreed plan", "agreed to"),
    ("refused: tried in vain", "calls"),
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

    /// What a run that ended tells.
    pub fn take(&mut self, ended: &Ended, events: &[Event]) {
        for held in &ended.last.held {
            let known = REFUSALS.iter().find(|(_, sign)| held.why.contains(sign));
            self.add(known.map_or("refused: another reason", |(name, _)| *name), 1);
        }
        for later in &ended.last.later {
            self.add(if later.why.contains("window") { "waits: window" } else { "waits: freeze" }, 1);
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
        let refusals = REFUSALS.iter().map(|(name, _)| *name);
        let others = [
            "waits: window",
            "waits: freeze",
            "preemptions",
            "late calls",
            "lost tags",
            "permanent faults",
            "agreed plans",
        ];
        refusals.chain(others).filter(|name| self.of(name) == 0).collect()
    }
}
