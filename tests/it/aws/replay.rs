//! A service that is not there: it keeps what it is sent, and answers by a script, through the SDK's real layers.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_http_client::test_util::infallible_client_fn;
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_smithy_types::body::SdkBody;
use futures::FutureExt;
use futures::future::BoxFuture;
use rgctl_aws::budget::Budget;
use rgctl_aws::clients::{AwsOptions, Transport};
use rgctl_aws::cloud::AwsCloud;
use rgctl_model::ports::Clock;
use rgctl_schema::time::Moment;
use serde_json::{Value, json};

/// A request as it was sent.
#[derive(Clone, Debug, PartialEq)]
pub struct Sent {
    /// Service, by the host.
    pub service: String,
    /// Region, by the host.
    pub region: String,
    /// Operation.
    pub operation: String,
    /// Parameters: those of the query protocol, or one entry with the JSON body.
    pub parameters: BTreeMap<String, String>,
    /// The JSON body, where the service speaks it.
    pub json: Option<Value>,
}

/// Content type of the binary protocol. Its bodies travel here as texts, one character for each byte.
pub const CBOR: &str = "application/cbor";

/// An answer: status, content type, body.
pub type Answer = (u16, &'static str, String);

/// Time that stands still, and passes at once when somebody waits.
#[derive(Debug)]
pub struct Still(pub Mutex<Moment>);

impl Clock for Still {
    fn now(&self) -> Moment {
        *self.0.lock().unwrap()
    }
    fn sleep_until(&self, at: Moment) -> BoxFuture<'_, ()> {
        let mut now = self.0.lock().unwrap();
        *now = (*now).max(at);
        futures::future::ready(()).boxed()
    }
}

/// The provider over the script, and what it was sent.
pub fn cloud(
    options: AwsOptions,
    script: impl Fn(&Sent) -> Option<Answer> + Send + Sync + 'static,
) -> (AwsCloud, Arc<Mutex<Vec<Sent>>>) {
    dated(options, None, script)
}

/// The same with a service that tells its time with every answer.
pub fn dated(
    options: AwsOptions,
    date: Option<&'static str>,
    script: impl Fn(&Sent) -> Option<Answer> + Send + Sync + 'static,
) -> (AwsCloud, Arc<Mutex<Vec<Sent>>>) {
    let (http, log) = scripted(date, script);
    (over(options, http), log)
}

/// The service by itself, and what it was sent.
pub fn scripted(
    date: Option<&'static str>,
    script: impl Fn(&Sent) -> Option<Answer> + Send + Sync + 'static,
) -> (SharedHttpClient, Arc<Mutex<Vec<Sent>>>) {
    let log: Arc<Mutex<Vec<Sent>>> = Arc::default();
    let kept = Arc::clone(&log);
    let http = infallible_client_fn(move |request: http::Request<SdkBody>| {
        let sent = read(&request);
        let (status, kind, body) = script(&sent).unwrap_or_else(|| empty(&sent));
        kept.lock().unwrap().push(sent);
        let mut response = http::Response::builder().status(status).header("content-type", kind);
        if let Some(date) = date {
            response = response.header("date", date);
        }
        if kind == CBOR {
            let bytes: Vec<u8> = body.chars().map(|one| u8::try_from(u32::from(one)).unwrap()).collect();
            return response.header("smithy-protocol", "rpc-v2-cbor").body(SdkBody::from(bytes)).unwrap();
        }
        response.body(SdkBody::from(body)).unwrap()
    });
    (http, log)
}

/// The provider over a transport, with keys that nobody checks and a time that stands still.
pub fn over(options: AwsOptions, http: SharedHttpClient) -> AwsCloud {
    let clock = Arc::new(Still(Mutex::new(Moment::from_secs(1_800_000_000))));
    AwsCloud::over(options, transport(http), Budget::default(), clock)
}

/// A transport with keys that nobody checks.
pub fn transport(http: SharedHttpClient) -> Transport {
    let credentials = Credentials::new("AKIDEXAMPLE", "example", None, None, "test");
    Transport { http, credentials: Some(SharedCredentialsProvider::new(credentials)), ..Transport::default() }
}

fn read(request: &http::Request<SdkBody>) -> Sent {
    let body = String::from_utf8(request.body().bytes().unwrap_or_default().to_vec()).unwrap_or_default();
    let host = request.uri().host().unwrap_or_default().to_owned();
    let mut labels = host.split('.').map(str::to_owned);
    let (service, region) = (labels.next().unwrap_or_default(), labels.next().unwrap_or_default());
    if let Some(target) = request.headers().get("x-amz-target") {
        let operation = target.to_str().unwrap().rsplit('.').next().unwrap().to_owned();
        let json: Value = serde_json::from_str(&body).unwrap();
        let parameters = BTreeMap::from([("body".to_owned(), body)]);
        return Sent { service, region, operation, parameters, json: Some(json) };
    }
    let mut parameters = query(&body);
    let from_path = || request.uri().path().rsplit('/').next().unwrap_or_default().to_owned();
    let operation = parameters.remove("Action").unwrap_or_else(from_path);
    parameters.remove("Version");
    Sent { service, region, operation, parameters, json: None }
}

fn query(body: &str) -> BTreeMap<String, String> {
    let pairs = body.split('&').filter_map(|pair| pair.split_once('='));
    pairs.map(|(key, value)| (decoded(key), decoded(value))).collect()
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let digits = [rest.next().unwrap(), rest.next().unwrap()];
                u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap()
            }
            b'+' => b' ',
            other => other,
        });
    }
    String::from_utf8(bytes).unwrap()
}

/// A body of the query protocol.
pub fn xml(operation: &str, inner: &str) -> Answer {
    let body = format!(
        "<{operation}Response><{operation}Result>{inner}</{operation}Result>\
         <ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></{operation}Response>"
    );
    (200, "text/xml", body)
}

/// A refusal of the query protocol.
pub fn refusal(status: u16, code: &str, message: &str) -> Answer {
    let body = format!(
        "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>\
         <RequestId>r</RequestId></ErrorResponse>"
    );
    (status, "text/xml", body)
}

/// What a service answers that has nothing to tell.
fn empty(sent: &Sent) -> Answer {
    if sent.operation == "GetCallerIdentity" {
        return xml("GetCallerIdentity", "<Account>111122223333</Account>");
    }
    if sent.operation == "ListSecrets" {
        return (200, "application/x-amz-json-1.1", json!({ "SecretList": [] }).to_string());
    }
    if sent.json.is_some() {
        return (200, "application/x-amz-json-1.1", json!({}).to_string());
    }
    xml(&sent.operation, "")
}
