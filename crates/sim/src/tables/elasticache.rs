//! ElastiCache in the embedded cloud.

use super::row::{Behaviour, Codes, Durations, Word, rows};
use super::shared::{is_older, one_key, one_window, plain, same_line};
use rgctl_model::kinds::AnyAttrs;
use rgctl_model::kinds::elasticache::{
    CacheEngine, ClusterMode, GlobalAttrs, GroupAttrs, ServerlessAttrs, TransitEncryption, UserAttrs,
    UserGroupAttrs,
};
use rgctl_model::kinds::facts::{DurationEstimate, Meaning};
use rgctl_model::kinds::shared::EngineVersion;

const CODES: Codes = Codes {
    state: "InvalidReplicationGroupState",
    quota: "ClusterQuotaForCustomerExceeded",
    capacity: "InsufficientCacheClusterCapacity",
    combination: "InvalidParameterCombination",
    nodes: "NodeQuotaForClusterExceeded",
    in_use: "InvalidReplicationGroupState",
    snapshot_exists: "SnapshotAlreadyExistsFault",
    failover: "TestFailoverNotAvailableFault",
    global_state: "InvalidGlobalReplicationGroupState",
};

/// Subnet groups.
pub(super) const SUBNET_GROUP: Behaviour =
    plain(Codes { state: "CacheSubnetGroupInUse", in_use: "CacheSubnetGroupInUse", ..CODES });

/// Parameter groups.
pub(super) const PARAMETERS: Behaviour = plain(Codes {
    state: "InvalidCacheParameterGroupState",
    in_use: "InvalidCacheParameterGroupState",
    ..CODES
});

/// Users.
pub(super) const USER: Behaviour = Behaviour {
    durations: LIGHT_DURATIONS,
    words: USER_WORDS,
    ..plain(Codes { state: "InvalidUserState", in_use: "InvalidUserState", ..CODES })
};

/// User groups.
pub(super) const USER_GROUP: Behaviour = Behaviour {
    durations: LIGHT_DURATIONS,
    words: USER_WORDS,
    ..plain(Codes { state: "InvalidUserGroupState", in_use: "InvalidUserGroupState", ..CODES })
};

/// Global datastores. The parameter group of the primary is copied to one whose name begins with `global-datastore-`, which all members
/// get and keep: no call gives them another (hashicorp/terraform-provider-aws#49110 and #20893; aws/aws-sdk-go#4905; ElastiCache guide,
/// "Using global datastores (console)").
pub(super) const GLOBAL: Behaviour = Behaviour {
    parameter_groups: Some("global-datastore-"),
    durations: Durations { create: DurationEstimate::new(1_200, 3_600), ..GROUP_DURATIONS },
    words: GLOBAL_WORDS,
    ..plain(Codes { state: "InvalidGlobalReplicationGroupState", ..CODES })
};

/// Replication groups. Shards, node type and engine of a global datastore are changed by its own calls (ElastiCache API reference,
/// `ModifyGlobalReplicationGroup`, `IncreaseNodeGroupsInGlobalReplicationGroup`).
pub(super) const GROUP: Behaviour = Behaviour {
    durations: GROUP_DURATIONS,
    words: GROUP_WORDS,
    takes_failover: true,
    common: &["shards", "engine", "engine_version", "node_type"],
    parameter_family,
    ..plain(CODES)
};

/// Serverless caches.
pub(super) const SERVERLESS: Behaviour = Behaviour {
    durations: LIGHT_DURATIONS,
    words: SERVERLESS_WORDS,
    ..plain(Codes {
        state: "InvalidServerlessCacheStateFault",
        quota: "ServerlessCacheQuotaForCustomerExceededFault",
        ..CODES
    })
};

/// Snapshots.
pub(super) const SNAPSHOT: Behaviour = Behaviour { words: SNAPSHOT_WORDS, ..plain(CODES) };

rows! {
    /// An ElastiCache global datastore.
    GLOBAL_ROWS of GlobalAttrs {
        source => Fixed, told: false;
        source_region => Fixed, told: false;
        description => InPlace;
    }

    /// An ElastiCache replication group.
    GROUP_ROWS of GroupAttrs {
        engine => Failover, refused: engine_goes_back, alone: true, with: "engine_version";
        engine_version => Failover, same: same_line, refused: version_goes_back, alone: true, with: "parameter_group";
        node_type => Failover, refused: tiering_differs, alone: true;
        shards => Online, alone: true;
        replicas_per_shard => InPlace, alone: true;
        cluster_mode => Online, refused: mode_has_no_way, alone: true;
        automatic_failover => InPlace;
        multi_az => InPlace;
        transit_encryption => InPlace, refused: encryption_has_no_way, of_member: false;
        at_rest_encryption => Fixed;
        kms_key => Fixed, same: one_key;
        subnet_group => Fixed;
        security_groups => InPlace;
        parameter_group => InPlace, with: "engine_version", of_member: false;
        user_group => InPlace, refused: users_need_encryption, alone: true;
        snapshot_retention_days => InPlace;
        snapshot_window => InPlace, same: one_window;
        maintenance_window => InPlace, same: one_window;
        port => Fixed;
        data_tiering => Fixed;
        global => Fixed;
    }

    /// An ElastiCache serverless cache.
    SERVERLESS_ROWS of ServerlessAttrs {
        engine => InPlace, alone: true;
        major_engine_version => InPlace, alone: true;
        data_max_gib => InPlace, alone: true, with: "data_min_gib";
        data_min_gib => InPlace, alone: true, with: "data_max_gib";
        ecpu_max_per_second => InPlace, alone: true, with: "ecpu_min_per_second";
        ecpu_min_per_second => InPlace, alone: true, with: "ecpu_max_per_second";
        kms_key => Fixed, same: one_key;
        subnets => Fixed;
        security_groups => InPlace, alone: true;
        user_group => InPlace, alone: true;
        snapshot_retention_days => InPlace, alone: true;
        daily_snapshot_time => InPlace, alone: true;
    }

    /// A user of caches; it authenticates by IAM, so that no password exists.
    USER_ROWS of UserAttrs {
        engine => Fixed;
        user_name => Fixed;
        access => InPlace;
    }

    /// A set of users that a cache lets in.
    USER_GROUP_ROWS of UserGroupAttrs {
        engine => Fixed;
        users => InPlace;
    }
}

/// The one pair of versions between which the service goes back from Valkey to Redis OSS (ElastiCache guide, 2026).
const ROLLBACK: (&str, &str) = ("7.2", "7.1");

/// Source: ElastiCache guide, "Parameter management": `redis5.0`, `redis6.x`, `redis7`, `valkey7`, `valkey8` and so on.
fn parameter_family(attrs: &AnyAttrs) -> Option<String> {
    let AnyAttrs::CacheGroup(group) = attrs else { return None };
    let version = &group.engine_version.as_ref()?.0;
    let major = version.split('.').next()?;
    Some(match (group.engine?, major) {
        (CacheEngine::Redis, "6") => "redis6.x".to_owned(),
        (CacheEngine::Redis, "5") => "redis5.0".to_owned(),
        (CacheEngine::Redis, major) => format!("redis{major}"),
        (CacheEngine::Valkey, major) => format!("valkey{major}"),
    })
}

fn engine_goes_back(asked: &GroupAttrs, has: &GroupAttrs) -> bool {
    let is_of = |attrs: &GroupAttrs, line: &str| {
        let version = attrs.engine_version.as_ref().and_then(|version| version.0.strip_prefix(line));
        version.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    let goes_back = (asked.engine, has.engine) == (Some(CacheEngine::Redis), Some(CacheEngine::Valkey));
    goes_back && !(is_of(has, ROLLBACK.0) && is_of(asked, ROLLBACK.1))
}

/// Versions of two engines say nothing about each other.
fn version_goes_back(asked: &GroupAttrs, has: &GroupAttrs) -> bool {
    asked.engine == has.engine && is_older(asked.engine_version.as_ref(), has.engine_version.as_ref())
}

/// Scaling between node types with and without data tiering is not supported (ElastiCache guide, "Data tiering").
fn tiering_differs(asked: &GroupAttrs, has: &GroupAttrs) -> bool {
    let tiers = |attrs: &GroupAttrs| attrs.node_type.as_deref().map(|class| class.contains("gd."));
    tiers(asked) != tiers(has)
}

/// The mode goes from disabled by way of compatible to enabled, and never away from there.
fn mode_has_no_way(asked: &GroupAttrs, has: &GroupAttrs) -> bool {
    use ClusterMode::{Compatible, Disabled, Enabled};
    matches!(
        (asked.cluster_mode, has.cluster_mode),
        (Some(Enabled), Some(Disabled)) | (Some(Disabled | Compatible), Some(Enabled))
    )
}

/// Between on and off stands `preferred`, each way; only Redis OSS 7 and newer, and Valkey, change it at all (ElastiCache API
/// reference, `ModifyReplicationGroup`, `TransitEncryptionMode`; guide, "Enabling in-transit encryption"). "Modification of transit
/// encryption is not supported for access control enabled clusters" (the service's answer in aws-controllers-k8s/community#2536).
/// No member of a global datastore is `preferred` (terraform-aws-modules/terraform-aws-elasticache#4).
fn encryption_has_no_way(asked: &GroupAttrs, has: &GroupAttrs) -> bool {
    use TransitEncryption::{Disabled, Required};
    let old = has.engine == Some(CacheEngine::Redis)
        && is_older(has.engine_version.as_ref(), Some(&EngineVersion("7".to_owned())));
    let skips = matches!(
        (asked.transit_encryption, has.transit_encryption),
        (Some(Required), Some(Disabled)) | (Some(Disabled), Some(Required))
    );
    old || skips || has.user_group.as_ref().is_some_and(|users| !users.is_empty())
}

/// "User group based access control requires encryption-in-transit to be enabled on the replication group" (the service's answer in
/// hashicorp/terraform-provider-aws#42966; ElastiCache guide, "Role-Based Access Control").
fn users_need_encryption(asked: &GroupAttrs, has: &GroupAttrs) -> bool {
    has.transit_encryption == Some(TransitEncryption::Disabled)
        && asked.user_group.as_ref().is_some_and(|users| !users.is_empty())
}

/// Replication groups and node groups.
pub(super) const GROUP_WORDS: &[Word] = &[
    Word("available", Meaning::Ready),
    Word("creating", Meaning::Creating),
    Word("modifying", Meaning::BusyServing),
    Word("snapshotting", Meaning::BusyServing),
    Word("deleting", Meaning::Deleting),
    Word("create-failed", Meaning::Failed),
];

/// Global datastores.
pub(super) const GLOBAL_WORDS: &[Word] = &[
    Word("available", Meaning::Ready),
    // No secondary left: it serves, and takes both a new member and its deletion.
    Word("primary-only", Meaning::Ready),
    Word("creating", Meaning::Creating),
    Word("modifying", Meaning::BusyServing),
    Word("deleting", Meaning::Deleting),
    Word("deleted", Meaning::Absent),
];

/// Serverless caches.
pub(super) const SERVERLESS_WORDS: &[Word] = &[
    Word("available", Meaning::Ready),
    Word("creating", Meaning::Creating),
    Word("modifying", Meaning::BusyServing),
    Word("deleting", Meaning::Deleting),
    Word("create-failed", Meaning::Failed),
];

/// Users and user groups.
pub(super) const USER_WORDS: &[Word] = &[
    Word("active", Meaning::Ready),
    Word("creating", Meaning::Creating),
    Word("modifying", Meaning::BusyServing),
    Word("deleting", Meaning::Deleting),
];

/// Snapshots.
pub(super) const SNAPSHOT_WORDS: &[Word] = &[
    Word("available", Meaning::Ready),
    Word("creating", Meaning::Creating),
    Word("copying", Meaning::Creating),
    Word("restoring", Meaning::BusyServing),
    Word("exporting", Meaning::BusyServing),
    Word("deleting", Meaning::Deleting),
    Word("failed", Meaning::Failed),
];

const GROUP_DURATIONS: Durations = Durations {
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

const LIGHT_DURATIONS: Durations = Durations {
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
