//! Clients: one set for each region, one connection pool for all of them.
//!
//! Goes in: where credentials come from. Comes out: clients, and a meter that sees every attempt.
//!
//! **Invariant:** reads are retried by the SDK, changes never: whether a change is repeated is the engine's decision,
//! after it has looked.
//! **Invariant:** changes go past the [`Fence`] last of all.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_config::BehaviorVersion;
use aws_config::retry::RetryConfig;
use aws_config::sts::AssumeRoleProvider;
use aws_config::timeout::TimeoutConfig;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_smithy_runtime_api::client::interceptors::context::{
    BeforeDeserializationInterceptorContextRef, BeforeTransmitInterceptorContextRef,
};
use aws_smithy_runtime_api::client::interceptors::{Intercept, SharedInterceptor, dyn_dispatch_hint};
use aws_smithy_runtime_api::client::orchestrator::Metadata;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::DateTime;
use aws_smithy_types::config_bag::ConfigBag;
use aws_smithy_types::date_time::Format;
use aws_types::SdkConfig;
use aws_types::region::Region;
use tokio::sync::OnceCell;

use super::budget::Budget;
use super::caller::Caller;
use super::direct::Direct;
use super::errors::no_credentials;
use super::fence::Fence;
use super::retries::OnlyTheProvider;
use rgctl_model::ports::{Clock, CloudError};
use rgctl_schema::names::RegionId;

/// Where credentials come from, and where calls go.
#[derive(Clone, Debug, Default)]
pub struct AwsOptions {
    /// Profile of the shared configuration; the SDK's own default when unset.
    pub profile: Option<String>,
    /// Role that is assumed with these credentials.
    pub role_arn: Option<String>,
    /// What the role's owner asks for when it is assumed.
    pub external_id: Option<String>,
    /// The account that it must be: credentials of another one are refused.
    pub account: Option<String>,
    /// Address of all services instead of Amazon's: an emulator, or a private endpoint.
    pub endpoint_url: Option<String>,
}

/// Most attempts of a read. The engine looks again soon, so that more would only add load.
const READ_ATTEMPTS: u32 = 3;

/// How long an endpoint is waited for. An endpoint that takes requests and answers none must not hold a person up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// Time to reach an endpoint.
    pub connect: Duration,
    /// Time for one attempt, up to the last byte of the answer.
    pub attempt: Duration,
    /// Time for a call with all its attempts.
    pub call: Duration,
}

impl Default for Timeouts {
    /// Lists of a hundred clusters take seconds, nothing takes a minute.
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            attempt: Duration::from_secs(30),
            call: Duration::from_mins(1),
        }
    }
}

/// The clients of a region.
#[derive(Clone, Debug)]
pub struct Clients {
    /// Aurora and DocumentDB: one control plane, see `rds_like`.
    pub rds: aws_sdk_rds::Client,
    /// ElastiCache.
    pub elasticache: aws_sdk_elasticache::Client,
    /// Redshift.
    pub redshift: aws_sdk_redshift::Client,
    /// Redshift Serverless.
    pub serverless: aws_sdk_redshiftserverless::Client,
    /// Metrics.
    pub cloudwatch: aws_sdk_cloudwatch::Client,
    /// Tags of many objects at once.
    pub tagging: aws_sdk_resourcegroupstagging::Client,
    /// The caller's identity.
    pub sts: aws_sdk_sts::Client,
    /// Permissions, quotas and secrets.
    pub direct: Direct,
    /// The record of teams.
    pub s3: aws_sdk_s3::Client,
}

/// Sees every attempt: it pays for it, and keeps its name when asked to.
#[derive(Clone)]
pub struct Meter {
    caller: Arc<Caller>,
    region: String,
    budget: Budget,
    clock: Arc<dyn Clock>,
    log: Arc<Mutex<VecDeque<Attempt>>>,
    skew: Arc<Mutex<Option<i64>>>,
}

/// Attempts that are remembered: enough to look into the last ones, and never more however long a process lives.
const ATTEMPTS_KEPT: usize = 10_000;

fn remember(log: &mut VecDeque<Attempt>, attempt: Attempt) {
    if log.len() == ATTEMPTS_KEPT {
        log.pop_front();
    }
    log.push_back(attempt);
}

/// An attempt as the meter saw it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Attempt {
    /// Service, as the SDK names it.
    pub service: String,
    /// Operation.
    pub operation: String,
    /// Region.
    pub region: String,
}

impl std::fmt::Debug for Meter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Meter").field("region", &self.region).finish_non_exhaustive()
    }
}

/// Endpoint whose budget a service of the SDK draws from.
pub fn endpoint_of(service: &str) -> &'static str {
    match service {
        "RDS" | "rds" => "rds",
        "ElastiCache" | "elasticache" => "elasticache",
        "Redshift" | "redshift" => "redshift",
        "Redshift Serverless" | "redshift-serverless" => "redshift-serverless",
        "CloudWatch" | "cloudwatch" => "monitoring",
        "Resource Groups Tagging API" => "tagging",
        "S3" | "s3" => "s3",
        _ => "other",
    }
}

#[dyn_dispatch_hint]
impl Intercept for Meter {
    fn name(&self) -> &'static str {
        "Meter"
    }

    fn read_before_transmit(
        &self,
        _context: &BeforeTransmitInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        bag: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let Some(call) = bag.load::<Metadata>() else { return Ok(()) };
        let rate_limit_key =
            (self.caller.rate_limit_key(), self.region.clone(), endpoint_of(call.service()).to_owned());
        let now = self.clock.now();
        self.budget.with(&rate_limit_key, now, |bucket| bucket.spend(now));
        let attempt = Attempt {
            service: call.service().to_owned(),
            operation: call.name().to_owned(),
            region: self.region.clone(),
        };
        remember(&mut self.log.lock().unwrap_or_else(PoisonError::into_inner), attempt);
        Ok(())
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _bag: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let told = context.response().headers().get("date");
        if let Some(theirs) = told.and_then(|text| DateTime::from_str(text, Format::HttpDate).ok()) {
            let skew = self.clock.now().as_secs() - theirs.secs();
            *self.skew.lock().unwrap_or_else(PoisonError::into_inner) = Some(skew);
        }
        Ok(())
    }
}

/// What calls travel over.
#[derive(Clone, Debug)]
pub struct Transport {
    /// The connection pool.
    pub http: SharedHttpClient,
    /// Credentials instead of those that the SDK's chain finds: for tests.
    pub credentials: Option<SharedCredentialsProvider>,
    /// How long an answer is waited for.
    pub patience: Timeouts,
}

impl Default for Transport {
    fn default() -> Self {
        let http = aws_smithy_http_client::Builder::new()
            .tls_provider(Provider::Rustls(CryptoMode::Ring))
            .build_https();
        Self { http, credentials: None, patience: Timeouts::default() }
    }
}

/// Makes clients, and keeps them.
#[derive(Debug)]
pub struct Pool {
    options: AwsOptions,
    transport: Transport,
    budget: Budget,
    clock: ClockRef,
    /// For each region its own: where credentials come from the provider, they come from that region, so that one that is
    /// lost takes nobody else's with it.
    bases: Mutex<BTreeMap<RegionId, Arc<OnceCell<SdkConfig>>>>,
    caller: Arc<Caller>,
    made: Mutex<BTreeMap<(RegionId, bool), Arc<Clients>>>,
    log: Arc<Mutex<VecDeque<Attempt>>>,
    skew: Arc<Mutex<Option<i64>>>,
}

struct ClockRef(Arc<dyn Clock>);

impl std::fmt::Debug for ClockRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Clock")
    }
}

impl Pool {
    /// A pool; nothing is asked or read yet.
    pub fn new(options: AwsOptions, transport: Transport, budget: Budget, clock: Arc<dyn Clock>) -> Self {
        let account = options.account.as_deref().map(Caller::counted_as);
        let named = account.or_else(|| options.role_arn.clone()).or_else(|| options.profile.clone());
        Self {
            options,
            transport,
            budget,
            clock: ClockRef(clock),
            bases: Mutex::default(),
            caller: Arc::new(Caller::named(named.unwrap_or_else(|| "default".to_owned()))),
            made: Mutex::default(),
            log: Arc::default(),
            skew: Arc::default(),
        }
    }

    /// Whose calls these are.
    pub fn caller(&self) -> &Caller {
        &self.caller
    }

    /// Whether the endpoint was given by the user.
    pub const fn is_emulated(&self) -> bool {
        self.options.endpoint_url.is_some()
    }

    /// Options that the pool was made with.
    pub const fn options(&self) -> &AwsOptions {
        &self.options
    }

    /// How long answers are waited for.
    pub const fn patience(&self) -> Timeouts {
        self.transport.patience
    }

    /// Time.
    pub fn clock(&self) -> &dyn Clock {
        self.clock.0.as_ref()
    }

    /// Time, for somebody else.
    pub fn shared_clock(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.clock.0)
    }

    /// The connections.
    pub const fn transport(&self) -> &Transport {
        &self.transport
    }

    /// The budget.
    pub const fn budget(&self) -> &Budget {
        &self.budget
    }

    /// The last attempts, the oldest first.
    pub fn attempts(&self) -> Vec<Attempt> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    /// By how many seconds our clock is ahead of the provider's, as of the last answer.
    pub fn skew_seconds(&self) -> Option<i64> {
        *self.skew.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Clients for reading: retried by the SDK.
    pub async fn reading(&self, region: &RegionId) -> Arc<Clients> {
        self.clients(region, false).await
    }

    /// Clients for changing: never retried by the SDK.
    pub async fn writing(&self, region: &RegionId) -> Arc<Clients> {
        self.clients(region, true).await
    }

    /// Whether there are credentials at all. It is asked before many calls would each go through the whole chain and
    /// fail alike, which takes seconds each time where the last link is a machine's metadata that does not answer.
    pub async fn check_credentials(&self, region: &RegionId) -> Result<(), CloudError> {
        if self.caller.is_checked(region) {
            return Ok(());
        }
        let Some(provider) = self.base(region).await.credentials_provider() else {
            return Err(CloudError::Denied {
                code: "NoCredentials".to_owned(),
                message: "no provider of credentials is configured".to_owned(),
            });
        };
        provider.provide_credentials().await.map_err(|error| no_credentials(&error))?;
        self.caller.check(region);
        Ok(())
    }

    async fn base(&self, region: &RegionId) -> SdkConfig {
        let cell = {
            let mut bases = self.bases.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(bases.entry(region.clone()).or_default())
        };
        cell.get_or_init(|| self.load(region)).await.clone()
    }

    async fn load(&self, region: &RegionId) -> SdkConfig {
        let mut loader = aws_config::defaults(BehaviorVersion::v2026_01_12())
            .http_client(self.transport.http.clone())
            .timeout_config(
                TimeoutConfig::builder()
                    .connect_timeout(self.transport.patience.connect)
                    .operation_attempt_timeout(self.transport.patience.attempt)
                    .operation_timeout(self.transport.patience.call)
                    .build(),
            )
            // Naming a region keeps the loader from asking the instance's metadata for one.
            .region(Region::new(region.to_string()));
        if let Some(credentials) = &self.transport.credentials {
            loader = loader.credentials_provider(credentials.clone());
        }
        if let Some(profile) = &self.options.profile {
            loader = loader.profile_name(profile);
        }
        if let Some(url) = &self.options.endpoint_url {
            loader = loader.endpoint_url(url);
        }
        let base = loader.load().await;
        let Some(role) = &self.options.role_arn else { return base };
        let mut provider = AssumeRoleProvider::builder(role).session_name("rgctl").configure(&base);
        if let Some(id) = &self.options.external_id {
            provider = provider.external_id(id);
        }
        let provider = provider.build().await;
        base.into_builder().credentials_provider(SharedCredentialsProvider::new(provider)).build()
    }

    async fn clients(&self, region: &RegionId, changing: bool) -> Arc<Clients> {
        let key = (region.clone(), changing);
        if let Some(clients) = self.made.lock().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return Arc::clone(clients);
        }
        let base = self.base(region).await;
        let retry = if changing {
            RetryConfig::disabled()
        } else {
            RetryConfig::standard().with_max_attempts(READ_ATTEMPTS)
        };
        let sdk = base.into_builder().region(Region::new(region.to_string())).retry_config(retry).build();
        let meter = SharedInterceptor::new(Meter {
            caller: Arc::clone(&self.caller),
            region: region.to_string(),
            budget: self.budget.clone(),
            clock: Arc::clone(&self.clock.0),
            log: Arc::clone(&self.log),
            skew: Arc::clone(&self.skew),
        });
        // After the meter: what is checked last is checked closest to the wire.
        let fence = changing.then(|| SharedInterceptor::new(Fence(Arc::clone(&self.clock.0))));
        let clients = Arc::new(Clients::new(&sdk, &meter, fence.as_ref(), self.is_emulated()));
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(made.entry(key).or_insert(clients))
    }
}

impl Clients {
    fn new(
        sdk: &SdkConfig,
        meter: &SharedInterceptor,
        fence: Option<&SharedInterceptor>,
        emulated: bool,
    ) -> Self {
        macro_rules! client {
            ($service:ident) => {{
                let config = $service::config::Builder::from(sdk)
                    .interceptor(meter.clone())
                    .retry_classifier(OnlyTheProvider);
                let config = match fence {
                    Some(fence) => config.interceptor(fence.clone()),
                    None => config,
                };
                $service::Client::from_conf(config.build())
            }};
        }
        Self {
            rds: client!(aws_sdk_rds),
            elasticache: client!(aws_sdk_elasticache),
            redshift: client!(aws_sdk_redshift),
            serverless: client!(aws_sdk_redshiftserverless),
            cloudwatch: client!(aws_sdk_cloudwatch),
            tagging: client!(aws_sdk_resourcegroupstagging),
            sts: client!(aws_sdk_sts),
            direct: Direct::new(sdk.clone(), meter.clone(), fence.cloned()),
            // No fence: the record has its own, the condition on its head.
            // Emulators and many S3-compatible stores do not resolve a bucket's name as a host.
            s3: aws_sdk_s3::Client::from_conf(
                aws_sdk_s3::config::Builder::from(sdk)
                    .interceptor(meter.clone())
                    .retry_classifier(OnlyTheProvider)
                    .force_path_style(emulated)
                    .build(),
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_the_attempts_of_a_long_life_only_the_last_ones_are_kept() {
        let mut log = VecDeque::new();
        for number in 0..=ATTEMPTS_KEPT {
            let (service, region) = ("RDS".to_owned(), "us-east-1".to_owned());
            remember(&mut log, Attempt { service, operation: number.to_string(), region });
        }
        let ends = [log.front(), log.back()].map(|one| one.unwrap().operation.clone());
        assert_eq!((log.len(), ends), (ATTEMPTS_KEPT, ["1".to_owned(), ATTEMPTS_KEPT.to_string()]));
    }
}
