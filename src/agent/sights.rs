//! What the shared observer knows between looks, and what it does next. Pure: time is an argument.
//!
//! Goes in: who looks where, looks that begin and end, calls, the time. Comes out: what a blueprint is shown, which regions
//! are due, for whom something has changed.
//!
//! **Invariant:** before and after are told by a stamp that counts what happens, and not by a clock.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use super::glances::Glances;
use rgctl_model::address::Address;
use rgctl_model::observed::{Gap, Inventory};
use rgctl_model::ports::CloudError;
use rgctl_model::seen::Seen;
use rgctl_model::sweep::{Parts, SightDigest, Swept, Viewers};
use rgctl_schema::names::{BlueprintName, RegionId};
use rgctl_schema::time::{Moment, Span};

/// Objects that one look keeps for blueprints that have changed and do not wait yet. At a start all have: what has no room
/// waits for the next look, so that ten thousand blueprints need no more memory than some.
const KEPT_MAX: usize = 10_000;

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

/// A blueprint that looks.
#[derive(Debug, Default)]
struct Watcher {
    regions: BTreeSet<RegionId>,
    named: BTreeSet<Address>,
    in_motion: bool,
    /// Turns that wait for a look.
    waiting: u32,
    /// After what a look must have begun: the last call in each region, and the last change of what is looked at.
    after: BTreeMap<RegionId, u64>,
    watched: u64,
}

/// A look that has ended.
#[derive(Debug)]
struct Look {
    stamp: u64,
    began: Moment,
    error: Option<CloudError>,
}

/// What is known of a region.
#[derive(Debug, Default)]
struct Region {
    /// The look under way: its stamp, and when it began.
    flight: Option<(u64, Moment)>,
    last: Option<Look>,
    /// When it was last seen.
    seen_at: Option<Moment>,
    gaps: Vec<Gap>,
    /// What stands for the gaps.
    gap_digest: SightDigest,
    digests: BTreeMap<BlueprintName, SightDigest>,
    /// Objects of the last look for those who want them.
    slices: BTreeMap<BlueprintName, Seen>,
    /// Those who have not been shown yet what has changed.
    owed: BTreeSet<BlueprintName>,
    /// For whom the look under way keeps objects, and how many more it may.
    keeping: BTreeSet<BlueprintName>,
    room: usize,
    interval: Option<Span>,
    due: Moment,
    figures: RegionFigures,
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

/// From when on a look is new enough.
#[derive(Clone, Copy, Debug)]
pub(super) struct Since {
    pub at: Moment,
    /// What had happened when it was asked for.
    pub stamp: u64,
}

/// What a turn that looks does.
#[derive(Debug)]
pub(super) enum Answer {
    Shown(Found),
    Wait,
    Look,
}

/// All of it.
#[derive(Debug)]
pub(super) struct Sights {
    intervals: Intervals,
    stamp: u64,
    watchers: BTreeMap<BlueprintName, Watcher>,
    regions: BTreeMap<RegionId, Region>,
    news: BTreeSet<BlueprintName>,
    pub glances: Glances,
}

impl Sights {
    pub fn new(intervals: Intervals) -> Self {
        Self {
            intervals,
            stamp: 0,
            watchers: BTreeMap::new(),
            regions: BTreeMap::new(),
            news: BTreeSet::new(),
            glances: Glances::default(),
        }
    }

    fn next_stamp(&mut self) -> u64 {
        self.stamp += 1;
        self.stamp
    }

    pub fn watch(
        &mut self,
        name: &BlueprintName,
        regions: &BTreeSet<RegionId>,
        named: &BTreeSet<Address>,
        now: Moment,
    ) {
        let stamp = self.stamp + 1;
        let watcher = self.watchers.entry(name.clone()).or_default();
        let is_same = watcher.watched > 0 && watcher.regions == *regions && watcher.named == *named;
        if is_same {
            return;
        }
        self.stamp = stamp;
        let left: Vec<RegionId> = watcher.regions.difference(regions).cloned().collect();
        watcher.watched = stamp;
        watcher.regions.clone_from(regions);
        watcher.named.clone_from(named);
        self.leave(name, &left);
        for region in regions {
            self.regions.entry(region.clone()).or_insert_with(|| Region { due: now, ..Region::default() });
        }
    }

    /// Whoever looks already is let look as it does: a turn of its may wait for just that.
    pub fn expect(&mut self, name: &BlueprintName, regions: &BTreeSet<RegionId>, now: Moment) {
        if !self.watchers.contains_key(name) {
            self.watch(name, regions, &BTreeSet::new(), now);
        }
    }

    pub fn forget(&mut self, name: &BlueprintName) {
        let Some(watcher) = self.watchers.remove(name) else { return };
        self.news.remove(name);
        self.glances.end(name);
        self.leave(name, &watcher.regions.into_iter().collect::<Vec<_>>());
    }

    /// Nothing is kept for somebody who looks elsewhere now, and nothing of a region at which nobody looks.
    fn leave(&mut self, name: &BlueprintName, left: &[RegionId]) {
        for region in left {
            if !self.watchers.values().any(|watcher| watcher.regions.contains(region)) {
                self.regions.remove(region);
            } else if let Some(region) = self.regions.get_mut(region) {
                region.digests.remove(name);
                region.slices.remove(name);
                region.owed.remove(name);
            }
        }
    }

    pub fn set_in_motion(&mut self, name: &BlueprintName, in_motion: bool, now: Moment) {
        let Some(watcher) = self.watchers.get_mut(name) else { return };
        if std::mem::replace(&mut watcher.in_motion, in_motion) == in_motion {
            return;
        }
        if !in_motion {
            self.glances.end(name);
        }
        for code in &watcher.regions {
            let Some(region) = self.regions.get_mut(code) else { continue };
            if in_motion {
                region.interval = None;
                region.due = region.due.min(now + self.intervals.motion_min);
            } else if !region.owed.contains(name) {
                region.slices.remove(name);
            }
        }
    }

    /// A turn waits for a look of this blueprint.
    pub fn wait(&mut self, name: &BlueprintName) {
        if let Some(watcher) = self.watchers.get_mut(name) {
            watcher.waiting += 1;
        }
    }

    pub fn waits_no_more(&mut self, name: &BlueprintName) {
        if let Some(watcher) = self.watchers.get_mut(name) {
            watcher.waiting = watcher.waiting.saturating_sub(1);
        }
    }

    /// A call is over: what was seen before it does not show it.
    pub fn called(&mut self, name: &BlueprintName, region: Option<&RegionId>) {
        let stamp = self.next_stamp();
        let Some(watcher) = self.watchers.get_mut(name) else { return };
        let all = watcher.regions.clone();
        for code in all.iter().filter(|code| region.is_none_or(|region| region == *code)) {
            watcher.after.insert(code.clone(), stamp);
            if let Some(region) = self.regions.get_mut(code) {
                region.slices.remove(name);
                region.interval = None;
                region.figures.calls += 1;
            }
        }
    }

    /// The stamp of what has happened last.
    pub const fn stamp(&self) -> u64 {
        self.stamp
    }

    /// What a turn is shown of a region, if it can be shown anything: a look that began at that time or later, or after the
    /// stamp of its question, whatever the clock says of it.
    pub fn answer(&mut self, name: &BlueprintName, code: &RegionId, since: Since, now: Moment) -> Answer {
        let watcher = self.watchers.get(name).filter(|watcher| watcher.regions.contains(code));
        let Some(watcher) = watcher else {
            // No look is for who does not look there any more: it would be made again and again.
            let why = format!("{name} does not look there any more");
            return Answer::Shown(unreached(code, None, now, &CloudError::Unreachable { why }));
        };
        let after = watcher.after.get(code).copied().unwrap_or_default().max(watcher.watched);
        let region =
            self.regions.entry(code.clone()).or_insert_with(|| Region { due: now, ..Region::default() });
        if let Some(look) = &region.last {
            if let Some(error) = &look.error {
                // It costs its deadline once: until it answers nobody waits for it any more.
                if region.flight.is_some() || now < region.due {
                    region.owed.remove(name);
                    region.figures.shown += 1;
                    return Answer::Shown(unreached(code, region.seen_at, look.began, error));
                }
            } else if look.stamp > after
                && (look.began >= since.at || look.stamp > since.stamp)
                && let Some(seen) = region.slices.remove(name)
            {
                region.owed.remove(name);
                region.figures.shown += 1;
                let gaps = region.gaps.clone();
                let inventory = Inventory { seen, gaps, ..Inventory::empty(look.began) };
                return Answer::Shown(Found { seen_at: look.began, inventory, error: None });
            }
        }
        if region.flight.is_some() { Answer::Wait } else { Answer::Look }
    }

    /// Begins a look, unless one is under way: for whom it is.
    pub fn begin(&mut self, code: &RegionId, now: Moment) -> Option<(Arc<Viewers>, u64)> {
        let stamp = self.next_stamp();
        let region = self.regions.get_mut(code)?;
        if region.flight.is_some() {
            return None;
        }
        region.flight = Some((stamp, now));
        region.keeping.clear();
        region.room = KEPT_MAX;
        let here = self.watchers.iter().filter(|(_, watcher)| watcher.regions.contains(code));
        Some((Arc::new(Viewers::new(here.map(|(name, watcher)| (name, &watcher.named)))), stamp))
    }

    /// Whether the objects of a blueprint are kept from the look under way: somebody waits for them, they are in motion,
    /// or nobody has been shown yet what has changed.
    pub fn keeps(
        &mut self,
        code: &RegionId,
        name: &BlueprintName,
        digest: SightDigest,
        objects: usize,
    ) -> bool {
        let (Some(watcher), Some(region)) = (self.watchers.get(name), self.regions.get_mut(code)) else {
            return false;
        };
        let has_changed =
            || region.owed.contains(name) || region.digests.get(name).is_none_or(|known| *known != digest);
        let is_kept = watcher.waiting > 0 || watcher.in_motion || (has_changed() && objects <= region.room);
        if is_kept {
            region.room = region.room.saturating_sub(objects);
            region.keeping.insert(name.clone());
        }
        is_kept
    }

    /// Ends a look: whether there is news for anybody.
    pub fn finish(
        &mut self,
        code: &RegionId,
        viewers: &Viewers,
        found: Result<(Swept, Parts), CloudError>,
        took: Duration,
        now: Moment,
    ) -> bool {
        let Some(region) = self.regions.get_mut(code) else { return false };
        let Some((stamp, began)) = region.flight else { return false };
        region.figures.looks += 1;
        region.figures.took = took;
        let was_lost = region.last.as_ref().is_some_and(|look| look.error.is_some());
        let mut changed = BTreeSet::new();
        match found {
            Ok((swept, parts)) => {
                changed = region.take(viewers, &swept, parts, was_lost);
                region.seen_at = Some(began);
                region.last = Some(Look { stamp, began, error: None });
                region.figures.failed_in_a_row = 0;
            }
            Err(error) => {
                region.slices.clear();
                if !was_lost {
                    changed.extend(viewers.names().iter().cloned());
                    region.gap_digest = digest_of_gaps(&Gap::of_region(code, "", false));
                }
                region.last = Some(Look { stamp, began, error: Some(error) });
                region.figures.failed += 1;
                region.figures.failed_in_a_row += 1;
            }
        }
        region.owed.extend(changed.iter().cloned());
        let in_motion = viewers.names().iter().any(|name| {
            self.watchers.get(name).is_some_and(|watcher| watcher.in_motion && watcher.regions.contains(code))
        });
        region.schedule(code, &self.intervals, in_motion, !changed.is_empty(), began, now);
        let has_news = !changed.is_empty();
        self.news.extend(changed.into_iter().filter(|name| self.watchers.contains_key(name)));
        has_news
    }

    /// A look is over, however it ended.
    pub fn landed(&mut self, code: &RegionId, stamp: u64) {
        if let Some(region) = self.regions.get_mut(code)
            && region.flight.is_some_and(|(under_way, _)| under_way == stamp)
        {
            region.flight = None;
        }
    }

    pub fn digest_of(&self, name: &BlueprintName) -> Option<SightDigest> {
        let mut all = SightDigest::default();
        for code in &self.watchers.get(name)?.regions {
            let region = self.regions.get(code)?;
            all.merge(region.gap_digest);
            if region.last.as_ref()?.error.is_none() {
                all.merge(region.digests.get(name).copied().unwrap_or_default());
            }
        }
        Some(all)
    }

    /// Who was shown meanwhile what has changed, by a turn of its own, is not told of it.
    pub fn take_news(&mut self) -> BTreeSet<BlueprintName> {
        let mut news = std::mem::take(&mut self.news);
        news.retain(|name| self.regions.values().any(|region| region.owed.contains(name)));
        news
    }

    pub fn due(&self, now: Moment) -> Vec<RegionId> {
        let due = self.regions.iter().filter(|(_, region)| region.flight.is_none() && region.due <= now);
        due.map(|(code, _)| code.clone()).collect()
    }

    pub fn due_at(&self) -> Option<Moment> {
        let idle = self.regions.values().filter(|region| region.flight.is_none());
        idle.map(|region| region.due).chain(self.glances.due_at()).min()
    }

    /// A narrow look has ended; where it showed a change, the whole region is due.
    pub fn glanced(&mut self, name: &BlueprintName, digest: Option<SightDigest>, now: Moment) {
        for code in self.glances.seen(name, digest, now) {
            if let Some(region) = self.regions.get_mut(&code) {
                region.due = region.due.min(now);
            }
        }
    }

    pub fn figures(&self) -> BTreeMap<RegionId, RegionFigures> {
        let figures = |region: &Region| RegionFigures {
            seen_at: region.seen_at,
            kept: region.slices.values().map(Seen::len).sum(),
            ..region.figures
        };
        self.regions.iter().map(|(code, region)| (code.clone(), figures(region))).collect()
    }
}

impl Region {
    /// Takes over what a look has shown, and tells for whom it is new.
    fn take(
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
    fn schedule(
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
        // What did not answer took its time: the pause is after it.
        self.due = if is_lost { now } else { began } + interval;
    }
}

fn digest_of_gaps(gaps: &[Gap]) -> SightDigest {
    let mut digest = SightDigest::default();
    for gap in gaps {
        digest.add_gap(gap);
    }
    digest
}

/// A region that does not answer, as it is shown.
fn unreached(code: &RegionId, seen_at: Option<Moment>, began: Moment, error: &CloudError) -> Found {
    let last = seen_at.map_or_else(|| "never seen yet".to_owned(), |at| format!("last seen at {at}"));
    let lasting = matches!(error, CloudError::Denied { .. });
    let gaps = Gap::of_region(code, &format!("{error}; {last}"), lasting);
    let inventory = Inventory { gaps, ..Inventory::empty(began) };
    Found { seen_at: seen_at.unwrap_or(Moment::EPOCH), inventory, error: Some(error.clone()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_keeps_what_it_has_room_for_and_always_what_is_waited_for() {
        let (mut sights, now) = (Sights::new(Intervals::default()), Moment::from_secs(1));
        let name = |name: &str| BlueprintName::new(name).unwrap();
        let (first, second, third) = (name("first"), name("second"), name("third"));
        let code = RegionId::new("us-east-1").unwrap();
        for name in [&first, &second, &third] {
            sights.watch(name, &BTreeSet::from([code.clone()]), &BTreeSet::new(), now);
        }
        sights.wait(&third);
        let (viewers, stamp) = sights.begin(&code, now).unwrap();
        let digest = SightDigest::of_value(&1);
        let mut keeps = |name: &BlueprintName| sights.keeps(&code, name, digest, KEPT_MAX - 1);
        assert_eq!([&first, &second, &third].map(&mut keeps), [true, false, true]);
        let digests = [&first, &second, &third].map(|name| (name.clone(), digest)).into();
        let parts = Parts { digests, ..Parts::default() };
        let swept = Swept { gaps: Vec::new(), taken: now };
        assert!(sights.finish(&code, &viewers, Ok((swept, parts)), Duration::ZERO, now));
        sights.landed(&code, stamp);
        let since = Since { at: Moment::EPOCH, stamp: sights.stamp() };
        let mut answers = |name| sights.answer(name, &code, since, now);
        assert!(matches!(answers(&first), Answer::Shown(_)));
        assert!(matches!(answers(&second), Answer::Look), "it is kept by the next look");
        sights.begin(&code, now).unwrap();
        assert!(!sights.keeps(&code, &first, digest, 1), "it was shown, and nothing has changed");
        assert!(sights.keeps(&code, &second, digest, KEPT_MAX));
    }
}
