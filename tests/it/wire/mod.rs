//! Over HTTP against an emulator of the provider (moto), when one is named by `RGCTL_MOTO_URL`.
//!
//! What the emulator cannot do is listed by `what_the_emulator_leaves_out`, from the answers that it gives.

mod accounts;
mod binary;
mod failures;
mod import;
mod lease;
mod limits;
mod parity;
mod shell;

use std::collections::BTreeSet;
use std::process::Command;
use std::sync::Arc;

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use futures::FutureExt;
use futures::future::BoxFuture;
use rgctl::cli::import::foreign_objects;
use rgctl_aws::budget::Budget;
use rgctl_aws::clients::{AwsOptions, Transport};
use rgctl_aws::cloud::AwsCloud;
use rgctl_aws::s3_store::{S3Place, S3Store, s3_store};
use rgctl_engine::execution::drive::{Ended, Environment, Job, drive};
use rgctl_engine::execution::turn::Pace;
use rgctl_model::claims::NO_CLAIMS;
use rgctl_model::journal::{Event, Outcome, Purpose};
use rgctl_model::kinds::{AnyAttrs, KindId};
use rgctl_model::node::Desired;
use rgctl_model::observed::{Inventory, Selection};
use rgctl_model::plan::Op;
use rgctl_model::policy::Policy;
use rgctl_model::ports::{Clock, Cloud, CloudError, Permit, Store, StoreError};
use rgctl_model::scope::Scope;
use rgctl_schema::names::{BlueprintName, RunId, Token};
use rgctl_schema::time::{Moment, Span};
use rgctl_store::journal::SqliteStore;
use serde_json::json;

use rgctl_testkit::decision_law::{obeys_the_laws_of_decisions, obeys_the_laws_of_memories};
use rgctl_testkit::fixtures::{address, cluster_store, consents, desired, node, region};
use rgctl_testkit::site::{Quiet, applying};
use rgctl_testkit::store_law::obeys_the_laws;

/// This machine's time: an emulator has no other.
struct Wall;
impl Clock for Wall {
    fn now(&self) -> Moment {
        Moment::from_millis(jiff::Timestamp::now().as_millisecond())
    }
    fn sleep_until(&self, at: Moment) -> BoxFuture<'_, ()> {
        let wait = at.since(self.now());
        async move { tokio::time::sleep(std::time::Duration::from_millis(wait.as_millis())).await }.boxed()
    }
}

/// The emulator's address; without one the test says what it leaves out.
fn emulator(what: &str) -> Option<String> {
    let url = std::env::var("RGCTL_MOTO_URL").ok();
    if url.is_none() {
        println!("left out, since RGCTL_MOTO_URL names no emulator: {what}");
    }
    url
}

fn cloud(url: &str) -> AwsCloud {
    let options = AwsOptions { endpoint_url: Some(url.to_owned()), ..AwsOptions::default() };
    let credentials = Credentials::new("AKIDEXAMPLE", "example", None, None, "test");
    let transport =
        Transport { credentials: Some(SharedCredentialsProvider::new(credentials)), ..Transport::default() };
    AwsCloud::over(options, transport, Budget::default(), Arc::new(Wall))
}

/// Somebody else's hand: the provider's own library for Python.
fn boto3(url: &str, code: &str, service: &str, lines: &str) -> String {
    python(&format!(
        "import boto3\ndef client(service): return boto3.client(service, region_name='{code}', endpoint_url='{url}', \
         aws_access_key_id='a', aws_secret_access_key='b')\nc = client('{service}')\n{lines}"
    ))
}

/// What a program in Python prints.
fn python(program: &str) -> String {
    let python = std::env::var("RGCTL_MOTO_PYTHON").unwrap_or_else(|_| "python3".into());
    let done = Command::new(python).arg("-c").arg(program).output().unwrap();
    assert!(done.status.success(), "{program}\n{}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).unwrap().trim().to_owned()
}

/// Three subnets of the network that the emulator has in a region.
fn subnets_of(url: &str, code: &str) -> BTreeSet<String> {
    let lines = "print(' '.join(s['SubnetId'] for s in c.describe_subnets()['Subnets'][:3]))";
    boto3(url, code, "ec2", lines).split(' ').map(str::to_owned).collect()
}

/// A store of one cluster in the network that the emulator has.
fn wanted(url: &str, code: &str, members: usize) -> Desired {
    let mut nodes = cluster_store("accounts", code, members, "db.r7g.large");
    for node in &mut nodes {
        if node.address.kind == KindId::RdsSubnetGroup {
            node.attrs.set("subnets", Some(json!(subnets_of(url, code)))).unwrap();
        }
    }
    desired(nodes)
}

async fn apply(cloud: &AwsCloud, desired: &Desired, policy: &Policy, purpose: Purpose) -> Ended {
    let store = SqliteStore::in_memory().unwrap();
    apply_on(&store, cloud, desired, policy, purpose).await
}

/// The same with a record that outlives it.
async fn apply_on(
    store: &SqliteStore,
    cloud: &AwsCloud,
    desired: &Desired,
    policy: &Policy,
    purpose: Purpose,
) -> Ended {
    let world = Environment { cloud, clock: &Wall, wall: &Wall, store };
    // The emulator does everything at once, so that nothing has to be waited for; an end of patience is near.
    let pace = Pace {
        look_again: Span::from_millis(20),
        look_after_calls: Span::ZERO,
        visibility: Span::from_millis(300),
        ..Pace::default()
    };
    let run = RunId("wire".into());
    let job = Job { purpose, ..applying(desired, &run, policy, &pace) };
    drive(&world, &job, &mut Quiet { turns: 0, stop_after: Some(500) }).await.unwrap()
}

fn changes(cloud: &AwsCloud, after: usize) -> Vec<String> {
    let reads = ["Describe", "List", "Get"];
    let all = cloud.attempts().into_iter().skip(after).map(|call| call.operation);
    all.filter(|name| !reads.iter().any(|word| name.starts_with(word))).collect()
}

async fn look(cloud: &AwsCloud, code: &str) -> Inventory {
    let scope = Selection {
        regions: BTreeSet::from([region(code)]),
        owner: Some(BlueprintName::new("game").unwrap()),
        ..Selection::default()
    };
    cloud.observe(&scope).await.unwrap()
}

#[tokio::test]
async fn what_is_applied_is_left_alone_repaired_after_drift_and_destroyed() {
    let Some(url) = emulator("apply, second apply, drift, destroy") else { return };
    let cloud = cloud(&url);
    let desired = wanted(&url, "us-east-1", 2);
    let policy = Policy::default();
    let ended = apply(&cloud, &desired, &policy, Purpose::Apply).await;
    assert_eq!(ended.outcome, Outcome::Settled, "{:#?}", ended.last.plan.waiting);

    let made = cloud.attempts().len();
    let again = apply(&cloud, &desired, &policy, Purpose::Apply).await;
    assert_eq!(again.outcome, Outcome::Settled);
    assert_eq!(changes(&cloud, made), Vec::<String>::new(), "the second apply changes nothing");

    let drift = "c.modify_db_cluster(DBClusterIdentifier='game-accounts-use1', BackupRetentionPeriod=3, ApplyImmediately=True)";
    boto3(&url, "us-east-1", "rds", drift);
    let before = cloud.attempts().len();
    apply(&cloud, &desired, &policy, Purpose::Apply).await;
    assert_eq!(changes(&cloud, before), ["ModifyDBCluster"]);
    let cluster = &look(&cloud, "us-east-1").await.seen
        [&address("us-east-1", KindId::AuroraCluster, "game-accounts-use1")];
    assert_eq!(cluster.attrs.get("backup_retention_days"), Some(json!(7)));

    let policy = consents(&["delete:accounts@us-east-1"]);
    let gone = apply(&cloud, &desired, &policy, Purpose::Destroy).await;
    assert_eq!(gone.outcome, Outcome::Settled, "{:#?}", gone.last.plan);
    let left = look(&cloud, "us-east-1").await;
    let left: Vec<_> = left.seen.keys().filter(|address| !address.kind.facts().observe_only).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test]
async fn a_cluster_of_nobody_is_listed_and_taken_over_by_its_tags_only() {
    let Some(url) = emulator("import") else { return };
    let cloud = cloud(&url);
    let code = "us-west-2";
    boto3(
        &url,
        code,
        "rds",
        "c.create_db_cluster(DBClusterIdentifier='game-old', Engine='aurora-mysql', MasterUsername='root', \
         MasterUserPassword='not-a-secret', BackupRetentionPeriod=5)\n\
         c.create_db_cluster(DBClusterIdentifier='game-other', Engine='aurora-mysql', MasterUsername='root', \
         MasterUserPassword='not-a-secret', Tags=[{'Key': 'rgctl:blueprint', 'Value': 'another'}])",
    );
    let old = address(code, KindId::AuroraCluster, "game-old");
    let other = address(code, KindId::AuroraCluster, "game-other");
    let fields = [("engine", json!("aurora-mysql")), ("backup_retention_days", json!(5))];
    let desired = desired(vec![
        node(old.clone(), "accounts", &fields, &[]),
        node(other.clone(), "accounts", &fields, &[]),
    ]);
    let seen = look(&cloud, code).await;
    let listed: Vec<_> = foreign_objects(&seen, &desired, &NO_CLAIMS)
        .into_iter()
        .map(|(address, _)| address.clone())
        .collect();
    assert_eq!(listed, [old.clone(), other]);
    let ops = rgctl_testkit::fixtures::take_over_ops(&desired, &seen);
    assert_eq!(
        ops.iter().map(Op::address).collect::<Vec<_>>(),
        [&old],
        "another blueprint's object is not taken"
    );
    let before = cloud.attempts().len();
    for op in &ops {
        cloud.call(op, &Token("import".into()), &Permit::always()).await.unwrap();
    }
    assert_eq!(changes(&cloud, before), ["AddTagsToResource"]);
    assert_eq!(look(&cloud, code).await.seen[&old].owner(), Some("game"));
}

#[tokio::test]
async fn a_second_creation_of_the_same_name_is_a_conflict_and_a_missing_one_is_not_found() {
    let Some(url) = emulator("conflict and absence") else { return };
    let cloud = cloud(&url);
    let code = "eu-west-1";
    let kind = KindId::RedshiftCluster;
    let mut attrs = AnyAttrs::empty(kind);
    for (field, value) in
        [("node_type", json!("ra3.large")), ("nodes", json!(2)), ("database", json!("facts"))]
    {
        attrs.set(field, Some(value)).unwrap();
    }
    let tags = [("rgctl:blueprint".to_owned(), "game".to_owned())].into_iter().collect();
    let make = Op::Create { address: address(code, kind, "game-history"), attrs, tags };
    let token = Token("t-1".into());
    cloud.call(&make, &token, &Permit::always()).await.unwrap();
    assert!(matches!(cloud.call(&make, &token, &Permit::always()).await, Err(CloudError::Conflict { .. })));
    let seen = look(&cloud, code).await;
    let found = &seen.seen[&address(code, kind, "game-history")];
    assert_eq!((found.owner(), found.token()), (Some("game"), Some("t-1")), "the second try finds the first");
    let gone = Op::Delete { address: address(code, kind, "game-nothing"), final_snapshot: None };
    assert!(matches!(cloud.call(&gone, &token, &Permit::always()).await, Err(CloudError::NotFound { .. })));
}

#[tokio::test]
async fn what_the_emulator_leaves_out() {
    let Some(url) = emulator("the list of what the emulator cannot do") else { return };
    let cloud = cloud(&url);
    let seen = look(&cloud, "ap-southeast-1").await;
    assert_eq!(seen.gaps, [], "a list that the emulator does not know is no gap");
    let kind = KindId::DocumentCluster;
    let document = Op::Create {
        address: address("ap-southeast-1", kind, "game-matches"),
        attrs: AnyAttrs::empty(kind),
        tags: [].into(),
    };
    let serverless = KindId::RedshiftNamespace;
    let namespace = Op::Create {
        address: address("ap-southeast-1", serverless, "game-lake"),
        attrs: AnyAttrs::empty(serverless),
        tags: [].into(),
    };
    for op in [document, namespace] {
        let refused = cloud.call(&op, &Token("t".into()), &Permit::always()).await.unwrap_err();
        println!("the emulator cannot {} {}: {refused}", op.word(), op.address().kind);
        assert!(matches!(refused, CloudError::Refused { .. }), "{refused}");
    }
}

fn bucket(url: &str, name: &str) -> S3Place {
    boto3(url, "us-east-1", "s3", &format!("c.create_bucket(Bucket='{name}')"));
    S3Place { bucket: name.to_owned(), prefix: "games".to_owned() }
}

#[tokio::test]
async fn the_record_on_s3_obeys_the_laws() {
    let Some(url) = emulator("the record on S3") else { return };
    let cloud = cloud(&url);
    let store = s3_store(Arc::clone(cloud.pool()), region("us-east-1"), bucket(&url, "laws"));
    obeys_the_laws(&store).await;
}

#[tokio::test]
async fn what_is_kept_beside_the_record_on_s3_obeys_the_laws() {
    let Some(url) = emulator("decisions on S3") else { return };
    let cloud = cloud(&url);
    let place = bucket(&url, "beside");
    let open = || -> Box<dyn Store> {
        Box::new(s3_store(Arc::clone(cloud.pool()), region("us-east-1"), place.clone()))
    };
    obeys_the_laws_of_decisions(&open, 30).await;
    obeys_the_laws_of_memories(&*open()).await;
}

#[tokio::test]
async fn of_two_writers_racing_for_a_line_one_is_fenced_off() {
    let Some(url) = emulator("two writers of one record on S3") else { return };
    let cloud = cloud(&url);
    let store = s3_store(Arc::clone(cloud.pool()), region("us-east-1"), bucket(&url, "race"));
    let (game, now) = (Scope::parse("aws/123456789012/game").unwrap(), Moment::from_secs(1_000));
    let lease =
        store.take_lease(&game, &RunId("r1".into()), "ann", now, Span::from_secs(60), None).await.unwrap();
    let event =
        |text: &str| [Event::Closed { outcome: Outcome::Settled, summary: text.to_owned(), left: None }];
    for round in 0..10 {
        let (left, right) = (event("left"), event("right"));
        let (one, two) = futures::join!(
            store.append(&lease, round, now, &left),
            store.append(&lease, round, now, &right),
        );
        let won = [&one, &two].iter().filter(|result| result.is_ok()).count();
        assert_eq!(won, 1, "round {round}: {one:?} {two:?}");
        assert!([one, two].iter().any(|result| matches!(result, Err(StoreError::Fenced { .. }))));
    }
    assert_eq!(store.entries(&game, 0).await.unwrap().len(), 10, "and the chain holds");
}

#[tokio::test]
async fn observing_many_clusters_costs_a_page_of_calls_and_not_a_call_each() {
    let Some(url) = emulator("the cost of observing many clusters") else { return };
    let clusters: usize =
        std::env::var("RGCTL_MOTO_CLUSTERS").ok().and_then(|text| text.parse().ok()).unwrap_or(120);
    let (cloud, code) = (cloud(&url), "eu-central-1");
    boto3(
        &url,
        code,
        "redshift",
        &format!(
            "for i in range({clusters}):\n c.create_cluster(ClusterIdentifier=f'game-{{i}}', NodeType='ra3.large', \
             MasterUsername='root', MasterUserPassword='Not-a-secret-1', \
             Tags=[{{'Key': 'rgctl:blueprint', 'Value': 'game'}}])"
        ),
    );
    let started = Wall.now();
    let seen = look(&cloud, code).await;
    let took = Wall.now().since(started);
    let calls = cloud.attempts().len();
    println!("{clusters} clusters observed with {calls} attempts in {took}");
    assert_eq!(seen.seen.keys().filter(|address| address.kind == KindId::RedshiftCluster).count(), clusters);
    // One call for each list and for the sweep of tags, and a page for each hundred objects: no retry, no object by itself.
    assert!(calls <= 25 + clusters / 100, "{calls}");
}
