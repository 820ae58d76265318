//! The port of one account as one blueprint uses it: it looks through the shared observer, and calls by itself.
//!
//! Goes in: what a turn asks and calls. Comes out: views of the shared looks, and the provider's answers to calls.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;

use super::observer::Observer;
use rgctl_model::address::Address;
use rgctl_model::observed::{Inventory, Selection};
use rgctl_model::plan::Op;
use rgctl_model::ports::{Cloud, CloudError, Permit, Receipt};
use rgctl_model::quota::AccountQuota;
use rgctl_model::scope::Home;
use rgctl_model::series::{Series, SeriesAsk};
use rgctl_model::sweep::SightDigest;
use rgctl_schema::names::{BlueprintName, RegionId, Token};
use rgctl_schema::time::Moment;

/// The cloud of one blueprint.
#[derive(Clone, Debug)]
pub struct SharedCloud {
    observer: Arc<Observer>,
    blueprint: BlueprintName,
    since: Option<Moment>,
}

impl SharedCloud {
    pub(super) const fn new(observer: Arc<Observer>, blueprint: BlueprintName) -> Self {
        Self { observer, blueprint, since: None }
    }

    /// The same, shown looks that began at that moment or later: the beginning of all time for a turn that a change has
    /// woken, which any look shows; the present for a turn that a clock has woken, which judges what is to be seen by now.
    #[must_use]
    pub fn since(self, since: Moment) -> Self {
        Self { since: Some(since), ..self }
    }
}

/// Notes the end of a call, whether or not somebody hears its answer.
struct Calling<'a>(&'a SharedCloud, &'a Op);

impl Drop for Calling<'_> {
    fn drop(&mut self) {
        self.0.observer.called(&self.0.blueprint, self.1);
    }
}

impl Cloud for SharedCloud {
    fn home<'a>(&'a self, near: Option<&'a RegionId>) -> BoxFuture<'a, Result<Home, CloudError>> {
        self.observer.cloud().home(near)
    }

    fn observe<'a>(&'a self, wanted: &'a Selection) -> BoxFuture<'a, Result<Inventory, CloudError>> {
        // Who asks for everything, or as another blueprint, looks alone: nothing is shared of that.
        if wanted.owner.as_ref() != Some(&self.blueprint) {
            return self.observer.cloud().observe(wanted);
        }
        self.observer.show(&self.blueprint, wanted, self.since).boxed()
    }

    fn glance<'a>(
        &'a self,
        objects: &'a BTreeSet<Address>,
    ) -> BoxFuture<'a, Result<SightDigest, CloudError>> {
        self.observer.cloud().glance(objects)
    }

    fn call<'a>(
        &'a self,
        op: &'a Op,
        token: &'a Token,
        permit: &'a Permit,
    ) -> BoxFuture<'a, Result<Receipt, CloudError>> {
        async move {
            // Before it is polled nothing is sent; from then on it may be.
            let _calling = Calling(self, op);
            self.observer.cloud().call(op, token, permit).await
        }
        .boxed()
    }

    fn next_event_at(&self) -> Option<Moment> {
        self.observer.cloud().next_event_at()
    }

    fn quotas<'a>(
        &'a self,
        regions: &'a BTreeSet<RegionId>,
    ) -> BoxFuture<'a, Result<Vec<AccountQuota>, CloudError>> {
        self.observer.quotas(regions).boxed()
    }

    fn series<'a>(&'a self, asks: &'a [SeriesAsk]) -> BoxFuture<'a, Vec<Result<Series, CloudError>>> {
        self.observer.cloud().series(asks)
    }
}
