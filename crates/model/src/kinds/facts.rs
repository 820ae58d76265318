//! What the generic code must know about a kind beside its fields.

use serde::{Deserialize, Serialize};

use rgctl_schema::phase::Phase;
use rgctl_schema::time::Span;

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
    /// Secrets Manager.
    SecretsManager,
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
pub struct DurationEstimate {
    /// Half of all cases are done after this many seconds.
    pub median_s: u32,
    /// All but one in twenty are done after this many seconds.
    pub p95_s: u32,
}

impl DurationEstimate {
    /// Median and 95th percentile in seconds.
    pub const fn new(median_s: u32, p95_s: u32) -> Self {
        Self { median_s, p95_s }
    }
    /// One after the other. Adding percentiles overstates the tail a little, which is the safe side.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self::new(self.median_s.saturating_add(other.median_s), self.p95_s.saturating_add(other.p95_s))
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
    /// Only ever observed: no call of the engine makes, changes or removes it by itself.
    pub observe_only: bool,
    /// The kind has no region of its own: it is visible from every region of its partition.
    pub is_global: bool,
    /// Every status word that the service documents.
    pub statuses: &'static [Status],
}
