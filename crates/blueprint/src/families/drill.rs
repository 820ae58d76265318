//! Which verb moves or exercises the write role of which kind.
//!
//! Goes in: a kind and what is wanted. Comes out: the verb, or nothing where the service has none.

use rgctl_model::kinds::KindId;
use rgctl_model::plan::Verb;
use rgctl_schema::names::{Name, RegionId};

/// What a drill or a recovery wants of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// Another member of the same region writes.
    Failover {
        /// Which; the service chooses when unset.
        to: Option<Name>,
    },
    /// Another region writes, and nothing is lost.
    Switchover {
        /// Which region.
        to: RegionId,
        /// Its member of the global object.
        member: Name,
    },
    /// Another region writes at once, whatever is lost.
    Promote {
        /// Which region.
        to: RegionId,
        /// Its member of the global object.
        member: Name,
    },
}

/// The verb for an object of a kind.
///
/// A global datastore knows one operation for both: it loses what was not replicated, so a switchover of it is no verb.
pub fn drill(kind: KindId, wanted: Wanted) -> Option<Verb> {
    match (kind, wanted) {
        (KindId::AuroraCluster | KindId::DocumentCluster, Wanted::Failover { to }) => {
            Some(Verb::Failover { to })
        }
        (KindId::CacheGroup, Wanted::Failover { .. }) => {
            Some(Verb::TestFailover { shard: FIRST_SHARD.to_owned() })
        }
        (KindId::AuroraGlobal | KindId::DocumentGlobal, Wanted::Switchover { to, member }) => {
            Some(Verb::Switchover { to, member })
        }
        (
            KindId::AuroraGlobal | KindId::DocumentGlobal | KindId::CacheGlobal,
            Wanted::Promote { to, member },
        ) => Some(Verb::FailoverGlobal { to, member }),
        _ => None,
    }
}

/// The number of a cache's first shard, as the service writes it.
const FIRST_SHARD: &str = "0001";
