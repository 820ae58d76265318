//! The record of a team, on S3.
//!
//! Goes in: leases, lines, decisions. Comes out: the same, for everybody who shares the bucket.
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

use aws_sdk_s3::error::ProvideErrorMetadata;
use aws_sdk_s3::primitives::ByteStream;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use futures::FutureExt;
use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

use super::clients::Pool;
use super::errors::chain as error_chain;
use super::s3_trouble::{Backoff, Trouble, is_lost_race, passes};
use rgctl_model::chain;
use rgctl_model::checkpoint::{BlobKey, Checkpoint};
use rgctl_model::inbox::{Message, Request};
use rgctl_model::journal::{Entry, Event};
use rgctl_model::overlay::{Decided, Decision, Decisions};
use rgctl_model::ports::{Chain, Lease, Store, StoreError};
use rgctl_model::scope::{Home, RecordId, Scope};
use rgctl_schema::names::{BlueprintName, RegionId, RunId};
use rgctl_schema::time::{Moment, Span};

/// Number of the format of the head.
pub(super) const FORMAT: &str = "rgctl.dev/s3-record/v2";
/// What the keys of records begin with; those of old began with the name of a blueprint.
pub(super) const RECORDS: &str = "records";
/// How often a lost race for the head is run again: each time the state is judged anew.
pub(super) const ROUNDS: usize = 5;

/// Where a record is kept: `s3://bucket/prefix`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct S3Place {
    /// Bucket.
    pub bucket: String,
    /// Prefix of all keys, without slashes at its ends; may be empty.
    pub prefix: String,
}

impl S3Place {
    /// Reads `s3://bucket/prefix`.
    pub fn parse(text: &str) -> Option<Self> {
        let rest = text.strip_prefix("s3://")?;
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let bucket = Some(bucket).filter(|bucket| !bucket.is_empty())?;
        Some(Self { bucket: bucket.to_owned(), prefix: prefix.trim_matches('/').to_owned() })
    }
}

/// A record on S3.
#[derive(Clone, Debug)]
pub struct S3Store {
    pub(super) pool: Arc<Pool>,
    pub(super) region: RegionId,
    pub(super) place: S3Place,
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

pub(super) fn unavailable(what: impl std::fmt::Display) -> StoreError {
    StoreError::Unavailable { what: what.to_string() }
}

fn fenced(scope: &Scope) -> StoreError {
    StoreError::Fenced { blueprint: scope.blueprint.clone() }
}

/// An object is a state, or some lines of the record. A larger one was written by somebody else.
const OBJECT_BYTES_MAX: i64 = 64 << 20;

impl S3Store {
    /// A record in a bucket of a region. Nothing is read yet.
    pub const fn new(pool: Arc<Pool>, region: RegionId, place: S3Place) -> Self {
        Self { pool, region, place }
    }

    pub(super) fn key(&self, scope: &Scope, rest: &str) -> String {
        self.under(&format!("{RECORDS}/{scope}/{rest}"))
    }

    pub(super) fn under(&self, key: &str) -> String {
        if self.place.prefix.is_empty() { key.to_owned() } else { format!("{}/{key}", self.place.prefix) }
    }

    pub(super) async fn get(&self, key: &str) -> Result<Option<(Vec<u8>, Option<String>)>, Trouble> {
        let clients = self.pool.reading(&self.region).await;
        let request = clients.s3.get_object().bucket(&self.place.bucket).key(key);
        // The SDK's futures are large: in a box, what waits for them stays small.
        match request.send().boxed().await {
            Ok(found) => {
                let mark = found.e_tag().map(str::to_owned);
                if found.content_length().is_some_and(|length| length > OBJECT_BYTES_MAX) {
                    return Err(self.unread(key, "it is larger than any object of a record"));
                }
                // The SDK's own bound ends with the head of the answer.
                let body = tokio::time::timeout(self.pool.patience().attempt, found.body.collect()).await;
                let body = body.map_err(|_| self.unread(key, "no whole answer in time"))?;
                let body = body.map_err(|error| self.unread(key, &error_chain(&error)))?;
                Ok(Some((body.to_vec(), mark)))
            }
            Err(error) if error.code() == Some("NoSuchKey") => Ok(None),
            Err(error) => Err(self.failed("read", key, &error)),
        }
    }

    pub(super) fn unread(&self, key: &str, why: &str) -> Trouble {
        let error = unavailable(format!("cannot read s3://{}/{key}: {why}", self.place.bucket));
        Trouble { passes: true, error }
    }

    pub(super) fn failed<E>(&self, verb: &str, key: &str, error: &SdkError<E, HttpResponse>) -> Trouble
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        let why = error_chain(error);
        let text = format!("cannot {verb} s3://{}/{key}: {why}", self.place.bucket);
        Trouble { passes: passes(error), error: unavailable(text) }
    }

    pub(super) async fn head(&self, scope: &Scope) -> Result<Read, Trouble> {
        let key = self.key(scope, "head.json");
        let Some((bytes, mark)) = self.get(&key).await? else {
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
        let key = self.key(scope, "head.json");
        let body = serde_json::to_vec(new).map_err(unavailable)?;
        let clients = self.pool.writing(&self.region).await;
        let request = clients
            .s3
            .put_object()
            .bucket(&self.place.bucket)
            .key(&key)
            .content_type("application/json")
            .body(ByteStream::from(body));
        let request = match &read.mark {
            Some(mark) => request.if_match(mark),
            None => request.if_none_match("*"),
        };
        match request.send().boxed().await {
            Ok(_) => Ok(Exchange::Done),
            Err(error) if is_lost_race(error.code()) => Ok(Exchange::Lost),
            Err(error) => {
                let trouble = self.failed("write", &key, &error);
                if trouble.passes { Ok(Exchange::Unclear(trouble.error)) } else { Err(trouble.error) }
            }
        }
    }

    /// Judges the state and exchanges it: again when somebody else was faster, and again, after longer and longer waits,
    /// when the bucket has trouble that passes. An exchange whose answer was lost is looked for before it is repeated.
    pub(super) async fn change<T: Send>(
        &self,
        scope: &Scope,
        lasts: Span,
        judge: impl Fn(&Head) -> Result<(Head, T), StoreError> + Send + Sync,
    ) -> Result<T, StoreError> {
        let mut patience = Backoff::new(self.pool.clock(), lasts);
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
        let mut patience = Backoff::new(self.pool.clock(), lease.lasts);
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

    /// A batch is named by its content, so that putting it twice is putting it once.
    pub(super) async fn put_batch(
        &self,
        scope: &Scope,
        first: u64,
        end: &Entry,
        lines: &[Entry],
    ) -> Result<(), Trouble> {
        let key = self.key(scope, &format!("lines/{first:016}-{:016}-{}.json", end.seq, end.hash));
        let body = serde_json::to_vec(lines).map_err(unavailable)?;
        // Retried by the SDK: the same name with the same content cannot do harm.
        let clients = self.pool.reading(&self.region).await;
        let request = clients
            .s3
            .put_object()
            .bucket(&self.place.bucket)
            .key(&key)
            .content_type("application/json")
            .body(ByteStream::from(body));
        request.send().boxed().await.map(drop).map_err(|error| self.failed("write", &key, &error))
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

impl Store for S3Store {
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
        self.put_checkpoint_now(lease, checkpoint).boxed()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_bucket_and_a_prefix() {
        let place = S3Place::parse("s3://team-state/rgctl/games/").unwrap();
        assert_eq!((place.bucket.as_str(), place.prefix.as_str()), ("team-state", "rgctl/games"));
        assert_eq!(S3Place::parse("s3://team-state").unwrap().prefix, "");
        assert_eq!(S3Place::parse("s3:///x"), None);
        assert_eq!(S3Place::parse("/tmp"), None);
    }
}
