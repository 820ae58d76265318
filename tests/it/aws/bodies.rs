//! What the lists tell of an object of each kind, shaped like the provider's published models. `.ci/wire.sh` checks the
//! bodies that come of these lines against those models.

use rgctl_model::kinds::KindId;

use super::models::{List, Model, Part, Reads};

const fn same(field: &'static str, wire: [&'static str; 2]) -> Reads {
    Reads { field, wire, means: None }
}
const fn flag(field: &'static str) -> Reads {
    same(field, ["true", "false"])
}
const fn reads(field: &'static str, wire: [&'static str; 2], means: [&'static str; 2]) -> Reads {
    Reads { field, wire, means: Some(means) }
}
const fn list(service: &'static str, operation: &'static str, holder: &'static str) -> List {
    List { service, operation, holder }
}
const fn part(operation: &'static str, element: &'static str, lines: &'static str) -> Part {
    Part { operation, element, lines }
}

/// Every list that an observation asks for, but the sweep of tags.
pub const LISTS: &[List] = &[
    list("rds", "DescribeDBSubnetGroups", "DBSubnetGroups"),
    list("rds", "DescribeDBClusterParameterGroups", "DBClusterParameterGroups"),
    list("rds", "DescribeDBParameterGroups", "DBParameterGroups"),
    list("rds", "DescribeGlobalClusters", "GlobalClusters"),
    list("rds", "DescribeDBClusters", "DBClusters"),
    list("rds", "DescribeDBInstances", "DBInstances"),
    list("rds", "DescribeDBClusterSnapshots", "DBClusterSnapshots"),
    list("elasticache", "DescribeCacheSubnetGroups", "CacheSubnetGroups"),
    list("elasticache", "DescribeCacheParameterGroups", "CacheParameterGroups"),
    list("elasticache", "DescribeUsers", "Users"),
    list("elasticache", "DescribeUserGroups", "UserGroups"),
    list("elasticache", "DescribeGlobalReplicationGroups", "GlobalReplicationGroups"),
    list("elasticache", "DescribeReplicationGroups", "ReplicationGroups"),
    list("elasticache", "DescribeCacheClusters", "CacheClusters"),
    list("elasticache", "DescribeServerlessCaches", "ServerlessCaches"),
    list("elasticache", "DescribeSnapshots", "Snapshots"),
    list("elasticache", "DescribeServerlessCacheSnapshots", "ServerlessCacheSnapshots"),
    list("redshift", "DescribeClusterSubnetGroups", "ClusterSubnetGroups"),
    list("redshift", "DescribeClusterParameterGroups", "ParameterGroups"),
    list("redshift", "DescribeClusters", "Clusters"),
    list("redshift", "DescribeClusterSnapshots", "Snapshots"),
    list("redshift-serverless", "ListNamespaces", "namespaces"),
    list("redshift-serverless", "ListWorkgroups", "workgroups"),
    list("redshift-serverless", "ListSnapshots", "snapshots"),
    list("secretsmanager", "ListSecrets", "SecretList"),
];

/// What is asked about one object, which no list tells.
pub const ALONE: &[List] = &[list("secretsmanager", "DescribeSecret", "ReplicationStatus")];

/// Lists of the parameters of one group.
pub const PARAMETERS: &[List] = &[
    list("rds", "DescribeDBClusterParameters", "Parameters"),
    list("rds", "DescribeDBParameters", "Parameters"),
    list("elasticache", "DescribeCacheParameters", "Parameters"),
    list("redshift", "DescribeClusterParameters", "Parameters"),
];

const PARAMETER: &str = "ParameterName timeout
    ParameterValue {parameters}";

const GROUP: &[Reads] = &[
    same("description", ["one text", "another text"]),
    reads("parameters", ["1", "2"], [r#"{"timeout":"1"}"#, r#"{"timeout":"2"}"#]),
];
const SUBNETS: Reads = reads("subnets", ["subnet-1", "subnet-2"], [r#"["subnet-1"]"#, r#"["subnet-2"]"#]);
const SUBNET_GROUP: &[Reads] = &[same("description", ["one text", "another text"]), SUBNETS];
const NETWORK: &[Reads] = &[
    reads("security_groups", ["sg-1", "sg-2"], [r#"["sg-1"]"#, r#"["sg-2"]"#]),
    same("port", ["3306", "3307"]),
];
const KEY: &[Reads] =
    &[same("kms_key", ["arn:aws:kms:us-east-1:1:key/one", "arn:aws:kms:us-east-1:1:key/two"])];
const WINDOW: &[Reads] = &[same("maintenance_window", ["sun:05:00-sun:06:00", "mon:05:00-mon:06:00"])];
const SOURCE: &[Reads] = &[same("source", ["game-one", "game-two"])];
const PLACED: &[Reads] =
    &[same("parameter_group", ["game-one", "game-two"]), same("subnet_group", ["game-one", "game-two"])];
const AURORA: &[Reads] = &[same("engine", ["aurora-mysql", "aurora-postgresql"])];
const VERSION: &[Reads] = &[same("engine_version", ["8.0.mysql_aurora.3.08.0", "16.4"])];
const CACHE_ENGINE: &[Reads] = &[same("engine", ["valkey", "redis"])];
const ADMIN: Reads = same("master_username", ["root", "admin"]);
const SECRET_ARN: [&str; 2] = ["arn:aws:secretsmanager:us-east-1:111122223333:secret:x", ""];

const DB_CLUSTER: &[Reads] = &[
    flag("storage_encrypted"),
    same("backup_retention_days", ["7", "14"]),
    same("backup_window", ["03:00-04:00", "04:00-05:00"]),
    flag("deletion_protection"),
    ADMIN,
    reads("managed_password", SECRET_ARN, ["true", "false"]),
    same("global", ["game-world", "game-planet"]),
];
const EXTENDED_SUPPORT: Reads = reads(
    "extended_support",
    ["open-source-rds-extended-support", "open-source-rds-extended-support-disabled"],
    ["true", "false"],
);
const DB_INSTANCE: &[Reads] = &[
    same("ca_certificate", ["rds-ca-rsa2048-g1", "rds-ca-ecc384-g1"]),
    same("cluster", ["game-one", "game-two"]),
    same("class", ["db.r7g.large", "db.serverless"]),
    same("promotion_tier", ["0", "15"]),
    same("zone", ["us-east-1a", "us-east-1b"]),
    flag("auto_minor_version_upgrade"),
    flag("performance_insights"),
];

/// Every kind; snapshots twice, where two services have them.
pub const MODELS: &[Model] = &[
    Model {
        kind: KindId::RdsSubnetGroup,
        name: "game-it",
        parts: &[part(
            "DescribeDBSubnetGroups",
            "DBSubnetGroup",
            "DBSubnetGroupName {name}
            SubnetGroupStatus {status}
            DBSubnetGroupArn arn:aws:rds:us-east-1:111122223333:subgrp:{name}
            DBSubnetGroupDescription {description}
            Subnets/Subnet/SubnetIdentifier {subnets}",
        )],
        fields: &[SUBNET_GROUP],
    },
    Model {
        kind: KindId::AuroraClusterParameters,
        name: "game-it",
        parts: &[
            part("DescribeDBClusterParameterGroups", "DBClusterParameterGroup", CLUSTER_PARAMETERS),
            part("DescribeDBClusterParameters", "Parameter", PARAMETER),
        ],
        fields: &[GROUP, &[same("family", ["aurora-mysql8.0", "aurora-postgresql16"])]],
    },
    Model {
        kind: KindId::AuroraInstanceParameters,
        name: "game-it",
        parts: &[
            part(
                "DescribeDBParameterGroups",
                "DBParameterGroup",
                "DBParameterGroupName {name}
                DBParameterGroupFamily {family}
                Description {description}
                DBParameterGroupArn arn:aws:rds:us-east-1:111122223333:pg:{name}",
            ),
            part("DescribeDBParameters", "Parameter", PARAMETER),
        ],
        fields: &[GROUP, &[same("family", ["aurora-mysql8.0", "aurora-postgresql16"])]],
    },
    Model {
        kind: KindId::AuroraGlobal,
        name: "game-it",
        parts: &[part(
            "DescribeGlobalClusters",
            "GlobalClusterMember",
            "GlobalClusterIdentifier {name}
            Status {status}
            GlobalClusterArn arn:aws:rds::111122223333:global-cluster:{name}
            Engine {engine}
            EngineVersion {engine_version}
            DeletionProtection {deletion_protection}
            EngineLifecycleSupport {extended_support}
            GlobalClusterMembers <GlobalClusterMember><DBClusterArn>arn:aws:rds:us-east-1:111122223333:cluster:game-use1</DBClusterArn><IsWriter>true</IsWriter></GlobalClusterMember><GlobalClusterMember><DBClusterArn>arn:aws:rds:us-west-2:111122223333:cluster:game-usw2</DBClusterArn><IsWriter>false</IsWriter></GlobalClusterMember>
            TagList <Tag><Key>rgctl:home</Key><Value>us-east-1</Value></Tag><Tag><Key>team</Key><Value>data</Value></Tag>",
        )],
        fields: &[AURORA, VERSION, &[flag("deletion_protection"), EXTENDED_SUPPORT]],
    },
    Model {
        kind: KindId::AuroraCluster,
        name: "game-it",
        parts: &[part(
            "DescribeDBClusters",
            "DBCluster",
            "DBClusterIdentifier {name}
            Status {status}
            DBClusterArn arn:aws:rds:us-east-1:111122223333:cluster:{name}
            Engine {engine}
            EngineVersion {engine_version}
            DBClusterParameterGroup {parameter_group}
            DBSubnetGroup {subnet_group}
            VpcSecurityGroups/VpcSecurityGroupMembership/VpcSecurityGroupId {security_groups}
            Port {port}
            StorageEncrypted {storage_encrypted}
            KmsKeyId {kms_key}
            StorageType {storage_kind}
            BackupRetentionPeriod {backup_retention_days}
            PreferredBackupWindow {backup_window}
            PreferredMaintenanceWindow {maintenance_window}
            DeletionProtection {deletion_protection}
            DatabaseName {database}
            MasterUsername {master_username}
            MasterUserSecret/SecretArn {managed_password}
            IAMDatabaseAuthenticationEnabled {iam_authentication}
            AssociatedRoles/DBClusterRole {iam_roles}
            EnabledCloudwatchLogsExports/member {log_exports}
            CopyTagsToSnapshot {copy_tags_to_snapshot}
            EngineLifecycleSupport {extended_support}
            ServerlessV2ScalingConfiguration <MinCapacity>{serverless_min_half_acu}</MinCapacity><MaxCapacity>{serverless_max_half_acu}</MaxCapacity>
            GlobalClusterIdentifier {global}
            ClusterCreateTime 2026-11-01T10:00:00Z
            IOOptimizedNextAllowedModificationTime 2026-12-01T10:00:00Z
            Endpoint {name}.example
            DBClusterMembers <DBClusterMember><DBInstanceIdentifier>game-it</DBInstanceIdentifier><IsClusterWriter>true</IsClusterWriter></DBClusterMember><DBClusterMember><DBInstanceIdentifier>game-it-2</DBInstanceIdentifier><IsClusterWriter>false</IsClusterWriter></DBClusterMember>
            TagList/Tag <Key>team</Key><Value>data</Value>",
        )],
        fields: &[AURORA, VERSION, PLACED, NETWORK, KEY, WINDOW, DB_CLUSTER, &[
            reads("storage_kind", ["aurora", "aurora-iopt1"], [r#""standard""#, r#""io-optimized""#]),
            same("database", ["game", "other"]),
            flag("iam_authentication"),
            reads("log_exports", ["error", "slowquery"], [r#"["error"]"#, r#"["slowquery"]"#]),
            flag("copy_tags_to_snapshot"),
            EXTENDED_SUPPORT,
            reads(
                "iam_roles",
                [
                    "<RoleArn>arn:aws:iam::1:role/one</RoleArn><Status>ACTIVE</Status><FeatureName>s3Import</FeatureName>",
                    "<RoleArn>arn:aws:iam::1:role/two</RoleArn><Status>ACTIVE</Status>",
                ],
                [r#"["s3Import=arn:aws:iam::1:role/one"]"#, r#"["arn:aws:iam::1:role/two"]"#],
            ),
            reads("serverless_min_half_acu", ["0.5", "1"], ["1", "2"]),
            reads("serverless_max_half_acu", ["16", "64.5"], ["32", "129"]),
        ]],
    },
    Model {
        kind: KindId::AuroraInstance,
        name: "game-it",
        parts: &[part(
            "DescribeDBInstances",
            "DBInstance",
            "DBInstanceIdentifier {name}
            DBInstanceStatus {status}
            DBInstanceArn arn:aws:rds:us-east-1:111122223333:db:{name}
            DBClusterIdentifier {cluster}
            Engine {engine}
            DBInstanceClass {class}
            DBParameterGroups/DBParameterGroup/DBParameterGroupName {parameter_group}
            PromotionTier {promotion_tier}
            AvailabilityZone {zone}
            PubliclyAccessible {publicly_accessible}
            AutoMinorVersionUpgrade {auto_minor_version_upgrade}
            PerformanceInsightsEnabled {performance_insights}
            CACertificateIdentifier {ca_certificate}
            InstanceCreateTime 2026-11-01T10:00:00Z
            Endpoint/Address {name}.example
            TagList/Tag <Key>team</Key><Value>data</Value>",
        )],
        fields: &[AURORA, DB_INSTANCE, &[
            same("parameter_group", ["game-one", "game-two"]),
            flag("publicly_accessible"),
        ]],
    },
    Model {
        kind: KindId::AuroraSnapshot,
        name: "game-it",
        parts: &[part("DescribeDBClusterSnapshots", "DBClusterSnapshot", AURORA_SNAPSHOT)],
        fields: &[SOURCE, &[same("size_gib", ["10", "20"])]],
    },
    Model {
        kind: KindId::DocumentClusterParameters,
        name: "game-documents",
        parts: &[
            part("DescribeDBClusterParameterGroups", "DBClusterParameterGroup", CLUSTER_PARAMETERS),
        ],
        fields: &[GROUP, &[same("family", ["docdb5.0", "docdb4.0"])]],
    },
    Model {
        kind: KindId::DocumentGlobal,
        name: "game-documents",
        parts: &[part(
            "DescribeGlobalClusters",
            "GlobalClusterMember",
            "GlobalClusterIdentifier {name}
            Status {status}
            GlobalClusterArn arn:aws:rds::111122223333:global-cluster:{name}
            Engine docdb
            DeletionProtection {deletion_protection}
            GlobalClusterMembers/GlobalClusterMember <DBClusterArn>arn:aws:rds:us-east-1:111122223333:cluster:game-use1</DBClusterArn><IsWriter>true</IsWriter>
            TagList/Tag <Key>team</Key><Value>data</Value>",
        )],
        fields: &[&[flag("deletion_protection")]],
    },
    Model {
        kind: KindId::DocumentCluster,
        name: "game-documents",
        parts: &[part(
            "DescribeDBClusters",
            "DBCluster",
            "DBClusterIdentifier {name}
            Status {status}
            DBClusterArn arn:aws:rds:us-east-1:111122223333:cluster:{name}
            Engine docdb
            EngineVersion {engine_version}
            DBClusterParameterGroup {parameter_group}
            DBSubnetGroup {subnet_group}
            VpcSecurityGroups/VpcSecurityGroupMembership/VpcSecurityGroupId {security_groups}
            Port {port}
            StorageEncrypted {storage_encrypted}
            KmsKeyId {kms_key}
            StorageType {storage_kind}
            BackupRetentionPeriod {backup_retention_days}
            PreferredBackupWindow {backup_window}
            PreferredMaintenanceWindow {maintenance_window}
            DeletionProtection {deletion_protection}
            MasterUsername {master_username}
            MasterUserSecret/SecretArn {managed_password}
            EnabledCloudwatchLogsExports/member {log_exports}
            ServerlessV2ScalingConfiguration <MinCapacity>{serverless_min_half_dcu}</MinCapacity><MaxCapacity>{serverless_max_half_dcu}</MaxCapacity>
            GlobalClusterIdentifier {global}
            IOOptimizedNextAllowedModificationTime 2026-12-01T10:00:00Z
            ClusterCreateTime 2026-11-01T10:00:00Z
            Endpoint {name}.example
            TagList/Tag <Key>team</Key><Value>data</Value>",
        )],
        fields: &[PLACED, NETWORK, KEY, WINDOW, DB_CLUSTER, &[
            same("engine_version", ["5.0.0", "4.0.0"]),
            reads("storage_kind", ["standard", "iopt1"], [r#""standard""#, r#""io-optimized""#]),
            reads("log_exports", ["audit", "profiler"], [r#"["audit"]"#, r#"["profiler"]"#]),
            reads("serverless_min_half_dcu", ["0.5", "1"], ["1", "2"]),
            reads("serverless_max_half_dcu", ["16", "64"], ["32", "128"]),
        ]],
    },
    Model {
        kind: KindId::DocumentInstance,
        name: "game-documents",
        parts: &[part(
            "DescribeDBInstances",
            "DBInstance",
            "DBInstanceIdentifier {name}
            DBInstanceStatus {status}
            DBInstanceArn arn:aws:rds:us-east-1:111122223333:db:{name}
            DBClusterIdentifier {cluster}
            Engine docdb
            DBInstanceClass {class}
            PromotionTier {promotion_tier}
            AvailabilityZone {zone}
            AutoMinorVersionUpgrade {auto_minor_version_upgrade}
            PerformanceInsightsEnabled {performance_insights}
            CACertificateIdentifier {ca_certificate}
            InstanceCreateTime 2026-11-01T10:00:00Z
            Endpoint/Address {name}.example
            TagList/Tag <Key>team</Key><Value>data</Value>",
        )],
        fields: &[DB_INSTANCE],
    },
    Model {
        kind: KindId::DocumentSnapshot,
        name: "game-documents",
        parts: &[part("DescribeDBClusterSnapshots", "DBClusterSnapshot", DOCUMENT_SNAPSHOT)],
        fields: &[SOURCE, &[same("size_gib", ["10", "20"])]],
    },
    Model {
        kind: KindId::CacheSubnetGroup,
        name: "game-it",
        parts: &[part(
            "DescribeCacheSubnetGroups",
            "CacheSubnetGroup",
            "CacheSubnetGroupName {name}
            CacheSubnetGroupDescription {description}
            ARN arn:aws:elasticache:us-east-1:111122223333:subnetgroup:{name}
            Subnets/Subnet/SubnetIdentifier {subnets}",
        )],
        fields: &[SUBNET_GROUP],
    },
    Model {
        kind: KindId::CacheParameters,
        name: "game-it",
        parts: &[
            part(
                "DescribeCacheParameterGroups",
                "CacheParameterGroup",
                "CacheParameterGroupName {name}
                CacheParameterGroupFamily {family}
                Description {description}
                ARN arn:aws:elasticache:us-east-1:111122223333:parametergroup:{name}",
            ),
            part("DescribeCacheParameters", "Parameter", PARAMETER),
        ],
        fields: &[GROUP, &[same("family", ["valkey8", "redis7"])]],
    },
    Model {
        kind: KindId::CacheUser,
        name: "game-it",
        parts: &[part(
            "DescribeUsers",
            "member",
            "UserId {name}
            UserName {user_name}
            Status {status}
            Engine {engine}
            AccessString {access}
            ARN arn:aws:elasticache:us-east-1:111122223333:user:{name}",
        )],
        fields: &[CACHE_ENGINE, &[
            same("user_name", ["ann", "bob"]),
            same("access", ["on ~* +@all", "off ~* -@all"]),
        ]],
    },
    Model {
        kind: KindId::CacheUserGroup,
        name: "game-it",
        parts: &[part(
            "DescribeUserGroups",
            "member",
            "UserGroupId {name}
            Status {status}
            Engine {engine}
            UserIds/member {users}
            ARN arn:aws:elasticache:us-east-1:111122223333:usergroup:{name}",
        )],
        fields: &[CACHE_ENGINE, &[reads("users", ["ann", "bob"], [r#"["ann"]"#, r#"["bob"]"#])]],
    },
    Model {
        kind: KindId::CacheGlobal,
        name: "game-it",
        parts: &[part(
            "DescribeGlobalReplicationGroups",
            "GlobalReplicationGroup",
            "GlobalReplicationGroupId ldgnf-{name}
            GlobalReplicationGroupDescription {description}
            Status {status}
            ARN arn:aws:elasticache::111122223333:globalreplicationgroup:ldgnf-{name}
            Members <GlobalReplicationGroupMember><ReplicationGroupId>game-use1</ReplicationGroupId><ReplicationGroupRegion>us-east-1</ReplicationGroupRegion><Role>PRIMARY</Role></GlobalReplicationGroupMember><GlobalReplicationGroupMember><ReplicationGroupId>game-usw2</ReplicationGroupId><ReplicationGroupRegion>us-west-2</ReplicationGroupRegion><Role>SECONDARY</Role></GlobalReplicationGroupMember>",
        )],
        fields: &[&[same("description", ["one text", "another text"])]],
    },
    Model {
        kind: KindId::CacheGroup,
        name: "game-it",
        parts: &[
            part(
                "DescribeReplicationGroups",
                "ReplicationGroup",
                "ReplicationGroupId {name}
                Status {status}
                ARN arn:aws:elasticache:us-east-1:111122223333:replicationgroup:{name}
                Engine {engine}
                CacheNodeType {node_type}
                ClusterMode {cluster_mode}
                AutomaticFailover {automatic_failover}
                MultiAZ {multi_az}
                TransitEncryptionEnabled {transit_encryption}
                AtRestEncryptionEnabled {at_rest_encryption}
                KmsKeyId {kms_key}
                DataTiering {data_tiering}
                UserGroupIds/member {user_group}
                SnapshotRetentionLimit {snapshot_retention_days}
                SnapshotWindow {snapshot_window}
                GlobalReplicationGroupInfo/GlobalReplicationGroupId {global}
                NodeGroups {shards}
                MemberClusters/ClusterId {name}-0001-001
                ConfigurationEndpoint <Address>{name}.example</Address><Port>{port}</Port>
                ReplicationGroupCreateTime 2026-11-01T10:00:00Z",
            ),
            part(
                "DescribeCacheClusters",
                "CacheCluster",
                "CacheClusterId {name}-0001-001
                ReplicationGroupId {name}
                EngineVersion {engine_version}
                CacheSubnetGroupName {subnet_group}
                SecurityGroups/member/SecurityGroupId {security_groups}
                CacheParameterGroup/CacheParameterGroupName {parameter_group}
                PreferredMaintenanceWindow {maintenance_window}",
            ),
        ],
        fields: &[CACHE_ENGINE, PLACED, NETWORK, KEY, WINDOW, &[
            same("engine_version", ["8.0", "7.1"]),
            same("node_type", ["cache.r7g.large", "cache.r7g.xlarge"]),
            reads("shards", [TWO_SHARDS, ONE_SHARD], ["2", "1"]),
            reads("replicas_per_shard", ["", ""], ["1", "2"]),
            reads("cluster_mode", ["enabled", "disabled"], [r#""enabled""#, r#""disabled""#]),
            reads("automatic_failover", ["enabled", "disabled"], ["true", "false"]),
            reads("multi_az", ["enabled", "disabled"], ["true", "false"]),
            reads("transit_encryption", ["true", "false"], ["true", "false"]),
            flag("at_rest_encryption"),
            reads("data_tiering", ["enabled", "disabled"], ["true", "false"]),
            same("user_group", ["game-one", "game-two"]),
            same("snapshot_retention_days", ["1", "7"]),
            same("snapshot_window", ["03:00-04:00", "04:00-05:00"]),
            reads("global", ["ldgnf-game-one", "ldgnf-game-two"], [r#""game-one""#, r#""game-two""#]),
        ]],
    },
    Model {
        kind: KindId::CacheServerless,
        name: "game-it",
        parts: &[part(
            "DescribeServerlessCaches",
            "member",
            "ServerlessCacheName {name}
            Status {status}
            ARN arn:aws:elasticache:us-east-1:111122223333:serverlesscache:{name}
            Engine {engine}
            MajorEngineVersion {major_engine_version}
            CacheUsageLimits <DataStorage><Maximum>{data_max_gib}</Maximum><Minimum>{data_min_gib}</Minimum><Unit>GB</Unit></DataStorage><ECPUPerSecond><Maximum>{ecpu_max_per_second}</Maximum><Minimum>{ecpu_min_per_second}</Minimum></ECPUPerSecond>
            KmsKeyId {kms_key}
            SubnetIds/SubnetId {subnets}
            SecurityGroupIds/SecurityGroupId {security_groups}
            UserGroupId {user_group}
            SnapshotRetentionLimit {snapshot_retention_days}
            DailySnapshotTime {daily_snapshot_time}
            CreateTime 2026-11-01T10:00:00Z
            Endpoint/Address {name}.example",
        )],
        fields: &[CACHE_ENGINE, NETWORK, KEY, &[
            SUBNETS,
            same("major_engine_version", ["8", "7"]),
            same("data_max_gib", ["10", "20"]),
            same("data_min_gib", ["1", "2"]),
            same("ecpu_max_per_second", ["5000", "6000"]),
            same("ecpu_min_per_second", ["1000", "2000"]),
            same("user_group", ["game-one", "game-two"]),
            same("snapshot_retention_days", ["1", "7"]),
            same("daily_snapshot_time", ["03:00", "04:00"]),
        ]],
    },
    Model {
        kind: KindId::CacheSnapshot,
        name: "game-it",
        parts: &[part(
            "DescribeSnapshots",
            "Snapshot",
            "SnapshotName {name}
            SnapshotStatus {status}
            ReplicationGroupId {source}
            ARN arn:aws:elasticache:us-east-1:111122223333:snapshot:{name}
            NodeSnapshots/NodeSnapshot <CacheSize>9 GB</CacheSize><SnapshotCreateTime>2026-11-01T10:00:00Z</SnapshotCreateTime>",
        )],
        fields: &[SOURCE],
    },
    Model {
        kind: KindId::CacheSnapshot,
        name: "game-serverless",
        parts: &[part(
            "DescribeServerlessCacheSnapshots",
            "ServerlessCacheSnapshot",
            "ServerlessCacheSnapshotName {name}
            Status {status}
            ServerlessCacheConfiguration/ServerlessCacheName {source}
            BytesUsedForCache {size_gib}
            CreateTime 2026-11-01T10:00:00Z
            ARN arn:aws:elasticache:us-east-1:111122223333:serverlesscachesnapshot:{name}",
        )],
        fields: &[SOURCE, &[reads("size_gib", ["1073741824", "1073741825"], ["1", "2"])]],
    },
    Model {
        kind: KindId::RedshiftSubnetGroup,
        name: "game-it",
        parts: &[part(
            "DescribeClusterSubnetGroups",
            "ClusterSubnetGroup",
            "ClusterSubnetGroupName {name}
            SubnetGroupStatus {status}
            Description {description}
            Subnets/Subnet/SubnetIdentifier {subnets}
            Tags/Tag <Key>team</Key><Value>data</Value>",
        )],
        fields: &[SUBNET_GROUP],
    },
    Model {
        kind: KindId::RedshiftParameters,
        name: "game-it",
        parts: &[
            part(
                "DescribeClusterParameterGroups",
                "ClusterParameterGroup",
                "ParameterGroupName {name}
                ParameterGroupFamily {family}
                Description {description}
                Tags/Tag <Key>team</Key><Value>data</Value>",
            ),
            part("DescribeClusterParameters", "Parameter", PARAMETER),
        ],
        fields: &[GROUP, &[same("family", ["redshift-2.0", "redshift-1.0"])]],
    },
    Model {
        kind: KindId::RedshiftCluster,
        name: "game-it",
        parts: &[part(
            "DescribeClusters",
            "Cluster",
            "ClusterIdentifier {name}
            ClusterStatus {status}
            ClusterNamespaceArn arn:aws:redshift:us-east-1:111122223333:namespace:{name}
            NodeType {node_type}
            NumberOfNodes {nodes}
            DBName {database}
            MasterUsername {master_username}
            MasterPasswordSecretArn {managed_password}
            ClusterSubnetGroupName {subnet_group}
            VpcSecurityGroups/VpcSecurityGroup/VpcSecurityGroupId {security_groups}
            ClusterParameterGroups/ClusterParameterGroup/ParameterGroupName {parameter_group}
            Encrypted {encrypted}
            KmsKeyId {kms_key}
            AutomatedSnapshotRetentionPeriod {snapshot_retention_days}
            PreferredMaintenanceWindow {maintenance_window}
            PubliclyAccessible {publicly_accessible}
            EnhancedVpcRouting {enhanced_vpc_routing}
            MultiAZ {multi_az}
            IamRoles/ClusterIamRole/IamRoleArn {iam_roles}
            DefaultIamRoleArn {default_iam_role}
            ClusterSnapshotCopyStatus <DestinationRegion>{snapshot_copy_region}</DestinationRegion><RetentionPeriod>{snapshot_copy_retention_days}</RetentionPeriod>
            ClusterCreateTime 2026-11-01T10:00:00Z
            Endpoint <Address>{name}.example</Address><Port>{port}</Port>
            Tags/Tag <Key>team</Key><Value>data</Value>",
        )],
        fields: &[PLACED, NETWORK, KEY, WINDOW, &[
            same("node_type", ["ra3.large", "ra3.xlplus"]),
            same("nodes", ["2", "4"]),
            same("database", ["facts", "other"]),
            ADMIN,
            reads("managed_password", SECRET_ARN, ["true", "false"]),
            flag("encrypted"),
            same("snapshot_retention_days", ["1", "7"]),
            flag("publicly_accessible"),
            flag("enhanced_vpc_routing"),
            reads("multi_az", ["Enabled", "Disabled"], ["true", "false"]),
            reads("iam_roles", ["arn:aws:iam::1:role/one", "arn:aws:iam::1:role/two"], [r#"["arn:aws:iam::1:role/one"]"#, r#"["arn:aws:iam::1:role/two"]"#]),
            same("default_iam_role", ["arn:aws:iam::1:role/one", "arn:aws:iam::1:role/two"]),
            same("snapshot_copy_region", ["us-west-2", "us-east-2"]),
            same("snapshot_copy_retention_days", ["7", "14"]),
        ]],
    },
    Model {
        kind: KindId::RedshiftNamespace,
        name: "game-it",
        parts: &[part(
            "ListNamespaces",
            "",
            r#"{"namespaceName": "{name}", "status": "{status}", "dbName": "{database}",
            "namespaceArn": "arn:aws:redshift-serverless:us-east-1:111122223333:namespace/{name}",
            "adminUsername": "{master_username}", {managed_password} "kmsKeyId": "{kms_key}",
            "logExports": ["{log_exports}"], "creationDate": "2026-11-01T10:00:00Z"}"#,
        )],
        fields: &[KEY, &[
            same("database", ["facts", "other"]),
            ADMIN,
            reads("managed_password", [r#""adminPasswordSecretArn": "arn:x","#, ""], ["true", "false"]),
            reads("log_exports", ["userlog", "connectionlog"], [r#"["userlog"]"#, r#"["connectionlog"]"#]),
        ]],
    },
    Model {
        kind: KindId::RedshiftWorkgroup,
        name: "game-it",
        parts: &[part(
            "ListWorkgroups",
            "",
            r#"{"workgroupName": "{name}", "status": "{status}", "namespaceName": "{namespace}",
            "workgroupArn": "arn:aws:redshift-serverless:us-east-1:111122223333:workgroup/{name}",
            "baseCapacity": {base_rpu}, "maxCapacity": {max_rpu}, "subnetIds": ["{subnets}"],
            "securityGroupIds": ["{security_groups}"], "publiclyAccessible": {publicly_accessible},
            "enhancedVpcRouting": {enhanced_vpc_routing}, "port": {port},
            "endpoint": {"address": "{name}.example", "port": {port}}, "creationDate": "2026-11-01T10:00:00Z"}"#,
        )],
        fields: &[NETWORK, &[
            SUBNETS,
            same("namespace", ["game-one", "game-two"]),
            same("base_rpu", ["8", "16"]),
            same("max_rpu", ["64", "128"]),
            flag("publicly_accessible"),
            flag("enhanced_vpc_routing"),
        ]],
    },
    Model {
        kind: KindId::RedshiftSnapshot,
        name: "game-it",
        parts: &[part(
            "DescribeClusterSnapshots",
            "Snapshot",
            "SnapshotIdentifier {name}
            Status {status}
            ClusterIdentifier {source}
            TotalBackupSizeInMegaBytes {size_gib}
            SnapshotCreateTime 2026-11-01T10:00:00Z
            SnapshotArn arn:aws:redshift:us-east-1:111122223333:snapshot:game/{name}
            Tags/Tag <Key>team</Key><Value>data</Value>",
        )],
        fields: &[SOURCE, &[reads("size_gib", ["1024.0", "1025.5"], ["1", "2"])]],
    },
    Model {
        kind: KindId::RedshiftSnapshot,
        name: "game-serverless",
        parts: &[part(
            "ListSnapshots",
            "",
            r#"{"snapshotName": "{name}", "status": "{status}", "namespaceName": "{source}",
            "totalBackupSizeInMegaBytes": {size_gib}, "snapshotCreateTime": "2026-11-01T10:00:00Z",
            "snapshotArn": "arn:aws:redshift-serverless:us-east-1:111122223333:snapshot/{name}"}"#,
        )],
        fields: &[SOURCE, &[reads("size_gib", ["1024.0", "1025.5"], ["1", "2"])]],
    },
    Model {
        kind: KindId::Secret,
        name: "game-it",
        parts: &[
            part(
                "ListSecrets",
                "",
                r#"{"Name": "{name}", "ARN": "arn:aws:secretsmanager:us-east-1:111122223333:secret:{name}-Ab12Cd",
                "KmsKeyId": "{kms_key}", "PrimaryRegion": "us-east-1", "CreatedDate": 1793527200.0,
                "Tags": [{"Key": "team", "Value": "data"}]}"#,
            ),
            part("DescribeSecret", "", r#"{"Region": "{replica_regions}", "Status": "InSync"}"#),
        ],
        fields: &[KEY, &[reads(
            "replica_regions",
            ["us-west-2", "eu-west-1"],
            [r#"["us-west-2"]"#, r#"["eu-west-1"]"#],
        )]],
    },
];

const CLUSTER_PARAMETERS: &str = "DBClusterParameterGroupName {name}
    DBParameterGroupFamily {family}
    Description {description}
    DBClusterParameterGroupArn arn:aws:rds:us-east-1:111122223333:cluster-pg:{name}";

const AURORA_SNAPSHOT: &str = "DBClusterSnapshotIdentifier {name}
    Engine aurora-mysql
    Status {status}
    DBClusterIdentifier {source}
    AllocatedStorage {size_gib}
    DBClusterSnapshotArn arn:aws:rds:us-east-1:111122223333:cluster-snapshot:{name}
    SnapshotCreateTime 2026-11-01T10:00:00Z
    TagList/Tag <Key>team</Key><Value>data</Value>";

const DOCUMENT_SNAPSHOT: &str = "DBClusterSnapshotIdentifier {name}
    Engine docdb
    Status {status}
    DBClusterIdentifier {source}
    AllocatedStorage {size_gib}
    DBClusterSnapshotArn arn:aws:rds:us-east-1:111122223333:cluster-snapshot:{name}
    SnapshotCreateTime 2026-11-01T10:00:00Z
    TagList/Tag <Key>team</Key><Value>data</Value>";

const TWO_SHARDS: &str = "<NodeGroup><NodeGroupId>0001</NodeGroupId><NodeGroupMembers>\
    <NodeGroupMember><CacheClusterId>game-it-0001-001</CacheClusterId></NodeGroupMember>\
    <NodeGroupMember><CacheClusterId>game-it-0001-002</CacheClusterId></NodeGroupMember></NodeGroupMembers></NodeGroup>\
    <NodeGroup><NodeGroupId>0002</NodeGroupId><NodeGroupMembers>\
    <NodeGroupMember><CacheClusterId>game-it-0002-001</CacheClusterId></NodeGroupMember>\
    <NodeGroupMember><CacheClusterId>game-it-0002-002</CacheClusterId></NodeGroupMember></NodeGroupMembers></NodeGroup>";

const ONE_SHARD: &str = "<NodeGroup><NodeGroupId>0001</NodeGroupId><NodeGroupMembers>\
    <NodeGroupMember><CacheClusterId>game-it-001</CacheClusterId><CurrentRole>primary</CurrentRole></NodeGroupMember>\
    <NodeGroupMember><CacheClusterId>game-it-002</CacheClusterId><CurrentRole>replica</CurrentRole></NodeGroupMember>\
    <NodeGroupMember><CacheClusterId>game-it-003</CacheClusterId><CurrentRole>replica</CurrentRole></NodeGroupMember>\
    </NodeGroupMembers></NodeGroup>";
