//! Records as a whole: how their lines are read, what a store is, and how records move.
//!
//! **Invariant:** a batch is put behind the end of a record only. One that begins further on shows that the end was further
//! once: a record that was cut off at its end is noticed, and one whose last exchange was lost is not taken for it.
//! **Invariant:** an old record is claimed by one exchange of its head, before anything is copied: two never claim it.

use std::collections::{BTreeMap, BTreeSet};

use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt, stream};
use serde::{Deserialize, Serialize};

use super::shelf::{Backoff, Put, When, unavailable};
use super::store::{Exchange, FORMAT, Head, RECORDS, ROUNDS, Read, Records, check};
use rgctl_model::chain;
use rgctl_model::journal::Entry;
use rgctl_model::ports::archive::{Archive, WholeRecord};
use rgctl_model::ports::{Chain, Lease, StoreError};
use rgctl_model::scope::{CloudKind, Home, RecordId, Scope};
use rgctl_schema::names::BlueprintName;
use rgctl_schema::time::{Moment, Span};

/// Number of the format of what the store says of itself.
const STORE_FORMAT: &str = "rgctl.dev/store/v1";
/// Number of the format of heads that were kept under the name of a blueprint only.
const OLD_FORMAT: &str = "rgctl.dev/s3-record/v1";
/// That of such a head that was claimed: versions of old refuse it.
const CLAIMED_FORMAT: &str = "rgctl.dev/s3-record/v1-claimed";
/// How long, and how often at most, the identity of a store is tried for.
const TERM: Span = Span::from_mins(1);
const TRIES: usize = 50;
/// Where a store says what it is.
const BORN: &str = "store.json";
/// Batches that are fetched at the same time.
const AT_ONCE: usize = 8;

/// What a store is, written once.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Born {
    format: String,
    id: RecordId,
}

/// An id that no other store has.
fn fresh_id() -> RecordId {
    use std::hash::{BuildHasher, RandomState};
    RecordId(format!("{:016x}", RandomState::new().hash_one("store")))
}

/// A head of old, as far as it is needed.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct OldHead {
    format: String,
    lease: Option<OldLease>,
    seq: u64,
    hash: String,
    /// Whose it is now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    claimed: Option<Scope>,
}

/// A lease of old, as far as it is needed.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct OldLease {
    owner: String,
    until: Moment,
}

fn damaged(scope: &Scope, seq: u64, why: &str) -> StoreError {
    StoreError::Damaged { chain: Chain::Record, blueprint: scope.blueprint.clone(), seq, why: why.to_owned() }
}

/// First and last position of a batch, as its key tells them.
pub(super) fn span_of(key: &str) -> Option<(u64, u64)> {
    let mut parts = key.rsplit('/').next()?.split('-');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

impl Records {
    pub(super) async fn identity_now(&self, scope: &Scope) -> Result<RecordId, StoreError> {
        match self.head(scope).await?.head.record {
            Some(id) => Ok(id),
            None => self.birth().await,
        }
    }

    pub(super) async fn known_identity_now(&self, scope: &Scope) -> Result<Option<RecordId>, StoreError> {
        match self.head(scope).await?.head.record {
            Some(id) => Ok(Some(id)),
            None => self.written_identity(&mut Backoff::new(self.shelf.clock(), TERM)).await,
        }
    }

    /// The identity of the store, if it was written.
    async fn written_identity(&self, patience: &mut Backoff<'_>) -> Result<Option<RecordId>, StoreError> {
        loop {
            match self.shelf.get(BORN).await {
                Ok(None) => return Ok(None),
                Ok(Some((bytes, _))) => {
                    let born: Born = serde_json::from_slice(&bytes).map_err(|error| {
                        unavailable(format!("{} is damaged: {error}", self.shelf.address(BORN)))
                    })?;
                    return Ok(Some(born.id));
                }
                Err(trouble) => patience.wait(trouble).await?,
            }
        }
    }

    /// The identity of the store, which is written when it is first asked for. Of two that write it one is refused, and
    /// reads what the other wrote.
    async fn birth(&self) -> Result<RecordId, StoreError> {
        let mut patience = Backoff::new(self.shelf.clock(), TERM);
        for _ in 0..TRIES {
            if let Some(id) = self.written_identity(&mut patience).await? {
                return Ok(id);
            }
            let body = serde_json::to_vec(&Born { format: STORE_FORMAT.to_owned(), id: fresh_id() });
            // What was written, if anything, is read: by this process or by another one.
            if let Err(trouble) = self.shelf.put(BORN, body.map_err(unavailable)?, When::Absent).await {
                patience.wait(trouble).await?;
            }
        }
        Err(unavailable(format!("cannot write {}", self.shelf.address(BORN))))
    }

    pub(super) async fn homes_now(&self, blueprint: &BlueprintName) -> Result<BTreeSet<Home>, StoreError> {
        let mut homes = BTreeSet::new();
        for cloud in [CloudKind::Aws, CloudKind::Sim] {
            let below = format!("{RECORDS}/{}/", cloud.as_str());
            for home in
                self.shelf.folders(&below).await?.into_iter().filter_map(|name| Home::new(cloud, name))
            {
                let scope = Scope::new(home.clone(), blueprint.clone());
                if self.head(&scope).await?.head.seq > 0 || self.has_decisions(&scope).await? {
                    homes.insert(home);
                }
            }
        }
        Ok(homes)
    }

    pub(super) async fn scopes_now(&self) -> Result<BTreeSet<Scope>, StoreError> {
        let mut scopes = BTreeSet::new();
        for cloud in [CloudKind::Aws, CloudKind::Sim] {
            let of_cloud = format!("{RECORDS}/{}/", cloud.as_str());
            for account in self.shelf.folders(&of_cloud).await? {
                let Some(home) = Home::new(cloud, account.clone()) else { continue };
                let blueprints = self.shelf.folders(&format!("{of_cloud}{account}/")).await?;
                let names = blueprints.into_iter().filter_map(|name| BlueprintName::new(name).ok());
                scopes.extend(names.map(|name| Scope::new(home.clone(), name)));
            }
        }
        Ok(scopes)
    }

    pub(super) async fn entries_now(&self, scope: &Scope, after: u64) -> Result<Vec<Entry>, StoreError> {
        for _ in 0..ROUNDS {
            let read = self.head(scope).await?;
            if read.head.seq <= after && after > 0 {
                return Ok(Vec::new());
            }
            let keys = self.batches(&Self::key(scope, "lines/"), after).await?;
            if keys.iter().all(|key| span_of(key).is_none_or(|(first, _)| first <= read.head.seq + 1)) {
                let lines = self.lines(scope, (read.head.seq, read.head.hash), after, keys.clone()).await;
                // Batches that were put together meanwhile.
                let is_moving = lines.is_err() && self.shelf.narrow().is_some();
                if is_moving && self.batches(&Self::key(scope, "lines/"), after).await? != keys {
                    continue;
                }
                return lines;
            }
            // A batch is put behind the end of the record only: the end was further once, or moved on just now.
            if self.head(scope).await?.mark == read.mark {
                let why = "the lines that follow are there, and the record's end is said to be before them";
                return Err(damaged(scope, read.head.seq, why));
            }
        }
        Err(unavailable(format!("the record of {} is being written by too many at once", scope.blueprint)))
    }

    /// The lines after a position, from an end of the record back.
    pub(super) async fn lines(
        &self,
        scope: &Scope,
        (end, digest): (u64, String),
        after: u64,
        keys: Vec<String>,
    ) -> Result<Vec<Entry>, StoreError> {
        if end <= after {
            return Ok(Vec::new());
        }
        let mut fetches = Vec::new();
        for key in keys {
            fetches.push(self.batch(scope, key).boxed());
        }
        // The last line before the first one that is wanted is in one of the batches, or begins them.
        let mut by_end: BTreeMap<String, Vec<Entry>> = BTreeMap::new();
        for lines in stream::iter(fetches).buffer_unordered(AT_ONCE).collect::<Vec<_>>().await {
            let lines = lines?;
            let Some(end) = lines.last() else { continue };
            let other = by_end.get(&end.hash);
            // Of several that were put together once, the one that reaches furthest back.
            if other.is_none_or(|other| other.len() < lines.len()) {
                by_end.insert(end.hash.clone(), lines);
            }
        }
        let damaged = |seq, why: &str| damaged(scope, seq, why);
        let (mut batches, mut wanted, mut seq) = (Vec::new(), digest, end);
        while seq > after {
            let lines =
                by_end.remove(&wanted).ok_or_else(|| damaged(seq, "the lines that end here are gone"))?;
            let first = lines.first().ok_or_else(|| damaged(seq, "a batch is empty"))?;
            (wanted, seq) = (first.previous.clone(), first.seq.saturating_sub(1));
            batches.push(lines);
        }
        let lines: Vec<Entry> = batches.into_iter().rev().flatten().collect();
        let before = (seq > 0).then_some((seq, wanted));
        chain::verify(scope, before, &lines).map_err(|(seq, why)| damaged(seq, why))?;
        Ok(lines.into_iter().filter(|line| line.seq > after).collect())
    }

    /// Keys of the batches that reach beyond a position, those of lost races among them.
    pub(super) async fn batches(&self, prefix: &str, after: u64) -> Result<Vec<String>, StoreError> {
        let keys = self.shelf.list(prefix, None).await?;
        let reaches = |key: &String| span_of(key).is_some_and(|(_, end)| end > after);
        Ok(keys.into_iter().filter(reaches).collect())
    }

    async fn batch(&self, scope: &Scope, key: String) -> Result<Vec<Entry>, StoreError> {
        let Some((bytes, _)) = self.shelf.get(&key).await? else { return Ok(Vec::new()) };
        let seq = span_of(&key).map_or(0, |(first, _)| first);
        serde_json::from_slice(&bytes).map_err(|error| StoreError::Damaged {
            chain: Chain::Record,
            blueprint: scope.blueprint.clone(),
            seq,
            why: format!("the lines cannot be read: {error}"),
        })
    }

    fn old_key(scope: &Scope, rest: &str) -> String {
        format!("{}/{rest}", scope.blueprint)
    }

    /// The head of old and its mark, where it is there and not claimed by another scope.
    async fn old_head(&self, scope: &Scope) -> Result<Option<(OldHead, Option<String>)>, StoreError> {
        let key = Self::old_key(scope, "head.json");
        let Some((bytes, mark)) = self.shelf.get(&key).await? else { return Ok(None) };
        let head: OldHead = serde_json::from_slice(&bytes)
            .map_err(|error| damaged(scope, 0, &format!("its old head cannot be read: {error}")))?;
        let is_open = head.format == OLD_FORMAT || head.claimed.as_ref() == Some(scope);
        Ok((is_open && head.seq > 0).then_some((head, mark)))
    }

    async fn old_entries_now(&self, scope: &Scope) -> Result<Vec<Entry>, StoreError> {
        let Some((head, _)) = self.old_head(scope).await? else { return Ok(Vec::new()) };
        if head.claimed.is_some() && self.head(scope).await?.head.seq > 0 {
            // Claimed and copied.
            return Ok(Vec::new());
        }
        let keys = self.batches(&Self::old_key(scope, "lines/"), 0).await?;
        self.lines(scope, (head.seq, head.hash), 0, keys).await
    }

    async fn claim_now(&self, scope: &Scope, now: Moment) -> Result<(), StoreError> {
        let Some((head, mark)) = self.old_head(scope).await? else { return Ok(()) };
        if self.head(scope).await?.head.seq > 0 {
            return Err(StoreError::Taken { scope: scope.clone() });
        }
        if let Some(lease) = head.lease.as_ref().filter(|lease| lease.until > now) {
            let (whose, owner, until) = (&scope.blueprint, &lease.owner, lease.until);
            return Err(unavailable(format!("{owner} works on {whose} with an older version until {until}")));
        }
        let entries = self.old_entries_now(scope).await?;
        if head.claimed.is_none() {
            let claimed = OldHead {
                format: CLAIMED_FORMAT.to_owned(),
                lease: None,
                claimed: Some(scope.clone()),
                ..head.clone()
            };
            let body = serde_json::to_vec(&claimed).map_err(unavailable)?;
            let key = Self::old_key(scope, "head.json");
            // What is unclear is looked at by the next try, which goes on from whatever it finds.
            if self.shelf.put(&key, body, When::still(mark.as_deref())).await? == Put::Lost {
                return Err(StoreError::Taken { scope: scope.clone() });
            }
        }
        let identity = self.birth().await?;
        self.take_in_now(scope, &WholeRecord::of_lines(identity, entries)).boxed().await
    }

    async fn take_in_now(&self, scope: &Scope, record: &WholeRecord) -> Result<(), StoreError> {
        let read = self.head(scope).await?;
        let is_beginning = read.head.seq == 0
            || (self.identity_now(scope).await? == record.identity
                && record
                    .entries
                    .iter()
                    .any(|entry| (entry.seq, &entry.hash) == (read.head.seq, &read.head.hash)));
        if !is_beginning {
            return Err(StoreError::Taken { scope: scope.clone() });
        }
        // The head comes last: until then there is no record here, and all of this may be done again.
        self.take_decisions_in(scope, &record.decisions, &record.standing).boxed().await?;
        self.take_messages_in(scope, &record.messages).boxed().await?;
        self.take_memories_in(scope, record).boxed().await?;
        let new: Vec<Entry> = record.entries.iter().filter(|one| one.seq > read.head.seq).cloned().collect();
        // In one batch: several would look like the rest of a record that was cut off, until the head is there.
        if let (Some(first), Some(end)) = (new.first(), new.last()) {
            self.put_batch(scope, first.seq, end, &new).await?;
        }
        let end = record.entries.last().map(|end| (end.seq, end.hash.clone()));
        let (seq, hash) = end.unwrap_or_default();
        let head = Head {
            format: FORMAT.to_owned(),
            lease: read.head.lease.clone(),
            seq,
            hash,
            overlays: [],
            record: Some(record.identity.clone()),
            moved_to: None,
        };
        self.put_head(scope, &read, &head).await
    }

    async fn put_head(&self, scope: &Scope, read: &Read, head: &Head) -> Result<(), StoreError> {
        match self.exchange(scope, read, head).boxed().await? {
            Exchange::Done => Ok(()),
            Exchange::Lost => Err(StoreError::Taken { scope: scope.clone() }),
            Exchange::Unclear(error) => Err(error),
        }
    }
}

impl Archive for Records {
    fn old_entries<'a>(&'a self, scope: &'a Scope) -> BoxFuture<'a, Result<Vec<Entry>, StoreError>> {
        self.old_entries_now(scope).boxed()
    }

    fn claim<'a>(&'a self, scope: &'a Scope, now: Moment) -> BoxFuture<'a, Result<(), StoreError>> {
        self.claim_now(scope, now).boxed()
    }

    fn whole<'a>(&'a self, scope: &'a Scope) -> BoxFuture<'a, Result<WholeRecord, StoreError>> {
        async move {
            let identity = self.identity_now(scope).await?;
            let entries = self.entries_now(scope, 0).await?;
            Ok(WholeRecord {
                identity,
                entries,
                decisions: self.decisions_now(scope, 0).await?,
                standing: self.standing_now(scope).await?,
                messages: self.inbox_now(scope, 0).await?,
                checkpoint: self.kept_checkpoint(scope).await?,
                blobs: self.blobs_now(scope).await?,
            })
        }
        .boxed()
    }

    fn take_in<'a>(
        &'a self,
        scope: &'a Scope,
        record: &'a WholeRecord,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        self.take_in_now(scope, record).boxed()
    }

    fn close<'a>(&'a self, lease: &'a Lease, to: &'a str) -> BoxFuture<'a, Result<(), StoreError>> {
        let judge = move |head: &Head| {
            check(head, lease)?;
            Ok((Head { moved_to: Some(to.to_owned()), ..head.clone() }, ()))
        };
        async move { self.change(&lease.scope, lease.lasts, judge).await }.boxed()
    }
}
