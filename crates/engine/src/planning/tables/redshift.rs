//! Redshift: what changing a field of an object does, and how long it lasts.

use super::row::{KindRow, Reduction, Remedy, Shrink, SlowResize, Timing, rows};
use super::shared::{FREE_ADDRESSES, FREE_STORAGE, PLAIN, same_key, same_window};
use rgctl_model::kinds::AnyAttrs;
use rgctl_model::kinds::facts::DurationEstimate;
use rgctl_model::kinds::redshift::{ClusterAttrs, NO_COPY, NamespaceAttrs, WorkgroupAttrs};

/// Clusters.
pub(super) const CLUSTER: KindRow = KindRow {
    takes_reboot: true,
    timing: CLUSTER_TIMING,
    slow_resize: Some(SlowResize { slowest: CLASSIC, lasts: moves_all_data }),
    pause: Some("paused"),
    remedies: &[Remedy("incompatible-network", FREE_ADDRESSES), Remedy("storage-full", FREE_STORAGE)],
    ..PLAIN
};

/// Namespaces and workgroups.
pub(super) const SERVERLESS: KindRow = KindRow { timing: SERVERLESS_TIMING, ..PLAIN };

rows! {
    /// A Redshift cluster.
    CLUSTER_ROWS of ClusterAttrs {
        node_type => Resize { alone: true };
        nodes => Resize { alone: true, shrink: Shrink::BoundByUse };
        database => Replace;
        master_username => Replace;
        managed_password => InPlace { lowers: Reduction::Less };
        subnet_group => Replace;
        security_groups => InPlace { lowers: Reduction::Less };
        parameter_group => InPlace { lowers: Reduction::Any };
        // One copy of all data, to an encrypted cluster with that key.
        encrypted => Resize { alone: true, with: "kms_key" };
        kms_key => Resize { same: same_key, alone: true, with: "encrypted" };
        snapshot_retention_days => InPlace { lowers: Reduction::Less };
        maintenance_window => InPlace { same: same_window, lowers: Reduction::Nothing };
        publicly_accessible => InPlace { alone: true, lowers: Reduction::Any };
        enhanced_vpc_routing => InPlace { alone: true, lowers: Reduction::Less };
        multi_az => Online { alone: true, lowers: Reduction::Less };
        port => Restart { alone: true };
        snapshot_copy_region => InPlace { alone: true, lowers: Reduction::To(NO_COPY) };
        snapshot_copy_retention_days => InPlace { alone: true, lowers: Reduction::Less };
        iam_roles => InPlace { alone: true, with: "default_iam_role", lowers: Reduction::Less };
        default_iam_role => InPlace { alone: true, with: "iam_roles", lowers: Reduction::Any };
        paused => Restart { alone: true };
    }

    /// A Redshift Serverless namespace: the data.
    NAMESPACE_ROWS of NamespaceAttrs {
        database => Replace;
        master_username => InPlace { lowers: Reduction::Any };
        managed_password => InPlace { lowers: Reduction::Less };
        kms_key => Online { same: same_key, lowers: Reduction::Nothing };
        log_exports => InPlace { lowers: Reduction::Less };
    }

    /// A Redshift Serverless workgroup: the compute.
    WORKGROUP_ROWS of WorkgroupAttrs {
        namespace => Replace;
        base_rpu => InPlace { alone: true, lowers: Reduction::Less };
        max_rpu => InPlace { alone: true, lowers: Reduction::Less };
        subnets => InPlace { lowers: Reduction::Less };
        security_groups => InPlace { lowers: Reduction::Less };
        publicly_accessible => InPlace { alone: true, lowers: Reduction::Any };
        enhanced_vpc_routing => InPlace { alone: true, lowers: Reduction::Less };
        port => InPlace { alone: true, lowers: Reduction::Any };
    }
}

/// Clusters. An elastic resize takes about ten minutes, of which the cut-over interrupts; writes are counted as
/// stopped throughout, which is the safe reading.
const CLUSTER_TIMING: Timing = Timing {
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

/// A classic resize moves all data to another cluster: hours to days, by data.
const CLASSIC: DurationEstimate = DurationEstimate::new(7_200, 86_400);

/// How far an elastic resize of a class leads: to at most so many times its nodes, and at least to one of so many parts.
/// Source: Redshift management guide, 2026, as in the catalog's limits.
fn elastic_reach(class: &str) -> (u32, u32) {
    match class {
        "ra3.4xlarge" | "ra3.16xlarge" | "rg.4xlarge" => (4, 4),
        "ra3.xlplus" => (2, 4),
        _ => (2, 2),
    }
}

/// How long a change takes that copies all data to another cluster: of encryption, and a resize that no elastic one leads to.
/// Meanwhile the cluster takes no writes. Source: Redshift management guide, "Changing cluster encryption" and "Resizing
/// clusters". A single node has no elastic resize.
fn moves_all_data(before: &AnyAttrs, after: &AnyAttrs) -> Option<DurationEstimate> {
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
    if from == to {
        return None;
    }
    let (growth, parts) = elastic_reach(&class);
    let is_elastic =
        from > 1 && to > 1 && to <= from.saturating_mul(growth) && to.saturating_mul(parts) >= from;
    (!is_elastic).then_some(CLASSIC)
}

/// Serverless.
const SERVERLESS_TIMING: Timing = Timing {
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
