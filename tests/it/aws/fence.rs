//! No changing request leaves after its permit has ended, whatever took the time before.

use std::sync::{Arc, Mutex};

use aws_credential_types::Credentials;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider, future};
use aws_smithy_http_client::test_util::infallible_client_fn;
use aws_smithy_types::body::SdkBody;
use rgctl_aws::budget::Budget;
use rgctl_aws::clients::{AwsOptions, Transport};
use rgctl_aws::cloud::AwsCloud;
use rgctl_model::kinds::KindId;
use rgctl_model::node::TAG_BLUEPRINT;
use rgctl_model::plan::Op;
use rgctl_model::ports::{Clock, ClockReading, Cloud, CloudError, Permit};
use rgctl_schema::names::Token;
use rgctl_schema::time::{Moment, Span};
use serde_json::json;

use super::replay::Still;
use rgctl_testkit::fixtures::{address, attrs};

const LEASE: Span = Span::from_mins(1);

/// Keys that take their time to come.
#[derive(Debug)]
struct SlowKeys(Arc<Still>, Span);

impl ProvideCredentials for SlowKeys {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        let mut now = self.0.0.lock().unwrap();
        *now = *now + self.1;
        future::ProvideCredentials::ready(Ok(Credentials::new("AKIDEXAMPLE", "example", None, None, "test")))
    }
}

/// A provider with such keys, of which each answer takes some time; and the requests that reached it.
fn slow_cloud(keys: Span, answer: Span) -> (AwsCloud, Arc<Still>, Arc<Mutex<Vec<String>>>) {
    let clock = Arc::new(Still(Mutex::new(Moment::from_secs(1_800_000_000))));
    let log: Arc<Mutex<Vec<String>>> = Arc::default();
    let (kept, answering) = (Arc::clone(&log), Arc::clone(&clock));
    let http = infallible_client_fn(move |request: http::Request<SdkBody>| {
        let body = String::from_utf8_lossy(request.body().bytes().unwrap_or_default()).into_owned();
        let action = body.split('&').find_map(|pair| pair.strip_prefix("Action=")).unwrap_or("?").to_owned();
        kept.lock().unwrap().push(action.clone());
        let mut now = answering.0.lock().unwrap();
        *now = *now + answer;
        let text = format!("<{action}Response><{action}Result/></{action}Response>");
        http::Response::builder()
            .status(200)
            .header("content-type", "text/xml")
            .body(SdkBody::from(text))
            .unwrap()
    });
    let credentials = Some(SharedCredentialsProvider::new(SlowKeys(Arc::clone(&clock), keys)));
    let transport = Transport { http, credentials, ..Transport::default() };
    let cloud = AwsCloud::over(
        AwsOptions::default(),
        transport,
        Budget::default(),
        Arc::clone(&clock) as Arc<dyn Clock>,
    );
    (cloud, clock, log)
}

fn make_group() -> Op {
    let address = address("us-east-1", KindId::RdsSubnetGroup, "game-accounts");
    let fields = [("description", json!("game")), ("subnets", json!(["subnet-a", "subnet-b"]))];
    let tags = [(TAG_BLUEPRINT.to_owned(), "game".to_owned())].into();
    Op::Create { attrs: attrs(address.kind, &fields), address, tags }
}

#[tokio::test]
async fn a_request_whose_keys_came_after_the_lease_is_not_sent_and_certainly_had_no_effect() {
    let token = Token("t".into());
    let (cloud, clock, log) = slow_cloud(Span::from_secs(20), Span::ZERO);
    let permit = Permit::under_lease(ClockReading::of(&*clock), LEASE);
    cloud.call(&make_group(), &token, &permit).await.unwrap();
    assert_eq!(*log.lock().unwrap(), ["CreateDBSubnetGroup"]);

    let (cloud, clock, log) = slow_cloud(Span::from_mins(2), Span::ZERO);
    let permit = Permit::under_lease(ClockReading::of(&*clock), LEASE);
    let refused = cloud.call(&make_group(), &token, &permit).await.unwrap_err();
    assert!(matches!(&refused, CloudError::Unreachable { why } if why.contains("not sent")), "{refused:?}");
    assert!(log.lock().unwrap().is_empty(), "{log:?}");
}

#[tokio::test]
async fn each_request_of_a_call_is_checked_by_itself_and_looks_are_free() {
    let many: serde_json::Map<String, serde_json::Value> =
        (0..30).map(|n| (format!("p{n}"), json!("1"))).collect();
    let change = |kind: KindId, field: (&str, serde_json::Value)| {
        let address = address("us-east-1", kind, "game-accounts");
        Op::Modify { attrs: attrs(kind, &[field]), address, changes: Vec::new() }
    };
    let looks_first = change(KindId::RdsSubnetGroup, ("description", json!("of the game")));
    let in_two = change(KindId::AuroraClusterParameters, ("parameters", json!(many)));
    for (op, sent) in [
        (looks_first, ["DescribeDBSubnetGroups"].as_slice()),
        (in_two, ["ModifyDBClusterParameterGroup"].as_slice()),
    ] {
        // The first answer takes the rest of the term.
        let (cloud, clock, log) = slow_cloud(Span::ZERO, Span::from_secs(51));
        let permit = Permit::under_lease(ClockReading::of(&*clock), LEASE);
        let refused = cloud.call(&op, &Token("t".into()), &permit).await.unwrap_err();
        assert!(
            matches!(&refused, CloudError::Unreachable { why } if why.contains("not sent")),
            "{refused:?}"
        );
        assert_eq!(*log.lock().unwrap(), sent);
    }
}

#[tokio::test]
async fn a_permit_that_was_ended_lets_nothing_through_before_its_time() {
    let (cloud, clock, log) = slow_cloud(Span::ZERO, Span::ZERO);
    let permit = Permit::under_lease(ClockReading::of(&*clock), LEASE);
    permit.end();
    assert!(cloud.call(&make_group(), &Token("t".into()), &permit).await.is_err());
    assert!(log.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_call_without_a_generated_client_goes_past_the_same_fence() {
    let tags = [("team".to_owned(), "data".to_owned())].into();
    let tag = Op::Tag { address: address("us-east-1", KindId::Secret, "game-accounts"), tags };
    for (ends, sent) in [(true, 0), (false, 1)] {
        let (cloud, clock, log) = slow_cloud(Span::ZERO, Span::ZERO);
        let permit = Permit::under_lease(ClockReading::of(&*clock), LEASE);
        if ends {
            permit.end();
        }
        // What is sent is answered in another protocol, which is no answer.
        let refused = cloud.call(&tag, &Token("t".into()), &permit).await.unwrap_err();
        assert_eq!(refused.to_string().contains("not sent"), ends, "{refused}");
        assert_eq!(log.lock().unwrap().len(), sent);
    }
}
