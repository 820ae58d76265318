//! Decisions in the file: lines in a table that no run writes, and beside them what stands.
//!
//! **Invariant:** what stands is changed with the lines, in one transaction, and tells where they end: lines that are missing
//! at their end are noticed.

use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::journal::{to_i64, to_u64, unavailable};
use super::records;
use rgctl_model::chain;
use rgctl_model::overlay::{Decided, Decision, Decisions};
use rgctl_model::ports::{Chain, KEPT_DECISIONS, StoreError};
use rgctl_model::scope::Scope;
use rgctl_schema::time::Moment;

pub(super) const SCHEMA: &str = "
    create table if not exists decided (
        scope text not null, seq integer not null, line text not null, primary key (scope, seq)) without rowid;
    create table if not exists standing (
        scope text primary key, seq integer not null, standing text not null) without rowid;
";

fn damaged(scope: &Scope, seq: u64, why: impl std::fmt::Display) -> StoreError {
    StoreError::Damaged {
        chain: Chain::Decisions,
        blueprint: scope.blueprint.clone(),
        seq,
        why: why.to_string(),
    }
}

/// What stands, checked against its line.
pub(super) fn standing(connection: &Connection, scope: &Scope) -> Result<Decisions, StoreError> {
    let kept: Option<String> = connection
        .prepare_cached("select standing from standing where scope = ?1")
        .and_then(|mut query| query.query_row([scope.to_string()], |row| row.get(0)).optional())
        .map_err(unavailable)?;
    let last = last_line(connection, scope)?;
    let Some(text) = kept else {
        return match last {
            None => Ok(Decisions::default()),
            Some(last) => Err(damaged(scope, last.seq, "what stands after it is gone")),
        };
    };
    let standing: Decisions = serde_json::from_str(&text)
        .map_err(|error| damaged(scope, 0, format!("what stands cannot be read: {error}")))?;
    match last {
        Some(last) if standing.is_after(&last) => Ok(standing),
        Some(last) if last.seq >= standing.last_seq => {
            Err(damaged(scope, last.seq, "what stands is not what this line says"))
        }
        last => {
            let first = last.map_or(0, |last| last.seq) + 1;
            Err(damaged(scope, first, format!("the lines from here to {} were removed", standing.last_seq)))
        }
    }
}

fn last_line(connection: &Connection, scope: &Scope) -> Result<Option<Decided>, StoreError> {
    let found: Option<(i64, String)> = connection
        .prepare_cached("select seq, line from decided where scope = ?1 order by seq desc limit 1")
        .and_then(|mut query| {
            query.query_row([scope.to_string()], |row| Ok((row.get(0)?, row.get(1)?))).optional()
        })
        .map_err(unavailable)?;
    let Some((seq, text)) = found else { return Ok(None) };
    let seq = to_u64(seq);
    let line: Decided = serde_json::from_str(&text).map_err(|error| damaged(scope, seq, error))?;
    if line.seq != seq {
        return Err(damaged(scope, seq, "another line stands in its place"));
    }
    chain::verify_part(scope, std::slice::from_ref(&line)).map_err(|(seq, why)| damaged(scope, seq, why))?;
    Ok(Some(line))
}

pub(super) fn decide(
    transaction: &Transaction<'_>,
    scope: &Scope,
    expected: u64,
    at: Moment,
    what: &Decision,
) -> Result<u64, StoreError> {
    records::check_here(transaction, scope)?;
    let known = standing(transaction, scope)?;
    let (line, after) = chain::seal_decision(scope, &known, expected, at, what)?;
    put(transaction, scope, std::slice::from_ref(&line))?;
    put_standing(transaction, scope, &after)?;
    let forgotten = line.seq.saturating_sub(KEPT_DECISIONS);
    transaction
        .prepare_cached("delete from decided where scope = ?1 and seq <= ?2")
        .and_then(|mut delete| delete.execute(params![scope.to_string(), to_i64(forgotten)]))
        .map_err(unavailable)?;
    Ok(line.seq)
}

fn put(transaction: &Transaction<'_>, scope: &Scope, lines: &[Decided]) -> Result<(), StoreError> {
    let mut insert = transaction
        .prepare_cached("insert into decided (scope, seq, line) values (?1, ?2, ?3)")
        .map_err(unavailable)?;
    for line in lines {
        let text = serde_json::to_string(line).map_err(unavailable)?;
        insert.execute(params![scope.to_string(), to_i64(line.seq), text]).map_err(unavailable)?;
    }
    Ok(())
}

fn put_standing(
    transaction: &Transaction<'_>,
    scope: &Scope,
    standing: &Decisions,
) -> Result<(), StoreError> {
    let text = serde_json::to_string(standing).map_err(unavailable)?;
    transaction
        .prepare_cached("insert or replace into standing (scope, seq, standing) values (?1, ?2, ?3)")
        .and_then(|mut put| put.execute(params![scope.to_string(), to_i64(standing.last_seq), text]))
        .map(drop)
        .map_err(unavailable)
}

/// The lines after a position; the line at it, where it is kept, is what they have to follow.
pub(super) fn after(
    connection: &Transaction<'_>,
    scope: &Scope,
    after: u64,
) -> Result<Vec<Decided>, StoreError> {
    let end: Option<i64> = connection
        .prepare_cached("select seq from standing where scope = ?1")
        .and_then(|mut query| query.query_row([scope.to_string()], |row| row.get(0)).optional())
        .map_err(unavailable)?;
    if end == Some(to_i64(after)) {
        return Ok(Vec::new());
    }
    let mut query = connection
        .prepare_cached("select line from decided where scope = ?1 and seq >= ?2 order by seq")
        .map_err(unavailable)?;
    let rows = query
        .query_map(params![scope.to_string(), to_i64(after)], |row| row.get::<_, String>(0))
        .map_err(unavailable)?;
    let mut lines: Vec<Decided> = Vec::new();
    for row in rows {
        let text = row.map_err(unavailable)?;
        let seq = lines.last().map_or(after, |last| last.seq) + 1;
        lines.push(serde_json::from_str(&text).map_err(|error| damaged(scope, seq, error))?);
    }
    let wrong = |(seq, why)| damaged(scope, seq, why);
    match lines.first() {
        Some(first) if first.seq <= 1 => chain::verify(scope, None, &lines).map_err(wrong)?,
        _ => chain::verify_part(scope, &lines).map_err(wrong)?,
    }
    let standing = standing(connection, scope)?;
    let first_kept = standing.last_seq.saturating_sub(KEPT_DECISIONS) + 1;
    let first = Ord::max(after, first_kept);
    if standing.last_seq > 0 && lines.first().is_none_or(|line| line.seq > first) {
        return Err(damaged(scope, first, "it is gone"));
    }
    lines.retain(|line| line.seq > after);
    Ok(lines)
}

/// Takes lines in that come from another store, which those that are here have to begin.
pub(super) fn take_in(
    transaction: &Transaction<'_>,
    scope: &Scope,
    lines: &[Decided],
    theirs: &Decisions,
) -> Result<(), StoreError> {
    let ours = standing(transaction, scope)?;
    let is_beginning = ours.last_seq == 0
        || ours.last_hash == theirs.last_hash
        || lines.iter().any(|line| (line.seq, &line.hash) == (ours.last_seq, &ours.last_hash));
    if !is_beginning {
        return Err(StoreError::Taken { scope: scope.clone() });
    }
    let new: Vec<Decided> = lines.iter().filter(|line| line.seq > ours.last_seq).cloned().collect();
    put(transaction, scope, &new)?;
    if theirs.last_seq > 0 { put_standing(transaction, scope, theirs) } else { Ok(()) }
}
