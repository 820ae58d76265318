//! Checkpoints and blobs in the file.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::journal::{to_i64, to_u64, unavailable};
use super::records;
use rgctl_model::checkpoint::{BLOB_BYTES_MAX, BLOBS_MAX, BlobKey, CHECKPOINT_BYTES_MAX, Checkpoint};
use rgctl_model::ports::StoreError;
use rgctl_model::scope::Scope;

/// Both have rows that may be large.
pub(super) const SCHEMA: &str = "
    create table if not exists checkpoints (
        scope text primary key, seq integer not null, hash text not null, version integer not null,
        state text not null, digest text not null);
    create table if not exists blobs (
        scope text not null, name text not null, bytes blob not null, primary key (scope, name));
";

/// The checkpoint, whatever it is worth.
pub(super) fn checkpoint(connection: &Connection, scope: &Scope) -> Result<Option<Checkpoint>, StoreError> {
    connection
        .prepare_cached("select seq, hash, version, state, digest from checkpoints where scope = ?1")
        .and_then(|mut query| {
            let row = query.query_row([scope.to_string()], |row| {
                Ok(Checkpoint {
                    seq: to_u64(row.get(0)?),
                    hash: row.get(1)?,
                    version: row.get(2)?,
                    state: row.get(3)?,
                    digest: row.get(4)?,
                })
            });
            row.optional()
        })
        .map_err(unavailable)
}

pub(super) fn put_checkpoint(
    transaction: &Transaction<'_>,
    scope: &Scope,
    checkpoint: &Checkpoint,
) -> Result<(), StoreError> {
    let what = || format!("bytes of the checkpoint of {}", scope.blueprint);
    StoreError::check_size(what, checkpoint.state.len(), CHECKPOINT_BYTES_MAX)?;
    let Checkpoint { seq, hash, version, state, digest } = checkpoint;
    transaction
        .prepare_cached(
            "insert or replace into checkpoints (scope, seq, hash, version, state, digest)
             values (?1, ?2, ?3, ?4, ?5, ?6)",
        )
        .and_then(|mut put| {
            put.execute(params![scope.to_string(), to_i64(*seq), hash, version, state, digest])
        })
        .map(drop)
        .map_err(unavailable)
}

pub(super) fn blob(
    connection: &Connection,
    scope: &Scope,
    key: &BlobKey,
) -> Result<Option<Vec<u8>>, StoreError> {
    connection
        .prepare_cached("select bytes from blobs where scope = ?1 and name = ?2")
        .and_then(|mut query| {
            query.query_row([scope.to_string().as_str(), key.as_str()], |row| row.get(0)).optional()
        })
        .map_err(unavailable)
}

pub(super) fn blobs(
    connection: &Connection,
    scope: &Scope,
) -> Result<BTreeMap<BlobKey, Vec<u8>>, StoreError> {
    let mut query = connection
        .prepare_cached("select name, bytes from blobs where scope = ?1 order by name")
        .map_err(unavailable)?;
    let rows = query
        .query_map([scope.to_string()], |row| Ok((row.get::<_, String>(0)?, row.get(1)?)))
        .map_err(unavailable)?;
    let mut blobs = BTreeMap::new();
    for row in rows {
        let (name, bytes) = row.map_err(unavailable)?;
        if let Some(key) = BlobKey::new(name) {
            blobs.insert(key, bytes);
        }
    }
    Ok(blobs)
}

pub(super) fn put_blob(
    transaction: &Transaction<'_>,
    scope: &Scope,
    key: &BlobKey,
    bytes: &[u8],
) -> Result<(), StoreError> {
    records::check_here(transaction, scope)?;
    let what = || format!("bytes of the blob {key} of {}", scope.blueprint);
    StoreError::check_size(what, bytes.len(), BLOB_BYTES_MAX)?;
    transaction
        .prepare_cached("insert or replace into blobs (scope, name, bytes) values (?1, ?2, ?3)")
        .and_then(|mut put| put.execute(params![scope.to_string(), key.as_str(), bytes]))
        .map_err(unavailable)?;
    let number: i64 = transaction
        .prepare_cached("select count(*) from blobs where scope = ?1")
        .and_then(|mut query| query.query_row([scope.to_string()], |row| row.get(0)))
        .map_err(unavailable)?;
    let what = || format!("blobs of {}", scope.blueprint);
    StoreError::check_size(what, usize::try_from(number).unwrap_or(usize::MAX), BLOBS_MAX)
}
