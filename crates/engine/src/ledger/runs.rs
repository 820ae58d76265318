//! What is known of runs: the one that is open, what the last one obeyed, and what the last ones could not do.

use serde::{Deserialize, Serialize};

use rgctl_model::journal::{Entry, Event, Left};
use rgctl_model::rules::RecordedRules;
use rgctl_schema::names::RunId;
use rgctl_schema::time::{Moment, Span};

/// After so long what failed is tried again for the first time, although nothing has changed; then after twice as long, and so
/// on.
const FAILED_AGAIN: Span = Span::from_hours(1);
/// Once a day what is not on any list may have been mended.
const FAILED_AGAIN_MAX: Span = Span::from_days(1);

/// What a run obeyed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ruled {
    /// Which run.
    pub run: RunId,
    /// Position of the line that tells it.
    pub seq: u64,
    /// When the run began.
    pub at: Moment,
    /// Its policies and its calendar.
    pub rules: RecordedRules,
}

impl Ruled {
    /// What the line about the opening of a run says. A run of an older version says nothing: then what was known before is
    /// still the best answer.
    pub(super) fn of(entry: &Entry) -> Option<Self> {
        let (Event::Opened { rules: Some(rules), .. } | Event::Revised { rules, .. }) = &entry.what else {
            return None;
        };
        Some(Self { run: entry.run.clone(), seq: entry.seq, at: entry.at, rules: rules.clone() })
    }
}

/// A run that was opened and not closed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenRun {
    /// Which.
    pub id: RunId,
    /// When it began: what it names after that time is named alike in every process that goes on with it.
    pub began: Moment,
    /// When something last moved in it, by its lines: a step was done, or one has failed whose call was accepted.
    pub moved: Moment,
    /// Position of the line that opened it.
    pub(super) seq: u64,
}

/// Runs in a row that left the same behind, which only a person, another wish or another world can change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failing {
    /// The last of them.
    pub run: RunId,
    /// How many there were, without those that somebody asked for sooner than they were due.
    pub runs: u32,
    /// When the last one ended.
    pub at: Moment,
    /// How things stood then.
    pub left: Left,
}

impl Failing {
    /// When it is tried again although nothing has changed.
    pub fn due(&self) -> Moment {
        let doubled = FAILED_AGAIN.times(1 << self.runs.saturating_sub(1).min(16));
        self.at + Ord::min(doubled, FAILED_AGAIN_MAX)
    }
}
