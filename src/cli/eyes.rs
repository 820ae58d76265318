//! The provider as one blueprint sees it: one port, over as many accounts as its regions are in.
//!
//! Goes in: as whom it is worked on, by region. Comes out: looks and calls, each as the one that its region says. It looks and calls
//! through the observers that it is given, and through nothing else.
//!
//! **Invariant:** what is asked or done in a region is asked or done as whoever the text in force says, and as nobody else: where it
//! says nobody, all looks are gaps and all calls are refused.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures::FutureExt;
use futures::future::{BoxFuture, join_all};

use super::worked_in::{ENVIRONMENT, WorkedIn};
use crate::agent::observer::{Observer, SharedCloud};
use rgctl_model::address::Address;
use rgctl_model::observed::{Gap, Inventory, Selection};
use rgctl_model::plan::Op;
use rgctl_model::ports::{Cloud, CloudError, Permit, Receipt};
use rgctl_model::quota::AccountQuota;
use rgctl_model::scope::Home;
use rgctl_model::series::{Series, SeriesAsk};
use rgctl_model::sweep::SightDigest;
use rgctl_schema::names::{BlueprintName, RegionId, Token};
use rgctl_schema::time::Moment;

/// As whom a region is worked in.
#[derive(Clone)]
pub(super) enum Whose {
    /// As whoever the environment says.
    Usual,
    /// As an account that is named, with its number.
    Named(Arc<Observer>, String),
    /// As nobody, and why.
    Nobody(String),
}

/// As whom a blueprint is worked on, by region.
#[derive(Clone)]
pub struct View {
    pub(super) usual: Arc<Observer>,
    pub(super) whose: BTreeMap<RegionId, Whose>,
    /// As whom all others are.
    pub(super) others: Whose,
}

/// Regions by who looks at them, and those at which nobody does, with why.
pub(super) struct Split<'v> {
    pub(super) seen: Vec<(&'v Arc<Observer>, BTreeSet<RegionId>)>,
    barred: BTreeMap<RegionId, &'v str>,
}

impl View {
    fn whose(&self, region: Option<&RegionId>) -> &Whose {
        region.and_then(|region| self.whose.get(region)).unwrap_or(&self.others)
    }

    fn of(&self, region: Option<&RegionId>) -> Result<&Arc<Observer>, &str> {
        match self.whose(region) {
            Whose::Usual => Ok(&self.usual),
            Whose::Named(observer, _) => Ok(observer),
            Whose::Nobody(why) => Err(why),
        }
    }

    /// Whether a region is worked in as whoever the environment says.
    pub fn is_usual(&self, region: Option<&RegionId>) -> bool {
        matches!(self.whose(region), Whose::Usual)
    }

    /// In which account a region is worked in, if anybody works there.
    pub fn account_in(&self, region: &RegionId) -> Option<&str> {
        match self.whose(Some(region)) {
            Whose::Usual => Some(ENVIRONMENT),
            Whose::Named(_, id) => Some(id),
            Whose::Nobody(_) => None,
        }
    }

    /// The same, but that nobody works in those of these regions that are of another account now than they were.
    #[must_use]
    pub fn only_as<'r>(mut self, regions: impl Iterator<Item = &'r RegionId>, was: &WorkedIn) -> Self {
        for region in regions {
            let (Some(was), Some(now)) = (was.get(region), self.account_in(region)) else { continue };
            if was != now {
                let why = format!(
                    "it was worked on here in the account of {was}, and the Region says {now} now; what is left here is removed once that says so again"
                );
                self.whose.insert(region.clone(), Whose::Nobody(why));
            }
        }
        self
    }

    pub(super) fn split<'r>(&self, regions: impl Iterator<Item = &'r RegionId>) -> Split<'_> {
        let mut split = Split { seen: Vec::new(), barred: BTreeMap::new() };
        for region in regions {
            let observer = match self.of(Some(region)) {
                Ok(observer) => observer,
                Err(why) => {
                    split.barred.insert(region.clone(), why);
                    continue;
                }
            };
            match split.seen.iter_mut().find(|(other, _)| Arc::ptr_eq(other, observer)) {
                Some((_, own)) => drop(own.insert(region.clone())),
                None => split.seen.push((observer, BTreeSet::from([region.clone()]))),
            }
        }
        split
    }

    /// The port, for one blueprint; shown looks that began at that moment or later, where one is said.
    pub fn eyes(&self, name: &BlueprintName, since: Option<Moment>) -> Eyes {
        Eyes { view: self.clone(), name: name.clone(), since }
    }
}

/// The provider as one blueprint sees it, over all accounts that its regions are in.
#[derive(Clone)]
pub struct Eyes {
    view: View,
    name: BlueprintName,
    since: Option<Moment>,
}

impl Eyes {
    fn through(&self, observer: &Arc<Observer>) -> SharedCloud {
        let cloud = observer.cloud_for(&self.name);
        match self.since {
            Some(since) => cloud.since(since),
            None => cloud,
        }
    }

    fn at(&self, region: &RegionId) -> Result<SharedCloud, CloudError> {
        let observer = self.view.of(Some(region)).map_err(|why| denied(region, why))?;
        Ok(self.through(observer))
    }

    /// Whoever is asked where no region is named.
    fn anywhere(&self) -> Result<&Arc<Observer>, CloudError> {
        self.view.of(None).map_err(|_| CloudError::Denied {
            code: "NoAccount".to_owned(),
            message: "no region is named, so that nobody knows as whom to ask".to_owned(),
        })
    }

    /// An account that is not reached, or asks for fewer calls, is a gap, as long as another one is seen; one that refuses is an error,
    /// since what is there must not be taken for gone. Where nobody looks there is a gap that time does not close, as long as anything
    /// is seen elsewhere.
    async fn look(&self, wanted: &Selection) -> Result<Inventory, CloudError> {
        let Split { seen: parts, barred } = self.view.split(wanted.regions.iter());
        if parts.is_empty()
            && let Some((region, why)) = barred.first_key_value()
        {
            return Err(denied(region, why));
        }
        if parts.len() < 2 && barred.is_empty() {
            let observer = match parts.first() {
                Some((observer, _)) => observer,
                None => self.anywhere()?,
            };
            return self.through(observer).observe(wanted).await;
        }
        let looks = parts.into_iter().map(|(observer, regions)| async move {
            let named = wanted.named.iter().filter(|address| regions.contains(&address.region)).cloned();
            let part = Selection { named: named.collect(), regions: regions.clone(), ..wanted.clone() };
            (regions, self.through(observer).observe(&part).await)
        });
        let (mut whole, mut unreached): (Option<Inventory>, Vec<(BTreeSet<RegionId>, CloudError)>) =
            (None, Vec::new());
        for (regions, part) in join_all(looks).await {
            match (part, &mut whole) {
                (Err(error @ (CloudError::Unreachable { .. } | CloudError::Throttled { .. })), _) => {
                    unreached.push((regions, error));
                }
                (Err(error), _) => return Err(error),
                (Ok(part), None) => whole = Some(part),
                (Ok(part), Some(all)) => {
                    all.taken = Ord::min(all.taken, part.taken);
                    all.seen.extend(part.seen);
                    all.gaps.extend(part.gaps);
                }
            }
        }
        let Some(mut whole) = whole else {
            let (_, error) = unreached.swap_remove(0);
            return Err(error);
        };
        for (regions, error) in unreached {
            whole
                .gaps
                .extend(regions.iter().flat_map(|region| Gap::of_region(region, &error.to_string(), false)));
        }
        for (region, why) in barred {
            whole.gaps.extend(Gap::of_region(&region, &denied(&region, why).to_string(), true));
        }
        Ok(whole)
    }

    async fn measure(&self, asks: &[SeriesAsk]) -> Vec<Result<Series, CloudError>> {
        let Split { seen, barred } = self.view.split(asks.iter().map(|ask| &ask.address.region));
        let answers = seen.into_iter().map(|(observer, regions)| async move {
            let own = asks.iter().enumerate().filter(|(_, ask)| regions.contains(&ask.address.region));
            let (places, own): (Vec<usize>, Vec<SeriesAsk>) =
                own.map(|(place, ask)| (place, ask.clone())).unzip();
            places.into_iter().zip(self.through(observer).series(&own).await).collect::<Vec<_>>()
        });
        let mut found: BTreeMap<usize, _> = join_all(answers).await.into_iter().flatten().collect();
        for (place, ask) in asks.iter().enumerate() {
            let region = &ask.address.region;
            if let Some(why) = barred.get(region) {
                found.insert(place, Err(denied(region, why)));
            }
        }
        found.into_values().collect()
    }
}

/// The answer of a region in which nobody works.
fn denied(region: &RegionId, why: &str) -> CloudError {
    let message = format!("nobody works in {region} for this blueprint: {why}");
    CloudError::Denied { code: "NoAccount".to_owned(), message }
}

impl Cloud for Eyes {
    fn home<'a>(&'a self, near: Option<&'a RegionId>) -> BoxFuture<'a, Result<Home, CloudError>> {
        async move {
            match near {
                Some(near) => self.at(near)?.home(Some(near)).await,
                None => self.through(self.anywhere()?).home(None).await,
            }
        }
        .boxed()
    }

    fn observe<'a>(&'a self, wanted: &'a Selection) -> BoxFuture<'a, Result<Inventory, CloudError>> {
        self.look(wanted).boxed()
    }

    fn glance<'a>(
        &'a self,
        objects: &'a BTreeSet<Address>,
    ) -> BoxFuture<'a, Result<SightDigest, CloudError>> {
        async move {
            let mut digest = SightDigest::default();
            for address in objects {
                match self.at(&address.region) {
                    Ok(cloud) => digest.merge(cloud.glance(&BTreeSet::from([address.clone()])).await?),
                    // It is not seen, and that is told of it alone.
                    Err(error) => {
                        for gap in Gap::of_region(&address.region, &error.to_string(), true) {
                            digest.add_gap(&gap);
                        }
                    }
                }
            }
            Ok(digest)
        }
        .boxed()
    }

    fn call<'a>(
        &'a self,
        op: &'a Op,
        token: &'a Token,
        permit: &'a Permit,
    ) -> BoxFuture<'a, Result<Receipt, CloudError>> {
        async move { self.at(&op.address().region)?.call(op, token, permit).await }.boxed()
    }

    fn next_event_at(&self) -> Option<Moment> {
        self.through(&self.view.usual).next_event_at()
    }

    /// Where nobody works nothing is made that a quota could bound: it is an error where nobody works in any of them.
    fn quotas<'a>(
        &'a self,
        regions: &'a BTreeSet<RegionId>,
    ) -> BoxFuture<'a, Result<Vec<AccountQuota>, CloudError>> {
        async move {
            let mut told = Vec::new();
            let Split { seen, barred } = self.view.split(regions.iter());
            if seen.is_empty()
                && let Some((region, why)) = barred.first_key_value()
            {
                return Err(denied(region, why));
            }
            for (observer, own) in seen {
                told.extend(self.through(observer).quotas(&own).await?);
            }
            Ok(told)
        }
        .boxed()
    }

    fn series<'a>(&'a self, asks: &'a [SeriesAsk]) -> BoxFuture<'a, Vec<Result<Series, CloudError>>> {
        self.measure(asks).boxed()
    }
}
