//! What the generic code must know about a kind beside its fields.

use serde::{Deserialize, Serialize};

use crate::vocabulary::phase::Phase;
use crate::vocabulary::table::Change;
use crate::vocabulary::time::Span;

use super::KindId;

/// Control plane that answers for a kind. Calls to one endpoint share one rate budget per account and region.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Endpoint {
    /// Aurora and DocumentDB: the same host and the same budget.
    Rds,
    /// ElastiCache.
    ElastiCache,
    /// Redshift clusters.
    Redshift,
    /// Redshift Serverless.
    RedshiftServerless,
}

/// One status word and what it means.
#[derive(Clone, Copy, Debug)]
pub struct Status(pub &'static str, pub Meaning);

/// Meaning of a status word, as a phase without its text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// Gone.
    Absent,
    /// Being made.
    Creating,
    /// Serves and takes changes.
    Ready,
    /// Refuses changes, serves clients.
    BusyServing,
    /// Refuses changes, clients are interrupted.
    BusyDown,
    /// Stopped on purpose.
    Stopped,
    /// Going away.
    Deleting,
    /// Needs action.
    Failed,
}

impl Meaning {
    /// The phase for a status word of this meaning.
    pub fn phase(self, word: &str) -> Phase {
        match self {
            Self::Absent => Phase::Absent,
            Self::Creating => Phase::Creating,
            Self::Ready => Phase::Ready,
            Self::BusyServing => Phase::Busy { serves: true },
            Self::BusyDown => Phase::Busy { serves: false },
            Self::Stopped => Phase::Stopped,
            Self::Deleting => Phase::Deleting,
            Self::Failed => Phase::Failed(word.to_owned()),
        }
    }
}

/// How long something usually takes: median and 95th percentile in seconds, of a log-normal distribution.
///
/// The figures are planning values gathered from the services' guides where these give one, and from experience
/// otherwise; a plan shows the median as "expected".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lasts {
    /// Half of all cases are done after this many seconds.
    pub median_s: u32,
    /// All but one in twenty are done after this many seconds.
    pub p95_s: u32,
}

impl Lasts {
    /// Median and 95th percentile in seconds.
    pub const fn new(median_s: u32, p95_s: u32) -> Self {
        Self { median_s, p95_s }
    }
    /// The median.
    pub const fn median(self) -> Span {
        Span::from_secs(self.median_s as u64)
    }
    /// The 95th percentile.
    pub const fn p95(self) -> Span {
        Span::from_secs(self.p95_s as u64)
    }
}

/// Durations of everything that can happen to an object of a kind.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// From the call until ready.
    pub create: Lasts,
    /// From the call until gone.
    pub delete: Lasts,
    /// A change in place.
    pub in_place: Lasts,
    /// A change with data moving while serving.
    pub online: Lasts,
    /// A change with a restart, as a whole.
    pub restart: Lasts,
    /// The part of it in which the object does not answer.
    pub restart_outage: Lasts,
    /// A change with a failover, as a whole.
    pub failover: Lasts,
    /// The part of a failover in which writes fail.
    pub failover_outage: Lasts,
    /// A change that stops writes for its whole length.
    pub resize: Lasts,
}

impl Timing {
    /// How long a change takes as a whole.
    pub const fn of(&self, change: Change) -> Lasts {
        match change {
            Change::InPlace => self.in_place,
            Change::Online => self.online,
            Change::Restart => self.restart,
            Change::Failover => self.failover,
            Change::Resize => self.resize,
            Change::Replace => self.create,
        }
    }

    /// How long writes fail because of a change to an object that takes writes.
    pub const fn write_outage(&self, change: Change) -> Lasts {
        match change {
            Change::InPlace | Change::Online => Lasts::new(0, 0),
            Change::Restart => self.restart_outage,
            Change::Failover => self.failover_outage,
            Change::Resize => self.resize,
            Change::Replace => self.create,
        }
    }
}

/// What makes an object of a kind a member of another object.
#[derive(Clone, Copy, Debug)]
pub struct Parent {
    /// The field that names the parent.
    pub field: &'static str,
    /// The parent's kind.
    pub kind: KindId,
}

/// What the generic code must know about a kind.
#[derive(Clone, Copy, Debug)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "a row of independent yes-or-no facts, written once per kind by name"
)]
pub struct KindFacts {
    /// Who answers for it.
    pub endpoint: Endpoint,
    /// Whether deleting or replacing it loses data.
    pub holds_data: bool,
    /// The kind of the snapshot that its deletion leaves behind.
    pub final_snapshot: Option<KindId>,
    /// Whose member it is: members of one parent are never disturbed together.
    pub parent: Option<Parent>,
    /// Name of the field that makes the service refuse a deletion.
    pub protection: Option<&'static str>,
    /// Whether a parent's write role can be moved among such members by a failover call.
    pub takes_failover: bool,
    /// Only ever observed: no call of the engine makes, changes or removes it by itself.
    pub observe_only: bool,
    /// The kind has no region of its own: it is visible from every region of its partition.
    pub is_global: bool,
    /// Of a global kind: whether its primary must leave it, too, before it can be deleted.
    pub primary_leaves: bool,
    /// Changes to the object need its members to be ready, and the other way round: one mutation at a time.
    pub exclusive_with_members: bool,
    /// Durations.
    pub timing: Timing,
    /// Every status word that the service documents.
    pub statuses: &'static [Status],
}
