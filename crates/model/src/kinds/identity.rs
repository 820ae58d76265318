//! What tells an object from another one of the same name, kind by kind, as the services' lists tell it.

use super::KindId;

/// What a list tells of an object that stays true of it alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Identity {
    /// An id of the service's own, which begins with this word.
    Id(&'static str),
    /// Its ARN and when it was made.
    Creation,
    /// Nothing: one that is deleted and made anew looks the same.
    Nothing,
}

impl KindId {
    /// What tells an object of this kind from every other one. RDS and DocumentDB give resource ids to clusters,
    /// instances and global clusters, Redshift to namespaces and workgroups; groups of parameters, subnets and users, and
    /// global datastores, have an ARN only.
    pub const fn identity(self) -> Identity {
        match self {
            Self::AuroraCluster | Self::DocumentCluster => Identity::Id("cluster"),
            Self::AuroraInstance | Self::DocumentInstance => Identity::Id("db"),
            Self::AuroraGlobal | Self::DocumentGlobal => Identity::Id("cluster-global"),
            Self::RedshiftCluster | Self::RedshiftNamespace => Identity::Id("namespace"),
            Self::RedshiftWorkgroup => Identity::Id("workgroup"),
            Self::CacheGroup
            | Self::CacheServerless
            | Self::AuroraSnapshot
            | Self::DocumentSnapshot
            | Self::CacheSnapshot
            | Self::RedshiftSnapshot
            | Self::Secret => Identity::Creation,
            Self::RdsSubnetGroup
            | Self::AuroraClusterParameters
            | Self::AuroraInstanceParameters
            | Self::DocumentClusterParameters
            | Self::CacheSubnetGroup
            | Self::CacheParameters
            | Self::CacheUser
            | Self::CacheUserGroup
            | Self::CacheGlobal
            | Self::RedshiftSubnetGroup
            | Self::RedshiftParameters => Identity::Nothing,
        }
    }
}
