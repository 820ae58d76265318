//! Aurora in the embedded cloud.

use super::rds_like::{
    CLUSTER_WORDS, CODES, GLOBAL_CODES, GLOBAL_WORDS, INSTANCE_CODES, INSTANCE_WORDS, STOPPED_MAX,
    cluster_durations, global_durations, instance_durations, io_optimized,
};
use super::row::{Behaviour, Durations, WhileStopped, rows};
use super::shared::{is_older, one_key, one_window, plain, same_line};
use rgctl_model::kinds::AnyAttrs;
use rgctl_model::kinds::aurora::{AuroraEngine, ClusterAttrs, GlobalAttrs, InstanceAttrs};
use rgctl_model::kinds::facts::DurationEstimate;

/// Global clusters.
pub(super) const GLOBAL: Behaviour = Behaviour {
    durations: GLOBAL_DURATIONS,
    words: GLOBAL_WORDS,
    protection: Some("deletion_protection"),
    primary_leaves: true,
    ..plain(GLOBAL_CODES)
};

/// Clusters.
pub(super) const CLUSTER: Behaviour = Behaviour {
    durations: CLUSTER_DURATIONS,
    words: CLUSTER_WORDS,
    protection: Some("deletion_protection"),
    takes_failover: true,
    one_at_a_time: true,
    // `CreateDBCluster` has no parameter for them (RDS API reference).
    after_birth: &["iam_roles"],
    // "You also can't [...] delete the cluster if it still has any associated DB instances" (Aurora guide, "Stopping and starting").
    while_stopped: WhileStopped::Goes,
    starts_after: Some(STOPPED_MAX),
    cool_down: Some(io_optimized("StorageTypeNotAvailableFault")),
    secondaries_first: Some("engine_version"),
    outside_global: Some("managed_password"),
    parameter_family,
    ..plain(CODES)
};

/// Instances.
pub(super) const INSTANCE: Behaviour =
    Behaviour { durations: INSTANCE_DURATIONS, words: INSTANCE_WORDS, ..plain(INSTANCE_CODES) };

rows! {
    /// An Aurora global cluster: one primary region that writes, secondary regions that follow.
    GLOBAL_ROWS of GlobalAttrs {
        source => Fixed, told: false;
        source_region => Fixed, told: false;
        engine => Fixed;
        engine_version => Failover, same: same_line, told: false;
        deletion_protection => InPlace;
        extended_support => Fixed;
    }

    /// An Aurora cluster.
    CLUSTER_ROWS of ClusterAttrs {
        engine => Fixed;
        engine_version => Failover, same: same_line, refused: version_goes_back, alone: true, with: "parameter_group";
        parameter_group => InPlace;
        instance_parameter_group => InPlace, told: false;
        subnet_group => Fixed;
        security_groups => InPlace;
        port => Failover;
        storage_encrypted => Fixed;
        kms_key => Fixed, same: one_key;
        storage_kind => InPlace, alone: true;
        backup_retention_days => InPlace;
        backup_window => InPlace, same: one_window;
        maintenance_window => InPlace, same: one_window;
        deletion_protection => InPlace;
        database => Fixed;
        master_username => Fixed;
        managed_password => InPlace;
        master_secret => InPlace;
        master_secret_arn => InPlace;
        iam_authentication => InPlace;
        // One role a call (RDS API reference, `AddRoleToDBCluster`, `RemoveRoleFromDBCluster`).
        iam_roles => InPlace, alone: true;
        log_exports => InPlace;
        copy_tags_to_snapshot => InPlace;
        // For the life of the cluster (Aurora guide, "Creating an Aurora DB cluster or a global cluster with Amazon RDS Extended Support").
        extended_support => Fixed;
        serverless_min_half_acu => InPlace;
        serverless_max_half_acu => InPlace;
        global => Fixed;
    }

    /// A member of an Aurora cluster.
    INSTANCE_ROWS of InstanceAttrs {
        cluster => Fixed;
        engine => Fixed;
        class => Restart, alone: true, with: "ca_certificate";
        parameter_group => InPlace;
        promotion_tier => InPlace;
        zone => Fixed;
        publicly_accessible => InPlace;
        auto_minor_version_upgrade => InPlace;
        performance_insights => InPlace;
        // "By default, the DB instance is restarted when you rotate your SSL/TLS certificate" (API references, `ModifyDBInstance`).
        ca_certificate => Restart;
    }
}

/// Source: Aurora guide, "Working with parameter groups", families of Aurora MySQL and Aurora PostgreSQL.
fn parameter_family(attrs: &AnyAttrs) -> Option<String> {
    let AnyAttrs::AuroraCluster(cluster) = attrs else { return None };
    let version = &cluster.engine_version.as_ref()?.0;
    let leading = |count: usize| version.split('.').take(count).collect::<Vec<_>>().join(".");
    Some(match cluster.engine? {
        AuroraEngine::Mysql => format!("aurora-mysql{}", leading(2)),
        AuroraEngine::Postgresql => format!("aurora-postgresql{}", leading(1)),
    })
}

fn version_goes_back(asked: &ClusterAttrs, has: &ClusterAttrs) -> bool {
    is_older(asked.engine_version.as_ref(), has.engine_version.as_ref())
}

const CLUSTER_DURATIONS: Durations = cluster_durations(DurationEstimate::new(20, 55));
const INSTANCE_DURATIONS: Durations = instance_durations(DurationEstimate::new(20, 55));
const GLOBAL_DURATIONS: Durations = global_durations(DurationEstimate::new(90, 300));
