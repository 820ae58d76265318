//! Calls to services that are asked few things each: whether actions are permitted, which quotas an account has, and secrets.
//!
//! Goes in: a question, or a call. Comes out: the items of all pages of the answer, or an error of the SDK's own type.
//!
//! The generated clients of these services are a quarter of a million lines, which took longer to build than the
//! program itself. What carries a call is the SDK's all the same: credentials, signature, attempts, timeouts, the
//! correction of the clock, and the interceptors of all other clients. Only the bodies are written and read here.
//!
//! **Invariant:** what changes something goes past the fence of the clients for changes.
//! **Invariant:** the answer about a secret is shown by no `Debug`.
//! **Invariant:** an answer that is not understood is an error, and never an empty one.

mod answers;
mod endpoints;

use aws_runtime::auth::SigV4OperationSigningConfig;
use aws_runtime::auth::sigv4::{SCHEME_ID, SigV4AuthScheme};
use aws_runtime::invocation_id::InvocationIdInterceptor;
use aws_runtime::request_info::RequestInfoInterceptor;
use aws_runtime::retries::classifiers::AwsErrorCodeClassifier;
use aws_runtime::service_clock_skew::{ServiceClockSkewClassifier, ServiceClockSkewInterceptor};
use aws_runtime::user_agent::{ApiMetadata, UserAgentInterceptor};
use aws_smithy_query::QueryWriter;
use aws_smithy_runtime::client::http::connection_poisoning::ConnectionPoisoningInterceptor;
use aws_smithy_runtime::client::orchestrator::operation::Operation;
use aws_smithy_runtime::client::retries::classifiers::{HttpStatusCodeClassifier, TransientErrorClassifier};
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::auth::AuthSchemeOptionResolverParams;
use aws_smithy_runtime_api::client::auth::static_resolver::StaticAuthSchemeOptionResolver;
use aws_smithy_runtime_api::client::interceptors::SharedInterceptor;
use aws_smithy_runtime_api::client::orchestrator::{
    HttpRequest, HttpResponse, OrchestratorError, SensitiveOutput,
};
use aws_smithy_runtime_api::client::result::{ConnectorError, SdkError};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponentsBuilder;
use aws_smithy_runtime_api::client::runtime_plugin::StaticRuntimePlugin;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::config_bag::Layer;
use aws_types::SdkConfig;
use aws_types::SigningName;
use serde_json::{Value, json};

use self::answers::{Fault, Page};
use self::endpoints::Endpoint;
use super::retries::OnlyTheProvider;

/// A failed question.
pub type Failed = SdkError<Fault, HttpResponse>;

/// Pages of one answer that are read: many times what the longest list has.
const PAGES_MAX: usize = 200;

/// How a service speaks.
#[derive(Clone, Copy, Debug)]
enum Protocol {
    /// Fields as of a form; answers in XML.
    Query,
    /// JSON, with the operation in a header.
    Json {
        /// What stands before the operation's name.
        target: &'static str,
    },
}

/// A service as it is addressed.
#[derive(Clone, Copy, Debug)]
struct Service {
    /// As the SDK names it.
    id: &'static str,
    /// As signatures and hosts name it.
    signing: &'static str,
    protocol: Protocol,
}

const IAM: Service = Service { id: "IAM", signing: "iam", protocol: Protocol::Query };
const QUOTAS: Service = Service {
    id: "Service Quotas",
    signing: "servicequotas",
    protocol: Protocol::Json { target: "ServiceQuotasV20190624" },
};

const SECRETS: Service = Service {
    id: "Secrets Manager",
    signing: "secretsmanager",
    protocol: Protocol::Json { target: "secretsmanager" },
};

/// A way to put questions in one region.
#[derive(Clone, Debug)]
pub struct Direct {
    sdk: SdkConfig,
    meter: SharedInterceptor,
    fence: Option<SharedInterceptor>,
}

/// The fields of an answer, which may hold a secret and are shown nowhere.
#[derive(Clone, PartialEq)]
pub struct Hidden(Value);

impl Hidden {
    /// A field.
    pub fn get(&self, field: &str) -> Option<&Value> {
        self.0.get(field)
    }
    /// A field that is a text.
    pub fn text(&self, field: &str) -> Option<&str> {
        self.get(field).and_then(Value::as_str)
    }
}

impl std::fmt::Debug for Hidden {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Hidden")
    }
}

/// What was found out about one action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Simulated {
    /// The action.
    pub action: String,
    /// `allowed`, or why it is denied.
    pub decision: String,
}

/// A quota of the account.
#[derive(Clone, Debug, PartialEq)]
pub struct ListedQuota {
    /// Its name.
    pub name: String,
    /// How much there may be.
    pub value: f64,
}

impl Direct {
    /// A way with the configuration that the other clients of the region have.
    pub const fn new(sdk: SdkConfig, meter: SharedInterceptor, fence: Option<SharedInterceptor>) -> Self {
        Self { sdk, meter, fence }
    }

    /// One call about secrets.
    pub async fn secrets(&self, name: &'static str, fields: &Value) -> Result<Hidden, Failed> {
        let body = |_: Option<&str>| fields.to_string();
        let answers = self.all(SECRETS, name, body, answers::fields).await?;
        answers.into_iter().next().ok_or_else(|| endless(format!("{name} was not answered")))
    }

    /// Secrets with a tag, as the service lists them.
    pub async fn list_secrets(&self, tag: &str) -> Result<Vec<Value>, Failed> {
        let body = |page: Option<&str>| {
            let mut fields = json!({ "MaxResults": 100, "Filters": [{ "Key": "tag-key", "Values": [tag] }] });
            if let Some(page) = page {
                fields["NextToken"] = page.into();
            }
            fields.to_string()
        };
        self.all(SECRETS, "ListSecrets", body, answers::secrets).await
    }

    /// Whether a user or a role may do each of some actions.
    pub async fn simulate_principal_policy(
        &self,
        principal: &str,
        actions: &[String],
    ) -> Result<Vec<Simulated>, Failed> {
        let body = |page: Option<&str>| simulation(principal, actions, page);
        self.all(IAM, "SimulatePrincipalPolicy", body, answers::simulated).await
    }

    /// The quotas of the account for a service.
    pub async fn list_service_quotas(&self, service: &str) -> Result<Vec<ListedQuota>, Failed> {
        let body = |page: Option<&str>| {
            let mut fields = json!({ "ServiceCode": service });
            if let Some(page) = page {
                fields["NextToken"] = page.into();
            }
            fields.to_string()
        };
        self.all(QUOTAS, "ListServiceQuotas", body, answers::quotas).await
    }

    /// Asks for page after page.
    async fn all<T: std::fmt::Debug + Send + Sync + 'static>(
        &self,
        service: Service,
        name: &'static str,
        body: impl Fn(Option<&str>) -> String + Send + Sync,
        read: fn(&[u8]) -> Result<Page<T>, BoxError>,
    ) -> Result<Vec<T>, Failed> {
        let operation = self.operation(service, name, read);
        let mut items = Vec::new();
        let mut at: Option<String> = None;
        for _ in 0..PAGES_MAX {
            let page = operation.invoke(body(at.as_deref())).await?;
            items.extend(page.items);
            let next = page.next.filter(|next| !next.is_empty());
            if next.is_none() {
                return Ok(items);
            }
            if next == at {
                return Err(endless(format!("{name} tells the same page as the next")));
            }
            at = next;
        }
        Err(endless(format!("the answer to {name} has more than {PAGES_MAX} pages")))
    }

    fn operation<T: std::fmt::Debug + Send + Sync + 'static>(
        &self,
        service: Service,
        name: &'static str,
        read: fn(&[u8]) -> Result<Page<T>, BoxError>,
    ) -> Operation<String, Page<T>, Fault> {
        let endpoint = endpoints::of(&self.sdk, service);
        let mut operation = Operation::builder()
            .service_name(service.id)
            .operation_name(name)
            .endpoint_url(&endpoint.url)
            .runtime_plugin(self.plugin(service, endpoint))
            .serializer(move |body: String| request(service, name, body))
            .deserializer(move |response: &HttpResponse| {
                answers::read(response, read).map_err(OrchestratorError::operation)
            });
        if let Some(version) = self.sdk.behavior_version() {
            operation = operation.behavior_version(version);
        }
        if let Some(http) = self.sdk.http_client() {
            operation = operation.http_client(http);
        }
        if let Some(timeouts) = self.sdk.timeout_config() {
            operation = operation.timeout_config(timeouts.clone());
        }
        match self.sdk.retry_config() {
            Some(retries) => operation.standard_retry(retries).build(),
            None => operation.no_retry().build(),
        }
    }

    /// What the SDK's own clients have, too.
    fn plugin(&self, service: Service, endpoint: Endpoint) -> StaticRuntimePlugin {
        let mut config = Layer::new("direct");
        config.store_put(AuthSchemeOptionResolverParams::new(()));
        config.store_put(SigV4OperationSigningConfig::default());
        config.store_put(SigningName::from_static(service.signing));
        config.store_put(SensitiveOutput);
        config.store_put(endpoint.signing_region);
        config.store_put(ApiMetadata::new(service.signing, env!("CARGO_PKG_VERSION")));
        if let Some(name) = self.sdk.app_name() {
            config.store_put(name.clone());
        }
        let schemes = StaticAuthSchemeOptionResolver::new(vec![SCHEME_ID]);
        let mut components = RuntimeComponentsBuilder::new("direct")
            .with_auth_scheme(SigV4AuthScheme::new())
            .with_auth_scheme_option_resolver(Some(schemes))
            .with_time_source(self.sdk.time_source())
            .with_sleep_impl(self.sdk.sleep_impl())
            .with_retry_classifier(HttpStatusCodeClassifier::default())
            .with_retry_classifier(TransientErrorClassifier::<Fault>::new())
            .with_retry_classifier(AwsErrorCodeClassifier::<Fault>::new())
            .with_retry_classifier(ServiceClockSkewClassifier::<Fault>::new())
            .with_retry_classifier(OnlyTheProvider)
            .with_interceptor(ConnectionPoisoningInterceptor::new())
            .with_interceptor(ServiceClockSkewInterceptor::new())
            .with_interceptor(RequestInfoInterceptor::new())
            .with_interceptor(UserAgentInterceptor::new())
            .with_interceptor(InvocationIdInterceptor::new())
            .with_interceptor(self.meter.clone());
        // After the meter: what is checked last is checked closest to the wire.
        if let Some(fence) = &self.fence {
            components = components.with_interceptor(fence.clone());
        }
        if let Some(cache) = self.sdk.identity_cache() {
            components = components.with_identity_cache(Some(cache));
        }
        if let Some(credentials) = self.sdk.credentials_provider() {
            components = components.with_identity_resolver(SCHEME_ID, credentials);
        }
        StaticRuntimePlugin::new().with_config(config.freeze()).with_runtime_components(components)
    }
}

fn endless(why: String) -> Failed {
    SdkError::dispatch_failure(ConnectorError::other(why.into(), None))
}

/// The fields of a simulation.
fn simulation(principal: &str, actions: &[String], page: Option<&str>) -> String {
    let mut body = String::new();
    let mut writer = QueryWriter::new(&mut body, "SimulatePrincipalPolicy", "2010-05-08");
    writer.prefix("PolicySourceArn").string(principal);
    let mut list = writer.prefix("ActionNames").start_list(false, None);
    for action in actions {
        list.entry().string(action);
    }
    list.finish();
    if let Some(page) = page {
        writer.prefix("Marker").string(page);
    }
    writer.finish();
    body
}

fn request(service: Service, operation: &str, body: String) -> Result<HttpRequest, BoxError> {
    let mut request = HttpRequest::new(SdkBody::from(body));
    request.set_method("POST")?;
    request.set_uri("/")?;
    let headers = request.headers_mut();
    match service.protocol {
        Protocol::Query => {
            headers.try_insert("content-type", "application/x-www-form-urlencoded")?;
        }
        Protocol::Json { target } => {
            headers.try_insert("content-type", "application/x-amz-json-1.1")?;
            headers.try_insert("x-amz-target", format!("{target}.{operation}"))?;
        }
    }
    Ok(request)
}
