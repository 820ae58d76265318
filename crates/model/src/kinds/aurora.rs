//! Aurora: clusters, instances, global clusters, parameter groups.

use rgctl_schema::choices;
use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::shared::EngineVersion;
use rgctl_schema::attrs;

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
        source: String { unseen: true };
        /// Region of that cluster.
        source_region: String { unseen: true };
        /// Engine of all members.
        engine: AuroraEngine;
        /// Engine version of all members; follows from the members.
        engine_version: EngineVersion { unseen: true };
        /// Whether the service refuses to delete it.
        deletion_protection: bool;
        /// Whether it may go on, for a price, with a major version that is past the end of standard support; for good.
        extended_support: bool { if_told: true };
    }
}

attrs! {
    /// An Aurora cluster, as wanted and as seen.
    pub struct ClusterAttrs {
        /// Database engine.
        engine: AuroraEngine;
        /// Engine version; a newer minor version that the provider chose is not drift.
        engine_version: EngineVersion;
        /// Cluster parameter group.
        parameter_group: String;
        /// Parameter group that all members get together with a newer major version; asked for with that only.
        instance_parameter_group: String { unseen: true };
        /// Subnet group; fixed at creation.
        subnet_group: String;
        /// Security groups that may connect.
        security_groups: BTreeSet<String>;
        /// Port; all members restart when it changes.
        port: u16;
        /// Whether storage is encrypted.
        storage_encrypted: bool;
        /// Key that encrypts storage.
        kms_key: String;
        /// How storage is billed; back to `io-optimized` only once in 30 days.
        storage_kind: StorageKind;
        /// Days that automatic backups are kept, 1 to 35.
        backup_retention_days: u32;
        /// Daily backup window, UTC, `hh:mm-hh:mm`.
        backup_window: String;
        /// Weekly maintenance window, UTC, `ddd:hh:mm-ddd:hh:mm`.
        maintenance_window: String;
        /// Whether the service refuses to delete it.
        deletion_protection: bool;
        /// Name of the first database.
        database: String;
        /// Name of the first user.
        master_username: String;
        /// Whether the service makes, stores and rotates the first user's password in its secret store.
        managed_password: bool;
        /// Secret of this blueprint's own from which the first user's password is set.
        master_secret: String;
        /// ARN of a secret of somebody else's from which the first user's password is set.
        master_secret_arn: String;
        /// Whether database users may authenticate by IAM.
        iam_authentication: bool;
        /// Roles that it takes for what it does elsewhere: `FEATURE=ARN`, or the ARN alone where the engine names no feature.
        iam_roles: BTreeSet<String>;
        /// Logs that are exported.
        log_exports: BTreeSet<String>;
        /// Whether snapshots carry the cluster's tags.
        copy_tags_to_snapshot: bool;
        /// Whether it may go on, for a price, with a major version that is past the end of standard support; for good.
        extended_support: bool { if_told: true };
        /// Least capacity of serverless members, in Aurora capacity units (0.5 steps, times two: 1 means 0.5).
        serverless_min_half_acu: u32;
        /// Most capacity of serverless members, in half Aurora capacity units.
        serverless_max_half_acu: u32;
        /// Global cluster that this one joins as a secondary at creation.
        global: String;
    }
}

attrs! {
    /// A member of an Aurora cluster.
    pub struct InstanceAttrs {
        /// Cluster it belongs to.
        cluster: String;
        /// Database engine.
        engine: AuroraEngine;
        /// Instance class, such as `db.r7g.xlarge`, or `db.serverless`.
        class: String;
        /// Instance parameter group.
        parameter_group: String;
        /// Order of promotion: 0 first, 15 last.
        promotion_tier: u32;
        /// Availability zone; chosen by the service when unset.
        zone: String;
        /// Whether it has a public address.
        publicly_accessible: bool;
        /// Whether minor versions are applied by the service in the maintenance window.
        auto_minor_version_upgrade: bool;
        /// Whether Performance Insights is on.
        performance_insights: bool;
        /// Authority that signs its certificate, such as `rds-ca-rsa2048-g1`.
        ca_certificate: String;
    }
}

choices!(@setting AuroraEngine, ["Which database speaks to the clients."],
    ["Aurora MySQL."] Mysql = "aurora-mysql",
    ["Aurora PostgreSQL."] Postgresql = "aurora-postgresql");

choices!(@setting StorageKind, ["How storage is billed."],
    ["I/O is billed per request."] Standard = "standard",
    ["No bill for I/O; machines and storage cost more."] IoOptimized = "io-optimized");
