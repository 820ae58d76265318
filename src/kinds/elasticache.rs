//! ElastiCache: replication groups, serverless caches, global datastores, users.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::facts::{Lasts, Meaning, Status, Timing};
use super::shared::{EngineVersion, minor_may_lead, never_back, same_key, same_window};
use crate::attrs;
use crate::vocabulary::table::{Lowers, Shrink, Way};

/// Which cache speaks to the clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CacheEngine {
    /// Valkey.
    Valkey,
    /// Redis OSS.
    Redis,
}

impl CacheEngine {
    /// The engine's name at the service.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Valkey => "valkey",
            Self::Redis => "redis",
        }
    }
}

/// Whether the key space is spread over shards.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClusterMode {
    /// One shard; clients of any kind.
    Disabled,
    /// Both kinds of clients, on the way to `enabled`.
    Compatible,
    /// Sharded; clients must speak the cluster protocol.
    Enabled,
}

attrs! {
    /// An ElastiCache global datastore.
    pub struct GlobalAttrs {
        /// Replication group that the datastore is made from; asked for at creation only.
        source: String => Replace { unseen: true };
        /// Region of that group.
        source_region: String => Replace { unseen: true };
        /// What it is for; the service puts a prefix before its name, so that this text carries ours.
        description: String => InPlace { lowers: Lowers::Nothing };
    }
}

attrs! {
    /// An ElastiCache replication group, as wanted and as seen.
    pub struct GroupAttrs {
        /// Engine; Redis OSS becomes Valkey in place, the other way only Valkey 7.2 becomes Redis OSS 7.1.
        engine: CacheEngine => Failover { alone: true, with: "engine_version", way: way_of_engine };
        /// Engine version; a newer minor version that the provider chose is not drift, an older major one a new group.
        engine_version: EngineVersion => Failover { same: minor_may_lead, alone: true, way: way_of_version };
        /// Node type, such as `cache.r7g.xlarge`.
        node_type: String => Failover { alone: true };
        /// Number of shards; slots move while serving.
        shards: u32 => Online { alone: true, shrink: Shrink::BoundByUse, common: true, lowers: Lowers::Less };
        /// Replicas in each shard, 0 to 5.
        replicas_per_shard: u32 => InPlace { alone: true, lowers: Lowers::Less };
        /// Whether the key space is sharded; enabled by way of `compatible`, and for good.
        cluster_mode: ClusterMode => Online { alone: true, way: way_of_mode, lowers: Lowers::Any };
        /// Whether a replica takes over by itself.
        automatic_failover: bool => InPlace { lowers: Lowers::Less };
        /// Whether replicas are placed in other zones than their primary.
        multi_az: bool => InPlace { lowers: Lowers::Less };
        /// Whether connections are encrypted.
        transit_encryption: bool => Replace;
        /// Whether stored data is encrypted.
        at_rest_encryption: bool => Replace;
        /// Key that encrypts stored data.
        kms_key: String => Replace { same: same_key };
        /// Subnet group; fixed at creation.
        subnet_group: String => Replace;
        /// Security groups that may connect.
        security_groups: BTreeSet<String> => InPlace { if_told: true, lowers: Lowers::Less };
        /// Parameter group.
        parameter_group: String => InPlace { lowers: Lowers::Any };
        /// User group that may connect.
        user_group: String => InPlace { alone: true, lowers: Lowers::Any };
        /// Days that automatic snapshots are kept; 0 takes none.
        snapshot_retention_days: u32 => InPlace { lowers: Lowers::Less };
        /// Daily snapshot window, UTC.
        snapshot_window: String => InPlace { same: same_window, lowers: Lowers::Nothing };
        /// Weekly maintenance window, UTC.
        maintenance_window: String => InPlace { same: same_window, if_told: true, lowers: Lowers::Nothing };
        /// Port that clients connect to.
        port: u16 => Replace;
        /// Whether rarely used data is kept on disk.
        data_tiering: bool => Replace;
        /// Global datastore that this group joins as a secondary at creation.
        global: String => Replace;
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

attrs! {
    /// An ElastiCache serverless cache.
    pub struct ServerlessAttrs {
        /// Engine that speaks to the clients.
        engine: CacheEngine => InPlace { alone: true, lowers: Lowers::Any };
        /// Major engine version.
        major_engine_version: String => InPlace { alone: true, lowers: Lowers::Any };
        /// Most data kept, in GiB.
        data_max_gib: u32 => InPlace { shrink: Shrink::BoundByUse, lowers: Lowers::Less };
        /// Least data billed, in GiB.
        data_min_gib: u32 => InPlace { lowers: Lowers::Less };
        /// Most processing units per second.
        ecpu_max_per_second: u32 => InPlace { lowers: Lowers::Less };
        /// Least processing units per second that are held ready.
        ecpu_min_per_second: u32 => InPlace { lowers: Lowers::Less };
        /// Key that encrypts stored data.
        kms_key: String => Replace { same: same_key };
        /// Subnets in which it may be placed.
        subnets: BTreeSet<String> => Replace;
        /// Security groups that may connect.
        security_groups: BTreeSet<String> => InPlace { lowers: Lowers::Less };
        /// User group that may connect.
        user_group: String => InPlace { lowers: Lowers::Any };
        /// Days that automatic snapshots are kept.
        snapshot_retention_days: u32 => InPlace { lowers: Lowers::Less };
        /// Time of day at which snapshots are taken, UTC, `hh:mm`.
        daily_snapshot_time: String => InPlace { lowers: Lowers::Nothing };
    }
}

attrs! {
    /// A user of caches; it authenticates by IAM, so that no password exists.
    pub struct UserAttrs {
        /// Engine that speaks to the clients.
        engine: CacheEngine => Replace;
        /// Name that the client gives.
        user_name: String => Replace;
        /// What the user may do, in the engine's access-control language.
        access: String => InPlace { lowers: Lowers::Any };
    }
}

attrs! {
    /// A set of users that a cache lets in.
    pub struct UserGroupAttrs {
        /// Engine that speaks to the clients.
        engine: CacheEngine => Replace;
        /// Ids of the users.
        users: BTreeSet<String> => InPlace { lowers: Lowers::Less };
    }
}

/// Replication groups and node groups.
pub const GROUP_STATUSES: &[Status] = &[
    Status("available", Meaning::Ready),
    Status("creating", Meaning::Creating),
    Status("modifying", Meaning::BusyServing),
    Status("snapshotting", Meaning::BusyServing),
    Status("deleting", Meaning::Deleting),
    Status("create-failed", Meaning::Failed),
];

/// Global datastores.
pub const GLOBAL_STATUSES: &[Status] = &[
    Status("available", Meaning::Ready),
    // No secondary left: it serves, and takes both a new member and its deletion.
    Status("primary-only", Meaning::Ready),
    Status("creating", Meaning::Creating),
    Status("modifying", Meaning::BusyServing),
    Status("deleting", Meaning::Deleting),
    Status("deleted", Meaning::Absent),
];

/// Serverless caches.
pub const SERVERLESS_STATUSES: &[Status] = &[
    Status("available", Meaning::Ready),
    Status("creating", Meaning::Creating),
    Status("modifying", Meaning::BusyServing),
    Status("deleting", Meaning::Deleting),
    Status("create-failed", Meaning::Failed),
];

/// Users and user groups.
pub const USER_STATUSES: &[Status] = &[
    Status("active", Meaning::Ready),
    Status("creating", Meaning::Creating),
    Status("modifying", Meaning::BusyServing),
    Status("deleting", Meaning::Deleting),
];

/// Snapshots.
pub const SNAPSHOT_STATUSES: &[Status] = &[
    Status("available", Meaning::Ready),
    Status("creating", Meaning::Creating),
    Status("copying", Meaning::Creating),
    Status("restoring", Meaning::BusyServing),
    Status("exporting", Meaning::BusyServing),
    Status("deleting", Meaning::Deleting),
    Status("failed", Meaning::Failed),
];

/// Replication groups; node types change replica by replica, the primary last, by a failover of seconds.
pub const GROUP_TIMING: Timing = Timing {
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
pub const LIGHT_TIMING: Timing = Timing {
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
