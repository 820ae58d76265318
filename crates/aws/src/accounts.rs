//! Several accounts as one provider: each region is worked in as whoever its account says.
//!
//! Goes in: questions and operations over any regions. Comes out: the answers of the accounts, put together.
//!
//! **Invariant:** what is asked or done in a region is asked or done with the identity of its account, and with no other.
//! **Invariant:** accounts share connections and the rate budget, which is kept by account, and nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures::FutureExt;
use futures::future::{BoxFuture, join_all};

use super::budget::Budget;
use super::clients::{AwsOptions, Transport};
use super::cloud::AwsCloud;
use rgctl_model::address::Address;
use rgctl_model::observed::{Gap, Inventory, Selection};
use rgctl_model::plan::Op;
use rgctl_model::ports::{Clock, Cloud, CloudError, Permit, Receipt};
use rgctl_model::quota::AccountQuota;
use rgctl_model::scope::Home;
use rgctl_model::series::{Series, SeriesAsk};
use rgctl_model::sweep::SightDigest;
use rgctl_schema::names::{RegionId, Token};

/// The provider in several accounts.
#[derive(Debug)]
pub struct AwsAccounts {
    /// Regions that name no account: the identity of the environment.
    usual: Arc<AwsCloud>,
    named: BTreeMap<RegionId, Arc<AwsCloud>>,
}

impl AwsAccounts {
    /// The provider as `usual`, but for the regions of each of the accounts.
    pub fn new(
        usual: AwsOptions,
        accounts: Vec<(AwsOptions, BTreeSet<RegionId>)>,
        clock: &Arc<dyn Clock>,
    ) -> Self {
        Self::over(usual, accounts, &Transport::default(), &Budget::default(), clock)
    }

    /// The same over a given transport: for tests.
    pub fn over(
        usual: AwsOptions,
        accounts: Vec<(AwsOptions, BTreeSet<RegionId>)>,
        transport: &Transport,
        budget: &Budget,
        clock: &Arc<dyn Clock>,
    ) -> Self {
        let one =
            |options| Arc::new(AwsCloud::over(options, transport.clone(), budget.clone(), Arc::clone(clock)));
        let mut named = BTreeMap::new();
        for (options, regions) in accounts {
            let cloud = one(options);
            named.extend(regions.into_iter().map(|region| (region, Arc::clone(&cloud))));
        }
        Self { usual: one(usual), named }
    }

    /// The provider of a region.
    pub fn of(&self, region: &RegionId) -> &Arc<AwsCloud> {
        self.named.get(region).unwrap_or(&self.usual)
    }

    /// The provider as whoever the environment says.
    pub const fn usual(&self) -> &Arc<AwsCloud> {
        &self.usual
    }

    /// The accounts of some regions, each with those that are its own.
    pub fn split<'r>(
        &self,
        regions: impl Iterator<Item = &'r RegionId>,
    ) -> Vec<(&Arc<AwsCloud>, BTreeSet<RegionId>)> {
        let mut split: Vec<(&Arc<AwsCloud>, BTreeSet<RegionId>)> = Vec::new();
        for region in regions {
            let cloud = self.of(region);
            match split.iter_mut().find(|(other, _)| Arc::ptr_eq(other, cloud)) {
                Some((_, own)) => drop(own.insert(region.clone())),
                None => split.push((cloud, BTreeSet::from([region.clone()]))),
            }
        }
        split
    }

    /// An account that cannot be used at all is an error: who has no right there, or is somebody else, must not take what is
    /// there for gone. One that is not reached, or asks for fewer calls, is a gap, as long as another one is seen.
    async fn look(&self, wanted: &Selection) -> Result<Inventory, CloudError> {
        let parts = self.split(wanted.regions.iter()).into_iter().map(|(cloud, regions)| {
            let named = wanted.named.iter().filter(|address| regions.contains(&address.region)).cloned();
            let part = Selection { named: named.collect(), regions: regions.clone(), ..wanted.clone() };
            async move { (regions, cloud.observe(&part).await) }
        });
        let (mut all, mut unreached): (Option<Inventory>, Vec<(BTreeSet<RegionId>, CloudError)>) =
            (None, Vec::new());
        for (regions, part) in join_all(parts).await {
            let part = match part {
                Ok(part) => part,
                Err(error @ (CloudError::Unreachable { .. } | CloudError::Throttled { .. })) => {
                    unreached.push((regions, error));
                    continue;
                }
                Err(error) => return Err(error),
            };
            match &mut all {
                None => all = Some(part),
                Some(all) => {
                    all.taken = Ord::min(all.taken, part.taken);
                    all.seen.extend(part.seen);
                    all.gaps.extend(part.gaps);
                }
            }
        }
        match all {
            Some(mut all) => {
                for (region, error) in
                    unreached.iter().flat_map(|(all, error)| all.iter().map(move |one| (one, error)))
                {
                    all.gaps.extend(Gap::of_region(region, &error.to_string(), false));
                }
                Ok(all)
            }
            // Where no region was asked for, the answer is that of whoever would have been asked.
            None => match unreached.into_iter().next() {
                Some((_, error)) => Err(error),
                None => self.usual.observe(wanted).await,
            },
        }
    }

    async fn measure(&self, asks: &[SeriesAsk]) -> Vec<Result<Series, CloudError>> {
        let accounts = self.split(asks.iter().map(|ask| &ask.address.region));
        let answers = accounts.into_iter().map(|(cloud, regions)| async move {
            let (places, own): (Vec<usize>, Vec<SeriesAsk>) = asks
                .iter()
                .enumerate()
                .filter(|(_, ask)| regions.contains(&ask.address.region))
                .map(|(place, ask)| (place, ask.clone()))
                .unzip();
            places.into_iter().zip(cloud.series(&own).await).collect::<Vec<_>>()
        });
        let found: BTreeMap<usize, Result<Series, CloudError>> =
            join_all(answers).await.into_iter().flatten().collect();
        found.into_values().collect()
    }
}

impl Cloud for AwsAccounts {
    fn home<'a>(&'a self, near: Option<&'a RegionId>) -> BoxFuture<'a, Result<Home, CloudError>> {
        near.map_or(&self.usual, |region| self.of(region)).home(near)
    }

    fn observe<'a>(&'a self, wanted: &'a Selection) -> BoxFuture<'a, Result<Inventory, CloudError>> {
        self.look(wanted).boxed()
    }

    fn call<'a>(
        &'a self,
        op: &'a Op,
        token: &'a Token,
        permit: &'a Permit,
    ) -> BoxFuture<'a, Result<Receipt, CloudError>> {
        self.of(&op.address().region).call(op, token, permit)
    }

    fn quotas<'a>(
        &'a self,
        regions: &'a BTreeSet<RegionId>,
    ) -> BoxFuture<'a, Result<Vec<AccountQuota>, CloudError>> {
        async move {
            let mut told = Vec::new();
            for (cloud, own) in self.split(regions.iter()) {
                told.extend(cloud.quotas(&own).await?);
            }
            Ok(told)
        }
        .boxed()
    }

    fn glance<'a>(
        &'a self,
        objects: &'a BTreeSet<Address>,
    ) -> BoxFuture<'a, Result<SightDigest, CloudError>> {
        async move {
            let mut digest = SightDigest::default();
            for address in objects {
                digest.merge(self.of(&address.region).glance(&BTreeSet::from([address.clone()])).await?);
            }
            Ok(digest)
        }
        .boxed()
    }

    fn series<'a>(&'a self, asks: &'a [SeriesAsk]) -> BoxFuture<'a, Vec<Result<Series, CloudError>>> {
        self.measure(asks).boxed()
    }
}
