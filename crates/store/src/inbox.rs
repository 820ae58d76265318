//! The inbox in the file: messages to whoever holds a lease, in a table that no run writes.

use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::journal::{to_i64, unavailable};
use rgctl_model::chain;
use rgctl_model::inbox::{Message, Request};
use rgctl_model::ports::{Chain, StoreError};
use rgctl_model::scope::Scope;
use rgctl_schema::time::Moment;

pub(super) const SCHEMA: &str = "
    create table if not exists messages (
        scope text not null, seq integer not null, message text not null, primary key (scope, seq)) without rowid;
";

pub(super) fn post(
    transaction: &Transaction<'_>,
    scope: &Scope,
    from: &str,
    at: Moment,
    what: &Request,
) -> Result<u64, StoreError> {
    let last: Option<String> = transaction
        .query_row(
            "select message from messages where scope = ?1 order by seq desc limit 1",
            [scope.to_string()],
            |row| row.get(0),
        )
        .optional()
        .map_err(unavailable)?;
    let last: Option<Message> =
        last.map(|text| serde_json::from_str(&text)).transpose().map_err(unavailable)?;
    let message = chain::seal_message(scope, last.as_ref(), at, from, what);
    put(transaction, scope, std::slice::from_ref(&message))?;
    Ok(message.seq)
}

fn put(transaction: &Transaction<'_>, scope: &Scope, messages: &[Message]) -> Result<(), StoreError> {
    for message in messages {
        let text = serde_json::to_string(message).map_err(unavailable)?;
        transaction
            .execute(
                "insert into messages (scope, seq, message) values (?1, ?2, ?3)",
                params![scope.to_string(), to_i64(message.seq), text],
            )
            .map_err(unavailable)?;
    }
    Ok(())
}

/// Takes messages in that come from another store, which those that are here have to begin.
pub(super) fn take_in(
    transaction: &Transaction<'_>,
    scope: &Scope,
    theirs: &[Message],
) -> Result<(), StoreError> {
    let ours = after(transaction, scope, 0)?;
    let Some(new) = theirs.strip_prefix(ours.as_slice()) else {
        return Err(StoreError::Taken { scope: scope.clone() });
    };
    put(transaction, scope, new)
}

pub(super) fn after(connection: &Connection, scope: &Scope, after: u64) -> Result<Vec<Message>, StoreError> {
    let mut query = connection
        .prepare_cached("select message from messages where scope = ?1 and seq > ?2 order by seq")
        .map_err(unavailable)?;
    let rows = query
        .query_map(params![scope.to_string(), to_i64(after)], |row| row.get::<_, String>(0))
        .map_err(unavailable)?;
    let mut messages: Vec<Message> = Vec::new();
    for row in rows {
        let text = row.map_err(unavailable)?;
        let seq = messages.last().map_or(after, |last| last.seq) + 1;
        messages.push(serde_json::from_str(&text).map_err(|error| damaged(scope, seq, &error.to_string()))?);
    }
    chain::verify_part(scope, &messages).map_err(|(seq, why)| damaged(scope, seq, why))?;
    Ok(messages)
}

fn damaged(scope: &Scope, seq: u64, why: &str) -> StoreError {
    StoreError::Damaged { chain: Chain::Inbox, blueprint: scope.blueprint.clone(), seq, why: why.to_owned() }
}
