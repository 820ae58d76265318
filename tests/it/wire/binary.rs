//! The binary against the emulator: a whole life of a blueprint, two processes at once, a process that is killed.

use std::io::{BufRead, BufReader};

use rgctl::cli::exit::Exit;

use super::shell::{Shell, blueprint, by_another_hand, counted, left_by};
use super::{boto3, emulator};

const FILE: &[&str] = &["-f", "blueprint.yaml", "--regions", "regions"];

fn with<'a>(words: &[&'a str], more: &[&'a str]) -> Vec<&'a str> {
    [words, FILE, more].concat()
}

#[test]
fn a_blueprint_is_applied_left_alone_changed_repaired_and_destroyed_by_the_binary() {
    let Some(url) = emulator("the life of a blueprint through the binary") else { return };
    let shell = Shell::new(&url, "life");
    shell.write("blueprint.yaml", &blueprint("life", "db.r7g.large", 1, 7));
    shell.ends(&with(&["plan"], &["--detailed-exitcode"]), Exit::Differences);
    assert_eq!(shell.changes(), [] as [&str; 0], "a plan changes nothing");

    let first = shell.ends(&with(&["apply"], &["--yes"]), Exit::Done);
    assert!(first.data.contains("life: settled after"), "{}", first.data);
    let made = shell.changes();
    assert_eq!(counted(&made).get("CreateDBCluster life-accounts-use1"), Some(&1), "{made:#?}");
    assert_eq!(made.iter().filter(|call| call.starts_with("CreateDBInstance")).count(), 2, "{made:#?}");

    let again = shell.ends(&with(&["apply"], &["--yes"]), Exit::Done);
    assert_eq!(shell.changes(), made, "the second apply changes nothing: {}", again.data);
    shell.ends(&with(&["plan"], &["--detailed-exitcode"]), Exit::Done);
    shell.ends(&with(&["drift"], &[]), Exit::Done);
    let status = shell.ends(&with(&["status"], &[]), Exit::Done);
    assert!(status.data.contains("accounts") && status.data.contains("ready"), "{}", status.data);

    shell.write("blueprint.yaml", &blueprint("life", "db.r7g.large", 1, 9));
    shell.ends(&with(&["apply"], &["--yes"]), Exit::Done);
    assert_eq!(shell.changes()[made.len()..], ["ModifyDBCluster life-accounts-use1"], "one change, one call");

    by_another_hand(&url, "life-accounts-use1", 3);
    let drift = shell.ends(&with(&["drift"], &[]), Exit::Differences);
    assert!(drift.data.contains("backup_retention_days") && drift.data.contains("3 → 9"), "{}", drift.data);
    shell.ends(&with(&["apply"], &["--yes"]), Exit::Done);
    assert_eq!(
        shell.changes()[made.len() + 1..],
        ["ModifyDBCluster life-accounts-use1"],
        "repaired by one call"
    );
    shell.ends(&with(&["drift"], &[]), Exit::Done);

    let before = shell.changes().len();
    shell.ends(&with(&["destroy"], &["--yes"]), Exit::Refused);
    assert_eq!(shell.changes().len(), before, "without consent nothing is touched");
    let gone =
        shell.ends(&with(&["destroy"], &["--yes", "--allow", "delete:accounts@us-east-1"]), Exit::Done);
    assert!(gone.data.contains("life: settled"), "{}", gone.data);
    let left = boto3(
        &url,
        "us-east-1",
        "rds",
        "print([s['DBClusterIdentifier'] for s in c.describe_db_cluster_snapshots(SnapshotType='manual')['DBClusterSnapshots'] \
         if s['DBClusterIdentifier'].startswith('life-')], \
         [d['DBClusterIdentifier'] for d in c.describe_db_clusters()['DBClusters'] if d['DBClusterIdentifier'].startswith('life-')], \
         [g['DBSubnetGroupName'] for g in c.describe_db_subnet_groups()['DBSubnetGroups'] if g['DBSubnetGroupName'].startswith('life-')])",
    );
    assert_eq!(left, "['life-accounts-use1'] [] []", "the final snapshot is there, and nothing else");

    let history = shell.ends(&["history", "life"], Exit::Done);
    assert!(history.data.contains("the chain of digests is whole"), "{}", history.data);
    assert_eq!(history.data.matches("begins apply").count(), 3, "{}", history.data);
    assert_eq!(history.data.matches("begins destroy").count(), 1, "{}", history.data);
}

#[test]
fn what_nobody_owns_is_listed_by_the_binary_and_taken_over_on_consent() {
    let Some(url) = emulator("import through the binary") else { return };
    let shell = Shell::new(&url, "adopt");
    shell.write("blueprint.yaml", &blueprint("adopt", "db.r7g.large", 1, 7));
    boto3(
        &url,
        "us-east-1",
        "rds",
        "c.create_db_cluster(DBClusterIdentifier='adopt-accounts-use1', Engine='aurora-mysql', MasterUsername='root', \
         MasterUserPassword='not-a-secret', BackupRetentionPeriod=5)",
    );
    let listed = shell.ends(&with(&["import"], &[]), Exit::Done);
    assert!(listed.data.contains("us-east-1/aurora.cluster/adopt-accounts-use1"), "{}", listed.data);
    assert!(listed.data.contains("backup_retention_days: 5 -> 7"), "{}", listed.data);
    assert_eq!(shell.changes(), [] as [&str; 0], "looking changes nothing");
    let blocked = shell.run(&with(&["plan"], &[]));
    assert!(blocked.data.contains("`rgctl import` takes it over"), "{}", blocked.data);
    shell.ends(&with(&["import"], &["--take-over"]), Exit::Done);
    let changes = shell.changes();
    assert_eq!(changes.len(), 1, "{changes:?}");
    assert!(
        changes[0].starts_with("AddTagsToResource") && changes[0].ends_with(":adopt-accounts-use1"),
        "{changes:?}"
    );
}

#[test]
fn of_several_processes_that_apply_at_once_each_object_is_made_once() {
    let Some(url) = emulator("two processes with a record on S3") else { return };
    boto3(&url, "us-east-1", "s3", "c.create_bucket(Bucket='crowd-record')");
    let shell = Shell::new(&url, "crowd");
    shell.write("blueprint.yaml", &blueprint("crowd", "db.r7g.large", 1, 7));
    let line = with(&["--store", "s3://crowd-record/games", "apply"], &["--yes"]);
    let crowd: Vec<_> = (0..3).map(|_| shell.start(&line)).collect();
    let left: Vec<_> = crowd.into_iter().map(|one| left_by(&line, one.wait_with_output().unwrap())).collect();
    let codes: Vec<u8> = left.iter().map(|left| left.code).collect();
    for left in &left {
        let is_known = [Exit::Done.code(), Exit::Held.code()].contains(&left.code);
        assert!(is_known, "{codes:?}\n{}\n{}", left.data, left.talk);
        if left.code == Exit::Held.code() {
            // It waited for a whole term, in which the holder renewed its lease.
            assert!(left.talk.contains("its lease is watched for 1m"), "{}", left.talk);
            assert!(left.talk.contains(") works on crowd\n  hint: "), "{}", left.talk);
        }
    }
    assert!(codes.contains(&Exit::Done.code()), "{codes:?}");
    let changes = shell.changes();
    for (call, times) in counted(&changes) {
        // The head of the record is exchanged, and lost races for it are run again.
        assert!(times == 1 || call.starts_with("PUT /crowd-record/"), "{call} {times} times: {changes:#?}");
    }
    let history = shell.ends(&["--store", "s3://crowd-record/games", "history", "crowd"], Exit::Done);
    assert!(history.data.contains("the chain of digests is whole"), "{}", history.data);
    let runs = history.data.matches("begins apply").count();
    assert_eq!(runs, 1, "whoever found nothing to do left no trace: {}", history.data);
    assert!(!shell.has_record(), "the record is in the bucket");
}

#[test]
fn a_process_that_is_killed_is_followed_by_one_that_doubles_nothing() {
    let Some(url) = emulator("kill -9 of the binary") else { return };
    let shell = Shell::new(&url, "killed");
    shell.write("blueprint.yaml", &blueprint("killed", "db.r7g.large", 2, 7));
    let line = with(&["apply"], &["--yes"]);
    // Cut off as soon as it says that it begins one of these, which is before the call or while it is on its way.
    let marks = ["rds.subnet_group/", "aurora.cluster/", "aurora.instance/killed-accounts-use1-1", "use1-2"];
    for mark in marks {
        let mut child = shell.start(&line);
        let talk = BufReader::new(child.stderr.take().unwrap());
        let mut reached = false;
        for told in talk.lines() {
            let told = told.unwrap();
            if told.contains("begin create") && told.contains(mark) {
                reached = true;
                break;
            }
        }
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(reached, "{mark} was not begun");
    }
    let last = shell.ends(&line, Exit::Done);
    assert!(last.data.contains("killed: settled"), "{}", last.data);
    let changes = shell.changes();
    for (call, times) in counted(&changes) {
        assert_eq!(times, 1, "{call}: {changes:#?}");
    }
    assert_eq!(changes.iter().filter(|call| call.starts_with("CreateDBInstance")).count(), 3, "{changes:#?}");
    shell.ends(&with(&["plan"], &["--detailed-exitcode"]), Exit::Done);
    let history = shell.ends(&["history", "killed"], Exit::Done);
    assert!(history.data.contains("the chain of digests is whole"), "{}", history.data);
}
