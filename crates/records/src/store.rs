//! Lease and lines: the state of a record, and how it is exchanged.
//!
//! For each blueprint of an account there is one small `head.json` with the lease and the end of the record; and one object for
//! each batch of lines, named by its positions and the digest of its last line. Whoever writes puts the batch first and then
//! exchanges the head, on the condition that it is still the head that was read. What is kept beside the record (decisions,
//! messages, the checkpoint, memories) are objects of their own, which no lease guards.
//!
//! **Invariant:** every change of lease and record is one conditional exchange of one object, so that a lease that changed
//! hands fences its former holder, whatever it is in the middle of.
//! **Invariant:** a batch whose head was not exchanged is not part of the record: the chain from the head leads past it.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};

use super::shelf::{Backoff, Put, Shelf, Trouble, When, unavailable};
use rgctl_model::chain;
use rgctl_model::checkpoint::{BlobKey, Checkpoint};
use rgctl_model::inbox::{Message, Request};
use rgctl_model::journal::{Entry, Event};
use rgctl_model::overlay::{Decided, Decision, Decisions};
use rgctl_model::ports::{Chain, Lease, Store, StoreError};
use rgctl_model::scope::{Home, RecordId, Scope};
use rgctl_schema::names::{BlueprintName, RunId};
use rgctl_schema::time::{Moment, Span};

/// Number of the format of the head.
pub(super) const FORMAT: &str = "rgctl.dev/s3-record/v2";
/// What the keys of records begin with; those of old began with the name of a blueprint.
pub(super) const RECORDS: &str = "records";
/// How often a lost race for the head is run again: each time the state is judged anew.
pub(super) const ROUNDS: usize = 5;

/// Records on a shelf.
#[derive(Clone, Debug)]
pub struct Records {
    pub(super) shelf: Arc<dyn Shelf>,
}

/// Everything about a blueprint but its lines.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Head {
    pub format: String,
    pub lease: Option<Lease>,
    pub seq: u64,
    pub hash: String,
    /// Always empty: versions whose decisions were kept here ask for it.
    pub overlays: [(); 0],
    /// Identity of the record, where it came from another store.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record: Option<RecordId>,
    /// The store that it was moved to: nothing is begun here any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moved_to: Option<String>,
}

/// A head and the mark of the object that it was read from; none when there is no object yet.
pub(super) struct Read {
    pub head: Head,
    pub mark: Option<String>,
}

/// What became of an exchange.
pub(super) enum Exchange {
    Done,
    Lost,
    /// It may have been made or not; the next look tells.
    Unclear(StoreError),
}

fn fenced(scope: &Scope) -> StoreError {
    StoreError::Fenced { blueprint: scope.blueprint.clone() }
}

impl Records {
    /// Records on a shelf. Nothing is read yet.
    pub const fn on(shelf: Arc<dyn Shelf>) -> Self {
        Self { shelf }
    }

    pub(super) fn key(scope: &Scope, rest: &str) -> String {
        format!("{RECORDS}/{scope}/{rest}")
    }

    pub(super) async fn head(&self, scope: &Scope) -> Result<Read, Trouble> {
        let key = Self::key(scope, "head.json");
        let Some((bytes, mark)) = self.shelf.get(&key).await? else {
            return Ok(Read { head: Head { format: FORMAT.to_owned(), ..Head::default() }, mark: None });
        };
        let head: Head = serde_json::from_slice(&bytes).map_err(|error| StoreError::Damaged {
            chain: Chain::Record,
            blueprint: scope.blueprint.clone(),
            seq: 0,
            why: format!("its head cannot be read: {error}"),
        })?;
        if head.format != FORMAT {
            let (whose, format) = (&scope.blueprint, head.format);
            return Err(unavailable(format!("the record of {whose} has the format {format:?}")).into());
        }
        Ok(Read { head, mark })
    }

    pub(super) async fn check_here(&self, scope: &Scope) -> Result<(), Trouble> {
        Ok(here(&self.head(scope).await?.head, scope)?)
    }

    /// Puts a new head in the place of the one that was read.
    pub(super) async fn exchange(
        &self,
        scope: &Scope,
        read: &Read,
        new: &Head,
    ) -> Result<Exchange, StoreError> {
        let key = Self::key(scope, "head.json");
        let body = serde_json::to_vec(new).map_err(unavailable)?;
        match self.shelf.put(&key, body, When::still(read.mark.as_deref())).await {
            Ok(Put::Made) => Ok(Exchange::Done),
            Ok(Put::Lost) => Ok(Exchange::Lost),
            Err(trouble) if trouble.passes => Ok(Exchange::Unclear(trouble.error)),
            Err(trouble) => Err(trouble.error),
        }
    }

    /// Judges the state and exchanges it: again when somebody else was faster, and again, after longer and longer waits,
    /// when the shelf has trouble that passes. An exchange whose answer was lost is looked for before it is repeated.
    pub(super) async fn change<T: Send>(
        &self,
        scope: &Scope,
        lasts: Span,
        judge: impl Fn(&Head) -> Result<(Head, T), StoreError> + Send + Sync,
    ) -> Result<T, StoreError> {
        let mut patience = Backoff::new(self.shelf.clock(), lasts);
        let mut unsure: Option<(Head, T)> = None;
        let mut races = 0;
        while races < ROUNDS {
            let read = match self.head(scope).boxed().await {
                Ok(read) => read,
                Err(trouble) => {
                    patience.wait(trouble).await?;
                    continue;
                }
            };
            // What this process adds to the record meanwhile does not change these two.
            let is_made = |new: &Head| new.lease == read.head.lease && new.moved_to == read.head.moved_to;
            if let Some((_, result)) = unsure.take_if(|(new, _)| is_made(new)) {
                return Ok(result);
            }
            let (new, result) = judge(&read.head)?;
            match self.exchange(scope, &read, &new).boxed().await? {
                Exchange::Done => return Ok(result),
                Exchange::Lost => races += 1,
                Exchange::Unclear(error) => {
                    unsure = Some((new, result));
                    patience.wait(Trouble { passes: true, error }).await?;
                }
            }
        }
        let whose = &scope.blueprint;
        Err(unavailable(format!("the record of {whose} is being written by too many at once")))
    }

    async fn append_now(
        &self,
        lease: &Lease,
        after: u64,
        at: Moment,
        events: &[Event],
    ) -> Result<u64, StoreError> {
        let scope = &lease.scope;
        let mut patience = Backoff::new(self.shelf.clock(), lease.lasts);
        let mut put: Option<(u64, String)> = None;
        let mut races = 0;
        while races < ROUNDS {
            let read = match self.head(scope).boxed().await {
                Ok(read) => read,
                Err(trouble) => {
                    patience.wait(trouble).await?;
                    continue;
                }
            };
            check(&read.head, lease)?;
            // An exchange whose answer was lost, whatever happened to the lease since.
            if put.as_ref().is_some_and(|(seq, hash)| (*seq, hash) == (read.head.seq, &read.head.hash)) {
                return Ok(read.head.seq);
            }
            if read.head.seq != after {
                return Err(fenced(scope));
            }
            let last = (after > 0).then(|| (after, read.head.hash.clone()));
            let lines = chain::seal(lease, last, at, events);
            let Some(end) = lines.last() else { return Ok(after) };
            if put.is_none()
                && let Err(trouble) = self.put_batch(scope, after + 1, end, &lines).await
            {
                patience.wait(trouble).await?;
                continue;
            }
            put = Some((end.seq, end.hash.clone()));
            let new = Head { seq: end.seq, hash: end.hash.clone(), ..read.head.clone() };
            match self.exchange(scope, &read, &new).boxed().await? {
                Exchange::Done => return Ok(end.seq),
                Exchange::Lost => races += 1,
                Exchange::Unclear(error) => patience.wait(Trouble { passes: true, error }).await?,
            }
        }
        Err(fenced(scope))
    }

    pub(super) fn batch_key(scope: &Scope, first: u64, end: &Entry) -> String {
        Self::key(scope, &format!("lines/{first:016}-{:016}-{}.json", end.seq, end.hash))
    }

    /// A batch is named by its content, so that putting it twice is putting it once.
    pub(super) async fn put_batch(
        &self,
        scope: &Scope,
        first: u64,
        end: &Entry,
        lines: &[Entry],
    ) -> Result<(), Trouble> {
        let key = Self::batch_key(scope, first, end);
        let body = serde_json::to_vec(lines).map_err(unavailable)?;
        self.shelf.put(&key, body, When::Always).await.map(drop)
    }
}

/// Whether the record is still here.
fn here(head: &Head, scope: &Scope) -> Result<(), StoreError> {
    match &head.moved_to {
        Some(to) => Err(StoreError::Moved { blueprint: scope.blueprint.clone(), to: to.clone() }),
        None => Ok(()),
    }
}

/// Whether a lease is the current one.
pub(super) fn check(head: &Head, lease: &Lease) -> Result<(), StoreError> {
    match &head.lease {
        Some(current) if current.epoch == lease.epoch && current.run == lease.run => Ok(()),
        _ => Err(fenced(&lease.scope)),
    }
}

impl Store for Records {
    fn take_lease<'a>(
        &'a self,
        scope: &'a Scope,
        run: &'a RunId,
        owner: &'a str,
        now: Moment,
        lasts: Span,
        watched: Option<&'a Lease>,
    ) -> BoxFuture<'a, Result<Lease, StoreError>> {
        let judge = move |head: &Head| {
            here(head, scope)?;
            if let Some(current) = &head.lease
                && !current.is_free_for(run, owner, watched)
            {
                return Err(StoreError::Held { lease: Box::new(current.clone()) });
            }
            let lease = Lease {
                scope: scope.clone(),
                run: run.clone(),
                owner: owner.to_owned(),
                epoch: 0,
                until: now + lasts,
                lasts,
                renewals: 0,
            };
            let lease = lease.after(head.lease.as_ref());
            Ok((Head { lease: Some(lease.clone()), ..head.clone() }, lease))
        };
        async move { self.change(scope, lasts, judge).await }.boxed()
    }

    fn renew_lease<'a>(
        &'a self,
        lease: &'a Lease,
        now: Moment,
        lasts: Span,
    ) -> BoxFuture<'a, Result<Lease, StoreError>> {
        let judge = move |head: &Head| {
            check(head, lease)?;
            let renewed = lease.renewed(now, lasts);
            Ok((Head { lease: Some(renewed.clone()), ..head.clone() }, renewed))
        };
        async move { self.change(&lease.scope, lasts, judge).await }.boxed()
    }

    fn lease<'a>(&'a self, scope: &'a Scope) -> BoxFuture<'a, Result<Option<Lease>, StoreError>> {
        async move { Ok(self.head(scope).await?.head.lease) }.boxed()
    }

    fn release_lease<'a>(&'a self, lease: &'a Lease) -> BoxFuture<'a, Result<(), StoreError>> {
        let judge = move |head: &Head| {
            check(head, lease)?;
            Ok((Head { lease: Some(lease.given_back()), ..head.clone() }, ()))
        };
        async move {
            match self.change(&lease.scope, lease.lasts, judge).await {
                // Somebody else's by now: left alone.
                Err(StoreError::Fenced { .. }) => Ok(()),
                other => other,
            }
        }
        .boxed()
    }

    fn post<'a>(
        &'a self,
        scope: &'a Scope,
        from: &'a str,
        at: Moment,
        what: &'a Request,
    ) -> BoxFuture<'a, Result<u64, StoreError>> {
        self.post_now(scope, from, at, what).boxed()
    }

    fn inbox<'a>(&'a self, scope: &'a Scope, after: u64) -> BoxFuture<'a, Result<Vec<Message>, StoreError>> {
        self.inbox_now(scope, after).boxed()
    }

    fn append<'a>(
        &'a self,
        lease: &'a Lease,
        after: u64,
        at: Moment,
        events: &'a [Event],
    ) -> BoxFuture<'a, Result<u64, StoreError>> {
        self.append_now(lease, after, at, events).boxed()
    }

    fn entries<'a>(&'a self, scope: &'a Scope, after: u64) -> BoxFuture<'a, Result<Vec<Entry>, StoreError>> {
        self.entries_now(scope, after).boxed()
    }

    fn identity<'a>(&'a self, scope: &'a Scope) -> BoxFuture<'a, Result<RecordId, StoreError>> {
        self.identity_now(scope).boxed()
    }

    fn known_identity<'a>(&'a self, scope: &'a Scope) -> BoxFuture<'a, Result<Option<RecordId>, StoreError>> {
        self.known_identity_now(scope).boxed()
    }

    fn homes<'a>(
        &'a self,
        blueprint: &'a BlueprintName,
    ) -> BoxFuture<'a, Result<BTreeSet<Home>, StoreError>> {
        self.homes_now(blueprint).boxed()
    }

    fn decisions<'a>(
        &'a self,
        scope: &'a Scope,
        after: u64,
    ) -> BoxFuture<'a, Result<Vec<Decided>, StoreError>> {
        self.decisions_now(scope, after).boxed()
    }

    fn standing<'a>(&'a self, scope: &'a Scope) -> BoxFuture<'a, Result<Decisions, StoreError>> {
        self.standing_now(scope).boxed()
    }

    fn decide<'a>(
        &'a self,
        scope: &'a Scope,
        expected: u64,
        at: Moment,
        what: &'a Decision,
    ) -> BoxFuture<'a, Result<u64, StoreError>> {
        self.decide_now(scope, expected, at, what).boxed()
    }

    fn scopes(&self) -> BoxFuture<'_, Result<BTreeSet<Scope>, StoreError>> {
        self.scopes_now().boxed()
    }

    fn head<'a>(&'a self, scope: &'a Scope) -> BoxFuture<'a, Result<(u64, String), StoreError>> {
        async move {
            let head = self.head(scope).await?.head;
            Ok((head.seq, head.hash))
        }
        .boxed()
    }

    fn resume<'a>(
        &'a self,
        scope: &'a Scope,
        version: u32,
    ) -> BoxFuture<'a, Result<(Option<Checkpoint>, Vec<Entry>), StoreError>> {
        self.resume_now(scope, version).boxed()
    }

    fn put_checkpoint<'a>(
        &'a self,
        lease: &'a Lease,
        checkpoint: &'a Checkpoint,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        async move {
            self.put_checkpoint_now(lease, checkpoint).await?;
            self.tidy(&lease.scope).await;
            Ok(())
        }
        .boxed()
    }

    fn blob<'a>(
        &'a self,
        scope: &'a Scope,
        key: &'a BlobKey,
    ) -> BoxFuture<'a, Result<Option<Vec<u8>>, StoreError>> {
        self.blob_now(scope, key).boxed()
    }

    fn put_blob<'a>(
        &'a self,
        scope: &'a Scope,
        key: &'a BlobKey,
        bytes: &'a [u8],
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        self.put_blob_now(scope, key, bytes).boxed()
    }
}
