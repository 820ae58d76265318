//! Leases in the file, and the locks that show whether a holder on this machine lives.
//!
//! **Invariant:** a lock is named by the epoch of its lease and proves the death of that holder, of no other: whoever took the
//! lease since is not judged by it.
//! **Invariant:** a lease and its lock come and go together: the lock is made before the lease is written, and dropped after
//! it was given back.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::journal::{to_i64, to_u64, unavailable};
use rgctl_machine::inputs;
use rgctl_model::ports::{Lease, StoreError};
use rgctl_model::scope::Scope;
use rgctl_schema::names::RunId;
use rgctl_schema::time::{Moment, Span};

/// The locks of this process, which the operating system drops with it.
#[derive(Debug)]
pub(super) struct Locks {
    /// Where; nowhere for a store that ends with its process.
    folder: Option<PathBuf>,
    held: Mutex<BTreeMap<Scope, (u64, File)>>,
}

impl Locks {
    pub(super) fn in_folder(folder: Option<PathBuf>) -> Self {
        Self { folder, held: Mutex::default() }
    }

    fn held(&self) -> MutexGuard<'_, BTreeMap<Scope, (u64, File)>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Names of scopes have slashes in them, and are otherwise fit for files.
    fn path(&self, scope: &Scope, epoch: u64) -> Option<PathBuf> {
        let name = scope.to_string().replace('/', "-");
        Some(self.folder.as_ref()?.join(format!("{name}.{epoch}.lock")))
    }

    /// Whether the holder of this lease worked on this machine and is gone. Where there is no lock of its epoch, nothing is
    /// known: it may work on another machine.
    pub(super) fn proves_death_of(&self, lease: &Lease) -> bool {
        let file = self.path(&lease.scope, lease.epoch).and_then(|path| inputs::open_file(&path).ok());
        file.is_some_and(|file| file.try_lock().is_ok())
    }

    /// Locks for a lease that is being taken, before it is written. What a former holder left is cleared away.
    pub(super) fn hold(&self, lease: &Lease, former: Option<&Lease>) {
        let Some(path) = self.path(&lease.scope, lease.epoch) else { return };
        // Without a lock a lease is good all the same; a dead holder's is then watched for its term.
        if let Ok(file) = File::create(path)
            && file.try_lock().is_ok()
        {
            self.held().insert(lease.scope.clone(), (lease.epoch, file));
        }
        if let Some(path) = former.and_then(|former| self.path(&former.scope, former.epoch)) {
            let _ = std::fs::remove_file(path);
        }
    }

    /// Drops the lock of a lease that was given back, or never came to be.
    pub(super) fn drop_for(&self, scope: &Scope, epoch: u64) {
        let mut held = self.held();
        if held.get(scope).is_some_and(|(locked, _)| *locked == epoch) {
            held.remove(scope);
            if let Some(path) = self.path(scope, epoch) {
                let _ = std::fs::remove_file(path);
            }
        }
    }
}

pub(super) fn current(connection: &Connection, scope: &Scope) -> Result<Option<Lease>, StoreError> {
    connection
        .prepare_cached(
            "select run, owner, epoch, until_ms, lasts_ms, renewals from holders where scope = ?1",
        )
        .and_then(|mut query| {
            let lease = query.query_row([scope.to_string()], |row| {
                Ok(Lease {
                    scope: scope.clone(),
                    run: RunId(row.get(0)?),
                    owner: row.get(1)?,
                    epoch: to_u64(row.get(2)?),
                    until: Moment::from_millis(row.get(3)?),
                    lasts: Span::from_millis(to_u64(row.get(4)?)),
                    renewals: to_u64(row.get(5)?),
                })
            });
            lease.optional()
        })
        .map_err(unavailable)
}

pub(super) fn put(transaction: &Transaction<'_>, lease: &Lease) -> Result<(), StoreError> {
    transaction
        .prepare_cached(
            "insert or replace into holders (scope, run, owner, epoch, until_ms, lasts_ms, renewals)
             values (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )
        .and_then(|mut put| {
            put.execute(params![
                lease.scope.to_string(),
                lease.run.0,
                lease.owner,
                to_i64(lease.epoch),
                lease.until.as_millis(),
                to_i64(lease.lasts.as_millis()),
                to_i64(lease.renewals)
            ])
        })
        .map(drop)
        .map_err(unavailable)
}

/// Whoever does not hold the newest lease may write nothing.
pub(super) fn check(transaction: &Transaction<'_>, lease: &Lease) -> Result<(), StoreError> {
    let current = current(transaction, &lease.scope)?;
    if current.is_some_and(|current| current.epoch == lease.epoch && current.run == lease.run) {
        Ok(())
    } else {
        Err(StoreError::Fenced { blueprint: lease.scope.blueprint.clone() })
    }
}
