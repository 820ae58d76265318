//! Redshift in the embedded cloud.

use super::parameters;
use super::row::{Behaviour, Codes, Durations, Word, rows};
use super::shared::{one_key, one_window, plain};
use rgctl_model::kinds::AnyAttrs;
use rgctl_model::kinds::facts::{DurationEstimate, Meaning};
use rgctl_model::kinds::redshift::{ClusterAttrs, NamespaceAttrs, WorkgroupAttrs};

const CODES: Codes = Codes {
    state: "InvalidClusterState",
    quota: "ClusterQuotaExceeded",
    capacity: "InsufficientClusterCapacity",
    combination: "InvalidParameterCombination",
    nodes: "NumberOfNodesPerClusterLimitExceeded",
    in_use: "InvalidClusterState",
    snapshot_exists: "ClusterSnapshotAlreadyExists",
    failover: "UnsupportedOperation",
    global_state: "InvalidClusterState",
};

const SERVERLESS_CODES: Codes = Codes {
    state: "ConflictException",
    quota: "ServiceQuotaExceededException",
    capacity: "InsufficientCapacityException",
    combination: "ValidationException",
    nodes: "ValidationException",
    in_use: "ConflictException",
    snapshot_exists: "ConflictException",
    failover: "ValidationException",
    global_state: "ConflictException",
};

/// Subnet groups.
pub(super) const SUBNET_GROUP: Behaviour = plain(Codes {
    state: "InvalidClusterSubnetGroupStateFault",
    in_use: "InvalidClusterSubnetGroupStateFault",
    ..CODES
});

/// Parameter groups.
pub(super) const PARAMETERS: Behaviour = Behaviour {
    at_restart: parameters::redshift,
    ..plain(Codes {
        state: "InvalidClusterParameterGroupState",
        in_use: "InvalidClusterParameterGroupState",
        ..CODES
    })
};

/// Clusters. "You can only delete clusters with ACTIVE, INCOMPATIBLE_NETWORK, [...] lifecycle", and so none that is paused (the service's
/// answer in hashicorp/terraform-provider-aws#4563; apache/airflow#68922).
pub(super) const CLUSTER: Behaviour = Behaviour {
    durations: CLUSTER_DURATIONS,
    words: CLUSTER_WORDS,
    slow_resize: copies_all_data,
    ..plain(CODES)
};

/// Namespaces.
pub(super) const NAMESPACE: Behaviour =
    Behaviour { durations: SERVERLESS_DURATIONS, words: SERVERLESS_WORDS, ..plain(SERVERLESS_CODES) };

/// Workgroups.
pub(super) const WORKGROUP: Behaviour =
    Behaviour { durations: SERVERLESS_DURATIONS, words: SERVERLESS_WORDS, ..plain(SERVERLESS_CODES) };

/// Snapshots of clusters and of namespaces.
pub(super) const SNAPSHOT: Behaviour = Behaviour { words: SNAPSHOT_WORDS, ..plain(CODES) };

rows! {
    /// A Redshift cluster.
    CLUSTER_ROWS of ClusterAttrs {
        node_type => Resize, alone: true;
        nodes => Resize, alone: true;
        database => Fixed;
        master_username => Fixed;
        managed_password => InPlace;
        subnet_group => Fixed;
        security_groups => InPlace;
        parameter_group => InPlace;
        encrypted => Resize, alone: true, with: "kms_key";
        kms_key => Resize, same: one_key, alone: true, with: "encrypted";
        snapshot_retention_days => InPlace;
        maintenance_window => InPlace, same: one_window;
        publicly_accessible => InPlace, alone: true;
        enhanced_vpc_routing => InPlace, alone: true;
        multi_az => Online, alone: true;
        port => Restart, alone: true;
        snapshot_copy_region => InPlace, alone: true;
        snapshot_copy_retention_days => InPlace, alone: true;
        iam_roles => InPlace, alone: true, with: "default_iam_role";
        default_iam_role => InPlace, alone: true, with: "iam_roles";
        paused => Restart, alone: true;
    }

    /// A Redshift Serverless namespace: the data.
    NAMESPACE_ROWS of NamespaceAttrs {
        database => Fixed;
        master_username => InPlace;
        managed_password => InPlace;
        kms_key => Online, same: one_key;
        log_exports => InPlace;
    }

    /// A Redshift Serverless workgroup: the compute.
    WORKGROUP_ROWS of WorkgroupAttrs {
        namespace => Fixed;
        base_rpu => InPlace, alone: true;
        max_rpu => InPlace, alone: true;
        subnets => InPlace;
        security_groups => InPlace;
        publicly_accessible => InPlace, alone: true;
        enhanced_vpc_routing => InPlace, alone: true;
        port => InPlace, alone: true;
    }
}

/// How far an elastic resize of a class leads: to at most so many times its nodes, and at least to one of so many parts
/// (Redshift management guide, 2026).
fn elastic_reach(class: &str) -> (u32, u32) {
    match class {
        "ra3.4xlarge" | "ra3.16xlarge" | "rg.4xlarge" => (4, 4),
        "ra3.xlplus" => (2, 4),
        _ => (2, 2),
    }
}

/// A resize beyond the reach of an elastic one, or of a single node, copies all data to another cluster; so does a change of
/// encryption, during which the cluster is read-only and says `resizing` (Redshift management guide, 2026).
fn copies_all_data(before: &AnyAttrs, after: &AnyAttrs) -> Option<DurationEstimate> {
    if let (AnyAttrs::RedshiftCluster(before), AnyAttrs::RedshiftCluster(after)) = (before, after)
        && (before.encrypted != after.encrypted || before.kms_key != after.kms_key)
    {
        return Some(CLASSIC);
    }
    let shape = |attrs: &AnyAttrs| match attrs {
        AnyAttrs::RedshiftCluster(cluster) => cluster.nodes.zip(cluster.node_type.clone()),
        _ => None,
    };
    let ((from, class), (to, _)) = (shape(before)?, shape(after)?);
    let (growth, parts) = elastic_reach(&class);
    let is_elastic =
        from > 1 && to > 1 && to <= from.saturating_mul(growth) && to.saturating_mul(parts) >= from;
    (from != to && !is_elastic).then_some(CLASSIC)
}

const CLASSIC: DurationEstimate = DurationEstimate::new(7_200, 86_400);

/// Clusters. Source: Redshift management guide, page on cluster status. Availability words are prefixed by a comma.
pub(super) const CLUSTER_WORDS: &[Word] = &[
    Word("available", Meaning::Ready),
    Word("available, prep-for-resize", Meaning::BusyServing),
    Word("available, resize-cleanup", Meaning::BusyServing),
    Word("cancelling-resize", Meaning::BusyDown),
    Word("creating", Meaning::Creating),
    Word("deleting", Meaning::Deleting),
    Word("final-snapshot", Meaning::Deleting),
    Word("hardware-failure", Meaning::Failed),
    Word("incompatible-hsm", Meaning::Failed),
    Word("incompatible-network", Meaning::Failed),
    Word("incompatible-parameters", Meaning::Failed),
    Word("incompatible-restore", Meaning::Failed),
    Word("modifying", Meaning::BusyDown),
    Word("paused", Meaning::Stopped),
    Word("pausing", Meaning::BusyDown),
    Word("resuming", Meaning::BusyDown),
    Word("rebooting", Meaning::BusyDown),
    Word("renaming", Meaning::BusyDown),
    Word("resizing", Meaning::BusyDown),
    Word("rotating-keys", Meaning::BusyDown),
    Word("storage-full", Meaning::Failed),
    Word("updating-hsm", Meaning::BusyDown),
];

/// Workgroups and namespaces.
pub(super) const SERVERLESS_WORDS: &[Word] = &[
    Word("AVAILABLE", Meaning::Ready),
    Word("CREATING", Meaning::Creating),
    Word("MODIFYING", Meaning::BusyServing),
    Word("DELETING", Meaning::Deleting),
];

/// Snapshots of clusters and of namespaces.
pub(super) const SNAPSHOT_WORDS: &[Word] = &[
    Word("available", Meaning::Ready),
    Word("AVAILABLE", Meaning::Ready),
    Word("creating", Meaning::Creating),
    Word("CREATING", Meaning::Creating),
    Word("COPYING", Meaning::Creating),
    Word("final snapshot", Meaning::Creating),
    Word("deleted", Meaning::Absent),
    Word("DELETED", Meaning::Absent),
    Word("CANCELLED", Meaning::Failed),
    Word("failed", Meaning::Failed),
    Word("FAILED", Meaning::Failed),
];

const CLUSTER_DURATIONS: Durations = Durations {
    create: DurationEstimate::new(420, 900),
    delete: DurationEstimate::new(420, 600),
    in_place: DurationEstimate::new(60, 300),
    online: DurationEstimate::new(3_600, 14_400),
    restart: DurationEstimate::new(300, 600),
    restart_outage: DurationEstimate::new(300, 600),
    failover: DurationEstimate::new(120, 300),
    failover_outage: DurationEstimate::new(45, 120),
    resize: DurationEstimate::new(600, 1_200),
};

const SERVERLESS_DURATIONS: Durations = Durations {
    create: DurationEstimate::new(180, 420),
    delete: DurationEstimate::new(180, 420),
    in_place: DurationEstimate::new(180, 600),
    online: DurationEstimate::new(1_800, 7_200),
    restart: DurationEstimate::new(180, 600),
    restart_outage: DurationEstimate::new(0, 0),
    failover: DurationEstimate::new(180, 600),
    failover_outage: DurationEstimate::new(0, 0),
    resize: DurationEstimate::new(180, 600),
};
