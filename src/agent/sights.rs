//! What the shared observer knows between looks, and what it does next. Pure: time is an argument.
//!
//! Goes in: who looks where, looks that begin and end, calls, the time. Comes out: what a blueprint is shown, which regions
//! are due, for whom something has changed.
//!
//! **Invariant:** before and after are told by a stamp that counts what happens, and not by a clock.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::glances::Glances;
use super::region::{Found, Intervals, Look, Region, RegionFigures, digest_of_gaps, unreached};
use rgctl_model::address::Address;
use rgctl_model::observed::{Gap, Inventory};
use rgctl_model::ports::CloudError;
use rgctl_model::seen::Seen;
use rgctl_model::sweep::{Parts, SightDigest, Swept, Viewers};
use rgctl_schema::names::{BlueprintName, RegionId};
use rgctl_schema::time::Moment;

/// Objects that one look keeps for blueprints that have changed and do not wait yet. At a start all have: what has no room
/// waits for the next look, so that ten thousand blueprints need no more memory than some.
const KEPT_MAX: usize = 10_000;

/// After so many looks in a row that the provider refused for being one call too many, a region counts as one that does not
/// answer: they lie up to a minute apart.
const THROTTLED_MAX: u32 = 6;

/// A blueprint that looks.
#[derive(Debug, Default)]
struct Watcher {
    regions: BTreeSet<RegionId>,
    named: BTreeSet<Address>,
    in_motion: bool,
    /// Turns of it that are under way.
    turns: u32,
    /// Turns that wait for a look.
    waiting: u32,
    /// After what a look must have begun: the last call in each region, and the last change of what is looked at.
    after: BTreeMap<RegionId, u64>,
    watched: u64,
    /// Everything about its objects is asked for; else some of it may be left unread.
    whole: bool,
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
                region.called_for.remove(name);
            }
        }
    }

    /// Whether everything about the objects of a blueprint has to be known from now on.
    pub fn wants_whole(&mut self, name: &BlueprintName, whole: bool) {
        if let Some(watcher) = self.watchers.get_mut(name) {
            watcher.whole = whole;
        }
    }

    /// The blueprints about whose objects everything is asked for.
    pub fn wholes(&self) -> BTreeSet<BlueprintName> {
        let whole = self.watchers.iter().filter(|(_, watcher)| watcher.whole);
        whole.map(|(name, _)| name.clone()).collect()
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

    /// The next look that begins is news for a blueprint, whatever it shows; with haste it is due now. Nothing comes of it where
    /// nobody looks for it, nor where it is shown a look at once that is new enough.
    pub fn call_for(&mut self, name: &BlueprintName, haste: bool, now: Moment) -> bool {
        let (stamp, at) = (self.stamp, now - Intervals::FRESH);
        let Some(watcher) = self.watchers.get(name) else { return false };
        let after =
            |code: &RegionId| watcher.after.get(code).copied().unwrap_or_default().max(watcher.watched);
        let has_fresh =
            |code: &RegionId| self.regions.get(code).is_some_and(|one| one.has_fresh(name, at, after(code)));
        if watcher.regions.iter().all(has_fresh) {
            return false;
        }
        for code in &watcher.regions {
            let Some(region) = self.regions.get_mut(code) else { continue };
            region.called_for.insert(name.clone(), (stamp, haste));
            region.owed.insert(name.clone());
            if haste {
                region.hasten(now);
            }
        }
        true
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

    pub fn turn_begins(&mut self, name: &BlueprintName) {
        if let Some(watcher) = self.watchers.get_mut(name) {
            watcher.turns += 1;
        }
    }

    /// Whether there may be news for it that were kept back meanwhile.
    pub fn turn_ends(&mut self, name: &BlueprintName) -> bool {
        if let Some(watcher) = self.watchers.get_mut(name) {
            watcher.turns = watcher.turns.saturating_sub(1);
        }
        self.news.contains(name)
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
                // What began before it was asked for in full shows all the same what has nothing that could be left unread.
                && !(watcher.whole && seen.values().any(|one| one.facts.is_unread))
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

    /// What a turn is shown that has looked again and again and was shown nothing.
    pub fn in_vain(&self, name: &BlueprintName, code: &RegionId, now: Moment) -> Found {
        let seen_at = self.regions.get(code).and_then(|region| region.seen_at);
        let why = format!(
            "in so many looks what {name} rests on was not read: the provider answers too few calls, or rgctl is mistaken"
        );
        unreached(code, seen_at, now, &CloudError::Unreachable { why })
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

    /// Ends the look of that stamp: whether there is news for anybody. One that is not under way any more, since the region
    /// was left and is looked at anew, tells nothing: it would pass for the later one.
    pub fn finish(
        &mut self,
        code: &RegionId,
        (viewers, stamp): (&Viewers, u64),
        found: Result<(Swept, Parts), CloudError>,
        took: Duration,
        now: Moment,
    ) -> bool {
        let Some(region) = self.regions.get_mut(code) else { return false };
        let Some((_, began)) = region.flight.filter(|(under_way, _)| *under_way == stamp) else {
            return false;
        };
        region.figures.looks += 1;
        region.figures.took = took;
        let was_lost = region.was_told_lost;
        let mut changed = BTreeSet::new();
        match found {
            Ok((swept, parts)) => {
                changed = region.take(viewers, &swept, parts, was_lost);
                region.seen_at = Some(began);
                region.last = Some(Look { stamp, began, error: None });
                region.figures.failed_in_a_row = 0;
                region.was_told_lost = false;
            }
            Err(error) => {
                region.slices.clear();
                region.figures.failed += 1;
                region.figures.failed_in_a_row += 1;
                // Who asks for fewer calls is there: nothing follows from it for those who wait for nothing, unless it lasts.
                let passes = matches!(error, CloudError::Throttled { .. })
                    && region.figures.failed_in_a_row < THROTTLED_MAX;
                if !was_lost && !passes {
                    changed.extend(viewers.names().iter().cloned());
                    region.gap_digest = digest_of_gaps(&Gap::of_region(code, "", false));
                    region.was_told_lost = true;
                }
                region.last = Some(Look { stamp, began, error: Some(error) });
            }
        }
        let has_changed = !changed.is_empty();
        let heard = region.called_for.extract_if(.., |_, (called, _)| *called < stamp).map(|(name, _)| name);
        changed.extend(heard.filter(|name| viewers.names().binary_search(name).is_ok()));
        region.owed.extend(changed.iter().cloned());
        let in_motion = viewers.names().iter().any(|name| {
            self.watchers.get(name).is_some_and(|watcher| watcher.in_motion && watcher.regions.contains(code))
        });
        region.schedule(code, &self.intervals, in_motion, has_changed, began, now);
        if region.called_for.values().any(|(_, haste)| *haste) {
            region.hasten(now);
        }
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

    /// The clock was set: nobody knows how old a look is by it. All regions are due, and nothing is shown of looks before.
    pub fn clock_was_set(&mut self, now: Moment) {
        for region in self.regions.values_mut() {
            region.slices.clear();
            (region.due, region.rests_until, region.interval) = (now, now, None);
        }
        self.glances.clock_was_set(now);
    }

    /// Who was shown meanwhile what has changed, by a turn of its own, is not told of it. Who has a turn now is told after it,
    /// if that was not shown it.
    pub fn take_news(&mut self) -> BTreeSet<BlueprintName> {
        let waits = |name: &BlueprintName| self.watchers.get(name).is_some_and(|watcher| watcher.turns > 0);
        let (later, mut news): (BTreeSet<_>, BTreeSet<_>) =
            std::mem::take(&mut self.news).into_iter().partition(waits);
        self.news = later;
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

#[cfg(test)]
#[path = "sights_tests.rs"]
mod tests;
