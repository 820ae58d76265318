//! ElastiCache: what changing a field of an object does, and how long it lasts.

use super::row::{KindRow, Lowers, Remedy, Shrink, Timing, Way, rows};
use super::shared::{CREATE_AGAIN, PLAIN, minor_may_lead, never_back, same_key, same_window};
use rgctl_model::kinds::elasticache::{
    CacheEngine, ClusterMode, GlobalAttrs, GroupAttrs, ServerlessAttrs, UserAttrs, UserGroupAttrs,
};
use rgctl_model::kinds::facts::Lasts;

/// Global datastores.
pub(super) const GLOBAL: KindRow =
    KindRow { timing: Timing { create: Lasts::new(1_200, 3_600), ..GROUP_TIMING }, ..PLAIN };

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
        description => InPlace { lowers: Lowers::Nothing };
    }

    /// An ElastiCache replication group.
    GROUP_ROWS of GroupAttrs {
        engine => Failover { alone: true, with: "engine_version", way: way_of_engine };
        engine_version => Failover { same: minor_may_lead, alone: true, way: way_of_version };
        node_type => Failover { alone: true };
        shards => Online { alone: true, shrink: Shrink::BoundByUse, common: true, lowers: Lowers::Less };
        replicas_per_shard => InPlace { alone: true, lowers: Lowers::Less };
        cluster_mode => Online { alone: true, way: way_of_mode, lowers: Lowers::Any };
        automatic_failover => InPlace { lowers: Lowers::Less };
        multi_az => InPlace { lowers: Lowers::Less };
        transit_encryption => Replace;
        at_rest_encryption => Replace;
        kms_key => Replace { same: same_key };
        subnet_group => Replace;
        security_groups => InPlace { lowers: Lowers::Less };
        parameter_group => InPlace { lowers: Lowers::Any };
        user_group => InPlace { alone: true, lowers: Lowers::Any };
        snapshot_retention_days => InPlace { lowers: Lowers::Less };
        snapshot_window => InPlace { same: same_window, lowers: Lowers::Nothing };
        maintenance_window => InPlace { same: same_window, lowers: Lowers::Nothing };
        port => Replace;
        data_tiering => Replace;
        global => Replace;
    }

    /// An ElastiCache serverless cache.
    SERVERLESS_ROWS of ServerlessAttrs {
        engine => InPlace { alone: true, lowers: Lowers::Any };
        major_engine_version => InPlace { alone: true, lowers: Lowers::Any };
        data_max_gib => InPlace { shrink: Shrink::BoundByUse, lowers: Lowers::Less };
        data_min_gib => InPlace { lowers: Lowers::Less };
        ecpu_max_per_second => InPlace { lowers: Lowers::Less };
        ecpu_min_per_second => InPlace { lowers: Lowers::Less };
        kms_key => Replace { same: same_key };
        subnets => Replace;
        security_groups => InPlace { lowers: Lowers::Less };
        user_group => InPlace { lowers: Lowers::Any };
        snapshot_retention_days => InPlace { lowers: Lowers::Less };
        daily_snapshot_time => InPlace { lowers: Lowers::Nothing };
    }

    /// A user of caches; it authenticates by IAM, so that no password exists.
    USER_ROWS of UserAttrs {
        engine => Replace;
        user_name => Replace;
        access => InPlace { lowers: Lowers::Any };
    }

    /// A set of users that a cache lets in.
    USER_GROUP_ROWS of UserGroupAttrs {
        engine => Replace;
        users => InPlace { lowers: Lowers::Less };
    }
}

/// The one pair of versions between which the service goes back from Valkey to Redis OSS.
const ROLLBACK: (&str, &str) = ("7.2", "7.1");

fn way_of_engine(wanted: &GroupAttrs, seen: &GroupAttrs) -> Way {
    let is_version = |attrs: &GroupAttrs, number: &str| {
        attrs.engine_version.as_ref().is_some_and(|version| {
            version.0.strip_prefix(number).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        })
    };
    let goes_back = (wanted.engine, seen.engine) == (Some(CacheEngine::Redis), Some(CacheEngine::Valkey));
    if goes_back && !(is_version(seen, ROLLBACK.0) && is_version(wanted, ROLLBACK.1)) {
        Way::Anew
    } else {
        Way::Direct
    }
}

fn way_of_version(wanted: &GroupAttrs, seen: &GroupAttrs) -> Way {
    // Versions of two engines say nothing about each other; the way of the engine is judged by its own row.
    if wanted.engine == seen.engine {
        never_back(wanted.engine_version.as_ref(), seen.engine_version.as_ref())
    } else {
        Way::Direct
    }
}

fn way_of_mode(wanted: &GroupAttrs, seen: &GroupAttrs) -> Way {
    match (wanted.cluster_mode, seen.cluster_mode) {
        (Some(ClusterMode::Enabled), Some(ClusterMode::Disabled)) => {
            serde_json::to_value(ClusterMode::Compatible).map_or(Way::Direct, Way::Through)
        }
        (Some(ClusterMode::Disabled | ClusterMode::Compatible), Some(ClusterMode::Enabled)) => Way::Anew,
        _ => Way::Direct,
    }
}

/// Replication groups; node types change replica by replica, the primary last, by a failover of seconds.
const GROUP_TIMING: Timing = Timing {
    create: Lasts::new(480, 1_200),
    delete: Lasts::new(480, 900),
    in_place: Lasts::new(420, 900),
    online: Lasts::new(1_800, 7_200),
    restart: Lasts::new(600, 1_200),
    restart_outage: Lasts::new(30, 60),
    failover: Lasts::new(900, 2_400),
    failover_outage: Lasts::new(6, 20),
    resize: Lasts::new(1_800, 7_200),
};

/// Serverless caches, users and user groups.
const LIGHT_TIMING: Timing = Timing {
    create: Lasts::new(60, 180),
    delete: Lasts::new(60, 180),
    in_place: Lasts::new(30, 120),
    online: Lasts::new(60, 180),
    restart: Lasts::new(60, 180),
    restart_outage: Lasts::new(0, 0),
    failover: Lasts::new(60, 180),
    failover_outage: Lasts::new(0, 0),
    resize: Lasts::new(60, 180),
};
