//! Which quotas of an account bound a kind, under the names that the catalog has for them.
//!
//! Goes in: nothing but constants. Comes out: rows for the planner; the numbers are the catalog's.

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
}

const fn quota(service: &'static str, item: &'static str) -> Quota {
    Quota { service, item, beside: None }
}

const fn beside(kind: KindId, quota: Quota) -> Quota {
    Quota { beside: Some(kind), ..quota }
}

/// Most shards and nodes of one cache.
const CACHE_NODES: Quota = quota("elasticache", "nodes-per-cluster-cluster-mode-default");

/// The quota of objects of a kind.
pub const fn quota_of(kind: KindId) -> Option<Quota> {
    Some(match kind {
        KindId::AuroraCluster => quota("aurora", "db-clusters"),
        KindId::DocumentCluster => quota("docdb", "clusters"),
        // One quota for both, which share a control plane.
        KindId::AuroraInstance => beside(KindId::DocumentInstance, quota("aurora", "db-instances")),
        KindId::DocumentInstance => beside(KindId::AuroraInstance, quota("aurora", "db-instances")),
        KindId::RdsSubnetGroup => quota("aurora", "db-subnet-groups"),
        KindId::AuroraClusterParameters => {
            beside(KindId::DocumentClusterParameters, quota("aurora", "cluster-parameter-groups"))
        }
        KindId::DocumentClusterParameters => {
            beside(KindId::AuroraClusterParameters, quota("aurora", "cluster-parameter-groups"))
        }
        KindId::AuroraInstanceParameters => quota("aurora", "parameter-groups"),
        KindId::AuroraSnapshot => {
            beside(KindId::DocumentSnapshot, quota("aurora", "manual-cluster-snapshots"))
        }
        KindId::DocumentSnapshot => {
            beside(KindId::AuroraSnapshot, quota("aurora", "manual-cluster-snapshots"))
        }
        KindId::CacheSubnetGroup => quota("elasticache", "subnet-groups"),
        KindId::CacheParameters => quota("elasticache", "parameter-groups"),
        KindId::CacheUser => quota("elasticache", "users"),
        KindId::CacheUserGroup => quota("elasticache", "user-groups"),
        KindId::CacheServerless => quota("elasticache", "serverless-caches"),
        KindId::RedshiftSubnetGroup => quota("redshift", "subnet-groups"),
        KindId::RedshiftParameters => quota("redshift", "parameter-groups"),
        KindId::RedshiftSnapshot => quota("redshift", "snapshots"),
        KindId::RedshiftWorkgroup => quota("redshift", "serverless-workgroups"),
        KindId::RedshiftNamespace => quota("redshift", "serverless-namespaces"),
        _ => return None,
    })
}

/// The quota of units, see [`units_of`], of all objects of a kind together.
pub const fn unit_quota_of(kind: KindId) -> Option<Quota> {
    Some(match kind {
        KindId::CacheGroup => quota("elasticache", "nodes-per-region"),
        KindId::RedshiftCluster => quota("redshift", "nodes"),
        KindId::RedshiftWorkgroup => quota("redshift", "serverless-base-rpu-total"),
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
