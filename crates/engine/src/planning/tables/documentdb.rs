//! DocumentDB: what changing a field of an object does, and how long it lasts.

use super::rds_like::{
    CLUSTER_REMEDIES, INSTANCE_REMEDIES, PROMOTION, cluster_timing, global_timing, instance_timing,
};
use super::row::{KindRow, Lowers, Timing, Way, rows};
use super::shared::{PLAIN, minor_may_lead, never_back, same_key, same_window};
use rgctl_model::kinds::documentdb::{ClusterAttrs, GlobalAttrs, InstanceAttrs};
use rgctl_model::kinds::facts::Lasts;

/// Global clusters.
pub(super) const GLOBAL: KindRow = KindRow { timing: GLOBAL_TIMING, primary_leaves: true, ..PLAIN };

/// Clusters.
pub(super) const CLUSTER: KindRow = KindRow {
    timing: CLUSTER_TIMING,
    takes_failover: true,
    exclusive_with_members: true,
    remedies: CLUSTER_REMEDIES,
    ..PLAIN
};

/// Instances.
pub(super) const INSTANCE: KindRow =
    KindRow { timing: INSTANCE_TIMING, promotion: Some(PROMOTION), remedies: INSTANCE_REMEDIES, ..PLAIN };

rows! {
    /// A DocumentDB global cluster.
    GLOBAL_ROWS of GlobalAttrs {
        source => Replace;
        source_region => Replace;
        deletion_protection => InPlace { lowers: Lowers::Less };
    }

    /// A DocumentDB cluster.
    CLUSTER_ROWS of ClusterAttrs {
        engine_version => Failover { same: minor_may_lead, alone: true, way: way_of_version };
        parameter_group => InPlace { lowers: Lowers::Any };
        subnet_group => Replace;
        security_groups => InPlace { lowers: Lowers::Less };
        port => Failover;
        storage_encrypted => Replace;
        kms_key => Replace { same: same_key };
        storage_kind => InPlace { alone: true, lowers: Lowers::Nothing };
        backup_retention_days => InPlace { lowers: Lowers::Less };
        backup_window => InPlace { same: same_window, lowers: Lowers::Nothing };
        maintenance_window => InPlace { same: same_window, lowers: Lowers::Nothing };
        deletion_protection => InPlace { lowers: Lowers::Less };
        master_username => Replace;
        managed_password => InPlace { lowers: Lowers::Less };
        log_exports => InPlace { lowers: Lowers::Less };
        serverless_min_half_dcu => InPlace { lowers: Lowers::Less };
        serverless_max_half_dcu => Restart;
        global => Replace;
    }

    /// A member of a DocumentDB cluster.
    INSTANCE_ROWS of InstanceAttrs {
        cluster => Replace;
        class => Restart { alone: true };
        promotion_tier => InPlace { lowers: Lowers::Nothing };
        zone => Replace;
        auto_minor_version_upgrade => InPlace { lowers: Lowers::More };
        performance_insights => InPlace { lowers: Lowers::Less };
    }
}

fn way_of_version(wanted: &ClusterAttrs, seen: &ClusterAttrs) -> Way {
    never_back(wanted.engine_version.as_ref(), seen.engine_version.as_ref())
}

/// A failover takes about 30 s with a replica.
const CLUSTER_TIMING: Timing = cluster_timing(Lasts::new(25, 50));
const INSTANCE_TIMING: Timing = instance_timing(Lasts::new(25, 50));
const GLOBAL_TIMING: Timing = global_timing(Lasts::new(60, 240));
