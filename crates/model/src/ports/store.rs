//! Where the record, the lease and the decisions are kept: the port, and what crosses it.
//!
//! **Invariant:** what is written beside a lease (decisions, messages, blobs) never moves, fences or uses up anything of a run.

use std::collections::BTreeSet;
use std::fmt;

use futures::FutureExt;
use futures::future::BoxFuture;

use crate::checkpoint::{BlobKey, Checkpoint};
use crate::inbox::{Message, Request};
use crate::journal::{Entry, Event, regions_of};
use crate::overlay::{Decided, Decision, DecisionKey, Decisions};
use crate::scope::{Home, RecordId, Scope};
use rgctl_schema::names::{BlueprintName, RegionId, RunId};
use rgctl_schema::time::{Moment, Span};

/// Decisions that are kept as lines, the newest: what stands is kept whole, whenever it was decided.
pub const KEPT_DECISIONS: u64 = 1_000;
/// Decisions that may stand at a time for one scope: more than the axes of a large blueprint, and little enough to be read
/// each turn.
pub const STANDING_MAX: usize = 1_000;
/// The largest decision, in bytes as it is kept: room for a long reason.
pub const DECISION_BYTES_MAX: usize = 4 * 1024;

/// Permission to work on a blueprint in an account, for one process at a time.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Lease {
    /// For what.
    pub scope: Scope,
    /// Which run holds it.
    pub run: RunId,
    /// Who holds it: user, host, process.
    pub owner: String,
    /// Counts the holders. What a former holder writes carries an older number and is refused.
    pub epoch: u64,
    /// When its holder wants it to end, by the holder's own clock, which is compared with no other; the epoch once it was
    /// given back.
    pub until: Moment,
    /// How long it lasts without being renewed: whoever wants it watches it for so long.
    #[serde(default = "one_minute")]
    pub lasts: Span,
    /// How often it was renewed, so that no two renewals leave the same lease.
    #[serde(default)]
    pub renewals: u64,
}

/// How long leases of versions lasted that did not write it down.
const fn one_minute() -> Span {
    Span::from_mins(1)
}

impl Lease {
    /// Whether its holder gave it back.
    pub fn is_given_back(&self) -> bool {
        self.until == Moment::EPOCH
    }

    /// Whether it may be taken for a run by somebody: it was given back, it is theirs already, or it is still what was watched
    /// for its term. A run lives in the record, so that several may want to go on with it: the same run is not enough.
    pub fn is_free_for(&self, run: &RunId, owner: &str, watched: Option<&Self>) -> bool {
        self.is_given_back() || (self.run == *run && self.owner == owner) || watched == Some(self)
    }

    /// The lease that follows upon another, or upon none.
    #[must_use]
    pub fn after(self, last: Option<&Self>) -> Self {
        Self { epoch: last.map_or(0, |last| last.epoch) + 1, renewals: 0, ..self }
    }

    /// The same lease, renewed.
    #[must_use]
    pub fn renewed(&self, now: Moment, lasts: Span) -> Self {
        Self { until: now + lasts, lasts, renewals: self.renewals + 1, ..self.clone() }
    }

    /// The same lease, given back.
    #[must_use]
    pub fn given_back(&self) -> Self {
        Self { until: Moment::EPOCH, ..self.clone() }
    }
}

/// A chain of lines that a store keeps for a scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chain {
    /// What was done.
    Record,
    /// Messages to whoever holds the lease.
    Inbox,
    /// Overlays and regions held out.
    Decisions,
}

impl fmt::Display for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Record => "record",
            Self::Inbox => "inbox",
            Self::Decisions => "log of decisions",
        })
    }
}

/// What goes wrong with a store.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Somebody else holds the lease, or may still hold it.
    #[error("{} works on {}", lease.owner, lease.scope.blueprint)]
    Held {
        /// The lease as it stands.
        lease: Box<Lease>,
    },
    /// Somebody else took the lease, or wrote to the record first: this run must stop at once.
    #[error("another run has taken over {blueprint}")]
    Fenced {
        /// Of which blueprint.
        blueprint: BlueprintName,
    },
    /// Somebody else decided about the same first: look again, then decide.
    #[error("somebody else decided about {key} of {blueprint} first")]
    Decided {
        /// Of which blueprint.
        blueprint: BlueprintName,
        /// About what.
        key: Box<DecisionKey>,
        /// Position of that decision, as [`Decisions::epoch`] tells it.
        epoch: u64,
    },
    /// More than a store keeps.
    #[error("{what}: {size} is more than the {most} that are kept")]
    TooLarge {
        /// What, with its unit.
        what: String,
        /// How much.
        size: usize,
        /// The most.
        most: usize,
    },
    /// A line of a chain was changed, removed or added outside rgctl.
    #[error("the {chain} of {blueprint} is damaged at line {seq}: {why}")]
    Damaged {
        /// Which chain.
        chain: Chain,
        /// Of which blueprint.
        blueprint: BlueprintName,
        /// The first wrong line.
        seq: u64,
        /// What is wrong with it.
        why: String,
    },
    /// The record was moved to another store.
    #[error("the record of {blueprint} was moved to {to}")]
    Moved {
        /// Of which blueprint.
        blueprint: BlueprintName,
        /// To which store.
        to: String,
    },
    /// The store has a record of the scope already, which is another one.
    #[error("there is another record of {scope} already")]
    Taken {
        /// Of what.
        scope: Scope,
    },
    /// The store cannot be read or written.
    #[error("{what}")]
    Unavailable {
        /// Why, and where.
        what: String,
    },
}

impl StoreError {
    /// Refuses what is more than is kept.
    pub fn check_size(what: impl FnOnce() -> String, size: usize, most: usize) -> Result<(), Self> {
        if size > most { Err(Self::TooLarge { what: what(), size, most }) } else { Ok(()) }
    }
}

/// A checkpoint that can be used, if there is one, and the lines after it.
pub type ResumedRecord = (Option<Checkpoint>, Vec<Entry>);

/// Where the record, the lease and the decisions are kept.
pub trait Store: Send + Sync {
    /// Takes the lease when it is free: nobody had it, its holder gave it back or is known to be dead, or it is still
    /// exactly the one that was `watched`, by a clock of this machine, for as long as it lasts. Clocks of two machines are
    /// never compared. Whoever holds it already for that run gets it anew.
    fn take_lease<'a>(
        &'a self,
        scope: &'a Scope,
        run: &'a RunId,
        owner: &'a str,
        now: Moment,
        lasts: Span,
        watched: Option<&'a Lease>,
    ) -> BoxFuture<'a, Result<Lease, StoreError>>;
    /// Holds a lease for longer.
    fn renew_lease<'a>(
        &'a self,
        lease: &'a Lease,
        now: Moment,
        lasts: Span,
    ) -> BoxFuture<'a, Result<Lease, StoreError>>;
    /// The lease as it stands, whoever has it; none where nobody ever had one.
    fn lease<'a>(&'a self, scope: &'a Scope) -> BoxFuture<'a, Result<Option<Lease>, StoreError>>;
    /// Gives a lease back; one that is not ours any more is left alone.
    fn release_lease<'a>(&'a self, lease: &'a Lease) -> BoxFuture<'a, Result<(), StoreError>>;

    /// Adds lines in one go, all or none. Refused when the lease is no longer the current one, or when the record
    /// does not end at `after` any more.
    fn append<'a>(
        &'a self,
        lease: &'a Lease,
        after: u64,
        at: Moment,
        events: &'a [Event],
    ) -> BoxFuture<'a, Result<u64, StoreError>>;
    /// The record after a position, in order, verified.
    fn entries<'a>(&'a self, scope: &'a Scope, after: u64) -> BoxFuture<'a, Result<Vec<Entry>, StoreError>>;
    /// The regions in which something was ever begun, as [`regions_of`] finds them in the whole record.
    ///
    /// A store that keeps them apart need not read the record for it, which grows with every run
    /// ([`Store::keeps_regions`]).
    fn regions<'a>(&'a self, scope: &'a Scope) -> BoxFuture<'a, Result<BTreeSet<RegionId>, StoreError>> {
        self.entries(scope, 0).map(|read| read.map(|entries| regions_of(&entries))).boxed()
    }

    /// Whether it tells the regions without reading the record.
    fn keeps_regions(&self) -> bool {
        false
    }

    /// Identity of the record of a scope, which what is made under it carries in its tags. It is given when it is first
    /// asked for, and never changes.
    fn identity<'a>(&'a self, scope: &'a Scope) -> BoxFuture<'a, Result<RecordId, StoreError>>;
    /// The same for who only reads: nothing where none was given yet.
    ///
    /// A store that has its identity from the start, or that its reader may write to, need not tell the two apart.
    fn known_identity<'a>(&'a self, scope: &'a Scope) -> BoxFuture<'a, Result<Option<RecordId>, StoreError>> {
        self.identity(scope).map(|id| id.map(Some)).boxed()
    }
    /// The accounts in which a blueprint has a record here, or decisions, in order.
    fn homes<'a>(&'a self, blueprint: &'a BlueprintName)
    -> BoxFuture<'a, Result<BTreeSet<Home>, StoreError>>;

    /// Leaves a message for whoever holds the lease, without holding it: nothing of a run is moved, fenced or used up by
    /// it. Yields its position among the messages.
    fn post<'a>(
        &'a self,
        scope: &'a Scope,
        from: &'a str,
        at: Moment,
        what: &'a Request,
    ) -> BoxFuture<'a, Result<u64, StoreError>>;
    /// The messages after a position, in order, verified.
    fn inbox<'a>(&'a self, scope: &'a Scope, after: u64) -> BoxFuture<'a, Result<Vec<Message>, StoreError>>;

    /// The decisions after a position, in order, verified; of those from the first on, the newest [`KEPT_DECISIONS`] only.
    /// What stands is not folded from them: see [`Store::standing`].
    fn decisions<'a>(
        &'a self,
        scope: &'a Scope,
        after: u64,
    ) -> BoxFuture<'a, Result<Vec<Decided>, StoreError>>;
    /// What stands now, verified. Whoever has it goes on with [`Store::decisions`] after its last position, and
    /// [`Decisions::follow`].
    fn standing<'a>(&'a self, scope: &'a Scope) -> BoxFuture<'a, Result<Decisions, StoreError>>;
    /// Makes a decision, provided that the last one about its key is the one that is expected, see [`Decisions::epoch`];
    /// else [`StoreError::Decided`]. Yields the new epoch of the key. No lease is needed: nothing of a run is moved, fenced or
    /// used up by it.
    fn decide<'a>(
        &'a self,
        scope: &'a Scope,
        expected: u64,
        at: Moment,
        what: &'a Decision,
    ) -> BoxFuture<'a, Result<u64, StoreError>>;

    /// Everything of which something is kept: lines, decisions, messages, blobs, or a lease.
    fn scopes(&self) -> BoxFuture<'_, Result<BTreeSet<Scope>, StoreError>>;
    /// Position and digest of the last line of the record; zero and an empty text where there is none. It costs the same
    /// however long the record is.
    fn head<'a>(&'a self, scope: &'a Scope) -> BoxFuture<'a, Result<(u64, String), StoreError>>;

    /// The record from its checkpoint on: the checkpoint, where there is one of that version that is whole and belongs to
    /// these very lines, and the lines after it, verified; else all lines.
    fn resume<'a>(
        &'a self,
        scope: &'a Scope,
        version: u32,
    ) -> BoxFuture<'a, Result<ResumedRecord, StoreError>>;
    /// Puts a checkpoint in the place of the last one.
    fn put_checkpoint<'a>(
        &'a self,
        lease: &'a Lease,
        checkpoint: &'a Checkpoint,
    ) -> BoxFuture<'a, Result<(), StoreError>>;

    /// A memory that somebody keeps, such as a learner; nothing where there is none.
    fn blob<'a>(
        &'a self,
        scope: &'a Scope,
        key: &'a BlobKey,
    ) -> BoxFuture<'a, Result<Option<Vec<u8>>, StoreError>>;
    /// Keeps a memory in the place of the last one of that name. It needs no lease; of two that write at once the last one
    /// counts.
    fn put_blob<'a>(
        &'a self,
        scope: &'a Scope,
        key: &'a BlobKey,
        bytes: &'a [u8],
    ) -> BoxFuture<'a, Result<(), StoreError>>;
}
