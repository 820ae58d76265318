//! Aurora: what changing a field of an object does, and how long it lasts.

use super::rds_like::{CLUSTER_REMEDIES, INSTANCE_REMEDIES, PROMOTION};
use super::row::{KindRow, Lowers, Timing, Way, rows};
use super::shared::{PLAIN, minor_may_lead, never_back, same_key, same_window};
use rgctl_model::kinds::aurora::{ClusterAttrs, GlobalAttrs, InstanceAttrs};
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
    /// An Aurora global cluster: one primary region that writes, secondary regions that follow.
    GLOBAL_ROWS of GlobalAttrs {
        source => Replace;
        source_region => Replace;
        engine => Replace;
        engine_version => Failover { same: minor_may_lead };
        deletion_protection => InPlace { lowers: Lowers::Less };
    }

    /// An Aurora cluster.
    CLUSTER_ROWS of ClusterAttrs {
        engine => Replace;
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
        database => Replace;
        master_username => Replace;
        managed_password => InPlace { lowers: Lowers::Less };
        iam_authentication => InPlace { lowers: Lowers::Less };
        log_exports => InPlace { lowers: Lowers::Less };
        copy_tags_to_snapshot => InPlace { lowers: Lowers::Less };
        serverless_min_half_acu => InPlace { lowers: Lowers::Less };
        serverless_max_half_acu => InPlace { lowers: Lowers::Less };
        global => Replace;
    }

    /// A member of an Aurora cluster.
    INSTANCE_ROWS of InstanceAttrs {
        cluster => Replace;
        engine => Replace;
        class => Restart { alone: true };
        parameter_group => Restart;
        promotion_tier => InPlace { lowers: Lowers::Nothing };
        zone => Replace;
        publicly_accessible => InPlace { lowers: Lowers::Any };
        auto_minor_version_upgrade => InPlace { lowers: Lowers::More };
        performance_insights => InPlace { lowers: Lowers::Less };
    }
}

fn way_of_version(wanted: &ClusterAttrs, seen: &ClusterAttrs) -> Way {
    never_back(wanted.engine_version.as_ref(), seen.engine_version.as_ref())
}

/// Clusters: see `reference` columns of the plan; a failover usually takes under 60 s with a reader.
const CLUSTER_TIMING: Timing = Timing {
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
const INSTANCE_TIMING: Timing = Timing {
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
const GLOBAL_TIMING: Timing = Timing {
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
