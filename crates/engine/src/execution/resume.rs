//! What a session begins with: the record, or what was added to it since the turn before.
//!
//! **Invariant:** a run that is open in the record is gone on with by whoever reads it; what is kept is believed only while
//! the record ends where it ended then.

use super::job::{Begins, DriveError, Environment, Job};
use super::session::{CurrentRun, Kept};
use crate::ledger::{self, Ledger};
use rgctl_model::ports::{Store, StoreError};
use rgctl_model::scope::Scope;

/// Begins from the record.
pub(super) async fn begin(
    environment: &Environment<'_>,
    job: &Job<'_>,
    scope: Scope,
) -> Result<Kept, DriveError> {
    let now = environment.clock.now();
    let (mut ledger, checkpointed) = read_from(environment.store, &scope).await?;
    let goes_on = job.begins == Begins::Due && ledger.open_for() == Some(job.purpose);
    let open = ledger.open.clone().filter(|open| goes_on || open.id == *job.run);
    let run = if let Some(open) = open {
        ledger.go_on(job.owner, now);
        CurrentRun::resumed(job, &ledger, &open)
    } else {
        ledger.inherit(now);
        CurrentRun::new(job, &ledger, now)
    };
    ledger.claims.record = Some(environment.store.identity(&scope).await?);
    let decisions = environment.store.standing(&scope).await?;
    let held_out = decisions.held_out();
    Ok(Kept {
        scope,
        ledger,
        checkpointed,
        held_out,
        decisions,
        guard: None,
        run,
        watched: None,
        is_over: false,
    })
}

/// What the record of a scope adds up to: from its checkpoint on, where there is one.
pub async fn read(store: &dyn Store, scope: &Scope) -> Result<Ledger, StoreError> {
    Ok(read_from(store, scope).await?.0)
}

/// The same, with the line at which that checkpoint is.
async fn read_from(store: &dyn Store, scope: &Scope) -> Result<(Ledger, u64), StoreError> {
    let (checkpoint, mut entries) = store.resume(scope, ledger::VERSION).await?;
    let mut ledger = match checkpoint.map(|checkpoint| Ledger::from_checkpoint(&checkpoint)) {
        None => Ledger::default(),
        Some(Some(ledger)) => ledger,
        Some(None) => {
            entries = store.entries(scope, 0).await?;
            Ledger::default()
        }
    };
    let checkpointed = ledger.last_seq;
    ledger.fold(&entries);
    Ok((ledger, checkpointed))
}

/// Whether the record ends where we believe.
pub(super) async fn is_end(store: &dyn Store, kept: &Kept) -> Result<bool, StoreError> {
    let (seq, hash) = store.head(&kept.scope).await?;
    Ok((seq, hash.as_str()) == (kept.ledger.last_seq, kept.ledger.last_hash.as_str()))
}

/// Goes on from the turn before. Without a lease somebody else may have written: then it begins anew.
pub(super) async fn up_to_date(
    environment: &Environment<'_>,
    job: &Job<'_>,
    kept: Box<Kept>,
) -> Result<Box<Kept>, DriveError> {
    if kept.guard.is_some() || is_end(environment.store, &kept).await? {
        return Ok(kept);
    }
    Ok(Box::new(begin(environment, job, kept.scope).await?))
}
