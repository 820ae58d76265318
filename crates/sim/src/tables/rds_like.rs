//! What Aurora and DocumentDB share: one control plane, its words, its codes.

use super::parameters;
use super::row::{Behaviour, Codes, Durations, OnceInAWhile, Word};
use super::shared::plain;
use rgctl_model::kinds::facts::{DurationEstimate, Meaning};
use rgctl_schema::time::Span;

/// Clusters.
pub(super) const CODES: Codes = Codes {
    state: "InvalidDBClusterStateFault",
    quota: "DBClusterQuotaExceededFault",
    capacity: "InsufficientStorageClusterCapacity",
    combination: "InvalidParameterCombination",
    nodes: "InvalidParameterCombination",
    in_use: "InvalidDBClusterStateFault",
    snapshot_exists: "DBClusterSnapshotAlreadyExistsFault",
    failover: "InvalidDBClusterStateFault",
    global_state: "InvalidGlobalClusterStateFault",
};

/// Instances.
pub(super) const INSTANCE_CODES: Codes = Codes {
    state: "InvalidDBInstanceState",
    quota: "InstanceQuotaExceeded",
    capacity: "InsufficientDBInstanceCapacity",
    ..CODES
};

/// Global clusters.
pub(super) const GLOBAL_CODES: Codes = Codes {
    state: "InvalidGlobalClusterStateFault",
    in_use: "InvalidGlobalClusterStateFault",
    quota: "GlobalClusterQuotaExceededFault",
    ..CODES
};

/// Subnet groups.
pub(super) const SUBNET_GROUP: Behaviour = plain(Codes {
    state: "InvalidDBSubnetGroupStateFault",
    in_use: "InvalidDBSubnetGroupStateFault",
    quota: "DBSubnetGroupQuotaExceeded",
    ..CODES
});

/// Parameter groups of clusters and of instances.
pub(super) const PARAMETERS: Behaviour = Behaviour {
    at_restart: parameters::rds_like,
    ..plain(Codes {
        state: "InvalidDBParameterGroupState",
        in_use: "InvalidDBParameterGroupState",
        quota: "DBParameterGroupQuotaExceeded",
        ..CODES
    })
};

/// Snapshots of clusters.
pub(super) const SNAPSHOT: Behaviour = Behaviour { words: SNAPSHOT_WORDS, ..plain(CODES) };

/// Status words of clusters. Source: Aurora and DocumentDB guides, pages on cluster status.
pub(super) const CLUSTER_WORDS: &[Word] = &[
    Word("available", Meaning::Ready),
    Word("creating", Meaning::Creating),
    Word("backing-up", Meaning::BusyServing),
    Word("modifying", Meaning::BusyServing),
    Word("failing-over", Meaning::BusyDown),
    Word("promoting", Meaning::BusyDown),
    Word("upgrading", Meaning::BusyDown),
    Word("renaming", Meaning::BusyDown),
    Word("resetting-master-credentials", Meaning::BusyServing),
    Word("update-iam-db-auth", Meaning::BusyServing),
    Word("maintenance", Meaning::BusyDown),
    Word("backtracking", Meaning::BusyDown),
    Word("stopping", Meaning::BusyDown),
    Word("stopped", Meaning::Stopped),
    Word("starting", Meaning::BusyDown),
    Word("migrating", Meaning::Creating),
    Word("migration-failed", Meaning::Failed),
    Word("cloning-failed", Meaning::Failed),
    Word("inaccessible-encryption-credentials-recoverable", Meaning::Failed),
    Word("inaccessible-encryption-credentials", Meaning::Failed),
    Word("deleting", Meaning::Deleting),
];

/// Status words of instances. Source: as above, pages on instance status.
pub(super) const INSTANCE_WORDS: &[Word] = &[
    Word("available", Meaning::Ready),
    // Background work after growth: the instance serves and takes nearly every change.
    Word("storage-optimization", Meaning::Ready),
    Word("creating", Meaning::Creating),
    Word("configuring-enhanced-monitoring", Meaning::BusyServing),
    Word("configuring-iam-database-auth", Meaning::BusyServing),
    Word("configuring-log-exports", Meaning::BusyServing),
    Word("configuring-associated-roles", Meaning::BusyServing),
    Word("backing-up", Meaning::BusyServing),
    Word("modifying", Meaning::BusyServing),
    Word("rebooting", Meaning::BusyDown),
    Word("renaming", Meaning::BusyDown),
    Word("upgrading", Meaning::BusyDown),
    Word("maintenance", Meaning::BusyDown),
    Word("resetting-master-credentials", Meaning::BusyServing),
    Word("starting", Meaning::BusyDown),
    Word("stopping", Meaning::BusyDown),
    Word("stopped", Meaning::Stopped),
    Word("deleting", Meaning::Deleting),
    Word("storage-full", Meaning::Failed),
    Word("failed", Meaning::Failed),
    Word("restore-error", Meaning::Failed),
    Word("insufficient-capacity", Meaning::Failed),
    Word("incompatible-network", Meaning::Failed),
    Word("incompatible-option-group", Meaning::Failed),
    Word("incompatible-parameters", Meaning::Failed),
    Word("incompatible-restore", Meaning::Failed),
    Word("inaccessible-encryption-credentials", Meaning::Failed),
];

/// Status words of global clusters.
pub(super) const GLOBAL_WORDS: &[Word] = &[
    Word("available", Meaning::Ready),
    Word("creating", Meaning::Creating),
    Word("modifying", Meaning::BusyServing),
    Word("upgrading", Meaning::BusyDown),
    Word("switching-over", Meaning::BusyDown),
    Word("failing-over", Meaning::BusyDown),
    Word("deleting", Meaning::Deleting),
];

/// Status words of cluster snapshots.
pub(super) const SNAPSHOT_WORDS: &[Word] = &[
    Word("available", Meaning::Ready),
    Word("creating", Meaning::Creating),
    Word("copying", Meaning::Creating),
    Word("deleting", Meaning::Deleting),
    Word("deleted", Meaning::Absent),
    Word("failed", Meaning::Failed),
];

/// What is stopped is started after seven days, so that it does not fall behind any maintenance (Aurora guide, "Stopping and starting
/// an Amazon Aurora DB cluster"; DocumentDB guide, "Stopping and starting an Amazon DocumentDB cluster").
pub(super) const STOPPED_MAX: Span = Span::from_days(7);

/// How long after a cluster was switched to I/O-Optimized storage it is not switched to it again; back to the other it goes at any
/// time (Aurora guide, "Storage configurations for Amazon Aurora DB clusters"; DocumentDB guide, "Amazon DocumentDB cluster storage
/// configurations"). Of the code: RDS API model, `StorageTypeNotAvailableFault`; the DocumentDB model declares none for it.
pub(super) const fn io_optimized(code: &'static str) -> OnceInAWhile {
    OnceInAWhile { field: "storage_kind", value: "io-optimized", lasts: Span::from_days(30), code }
}

/// Durations of a cluster whose failover interrupts writes so long.
pub(super) const fn cluster_durations(failover_outage: DurationEstimate) -> Durations {
    Durations {
        create: DurationEstimate::new(120, 300),
        delete: DurationEstimate::new(300, 900),
        in_place: DurationEstimate::new(60, 180),
        online: DurationEstimate::new(600, 1_800),
        restart: DurationEstimate::new(300, 600),
        restart_outage: DurationEstimate::new(30, 60),
        failover: DurationEstimate::new(600, 1_200),
        failover_outage,
        resize: DurationEstimate::new(600, 1_800),
    }
}

/// Durations of a member: the outage of a class change is the restart portion of it.
pub(super) const fn instance_durations(failover_outage: DurationEstimate) -> Durations {
    Durations {
        create: DurationEstimate::new(420, 900),
        delete: DurationEstimate::new(300, 600),
        in_place: DurationEstimate::new(60, 180),
        online: DurationEstimate::new(480, 1_200),
        restart: DurationEstimate::new(480, 1_200),
        restart_outage: DurationEstimate::new(90, 180),
        failover: DurationEstimate::new(480, 1_200),
        failover_outage,
        resize: DurationEstimate::new(480, 1_200),
    }
}

/// Durations of a global cluster: joining copies the volume, which the member's own creation waits for.
pub(super) const fn global_durations(failover_outage: DurationEstimate) -> Durations {
    Durations {
        create: DurationEstimate::new(120, 300),
        delete: DurationEstimate::new(30, 60),
        in_place: DurationEstimate::new(60, 180),
        online: DurationEstimate::new(600, 1_800),
        restart: DurationEstimate::new(300, 600),
        restart_outage: DurationEstimate::new(90, 300),
        failover: DurationEstimate::new(600, 1_800),
        failover_outage,
        resize: DurationEstimate::new(600, 1_800),
    }
}
