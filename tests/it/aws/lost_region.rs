//! A region that takes requests and answers none, beside one that answers: in real time, over sockets on loopback.
//!
//! The deadlines are the test's own. What is asserted is the order of things; the times are printed.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use rgctl::agent::observer::{Intervals, Observer, SharedCloud};
use rgctl_aws::budget::Budget;
use rgctl_aws::clients::{AwsOptions, Timeouts, Transport};
use rgctl_aws::cloud::AwsCloud;
use rgctl_model::kinds::KindId;
use rgctl_model::observed::Selection;
use rgctl_model::policy::Policy;
use rgctl_model::ports::{Cloud, CloudError};
use rgctl_model::series::{SeriesAsk, Signal};
use rgctl_schema::names::BlueprintName;
use rgctl_schema::time::{Moment, Span};
use rgctl_testkit::fixtures::{address, cluster_store, desired, plan_for, region};

use tokio::time::Instant;

use super::replay::Still;

/// Alphabetically the first: nothing may depend on it.
const LOST: &str = "us-east-1";
const WELL: &str = "us-west-2";

/// A request: whose region it is signed for, and which operation it asks for.
type Asked = (String, String);

/// All services of two regions at one address: those of one region never answer.
struct Provider {
    url: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Provider {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked: Arc<Mutex<Vec<Asked>>> = Arc::default();
        let log = Arc::clone(&asked);
        // It ends with the process of the tests.
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let log = Arc::clone(&log);
                std::thread::spawn(move || serve(stream, &log));
            }
        });
        Self { url, asked }
    }

    fn cloud(&self, role: Option<&str>) -> AwsCloud {
        let options = AwsOptions {
            endpoint_url: Some(self.url.clone()),
            role_arn: role.map(str::to_owned),
            ..AwsOptions::default()
        };
        let credentials = Credentials::new("AKIDEXAMPLE", "example", None, None, "test");
        let transport = Transport {
            credentials: Some(SharedCredentialsProvider::new(credentials)),
            patience: Timeouts {
                attempt: Duration::from_millis(400),
                call: Duration::from_millis(800),
                ..Timeouts::default()
            },
            ..Transport::default()
        };
        AwsCloud::over(options, transport, Budget::default(), still())
    }

    fn asked(&self, operation: &str) -> BTreeSet<String> {
        let asked = self.asked.lock().unwrap();
        asked.iter().filter(|(_, what)| what == operation).map(|(region, _)| region.clone()).collect()
    }
}

fn still() -> Arc<Still> {
    Arc::new(Still(Mutex::new(Moment::from_secs(1_800_000_000))))
}

/// Answers request after request, until one is for the region that does not.
fn serve(mut stream: TcpStream, log: &Mutex<Vec<Asked>>) {
    while let Some((head, body)) = request(&mut stream) {
        let scope = head.split("Credential=").nth(1).unwrap_or_default();
        let signed_for = scope.split('/').nth(2).unwrap_or_default().to_owned();
        let target = header(&head, "x-amz-target").and_then(|it| it.rsplit('.').next().map(str::to_owned));
        let path = head.split_whitespace().nth(1).unwrap_or_default();
        let action = body.split('&').find_map(|pair| pair.strip_prefix("Action="));
        let operation = action.or_else(|| path.rsplit('/').next()).unwrap_or_default().to_owned();
        let operation = target.clone().unwrap_or(operation);
        log.lock().unwrap().push((signed_for.clone(), operation.clone()));
        if signed_for == LOST {
            // Until the other side gives up.
            let _ = stream.read(&mut [0; 1]);
            return;
        }
        let (kind, body) = if head.contains("rpc-v2-cbor") {
            ("application/cbor\r\nsmithy-protocol: rpc-v2-cbor", vec![0xa0])
        } else if target.as_deref() == Some("ListSecrets") {
            ("application/x-amz-json-1.1", br#"{"SecretList":[]}"#.to_vec())
        } else if target.is_some() {
            ("application/x-amz-json-1.1", b"{}".to_vec())
        } else {
            ("text/xml", xml(&operation).into_bytes())
        };
        let length = body.len();
        let head = format!("HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\n\r\n");
        if stream.write_all(&[head.into_bytes(), body].concat()).is_err() {
            return;
        }
    }
}

fn header(head: &str, name: &str) -> Option<String> {
    head.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        key.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
    })
}

fn request(stream: &mut TcpStream) -> Option<(String, String)> {
    let mut text = Vec::new();
    loop {
        if let Some(end) = text.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&text[..end]).into_owned();
            let length = header(&head, "content-length").map_or(0, |it| it.parse().unwrap());
            if text.len() >= end + 4 + length {
                return Some((head, String::from_utf8_lossy(&text[end + 4..]).into_owned()));
            }
        }
        let mut more = [0; 8_192];
        let read = stream.read(&mut more).ok().filter(|read| *read > 0)?;
        text.extend(&more[..read]);
    }
}

fn xml(operation: &str) -> String {
    let inner = match operation {
        "AssumeRole" => {
            "<Credentials><AccessKeyId>ASIAEXAMPLE</AccessKeyId><SecretAccessKey>secret</SecretAccessKey>\
             <SessionToken>token</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration></Credentials>"
        }
        "GetCallerIdentity" => "<Account>111122223333</Account>",
        "DescribeDBClusters" => {
            "<DBClusters><DBCluster><DBClusterIdentifier>game-accounts</DBClusterIdentifier>\
             <Engine>aurora-mysql</Engine><Status>available</Status></DBCluster></DBClusters>"
        }
        _ => "",
    };
    format!(
        "<{operation}Response><{operation}Result>{inner}</{operation}Result><ResponseMetadata>\
         <RequestId>r</RequestId></ResponseMetadata></{operation}Response>"
    )
}

fn looking(codes: &[&str]) -> Selection {
    Selection {
        regions: codes.iter().map(|code| region(code)).collect(),
        owner: Some(BlueprintName::new("game").unwrap()),
        ..Selection::default()
    }
}

/// A look and the plan that follows from it.
async fn turn(cloud: &SharedCloud, codes: &[&str]) -> (usize, Duration) {
    let began = Instant::now();
    let seen = cloud.observe(&looking(codes)).await.unwrap();
    let wanted = desired(cluster_store("accounts", WELL, 2, "db.r7g.large"));
    let plan = plan_for(&wanted, &seen, &Policy::default());
    assert!(!plan.steps.is_empty());
    (seen.gaps.len(), began.elapsed())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_turn_elsewhere_takes_as_long_as_ever_while_a_region_takes_requests_and_answers_none() {
    let provider = Provider::new();
    let deadline = Duration::from_millis(1_500);
    let cloud: Arc<dyn Cloud> = Arc::new(provider.cloud(None));
    let observer = Observer::with_deadline(cloud, still(), Intervals::default(), deadline);
    let game = BlueprintName::new("game").unwrap();
    // The first look makes the clients.
    turn(&observer.cloud_for(&game), &[WELL]).await;
    let (gaps, before) = turn(&observer.cloud_for(&game), &[WELL]).await;
    assert_eq!(gaps, 0);

    let port = observer.cloud_for(&BlueprintName::new("game").unwrap());
    let began = Instant::now();
    let spanning = tokio::spawn(async move { turn(&port, &[LOST, WELL]).await });
    while provider.asked("DescribeDBClusters").len() < 2 {
        tokio::task::yield_now().await;
    }
    let mut during = Vec::new();
    while during.len() < 5 {
        let (gaps, took) = turn(&observer.cloud_for(&game), &[WELL]).await;
        assert_eq!(gaps, 0);
        during.push(took);
    }
    assert!(!spanning.is_finished(), "turns elsewhere were over before the silence was");
    let (gaps, _) = spanning.await.unwrap();
    assert_eq!(gaps, 5, "every endpoint of the region");
    let longest = during.iter().max().unwrap();
    println!(
        "a turn elsewhere: {before:?} before, {longest:?} at most during the silence ({during:?}); a turn that"
    );
    println!("needs the region: {:?}, its deadline being {deadline:?}", began.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_is_assumed_in_each_region_by_itself() {
    let provider = Provider::new();
    let cloud = provider.cloud(Some("arn:aws:iam::111122223333:role/rgctl"));
    let seen = cloud.observe(&looking(&[LOST, WELL])).await.unwrap();
    assert_eq!(
        seen.seen.keys().collect::<Vec<_>>(),
        [&address(WELL, KindId::AuroraCluster, "game-accounts")]
    );
    assert!(seen.gaps.iter().all(|gap| gap.region.as_str() == LOST && !gap.lasting), "{:?}", seen.gaps);
    let both = BTreeSet::from([LOST.to_owned(), WELL.to_owned()]);
    assert_eq!(provider.asked("AssumeRole"), both);
    assert_eq!(provider.asked("DescribeDBClusters"), BTreeSet::from([WELL.to_owned()]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_about_a_region_that_does_not_answer_hides_no_other_answer() {
    let provider = Provider::new();
    let ask = |code: &str, kind, signal| SeriesAsk {
        address: address(code, kind, "game-it"),
        signal,
        from: Moment::from_secs(0),
        until: Moment::from_secs(180),
        period: Span::from_mins(1),
    };
    let asks = [
        ask(LOST, KindId::AuroraCluster, Signal::GlobalLagMs),
        ask(WELL, KindId::AuroraCluster, Signal::GlobalLagMs),
        ask(LOST, KindId::CacheGroup, Signal::GlobalLagMs),
        ask(WELL, KindId::CacheGroup, Signal::GlobalLagMs),
    ];
    let told = provider.cloud(None).series(&asks).await;
    for (ask, answer) in asks.iter().zip(&told) {
        match answer {
            Ok(series) => assert_eq!((&series.ask, ask.address.region.as_str()), (ask, WELL)),
            Err(error) => {
                assert!(matches!(error, CloudError::Unreachable { .. }), "{error}");
                assert_eq!(ask.address.region.as_str(), LOST);
            }
        }
    }
    assert_eq!(told.len(), asks.len());
}

/// A region that is lost is held out in a record that is kept under the account: who asks must know which that is.
#[tokio::test(flavor = "multi_thread")]
async fn whose_account_it_is_another_region_tells_where_the_one_of_the_record_does_not_answer() {
    for role in [None, Some("arn:aws:iam::111122223333:role/rgctl")] {
        let provider = Provider::new();
        let home = provider.cloud(role).home(Some(&region(LOST))).await.unwrap();
        assert_eq!(home.account(), "111122223333", "{role:?}");
        let asked: BTreeSet<String> = [LOST, WELL].map(str::to_owned).into();
        let first = if role.is_some() { "AssumeRole" } else { "GetCallerIdentity" };
        assert_eq!(provider.asked(first), asked, "{role:?}: the region itself is asked first");
    }
}
