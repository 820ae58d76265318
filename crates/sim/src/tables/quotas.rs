//! Which quotas of an account the embedded cloud keeps, under the names that the catalog has for them. Codes: the
//! services' API models, declared errors; numbers: the catalog.

use super::of;
use rgctl_model::kinds::{AnyAttrs, KindId};

/// A quota of an account in a region.
#[derive(Clone, Copy, Debug)]
pub struct Quota {
    /// The service in the catalog.
    pub service: &'static str,
    /// The item in the catalog.
    pub item: &'static str,
    /// Other kinds that count together with this one.
    pub beside: Option<KindId>,
    /// The code of the refusal.
    pub code: &'static str,
}

const fn quota(service: &'static str, item: &'static str, code: &'static str) -> Quota {
    Quota { service, item, beside: None, code }
}

const fn beside(kind: KindId, quota: Quota) -> Quota {
    Quota { beside: Some(kind), ..quota }
}

/// Most shards and nodes of one cache.
const CACHE_NODES: Quota =
    quota("elasticache", "nodes-per-cluster-cluster-mode-default", "NodeQuotaForClusterExceeded");

/// The quota of objects of a kind.
pub const fn quota_of(kind: KindId) -> Option<Quota> {
    let code = of(kind).codes.quota;
    Some(match kind {
        KindId::AuroraCluster => quota("aurora", "db-clusters", code),
        KindId::DocumentCluster => quota("docdb", "clusters", code),
        // One quota for both, which share a control plane.
        KindId::AuroraInstance => beside(KindId::DocumentInstance, quota("aurora", "db-instances", code)),
        KindId::DocumentInstance => beside(KindId::AuroraInstance, quota("aurora", "db-instances", code)),
        KindId::RdsSubnetGroup => quota("aurora", "db-subnet-groups", code),
        KindId::AuroraClusterParameters => {
            beside(KindId::DocumentClusterParameters, quota("aurora", "cluster-parameter-groups", code))
        }
        KindId::DocumentClusterParameters => {
            beside(KindId::AuroraClusterParameters, quota("aurora", "cluster-parameter-groups", code))
        }
        KindId::AuroraInstanceParameters => quota("aurora", "parameter-groups", code),
        KindId::AuroraSnapshot => beside(
            KindId::DocumentSnapshot,
            quota("aurora", "manual-cluster-snapshots", "SnapshotQuotaExceeded"),
        ),
        KindId::DocumentSnapshot => beside(
            KindId::AuroraSnapshot,
            quota("aurora", "manual-cluster-snapshots", "SnapshotQuotaExceeded"),
        ),
        KindId::CacheSubnetGroup => quota("elasticache", "subnet-groups", "CacheSubnetGroupQuotaExceeded"),
        KindId::CacheParameters => {
            quota("elasticache", "parameter-groups", "CacheParameterGroupQuotaExceeded")
        }
        KindId::CacheUser => quota("elasticache", "users", "UserQuotaExceeded"),
        KindId::CacheUserGroup => quota("elasticache", "user-groups", "UserGroupQuotaExceeded"),
        KindId::CacheServerless => quota("elasticache", "serverless-caches", code),
        KindId::RedshiftSubnetGroup => quota("redshift", "subnet-groups", "ClusterSubnetGroupQuotaExceeded"),
        KindId::RedshiftParameters => {
            quota("redshift", "parameter-groups", "ClusterParameterGroupQuotaExceeded")
        }
        KindId::RedshiftSnapshot => quota("redshift", "snapshots", "ClusterSnapshotQuotaExceeded"),
        KindId::RedshiftWorkgroup => quota("redshift", "serverless-workgroups", code),
        KindId::RedshiftNamespace => quota("redshift", "serverless-namespaces", code),
        _ => return None,
    })
}

/// The quota of units, see [`units_of`], of all objects of a kind together.
pub const fn unit_quota_of(kind: KindId) -> Option<Quota> {
    Some(match kind {
        KindId::CacheGroup => quota("elasticache", "nodes-per-region", "NodeQuotaForCustomerExceeded"),
        KindId::RedshiftCluster => quota("redshift", "nodes", "NumberOfNodesQuotaExceeded"),
        KindId::RedshiftWorkgroup => {
            quota("redshift", "serverless-base-rpu-total", "ServiceQuotaExceededException")
        }
        _ => return None,
    })
}

/// Machines of an object that counts them in a field of its own, or what it counts in their place.
pub fn units_of(attrs: &AnyAttrs) -> u64 {
    let number = |field: &str| attrs.get(field).and_then(|value| value.as_u64());
    let shards = number("shards")
        .map(|shards| shards.saturating_mul(number("replicas_per_shard").unwrap_or(0).saturating_add(1)));
    shards.or_else(|| number("nodes")).or_else(|| number("base_rpu")).unwrap_or(0)
}

/// A bound on one object: how much it has, the items of the catalog that say how much it may have (the first that is
/// known counts), and the code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bound {
    /// What it would have.
    pub asked: u64,
    /// Of what.
    pub what: &'static str,
    /// The service in the catalog.
    pub service: &'static str,
    /// The items in the catalog.
    pub items: Vec<String>,
    /// The code of the refusal.
    pub code: &'static str,
}

/// The bounds on one object of these attributes. A warehouse that exists may grow further than a new one.
pub fn bounds_of(attrs: &AnyAttrs, exists: bool) -> Vec<Bound> {
    let number = |field: &str| attrs.get(field).and_then(|value| value.as_u64());
    if let Some(shards) = number("shards") {
        let bound = |asked, what, code| Bound {
            asked,
            what,
            service: CACHE_NODES.service,
            items: vec![CACHE_NODES.item.to_owned()],
            code,
        };
        return vec![
            bound(shards, "shards", "NodeGroupsPerReplicationGroupQuotaExceeded"),
            bound(units_of(attrs), "nodes", CACHE_NODES.code),
        ];
    }
    let (Some(nodes), Some(class)) = (number("nodes"), attrs.text("node_type")) else { return Vec::new() };
    let grown = exists.then(|| format!("nodes-after-elastic-resize-max:{class}"));
    vec![Bound {
        asked: nodes,
        what: "nodes",
        service: "redshift",
        items: grown.into_iter().chain([format!("nodes-at-create-max:{class}")]).collect(),
        code: of(attrs.kind()).codes.nodes,
    }]
}
