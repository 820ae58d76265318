//! What somebody made by hand becomes a blueprint with an empty plan, and nothing is touched before consent or beside it.

use rgctl::cli::exit::Exit;

use super::shell::{CODE, Shell};
use super::{boto3, emulator};

/// A cluster as a person makes it: a network and parameters of its own, three members, no tags.
const CLUSTER: &str = "\
subnets = [s['SubnetId'] for s in client('ec2').describe_subnets()['Subnets'][:3]]
group = client('ec2').describe_security_groups()['SecurityGroups'][0]['GroupId']
c.create_db_subnet_group(DBSubnetGroupName='players-net', DBSubnetGroupDescription='where players live', SubnetIds=subnets)
c.create_db_cluster_parameter_group(DBClusterParameterGroupName='players-params', DBParameterGroupFamily='aurora-mysql8.0',
    Description='tuned by hand')
c.modify_db_cluster_parameter_group(DBClusterParameterGroupName='players-params',
    Parameters=[{'ParameterName': 'max_connections', 'ParameterValue': '2000', 'ApplyMethod': 'pending-reboot'}])
c.create_db_cluster(DBClusterIdentifier='players-production', Engine='aurora-mysql', EngineVersion='8.0.mysql_aurora.3.08.0',
    MasterUsername='root', MasterUserPassword='not-a-secret', DBSubnetGroupName='players-net', DatabaseName='players',
    DBClusterParameterGroupName='players-params', BackupRetentionPeriod=5, VpcSecurityGroupIds=[group],
    StorageEncrypted=True, Port=3306)
for name, size in (('players-a', 'db.r6g.xlarge'), ('players-b', 'db.r6g.xlarge'), ('players-reports', 'db.r6g.large')):
    c.create_db_instance(DBInstanceIdentifier=name, DBClusterIdentifier='players-production', Engine='aurora-mysql',
        DBInstanceClass=size)";

/// A group without sharding: the emulator makes one node of it, which it does not list. The window is said, since the
/// emulator's own is none that the service would take.
const CACHE: &str = "\
subnets = [s['SubnetId'] for s in client('ec2').describe_subnets()['Subnets'][:3]]
group = client('ec2').describe_security_groups()['SecurityGroups'][0]['GroupId']
c.create_cache_subnet_group(CacheSubnetGroupName='sessions-net', CacheSubnetGroupDescription='by hand', SubnetIds=subnets)
c.create_replication_group(ReplicationGroupId='sessions-live', ReplicationGroupDescription='by hand', Engine='valkey',
    CacheNodeType='cache.r7g.large', NumCacheClusters=1, CacheSubnetGroupName='sessions-net', SecurityGroupIds=[group],
    TransitEncryptionEnabled=True, AtRestEncryptionEnabled=True, SnapshotRetentionLimit=3, SnapshotWindow='05:00-06:00')";

/// A bystander of each service, which no command may touch.
const BYSTANDERS: &str = "\
c.create_db_cluster(DBClusterIdentifier='import-bystander', Engine='aurora-mysql', MasterUsername='root',
    MasterUserPassword='not-a-secret')
c.create_db_subnet_group(DBSubnetGroupName='import-bystander', DBSubnetGroupDescription='of others',
    SubnetIds=[s['SubnetId'] for s in client('ec2').describe_subnets()['Subnets'][:2]])";

/// What is imported: the main object, who owns its parts afterwards, and what is left when it was destroyed.
struct Life<'a> {
    root: &'a str,
    name: &'a str,
    /// Each object that is taken, by the end of its ARN.
    taken: &'a [&'a str],
}

/// From nothing of ours to a blueprint with an empty plan.
fn is_imported(shell: &Shell, life: &Life<'_>) {
    let file = format!("{}.yaml", life.name);
    let look = ["import", "--region", CODE, "--regions", "regions", "--name", life.name, "--only", life.root];
    let found = shell.ends(&[&look[..], &["--out", &file]].concat(), Exit::Done);
    assert!(found.data.contains("the plan is empty"), "{}", found.data);
    let of_file = |words: &[&str]| -> Vec<String> {
        let rest = ["-f", &file, "--regions", "regions"];
        words.iter().chain(&rest).map(|word| (*word).to_owned()).collect()
    };
    let run = |words: &[&str], exit| {
        let all = of_file(words);
        shell.ends(&all.iter().map(String::as_str).collect::<Vec<_>>(), exit)
    };
    let listed = run(&["import"], Exit::Done);
    assert!(
        listed.data.contains(&format!("{} of them would be taken over", life.taken.len())),
        "{}",
        listed.data
    );
    let plan = run(&["plan"], Exit::Blocked);
    assert!(plan.data.contains("`rgctl import` takes it over"), "{}", plan.data);
    assert_eq!(shell.changes(), [] as [&str; 0], "nothing is changed before consent");

    run(&["import", "--take-over"], Exit::Done);
    let mut changes = shell.changes();
    changes.sort();
    let mut wanted: Vec<String> =
        life.taken.iter().map(|end| format!("AddTagsToResource {}", arn(life, end))).collect();
    wanted.sort();
    assert_eq!(changes, wanted, "taking over sets tags, of these objects, and does nothing else");

    let plan = run(&["plan", "--detailed-exitcode"], Exit::Done);
    assert!(plan.data.contains("nothing to do, the world is as wanted"), "{}", plan.data);
    assert!(!plan.data.contains("is not ours"), "{}", plan.data);
    run(&["drift"], Exit::Done);
    let applied = run(&["apply", "--yes"], Exit::Done);
    assert_eq!(shell.changes().len(), wanted.len(), "an apply has nothing to do: {}", applied.data);
}

fn arn(life: &Life<'_>, end: &str) -> String {
    let service =
        if life.taken.iter().any(|end| end.starts_with("replicationgroup")) { "elasticache" } else { "rds" };
    format!("arn:aws:{service}:{CODE}:123456789012:{end}")
}

#[test]
fn an_aurora_cluster_made_by_hand_is_imported_with_an_empty_plan_and_destroyed_only_on_consent() {
    let Some(url) = emulator("import of a cluster made by hand") else { return };
    let shell = Shell::new(&url, "byhand");
    boto3(&url, CODE, "rds", BYSTANDERS);
    boto3(&url, CODE, "rds", CLUSTER);
    let taken = [
        "subgrp:players-net",
        "cluster-pg:players-params",
        "cluster:players-production",
        "db:players-a",
        "db:players-b",
        "db:players-reports",
    ];
    is_imported(&shell, &Life { root: "players-production", name: "byhand", taken: &taken });

    // What the blueprint owns by another name is removed by it on consent, and what is beside it stays.
    let destroy = ["destroy", "-f", "byhand.yaml", "--regions", "regions", "--yes"];
    let before = shell.changes().len();
    shell.ends(&destroy, Exit::Refused);
    assert_eq!(shell.changes().len(), before, "without consent nothing is touched");
    let consent = [&destroy[..], &["--allow", "delete:players-production@us-east-1"]].concat();
    shell.ends(&consent, Exit::Done);
    let left = boto3(
        &url,
        CODE,
        "rds",
        "def those(all, word): return sorted(one[word] for one in all if one[word].startswith(('players', 'import-')))\n\
         print(those(c.describe_db_clusters()['DBClusters'], 'DBClusterIdentifier'), \
         those(c.describe_db_instances()['DBInstances'], 'DBInstanceIdentifier'), \
         those(c.describe_db_subnet_groups()['DBSubnetGroups'], 'DBSubnetGroupName'), \
         those(c.describe_db_cluster_parameter_groups()['DBClusterParameterGroups'], 'DBClusterParameterGroupName'))",
    );
    assert_eq!(left, "['import-bystander'] [] ['import-bystander'] []");
}

#[test]
fn a_replication_group_made_by_hand_is_imported_with_an_empty_plan() {
    let Some(url) = emulator("import of a replication group made by hand") else { return };
    let shell = Shell::new(&url, "bycache");
    boto3(&url, CODE, "elasticache", CACHE);
    // The emulator does not list the nodes, which alone tell of subnet and parameter group: only the group is found.
    let taken = ["replicationgroup:sessions-live"];
    is_imported(&shell, &Life { root: "sessions-live", name: "bycache", taken: &taken });
}
