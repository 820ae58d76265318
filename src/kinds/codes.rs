//! The services' own words for refusals, by kind, and which fields name other objects.
//!
//! Goes in: nothing but constants. Comes out: the codes that the embedded cloud answers with, and the references that
//! a creation needs to exist and a deletion needs to be gone. Source: the services' API models, declared errors.

use super::KindId;
use super::facts::Endpoint;

/// Codes of one kind, as they travel on the wire.
#[derive(Clone, Copy, Debug)]
pub struct Codes {
    /// The object is in a state that refuses the call.
    pub state: &'static str,
    /// More objects than the account may have.
    pub quota: &'static str,
    /// No capacity of that class now.
    pub capacity: &'static str,
    /// Values that do not go together, or with the object.
    pub combination: &'static str,
    /// More nodes than one object may have.
    pub nodes: &'static str,
    /// Another object uses it.
    pub in_use: &'static str,
    /// Name of the snapshot is taken.
    pub snapshot_exists: &'static str,
    /// The role cannot be moved.
    pub failover: &'static str,
    /// The global object, or the object's membership in it, refuses the call.
    pub global_state: &'static str,
}

const RDS: Codes = Codes {
    state: "InvalidDBClusterStateFault",
    quota: "DBClusterQuotaExceededFault",
    capacity: "InsufficientStorageClusterCapacity",
    combination: "InvalidParameterCombination",
    nodes: "InvalidParameterCombination",
    in_use: "InvalidDBClusterStateFault",
    snapshot_exists: "DBClusterSnapshotAlreadyExistsFault",
    failover: "InvalidDBClusterStateFault",
    global_state: "InvalidGlobalClusterStateFault",
};

const CACHE: Codes = Codes {
    state: "InvalidReplicationGroupState",
    quota: "ClusterQuotaForCustomerExceeded",
    capacity: "InsufficientCacheClusterCapacity",
    combination: "InvalidParameterCombination",
    nodes: "NodeQuotaForClusterExceeded",
    in_use: "InvalidReplicationGroupState",
    snapshot_exists: "SnapshotAlreadyExistsFault",
    failover: "TestFailoverNotAvailableFault",
    global_state: "InvalidGlobalReplicationGroupState",
};

const WAREHOUSE: Codes = Codes {
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

const SERVERLESS: Codes = Codes {
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

/// A field that names another object of the same region.
#[derive(Clone, Copy, Debug)]
pub struct Reference {
    /// The field: a name, or a set of names.
    pub field: &'static str,
    /// Kind of the named object.
    pub kind: KindId,
}

/// Calls that one account may make to one endpoint in one region.
#[derive(Clone, Copy, Debug)]
pub struct ApiBudget {
    /// Calls at once.
    pub burst: u32,
    /// Calls a second in the long run.
    pub per_second: u32,
}

impl Endpoint {
    /// Its name for a person.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rds => "rds",
            Self::ElastiCache => "elasticache",
            Self::Redshift => "redshift",
            Self::RedshiftServerless => "redshift-serverless",
        }
    }

    /// The budget of calls. That of RDS is published; the others are not, and these are careful assumptions.
    pub const fn budget(self) -> ApiBudget {
        match self {
            Self::Rds => ApiBudget { burst: 300, per_second: 12 },
            Self::ElastiCache | Self::Redshift => ApiBudget { burst: 200, per_second: 10 },
            Self::RedshiftServerless => ApiBudget { burst: 100, per_second: 5 },
        }
    }
}

const fn refer(field: &'static str, kind: KindId) -> Reference {
    Reference { field, kind }
}

impl KindId {
    /// Codes with which the service refuses calls about this kind.
    pub const fn codes(self) -> Codes {
        match self {
            Self::AuroraCluster | Self::DocumentCluster | Self::AuroraSnapshot | Self::DocumentSnapshot => {
                RDS
            }
            Self::AuroraInstance | Self::DocumentInstance => Codes {
                state: "InvalidDBInstanceState",
                quota: "InstanceQuotaExceeded",
                capacity: "InsufficientDBInstanceCapacity",
                ..RDS
            },
            Self::RdsSubnetGroup => Codes {
                state: "InvalidDBSubnetGroupStateFault",
                in_use: "InvalidDBSubnetGroupStateFault",
                quota: "DBSubnetGroupQuotaExceeded",
                ..RDS
            },
            Self::AuroraClusterParameters
            | Self::AuroraInstanceParameters
            | Self::DocumentClusterParameters => Codes {
                state: "InvalidDBParameterGroupState",
                in_use: "InvalidDBParameterGroupState",
                quota: "DBParameterGroupQuotaExceeded",
                ..RDS
            },
            Self::AuroraGlobal | Self::DocumentGlobal => Codes {
                state: "InvalidGlobalClusterStateFault",
                in_use: "InvalidGlobalClusterStateFault",
                quota: "GlobalClusterQuotaExceededFault",
                ..RDS
            },
            Self::CacheGroup | Self::CacheSnapshot => CACHE,
            Self::CacheSubnetGroup => {
                Codes { state: "CacheSubnetGroupInUse", in_use: "CacheSubnetGroupInUse", ..CACHE }
            }
            Self::CacheParameters => Codes {
                state: "InvalidCacheParameterGroupState",
                in_use: "InvalidCacheParameterGroupState",
                ..CACHE
            },
            Self::CacheUser => Codes { state: "InvalidUserState", in_use: "InvalidUserState", ..CACHE },
            Self::CacheUserGroup => {
                Codes { state: "InvalidUserGroupState", in_use: "InvalidUserGroupState", ..CACHE }
            }
            Self::CacheGlobal => Codes { state: "InvalidGlobalReplicationGroupState", ..CACHE },
            Self::CacheServerless => Codes {
                state: "InvalidServerlessCacheStateFault",
                quota: "ServerlessCacheQuotaForCustomerExceededFault",
                ..CACHE
            },
            Self::RedshiftCluster | Self::RedshiftSnapshot => WAREHOUSE,
            Self::RedshiftSubnetGroup => Codes {
                state: "InvalidClusterSubnetGroupStateFault",
                in_use: "InvalidClusterSubnetGroupStateFault",
                ..WAREHOUSE
            },
            Self::RedshiftParameters => Codes {
                state: "InvalidClusterParameterGroupState",
                in_use: "InvalidClusterParameterGroupState",
                ..WAREHOUSE
            },
            Self::RedshiftNamespace | Self::RedshiftWorkgroup => SERVERLESS,
        }
    }

    /// Fields that name other objects of the region, the parent included.
    pub const fn references(self) -> &'static [Reference] {
        match self {
            Self::AuroraCluster => {
                &const {
                    [
                        refer("subnet_group", Self::RdsSubnetGroup),
                        refer("parameter_group", Self::AuroraClusterParameters),
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
