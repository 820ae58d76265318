//! One look for all blueprints of an account: each region is looked at by itself, in parallel with the others, and every
//! blueprint is shown its own part of it.
//!
//! Goes in: the port of one account, and which blueprints look at which regions. Comes out: the same port for each of
//! them ([`SharedCloud`]), and what has changed for whom.
//!
//! **Invariant:** what a blueprint is shown of a region is from a look that began after its own last call there.
//! **Invariant:** a region that does not answer costs its own deadline, and nothing in any other region.
//! **Invariant:** between looks the objects are kept of those blueprints only that wait for them or are in motion; of all
//! others there is a digest.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::FutureExt;
use futures::future::{BoxFuture, join_all};
use futures::stream::{FuturesUnordered, StreamExt};
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use super::region::Found;
use super::sights::{Answer, Sights, Since};
use rgctl_model::address::Address;
use rgctl_model::observed::{Inventory, Selection};
use rgctl_model::plan::Op;
use rgctl_model::ports::{Clock, Cloud, CloudError};
use rgctl_model::quota::AccountQuota;
use rgctl_model::sweep::{Partition, SightDigest, joined};
use rgctl_schema::names::{BlueprintName, RegionId};
use rgctl_schema::time::{Moment, Span};

pub use super::region::{Intervals, RegionFigures};
pub use super::shared::SharedCloud;

/// How long one region is waited for, in real time. A region that is lost ends its look by itself in a minute, since each
/// call ends then and all lists are asked for at once; this bounds what does not, and leaves room for a thousand pages at
/// the pace of the rate budget.
const DEADLINE: Duration = Duration::from_mins(3);
/// Looks that a turn makes of a region until it is shown one. Two are enough whatever happens meanwhile; more would go on
/// without end.
const LOOKS_MAX: u32 = 8;
/// How long the account's quotas are used that were read: they are raised by hand, in hours.
const QUOTAS_KEPT: Span = Span::from_hours(1);

/// One account as all its blueprints see it.
pub struct Observer {
    cloud: Arc<dyn Cloud>,
    clock: Arc<dyn Clock>,
    deadline: Duration,
    sights: Mutex<Sights>,
    quotas: Mutex<BTreeMap<RegionId, (Moment, Vec<AccountQuota>)>>,
    /// Counts finished looks: those who wait hear of each.
    finished: watch::Sender<u64>,
    /// The times of the next looks have changed.
    moved: Notify,
    /// Something has changed for somebody.
    news: Notify,
}

impl std::fmt::Debug for Observer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Observer").field("deadline", &self.deadline).finish_non_exhaustive()
    }
}

impl Observer {
    /// The observer of an account, by the provider's time.
    pub fn new(cloud: Arc<dyn Cloud>, clock: Arc<dyn Clock>, intervals: Intervals) -> Arc<Self> {
        Self::with_deadline(cloud, clock, intervals, DEADLINE)
    }

    /// The same with another deadline for a region.
    pub fn with_deadline(
        cloud: Arc<dyn Cloud>,
        clock: Arc<dyn Clock>,
        intervals: Intervals,
        deadline: Duration,
    ) -> Arc<Self> {
        Arc::new(Self {
            cloud,
            clock,
            deadline,
            sights: Mutex::new(Sights::new(intervals)),
            quotas: Mutex::default(),
            finished: watch::Sender::new(0),
            moved: Notify::new(),
            news: Notify::new(),
        })
    }

    // No clock and no provider is asked while this is held: the embedded cloud has a lock of its own.
    fn sights(&self) -> MutexGuard<'_, Sights> {
        self.sights.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The provider itself.
    pub(super) fn cloud(&self) -> &dyn Cloud {
        &*self.cloud
    }

    /// Looks at these regions for a blueprint from now on, and at objects that it names beside those under its own names.
    pub fn watch(&self, blueprint: &BlueprintName, regions: &BTreeSet<RegionId>, named: &BTreeSet<Address>) {
        let now = self.clock.now();
        self.sights().watch(blueprint, regions, named, now);
        self.moved.notify_one();
    }

    /// The same for a blueprint that nobody looks for yet. What one looks at whose turn may be under way is for its turns to
    /// say, each of which says it anew: it would wait for a region for ever at which nobody looks for it any more.
    pub fn expect(&self, blueprint: &BlueprintName, regions: &BTreeSet<RegionId>) {
        let now = self.clock.now();
        self.sights().expect(blueprint, regions, now);
        self.moved.notify_one();
    }

    /// Looks no more for a blueprint; at regions where nobody else is, not at all.
    pub fn forget(&self, blueprint: &BlueprintName) {
        self.sights().forget(blueprint);
        self.moved.notify_one();
    }

    /// Whether something of a blueprint is under way: its regions are looked at often, and its objects are kept.
    pub fn set_in_motion(&self, blueprint: &BlueprintName, in_motion: bool) {
        let now = self.clock.now();
        self.sights().set_in_motion(blueprint, in_motion, now);
        self.moved.notify_one();
    }

    /// Lets the next look be news for a blueprint, whatever it shows; with haste it is made now. Whether anybody looks for it.
    pub fn call_for(&self, blueprint: &BlueprintName, haste: bool) -> bool {
        let now = self.clock.now();
        let is_heard = self.sights().call_for(blueprint, haste, now);
        self.moved.notify_one();
        is_heard
    }

    /// The clock was set: what was to be done at a moment of the old one is due now.
    pub fn clock_was_set(&self) {
        let now = self.clock.now();
        self.sights().clock_was_set(now);
        self.quotas.lock().unwrap_or_else(PoisonError::into_inner).clear();
        self.moved.notify_one();
    }

    /// A turn of a blueprint is under way until this is dropped: what is new for it meanwhile it is shown, or told after it.
    pub fn turn_of(self: &Arc<Self>, blueprint: BlueprintName) -> Turning {
        self.sights().turn_begins(&blueprint);
        Turning { observer: Arc::clone(self), blueprint }
    }

    /// The port of the account for one blueprint, which is shown looks that are ten seconds old at most; other ages by
    /// [`SharedCloud::since`].
    pub fn cloud_for(self: &Arc<Self>, blueprint: &BlueprintName) -> SharedCloud {
        SharedCloud::new(Arc::clone(self), blueprint.clone())
    }

    /// The blueprints for whom something has changed since they were told last; waits until there are some.
    pub async fn news(&self) -> BTreeSet<BlueprintName> {
        loop {
            let told = self.news.notified();
            let news = self.sights().take_news();
            if !news.is_empty() {
                return news;
            }
            told.await;
        }
    }

    /// Figures of each region.
    pub fn figures(&self) -> BTreeMap<RegionId, RegionFigures> {
        self.sights().figures()
    }

    /// When the next look is due that is not under way; nothing while nobody looks anywhere.
    pub fn due_at(&self) -> Option<Moment> {
        self.sights().due_at()
    }

    /// Looks at every region that is due, and at roles that move, and waits for all of them.
    pub async fn look_where_due(&self) {
        join_all(self.begin_due()).await;
    }

    /// What is due, begun when it is polled.
    fn begin_due(&self) -> Vec<BoxFuture<'_, ()>> {
        let now = self.clock.now();
        let (looks, glances) = {
            let mut sights = self.sights();
            (sights.due(now), sights.glances.due(now))
        };
        let looks = looks.into_iter().map(|region| async move { self.look_at(&region).await }.boxed());
        let glances = glances
            .into_iter()
            .map(|(name, objects)| async move { self.glance_at(&name, &objects).await }.boxed());
        looks.chain(glances).collect()
    }

    /// Looks at a few objects by name.
    async fn glance_at(&self, name: &BlueprintName, objects: &BTreeSet<Address>) {
        let told = tokio::time::timeout(self.deadline, self.cloud.glance(objects)).await;
        // What was not told is looked at again; the shared look says what is wrong.
        let digest = told.ok().and_then(Result::ok);
        let now = self.clock.now();
        self.sights().glanced(name, digest, now);
        self.moved.notify_one();
    }

    /// Looks at every region when it is due, as long as it is polled. A region that does not answer holds no other up.
    pub async fn keep_looking(&self) {
        let mut under_way = FuturesUnordered::new();
        loop {
            let moved = self.moved.notified();
            under_way.extend(self.begin_due());
            let next = self.due_at();
            let sleep = async {
                match next {
                    Some(next) => self.clock.sleep_until(next).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                // In this order: what has just been begun is under way before anybody asks what is due next.
                biased;
                Some(()) = under_way.next() => {}
                () = moved => {}
                () = sleep => {}
            }
        }
    }

    /// What a blueprint is shown: each region from a look that began after its last call there, and not before a moment.
    pub(super) async fn show(
        &self,
        blueprint: &BlueprintName,
        wanted: &Selection,
        since: Option<Moment>,
    ) -> Result<Inventory, CloudError> {
        let now = self.clock.now();
        let at = since.unwrap_or_else(|| now - Intervals::FRESH).min(now);
        let since = {
            let mut sights = self.sights();
            sights.watch(blueprint, &wanted.regions, &wanted.named, now);
            sights.wants_whole(blueprint, !wanted.whole.is_empty());
            Since { at, stamp: sights.stamp() }
        };
        let _waiting = Waiting::of(self, blueprint);
        let parts = join_all(wanted.regions.iter().map(|region| self.part(blueprint, region, since))).await;
        if let Some(error) = parts.first().and_then(|part| part.error.clone())
            && parts.iter().all(|part| part.error.is_some())
        {
            return Err(error);
        }
        let seen = wanted.regions.iter().cloned().zip(parts);
        let whole = joined(seen.map(|(region, part)| (region, part.seen_at, part.inventory)));
        Ok(whole.unwrap_or_else(|| Inventory::empty(now)))
    }

    /// One region of it.
    async fn part(&self, blueprint: &BlueprintName, region: &RegionId, since: Since) -> Found {
        // Before the first question, so that no look ends unheard.
        let mut finished = self.finished.subscribe();
        let mut looks = 0;
        while looks < LOOKS_MAX {
            let now = self.clock.now();
            let answer = self.sights().answer(blueprint, region, since, now);
            match answer {
                Answer::Shown(found) => return found,
                Answer::Look => {
                    looks += 1;
                    self.look_at(region).await;
                }
                // The sender lives as long as this does.
                Answer::Wait => drop(finished.changed().await),
            }
        }
        let now = self.clock.now();
        self.sights().in_vain(blueprint, region, now)
    }

    /// Looks at a region, unless somebody does already.
    async fn look_at(&self, region: &RegionId) {
        let now = self.clock.now();
        let Some((viewers, stamp)) = self.sights().begin(region, now) else { return };
        let flight = Flight { observer: self, region, stamp };
        let wanted = Selection {
            regions: BTreeSet::from([region.clone()]),
            owner: None,
            named: viewers.named().filter(|address| address.region == *region).cloned().collect(),
            owners: viewers.names().iter().cloned().collect(),
            whole: self.sights().wholes(),
        };
        let began = Instant::now();
        let choose = |name: &BlueprintName, digest: SightDigest, objects: usize| {
            self.sights().keeps(region, name, digest, objects)
        };
        let mut partition = Partition::new(Arc::clone(&viewers), Box::new(choose));
        let look = self.cloud.sweep(&wanted, &mut partition);
        let swept = tokio::time::timeout(self.deadline, look).await.unwrap_or_else(|_| {
            let why = format!("{region} did not answer within {} seconds", self.deadline.as_secs_f64());
            Err(CloudError::Unreachable { why })
        });
        let now = self.clock.now();
        let found = swept.map(|swept| (swept, partition.into_parts()));
        let has_news = self.sights().finish(region, (&viewers, stamp), found, began.elapsed(), now);
        drop(flight);
        if has_news {
            self.news.notify_one();
        }
    }

    /// The account's quotas, read once an hour for everybody.
    pub(super) async fn quotas(&self, regions: &BTreeSet<RegionId>) -> Result<Vec<AccountQuota>, CloudError> {
        let mut all = Vec::new();
        for region in regions {
            let now = self.clock.now();
            let quotas = || self.quotas.lock().unwrap_or_else(PoisonError::into_inner);
            let known = quotas().get(region).filter(|(then, _)| now < *then + QUOTAS_KEPT).cloned();
            if let Some((_, read)) = known {
                all.extend(read);
                continue;
            }
            let read = self.cloud.quotas(&BTreeSet::from([region.clone()])).await?;
            all.extend(read.iter().cloned());
            quotas().insert(region.clone(), (now, read));
        }
        Ok(all)
    }

    /// Notes that a call of a blueprint is over, or that nobody waits for its end any more.
    pub(super) fn called(&self, blueprint: &BlueprintName, op: &Op) {
        // What is done to an object that spans regions shows in all of them.
        let address = op.address();
        let region = (!address.kind.facts().is_global).then_some(&address.region);
        let now = self.clock.now();
        let mut sights = self.sights();
        sights.called(blueprint, region);
        if matches!(op, Op::Act { verb, .. } if verb.moves_role()) {
            sights.glances.begin(blueprint, [address.clone()].into_iter().chain(op.beside()), now);
            self.moved.notify_one();
        }
    }
}

/// A turn under way.
#[must_use]
#[derive(Debug)]
pub struct Turning {
    observer: Arc<Observer>,
    blueprint: BlueprintName,
}

impl Drop for Turning {
    fn drop(&mut self) {
        if self.observer.sights().turn_ends(&self.blueprint) {
            self.observer.news.notify_one();
        }
    }
}

/// Somebody waits for a look: what it shows of the blueprint is kept.
struct Waiting<'a> {
    observer: &'a Observer,
    blueprint: &'a BlueprintName,
}

impl<'a> Waiting<'a> {
    fn of(observer: &'a Observer, blueprint: &'a BlueprintName) -> Self {
        observer.sights().wait(blueprint);
        Self { observer, blueprint }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.observer.sights().waits_no_more(self.blueprint);
    }
}

/// A look under way. However it ends, also by nobody polling it any more, those who wait are told.
struct Flight<'a> {
    observer: &'a Observer,
    region: &'a RegionId,
    stamp: u64,
}

impl Drop for Flight<'_> {
    fn drop(&mut self) {
        self.observer.sights().landed(self.region, self.stamp);
        self.observer.finished.send_modify(|count| *count += 1);
        self.observer.moved.notify_one();
    }
}
