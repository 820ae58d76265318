//! Whole records in the file: where each ends, what it was before accounts were known, and how it moves.
//!
//! **Invariant:** where a record ends is kept apart from its lines, and changed with them: lines that are missing at its end
//! are noticed.

use futures::FutureExt;
use futures::future::{BoxFuture, ready};
use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::journal::{SqliteStore, entries, last_line, note_regions, to_i64, to_u64, unavailable};
use super::{decisions, inbox, leases, memories};
use rgctl_model::chain;
use rgctl_model::journal::Entry;
use rgctl_model::ports::archive::{Archive, WholeRecord};
use rgctl_model::ports::{Chain, Lease, StoreError};
use rgctl_model::scope::{RecordId, Scope};
use rgctl_schema::time::Moment;

/// The table of ends, and the ends of the records of a version that did not keep them apart.
pub(super) const SCHEMA: &str = "
    create table records (
        scope text primary key, seq integer not null, hash text not null, identity text, moved_to text
    ) without rowid;
    insert into records (scope, seq, hash)
    select scope, seq, hash from lines as line
    where seq = (select max(seq) from lines where scope = line.scope);
";

/// The end of a record, as it is kept apart from its lines.
pub(super) fn end(connection: &Connection, scope: &Scope) -> Result<Option<(u64, String)>, StoreError> {
    connection
        .prepare_cached("select seq, hash from records where scope = ?1")
        .and_then(|mut query| {
            query.query_row([scope.to_string()], |row| Ok((to_u64(row.get(0)?), row.get(1)?))).optional()
        })
        .map_err(unavailable)
}

fn damaged(scope: &Scope, seq: u64, why: &str) -> StoreError {
    StoreError::Damaged { chain: Chain::Record, blueprint: scope.blueprint.clone(), seq, why: why.to_owned() }
}

/// Checks that the lines end where the record does.
pub(super) fn check_end(
    connection: &Connection,
    scope: &Scope,
    last: Option<&(u64, String)>,
) -> Result<(), StoreError> {
    let end = end(connection, scope)?.filter(|(seq, _)| *seq > 0);
    match (end, last) {
        (None, None) => Ok(()),
        (Some((seq, hash)), Some((last, digest))) if seq == *last && hash == *digest => Ok(()),
        (Some((seq, _)), last) if last.is_none_or(|(last, _)| *last < seq) => {
            let first = last.map_or(0, |(last, _)| *last) + 1;
            Err(damaged(scope, first, &format!("the lines from here to {seq} were removed")))
        }
        (_, last) => Err(damaged(
            scope,
            last.map_or(0, |(last, _)| *last),
            "it is not where the record ended: lines were added or changed outside rgctl",
        )),
    }
}

/// Moves the end of a record, with the lines.
pub(super) fn move_end(
    transaction: &Transaction<'_>,
    scope: &Scope,
    seq: u64,
    hash: &str,
) -> Result<(), StoreError> {
    let statement = "insert into records (scope, seq, hash) values (?1, ?2, ?3)
                     on conflict (scope) do update set seq = excluded.seq, hash = excluded.hash";
    transaction
        .prepare_cached(statement)
        .and_then(|mut insert| insert.execute(params![scope.to_string(), to_i64(seq), hash]))
        .map(drop)
        .map_err(unavailable)
}

/// Where the record went, if it was moved.
pub(super) fn check_here(connection: &Connection, scope: &Scope) -> Result<(), StoreError> {
    let moved: Option<Option<String>> = connection
        .prepare_cached("select moved_to from records where scope = ?1")
        .and_then(|mut query| query.query_row([scope.to_string()], |row| row.get(0)).optional())
        .map_err(unavailable)?;
    match moved.flatten() {
        Some(to) => Err(StoreError::Moved { blueprint: scope.blueprint.clone(), to }),
        None => Ok(()),
    }
}

/// The identity of a record: its own where it came from another store, else the store's.
pub(super) fn identity(connection: &Connection, scope: &Scope) -> Result<RecordId, StoreError> {
    let statement = "select coalesce((select identity from records where scope = ?1), id) from store";
    let id = connection
        .prepare_cached(statement)
        .and_then(|mut query| query.query_row([scope.to_string()], |row| row.get(0)));
    Ok(RecordId(id.map_err(unavailable)?))
}

/// Whether there are tables of a version that knew no accounts.
fn is_of_old(connection: &Connection) -> Result<bool, StoreError> {
    let statement = "select exists (select 1 from sqlite_schema where name = 'entries')";
    connection.query_row(statement, [], |row| row.get(0)).map_err(unavailable)
}

fn old_lines(connection: &Connection, scope: &Scope) -> Result<Vec<Entry>, StoreError> {
    if !is_of_old(connection)? {
        return Ok(Vec::new());
    }
    let mut query = connection
        .prepare("select seq, entry from entries where blueprint = ?1 order by seq")
        .map_err(unavailable)?;
    let rows = query
        .query_map([scope.blueprint.as_str()], |row| Ok((to_u64(row.get(0)?), row.get::<_, String>(1)?)))
        .map_err(unavailable)?;
    let mut entries: Vec<Entry> = Vec::new();
    for row in rows {
        let (seq, text) = row.map_err(unavailable)?;
        let read = serde_json::from_str(&text);
        entries.push(read.map_err(|error| damaged(scope, seq, &format!("it cannot be read: {error}")))?);
    }
    chain::verify(scope, None, &entries).map_err(|(seq, why)| damaged(scope, seq, why))?;
    Ok(entries)
}

/// A run of a version of old that may still be at work.
fn check_old_lease(transaction: &Transaction<'_>, scope: &Scope, now: Moment) -> Result<(), StoreError> {
    let holder: Option<(String, i64)> = transaction
        .query_row(
            "select owner, until_ms from leases where blueprint = ?1",
            [scope.blueprint.as_str()],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .optional()
        .map_err(unavailable)?;
    match holder {
        Some((owner, until)) if Moment::from_millis(until) > now => Err(unavailable(format!(
            "{owner} works on {} with an older version until {}",
            scope.blueprint,
            Moment::from_millis(until)
        ))),
        _ => Ok(()),
    }
}

impl SqliteStore {
    fn claim_now(&self, scope: &Scope, now: Moment) -> Result<(), StoreError> {
        self.write(true, |transaction| {
            if last_line(transaction, scope)?.is_some() {
                return Err(StoreError::Taken { scope: scope.clone() });
            }
            let entries = old_lines(transaction, scope)?;
            let Some(end) = entries.last() else { return Ok(()) };
            check_old_lease(transaction, scope, now)?;
            put_lines(transaction, scope, &entries)?;
            move_end(transaction, scope, end.seq, &end.hash)?;
            for table in ["entries", "leases"] {
                let statement = format!("delete from {table} where blueprint = ?1");
                transaction.execute(&statement, [scope.blueprint.as_str()]).map_err(unavailable)?;
            }
            Ok(())
        })
    }

    fn take_in_now(&self, scope: &Scope, record: &WholeRecord) -> Result<(), StoreError> {
        self.write(true, |transaction| {
            let last = last_line(transaction, scope)?;
            let (known, theirs) = (last.as_ref().map_or(0, |(seq, _)| *seq), record.entries.iter());
            let is_beginning = last.as_ref().is_none_or(|(seq, hash)| {
                record.entries.iter().any(|entry| entry.seq == *seq && entry.hash == *hash)
            });
            let is_ours = last.is_none() || identity(transaction, scope)? == record.identity;
            if !is_beginning || !is_ours {
                return Err(StoreError::Taken { scope: scope.clone() });
            }
            let new: Vec<Entry> = theirs.filter(|entry| entry.seq > known).cloned().collect();
            put_lines(transaction, scope, &new)?;
            // Also one without lines, whose decisions have come: it has an identity, and a place.
            let end = record.entries.last().map(|end| (end.seq, end.hash.as_str()));
            let (seq, hash) = end.unwrap_or_default();
            move_end(transaction, scope, seq, hash)?;
            let own = "update records set identity = ?2, moved_to = null where scope = ?1";
            transaction.execute(own, [scope.to_string(), record.identity.0.clone()]).map_err(unavailable)?;
            decisions::take_in(transaction, scope, &record.decisions, &record.standing)?;
            inbox::take_in(transaction, scope, &record.messages)?;
            if let Some(checkpoint) = &record.checkpoint {
                memories::put_checkpoint(transaction, scope, checkpoint)?;
            }
            record
                .blobs
                .iter()
                .try_for_each(|(key, bytes)| memories::put_blob(transaction, scope, key, bytes))
        })
    }

    fn whole_now(&self, scope: &Scope) -> Result<WholeRecord, StoreError> {
        self.view(|view| {
            Ok(WholeRecord {
                identity: identity(view, scope)?,
                entries: entries(view, scope, 0)?,
                decisions: decisions::after(view, scope, 0)?,
                standing: decisions::standing(view, scope)?,
                messages: inbox::after(view, scope, 0)?,
                checkpoint: memories::checkpoint(view, scope)?,
                blobs: memories::blobs(view, scope)?,
            })
        })
    }

    fn close_now(&self, lease: &Lease, to: &str) -> Result<(), StoreError> {
        self.write(true, |transaction| {
            leases::check(transaction, lease)?;
            let statement = "insert into records (scope, seq, hash, moved_to) values (?1, 0, '', ?2)
                             on conflict (scope) do update set moved_to = excluded.moved_to";
            let scope = lease.scope.to_string();
            transaction.execute(statement, [scope.as_str(), to]).map(drop).map_err(unavailable)
        })
    }
}

fn put_lines(transaction: &Transaction<'_>, scope: &Scope, entries: &[Entry]) -> Result<(), StoreError> {
    let mut insert = transaction
        .prepare_cached("insert into lines (scope, seq, entry, hash) values (?1, ?2, ?3, ?4)")
        .map_err(unavailable)?;
    for entry in entries {
        let text = serde_json::to_string(entry).map_err(unavailable)?;
        let row = params![scope.to_string(), to_i64(entry.seq), text, entry.hash];
        insert.execute(row).map_err(unavailable)?;
    }
    let events: Vec<_> = entries.iter().map(|entry| entry.what.clone()).collect();
    note_regions(transaction, scope, &events)
}

impl Archive for SqliteStore {
    fn old_entries<'a>(&'a self, scope: &'a Scope) -> BoxFuture<'a, Result<Vec<Entry>, StoreError>> {
        ready(old_lines(&self.connection(), scope)).boxed()
    }

    fn claim<'a>(&'a self, scope: &'a Scope, now: Moment) -> BoxFuture<'a, Result<(), StoreError>> {
        ready(self.claim_now(scope, now)).boxed()
    }

    fn whole<'a>(&'a self, scope: &'a Scope) -> BoxFuture<'a, Result<WholeRecord, StoreError>> {
        ready(self.whole_now(scope)).boxed()
    }

    fn take_in<'a>(
        &'a self,
        scope: &'a Scope,
        record: &'a WholeRecord,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        ready(self.take_in_now(scope, record)).boxed()
    }

    fn close<'a>(&'a self, lease: &'a Lease, to: &'a str) -> BoxFuture<'a, Result<(), StoreError>> {
        ready(self.close_now(lease, to)).boxed()
    }
}
