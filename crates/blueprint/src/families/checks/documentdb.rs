//! What is wrong with a document section.

use super::{
    RequiredFeature, Resilience, StoreContext, at_most, capacity, known_logs, numbers, one_shape, second_copy,
};
use crate::families::documentdb::DocumentStore;
use rgctl_model::kinds::aurora::StorageKind;
use rgctl_schema::codes;
use rgctl_schema::diagnostic::Finding;
use rgctl_schema::time::Span;

/// Secondary clusters of a global cluster (API reference, 2026).
const SECONDARIES_MAX: u32 = 10;
/// Replicas of a cluster; a primary has one fewer for each secondary region (DocumentDB guide).
const READERS_MAX: u32 = 15;
/// Replicas of a secondary (same source).
const SECONDARY_READERS_MAX: u32 = 16;
/// Most serverless capacity (same source).
const DCU_MAX: u32 = 256;

pub(super) fn needs(store: &DocumentStore, replicated: bool) -> Vec<RequiredFeature> {
    let mut out = vec![RequiredFeature {
        feature: "available",
        what: "this service",
        field: "engine",
        instead: "choose another region or another engine",
    }];
    if replicated {
        out.push(RequiredFeature {
            feature: "global-clusters",
            what: "replication between regions",
            field: "global",
            instead: "write `global: false` with `objectives` of its own, or choose another region",
        });
    }
    if store.serverless.is_some() {
        out.push(RequiredFeature {
            feature: "serverless",
            what: "serverless capacity",
            field: "serverless",
            instead: "give a `class`, or leave both out to have one derived",
        });
    }
    out
}

/// Failover takes about half a minute with a replica, the rebuilding of a lone writer minutes; a secondary region takes
/// over in about a minute (DocumentDB guide).
pub(super) fn resilience(store: &DocumentStore) -> Resilience {
    let alone = store.readers.is_some_and(|readers| readers.max == 0);
    Resilience {
        failover: if alone { Span::from_mins(10) } else { Span::from_secs(60) },
        takeover: Span::from_mins(3),
        takeover_loss: Span::ZERO,
        restore_loss: Some(Span::from_mins(5)),
    }
}

pub(super) fn check(store: &DocumentStore, at: &str, around: &StoreContext<'_>, found: &mut Vec<Finding>) {
    let secondaries = around.secondaries();
    let readers = READERS_MAX.saturating_sub(secondaries);
    let why = format!("a primary has 15 replicas, less one for each secondary region (here {secondaries})");
    found.extend(at_most(store.readers, readers, "readers", &why, at));
    let why = "a secondary region has at most 16 replicas";
    found.extend(at_most(store.secondary_readers, SECONDARY_READERS_MAX, "secondaryReaders", why, at));
    found.extend(second_copy(store.readers, "readers", "a replica", at, around));
    found.extend(one_shape(store.class.is_some() && store.serverless.is_some(), "class", at));
    if secondaries > SECONDARIES_MAX {
        found.push(super::too_many(secondaries, SECONDARIES_MAX, at));
    }
    if let Some(serverless) = &store.serverless {
        let range = (serverless.min_dcu, serverless.max_dcu);
        found.extend(capacity(range, ("minDcu", "maxDcu"), DCU_MAX, at));
    }
    if let Some(class) = store.class.as_deref().filter(|class| secondaries > 0 && class.starts_with("db.t")) {
        found.push(
            Finding::error(
                codes::GLOBAL_SHAPE,
                format!("{at}.class"),
                format!("`{class}` cannot be a member of a global cluster"),
            )
            .label("a burstable class")
            .help("take a memory-optimized class such as `db.r6g.large`, or write `global: false`"),
        );
    }
    // Serverless and I/O-optimized storage came with 5.0, global clusters with 4.0 (DocumentDB guide).
    let asked = if store.serverless.is_some() {
        Some(("serverless capacity", 5))
    } else if store.storage == Some(StorageKind::IoOptimized) {
        Some(("I/O-optimized storage", 5))
    } else {
        (secondaries > 0).then_some(("a global cluster", 4))
    };
    let major = store.version.as_deref().and_then(|version| numbers(version).first().copied());
    if let (Some((what, least)), Some(major)) = (asked, major)
        && major < least
    {
        found.push(
            Finding::error(
                codes::FEATURE_VERSION,
                format!("{at}.version"),
                format!("{what} needs version {least}.0"),
            )
            .help("leave `version` out to take the newest"),
        );
    }
    super::authority(store.certificate_authority.as_deref(), at, around, found);
    known_logs(&store.logs, &["audit", "profiler"], store.engine.as_str(), at, found);
}
