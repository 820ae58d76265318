//! DocumentDB: clusters, instances, global clusters, parameter groups.

use std::collections::BTreeSet;

use super::aurora::StorageKind;
use super::facts::{Lasts, Timing};
use super::shared::{EngineVersion, minor_may_lead, never_back, same_key, same_window};
use crate::attrs;
use crate::vocabulary::table::{Lowers, Way};

attrs! {
    /// A DocumentDB global cluster.
    pub struct GlobalAttrs {
        /// Cluster that the global cluster is made from; asked for at creation only.
        source: String => Replace { unseen: true };
        /// Region of that cluster.
        source_region: String => Replace { unseen: true };
        /// Whether the service refuses to delete it.
        deletion_protection: bool => InPlace { lowers: Lowers::Less };
    }
}

fn way_of_version(wanted: &ClusterAttrs, seen: &ClusterAttrs) -> Way {
    never_back(wanted.engine_version.as_ref(), seen.engine_version.as_ref())
}

attrs! {
    /// A DocumentDB cluster, as wanted and as seen.
    pub struct ClusterAttrs {
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
        /// How storage is billed.
        storage_kind: StorageKind => InPlace { alone: true, lowers: Lowers::Nothing };
        /// Days that automatic backups are kept, 1 to 35.
        backup_retention_days: u32 => InPlace { lowers: Lowers::Less };
        /// Daily backup window, UTC.
        backup_window: String => InPlace { same: same_window, lowers: Lowers::Nothing };
        /// Weekly maintenance window, UTC.
        maintenance_window: String => InPlace { same: same_window, lowers: Lowers::Nothing };
        /// Whether the service refuses to delete it.
        deletion_protection: bool => InPlace { lowers: Lowers::Less };
        /// Name of the first user.
        master_username: String => Replace;
        /// Whether the service makes, stores and rotates the first user's password.
        managed_password: bool => InPlace { lowers: Lowers::Less };
        /// Logs that are exported: `audit`, `profiler`.
        log_exports: BTreeSet<String> => InPlace { lowers: Lowers::Less };
        /// Least capacity of serverless members, in half DocumentDB capacity units.
        serverless_min_half_dcu: u32 => InPlace { lowers: Lowers::Less };
        /// Most capacity of serverless members, in half DocumentDB capacity units; members restart when it changes.
        serverless_max_half_dcu: u32 => Restart;
        /// Global cluster that this one joins as a secondary at creation.
        global: String => Replace;
    }
}

attrs! {
    /// A member of a DocumentDB cluster.
    pub struct InstanceAttrs {
        /// Cluster it belongs to.
        cluster: String => Replace;
        /// Instance class, such as `db.r6g.xlarge`.
        class: String => Restart { alone: true };
        /// Order of promotion: 0 first, 15 last.
        promotion_tier: u32 => InPlace { lowers: Lowers::Nothing };
        /// Availability zone; chosen by the service when unset.
        zone: String => Replace;
        /// Whether minor versions are applied by the service in the maintenance window.
        auto_minor_version_upgrade: bool => InPlace { lowers: Lowers::More };
        /// Whether Performance Insights is on.
        performance_insights: bool => InPlace { lowers: Lowers::Less };
    }
}

/// Clusters; a failover takes about 30 s with a replica.
pub const CLUSTER_TIMING: Timing =
    Timing { failover_outage: Lasts::new(25, 50), ..super::aurora::CLUSTER_TIMING };

/// Members.
pub const INSTANCE_TIMING: Timing =
    Timing { failover_outage: Lasts::new(25, 50), ..super::aurora::INSTANCE_TIMING };

/// Global clusters.
pub const GLOBAL_TIMING: Timing =
    Timing { failover_outage: Lasts::new(60, 240), ..super::aurora::GLOBAL_TIMING };
