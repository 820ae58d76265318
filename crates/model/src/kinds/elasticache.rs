//! ElastiCache: replication groups, serverless caches, global datastores, users.

use rgctl_schema::choices;
use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::facts::{Meaning, Status};
use super::shared::EngineVersion;
use rgctl_schema::attrs;

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

/// Whether clients connect with TLS. What is written keeps the form that it had when there were only two values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "WrittenEncryption", into = "WrittenEncryption")]
pub enum TransitEncryption {
    /// Without.
    Disabled,
    /// With or without, on the way from one to the other.
    Preferred,
    /// With; all other connections are refused.
    Required,
}

/// `true`, `false` or `"preferred"`.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum WrittenEncryption {
    Switch(bool),
    Between(Between),
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Between {
    Preferred,
}

impl From<WrittenEncryption> for TransitEncryption {
    fn from(written: WrittenEncryption) -> Self {
        match written {
            WrittenEncryption::Switch(false) => Self::Disabled,
            WrittenEncryption::Between(Between::Preferred) => Self::Preferred,
            WrittenEncryption::Switch(true) => Self::Required,
        }
    }
}

impl From<TransitEncryption> for WrittenEncryption {
    fn from(encryption: TransitEncryption) -> Self {
        match encryption {
            TransitEncryption::Disabled => Self::Switch(false),
            TransitEncryption::Preferred => Self::Between(Between::Preferred),
            TransitEncryption::Required => Self::Switch(true),
        }
    }
}

attrs! {
    /// An ElastiCache global datastore.
    pub struct GlobalAttrs {
        /// Replication group that the datastore is made from; asked for at creation only.
        source: String { unseen: true };
        /// Region of that group.
        source_region: String { unseen: true };
        /// What it is for; the service puts a prefix before its name, so that this text carries ours.
        description: String;
    }
}

attrs! {
    /// An ElastiCache replication group, as wanted and as seen.
    pub struct GroupAttrs {
        /// Engine; Redis OSS becomes Valkey in place, the other way only Valkey 7.2 becomes Redis OSS 7.1.
        engine: CacheEngine;
        /// Engine version; a newer minor version that the provider chose is not drift, an older major one a new group.
        engine_version: EngineVersion;
        /// Node type, such as `cache.r7g.xlarge`.
        node_type: String;
        /// Number of shards; slots move while serving.
        shards: u32;
        /// Replicas in each shard, 0 to 5.
        replicas_per_shard: u32;
        /// Whether the key space is sharded; enabled by way of `compatible`, and for good.
        cluster_mode: ClusterMode;
        /// Whether a replica takes over by itself.
        automatic_failover: bool;
        /// Whether replicas are placed in other zones than their primary.
        multi_az: bool;
        /// Whether connections are encrypted; on and off by way of `preferred`, which takes both kinds.
        transit_encryption: TransitEncryption;
        /// Whether stored data is encrypted.
        at_rest_encryption: bool;
        /// Key that encrypts stored data.
        kms_key: String;
        /// Subnet group; fixed at creation.
        subnet_group: String;
        /// Security groups that may connect.
        security_groups: BTreeSet<String> { if_told: true };
        /// Parameter group.
        parameter_group: String;
        /// User group that may connect; empty where none is bound.
        user_group: String;
        /// Days that automatic snapshots are kept; 0 takes none.
        snapshot_retention_days: u32;
        /// Daily snapshot window, UTC.
        snapshot_window: String;
        /// Weekly maintenance window, UTC.
        maintenance_window: String { if_told: true };
        /// Port that clients connect to.
        port: u16;
        /// Whether rarely used data is kept on disk.
        data_tiering: bool;
        /// Global datastore that this group joins as a secondary at creation.
        global: String;
    }
}

attrs! {
    /// An ElastiCache serverless cache.
    pub struct ServerlessAttrs {
        /// Engine that speaks to the clients.
        engine: CacheEngine;
        /// Major engine version.
        major_engine_version: String;
        /// Most data kept, in GiB.
        data_max_gib: u32;
        /// Least data billed, in GiB.
        data_min_gib: u32;
        /// Most processing units per second.
        ecpu_max_per_second: u32;
        /// Least processing units per second that are held ready.
        ecpu_min_per_second: u32;
        /// Key that encrypts stored data.
        kms_key: String;
        /// Subnets in which it may be placed.
        subnets: BTreeSet<String>;
        /// Security groups that may connect.
        security_groups: BTreeSet<String>;
        /// User group that may connect.
        user_group: String;
        /// Days that automatic snapshots are kept.
        snapshot_retention_days: u32;
        /// Time of day at which snapshots are taken, UTC, `hh:mm`.
        daily_snapshot_time: String;
    }
}

attrs! {
    /// A user of caches; it authenticates by IAM, so that no password exists.
    pub struct UserAttrs {
        /// Engine that speaks to the clients.
        engine: CacheEngine;
        /// Name that the client gives.
        user_name: String;
        /// What the user may do, in the engine's access-control language.
        access: String;
    }
}

attrs! {
    /// A set of users that a cache lets in.
    pub struct UserGroupAttrs {
        /// Engine that speaks to the clients.
        engine: CacheEngine;
        /// Ids of the users.
        users: BTreeSet<String>;
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

choices!(@setting CacheEngine, ["Which server speaks to the clients."],
    ["Valkey: the same protocol as Redis OSS, at a lower price."] Valkey = "valkey",
    ["Redis OSS."] Redis = "redis");

choices!(@setting ClusterMode, ["Whether keys are spread over shards."],
    ["Keys are spread over one or more shards; clients must speak the cluster protocol."] Enabled = "enabled",
    ["Both kinds of clients, on the way to `enabled`."] Compatible = "compatible",
    ["One shard."] Disabled = "disabled");
