//! Redshift: clusters and their serverless counterpart.

use std::collections::BTreeSet;

use super::AnyAttrs;
use super::facts::{Lasts, Meaning, Status, Timing};
use super::shared::{same_key, same_window};
use crate::attrs;
use crate::vocabulary::table::{Lowers, Shrink};

/// In place of a region: snapshots are not copied.
pub const NO_COPY: &str = "none";

attrs! {
    /// A Redshift cluster, as wanted and as seen.
    pub struct ClusterAttrs {
        /// Node type, such as `ra3.xlplus`.
        node_type: String => Resize { alone: true };
        /// Number of nodes.
        nodes: u32 => Resize { alone: true, shrink: Shrink::BoundByUse };
        /// Name of the first database.
        database: String => Replace;
        /// Name of the first user.
        master_username: String => Replace;
        /// Whether the service makes, stores and rotates the first user's password.
        managed_password: bool => InPlace { lowers: Lowers::Less };
        /// Subnet group; fixed at creation.
        subnet_group: String => Replace;
        /// Security groups that may connect.
        security_groups: BTreeSet<String> => InPlace { lowers: Lowers::Less };
        /// Parameter group; static parameters take effect after a restart.
        parameter_group: String => Restart;
        /// Whether stored data is encrypted.
        encrypted: bool => Online { alone: true, lowers: Lowers::Less };
        /// Key that encrypts stored data.
        kms_key: String => Online { same: same_key, alone: true, lowers: Lowers::Nothing };
        /// Days that automatic snapshots are kept, 1 to 35.
        snapshot_retention_days: u32 => InPlace { lowers: Lowers::Less };
        /// Weekly maintenance window, UTC.
        maintenance_window: String => InPlace { same: same_window, lowers: Lowers::Nothing };
        /// Whether it has a public address.
        publicly_accessible: bool => InPlace { alone: true, lowers: Lowers::Any };
        /// Whether traffic to other services stays in the network.
        enhanced_vpc_routing: bool => InPlace { alone: true, lowers: Lowers::Less };
        /// Whether compute runs in two zones.
        multi_az: bool => Online { alone: true, lowers: Lowers::Less };
        /// Port that clients connect to.
        port: u16 => Restart { alone: true };
        /// Region that snapshots are copied to; `none` for no copies.
        snapshot_copy_region: String => InPlace { alone: true, lowers: Lowers::To(NO_COPY) };
        /// Days that copied snapshots are kept.
        snapshot_copy_retention_days: u32 => InPlace { alone: true, lowers: Lowers::Less };
        /// Whether compute is paused: storage is billed, nothing is served.
        paused: bool => Restart { alone: true };
    }
}

attrs! {
    /// A Redshift Serverless namespace: the data.
    pub struct NamespaceAttrs {
        /// Name of the first database.
        database: String => Replace;
        /// Name of the first user.
        master_username: String => InPlace { lowers: Lowers::Any };
        /// Whether the service makes, stores and rotates the first user's password.
        managed_password: bool => InPlace { lowers: Lowers::Less };
        /// Key that encrypts stored data.
        kms_key: String => Online { same: same_key, lowers: Lowers::Nothing };
        /// Logs that are exported.
        log_exports: BTreeSet<String> => InPlace { lowers: Lowers::Less };
    }
}

attrs! {
    /// A Redshift Serverless workgroup: the compute.
    pub struct WorkgroupAttrs {
        /// Namespace that it serves.
        namespace: String => Replace;
        /// Processing units held ready.
        base_rpu: u32 => InPlace { alone: true, lowers: Lowers::Less };
        /// Processing units at most.
        max_rpu: u32 => InPlace { alone: true, lowers: Lowers::Less };
        /// Subnets; three zones.
        subnets: BTreeSet<String> => InPlace { lowers: Lowers::Less };
        /// Security groups that may connect.
        security_groups: BTreeSet<String> => InPlace { lowers: Lowers::Less };
        /// Whether it has a public address.
        publicly_accessible: bool => InPlace { alone: true, lowers: Lowers::Any };
        /// Whether traffic to other services stays in the network.
        enhanced_vpc_routing: bool => InPlace { alone: true, lowers: Lowers::Less };
        /// Port that clients connect to.
        port: u16 => InPlace { alone: true, lowers: Lowers::Any };
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

/// Clusters. An elastic resize takes about ten minutes, of which the cut-over interrupts; writes are counted as
/// stopped throughout, which is the safe reading.
pub const CLUSTER_TIMING: Timing = Timing {
    create: Lasts::new(420, 900),
    delete: Lasts::new(420, 600),
    in_place: Lasts::new(60, 300),
    online: Lasts::new(3_600, 14_400),
    restart: Lasts::new(300, 600),
    restart_outage: Lasts::new(300, 600),
    failover: Lasts::new(120, 300),
    failover_outage: Lasts::new(45, 120),
    resize: Lasts::new(600, 1_200),
};

/// A classic resize moves all data to another cluster: hours to days, by data.
pub const CLASSIC: Lasts = Lasts::new(7_200, 86_400);

/// How far an elastic resize of a class leads: to at most so many times its nodes, and at least to one of so many parts.
/// Source: Redshift management guide, 2026, as in the catalog's limits.
fn elastic_reach(class: &str) -> (u64, u64) {
    match class {
        "ra3.4xlarge" | "ra3.16xlarge" | "rg.4xlarge" => (4, 4),
        "ra3.xlplus" => (2, 4),
        _ => (2, 2),
    }
}

/// How long a resize takes that no elastic one leads to; nothing where an elastic one does, or nothing is resized.
/// A single node has no elastic resize.
pub fn classic_resize(before: &AnyAttrs, after: &AnyAttrs) -> Option<Lasts> {
    let shape = |attrs: &AnyAttrs| Some((attrs.get("nodes")?.as_u64()?, attrs.text("node_type")?));
    let ((from, class), (to, _)) = (shape(before)?, shape(after)?);
    if from == to {
        return None;
    }
    let (growth, parts) = elastic_reach(&class);
    let is_elastic =
        from > 1 && to > 1 && to <= from.saturating_mul(growth) && to.saturating_mul(parts) >= from;
    (!is_elastic).then_some(CLASSIC)
}

/// Serverless.
pub const SERVERLESS_TIMING: Timing = Timing {
    create: Lasts::new(180, 420),
    delete: Lasts::new(180, 420),
    in_place: Lasts::new(180, 600),
    online: Lasts::new(1_800, 7_200),
    restart: Lasts::new(180, 600),
    restart_outage: Lasts::new(0, 0),
    failover: Lasts::new(180, 600),
    failover_outage: Lasts::new(0, 0),
    resize: Lasts::new(180, 600),
};
