//! ElastiCache: what changing a field of an object does, and how long it lasts.

use super::row::{ChangePath, InGlobal, KindRow, Reduction, Remedy, Shrink, Timing, rows};
use super::shared::{CREATE_AGAIN, PLAIN, minor_may_lead, never_back, same_key, same_window};
use rgctl_model::kinds::elasticache::{
    CacheEngine, ClusterMode, GlobalAttrs, GroupAttrs, ServerlessAttrs, TransitEncryption, UserAttrs,
    UserGroupAttrs,
};
use rgctl_model::kinds::facts::DurationEstimate;
use rgctl_model::kinds::shared::EngineVersion;
use serde_json::Value;

/// Global datastores.
/// Tags: ElastiCache API reference, `RemoveTagsFromResource`, whose resources are no global datastores.
pub(super) const GLOBAL: KindRow = KindRow {
    timing: Timing { create: DurationEstimate::new(1_200, 3_600), ..GROUP_TIMING },
    keeps_tags: true,
    ..PLAIN
};

/// Replication groups.
pub(super) const GROUP: KindRow =
    KindRow { timing: GROUP_TIMING, takes_failover: true, remedies: REMEDIES, ..PLAIN };

/// Serverless caches.
pub(super) const SERVERLESS: KindRow = KindRow { timing: LIGHT_TIMING, remedies: REMEDIES, ..PLAIN };

/// Users and user groups.
pub(super) const USER: KindRow = KindRow { timing: LIGHT_TIMING, ..PLAIN };

const REMEDIES: &[Remedy] = &[Remedy("create-failed", CREATE_AGAIN)];

rows! {
    /// An ElastiCache global datastore.
    GLOBAL_ROWS of GlobalAttrs {
        source => Replace;
        source_region => Replace;
        description => InPlace { lowers: Reduction::Nothing };
    }

    /// An ElastiCache replication group.
    GROUP_ROWS of GroupAttrs {
        engine => Failover { alone: true, with: "engine_version", way: way_of_engine, common: true };
        engine_version => Failover {
            same: minor_may_lead, alone: true, with: "parameter_group", way: way_of_version, common: true
        };
        node_type => Failover { alone: true, way: way_of_node_type, common: true };
        shards => Online { alone: true, shrink: Shrink::BoundByUse, common: true, lowers: Reduction::Less };
        replicas_per_shard => InPlace { alone: true, lowers: Reduction::Less };
        cluster_mode => Online { alone: true, way: way_of_mode, lowers: Reduction::Any };
        automatic_failover => InPlace { lowers: Reduction::Less };
        multi_az => InPlace { lowers: Reduction::Less };
        transit_encryption => InPlace {
            alone: true, in_global: InGlobal::Fixed, way: way_of_encryption, lowers: Reduction::By(refuses_or_weakens),
        };
        at_rest_encryption => Replace;
        kms_key => Replace { same: same_key };
        subnet_group => Replace;
        security_groups => InPlace { lowers: Reduction::Less };
        // The service copies the group of the primary, for all members.
        parameter_group => InPlace { in_global: InGlobal::Service, lowers: Reduction::Any, alone: true };
        user_group => InPlace { none: no_group, alone: true, lowers: Reduction::Any };
        snapshot_retention_days => InPlace { lowers: Reduction::Less };
        snapshot_window => InPlace { same: same_window, lowers: Reduction::Nothing };
        maintenance_window => InPlace { same: same_window, lowers: Reduction::Nothing };
        port => Replace;
        data_tiering => Replace;
        global => Replace;
    }

    /// An ElastiCache serverless cache.
    SERVERLESS_ROWS of ServerlessAttrs {
        engine => InPlace { alone: true, lowers: Reduction::Any };
        major_engine_version => InPlace { alone: true, lowers: Reduction::Any };
        // The service takes one change a call; the limits of one measure are a single one.
        data_max_gib => InPlace { shrink: Shrink::BoundByUse, alone: true, with: "data_min_gib", lowers: Reduction::Less };
        data_min_gib => InPlace { alone: true, with: "data_max_gib", lowers: Reduction::Less };
        ecpu_max_per_second => InPlace { alone: true, with: "ecpu_min_per_second", lowers: Reduction::Less };
        ecpu_min_per_second => InPlace { alone: true, with: "ecpu_max_per_second", lowers: Reduction::Less };
        kms_key => Replace { same: same_key };
        subnets => Replace;
        security_groups => InPlace { alone: true, lowers: Reduction::Less };
        user_group => InPlace { alone: true, lowers: Reduction::Any };
        snapshot_retention_days => InPlace { alone: true, lowers: Reduction::Less };
        daily_snapshot_time => InPlace { alone: true, lowers: Reduction::Nothing };
    }

    /// A user of caches; it authenticates by IAM, so that no password exists.
    USER_ROWS of UserAttrs {
        engine => Replace;
        user_name => Replace;
        access => InPlace { lowers: Reduction::Any };
    }

    /// A set of users that a cache lets in.
    USER_GROUP_ROWS of UserGroupAttrs {
        engine => Replace;
        users => InPlace { lowers: Reduction::Less };
    }
}

/// The one pair of versions between which the service goes back from Valkey to Redis OSS.
const ROLLBACK: (&str, &str) = ("7.2", "7.1");

fn way_of_engine(wanted: &GroupAttrs, seen: &GroupAttrs) -> ChangePath {
    let is_version = |attrs: &GroupAttrs, number: &str| {
        attrs.engine_version.as_ref().is_some_and(|version| {
            version.0.strip_prefix(number).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        })
    };
    let goes_back = (wanted.engine, seen.engine) == (Some(CacheEngine::Redis), Some(CacheEngine::Valkey));
    if goes_back && !(is_version(seen, ROLLBACK.0) && is_version(wanted, ROLLBACK.1)) {
        ChangePath::Anew
    } else {
        ChangePath::Direct
    }
}

fn way_of_version(wanted: &GroupAttrs, seen: &GroupAttrs) -> ChangePath {
    // Versions of two engines say nothing about each other; the way of the engine is judged by its own row.
    if wanted.engine == seen.engine {
        never_back(wanted.engine_version.as_ref(), seen.engine_version.as_ref())
    } else {
        ChangePath::Direct
    }
}

/// No node type with data on disk becomes one without in place, nor the other way round (ElastiCache guide, "Data tiering").
fn way_of_node_type(wanted: &GroupAttrs, seen: &GroupAttrs) -> ChangePath {
    let is_tiered = |attrs: &GroupAttrs| {
        attrs
            .node_type
            .as_deref()
            .and_then(|class| class.split('.').nth(1))
            .is_some_and(|family| family.ends_with("gd"))
    };
    if is_tiered(wanted) == is_tiered(seen) { ChangePath::Direct } else { ChangePath::Anew }
}

fn way_of_mode(wanted: &GroupAttrs, seen: &GroupAttrs) -> ChangePath {
    match (wanted.cluster_mode, seen.cluster_mode) {
        (Some(ClusterMode::Enabled), Some(ClusterMode::Disabled)) => {
            serde_json::to_value(ClusterMode::Compatible).map_or(ChangePath::Direct, ChangePath::Through)
        }
        (Some(ClusterMode::Disabled | ClusterMode::Compatible), Some(ClusterMode::Enabled)) => {
            ChangePath::Anew
        }
        _ => ChangePath::Direct,
    }
}

#[allow(clippy::ptr_arg, reason = "the table's `none` column looks at values of the field's own type")]
fn no_group(wanted: &String) -> bool {
    wanted.is_empty()
}

/// On and off by way of `preferred`, from Redis OSS 7 and Valkey on; not while users are bound to the cache, who connect with TLS
/// alone: they go before (ElastiCache guide, "Enabling in-transit encryption"; API reference, `ModifyReplicationGroup`).
fn way_of_encryption(wanted: &GroupAttrs, seen: &GroupAttrs) -> ChangePath {
    use TransitEncryption::{Disabled, Preferred, Required};
    let (Some(to), Some(from)) = (wanted.transit_encryption, seen.transit_encryption) else {
        return ChangePath::Direct;
    };
    // A newer version is asked for before.
    let newest = wanted.engine_version.as_ref().or(seen.engine_version.as_ref());
    let is_old = wanted.engine.or(seen.engine) == Some(CacheEngine::Redis)
        && newest.is_some_and(|version| version.compare(&EngineVersion("7".to_owned())).is_lt());
    let is_bound = |attrs: &GroupAttrs| attrs.user_group.as_ref().is_some_and(|users| !users.is_empty());
    let stays_bound = wanted.user_group.is_none() && is_bound(seen);
    if is_old || to == Disabled && (is_bound(wanted) || stays_bound) {
        return ChangePath::Anew;
    }
    match (to, from) {
        (Required, Disabled) | (Disabled, Required) => {
            serde_json::to_value(Preferred).map_or(ChangePath::Direct, ChangePath::Through)
        }
        _ => ChangePath::Direct,
    }
}

/// Each end refuses connections that the other one takes; the way from `true` takes them unencrypted again.
fn refuses_or_weakens(before: &Value, after: &Value) -> bool {
    after.is_boolean() || *before != Value::Bool(false)
}

/// Replication groups; node types change replica by replica, the primary last, by a failover of seconds.
const GROUP_TIMING: Timing = Timing {
    create: DurationEstimate::new(480, 1_200),
    delete: DurationEstimate::new(480, 900),
    in_place: DurationEstimate::new(420, 900),
    online: DurationEstimate::new(1_800, 7_200),
    restart: DurationEstimate::new(600, 1_200),
    restart_outage: DurationEstimate::new(30, 60),
    failover: DurationEstimate::new(900, 2_400),
    failover_outage: DurationEstimate::new(6, 20),
    resize: DurationEstimate::new(1_800, 7_200),
};

/// Serverless caches, users and user groups.
const LIGHT_TIMING: Timing = Timing {
    create: DurationEstimate::new(60, 180),
    delete: DurationEstimate::new(60, 180),
    in_place: DurationEstimate::new(30, 120),
    online: DurationEstimate::new(60, 180),
    restart: DurationEstimate::new(60, 180),
    restart_outage: DurationEstimate::new(0, 0),
    failover: DurationEstimate::new(60, 180),
    failover_outage: DurationEstimate::new(0, 0),
    resize: DurationEstimate::new(60, 180),
};
