//! DocumentDB: clusters, instances, global clusters, parameter groups.

use std::collections::BTreeSet;

use super::aurora::StorageKind;
use super::shared::EngineVersion;
use rgctl_schema::attrs;

attrs! {
    /// A DocumentDB global cluster.
    pub struct GlobalAttrs {
        /// Cluster that the global cluster is made from; asked for at creation only.
        source: String { unseen: true };
        /// Region of that cluster.
        source_region: String { unseen: true };
        /// Whether the service refuses to delete it.
        deletion_protection: bool;
    }
}

attrs! {
    /// A DocumentDB cluster, as wanted and as seen.
    pub struct ClusterAttrs {
        /// Engine version; a newer minor version that the provider chose is not drift.
        engine_version: EngineVersion;
        /// Cluster parameter group.
        parameter_group: String;
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
        /// How storage is billed.
        storage_kind: StorageKind;
        /// Days that automatic backups are kept, 1 to 35.
        backup_retention_days: u32;
        /// Daily backup window, UTC.
        backup_window: String;
        /// Weekly maintenance window, UTC.
        maintenance_window: String;
        /// Whether the service refuses to delete it.
        deletion_protection: bool;
        /// Name of the first user.
        master_username: String;
        /// Whether the service makes, stores and rotates the first user's password.
        managed_password: bool;
        /// Secret of this blueprint's own from which the first user's password is set.
        master_secret: String;
        /// ARN of a secret of somebody else's from which the first user's password is set.
        master_secret_arn: String;
        /// Logs that are exported: `audit`, `profiler`.
        log_exports: BTreeSet<String>;
        /// Least capacity of serverless members, in half DocumentDB capacity units.
        serverless_min_half_dcu: u32;
        /// Most capacity of serverless members, in half DocumentDB capacity units; members restart when it changes.
        serverless_max_half_dcu: u32;
        /// Global cluster that this one joins as a secondary at creation.
        global: String;
    }
}

attrs! {
    /// A member of a DocumentDB cluster.
    pub struct InstanceAttrs {
        /// Cluster it belongs to.
        cluster: String;
        /// Instance class, such as `db.r6g.xlarge`.
        class: String;
        /// Order of promotion: 0 first, 15 last.
        promotion_tier: u32;
        /// Availability zone; chosen by the service when unset.
        zone: String;
        /// Whether minor versions are applied by the service in the maintenance window.
        auto_minor_version_upgrade: bool;
        /// Whether Performance Insights is on.
        performance_insights: bool;
        /// Authority that signs its certificate, such as `rds-ca-rsa2048-g1`.
        ca_certificate: String;
    }
}
