//! Redshift: clusters and their serverless counterpart.

use std::collections::BTreeSet;

use super::facts::{Meaning, Status};
use rgctl_schema::attrs;

/// In place of a region: snapshots are not copied.
pub const NO_COPY: &str = "none";

attrs! {
    /// A Redshift cluster, as wanted and as seen.
    pub struct ClusterAttrs {
        /// Node type, such as `ra3.xlplus`.
        node_type: String;
        /// Number of nodes.
        nodes: u32;
        /// Name of the first database.
        database: String;
        /// Name of the first user.
        master_username: String;
        /// Whether the service makes, stores and rotates the first user's password.
        managed_password: bool;
        /// Subnet group; fixed at creation.
        subnet_group: String;
        /// Security groups that may connect.
        security_groups: BTreeSet<String>;
        /// Parameter group; static parameters take effect after a restart.
        parameter_group: String;
        /// Whether stored data is encrypted.
        encrypted: bool;
        /// Key that encrypts stored data.
        kms_key: String;
        /// Days that automatic snapshots are kept, 1 to 35.
        snapshot_retention_days: u32;
        /// Weekly maintenance window, UTC.
        maintenance_window: String;
        /// Whether it has a public address.
        publicly_accessible: bool;
        /// Whether traffic to other services stays in the network.
        enhanced_vpc_routing: bool;
        /// Whether compute runs in two zones.
        multi_az: bool;
        /// Port that clients connect to.
        port: u16;
        /// Region that snapshots are copied to; `none` for no copies.
        snapshot_copy_region: String;
        /// Days that copied snapshots are kept.
        snapshot_copy_retention_days: u32;
        /// Roles that it takes for what it does elsewhere, by ARN.
        iam_roles: BTreeSet<String>;
        /// The role among them that statements take which name none.
        default_iam_role: String;
        /// Whether compute is paused: storage is billed, nothing is served.
        paused: bool;
    }
}

attrs! {
    /// A Redshift Serverless namespace: the data.
    pub struct NamespaceAttrs {
        /// Name of the first database.
        database: String;
        /// Name of the first user.
        master_username: String;
        /// Whether the service makes, stores and rotates the first user's password.
        managed_password: bool;
        /// Key that encrypts stored data.
        kms_key: String;
        /// Logs that are exported.
        log_exports: BTreeSet<String>;
    }
}

attrs! {
    /// A Redshift Serverless workgroup: the compute.
    pub struct WorkgroupAttrs {
        /// Namespace that it serves.
        namespace: String;
        /// Processing units held ready.
        base_rpu: u32;
        /// Processing units at most.
        max_rpu: u32;
        /// Subnets; three zones.
        subnets: BTreeSet<String>;
        /// Security groups that may connect.
        security_groups: BTreeSet<String>;
        /// Whether it has a public address.
        publicly_accessible: bool;
        /// Whether traffic to other services stays in the network.
        enhanced_vpc_routing: bool;
        /// Port that clients connect to.
        port: u16;
    }
}

/// Clusters. Source: Redshift management guide, page on cluster status. Availability words are prefixed by a comma.
pub const CLUSTER_STATUSES: &[Status] = &[
    Status("available", Meaning::Ready),
    Status("available, prep-for-resize", Meaning::BusyServing),
    Status("available, resize-cleanup", Meaning::BusyServing),
    Status("cancelling-resize", Meaning::BusyDown),
    Status("creating", Meaning::Creating),
    Status("deleting", Meaning::Deleting),
    Status("final-snapshot", Meaning::Deleting),
    Status("hardware-failure", Meaning::Failed),
    Status("incompatible-hsm", Meaning::Failed),
    Status("incompatible-network", Meaning::Failed),
    Status("incompatible-parameters", Meaning::Failed),
    Status("incompatible-restore", Meaning::Failed),
    Status("modifying", Meaning::BusyDown),
    Status("paused", Meaning::Stopped),
    Status("pausing", Meaning::BusyDown),
    Status("resuming", Meaning::BusyDown),
    Status("rebooting", Meaning::BusyDown),
    Status("renaming", Meaning::BusyDown),
    Status("resizing", Meaning::BusyDown),
    Status("rotating-keys", Meaning::BusyDown),
    Status("storage-full", Meaning::Failed),
    Status("updating-hsm", Meaning::BusyDown),
];

/// Workgroups and namespaces.
pub const SERVERLESS_STATUSES: &[Status] = &[
    Status("AVAILABLE", Meaning::Ready),
    Status("CREATING", Meaning::Creating),
    Status("MODIFYING", Meaning::BusyServing),
    Status("DELETING", Meaning::Deleting),
];

/// Snapshots of clusters and of namespaces.
pub const SNAPSHOT_STATUSES: &[Status] = &[
    Status("available", Meaning::Ready),
    Status("AVAILABLE", Meaning::Ready),
    Status("creating", Meaning::Creating),
    Status("CREATING", Meaning::Creating),
    Status("COPYING", Meaning::Creating),
    Status("final snapshot", Meaning::Creating),
    Status("deleted", Meaning::Absent),
    Status("DELETED", Meaning::Absent),
    Status("CANCELLED", Meaning::Failed),
    Status("failed", Meaning::Failed),
    Status("FAILED", Meaning::Failed),
];
