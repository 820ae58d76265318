//! Which quotas of an account bound a kind, under the names that the catalog has for them.
//!
//! Goes in: nothing but constants. Comes out: rows for the planner; the numbers are the catalog's.

use super::{AnyAttrs, KindId};

/// A quota of an account in a region.
#[derive(Clone, Copy, Debug)]
pub struct Quota {
    /// The service in the catalog.
    pub service: &'static str,
    /// The item in the catalog.
    pub item: &'static str,
    /// Other kinds that count together with this one.
    pub beside: Option<KindId>,
}

const fn quota(service: &'static str, item: &'static str) -> Quota {
    Quota { service, item, beside: None }
}

const fn beside(kind: KindId, quota: Quota) -> Quota {
    Quota { beside: Some(kind), ..quota }
}

/// Most shards and nodes of one cache.
const CACHE_NODES: Quota = quota("elasticache", "nodes-per-cluster-cluster-mode-default");

impl KindId {
    /// The quota of objects of this kind.
    pub const fn quota(self) -> Option<Quota> {
        Some(match self {
            Self::AuroraCluster => quota("aurora", "db-clusters"),
            Self::DocumentCluster => quota("docdb", "clusters"),
            // One quota for both, which share a control plane.
            Self::AuroraInstance => beside(Self::DocumentInstance, quota("aurora", "db-instances")),
            Self::DocumentInstance => beside(Self::AuroraInstance, quota("aurora", "db-instances")),
            Self::RdsSubnetGroup => quota("aurora", "db-subnet-groups"),
            Self::AuroraClusterParameters => {
                beside(Self::DocumentClusterParameters, quota("aurora", "cluster-parameter-groups"))
            }
            Self::DocumentClusterParameters => {
                beside(Self::AuroraClusterParameters, quota("aurora", "cluster-parameter-groups"))
            }
            Self::AuroraInstanceParameters => quota("aurora", "parameter-groups"),
            Self::AuroraSnapshot => {
                beside(Self::DocumentSnapshot, quota("aurora", "manual-cluster-snapshots"))
            }
            Self::DocumentSnapshot => {
                beside(Self::AuroraSnapshot, quota("aurora", "manual-cluster-snapshots"))
            }
            Self::CacheSubnetGroup => quota("elasticache", "subnet-groups"),
            Self::CacheParameters => quota("elasticache", "parameter-groups"),
            Self::CacheUser => quota("elasticache", "users"),
            Self::CacheUserGroup => quota("elasticache", "user-groups"),
            Self::CacheServerless => quota("elasticache", "serverless-caches"),
            Self::RedshiftSubnetGroup => quota("redshift", "subnet-groups"),
            Self::RedshiftParameters => quota("redshift", "parameter-groups"),
            Self::RedshiftSnapshot => quota("redshift", "snapshots"),
            Self::RedshiftWorkgroup => quota("redshift", "serverless-workgroups"),
            Self::RedshiftNamespace => quota("redshift", "serverless-namespaces"),
            _ => return None,
        })
    }

    /// The quota of units, see [`units_of`], of all objects of this kind together.
    pub const fn unit_quota(self) -> Option<Quota> {
        Some(match self {
            Self::CacheGroup => quota("elasticache", "nodes-per-region"),
            Self::RedshiftCluster => quota("redshift", "nodes"),
            Self::RedshiftWorkgroup => quota("redshift", "serverless-base-rpu-total"),
            _ => return None,
        })
    }
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
}

/// The bounds on one object of these attributes. A warehouse that exists may grow further than a new one.
pub fn bounds_of(attrs: &AnyAttrs, exists: bool) -> Vec<Bound> {
    let number = |field: &str| attrs.get(field).and_then(|value| value.as_u64());
    if let Some(shards) = number("shards") {
        let bound = |asked, what| Bound {
            asked,
            what,
            service: CACHE_NODES.service,
            items: vec![CACHE_NODES.item.to_owned()],
        };
        return vec![bound(shards, "shards"), bound(units_of(attrs), "nodes")];
    }
    let (Some(nodes), Some(class)) = (number("nodes"), attrs.text("node_type")) else { return Vec::new() };
    let grown = exists.then(|| format!("nodes-after-elastic-resize-max:{class}"));
    vec![Bound {
        asked: nodes,
        what: "nodes",
        service: "redshift",
        items: grown.into_iter().chain([format!("nodes-at-create-max:{class}")]).collect(),
    }]
}
