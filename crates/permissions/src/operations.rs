//! Which calls a kind needs: the one table that permissions are derived from.
//!
//! Goes in: nothing. Comes out: for each kind the actions that looking, making, changing and acting take.
//!
//! **Invariant:** a test makes every call of every kind and compares: no call is missing here, and none is too much.

use rgctl_model::kinds::KindId;

/// The actions of a kind, in the words of the provider's permissions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Operations {
    /// Looking at it.
    pub reads: &'static [&'static str],
    /// Making, changing, deleting, tagging it, and acting on it.
    pub writes: &'static [&'static str],
    /// Kind of resource in ARNs, as permissions name it; nothing where ARNs carry ids of the service's own.
    pub arn: Option<&'static str>,
}

/// Actions that every observation takes.
pub const ALWAYS: &[&str] = &[
    "sts:GetCallerIdentity",
    "tag:GetResources",
    "cloudwatch:GetMetricData",
    "servicequotas:ListServiceQuotas",
];

/// Actions that services take in the caller's name, and how they are bounded.
pub const ON_BEHALF: &[&str] = &[
    // Passwords that the service makes and keeps, and secrets that a key of the account encrypts.
    "secretsmanager:CreateSecret",
    "secretsmanager:TagResource",
    "kms:DescribeKey",
    "kms:CreateGrant",
    "kms:Decrypt",
    "kms:Encrypt",
    "kms:GenerateDataKey",
    // Placement.
    "ec2:DescribeAvailabilityZones",
    "ec2:DescribeSecurityGroups",
    "ec2:DescribeSubnets",
    "ec2:DescribeVpcAttribute",
    "ec2:DescribeVpcs",
    // The first object of a service in an account.
    "iam:CreateServiceLinkedRole",
];

/// Actions of the record on S3.
pub const STORE: &[&str] = &["s3:GetObject", "s3:ListBucket", "s3:PutObject"];

const fn operations(
    arn: Option<&'static str>,
    reads: &'static [&'static str],
    writes: &'static [&'static str],
) -> Operations {
    Operations { reads, writes, arn }
}

const TABLE: &[(&[KindId], Operations)] = &[
    (
        &[KindId::RdsSubnetGroup],
        operations(
            Some("rds:subgrp"),
            &["rds:DescribeDBSubnetGroups", "rds:ListTagsForResource"],
            &[
                "rds:AddTagsToResource",
                "rds:RemoveTagsFromResource",
                "rds:CreateDBSubnetGroup",
                "rds:DeleteDBSubnetGroup",
                "rds:ModifyDBSubnetGroup",
            ],
        ),
    ),
    (
        &[KindId::AuroraClusterParameters, KindId::DocumentClusterParameters],
        operations(
            Some("rds:cluster-pg"),
            &[
                "rds:DescribeDBClusterParameterGroups",
                "rds:DescribeDBClusterParameters",
                "rds:ListTagsForResource",
            ],
            &[
                "rds:AddTagsToResource",
                "rds:RemoveTagsFromResource",
                "rds:CreateDBClusterParameterGroup",
                "rds:DeleteDBClusterParameterGroup",
                "rds:ModifyDBClusterParameterGroup",
                "rds:ResetDBClusterParameterGroup",
            ],
        ),
    ),
    (
        &[KindId::AuroraInstanceParameters],
        operations(
            Some("rds:pg"),
            &["rds:DescribeDBParameterGroups", "rds:DescribeDBParameters", "rds:ListTagsForResource"],
            &[
                "rds:AddTagsToResource",
                "rds:RemoveTagsFromResource",
                "rds:CreateDBParameterGroup",
                "rds:DeleteDBParameterGroup",
                "rds:ModifyDBParameterGroup",
                "rds:ResetDBParameterGroup",
            ],
        ),
    ),
    (
        &[KindId::AuroraGlobal, KindId::DocumentGlobal],
        operations(
            Some("rds:global-cluster"),
            &["rds:DescribeGlobalClusters"],
            &[
                "rds:AddTagsToResource",
                "rds:RemoveTagsFromResource",
                "rds:CreateGlobalCluster",
                "rds:DeleteGlobalCluster",
                "rds:FailoverGlobalCluster",
                "rds:ModifyGlobalCluster",
                "rds:RemoveFromGlobalCluster",
                "rds:SwitchoverGlobalCluster",
            ],
        ),
    ),
    (
        &[KindId::AuroraCluster],
        operations(
            Some("rds:cluster"),
            &["rds:DescribeDBClusters"],
            &[
                "rds:AddRoleToDBCluster",
                "rds:AddTagsToResource",
                "rds:RemoveTagsFromResource",
                "rds:CreateDBCluster",
                "rds:DeleteDBCluster",
                "rds:FailoverDBCluster",
                "rds:ModifyDBCluster",
                "rds:RemoveRoleFromDBCluster",
                "rds:StartDBCluster",
                "rds:StopDBCluster",
                // The password of its first user, last before the call that sets it.
                "secretsmanager:GetSecretValue",
            ],
        ),
    ),
    (
        &[KindId::DocumentCluster],
        operations(
            Some("rds:cluster"),
            &["rds:DescribeDBClusters"],
            &[
                "rds:AddTagsToResource",
                "rds:RemoveTagsFromResource",
                "rds:CreateDBCluster",
                "rds:DeleteDBCluster",
                "rds:FailoverDBCluster",
                "rds:ModifyDBCluster",
                "rds:StartDBCluster",
                "rds:StopDBCluster",
                // The password of its first user, last before the call that sets it.
                "secretsmanager:GetSecretValue",
            ],
        ),
    ),
    (
        &[KindId::AuroraInstance, KindId::DocumentInstance],
        operations(
            Some("rds:db"),
            &["rds:DescribeDBInstances"],
            &[
                "rds:AddTagsToResource",
                "rds:RemoveTagsFromResource",
                "rds:CreateDBInstance",
                "rds:DeleteDBInstance",
                "rds:ModifyDBInstance",
                "rds:RebootDBInstance",
            ],
        ),
    ),
    (
        &[KindId::AuroraSnapshot, KindId::DocumentSnapshot],
        operations(
            Some("rds:cluster-snapshot"),
            &["rds:DescribeDBClusterSnapshots"],
            // Taken by the deletion of a cluster, which needs the permission of its own.
            &["rds:AddTagsToResource", "rds:CreateDBClusterSnapshot"],
        ),
    ),
    (
        &[KindId::CacheSubnetGroup],
        operations(
            Some("elasticache:subnetgroup"),
            &["elasticache:DescribeCacheSubnetGroups", "elasticache:ListTagsForResource"],
            &[
                "elasticache:AddTagsToResource",
                "elasticache:RemoveTagsFromResource",
                "elasticache:CreateCacheSubnetGroup",
                "elasticache:DeleteCacheSubnetGroup",
                "elasticache:ModifyCacheSubnetGroup",
            ],
        ),
    ),
    (
        &[KindId::CacheParameters],
        operations(
            Some("elasticache:parametergroup"),
            &[
                "elasticache:DescribeCacheParameterGroups",
                "elasticache:DescribeCacheParameters",
                "elasticache:ListTagsForResource",
            ],
            &[
                "elasticache:AddTagsToResource",
                "elasticache:RemoveTagsFromResource",
                "elasticache:CreateCacheParameterGroup",
                "elasticache:DeleteCacheParameterGroup",
                "elasticache:ModifyCacheParameterGroup",
                "elasticache:ResetCacheParameterGroup",
            ],
        ),
    ),
    (
        &[KindId::CacheUser],
        operations(
            Some("elasticache:user"),
            &["elasticache:DescribeUsers", "elasticache:ListTagsForResource"],
            &[
                "elasticache:AddTagsToResource",
                "elasticache:RemoveTagsFromResource",
                "elasticache:CreateUser",
                "elasticache:DeleteUser",
                "elasticache:ModifyUser",
            ],
        ),
    ),
    (
        &[KindId::CacheUserGroup],
        operations(
            Some("elasticache:usergroup"),
            &["elasticache:DescribeUserGroups", "elasticache:ListTagsForResource"],
            &[
                "elasticache:AddTagsToResource",
                "elasticache:RemoveTagsFromResource",
                "elasticache:CreateUserGroup",
                "elasticache:DeleteUserGroup",
                "elasticache:ModifyUserGroup",
            ],
        ),
    ),
    (
        &[KindId::CacheGlobal],
        operations(
            Some("elasticache:globalreplicationgroup"),
            &["elasticache:DescribeGlobalReplicationGroups", "elasticache:ListTagsForResource"],
            // A change of shards, node type or engine of a member is one of the datastore.
            &[
                "elasticache:CreateGlobalReplicationGroup",
                "elasticache:DecreaseNodeGroupsInGlobalReplicationGroup",
                "elasticache:DeleteGlobalReplicationGroup",
                "elasticache:DisassociateGlobalReplicationGroup",
                "elasticache:FailoverGlobalReplicationGroup",
                "elasticache:IncreaseNodeGroupsInGlobalReplicationGroup",
                "elasticache:ModifyGlobalReplicationGroup",
            ],
        ),
    ),
    (
        &[KindId::CacheGroup],
        operations(
            Some("elasticache:replicationgroup"),
            &[
                "elasticache:DescribeCacheClusters",
                "elasticache:DescribeGlobalReplicationGroups",
                "elasticache:DescribeReplicationGroups",
                "elasticache:ListTagsForResource",
            ],
            &[
                "elasticache:AddTagsToResource",
                "elasticache:RemoveTagsFromResource",
                "elasticache:CreateReplicationGroup",
                "elasticache:DecreaseReplicaCount",
                "elasticache:DeleteReplicationGroup",
                "elasticache:IncreaseReplicaCount",
                "elasticache:ModifyReplicationGroup",
                "elasticache:ModifyReplicationGroupShardConfiguration",
                "elasticache:TestFailover",
            ],
        ),
    ),
    (
        &[KindId::CacheServerless],
        operations(
            Some("elasticache:serverlesscache"),
            &["elasticache:DescribeServerlessCaches", "elasticache:ListTagsForResource"],
            &[
                "elasticache:AddTagsToResource",
                "elasticache:RemoveTagsFromResource",
                "elasticache:CreateServerlessCache",
                "elasticache:DeleteServerlessCache",
                "elasticache:ModifyServerlessCache",
            ],
        ),
    ),
    (
        &[KindId::CacheSnapshot],
        operations(
            Some("elasticache:snapshot"),
            &[
                "elasticache:DescribeServerlessCacheSnapshots",
                "elasticache:DescribeSnapshots",
                "elasticache:ListTagsForResource",
            ],
            // Taken by the deletion of a group or of a serverless cache, which need these permissions of their own.
            &[
                "elasticache:AddTagsToResource",
                "elasticache:CreateServerlessCacheSnapshot",
                "elasticache:CreateSnapshot",
            ],
        ),
    ),
    (
        &[KindId::RedshiftSubnetGroup],
        operations(
            Some("redshift:subnetgroup"),
            &["redshift:DescribeClusterSubnetGroups"],
            &[
                "redshift:CreateClusterSubnetGroup",
                "redshift:CreateTags",
                "redshift:DeleteTags",
                "redshift:DeleteClusterSubnetGroup",
                "redshift:ModifyClusterSubnetGroup",
            ],
        ),
    ),
    (
        &[KindId::RedshiftParameters],
        operations(
            Some("redshift:parametergroup"),
            &["redshift:DescribeClusterParameterGroups", "redshift:DescribeClusterParameters"],
            &[
                "redshift:CreateClusterParameterGroup",
                "redshift:CreateTags",
                "redshift:DeleteTags",
                "redshift:DeleteClusterParameterGroup",
                "redshift:ModifyClusterParameterGroup",
                "redshift:ResetClusterParameterGroup",
            ],
        ),
    ),
    (
        &[KindId::RedshiftCluster],
        operations(
            Some("redshift:cluster"),
            &["redshift:DescribeClusters", "redshift:DescribeNodeConfigurationOptions"],
            &[
                "redshift:CreateCluster",
                "redshift:CreateTags",
                "redshift:DeleteTags",
                "redshift:DeleteCluster",
                "redshift:DisableSnapshotCopy",
                "redshift:EnableSnapshotCopy",
                "redshift:FailoverPrimaryCompute",
                "redshift:ModifyCluster",
                "redshift:ModifyClusterIamRoles",
                "redshift:ModifySnapshotCopyRetentionPeriod",
                "redshift:PauseCluster",
                "redshift:RebootCluster",
                "redshift:ResizeCluster",
                "redshift:ResumeCluster",
            ],
        ),
    ),
    (
        &[KindId::RedshiftNamespace],
        operations(
            None,
            &[
                "redshift-serverless:GetNamespace",
                "redshift-serverless:ListNamespaces",
                "redshift-serverless:ListTagsForResource",
            ],
            &[
                "redshift-serverless:CreateNamespace",
                "redshift-serverless:DeleteNamespace",
                "redshift-serverless:TagResource",
                "redshift-serverless:UntagResource",
                "redshift-serverless:UpdateNamespace",
            ],
        ),
    ),
    (
        &[KindId::RedshiftWorkgroup],
        operations(
            None,
            &[
                "redshift-serverless:GetWorkgroup",
                "redshift-serverless:ListTagsForResource",
                "redshift-serverless:ListWorkgroups",
            ],
            &[
                "redshift-serverless:CreateWorkgroup",
                "redshift-serverless:DeleteWorkgroup",
                "redshift-serverless:TagResource",
                "redshift-serverless:UntagResource",
                "redshift-serverless:UpdateWorkgroup",
            ],
        ),
    ),
    (
        &[KindId::RedshiftSnapshot],
        operations(
            Some("redshift:snapshot"),
            &[
                "redshift-serverless:ListSnapshots",
                "redshift-serverless:ListTagsForResource",
                "redshift:DescribeClusterSnapshots",
            ],
            &["redshift:CreateClusterSnapshot"],
        ),
    ),
    (
        &[KindId::Secret],
        operations(
            Some("secretsmanager:secret"),
            // Nobody who looks reads what a secret holds.
            &["secretsmanager:DescribeSecret", "secretsmanager:ListSecrets"],
            &[
                "secretsmanager:CreateSecret",
                "secretsmanager:DeleteSecret",
                "secretsmanager:GetRandomPassword",
                "secretsmanager:RemoveRegionsFromReplication",
                "secretsmanager:ReplicateSecretToRegions",
                "secretsmanager:RestoreSecret",
                "secretsmanager:TagResource",
                "secretsmanager:UntagResource",
                "secretsmanager:UpdateSecret",
            ],
        ),
    ),
];

/// The actions of a kind; a test sees to it that every kind has its row.
pub fn of(kind: KindId) -> Operations {
    let row = TABLE.iter().find(|(kinds, _)| kinds.contains(&kind));
    row.map_or_else(|| operations(None, &[], &[]), |(_, operations)| *operations)
}

/// Actions of the table that no call of ours makes: the service checks them within another call.
pub const WITHIN_OTHERS: &[&str] = &[
    "elasticache:CreateServerlessCacheSnapshot",
    "elasticache:CreateSnapshot",
    "rds:CreateDBClusterSnapshot",
    "redshift:CreateClusterSnapshot",
];

/// The action that permits a call, by the SDK's names.
pub fn action_of(service: &str, operation: &str) -> String {
    let prefix = match service {
        "CloudWatch" => "cloudwatch",
        "Resource Groups Tagging API" => "tag",
        "Redshift Serverless" => "redshift-serverless",
        "Secrets Manager" => "secretsmanager",
        other => return format!("{}:{operation}", other.to_ascii_lowercase()),
    };
    format!("{prefix}:{operation}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_a_row_of_its_own() {
        for kind in KindId::ALL {
            let rows = TABLE.iter().filter(|(kinds, _)| kinds.contains(kind)).count();
            assert_eq!(rows, 1, "{kind}");
            assert!(!of(*kind).reads.is_empty(), "{kind}");
        }
    }
}
