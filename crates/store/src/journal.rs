//! The record, the lease and the decisions in an embedded database.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use futures::FutureExt;
use futures::future::{BoxFuture, ready};
use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};

use super::leases::{self, Locks};
use super::tables::make_tables;
use super::{decisions, inbox, memories, records};
use rgctl_model::chain;
use rgctl_model::checkpoint::{BlobKey, Checkpoint};
use rgctl_model::inbox::{Message, Request};
use rgctl_model::journal::{Entry, Event};
use rgctl_model::overlay::{Decided, Decision, Decisions};
use rgctl_model::ports::{Chain, Lease, Store, StoreError};
use rgctl_model::scope::{Home, RecordId, Scope};
use rgctl_schema::names::{BlueprintName, RegionId, RunId};
use rgctl_schema::time::{Moment, Span};

/// More than there are statements in this folder: each is prepared once.
const STATEMENTS: usize = 64;

/// The record, the lease and the decisions in an SQLite file.
///
/// A lease is also a lock on a file, which the operating system drops with its process: so the lease of a process that
/// was killed on this machine is free at once, that of one elsewhere when it was watched for its term.
#[derive(Debug)]
pub struct SqliteStore {
    connection: Mutex<Connection>,
    /// Whether transactions of the connection wait for the disk.
    waits: AtomicBool,
    locks: Locks,
}

impl SqliteStore {
    /// Opens the store of a state directory, which is made when missing.
    pub fn open(state_dir: &Path) -> Result<Self, StoreError> {
        std::fs::create_dir_all(state_dir).map_err(|error| StoreError::Unavailable {
            what: format!("{} cannot be made: {error}", state_dir.display()),
        })?;
        let path = state_dir.join("journal.sqlite");
        let connection = super::open(&path)
            .map_err(|error| StoreError::Unavailable { what: format!("{}: {error}", path.display()) })?;
        Self::with(connection, Some(state_dir.to_owned()))
    }

    /// A store that ends with the process.
    pub fn in_memory() -> Result<Self, StoreError> {
        let store = Self::with(Connection::open_in_memory().map_err(unavailable)?, None)?;
        // Nobody else ever sees it, so that equal runs on it may be equal to the letter.
        store.connection().execute("update store set id = 'memory'", []).map_err(unavailable)?;
        Ok(store)
    }

    fn with(mut connection: Connection, lock_folder: Option<PathBuf>) -> Result<Self, StoreError> {
        connection.set_prepared_statement_cache_capacity(STATEMENTS);
        make_tables(&mut connection).map_err(unavailable)?;
        let (connection, waits) = (Mutex::new(connection), AtomicBool::new(true));
        Ok(Self { connection, waits, locks: Locks::in_folder(lock_folder) })
    }

    pub(super) fn connection(&self) -> MutexGuard<'_, Connection> {
        // A panic elsewhere cannot leave a transaction half done: it is rolled back when dropped.
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, wanted: Lease, watched: Option<&Lease>) -> Result<Lease, StoreError> {
        let mut taken = None;
        let result = self.write(false, |transaction| {
            records::check_here(transaction, &wanted.scope)?;
            let current = leases::current(transaction, &wanted.scope)?;
            if let Some(current) = &current
                && !current.is_free_for(&wanted.run, &wanted.owner, watched)
                && !self.locks.proves_death_of(current)
            {
                return Err(StoreError::Held { lease: Box::new(current.clone()) });
            }
            let lease = wanted.after(current.as_ref());
            self.locks.hold(&lease, current.as_ref());
            taken = Some((lease.scope.clone(), lease.epoch));
            leases::put(transaction, &lease)?;
            Ok(lease)
        });
        if let (Err(_), Some((scope, epoch))) = (&result, &taken) {
            self.locks.drop_for(scope, *epoch);
        }
        result
    }

    /// One transaction, which waits for the disk or not. One that does not is lost only with the power, never with the
    /// process, and never without those after it: so a lease need not wait, since an intent under it will.
    pub(super) fn write<T>(
        &self,
        waits_for_disk: bool,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut connection = self.connection();
        // It changes only while the connection is held.
        if self.waits.load(Ordering::Relaxed) != waits_for_disk {
            let synchronous = if waits_for_disk { "full" } else { "normal" };
            connection.pragma_update(None, "synchronous", synchronous).map_err(unavailable)?;
            self.waits.store(waits_for_disk, Ordering::Relaxed);
        }
        let transaction =
            connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(unavailable)?;
        let result = work(&transaction)?;
        transaction.commit().map_err(unavailable)?;
        Ok(result)
    }

    /// One view of everything, whatever others add meanwhile.
    pub(super) fn view<T>(
        &self,
        read: impl FnOnce(&Transaction<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let connection = self.connection();
        let view = connection.unchecked_transaction().map_err(unavailable)?;
        read(&view)
    }

    fn append_now(&self, lease: &Lease, after: u64, at: Moment, events: &[Event]) -> Result<u64, StoreError> {
        self.write(events.iter().any(must_survive), |transaction| {
            leases::check(transaction, lease)?;
            let last = last_line(transaction, &lease.scope)?;
            records::check_end(transaction, &lease.scope, last.as_ref())?;
            if last.as_ref().map_or(0, |(seq, _)| *seq) != after {
                return Err(StoreError::Fenced { blueprint: lease.scope.blueprint.clone() });
            }
            let (mut seq, mut hash, scope) = (after, String::new(), lease.scope.to_string());
            let mut insert = transaction
                .prepare_cached("insert into lines (scope, seq, entry, hash) values (?1, ?2, ?3, ?4)")
                .map_err(unavailable)?;
            for entry in chain::seal(lease, last, at, events) {
                let text = serde_json::to_string(&entry).map_err(unavailable)?;
                insert.execute(params![scope, to_i64(entry.seq), text, entry.hash]).map_err(unavailable)?;
                seq = entry.seq;
                hash.clone_from(&entry.hash);
            }
            if seq > after {
                records::move_end(transaction, &lease.scope, seq, &hash)?;
            }
            note_regions(transaction, &lease.scope, events)?;
            Ok(seq)
        })
    }

    fn regions_now(&self, scope: &Scope) -> Result<BTreeSet<RegionId>, StoreError> {
        let connection = self.connection();
        let mut query = connection
            .prepare_cached("select region from places where scope = ?1 order by region")
            .map_err(unavailable)?;
        let rows =
            query.query_map([scope.to_string()], |row| row.get::<_, String>(0)).map_err(unavailable)?;
        rows.map(|row| RegionId::new(row.map_err(unavailable)?).map_err(unavailable)).collect()
    }

    fn resume_now(
        &self,
        scope: &Scope,
        version: u32,
    ) -> Result<(Option<Checkpoint>, Vec<Entry>), StoreError> {
        self.view(|view| {
            if let Some(kept) = memories::checkpoint(view, scope)?
                && kept.version == version
                && kept.is_whole()
                && line_at(view, scope, kept.seq)? == Some((kept.seq, kept.hash.clone()))
            {
                let after = entries(view, scope, kept.seq)?;
                return Ok((Some(kept), after));
            }
            Ok((None, entries(view, scope, 0)?))
        })
    }

    fn homes_now(&self, blueprint: &BlueprintName) -> Result<BTreeSet<Home>, StoreError> {
        let connection = self.connection();
        let mut query = connection
            .prepare("select scope from lines union select scope from standing")
            .map_err(unavailable)?;
        let rows = query.query_map([], |row| row.get::<_, String>(0)).map_err(unavailable)?;
        let scopes: Vec<String> = rows.collect::<Result<_, _>>().map_err(unavailable)?;
        let known = scopes.iter().filter_map(|text| Scope::parse(text));
        Ok(known.filter(|scope| scope.blueprint == *blueprint).map(|scope| scope.home).collect())
    }

    fn scopes_now(&self) -> Result<BTreeSet<Scope>, StoreError> {
        let connection = self.connection();
        let mut query = connection
            .prepare(
                "select scope from records union select scope from lines union select scope from holders
                 union select scope from standing union select scope from messages union select scope from blobs",
            )
            .map_err(unavailable)?;
        let rows = query.query_map([], |row| row.get::<_, String>(0)).map_err(unavailable)?;
        let scopes: Vec<String> = rows.collect::<Result<_, _>>().map_err(unavailable)?;
        Ok(scopes.iter().filter_map(|text| Scope::parse(text)).collect())
    }
}

/// Position and digest of a line, where it is there.
fn line_at(connection: &Connection, scope: &Scope, seq: u64) -> Result<Option<(u64, String)>, StoreError> {
    connection
        .prepare_cached("select seq, hash from lines where scope = ?1 and seq = ?2")
        .and_then(|mut query| {
            let row = params![scope.to_string(), to_i64(seq)];
            query.query_row(row, |row| Ok((to_u64(row.get(0)?), row.get(1)?))).optional()
        })
        .map_err(unavailable)
}

/// The lines after a position, verified, in the view of a transaction.
pub(super) fn entries(
    connection: &Transaction<'_>,
    scope: &Scope,
    after: u64,
) -> Result<Vec<Entry>, StoreError> {
    let last = line_at(connection, scope, after)?;
    let mut query = connection
        .prepare_cached("select seq, entry from lines where scope = ?1 and seq > ?2 order by seq")
        .map_err(unavailable)?;
    let rows = query
        .query_map(params![scope.to_string(), to_i64(after)], |row| {
            Ok((to_u64(row.get(0)?), row.get::<_, String>(1)?))
        })
        .map_err(unavailable)?;
    let damaged = |seq, why: String| StoreError::Damaged {
        chain: Chain::Record,
        blueprint: scope.blueprint.clone(),
        seq,
        why,
    };
    let mut entries = Vec::new();
    for row in rows {
        let (seq, text) = row.map_err(unavailable)?;
        let read = serde_json::from_str(&text);
        entries.push(read.map_err(|error| damaged(seq, format!("it cannot be read: {error}")))?);
    }
    chain::verify(scope, last.clone(), &entries).map_err(|(seq, why)| damaged(seq, why.to_owned()))?;
    let read = entries.last().map(|entry: &Entry| (entry.seq, entry.hash.clone()));
    records::check_end(connection, scope, read.or(last).as_ref())?;
    Ok(entries)
}

/// Whether a line must be on disk before anything else is done.
///
/// An intent must, since a call follows of which nobody else would know, and the end of a run must, since a person is
/// told. What became of a call need not: without that line the call's outcome counts as unclear, and is looked for.
const fn must_survive(event: &Event) -> bool {
    match event {
        Event::Intended { .. }
        | Event::Chosen { .. }
        | Event::Opened { .. }
        | Event::Revised { .. }
        | Event::Closed { .. }
        | Event::Failed { .. } => true,
        Event::Accepted { .. }
        | Event::Unclear { .. }
        | Event::Taken { .. }
        | Event::Deferred { .. }
        | Event::Refused { .. }
        | Event::Gone { .. }
        | Event::UnknownState { .. }
        | Event::Settled { .. } => false,
    }
}

/// Keeps the regions of what is begun, so that nobody has to read the whole record for them.
pub(super) fn note_regions(
    transaction: &Transaction<'_>,
    scope: &Scope,
    events: &[Event],
) -> Result<(), StoreError> {
    let mut insert = transaction
        .prepare_cached("insert or ignore into places (scope, region) values (?1, ?2)")
        .map_err(unavailable)?;
    for region in events.iter().filter_map(Event::begun_in).collect::<BTreeSet<_>>() {
        insert.execute(params![scope.to_string(), region.as_str()]).map_err(unavailable)?;
    }
    Ok(())
}

pub(super) fn unavailable(error: impl std::fmt::Display) -> StoreError {
    StoreError::Unavailable { what: error.to_string() }
}

/// SQLite's integers are signed; counters start at zero and never come near the end.
pub(super) fn to_i64(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

pub(super) fn to_u64(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

pub(super) fn last_line(
    transaction: &Transaction<'_>,
    scope: &Scope,
) -> Result<Option<(u64, String)>, StoreError> {
    transaction
        .prepare_cached("select seq, hash from lines where scope = ?1 order by seq desc limit 1")
        .and_then(|mut query| {
            query.query_row([scope.to_string()], |row| Ok((to_u64(row.get(0)?), row.get(1)?))).optional()
        })
        .map_err(unavailable)
}

impl Store for SqliteStore {
    fn take_lease<'a>(
        &'a self,
        scope: &'a Scope,
        run: &'a RunId,
        owner: &'a str,
        now: Moment,
        lasts: Span,
        watched: Option<&'a Lease>,
    ) -> BoxFuture<'a, Result<Lease, StoreError>> {
        let lease = Lease {
            scope: scope.clone(),
            run: run.clone(),
            owner: owner.to_owned(),
            epoch: 0,
            until: now + lasts,
            lasts,
            renewals: 0,
        };
        ready(self.take(lease, watched)).boxed()
    }

    fn renew_lease<'a>(
        &'a self,
        lease: &'a Lease,
        now: Moment,
        lasts: Span,
    ) -> BoxFuture<'a, Result<Lease, StoreError>> {
        let renewed = lease.renewed(now, lasts);
        let result = self.write(false, |transaction| {
            leases::check(transaction, lease)?;
            leases::put(transaction, &renewed)
        });
        ready(result.map(|()| renewed)).boxed()
    }

    fn lease<'a>(&'a self, scope: &'a Scope) -> BoxFuture<'a, Result<Option<Lease>, StoreError>> {
        ready(leases::current(&self.connection(), scope)).boxed()
    }

    fn release_lease<'a>(&'a self, lease: &'a Lease) -> BoxFuture<'a, Result<(), StoreError>> {
        let result = self.write(false, |transaction| match leases::check(transaction, lease) {
            Ok(()) => leases::put(transaction, &lease.given_back()),
            Err(StoreError::Fenced { .. }) => Ok(()),
            Err(error) => Err(error),
        });
        self.locks.drop_for(&lease.scope, lease.epoch);
        ready(result).boxed()
    }

    fn post<'a>(
        &'a self,
        scope: &'a Scope,
        from: &'a str,
        at: Moment,
        what: &'a Request,
    ) -> BoxFuture<'a, Result<u64, StoreError>> {
        ready(self.write(true, |transaction| inbox::post(transaction, scope, from, at, what))).boxed()
    }

    fn inbox<'a>(&'a self, scope: &'a Scope, after: u64) -> BoxFuture<'a, Result<Vec<Message>, StoreError>> {
        ready(inbox::after(&self.connection(), scope, after)).boxed()
    }

    fn append<'a>(
        &'a self,
        lease: &'a Lease,
        after: u64,
        at: Moment,
        events: &'a [Event],
    ) -> BoxFuture<'a, Result<u64, StoreError>> {
        ready(self.append_now(lease, after, at, events)).boxed()
    }

    fn entries<'a>(&'a self, scope: &'a Scope, after: u64) -> BoxFuture<'a, Result<Vec<Entry>, StoreError>> {
        ready(self.view(|view| entries(view, scope, after))).boxed()
    }

    fn regions<'a>(&'a self, scope: &'a Scope) -> BoxFuture<'a, Result<BTreeSet<RegionId>, StoreError>> {
        ready(self.regions_now(scope)).boxed()
    }

    fn keeps_regions(&self) -> bool {
        true
    }

    fn identity<'a>(&'a self, scope: &'a Scope) -> BoxFuture<'a, Result<RecordId, StoreError>> {
        ready(records::identity(&self.connection(), scope)).boxed()
    }

    fn homes<'a>(
        &'a self,
        blueprint: &'a BlueprintName,
    ) -> BoxFuture<'a, Result<BTreeSet<Home>, StoreError>> {
        ready(self.homes_now(blueprint)).boxed()
    }

    fn decisions<'a>(
        &'a self,
        scope: &'a Scope,
        after: u64,
    ) -> BoxFuture<'a, Result<Vec<Decided>, StoreError>> {
        ready(self.view(|view| decisions::after(view, scope, after))).boxed()
    }

    fn standing<'a>(&'a self, scope: &'a Scope) -> BoxFuture<'a, Result<Decisions, StoreError>> {
        ready(self.view(|view| decisions::standing(view, scope))).boxed()
    }

    fn decide<'a>(
        &'a self,
        scope: &'a Scope,
        expected: u64,
        at: Moment,
        what: &'a Decision,
    ) -> BoxFuture<'a, Result<u64, StoreError>> {
        let result =
            self.write(true, |transaction| decisions::decide(transaction, scope, expected, at, what));
        ready(result).boxed()
    }

    fn scopes(&self) -> BoxFuture<'_, Result<BTreeSet<Scope>, StoreError>> {
        ready(self.scopes_now()).boxed()
    }

    fn head<'a>(&'a self, scope: &'a Scope) -> BoxFuture<'a, Result<(u64, String), StoreError>> {
        ready(records::end(&self.connection(), scope).map(Option::unwrap_or_default)).boxed()
    }

    fn resume<'a>(
        &'a self,
        scope: &'a Scope,
        version: u32,
    ) -> BoxFuture<'a, Result<(Option<Checkpoint>, Vec<Entry>), StoreError>> {
        ready(self.resume_now(scope, version)).boxed()
    }

    fn put_checkpoint<'a>(
        &'a self,
        lease: &'a Lease,
        checkpoint: &'a Checkpoint,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        // Whoever loses it reads the record.
        let result = self.write(false, |transaction| {
            leases::check(transaction, lease)?;
            memories::put_checkpoint(transaction, &lease.scope, checkpoint)
        });
        ready(result).boxed()
    }

    fn blob<'a>(
        &'a self,
        scope: &'a Scope,
        key: &'a BlobKey,
    ) -> BoxFuture<'a, Result<Option<Vec<u8>>, StoreError>> {
        ready(memories::blob(&self.connection(), scope, key)).boxed()
    }

    fn put_blob<'a>(
        &'a self,
        scope: &'a Scope,
        key: &'a BlobKey,
        bytes: &'a [u8],
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        let result = self.write(false, |transaction| memories::put_blob(transaction, scope, key, bytes));
        ready(result).boxed()
    }
}
