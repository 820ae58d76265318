//! Aurora: clusters, instances, global clusters, parameter groups.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::facts::{Lasts, Timing};
use super::shared::{EngineVersion, minor_may_lead, never_back, same_key, same_window};
use crate::attrs;
use crate::vocabulary::table::{Lowers, Way};

/// Which database speaks to the clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum AuroraEngine {
    /// MySQL.
    #[serde(rename = "aurora-mysql")]
    Mysql,
    /// PostgreSQL.
    #[serde(rename = "aurora-postgresql")]
    Postgresql,
}

impl AuroraEngine {
    /// The engine's name at the service.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Mysql => "aurora-mysql",
            Self::Postgresql => "aurora-postgresql",
        }
    }
}

/// How storage is billed: `standard` pays per I/O, `io-optimized` does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StorageKind {
    /// I/O is billed per request.
    Standard,
    /// No bill for I/O; instances and storage cost more.
    IoOptimized,
}

impl StorageKind {
    /// The configuration's name in prices and blueprints.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Standard => "standard",
            Self::IoOptimized => "io-optimized",
        }
    }
}

attrs! {
    /// An Aurora global cluster: one primary region that writes, secondary regions that follow.
    pub struct GlobalAttrs {
        /// Cluster that the global cluster is made from; asked for at creation only.
        source: String => Replace { unseen: true };
        /// Region of that cluster.
        source_region: String => Replace { unseen: true };
        /// Engine of all members.
        engine: AuroraEngine => Replace;
        /// Engine version of all members; follows from the members.
        engine_version: EngineVersion => Failover { same: minor_may_lead, unseen: true };
        /// Whether the service refuses to delete it.
        deletion_protection: bool => InPlace { lowers: Lowers::Less };
    }
}

fn way_of_version(wanted: &ClusterAttrs, seen: &ClusterAttrs) -> Way {
    never_back(wanted.engine_version.as_ref(), seen.engine_version.as_ref())
}

attrs! {
    /// An Aurora cluster, as wanted and as seen.
    pub struct ClusterAttrs {
        /// Database engine.
        engine: AuroraEngine => Replace;
        /// Engine version; a newer minor version that the provider chose is not drift.
        engine_version: EngineVersion => Failover { same: minor_may_lead, alone: true, way: way_of_version };
        /// Cluster parameter group.
        parameter_group: String => InPlace { lowers: Lowers::Any };
        /// Subnet group; fixed at creation.
        subnet_group: String => Replace;
        /// Security groups that may connect.
        security_groups: BTreeSet<String> => InPlace { lowers: Lowers::Less };
        /// Port; all members restart when it changes.
        port: u16 => Failover;
        /// Whether storage is encrypted.
        storage_encrypted: bool => Replace;
        /// Key that encrypts storage.
        kms_key: String => Replace { same: same_key };
        /// How storage is billed; back to `io-optimized` only once in 30 days.
        storage_kind: StorageKind => InPlace { alone: true, lowers: Lowers::Nothing };
        /// Days that automatic backups are kept, 1 to 35.
        backup_retention_days: u32 => InPlace { lowers: Lowers::Less };
        /// Daily backup window, UTC, `hh:mm-hh:mm`.
        backup_window: String => InPlace { same: same_window, lowers: Lowers::Nothing };
        /// Weekly maintenance window, UTC, `ddd:hh:mm-ddd:hh:mm`.
        maintenance_window: String => InPlace { same: same_window, lowers: Lowers::Nothing };
        /// Whether the service refuses to delete it.
        deletion_protection: bool => InPlace { lowers: Lowers::Less };
        /// Name of the first database.
        database: String => Replace;
        /// Name of the first user.
        master_username: String => Replace;
        /// Whether the service makes, stores and rotates the first user's password in its secret store.
        managed_password: bool => InPlace { lowers: Lowers::Less };
        /// Whether database users may authenticate by IAM.
        iam_authentication: bool => InPlace { lowers: Lowers::Less };
        /// Logs that are exported.
        log_exports: BTreeSet<String> => InPlace { lowers: Lowers::Less };
        /// Whether snapshots carry the cluster's tags.
        copy_tags_to_snapshot: bool => InPlace { lowers: Lowers::Less };
        /// Least capacity of serverless members, in Aurora capacity units (0.5 steps, times two: 1 means 0.5).
        serverless_min_half_acu: u32 => InPlace { lowers: Lowers::Less };
        /// Most capacity of serverless members, in half Aurora capacity units.
        serverless_max_half_acu: u32 => InPlace { lowers: Lowers::Less };
        /// Global cluster that this one joins as a secondary at creation.
        global: String => Replace;
    }
}

attrs! {
    /// A member of an Aurora cluster.
    pub struct InstanceAttrs {
        /// Cluster it belongs to.
        cluster: String => Replace;
        /// Database engine.
        engine: AuroraEngine => Replace;
        /// Instance class, such as `db.r7g.xlarge`, or `db.serverless`.
        class: String => Restart { alone: true };
        /// Instance parameter group.
        parameter_group: String => Restart;
        /// Order of promotion: 0 first, 15 last.
        promotion_tier: u32 => InPlace { lowers: Lowers::Nothing };
        /// Availability zone; chosen by the service when unset.
        zone: String => Replace;
        /// Whether it has a public address.
        publicly_accessible: bool => InPlace { lowers: Lowers::Any };
        /// Whether minor versions are applied by the service in the maintenance window.
        auto_minor_version_upgrade: bool => InPlace { lowers: Lowers::More };
        /// Whether Performance Insights is on.
        performance_insights: bool => InPlace { lowers: Lowers::Less };
    }
}

/// Clusters: see `reference` columns of the plan; a failover usually takes under 60 s with a reader.
pub const CLUSTER_TIMING: Timing = Timing {
    create: Lasts::new(120, 300),
    delete: Lasts::new(300, 900),
    in_place: Lasts::new(60, 180),
    online: Lasts::new(600, 1_800),
    restart: Lasts::new(300, 600),
    restart_outage: Lasts::new(30, 60),
    failover: Lasts::new(600, 1_200),
    failover_outage: Lasts::new(20, 55),
    resize: Lasts::new(600, 1_800),
};

/// Members: the outage of a class change is the restart portion of it.
pub const INSTANCE_TIMING: Timing = Timing {
    create: Lasts::new(420, 900),
    delete: Lasts::new(300, 600),
    in_place: Lasts::new(60, 180),
    online: Lasts::new(480, 1_200),
    restart: Lasts::new(480, 1_200),
    restart_outage: Lasts::new(90, 180),
    failover: Lasts::new(480, 1_200),
    failover_outage: Lasts::new(20, 55),
    resize: Lasts::new(480, 1_200),
};

/// Global clusters: joining copies the volume, which the member's own creation waits for.
pub const GLOBAL_TIMING: Timing = Timing {
    create: Lasts::new(120, 300),
    delete: Lasts::new(30, 60),
    in_place: Lasts::new(60, 180),
    online: Lasts::new(600, 1_800),
    restart: Lasts::new(300, 600),
    restart_outage: Lasts::new(90, 300),
    failover: Lasts::new(600, 1_800),
    failover_outage: Lasts::new(90, 300),
    resize: Lasts::new(600, 1_800),
};
