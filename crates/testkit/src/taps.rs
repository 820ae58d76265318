//! Stand-ins around the ports that cut a run off at a chosen point, and count what went through.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use futures::FutureExt;
use futures::future::{BoxFuture, pending};
use rgctl_model::checkpoint::{BlobKey, Checkpoint};
use rgctl_model::inbox::{Message, Request};
use rgctl_model::journal::{Entry, Event};
use rgctl_model::observed::{Inventory, Selection};
use rgctl_model::overlay::{Decided, Decision, Decisions};
use rgctl_model::plan::Op;
use rgctl_model::ports::{Clock, Cloud, CloudError, Lease, Permit, Receipt, Store, StoreError};
use rgctl_model::quota::AccountQuota;
use rgctl_model::scope::{Home, RecordId, Scope};
use rgctl_model::series::{Series, SeriesAsk};
use rgctl_schema::names::{BlueprintName, RegionId, RunId, Token};
use rgctl_schema::time::{Moment, Span};
use tokio::sync::Notify;

use crate::decides::Decides;
use crate::swarm_rules::acts_in;

/// Where a run is cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    Never,
    BeforeCall(u64),
    AfterCall(u64),
    BeforeAppend(u64),
    AfterAppend(u64),
}

impl Cut {
    /// Where it is in words, and the number of the call or line.
    pub const fn place(self) -> (&'static str, u64) {
        match self {
            Self::Never => ("never", 0),
            Self::BeforeCall(number) => ("before call", number),
            Self::AfterCall(number) => ("after call", number),
            Self::BeforeAppend(number) => ("before line", number),
            Self::AfterAppend(number) => ("after line", number),
        }
    }
}

/// Counts calls and appends; at the cut the process "dies": the future never returns, and `died` is told.
pub struct Taps<'a> {
    pub cloud: &'a dyn Cloud,
    pub store: &'a dyn Store,
    pub cut: Cut,
    pub calls: AtomicU64,
    pub appends: AtomicU64,
    /// How often quotas were asked for.
    pub quota_asks: AtomicU64,
    /// How many lines of the record were read, if it was read at all.
    pub lines_read: Mutex<Option<usize>>,
    pub died: Notify,
    /// Regions that were held out when the present turn looked: nobody may look at them, nor act there.
    pub held_out: Mutex<BTreeSet<RegionId>>,
    /// What was wrong all the same.
    pub wrong: Mutex<Vec<String>>,
    /// What somebody decides while the run is under way.
    pub decides: Option<Decides>,
    /// Whose messages are never told: that store does not answer.
    pub silent: Option<Scope>,
    /// How many checkpoints were refused, where none is taken.
    pub checkpoints_refused: Option<AtomicU64>,
    /// After which call somebody asks the run to yield, and on whose record it works.
    pub asked_after: Option<(u64, Scope)>,
    /// Of which record somebody decides.
    pub scope: Option<Scope>,
}

impl<'a> Taps<'a> {
    pub fn new(cloud: &'a dyn Cloud, store: &'a dyn Store, cut: Cut) -> Self {
        Self {
            cloud,
            store,
            cut,
            calls: AtomicU64::new(0),
            appends: AtomicU64::new(0),
            quota_asks: AtomicU64::new(0),
            lines_read: Mutex::default(),
            died: Notify::new(),
            held_out: Mutex::default(),
            wrong: Mutex::default(),
            decides: None,
            silent: None,
            checkpoints_refused: None,
            asked_after: None,
            scope: None,
        }
    }

    fn note_wrong(&self, what: String) {
        self.wrong.lock().unwrap().push(what);
    }

    /// Notes what is held out at the beginning of a turn, and whether one of these is among it.
    async fn look_for_hold_outs<'b>(&self, looked_at: impl Iterator<Item = &'b RegionId>) {
        let looked_at: BTreeSet<&RegionId> = looked_at.collect();
        let Some(scope) = &self.scope else { return };
        let held_out: BTreeSet<RegionId> =
            self.store.standing(scope).await.unwrap().holds.into_keys().collect();
        if let Some(region) = held_out.iter().find(|region| looked_at.contains(region)) {
            self.note_wrong(format!("{region} is held out, and was looked at"));
        }
        *self.held_out.lock().unwrap() = held_out;
    }

    fn look_for_hold_out_of(&self, op: &Op) {
        let acts_in = acts_in(op);
        let held_out = self.held_out.lock().unwrap();
        if let Some(region) = held_out.iter().find(|region| acts_in.contains(region)) {
            self.note_wrong(format!("{region} is held out, and something acts there: {}", op.step_id()));
        }
    }

    fn note_read(&self, lines: usize) {
        *self.lines_read.lock().unwrap().get_or_insert_default() += lines;
    }

    /// Somebody asks the holder of the lease to yield.
    async fn ask_to_yield(&self, number: u64) {
        let Some((_, scope)) = self.asked_after.as_ref().filter(|(after, _)| *after == number) else {
            return;
        };
        self.ask(scope).await;
    }

    /// Whoever has asked asks each process anew that goes on with the run.
    pub async fn ask_again(&self) {
        let made = self.calls.load(Ordering::SeqCst);
        if let Some((_, scope)) = self.asked_after.as_ref().filter(|(after, _)| *after <= made) {
            self.ask(scope).await;
        }
    }

    async fn ask(&self, scope: &Scope) {
        if let Some(lease) = self.store.lease(scope).await.unwrap() {
            let request = Request::Yield { epoch: lease.epoch };
            self.store.post(scope, "somebody", Moment::EPOCH, &request).await.unwrap();
        }
    }

    async fn die<T>(&self) -> T {
        self.died.notify_one();
        pending().await
    }
}

impl Cloud for Taps<'_> {
    fn home<'a>(&'a self, near: Option<&'a RegionId>) -> BoxFuture<'a, Result<Home, CloudError>> {
        self.cloud.home(near)
    }
    fn observe<'a>(&'a self, scope: &'a Selection) -> BoxFuture<'a, Result<Inventory, CloudError>> {
        async move {
            let named = scope.named.iter().map(|address| &address.region);
            self.look_for_hold_outs(scope.regions.iter().chain(named)).await;
            self.cloud.observe(scope).await
        }
        .boxed()
    }
    fn call<'a>(
        &'a self,
        op: &'a Op,
        token: &'a Token,
        permit: &'a Permit,
    ) -> BoxFuture<'a, Result<Receipt, CloudError>> {
        async move {
            let number = self.calls.fetch_add(1, Ordering::SeqCst) + 1;
            if self.cut == Cut::BeforeCall(number) {
                return self.die().await;
            }
            self.look_for_hold_out_of(op);
            let answer = self.cloud.call(op, token, permit).await;
            self.ask_to_yield(number).await;
            if let Some(decides) = &self.decides
                && let Err(why) = decides.hear(self.store, number).await
            {
                self.note_wrong(why);
            }
            if self.cut == Cut::AfterCall(number) {
                return self.die().await;
            }
            answer
        }
        .boxed()
    }
    fn quotas<'a>(
        &'a self,
        regions: &'a BTreeSet<RegionId>,
    ) -> BoxFuture<'a, Result<Vec<AccountQuota>, CloudError>> {
        self.quota_asks.fetch_add(1, Ordering::SeqCst);
        async move {
            self.look_for_hold_outs(regions.iter()).await;
            self.cloud.quotas(regions).await
        }
        .boxed()
    }
    fn series<'a>(&'a self, asks: &'a [SeriesAsk]) -> BoxFuture<'a, Vec<Result<Series, CloudError>>> {
        self.cloud.series(asks)
    }
}

impl Store for Taps<'_> {
    fn take_lease<'a>(
        &'a self,
        scope: &'a Scope,
        run: &'a RunId,
        owner: &'a str,
        now: Moment,
        lasts: Span,
        watched: Option<&'a Lease>,
    ) -> BoxFuture<'a, Result<Lease, StoreError>> {
        self.store.take_lease(scope, run, owner, now, lasts, watched)
    }
    fn lease<'a>(&'a self, scope: &'a Scope) -> BoxFuture<'a, Result<Option<Lease>, StoreError>> {
        self.store.lease(scope)
    }
    fn post<'a>(
        &'a self,
        scope: &'a Scope,
        from: &'a str,
        at: Moment,
        what: &'a Request,
    ) -> BoxFuture<'a, Result<u64, StoreError>> {
        self.store.post(scope, from, at, what)
    }
    fn inbox<'a>(&'a self, scope: &'a Scope, after: u64) -> BoxFuture<'a, Result<Vec<Message>, StoreError>> {
        if self.silent.as_ref() == Some(scope) { pending().boxed() } else { self.store.inbox(scope, after) }
    }
    fn renew_lease<'a>(
        &'a self,
        lease: &'a Lease,
        now: Moment,
        lasts: Span,
    ) -> BoxFuture<'a, Result<Lease, StoreError>> {
        self.store.renew_lease(lease, now, lasts)
    }
    fn release_lease<'a>(&'a self, lease: &'a Lease) -> BoxFuture<'a, Result<(), StoreError>> {
        self.store.release_lease(lease)
    }
    fn append<'a>(
        &'a self,
        lease: &'a Lease,
        after: u64,
        at: Moment,
        events: &'a [Event],
    ) -> BoxFuture<'a, Result<u64, StoreError>> {
        async move {
            let number = self.appends.fetch_add(1, Ordering::SeqCst) + 1;
            if self.cut == Cut::BeforeAppend(number) {
                return self.die().await;
            }
            let answer = self.store.append(lease, after, at, events).await;
            if self.cut == Cut::AfterAppend(number) {
                return self.die().await;
            }
            answer
        }
        .boxed()
    }
    fn entries<'a>(&'a self, scope: &'a Scope, after: u64) -> BoxFuture<'a, Result<Vec<Entry>, StoreError>> {
        async move {
            let lines = self.store.entries(scope, after).await?;
            self.note_read(lines.len());
            Ok(lines)
        }
        .boxed()
    }
    fn identity<'a>(&'a self, scope: &'a Scope) -> BoxFuture<'a, Result<RecordId, StoreError>> {
        self.store.identity(scope)
    }
    fn homes<'a>(
        &'a self,
        blueprint: &'a BlueprintName,
    ) -> BoxFuture<'a, Result<BTreeSet<Home>, StoreError>> {
        self.store.homes(blueprint)
    }
    fn decisions<'a>(
        &'a self,
        scope: &'a Scope,
        after: u64,
    ) -> BoxFuture<'a, Result<Vec<Decided>, StoreError>> {
        self.store.decisions(scope, after)
    }
    fn standing<'a>(&'a self, scope: &'a Scope) -> BoxFuture<'a, Result<Decisions, StoreError>> {
        self.store.standing(scope)
    }
    fn decide<'a>(
        &'a self,
        scope: &'a Scope,
        expected: u64,
        at: Moment,
        what: &'a Decision,
    ) -> BoxFuture<'a, Result<u64, StoreError>> {
        self.store.decide(scope, expected, at, what)
    }
    fn scopes(&self) -> BoxFuture<'_, Result<BTreeSet<Scope>, StoreError>> {
        self.store.scopes()
    }
    fn head<'a>(&'a self, scope: &'a Scope) -> BoxFuture<'a, Result<(u64, String), StoreError>> {
        self.store.head(scope)
    }
    fn resume<'a>(
        &'a self,
        scope: &'a Scope,
        version: u32,
    ) -> BoxFuture<'a, Result<(Option<Checkpoint>, Vec<Entry>), StoreError>> {
        async move {
            let (checkpoint, lines) = self.store.resume(scope, version).await?;
            self.note_read(lines.len());
            Ok((checkpoint, lines))
        }
        .boxed()
    }
    fn put_checkpoint<'a>(
        &'a self,
        lease: &'a Lease,
        checkpoint: &'a Checkpoint,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        if let Some(refused) = &self.checkpoints_refused {
            refused.fetch_add(1, Ordering::SeqCst);
            let what = "no checkpoint is taken".to_owned();
            return async { Err(StoreError::Unavailable { what }) }.boxed();
        }
        self.store.put_checkpoint(lease, checkpoint)
    }
    fn blob<'a>(
        &'a self,
        scope: &'a Scope,
        key: &'a BlobKey,
    ) -> BoxFuture<'a, Result<Option<Vec<u8>>, StoreError>> {
        self.store.blob(scope, key)
    }
    fn put_blob<'a>(
        &'a self,
        scope: &'a Scope,
        key: &'a BlobKey,
        bytes: &'a [u8],
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        self.store.put_blob(scope, key, bytes)
    }
}

/// This machine's time, for leases: it moves only when told to. Clones show the same time.
#[derive(Clone, Default)]
pub struct ManualWall(std::sync::Arc<std::sync::atomic::AtomicI64>);

impl ManualWall {
    pub fn advance(&self, span: Span) {
        self.0.fetch_add(i64::try_from(span.as_millis()).unwrap(), Ordering::SeqCst);
    }
}

impl Clock for ManualWall {
    fn now(&self) -> Moment {
        Moment::from_millis(self.0.load(Ordering::SeqCst))
    }
    fn sleep_until(&self, _: Moment) -> BoxFuture<'_, ()> {
        pending().boxed()
    }
}
