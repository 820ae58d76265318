//! What is wrong with an in-memory section.

use super::{
    RequiredFeature, Resilience, StoreContext, at_most, known_logs, numbers, one_shape, second_copy,
};
use crate::families::common::CachePattern;
use crate::families::elasticache::{CacheStore, Eviction};
use rgctl_model::kinds::elasticache::{CacheEngine, ClusterMode};
use rgctl_schema::codes;
use rgctl_schema::diagnostic::Finding;
use rgctl_schema::time::Span;

/// Secondary regions of a global datastore (ElastiCache guide, 2026-04; so are the limits below).
const SECONDARIES_MAX: u32 = 2;
/// Replicas of a shard.
const REPLICAS_MAX: u32 = 5;
/// Shards, and nodes in all, after an increase on request.
const SHARDS_MAX: u32 = 500;
/// Nodes of one cluster by default.
const NODES_QUOTA: u32 = 90;
/// Families whose nodes, large and above, can be members of a global datastore.
const GLOBAL_FAMILIES: [&str; 8] = ["m5", "m6g", "m7g", "r5", "r6g", "r6gd", "r7g", "c7gn"];
/// Sizes below `large`.
const SMALL_SIZES: [&str; 4] = ["nano", "micro", "small", "medium"];

pub(super) fn needs(store: &CacheStore, replicated: bool) -> Vec<RequiredFeature> {
    let mut out = Vec::new();
    if replicated {
        out.push(RequiredFeature {
            feature: "global-datastore",
            what: "replication between regions",
            field: "global",
            instead: "write `global: false`, or choose another region",
        });
    }
    if store.serverless.is_some() {
        out.push(RequiredFeature {
            feature: "serverless",
            what: "serverless capacity",
            field: "serverless",
            instead: "leave `serverless` out to have nodes derived",
        });
    }
    if store.data_tiering {
        out.push(RequiredFeature {
            feature: "data-tiering-r6gd",
            what: "data tiering",
            field: "dataTiering",
            instead: "write `dataTiering: false`",
        });
    }
    out
}

/// A replica takes over within a minute; without one, a node is replaced in about ten. A promotion between regions is a
/// matter of minutes, its lag typically below a second (ElastiCache guide). Snapshots are taken daily.
pub(super) fn resilience(store: &CacheStore) -> Resilience {
    let alone = store.replicas_per_shard.is_some_and(|replicas| replicas.max == 0);
    let rebuilt = store
        .cache
        .as_ref()
        .is_some_and(|cache| !matches!(cache.pattern, CachePattern::Primary | CachePattern::WriteBehind));
    Resilience {
        failover: if alone { Span::from_mins(10) } else { Span::from_secs(60) },
        takeover: Span::from_mins(3),
        takeover_loss: Span::ZERO,
        restore_loss: if rebuilt { None } else { Some(Span::from_hours(24)) },
    }
}

pub(super) fn check(store: &CacheStore, at: &str, around: &StoreContext<'_>, found: &mut Vec<Finding>) {
    let why = "a shard has at most 5 replicas; more reads are served by more shards";
    found.extend(at_most(store.replicas_per_shard, REPLICAS_MAX, "replicasPerShard", why, at));
    let why = "a cluster has at most 500 shards; split the data over two stores";
    found.extend(at_most(store.shards, SHARDS_MAX, "shards", why, at));
    found.extend(second_copy(store.replicas_per_shard, "replicasPerShard", "a replica", at, around));
    for (field, given) in [
        ("class", store.class.is_some()),
        ("shards", store.shards.is_some()),
        ("replicasPerShard", store.replicas_per_shard.is_some()),
    ] {
        found.extend(one_shape(given && store.serverless.is_some(), field, at));
    }
    shards(store, at, found);
    global(store, at, around, found);
    cache(store, at, found);
    transport(store, at, found);
    if store.data_tiering && store.class.as_deref().is_some_and(|class| !class.contains(".r6gd.")) {
        found.push(
            Finding::error(
                codes::FEATURE_VERSION,
                format!("{at}.dataTiering"),
                "data tiering needs nodes with disks",
            )
            .help("take a class of the family `cache.r6gd`, or leave `class` out"),
        );
    }
    let parameters = store.serverless.is_some() && !store.parameters.is_empty();
    super::without_effect(parameters, "parameters", "a serverless cache has no groups of them", at, found);
    super::without_effect(!store.logs.is_empty(), "logs", "set the delivery of logs up by hand", at, found);
    known_logs(&store.logs, &["slow-log", "engine-log"], store.engine.as_str(), at, found);
}

fn shards(store: &CacheStore, at: &str, found: &mut Vec<Finding>) {
    let Some(shards) = store.shards else { return };
    if shards.min == 0 {
        found.push(
            Finding::error(codes::OUT_OF_BOUNDS, format!("{at}.shards.min"), "there is at least one shard")
                .help("write 1"),
        );
    }
    if shards.max > 1 && store.cluster_mode == Some(ClusterMode::Disabled) {
        found.push(
            Finding::error(
                codes::CLUSTER_MODE,
                format!("{at}.clusterMode"),
                format!("up to {} shards need cluster mode", shards.max),
            )
            .label("one shard only")
            .help("write `clusterMode: enabled`, or `shards: 1`"),
        );
    }
    let replicas = store.replicas_per_shard.map_or(1, |replicas| replicas.max);
    let nodes = shards.max.saturating_mul(replicas.saturating_add(1));
    if shards.max <= SHARDS_MAX && replicas <= REPLICAS_MAX && nodes > SHARDS_MAX {
        found.push(
            Finding::error(
                codes::SIZE_LIMIT,
                format!("{at}.shards.max"),
                format!(
                    "{} shards with {replicas} replicas each are {nodes} nodes, the service allows 500",
                    shards.max
                ),
            )
            .help(format!("write at most {} shards", SHARDS_MAX / (replicas + 1))),
        );
    } else if nodes > NODES_QUOTA && nodes <= SHARDS_MAX {
        found.push(
            Finding::warning(
                codes::QUOTA_LIMIT,
                format!("{at}.shards.max"),
                format!(
                    "{} shards with {replicas} replicas each are {nodes} nodes, the default quota is 90",
                    shards.max
                ),
            )
            .help("have the quota raised in every region of the store before it is needed"),
        );
    }
}

fn global(store: &CacheStore, at: &str, around: &StoreContext<'_>, found: &mut Vec<Finding>) {
    let secondaries = around.secondaries();
    if secondaries == 0 {
        return;
    }
    if secondaries > SECONDARIES_MAX {
        found.push(super::too_many(secondaries, SECONDARIES_MAX, at));
    }
    if store.serverless.is_some() {
        found.push(
            Finding::error(
                codes::GLOBAL_SHAPE,
                format!("{at}.serverless"),
                "serverless capacity cannot be replicated to another region",
            )
            .help("write `global: false`, or leave `serverless` out"),
        );
    }
    let Some(class) = store.class.as_deref() else { return };
    let mut parts = class.split('.').skip(1);
    let (family, size) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    if !GLOBAL_FAMILIES.contains(&family) || SMALL_SIZES.contains(&size) {
        found.push(
            Finding::error(
                codes::GLOBAL_SHAPE,
                format!("{at}.class"),
                format!("`{class}` cannot be a member of a global datastore"),
            )
            .label("not of a family that can be replicated, or too small")
            .help(format!(
                "take `large` or more of one of: {}; or write `global: false`",
                GLOBAL_FAMILIES.join(", ")
            )),
        );
    }
}

fn cache(store: &CacheStore, at: &str, found: &mut Vec<Finding>) {
    let Some(cache) = &store.cache else { return };
    let mut contradiction = |field: &str, message: &str, help: &str| {
        found.push(
            Finding::error(codes::CACHE_PATTERN, format!("{at}.cache.{field}"), message.to_owned())
                .help(help.to_owned()),
        );
    };
    let primary = cache.pattern == CachePattern::Primary;
    if primary && cache.hit_ratio.is_some() {
        contradiction(
            "hitRatio",
            "there is no origin, so every read is a hit or finds nothing",
            "remove `hitRatio`",
        );
    }
    if primary && cache.origin.is_some() {
        contradiction(
            "origin",
            "`pattern: primary` means that there is no origin",
            "remove `origin`, or name the pattern by which it is read",
        );
    }
    if primary && cache.eviction.is_some_and(|eviction| eviction != Eviction::Noeviction) {
        contradiction(
            "eviction",
            "data that lives only here would be dropped when memory is full",
            "write `eviction: noeviction`",
        );
    }
    let unsafe_copy = store.replicas_per_shard.is_some_and(|replicas| replicas.min == 0);
    if cache.pattern == CachePattern::WriteBehind && unsafe_copy {
        contradiction(
            "pattern",
            "confirmed writes that have not reached the origin die with their node",
            "let `replicasPerShard` begin at 1, or write another pattern",
        );
    }
}

fn transport(store: &CacheStore, at: &str, found: &mut Vec<Finding>) {
    if !store.tls {
        let needs = if store.serverless.is_some() {
            Some("serverless capacity is reached by TLS only")
        } else if store.users.is_empty() {
            None
        } else {
            Some("users with rights of their own need TLS")
        };
        let message = needs.unwrap_or("keys, values and tokens travel in clear text");
        let path = format!("{at}.tls");
        let finding = if needs.is_some() {
            Finding::error(codes::NO_TRANSPORT_ENCRYPTION, path, message)
        } else {
            Finding::warning(codes::NO_TRANSPORT_ENCRYPTION, path, message)
        };
        found.push(finding.help("write `tls: true`, or leave it out"));
    }
    let old = store
        .version
        .as_deref()
        .is_some_and(|version| numbers(version).first().is_some_and(|major| *major < 6));
    if old && store.engine == CacheEngine::Redis && !store.users.is_empty() {
        found.push(
            Finding::error(
                codes::FEATURE_VERSION,
                format!("{at}.version"),
                "users with rights of their own need version 6",
            )
            .help("leave `version` out to take the newest"),
        );
    }
}
