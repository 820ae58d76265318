//! What Aurora and DocumentDB share: one control plane, one set of status words.

use rgctl_schema::phase::Phase;

use super::facts::{Meaning, Status};

/// Status words of clusters. Source: Aurora and DocumentDB guides, pages on cluster status.
pub const CLUSTER_STATUSES: &[Status] = &[
    Status("available", Meaning::Ready),
    Status("creating", Meaning::Creating),
    Status("backing-up", Meaning::BusyServing),
    Status("modifying", Meaning::BusyServing),
    Status("failing-over", Meaning::BusyDown),
    Status("promoting", Meaning::BusyDown),
    Status("upgrading", Meaning::BusyDown),
    Status("renaming", Meaning::BusyDown),
    Status("resetting-master-credentials", Meaning::BusyServing),
    Status("update-iam-db-auth", Meaning::BusyServing),
    Status("maintenance", Meaning::BusyDown),
    Status("backtracking", Meaning::BusyDown),
    Status("stopping", Meaning::BusyDown),
    Status("stopped", Meaning::Stopped),
    Status("starting", Meaning::BusyDown),
    Status("migrating", Meaning::Creating),
    Status("migration-failed", Meaning::Failed),
    Status("cloning-failed", Meaning::Failed),
    Status("inaccessible-encryption-credentials-recoverable", Meaning::Failed),
    Status("inaccessible-encryption-credentials", Meaning::Failed),
    Status("deleting", Meaning::Deleting),
];

/// Status words of instances. Source: as above, pages on instance status.
pub const INSTANCE_STATUSES: &[Status] = &[
    Status("available", Meaning::Ready),
    // Background work after growth: the instance serves and takes nearly every change.
    Status("storage-optimization", Meaning::Ready),
    Status("creating", Meaning::Creating),
    Status("configuring-enhanced-monitoring", Meaning::BusyServing),
    Status("configuring-iam-database-auth", Meaning::BusyServing),
    Status("configuring-log-exports", Meaning::BusyServing),
    Status("configuring-associated-roles", Meaning::BusyServing),
    Status("backing-up", Meaning::BusyServing),
    Status("modifying", Meaning::BusyServing),
    Status("rebooting", Meaning::BusyDown),
    Status("renaming", Meaning::BusyDown),
    Status("upgrading", Meaning::BusyDown),
    Status("maintenance", Meaning::BusyDown),
    Status("resetting-master-credentials", Meaning::BusyServing),
    Status("starting", Meaning::BusyDown),
    Status("stopping", Meaning::BusyDown),
    Status("stopped", Meaning::Stopped),
    Status("deleting", Meaning::Deleting),
    Status("storage-full", Meaning::Failed),
    Status("failed", Meaning::Failed),
    Status("restore-error", Meaning::Failed),
    Status("insufficient-capacity", Meaning::Failed),
    Status("incompatible-network", Meaning::Failed),
    Status("incompatible-option-group", Meaning::Failed),
    Status("incompatible-parameters", Meaning::Failed),
    Status("incompatible-restore", Meaning::Failed),
    Status("inaccessible-encryption-credentials", Meaning::Failed),
];

/// Status words of global clusters.
pub const GLOBAL_STATUSES: &[Status] = &[
    Status("available", Meaning::Ready),
    Status("creating", Meaning::Creating),
    Status("modifying", Meaning::BusyServing),
    Status("upgrading", Meaning::BusyDown),
    Status("switching-over", Meaning::BusyDown),
    Status("failing-over", Meaning::BusyDown),
    Status("deleting", Meaning::Deleting),
];

/// Status words of cluster snapshots.
pub const SNAPSHOT_STATUSES: &[Status] = &[
    Status("available", Meaning::Ready),
    Status("creating", Meaning::Creating),
    Status("copying", Meaning::Creating),
    Status("deleting", Meaning::Deleting),
    Status("deleted", Meaning::Absent),
    Status("failed", Meaning::Failed),
];

/// Objects without a status of their own exist or do not: subnet groups and parameter groups.
pub const GROUP_STATUSES: &[Status] = &[
    Status("available", Meaning::Ready),
    Status("Complete", Meaning::Ready),
    Status("in-sync", Meaning::Ready),
];

/// Looks a status word up in a table; a word that is not there is `Unknown`, never a guess.
pub fn classify(table: &[Status], native: &str) -> Phase {
    table
        .iter()
        .find(|Status(word, _)| *word == native)
        .map_or_else(|| Phase::Unknown(native.to_owned()), |Status(word, meaning)| meaning.phase(word))
}
