//! What the shared observer knows of one region, and when it looks there again. Pure: time is an argument.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use rgctl_model::observed::{Gap, Inventory};
use rgctl_model::ports::CloudError;
use rgctl_model::seen::Seen;
use rgctl_model::sweep::{Parts, SightDigest, Swept, Viewers};
use rgctl_schema::names::{BlueprintName, RegionId};
use rgctl_schema::time::{Moment, Span};

/// How often a region is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Intervals {
    /// While nothing is in motion there.
    pub quiet: Span,
    /// While something is, at first, and after each look that showed a change.
    pub motion_min: Span,
    /// While something is, at most; also for a region that does not answer.
    pub motion_max: Span,
}

impl Intervals {
    /// How old a look may be that a turn is shown without asking for another age.
    pub const FRESH: Span = Span::from_secs(10);
}

impl Default for Intervals {
    /// What nobody of ours changes changes seldom, and is found within minutes; what moves is followed as a run of its own
    /// follows it.
    fn default() -> Self {
        Self { quiet: Span::from_mins(5), motion_min: Span::from_secs(10), motion_max: Span::from_mins(1) }
    }
}

/// A look that has ended.
#[derive(Debug)]
pub(super) struct Look {
    pub stamp: u64,
    pub began: Moment,
    pub error: Option<CloudError>,
}

/// What is known of a region.
#[derive(Debug, Default)]
pub(super) struct Region {
    /// The look under way: its stamp, and when it began.
    pub flight: Option<(u64, Moment)>,
    pub last: Option<Look>,
    /// Whether those who look here were told that it does not answer.
    pub was_told_lost: bool,
    /// When it was last seen.
    pub seen_at: Option<Moment>,
    pub gaps: Vec<Gap>,
    /// What stands for the gaps.
    pub gap_digest: SightDigest,
    pub digests: BTreeMap<BlueprintName, SightDigest>,
    /// Objects of the last look for those who want them.
    pub slices: BTreeMap<BlueprintName, Seen>,
    /// Those who have not been shown yet what has changed.
    pub owed: BTreeSet<BlueprintName>,
    /// For whom a look that begins after that stamp is news, whatever it shows, and whether it is made with haste.
    pub called_for: BTreeMap<BlueprintName, (u64, bool)>,
    /// For whom the look under way keeps objects, and how many more it may.
    pub keeping: BTreeSet<BlueprintName>,
    pub room: usize,
    pub interval: Option<Span>,
    pub due: Moment,
    /// No look is made for anybody's haste before: looks leave as much time to others as they take.
    pub rests_until: Moment,
    pub figures: RegionFigures,
}

/// What a monitor wants to know of a region.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RegionFigures {
    /// Looks that ended, failed ones among them.
    pub looks: u64,
    /// Looks that failed.
    pub failed: u64,
    /// Looks that failed since the last good one.
    pub failed_in_a_row: u32,
    /// How long the last one took.
    pub took: Duration,
    /// When the region was last seen.
    pub seen_at: Option<Moment>,
    /// Objects that were seen then.
    pub objects: usize,
    /// Objects that are kept.
    pub kept: usize,
    /// Times that a turn was shown this region.
    pub shown: u64,
    /// Calls that blueprints made here, or to objects that span regions.
    pub calls: u64,
}

/// One region as a blueprint is shown it.
#[derive(Debug)]
pub(super) struct Found {
    pub seen_at: Moment,
    pub inventory: Inventory,
    pub error: Option<CloudError>,
}

impl Region {
    /// Whether what the last look shows of a blueprint is there, and neither older than that nor from before that stamp.
    pub fn has_fresh(&self, name: &BlueprintName, at: Moment, after: u64) -> bool {
        let is_fresh = |look: &Look| look.error.is_none() && look.began >= at && look.stamp > after;
        self.last.as_ref().is_some_and(is_fresh) && self.slices.contains_key(name)
    }

    /// Somebody calls for a look with haste.
    pub fn hasten(&mut self, now: Moment) {
        if !self.is_lost() {
            self.due = self.due.min(now.max(self.rests_until));
        }
    }

    /// Whether the last look at it failed: it is looked at again after a pause, whoever calls for that.
    pub fn is_lost(&self) -> bool {
        self.last.as_ref().is_some_and(|look| look.error.is_some())
    }

    /// Takes over what a look has shown, and tells for whom it is new.
    pub fn take(
        &mut self,
        viewers: &Viewers,
        swept: &Swept,
        mut parts: Parts,
        was_lost: bool,
    ) -> BTreeSet<BlueprintName> {
        let gap_digest = digest_of_gaps(&swept.gaps);
        let all_changed = was_lost || self.last.is_none() || gap_digest != self.gap_digest;
        let is_new = |name: &BlueprintName| all_changed || self.digests.get(name) != parts.digests.get(name);
        let changed = viewers.names().iter().filter(|name| is_new(name)).cloned().collect();
        self.gaps.clone_from(&swept.gaps);
        self.gap_digest = gap_digest;
        self.digests = parts.digests;
        self.figures.objects = parts.objects;
        // What was kept of the look before is replaced; who is kept for has an entry, be it an empty one.
        let mut slice = |name: BlueprintName| {
            let seen = parts.slices.remove(&name).unwrap_or_default();
            (name, seen)
        };
        self.slices = std::mem::take(&mut self.keeping).into_iter().map(&mut slice).collect();
        changed
    }

    /// When the region is looked at again.
    pub fn schedule(
        &mut self,
        code: &RegionId,
        intervals: &Intervals,
        in_motion: bool,
        has_changed: bool,
        began: Moment,
        now: Moment,
    ) {
        let is_lost = self.figures.failed_in_a_row > 0;
        let longer = self.interval.map_or(intervals.motion_min, |last| last.times(2));
        let interval = match (is_lost || in_motion, has_changed && !is_lost) {
            (true, false) => longer.clamp(intervals.motion_min, intervals.motion_max),
            (true, true) => intervals.motion_min,
            (false, _) => intervals.quiet,
        };
        self.interval = (is_lost || in_motion).then_some(interval);
        // A tenth more or less, so that the regions of many processes are not all looked at at once.
        let mut hasher = DefaultHasher::new();
        (code, self.figures.looks).hash(&mut hasher);
        let millis = interval.as_millis();
        let jitter = hasher.finish() % (millis / 5).max(1);
        let interval = Span::from_millis(millis - millis / 10 + jitter);
        // What did not answer took its time: the pause is after it. The clock may have been set back meanwhile.
        self.due = if is_lost { now } else { began.min(now) } + interval;
        // A look at very much takes long, and who answers it has other calls to answer; the clock may have jumped meanwhile.
        let rests = if is_lost { Span::ZERO } else { now.since(began).min(intervals.quiet) };
        self.rests_until = now + rests;
        self.due = self.due.max(self.rests_until);
    }
}

pub(super) fn digest_of_gaps(gaps: &[Gap]) -> SightDigest {
    let mut digest = SightDigest::default();
    for gap in gaps {
        digest.add_gap(gap);
    }
    digest
}

/// A region that does not answer, as it is shown.
pub(super) fn unreached(
    code: &RegionId,
    seen_at: Option<Moment>,
    began: Moment,
    error: &CloudError,
) -> Found {
    let last = seen_at.map_or_else(|| "never seen yet".to_owned(), |at| format!("last seen at {at}"));
    let lasting = matches!(error, CloudError::Denied { .. });
    let gaps = Gap::of_region(code, &format!("{error}; {last}"), lasting);
    let inventory = Inventory { gaps, ..Inventory::empty(began) };
    Found { seen_at: seen_at.unwrap_or(Moment::EPOCH), inventory, error: Some(error.clone()) }
}
