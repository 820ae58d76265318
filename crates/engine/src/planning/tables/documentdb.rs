//! DocumentDB: what changing a field of an object does, and how long it lasts.

use super::rds_like::{
    CLUSTER_REMEDIES, INSTANCE_REMEDIES, PROMOTION, cluster_timing, global_timing, instance_timing,
};
use super::row::{ChangePath, KindRow, Reduction, Timing, rows};
use super::shared::{PLAIN, minor_may_lead, never_back, same_key, same_window, wish_at_birth};
use rgctl_model::kinds::documentdb::{ClusterAttrs, GlobalAttrs, InstanceAttrs};
use rgctl_model::kinds::facts::DurationEstimate;

/// Global clusters.
pub(super) const GLOBAL: KindRow = KindRow { timing: GLOBAL_TIMING, primary_leaves: true, ..PLAIN };

/// Clusters.
pub(super) const CLUSTER: KindRow = KindRow {
    timing: CLUSTER_TIMING,
    takes_failover: true,
    exclusive_with_members: true,
    outside_global: Some("managed_password"),
    remedies: CLUSTER_REMEDIES,
    ..PLAIN
};

/// Instances.
pub(super) const INSTANCE: KindRow = KindRow {
    takes_reboot: true,
    timing: INSTANCE_TIMING,
    promotion: Some(PROMOTION),
    remedies: INSTANCE_REMEDIES,
    ..PLAIN
};

rows! {
    /// A DocumentDB global cluster.
    GLOBAL_ROWS of GlobalAttrs {
        source => Replace;
        source_region => Replace;
        deletion_protection => InPlace { lowers: Reduction::Less };
    }

    /// A DocumentDB cluster.
    CLUSTER_ROWS of ClusterAttrs {
        engine_version => Failover { same: minor_may_lead, alone: true, with: "parameter_group", way: way_of_version };
        parameter_group => InPlace { lowers: Reduction::Any, alone: true };
        subnet_group => Replace;
        security_groups => InPlace { lowers: Reduction::Less };
        port => Failover;
        storage_encrypted => Replace;
        kms_key => Replace { same: same_key };
        storage_kind => InPlace { alone: true, lowers: Reduction::Nothing };
        backup_retention_days => InPlace { lowers: Reduction::Less };
        backup_window => InPlace { same: same_window, lowers: Reduction::Nothing };
        maintenance_window => InPlace { same: same_window, lowers: Reduction::Nothing };
        deletion_protection => InPlace { lowers: Reduction::Less };
        master_username => Replace;
        managed_password => InPlace { alone: true, with: "master_secret", instead: has_own, lowers: Reduction::Less };
        master_secret => InPlace { alone: true, with: "managed_password", lowers: Reduction::Nothing };
        master_secret_arn => InPlace { alone: true, with: "managed_password", lowers: Reduction::Nothing };
        log_exports => InPlace { lowers: Reduction::Less };
        serverless_min_half_dcu => InPlace { lowers: Reduction::Less };
        serverless_max_half_dcu => Restart;
        global => Replace;
    }

    /// A member of a DocumentDB cluster.
    INSTANCE_ROWS of InstanceAttrs {
        cluster => Replace;
        class => Restart { alone: true };
        promotion_tier => InPlace { lowers: Reduction::Nothing };
        zone => Replace { same: wish_at_birth };
        auto_minor_version_upgrade => InPlace { lowers: Reduction::More };
        performance_insights => InPlace { lowers: Reduction::Less };
        // Some versions take it without a restart (`SupportsCertificateRotationWithoutRestart`): the worst is said of all. With a class it
        // costs one restart, not two.
        ca_certificate => Restart { alone: true, with: "class" };
    }
}

/// A store that has lost its second region keeps the secret that it was given for that: nothing is changed by itself.
fn has_own(wanted: &ClusterAttrs, seen: &ClusterAttrs) -> bool {
    wanted.managed_password == Some(true)
        && seen.managed_password == Some(false)
        && seen.master_secret.is_some()
}

fn way_of_version(wanted: &ClusterAttrs, seen: &ClusterAttrs) -> ChangePath {
    never_back(wanted.engine_version.as_ref(), seen.engine_version.as_ref())
}

/// A failover takes about 30 s with a replica.
const CLUSTER_TIMING: Timing = cluster_timing(DurationEstimate::new(25, 50));
const INSTANCE_TIMING: Timing = instance_timing(DurationEstimate::new(25, 50));
const GLOBAL_TIMING: Timing = global_timing(DurationEstimate::new(60, 240));
