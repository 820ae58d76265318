//! Endpoints that take a request and never finish their answer: every call has an end, and says what it was.
//!
//! The sockets are real, on loopback; the patience is the test's own, and no time is asserted.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use rgctl::cli::error::Failure;
use rgctl::cli::exit::Exit;
use rgctl_aws::budget::Budget;
use rgctl_aws::clients::{AwsOptions, Timeouts, Transport};
use rgctl_aws::cloud::AwsCloud;
use rgctl_aws::s3_store::{S3Place, s3_store};
use rgctl_model::kinds::{AnyAttrs, KindId};
use rgctl_model::observed::Selection;
use rgctl_model::plan::Op;
use rgctl_model::ports::{Cloud, CloudError, Permit, Store, StoreError, TWO_PARTITIONS};
use rgctl_model::scope::Scope;
use rgctl_schema::names::Token;
use rgctl_schema::time::Moment;

use super::replay::Still;
use rgctl_testkit::fixtures::{address, region};

/// What an endpoint sends before it falls silent.
const NOTHING: &str = "";
const HALF: &str =
    "HTTP/1.1 200 OK\r\ncontent-type: text/xml\r\ncontent-length: 5000\r\n\r\n<DescribeDBClustersResponse>";

/// An endpoint that answers so far and no further, and how many requests it was sent.
fn endpoint(answer: &'static str) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let asked: Arc<AtomicUsize> = Arc::default();
    let count = Arc::clone(&asked);
    // It ends with the process of the tests.
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let count = Arc::clone(&count);
            std::thread::spawn(move || hold(stream, answer, &count));
        }
    });
    (url, asked)
}

/// Holds the connection until the other side gives up.
fn hold(mut stream: TcpStream, answer: &str, count: &AtomicUsize) {
    let mut asked = [0; 8_192];
    while stream.read(&mut asked).is_ok_and(|read| read > 0) {
        if asked.windows(5).any(|bytes| bytes == b"HTTP/") {
            count.fetch_add(1, Ordering::SeqCst);
        }
        // A client that went away is no matter of the endpoint's.
        let _ = stream.write_all(answer.as_bytes());
    }
}

fn impatient(url: &str) -> AwsCloud {
    let options = AwsOptions { endpoint_url: Some(url.to_owned()), ..AwsOptions::default() };
    let credentials = Credentials::new("AKIDEXAMPLE", "example", None, None, "test");
    let transport = Transport {
        credentials: Some(SharedCredentialsProvider::new(credentials)),
        patience: Timeouts {
            attempt: Duration::from_millis(200),
            call: Duration::from_millis(500),
            ..Timeouts::default()
        },
        ..Transport::default()
    };
    let clock = Arc::new(Still(std::sync::Mutex::new(Moment::from_secs(1_800_000_000))));
    AwsCloud::over(options, transport, Budget::default(), clock)
}

#[tokio::test]
async fn a_look_at_an_endpoint_that_does_not_finish_its_answer_ends_with_a_next_step_and_exit_code_8() {
    for answer in [NOTHING, HALF] {
        let (url, _) = endpoint(answer);
        let scope = Selection { regions: [region("us-east-1")].into(), ..Selection::default() };
        let error = impatient(&url).observe(&scope).await.unwrap_err();
        assert!(matches!(error, CloudError::Unreachable { .. }), "{answer:?}: {error}");
        assert!(error.to_string().contains("no answer in time"), "{answer:?}: {error}");
        assert!(error.next_step().is_some_and(|step| step.contains("the network (DNS")), "{error}");
        assert_eq!(Failure::from(error).exit, Exit::Blocked);
    }
}

#[tokio::test]
async fn a_look_over_two_partitions_is_refused_before_anything_is_sent() {
    let (url, asked) = endpoint(NOTHING);
    let regions = [region("us-east-1"), region("cn-north-1")].into();
    let error = impatient(&url).observe(&Selection { regions, ..Selection::default() }).await.unwrap_err();
    assert!(matches!(&error, CloudError::Denied { code, .. } if code == TWO_PARTITIONS), "{error}");
    assert!(error.next_step().is_some_and(|step| step.contains("kind: Account")), "{:?}", error.next_step());
    assert_eq!(asked.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_change_that_is_not_answered_in_time_is_unclear_and_was_sent_once() {
    for answer in [NOTHING, HALF] {
        let (url, asked) = endpoint(answer);
        let kind = KindId::AuroraCluster;
        let make = Op::Create {
            address: address("us-east-1", kind, "game-accounts"),
            attrs: AnyAttrs::empty(kind),
            tags: [].into(),
        };
        let result = impatient(&url).call(&make, &Token("t".into()), &Permit::always()).await;
        let Err(CloudError::Unclear { why }) = result else { panic!("{answer:?}: {result:?}") };
        assert!(why.contains("CreateDBCluster") && why.contains("no answer in time"), "{why}");
        assert_eq!(asked.load(Ordering::SeqCst), 1, "it may have been done: nobody asks twice");
    }
}

#[tokio::test]
async fn a_record_that_is_not_answered_in_time_is_unavailable() {
    for answer in [NOTHING, HALF] {
        let (url, _) = endpoint(answer);
        let cloud = impatient(&url);
        let place = S3Place { bucket: "team".to_owned(), prefix: "games".to_owned() };
        let store = s3_store(Arc::clone(cloud.pool()), region("us-east-1"), place);
        let game = Scope::parse("aws/123456789012/game").unwrap();
        let result = store.entries(&game, 0).await;
        let Err(StoreError::Unavailable { what }) = result else { panic!("{answer:?}: {result:?}") };
        assert!(what.contains("s3://team/games"), "{what}");
    }
}
