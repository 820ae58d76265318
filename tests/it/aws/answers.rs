//! Laws of answers: what a service says comes back in our words, over its pages, refusals and silences.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};

use rgctl_aws::clients::AwsOptions;
use rgctl_model::kinds::facts::Endpoint;
use rgctl_model::kinds::{AnyAttrs, KindId};
use rgctl_model::observed::Selection;
use rgctl_model::plan::Op;
use rgctl_model::ports::{Cloud, CloudError, Permit};
use rgctl_model::series::{SeriesAsk, Signal};
use rgctl_schema::names::{BlueprintName, Token};
use rgctl_schema::phase::{Phase, Role};
use rgctl_schema::time::{Moment, Span};
use serde_json::json;

use super::measuring::page;
use super::replay::{Answer, Sent, cloud, refusal, xml};
use rgctl_testkit::fixtures::{address, region};

fn ours() -> Selection {
    Selection {
        regions: BTreeSet::from([region("us-east-1")]),
        owner: Some(BlueprintName::new("game").unwrap()),
        ..Selection::default()
    }
}

const CLUSTER: &str = "<DBCluster><DBClusterIdentifier>game-accounts</DBClusterIdentifier>\
    <DBClusterArn>arn:aws:rds:us-east-1:111122223333:cluster:game-accounts</DBClusterArn>\
    <Engine>aurora-mysql</Engine><EngineVersion>8.0.mysql_aurora.3.08.0</EngineVersion><Status>modifying</Status>\
    <Endpoint>game-accounts.cluster-x.us-east-1.rds.amazonaws.com</Endpoint><Port>3306</Port>\
    <StorageType>aurora-iopt1</StorageType><StorageEncrypted>true</StorageEncrypted>\
    <BackupRetentionPeriod>7</BackupRetentionPeriod><DeletionProtection>true</DeletionProtection>\
    <ServerlessV2ScalingConfiguration><MinCapacity>0.5</MinCapacity><MaxCapacity>64</MaxCapacity></ServerlessV2ScalingConfiguration>\
    <MasterUserSecret><SecretArn>arn:x</SecretArn></MasterUserSecret>\
    <VpcSecurityGroups><VpcSecurityGroupMembership><VpcSecurityGroupId>sg-1</VpcSecurityGroupId></VpcSecurityGroupMembership></VpcSecurityGroups>\
    <PendingModifiedValues><EngineVersion>8.0.mysql_aurora.3.10.0</EngineVersion></PendingModifiedValues>\
    <DBClusterMembers><DBClusterMember><DBInstanceIdentifier>game-accounts-1</DBInstanceIdentifier><IsClusterWriter>true</IsClusterWriter></DBClusterMember>\
    <DBClusterMember><DBInstanceIdentifier>game-accounts-2</DBInstanceIdentifier><IsClusterWriter>false</IsClusterWriter></DBClusterMember></DBClusterMembers>\
    <TagList><Tag><Key>rgctl:blueprint</Key><Value>game</Value></Tag></TagList></DBCluster>";

fn other_cluster(name: &str, engine: &str) -> String {
    format!(
        "<DBCluster><DBClusterIdentifier>{name}</DBClusterIdentifier><Engine>{engine}</Engine>\
         <Status>available</Status></DBCluster>"
    )
}

fn instance(name: &str) -> String {
    format!(
        "<DBInstance><DBInstanceIdentifier>{name}</DBInstanceIdentifier><Engine>aurora-mysql</Engine>\
         <DBClusterIdentifier>game-accounts</DBClusterIdentifier><DBInstanceStatus>available</DBInstanceStatus>\
         <DBInstanceClass>db.r7g.large</DBInstanceClass><PendingModifiedValues><DBInstanceClass>db.r7g.xlarge</DBInstanceClass>\
         </PendingModifiedValues></DBInstance>"
    )
}

fn world(sent: &Sent) -> Option<Answer> {
    let marker = sent.parameters.get("Marker").map(String::as_str);
    let inner = match (sent.operation.as_str(), marker) {
        ("DescribeDBClusters", None) => format!(
            "<DBClusters>{CLUSTER}{}{}</DBClusters><Marker>page-2</Marker>",
            other_cluster("game-graph", "neptune"),
            other_cluster("game-matches", "docdb")
        ),
        ("DescribeDBClusters", Some("page-2")) => {
            format!("<DBClusters>{}</DBClusters>", other_cluster("game-late", "aurora-postgresql"))
        }
        ("DescribeDBInstances", None) => {
            format!(
                "<DBInstances>{}{}</DBInstances>",
                instance("game-accounts-1"),
                instance("game-accounts-2")
            )
        }
        ("DescribeUsers", None) => {
            return Some(refusal(403, "AccessDenied", "not authorized: elasticache:DescribeUsers"));
        }
        _ => return None,
    };
    Some(xml(&sent.operation, &inner))
}

#[tokio::test]
async fn an_observation_reads_all_pages_tells_engines_apart_and_knows_its_gaps() {
    let (cloud, _) = cloud(AwsOptions::default(), world);
    let inventory = cloud.observe(&ours()).await.unwrap();
    let names: Vec<String> =
        inventory.seen.keys().map(|address| format!("{}/{}", address.kind, address.name)).collect();
    let wanted = [
        "aurora.cluster/game-accounts",
        "aurora.cluster/game-late",
        "aurora.instance/game-accounts-1",
        "aurora.instance/game-accounts-2",
        "documentdb.cluster/game-matches",
    ];
    assert_eq!(names, wanted);
    assert_eq!(inventory.gaps.len(), 1);
    assert_eq!(inventory.gaps[0].endpoint, Endpoint::ElastiCache);
    assert!(inventory.gaps[0].why.contains("elasticache:DescribeUsers"), "{:?}", inventory.gaps);
}

#[tokio::test]
async fn a_cluster_comes_back_with_its_fields_its_roles_and_what_it_waits_for() {
    let (cloud, _) = cloud(AwsOptions::default(), world);
    let inventory = cloud.observe(&ours()).await.unwrap();
    let cluster = &inventory.seen[&address("us-east-1", KindId::AuroraCluster, "game-accounts")];
    assert_eq!(cluster.facts.phase, Phase::Busy { serves: true });
    assert_eq!(cluster.owner(), Some("game"));
    for (field, value) in [
        ("engine", json!("aurora-mysql")),
        ("storage_kind", json!("io-optimized")),
        ("serverless_min_half_acu", json!(1)),
        ("serverless_max_half_acu", json!(128)),
        ("managed_password", json!(true)),
        ("security_groups", json!(["sg-1"])),
        ("port", json!(3306)),
    ] {
        assert_eq!(cluster.attrs.get(field), Some(value), "{field}");
    }
    let pending = cluster.pending.as_ref().unwrap();
    assert_eq!(pending.set_fields(), [("engine_version", json!("8.0.mysql_aurora.3.10.0"))]);
    let writer = &inventory.seen[&address("us-east-1", KindId::AuroraInstance, "game-accounts-1")];
    assert_eq!(writer.facts.role, Some(Role::Writer));
    assert_eq!(writer.pending.as_ref().unwrap().text("class").as_deref(), Some("db.r7g.xlarge"));
    let matches = &inventory.seen[&address("us-east-1", KindId::DocumentCluster, "game-matches")];
    assert_eq!(matches.facts.phase, Phase::Ready);
}

fn make_cluster() -> Op {
    let kind = KindId::AuroraCluster;
    Op::Create {
        address: address("us-east-1", kind, "game-accounts"),
        attrs: AnyAttrs::empty(kind),
        tags: std::collections::BTreeMap::new(),
    }
}

async fn answer_to_a_change(options: AwsOptions, answer: Answer) -> (Result<(), CloudError>, usize) {
    let (cloud, log) = cloud(options, move |_| Some(answer.clone()));
    let result = cloud.call(&make_cluster(), &Token("t".into()), &Permit::always()).await.map(drop);
    let tries = log.lock().unwrap().len();
    (result, tries)
}

#[tokio::test]
async fn a_change_is_never_repeated_by_the_library_and_its_refusals_are_told_apart() {
    type Wanted = fn(&CloudError) -> bool;
    let cases: [(u16, &str, Wanted); 8] = [
        (400, "Throttling", |error| matches!(error, CloudError::Throttled { .. })),
        (400, "DBClusterAlreadyExistsFault", |error| matches!(error, CloudError::Conflict { .. })),
        (400, "InvalidGlobalClusterStateFault", |error| matches!(error, CloudError::Busy { .. })),
        (400, "InsufficientStorageClusterCapacity", |error| matches!(error, CloudError::Exhausted { .. })),
        (403, "DBClusterQuotaExceededFault", |error| matches!(error, CloudError::Refused { .. })),
        (403, "AccessDenied", |error| matches!(error, CloudError::Denied { .. })),
        (500, "InternalFailure", |error| matches!(error, CloudError::Unclear { .. })),
        (404, "DBSubnetGroupNotFoundFault", |error| matches!(error, CloudError::Refused { .. })),
    ];
    for (status, code, is_wanted) in cases {
        let (result, tries) = answer_to_a_change(AwsOptions::default(), refusal(status, code, "no")).await;
        assert!(result.as_ref().is_err_and(is_wanted), "{code}: {result:?}");
        assert_eq!(tries, 1, "{code}");
    }
}

#[tokio::test]
async fn an_answer_that_nobody_understands_is_unclear_and_that_of_an_emulator_is_named() {
    let page: Answer = (500, "text/html; charset=utf-8", "<html>Internal Server Error</html>".to_owned());
    let (result, _) = answer_to_a_change(AwsOptions::default(), page.clone()).await;
    assert!(matches!(result, Err(CloudError::Unclear { .. })), "{result:?}");
    let options = AwsOptions { endpoint_url: Some("http://127.0.0.1:9".into()), ..AwsOptions::default() };
    let (result, _) = answer_to_a_change(options, page).await;
    let Err(CloudError::Refused { code, message }) = result else { panic!("{result:?}") };
    assert_eq!(code, "NotEmulated");
    assert!(message.contains("500 text/html") && message.contains("CreateDBCluster"), "{message}");
}

#[tokio::test(start_paused = true)]
async fn a_read_is_tried_again_and_then_told_as_a_gap() {
    static ASKED: AtomicUsize = AtomicUsize::new(0);
    let (cloud, _) = cloud(AwsOptions::default(), |sent| {
        if sent.operation != "DescribeDBClusters" {
            return None;
        }
        // Twice a fault of the service, then the list.
        let done = ASKED.fetch_add(1, Ordering::SeqCst);
        Some(if done < 2 { refusal(503, "ServiceUnavailable", "later") } else { world(sent)? })
    });
    let inventory = cloud.observe(&ours()).await.unwrap();
    assert_eq!(inventory.gaps, []);
    assert!(inventory.seen.keys().any(|address| address.name.as_str() == "game-accounts"));
    assert_eq!(ASKED.load(Ordering::SeqCst), 4, "two faults and two pages");
}

#[tokio::test(start_paused = true)]
async fn a_page_for_people_is_no_answer_of_the_provider_and_is_not_asked_for_again() {
    // Status and type of the answer, and how often the list is asked for.
    let cases = [
        (500, "text/html; charset=utf-8", 1),
        (200, "text/html", 1),
        (200, "text/plain", 1),
        // A gateway on the way says so in a page, and it passes.
        (503, "text/html", 3),
        (502, "text/html", 3),
        // A fault of the service itself.
        (500, "text/xml", 3),
    ];
    for (status, kind, wanted) in cases {
        let (cloud, log) = cloud(AwsOptions::default(), move |sent| {
            (sent.operation == "DescribeDBClusters").then(|| (status, kind, "not at all".to_owned()))
        });
        let inventory = cloud.observe(&ours()).await.unwrap();
        let asked = log.lock().unwrap().iter().filter(|sent| sent.operation == "DescribeDBClusters").count();
        assert_eq!((asked, inventory.gaps.len()), (wanted, 1), "{status} {kind}: {:?}", inventory.gaps);
    }
}

#[tokio::test]
async fn an_account_that_may_see_nothing_is_an_error_and_not_an_empty_world() {
    let (cloud, _) = cloud(AwsOptions::default(), |sent| {
        let json =
            (400, "application/x-amz-json-1.1", json!({"__type": "AccessDeniedException"}).to_string());
        Some(if sent.json.is_some() { json } else { refusal(403, "AccessDenied", "no") })
    });
    assert!(matches!(cloud.observe(&ours()).await, Err(CloudError::Denied { .. })));
}

#[tokio::test]
async fn a_thousand_metrics_are_asked_for_in_two_calls() {
    let (cloud, log) = cloud(AwsOptions::default(), |_| Some(page(&[], None)));
    let asks: Vec<SeriesAsk> = (0..1_000)
        .map(|number| SeriesAsk {
            address: address("us-east-1", KindId::AuroraInstance, &format!("game-accounts-{number}")),
            signal: Signal::CpuPercent,
            from: Moment::from_secs(0),
            until: Moment::from_secs(3_600),
            period: Span::from_mins(1),
        })
        .collect();
    let series = cloud.series(&asks).await;
    assert!(series.len() == 1_000 && series.iter().all(Result::is_ok), "{series:?}");
    let calls = cloud.attempts().iter().filter(|call| call.operation == "GetMetricData").count();
    assert_eq!(calls, 2);
    assert!(log.lock().unwrap().iter().all(|sent| sent.service == "monitoring"));
}
