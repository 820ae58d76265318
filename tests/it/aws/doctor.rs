//! What a person is told when the account, the network or the clock is in the way: by `doctor`, and by a command that
//! runs into it. Through the SDK's real layers, over a replayed transport and over a closed port.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use aws_smithy_http_client::test_util::infallible_client_fn;
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use rgctl::cli::error::Failure;
use rgctl::cli::exit::Exit;
use rgctl::report::style::Style;
use rgctl_aws::clients::{AwsOptions, Transport};
use rgctl_aws::cloud::AwsCloud;
use rgctl_aws::doctor::{CheckResult, DoctorCheck, RecordBucket, gather, report};
use rgctl_aws::probes::{self, PROBES};
use rgctl_engine::execution::drive::{DriveError, Environment, Sight, drive, observe};
use rgctl_engine::execution::turn::Pace;
use rgctl_model::kinds::KindId;
use rgctl_model::observed::Selection;
use rgctl_model::policy::Policy;
use rgctl_model::ports::{Cloud, CloudError, Store};
use rgctl_model::scope::Scope;
use rgctl_permissions::{PolicyFor, RecordPlace};
use rgctl_schema::names::{BlueprintName, RunId};
use rgctl_schema::time::Moment;
use rgctl_store::journal::SqliteStore;
use serde_json::json;

use super::replay::{Answer, Sent, Still, cloud, dated, over, refusal, xml};
use rgctl_testkit::fixtures::{cluster_store, desired, region};
use rgctl_testkit::site::{Quiet, applying};
use rgctl_testkit::taps::ManualWall;

/// The time of [`Still`], as a service tells it, and ten minutes later.
const IN_TIME: &str = "Fri, 15 Jan 2027 08:00:00 GMT";
const LATER: &str = "Fri, 15 Jan 2027 08:10:00 GMT";

fn wanted() -> PolicyFor {
    PolicyFor {
        blueprint: BlueprintName::new("game").unwrap(),
        kinds: KindId::ALL.iter().copied().collect(),
        regions: BTreeSet::from([region("us-east-1")]),
        writes: true,
        adopted: BTreeSet::new(),
        secrets: BTreeSet::new(),
        roles: BTreeSet::new(),
        record: None,
    }
}

fn bucket() -> RecordBucket {
    let record = RecordPlace { bucket: "team-records".into(), prefix: "games".into() };
    RecordBucket { record, region: region("us-east-1") }
}

fn identity() -> Answer {
    xml("GetCallerIdentity", "<Arn>arn:aws:iam::111122223333:user/ann</Arn><Account>111122223333</Account>")
}

/// A simulation that allows all actions but one.
fn simulated(sent: &Sent, denied: &str) -> Answer {
    let actions = sent.parameters.iter().filter(|(name, _)| name.starts_with("ActionNames.member."));
    let results: Vec<String> = actions
        .map(|(_, action)| {
            let decision = if action == denied { "explicitDeny" } else { "allowed" };
            format!("<member><EvalActionName>{action}</EvalActionName><EvalDecision>{decision}</EvalDecision></member>")
        })
        .collect();
    let results = results.concat();
    xml("SimulatePrincipalPolicy", &format!("<EvaluationResults>{results}</EvaluationResults>"))
}

fn healthy(sent: &Sent) -> Option<Answer> {
    match sent.operation.as_str() {
        "GetCallerIdentity" => Some(identity()),
        "SimulatePrincipalPolicy" => Some(simulated(sent, "")),
        "ListServiceQuotas" => Some((
            200,
            "application/x-amz-json-1.1",
            json!({ "Quotas": [{ "QuotaName": "DB clusters", "Value": 40.0 }, { "QuotaName": "Other", "Value": 1.0 }] })
                .to_string(),
        )),
        "ListSecrets" => Some((200, "application/x-amz-json-1.1", json!({ "SecretList": [] }).to_string())),
        _ if sent.service == "team-records" => Some((
            200,
            "application/xml",
            "<ListBucketResult><Name>team-records</Name><KeyCount>0</KeyCount></ListBucketResult>".to_owned(),
        )),
        _ => None,
    }
}

async fn examined(cloud: &AwsCloud, bucket: Option<&RecordBucket>) -> Vec<DoctorCheck> {
    report(&gather(cloud.pool(), &wanted(), bucket).await, &wanted().regions)
}

fn of<'a>(findings: &'a [DoctorCheck], area: &str) -> Vec<&'a DoctorCheck> {
    findings.iter().filter(|finding| finding.area == area).collect()
}

#[tokio::test]
async fn a_healthy_account_has_no_wrong_finding_and_only_reads_were_made() {
    let (cloud, log) = dated(AwsOptions::default(), Some(IN_TIME), healthy);
    let findings = examined(&cloud, Some(&bucket())).await;
    let not_fine: Vec<&DoctorCheck> =
        findings.iter().filter(|one| one.verdict != CheckResult::Fine).collect();
    assert!(not_fine.is_empty(), "{not_fine:#?}");
    let areas: BTreeSet<&str> = findings.iter().map(|finding| finding.area).collect();
    assert_eq!(areas, BTreeSet::from(["clock", "credentials", "network", "permissions", "quotas", "record"]));
    assert!(of(&findings, "quotas")[0].what.contains("DB clusters 40"), "{findings:#?}");
    for call in cloud.attempts() {
        let reads = ["Describe", "List", "Get", "Simulate"];
        assert!(reads.iter().any(|word| call.operation.starts_with(word)), "{call:?}");
    }
    assert!(log.lock().unwrap().len() >= 7);
}

/// What an account of its own tells, where that is more than an empty answer.
fn probed(sent: &Sent) -> Option<Answer> {
    match sent.operation.as_str() {
        "DescribeDBEngineVersions" => Some(xml(
            "DescribeDBEngineVersions",
            "<DBEngineVersions><DBEngineVersion><EngineVersion>16.4</EngineVersion>\
             <SupportsCertificateRotationWithoutRestart>true</SupportsCertificateRotationWithoutRestart></DBEngineVersion>\
             <DBEngineVersion><EngineVersion>12.9</EngineVersion></DBEngineVersion></DBEngineVersions>",
        )),
        "DescribeCertificates" => Some(xml(
            "DescribeCertificates",
            "<DefaultCertificateForNewLaunches>rds-ca-rsa2048-g1</DefaultCertificateForNewLaunches><Certificates>\
             <Certificate><CertificateIdentifier>rds-ca-ecc384-g1</CertificateIdentifier></Certificate></Certificates>",
        )),
        "DescribeDBMajorEngineVersions" => Some(xml(
            "DescribeDBMajorEngineVersions",
            "<DBMajorEngineVersions><DBMajorEngineVersion><MajorEngineVersion>16</MajorEngineVersion><SupportedEngineLifecycles>\
             <SupportedEngineLifecycle><LifecycleSupportName>open-source-rds-standard-support</LifecycleSupportName>\
             <LifecycleSupportEndDate>2029-02-28T23:59:59.999Z</LifecycleSupportEndDate></SupportedEngineLifecycle>\
             </SupportedEngineLifecycles></DBMajorEngineVersion></DBMajorEngineVersions>",
        )),
        "DescribeEvents" if sent.service == "rds" => Some(xml(
            "DescribeEvents",
            "<Events><Event><Message>Started cross AZ failover</Message></Event><Event><Message>created</Message></Event></Events>",
        )),
        "DescribeOrderableClusterOptions" => Some(refusal(403, "AccessDenied", "not authorized to perform")),
        _ => healthy(sent),
    }
}

#[tokio::test]
async fn what_only_an_account_can_tell_is_asked_by_reads_with_cost_and_what_it_would_change() {
    let (cloud, _) = dated(AwsOptions::default(), Some(IN_TIME), probed);
    let found = probes::ask(cloud.pool(), &wanted().regions).await;
    assert_eq!(found.len(), PROBES.len());
    for (found, probe) in found.iter().zip(PROBES) {
        assert!(found.what.starts_with(&format!("{} in us-east-1: ", probe.name)), "{found:?}");
        let next = found.next.as_deref().unwrap();
        assert!(
            next.contains(probe.action) && next.contains(probe.cost) && next.contains(probe.changes),
            "{next}"
        );
        // Nothing that an account tells, or does not tell, keeps rgctl from working.
        assert_ne!(found.verdict, CheckResult::Wrong, "{found:?}");
    }
    let told = |name: &str| found.iter().find(|one| one.what.starts_with(name)).unwrap();
    assert!(
        told("rotation").what.contains("docdb 1 of 2 versions without a restart"),
        "{:?}",
        told("rotation")
    );
    assert!(told("authorities").what.contains("for new members: rds-ca-rsa2048-g1"));
    assert!(told("support").what.contains("aurora-postgresql 16 until 2029-02-28"), "{:?}", told("support"));
    assert!(told("events").what.contains("2 events of clusters, 1 of failovers"));
    assert_eq!(told("nodes").verdict, CheckResult::Doubt);
    for call in cloud.attempts() {
        assert!(["Describe", "List"].iter().any(|word| call.operation.starts_with(word)), "{call:?}");
        let action = format!(":{}", call.operation);
        assert!(PROBES.iter().any(|probe| probe.action.ends_with(&action)), "{call:?} is in no row");
    }
}

#[test]
fn the_page_about_the_first_account_has_the_probes_as_they_are() {
    let folder = std::path::PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let page = std::fs::read_to_string(folder.join("docs/first-account.md")).unwrap();
    for probe in PROBES {
        let row = format!("| `{}` | `{}` | {} | {} |", probe.name, probe.action, probe.cost, probe.changes);
        assert!(page.contains(&row), "docs/first-account.md lacks: {row}");
    }
    assert_eq!(page.lines().filter(|line| line.starts_with("| `")).count(), PROBES.len());
}

#[tokio::test]
async fn wrong_keys_are_said_once_and_nothing_else_is_asked() {
    let (cloud, log) = cloud(AwsOptions::default(), |_| {
        Some(refusal(403, "InvalidClientTokenId", "The security token included in the request is invalid."))
    });
    let findings = examined(&cloud, Some(&bucket())).await;
    let wrong = of(&findings, "credentials")[0];
    assert_eq!(wrong.verdict, CheckResult::Wrong);
    assert!(wrong.next.as_ref().unwrap().contains("keys are wrong"), "{wrong:?}");
    for area in ["network", "permissions", "quotas", "record"] {
        assert!(of(&findings, area).is_empty(), "nothing is claimed of {area}: {findings:#?}");
    }
    assert_eq!(log.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn a_missing_permission_is_named_with_the_way_to_get_it() {
    let (cloud, _) = cloud(AwsOptions::default(), |sent| match sent.operation.as_str() {
        "SimulatePrincipalPolicy" => Some(simulated(sent, "rds:CreateDBCluster")),
        "DescribeClusters" => Some(refusal(403, "AccessDenied", "not authorized: redshift:DescribeClusters")),
        _ => healthy(sent),
    });
    let findings = examined(&cloud, None).await;
    let denied = of(&findings, "permissions");
    assert_eq!(denied.len(), 1, "{denied:#?}");
    assert_eq!(
        (denied[0].verdict, denied[0].what.as_str()),
        (CheckResult::Wrong, "rds:CreateDBCluster is denied")
    );
    assert!(denied[0].next.as_ref().unwrap().contains("rgctl iam-policy"));
    let doubted = of(&findings, "network").into_iter().find(|one| one.verdict == CheckResult::Doubt).unwrap();
    assert!(doubted.what.contains("redshift in us-east-1"), "{doubted:?}");
}

#[tokio::test]
async fn who_may_not_ask_for_permissions_is_told_to_compare_them() {
    let (cloud, _) = cloud(AwsOptions::default(), |sent| match sent.operation.as_str() {
        "SimulatePrincipalPolicy" => Some(refusal(403, "AccessDenied", "iam:SimulatePrincipalPolicy")),
        _ => healthy(sent),
    });
    let findings = examined(&cloud, None).await;
    let one = of(&findings, "permissions")[0];
    assert_eq!(one.verdict, CheckResult::Doubt);
    assert!(one.next.as_ref().unwrap().contains("iam:SimulatePrincipalPolicy"), "{one:?}");
}

#[tokio::test]
async fn a_bucket_that_is_missing_or_closed_is_wrong_before_anything_is_recorded() {
    for (status, code, part) in
        [(404, "NoSuchBucket", "no such bucket"), (403, "AccessDenied", "not allowed (AccessDenied)")]
    {
        let (cloud, _) = cloud(AwsOptions::default(), move |sent| {
            let body = format!("<Error><Code>{code}</Code><Message>no</Message></Error>");
            if sent.service == "team-records" {
                Some((status, "application/xml", body))
            } else {
                healthy(sent)
            }
        });
        let findings = examined(&cloud, Some(&bucket())).await;
        let record = of(&findings, "record")[0];
        assert_eq!(record.verdict, CheckResult::Wrong, "{record:?}");
        assert!(record.what.contains(part) && record.next.is_some(), "{record:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_off_is_found_out_from_the_refusal_itself() {
    let (cloud, _) = dated(AwsOptions::default(), Some(LATER), |_| {
        Some(refusal(
            403,
            "RequestTimeTooSkewed",
            "The difference between the request time and the current time",
        ))
    });
    let findings = examined(&cloud, None).await;
    assert!(of(&findings, "credentials")[0].next.as_ref().unwrap().contains("clock"), "{findings:#?}");
    let clock = of(&findings, "clock")[0];
    assert_eq!((clock.verdict, clock.what.as_str()), (CheckResult::Wrong, "600 s behind the provider's"));
}

/// What each kind of trouble looks like to a command: the answer to every call.
fn refused_by(status: u16, code: &'static str) -> AwsCloud {
    let json_code = code;
    let (cloud, _) = cloud(AwsOptions::default(), move |sent| {
        Some(if sent.json.is_some() {
            (400, "application/x-amz-json-1.1", json!({ "__type": json_code, "message": "no" }).to_string())
        } else {
            refusal(status, code, "no")
        })
    });
    cloud
}

/// A network in which no name is known.
#[derive(Debug)]
struct NoNames;
impl HttpConnector for NoNames {
    fn call(&self, _: HttpRequest) -> HttpConnectorFuture {
        let why = "dns error: failed to lookup address information: Name or service not known";
        HttpConnectorFuture::ready(Err(ConnectorError::io(why.into())))
    }
}

fn nowhere() -> AwsCloud {
    over(AwsOptions::default(), http_client_fn(|_, _| SharedHttpConnector::new(NoNames)))
}

/// An address at which nobody listens: that of a listener that is gone.
fn closed() -> AwsCloud {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let options =
        AwsOptions { endpoint_url: Some(format!("http://127.0.0.1:{port}")), ..AwsOptions::default() };
    over(options, Transport::default().http)
}

type Trouble = (&'static str, AwsCloud, fn(&CloudError) -> bool, &'static str);

fn troubles() -> Vec<Trouble> {
    let denied = |error: &CloudError| matches!(error, CloudError::Denied { .. });
    let unreachable = |error: &CloudError| matches!(error, CloudError::Unreachable { .. });
    let throttled = |error: &CloudError| matches!(error, CloudError::Throttled { .. });
    vec![
        ("wrong keys", refused_by(403, "InvalidClientTokenId"), denied, "keys are wrong"),
        ("expired session", refused_by(403, "ExpiredToken"), denied, "sign in again"),
        ("missing permission", refused_by(403, "AccessDenied"), denied, "rgctl iam-policy"),
        ("clock", refused_by(403, "RequestTimeTooSkewed"), denied, "clock"),
        ("throttled account", refused_by(400, "Throttling"), throttled, "quota"),
        ("unknown region", nowhere(), unreachable, "name of the region"),
        ("closed port", closed(), unreachable, "--endpoint-url"),
    ]
}

#[tokio::test(start_paused = true)]
async fn every_trouble_ends_a_command_with_a_message_a_next_step_and_the_documented_code() {
    let clock = Still(Mutex::new(Moment::from_secs(1_800_000_000)));
    for (name, cloud, is_wanted, step) in troubles() {
        let store = SqliteStore::in_memory().unwrap();
        let world = Environment { cloud: &cloud, clock: &clock, wall: &clock, store: &store };
        let scope =
            Selection { regions: wanted().regions, owner: Some(wanted().blueprint), ..Selection::default() };
        let error = observe(&world, Sight::without_blueprint(&scope)).await.unwrap_err();
        assert!(is_wanted(&error), "{name}: {error:?}");
        let failure = Failure::from(error);
        // What is not known to be there or missing is blocked, as where a part could not be seen.
        let is_unseen = ["throttled account", "unknown region", "closed port"].contains(&name);
        assert_eq!(failure.exit, if is_unseen { Exit::Blocked } else { Exit::Error }, "{name}");
        let text = failure.text(Style::PLAIN);
        assert!(text.contains("hint:") && text.contains(step), "{name}: {text}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_that_cannot_look_records_nothing_and_keeps_no_lease() {
    let clock = Still(Mutex::new(Moment::from_secs(1_800_000_000)));
    // What passes by itself is tried for minutes, which adds nothing here.
    let lasting = |error: &str| ["wrong keys", "missing permission", "clock"].contains(&error);
    for (name, cloud, ..) in troubles().into_iter().filter(|(name, ..)| lasting(name)) {
        let store = SqliteStore::in_memory().unwrap();
        let world = Environment { cloud: &cloud, clock: &clock, wall: &ManualWall::default(), store: &store };
        let desired = desired(cluster_store("accounts", "us-east-1", 1, "db.r7g.large"));
        let (run, policy, pace) = (RunId("run".into()), Policy::default(), Pace::default());
        let job = applying(&desired, &run, &policy, &pace);
        let game = Scope::parse("aws/123456789012/game").unwrap();
        let ended = drive(&world, &job, &mut Quiet { turns: 0, stop_after: Some(50) }).await;
        assert!(matches!(ended, Err(DriveError::Cloud(_))), "{name}: {ended:?}");
        assert!(store.entries(&game, 0).await.unwrap().is_empty(), "{name}");
        let lease = Pace::default().lease;
        store
            .take_lease(&game, &RunId("next".into()), "another", Moment::EPOCH, lease, None)
            .await
            .unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}

/// An endpoint that answers every call as an emulator answers one that it does not implement.
fn page() -> AwsCloud {
    let options = AwsOptions { endpoint_url: Some("http://emulator.test".into()), ..AwsOptions::default() };
    cloud(options, |_| Some((500, "text/html; charset=utf-8", "<h1>Internal Server Error</h1>".to_owned()))).0
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_that_knows_no_list_is_no_provider() {
    let scope = Selection { regions: wanted().regions, ..Selection::default() };
    let error = page().observe(&scope).await.unwrap_err();
    assert!(matches!(error, CloudError::Refused { .. }), "{error:?}");
    for words in ["knows none of the", "500 text/html"] {
        assert!(error.to_string().contains(words), "{words}: {error}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_emulator_without_quotas_tells_none_and_a_refusal_to_tell_them_is_an_error() {
    let regions = wanted().regions;
    assert_eq!(page().quotas(&regions).await.unwrap(), []);
    let refused = refused_by(403, "AccessDenied").quotas(&regions).await;
    assert!(matches!(refused, Err(CloudError::Denied { .. })), "{refused:?}");
}

/// The answers of a service that gives its lists in pages, and those of a healthy account to everything else.
fn paged(sent: &Sent) -> Option<Answer> {
    match sent.operation.as_str() {
        "SimulatePrincipalPolicy" => {
            let (status, kind, body) = simulated(sent, "rds:CreateDBCluster");
            let is_second = sent.parameters.get("Marker").is_some_and(|page| page == "half+way");
            // All decisions are on the second page.
            let first =
                xml("SimulatePrincipalPolicy", "<IsTruncated>true</IsTruncated><Marker>half+way</Marker>");
            Some(if is_second { (status, kind, body) } else { first })
        }
        "ListServiceQuotas" => {
            let page = sent.json.as_ref()?.get("NextToken").and_then(|page| page.as_str().map(str::to_owned));
            let answer = match page.as_deref() {
                None => {
                    json!({ "Quotas": [{ "QuotaName": "DB clusters", "Value": 40.0 }], "NextToken": "2" })
                }
                Some("2") => json!({ "Quotas": [{ "QuotaName": "DB instances", "Value": 50.0 }] }),
                Some(other) => panic!("asked for page {other}"),
            };
            Some((200, "application/x-amz-json-1.1", answer.to_string()))
        }
        _ => healthy(sent),
    }
}

#[tokio::test]
async fn lists_of_permissions_and_quotas_are_read_to_their_last_page() {
    let (cloud, _) = dated(AwsOptions::default(), Some(IN_TIME), paged);
    let findings = examined(&cloud, None).await;
    assert_eq!(of(&findings, "permissions")[0].what, "rds:CreateDBCluster is denied");
    assert_eq!(of(&findings, "quotas")[0].what, "us-east-1: DB clusters 40, DB instances 50");
}

#[tokio::test]
async fn a_list_that_never_ends_is_given_up() {
    let (cloud, log) = cloud(AwsOptions::default(), |sent| match sent.operation.as_str() {
        "ListServiceQuotas" => Some((
            200,
            "application/x-amz-json-1.1",
            json!({ "Quotas": [{ "QuotaName": "DB clusters", "Value": 40.0 }], "NextToken": "again" })
                .to_string(),
        )),
        _ => healthy(sent),
    });
    let told = cloud.quotas(&wanted().regions).await;
    assert!(matches!(&told, Err(CloudError::Unreachable { why }) if why.contains("same page")), "{told:?}");
    assert_eq!(log.lock().unwrap().len(), 2);
}

#[tokio::test]
async fn an_action_without_a_decision_is_not_taken_as_allowed() {
    let (cloud, _) = cloud(AwsOptions::default(), |sent| match sent.operation.as_str() {
        "SimulatePrincipalPolicy" => {
            let (status, kind, body) = simulated(sent, "");
            Some((status, kind, body[..body.len() / 2].to_owned()))
        }
        _ => healthy(sent),
    });
    let findings = examined(&cloud, None).await;
    let one = of(&findings, "permissions")[0];
    assert!(one.verdict == CheckResult::Doubt && one.what.contains("could not be simulated"), "{one:?}");
}

#[tokio::test(start_paused = true)]
async fn a_question_is_asked_again_after_a_fault_and_not_after_a_refusal() {
    for (status, code, attempts) in
        [(500, "InternalFailure", 3), (400, "ThrottlingException", 3), (403, "AccessDenied", 1)]
    {
        let (cloud, log) = cloud(AwsOptions::default(), move |_| {
            Some((
                status,
                "application/x-amz-json-1.1",
                json!({ "__type": code, "message": "no" }).to_string(),
            ))
        });
        cloud.quotas(&wanted().regions).await.unwrap_err();
        assert_eq!(log.lock().unwrap().len(), attempts, "{code}");
        let asked = cloud.attempts();
        assert!(
            asked.len() == attempts && asked.iter().all(|one| one.service == "Service Quotas"),
            "{asked:?}"
        );
    }
}

#[tokio::test]
async fn a_question_goes_to_its_partition_and_is_signed_for_it() {
    for (code, host, scope) in [
        ("eu-west-1", "servicequotas.eu-west-1.amazonaws.com", "/eu-west-1/servicequotas/aws4_request"),
        ("cn-north-1", "servicequotas.cn-north-1.amazonaws.com.cn", "/cn-north-1/servicequotas/aws4_request"),
        (
            "us-gov-west-1",
            "servicequotas.us-gov-west-1.amazonaws.com",
            "/us-gov-west-1/servicequotas/aws4_request",
        ),
    ] {
        let kept: Arc<Mutex<Vec<String>>> = Arc::default();
        let log = Arc::clone(&kept);
        let http = infallible_client_fn(move |request: http::Request<SdkBody>| {
            let header = |name: &str| request.headers().get(name).map_or("", |value| value.to_str().unwrap());
            let line = format!("{} {}", request.uri(), header("authorization"));
            log.lock().unwrap().push(line);
            http::Response::builder().status(200).body(SdkBody::from(r#"{"Quotas":[]}"#)).unwrap()
        });
        let told = over(AwsOptions::default(), http).quotas(&BTreeSet::from([region(code)])).await.unwrap();
        assert_eq!(told, []);
        let sent = kept.lock().unwrap()[0].clone();
        assert!(
            sent.starts_with(&format!("https://{host}/ AWS4-HMAC-SHA256 ")) && sent.contains(scope),
            "{sent}"
        );
        assert!(sent.contains("x-amz-target"), "the operation is signed: {sent}");
    }
}
