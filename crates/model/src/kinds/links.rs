//! Which fields name other objects, and which kinds belong together.
//!
//! Goes in: nothing but constants. Comes out: the references that a creation needs to exist and a deletion needs to be gone.

use super::KindId;
use super::facts::Endpoint;

/// A field that names another object of the same region.
#[derive(Clone, Copy, Debug)]
pub struct Reference {
    /// The field: a name, or a set of names.
    pub field: &'static str,
    /// Kind of the named object.
    pub kind: KindId,
}

impl Endpoint {
    /// Its name for a person.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rds => "rds",
            Self::ElastiCache => "elasticache",
            Self::Redshift => "redshift",
            Self::RedshiftServerless => "redshift-serverless",
            Self::SecretsManager => "secretsmanager",
        }
    }
}

const fn refer(field: &'static str, kind: KindId) -> Reference {
    Reference { field, kind }
}

impl KindId {
    /// Fields that name other objects of the region, the parent included.
    pub const fn references(self) -> &'static [Reference] {
        match self {
            Self::AuroraCluster => {
                &const {
                    [
                        refer("subnet_group", Self::RdsSubnetGroup),
                        refer("parameter_group", Self::AuroraClusterParameters),
                        refer("master_secret", Self::Secret),
                    ]
                }
            }
            Self::AuroraInstance => {
                &const {
                    [
                        refer("cluster", Self::AuroraCluster),
                        refer("parameter_group", Self::AuroraInstanceParameters),
                    ]
                }
            }
            Self::DocumentCluster => {
                &const {
                    [
                        refer("subnet_group", Self::RdsSubnetGroup),
                        refer("parameter_group", Self::DocumentClusterParameters),
                        refer("master_secret", Self::Secret),
                    ]
                }
            }
            Self::DocumentInstance => &const { [refer("cluster", Self::DocumentCluster)] },
            Self::CacheUserGroup => &const { [refer("users", Self::CacheUser)] },
            Self::CacheGroup => {
                &const {
                    [
                        refer("subnet_group", Self::CacheSubnetGroup),
                        refer("parameter_group", Self::CacheParameters),
                        refer("user_group", Self::CacheUserGroup),
                    ]
                }
            }
            Self::CacheServerless => &const { [refer("user_group", Self::CacheUserGroup)] },
            Self::RedshiftCluster => {
                &const {
                    [
                        refer("subnet_group", Self::RedshiftSubnetGroup),
                        refer("parameter_group", Self::RedshiftParameters),
                    ]
                }
            }
            Self::RedshiftWorkgroup => &const { [refer("namespace", Self::RedshiftNamespace)] },
            _ => &[],
        }
    }

    /// The kind of a global object's members.
    pub const fn member_kind(self) -> Option<Self> {
        match self {
            Self::AuroraGlobal => Some(Self::AuroraCluster),
            Self::DocumentGlobal => Some(Self::DocumentCluster),
            Self::CacheGlobal => Some(Self::CacheGroup),
            _ => None,
        }
    }

    /// Fields whose change acts in other regions as well, in those that they name.
    pub const fn far_fields(self) -> &'static [&'static str] {
        match self {
            Self::RedshiftCluster => &["snapshot_copy_region", "snapshot_copy_retention_days"],
            Self::Secret => &["replica_regions"],
            _ => &[],
        }
    }

    /// The kind of the global object that objects of this kind can be members of.
    pub const fn global_kind(self) -> Option<Self> {
        match self {
            Self::AuroraCluster => Some(Self::AuroraGlobal),
            Self::DocumentCluster => Some(Self::DocumentGlobal),
            Self::CacheGroup => Some(Self::CacheGlobal),
            _ => None,
        }
    }

    /// The service and the engine under which the catalog lists the classes of such objects; an engine that the
    /// attributes name goes before it.
    pub fn listed_as(self) -> (&'static str, &'static str) {
        match self.family() {
            "documentdb" => ("docdb", "docdb"),
            "elasticache" => ("elasticache", "valkey"),
            "redshift" => ("redshift", "redshift"),
            _ => ("aurora", "aurora-mysql"),
        }
    }
}
