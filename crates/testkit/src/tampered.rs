//! A cloud that is another one, but for what a test changes of it.

use std::collections::BTreeSet;

use futures::FutureExt;
use futures::future::BoxFuture;
use rgctl_model::observed::{Inventory, Selection};
use rgctl_model::plan::Op;
use rgctl_model::ports::{Cloud, CloudError, Permit, Receipt};
use rgctl_model::quota::AccountQuota;
use rgctl_model::scope::Home;
use rgctl_model::series::{Series, SeriesAsk};
use rgctl_schema::names::{RegionId, Token};

/// What a test changes of a cloud.
pub trait Tampers: Send + Sync {
    /// The cloud.
    fn cloud(&self) -> &dyn Cloud;
    fn home<'a>(&'a self, near: Option<&'a RegionId>) -> BoxFuture<'a, Result<Home, CloudError>> {
        self.cloud().home(near)
    }
    fn observe<'a>(&'a self, wanted: &'a Selection) -> BoxFuture<'a, Result<Inventory, CloudError>> {
        self.cloud().observe(wanted)
    }
    fn call<'a>(
        &'a self,
        op: &'a Op,
        token: &'a Token,
        permit: &'a Permit,
    ) -> BoxFuture<'a, Result<Receipt, CloudError>> {
        self.cloud().call(op, token, permit)
    }
    fn quotas<'a>(
        &'a self,
        _regions: &'a BTreeSet<RegionId>,
    ) -> BoxFuture<'a, Result<Vec<AccountQuota>, CloudError>> {
        async { Ok(Vec::new()) }.boxed()
    }
}

/// The cloud with that change, and without what only an embedded one knows: until when all stays as it is, and its quotas.
pub struct Tampered<T>(pub T);

impl<T: Tampers> Cloud for Tampered<T> {
    fn home<'a>(&'a self, near: Option<&'a RegionId>) -> BoxFuture<'a, Result<Home, CloudError>> {
        self.0.home(near)
    }
    fn observe<'a>(&'a self, wanted: &'a Selection) -> BoxFuture<'a, Result<Inventory, CloudError>> {
        self.0.observe(wanted)
    }
    fn call<'a>(
        &'a self,
        op: &'a Op,
        token: &'a Token,
        permit: &'a Permit,
    ) -> BoxFuture<'a, Result<Receipt, CloudError>> {
        self.0.call(op, token, permit)
    }
    fn quotas<'a>(
        &'a self,
        regions: &'a BTreeSet<RegionId>,
    ) -> BoxFuture<'a, Result<Vec<AccountQuota>, CloudError>> {
        self.0.quotas(regions)
    }
    fn series<'a>(&'a self, asks: &'a [SeriesAsk]) -> BoxFuture<'a, Vec<Result<Series, CloudError>>> {
        self.0.cloud().series(asks)
    }
}
