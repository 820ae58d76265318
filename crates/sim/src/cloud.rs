//! The embedded cloud behind the port of all clouds.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;

use rgctl_model::address::Address;
use rgctl_model::observed::{Inventory, Selection};
use rgctl_model::plan::Op;
use rgctl_model::ports::{Clock, Cloud, CloudError, NotSent, Permit, Receipt};
use rgctl_model::quota::AccountQuota;
use rgctl_model::scope::{CloudKind, Home};
use rgctl_model::series::{Series, SeriesAsk};
use rgctl_model::sweep::{Sieve, SightDigest, Swept};
use rgctl_schema::names::{RegionId, Token};
use rgctl_schema::time::Moment;

use super::clock::FrozenClock;
use super::handle::{Plane, SimCloud, SimError};
use super::quotas;
use super::world::World;

fn unreachable(error: &SimError) -> CloudError {
    CloudError::Unreachable { why: error.to_string() }
}

// The answers are made when the future is polled, not when it is asked for, as a real call would be.
impl Cloud for SimCloud {
    fn home<'a>(&'a self, _near: Option<&'a RegionId>) -> BoxFuture<'a, Result<Home, CloudError>> {
        async move {
            let home = self.with_news(|world| Home::new(CloudKind::Sim, world.id()));
            home.ok_or_else(|| CloudError::Unreachable { why: "the world has no id".to_owned() })
        }
        .boxed()
    }

    fn observe<'a>(&'a self, scope: &'a Selection) -> BoxFuture<'a, Result<Inventory, CloudError>> {
        async move {
            let mut inner = self.lock();
            if inner.crashed {
                return Err(CloudError::Unreachable { why: "a simulated crash".to_owned() });
            }
            inner.transact(|world| world.observe(scope)).map_err(|error| unreachable(&error))?
        }
        .boxed()
    }

    fn sweep<'a>(
        &'a self,
        wanted: &'a Selection,
        sieve: &'a mut dyn Sieve,
    ) -> BoxFuture<'a, Result<Swept, CloudError>> {
        async move {
            let mut inner = self.lock();
            if inner.crashed {
                return Err(CloudError::Unreachable { why: "a simulated crash".to_owned() });
            }
            inner.transact(|world| world.sweep(wanted, sieve)).map_err(|error| unreachable(&error))?
        }
        .boxed()
    }

    fn glance<'a>(
        &'a self,
        objects: &'a BTreeSet<Address>,
    ) -> BoxFuture<'a, Result<SightDigest, CloudError>> {
        async move { self.with_news(|world| world.glance(objects)) }.boxed()
    }

    fn call<'a>(
        &'a self,
        op: &'a Op,
        token: &'a Token,
        permit: &'a Permit,
    ) -> BoxFuture<'a, Result<Receipt, CloudError>> {
        async move {
            let plane = (World::asked_region(op), op.address().kind.facts().endpoint);
            let lane = Arc::clone(self.lock().lanes.entry(plane.clone()).or_default());
            // One behind the other, in the order in which they were made.
            let _turn = lane.lock().await;
            self.wait_for_budget(&plane).await;
            self.check(permit)?;
            self.lock().call(op, token)
        }
        .boxed()
    }

    fn quotas<'a>(
        &'a self,
        regions: &'a BTreeSet<RegionId>,
    ) -> BoxFuture<'a, Result<Vec<AccountQuota>, CloudError>> {
        async move {
            let catalog = self.lock().catalog.clone();
            Ok(self.with_news(|world| quotas::told(catalog.as_deref(), world, regions)))
        }
        .boxed()
    }

    fn next_event_at(&self) -> Option<Moment> {
        self.with_news(World::next_event_at)
    }

    fn series<'a>(&'a self, asks: &'a [SeriesAsk]) -> BoxFuture<'a, Vec<Result<Series, CloudError>>> {
        async move {
            let mut inner = self.lock();
            let told = inner.transact(|world| {
                let one = |ask: &SeriesAsk| {
                    if world.is_region_lost(&ask.address.region) {
                        return Err(CloudError::Unreachable { why: "the region does not answer".to_owned() });
                    }
                    Ok(world.series(ask))
                };
                asks.iter().map(one).collect()
            });
            told.unwrap_or_else(|error| asks.iter().map(|_| Err(unreachable(&error))).collect())
        }
        .boxed()
    }
}

impl SimCloud {
    /// The last look at a permit before a call is made.
    fn check(&self, permit: &Permit) -> Result<(), NotSent> {
        let wall = self.lock().wall.clone();
        wall.map_or_else(|| permit.check(&FrozenClock), |wall| permit.check(&*wall))
    }

    fn free_at(&self, plane: &Plane) -> Option<Moment> {
        // The rows tell a time that is over where real time is kept pace with.
        if !self.clock().is_virtual() {
            let mut inner = self.lock();
            return inner.transact(|world| world.call_free_at(plane)).ok().flatten();
        }
        self.with_news(|world| world.call_free_at(plane))
    }

    /// Waits, in virtual time, until the service would take a call without throttling it, as a client that keeps its
    /// budget does. Another process may be faster; then the wait goes on.
    async fn wait_for_budget(&self, plane: &Plane) {
        while let Some(free) = self.free_at(plane) {
            self.clock().sleep_until(free).await;
            // Time stands still where the file cannot be written; the call reports it.
            if self.has_crashed() || self.clock().now() < free {
                return;
            }
        }
    }
}
