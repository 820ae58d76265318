//! DocumentDB in the embedded cloud.

use super::rds_like::{
    CLUSTER_WORDS, CODES, GLOBAL_CODES, GLOBAL_WORDS, INSTANCE_CODES, INSTANCE_WORDS, STOPPED_MAX,
    cluster_durations, global_durations, instance_durations, io_optimized,
};
use super::row::{Behaviour, Durations, rows};
use super::shared::{is_older, one_key, one_window, plain, same_line};
use rgctl_model::kinds::AnyAttrs;
use rgctl_model::kinds::documentdb::{ClusterAttrs, GlobalAttrs, InstanceAttrs};
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
    starts_after: Some(STOPPED_MAX),
    cool_down: Some(io_optimized(CODES.combination)),
    secondaries_first: Some("engine_version"),
    outside_global: Some("managed_password"),
    parameter_family,
    ..plain(CODES)
};

/// Instances.
pub(super) const INSTANCE: Behaviour =
    Behaviour { durations: INSTANCE_DURATIONS, words: INSTANCE_WORDS, ..plain(INSTANCE_CODES) };

rows! {
    /// A DocumentDB global cluster.
    GLOBAL_ROWS of GlobalAttrs {
        source => Fixed, told: false;
        source_region => Fixed, told: false;
        deletion_protection => InPlace;
    }

    /// A DocumentDB cluster.
    CLUSTER_ROWS of ClusterAttrs {
        engine_version => Failover, same: same_line, refused: version_goes_back, alone: true, with: "parameter_group";
        parameter_group => InPlace;
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
        master_username => Fixed;
        managed_password => InPlace;
        master_secret => InPlace;
        master_secret_arn => InPlace;
        log_exports => InPlace;
        serverless_min_half_dcu => InPlace;
        serverless_max_half_dcu => Restart;
        global => Fixed;
    }

    /// A member of a DocumentDB cluster.
    INSTANCE_ROWS of InstanceAttrs {
        cluster => Fixed;
        class => Restart, alone: true, with: "ca_certificate";
        promotion_tier => InPlace;
        zone => Fixed;
        auto_minor_version_upgrade => InPlace;
        performance_insights => InPlace;
        // "By default, the DB instance is restarted when you rotate your SSL/TLS certificate" (API references, `ModifyDBInstance`).
        ca_certificate => Restart;
    }
}

/// Source: DocumentDB guide, "Managing cluster parameter groups": families `docdb3.6` to `docdb8.0`.
fn parameter_family(attrs: &AnyAttrs) -> Option<String> {
    let AnyAttrs::DocumentCluster(cluster) = attrs else { return None };
    let version = &cluster.engine_version.as_ref()?.0;
    Some(format!("docdb{}", version.split('.').take(2).collect::<Vec<_>>().join(".")))
}

fn version_goes_back(asked: &ClusterAttrs, has: &ClusterAttrs) -> bool {
    is_older(asked.engine_version.as_ref(), has.engine_version.as_ref())
}

const CLUSTER_DURATIONS: Durations = cluster_durations(DurationEstimate::new(25, 50));
const INSTANCE_DURATIONS: Durations = instance_durations(DurationEstimate::new(25, 50));
const GLOBAL_DURATIONS: Durations = global_durations(DurationEstimate::new(60, 240));
