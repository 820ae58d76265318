//! Whole records: those from the time before accounts, and those that move from one store to another.

use std::collections::BTreeMap;

use futures::future::BoxFuture;

use super::{Lease, Store, StoreError};
use crate::checkpoint::{BlobKey, Checkpoint};
use crate::inbox::Message;
use crate::journal::Entry;
use crate::overlay::{Decided, Decisions};
use crate::scope::{RecordId, Scope};
use rgctl_schema::time::Moment;

/// A record with all that belongs to it, as it goes from one store to another.
#[derive(Clone, Debug, PartialEq)]
pub struct WholeRecord {
    /// Its identity, which is in the tags of what was made under it: it goes with the record.
    pub identity: RecordId,
    /// Its lines, verified.
    pub entries: Vec<Entry>,
    /// Its decisions, as far as they are kept as lines, verified.
    pub decisions: Vec<Decided>,
    /// What stands after them.
    pub standing: Decisions,
    /// Messages to its holders, verified.
    pub messages: Vec<Message>,
    /// Its checkpoint, whatever its version.
    pub checkpoint: Option<Checkpoint>,
    /// The memories that are kept beside it.
    pub blobs: BTreeMap<BlobKey, Vec<u8>>,
}

impl WholeRecord {
    /// A record with nothing beside its lines.
    pub fn of_lines(identity: RecordId, entries: Vec<Entry>) -> Self {
        Self {
            identity,
            entries,
            decisions: Vec::new(),
            standing: Decisions::default(),
            messages: Vec::new(),
            checkpoint: None,
            blobs: BTreeMap::new(),
        }
    }
}

/// A store whose records can be moved.
pub trait Archive: Store {
    /// The record of a blueprint that is kept under its name only, by a version that knew no accounts, and that no account
    /// has claimed; nothing where there is none.
    fn old_entries<'a>(&'a self, scope: &'a Scope) -> BoxFuture<'a, Result<Vec<Entry>, StoreError>>;

    /// Gives that record to a scope, which has none yet, once and for good.
    fn claim<'a>(&'a self, scope: &'a Scope, now: Moment) -> BoxFuture<'a, Result<(), StoreError>>;

    /// A record with all that belongs to it, verified.
    fn whole<'a>(&'a self, scope: &'a Scope) -> BoxFuture<'a, Result<WholeRecord, StoreError>>;

    /// Takes a record in that comes from another store. What is there already has to be the beginning of it,
    /// of its decisions and of its messages, too.
    fn take_in<'a>(
        &'a self,
        scope: &'a Scope,
        record: &'a WholeRecord,
    ) -> BoxFuture<'a, Result<(), StoreError>>;

    /// Says where a record went, so that nothing is begun here any more: two stores with one identity would each take the
    /// other's objects for its own.
    fn close<'a>(&'a self, lease: &'a Lease, to: &'a str) -> BoxFuture<'a, Result<(), StoreError>>;
}
